#!/usr/bin/python3
"""shares.py RUN_DIR SAID points|percent - the profile beside what the target knows of itself, as rows of a table.

points: every thread's shares of its own wall time, off by points; percent: each cause's sum, off by percent.
"""
import collections
import json
import sys

run, said, kind = sys.argv[1:]
profile = json.load(open(f"{run}/manifest.json"))["diagnostics"]["profile"]
hz = round(profile["frequency_hz"])
steal = profile.get("host_steal_s") or 0  # by the clock the thread had the CPU, by the kernel's CPU time it had not
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
by_thread = collections.defaultdict(list)
for name, cause, truth in waits:
    thread, wall = threads[name]
    value = seen[thread, cause]
    if kind == "points":
        by_thread[name].append((cause, 100 * truth / wall, 100 * value / wall))
    elif cause not in ("cpu", "run queue"):
        print(f"| {program} | {hz} | {cause} | {truth / 1e9:.3f} s | {value / 1e9:.3f} s | {100 * (value / truth - 1):+.1f} % | ±10 % |")
for name, rows in sorted(by_thread.items()):
    truths = ", ".join(f"{cause} {truth:.1f}" for cause, truth, _ in rows)
    values = ", ".join(f"{value:.1f}" for _, _, value in rows)
    cause, truth, value = max(rows, key=lambda row: abs(row[2] - row[1]))
    print(f"| {program} | {hz} | {name} | {truths} | {values} | at most {value - truth:+.2f} points ({cause}) | ±1 point |")
print(f"| {program} | {hz} | stolen by the host meanwhile | {steal:.2f} s | | | |")
