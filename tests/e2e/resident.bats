#!/usr/bin/env bats
# Whose were the pages that were resident at the peak? Against programs that know it.
# shellcheck disable=SC2016 # single quotes hold what another shell expands
# shellcheck disable=SC2030,SC2031 # every test is a process of its own, and is meant to be

load helpers

# held FUNCTION…: bytes at the peak of all stacks with such a frame, one line each.
held() {
	"$PYTHON" - "$RUN/allocations.folded" "$@" <<-'END'
		import re, sys

		sums = dict.fromkeys(sys.argv[2:], 0)
		for line in open(sys.argv[1], errors="surrogateescape"):
		    text, value = line.rsplit(" ", 1)
		    frames = {re.sub(r" \(.*", "", frame) for frame in text.split(";")[2:]}
		    for name in sums.keys() & frames:
		        sums[name] += int(value)
		for name in sums:
		    print(sums[name])
	END
}

# What the target says that each of its functions holds is what we say, within half a percent of the peak: the
# edges of ranges, where one sampled page stands for its group, and the functions' own code.
assert_holders() {
	local peak name bytes ours
	peak=$(manifest .diagnostics.allocations.peak_bytes)
	grep -c '^holds' "$1" >/dev/null || fail "the target said nothing"
	while read -r _ name bytes; do
		ours=$(held "$name")
		if [ $((ours - bytes)) -gt $((peak / 200)) ] || [ $((bytes - ours)) -gt $((peak / 200)) ]; then
			fail "$name: $ours, not $bytes (peak $peak)" "$(sort -t ' ' -k 2 "$RUN/allocations.folded" | head -n 100)"
			return
		fi
	done < <(grep '^holds' "$1")
}

# within_a_mib FUNCTION MIB
within_a_mib() {
	local ours
	ours=$(held "$1")
	if [ "$ours" -lt $((($2 - 1) << 20)) ] || [ "$ours" -gt $((($2 + 1) << 20)) ]; then
		fail "$1: $ours" "$(head -n 100 "$RUN/allocations.folded")"
	fi
}

# What is told of all is RSS, within a percent (oracle: the kernel's own peak, in the memory diagnostic).
assert_explained() {
	assert_manifest '.diagnostics.allocations as $a | .diagnostics.memory.peak_rss_bytes as $rss |
		($a.attributed_bytes - $rss | fabs) < $rss * 0.01'
}

@test "four functions hold 149 MiB at the peak, decoys none (oracle: the target)" {
	observe_well -d memory,allocations --resident -- "$TARGETS/alloc_known" --hold-ms 50
	assert_holders "$OUT"
	assert_explained
	[ "$(held decoy_before)" -lt 1000000 ]
	[ "$(held decoy_after)" -lt 1000000 ]
	assert_manifest '.diagnostics.allocations | .status == "ok" and .source == "resident" and .exact == false'
	assert_whole_run "$RUN"
}

@test "the same in blocks of 4000 bytes from malloc (oracle: the target)" {
	observe_well -d memory,allocations --resident -- "$TARGETS/alloc_known" --small 1 --hold-ms 50
	assert_holders "$OUT"
	assert_explained
}

@test "pages that come and go in every way there is (oracle: the target)" {
	observe_well -d memory,allocations --resident -- "$TARGETS/page_kinds" --mib 32
	assert_holders "$OUT"
	assert_explained
}

@test "attached to a running process: what was there is named by its mapping, what comes by its stack (oracle: the target)" {
	start_target "$TARGETS/alloc_known" --before-ms 1500 --hold-ms 1500
	wait_for "$PATIENCE" file_has "$SAID" '^begins'
	start_observer -d memory,allocations --pid "$TARGET"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_holders "$SAID"
	assert_manifest '.diagnostics.allocations.before_attach_bytes > 500000'
	grep -q 'before attach\];.*libc' "$RUN/allocations.folded"
}

@test "attached when all is there: all of it is before the attach, and a last scan finds the same (oracle: VmRSS)" {
	local rss
	start_target "$TARGETS/alloc_known" --hold-ms 60000
	wait_for "$PATIENCE" file_has "$SAID" '^ready'
	start_observer -d memory,allocations --pid "$TARGET"
	rss=$(awk '/VmRSS/ { print $2 * 1024 }' "/proc/$TARGET/status")
	stop_observer
	assert_manifest "(.diagnostics.allocations.before_attach_bytes - $rss | fabs) < $rss * 0.01"
	assert_manifest '.diagnostics.allocations.last_scan | .phantom_ratio < 0.01 and .unowned_ratio < 0.01'
	assert_manifest "(.diagnostics.allocations.last_scan.resident_bytes - $rss | fabs) < $rss * 0.01"
}

@test "the last scan: what the task gave back has no owner any more, what it took has one (oracle: pagemap)" {
	start_target "$TARGETS/page_kinds" --mib 16 --before-ms 1500 --hold-ms 60000
	wait_for "$PATIENCE" file_has "$SAID" '^begins'
	start_observer -d memory,allocations --pid "$TARGET"
	wait_for "$PATIENCE" file_has "$SAID" '^ready'
	stop_observer
	assert_manifest '.diagnostics.allocations.last_scan | .phantom_ratio < 0.01 and .unowned_ratio < 0.01'
	assert_holders "$SAID"
}

@test "a task that is killed with SIGKILL at its peak loses nothing (oracle: the target)" {
	start_target "$TARGETS/alloc_known" --before-ms 1500 --hold-ms 60000
	wait_for "$PATIENCE" file_has "$SAID" '^begins'
	start_observer -d memory,allocations --pid "$TARGET"
	wait_for "$PATIENCE" file_has "$SAID" '^ready'
	kill -KILL "$TARGET"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_holders "$SAID"
}

@test "Python: lines that first touched the memory (oracle: the script)" {
	cat >script.py <<-'END'
		import time

		def eighty():
		    return b"x" * (80 << 20)

		def sixty():
		    block = bytearray(60 << 20)
		    for i in range(0, len(block), 4096):
		        block[i] = 1
		    return block

		kept = eighty(), sixty()
		time.sleep(0.1)
	END
	observe_well -d memory,allocations --resident -- "$PYTHON" script.py
	within_a_mib eighty 80
	within_a_mib sixty 60
	grep -q 'sixty (script.py:7)' "$RUN/allocations.folded"
}

@test "profile and allocations of one run have the same stacks to tell (oracle: the target)" {
	observe_well -d memory,profile,allocations --resident -- "$TARGETS/alloc_known" --hold-ms 300
	assert_holders "$OUT"
	grep -q ';main;usleep' "$RUN/profile.folded"
	assert_manifest '.ledger | .offered == .recorded + ([.lost[]] | add)'
}

@test "without the profile's programs nothing is sampled in time, and no profile is written" {
	observe_well -d allocations --resident -- "$TARGETS/alloc_known"
	[ ! -e "$RUN/profile.folded" ]
	assert_manifest '.diagnostics | keys == ["allocations"]'
}

@test "as on Linux 6.1, births told by faults: the four functions hold theirs, and the limit is said (oracle: the target)" {
	TASKDIAG_WITHOUT=resident_fault_user observe_well -d memory,allocations --resident -- "$TARGETS/alloc_known" --small 1
	assert_holders "$OUT"
	assert_explained
	assert_manifest '.diagnostics.allocations | .status == "limited" and (.limits | any(test("told by faults")))'
}
