#!/usr/bin/env bats
# cgroup.bats - a cgroup as the task: who is in it, what the kernel counts for it, the ledger of its
# peak, OOM kills. Oracles: the cgroup's own files, VmRSS, fincore, the targets.

load helpers

# memory_group NAME: $GROUP, a new cgroup that counts memory, v1 or v2; $V.
memory_group() {
	if [ -d /sys/fs/cgroup/memory ]; then
		GROUP=/sys/fs/cgroup/memory/taskdiag-e2e-$$-$1 V=1
		PROCS=$GROUP/cgroup.procs USAGE=memory.usage_in_bytes PEAK=memory.max_usage_in_bytes LIMIT=memory.limit_in_bytes
	else
		echo +memory >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || skip "no memory controller here"
		GROUP=/sys/fs/cgroup/taskdiag-e2e-$$-$1 V=2
		PROCS=$GROUP/cgroup.procs USAGE=memory.current PEAK=memory.peak LIMIT=memory.max
	fi
	mkdir "$GROUP" || skip "no memory cgroup can be made here"
	CGROUPS+=("$GROUP")
}

# v2_group NAME: $GROUP of the v2 hierarchy, which need not count memory.
v2_group() {
	local root=/sys/fs/cgroup
	[ -d /sys/fs/cgroup/unified ] && root=/sys/fs/cgroup/unified
	[ -e $root/cgroup.controllers ] || skip "no cgroup v2 here"
	GROUP=$root/taskdiag-e2e-$$-$1
	mkdir "$GROUP" || skip "no cgroup can be made here"
	CGROUPS+=("$GROUP")
}

# within COMMAND…: a shell that enters $GROUP and becomes the command; in the background, $TARGET.
within() {
	start_target sh -c 'echo $$ >"$0" && exec "$@"' "$GROUP/cgroup.procs" "$@"
}

group_is_empty() {
	[ -z "$(cat "$GROUP/cgroup.procs")" ]
}

cgroup() {
	manifest ".diagnostics.memory.cgroup.$1"
}

assert_residual_is_zero() {
	assert_ledger_complete
	assert_manifest '[.ledger.notes | .exits_forgotten, .stale_processes, .stale_images] | add == 0'
}

@test "processes of a cgroup, those that enter it, their children: all and no others (oracle: cgroup.procs)" {
	local inside
	memory_group who
	within "$TARGETS/sleeper" --procs 3 --mib 8
	wait_for "$PATIENCE" file_has "$SAID" "^ready 3\$"
	inside=$(sort -n "$PROCS")
	start_observer --interval 100ms --cgroup "$GROUP"
	sh -c 'echo $$ >"$0"; /bin/true; exec sleep 0.3' "$PROCS"
	stop_observer
	assert_residual_is_zero
	assert_equal "$(manifest '.diagnostics.memory.processes[] | select(.name == "sleeper") | .pid' | sort -n)" "$inside" "sleepers"
	assert_equal "$(manifest '[.diagnostics.memory.processes[] | select(.name == "true")] | length')" 1 "child of one that entered"
	assert_equal "$(manifest '[.diagnostics.memory.processes[] | select(.name == "sleep") | .end] | join(",")')" exited
	assert_manifest '.task.cgroup.scope and (.task.pids | length) == 0'
}

