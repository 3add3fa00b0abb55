#!/usr/bin/env python3
"""Functions and a file with names in other scripts than Latin.

    unicode_names.py [--hold-ms CPU]

Truth: each function burns the CPU time. Their names need one byte a character (Latin-1), two (the
basic multilingual plane) and four (beyond it); one more is in a file with such a name, which is made
in the working directory and removed at the end. Prints `ready` when it begins, and for each function
a line `function NAME` and a line `file PATH`, in UTF-8 whatever the locale is.
"""
import argparse
import os
import sys
import time

MODULE_NAME = "möđul_文件_𝔪.py"
MODULE_CODE = """
import time


def из_файла(ns):
    end = time.thread_time_ns() + ns
    while time.thread_time_ns() < end:
        pass
"""


def brûlé_à_côté(ns):
    end = time.thread_time_ns() + ns
    while time.thread_time_ns() < end:
        pass


def 燃やす_жечь(ns):
    end = time.thread_time_ns() + ns
    while time.thread_time_ns() < end:
        pass


def 𐎧𐎱𐏁_燃(ns):
    end = time.thread_time_ns() + ns
    while time.thread_time_ns() < end:
        pass


def load_module():
    """The function of the file with the other name."""
    path = os.path.join(os.getcwdb(), MODULE_NAME.encode())
    with open(path, "wb") as f:
        f.write(MODULE_CODE.encode())
    try:
        with open(path, "rb") as f:
            code = compile(f.read(), os.fsdecode(path), "exec")
    finally:
        os.unlink(path)
    names = {}
    exec(code, names)
    return names["из_файла"]


def say(*words):
    sys.stdout.buffer.write(b" ".join(os.fsencode(w) if "/" in w else w.encode() for w in words) + b"\n")
    sys.stdout.buffer.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hold-ms", type=float, default=300)
    options = parser.parse_args()

    functions = [brûlé_à_côté, 燃やす_жечь, 𐎧𐎱𐏁_燃, load_module()]
    say("ready")
    for function in functions:
        say("function", function.__name__)
        say("file", function.__code__.co_filename)
        function(int(options.hold_ms * 1e6))


main()
