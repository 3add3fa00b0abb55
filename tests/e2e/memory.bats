#!/usr/bin/env bats
# What the memory diagnostic says, against what the kernel says in /proc and what the targets know.

# shellcheck disable=SC2016 # single quotes hold what another shell expands
# shellcheck disable=SC2030,SC2031 # every test is a process of its own, and is meant to be

load helpers

highest_of_datum() {
	awk '!/^#/ && NF == 2 && $2 > top { top = $2; time = $1 } END { print time, top }' "$RUN/memory.datum"
}

@test "a 60 ms spike between two ticks is in memory.datum (oracle: VmHWM)" {
	local peak time mb
	observe_well --interval 2s -- "$TARGETS/spike" --mib 300 --ms 60 --before-ms 300 --after-ms 300
	peak=$(memory peak_rss_bytes)
	assert_peak_is_vmhwm "$peak" "$(said VmHWM_kB)"
	assert_manifest '.diagnostics.memory.interval_s == 2'
	read -r time mb < <(highest_of_datum)
	assert_equal "$mb" "$(awk -v b="$peak" 'BEGIN { printf "%.2f", b / 1048576 }')" "highest MB of memory.datum"
	assert_equal "$time" "$(printf %.3f "$(memory peak_time_s)")" "its time"
}

@test "the row of a spike stands between the rows of two ticks, however long the interval (oracle: VmHWM)" {
	observe_well --interval 1h -- "$TARGETS/spike" --mib 200 --ms 20 --before-ms 20 --after-ms 20
	assert_peak_is_vmhwm "$(csv 'r["event"] == "peak"' 'r["rss_bytes"]')" "$(said VmHWM_kB)"
	assert_equal "$(csv True 'r["event"]' | paste -sd' ')" "tick peak tick" "events"
	assert_equal "$(grep -vc '^#' "$RUN/memory.datum")" 3 "rows of memory.datum"
	sort -c -n "$RUN/memory.datum"
}

@test "a peak that is held is told with the time when it was reached, not when it was left (oracle: the first tick that saw it)" {
	local first
	observe_well --interval 50ms -- "$TARGETS/spike" --mib 64 --ms 800
	first=$(csv "r['event'] == 'tick' and int(r['rss_bytes']) >= $(memory peak_rss_bytes) * 0.999" 'r["time_s"]' | sed -n 1p)
	[ -n "$first" ] || skip "no tick fell into the 800 ms"
	awk -v told="$(memory peak_time_s)" -v seen="$first" 'BEGIN { exit !(told <= seen + 0.1) }' ||
		fail "the peak is told at $(memory peak_time_s) s, and was there at $first s"
}

@test "anonymous, file, shared and copied-on-write pages are each in their column (oracle: /proc/self/status)" {
	observe_well --interval 50ms -- "$TARGETS/kinds" --anon 80 --file 40 --shmem 24 --cow 16 --ms 600 --dir "$PWD"
	"$PYTHON" - "$RUN/memory.csv" "$OUT" <<-'END'
		import csv, sys
		said = dict(line.split() for line in open(sys.argv[2]))
		truth = [int(said[k + "_kB"]) * 1024 for k in ("RssAnon", "RssFile", "RssShmem", "VmRSS")]
		columns = ("anon_bytes", "file_bytes", "shmem_bytes", "rss_bytes")
		rows = [[int(r[c]) for c in columns] for r in csv.DictReader(open(sys.argv[1])) if r["event"] == "tick"]
		assert all(sum(r[:3]) == r[3] for r in rows), rows
		best = max(rows, key=lambda r: r[3])
		assert all(abs(a - b) <= b * 0.01 for a, b in zip(best, truth)), (best, truth)
	END
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB)"
}

@test "huge pages count with their whole size (oracle: VmHWM)" {
	local faults
	observe_well -- "$TARGETS/toucher" --mib 128 --thp
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB)"
	faults=$(said minor_faults)
	[ "$faults" -lt 16384 ] || skip "the kernel gave no huge pages: $faults faults for 128 MiB"
}

@test "page by page: the peak and the number of faults (oracle: VmHWM, getrusage)" {
	local faults seen
	observe_well -- "$TARGETS/toucher" --mib 128 --rounds 2
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB)"
	faults=$(said minor_faults)
	seen=$(memory minor_faults)
	[ "$seen" -ge "$faults" ] || fail "$seen faults seen, $faults made"
	assert_within_permille 5 "$seen" "$faults"
}

