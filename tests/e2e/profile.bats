#!/usr/bin/env bats
# Is every moment of every thread in the profile, once? Against what the targets know of themselves.

# shellcheck disable=SC2016 # single quotes hold what another shell expands
# shellcheck disable=SC2030,SC2031 # every test is a process of its own, and is meant to be

load helpers

# What has to be true of every profile.
assert_sound() {
	assert_whole_run "$RUN"
	assert_manifest '.ledger | .offered == .recorded + ([.lost[]] | add)'
	profiled <<-'END'
		assert abs(profile["frequency_hz"] * period - 1e9) <= period, profile["frequency_hz"]
		listed = profile["threads_omitted"] == 0
		for t in threads:
		    recorded = sum(t["marks_recorded"].values())
		    if t["end_s"] is None:  # the record of its end is among those that were lost
		        assert manifest["ledger"]["lost"]["ring_full"] > 0, t
		        continue
		    if profile["mode"] == "phase":
		        # one mark a period, from the first to the last moment that we saw
		        lifetime = (t["end_s"] - t["start_s"]) * 1e9 / period
		        assert abs(t["marks"] - lifetime) <= 1.01, (t, lifetime)
		        assert recorded + t["marks_lost"] >= t["marks"], t
		        if t["marks_lost"] == 0:
		            assert recorded == t["marks"], t
		    if not listed:
		        continue
		    mine = of(thread=f"{t['name']}-{t['tid']}", process=f"{t['process']}-{t['pid']}")
		    folded = sum(s.ns for s in mine)
		    assert abs(folded - recorded * period) <= (len(mine) + 1) * 1000, (t, folded, recorded * period)
		all_ns = sum(s.ns for s in stacks)
		assert abs(all_ns - profile["marks"] * period) <= (len(stacks) + 1) * 1000, (all_ns, profile["marks"] * period)
		by_cause = sum(c["marks"] for c in profile["causes"])
		assert by_cause == profile["marks"], (by_cause, profile["marks"])
	END
}

@test "eight threads that burn 1 to 8 shares: each has its time and its function (oracle: thread CPU clocks)" {
	profile_of "$TARGETS/profile_threads" --ms 60
	assert_sound
	profiled <<-'END'
		for i in range(8):
		    tid, cpu = said_lines("thread", f"burn-{i}")[0]
		    thread = f"burn-{i}-{tid}"
		    about(ns(f"burn_{i}", thread=thread, cause="cpu") + ns(thread=thread, cause="[not sampled]"), int(cpu), what=thread)
		    for other in range(8):
		        assert other == i or not of(f"burn_{other}", thread=thread), (thread, other)
		    # the kernel's own total: to the end of the thread, a little later than the target's last look
		    total = thread_of(tid)["cpu_s"] * 1e9
		    assert int(cpu) <= total + 1000 and total <= int(cpu) * 1.02 + 5e6, (thread, total, cpu)
		    for s in of(f"burn_{i}"):
		        assert s.has("run", f"burn_{i}"), s
	END
}

@test "wall time of each thread = CPU + run queue + blocked (oracle: the kernel's totals)" {
	profile_of "$TARGETS/profile_schedule" --rounds 5
	assert_sound
	profiled <<-'END'
		for t in threads:
		    wall = t["end_s"] - t["start_s"]
		    parts = t["cpu_s"] + t["run_queue_s"] + t["blocked_s"]
		    assert abs(wall - parts) <= 0.001 + wall * 0.001, t
	END
}

@test "the cause of a wait stands at the end of its stack, once" {
	profile_of "$TARGETS/profile_schedule" --rounds 3
	profiled <<-'END'
		assert {"[sleep]", "[pipe]", "[lock]"} <= {s.cause for s in stacks}
		causes = {c["name"] for c in profile["causes"]}
		for s in stacks:
		    assert s.cause in causes, s
		    assert not causes & set(s.frames), s
	END
}

