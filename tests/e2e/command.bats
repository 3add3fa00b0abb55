#!/usr/bin/env bats
# taskdiag-bpf -- COMMAND: the command runs as if nobody watched.
# shellcheck disable=SC2016 # single quotes hold what another shell expands
# shellcheck disable=SC2030,SC2031 # every test is a process of its own, and is meant to be

load helpers

# with_users COMMAND…: with a user `observed` of uid 54321, who is in a group `extra` too, in a private
# copy of the user database. $PLACE is the user's home.
with_users() {
	new_place
	{ cat /etc/passwd && echo "observed:x:54321:54321::$PLACE:/bin/sh"; } >passwd
	{ cat /etc/group && printf 'observed:x:54321:\nextra:x:54322:observed\n'; } >group
	chmod 0644 passwd group
	chown 54321:54321 "$PLACE"
	RUN=$PLACE/run
	unshare -m sh -c 'mount --bind passwd /etc/passwd && mount --bind group /etc/group && exec "$@"' sh "$@" 3>&-
}

@test "the exit status of the command is passed through: 0, 3 and 255 (oracle: sh)" {
	local wanted
	for wanted in 0 3 255; do
		rm -rf "$RUN"
		observe -- sh -c "exit $wanted"
		assert_equal "$CODE" "$wanted" "exit status"
		assert_manifest ".task.end == \"exited\" and .task.exit_status == $wanted and .task.signal == null"
	done
}

@test "a command that a signal ends: status 128 + signal (oracle: kill)" {
	local signal
	for signal in 15 9 11; do
		rm -rf "$RUN"
		observe -- sh -c "kill -$signal \$\$"
		assert_equal "$CODE" $((128 + signal)) "exit status"
		assert_manifest ".task.end == \"killed-by-signal\" and .task.signal == $signal and .task.exit_status == null"
	done
}

@test "a command that is not there: 127, one line that names it, no run directory (oracle: sh's own status)" {
	local command
	for command in no-such-command-here /no/such/file; do
		observe -- "$command"
		assert_equal "$CODE" 127 "exit status"
		assert_equal "$(wc -l <"$ERR")" 1 "lines of stderr"
		assert_has "$(cat "$ERR")" "$command: No such file or directory"
		assert_no_run
	done
}

@test "a command that cannot be executed: 126, one line that names it, no run directory (oracle: sh's own status)" {
	local command
	printf '#!/bin/sh\n' >"$BATS_TEST_TMPDIR/plain"
	chmod 0644 "$BATS_TEST_TMPDIR/plain"
	for command in "$BATS_TEST_TMPDIR/plain" /; do
		observe -- "$command"
		assert_equal "$CODE" 126 "exit status of $command"
		assert_equal "$(wc -l <"$ERR")" 1 "lines of stderr"
		assert_has "$(cat "$ERR")" "$command: "
		assert_no_run
	done
}

@test "a file that is no program is a shell script, as for a shell; one of nonsense is not found (oracle: sh's own status)" {
	local truth
	printf 'exit 6\n' >script
	printf '#!/no/such/interpreter\n' >interpreter
	chmod 0755 script interpreter
	observe -- ./script
	assert_equal "$CODE" 6 "exit status"
	truth=0
	sh -c 'exec ./interpreter' 2>/dev/null || truth=$?
	rm -rf "$RUN"
	observe -- ./interpreter
	assert_equal "$CODE" "$truth" "exit status"
	assert_equal "$(wc -l <"$ERR")" 1 "lines of stderr"
	assert_no_run
}

@test "the command has our standard input, output and error, and we print to none of its (oracle: cat)" {
	"$TASKDIAG" -q -o "$RUN" -- sh -c 'cat; echo oops >&2' <<<"line in" >"$OUT" 2>"$ERR"
	assert_equal "$(cat "$OUT")" "line in" stdout
	assert_equal "$(cat "$ERR")" oops stderr
}

@test "what we say goes to stderr: stdout is the command's alone (oracle: cmp)" {
	observe_well -- seq 1000
	cmp "$OUT" <(seq 1000)
	assert_has "$(cat "$ERR")" "peak RSS"
}

