#!/usr/bin/python3
"""slowdown.py - what an observer costs a program that runs on: the program's CPU time for a unit of its work.

One endless program; windows with and without the observer alternate in it (pairs, the order of every second one reversed), so that what
differs from start to start does not count. Work and CPU time come from the kernel's or the program's own counts. Prints a row of a table.
"""
import argparse
import glob
import json
import mmap
import os
import re
import resource
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import time

PORT = "16398"
FRAMES_OF_A_START = re.compile(r"_start$|_start\+|__libc_start|clone|start_thread")
PY_SPY_ROOT = re.compile(r"[^;]*(\(libc\.so\.6\)|_start)")  # it leaves out _start, and has few names


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--tool")
    p.add_argument("--work")
    p.add_argument("--pairs", type=int)
    p.add_argument("--workload", choices=["cpu", "syscalls", "served", "pingpong"])
    p.add_argument("--hz")
    p.add_argument("--bar", default="")
    p.add_argument("--observer", choices=["ours", "perf-dwarf", "perf-fp", "py-spy"], default="ours")
    p.add_argument("--peers", action="store_true", help="the columns of the part peers")
    p.add_argument("--window", type=float, default=float(os.environ.get("BENCH_WINDOW", "1.2")), help="seconds")
    return p.parse_args()


