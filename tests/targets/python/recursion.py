#!/usr/bin/env python3
"""One function that calls itself many times.

    recursion.py [--depth N] [--hold-ms CPU]

Truth: <module> -> main -> N frames of recurse -> bottom, which burns the CPU time. Prints `ready` when
it begins, and `cpu_ns NS` of bottom at the end.
"""
import argparse
import sys
import time


def bottom(ns):
    begin = time.thread_time_ns()
    while time.thread_time_ns() - begin < ns:
        pass
    return time.thread_time_ns() - begin


def recurse(depth, ns):
    if depth <= 1:
        return bottom(ns)
    return recurse(depth - 1, ns)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=600)
    parser.add_argument("--hold-ms", type=float, default=500)
    options = parser.parse_args()

    if not 1 <= options.depth <= 20000:
        parser.error("--depth: from 1 to 20000")
    sys.setrecursionlimit(options.depth + 1000)
    print("ready", flush=True)
    print("cpu_ns", recurse(options.depth, int(options.hold_ms * 1e6)))


main()
