#!/usr/bin/env bats
# serve_http.bats - the daemon's HTTP: who may ask, what is answered, what is not.
# Oracles: curl, sha256sum, promtool, headless Chromium, the files themselves.

load helpers
load serve_helpers

PORT=0

# configure_tcp LINE…: as configure, and on loopback with a token.
configure_tcp() {
	PORT=$((20000 + RANDOM % 20000))
	printf 'open-sesame\n' >"$BATS_TEST_TMPDIR/token"
	chmod 600 "$BATS_TEST_TMPDIR/token"
	configure "listen = 127.0.0.1:$PORT" "token_file = $BATS_TEST_TMPDIR/token" "$@"
}

# one_task: a daemon that has observed one; $ID.
one_task() {
	start_daemon
	run_service --tasks 1 --mib 8 --ms 60
	wait_for "$PATIENCE" has_tasks "state=ended" 1
	read -r ID _ <"$SAID"
}

status_of() { # PATH [CURL ARGUMENTS]
	get "$@" -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}'
}

# url_of KEY: path and query of the artifact's URL.
url_of() {
	get "/tasks/$ID/profile_artifacts/" | jq -r ".urls.$1" | sed 's|^http://[^/]*||'
}

# queried PORT NAME VALUE: what Prometheus has of it.
queried() {
	[ "$(curl -s "http://127.0.0.1:$1/api/v1/query?query=$2" | jq -r '.data.result[0].value[1]')" = "$3" ]
}

@test "an artifact: HEAD, ETag, ranges, what is not satisfiable (oracle: the file)" {
	local url etag file
	configure "task_diagnostics = memory"
	one_task
	url=$(url_of report) file=$STATE/runs/$ID/report.html
	get "$url" -I >head
	grep -q '^HTTP/1.1 200' head
	grep -qi "^content-length: $(stat -c %s "$file")" head
	grep -qi '^content-type: text/html' head
	grep -qi '^content-security-policy: sandbox' head
	etag=$(sed -n 's/^ETag: \(.*\)\r$/\1/p' head)
	assert_equal "$etag" "\"$(sha256sum <"$file" | cut -d ' ' -f 1)\""
	assert_equal "$(status_of "$url" -H "If-None-Match: $etag")" 304
	assert_equal "$(status_of "$url" -r 100-199)" 206
	cmp "$BATS_TEST_TMPDIR/body" <(tail -c +101 "$file" | head -c 100)
	assert_equal "$(status_of "$url" -r -50)" 206
	cmp "$BATS_TEST_TMPDIR/body" <(tail -c 50 "$file")
	assert_equal "$(status_of "$url" -r 7-)" 206
	cmp "$BATS_TEST_TMPDIR/body" <(tail -c +8 "$file")
	assert_equal "$(status_of "$url" -r 999999999-)" 416
	assert_equal "$(status_of "$url" -r 0-9 -H 'If-Range: "another"')" 200
	assert_equal "$(status_of "$url" -r 0-9 -H "If-Range: $etag")" 206
	get "$(url_of memory_profile)" -I | grep -qi '^content-type: text/plain'
	get "$(url_of memory_profile)" -I | grep -qi "^content-disposition: attachment; filename=\"$ID-memory.datum\""
	stop_daemon
}

@test "a URL opens its artifact only, and only for its time" {
	local url
	configure "task_diagnostics = memory" "url_lifetime = 1s"
	one_task
	url=$(url_of memory_profile)
	assert_equal "$(status_of "$url")" 200
	assert_equal "$(status_of "${url/memory.datum/memory.csv}")" 403
	assert_equal "$(status_of "${url%%\?*}")" 403
	assert_equal "$(status_of "${url/expires=/expires=9}")" 403
	sleep 2.1
	assert_equal "$(status_of "$url")" 403
	grep -q expired "$BATS_TEST_TMPDIR/body"
	stop_daemon
}

@test "500 ways out of the directory lead nowhere, signed or not (oracle: a file beside it)" {
	configure "task_diagnostics = memory"
	one_task
	printf 'the secret\n' >"$STATE/secret"
	printf 'the secret\n' >"$STATE/runs/$ID.txt"
	"$PYTHON" - "$SOCKET" "$STATE/url.key" "$ID" <<-'END'
		import hashlib, hmac, itertools, socket, sys, time
		path, key, task = sys.argv[1], open(sys.argv[2], "rb").read(), sys.argv[3]
		dots = ["..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "..%00", "%c0%ae%c0%ae", "..;", "\u2025", ".%2e%2f"]
		slashes = ["/", "%2f", "%2F", "\\", "%5c", "%252f", "//", "/./", "%c0%af", "/;/"]
		targets = ["secret", "index.db", "url.key", "etc/passwd", "%73ecret"]
		asked = 0
		for dot, slash, target in itertools.product(dots, slashes, targets):
		    for place in (f"/artifacts/{task}/{dot}{slash}{dot}{slash}{target}", f"/artifacts/{dot}{slash}{target}",
		                  f"/tasks/{dot}{slash}{dot}{slash}{target}", f"/web/{dot}{slash}{target}"):
		        expires = str(int(time.time()) + 60)
		        name = place.rsplit("/", 1)[-1]
		        text = f"{task}\n-\n{name}\n{expires}".encode()
		        token = hmac.new(key, text, hashlib.sha256).hexdigest()
		        s = socket.socket(socket.AF_UNIX)
		        s.settimeout(20)
		        s.connect(path)
		        s.sendall(f"GET {place}?expires={expires}&validate_token={token} HTTP/1.1\r\nHost: localhost\r\n"
		                  "Connection: close\r\n\r\n".encode())
		        answer = b""
		        while chunk := s.recv(65536):
		            answer += chunk
		        s.close()
		        status = int(answer.split()[1])
		        assert status in (400, 403, 404), (place, status)
		        assert b"the secret" not in answer and b"SQLite" not in answer and b"root:" not in answer, place
		        asked += 1
		assert asked >= 500, asked
	END
	stop_daemon
}

@test "links and torn files are none: swapped while they are asked for (oracle: a file beside it)" {
	local url file i
	configure "task_diagnostics = memory"
	one_task
	url=$(url_of memory_profile) file=$STATE/runs/$ID/memory.datum
	cp "$file" "$STATE/whole"
	head -c "$(stat -c %s "$file")" /dev/zero | tr '\0' X >"$STATE/secret"
	# shellcheck disable=SC2016 # its own $1, $2
	background bash -c 'while sleep 0.002; do
		ln -sfn ../../secret "$1.new" && mv -T "$1.new" "$1"
		cp "$2" "$1.new" && mv -T "$1.new" "$1"
	done' swapper "$file" "$STATE/whole" 2>/dev/null
	i=$!
	for _ in {1..300}; do
		get "$url" >body
		run ! grep -q X body
	done
	kill "$i"
	wait "$i" || true
	rm -f "$file.new"
	cp "$STATE/whole" "$file"
	truncate -s 5 "$file"
	assert_equal "$(status_of "$url")" 404
	stop_daemon
}

@test "only GET and HEAD, no body, no long path, no other Host" {
	configure "task_diagnostics = memory"
	start_daemon
	assert_equal "$(status_of /tasks/ -X POST)" 405
	assert_equal "$(status_of /tasks/ -X DELETE)" 405
	assert_equal "$(status_of /tasks/ -X GET --data abc)" 413
	assert_equal "$(status_of "/$(head -c 5000 /dev/zero | tr '\0' a)")" 414
	assert_equal "$(status_of /tasks/ -H 'Host: evil.example')" 421
	assert_equal "$(status_of /healthz -H 'Host: evil.example')" 200
	assert_equal "$(status_of '/tasks/?limit=x')" 400
	assert_equal "$(status_of '/tasks/?state=dead')" 400
	assert_equal "$(status_of /nothing)" 404
	stop_daemon
}

@test "over TCP only with the token, as Bearer or as a password; the unix socket is for its group" {
	local url
	configure_tcp "task_diagnostics = memory"
	SOCKET=$(mktemp -d /tmp/serve.XXXXXX)/http.sock # a place that everybody can reach
	sed -i "s|^socket = .*|socket = $SOCKET|" "$CONF"
	one_task
	url=http://127.0.0.1:$PORT
	assert_equal "$(curl -s -o body -w '%{http_code}' "$url/tasks/")" 401
	grep -q 'Authentication credentials were not provided' body
	assert_equal "$(curl -s -o body -w '%{http_code}' -H 'Authorization: Bearer wrong' "$url/tasks/")" 401
	assert_equal "$(curl -s -o body -w '%{http_code}' -H 'Authorization: Bearer open-sesame' "$url/tasks/")" 200
	assert_equal "$(curl -s -o body -w '%{http_code}' -u any:open-sesame "$url/metrics")" 200
	assert_equal "$(curl -s -o body -w '%{http_code}' -u open-sesame:any "$url/metrics")" 401
	# what is signed needs no login
	assert_equal "$(curl -s -o body -w '%{http_code}' "$url$(url_of memory_profile)")" 200
	chmod 666 "$SOCKET"
	chmod 755 "${SOCKET%/*}"
	assert_equal "$(setpriv --reuid=65533 --regid=65533 --clear-groups curl -s -o /dev/null -w '%{http_code}' --unix-socket "$SOCKET" http://localhost/tasks/)" 403
	stop_daemon
	rmdir "${SOCKET%/*}"
}

@test "the web process is nobody, without capabilities, filtered, and sees one directory (oracle: /proc)" {
	local web
	configure "task_diagnostics = memory"
	start_daemon
	web=$(pgrep -P "$DAEMON" -x taskdiag-web)
	assert_equal "$(awk '/^CapEff|^CapPrm|^CapBnd/ && $2 + 0 != 0' "/proc/$web/status")" ""
	run ! grep -qE '^Uid:\s0\b' "/proc/$web/status"
	grep -q '^Seccomp:	2' "/proc/$web/status"
	grep -q '^NoNewPrivs:	1' "/proc/$web/status"
	stop_daemon
}

@test "metrics in both dialects are what promtool accepts; tasks are in them (oracle: promtool)" {
	configure "task_diagnostics = memory"
	one_task
	get /metrics >prometheus.txt
	promtool check metrics <prometheus.txt
	grep -q "^taskdiag_task_peak_rss_bytes{task=\"$ID\",rule=\"work\",name=\"service\"}" prometheus.txt
	get /metrics -H 'Accept: application/openmetrics-text; version=1.0.0' -D head >open.txt
	grep -qi '^content-type: application/openmetrics-text' head
	assert_equal "$(tail -n 1 open.txt)" "# EOF"
	grep -q '^# TYPE taskdiag_tasks_begun counter' open.txt
	stop_daemon
}

@test "Prometheus scrapes it (oracle: its own query)" {
	local prometheus port
	configure_tcp "task_diagnostics = memory"
	one_task
	port=$((PORT + 1))
	cat >prometheus.yml <<-YML
		scrape_configs:
		  - job_name: taskdiag
		    scrape_interval: 1s
		    authorization: { credentials_file: $BATS_TEST_TMPDIR/token }
		    static_configs: [ { targets: [ "127.0.0.1:$PORT" ] } ]
	YML
	background prometheus --config.file=prometheus.yml --storage.tsdb.path=tsdb --web.listen-address=127.0.0.1:$port >prometheus.log 2>&1
	prometheus=$!
	wait_for "$PATIENCE" queried "$port" taskdiag_tasks_begun_total 1
	wait_for "$PATIENCE" queried "$port" taskdiag_task_peak_rss_bytes "$(get "/tasks/$ID/" | jq .peak_bytes)"
	kill "$prometheus"
	wait "$prometheus" || true
	stop_daemon
}

@test "the page lists tasks and links to their artifacts (oracle: Chromium)" {
	local url
	configure_tcp "task_diagnostics = memory,profile"
	one_task
	start_service --tasks 1 --mib 8 --ms 10 --end hang
	wait_for "$PATIENCE" has_tasks "state=running" 1
	url=http://any:open-sesame@127.0.0.1:$PORT/
	chromium --headless --no-sandbox --disable-gpu --user-data-dir="$BATS_TEST_TMPDIR/browser" --virtual-time-budget=8000 \
		--window-size=1300,900 --dump-dom "$url" >dom.html 2>/dev/null
	grep -q "$ID" dom.html
	grep -q 'class="curve"' dom.html
	grep -q ">report</a>" dom.html
	grep -q '1 to 2 of 2' dom.html
	stop_daemon
}

@test "cleanup: what is old goes, what somebody has put there stays (oracle: the files)" {
	local ids
	configure "task_diagnostics = memory" "protection_time = 1h"
	start_daemon
	run_service --tasks 2 --mib 1 --ms 5
	wait_for "$PATIENCE" has_tasks "state=ended" 2
	mapfile -t ids < <(cut -d ' ' -f 1 "$SAID" | head -n 2)
	sed -i 's/^protection_time.*/protection_time = 0/' "$CONF"
	touch "$STATE/runs/${ids[1]}/mine.txt"
	"$TASKDIAG" cleanup --config "$CONF" --dry-run >said
	grep -q "^${ids[0]} would go: its time is over" said
	[ -e "$STATE/runs/${ids[0]}/manifest.json" ]
	"$TASKDIAG" cleanup --config "$CONF" >said
	grep -q "^${ids[0]} removed" said
	grep -q "^${ids[1]} stays: there is a file in it" said
	[ ! -e "$STATE/runs/${ids[0]}" ]
	[ -e "$STATE/runs/${ids[1]}/memory.datum" ]
	assert_equal "$(number_of_tasks '')" 1
	stop_daemon
}

@test "slow clients are hung up on, others are answered meanwhile" {
	configure "task_diagnostics = memory"
	start_daemon
	"$PYTHON" - "$SOCKET" <<-'END'
		import socket, sys, time
		def connect():
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(30)
		    s.connect(sys.argv[1])
		    return s
		slow = []
		for _ in range(1000):
		    s = connect()
		    s.sendall(b"GET /tasks/ HTTP/1.1\r\nHost: loc")
		    slow.append(s)
		good = connect()
		good.sendall(b"GET /tasks/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		assert good.recv(64).startswith(b"HTTP/1.1 200"), "the good client was not answered"
		for s in slow:
		    while s.recv(4096):
		        pass
	END
	stop_daemon
}
