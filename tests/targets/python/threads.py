#!/usr/bin/env python3
"""Two threads that both want the interpreter's lock all the time.

    threads.py [--seconds S]

Truth: one thread runs burn_a and another one burn_b, Python code only, for the seconds, while the main
thread waits for them in join. Each has about half of the time; for the other half it waits for the
GIL. Prints `ready` when both have begun, and at the end a line `thread NAME WALL_NS CPU_NS` for each.
"""
import argparse
import threading
import time


def burn_a(end):
    n = 0
    while time.monotonic() < end:
        n += 1
    return n


def burn_b(end):
    n = 0
    while time.monotonic() < end:
        n += 1
    return n


def run(function, seconds, begun, lines):
    begun.wait()
    wall, cpu = time.monotonic_ns(), time.thread_time_ns()
    function(time.monotonic() + seconds)
    wall, cpu = time.monotonic_ns() - wall, time.thread_time_ns() - cpu
    lines.append("thread %s %d %d" % (function.__name__, wall, cpu))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()

    begun, lines = threading.Barrier(3), []
    threads = [
        threading.Thread(target=run, args=(function, options.seconds, begun, lines), name=function.__name__)
        for function in (burn_a, burn_b)
    ]
    for thread in threads:
        thread.start()
    begun.wait()
    print("ready", flush=True)
    for thread in threads:
        thread.join()
    print("\n".join(sorted(lines)))


main()
