#!/usr/bin/env python3
"""Frame by frame: stopped moments of Python programs, by us and by `py-spy dump`.

    python_frames.py TASKDIAG WORK MOMENTS

A program runs for a random while, is stopped (SIGSTOP), looked at by both, and goes on. A frame is function, file and
line; all threads that have one are compared. Prints a table in Markdown.
"""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = (("calls.py", ["--hold-ms", "30"]), ("threads.py", []), ("sleepers.py", []), ("schedule.py", []))


def stacks_of(run):
    """{(function, file, line)… leaf first} of every thread, at the stop."""
    found = set()
    with open(os.path.join(run, "profile.folded"), errors="surrogateescape") as file:
        for line in file:
            text = line.rstrip("\n").rsplit(" ", 1)[0]
            frames = [re.fullmatch(r"(.*) \(([^()]*|<[^<>]*>):(\d+)\)", f) for f in text.split(";")[2:]]
            python = tuple((m[1].split(".")[-1], m[2], int(m[3])) for m in reversed(frames) if m)
            if python and text.endswith("[stopped]"):
                found.add(python)
    return found


def moment(tool, work, pid):
    os.kill(pid, signal.SIGSTOP)
    run = os.path.join(work, "run")
    subprocess.run(["rm", "-rf", run], check=True)
    subprocess.run([tool, "-q", "-d", "profile", "-F", "999", "--duration", "50ms", "-o", run, "--pid", str(pid)], check=True,
                   stderr=subprocess.DEVNULL)
    dump = subprocess.run([sys.executable, os.path.join(ROOT, "tests/e2e/pythondump.py"), str(pid)], check=True, capture_output=True)
    os.kill(pid, signal.SIGCONT)
    theirs = {tuple((f.split(".")[-1], os.path.basename(p), n) for f, p, n in stack) for stack in json.loads(dump.stdout).values() if stack}
    ours = stacks_of(run)
    same = ours & theirs
    frames = sum(len(s) for s in theirs)
    return len(theirs), len(same), frames, sum(len(s) for s in same), (sorted(ours - theirs), sorted(theirs - ours))


def main():
    tool, work, moments = sys.argv[1], sys.argv[2], int(sys.argv[3])
    print("| program | moments | stacks | the same | frames | in the same stacks |\n|---|---|---|---|---|---|")
    for name, arguments in PROGRAMS:
        sums, process = [0] * 4, None
        for _ in range(moments // len(PROGRAMS)):
            if process is None or process.poll() is not None:
                process = subprocess.Popen([sys.executable, os.path.join(ROOT, "tests/targets/python", name), *arguments],
                                           stdout=subprocess.DEVNULL)
                time.sleep(0.3)
            time.sleep(random.uniform(0.005, 0.1))
            if process.poll() is not None:
                continue
            *numbers, different = moment(tool, work, process.pid)
            if numbers[0] != numbers[1]:
                print("different:", different, file=sys.stderr)
            sums = [a + b for a, b in zip(sums, numbers)]
        process.kill()
        process.wait()
        print(f"| {name} | {moments // len(PROGRAMS)} | {sums[0]} | {sums[1]} | {sums[2]} | {100 * sums[3] / max(sums[2], 1):.2f} % |",
              flush=True)


main()
