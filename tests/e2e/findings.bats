#!/usr/bin/env bats
# shellcheck disable=SC2016 # some commands are programs for other interpreters
# findings.bats - what stands out in real runs is told by name, and nothing of healthy programs is.
# Oracle: the seeded programs say which function does it (tests/targets/findings_*).

load helpers

SEEDED=$TARGETS/findings_seeded

# find_in DIAGNOSTICS COMMAND…: the findings, as the summary has them, one a line: $FOUND. The highest
# priority is the task's too: what else runs on the machine must not become its finding.
find_in() {
	CODE=0
	rm -rf "$RUN"
	timeout --foreground 120 nice -n -20 "$TASKDIAG" -o "$RUN" --interval 50ms -d "$@" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
	[ -e "$RUN/manifest.json" ] || fail "no run: $CODE" "$(cat "$ERR")"
	FOUND=$("$TASKDIAG" summary "$RUN" | awk '/^finding /{on = 1} /^[a-z]/ && !/^finding /{on = 0} on' |
		sed 's/^finding//' | tr -s ' \n' ' ')
}

assert_found() {
	local part
	for part; do
		[[ $FOUND == *"$part"* ]] || fail "no '$part' in: $FOUND" "$("$TASKDIAG" summary "$RUN")"
	done
}

assert_silence() {
	[ -z "$FOUND" ] || fail "a false finding: $FOUND" "of: $*"
}

@test "a leak beside noise: its function, its rate (oracle: the program, 256 kB each 50 ms)" {
	find_in memory,allocations -- "$SEEDED" leak --seconds 7
	assert_found "live heap grew steadily" "leak_rows" "a minute" "confidence high"
}

@test "a run of 3 s claims no growth, whatever grows" {
	find_in memory,allocations -- "$SEEDED" leak --seconds 3
	assert_silence leak
}

@test "one burst makes the peak: its function (oracle: the program, 200 MiB for 150 ms)" {
	find_in memory,allocations -- "$SEEDED" burst --seconds 7
	assert_found "burst" "fill_table" "findings_seeded-"
}

@test "a cache that fills and is emptied is healthy" {
	find_in memory,allocations -- "$SEEDED" cache --seconds 8
	assert_silence cache
}

@test "RSS that stays when blocks between others are freed is no leak" {
	find_in memory,allocations -- "$SEEDED" fragments --seconds 7
	assert_found "RSS stayed" "not a leak"
	[[ $FOUND != *suspect* ]] || fail "a suspect: $FOUND"
}

@test "threads that wait for a mutex: the function that takes it" {
	find_in memory,profile -- "$SEEDED" lock --seconds 4
	assert_found "waited for locks" "worker"
}

@test "four threads on one CPU wait in the run queue" {
	find_in memory,profile -- taskset -c 0 "$SEEDED" cpu --seconds 4
	assert_found "run queue" "spin"
}

@test "Python threads wait for the GIL: their function and line" {
	find_in memory,profile -- "$PYTHON" "$ROOT/tests/targets/findings_gil.py" 4
	assert_found "the GIL" "count (findings_gil.py"
}

@test "page cache of a cgroup is told from heap" {
	find_in memory --memory-limit 1G -- sh -c 'head -c 200M /dev/zero >written; cat written >/dev/null; sleep 0.3'
	[ "$(manifest '.diagnostics.memory.cgroup.usage_bytes // 0')" != 0 ] || skip "no counters of a cgroup here"
	assert_found "page cache" "not heap"
}

@test "the page lists what the summary says, with its evidence" {
	find_in memory,allocations -- "$SEEDED" leak --seconds 6
	"$TASKDIAG" html "$RUN" -o page.html
	timeout "$PATIENCE" chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
		--user-data-dir="$BATS_TEST_TMPDIR/profile" --enable-logging=stderr \
		--virtual-time-budget=5000 --dump-dom "file://$PWD/page.html" >dom.html 2>"$ERR" 3>&- ||
		fail "chromium: $?"
	run ! grep CONSOLE "$ERR"
	grep -q 'class="sentence">the live heap grew steadily.*leak_rows' dom.html || fail "not shown"
	grep -q 'href="#panel-allocations"' dom.html || fail "no link to the evidence"
}

