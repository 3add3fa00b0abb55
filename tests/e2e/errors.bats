#!/usr/bin/env bats
# What goes wrong is said in one line that names object, cause and next step; nothing is left behind.
# shellcheck disable=SC2016 # single quotes hold what another shell expands
# shellcheck disable=SC2030,SC2031 # every test is a process of its own, and is meant to be

load helpers

# refused CODE WORDS ARG…: the status, exactly one line on stderr with the words in it, nothing on stdout.
refused() {
	local wanted=$1 words=$2
	shift 2
	CODE=0
	"$TASKDIAG" "$@" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
	assert_refused "$wanted" "$words" "$*"
}

assert_refused() {
	assert_equal "$CODE" "$1" "exit status of: $3 ($(cat "$ERR"))" || return
	"$TASKDIAG" --help | sed -n '/^Exit status:/,/^$/p' | grep -q "^  $1 " ||
		fail "exit status $1 is not in --help" || return
	assert_equal "$(wc -l <"$ERR")" 1 "lines on stderr of: $3" || return
	assert_matches "$(cat "$ERR")" '^taskdiag-bpf: .*[:;] ' || return
	assert_has "$(cat "$ERR")" "$2" || return
	assert_equal "$(cat "$OUT")" "" "stdout of: $3" || return
	assert_equal "$(find . -name '*taskdiag*')" "" "files left by: $3"
}

@test "a pid that is no number of a process: 0, -1, abc, 1x, empty, 99999999, 2^64" {
	local pid
	for pid in 0 -1 abc 1x '' 99999999 18446744073709551616 0x10 ' 1' '1 '; do
		refused 2 "--pid $pid: " --pid "$pid"
		assert_has "$(cat "$ERR")" "give a number"
	done
}

@test "a pid that is not there" {
	local pid=4194304
	while [ -e "/proc/$pid" ]; do pid=$((pid - 1)); done
	refused 125 "pid $pid: no such process" --pid "$pid"
}

@test "one of several pids that is not there" {
	start_sleeper 1 1
	refused 125 "pid 4194304: no such process" --pid "$TARGET" --pid 4194304
	alive "$TARGET"
}

@test "a pid given twice" {
	refused 2 "--pid $$: given twice" --pid $$ --pid $$
}

@test "a kernel thread" {
	local pid
	pid=$(ps -o pid= --ppid 2 | awk 'NR == 1 { print $1 }')
	[ -n "$pid" ] || skip "no kernel thread is visible here"
	refused 125 "pid $pid: a kernel thread" --pid "$pid"
}

@test "a thread: the message names its process" {
	local tid
	start_target "$TARGETS/sawtooth" --mib 1 --threads 2 --teeth 1000000 --pause-us 5000
	wait_for "$PATIENCE" second_thread "$TARGET"
	tid=$(second_thread "$TARGET")
	refused 125 "pid $tid: a thread" --pid "$tid"
	assert_has "$(cat "$ERR")" "--pid $TARGET"
}

second_thread() {
	find "/proc/$1/task" -mindepth 1 -maxdepth 1 -printf '%f\n' | grep -vx "$1" | grep .
}

@test "another user's process without rights: what is missing is named, and the remedy" {
	new_place
	chown "$NOBODY:$NOBODY" "$PLACE"
	cp "$TASKDIAG" "$PLACE/program"
	cd "$PLACE"
	CODE=0
	setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups ./program -o "$PLACE/run" --pid $$ >"$OUT" 2>"$ERR" 3>&- || CODE=$?
	assert_refused 125 "" "--pid as nobody"
	assert_matches "$(cat "$ERR")" 'root|sudo|CAP_BPF|CAP_SYS_ADMIN|CAP_PERFMON'
	[ ! -e run ]
}

@test "a command without rights: nothing is executed" {
	new_place
	chown "$NOBODY:$NOBODY" "$PLACE"
	cp "$TASKDIAG" "$PLACE/program"
	cd "$PLACE"
	CODE=0
	setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups ./program -- touch "$PLACE/made" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
	assert_refused 125 "" "-- touch as nobody"
	assert_matches "$(cat "$ERR")" 'root|sudo|CAP_BPF|CAP_SYS_ADMIN|CAP_PERFMON'
	[ ! -e made ] || fail "the command was executed"
}

@test "ourselves" {
	# the shell becomes taskdiag-bpf: same pid
	CODE=0
	sh -c 'exec "$1" --pid $$' sh "$TASKDIAG" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
	assert_refused 2 "taskdiag-bpf itself" "--pid of itself"
}

