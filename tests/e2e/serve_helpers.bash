# shellcheck shell=bash
# serve_helpers.bash - a daemon of the test's own, what it is asked, and the service whose tasks it finds.

DAEMON=

# configure LINE…: $CONF; the state, the socket and the service's place are the test's own.
configure() {
	STATE=$BATS_TEST_TMPDIR/state SOCKET=$BATS_TEST_TMPDIR/http.sock CONF=$BATS_TEST_TMPDIR/serve.ini
	WORK=$BATS_TEST_TMPDIR/work
	mkdir -p "$WORK"
	cat >"$CONF" <<-INI
		[serve]
		state = $STATE
		socket = $SOCKET
		interval = 1s
		$(printf '%s\n' "$@")
		[rule work]
		comm = service
		parent = service
		fork = yes
		directory = /\/tmp[0-9]{8}$/
		id_stderr = /Starting task id: ([0-9a-f-]{36})/
	INI
}

start_daemon() {
	background "$TASKDIAG" serve --config "$CONF" "$@" >"$OUT" 2>"$ERR"
	DAEMON=$!
	wait_for "$PATIENCE" file_has "$ERR" "started:"
	wait_for "$PATIENCE" answers /healthz
}

stop_daemon() {
	kill -TERM "$DAEMON"
	CODE=0
	wait "$DAEMON" || CODE=$?
	assert_equal "$CODE" 0 "status of the daemon"
}

get() { # PATH [CURL ARGUMENTS]
	local path=$1
	shift
	curl -s --max-time 30 --unix-socket "$SOCKET" "$@" "http://localhost$path"
}

answers() {
	get "$1" -f -o /dev/null
}

number_of_tasks() {
	get "/tasks/?$1" | jq .count
}

has_tasks() { # QUERY NUMBER
	[ "$(number_of_tasks "$1")" = "$2" ]
}

run_service() {
	"$TARGETS/service" --directory "$WORK" "$@" >"$SAID" 2>"$BATS_TEST_TMPDIR/service.err"
}

start_service() {
	start_target "$TARGETS/service" --directory "$WORK" "$@" 2>"$BATS_TEST_TMPDIR/service.err"
}

our_programs() {
	bpftool prog show -j | jq '[.[] | select(.name // "" | test("^(watch|lifecycle|memory|profile|resident)_"))] | length'
}

metric() {
	get /metrics | sed -n "s/^$1 //p"
}