# ---- 20 healthy programs

# Hundredths of a second of all CPUs that somebody used.
busy() {
	awk '/^cpu /{ print $2 + $3 + $4 + $7 + $8 }' /proc/stat
}

# Others had more than a quarter of a CPU: then a wait in the run queue is true, not false (nice does
# not reach across the scheduler's groups). Oracle: /proc/stat without the task and the observer.
others_had_cpus() { # BUSY_BEFORE BUSY_AFTER
	manifest "(($2 - $1) / $(getconf CLK_TCK) - .observer.cpu_s -
		([.diagnostics.profile.threads[]?.cpu_s] | add // 0)) > 0.25 * .task.duration_s" | grep -q true
}

# healthy DIAGNOSTICS COMMAND…
healthy() {
	local before
	command -v "$2" >/dev/null || fail "$2 is not installed"
	before=$(busy)
	find_in "$1" -- "${@:2}"
	healthy_count=$((healthy_count + 1))
	[ -n "$FOUND" ] || return 0
	if [[ $FOUND == *"run queue"* && $FOUND != *confidence*confidence* ]] && others_had_cpus "$before" "$(busy)"; then
		echo "# not judged, others had the CPUs: $2:$FOUND" >&3
	else
		printf 'false finding of %s (%s): %s\n' "${*:2}" "$1" "$FOUND" >>false
	fi
}

@test "nothing stands out in 20 healthy programs, with every diagnostic" {
	local all=memory,profile,allocations healthy_count=0
	: >false
	seq 1 600000 >numbers
	head -c 20M /dev/urandom >noise
	printf 'int f(int a) { return a; }\nint main(void) { return f(0); }\n' >small.c
	printf 'all: a b\na b: small.c\n\t gcc -O2 -o $@ small.c\n' >makefile
	git init -q tree && cp numbers tree && git -C tree add . && git -C tree -c user.name=n -c user.email=e commit -qm one
	healthy $all gzip -k numbers
	healthy $all xz -k -1 numbers
	healthy $all sort -R numbers -o sorted
	healthy $all sort -n --parallel=2 numbers -o sorted
	healthy $all sqlite3 :memory: 'create table t(a); with recursive c(x) as (select 1 union all select x+1 from c where x<300000) insert into t select x from c; select sum(a) from t;'
	healthy $all jq -s length numbers
	healthy $all git -C tree log
	healthy $all git -C tree gc -q
	healthy $all gcc -O2 -c -o small.o small.c
	healthy $all make
	healthy $all "$PYTHON" -c 'import json; [json.loads(json.dumps(list(range(2000)))) for _ in range(300)]'
	healthy $all "$PYTHON" -c 'import re; [re.findall(r"\d+", "a1b22c333" * 200) for _ in range(1000)]'
	healthy $all "$PYTHON" -c 'import asyncio, decimal, email, http.client, unittest, xml.dom.minidom'
	healthy $all perl -e 'my %h; $h{$_ % 1000} += $_ for 1..1000000; print scalar(keys %h)'
	healthy $all find /usr/share -name '*.txt'
	healthy $all tar -cf archive.tar noise numbers
	healthy $all awk '{ s += $1 } END { print s }' numbers
	healthy $all sed -n 's/9$/x/p' numbers
	healthy $all grep -c 77 numbers
	healthy $all bash -c 'for ((i = 0; i < 100000; i++)); do :; done'
	healthy $all openssl speed -seconds 1 sha256
	healthy $all sha256sum noise
	[ "$healthy_count" -ge 20 ]
	[ ! -s false ] || fail "$(cat false)"
}

@test "nothing stands out in programs that are healthy for 6 s" {
	local healthy_count=0
	: >false
	seq 1 6000000 >numbers
	healthy memory,allocations "$PYTHON" -c 'import time; end = time.monotonic() + 6
while time.monotonic() < end: sorted(str(i) for i in range(50000))'
	healthy memory,profile bash -c 'end=$((SECONDS + 6)); while ((SECONDS < end)); do sort -n <<<"3 1 2" >/dev/null; sleep 0.01; done'
	healthy memory,profile xz -k -T1 -6 numbers
	[ ! -s false ] || fail "$(cat false)"
}