@test "the shares are right at every frequency (oracle: thread CPU clocks)" {
	local hz
	for hz in 10 99 500; do
		observe_well -d profile --frequency "$hz" -- "$TARGETS/profile_threads" --ms 30
		assert_sound
		assert_manifest ".diagnostics.profile.frequency_hz | round == $hz"
		profiled <<-'END'
			for i in range(8):
			    tid, cpu = said_lines("thread", f"burn-{i}")[0]
			    about(ns(thread=f"burn-{i}-{tid}", cause="cpu") + ns(thread=f"burn-{i}-{tid}", cause="[not sampled]"),
			          int(cpu), what=i)
		END
		rm -rf "$RUN"
	done
}

@test "without --frequency it is 99 Hz" {
	observe_well -d profile -- "$TARGETS/profile_burn" --ms 100
	assert_manifest '.diagnostics.profile.frequency_hz | round == 99'
	assert_sound
}

@test "a frequency that is none is refused, in one line" {
	local hz
	for hz in 0 -1 abc '' 1000 99.5 1e2 99999999999999999999; do
		observe -d profile --frequency "$hz" -- true
		assert_equal "$CODE" 2 "status of --frequency $hz"
		assert_equal "$(wc -l <"$ERR")" 1 "lines of stderr"
		assert_has "$(cat "$ERR")" "--frequency $hz: "
		assert_no_run
	done
}

@test "20 short programs, two at a time: each has its time, and its name after its end (oracle: CPU clocks)" {
	profile_of "$TARGETS/profile_forks" --count 20 --ms 50 --parallel 2
	assert_sound
	assert_manifest '.task.processes_seen == 21 and ([.diagnostics.profile.threads[].pid] | unique | length) == 21'
	profiled <<-'END'
		all_burn = all_cpu = 0
		for pid, cpu in said_lines("child"):
		    mine = [s for s in stacks if s.process.endswith("-" + pid)]
		    on_cpu = sum(s.ns for s in mine if s.cause in ("cpu", "[not sampled]"))
		    # from fork on: more than the program itself has seen of its CPU time
		    t = thread_of(pid)
		    about(on_cpu, t["cpu_s"] * 1e9, what=pid)
		    assert t["cpu_s"] * 1e9 >= int(cpu) * 0.99, t
		    burn = sum(s.ns for s in mine if s.has("burn_of_child"))
		    all_burn += burn
		    all_cpu += int(cpu)
		# the file is the same for all: its rows stand from the second child on at the latest
		assert all_burn >= all_cpu * 0.8, (all_burn, all_cpu)
	END
}

@test "a started command is profiled from its first instruction (oracle: thread CPU clock)" {
	profile_of "$TARGETS/profile_burn" --ms 300
	assert_sound
	profiled <<-'END'
		about(ns("main", "burn_outer", "burn_middle", "burn_inner", cause="cpu") + ns(cause="[not sampled]"),
		      said_number("cpu_ns"), what="burn_inner")
	END
}

@test "--pid: threads that are there, and threads and children that come later (oracle: the target)" {
	start_held "$TARGETS/profile_forks" --count 6 --ms 60
	start_observer -d profile "${FAST[@]}" --pid "$TARGET"
	release
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_sound
	assert_equal "$(manifest '.diagnostics.profile.threads | map(select(.pid == '"$TARGET"')) | length')" 1 "threads of the root"
	PROFILED_SAID=$SAID profiled <<-'END'
		for pid, cpu in said_lines("child"):
		    t = thread_of(pid)
		    assert t["cpu_s"] * 1e9 >= int(cpu) * 0.99, t
		assert of("burn_of_child")
	END
}

@test "--no-children: only the process itself (oracle: the target)" {
	observe_well -d profile "${FAST[@]}" --no-children -- "$TARGETS/profile_forks" --count 4 --ms 50
	assert_sound
	assert_manifest '[.diagnostics.profile.threads[].pid] | unique | length == 1'
	profiled <<-'END'
		assert not of("burn_of_child")
	END
}

