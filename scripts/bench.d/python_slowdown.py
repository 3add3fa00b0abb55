#!/usr/bin/env python3
"""What a profile at 99 Hz costs five programs of pyperformance, beside pyinstrument and py-spy.

    python_slowdown.py TASKDIAG WORK PAIRS [PROGRAM...]

In every round each program runs without an observer and with each of them, in turn; CPU time is that of the
program and its children, measured by itself. Prints a table in Markdown: medians of CPU time with / without.
pyperformance, pyperf, pyinstrument and py-spy come from PyPI into a venv below WORK.
"""
import glob
import os
import statistics
import subprocess
import sys
import venv

PROGRAMS = {  # loops: about two seconds each
    "json_loads": ("bm_json_loads", ["--loops", "2500"]),
    "regex_compile": ("bm_regex_compile", ["--loops", "6"]),
    "deltablue": ("bm_deltablue", ["--loops", "250"]),
    "raytrace": ("bm_raytrace", ["--loops", "3"]),
    "async_tree": ("bm_async_tree", ["none", "--loops", "2"]),
}
# writes wall and CPU seconds of the program that it becomes the parent of
TIMED = ("import os, resource, subprocess, sys, time; w = time.monotonic(); s = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL,"
         " stderr=subprocess.DEVNULL).returncode; u = resource.getrusage(resource.RUSAGE_CHILDREN);"
         " open(sys.argv[1], 'w').write('%f %f' % (time.monotonic() - w, u.ru_utime + u.ru_stime)); sys.exit(s)")
MODES = ("none", "taskdiag-bpf", "pyinstrument", "py-spy")


def prepare(work):
    place = os.path.join(work, "venv")
    if os.path.exists(os.path.join(place, "complete")):
        return place, glob.glob(os.path.join(place, "lib/python3*/site-packages/pyperformance/data-files/benchmarks"))[0]
    venv.create(place, with_pip=True)
    subprocess.run([os.path.join(place, "bin", "pip"), "install", "-q", "pyperformance", "pyperf", "pyinstrument", "py-spy", "psutil"],
                   check=True)
    open(os.path.join(place, "complete"), "w", encoding="ascii").close()
    return place, glob.glob(os.path.join(place, "lib/python3*/site-packages/pyperformance/data-files/benchmarks"))[0]


def command(mode, tool, place, work, script, arguments):
    python = os.path.join(place, "bin", "python")
    worker = [script, "--worker", "--values", "1", "--warmups", "0", *arguments]
    timed = [sys.executable, "-c", TIMED, os.path.join(work, "took")]
    if mode == "pyinstrument":
        return timed + [python, "-m", "pyinstrument", "-o", os.path.join(work, "out.txt"), *worker]
    program = timed + [python, *worker]
    if mode == "taskdiag-bpf":
        subprocess.run(["rm", "-rf", os.path.join(work, "run")], check=True)
        return [tool, "-q", "-d", "profile", "-o", os.path.join(work, "run"), "--", *program]
    if mode == "py-spy":
        return [os.path.join(place, "bin", "py-spy"), "record", "-r", "99", "-f", "raw", "-s", "-o", os.path.join(work, "spy"),
                "--", *program]
    return program


def main():
    tool, work, pairs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    place, programs = prepare(work)
    print("| program | without, CPU s | taskdiag-bpf | pyinstrument | py-spy | quartiles of ours |\n|---|---|---|---|---|---|")
    for name in sys.argv[4:] or PROGRAMS:
        directory, arguments = PROGRAMS[name]
        script = os.path.join(programs, directory, "run_benchmark.py")
        took = {mode: [] for mode in MODES}
        for i in range(pairs):
            for mode in MODES[i % 4:] + MODES[:i % 4]:
                done = subprocess.run(command(mode, tool, place, work, script, arguments), stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, check=False)
                if done.returncode:
                    sys.exit(f"{name}, {mode}: status {done.returncode}: {done.stderr.decode()[-500:]}")
                took[mode].append(float(open(os.path.join(work, "took"), encoding="ascii").read().split()[1]))
        ratios = {mode: [a / b for a, b in zip(took[mode], took["none"])] for mode in MODES}
        quartiles = statistics.quantiles(ratios["taskdiag-bpf"], n=4)
        print(f"| {name} | {statistics.median(took['none']):.2f} | " +
              " | ".join(f"{statistics.median(ratios[mode]):.3f}" for mode in MODES[1:]) +
              f" | {quartiles[0]:.3f}–{quartiles[2]:.3f} |", flush=True)


main()
