#!/usr/bin/env python3
"""check_allocations_pprof.py DIR: does `go tool pprof` read from DIR/allocations.pb.gz what is in allocations.folded?

Compared: the sums of all nine values with what make_allocations told; flat and cumulative bytes at the peak of every
function; the bytes of threads; the comments. Needs Debian's golang-go (any Go has it).
"""
import os
import re
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing appears beside the sources
import allocations  # noqa: E402
import folded  # noqa: E402

GO = shutil.which(os.environ.get("GO", "go")) or folded.skip("no go (Debian: golang-go)")
TYPES = ("alloc_objects/count", "alloc_space/bytes", "inuse_objects/count", "inuse_space/bytes[dflt]",
         "leaked_objects/count", "leaked_space/bytes", "temporary_objects/count", "temporary_space/bytes",
         "error_95/bytes")
KEYS = ("allocated_count", "allocated_bytes", "peak_count", "peak_bytes", "leaked_count", "leaked_bytes",
        "temporary_count", "temporary_bytes")
PEAK = 3


def pprof(path, *options):
    """Nothing is looked up or fetched on this machine: only what the file says."""
    with tempfile.TemporaryDirectory() as home:
        environment = dict(os.environ, HOME=home, PPROF_TMPDIR=home, PPROF_BINARY_PATH=home, TZ="UTC",
                           GOTOOLCHAIN="local", GOFLAGS="", LC_ALL="C.UTF-8")
        # its own cache: with 1.24 and later the tool is built at first use
        environment.setdefault("GOCACHE", folded.cache_dir("go-build"))
        return folded.run([GO, "tool", "pprof", "-symbolize=none", *options, path], env=environment)


def rows(text):
    """The values of the samples."""
    return [[int(value) for value in row.split()] for row in re.findall(r"^((?: +\d+){9}): [\d ]*$", text, re.M)]


def check_raw(directory, path, stacks):
    """-raw has the numbers as they are in the file."""
    text = pprof(path, "-raw")
    if f"\n{' '.join(TYPES)}\n" not in text or "\nPeriodType: space bytes\n" not in text:
        folded.fail(f"pprof -raw: {text[:600]}")
    samples = rows(text)
    for i, key in enumerate(KEYS):
        allocations.expect_told(directory, key, sum(row[i] for row in samples))
    allocations.expect_told(directory, "entries", len(samples))
    folded.expect("bytes at the peak", sum(row[PEAK] for row in samples), sum(value for _, value in stacks))
    return len(samples)


def check_top(path, stacks):
    """-top has one row per function; ; is : in a folded file."""
    text = pprof(path, "-top", "-unit=B", "-nodecount=0", "-nodefraction=0", "-edgefraction=0")
    shown = {}
    for line in text.split("flat%", 1)[1].split("\n")[1:]:
        row = re.fullmatch(r" *(\d+)B? +\S+ +\S+ +(\d+)B? +\S+ {2}(.*?)( \((partial-)?inline\))?", line)
        if line and not row:
            folded.fail(f"pprof -top: {line!r}")
        if row and (int(row[1]) or int(row[2])):
            shown[row[3].replace(";", ":")] = [int(row[1]), int(row[2])]
    wanted = allocations.functions(stacks)
    allocations.expect_functions("functions of pprof -top", shown, wanted)
    return len(wanted)


def check_tags(path, stacks):
    """-tagfocus leaves what one thread, or one way to allocate, has."""
    threads = folded.totals([(frames[1:2], value) for frames, value in stacks])
    for name in [name for name in threads if re.fullmatch(r"[a-z]+-\d+", name)][:3]:
        samples = rows(pprof(path, "-raw", f"-tagfocus=thread=^{name}$"))
        folded.expect(f"thread {name}", sum(row[PEAK] for row in samples), threads[name][0])
    named = re.findall(r"^ +allocator:\[(.*?)\]", pprof(path, "-raw"), re.M)
    by_allocator = sum(sum(row[PEAK] for row in rows(pprof(path, "-raw", f"-tagfocus=allocator=^{name}$")))
                       for name in set(named))
    folded.expect("all allocators", by_allocator, sum(value for _, value in stacks))


def check_comments(directory, path):
    comments = dict(line.split("=", 1) for line in pprof(path, "-comments").split("\n") if "=" in line)
    for key in ("source", "exact", "gap_bytes", "peak_bytes", "peak_s", "peak_rss_bytes", "pid", "python"):
        if key not in comments:
            folded.fail(f"pprof -comments has no {key}: {comments}")
    allocations.expect_told(directory, "peak_bytes", int(comments["peak_bytes"]))


def main():
    directory = sys.argv[1]
    path, stacks = os.path.join(directory, "allocations.pb.gz"), allocations.stacks(directory)
    samples = check_raw(directory, path, stacks)
    functions = check_top(path, stacks) if stacks else 0
    check_tags(path, stacks)
    check_comments(directory, path)
    print(f"pprof: {samples} samples, {functions} functions agree")


main()
