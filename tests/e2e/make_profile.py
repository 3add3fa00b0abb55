#!/usr/bin/python3
"""make_profile.py - a run directory with a profile that is known: what the reports are tested with.

	make_profile.py RUN_DIR [--stacks N] [--hostile] [--no-memory] [--recursion N] [--python]

Writes manifest.json, memory.csv and profile.pb.gz as docs/artifact-format.md has them, with an
encoder of its own, so that a mistake of ours is not made twice. Prints nothing.
"""
import argparse
import gzip
import hashlib
import json
import os
import random

MB = 1 << 20
PERIOD_NS = 10_000_000  # 100 Hz
SLICE_NS = 1_000_000_000
ACT = "</script><script>document.title='acted'</script>"
HOSTILE = [ACT, "<img src=x onerror=document.title='acted'>\u202egnp", "two\nlines\x1b[31m\x9b\u2028&\"']]>",
           "]]><script>document.title='acted'</script>", "__proto__", "constructor"]


def varint(n):
    out = bytearray()
    while True:
        out.append(n & 127 | (128 if n > 127 else 0))
        n >>= 7
        if not n:
            return bytes(out)


def number(field, n):
    return varint(field << 3) + varint(n) if n else b""


def message(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def packed(field, numbers):
    return message(field, b"".join(varint(n) for n in numbers))


class Pprof:
    """Interns what samples use; bytes() is profile.pb, inflated."""

    def __init__(self):
        self.strings, self.functions, self.locations, self.mappings = {"": 0}, {}, {}, {}
        self.samples = []

    def string(self, text):
        return self.strings.setdefault(text, len(self.strings))

    def function(self, name, file, first_line=0):
        return self.functions.setdefault((self.string(name), self.string(file), first_line), len(self.functions) + 1)

    def mapping(self, path):
        return self.mappings.setdefault(self.string(path), len(self.mappings) + 1)

    def location(self, module, *lines):
        """lines: (name, file, line[, first line of the function]), innermost first"""
        address = 0x1000 + 16 * len(self.locations) if module else 0
        key = (self.mapping(module) if module else 0,
               tuple((self.function(name, file, *first), line) for name, file, line, *first in lines))
        return self.locations.setdefault(key, (len(self.locations) + 1, address))[0]

    def sample(self, leaf_first, marks, cause, labels):
        wall = marks * PERIOD_NS
        label = message(3, number(1, self.string("cause")) + number(2, self.string(cause)))
        for key, value in labels.items():
            if isinstance(value, str):
                label += message(3, number(1, self.string(key)) + number(2, self.string(value)))
            else:
                label += message(3, number(1, self.string(key)) + number(3, value))
        values = packed(2, [marks, wall, wall if cause == "cpu" else 0])
        self.samples.append(message(2, packed(1, leaf_first) + values + label))

    def bytes(self):
        out = b""
        for name, unit in (("samples", "count"), ("wall", "nanoseconds"), ("cpu", "nanoseconds")):
            out += message(1, number(1, self.string(name)) + number(2, self.string(unit)))
        out += b"".join(self.samples)
        for path, i in self.mappings.items():
            out += message(3, number(1, i) + number(2, 0x1000) + number(3, 1 << 40) + number(5, path) + number(7, 1))
        for (mapping, lines), (i, address) in self.locations.items():
            out += message(4, number(1, i) + number(2, mapping) + number(3, address) +
                           b"".join(message(4, number(1, f) + number(2, line)) for f, line in lines))
        for (name, file, first_line), i in self.functions.items():
            out += message(5, number(1, i) + number(2, name) + number(3, name) + number(4, file) +
                           number(5, first_line))
        out += message(11, number(1, self.string("wall")) + number(2, self.string("nanoseconds")))
        out += number(12, PERIOD_NS)
        return out + b"".join(message(6, s.encode("utf-8", "surrogateescape")) for s in self.strings)


class Run:
    """Two processes, four threads, 60 s; what every thread does is written down as it is added."""

    def __init__(self):
        self.pprof = Pprof()
        self.causes, self.threads, self.functions = {}, {}, {}

    def add(self, thread, stack, marks, cause="cpu", slices=range(60)):
        """stack: root first, of location ids; marks: in each slice"""
        process, pid, name, tid = thread
        leaf_first = list(reversed(stack))
        if cause != "cpu":
            leaf_first.insert(0, self.pprof.location(None, (f"[{cause}]", "", 0)))
        for s in slices:
            self.pprof.sample(leaf_first, marks, cause, {
                "process": f"{process}-{pid}", "pid": pid, "thread": f"{name}-{tid}", "tid": tid,
                "time": s * SLICE_NS})
        total = marks * len(slices)
        self.causes[cause] = self.causes.get(cause, 0) + total
        row = self.threads.setdefault(thread, {})
        row[cause] = row.get(cause, 0) + total

    def ordinary(self, names):
        here = self.pprof.location
        own, libc, py = "/usr/bin/worker", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/bin/python3.11"
        main = [here(libc, ("__libc_start_call_main", "", 0)), here(own, ("main", "/src/worker.c", 210))]
        pool = [here(libc, ("clone3", "", 0)), here(libc, ("start_thread", "", 0)),
                here(own, ("worker_loop", "/src/pool.c", 88))]
        zlib = "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13"
        compress = [here(own, ("compress_block", "/src/pack.c", 31), ("pack_one", "/src/pack.c", 77)),
                    here(zlib, ("deflate", "", 0)), here(zlib, ("deflate_slow", "", 0)),
                    here(zlib, ("longest_match", "", 0)), here(zlib, ("compare258", "", 0))]
        first, second = ("worker", 4711, "worker", 4711), ("worker", 4711, "pool-1", 4712)
        third, python = ("worker", 4711, "pool-2", 4713), ("python3", 4720, "python3", 4720)
        self.add(first, main + [here(own, ("parse_input", "/src/parse.c", 140)),
                                here(own, ("next_token", "/src/lex.c", 42))], 12)
        self.add(first, main + [here(own, ("parse_input", "/src/parse.c", 151)), here(own, (names[0], "/src/lex.c", 9))], 8)
        self.add(first, main + [here(own, ("wait_for_workers", "/src/pool.c", 120)),
                                here(libc, ("pthread_cond_wait", "", 0))], 40, "lock")
        self.add(first, main + [here(own, ("write_output", "/src/out.c", 66)), here(libc, ("write", "", 0)),
                                here("[kernel]", ("ext4_file_write_iter", "", 0))], 30, "disk", range(20, 40))
        for thread in (second, third):
            self.add(thread, pool + compress, 55)
            self.add(thread, pool + compress[:2], 10)
            self.add(thread, pool + [here(own, ("checksum", "/src/sum.c", 12))], 5)
            self.add(thread, pool + [here(libc, ("pthread_mutex_lock", "", 0))], 20, "lock")
            self.add(thread, pool, 10, "run queue", range(0, 30))
        module = [here(py, ("_start", "", 0)), here(py, ("Py_BytesMain", "", 0)),
                  here(None, ("<module>", "/home/user/ingest.py", 90)), here(None, ("main", "/home/user/ingest.py", 71))]
        self.add(python, module + [here(None, (names[1], "/home/user/ingest.py", 33)),
                                   here(None, ("loads", "/usr/lib/python3.11/json/__init__.py", 346)),
                                   here(None, ("decode", "/usr/lib/python3.11/json/decoder.py", 337))], 25)
        self.add(python, module + [here(None, (names[2], "/home/user/ingest.py", 48)),
                                   here(None, ("recv", "/usr/lib/python3.11/socket.py", 700))], 60, "network")

    def python(self):
        """30 s of a script: two lines of one function, a chain of libraries, own code called back by it; in time the
        first half is compute, the second is transform."""
        here, app, lib = self.pprof.location, "/srv/app/model.py", "/usr/lib/python3/dist-packages/frames"
        thread = ("python3", 4800, "python3", 4800)
        main = [here(None, ("<module>", app, 90, 1)), here(None, ("main", app, 71, 60))]
        for line in (14, 17):
            self.add(thread, main + [here(None, ("compute", app, line, 12))], 20, "cpu", range(15))
        chain = [here(None, ("apply", f"{lib}/core.py", 210, 200)), here(None, ("_map", f"{lib}/core.py", 340, 330)),
                 here(None, ("run", f"{lib}/ops.py", 51, 40)), here(None, ("step", f"{lib}/ops.py", 77, 70))]
        self.add(thread, main + chain + [here(None, ("transform", app, 33, 30))], 40, "cpu", range(15, 30))
        self.add(thread, main + chain, 10, "cpu", range(15, 30))

    def recursion(self, depth):
        here = self.pprof.location
        main = [here("/usr/bin/worker", ("main", "/src/worker.c", 210))]
        descend = here("/usr/bin/worker", ("descend", "/src/tree.c", 7))
        self.add(("worker", 4711, "worker", 4711), main + [descend] * depth, 10)

    def many(self, n):
        """n distinct stacks, as a large program has them: deep, of few thousand functions."""
        rng, here, stacks = random.Random(7), self.pprof.location, [[]]
        modules = [f"/usr/lib/lib{m}.so.{m}" for m in range(40)] + ["/usr/bin/worker"]
        place = [here(rng.choice(modules), (f"ns{rng.randrange(90)}::Class{rng.randrange(400)}::method_{i}",
                                            f"/src/part{i % 200}/file{i % 700}.cc", i % 900 + 1)) for i in range(3000)]
        threads = [("worker", 4711, f"pool-{t}", 4730 + t) for t in range(16)]
        causes = ["cpu", "cpu", "cpu", "lock", "disk", "network", "sleep"]
        made = 0
        while made < n:
            base = stacks[int(rng.random() ** 1.5 * len(stacks))]
            base = base[:rng.randrange(len(base) + 1)] if len(base) > 45 else base
            stack = base + [rng.choice(place) for _ in range(rng.randrange(1, 5))]
            stacks.append(stack)
            self.add(rng.choice(threads), stack, rng.randrange(1, 4), rng.choice(causes), [rng.randrange(60)])
            made += 1

    def manifest(self, files, names, memory):
        seconds = PERIOD_NS / 1e9
        marks = sum(self.causes.values())
        threads = []
        for (process, pid, name, tid), row in self.threads.items():
            cpu, queue = row.get("cpu", 0), row.get("run queue", 0)
            blocked = sum(row.values()) - cpu - queue
            threads.append(dict(process=f"{process}-{pid}", pid=pid, tid=tid, name=name, start_s=0, end_s=60,
                                cpu_s=round(cpu * seconds * 1.001, 6), run_queue_s=round(queue * seconds, 6),
                                blocked_s=round(blocked * seconds * 0.999, 6), marks=sum(row.values()),
                                marks_recorded=dict(cpu=cpu, run_queue=queue, blocked=blocked)))
        threads.sort(key=lambda t: -t["marks"])
        profile = dict(status="ok", frequency_hz=100, period_ns=PERIOD_NS, slice_ns=SLICE_NS, marks=marks,
                       stacks_complete_ratio=0.9996, stacks=dict(complete=24990, truncated=8, unreadable=2),
                       fidelity=dict(cpu=0.999, run_queue=1.0, blocked=1.001), threads=threads, threads_omitted=0,
                       causes=[dict(name=c if c == "cpu" else f"[{c}]", seconds=n * seconds)
                               for c, n in sorted(self.causes.items(), key=lambda x: -x[1])],
                       mode="phase", limits=[])
        diagnostics = dict(profile=profile)
        if memory:
            diagnostics["memory"] = dict(
                status="ok", limits=[], source="rss_stat", interval_s=2, peak_rss_bytes=512 * MB, peak_time_s=31.5,
                final_rss_bytes=120 * MB, pss_bytes=110 * MB, pss_time_s=10, swap_peak_bytes=0, minor_faults=131072,
                major_faults=3, ticks=31, gaps=[], processes_omitted=0, omitted_at_peak_bytes=0,
                processes=[dict(pid=pid, name=name, start_s=0, end_s=60, rss_at_peak_bytes=share * MB,
                                peak_rss_bytes=share * MB, peak_time_s=31.5, end="exited", exit_status=0, signal=None)
                           for pid, name, share in ((4711, "worker", 384), (4720, "python3", 128))])
        return dict(
            format=1, tool_version="0.2.0", kernel="6.18.0",
            task=dict(id="worker-4711", command=["worker", "--jobs", "2", names[0]], pids=[4711], duration_s=60.0,
                      start_utc="2025-11-22T19:11:04Z", end="exited", exit_status=0, signal=None,
                      processes_seen=2, processes_left=0),
            diagnostics=diagnostics, artifacts=files,
            ledger=dict(offered=26000, recorded=26000, lost=dict(ring_full=0), notes={}),
            observer=dict(cpu_s=0.21, rss_peak_bytes=9 * MB, attach_s=0.12))


def memory_csv():
    columns = ("time_s,event,ticks,rss_bytes,rss_min_bytes,rss_peak_bytes,rss_peak_time_s,anon_bytes,file_bytes,"
               "shmem_bytes,swap_bytes,pss_bytes,minor_faults,major_faults,processes,threads\n")
    rows = []
    for t in range(0, 61, 2):
        rss = int((100 + 380 * min(1, t / 30) if t < 34 else 120) * MB)
        rows.append(f"{t}.000,tick,1,{rss},{rss},{rss},{t}.000,{rss // 2},{rss - rss // 2},0,0,,{t * 2000},0,2,4\n")
        if t == 30:
            rows.append(f"31.500,peak,1,{512 * MB},{512 * MB},{512 * MB},31.500,,,,,,,,,\n")
    return (columns + "".join(rows)).encode()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--stacks", type=int, default=0)
    parser.add_argument("--recursion", type=int, default=0)
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--python", action="store_true")
    parser.add_argument("--no-memory", action="store_true")
    options = parser.parse_args()
    run, names = Run(), HOSTILE if options.hostile else ["skip_blanks", "parse_record", "fetch_page"]
    run.ordinary(names)
    if options.hostile:
        here = run.pprof.location
        for i, name in enumerate(HOSTILE):
            run.add((name, 5000 + i, name, 5000 + i), [here(name, (name, name, 1))], 20, "cpu", range(3))
            run.add((name, 5000 + i, name, 5000 + i), [here(name, (name, name, 1))], 20, name, range(3))
    if options.python:
        run.python()
    if options.recursion:
        run.recursion(options.recursion)
    if options.stacks:
        run.many(options.stacks)
    os.makedirs(options.run, exist_ok=True)
    files = {"profile.pb.gz": gzip.compress(run.pprof.bytes(), mtime=0)}
    if not options.no_memory:
        files["memory.csv"] = memory_csv()
    listed = []
    for name, data in files.items():
        with open(os.path.join(options.run, name), "wb") as f:
            f.write(data)
        listed.append(dict(name=name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()))
    with open(os.path.join(options.run, "manifest.json"), "w", encoding="utf-8") as f:
        json.dump(run.manifest(listed, names, not options.no_memory), f)


main()