@test "four threads that touch memory at once (oracle: VmHWM, the known size)" {
	observe_well -- "$TARGETS/toucher" --mib 32 --threads 4
	assert_peak_is_between "$(memory peak_rss_bytes)" "$(said VmHWM_kB)" 128
}

@test "four threads that race with their pages and then stand still at the peak, ten times (oracle: VmHWM)" {
	for _ in {1..10}; do
		rm -rf "$RUN"
		observe_well -- "$TARGETS/meet" --threads 4 --mib 32 --rounds 8
		assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB)"
	done
}

@test "memory that falls as often as it rises keeps its peak (oracle: VmHWM, the known height)" {
	local peak
	observe_well -- "$TARGETS/sawtooth" --mib 64 --teeth 4
	peak=$(memory peak_rss_bytes)
	assert_peak_is_between "$peak" "$(said VmHWM_kB)" 64
	[ "$peak" -ge $((64 << 20)) ] || fail "the peak $peak is below the height of a tooth"
}

@test "a saw with four threads keeps its peak (oracle: VmHWM, the known height)" {
	observe_well -- "$TARGETS/sawtooth" --mib 32 --teeth 6 --threads 4
	assert_peak_is_between "$(memory peak_rss_bytes)" "$(said VmHWM_kB)" 128
}

@test "attached in the midst of four sawing threads: not a page of drift when they stand still (oracle: VmRSS)" {
	start_target "$TARGETS/sawtooth" --mib 16 --teeth 1000000 --threads 4
	wait_for "$PATIENCE" has_tasks "$TARGET" 4
	start_observer --interval 20ms --pid "$TARGET"
	sleep 0.5 # any length: the more they do, the more could drift
	kill -STOP "$TARGET"
	wait_for "$PATIENCE" has_state "$TARGET" T
	sleep 0.1
	stop_observer
	assert_manifest '.diagnostics.memory.tracked_rss_bytes == .diagnostics.memory.final_rss_bytes'
	assert_within_permille 1 "$(memory final_rss_bytes)" $(($(status_kb "$TARGET" VmRSS) * 1024))
}

@test "a tree of five: the peak of the sum is what the tree had (oracle: VmRSS of each)" {
	observe_well -- "$TARGETS/tree" --ms 100 40 24 32 16 48
	assert_within_permille 5 "$(memory peak_rss_bytes)" $(($(said sum_kb) * 1024))
	assert_manifest '.task.processes_seen == 5 and .task.processes_left == 0'
	assert_ledger_complete
}

@test "a tree of five: each process's share of the peak is its own RSS, and the shares make the peak (oracle: VmRSS)" {
	local role pid kb
	observe_well -- "$TARGETS/tree" --ms 100 40 24 32 16 48
	for role in root child grandchild execed killed; do
		read -r pid kb < <(said "$role")
		assert_within_permille 5 \
			"$(memory "processes[] | select(.pid == $pid) | .rss_at_peak_bytes")" $((kb * 1024))
	done
	assert_manifest '.diagnostics.memory | ([.processes[].rss_at_peak_bytes] | add) + .omitted_at_peak_bytes
		== .peak_rss_bytes'
	assert_manifest '.diagnostics.memory.processes | [.[].rss_at_peak_bytes] | . == (sort | reverse)'
}

