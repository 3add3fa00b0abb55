#!/usr/bin/python3
"""findings_gil.py [SECONDS] - four threads in count(), of which one at a time has the GIL."""
import sys
import threading
import time

END = time.monotonic() + float(sys.argv[1] if len(sys.argv) > 1 else 6)


def count():
    n = 0
    while time.monotonic() < END:
        n += 1


threads = [threading.Thread(target=count) for _ in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