@test "the command inherits no descriptor of ours (oracle: ls without us)" {
	ls /proc/self/fd 3>&- >plain
	"$TASKDIAG" -q -o "$RUN" -- ls /proc/self/fd 3>&- >observed
	diff plain observed
}

@test "the command has the signal mask and dispositions that it had without us (oracle: /proc/self/status)" {
	env --default-signal grep -E '^Sig(Blk|Ign|Cgt):' /proc/self/status >plain
	env --default-signal "$TASKDIAG" -q -o "$RUN" -- grep -E '^Sig(Blk|Ign|Cgt):' /proc/self/status >observed
	diff plain observed
}

@test "a command whose reader has gone dies of SIGPIPE, as without us (oracle: yes)" {
	local codes
	codes=$(
		set +e
		env --default-signal "$TASKDIAG" -q -o "$RUN" -- yes 2>"$ERR" | head -n 1 >/dev/null
		echo "${PIPESTATUS[0]}"
	)
	assert_equal "$codes" 141 "exit status"
	assert_equal "$(cat "$ERR")" "" stderr
	assert_manifest '.task.end == "killed-by-signal" and .task.signal == 13'
}

@test "the command has our working directory, umask, limits and priority (oracle: sh without us)" {
	local script='pwd; umask; ulimit -a; nice; ps -o sid= -p $$'
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here"
	umask 027
	nice -n 3 sh -c "$script" >"$BATS_TEST_TMPDIR/plain"
	nice -n 3 "$TASKDIAG" -q -o "$RUN" -- sh -c "$script" >"$BATS_TEST_TMPDIR/observed"
	diff "$BATS_TEST_TMPDIR/plain" "$BATS_TEST_TMPDIR/observed"
}

@test "the command sees its arguments byte for byte (oracle: od)" {
	printf '%s\0' a 'b c' '' '*' $'new\nline' $'\xff\xfe' -- -q >"$BATS_TEST_TMPDIR/plain"
	"$TASKDIAG" -q -o "$RUN" -- printf '%s\0' a 'b c' '' '*' $'new\nline' $'\xff\xfe' -- -q \
		>"$BATS_TEST_TMPDIR/observed"
	cmp "$BATS_TEST_TMPDIR/plain" "$BATS_TEST_TMPDIR/observed"
}

@test "a signal that we are sent reaches the command: TERM, HUP, INT, USR1 and USR2 (oracle: trap)" {
	local signal
	for signal in TERM HUP INT USR1 USR2; do
		rm -rf "$RUN"
		start_observer -- sh -c "trap 'echo got $signal; exit 42' $signal; echo up; while :; do sleep 0.05; done"
		wait_for "$PATIENCE" file_has "$OUT" up
		kill "-$signal" "$OBSERVER"
		end_of "$OBSERVER"
		assert_equal "$CODE" 42 "exit status after $signal"
		file_has "$OUT" "got $signal"
		assert_manifest '.task.exit_status == 42'
	done
}

@test "a signal that the command does not handle ends it, and the run is whole (oracle: kill)" {
	start_observer -- sleep 1000
	kill -TERM "$OBSERVER"
	end_of "$OBSERVER"
	assert_equal "$CODE" 143 "exit status"
	assert_manifest '.task.end == "killed-by-signal" and .task.signal == 15'
	assert_whole_run "$RUN"
}

@test "Ctrl-C on a terminal reaches the command once, and its status is passed through (oracle: trap)" {
	local terminal
	# the terminal signals its whole foreground group; script(1) makes one
	cat >script <<-'END'
		trap 'echo INT >>heard' INT
		echo up >heard
		until [ -e over ]; do sleep 0.05; done
		exit 9
	END
	mkfifo keys
	exec 4<>keys
	background script -qfec "exec $TASKDIAG -o $RUN -- sh script" typescript <&4 >/dev/null 4>&-
	terminal=$!
	wait_for "$PATIENCE" file_has heard up
	printf '\003' >&4
	wait_for "$PATIENCE" file_has heard INT
	touch over
	end_of "$terminal"
	exec 4>&-
	assert_equal "$CODE" 9 "exit status"
	assert_equal "$(grep -c INT heard)" 1 "times that the command got it"
	assert_whole_run "$RUN"
	assert_has "$(cat typescript)" "exited with status 9"
}