@test "a tree of five: the child that was killed is told as killed by signal 9, the others as exited (oracle: the tree)" {
	local killed
	observe_well -- "$TARGETS/tree" --ms 20
	killed=$(said killed | tail -n 1)
	assert_manifest ".diagnostics.memory.processes[] | select(.pid == $killed) |
		.end == \"killed-by-signal\" and .signal == 9 and .exit_status == null"
	assert_manifest "[.diagnostics.memory.processes[] | select(.pid != $killed)] | length == 4 and
		all(.end == \"exited\" and .exit_status == 0 and .signal == null)"
}

@test "of 2,000 short-lived children none is missed and no record is lost (oracle: spawner)" {
	observe_well -- "$TARGETS/spawner" --count 2000 --status 3
	assert_equal "$(said ended_as_told)" 2000
	assert_manifest '.task.processes_seen == 2001 and .task.processes_left == 0'
	assert_ledger_complete
	assert_manifest '.diagnostics.memory | (.processes | length) + .processes_omitted == 2001'
	assert_manifest '[.diagnostics.memory.processes[] | select(.end == "unknown" or .end == "running")] == []'
}

@test "200 children that exec, two at a time, are 201 processes (oracle: spawner)" {
	observe_well -- "$TARGETS/spawner" --count 200 --exec /bin/true --parallel 2
	assert_manifest '.task.processes_seen == 201'
	assert_manifest '[.diagnostics.memory.processes[] | select(.name == "true")] | length == 200'
	assert_ledger_complete
}

@test "posix_spawn children are processes with a name and an end of their own (oracle: spawner)" {
	observe_well -- "$TARGETS/spawner" --count 20 --spawn
	assert_manifest '.task.processes_seen == 21'
	assert_manifest '[.diagnostics.memory.processes[] | select(.name == "true" and .exit_status == 0)] | length == 20'
	assert_ledger_complete
}

@test "the memory that a vfork child shares counts once (oracle: VmHWM)" {
	local hwm highest
	observe_well --interval 20ms -- "$TARGETS/vforker" --mib 64 --ms 200
	hwm=$(($(said VmHWM_kB) * 1024))
	highest=$(memory peak_rss_bytes)
	[ "$highest" -ge "$hwm" ] || fail "the peak $highest is below VmHWM $hwm"
	# after its exec the child has memory of its own: /bin/true
	[ "$highest" -le $((hwm + (8 << 20))) ] || fail "the peak $highest: the memory counts twice, it is $hwm"
	assert_manifest '.task.processes_seen == 2'
	assert_ledger_complete
}

@test "exec by a thread that is not the leader: the process is followed under its pid (oracle: VmHWM)" {
	observe_well -- "$TARGETS/mthexec" --before-mib 8 --mib 160 --ms 20
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB)"
	assert_equal "$(manifest '.task.pids[0]')" "$(said pid)" pid
	assert_manifest '.task.processes_seen == 1 and .task.end == "exited" and .task.exit_status == 0'
	assert_ledger_complete
}

@test "exec by a thread that is not the leader, in a process that was attached to (oracle: VmHWM)" {
	start_held "$TARGETS/mthexec" --before-mib 8 --mib 160 --ms 20
	start_observer --pid "$TARGET"
	release
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB "$SAID")"
	assert_manifest ".task.processes_seen == 1 and .task.pids == [$TARGET]"
}

@test "exec gives the old memory back: the peak is the larger of the two, not their sum (oracle: VmHWM)" {
	local peak
	observe_well -- "$TARGETS/mthexec" --before-mib 96 --mib 32 --ms 20
	peak=$(memory peak_rss_bytes)
	[ "$peak" -ge $((96 << 20)) ] || fail "the peak $peak is below the 96 MiB before exec"
	[ "$peak" -le $((104 << 20)) ] || fail "the peak $peak is above the 96 MiB before exec"
}

@test "a process whose main thread has ended is followed to its own end (oracle: VmHWM, exit status)" {
	observe -- "$TARGETS/leaderexit" --mib 192 --ms 50 --status 7
	assert_equal "$CODE" 7
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB)"
	assert_manifest '.task.end == "exited" and .task.exit_status == 7 and .task.processes_seen == 1'
	assert_ledger_complete
}

@test "a process whose main thread has ended already can be attached to (oracle: VmHWM)" {
	start_target "$TARGETS/leaderexit" --mib 192 --ms 1500 --status 7
	wait_for "$PATIENCE" is_zombie "$TARGET"
	start_observer --pid "$TARGET"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB "$SAID")"
	assert_manifest '.task.end == "exited" and .task.exit_status == 7'
}

@test "--no-children: children are not part of the task, their memory is not counted (oracle: VmRSS of the root)" {
	local pid kb
	observe_well --no-children -- "$TARGETS/tree" --ms 100 40 24 32 16 48
	read -r pid kb < <(said root)
	assert_within_permille 5 "$(memory peak_rss_bytes)" $((kb * 1024))
	assert_manifest "[.diagnostics.memory.processes[].pid] == [$pid] and .task.processes_seen == 1"
}

@test "--no-children: children that were there before are left out as well (oracle: VmRSS)" {
	start_sleeper 3 16
	start_observer --no-children --pid "$TARGET"
	stop_observer
	assert_within_permille 5 "$(memory final_rss_bytes)" $(($(status_kb "$TARGET" VmRSS) * 1024))
	assert_manifest "[.diagnostics.memory.processes[].pid] == [$TARGET]"
}

