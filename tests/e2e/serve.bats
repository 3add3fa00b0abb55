#!/usr/bin/env bats
# serve.bats - the daemon: tasks that rules find, their run directories, the API over a unix socket.
# Oracles: what the tasks say of themselves (VmHWM, their ids), sha256sum, bpftool, /proc.

load helpers

load serve_helpers

@test "off by default: nothing is collected, nothing attached (oracle: bpftool)" {
	local before
	before=$(our_programs)
	configure
	start_daemon
	assert_equal "$(our_programs)" "$before"
	assert_equal "$(number_of_tasks '')" 0
	assert_has "$(cat "$ERR")" "TASK_DIAGNOSTICS is empty"
	stop_daemon
}

@test "an unknown diagnostic is refused by name" {
	configure
	TASK_DIAGNOSTICS=memory,telepathy run "$TASKDIAG" serve --config "$CONF"
	assert_equal "$status" 2
	assert_has "$output" telepathy
	assert_has "$output" allocations
}

@test "forked tasks have run directories under the ids that they write; peaks are theirs (oracle: VmHWM)" {
	local id kb peak
	configure "task_diagnostics = memory, pyinstrument"
	start_daemon
	run_service --tasks 4 --mib 96 --ms 150
	wait_for "$PATIENCE" has_tasks "state=ended" 4
	while read -r id _ _ _ kb; do
		[ "$id" != done ] || continue
		peak=$(get "/tasks/$id/" | jq .peak_bytes)
		assert_within_permille 5 "$peak" $((kb * 1024))
		RUN=$STATE/runs/$id
		assert_whole_run "$RUN"
		assert_ledger_complete
		assert_equal "$(manifest .task.id)" "$id"
		assert_equal "$(manifest .task.end)" exited
		grep -q 'compute' "$RUN/profile.folded"
	done <"$SAID"
	assert_equal "$(metric taskdiag_tasks_begun_total)" 4
	stop_daemon
}