@test "the command runs as the user who called sudo, with the user's groups, HOME and USER (oracle: id)" {
	needs_private_mounts
	with_users env SUDO_UID=54321 SUDO_GID=54321 SUDO_USER=observed \
		sh -c 'cd "$(getent passwd observed | cut -d: -f6)" && exec "$@"' sh "$TASKDIAG" -q -o run -- \
		sh -c 'id -u; id -g; id -Gn; echo "$HOME $USER $LOGNAME"; touch "$HOME/made"' >"$OUT"
	assert_equal "$(cat "$OUT")" "$(printf '%s\n' 54321 54321 'observed extra' "$PLACE observed observed")"
	assert_equal "$(stat -c %u:%g "$PLACE/made")" 54321:54321 "owner of the file that the command made"
}

@test "the command of a sudo user has no capability left (oracle: /proc/self/status)" {
	new_place
	chown "$NOBODY:$NOBODY" "$PLACE"
	env SUDO_UID="$NOBODY" SUDO_GID="$NOBODY" "$TASKDIAG" -q -o "$PLACE/run" -- \
		grep -E '^(Uid|Gid|CapPrm|CapEff|CapAmb):' /proc/self/status >"$OUT"
	assert_equal "$(sed -n 's/^Uid:\t//p' "$OUT")" $'65534\t65534\t65534\t65534' "real, effective, saved, file uid"
	assert_equal "$(sed -n 's/^Gid:\t//p' "$OUT")" $'65534\t65534\t65534\t65534' "real, effective, saved, file gid"
	assert_equal "$(sed -n 's/^Cap[A-Za-z]*:\t//p' "$OUT" | sort -u)" 0000000000000000 "capabilities"
}

@test "--user: by name, by UID, by UID:GID; the run stays ours (oracle: id)" {
	local user
	for user in nobody "$NOBODY" "$NOBODY:$NOBODY"; do
		rm -rf "$RUN"
		observe_well --user "$user" -- sh -c 'id -u; id -g'
		assert_equal "$(paste -sd: "$OUT")" "$NOBODY:$NOBODY" "uid:gid for --user $user"
		assert_equal "$(stat -c %u "$RUN")" 0 "owner of the run"
	done
	rm -rf "$RUN"
	observe_well --user "$NOBODY:12" -- sh -c 'id -u; id -g'
	assert_equal "$(paste -sd: "$OUT")" "$NOBODY:12" "uid:gid"
}

@test "the command does not execute before the probes stand: the peak of the shortest is whole, 15 times (oracle: VmHWM)" {
	local hwm peak
	for _ in {1..15}; do
		rm -rf "$RUN"
		observe_well -q -- grep VmHWM /proc/self/status
		hwm=$(($(tr -dc 0-9 <"$OUT") * 1024))
		peak=$(memory peak_rss_bytes)
		[ "$peak" -ge "$hwm" ] || fail "the peak $peak is below VmHWM $hwm"
	done
}

@test "-- true has a peak, its exec and its end on record, and nothing of us (oracle: VmHWM of a small program)" {
	observe_well -- true
	assert_manifest '.diagnostics.memory.processes | length == 1 and .[0].name == "true" and
		.[0].end == "exited" and .[0].exit_status == 0'
	assert_manifest '.diagnostics.memory.peak_rss_bytes | . > 0 and . < 4194304'
	assert_manifest '.task.processes_seen == 1 and .task.id == "true-\(.task.pids[0])"'
	assert_ledger_complete
}

@test "time 0 is the exec, and no time of a row is before it (oracle: csv)" {
	observe_well -- true
	assert_equal "$(csv 'float(r["time_s"]) < 0' 'r["time_s"]')" "" "times before 0"
	assert_manifest '.diagnostics.memory.peak_time_s >= 0 and .diagnostics.memory.peak_time_s <= .task.duration_s'
}

