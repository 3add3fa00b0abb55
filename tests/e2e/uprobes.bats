#!/usr/bin/env bats
# uprobes.bats - the probes at the sites of the malloc shim: both ways to attach them tell the same,
# and none outlives its run. Oracles: the kernel's own numbers of what is there (bpftool), the bytes
# of the sites in the task's memory.
# shellcheck disable=SC2030,SC2031 # every test is a process of its own, and is meant to be
# shellcheck disable=SC2016 # single quotes hold what another shell expands

load helpers

SITES=5

# links_of PID: the numbers of what it has attached to sites
links_of() {
	cat "/proc/$1/fdinfo/"* 2>/dev/null |
		awk '$1 == "link_type:" { wanted = $2 == "uprobe_multi" || $2 == "perf" }
			$1 == "link_id:" && wanted { print $2 }'
}

multi_links_of() {
	cat "/proc/$1/fdinfo/"* 2>/dev/null | grep -c '^link_type:.*uprobe_multi' || true
}

are_gone() {
	local id
	for id in "$@"; do
		! bpftool link show id "$id" >/dev/null 2>&1 || return
	done
}

# sites_of PID: the first bytes of every site, as the task has them now
sites_of() {
	"$PYTHON" - "$1" "$BUILD/preload.so" <<-'END_PYTHON'
		import subprocess, sys

		pid, image = sys.argv[1:]
		symbols = subprocess.run(["readelf", "-W", "--dyn-syms", image], capture_output=True, text=True, check=True)
		at = {w[7]: int(w[1], 16) for w in map(str.split, symbols.stdout.splitlines())
		      if len(w) > 7 and w[7].startswith("taskdiag_") and w[3] == "FUNC"}
		maps = [line for line in open(f"/proc/{pid}/maps") if "taskdiag-preload.so" in line]
		base = min(int(line.split("-")[0], 16) for line in maps)
		assert len(at) == 5, at
		with open(f"/proc/{pid}/mem", "rb") as memory:
		    for name in sorted(at):
		        memory.seek(base + at[name])
		        print(name, memory.read(1).hex())
	END_PYTHON
}

# command_of PID: the sleeping command of this observer
command_of() {
	pgrep -P "$1" -x sleep
}

start_sleeping_command() {
	start_observer -d memory,allocations -- sleep 1000
	wait_for "$PATIENCE" command_of "$OBSERVER"
	COMMAND=$(command_of "$OBSERVER")
	STARTED+=("$COMMAND")
	wait_for "$PATIENCE" grep -q taskdiag-preload "/proc/$COMMAND/maps"
	SHIM=$(grep -o '/[^ ]*/taskdiag-preload.so' "/proc/$COMMAND/maps" | head -n 1)
}

are_unprobed() {
	local byte
	while read -r _ byte; do
		[ "$byte" != cc ] && [ "$byte" != e8 ] || return
	done < <(sites_of "$1")
}

assert_probed() {
	! are_unprobed "$1" || fail "no site has a probe: this test proves nothing" "$(sites_of "$1")"
}

# knows: observes a program that knows its heap; $KNOWN
knows() {
	rm -rf "$RUN"
	observe_well -d memory,allocations -- "$TARGETS/shim/known" 1 || return
	assert_manifest '.diagnostics.allocations | .source == "heap" and .exact and .allocations > 0' || return
	KNOWN=$(manifest '.diagnostics.allocations | [.peak_bytes, .allocations, .allocated_bytes, .leaked_bytes] | @csv')
}

@test "uprobe_multi and perf events tell the same, exact both (oracle: each other)" {
	local multi
	knows
	multi=$KNOWN
	export TASKDIAG_WITHOUT=uprobe_multi
	knows
	assert_equal "$KNOWN" "$multi" "peak, allocations, bytes, rest by perf events"
}

@test "one link for each site where uprobe_multi is, none where it is not to be had (oracle: fdinfo)" {
	start_sleeping_command
	[ "$(multi_links_of "$OBSERVER")" -gt 0 ] || skip "no uprobe_multi before Linux 6.10"
	assert_equal "$(multi_links_of "$OBSERVER")" "$SITES" "links"
	kill -TERM "$COMMAND"
	end_of "$OBSERVER"
	rm -rf "$RUN"
	export TASKDIAG_WITHOUT=uprobe_multi
	start_sleeping_command
	assert_equal "$(multi_links_of "$OBSERVER")" 0 "links"
	[ "$(links_of "$OBSERVER" | wc -l)" -ge "$SITES" ]
}

@test "after a run none of its links is there, once the observer has ended (oracle: bpftool)" {
	local links without
	for without in nothing uprobe_multi; do
		rm -rf "$RUN"
		export TASKDIAG_WITHOUT=$without
		start_sleeping_command
		links=$(links_of "$OBSERVER")
		[ "$(wc -w <<<"$links")" -ge "$SITES" ] || fail "too few links: $links"
		kill -TERM "$COMMAND"
		end_of "$OBSERVER"
		# shellcheck disable=SC2086 # numbers
		are_gone $links || fail "links left"
	done
}

@test "SIGKILL of the observer: the command lives on, its sites have their own bytes (oracle: /proc/PID/mem)" {
	local without
	for without in nothing uprobe_multi; do
		rm -rf "$RUN"
		export TASKDIAG_WITHOUT=$without
		start_sleeping_command
		assert_probed "$COMMAND"
		kill -KILL "$OBSERVER"
		end_of "$OBSERVER"
		alive "$COMMAND" || fail "the command has ended"
		wait_for "$PATIENCE" are_unprobed "$COMMAND"
		kill -KILL "$COMMAND"
		rm -rf "${SHIM%/*}" # who was killed could not
	done
}