@test "artifacts have the keys and names that Pulp's users know; URLs are signed (oracle: sha256sum)" {
	local id url key file
	configure "task_diagnostics = ['memory', 'pyinstrument', 'memray']"
	start_daemon
	run_service --tasks 2 --mib 8 --ms 100
	wait_for "$PATIENCE" has_tasks "state=ended" 2
	read -r id _ <"$SAID"
	get "/tasks/$id/profile_artifacts/" >urls.json
	while read -r key file; do
		url=$(jq -r ".urls.$key" urls.json)
		assert_equal "$(get "${url#http://*/}" 2>/dev/null | head -c 0; get "/${url#http://*/}" | sha256sum)" "$(sha256sum <"$STATE/runs/$id/$file")" "$key"
	done <<-KEYS
		memory_profile memory.datum
		pyinstrument_profile profile.pyisession
		memray_profile memray.bin
		report report.html
	KEYS
	assert_equal "$(get "/${url#http://*/}0" -o /dev/null -w '%{http_code}')" 403
	assert_equal "$(get /tasks/00000000-0000-0000-0000-000000000000/profile_artifacts/ -w '%{http_code}')" \
		'{"detail":"No Task matches the given query."}404'
	stop_daemon
}

@test "of 300 tasks of 5 ms none is missed, and no record lost (oracle: the service)" {
	configure "task_diagnostics = memory"
	start_daemon
	run_service --tasks 300 --mib 1 --ms 5 --at-once 4
	wait_for "$PATIENCE" has_tasks "state=ended" 300
	assert_equal "$(metric taskdiag_tasks_begun_total)" 300
	wait_for "$PATIENCE" eval '[ "$(metric taskdiag_tasks_ended_total)" = 300 ]'
	get /metrics >metrics
	assert_equal "$(awk '/^taskdiag_lost_records_total/ && !/task_over/ { n += $2 } END { print n + 0 }' metrics)" 0
	stop_daemon
}

@test "a killed task keeps its artifacts (oracle: its own VmHWM)" {
	local id kb
	configure "task_diagnostics = memory,profile"
	start_daemon
	run_service --tasks 1 --mib 96 --ms 100 --end segv
	wait_for "$PATIENCE" has_tasks "state=ended" 1
	read -r id _ _ _ kb <"$SAID"
	RUN=$STATE/runs/$id
	assert_equal "$(manifest .task.end)" killed-by-signal
	assert_within_permille 5 "$(manifest .diagnostics.memory.peak_rss_bytes)" $((kb * 1024))
	stop_daemon
}

@test "other processes are no tasks: another name, another parent, another directory (oracle: none is listed)" {
	configure "task_diagnostics = memory"
	start_daemon
	(mkdir -p "$WORK/tmp12345678" && cd "$WORK/tmp12345678" && sleep 0.2)
	run_service --tasks 1 --mib 1 --ms 5
	wait_for "$PATIENCE" has_tasks "state=ended" 1
	assert_equal "$(number_of_tasks '')" 1
	stop_daemon
}

@test "SIGTERM saves the tasks that run; the next start has them all" {
	local id
	configure "task_diagnostics = memory,profile"
	start_daemon
	start_service --tasks 2 --mib 8 --ms 50 --at-once 2 --end hang
	wait_for "$PATIENCE" eval '[ "$(wc -l <"$SAID")" = 2 ]'
	wait_for "$PATIENCE" has_tasks "state=running" 2
	stop_daemon
	for id in $(cut -d ' ' -f 1 "$SAID"); do
		RUN=$STATE/runs/$id
		assert_whole_run "$RUN"
		assert_equal "$(manifest .task.end)" detached
	done
	start_daemon
	assert_equal "$(number_of_tasks 'state=ended')" 2
	stop_daemon
}

@test "SIGKILL of the daemon: no probe is left, no run is torn, rows tell the truth (oracle: bpftool, the files)" {
	local before pid
	before=$(our_programs)
	configure "task_diagnostics = memory"
	start_daemon
	run_service --tasks 3 --mib 2 --ms 20
	wait_for "$PATIENCE" has_tasks "state=ended" 3
	start_service --tasks 1 --mib 2 --ms 10 --end hang
	wait_for "$PATIENCE" has_tasks "state=running" 1
	kill -KILL "$DAEMON"
	wait "$DAEMON" || true
	wait_for "$PATIENCE" eval '[ "$(our_programs)" = '"$before"' ]'
	start_daemon
	assert_equal "$(number_of_tasks '')" 4
	assert_equal "$(get '/tasks/?state=ended' | jq '[.results[] | select(.state == "done")] | length')" 3
	assert_equal "$(get '/tasks/?state=ended' | jq '[.results[] | select(.state == "lost")] | length')" 1
	stop_daemon
}

@test "a snapshot of a running task, while it runs on" {
	local id url
	configure "task_diagnostics = memory,profile"
	start_daemon
	start_service --tasks 1 --mib 16 --ms 300 --end hang
	wait_for "$PATIENCE" eval '[ -s "$SAID" ]'
	read -r id _ <"$SAID"
	wait_for "$PATIENCE" answers "/tasks/$id/"
	assert_equal "$(get "/tasks/$id/profile_artifacts/" | jq -c '[.urls, .state]')" '[{},"running"]'
	get "/tasks/$id/profile_artifacts/?partial=true" >urls.json
	url=$(jq -r .urls.memory_profile urls.json)
	get "/${url#http://*/}" | grep -q '^# Seconds'
	assert_equal "$(get "/tasks/$id/" | jq -r .state)" running
	stop_daemon
}

@test "SIGHUP: a rule that is new counts from then on" {
	configure "task_diagnostics = memory"
	sed -i 's/^comm = service/comm = nobody/; s/^parent = service/parent = nobody/' "$CONF"
	start_daemon
	run_service --tasks 1 --mib 1 --ms 5
	sed -i 's/^comm = nobody/comm = service/; s/^parent = nobody/parent = service/' "$CONF"
	kill -HUP "$DAEMON"
	wait_for "$PATIENCE" file_has "$ERR" "read anew"
	run_service --tasks 2 --mib 1 --ms 5
	wait_for "$PATIENCE" has_tasks "state=ended" 2
	stop_daemon
}
