#!/usr/bin/python3
"""A program with an allocation regression that a flag seeds.

    ci_regression.py [--seeded]

Truth: load_rows holds 24 MiB until the end. --seeded: cache_rows, which it calls, keeps 16 MiB more.
"""
import sys

MIB = 1 << 20


def cache_rows(cache):
    for i in range(16):
        cache.append(bytes([i]) * MIB)  # what the seeded job has to name


def load_rows(seeded):
    cache = []
    rows = [bytes([i]) * MIB for i in range(24)]
    if seeded:
        cache_rows(cache)
    return rows, cache


def main():
    rows, cache = load_rows("--seeded" in sys.argv[1:])
    print(len(rows), len(cache))


if __name__ == "__main__":
    main()
