#!/usr/bin/env python3
"""Threads that wait, each in another way that Python programs wait.

    sleepers.py [--seconds S]

Truth: for the seconds nothing runs; each thread is called by what it waits for:

    w-epoll     asyncio.run, an event loop that has nothing to do
    w-idle_0/1  workers of a ThreadPoolExecutor without work
    w-lock      threading.Lock.acquire of a lock that is held
    w-queue     queue.Queue.get of an empty queue
    w-child     subprocess.Popen.wait for a child that sleeps
    w-socket    socket.accept where nobody connects

Prints a line `thread NAME TID` for each, `child PID`, and `ready` when all are about to wait.
"""
import argparse
import asyncio
import concurrent.futures
import queue
import socket
import subprocess
import sys
import threading
import time

CHILD_CODE = "import sys, time; time.sleep(float(sys.argv[1]))"

lock = threading.Lock()
work = queue.Queue()
lines = []


def name_thread(name):
    """Also the kernel's name of it, which the interpreter sets from 3.14 on only."""
    threading.current_thread().name = name
    tid = threading.get_native_id()
    lines.append("thread %s %d" % (name, tid))
    try:
        with open("/proc/self/task/%d/comm" % tid, "w") as f:
            f.write(name)
    except OSError:
        pass  # a root without /proc: the thread keeps its first name


def wait_epoll(loops):
    async def wait_for_end():
        loops.append((asyncio.get_running_loop(), asyncio.Event()))
        await loops[0][1].wait()

    asyncio.run(wait_for_end())


def wait_lock():
    with lock:
        pass


def wait_queue():
    work.get()


def wait_child(child):
    child.wait()


def wait_socket(listener):
    connection, _ = listener.accept()
    connection.close()


def start(name, begun, function, *arguments):
    def run():
        name_thread(name)
        begun.wait()
        function(*arguments)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    return thread


def idle_workers(begun):
    """Two workers that have had something to do once, and have nothing more."""
    pool = concurrent.futures.ThreadPoolExecutor(2)

    def once(n):
        name_thread("w-idle_%d" % n)
        begun.wait()

    for n in range(2):
        pool.submit(once, n)
    return pool


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()

    begun, loops = threading.Barrier(8), []
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", CHILD_CODE, str(options.seconds)])
    lock.acquire()
    threads = [
        start("w-epoll", begun, wait_epoll, loops),
        start("w-lock", begun, wait_lock),
        start("w-queue", begun, wait_queue),
        start("w-child", begun, wait_child, child),
        start("w-socket", begun, wait_socket, listener),
    ]
    pool = idle_workers(begun)
    begun.wait()
    print("\n".join(sorted(lines)))
    print("child", child.pid)
    print("ready", flush=True)
    time.sleep(options.seconds)

    loop, event = loops[0]
    loop.call_soon_threadsafe(event.set)
    lock.release()
    work.put(None)
    socket.create_connection(listener.getsockname()).close()
    for thread in threads:
        thread.join()
    pool.shutdown()
    listener.close()


main()