@test "strangers are not in the profile (oracle: their pids)" {
	local stranger
	start_target "$TARGETS/profile_threads" --ms 200
	stranger=$TARGET
	profile_of "$TARGETS/profile_burn" --ms 500
	assert_sound
	alive "$stranger" || skip "the stranger ended too early"
	profiled "$stranger" <<-'END'
		assert {t["pid"] for t in threads} == set(manifest["task"]["pids"]), (threads, manifest["task"])
		assert not of(r"burn_\d")
		assert not [s for s in stacks if s.process.endswith("-" + args[0])]
	END
}

@test "--cpu-only: CPU as ever, and no waits (oracle: thread CPU clock)" {
	observe_well -d profile "${FAST[@]}" --cpu-only -- "$TARGETS/profile_schedule" --rounds 6
	assert_whole_run "$RUN"
	assert_manifest '.diagnostics.profile.mode == "cpu-only"'
	assert_manifest '.ledger | .offered == .recorded + ([.lost[]] | add)'
	profiled <<-'END'
		assert {c["name"] for c in profile["causes"]} <= {"cpu", "[not sampled]"}, profile["causes"]
		assert not [s for s in stacks if s.cause not in ("cpu", "[not sampled]")]
		for name, tid, wall, cpu, queue in said_lines("thread"):
		    about(ns(thread=f"{name}-{tid}"), int(cpu), what=name)
	END
}

@test "memory and profile at once: each is as it is alone (oracles: VmHWM, thread CPU clocks)" {
	observe_well -d memory,profile "${FAST[@]}" -- "$TARGETS/profile_threads" --ms 40
	assert_sound
	assert_manifest '.diagnostics | has("memory") and has("profile")'
	assert_manifest '.diagnostics.memory.peak_rss_bytes > 0'
	profiled <<-'END'
		for i in range(8):
		    tid, cpu = said_lines("thread", f"burn-{i}")[0]
		    about(ns(f"burn_{i}", thread=f"burn-{i}-{tid}", cause="cpu") + ns(thread=f"burn-{i}-{tid}", cause="[not sampled]"), int(cpu))
	END
}

@test "a command that ends at once has a profile, and its status is passed on" {
	observe -d profile -- sh -c 'exit 7'
	assert_equal "$CODE" 7
	assert_sound
	assert_manifest '.task.exit_status == 7 and (.diagnostics.profile.threads | length) == 1'
}

@test "stopped by SIGINT: threads that live on are in the profile up to then (oracle: /proc)" {
	start_target "$TARGETS/profile_threads" --ms 3000
	wait_for "$PATIENCE" has_tasks "$TARGET" 9
	start_observer -d profile "${FAST[@]}" --pid "$TARGET"
	sleep 0.5
	stop_observer
	assert_sound
	assert_manifest '.diagnostics.profile.threads | length == 9'
	alive "$TARGET" || fail "the target has ended"
	profiled <<-'END'
		for i in range(8):
		    assert of("run", f"burn_{i}", cause="cpu"), i
	END
}

has_tasks() {
	[ "$(find "/proc/$1/task" -mindepth 1 -maxdepth 1 | wc -l)" -eq "$2" ]
}

@test "1,000 threads: none is forgotten (oracle: the target)" {
	observe_well -d profile "${FAST[@]}" -- "$PYTHON" -c 'import threading, time
threads = [threading.Thread(target=time.sleep, args=(0.5,)) for _ in range(1000)]
for t in threads: t.start()
for t in threads: t.join()'
	assert_sound
	assert_manifest '.diagnostics.profile | .threads_seen == 1001 and (.threads | length) + .threads_omitted == 1001'
}

@test "a ring that is too small: what is lost is counted, per thread and in the ledger" {
	start_held "$TARGETS/profile_pingpong" --rounds 100000
	start_observer -d profile "${FAST[@]}" --ring-size 4096 --pid "$TARGET"
	# while the observer cannot read, nothing makes room
	kill -STOP "$OBSERVER"
	release
	end_of "$TARGET"
	kill -CONT "$OBSERVER"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_manifest '.ledger.lost.ring_full > 0 and .diagnostics.profile.marks_lost > 0'
	assert_manifest '.diagnostics.profile.marks + .diagnostics.profile.marks_lost >= .diagnostics.profile.marks_passed'
	assert_sound
}
