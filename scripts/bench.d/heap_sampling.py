#!/usr/bin/env python3
"""Does the 95 % interval of a sampled heap cover the truth in 95 of 100 runs?

    heap_sampling.py TASKDIAG TARGETS WORK RUNS [GAP]

tests/targets/heap_sampling.c holds known bytes in five functions, from some thousand samples down to three. Its peak as a whole is that
of an exact run. Prints a table in Markdown: bias of the estimate (and how sure that is), its deviation, how many runs are within 2 %,
and in how many the interval covers the truth. A function without a sample has no entry, and no interval: it is not covered.
"""
import collections
import json
import math
import os
import shutil
import statistics
import subprocess
import sys

WHOLE = "all, at the peak"


def observe(tool, work, options, argv):
    run = os.path.join(work, "run")
    shutil.rmtree(run, ignore_errors=True)
    said = subprocess.run([tool, "-q", "-d", "allocations", *options, "-o", run, "--", *argv], check=True, capture_output=True, text=True).stdout
    with open(os.path.join(run, "manifest.json"), encoding="utf-8") as file:
        told = json.load(file)["diagnostics"]["allocations"]
    table = json.loads(subprocess.run([tool, "table", "--json", "--full", run], check=True, capture_output=True).stdout)
    return said, told, table


def functions(table, names):
    """(bytes, half the interval, pieces) of each; errors of several entries add up as squares"""
    sums = collections.defaultdict(lambda: [0, 0.0, 0])
    for entry in table["entries"]:
        for name in names & {frame["function"] for frame in entry["stack"]}:
            sums[name][0] += entry["bytes"]
            sums[name][1] += entry["error_95_bytes"] ** 2
            sums[name][2] += entry["count"]
    return {name: (held, math.sqrt(square), count) for name, (held, square, count) in sums.items()}


def row(name, known, expected, estimates):
    n = len(estimates)
    ratios = [held / known - 1 for held, _, _ in estimates]
    covered = sum(low <= known <= high for _, low, high in estimates)
    below, above = sum(high < known for _, _, high in estimates), sum(low > known for _, low, _ in estimates)
    deviation = statistics.stdev(ratios)
    print(f"| {name} | {known} | {expected:.0f} | {100 * statistics.mean(ratios):+.2f} ± {196 * deviation / math.sqrt(n):.2f} % | {100 * deviation:.2f} % | "
          f"{sum(abs(r) <= 0.02 for r in ratios)} | **{covered}** | {below}, {above} |", flush=True)


def main():
    tool, targets, work, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    gap = int(sys.argv[5]) if len(sys.argv) > 5 else 65536
    argv = [os.path.join(targets, "heap_sampling"), str(gap)]
    said, told, table = observe(tool, work, [], argv)
    if not told["exact"]:
        sys.exit(f"the run with every allocation is not exact: {told['limits']}")
    holds = {line.split()[1]: [int(x) for x in line.split()[2:]] for line in said.splitlines() if line.startswith("holds")}
    for name, (held, _, _) in functions(table, holds.keys()).items():
        if held != holds[name][0]:
            sys.exit(f"exact: {name} holds {held}, the program knows {holds[name][0]}")
    known = {WHOLE: told["peak_bytes"], **{name: held for name, (held, _) in holds.items()}}
    estimates = {name: [] for name in known}
    for _ in range(runs):
        _, told, table = observe(tool, work, ["--sample-bytes", str(gap)], argv)
        low, high = told["interval_95"]
        estimates[WHOLE].append((told["peak_bytes"], low, high))
        seen = functions(table, holds.keys())
        for name in holds:
            held, error, _ = seen.get(name, (0, 0.0, 0))
            estimates[name].append((held, held - error, held + error))
    expected = {name: bytes_ / block * -math.expm1(-(block + 1) / gap) if block > 4000 else bytes_ / gap for name, (bytes_, block) in holds.items()}
    print(f"{runs} runs, gaps of {gap} bytes\n")
    print("| function | holds | samples, expected | bias | deviation of a run | within 2 % | interval covers | too low, too high |\n|---|---|---|---|---|---|---|---|")
    for name, truth in known.items():
        row(name, truth, expected.get(name, sum(expected.values())), estimates[name])


if __name__ == "__main__":
    main()