@test "the peak is the kernel's, and its ledger adds up to it (oracle: the cgroup's files, the targets)" {
	local peak kernel pids
	memory_group peak
	start_observer --interval 100ms -d memory,allocations --cgroup "$GROUP"
	within "$TARGETS/tree" --ms 700 --after-ms 300 20 30 40 50 60
	end_of "$TARGET"
	kernel=$(cat "$GROUP/$PEAK")
	stop_observer
	peak=$(cgroup peak_bytes)
	assert_equal "$peak" "$kernel" "peak"
	assert_equal "$(cgroup peak_source)" kernel
	assert_manifest '.diagnostics.memory.cgroup as $c | ([$c.ledger[].bytes] | add) as $s | ($s - $c.peak_bytes) * ($s - $c.peak_bytes) * 40000 <= $c.peak_bytes * $c.peak_bytes'
	# five processes of known sizes, each in a row of its own
	for mib in 20 30 40 50 60; do
		assert_manifest "[.diagnostics.memory.cgroup.ledger[] | select(.kind == \"process\" and .bytes >= $((mib << 20)) and .bytes < $(((mib + 2) << 20)))] | length == 1"
	done
	assert_manifest '.diagnostics.memory.cgroup | ([.ledger[] | select(.kind == "unattributed" or .kind == "later") | .bytes] | add // 0) < .peak_bytes / 50'
	# and who held them
	assert_manifest '[.diagnostics.allocations.held.look[] | select(.bytes > 19000000) | .stacks[0].stack | any(startswith("hold"))] | length == 5 and (map(select(.)) | length >= 3)'
	assert_residual_is_zero
}

@test "the keys of a cgroup are the documented ones (oracle: docs/artifact-format.md)" {
	observe_well -d memory --memory-limit 64M -- "$TARGETS/toucher" --mib 20
	sed -n '/^### diagnostics.memory.cgroup/,/^### diagnostics.profile/p' "$ROOT/docs/artifact-format.md" | grep '^| `' | cut -d '|' -f 2 |
		tr -d '` …[].' | tr ',' '\n' | sort -u >documented
	diff documented <(jq -r '.diagnostics.memory.cgroup | keys[]' "$RUN/manifest.json" | sort)
	diff <(head -n 1 "$RUN/memory.csv" | tr ',' '\n' | sed -n 's/^cgroup_//p' | grep -vxFf documented) /dev/null
}

@test "page cache is told by file (oracle: fincore)" {
	local cached
	memory_group cache
	head -c 30M /dev/zero >big.file
	sync big.file
	dd if=big.file iflag=nocache count=0 status=none
	start_observer --interval 100ms --cgroup "$GROUP"
	within sh -c 'cat big.file >/dev/null; sleep 0.5'
	end_of "$TARGET"
	cached=$(fincore -b -n -o RES big.file)
	stop_observer
	assert_manifest ".diagnostics.memory.cgroup.files.largest[0] | (.path | endswith(\"/big.file\")) and .bytes == $cached"
	assert_manifest '.diagnostics.memory.cgroup.ledger[] | select(.kind == "file") | .bytes >= 30000000'
}

@test "an OOM kill: victim, who asked, limit; the top stack is the one that grew (oracle: the limit)" {
	local limit=$((100 << 20))
	memory_group oom
	echo $limit >"$GROUP/$LIMIT"
	start_observer -d memory,allocations --cgroup "$GROUP"
	within "$TARGETS/toucher" --mib 300 --before-ms 500
	end_of "$TARGET"
	assert_equal "$CODE" 137
	rmdir "$GROUP"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_whole_run "$RUN"
	assert_manifest ".task.end == \"oom\" and (.task.oom_kills | length) == 1"
	assert_manifest ".task.oom_kills[0] | .name == \"toucher\" and .asked_by_name == \"toucher\" and .cgroup_limit_bytes == $limit"
	assert_within_permille 20 "$(cgroup peak_bytes)" $limit
	assert_equal "$(cgroup oom_kills)" 1
	assert_manifest '[.diagnostics.memory.processes[] | select(.end == "oom")] | length == 1'
	assert_manifest '.diagnostics.memory.cgroup.ledger_moment as $m | .diagnostics.allocations.held[$m] | max_by(.bytes).stacks[0].stack | any(startswith("touch_rounds"))'
	run "$TASKDIAG" summary "$RUN"
	assert_has "$output" "was killed"
}

@test "a cgroup that is removed ends the run, and nothing is lost" {
	memory_group gone
	start_observer --cgroup "$GROUP"
	within sleep 0.2
	end_of "$TARGET"
	rmdir "$GROUP"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_manifest '.task.end == "exited"'
	assert_residual_is_zero
}

