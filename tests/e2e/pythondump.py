#!/usr/bin/env python3
"""The stacks of a stopped Python process, as py-spy has them.

    pythondump.py PID       prints {"TID": [[function, file, line], ...]}, leaf first, as JSON
    pythondump.py --check   is py-spy to be had?

The process must be stopped (SIGSTOP): then its stacks stay, and they are read without ptrace. Threads without a
Python frame are not there. py-spy 0.4.3 comes from PyPI, by digest, into the cache; PY_SPY names another one. Seen to
be right for CPython 3.8 to 3.14, without the free-threaded ones. Needs Debian's python3-venv.
Exit status: 0; 1 with the reason on stderr; 77 when py-spy is not to be had.
"""
import json
import os
import shutil
import subprocess
import sys

VERSION = "0.4.3"
DIGESTS = (  # what PyPI has for Linux on x86-64 and on aarch64
    "8a4277225f470d394a85cca0cdd944bef87f0097b6f20150a6dd3ac2e92806b8",
    "bbcec46930d464b3bfc142d6d02ade4dd8ad5627823263b3eff0280e80c7c132",
)
PATIENCE_S = 120
PTHREAD_TID = 720  # where glibc's struct pthread has the TID, on x86-64


def leave(status, reason):
    print(f"pythondump.py: {reason}", file=sys.stderr)
    sys.exit(status)


def try_run(command, environment=None):
    """(status, stdout, stderr); a command that cannot be run, or has no end, has failed."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False, env=environment,
                              stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, "", str(error)
    return done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode(errors="replace")


def install():
    """Path of the program; made once, whole or not at all."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    place = os.path.join(root, "taskdiag-bpf", "consumers", f"py-spy-{VERSION}")
    program = os.path.join(place, "bin", "py-spy")
    if os.path.exists(os.path.join(place, "complete")):
        return program
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place)
    status, out, err = try_run([sys.executable, "-m", "venv", place])
    if status:
        leave(77, f"python3 -m venv (Debian: python3-venv): {(out + err).strip()[-300:]}")
    wanted = os.path.join(place, "requirements.txt")
    with open(wanted, "w", encoding="ascii") as file:
        file.write(f"py-spy=={VERSION} " + " ".join("--hash=sha256:" + digest for digest in DIGESTS))
    status, out, err = try_run([os.path.join(place, "bin", "python"), "-m", "pip", "install", "--quiet", "--no-deps",
                                "--only-binary", ":all:", "--require-hashes", "-r", wanted])
    if status:
        if "DO NOT MATCH" in err:
            leave(1, f"py-spy {VERSION}: not the file we know: {err[-600:]}")
        leave(77, f"py-spy {VERSION} is not to be had: {err.strip()[-300:]}")
    with open(os.path.join(place, "complete"), "w", encoding="ascii"):
        pass
    return program


def py_spy():
    program = os.environ.get("PY_SPY") or install()
    status, out, err = try_run([program, "--version"])
    if status:
        leave(77, f"{program} does not run: {(out + err).strip()[-300:]}")
    return program


def is_stopped(pid):
    """Every thread of it: after SIGSTOP some may still be on their way there."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/stat", "rb") as file:
            if file.read().rpartition(b") ")[2][:1] not in (b"T", b"t"):
                return False
    return True


def tid_of(pid, thread):
    """Up to 3.10 the interpreter keeps only the address of the pthread: then it is asked, and must name a thread."""
    tid = thread["os_thread_id"]
    if tid is None:
        with open(f"/proc/{pid}/mem", "rb") as file:
            file.seek(thread["thread_id"] + PTHREAD_TID)
            tid = int.from_bytes(file.read(4), "little")
    if not os.path.exists(f"/proc/{pid}/task/{tid}"):
        leave(1, f"py-spy dump of {pid}: the TID of {thread['thread_name']} is not to be had")
    return str(tid)


def dump(pid):
    try:
        if not is_stopped(pid):
            leave(1, f"pid {pid}: not stopped; run: kill -STOP {pid}")
    except OSError as error:
        leave(1, f"pid {pid}: {error.strerror}")
    status, out, err = try_run([py_spy(), "dump", "--json", "--nonblocking", "--full-filenames", "--pid", str(pid)],
                               {**os.environ, "RUST_BACKTRACE": "0"})
    if status:
        leave(1, f"py-spy dump of {pid}: status {status}: {err.strip()[-600:]}")
    stacks = {}
    for thread in json.loads(out):
        tid = tid_of(pid, thread)
        if tid in stacks:
            leave(1, f"py-spy dump of {pid}: two threads with the TID {tid}")
        stacks[tid] = [[frame["name"], frame["filename"], frame["line"]] for frame in thread["frames"]]
    return stacks


def main():
    if sys.argv[1:] == ["--check"]:
        py_spy()
    elif len(sys.argv) == 2 and sys.argv[1].isascii() and sys.argv[1].isdigit():
        print(json.dumps(dump(int(sys.argv[1])), indent=1))
    else:
        leave(1, "use: pythondump.py PID, or pythondump.py --check")


main()
