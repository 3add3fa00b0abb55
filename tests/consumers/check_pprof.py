#!/usr/bin/env python3
"""check_pprof.py DIR: does `go tool pprof` read the same from DIR/profile.pb.gz as is in DIR/profile.folded?

Compared: the total, exactly; flat and cumulative wall time of every function, to the µs that folded lines are rounded
by; CPU time against the stacks that do not end in a [cause]. Needs Debian's golang-go (any Go has it).
"""
import os
import re
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing appears beside the sources
import folded  # noqa: E402

GO = shutil.which(os.environ.get("GO", "go")) or folded.skip("no go (Debian: golang-go)")


def pprof(directory, *options):
    """Nothing is looked up or fetched on this machine: only what the file says."""
    with tempfile.TemporaryDirectory() as home:
        environment = dict(os.environ, HOME=home, PPROF_TMPDIR=home, PPROF_BINARY_PATH=home, TZ="UTC",
                           GOTOOLCHAIN="local", GOFLAGS="", LC_ALL="C.UTF-8")
        # its own cache: with 1.24 and later the tool is built at first use
        environment.setdefault("GOCACHE", folded.cache_dir("go-build"))
        return folded.run([GO, "tool", "pprof", "-symbolize=none", *options, os.path.join(directory, "profile.pb.gz")],
                          env=environment)


def check_raw(directory, stacks):
    """-raw has the numbers as they are in the file."""
    text = pprof(directory, "-raw")
    head = re.search(r"^Period: (\d+)$", text, re.M)
    if "\nsamples/count wall/nanoseconds[dflt] cpu/nanoseconds\n" not in text or not head:
        folded.fail(f"pprof -raw: {text[:600]}")
    rows = re.findall(r"^ +(\d+) +(\d+) +(\d+): [\d ]*$", text, re.M)
    marks, wall, cpu = (sum(int(row[i]) for row in rows) for i in range(3))
    folded.expect("wall of all samples", wall, marks * int(head[1]))
    folded.expect("total", (wall + 500) // 1000, sum(value for _, value in stacks))
    running = [value for frames, value in stacks if not re.fullmatch(r"\[(?!(no stack|not sampled)\]).*\]", frames[-1])]
    folded.expect("cpu", cpu / 1000, sum(running), len(running) + 1)
    return marks


def check_top(directory, stacks):
    """-top has one row per function; ; is : in a folded file, process and thread are labels here."""
    text = pprof(directory, "-top", "-unit=ns", "-nodecount=0", "-nodefraction=0", "-edgefraction=0")
    shown = {}
    for line in text.split("flat%", 1)[1].split("\n")[1:]:
        row = re.fullmatch(r" *(\d+)(?:ns)? +\S+ +\S+ +(\d+)(?:ns)? +\S+ {2}(.*?)( \((partial-)?inline\))?", line)
        if line and not row:
            folded.fail(f"pprof -top: {line!r}")
        if row:
            shown[row[3].replace(";", ":")] = int(row[1]), int(row[2])
    wanted = folded.totals([(frames[2:], value) for frames, value in stacks], folded.function)
    folded.expect_same_names("functions of pprof -top", shown, wanted)
    for name, (flat, cum) in wanted.items():
        folded.expect(f"flat of {name!r}", shown[name][0] / 1000, flat, len(stacks) + 1)
        folded.expect(f"cum of {name!r}", shown[name][1] / 1000, cum, len(stacks) + 1)
    return len(wanted)


def check_tags(directory, stacks):
    """Of a thread with a plain name, -tagfocus leaves its time only."""
    threads = folded.totals([(frames[1:2], value) for frames, value in stacks])
    for name in [name for name in threads if re.fullmatch(r"[a-z]+-\d+", name)][:3]:
        text = pprof(directory, "-raw", f"-tagfocus=thread=^{name}$")
        wall = sum(int(row) for row in re.findall(r"^ +\d+ +(\d+) +\d+: [\d ]*$", text, re.M))
        folded.expect(f"thread {name}", wall / 1000, threads[name][0], len(stacks) + 1)


def main():
    directory = sys.argv[1]
    stacks = folded.lines(os.path.join(directory, "profile.folded"))
    marks = check_raw(directory, stacks)
    functions = check_top(directory, stacks) if stacks else 0
    check_tags(directory, stacks)
    print(f"pprof: {marks} marks, {functions} functions agree")


main()
