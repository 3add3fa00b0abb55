#!/usr/bin/env bats
# heap_survival.bats - programs that do to themselves what a malloc shim has to live through. Each has
# the same output and status as alone, its ledger is whole, and what is called exact is what the
# program knows, to the byte. HEAP_SURVIVAL_ROUNDS: how often each runs (2); HEAP_SURVIVAL_LOG: a file
# that gets a line for each run, see scripts/bench.d/heap_survival.bash.
# shellcheck disable=SC2016 # single quotes hold what another shell expands
# shellcheck disable=SC2030,SC2031 # every test is a process of its own, and is meant to be

load helpers

ROUNDS=${HEAP_SURVIVAL_ROUNDS:-2}
ONE=$TARGETS/heap_survival
PROCESSES=$TARGETS/heap_survival_processes
PLUGINS=$TARGETS/heap_survival_plugins
BUMP=$TARGETS/shim/bump.so # an allocator that a signal handler may call
OPTIONS=()

# What no run may say: exact with a loss; less than exact without a sentence; an event too few or many.
assert_honest() {
	jq -e '.diagnostics.allocations | . as $a | .heap as $h |
		($h.events_offered == $h.events_read + $h.lost + $h.residual + $h.events_cut or $h.malformed > 0) and
		(if .exact then ([$h | .lost, .lost_no_ring, .lost_early, .lost_samples, .late, .late_after_end, .malformed, .residual,
			.regions_refused, .refused, .unknown_frees, .duplicates, .undos_refused, .moves_unknown, .forks_inexact, .checks_wrong,
			.records_failed, .without_shim] | add) == 0 and .gap_bytes == 0
		 else .gap_bytes > 0 or ((.limits | length) > 0 and .status == "limited") end)' "$RUN/manifest.json" >/dev/null ||
		fail "not honest: $(jq -c '.diagnostics.allocations | del(.resident)' "$RUN/manifest.json")"
}

# assert_as_told FILE: lines `held FUNCTION BYTES`, `left FUNCTION BYTES`, when the run is exact. A program
# that another one executes is not held until the tables of its code stand: stacks of before end outside
# of all mappings, and say so.
assert_as_told() {
	[ "$(manifest .diagnostics.allocations.exact)" = true ] || return 0
	"$TASKDIAG" table --json --full "$RUN" >held.json 3>&-
	"$TASKDIAG" leaks --json --full "$RUN" >left.json 3>&-
	"$PYTHON" - "$1" <<-'END_PYTHON'
		import json, sys

		EARLY = tuple("[incomplete: " + why for why in ("outside of all", "mappings not known", "rows not made"))
		entries = {kind: json.load(open(kind + ".json"))["entries"] for kind in ("held", "left")}
		for line in open(sys.argv[1], errors="replace"):
		    kind, *rest = line.split() or [""]
		    if kind not in entries:
		        continue
		    function, known = rest[0], int(rest[1])
		    told = early = 0
		    for e in entries[kind]:
		        names = [f["function"] or "" for f in e["stack"]]
		        if function in names:
		            told += e["bytes"]
		        elif names and names[0].startswith(EARLY):
		            early += e["bytes"]
		    assert told <= known <= told + early, f"{kind} {function}: told {told}, the program knows {known}; early {early}"
	END_PYTHON
}

log_run() { # CASE
	[ -z "${HEAP_SURVIVAL_LOG:-}" ] ||
		jq -r --arg case "$1" '.diagnostics.allocations | [$case, .heap.status, .heap.events_offered, .heap.lost + .heap.lost_no_ring,
			.heap.late, .heap.residual, .heap.nested, (.limits | join("; "))] | @tsv' "$RUN/manifest.json" >>"$HEAP_SURVIVAL_LOG"
}

# one_run CASE STATUS COMMAND…: as alone, whatever the mode
one_run() {
	local case=$1 status=$2
	shift 2
	rm -rf "$RUN"
	observe -q -d allocations "${OPTIONS[@]}" -- "$@"
	[ "$CODE" -eq "$status" ] || fail "$case: status $CODE, alone $status" "$(cat "$ERR" "$OUT")"
	diff alone "$OUT" || fail "$case: other output" "$(cat "$ERR")"
	diff alone.err "$ERR" || fail "$case: other errors"
	assert_manifest '.diagnostics.allocations | .source == "heap" and .heap.processes > 0'
	assert_honest
	assert_as_told alone
	log_run "$case"
}