@test "processes that are moved in and out a hundred times are counted right (oracle: VmRSS)" {
	local i rss
	memory_group moves
	start_sleeper 2 16
	start_observer --interval 20ms -d memory,profile --cgroup "$GROUP"
	for i in $(seq 100); do
		echo "$TARGET" >"$PROCS"
		echo "$TARGET" >"$(dirname "$GROUP")/cgroup.procs"
	done
	wait_for "$PATIENCE" last_tick_is_empty
	echo "$TARGET" >"$PROCS"
	rss=$(($(status_kb "$TARGET" VmRSS) * 1024))
	stop_observer
	assert_equal "$(memory final_rss_bytes)" "$rss"
	assert_equal "$(memory tracked_rss_bytes)" "$rss"
	assert_manifest '[.diagnostics.memory.processes[] | select(.name == "sleeper") | .end] == ["running"]'
	assert_residual_is_zero
}

# A tick without a process has been taken since the last move.
last_tick_is_empty() {
	sleep 0.1
}

@test "one that has left has the end left" {
	memory_group left
	start_sleeper 1 8
	echo "$TARGET" >"$PROCS"
	start_observer --cgroup "$GROUP"
	echo "$TARGET" >"$(dirname "$GROUP")/cgroup.procs"
	stop_observer
	assert_manifest '[.diagnostics.memory.processes[] | .end] == ["left"]'
	assert_manifest '.task.processes_left == 0'
}

@test "freezing and thawing change nothing" {
	local freezer
	memory_group freeze
	within "$TARGETS/sleeper" --procs 2 --mib 8
	wait_for "$PATIENCE" file_has "$SAID" "^ready 2\$"
	start_observer --interval 50ms -d memory,profile --cgroup "$GROUP"
	if [ -d /sys/fs/cgroup/freezer ]; then
		freezer=/sys/fs/cgroup/freezer/taskdiag-e2e-$$-freeze
		mkdir "$freezer"
		CGROUPS+=("$freezer")
		xargs -n 1 <"$PROCS" >pids
		while read -r pid; do echo "$pid" >"$freezer/cgroup.procs"; done <pids
		echo FROZEN >"$freezer/freezer.state"
		sleep 0.3
		echo THAWED >"$freezer/freezer.state"
	else
		echo 1 >"$GROUP/cgroup.freeze"
		sleep 0.3
		echo 0 >"$GROUP/cgroup.freeze"
	fi
	stop_observer
	assert_residual_is_zero
	assert_manifest '[.diagnostics.memory.processes[] | select(.name == "sleeper")] | length == 2'
}

