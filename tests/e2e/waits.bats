#!/usr/bin/env bats
# Is each wait as long as it was, and told by its cause? Against what the targets know of themselves.

# shellcheck disable=SC2016 # single quotes hold what another shell expands
# shellcheck disable=SC2030,SC2031 # every test is a process of its own, and is meant to be

load helpers

@test "four threads with a schedule: every cause has its time, within chance (oracle: clocks, schedstat)" {
	profile_of "$TARGETS/profile_schedule" --rounds 40
	profiled <<-'END'
		for name, tid, wall, cpu, queue in said_lines("thread"):
		    thread = f"{name}-{tid}"
		    about(ns(thread=thread, cause="cpu") + ns(thread=thread, cause="[not sampled]"), int(cpu), what=thread)
		    for cause, blocked, count in said_lines("wait", name):
		        if cause == "disk":
		            continue  # in a test of its own
		        seen = ns(thread=thread, cause=f"[{cause}]")
		        about(seen, int(blocked), int(count), what=(thread, cause))
		        for s in of(thread=thread, cause=f"[{cause}]"):
		            assert s.has(f"do_{cause}") and s.has("worker"), s
	END
}

@test "the run queue is told apart from waits (oracle: schedstat)" {
	profile_of "$TARGETS/profile_schedule" --rounds 20
	profiled <<-'END'
		for name, tid, wall, cpu, queue in said_lines("thread"):
		    t = thread_of(tid)
		    # the kernel's total, to the end of the thread
		    assert t["run_queue_s"] * 1e9 >= int(queue) - 1000, t
		    about(ns(thread=f"{name}-{tid}", cause="[run queue]"), t["run_queue_s"] * 1e9, what=name)
	END
}

@test "writes past the page cache are waits for the disk (oracle: clocks, schedstat)" {
	profile_of "$TARGETS/profile_schedule" --rounds 40
	profiled <<-'END'
		lines = [(name, tid) for name, tid, *_ in said_lines("thread")]
		blocked = sum(int(b) for name, _ in lines for cause, b, n in said_lines("wait", name) if cause == "disk")
		count = sum(int(n) for name, _ in lines for cause, b, n in said_lines("wait", name) if cause == "disk")
		if not count:
		    sys.exit(0)  # no O_DIRECT on this filesystem
		seen = sum(ns("do_disk", thread=f"{name}-{tid}", cause="[disk]") for name, tid in lines)
		about(seen, blocked, what="disk")
	END
}

@test "waits of 20 to 90 us, thousands a second: their sum is right for each cause (oracle: clocks, schedstat)" {
	profile_of "$TARGETS/profile_shortwaits" --waits 20000
	profiled <<-'END'
		tid = said_lines("thread", "waiter")[0][0]
		for cause, blocked, count in said_lines("wait", "waiter"):
		    seen = ns(thread=f"waiter-{tid}", cause=f"[{cause}]")
		    # what a switch takes at each end of a wait may be told as either: 1 us, 10 on a busy virtual machine
		    limit = int(blocked) * 0.1 + int(count) * 10000 + 5 * math.sqrt(int(blocked) / period) * period + stolen
		    assert abs(seen - int(blocked)) <= limit, (cause, seen, blocked, limit)
		    where = {"pipe": "wait_on_pipe", "lock": "wait_on_futex"}[cause]
		    assert ns(where, thread=f"waiter-{tid}", cause=f"[{cause}]") >= seen * 0.99, cause
	END
}

@test "two processes that wake each other as fast as they can wait for the pipe (oracle: the target)" {
	profile_of "$TARGETS/profile_pingpong" --rounds 100000
	profiled <<-'END'
		for pid in said_lines("pids")[0]:
		    mine = [s for s in stacks if s.process.endswith("-" + pid)]
		    waits = {}
		    for s in mine:
		        waits[s.cause] = waits.get(s.cause, 0) + s.ns
		    blocked = sum(v for k, v in waits.items() if k not in ("cpu", "[not sampled]", "[run queue]"))
		    # how long it waited cannot be held against the kernel's total: at 2 us a wait the scheduler's own
		    # microsecond at each end is half of it
		    assert blocked > 0
		    about(waits.get("[pipe]", 0), blocked, what=waits)
		    for s in mine:
		        assert s.cause != "[pipe]" or s.has("play_p[io]ng") or s.frames[0].startswith("["), s
	END
}

