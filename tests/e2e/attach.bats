#!/usr/bin/env bats
# taskdiag-bpf --pid PID: the task is not ours. We come, look, and go; also when we are killed.
# shellcheck disable=SC2016 # single quotes hold what another shell expands
# shellcheck disable=SC2030,SC2031 # every test is a process of its own, and is meant to be

load helpers

# What an observer has in the kernel, by number: its programs and links.
bpf_objects_of() {
	cat "/proc/$1/fdinfo/"* 2>/dev/null | awk '$1 == "prog_id:" || $1 == "link_id:" { print $1 $2 }' | sort -u
}

# are_gone FILE: none of the objects listed is there any more.
are_gone() {
	local object
	while read -r object; do
		case $object in
		prog_id:*) ! bpftool prog show id "${object#*:}" >/dev/null 2>&1 || return ;;
		link_id:*) ! bpftool link show id "${object#*:}" >/dev/null 2>&1 || return ;;
		esac
	done <"$1"
}

assert_unprobed() {
	wait_for "$PATIENCE" are_gone "$1"
	if [ -d /sys/fs/bpf ]; then
		assert_equal "$(find /sys/fs/bpf -mindepth 1 -iname '*taskdiag*')" "" "pinned objects"
	fi
}

assert_task_unharmed() {
	alive "$TARGET" || fail "the task has ended" || return
	assert_equal "$(pgrep -P "$TARGET" | wc -l)" "$1" "its children" || return
	assert_equal "$(sed -n 's/^TracerPid:\t//p' "/proc/$TARGET/status")" 0 TracerPid
}

@test "Ctrl-C ends the observation, not the task: a whole run, status 0 (oracle: /proc, bpftool)" {
	start_sleeper 3 4
	start_observer --pid "$TARGET"
	bpf_objects_of "$OBSERVER" >objects
	[ "$(wc -l <objects)" -ge 4 ] || fail "too few programs: $(cat objects)"
	stop_observer
	assert_task_unharmed 2
	assert_unprobed objects
	assert_whole_run "$RUN"
	assert_manifest '.task.end == "detached" and .task.exit_status == null and .task.processes_left == 3'
	[ ! -e "$(partial_of "$RUN")" ]
}

@test "TERM and HUP end an observation like Ctrl-C (oracle: exit status)" {
	local signal
	start_sleeper 1 4
	for signal in TERM HUP; do
		rm -rf "$RUN"
		start_observer --pid "$TARGET"
		kill "-$signal" "$OBSERVER"
		end_of "$OBSERVER"
		assert_equal "$CODE" 0 "status after $signal"
		assert_whole_run "$RUN"
	done
	assert_task_unharmed 0
}

@test "when the task ends the observation does, with status 0 whatever the task's (oracle: wait)" {
	start_held sh -c 'exit 7'
	start_observer --pid "$TARGET"
	release
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	end_of "$TARGET"
	assert_equal "$CODE" 7 "the task's own status"
	assert_manifest '.task.end == "exited" and .task.exit_status == 7'
}

@test "a second Ctrl-C leaves at once, and leaves no torn run (oracle: the files)" {
	local i
	start_sleeper 2 4
	start_observer --pid "$TARGET"
	bpf_objects_of "$OBSERVER" >objects
	kill -INT "$OBSERVER"
	for ((i = 0; i < 2000; i++)); do # until one comes while it writes, or it has ended
		kill -INT "$OBSERVER" 2>/dev/null || break
	done
	end_of "$OBSERVER"
	case $CODE in
	0) assert_whole_run "$RUN" ;; # it was faster
	130) [ ! -d "$RUN" ] || assert_whole_run "$RUN" ;;
	*) fail "status $CODE" "$(cat "$ERR")" ;;
	esac
	assert_task_unharmed 1
	assert_unprobed objects
}

@test "SIGKILL of the observer at ten random moments: the task lives, no probe, no torn run, nothing pinned (oracle: bpftool)" {
	local i moment
	start_sleeper 4 4
	for i in {1..10}; do
		RUN=$BATS_TEST_TMPDIR/run$i
		background "$TASKDIAG" -q -i 10ms -o "$RUN" --pid "$TARGET"
		OBSERVER=$!
		moment=$((RANDOM % 250))
		sleep "$(printf '0.%03d' "$moment")"
		[ $((i % 3)) -ne 0 ] || kill -INT "$OBSERVER" # while it writes, then
		bpf_objects_of "$OBSERVER" >"objects$i"
		kill -KILL "$OBSERVER" 2>/dev/null || true
		end_of "$OBSERVER"
		assert_task_unharmed 3
		assert_unprobed "objects$i"
		[ ! -d "$RUN" ] || assert_whole_run "$RUN" || fail "killed after $moment ms"
	done
	RUN=$BATS_TEST_TMPDIR/run
	start_observer --pid "$TARGET"
	stop_observer
	assert_equal "$(find "$BATS_TEST_TMPDIR" -maxdepth 1 -name '.*taskdiag-partial')" "" "partial directories"
	assert_equal "$(memory final_rss_bytes)" "$(memory tracked_rss_bytes)" "RSS seen, after ten observers before"
}