# survives CASE COMMAND…: with and without the shim; every allocation, and samples
survives() {
	local case=$1 status=0 i
	shift
	timeout --foreground 60 "$@" >alone 2>alone.err || status=$?
	[ "$status" -ne 124 ] || fail "$case: alone it does not end"
	for ((i = 0; i < ROUNDS; i++)); do
		one_run "$case" "$status" "$@"
	done
	OPTIONS=(--sample-bytes 4K)
	one_run "$case, sampled" "$status" "$@"
	OPTIONS=()
}

# Not so today; HEAP_SURVIVAL_GAPS in the environment runs it all the same.
known_gap() {
	[ -n "${HEAP_SURVIVAL_GAPS:-}" ] || skip "known gap: $1"
}

# A program that is called through this has bump.so behind the shim.
BEHIND=(sh -c 'LD_PRELOAD=${LD_PRELOAD:+$LD_PRELOAD:}$0 exec "$@"' "$BUMP")

@test "the main thread is gone, others go on (oracle: the program)" {
	survives leader "$ONE" leader
}

@test "threads free each other's blocks (oracle: the program)" {
	survives passing "$ONE" passing
}

@test "10,000 frames, and malloc (oracle: the program)" {
	survives deep "$ONE" deep
}

@test "longjmp out of 50 frames that have allocated (oracle: the program)" {
	survives longjmp "$ONE" longjmp
}

@test "signal handlers that allocate break into everything (oracle: the program)" {
	survives handlers "${BEHIND[@]}" "$ONE" handlers
}

@test "longjmp out of handlers that broke into everything (oracle: the program)" {
	survives handlers-longjmp "${BEHIND[@]}" "$ONE" handlers-longjmp
}

@test "forks by handlers that broke into everything (oracle: the program)" {
	survives handlers-fork "${BEHIND[@]}" "$ONE" handlers-fork
}

@test "forks by handlers, and the child goes on where its parent was (oracle: the program)" {
	known_gap "a child that was forked within the page of a traced nop5 has no such page, and one forked within an event writes into its parent's ring"
	survives handlers-fork-return "${BEHIND[@]}" "$ONE" handlers-fork-return
}

@test "handlers on a stack of their own (oracle: the program)" {
	survives sigaltstack "$ONE" sigaltstack
}

@test "exec by a thread that is not the leader (oracle: the program)" {
	survives exec-by-thread "$PROCESSES" exec-by-thread
}

@test "vfork and exec, posix_spawn 200 times (oracle: the program)" {
	survives vfork "$PROCESSES" vfork
	survives posix-spawn "$PROCESSES" posix-spawn
}

@test "a storm of forks whose children free their parent's blocks (oracle: the program)" {
	survives fork-storm "$PROCESSES" fork-storm
}

@test "30 generations, each ends before its child does (oracle: the program)" {
	survives orphans "$PROCESSES" orphans
}

@test "a child of a program without new privileges has no shim, and that is said (oracle: the program)" {
	survives fork-no-new-privileges "$PROCESSES" fork-no-new-privileges
}

@test "a child that has no room for a shim's memory is not left out in silence (oracle: the program)" {
	survives fork-no-room "$PROCESSES" fork-no-room
}

@test "seccomp's strict mode (oracle: the program)" {
	survives seccomp-strict "$PROCESSES" seccomp-strict
}

@test "seccomp filters that kill, that refuse (oracle: the program)" {
	survives seccomp-kill "$PROCESSES" seccomp-kill
	survives seccomp-errno "$PROCESSES" seccomp-errno
}

@test "a filter that refuses, installed by number (oracle: the program)" {
	survives seccomp-errno-by-number "$PROCESSES" seccomp-errno-by-number
}

