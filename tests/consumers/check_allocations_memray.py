#!/usr/bin/env python3
"""check_allocations_memray.py DIR [FORMAT...]: does memray read of DIR/memray-FORMAT.bin what is in allocations.folded?

For each format (11, 12 and 13 unless told) a memray that reads it comes from PyPI, by digest, into the cache. A run of
the program itself has one memray.bin: its format is read from it. Compared, with memray's own reader: the bytes of every
stack of every thread at the peak, the sums of leaks and pieces, the peak that it finds, the snapshots. Then its programs
open it: tree (in a terminal), summary, flamegraph, flamegraph --leaks, table, transform gprof2dot. Needs Debian's
python3-venv, and CPython 3.11 on x86-64 as Debian 12 has it.
"""
import json
import os
import platform
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # nothing appears beside the sources
import allocations  # noqa: E402
import folded  # noqa: E402

# format: the version of memray that reads it, and its digest at PyPI for CPython 3.11 on x86-64
VERSIONS = {
    11: ("1.17.2", "3eade446e1c0d9631d15fb90f9298bf84ebbfa1b2aac64bb9cbcda600ca7f25c"),
    12: ("1.19.3", "96de36ae809eaf8484bdbd937ce890b3b206269f66a7e1dea004fd115a712d24"),
    13: ("1.20.0", "e64121d1b3ca248e0af39df09593bd2b04779ff8ee5261ea9b46ae5e47bc1c7e"),
}

# what they need, the same for all
REQUIREMENTS = """
jinja2==3.1.6 --hash=sha256:85ece4451f492d0c13c5dd7c13a64681a86afae63a5f347908daf103ce6d2f67
linkify-it-py==2.2.0 --hash=sha256:3adc40eb5af300b2605fcfdb968c24e1d780a90f1f2221af7c15e5111e94d443
markdown-it-py==4.3.0 --hash=sha256:7aa1511a46c39138de78d9eba92ce47e63124d8003fc98b3a351909e04239efa
markupsafe==3.0.4 --hash=sha256:6da83a088f8ef93b2d483a8232a4dbf4d69d3d8496b568a03c56becac43e1808
mdit-py-plugins==0.7.0 --hash=sha256:7f8e30403f3dd8bfe3afcdcbc6e61066d3f2e714167507b9c26eb385ec399353
mdurl==0.1.2 --hash=sha256:84008a41e51615a49fc9966191ff91509e3c40b939176e643fd50a5c2196b8f8
platformdirs==4.14.7 --hash=sha256:391513b74707c42335fff3ea17eaac657a7ee9ffcadd809634d34ea594d0122c
pygments==2.21.0 --hash=sha256:2363c69b61c4a97c838da3b130dcd6468f4848992b21a82f2a63ec34377137d9
rich==15.0.0 --hash=sha256:33bd4ef74232fb73fe9279a257718407f169c09b78a87ad3d296f548e27de0bb
textual==8.2.8 --hash=sha256:267375fd402dc8d981457212efa71f0e3365fd17bba144ba9bb3ed7563cb374a
typing-extensions==4.16.0 --hash=sha256:481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8
"""

# runs with memray's own Python: what its reader finds, as JSON
READER = """
import json, sys
from memray import AllocatorType, FileReader
from memray._memray import size_fmt
def rows(records):
    return [[r.tid, r.size, r.n_allocations, [list(f) for f in r.stack_trace()],
             AllocatorType(r.allocator).name.lower()] for r in records]
with FileReader(sys.argv[1]) as reader:
    peak = rows(reader.get_high_watermark_allocation_records(merge_threads=False))
    leaks = rows(reader.get_leaked_allocation_records(merge_threads=False))
    json.dump({"peak": peak, "leaks": leaks, "peak_memory": reader.metadata.peak_memory, "pid": reader.metadata.pid,
               "command": reader.metadata.command_line, "heap": [s.heap for s in reader.get_memory_snapshots()],
               "shown": size_fmt(sum(row[1] for row in peak))}, sys.stdout)
"""


def try_run(command):
    return subprocess.run(command, capture_output=True, text=True, timeout=folded.PATIENCE_S, check=False,
                          stdin=subprocess.DEVNULL)


def install(version, digest):
    """Path of its Python; made once, whole or not at all."""
    place = os.path.join(folded.cache_dir("consumers"), f"memray-{version}-py3.11")
    python = os.path.join(place, "bin", "python")
    if os.path.exists(os.path.join(place, "complete")):
        return python
    if sys.version_info[:2] != (3, 11) or platform.machine() != "x86_64":
        folded.skip(f"memray {version}: known for CPython 3.11 on x86-64 only")
    shutil.rmtree(place, ignore_errors=True)
    made = try_run([sys.executable, "-m", "venv", place])
    if made.returncode:
        folded.skip(f"python3 -m venv (Debian: python3-venv): {made.stdout[-300:]}")
    wanted = os.path.join(place, "requirements.txt")
    with open(wanted, "w", encoding="ascii") as file:
        file.write(f"memray=={version} --hash=sha256:{digest}{REQUIREMENTS}")
    got = try_run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes",
                   "-r", wanted])
    if got.returncode:
        if "DO NOT MATCH" in got.stderr:
            folded.fail(f"memray {version}: not the files we know: {got.stderr[-600:]}")
        folded.skip(f"memray {version} is not to be had: {got.stderr.strip()[-300:]}")
    with open(os.path.join(place, "complete"), "w", encoding="ascii"):
        pass
    return python


