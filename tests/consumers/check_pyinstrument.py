#!/usr/bin/env python3
"""check_pyinstrument.py DIR [VERSION...]: does `pyinstrument --load` tell what is in DIR/profile.folded?

Compared: the duration in its text; in its JSON the total, and the time of every process, thread and function. The
versions (5.1.3 and 4.7.3 unless told) come from PyPI, by digest, into the cache. Needs Debian's python3-venv.
"""
import json
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True  # nothing appears beside the sources
import folded  # noqa: E402

# what PyPI has for CPython 3.11 on x86-64 (Debian 12), and the source for any other
DIGESTS = {
    "5.1.3": ("c4bedf32ff7fd56fbd5d5e9ccd771bb27884faab312a990685a2d5e97c83f882",
              "93dc5576fa90bb267c46d864712329e8e057f51a6b15d0b4f917558d82066ba7"),
    "4.7.3": ("2a7c481daec4bd77a3dbfbe01a0155e03352dd700f3c3efe4bdbc30821b20e19",
              "3ad61041ff1880d4c99d3384cd267e38a0a6472b5a4dd765992db376bd4394c8"),
}


def try_run(command):
    return subprocess.run(command, capture_output=True, text=True, timeout=folded.PATIENCE_S, check=False,
                          stdin=subprocess.DEVNULL)


def install(version):
    """Path of the program; made once, whole or not at all."""
    place = os.path.join(folded.cache_dir("consumers"),
                         f"pyinstrument-{version}-py{sys.version_info[0]}.{sys.version_info[1]}")
    program = os.path.join(place, "bin", "pyinstrument")
    if os.path.exists(os.path.join(place, "complete")):
        return program
    shutil.rmtree(place, ignore_errors=True)
    made = try_run([sys.executable, "-m", "venv", place])
    if made.returncode:
        folded.skip(f"python3 -m venv (Debian: python3-venv): {made.stdout[-300:]}")
    wanted = os.path.join(place, "requirements.txt")
    with open(wanted, "w", encoding="ascii") as file:
        file.write(f"pyinstrument=={version} " + " ".join("--hash=sha256:" + digest for digest in DIGESTS[version]))
    got = try_run([os.path.join(place, "bin", "python"), "-m", "pip", "install", "--quiet", "--no-deps",
                   "--require-hashes", "-r", wanted])
    if got.returncode:
        if "DO NOT MATCH" in got.stderr:
            folded.fail(f"pyinstrument {version}: not the file we know: {got.stderr[-600:]}")
        folded.skip(f"pyinstrument {version} is not to be had: {got.stderr.strip()[-300:]}")
    with open(os.path.join(place, "complete"), "w", encoding="ascii"):
        pass
    return program


def collect(frame, stack, result):
    """Adds time by name, a name that is above itself only once."""
    if frame["function"] == "[self]" and not frame["file_path"]:
        return  # its own, for the time that has no child
    name = frame["function"].replace(";", ":")
    if name not in stack:
        result[name] = result.get(name, 0) + frame["time"]
    for child in frame["children"]:
        collect(child, stack | {name}, result)


def nodes(frame, name):
    """All nodes of a function's name."""
    found = [frame] if frame["function"] == name else []
    return found + [node for child in frame["children"] for node in nodes(child, name)]


def check_python(version, root, stacks):
    """Lines of a function of Python are one call of the same caller, at its first line; as in its own recordings."""
    lines = {frame for frames, _ in stacks for frame in frames if frame.startswith("py_work ")}
    if not lines:
        return
    found = nodes(root, "py_work")
    folded.expect(f"pyinstrument {version}: lines of py_work in profile.folded", len(lines), 2)
    folded.expect(f"pyinstrument {version}: nodes of py_work", len(found), 1)
    folded.expect(f"pyinstrument {version}: first line of py_work", found[0]["line_no"], 12)
    folded.expect(f"pyinstrument {version}: nodes of py_load below both lines", len(nodes(found[0], "py_load")), 1)
    folded.expect(f"pyinstrument {version}: own code", int(found[0]["is_application_code"]), 1)
    folded.expect(f"pyinstrument {version}: library", int(nodes(root, "py_load")[0]["is_application_code"]), 0)


def check(program, version, directory, stacks):
    session = os.path.join(directory, "profile.pyisession")
    total = sum(value for _, value in stacks) / 1e6
    text = folded.run([program, "--load", session])
    duration = re.search(r"Duration: *([\d.]+)", text)
    folded.expect(f"pyinstrument {version}: duration", float(duration[1] if duration else -1), total, 0.0005001)
    if not stacks:
        return
    shown, wanted = {}, folded.totals(stacks, folded.function)
    root = json.loads(folded.run([program, "-r", "json", "--show-all", "--load", session]))
    folded.expect(f"pyinstrument {version}: JSON duration", root["duration"], total, 2e-6)
    folded.expect(f"pyinstrument {version}: root", root["root_frame"]["time"], total, 1e-5)
    collect(root["root_frame"], frozenset(), shown)
    check_python(version, root["root_frame"], stacks)
    shown.pop("[root]", None)
    folded.expect_same_names(f"pyinstrument {version}: functions", shown, wanted)
    for name, (_, cum) in wanted.items():
        folded.expect(f"pyinstrument {version}: {name!r}", shown[name], cum / 1e6, (len(stacks) + 1) * 1e-6)


def main():
    directory = sys.argv[1]
    stacks = folded.lines(os.path.join(directory, "profile.folded"))
    sys.setrecursionlimit(100000)
    for version in sys.argv[2:] or DIGESTS:
        check(install(version), version, directory, stacks)
        print(f"pyinstrument {version}: {sum(value for _, value in stacks)} µs agree")


if __name__ == "__main__":
    main()