@test "a diagnostic that is not known, alone or in a list; an empty list" {
	refused 2 "heap" --diagnostics heap --pid $$
	refused 2 "nonsense" -d memory,nonsense -- true
	refused 2 "--diagnostics" -d '' -- true
}

@test "an interval of 0, 1ns, 9ms, x, -1s, 1, 2 s, nan, 1e9h" {
	local interval
	for interval in 0 0s 1ns 9ms x -1s '2 s' nan 1e99h 99999999999999999999s ''; do
		refused 2 "--interval $interval: " --interval "$interval" -- true
	done
}

@test "a duration of 0, x, -1s" {
	local duration
	for duration in 0 x -1s; do
		refused 2 "--duration $duration: " --duration "$duration" -- true
	done
}

@test "a ring size that is no power of two, too small, too large, no number" {
	local bytes
	for bytes in 5000 2048 0 -4096 x 1099511627776; do
		refused 2 "--ring-size $bytes: " --ring-size "$bytes" -- true
	done
}

@test "an output that exists: nothing in it is touched" {
	mkdir "$BATS_TEST_TMPDIR/taken"
	echo mine >"$BATS_TEST_TMPDIR/taken/file"
	refused 125 "output taken: exists" -o taken -- touch executed
	assert_equal "$(cat taken/file)" mine
	[ ! -e executed ] || fail "the command was executed"
	echo mine >plain
	refused 125 "output plain: exists" -o plain -- true
	ln -s /nowhere link
	refused 125 "output link: exists" -o link -- true
	assert_equal "$(cat plain)" mine
	assert_equal "$(readlink link)" /nowhere
}

@test "an output that another run is writing" {
	start_sleeper 1 1
	start_observer --pid "$TARGET"
	CODE=0
	"$TASKDIAG" -o "$RUN" -- true >"$BATS_TEST_TMPDIR/second" 2>&1 3>&- || CODE=$?
	assert_equal "$CODE" 125
	assert_has "$(cat second)" "output $RUN: another run is writing it"
	assert_equal "$(wc -l <second)" 1 lines
	stop_observer
	assert_whole_run "$RUN"
}

@test "an output whose parent is not there, or is no directory; empty; . and .." {
	refused 125 "output no/such/run: No such file or directory" -o no/such/run -- touch executed
	echo >plain
	refused 125 "output plain/run: Not a directory" -o plain/run -- touch executed
	refused 2 "--output" -o '' -- touch executed
	refused 125 "output .: " -o . -- touch executed
	refused 125 "output ..: " -o .. -- touch executed
	[ ! -e executed ] || fail "the command was executed"
}

@test "a directory that the sudo user may not write: root's right to it is not used (oracle: stat)" {
	new_place # root's, 0755
	CODE=0
	env SUDO_UID="$NOBODY" SUDO_GID="$NOBODY" "$TASKDIAG" -o "$PLACE/run" -- touch "$PLACE/executed" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
	assert_refused 125 "output $PLACE/run: nobody may not write there" "-o in root's directory"
	assert_equal "$(find "$PLACE" -mindepth 1)" "" "files in root's directory"
}

@test "both a command and a pid; neither" {
	refused 2 "--pid" --pid $$ -- true
	refused 2 "nothing to observe"
	refused 2 "nothing to observe" -o run
	refused 2 "nothing to observe" --
}

@test "options that are not there, or lack their argument; a word that is no verb" {
	refused 2 "--no-such-option" --no-such-option -- true
	refused 2 "-Z" -Z -- true
	refused 2 "--pid" --pid
	refused 2 "-o" -o
	refused 2 "--quiet" --quiet=yes -- true
	refused 2 "sumary" sumary run
	refused 2 "--color" --color blue -- true
}

@test "--user: not there; with a pid" {
	refused 2 "--user no-such-user-here" --user no-such-user-here -- true
	refused 2 "--user nobody" --user nobody --pid $$
	refused 2 "--user 1:x" --user 1:x -- true
}

@test "a SUDO_UID that is no number" {
	SUDO_UID=abc SUDO_GID=1 refused 2 "SUDO_UID=abc" -- true
}

@test "a verb without a run directory, with two, with one that is none" {
	local verb
	mkdir empty
	for verb in summary plot html; do
		refused 2 "$verb" "$verb"
		refused 2 "$verb" "$verb" a b
		refused 1 "/no/such/run: no such directory" "$verb" /no/such/run
		refused 1 "empty: no manifest.json" "$verb" empty
		refused 1 "/etc/passwd: not a directory" "$verb" /etc/passwd
	done
}

