#!/usr/bin/env python3
"""Code objects that live for some milliseconds each, one after the other at the same few addresses.

    churn.py [--seconds S] [--burn-ms CPU]

Truth: gen_0, gen_1, ... are compiled, called and dropped; gen_N is in the file gen_N.py, burns the CPU
time and has a local `mine` that is N. A name is never used twice. Prints `ready` when it begins; at the
end `group R NS` for each R from 0 to 9: the CPU time of every gen_N with N % 10 == R; and
`addresses DISTINCT GENERATIONS`: at how many addresses how many code objects were.
"""
import argparse
import sys
import time

SOURCE = """
def gen_{n}(ns, clock):
    mine = {n}
    end = clock() + ns
    while clock() < end:
        pass
    return mine
"""


def generation(n, ns):
    """Makes, calls and drops gen_N. Returns the address that its code object had, and its CPU time."""
    names = {}
    exec(compile(SOURCE.format(n=n), "gen_%d.py" % n, "exec"), names)
    function = names.pop("gen_%d" % n)
    begin = time.thread_time_ns()
    if function(ns, time.thread_time_ns) != n:
        sys.exit("gen_%d is another one" % n)
    return id(function.__code__), time.thread_time_ns() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--burn-ms", type=float, default=5)
    options = parser.parse_args()

    groups, addresses, n = [0] * 10, set(), 0
    print("ready", flush=True)
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        address, ns = generation(n, int(options.burn_ms * 1e6))
        addresses.add(address)
        groups[n % 10] += ns
        n += 1
    for group, ns in enumerate(groups):
        print("group", group, ns)
    print("addresses", len(addresses), n)


main()
