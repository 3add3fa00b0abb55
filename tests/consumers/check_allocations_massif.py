#!/usr/bin/env python3
"""check_allocations_massif.py DIR: does ms_print show of DIR/massif.out what is in DIR/allocations.folded?

Compared: the peak among its snapshots; the bytes of every function that allocated at least 1 % of it, and of those
below together; every caller's bytes against the stacks. Needs Debian's valgrind.
"""
import os
import re
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing appears beside the sources
import allocations  # noqa: E402
import folded  # noqa: E402

MS_PRINT = shutil.which("ms_print") or folded.skip("no ms_print (Debian: valgrind)")
ROOT = r"\(heap allocation functions\) malloc/new/new\[\], --alloc-fns, etc\.|\(resident pages\) first touched by"


def ms_print(path):
    with tempfile.TemporaryDirectory() as scratch:
        return folded.run([MS_PRINT, "--threshold=0", path], env=dict(os.environ, TMPDIR=scratch, LC_ALL="C.UTF-8"))


def check_snapshots(text):
    """The one that is detailed is the highest. Returns its bytes."""
    detailed = re.search(r"^ Detailed snapshots: \[(\d+) \(peak\)\]$", text, re.M)
    rows = {int(row[0]): [allocations.number(value) for value in row[1:]]
            for row in re.findall(r"^ *(\d+) +([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+)$", text, re.M)}
    if not detailed or len(rows) > 100 or sorted(rows) != list(range(len(rows))):
        folded.fail(f"snapshots: {detailed and detailed[0]}, {len(rows)} rows")
    times = [rows[i][0] for i in range(len(rows))]
    total, heap, extra, stacks = rows[int(detailed[1])][1:]
    if times != sorted(times) or extra or stacks or heap != total or total != max(row[1] for row in rows.values()):
        folded.fail(f"the peak is {rows[int(detailed[1])]}")
    return total


def tree(text):
    """[(depth, bytes, text)]; -> stands before every node but the first."""
    result = []
    for line in text.split("\n"):
        row = re.fullmatch(r"((?:[| ] )*)(->)?(\d+\.\d\d)% \(([\d,]+)B\) ?(.*)", line)
        if row:
            result.append((len(row[1]) // 2 + bool(row[2]), allocations.number(row[4]), row[5]))
    return result


def expect_tree(nodes, stacks, total):
    """Each node's path of functions, from the one that allocated, has these bytes in the stacks."""
    sums, small, path = {}, {}, []
    for frames, value in stacks:
        names = [folded.function(frame) for frame in reversed(frames[2:])]
        for i in range(len(names)):
            key = tuple(names[:i + 1])
            sums[key] = sums.get(key, 0) + value
    shown, seen = {}, 0
    for depth, value, text in nodes[1:]:
        below = re.fullmatch(r"in \d+ places?, (all )?below massif's threshold \(1\.00%\)", text)
        # a file has its whole path here; # begins a comment, for ms_print
        path[depth - 1:] = [re.sub(r" \((in )?[^ ].*\)$", "", text).replace(";", ":")]
        if below and depth == 1:
            seen += value
        elif below:
            small[tuple(path[:-1])] = value
        else:
            shown[tuple(path)] = shown.get(tuple(path), 0) + value  # lines of a function are nodes of their own
            seen += value if depth == 1 else 0
    folded.expect("allocating functions together", seen, total)
    for key, value in shown.items():
        if key != ("[not attributed]",) and value > sums.get(key, 0):
            folded.fail(f"{' < '.join(key)}: {value} is more than the {sums.get(key, 0)} of allocations.folded")
    for key, value in sums.items():
        lines = {frames[-1] for frames, _ in stacks if folded.function(frames[-1]) == key[0]}
        if len(key) == 1 and len(lines) == 1 and value * 100 >= total:
            folded.expect(f"bytes of {key[0]!r}", shown.get(key, 0), value)
    return len(shown)


def main():
    directory = sys.argv[1]
    stacks = allocations.stacks(directory)
    text = ms_print(os.path.join(directory, "massif.out"))
    total = check_snapshots(text)
    allocations.expect_told(directory, "peak_bytes", total)
    nodes = tree(text)
    if not nodes or not re.fullmatch(ROOT, nodes[0][2]) or nodes[0][:2] != (0, total):
        folded.fail(f"root of the tree: {nodes[:1]}")
    count = expect_tree(nodes, stacks, total) if stacks else 0
    print(f"ms_print: {total} bytes and {count} nodes agree")


main()