@test "a filter that kills, installed by number (oracle: the program)" {
	survives seccomp-kill-by-number "$PROCESSES" seccomp-kill-by-number
}

@test "a program that may not ask for the time ends although its observer was killed (oracle: the program)" {
	local pid
	start_observer -q -d allocations -- "$PROCESSES" seccomp-errno-long
	wait_for "$PATIENCE" file_has "$OUT" '^left'
	pid=$(pgrep -P "$OBSERVER" -x heap_survival_p)
	kill -KILL "$OBSERVER"
	CODE=0
	timeout 60 tail --pid="$pid" -f /dev/null || CODE=$?
	[ "$CODE" -eq 0 ] || kill -KILL "$pid"
	assert_equal "$CODE" 0 "it ended by itself: status of tail"
}

@test "strict mode by number (oracle: the program)" {
	survives seccomp-strict-by-number "$PROCESSES" seccomp-strict-by-number
}

@test "a program that starts in a sandbox without membarrier (oracle: the program)" {
	survives seccomp-inherited "$PROCESSES" seccomp-inherited
}

@test "a library on the stack goes, another comes to its address: no memo names the old one (oracle: the program)" {
	survives dlopen "$PLUGINS" dlopen
	survives dlopen-thread "$PLUGINS" dlopen-thread
}

@test "a library that is called in the moment in which it is there: no byte is lost (oracle: the program)" {
	survives dlopen-at-once "$PLUGINS" dlopen-at-once
}

@test "a library that is called in the moment in which it is there is not named by the one before it (oracle: the program)" {
	known_gap "for some milliseconds after dlopen the kernel walks by the table of before: follow.c; memos are dropped as soon as it is new"
	survives dlopen-at-once-named "$PLUGINS" dlopen-at-once-named
}

@test "code that a program maps by itself over other code (oracle: the program)" {
	survives loader "$PLUGINS" loader
}

# Whether gdb can call functions of a program here at all: not where the processor's state is larger
# than it knows ("Couldn't write extended state status").
gdb_can_call() {
	local pid code=0
	sleep 60 3>&- &
	pid=$!
	gdb -batch -nx -p "$pid" -ex 'print (int)getpid()' -ex detach 3>&- 2>&1 | grep -q "= $pid\$" || code=1
	kill "$pid"
	wait "$pid" || true
	return "$code"
}

@test "gdb attaches, looks, stops in malloc, lets go: the target goes on (oracle: gdb and the program)" {
	local round pid before=(-ex 'print (int)getpid()') after=(-ex 'print (void *)malloc(1000)')
	command -v gdb >/dev/null || skip "gdb: not installed"
	gdb_can_call || before=(-ex 'info inferiors') after=()
	mkfifo input
	for ((round = 0; round < ROUNDS; round++)); do
		rm -rf "$RUN"
		start_observer -q -d allocations -- sh -c 'exec "$0" wait <input' "$ONE"
		exec 9>input
		wait_for "$PATIENCE" file_has "$OUT" '^left'
		pid=$(pgrep -P "$OBSERVER" -x heap_survival)
		gdb -batch -nx -p "$pid" "${before[@]}" -ex 'break malloc' -ex continue -ex 'bt 2' -ex delete \
			"${after[@]}" -ex detach 3>&- 9>&- >gdb.out 2>&1
		grep -qE "(= |process )$pid( |\$)" gdb.out || fail "gdb: $(cat gdb.out)"
		grep -q '^#1 .*churn' gdb.out || fail "gdb: $(cat gdb.out)"
		alive "$pid"
		exec 9>&-
		end_of "$OBSERVER"
		assert_equal "$CODE" 4 status
		assert_honest
		assert_as_told "$OUT"
		log_run gdb
	done
}

# go_program NAME: of its source on stdin
go_program() {
	command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin
	command -v go >/dev/null || skip "go: not installed"
	cat >"$1.go"
	GOCACHE=${XDG_CACHE_HOME:-$HOME/.cache}/taskdiag-bpf/go-build GO111MODULE=off GOFLAGS='' CGO_ENABLED=$2 \
		go build -o "$1" "$1.go" >go.log 2>&1 3>&- || fail "go build: $(cat go.log)"
}

