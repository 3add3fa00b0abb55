#!/usr/bin/env bats
# The profile's files, read by other people's programs: each tells the totals of profile.folded. What a
# program is and where it comes from: tests/consumers/check_*.py.

load helpers

setup_file() {
	export MADE=$BATS_FILE_TMPDIR/made SYNTHETIC=$BATS_FILE_TMPDIR/synthetic
	local build=${TASKDIAG_BUILD:-$BATS_TEST_DIRNAME/../../build}
	unset SUDO_UID SUDO_GID
	mkdir "$SYNTHETIC"
	"$build/make_profile" "$SYNTHETIC" 3>&- >"$BATS_FILE_TMPDIR/told"
	[ "$(id -u)" -ne 0 ] ||
		"$build/taskdiag-bpf" -q -d memory,profile -o "$MADE" -- "$build/targets/profile_threads" --ms 20 3>&- >/dev/null
}

# agrees PROGRAM DIR: 77 says that the program is not to be had here, and why.
agrees() {
	CODE=0
	"$PYTHON" "$ROOT/tests/consumers/check_$1.py" "$2" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
	[ "$CODE" -ne 77 ] || skip "$(tail -n 1 "$ERR" | cut -c 1-200)"
	[ "$CODE" -eq 0 ] || fail "status $CODE" "$(cat "$OUT" "$ERR")"
	assert_has "$(cat "$OUT")" agree
}

@test "the run to be read has threads, waits and the bytes that its manifest says (oracle: sha256sum)" {
	RUN=$MADE
	assert_whole_run "$RUN"
	assert_manifest '.diagnostics.profile | .threads_seen >= 8 and .marks > 10 and (.causes | length) >= 2'
}

@test "pprof reads a run's profile.pb.gz (oracle: go tool pprof)" {
	agrees pprof "$MADE"
}

@test "pprof reads every cause, inlined frames and hostile names (oracle: go tool pprof)" {
	agrees pprof "$SYNTHETIC"
}

@test "pyinstrument reads a run's profile.pyisession (oracle: pyinstrument 5 and 4)" {
	agrees pyinstrument "$MADE"
}

@test "pyinstrument reads every cause, inlined frames and hostile names (oracle: pyinstrument 5 and 4)" {
	agrees pyinstrument "$SYNTHETIC"
}

@test "speedscope reads a run's profile.speedscope.json and profile.folded (oracle: its page in Chromium)" {
	agrees speedscope "$MADE"
}

@test "speedscope reads every cause, inlined frames and hostile names (oracle: its page in Chromium)" {
	agrees speedscope "$SYNTHETIC"
}

@test "a Python program's functions, lines and callers are those of pyinstrument's own recording (oracle: pyinstrument)" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	observe_well -d profile "${FAST[@]}" -- "$PYTHON" "$ROOT/tests/targets/python/schedule.py" --seconds 2
	CODE=0
	"$PYTHON" "$ROOT/tests/consumers/same_as_pyinstrument.py" "$ROOT/tests/targets/python/schedule.py" --run "$RUN" \
		--functions spin_python,nap,crunch >"$OUT" 2>"$ERR" 3>&- || CODE=$?
	[ "$CODE" -ne 77 ] || skip "$(tail -n 1 "$ERR" | cut -c 1-200)"
	[ "$CODE" -eq 0 ] || fail "status $CODE" "$(cat "$OUT" "$ERR")"
	assert_has "$(cat "$OUT")" agree
}
