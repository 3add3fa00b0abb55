#!/usr/bin/env bats
# What was lost is counted, told, and marked: offered = recorded + every loss.
# shellcheck disable=SC2016 # single quotes hold what another shell expands
# shellcheck disable=SC2030,SC2031 # every test is a process of its own, and is meant to be

load helpers

assert_ledger_balanced() {
	assert_manifest '.ledger | .offered == .recorded + ([.lost[]] | add)'
}

# starve CHILDREN [INTERVAL]: a task of a shell and CHILDREN children that end while the observer stands still, with a
# ring that holds about fifty records. The shell lives on.
starve() {
	mkfifo hold
	start_target sh -c 'echo held >held; read -r go <hold; "$@"; echo over >over; read -r go <hold; exit 0' sh \
		"$TARGETS/spawner" --count "$1"
	wait_for "$PATIENCE" file_has held held
	start_observer --interval "${2:-20ms}" --ring-size 4096 --pid "$TARGET"
	kill -STOP "$OBSERVER"
	wait_for "$PATIENCE" has_state "$OBSERVER" T
	release
	wait_for 60 file_has over over
}

@test "a starved ring: what it could not take is counted, to the last record (oracle: offered = recorded + lost)" {
	starve 300
	kill -CONT "$OBSERVER"
	release
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_manifest '.ledger.lost.ring_full > 0'
	assert_ledger_balanced
	# a record for each birth, exec, end and address space: 301 processes at the least
	assert_manifest '.ledger.offered >= 602'
	assert_whole_run "$RUN"
}

@test "a starved ring: processes_seen is what the records tell, never more than there were (oracle: spawner)" {
	starve 300
	kill -CONT "$OBSERVER"
	release
	end_of "$OBSERVER"
	assert_equal "$(said spawned "$SAID")" 300
	assert_manifest '.task.processes_seen >= 2 and .task.processes_seen <= 302'
}

@test "a starved ring: a process whose end was lost is told as unknown, not as running (oracle: /proc)" {
	starve 300 1h # no tick but the last one, at which the end is found
	kill -CONT "$OBSERVER"
	stop_observer # the shell is alive, everything that it started is not
	alive "$TARGET"
	assert_manifest "[.diagnostics.memory.processes[] | select(.end == \"running\") | .pid] == [$TARGET]"
	assert_manifest '.task.processes_left == 1'
	assert_manifest '.diagnostics.memory.processes | any(.end == "unknown")'
	assert_ledger_balanced
}

@test "a starved ring: the same when ticks go on for a while after it (oracle: /proc)" {
	starve 300
	kill -CONT "$OBSERVER"
	wait_for "$PATIENCE" slept_more "$OBSERVER" 30
	stop_observer
	assert_manifest "[.diagnostics.memory.processes[] | select(.end == \"running\") | .pid] == [$TARGET]"
	assert_manifest '.task.processes_left == 1 and .ledger.notes.exits_forgotten > 0'
	assert_ledger_balanced
}

# slept_more PID N: it has waited N times since this was first asked.
slept_more() {
	local now
	now=$(awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$1/status")
	SLEPT_AT_FIRST=${SLEPT_AT_FIRST:-$now}
	[ "$now" -ge $((SLEPT_AT_FIRST + $2)) ]
}

@test "a starved ring: the summary and the page tell the loss on their first screen (oracle: the manifest)" {
	starve 300
	kill -CONT "$OBSERVER"
	stop_observer
	"$TASKDIAG" summary "$RUN" >told
	assert_matches "$(grep '^records' told)" "lost|incomplete"
	refute_matches told 'complete: .* none lost'
	assert_has "$(tr -d , <told)" "$(manifest .ledger.lost.ring_full)"
	assert_has "$(cat "$ERR")" lost
}

@test "a starved ring loses no page: the peak is kept in the kernel (oracle: VmHWM)" {
	mkfifo hold
	start_target sh -c 'echo held >held; read -r go <hold; "$1" --count 200 && exec "$2" --mib 200 --ms 5' sh \
		"$TARGETS/spawner" "$TARGETS/spike"
	wait_for "$PATIENCE" file_has held held
	start_observer --ring-size 4096 --pid "$TARGET"
	kill -STOP "$OBSERVER"
	wait_for "$PATIENCE" has_state "$OBSERVER" T
	release
	end_of "$TARGET"
	kill -CONT "$OBSERVER"
	end_of "$OBSERVER"
	assert_manifest '.ledger.lost.ring_full > 0'
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB "$SAID")"
}

@test "a starved ring: shares of the peak that were lost are told as a limit (oracle: their sum)" {
	starve 300 1h
	kill -CONT "$OBSERVER"
	stop_observer
	assert_manifest '.diagnostics.memory | ([.processes[].rss_at_peak_bytes] | add) + .omitted_at_peak_bytes == .peak_rss_bytes
		or (.status == "limited" and (.limits | length) > 0)'
}

@test "a ring of the default size holds a storm that comes while the observer stands still (oracle: spawner)" {
	start_held "$TARGETS/spawner" --count 500
	start_observer --interval 20ms --pid "$TARGET"
	kill -STOP "$OBSERVER"
	wait_for "$PATIENCE" has_state "$OBSERVER" T
	release
	end_of "$TARGET"
	kill -CONT "$OBSERVER"
	end_of "$OBSERVER"
	assert_ledger_complete
	assert_manifest '.task.processes_seen == 501 and .task.processes_left == 0'
}

@test "every cause of loss is listed, also with 0 (oracle: docs/artifact-format.md)" {
	observe_well -- true
	sed -n '/^Causes in `ledger.lost`/,$p' "$ROOT/docs/artifact-format.md" | grep -oE '`[a-z_]+` \(' |
		tr -d '` (' | sort >documented
	[ -s documented ]
	diff documented <(manifest '.ledger.lost | keys[]')
}