def by_stack(rows):
    """{(tid, functions from the root): bytes}; memray's stacks are leaf first."""
    result = {}
    for tid, size, _, frames, _ in rows:
        key = tid, tuple(frame[0].replace(";", ":") for frame in reversed(frames))
        result[key] = result.get(key, 0) + size
    return {key: value for key, value in result.items() if value}


def check_reader(python, path, directory, stacks):
    """Returns what memray calls the peak."""
    found = json.loads(folded.run([python, "-B", "-c", READER, path]))
    wanted = {}
    for frames, value in stacks:
        key = int(frames[1].rsplit("-", 1)[1]), tuple(folded.function(frame) for frame in frames[2:])
        wanted[key] = wanted.get(key, 0) + value
    shown = by_stack(found["peak"])
    folded.expect_same_names("stacks of threads", shown, wanted)
    for key, value in wanted.items():
        folded.expect(f"thread {key[0]}, {';'.join(key[1])}", shown[key], value)
    folded.expect("the peak that memray finds", found["peak_memory"], sum(value for _, value in stacks))
    for key, value in (("peak_count", sum(row[2] for row in found["peak"])),
                       ("leaked_bytes", sum(row[1] for row in found["leaks"])),
                       ("leaked_count", sum(row[2] for row in found["leaks"]))):
        allocations.expect_told(directory, key, value)
    for key, value in allocations.told(directory).items():
        if key.startswith("by_"):
            folded.expect(key, sum(row[1] for row in found["peak"] if "by_" + row[4] == key), value)
    if allocations.told(directory):
        folded.expect("snapshots", len(found["heap"]), 1001)
        folded.expect("pid", found["pid"], 100)
    return found


def value_of(html, name):
    """The JSON that a page of memray's begins `const NAME = ` with."""
    at = re.search(rf"\b{name} = ", html) or folded.fail(f"no {name} in the page")
    return json.JSONDecoder().raw_decode(html, at.end())[0]


def check_pages(run, path, found):
    """The pages and the transformed file hold the sums."""
    peak, leaked = (sum(row[1] for row in found[key]) for key in ("peak", "leaks"))
    with tempfile.TemporaryDirectory() as scratch:
        def made(name, *command):
            out = os.path.join(scratch, name)
            run([*command, "-f", "-o", out, path])
            with open(out, encoding="utf-8") as file:
                return file.read()

        for wanted, options in ((peak, []), (leaked, ["--leaks"])):
            nodes = value_of(made("f.html", "flamegraph", *options), "packed_data")["nodes"]
            folded.expect(f"flamegraph {options}", nodes["value"][0], wanted)
            rows = value_of(made("t.html", "table", *options), "packed_data")
            folded.expect(f"table {options}", sum(row["size"] for row in rows), wanted)
        events = json.loads(made("g.json", "transform", "gprof2dot"))["events"]
        folded.expect("transform gprof2dot", sum(event["cost"][0] for event in events), peak)


def check_summary(run, path, stacks):
    """Its rows have the function that holds most; it stops at 95 % of the bytes."""
    text = run(["summary", "-r", "1000", path])
    most = max(allocations.functions(stacks).items(), key=lambda item: item[1][0])[0]
    if most not in text.replace(";", ":"):
        folded.fail(f"summary has no {most!r}: {text[:600]}")


def check_tree(command, wanted):
    """It is a program of the terminal: shown until its root is there, then ended by q."""
    child, terminal = pty.fork()
    if not child:
        os.environ.update(TERM="xterm-256color", COLUMNS="200", LINES="50")
        os.execv(command[0], command)
    seen, end = b"", time.monotonic() + folded.PATIENCE_S
    pattern = re.compile(re.escape(wanted) + r" \(100(\.00)? ?%\) .*<ROOT>")
    try:
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                seen += os.read(terminal, 65536)
            except OSError:  # it has ended
                break
            text = re.sub(r"\x1b\[[0-9;?>$]*[A-Za-z]", "", seen.decode(errors="replace"))
            if pattern.search(text):
                return
        folded.fail(f"memray tree shows no root of {wanted}: {seen[-600:]!r}")
    finally:
        try:
            os.kill(child, 9)
        except ProcessLookupError:
            pass
        os.waitpid(child, 0)
        os.close(terminal)


def check(memray_format, path, directory, stacks):
    version, digest = VERSIONS[memray_format]
    python = install(version, digest)

    def run(arguments):
        return folded.run([python, "-B", "-m", "memray", *arguments],
                          env=dict(os.environ, COLUMNS="250", NO_COLOR="1", LC_ALL="C.UTF-8"))

    found = check_reader(python, path, directory, stacks)
    if stacks:
        check_pages(run, path, found)
        check_summary(run, path, stacks)
        check_tree([python, "-B", "-m", "memray", "tree", path], found["shown"])
    print(f"memray {version}: {len(stacks)} stacks, {found['peak_memory']} bytes agree")


def format_of(path):
    with open(path, "rb") as file:
        return int.from_bytes(file.read(11)[7:], "little")


def main():
    directory = sys.argv[1]
    stacks = allocations.stacks(directory)
    own = os.path.join(directory, "memray.bin")
    formats = [int(text) for text in sys.argv[2:]] or ([format_of(own)] if os.path.exists(own) else list(VERSIONS))
    for each in formats:
        check(each, own if os.path.exists(own) else os.path.join(directory, f"memray-{each}.bin"), directory, stacks)


main()