@test "every kind of wait is told by its cause, and is as long as it was (oracle: clocks)" {
	profile_of "$PYTHON" "$ROOT/tests/targets/profile_causes.py" 600
	profiled <<-'END'
		for name, tid, cause, took in said_lines("wait"):
		    t = thread_of(tid)
		    seen = ns(thread=f"{name}-{tid}", cause=f"[{cause}]")
		    # the thread did something before and after: on the CPU, waiting for CPython's lock, or for a moment for something
		    # else, such as a page of a program that the busy machine has put out of memory
		    lock = ns(thread=f"{name}-{tid}", cause="[lock]") * (cause != "lock")
		    moment = t["blocked_s"] * 1e9 - seen - lock
		    other = (t["cpu_s"] + t["run_queue_s"]) * 1e9 + lock + min(moment, int(took) * 0.02)
		    assert int(took) - other - 2 * period <= seen, (name, seen, took, other)
		    if cause != "lock":
		        assert seen <= int(took) + 2 * period, (name, seen, took)
	END
}

@test "threads that were blocked before the attach and never wake are there, with stack and cause (oracle: the target)" {
	start_target "$TARGETS/profile_blocked"
	wait_for "$PATIENCE" file_has "$SAID" '^ready'
	start_observer -d profile "${FAST[@]}" --pid "$TARGET"
	sleep 0.5
	stop_observer
	PROFILED_SAID=$SAID profiled <<-'END'
		for name, cause, chain in (("on-pipe", "[pipe]", ("pipe_outer", "pipe_inner", "read_for_ever")),
		                           ("on-futex", "[lock]", ("futex_outer", "futex_inner"))):
		    tid = said_lines("thread", name)[0][0]
		    t = thread_of(tid)
		    mine = of(thread=f"{name}-{tid}")
		    assert mine and all(s.cause == cause and s.has(*chain) for s in mine), mine
		    about(sum(s.ns for s in mine), (t["end_s"] - t["start_s"]) * 1e9, 1, what=name)
		    assert t["marks_recorded"]["blocked"] == t["marks"], t
		tid = said_lines("thread", "late")[0][0]
		assert of("late_outer", "late_sleep", thread=f"late-{tid}", cause="[sleep]")
	END
}

@test "a thread that blocks for ever during the run is there to the end (oracle: the target)" {
	start_target "$TARGETS/profile_blocked"
	wait_for "$PATIENCE" file_has "$SAID" '^ready'
	start_observer -d profile "${FAST[@]}" --pid "$TARGET"
	sleep 0.2
	kill -USR1 "$TARGET"
	wait_for "$PATIENCE" file_has "$SAID" '^late_blocks'
	sleep 0.5
	stop_observer
	PROFILED_SAID=$SAID profiled <<-'END'
		tid = said_lines("thread", "late")[0][0]
		late = f"late-{tid}"
		assert of("late_outer", "late_sleep", thread=late, cause="[sleep]")
		assert ns("late_outer", "late_block", "read_for_ever", thread=late, cause="[pipe]") >= 0.45e9, of(thread=late)
	END
}

@test "threads that are blocked when the task ends are there to its end (oracle: the target)" {
	start_target "$TARGETS/profile_blocked"
	wait_for "$PATIENCE" file_has "$SAID" '^ready'
	start_observer -d profile "${FAST[@]}" --pid "$TARGET"
	sleep 0.3
	kill -TERM "$TARGET"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	PROFILED_SAID=$SAID profiled <<-'END'
		for name, cause in (("on-pipe", "[pipe]"), ("on-futex", "[lock]")):
		    tid = said_lines("thread", name)[0][0]
		    t = thread_of(tid)
		    life, awake = (t["end_s"] - t["start_s"]) * 1e9, (t["cpu_s"] + t["run_queue_s"]) * 1e9
		    seen = ns(thread=f"{name}-{tid}", cause=cause)
		    # it runs once more, to end
		    assert life - awake - 3 * period <= seen <= life + 2 * period, (t, seen)
	END
}

now_ns() {
	date +%s%N
}

@test "SIGSTOP to SIGCONT is [stopped], and nothing else is (oracle: the time between the signals)" {
	local before after first last
	start_target "$TARGETS/profile_stopped"
	wait_for "$PATIENCE" file_has "$SAID" ready
	start_observer -d profile "${FAST[@]}" --pid "$TARGET"
	before=$(now_ns)
	kill -STOP "$TARGET"
	wait_for "$PATIENCE" has_state "$TARGET" T
	after=$(now_ns)
	sleep 0.6
	first=$(now_ns)
	kill -CONT "$TARGET"
	wait_for "$PATIENCE" has_state "$TARGET" S
	last=$(now_ns)
	sleep 0.1
	kill -TERM "$TARGET"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	PROFILED_SAID=$SAID profiled $((first - after)) $((last - before)) <<-'END'
		low, high = map(int, args)
		seen = ns(cause="[stopped]")
		assert low - 2 * period <= seen <= high + 2 * period, (low, seen, high)
		assert of("main", "nap", cause="[sleep]")
	END
}