@test "the command's pid is ours to see, and the same in the manifest (oracle: \$\$)" {
	observe_well -- sh -c 'echo $$'
	assert_equal "$(manifest '.task.pids | join(",")')" "$(cat "$OUT")"
}

@test "task.command is the command, quoted so that a shell takes it back word for word (oracle: shlex)" {
	observe_well -- sh -c 'exit 0' 'two words' plain "it's" '' '$HOME'
	assert_equal "$("$PYTHON" -c 'import json, shlex, sys
for word in shlex.split(json.load(open(sys.argv[1]))["task"]["command"]): print(repr(word))' "$RUN/manifest.json")" \
		"$("$PYTHON" -c 'import sys
for word in sys.argv[1:]: print(repr(word))' sh -c 'exit 0' 'two words' plain "it's" '' '$HOME')"
}

@test "two of us in one pipeline (oracle: sort, wc)" {
	printf '3\n1\n2\n' | "$TASKDIAG" -q -o first -- sort | "$TASKDIAG" -q -o second -- cat >"$OUT"
	assert_equal "$(paste -sd' ' "$OUT")" "1 2 3"
	assert_whole_run first
	assert_whole_run second
	assert_equal "$(jq -r .diagnostics.memory.processes[].name first/manifest.json)" sort
	assert_equal "$(jq -r .diagnostics.memory.processes[].name second/manifest.json)" cat
}

@test "an observer within an observed task (oracle: VmHWM)" {
	observe_well -- "$TASKDIAG" -q -o inner -- "$TARGETS/spike" --mib 160 --ms 5
	assert_peak_is_vmhwm "$(jq .diagnostics.memory.peak_rss_bytes inner/manifest.json)" "$(said VmHWM_kB)"
	assert_manifest '[.diagnostics.memory.processes[].name] | contains(["spike"])'
	[ "$(memory peak_rss_bytes)" -gt "$(jq .diagnostics.memory.peak_rss_bytes inner/manifest.json)" ]
}

@test "--quiet prints nothing, and still makes the run" {
	observe_well --quiet -- true
	assert_equal "$(cat "$OUT" "$ERR")" ""
	assert_whole_run "$RUN"
}

@test "--quiet still prints errors" {
	observe --quiet -- /no/such/file
	assert_equal "$CODE" 127 "exit status"
	assert_equal "$(wc -l <"$ERR")" 1 "lines of stderr"
}

@test "--json prints the manifest to stdout, and nothing else (oracle: jq)" {
	observe_well --json -- true
	diff <(jq -S . "$OUT") <(jq -S . "$RUN/manifest.json")
	assert_equal "$(jq -s length "$OUT")" 1 "JSON values on stdout"
	assert_equal "$(cat "$ERR")" "" stderr
}

@test "--duration: the observation ends with status 0, the command runs on unharmed (oracle: /proc)" {
	local pid
	observe_well --duration 200ms -- sh -c 'trap "" HUP; exec sleep 1000'
	pid=$(manifest '.task.pids[0]')
	alive "$pid" || fail "the command has ended"
	assert_equal "$(cat "/proc/$pid/comm")" sleep
	kill -KILL "$pid"
	assert_manifest '.task.end == "detached" and .task.exit_status == null and .task.signal == null'
	assert_manifest '.task.processes_left == 1 and .diagnostics.memory.processes[0].end == "running"'
	assert_manifest '.task.duration_s >= 0.2'
	assert_whole_run "$RUN"
}

@test "--duration that is longer than the command changes nothing (oracle: exit status)" {
	observe --duration 1h -- sh -c 'exit 5'
	assert_equal "$CODE" 5
	assert_manifest '.task.end == "exited"'
}

@test "a grandchild that outlives the command does not hold the observation up (oracle: processes_left)" {
	local pid
	observe_well -- sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!'
	pid=$(cat "$OUT")
	kill -KILL "$pid"
	assert_manifest '.task.processes_left == 1 and .task.end == "exited"'
	assert_manifest ".diagnostics.memory.processes[] | select(.pid == $pid) | .end == \"running\""
}

