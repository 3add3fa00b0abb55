#!/usr/bin/env python3
"""Our tree of a Python program beside pyinstrument's own recording of the same program.

    same_as_pyinstrument.py SCRIPT [ARG...] --run RUN_DIR --functions NAME,NAME...

RUN_DIR is a profile of SCRIPT that is there already; pyinstrument runs SCRIPT once more, by itself. Both
sessions are read by `pyinstrument --load -r json`. Each of the functions must be in both trees, under the
same function of the same file with the same first line and the same caller. Their shares of the time are
printed: two runs are two. Exit status: 0; 1 with what differs; 77: no pyinstrument.
"""
import argparse
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_pyinstrument  # noqa: E402


def tree_of(program, session):
    loaded = check_pyinstrument.try_run([program, "--load", session, "-r", "json", "--show-all"])
    if loaded.returncode:
        sys.exit(f"{program} --load {session}: {loaded.stdout[-500:]}")
    return json.loads(loaded.stdout[loaded.stdout.index("{"):])["root_frame"]


def walk(frame, parent, found, names):
    """Of each function: (its file, its line, its caller), and its seconds."""
    name = frame["function"].split(".")[-1]
    if name in names:
        key = (os.path.basename(frame["file_path"] or frame["file_path_short"]), frame["line_no"],
               parent["function"].split(".")[-1] if parent else None)
        seconds = found.setdefault(name, {})
        seconds[key] = seconds.get(key, 0) + frame["time"]
        return
    for child in frame["children"]:
        walk(child, frame, found, names)


def shares(found):
    total = sum(sum(seconds.values()) for seconds in found.values())
    return {name: 100 * sum(seconds.values()) / total for name, seconds in found.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("script")
    parser.add_argument("arguments", nargs="*")
    parser.add_argument("--run", required=True)
    parser.add_argument("--functions", required=True)
    options = parser.parse_args()
    names = options.functions.split(",")

    program = check_pyinstrument.install(next(iter(check_pyinstrument.DIGESTS)))
    own = os.path.join(options.run, "own.pyisession")
    recorded = check_pyinstrument.try_run([program, "-o", own, "-r", "session", options.script, *options.arguments])
    if recorded.returncode:
        sys.exit(f"pyinstrument {options.script}: {recorded.stdout[-500:]}")
    ours, theirs = {}, {}
    walk(tree_of(program, os.path.join(options.run, "profile.pyisession")), None, ours, names)
    walk(tree_of(program, own), None, theirs, names)
    for name in names:
        if set(ours.get(name, {})) != set(theirs.get(name, {})) or name not in ours:
            sys.exit(f"{name}: ours {ours.get(name)}, pyinstrument's {theirs.get(name)}")
    for name in names:
        print(f"{name}: ours {shares(ours)[name]:.1f} %, pyinstrument's {shares(theirs)[name]:.1f} %")
    print("agree")


if __name__ == "__main__":
    main()
