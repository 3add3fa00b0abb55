#!/usr/bin/python3
"""make_allocations.py - a run directory with allocations that are known: what their views are tested with.

	make_allocations.py RUN_DIR [--sampled] [--both] [--only-resident] [--grown] [--hostile] [--many N]
		[--binary PATH FUNCTION ADDRESS]

Writes allocations.pb.gz, and with --both resident.pb.gz, as docs/artifact-format.md has them, with an
encoder of its own, so that a mistake of ours is not made twice; manifest.json is made, or gets what
is missing when there is one. RUN_DIR.told.json holds every entry that was written: the oracle.
"""
import argparse
import gzip
import json
import os
import random

MB, KB = 1 << 20, 1 << 10
KINDS = ("alloc", "inuse", "leaked", "temporary")
ACT = "</script><script>document.title='acted'</script>"
HOSTILE = [ACT, "two\nlines\x1b[31m\x9b\u2028&\"']]>", "\u202egnp;%s%n"]


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def number(field, n):
    return varint(field << 3) + varint(n)


def message(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


class Pprof:
    def __init__(self, comments):
        self.strings, self.functions, self.locations, self.mappings = {"": 0}, {}, {}, {}
        self.out = [number(13, self.string(c)) for c in comments]
        for kind in KINDS:
            for name, unit in (("objects", "count"), ("space", "bytes")):
                self.out.append(message(1, number(1, self.string(f"{kind}_{name}")) + number(2, self.string(unit))))
        self.out.append(message(1, number(1, self.string("error_95")) + number(2, self.string("bytes"))))

    def string(self, text):
        return self.strings.setdefault(text, len(self.strings))

    def location(self, frame):
        """(function, file, line, module[, address]): a function of Python has no module, one of a library no file"""
        name, file, line, module, *address = frame
        mapping = self.mappings.setdefault(self.string(module), len(self.mappings) + 1) if module else 0
        function = self.functions.setdefault((self.string(name), self.string(file or "")), len(self.functions) + 1)
        return self.locations.setdefault((mapping, function, line, *address), len(self.locations) + 1)

    def label(self, key, value):
        text = isinstance(value, str)
        return message(3, number(1, self.string(key)) + (number(2, self.string(value)) if text else number(3, value)))

    def sample(self, e):
        process, pid, thread, tid = e["thread"]
        values = [n for kind in KINDS for n in (e[kind][1], e[kind][0])] + [e["error"]]
        labels = (("process", f"{process}-{pid}"), ("pid", pid), ("thread", f"{thread}-{tid}"), ("tid", tid),
                  ("allocator", e["allocator"]))
        locations = b"".join(varint(self.location(f)) for f in reversed(e["stack"]))
        self.out.append(message(2, message(1, locations) + message(2, b"".join(varint(v) for v in values)) +
                                b"".join(self.label(k, v) for k, v in labels)))

    def bytes(self):
        out = self.out
        for path, i in self.mappings.items():
            out.append(message(3, number(1, i) + number(2, 0x1000) + number(3, 1 << 40) + number(5, path) + number(7, 1)))
        for (mapping, function, line, *address), i in self.locations.items():
            address = address[0] if address else 0x1000 + 16 * i if mapping else 0
            out.append(message(4, number(1, i) + number(2, mapping) + number(3, address) +
                               message(4, number(1, function) + number(2, line))))
        for (name, file), i in self.functions.items():
            out.append(message(5, number(1, i) + number(2, name) + number(3, name) + number(4, file)))
        return b"".join(out + [message(6, s.encode("utf-8", "surrogateescape")) for s in self.strings])


def entry(thread, stack, allocator, peak, leaked=(0, 0), temporary=(0, 0), error=0):
    """sums are (bytes, pieces)"""
    alloc = tuple(max(a, b) + c for a, b, c in zip(peak, leaked, temporary))
    return dict(thread=thread, stack=stack, allocator=allocator, inuse=peak, leaked=leaked, temporary=temporary,
                alloc=alloc, error=error)


def heap(options):
    own, libc, lib = "/usr/bin/loader", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/libparse.so.2"
    main, pool = ("loader", 4711, "loader", 4711), ("loader", 4711, "pool-1", 4712)
    root = [("__libc_start_call_main", None, 0, libc), ("main", "/src/loader.c", 210, own)]
    load = root + [("load", "/src/load.c", 31, own)]
    work = [("clone3", None, 0, libc), ("worker", "/src/pool.c", 88, own)]
    script = [("<module>", "/srv/app.py", 90, None), ("read_rows", "/srv/app.py", 12, None)]
    grow = 40 * MB if options.grown else 0
    made = [
        entry(main, load + [("read_file", "/src/load.c", 77, own)], "malloc", (300 * MB, 12)),
        entry(pool, load + [("read_file", "/src/load.c", 77, own)], "malloc", (20 * MB, 3)),
        entry(main, load + [("read_file", "/src/load.c", 79, own)], "calloc", (10 * MB, 5), (10 * MB, 5)),
        entry(main, load + [("index", "/src/index.c", 9, own), ("index", "/src/index.c", 9, own)], "malloc",
              (32 * MB + grow, 64), (1 * MB, 2)),
        entry(pool, work + [("parse_begin", None, 0, lib), ("parse_run", None, 0, lib), ("parse_step", None, 0, lib),
                            ("parse_copy", None, 0, lib)], "realloc", (24 * MB, 4096), (0, 0), (512 * MB, 100000)),
        entry(pool, work + [("map_input", "/src/map.c", 5, own)], "mmap", (0, 0), (64 * MB, 1)),
        entry(("app", 4720, "app", 4720), script, "malloc", (14 * MB, 700), (2 * KB, 1)),
    ]
    # 40 places of 0.25 MB: each is small, together they are not
    made += [entry(main, root + [("setup", "/src/setup.c", 10, own), (f"part_{i}", "/src/setup.c", 20 + i, own)],
                   "posix_memalign", (MB // 4, 1)) for i in range(40)]
    if options.hostile:
        made += [entry((n, 5000 + i, n, 5000 + i), [(n, n, 1, n)], "malloc", (16 * MB, 1), (MB, 1))
                 for i, n in enumerate(HOSTILE)]
    if options.binary:
        path, function, address = options.binary
        made.append(entry(main, [(function, None, 0, path, int(address, 16))], "malloc", (200 * MB, 2)))
    rng = random.Random(11)
    for i in range(options.many):
        stack = load + [(f"part_{rng.randrange(500)}", f"/src/part{rng.randrange(60)}.c", rng.randrange(900) + 1, own)
                        for _ in range(rng.randrange(3, 12))]
        made.append(entry(main, stack, "malloc", (rng.randrange(1, 64 * KB), 1), (rng.randrange(KB), 1)))
    if options.sampled:
        for e in made:
            e["error"] = int(e["inuse"][0] ** 0.5 * 300)
    return made


def pages():
    own, main = "/usr/bin/loader", ("loader", 4711, "loader", 4711)
    root = [("main", "/src/loader.c", 210, own)]
    return [entry(main, root + [("fill", "/src/fill.c", 3, own)], "anonymous page", (100 * MB, 25600), (60 * MB, 15360)),
            entry(main, root + [("map_input", "/src/map.c", 5, own)], "file page", (28 * MB, 7168))]


def write(options, name, entries, source, rest=0):
    peak = sum(e["inuse"][0] for e in entries) + rest
    exact = source == "heap" and not options.sampled
    pprof = Pprof(["taskdiag-bpf 0.2.0", f"source={source}", f"exact={'true' if exact else 'false'}",
                   f"gap_bytes={0 if exact else 512 * KB}", f"peak_bytes={peak}", "peak_s=12.170000000",
                   f"peak_rss_bytes={peak}", "pid=4711", "python=false", "command=loader exact=maybe"])
    for e in entries:
        pprof.sample(e)
    with open(os.path.join(options.run, name), "wb") as f:
        f.write(gzip.compress(pprof.bytes(), mtime=0))
    return dict(status="ok", source=source, exact=exact, mode="shim", peak_bytes=peak, peak_time_s=12.17, gap_bytes=0,
                allocated_bytes=sum(e["alloc"][0] for e in entries), allocations=sum(e["alloc"][1] for e in entries),
                leaked_bytes=sum(e["leaked"][0] for e in entries), limits=[],
                remainder=[dict(name="before the observation", bytes=rest)] if rest else [])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    for flag in ("sampled", "both", "only-resident", "grown", "hostile"):
        parser.add_argument(f"--{flag}", action="store_true")
    parser.add_argument("--many", type=int, default=0)
    parser.add_argument("--binary", nargs=3)
    options = parser.parse_args()
    os.makedirs(options.run, exist_ok=True)
    entries = pages() if options.only_resident else heap(options)
    source = "resident" if options.only_resident else "heap"
    told = dict(main=entries, resident=pages() if options.both else [])
    path = os.path.join(options.run, "manifest.json")
    manifest = dict(format=1, task=dict(id="loader-4711", command=["loader"], duration_s=20.0, end="exited",
                                        exit_status=0, signal=None, processes_seen=2), diagnostics={}, artifacts=[],
                    ledger=dict(offered=100, recorded=100, lost=dict(ring_full=0), notes={}))
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            manifest = json.load(f)
    manifest["diagnostics"]["allocations"] = write(options, "allocations.pb.gz", entries, source, 6 * MB)
    manifest["artifacts"].append(dict(name="allocations.pb.gz", bytes=0, sha256=""))
    if options.both:
        write(options, "resident.pb.gz", told["resident"], "resident")
        manifest["artifacts"].append(dict(name="resident.pb.gz", bytes=0, sha256=""))
    with open(path, "w", encoding="utf-8") as f:
        json.dump(manifest, f)
    with open(options.run + ".told.json", "w", encoding="utf-8") as f:
        json.dump(told, f)


main()
