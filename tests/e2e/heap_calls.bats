#!/usr/bin/env bats
# heap_calls.bats - the heap of processes that were there before their observer: --exact. Against
# programs that know it, to the byte.

# shellcheck disable=SC2016 # single quotes hold what another shell expands
# shellcheck disable=SC2030,SC2031 # every test is a process of its own, and is meant to be

load helpers

# heap KEY: of the manifest
heap() {
	manifest ".diagnostics.allocations.heap.$1"
}

# called COMMAND…: observed from its `begins` to its end; OPTIONS: of the observer.
OPTIONS=(--max-overhead 100)
called() {
	start_target "$@"
	wait_for "$PATIENCE" file_has "$SAID" '^begins'
	start_observer -d allocations --exact "${OPTIONS[@]}" --pid "$TARGET"
	kill -USR2 "$TARGET"
	wait_for "$PATIENCE" file_has "$SAID" '^ready'
	kill -USR2 "$TARGET"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
}

# assert_held: at the peak every function holds what the target says, to the byte.
assert_held() {
	local function bytes held
	while read -r _ function bytes; do
		held=$(awk -v f=";$function" '$0 ~ f " [0-9]+$" { sum += $NF } END { print sum + 0 }' "$RUN/allocations.folded")
		assert_equal "$function $held" "$function $bytes"
	done < <(grep '^holds ' "$SAID")
	grep -q '^holds' "$SAID" || fail "the target said nothing"
}

assert_exact() {
	assert_manifest '.diagnostics.allocations | .source == "heap" and .exact and .heap.by == "uprobes"'
}

# a return probe, or any, is int3 in the task's own memory
assert_untouched() {
	"$PYTHON" - "$1" <<-'END'
		import re, subprocess, sys

		pid = sys.argv[1]
		maps = open(f"/proc/{pid}/maps").read()
		libc = re.search(r"^(\w+)-\w+ r--p 00000000 \S+ \d+ +(/\S+libc\.so\S*)$", maps, re.M)
		base = int(libc[1], 16)
		table = subprocess.run(["readelf", "-sW", "--dyn-syms", libc[2]], capture_output=True, text=True, check=True).stdout
		with open(f"/proc/{pid}/mem", "rb") as memory, open(libc[2], "rb") as file:
		    for name in ("malloc", "calloc", "realloc", "free", "mmap", "munmap", "posix_memalign"):
		        at = int(re.search(rf"(\w+) +\d+ FUNC +\w+ +DEFAULT +\d+ {name}@@", table)[1], 16)
		        memory.seek(base + at)
		        file.seek(at)  # text of Debian's libc is mapped where it is in the file
		        if memory.read(32) != file.read(32):
		            sys.exit(f"{name}: changed")
	END
}

@test "every function of the allocator, calls that fail, moves, blocks from before: to the byte (oracle: the target)" {
	called "$TARGETS/heap_calls"
	assert_held
	assert_exact
	assert_manifest '.diagnostics.allocations.heap.frees_before >= 1 and .diagnostics.allocations.resident.peak_bytes > 0'
	assert_manifest '[.diagnostics.allocations.limits[] | select(contains("allocated before"))] | length == 1'
}

@test "the same by perf events, where uprobe_multi is not to be had (oracle: the target)" {
	export TASKDIAG_WITHOUT=uprobe_multi
	called "$TARGETS/heap_calls"
	assert_held
	assert_exact
}

@test "all of it in a thread that has survived the main thread (oracle: the target)" {
	called "$TARGETS/heap_calls" --leader-ends
	assert_held
	assert_exact
}

@test "without uprobe_multi the end of the main thread ends it, and says so" {
	export TASKDIAG_WITHOUT=uprobe_multi
	called "$TARGETS/heap_calls" --leader-ends
	assert_manifest '.diagnostics.allocations | .exact == false and .heap.calls_headless == 1'
}

@test "attached when the main thread has ended: no probe can be there, and it is said" {
	start_target "$TARGETS/heap_calls" --leader-ends
	wait_for "$PATIENCE" file_has "$SAID" '^begins'
	kill -USR2 "$TARGET"
	wait_for "$PATIENCE" file_has "$SAID" '^ready'
	start_observer -d allocations --exact --pid "$TARGET"
	kill -USR2 "$TARGET"
	end_of "$OBSERVER"
	assert_manifest '.diagnostics.allocations | .source == "resident" and .exact == false'
	assert_manifest '[.diagnostics.allocations.limits[] | select(contains("main thread has ended"))] | length == 1'
}

@test "a program that a thread executes gets probes of its own (oracle: the target)" {
	cat >next <<-END
		#!/bin/bash
		exec "$TARGETS/heap_calls"
	END
	chmod +x next
	start_target "$TARGETS/heap_calls" --exec "$PWD/next"
	wait_for "$PATIENCE" file_has "$SAID" '^begins'
	start_observer -d allocations --exact --max-overhead 100 --pid "$TARGET"
	kill -USR2 "$TARGET"
	wait_for "$PATIENCE" eval '[ "$(grep -c ^begins "$SAID")" = 2 ]'
	wait_for "$PATIENCE" is_probed "$TARGET"
	kill -USR2 "$TARGET"
	wait_for "$PATIENCE" file_has "$SAID" '^ready'
	kill -USR2 "$TARGET"
	end_of "$OBSERVER"
	assert_held
	assert_exact
}

# its malloc begins with int3, and so does its free
is_probed() {
	sleep 0.3 # all of them
	! assert_untouched "$1" 2>/dev/null
}