@test "without -o the run directory is named for the task and the time; two in one second differ (oracle: the name)" {
	local name
	"$TASKDIAG" -q -- true
	"$TASKDIAG" -q -- true
	"$TASKDIAG" -q -- true
	name='^taskdiag-true-[0-9]+-[0-9]{8}T[0-9]{6}Z(-[0-9]+)?$'
	assert_equal "$(find . -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | grep -cE "$name")" 3 "run directories"
}

@test "an empty directory can be given as output, and becomes the run (oracle: stat)" {
	mkdir "$RUN"
	observe_well -- true
	assert_whole_run "$RUN"
	assert_equal "$(stat -c %a "$RUN")" 750 mode
}

options_of_help() {
	"$TASKDIAG" --help | sed -n '/^Options:/,/^$/ s/^  .*\(--[a-z-]*\) .*/\1/p' | sort
}

@test "--help, the man page and the completion have the same options" {
	options_of_help >help
	[ "$(wc -l <help)" -ge 14 ] || fail "--help has too few options: $(cat help)"
	diff help <("$TASKDIAG" man | sed -n '/^\.SH OPTIONS/,/^\.SH VERBS/p' | sed 's/\\-/-/g' |
		grep -oE '(^|[ "])--[a-z-]+' | tr -d ' "' | sort)
	diff help <("$TASKDIAG" completion | sed -n 's/.*options="\([^"]*\)".*/\1/p' | tr ' ' '\n' | sort)
}

@test "--help, the man page and the completion have the same verbs" {
	"$TASKDIAG" --help | sed -n '/^Verbs:/,/^$/ s/^  \([a-z]*\) .*/\1/p' | sort >help
	[ "$(wc -l <help)" -ge 6 ] || fail "--help has too few verbs: $(cat help)"
	diff help <("$TASKDIAG" man | sed -n '/^\.SH VERBS/,/^\.SH EXIT/ s/^\.B \([a-z]*\).*/\1/p' | sort)
	diff help <("$TASKDIAG" completion | sed -n 's/.*verbs="\([^"]*\)".*/\1/p' | tr ' ' '\n' | sort)
}

@test "every option and verb of --help is taken, every letter is its long name (oracle: the program)" {
	local option verb
	while read -r option; do
		# without what it needs, or with too much: but never "no such option"
		observe "$option"
		# some are of other verbs only
		for verb in tree ci diff check cleanup; do
			! grep -q "no such option" "$ERR" || ! "$TASKDIAG" "$verb" "$option" >"$OUT" 2>"$ERR"
		done
		refute_matches "$ERR" "no such option"
	done < <("$TASKDIAG" --help | sed -n '/^Options:/,/^$/p' | grep -oE '(^| )--?[A-Za-z-]+' | sort -u)
}

@test "--help ends with examples, and its exit codes are in the man page" {
	local wanted
	[ "$("$TASKDIAG" --help | sed -n '/^Examples:/,$p' | grep -c '^  [^#]')" -ge 3 ] || fail "too few examples"
	for wanted in 0 1 2 125 126 127; do
		"$TASKDIAG" --help | sed -n '/^Exit status:/,/^$/p' | grep -q "^  $wanted "
		"$TASKDIAG" man | sed -n '/^\.SH EXIT/,/^\.SH EXAMPLES/p' | grep -qx "\.B $wanted"
	done
}

@test "the completion is bash, and completes an option and a verb (oracle: bash)" {
	"$TASKDIAG" completion >words
	bash -n words
	bash -c '. ./words; COMP_WORDS=(taskdiag-bpf --dur); COMP_CWORD=1; _taskdiag_bpf; echo "${COMPREPLY[@]}"' >"$OUT"
	assert_equal "$(cat "$OUT")" --duration
	bash -c '. ./words; COMP_WORDS=(taskdiag-bpf sum); COMP_CWORD=1; _taskdiag_bpf; echo "${COMPREPLY[@]}"' >"$OUT"
	assert_equal "$(cat "$OUT")" summary
}

@test "--version says what the manifest says" {
	observe_well -- true
	assert_equal "$("$TASKDIAG" --version)" "taskdiag-bpf $(manifest .tool_version)"
}