@test "several --pid are one task: its RSS is their sum (oracle: VmRSS of both)" {
	local first second sum_kb
	start_sleeper 1 16
	first=$TARGET
	start_sleeper 1 40
	second=$TARGET
	start_observer --pid "$first" --pid "$second"
	sum_kb=$(($(status_kb "$first" VmRSS) + $(status_kb "$second" VmRSS)))
	stop_observer
	assert_within_permille 2 "$(memory final_rss_bytes)" $((sum_kb * 1024))
	assert_manifest ".task.pids == [$first, $second] and .task.processes_seen == 2"
	assert_manifest "[.diagnostics.memory.processes[].pid] | sort == ([$first, $second] | sort)"
}

@test "several --pid: the task ends with the last of them, not with the first (oracle: the observer's end)" {
	local first
	start_held true
	first=$TARGET
	start_sleeper 1 1
	start_observer --pid "$first" --pid "$TARGET"
	release
	end_of "$first"
	alive "$OBSERVER" || fail "the observer ended with the first process"
	kill -TERM "$TARGET"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_manifest '.task.end == "exited" and .task.processes_left == 0'
}

@test "--pid of a child and its parent counts neither twice (oracle: VmRSS)" {
	local child
	start_sleeper 2 24
	child=$(pgrep -P "$TARGET")
	start_observer --pid "$child" --pid "$TARGET"
	stop_observer
	assert_within_permille 5 "$(memory final_rss_bytes)" \
		$((($(status_kb "$TARGET" VmRSS) + $(status_kb "$child" VmRSS)) * 1024))
	assert_manifest '.task.processes_seen == 2'
}

@test "children and grandchildren that were there before the attach are found (oracle: pgrep)" {
	local truth
	start_target sh -c '"$1" --procs 4 --mib 2 & "$1" --procs 3 --mib 2; wait' sh "$TARGETS/sleeper"
	wait_for "$PATIENCE" file_has "$SAID" '^ready 4$'
	wait_for "$PATIENCE" file_has "$SAID" '^ready 3$'
	truth=$({ echo "$TARGET" && descendants "$TARGET"; } | sort -n | paste -sd,)
	start_observer --pid "$TARGET"
	stop_observer
	assert_equal "$(memory 'processes | map(.pid) | sort | map(tostring) | join(",")')" "$truth" pids
	assert_manifest '.task.processes_seen == 8 and .task.processes_left == 8'
	assert_manifest '.diagnostics.memory.processes | all(.start_s < 0 and .end == "running" and .end_s == null)'
}

@test "a child that is born after the attach is followed (oracle: VmRSS of each)" {
	start_held "$TARGETS/tree" --ms 100 8 24 32 16 48
	start_observer --pid "$TARGET"
	release
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_within_permille 5 "$(memory peak_rss_bytes)" $(($(said sum_kb "$SAID") * 1024))
	assert_manifest '.task.processes_seen == 5 and .task.end == "exited"'
	assert_ledger_complete
}

@test "on a task at rest the sum of all changes is what every process has (oracle: VmRSS)" {
	local pid sum_kb=0
	start_sleeper 5 12
	start_observer --interval 50ms --pid "$TARGET"
	for pid in "$TARGET" $(descendants "$TARGET"); do
		sum_kb=$((sum_kb + $(status_kb "$pid" VmRSS)))
	done
	stop_observer
	assert_manifest '.diagnostics.memory | .tracked_rss_bytes == .final_rss_bytes and .final_rss_bytes > 0'
	assert_within_permille 2 "$(memory final_rss_bytes)" $((sum_kb * 1024))
}