@test "jemalloc in front of libc's allocator (oracle: the target)" {
	local jemalloc=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2
	[ -e "$jemalloc" ] || skip "no $jemalloc"
	called env LD_PRELOAD="$jemalloc" "$TARGETS/heap_calls"
	assert_held
	assert_manifest '[.diagnostics.allocations.limits[] | select(contains("operators new"))] | length == 1'
}

@test "a forked child has probes as soon as it is known (oracle: the script)" {
	cat >script.py <<-'END'
		import os, signal, sys, time

		signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
		print("begins", flush=True)
		signal.sigwait([signal.SIGUSR2])
		child = os.fork()
		if not child:
		    time.sleep(1.5)
		    held = [bytes(9000) for _ in range(1000)]
		    print("ready", flush=True)
		    signal.sigwait([signal.SIGUSR2])
		    os._exit(0)
		signal.signal(signal.SIGUSR2, signal.SIG_DFL)
		signal.sigwait([signal.SIGUSR2])
		os.kill(child, signal.SIGUSR2)
		os.waitpid(child, 0)
	END
	called "$PYTHON" script.py
	assert_manifest '.diagnostics.allocations.heap.processes == 2'
	# bytes(9000) has a head of 33 bytes, and the list room for 1,100
	grep -Eq 'script.py:9\) 9041800$' "$RUN/allocations.folded" || fail "$(cat "$RUN/allocations.folded")"
}

@test "the brake: what costs too much is taken away, said, and the task runs on untouched" {
	OPTIONS=(--max-overhead 0)
	start_target "$TARGETS/heap_calls" --rounds 20000
	wait_for "$PATIENCE" file_has "$SAID" '^begins'
	start_observer -d allocations --exact "${OPTIONS[@]}" --pid "$TARGET"
	kill -USR2 "$TARGET"
	wait_for "$PATIENCE" file_has "$SAID" '^ready'
	wait_for "$PATIENCE" assert_untouched "$TARGET"
	kill -USR2 "$TARGET"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_manifest '.diagnostics.allocations | .exact == false and .heap.braked_s > 0'
	assert_manifest '[.diagnostics.allocations.limits[] | select(contains("--max-overhead"))] | length == 1'
}

@test "when the observer leaves, or is killed, nothing is left in the task (oracle: /proc/PID/mem)" {
	start_target "$TARGETS/heap_calls"
	wait_for "$PATIENCE" file_has "$SAID" '^begins'
	assert_untouched "$TARGET"
	start_observer -d allocations --exact --pid "$TARGET"
	run ! assert_untouched "$TARGET"
	stop_observer
	assert_untouched "$TARGET"
	rm -rf "$RUN"
	start_observer -d allocations --exact --pid "$TARGET"
	run ! assert_untouched "$TARGET"
	kill -KILL "$OBSERVER"
	end_of "$OBSERVER"
	wait_for "$PATIENCE" assert_untouched "$TARGET"
	kill -USR2 "$TARGET"
	wait_for "$PATIENCE" file_has "$SAID" '^ready'
}

@test "a ring that is too small: what is lost is counted, and nothing is called exact" {
	start_target "$TARGETS/heap_calls" --rounds 20000
	wait_for "$PATIENCE" file_has "$SAID" '^begins'
	start_observer -d allocations --exact --max-overhead 100 --ring-size 4096 --pid "$TARGET"
	kill -STOP "$OBSERVER"
	kill -USR2 "$TARGET"
	wait_for "$PATIENCE" file_has "$SAID" '^ready'
	kill -CONT "$OBSERVER"
	kill -USR2 "$TARGET"
	end_of "$OBSERVER"
	assert_manifest '.diagnostics.allocations | .exact == false and .heap.calls_lost > 0'
}

@test "a program without an allocator that can be found is named" {
	cc -static -s -o bare -x c - <<-'END'
		#include <unistd.h>
		int main(void) { sleep(60); }
	END
	start_target ./bare
	start_observer -d allocations --exact --pid "$TARGET"
	stop_observer
	assert_manifest '.diagnostics.allocations | .source == "resident" and .exact == false'
	assert_manifest '[.diagnostics.allocations.limits[] | select(contains("no allocator was found"))] | length == 1'
}

@test "otel_memory: a process that offers samples is read through them (oracle: the target)" {
	called "$TARGETS/heap_usdt"
	assert_manifest '.diagnostics.allocations | .heap.by == "usdt" and .heap.status == "sampled" and .exact == false'
	assert_manifest '.diagnostics.allocations.interval_95 | .[0] < 70000000 and .[1] > 70000000'
	assert_manifest '.diagnostics.allocations.interval_95 | .[0] > 60000000 and .[1] < 80000000'
	assert_equal "$(heap frees_before)" 0
}

@test "a profile beside it: stacks go through the kernel's return probes" {
	cat >script.py <<-'END'
		import signal, time

		signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
		print("begins", flush=True)
		signal.sigwait([signal.SIGUSR2])
		end = time.monotonic() + 2
		while time.monotonic() < end:
		    held = [bytes(5000) for _ in range(100)]
		print("ready", flush=True)
		signal.sigwait([signal.SIGUSR2])
	END
	OPTIONS=(--max-overhead 100 -d "profile,allocations")
	called "$PYTHON" script.py
	# but for who waits for a CPU on the way out of the kernel's own page: its return address is in no list any more
	awk '/\[incomplete/ && !/\[run queue\]/ { bad += $NF } { all += $NF } END { exit !(all > 0 && bad < all / 20) }' \
		"$RUN/profile.folded" || fail "$(grep -F '[incomplete' "$RUN/profile.folded")"
	assert_manifest '.diagnostics.profile.stacks.complete > 20'
}
