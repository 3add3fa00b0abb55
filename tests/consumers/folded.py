"""Reads profile.folded, and has what the checks of the other formats share.

Exit status of a check: 0 the tool agrees with profile.folded; 1 it does not; 77 the tool is not to be had here (the
reason is on stderr).
"""
import os
import re
import signal
import subprocess
import sys

PATIENCE_S = 300  # for one run of a tool


def skip(reason):
    print(f"{os.path.basename(sys.argv[0])}: skipped: {reason}", file=sys.stderr)
    sys.exit(77)


def fail(text):
    print(f"{os.path.basename(sys.argv[0])}: {text}", file=sys.stderr)
    sys.exit(1)


def run(command, **options):
    """Output of a command that must succeed, and in time; it and what it has started do not outlive us."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          start_new_session=True, **options) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            fail(f"{command[0]}: not done after {PATIENCE_S} s")
    if process.returncode:
        fail(f"{command[0]}: status {process.returncode}: {err.decode(errors='replace')[-600:]}")
    return out.decode()


def cache_dir(name):
    """Where a fetched tool stays for the next run."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = os.path.join(root, "taskdiag-bpf", name)
    os.makedirs(path, exist_ok=True)
    return path


def lines(path):
    """[(frames, µs)] of a folded file, process and thread first."""
    with open(path, encoding="utf-8", newline="\n") as file:
        text = file.read()
    if text and not text.endswith("\n"):
        fail(f"{path}: the last line has no end")
    result = []
    for line in text.split("\n")[:-1]:
        stack, count = line.rsplit(" ", 1)
        frames = stack.split(";")
        if len(frames) < 3 or "" in frames or not re.fullmatch("[0-9]+", count):
            fail(f"{path}: not a line of ours: {line[:200]!r}")
        result.append((frames, int(count)))
    return result


def function(frame):
    """The frame without its (file:line)."""
    return re.sub(r" \([^()]*\)$", "", frame)


def totals(stacks, name=lambda frame: frame):
    """{name: [flat, cum]}; a name that is in a stack twice counts once."""
    result = {}
    for frames, value in stacks:
        names = [name(frame) for frame in frames]
        for each in set(names):
            result.setdefault(each, [0, 0])[1] += value
        if names:
            result[names[-1]][0] += value
    return result


def expect(what, shown, wanted, tolerance=0):
    if abs(shown - wanted) > tolerance:
        fail(f"{what}: {shown}, profile.folded has {wanted}")


def expect_same_names(what, shown, wanted):
    missing, extra = sorted(set(wanted) - set(shown)), sorted(set(shown) - set(wanted))
    if missing or extra:
        fail(f"{what}: missing {missing[:3]}, unexpected {extra[:3]}")
