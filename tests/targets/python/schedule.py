#!/usr/bin/env python3
"""Python code, sleep and C code in known parts, beside a thread that is blocked throughout.

    schedule.py [--seconds S]

Truth: rounds of about 100 ms: 30 % in spin_python (a loop of Python code), 40 % in nap (time.sleep),
30 % in crunch (one call into C code that runs for long). A second thread waits in helper from before
the first round until after the last one. Prints `ready` when the rounds begin, and at the end a line
`part NAME WALL_NS CPU_NS` for each: measured around the call, by the clocks of the thread.
"""
import argparse
import hashlib
import threading
import time

ROUND_NS = 100_000_000
CALIBRATION_ITERATIONS = 20_000

ended = threading.Event()
helper_begun = threading.Event()


def spin_python(ns):
    end = time.thread_time_ns() + ns
    n = 0
    while time.thread_time_ns() < end:
        for i in range(200):
            n += i * i
    return n


def nap(ns):
    time.sleep(ns / 1e9)


def crunch(iterations):
    return hashlib.pbkdf2_hmac("sha256", b"password", b"salt", iterations)


def helper():
    helper_begun.set()
    ended.wait()


def iterations_for(ns):
    """How many iterations of crunch take the CPU time: the fastest of three tries tells."""
    fastest = None
    for _ in range(3):
        begin = time.thread_time_ns()
        hashlib.pbkdf2_hmac("sha256", b"password", b"salt", CALIBRATION_ITERATIONS)
        took = time.thread_time_ns() - begin
        fastest = took if fastest is None else min(took, fastest)
    return max(1, CALIBRATION_ITERATIONS * ns // max(1, fastest))


def timed(spent, function, argument):
    wall, cpu = time.monotonic_ns(), time.thread_time_ns()
    function(argument)
    spent[0] += time.monotonic_ns() - wall
    spent[1] += time.thread_time_ns() - cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()

    parts = {
        spin_python: ROUND_NS * 30 // 100,
        nap: ROUND_NS * 40 // 100,
        crunch: iterations_for(ROUND_NS * 30 // 100),
    }
    spent = {function: [0, 0] for function in parts}
    thread = threading.Thread(target=helper)
    thread.start()
    helper_begun.wait()
    print("ready", flush=True)
    end = time.monotonic_ns() + int(options.seconds * 1e9)
    while time.monotonic_ns() < end:
        for function, argument in parts.items():
            timed(spent[function], function, argument)
    ended.set()
    thread.join()
    for function, (wall, cpu) in spent.items():
        print("part", function.__name__, wall, cpu)


main()
