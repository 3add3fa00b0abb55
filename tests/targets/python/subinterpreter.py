#!/usr/bin/env python3
"""Code that runs in a sub-interpreter of the same thread.

    subinterpreter.py

Truth: caller, in the main interpreter, runs a script in another one, whose function in_sub burns the CPU for
0.7 s. Prints `ready` when it begins. The frames of each interpreter are its own: caller is not above in_sub.
"""
try:
    import _interpreters as interpreters
except ImportError:  # up to 3.12
    import _xxsubinterpreters as interpreters

SCRIPT = """
import time
def in_sub(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
in_sub(0.7)
"""


def caller():
    made = interpreters.create()
    run = getattr(interpreters, "exec", None) or interpreters.run_string
    print("ready", flush=True)
    run(made, SCRIPT)


caller()
