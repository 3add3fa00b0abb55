#!/usr/bin/env bats
# Walks of programs that can be preempted: in claimed slots (bpf/unwind_claim.bpf.h). 64 threads call
# a probed function by chains of calls that its argument tells; a clock interrupts their walks with
# walks of its own.

# shellcheck disable=SC2154 # walk() sets said_NAME

load helpers

THREADS=64
CALLS=2000 # of each thread

# walk OPTION…: its numbers are $said_NAME
walk() {
	local name number code=0
	"$BUILD/uprobe_walk" "$@" -- "$TARGETS/uprobe_chains" --threads $THREADS --calls $CALLS \
		>walked 2>walk.stderr 3>&- || code=$?
	[ "$code" -ne 3 ] || skip "no uprobes: $(cat walk.stderr)"
	[ "$code" -eq 0 ] || fail "uprobe_walk $*: status $code:" "$(cat walk.stderr)" || return
	while read -r name number; do
		printf -v "said_$name" %s "$number"
	done <walked
}

# every hit of the probe was offered, and whatever was offered, nested or not, is somewhere
assert_nothing_is_lost_silently() {
	[ "$said_calls" -eq $((THREADS * CALLS)) ] && [ "$said_offered" -eq "$said_calls" ] &&
		[ $((said_offered + said_nested_offered)) -eq \
			$((said_walked + said_nested_walked + said_slots_full)) ] &&
		[ "$said_walked" -eq $((said_checked + said_ring_full)) ] ||
		fail "it does not add up:" "$(cat walked)"
}

@test "uprobe: walks in claimed slots that others interrupt are never mixed (oracle: the chain in the argument)" {
	walk
	assert_nothing_is_lost_silently
	[ "$said_wrong" -eq 0 ] && [ "$said_incomplete" -eq 0 ] && [ "$said_owned" -eq 0 ] &&
		[ "$said_checked" -gt $((said_calls / 2)) ] && [ "$said_nested_walked" -gt 1000 ] ||
		fail "mixed, or hardly tested:" "$(cat walked)"
}

@test "uprobe: the same walks in the slot of their CPU are mixed: the test above can fail" {
	walk --shared
	[ $((said_wrong + said_incomplete)) -gt 0 ] || fail "never mixed:" "$(cat walked)"
}

@test "uprobe: walks that find none of few slots are counted, and those that do are right" {
	walk --held 62
	assert_nothing_is_lost_silently
	[ "$said_slots_full" -gt 0 ] && [ "$said_checked" -gt 0 ] && [ "$said_wrong" -eq 0 ] &&
		[ "$said_incomplete" -eq 0 ] && [ "$said_owned" -eq 62 ] ||
		fail "not as two slots give:" "$(cat walked)"
}

@test "uprobe: without any slot every walk is counted and none is made" {
	walk --held 64
	assert_nothing_is_lost_silently
	[ "$said_walked" -eq 0 ] && [ "$said_nested_walked" -eq 0 ] || fail "walked:" "$(cat walked)"
}