class Workload:
    """Runs from the beginning to stop(); what, pids: how it is told, whose CPU time counts."""

    def __init__(self, name, work, tool):
        self.children = []
        targets = os.path.join(os.path.dirname(tool), "targets")
        getattr(self, name)(work, targets)
        time.sleep(0.5)
        self.pids = [self.children[0].pid]
        if name == "pingpong":
            self.pids += [int(p) for p in subprocess.run(["pgrep", "-P", str(self.pids[0])], capture_output=True, text=True).stdout.split()]

    def run(self, *command):
        self.children.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def cpu(self, work, _):
        self.what = "CPU-bound (python3)"
        path = f"{work}/progress"
        with open(path, "w+b") as f:
            f.write(bytes(8))
            f.flush()
            self.progress = mmap.mmap(f.fileno(), 8)
        self.run("/usr/bin/python3", f"{work}/work.py", path)
        self.units = lambda: struct.unpack("<q", self.progress[:8])[0]

    def syscalls(self, *_):
        self.what = "syscall-bound (dd bs=1)"
        self.run("dd", "if=/dev/zero", "of=/dev/null", "bs=1")
        self.units = lambda: int(re.search(r"syscr: (\d+)", open(f"/proc/{self.children[0].pid}/io").read())[1])

    def served(self, *_):
        self.what = "served (redis under load)"
        self.run("redis-server", "--port", PORT, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        time.sleep(0.5)
        self.run("redis-benchmark", "-q", "-p", PORT, "-l", "-c", "50", "-P", "16", "-r", "10000", "-n", "300000", "-t", "get")

        def units():
            said = subprocess.run(["redis-cli", "-p", PORT, "info", "stats"], capture_output=True, text=True).stdout
            return int(re.search(r"total_commands_processed:(\d+)", said)[1])
        self.units = units

    def pingpong(self, _, targets):
        self.what = "pipe ping-pong"
        self.run(f"{targets}/profile_pingpong", "--rounds", "1000000000")
        self.units = lambda: self.switches() / 2

    def switches(self):
        return sum(int(n) for pid in self.pids for path in glob.glob(f"/proc/{pid}/task/*/status")
                   for n in re.findall(r"ctxt_switches:\s*(\d+)", open(path).read()))

    def cpu_ns(self):
        return sum(int(open(path).read().split()[0]) for pid in self.pids for path in glob.glob(f"/proc/{pid}/task/*/schedstat"))

    def stop(self):
        for pid in self.pids[1:]:
            os.kill(pid, signal.SIGKILL)
        for child in reversed(self.children):
            child.kill()
            child.wait()


class Observer:
    def __init__(self, o, workload):
        self.o, self.pid = o, str(workload.children[0].pid)
        self.complete = self.stacks = self.bytes = 0
        self.cpu_s = self.observed_s = self.made_s = 0
        place = o.work + "/observed"
        clock, hz = ["-e", "cpu-clock", "-F", o.hz], o.hz
        py_spy = os.environ.get("PY_SPY") or shutil.which("py-spy") or os.path.expanduser("~/.cache/taskdiag-bpf/peers/bin/py-spy")
        self.place, self.command = place, {
            "ours": [o.tool, "-q", "-d", "profile", "-F", hz, "-o", place, "--pid", self.pid],
            "perf-dwarf": ["perf", "record", "-q", *clock, "--call-graph", "dwarf", "-o", place, "-p", self.pid],
            "perf-fp": ["perf", "record", "-q", *clock, "--call-graph", "fp", "-o", place, "-p", self.pid],
            "py-spy": [py_spy, "record", "--native", "-r", hz, "-d", "3600", "-f", "raw", "-o", place, "-p", self.pid],
        }[o.observer]

    def start(self):
        shutil.rmtree(self.place, ignore_errors=True)
        if os.path.isfile(self.place):
            os.remove(self.place)
        self.log = open(self.o.work + "/observer.log", "w")
        self.before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.child = subprocess.Popen(self.command, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 20
        while not self.observes():
            if self.child.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{self.command[0]}: " + open(self.log.name).read())
            time.sleep(0.01)
        time.sleep(0.1 if self.o.observer == "ours" else 0.3)
        self.began, self.began_cpu = time.monotonic(), self.own_cpu()

    def observes(self):
        """Ours: the timer of the ticks is made when every probe stands. perf: its rings are mapped."""
        wanted = {"ours": "timerfd", "perf-dwarf": "perf_event", "perf-fp": "perf_event"}.get(self.o.observer)
        if not wanted:
            return True
        try:
            return any(wanted in os.readlink(f) for f in glob.glob(f"/proc/{self.child.pid}/fd/*"))
        except OSError:
            return False

    def own_cpu(self):
        return sum(int(open(p).read().split()[0]) for p in glob.glob(f"/proc/{self.child.pid}/task/*/schedstat")) / 1e9

    def stop(self):
        self.cpu_s += self.own_cpu() - self.began_cpu
        self.observed_s += time.monotonic() - self.began
        self.child.send_signal(signal.SIGINT)
        before_end = self.own_cpu()
        self.child.wait()
        self.log.close()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - self.before.ru_utime - self.before.ru_stime
        self.made_s += max(0, used - before_end)

    def look(self):
        """At what the last run gave; not within a window."""
        if os.path.isdir(self.place):
            self.look_at_ours()
        elif self.o.observer == "py-spy":
            self.bytes += os.path.getsize(self.place)
            for line in open(self.place):
                stack, count = line.rsplit(" ", 1)
                self.stacks += int(count)
                self.complete += int(count) * bool(PY_SPY_ROOT.match(stack))
        else:
            self.look_at_perf()

    def look_at_ours(self):
        self.bytes += sum(os.path.getsize(f) for f in glob.glob(self.place + "/*"))
        stacks = json.load(open(self.place + "/manifest.json"))["diagnostics"]["profile"]["stacks"]
        self.complete += stacks["complete"]
        self.stacks += sum(v for k, v in stacks.items() if k not in ("none", "with_guessed_frames", "overflowed", "read_from_outside"))

    def look_at_perf(self):
        self.bytes += os.path.getsize(self.place)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = subprocess.run(["perf", "script", "--no-inline", "-F", "comm,pid,ip,sym,dso", "-i", self.place], capture_output=True, text=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.made_s += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        for sample in said.split("\n\n"):
            if sample.strip():
                self.stacks += 1
                self.complete += bool(FRAMES_OF_A_START.search(sample))


def window(w, seconds):
    """CPU ns for a unit, units a second, switches a second"""
    start, units, cpu, switches = time.monotonic(), w.units(), w.cpu_ns(), w.switches()
    time.sleep(seconds)
    end, cpu, units, switches = time.monotonic(), w.cpu_ns() - cpu, w.units() - units, w.switches() - switches
    return cpu / units, units / (end - start), switches / (end - start)


def bpf_ns():
    said = subprocess.run(["bpftool", "prog", "show", "-j"], capture_output=True, text=True).stdout
    return sum(p.get("run_time_ns", 0) for p in json.loads(said))


def bpf_share(w, observer, seconds):
    """Of the program's CPU time: what the kernel counts as the run time of all BPF programs, of all tasks."""
    switch = "/proc/sys/kernel/bpf_stats_enabled"
    before = open(switch).read()
    observer.start()
    try:
        open(switch, "w").write("1")
        ns, cpu = bpf_ns(), w.cpu_ns()
        time.sleep(seconds)
        cpu, ns = w.cpu_ns() - cpu, bpf_ns() - ns
    finally:
        open(switch, "w").write(before)
        observer.stop()
    return ns / cpu


def main():
    o = options()
    w = Workload(o.workload, o.work, o.tool)
    observer = Observer(o, w)

    def with_it():
        observer.start()
        got = window(w, o.window)
        observer.stop()
        if o.peers:
            observer.look()
        time.sleep(0.05)
        return got
    try:
        pairs = []
        for i in range(o.pairs):
            without = window(w, o.window) if i % 2 else None
            seen = with_it()
            pairs.append((without or window(w, o.window), seen))
        share = 0 if o.peers else bpf_share(w, observer, 2 * o.window)
    finally:
        w.stop()
    ratios = sorted(seen[0] / without[0] for without, seen in pairs)
    rates = statistics.median(seen[1] / without[1] for without, seen in pairs)
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    middle = statistics.median(ratios)
    if o.peers:
        print(f"| {o.observer} | {o.hz} | {100 * observer.complete / max(observer.stacks, 1):.2f} % of {observer.stacks} | {middle:.3f} | "
              f"{low:.3f}–{high:.3f} | {100 * observer.cpu_s / observer.observed_s:.1f} %; {observer.made_s / len(pairs):.2f} s | "
              f"{observer.bytes / observer.observed_s:,.0f} |")
    else:
        switches = statistics.median(without[2] for without, _ in pairs)
        print(f"| {w.what} | {o.hz} | {switches:,.0f} | {middle:.4f} | {low:.3f}–{high:.3f} | {rates:.3f} | {100 * share:.2f} % | "
              f"{100 * observer.cpu_s / observer.observed_s:.2f} % | {o.bar} |")


main()
