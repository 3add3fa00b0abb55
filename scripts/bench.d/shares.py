#!/usr/bin/python3
"""shares.py RUN_DIR SAID points|percent - the profile beside what the target knows of itself, as rows of a table.

points: every thread's shares of its own wall time, off by points; percent: each cause's sum, off by percent.
"""
import collections
import json
import sys

run, said, kind = sys.argv[1:]
hz = round(json.load(open(f"{run}/manifest.json"))["diagnostics"]["profile"]["frequency_hz"])
seen = collections.Counter()
for line in open(f"{run}/profile.folded", errors="surrogateescape"):
    text, us = line.rsplit(" ", 1)
    process, thread, *frames = text.split(";")
    last = frames[-1]
    cause = last[1:-1] if last.startswith("[") and last.endswith("]") and not last.startswith("[incomplete") else "cpu"
    seen[thread, "cpu" if cause == "not sampled" else cause] += int(us) * 1000

threads, waits = {}, []
for line in open(said):
    what, name, *rest = line.split()
    if what == "thread":
        tid, wall, cpu, queue = rest
        threads[name] = f"{name}-{tid}", int(wall)
        waits += [(name, "cpu", int(cpu)), (name, "run queue", int(queue))]
    elif what == "wait":
        waits.append((name, rest[0], int(rest[1])))

program = "profile_schedule" if kind == "points" else "profile_shortwaits"
worst = 0
for name, cause, truth in sorted(waits):
    thread, wall = threads[name]
    value = seen[thread, cause]
    if kind == "points":
        off = 100 * (value - truth) / wall
        worst = max(worst, abs(off))
        print(f"| {program} | {hz} | {name}: {cause} | {100 * truth / wall:.2f} % | {100 * value / wall:.2f} % | {off:+.2f} points | ±1 point |")
    elif cause not in ("cpu", "run queue"):
        print(f"| {program} | {hz} | {cause} | {truth / 1e9:.3f} s | {value / 1e9:.3f} s | {100 * (value / truth - 1):+.1f} % | ±10 % |")
if kind == "points":
    print(f"| {program} | {hz} | the worst of them | | | {worst:.2f} points | ±1 point |")