@test "Go that calls C: its malloc is known, Go's own memory is not malloc's (oracle: the program)" {
	go_program calls_c 1 <<-'END_GO'
		package main

		// #include <stdlib.h>
		// static void *volatile kept;
		// __attribute__((noinline)) void keep(void) { kept = malloc(1022); }
		import "C"
		import "sync"

		func main() {
			var all sync.WaitGroup
			for i := 0; i < 4; i++ {
				all.Add(1)
				go func() {
					for k := 0; k < 25; k++ {
						C.keep()
						C.free(C.malloc(3040))
						_ = make([]byte, 100000)
					}
					all.Done()
				}()
			}
			all.Wait()
			println("held keep 102200\nleft keep 102200")
		}
	END_GO
	survives go "$PWD/calls_c"
	cat alone.err >told
	assert_as_told told
}

@test "Go alone is static: it runs as it does, and that it has no shim is said" {
	go_program alone_go 0 <<-'END_GO'
		package main

		func main() {
			var kept [][]byte
			for i := 0; i < 1000; i++ {
				kept = append(kept, make([]byte, 10000))
			}
			println(len(kept))
		}
	END_GO
	./alone_go >alone 2>alone.err
	observe -q -d allocations -- ./alone_go
	assert_equal "$CODE" 0 status
	diff alone.err "$ERR"
	assert_manifest '.diagnostics.allocations | .source == "resident" and (.limits | any(test("alone_go")))'
}

@test "a program with an allocator of its own is not called exact (oracle: the program)" {
	observe_well -q -d allocations -- "$TARGETS/heap_survival_own"
	assert_equal "$(cat "$OUT")" made output
	assert_manifest '.diagnostics.allocations | (.exact | not) and (.limits | length) > 0'
}

@test "a program with AddressSanitizer runs as it does (oracle: the program)" {
	printf '#include <stdlib.h>\nint main(void) { free(malloc(5)); return 3; }\n' >sanitized.c
	cc -fsanitize=address sanitized.c -o sanitized 2>cc.log || skip "cc has no AddressSanitizer: $(tail -n 1 cc.log)"
	CODE=0
	./sanitized >alone 2>alone.err || CODE=$?
	assert_equal "$CODE" 3 status
	observe -q -d allocations -- ./sanitized
	assert_equal "$CODE" 3 "status under the shim" || fail "$(cat "$ERR")"
}

@test "postgres is made, filled, loaded and asked under the shim (oracle: its own counts)" {
	local bin user=postgres
	bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
	[ -n "$bin" ] && [ -x "$bin/pgbench" ] || skip "postgresql: not installed"
	id -u "$user" >/dev/null || skip "postgresql: no user postgres"
	new_place
	chown "$user" "$PLACE"
	cat >"$PLACE/run.sh" <<-'END_SH'
		set -e
		cd "$1"
		PATH=$2:$PATH
		rm -rf data
		initdb -D data -A trust >initdb.log 2>&1
		pg_ctl -D data -w -l server.log -o "-k $1 -c listen_addresses= -c fsync=off" start >/dev/null
		pgbench -h "$1" -i -q postgres >/dev/null 2>&1
		pgbench -h "$1" -T 3 -c 4 -j 2 postgres >bench.log 2>&1
		psql -h "$1" -At postgres -c 'SELECT count(*), count(DISTINCT bid) FROM pgbench_accounts' \
			-c 'SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(bbalance) FROM pgbench_branches)'
		pg_ctl -D data -w -m fast stop >/dev/null
		grep -E 'PANIC|terminated by signal' server.log || true
	END_SH
	local run=(setpriv "--reuid=$user" "--regid=$user" --init-groups sh "$PLACE/run.sh" "$PLACE" "$bin")
	"${run[@]}" >alone 2>alone.err 3>&-
	one_run postgres 0 "${run[@]}"
	! jq -e '.diagnostics.allocations.heap | .malformed > 0 or .duplicates > 0' "$RUN/manifest.json" ||
		fail "$(jq -c '.diagnostics.allocations.heap' "$RUN/manifest.json")"
}