@test "what a killed observer has left is gone after the next start, what a living one writes is not (oracle: ls)" {
	local living
	start_sleeper 1 4
	RUN=$BATS_TEST_TMPDIR/living
	start_observer --pid "$TARGET"
	living=$OBSERVER
	RUN=$BATS_TEST_TMPDIR/killed
	start_observer --pid "$TARGET"
	kill -KILL "$OBSERVER"
	end_of "$OBSERVER"
	[ -d "$(partial_of "$BATS_TEST_TMPDIR/killed")" ] || fail "nothing was left: this test proves nothing"
	mkdir .a-directory.of-the-user
	RUN=$BATS_TEST_TMPDIR/run
	observe_well -- true
	[ ! -e "$(partial_of "$BATS_TEST_TMPDIR/killed")" ] || fail "the partial directory is still there"
	[ -d "$(partial_of "$BATS_TEST_TMPDIR/living")" ] || fail "the living observer's directory is gone"
	[ -d .a-directory.of-the-user ]
	OBSERVER=$living
	stop_observer
	assert_whole_run "$BATS_TEST_TMPDIR/living"
}

@test "SIGKILL of the observer of a started command: the command lives on (oracle: /proc)" {
	local pid
	start_observer -- sh -c 'echo $$; exec sleep 1000'
	wait_for "$PATIENCE" file_has "$OUT" '[0-9]'
	pid=$(cat "$OUT")
	wait_for "$PATIENCE" file_has "/proc/$pid/comm" sleep
	bpf_objects_of "$OBSERVER" >objects
	kill -KILL "$OBSERVER"
	end_of "$OBSERVER"
	alive "$pid" || fail "the command has ended"
	kill -KILL "$pid"
	assert_unprobed objects
}

@test "an observer that was stopped for a while: an explicit gap in every file (oracle: SIGSTOP)" {
	local line since
	start_sleeper 1 4
	start_observer -i 50ms --pid "$TARGET"
	wait_for "$PATIENCE" slept_often "$OBSERVER" 5
	kill -STOP "$OBSERVER"
	wait_for "$PATIENCE" has_state "$OBSERVER" T
	since=$(cut -d' ' -f1 /proc/uptime)
	sleep 0.8
	since=$(awk -v since="$since" '{ print $1 - since }' /proc/uptime)
	kill -CONT "$OBSERVER"
	stop_observer
	assert_manifest ".diagnostics.memory.gaps | any(.seconds >= $since - 0.02 and .cause == \"observer not running\" and .time_s > 0)"
	assert_equal "$(csv 'r["event"] == "gap"' '1' | wc -l)" "$(memory 'gaps | length')" "gap rows of memory.csv"
	line=$(grep -n '^# gap' "$RUN/memory.datum" | head -n 1 | cut -d: -f1)
	[ -n "$line" ] || fail "memory.datum has no gap:" "$(cat "$RUN/memory.datum")"
	assert_equal "$(sed -n "$((line + 1))p" "$RUN/memory.datum")" "" "the line after the gap's"
	assert_has "$("$TASKDIAG" summary "$RUN")" gap
}

# slept_often PID N: it has waited N times since the program began: the ticks are under way.
slept_often() {
	[ "$(awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$1/status")" -ge "$2" ]
}

@test "no gap where there was none (oracle: none was made)" {
	start_sleeper 1 4
	start_observer -i 1h --pid "$TARGET"
	stop_observer
	assert_manifest '.diagnostics.memory.gaps == []'
	refute_matches "$RUN/memory.datum" gap
}

@test "the peak of a moment when the observer was stopped is kept (oracle: VmHWM)" {
	start_held "$TARGETS/spike" --mib 200 --ms 5
	start_observer -i 50ms --pid "$TARGET"
	kill -STOP "$OBSERVER"
	wait_for "$PATIENCE" has_state "$OBSERVER" T
	release
	end_of "$TARGET"
	kill -CONT "$OBSERVER"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB "$SAID")"
	assert_ledger_complete
}

@test "in a nested pid namespace --pid and every pid told are as seen there (oracle: pgrep inside)" {
	needs_private_mounts
	background unshare -fp --mount-proc --kill-child bash -c '
		"$1/sleeper" --procs 3 --mib 4 >said &
		sleeper=$!
		until grep -q ready said; do sleep 0.02; done
		{ echo $sleeper; pgrep -P $sleeper; } | sort -n >pids
		"$2" -o run --pid $sleeper &
		observer=$!
		until find /proc/$observer/fd -lname "*timerfd*" | grep -q . || [ ! -d /proc/$observer ]; do sleep 0.02; done
		kill -INT $observer
		wait $observer
		status=$?
		kill -TERM $sleeper
		wait $sleeper
		exit $status' bash "$TARGETS" "$TASKDIAG" >"$OUT" 2>"$ERR"
	end_of "$!"
	assert_equal "$CODE" 0 "status: $(cat "$ERR")"
	assert_equal "$(memory 'processes[].pid' | sort -n)" "$(cat pids)" "pids"
	assert_manifest '.task.processes_seen == 3 and (.diagnostics.memory.processes | all(.pid < 50))'
	assert_equal "$(manifest '.task.pids[0]')" "$(head -n 1 pids)" "task.pids"
}