@test "control characters in what we are given do not reach the terminal (oracle: grep)" {
	local option evil=$'evil\e[31m\a\x9b31m\nnext'
	for option in --pid --interval --diagnostics --user --output --color --ring-size; do
		CODE=0
		"$TASKDIAG" "$option" "$evil" -- "$evil" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
		[ "$CODE" -ne 0 ] || fail "$option: was taken"
		assert_no_control_characters "$ERR"
		assert_equal "$(wc -l <"$ERR")" 1 "lines on stderr for $option"
	done
}

# A run that could not be saved where it should be is whole somewhere else, and the message says where.
assert_saved_elsewhere() {
	local elsewhere
	assert_equal "$CODE" 125 "exit status" || return
	assert_has "$(cat "$ERR")" "$1" || return
	elsewhere=$(sed -n 's/^taskdiag-bpf: the run was saved in \(.*\) instead$/\1/p' "$ERR")
	[ -n "$elsewhere" ] || fail "no other place was named:" "$(cat "$ERR")" || return
	assert_equal "$(dirname "$elsewhere")" "$TMPDIR" "the other place" || return
	RUN=$elsewhere
	assert_whole_run "$RUN"
}

@test "a full disk: the cause is named, the run is saved in another place that is named (oracle: sha256sum)" {
	needs_private_mounts
	export TMPDIR=$BATS_TEST_TMPDIR/elsewhere
	mkdir "$TMPDIR" full
	CODE=0
	unshare -m sh -c 'mount -t tmpfs -o size=64k tmpfs full && "$@"; code=$?; ls -A full >left; exit $code' sh \
		"$TASKDIAG" -o full/run -- "$TARGETS/spike" --mib 160 --ms 5 >"$OUT" 2>"$ERR" 3>&- || CODE=$?
	assert_saved_elsewhere "No space left on device"
	assert_has "$(cat "$ERR")" "full/run"
	assert_equal "$(cat left)" "" "what is left on the full disk"
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB)"
}

@test "a disk that is full from the first byte" {
	needs_private_mounts
	export TMPDIR=$BATS_TEST_TMPDIR/elsewhere
	mkdir "$TMPDIR" full
	CODE=0
	unshare -m sh -c 'mount -t tmpfs -o size=4k tmpfs full && head -c 4096 /dev/zero >full/zeros && "$@"' sh \
		"$TASKDIAG" -o full/run -- true >"$OUT" 2>"$ERR" 3>&- || CODE=$?
	assert_saved_elsewhere "No space left on device"
}

@test "a full disk and a command that fails: it is our failure that is told (oracle: --help)" {
	needs_private_mounts
	export TMPDIR=$BATS_TEST_TMPDIR/elsewhere
	mkdir "$TMPDIR" full
	CODE=0
	unshare -m sh -c 'mount -t tmpfs -o size=64k tmpfs full && "$@"' sh \
		"$TASKDIAG" -o full/run -- sh -c 'exit 3' >"$OUT" 2>"$ERR" 3>&- || CODE=$?
	assert_saved_elsewhere "No space left on device"
	assert_manifest '.task.exit_status == 3'
}

@test "a directory that is deleted while the run goes on: the run is saved in another place that is named (oracle: sha256sum)" {
	export TMPDIR=$BATS_TEST_TMPDIR/elsewhere
	mkdir "$TMPDIR" doomed
	start_held "$TARGETS/spike" --mib 160 --ms 5
	RUN=$BATS_TEST_TMPDIR/doomed/run
	start_observer --pid "$TARGET"
	rm -rf doomed
	release
	end_of "$OBSERVER"
	assert_saved_elsewhere "doomed/run"
	assert_peak_is_vmhwm "$(memory peak_rss_bytes)" "$(said VmHWM_kB "$SAID")"
}

@test "an output that appears while the run goes on is not overwritten (oracle: cat)" {
	export TMPDIR=$BATS_TEST_TMPDIR/elsewhere
	mkdir "$TMPDIR"
	start_sleeper 1 1
	start_observer --pid "$TARGET"
	mkdir "$RUN"
	echo mine >"$RUN/file"
	kill -INT "$OBSERVER"
	end_of "$OBSERVER"
	assert_equal "$(cat "$RUN/file")" mine
	assert_saved_elsewhere "output $RUN: appeared"
}

@test "a summary that cannot be written: status 1 (oracle: /dev/full)" {
	observe_well -- true
	CODE=0
	"$TASKDIAG" summary "$RUN" >/dev/full 2>"$ERR" || CODE=$?
	assert_equal "$CODE" 1
	assert_equal "$(wc -l <"$ERR")" 1 "lines of stderr"
}