@test "PSS divides what processes share (oracle: smaps_rollup)" {
	local pid sum_kb=0
	start_sleeper 5 12
	start_observer --pid "$TARGET"
	for pid in "$TARGET" $(descendants "$TARGET"); do
		sum_kb=$((sum_kb + $(sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$pid/smaps_rollup")))
	done
	stop_observer
	assert_within_permille 20 "$(memory pss_bytes)" $((sum_kb * 1024))
	assert_manifest '.diagnostics.memory | .pss_bytes < .final_rss_bytes'
}

@test "processes and threads at a tick (oracle: the targets)" {
	start_target "$TARGETS/sawtooth" --mib 8 --teeth 100000 --threads 7 --pause-us 2000
	wait_for "$PATIENCE" test -d "/proc/$TARGET/task"
	wait_for "$PATIENCE" has_tasks "$TARGET" 7
	start_observer --pid "$TARGET"
	stop_observer
	assert_equal "$(csv 'r["event"] == "tick"' 'r["processes"] + " " + r["threads"]' | tail -n 1)" "1 7"
}

has_tasks() {
	[ "$(find "/proc/$1/task" -mindepth 1 -maxdepth 1 | wc -l)" -eq "$2" ]
}

@test "a task that is killed for want of memory ends with oom, and its peak is kept (oracle: the limit of its cgroup)" {
	local limit=$((100 << 20)) peak cgroup
	if [ -d /sys/fs/cgroup/memory ]; then
		cgroup=/sys/fs/cgroup/memory/taskdiag-e2e-$$
		mkdir "$cgroup" || skip "no memory cgroup can be made here"
		CGROUPS+=("$cgroup")
		echo "$limit" >"$cgroup/memory.limit_in_bytes"
	elif grep -qw memory /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
		cgroup=/sys/fs/cgroup/taskdiag-e2e-$$
		mkdir "$cgroup" || skip "no memory cgroup can be made here"
		CGROUPS+=("$cgroup")
		echo "$limit" >"$cgroup/memory.max"
		echo 0 >"$cgroup/memory.swap.max" 2>/dev/null || true
	else
		skip "no memory cgroup controller"
	fi
	# shellcheck disable=SC2016 # for the inner shell
	observe -- sh -c 'echo $$ >"$1/cgroup.procs" && exec "$2" --mib 300 --ms 10' sh "$cgroup" "$TARGETS/spike"
	assert_equal "$CODE" 137
	assert_manifest '.task.end == "oom" and .task.signal == 9'
	assert_manifest '.diagnostics.memory.processes[0].end == "oom"'
	peak=$(memory peak_rss_bytes)
	# its page tables count against the limit, its file pages are others' already
	[ "$peak" -ge $((limit * 9 / 10)) ] || fail "the peak $peak is far below the limit $limit"
	[ "$peak" -le $((limit * 11 / 10)) ] || fail "the peak $peak is far above the limit $limit"
	assert_ledger_complete
	assert_has "$("$TASKDIAG" summary "$RUN" | head -n 1)" "OOM"
}

@test "a process that is killed with SIGKILL is no oom (oracle: kill)" {
	start_sleeper 1 8
	start_observer --pid "$TARGET"
	kill -KILL "$TARGET"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_manifest '.task.end == "killed-by-signal" and .task.signal == 9 and .task.exit_status == null'
}

@test "without swap no swapped memory is told (oracle: /proc/swaps)" {
	[ "$(wc -l </proc/swaps)" -le 1 ] || skip "this machine has swap: it may be used"
	observe_well --interval 20ms -- "$TARGETS/spike" --mib 32 --ms 100
	assert_manifest '.diagnostics.memory.swap_peak_bytes == 0'
	assert_equal "$(csv 'r["event"] == "tick"' 'r["swap_bytes"]' | sort -u)" 0
}

@test "after a --pid that is gone nothing is made, and the message says so (oracle: wait)" {
	start_target true
	end_of "$TARGET"
	observe --pid "$TARGET"
	assert_equal "$CODE" 125
	assert_equal "$(wc -l <"$ERR")" 1 "lines of stderr"
	assert_has "$(cat "$ERR")" "pid $TARGET: no such process"
	assert_no_run
}

@test "a zombie is refused, and the message says that it has ended (oracle: /proc/PID/status)" {
	local zombie
	start_target "$PYTHON" -c 'import os, time
pid = os.fork()
if not pid: os._exit(0)
print(pid, flush=True)
time.sleep(1000)'
	wait_for "$PATIENCE" file_has "$SAID" '[0-9]'
	zombie=$(cat "$SAID")
	wait_for "$PATIENCE" is_zombie "$zombie"
	observe --pid "$zombie"
	assert_equal "$CODE" 125
	assert_equal "$(wc -l <"$ERR")" 1 "lines of stderr"
	assert_matches "$(cat "$ERR")" "pid $zombie: .*zombie"
	assert_no_run
}