@test "a cgroup's quota is [throttled] (oracle: cpu.stat)" {
	local cgroup throttled
	if [ -d /sys/fs/cgroup/cpu ]; then
		cgroup=/sys/fs/cgroup/cpu/taskdiag-e2e-$$
		mkdir "$cgroup" 2>/dev/null || skip "no cpu cgroup can be made here"
		CGROUPS+=("$cgroup")
		[ -e "$cgroup/cpu.cfs_quota_us" ] || skip "this kernel has no quotas"
		echo 100000 >"$cgroup/cpu.cfs_period_us"
		echo 10000 >"$cgroup/cpu.cfs_quota_us"
	elif grep -qw cpu /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
		cgroup=/sys/fs/cgroup/taskdiag-e2e-$$
		mkdir "$cgroup" || skip "no cpu cgroup can be made here"
		CGROUPS+=("$cgroup")
		echo "10000 100000" >"$cgroup/cpu.max" || skip "this kernel has no quotas"
	else
		skip "no cpu cgroup controller"
	fi
	observe_well -d profile "${FAST[@]}" -- sh -c 'echo $$ >"$1/cgroup.procs" && exec "$2" --ms 150' sh "$cgroup" "$TARGETS/profile_burn"
	throttled=$(awk '$1 == "throttled_usec" { print $2 * 1000 } $1 == "throttled_time" { print $2 }' "$cgroup/cpu.stat")
	[ "$throttled" -gt 0 ] || skip "nothing was throttled"
	profiled "$throttled" "$(awk '$1 == "nr_throttled" { print $2 }' "$cgroup/cpu.stat")" <<-'END'
		truth, seen = int(args[0]), ns(cause="[throttled]")
		t = thread_of(manifest["task"]["pids"][0])
		# when the quota is back the thread has to wait for its turn, which is not told apart
		assert seen >= truth * 0.9 - 2 * period * int(args[1]), (seen, truth)
		assert seen <= t["run_queue_s"] * 1e9 + 2 * period * (1 + truth / 1e7), (seen, t)
		about(ns(cause="cpu") + ns(cause="[not sampled]"), t["cpu_s"] * 1e9)
	END
}

@test "a frozen cgroup is [frozen] (oracle: the time between freeze and thaw)" {
	local cgroup freeze thaw before after
	if [ -d /sys/fs/cgroup/freezer ]; then
		cgroup=/sys/fs/cgroup/freezer/taskdiag-e2e-$$
		freeze="FROZEN freezer.state" thaw="THAWED freezer.state"
	elif [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		skip "cgroup v2 has a freezer of its own: it stops by a trap, not by TASK_FROZEN"
	else
		skip "no freezer"
	fi
	mkdir "$cgroup" 2>/dev/null || skip "no freezer cgroup can be made here"
	CGROUPS+=("$cgroup")
	# one that runs: a sleeping thread stays in its sleep while it is frozen, and is told so
	start_target sh -c 'echo $$ >"$1/cgroup.procs" && exec "$2" --ms 1500' sh "$cgroup" "$TARGETS/profile_burn"
	wait_for "$PATIENCE" file_has "$SAID" ready
	start_observer -d profile "${FAST[@]}" --pid "$TARGET"
	echo "${freeze% *}" >"$cgroup/${freeze#* }"
	wait_for "$PATIENCE" file_has "$cgroup/freezer.state" FROZEN
	before=$(now_ns)
	sleep 0.5
	after=$(now_ns)
	echo "${thaw% *}" >"$cgroup/${thaw#* }"
	end_of "$OBSERVER"
	PROFILED_SAID=$SAID profiled $((after - before)) <<-'END'
		assert ns(cause="[frozen]") >= int(args[0]) - 2 * period, stacks
	END
}

@test "a profile of waits alone: a program that only sleeps (oracle: the time that it sleeps)" {
	observe_well -d profile "${FAST[@]}" -- sleep 0.5
	profiled <<-'END'
		t = threads[0]
		seen = ns(cause="[sleep]")
		assert abs(seen - 0.5e9) <= (t["cpu_s"] + t["run_queue_s"]) * 1e9 + 2 * period, (seen, t)
	END
}