@test "a command in a nested pid namespace: pids as seen there (oracle: \$\$)" {
	needs_private_mounts
	unshare -fp --mount-proc --kill-child "$TASKDIAG" -q -o "$RUN" -- sh -c 'echo $$; true & wait' >"$OUT" 2>"$ERR" 3>&- ||
		fail "$(cat "$ERR")"
	assert_equal "$(manifest '.task.pids[0]')" "$(cat "$OUT")"
	[ "$(cat "$OUT")" -lt 50 ] || fail "pid $(cat "$OUT") is not of a new namespace"
	assert_manifest '.task.processes_seen == 2 and (.diagnostics.memory.processes | all(.pid < 50))'
}

@test "from outside, a process in a nested pid namespace is observed under its outer pid (oracle: VmHWM)" {
	local inner
	mkfifo hold
	start_target unshare -fp --kill-child sh -c 'echo held >held; read -r go <hold; exec "$@"' sh \
		"$TARGETS/spike" --mib 160 --ms 5
	wait_for "$PATIENCE" file_has held held
	inner=$(pgrep -P "$TARGET")
	start_observer --pid "$inner"
	release
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB "$SAID")"
	assert_manifest ".task.pids == [$inner] and [.diagnostics.memory.processes[].pid] == [$inner]"
}

@test "two observers of one task at once are both right (oracle: VmHWM)" {
	local first
	start_held "$TARGETS/spike" --mib 200 --ms 5
	RUN=$BATS_TEST_TMPDIR/first
	start_observer --pid "$TARGET"
	first=$OBSERVER
	RUN=$BATS_TEST_TMPDIR/run
	start_observer --pid "$TARGET"
	release
	end_of "$first"
	assert_equal "$CODE" 0
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB "$SAID")"
	assert_ledger_complete
	RUN=$BATS_TEST_TMPDIR/first
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB "$SAID")"
	assert_ledger_complete
}

@test "one observer that leaves does not disturb the other (oracle: VmHWM)" {
	local first
	start_held "$TARGETS/spike" --mib 200 --ms 5
	RUN=$BATS_TEST_TMPDIR/first
	start_observer --pid "$TARGET"
	first=$OBSERVER
	RUN=$BATS_TEST_TMPDIR/run
	start_observer --pid "$TARGET"
	kill -KILL "$first"
	end_of "$first"
	release
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB "$SAID")"
}

@test "a task under a debugger is observed, and stays with its debugger (oracle: TracerPid)" {
	local tracer
	command -v gdb >/dev/null || skip "gdb is not installed"
	start_sleeper 1 4
	mkfifo keys
	exec 4<>keys
	background gdb -nx -q -p "$TARGET" <&4 >gdb.out 2>&1 4>&-
	wait_for "$PATIENCE" file_has gdb.out "(gdb)" # it reads, and so maps, what it needs before
	tracer=$(sed -n 's/^TracerPid:\t//p' "/proc/$TARGET/status")
	start_observer --pid "$TARGET"
	stop_observer
	assert_equal "$(sed -n 's/^TracerPid:\t//p' "/proc/$TARGET/status")" "$tracer" TracerPid
	assert_within_permille 2 "$(memory final_rss_bytes)" $(($(status_kb "$TARGET" VmRSS) * 1024))
	exec 4>&-
}

@test "on a terminal a line says elapsed, RSS, peak, processes and losses (oracle: script)" {
	start_sleeper 2 8
	background script -qfec "exec $TASKDIAG -i 20ms -o $RUN --pid $TARGET" typescript </dev/null >/dev/null
	wait_for "$PATIENCE" file_has typescript \
		'[0-9][0-9]:[0-9][0-9]:[0-9][0-9]  RSS [0-9.]* MB  peak [0-9.]* MB  2 processes  0 lost'
	kill -TERM "$(pgrep -P "$!")"
	end_of "$!"
	assert_has "$(cat typescript)" "peak RSS"
	# the line is wiped: what follows begins at the start of a clean one
	assert_has "$(cat typescript)" $'\r\e[Ktask '
}

@test "on a pipe there is no status line and not one control character (oracle: grep)" {
	start_sleeper 2 8
	start_observer -i 20ms --pid "$TARGET"
	wait_for "$PATIENCE" slept_often "$OBSERVER" 10
	stop_observer
	refute_matches "$ERR" '[0-9]:[0-9][0-9]  RSS'
	assert_no_control_characters "$ERR"
	assert_equal "$(cat "$OUT")" "" stdout
}

@test "--color always colours a pipe, NO_COLOR and never do not (oracle: escape sequences)" {
	observe_well --color always -- true
	LC_ALL=C grep -q $'\e\[' "$ERR" || fail "no colour with --color always"
	"$TASKDIAG" summary --color never "$RUN" >"$OUT"
	assert_no_control_characters "$OUT"
}
