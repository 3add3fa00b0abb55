#!/usr/bin/env python3
"""Forked workers, and a child that becomes another interpreter.

    forks.py [--seconds S]

Truth: three children, each its own process: two that os.fork made run worker_0 and worker_1, one
executes this interpreter again with code of its own, which runs child_burn. Each burns CPU for the
seconds. Prints `ready` when it begins and a line `process NAME PID` for each child.
"""
import argparse
import os
import sys
import time

CHILD_CODE = """
import sys, time

def child_burn(end):
    while time.monotonic() < end:
        pass

child_burn(time.monotonic() + float(sys.argv[1]))
"""


def worker_0(end):
    while time.monotonic() < end:
        pass


def worker_1(end):
    while time.monotonic() < end:
        pass


def fork(function, *arguments):
    """The function in a new process, which ends with it."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        function(*arguments)
        status = 0
    finally:
        os._exit(status)


def execute(seconds):
    os.execv(sys.executable, [sys.executable, "-c", CHILD_CODE, str(seconds)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1)
    options = parser.parse_args()

    print("ready", flush=True)
    end = time.monotonic() + options.seconds
    children = {
        "worker_0": fork(worker_0, end),
        "worker_1": fork(worker_1, end),
        "child_burn": fork(execute, options.seconds),
    }
    for name, pid in children.items():
        print("process", name, pid, flush=True)
    statuses = [os.waitpid(pid, 0)[1] for pid in children.values()]
    if any(statuses):
        sys.exit("a child failed: %s" % dict(zip(children, statuses)))


main()