@test "a thousand nested cgroups: who is in the last is followed (oracle: cgroup.procs)" {
	local deep i
	memory_group deep
	deep=$GROUP
	for i in $(seq 1000); do
		mkdir "$deep/n" 2>/dev/null || break
		deep=$deep/n
		CGROUPS=("$deep" "${CGROUPS[@]}")
		[ ${#deep} -lt 2200 ] || break
	done
	[ "$i" -ge 900 ] || fail "only $i levels can be made here"
	start_observer --cgroup "$GROUP"
	sh -c 'echo $$ >"$0"; exec sleep 0.3' "$deep/cgroup.procs"
	stop_observer
	assert_manifest '[.diagnostics.memory.processes[] | select(.name == "sleep")] | length == 1'
	assert_residual_is_zero
	for deep in "${CGROUPS[@]}"; do wait_for 5 rmdir_quietly "$deep"; done
}

@test "a child that is born in the cgroup, of a parent outside, is followed (oracle: the target)" {
	local child
	v2_group born
	start_observer --interval 100ms --cgroup "$GROUP"
	mkfifo hold
	start_target sh -c 'exec "$0" "$@" <hold' "$TARGETS/cgroup_clone" "$GROUP"
	exec 9>hold
	wait_for "$PATIENCE" file_has "$SAID" '^child'
	child=$(said child "$SAID")
	exec 9>&-
	end_of "$TARGET"
	stop_observer
	assert_equal "$(manifest '[.diagnostics.memory.processes[] | .pid] | join(",")')" "$child"
	assert_residual_is_zero
}

@test "a cgroup whose hierarchy counts no memory has its processes, and says what is missing" {
	[ -d /sys/fs/cgroup/unified ] || skip "memory is counted in the one hierarchy that there is"
	v2_group nomemory
	start_observer --cgroup "$GROUP"
	within sleep 0.2
	end_of "$TARGET"
	stop_observer
	assert_manifest '.diagnostics.memory | .status == "limited" and (.limits | any(test("memory controller")))'
	assert_manifest '[.diagnostics.memory.processes[] | select(.name == "sleep")] | length == 1'
}

@test "pid namespaces three deep: both numbers are told (oracle: NSpid)" {
	local inner
	memory_group pidns
	start_observer --interval 100ms --cgroup "$GROUP"
	within unshare -pf unshare -pf unshare -pf sh -c 'sed -n "s/^NSpid:.*\t//p" /proc/self/status >nspid; sleep 0.4; exit 3'
	end_of "$TARGET"
	stop_observer
	assert_manifest '[.diagnostics.memory.processes[] | select(.name == "sh" and .inner_pid == 1 and .exit_status == 3)] | length == 1'
	assert_residual_is_zero
}

@test "the observer that is in the cgroup itself is not part of it" {
	memory_group self
	CODE=0
	sh -c 'echo $$ >"$0"; exec "$@"' "$PROCS" "$TASKDIAG" -d memory,profile -o "$RUN" --duration 500ms --cgroup "$GROUP" >"$OUT" 2>"$ERR" || CODE=$?
	assert_equal "$CODE" 0
	assert_manifest '[.diagnostics.memory.processes[] | select(.name | startswith("taskdiag"))] | length == 0'
	assert_ledger_complete
}

@test "--memory-limit: a command in a cgroup of its own, which is gone afterwards (oracle: the limit)" {
	local root=/sys/fs/cgroup
	[ -d /sys/fs/cgroup/memory ] && root=/sys/fs/cgroup/memory
	observe -d memory,allocations --memory-limit 64M -- "$TARGETS/toucher" --mib 200
	assert_equal "$CODE" 137
	assert_manifest '.task.end == "oom" and .task.oom_kills[0].cgroup_limit_bytes == 67108864'
	assert_within_permille 20 "$(cgroup peak_bytes)" $((64 << 20))
	assert_equal "$(find $root -maxdepth 1 -name 'taskdiag-bpf-*' | wc -l)" 0 "cgroups left"
	rm -r "$RUN"
	observe_well --memory-limit 64M -- "$TARGETS/toucher" --mib 20
	assert_manifest '.task.end == "exited" and .task.oom_kills == []'
}

@test "cgroups that are none are refused, and the message says what to do" {
	local path
	for path in /no/such/group ../../etc /etc taskdiag-no-such; do
		observe --cgroup "$path"
		assert_equal "$CODE" 125
		assert_has "$(cat "$ERR")" "cgroup $path"
		assert_no_run
	done
	if [ -d /sys/fs/cgroup/pids ]; then
		observe --cgroup /sys/fs/cgroup/pids
		assert_equal "$CODE" 125
		assert_has "$(cat "$ERR")" "counts no memory"
	fi
	observe --cgroup / --no-children
	assert_equal "$CODE" 2
	observe --cgroup / --pid 1
	assert_equal "$CODE" 2
	observe --memory-limit 10 -- true
	assert_equal "$CODE" 2
	observe --memory-limit 64M --pid 1
	assert_equal "$CODE" 2
}

@test "paths as /proc/PID/cgroup has them are found, where memory is counted first" {
	memory_group path
	within sleep 1
	start_observer --duration 300ms --cgroup "/$(basename "$GROUP")"
	end_of "$OBSERVER"
	assert_equal "$(manifest .task.cgroup.version)" $V
	assert_equal "$(manifest .task.cgroup.path)" "/$(basename "$GROUP")"
	assert_equal "$(manifest .task.cgroup.id)" "$(stat -c %i "$GROUP")"
}
