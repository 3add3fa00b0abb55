#!/usr/bin/env python3
"""Threads that wait once, each for another thing.

    profile_causes.py [MILLISECONDS]

Truth: thread w-CAUSE does nothing but wait for CAUSE, for about as long as told; then it ends. Prints a
line `wait NAME TID CAUSE NS` for each: the wall time around the call that waits, by the thread's own
clock, the time to get CPython's lock again included.
"""
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time

WAIT = (float(sys.argv[1]) if len(sys.argv) > 1 else 500) / 1000
PR_SET_NAME = 15
LIBC = ctypes.CDLL(None)

pipe_read, pipe_write = os.pipe()
socket_here, socket_there = socket.socketpair()
terminal_master, terminal = os.openpty()
lock = threading.Lock()
lines, begun = [], threading.Barrier(10)


def wait_child():
    os.waitpid(child.pid, 0)


def wait_epoll():
    with select.epoll() as epoll:
        epoll.register(pipe_read, 0)
        epoll.poll(WAIT)


def wait_poll():
    select.poll().poll(WAIT * 1000)


WAITS = {
    "sleep": lambda: time.sleep(WAIT),
    "poll": wait_poll,
    "select": lambda: select.select([], [], [], WAIT),
    "epoll": wait_epoll,
    "pipe": lambda: os.read(pipe_read, 1),
    "socket": lambda: socket_here.recv(1),
    "tty": lambda: os.read(terminal, 1),
    "lock": lambda: lock.acquire(),
    "child": wait_child,
    "signal": lambda: signal.sigtimedwait([signal.SIGUSR2], WAIT),
}
CAUSES = {"select": "poll"}  # the others are called by their cause


def run(name):
    LIBC.prctl(PR_SET_NAME, b"w-" + name.encode())
    begun.wait()
    start = time.monotonic_ns()
    WAITS[name]()
    took = time.monotonic_ns() - start
    lines.append(f"wait w-{name} {threading.get_native_id()} {CAUSES.get(name, name)} {took}")


signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
lock.acquire()
child = subprocess.Popen(["sleep", str(WAIT)])
threads = [threading.Thread(target=run, args=(name,)) for name in WAITS]
for thread in threads:
    thread.start()
time.sleep(WAIT)
os.write(pipe_write, b"x")
socket_there.send(b"x")
os.write(terminal_master, b"x\n")
lock.release()
for thread in threads:
    thread.join()
print("\n".join(lines))
