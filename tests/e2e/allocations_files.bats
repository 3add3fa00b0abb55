#!/usr/bin/env bats
# The allocations' files, read by other people's programs: each tells the totals of allocations.folded. What a
# program is and where it comes from: tests/consumers/check_allocations_*.py.

load helpers

setup_file() {
	export MADE=$BATS_FILE_TMPDIR/made
	local kind build=${TASKDIAG_BUILD:-$BATS_TEST_DIRNAME/../../build}
	for kind in rich deep large empty; do
		mkdir -p "$MADE/$kind"
		set -- "$MADE/$kind"
		[ "$kind" = rich ] || set -- "--$kind" "$@"
		"$build/make_allocations" "$@" 3>&- >"$MADE/$kind/told"
	done
}

# agrees PROGRAM KIND ARG…: 77 says that the program is not to be had here, and why.
agrees() {
	local program=$1 kind=$2
	shift 2
	CODE=0
	"$PYTHON" "$ROOT/tests/consumers/check_allocations_$program.py" "$MADE/$kind" "$@" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
	[ "$CODE" -ne 77 ] || skip "$(tail -n 1 "$ERR" | cut -c 1-200)"
	[ "$CODE" -eq 0 ] || fail "status $CODE" "$(cat "$OUT" "$ERR")"
	assert_has "$(cat "$OUT")" agree
}

# refuses PROGRAM KIND ARG…: the check finds what is wrong.
refuses() {
	local program=$1 kind=$2
	shift 2
	CODE=0
	"$PYTHON" "$ROOT/tests/consumers/check_allocations_$program.py" "$MADE/$kind" "$@" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
	[ "$CODE" -ne 77 ] || skip "$(tail -n 1 "$ERR" | cut -c 1-200)"
	assert_equal "$CODE" 1 "status of the check"
	assert_has "$(cat "$ERR")" "check_allocations_$program.py: "
}

@test "pprof reads every number, label and hostile name (oracle: go tool pprof)" {
	agrees pprof rich
}

@test "pprof reads stacks of 2,000 frames, and none (oracle: go tool pprof)" {
	agrees pprof deep
	agrees pprof empty
}

@test "memray 1.17 reads format 11: every stack, thread and allocator; its six programs open it (oracle: memray)" {
	agrees memray rich 11
}

@test "memray 1.19 reads format 12: every stack, thread and allocator; its six programs open it (oracle: memray)" {
	agrees memray rich 12
}

@test "memray 1.20 reads format 13: every stack, thread and allocator; its six programs open it (oracle: memray)" {
	agrees memray rich 13
}

@test "memray reads a file of no allocation (oracle: memray)" {
	agrees memray empty
}

@test "speedscope shows the peak and the leaks, and every symbol of the folded file (oracle: its page in Chromium)" {
	agrees speedscope rich
}

@test "ms_print shows our peak and who held it (oracle: ms_print)" {
	agrees massif rich
}

@test "ms_print opens deep stacks, and none (oracle: ms_print)" {
	agrees massif deep
	agrees massif empty
}

@test "every file of 200,000 stacks is there, and folded tells the total (oracle: awk)" {
	local name
	for name in allocations.folded allocations.pb.gz allocations.speedscope.json massif.out memray-1{1,2,3}.bin; do
		[ -s "$MADE/large/$name" ] || fail "$name is empty"
	done
	assert_equal "$(awk '{ sum += $NF } END { printf "%d %d", sum, NR }' "$MADE/large/allocations.folded")" \
		"$(sed -n 's/^peak_bytes=//p' "$MADE/large/told") 200000"
	command -v ms_print >/dev/null || skip "no ms_print (Debian: valgrind)"
	assert_has "$(ms_print "$MADE/large/massif.out" | tr -d ,)" \
		"100.00% ($(sed -n 's/^peak_bytes=//p' "$MADE/large/told")B) (heap allocation functions)"
}

@test "the checks see a byte too much (oracle: a changed folded file)" {
	local program
	cp -r "$MADE/rich" "$MADE/changed"
	sed -i '1s/ [0-9]*$/ 1/' "$MADE/changed/allocations.folded"
	for program in pprof massif speedscope memray; do
		refuses "$program" changed
	done
	rm -r "$MADE/changed"
}
