#!/usr/bin/env python3
"""Is the heap of a started command what it is? Beside programs that know it, memray and heaptrack.

    allocations_truth.py TASKDIAG TARGETS WORK RUNS

Each program runs RUNS times under us and once under the others. Prints a table in Markdown: bytes at the peak as the program itself
knows them (of its named functions), as we tell them (lowest and highest of the runs), how often it was called exact, and the peak of
the whole program by us, heaptrack and memray. memray comes from PyPI into a venv below WORK; heaptrack is Debian's.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys

import allocations_slowdown

SCRIPT = """
def first(): return bytearray(80000000)
def second(): return [bytes(600) for _ in range(94787)]
kept = first(), second()
"""
MIB = 1 << 20


def functions(run, names):
    """Bytes at the peak of each, by malloc and its like: the folded stacks less what mmap has."""
    sums = dict.fromkeys(names, 0)
    with open(os.path.join(run, "allocations.folded"), errors="surrogateescape", encoding="utf-8") as file:
        for line in file:
            text, value = line.rsplit(" ", 1)
            for name in sums.keys() & {re.sub(r" \(.*", "", frame) for frame in text.split(";")[2:]}:
                sums[name] += int(value)
    return sums


def ours(tool, work, options, argv):
    run = os.path.join(work, "run")
    shutil.rmtree(run, ignore_errors=True)
    subprocess.run([tool, "-q", "-d", "allocations", *options, "-o", run, "--", *argv], check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(run, "manifest.json"), encoding="utf-8") as file:
        return run, json.load(file)["diagnostics"]["allocations"]


def heaptrack(work, argv):
    if not shutil.which("heaptrack"):
        return "not installed"
    subprocess.run(["heaptrack", "-o", os.path.join(work, "h"), *argv], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    said = subprocess.run(["heaptrack_print", "-a", "0", "-p", "0", "-T", "0", *glob.glob(os.path.join(work, "h*.zst")),
                           *glob.glob(os.path.join(work, "h*.gz"))], check=True, capture_output=True, text=True).stdout
    for name in glob.glob(os.path.join(work, "h.*")):
        os.unlink(name)
    return re.search(r"peak heap memory consumption: (\S+)", said)[1]


def memray(python, work, argv):
    if "python" not in argv[0]:
        return "–"
    out = os.path.join(work, "m.bin")
    subprocess.run([python, "-m", "memray", "run", "-q", "-f", "-o", out, *argv[1:]], check=True, stdout=subprocess.DEVNULL)
    code = "import memray, sys; print(memray.FileReader(sys.argv[1]).metadata.peak_memory)"
    return f"{int(subprocess.run([python, '-c', code, out], check=True, capture_output=True, text=True).stdout) / 1e6:.3f} MB"


def main():
    tool, targets, work, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    python = allocations_slowdown.prepare(work)
    script = os.path.join(work, "hold.py")
    with open(script, "w", encoding="ascii") as file:
        file.write(SCRIPT)
    programs = {
        "alloc_known": ([os.path.join(targets, "alloc_known"), "--small", "1"],
                        {f"hold_{n}": m * MIB // 4000 * 4000 for n, m in zip("abcd", (64, 32, 48, 5))}),
        "Python, 80 + 60 MB": (["/usr/bin/python3", script], {"first": 80000001, "second": 94787 * 633}),
    }
    print("| program | function | it holds | exact: lowest, highest | called exact | sampled (64 KiB): lowest, highest |\n|---|---|---|---|---|---|")
    peaks = {}
    for name, (argv, known) in programs.items():
        seen, sampled, exact = {f: [] for f in known}, {f: [] for f in known}, 0
        for _ in range(runs):
            run, told = ours(tool, work, [], argv)
            exact += told["exact"]
            peaks[name] = told["peak_bytes"]
            for function, held in functions(run, known).items():
                seen[function].append(held)
            for function, held in functions(ours(tool, work, ["--sample-bytes", "64K"], argv)[0], known).items():
                sampled[function].append(held)
        for function, held in known.items():
            print(f"| {name} | {function} | {held} | {min(seen[function])}, {max(seen[function])} | {exact} of {runs} | "
                  f"{min(sampled[function]) / held:.4f}, {max(sampled[function]) / held:.4f} × |", flush=True)
    print("\n| peak of the whole program | taskdiag-bpf | heaptrack | memray |\n|---|---|---|---|")
    for name, (argv, _) in programs.items():
        print(f"| {name} | {peaks[name] / 1e6:.3f} MB | {heaptrack(work, argv)} | {memray(python, work, argv)} |", flush=True)


if __name__ == "__main__":
    main()
