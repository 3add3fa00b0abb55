#!/usr/bin/env python3
"""What allocations cost, beside memray and heaptrack.

    allocations_slowdown.py TASKDIAG TARGETS WORK PAIRS [PROGRAM...]

In every round each program runs without an observer and with each of them, in turn; wall and CPU time are those of the program and
its children. Prints a table in Markdown: medians of with / without, CPU time and wall time, and the CPU time of our observer as a
share of the program's. memray comes from PyPI into a venv below WORK; heaptrack is Debian's. MODES=exact,sampled in the environment: these alone.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import venv

OBJECTS = """
import sys
sizes = [600 + 37 * i % 3500 for i in range(1000)]
def make(n): return [bytes(s) for s in sizes[:n]]
def rounds(n):
    kept = []
    for i in range(n):
        kept.append(make(1000))
        if len(kept) > 40: kept.pop(i % 40)
rounds(int(sys.argv[1]))
"""
INDEX = """CREATE TABLE t(a, b, c); WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 2500000)
INSERT INTO t SELECT x, hex(randomblob(8)), x * 7919 % 100003 FROM c; CREATE INDEX i ON t(b); CREATE INDEX k ON t(c, b);
SELECT count(*) FROM t WHERE b > 'F';"""
# name: (bar exact, its own bar when sampled or resident, argv made by a function of the work directory)
PROGRAMS = {
    "metadata import": (1.10, 1.03, lambda w, t: ["/usr/bin/python3", "tests/targets/metadata_import.py", "--quiet"]),
    "Python objects": (1.25, 1.03, lambda w, t: ["/usr/bin/python3", os.path.join(w, "objects.py"), "12000"]),
    "sqlite3 index": (1.25, 1.03, lambda w, t: ["sqlite3", ":memory:", INDEX]),
    "jq 20 MB": (1.50, 1.03, lambda w, t: ["jq", "[.[] | {id, name, tags: (.tags | length)}] | group_by(.tags) | map(length)",
                                           os.path.join(w, "big.json")]),
    "1 GB touched": (None, 1.10, lambda w, t: [os.path.join(t, "toucher"), "--mib", "1024"]),
}
JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
TIMED = ("import os, resource, subprocess, sys, time; w = time.monotonic(); s = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL,"
         " stderr=subprocess.DEVNULL).returncode; u = resource.getrusage(resource.RUSAGE_CHILDREN);"
         " open(sys.argv[1], 'w').write('%f %f' % (time.monotonic() - w, u.ru_utime + u.ru_stime)); sys.exit(s)")
OURS = {"exact": ["--exact"], "sampled": ["--sample-bytes", "512K"], "resident": ["--resident"]}
MODES = ("none", *(os.environ.get("MODES", "exact,sampled,resident,memray,memray native,heaptrack,jemalloc,jemalloc prof").split(",")))


def prepare(work):
    with open(os.path.join(work, "objects.py"), "w", encoding="ascii") as file:
        file.write(OBJECTS)
    with open(os.path.join(work, "big.json"), "w", encoding="ascii") as file:
        json.dump([{"id": i, "name": f"name {i * 7919 % 1000003}", "tags": [f"t{(i + k) % 97}" for k in range(i % 7)],
                    "nested": {"a": i / 3, "b": [i, i + 1]}} for i in range(160000)], file)
    place = os.path.join(work, "venv")
    if not os.path.exists(os.path.join(place, "complete")):
        venv.create(place, with_pip=True, system_site_packages=True)
        subprocess.run([os.path.join(place, "bin", "pip"), "install", "-q", "memray==1.17.2"], check=True)
        open(os.path.join(place, "complete"), "w", encoding="ascii").close()
    return os.path.join(place, "bin", "python")


def command(mode, tool, python, work, argv):
    timed = [sys.executable, "-c", TIMED, os.path.join(work, "took")]
    if mode in OURS:
        shutil.rmtree(os.path.join(work, "run"), ignore_errors=True)
        return [tool, "-q", "-d", "allocations", *OURS[mode], "-o", os.path.join(work, "run"), "--", *timed, *argv]
    if mode.startswith("memray"):
        if "python" not in argv[0]:
            return None
        native = ["--native"] if mode.endswith("native") else []
        return timed + [python, "-m", "memray", "run", "-q", "-f", "--aggregate", *native, "-o", os.path.join(work, "m.bin"), *argv[1:]]
    if mode.startswith("jemalloc"):  # its own allocator, without and with its profiler: one is the base of the other
        prof = ["MALLOC_CONF=prof:true,lg_prof_sample:19,prof_prefix:" + os.path.join(work, "je")] if mode.endswith("prof") else []
        return timed + ["env", "LD_PRELOAD=" + JEMALLOC, *prof, *argv] if os.path.exists(JEMALLOC) else None
    if mode == "heaptrack":
        return timed + ["heaptrack", "-o", os.path.join(work, "h"), *argv] if shutil.which("heaptrack") else None
    return timed + argv


def measure(name, tool, targets, python, work, rounds):
    took = {mode: [] for mode in MODES}
    observer, exact = {mode: [] for mode in OURS}, []
    argv = PROGRAMS[name][2](work, targets)
    for i in range(rounds):
        for mode in MODES[i % len(MODES):] + MODES[:i % len(MODES)]:
            what = command(mode, tool, python, work, argv)
            if not what:
                continue
            done = subprocess.run(what, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
            if done.returncode:
                sys.exit(f"{name}, {mode}: status {done.returncode}: {done.stderr.decode()[-500:]}")
            took[mode].append([float(x) for x in open(os.path.join(work, "took"), encoding="ascii").read().split()])
            if mode in OURS:
                with open(os.path.join(work, "run", "manifest.json"), encoding="utf-8") as file:
                    manifest = json.load(file)
                observer[mode].append(manifest["observer"]["cpu_s"])
                if mode == "exact":
                    exact.append(manifest["diagnostics"]["allocations"]["exact"])
    return took, observer, exact


def main():
    tool, targets, work, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    python = prepare(work)
    print("| program | alone, wall / CPU s | " + " | ".join(MODES[1:]) + " | bars | exact |\n|" + "---|" * (len(MODES) + 3))
    for name in sys.argv[5:] or PROGRAMS:
        took, observer, exact = measure(name, tool, targets, python, work, rounds)
        base = [statistics.median(t[i] for t in took["none"]) for i in (0, 1)]
        cells = []
        for mode in MODES[1:]:
            if not took[mode]:
                cells.append("–")
                continue
            wall, cpu = (statistics.median(a[i] / b[i] for a, b in zip(took[mode], took["none"])) for i in (0, 1))
            ours = f", observer {100 * statistics.median(observer[mode]) / base[1]:.1f} %" if mode in OURS else ""
            cells.append(f"cpu {cpu:.3f}, wall {wall:.3f}{ours}")
        bars = PROGRAMS[name][:2]
        print(f"| {name} | {base[0]:.1f} / {base[1]:.1f} | " + " | ".join(cells) +
              f" | {bars[0] or '–'}, {bars[1]} | {sum(exact)} of {len(exact)} |", flush=True)


if __name__ == "__main__":
    main()
