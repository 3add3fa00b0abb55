#!/usr/bin/env bats
# preload.bats - the malloc shim, alone: an observer without BPF (tests/preload) reads what it tells.
# Oracles: programs that know their own heap; the same command without the shim.

load helpers

SHIM=$BUILD/preload.so
PROGRAMS=$BUILD/targets/shim

# observed OPTION… -- COMMAND…: runs it under the shim; $OUT is what both printed
observed() {
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	CODE=0
	timeout -s KILL 120 "$BUILD/shim_observer" "${options[@]}" "${LIBRARY:-$SHIM}" "$@" >"$OUT" 2>"$ERR" || CODE=$?
	[ "$CODE" -eq 0 ] || fail "shim_observer: $CODE" "$(cat "$OUT" "$ERR")"
}

# field KEY [REGION]: a figure of the first region, or another
field() {
	grep '^region ' "$OUT" | sed -n "${2:-1}p" | tr ' ' '\n' | sed -n "s/^$1=//p"
}

# of every region: the sum
total() {
	grep '^region ' "$OUT" | tr ' ' '\n' | awk -F= -v key="$1" '$1 == key { n += $2 } END { print n + 0 }'
}

exit_code() {
	sed -n 's/^exit=//p' "$OUT"
}

is() { # WHAT WANTED GOT
	[ "$2" = "$3" ] || fail "$1: wanted $2, is $3" "$(cat "$OUT")"
}

assert_nothing_lost() {
	local key
	for key in lost late unknown duplicates no_ring early lost_set refused mismatches; do
		is "$key" 0 "$(total "$key")"
	done
	is "events read" "$(total offered)" "$(total read)"
}

# site NAME: how often the kernel saw it
site() {
	grep '^sites ' "$OUT" | tr ' ' '\n' | sed -n "s/^taskdiag_$1=//p"
}

said_by_target() {
	sed -n "s/^tagged_allocs.*$1=\([0-9]*\).*/\1/p" "$OUT"
}

assert_known() {
	local key
	assert_nothing_lost
	is exit 0 "$(exit_code)"
	is tagged_allocs "$(sed -n 's/^tagged_allocs=\([0-9]*\) .*/\1/p' "$OUT")" "$(field tagged_allocs)"
	for key in tagged_live tagged_peak; do
		is "$key" "$(said_by_target "$key")" "$(field "$key")"
	done
}

@test "peak, rest and number of allocations are exact to the byte with 1, 4 and 16 threads (oracle: the program)" {
	local threads
	for threads in 1 4 16; do
		observed -- "$PROGRAMS/known" $threads
		assert_known
		observed -a -- "$PROGRAMS/known" $threads
		assert_known
		[ "$(field hits)" -gt 0 ]
		is "hits and traps" "$(field allocs)" $(($(field hits) + $(field traps)))
	done
}

@test "blocks that pass from thread to thread without a lock: no free is before its block (oracle: none is unknown)" {
	local threads
	for threads in 2 8; do
		LIBRARY="$SHIM $PROGRAMS/bump.so" observed -a -- "$PROGRAMS/pass" $threads 200000
		assert_nothing_lost
		is exit 0 "$(exit_code)"
		is allocations $((threads * 100000)) "$(field tagged_allocs)"
		is live 0 "$(field tagged_live)"
	done
}

@test "more threads than rings share the last ones, and nothing is lost (oracle: the program)" {
	observed -- "$PROGRAMS/known" 300 100
	assert_known
	is rings 256 "$(field rings)"
}

@test "the order is true with a counter in place of the TSC (oracle: the program)" {
	observed -c -- "$PROGRAMS/known" 4
	assert_known
	is clock 1 "$(field clock)"
}

@test "trapping always, the memo never names another place than the one that asked" {
	observed -O -- "$PROGRAMS/known" 4
	assert_known
	[ "$(field checks)" -gt 0 ]
	is "each allocation traps" "$(field allocs)" "$(field traps)"
}

@test "a starved ring: offered is read and lost, and the task goes on" {
	observed -s 5000 -f 300 -- "$PROGRAMS/known" 4 10000
	is exit 0 "$(exit_code)"
	[ "$(field lost)" -gt 0 ]
	is offered "$(field offered)" $(($(field read) + $(field lost)))
}

@test "a fork child has its parent's heap (oracle: what it frees of it)" {
	local how i
	for how in fork raw; do
		observed -a -- "$PROGRAMS/forks" $how
		assert_nothing_lost
		is exit 0 "$(exit_code)"
		is regions 4 "$(grep -c '^region ' "$OUT")"
		for i in 2 3 4; do
			is live $((60 * 1022 + 10 * 2031)) "$(field tagged_live $i)"
			is reason fork "$(field reason $i)"
		done
	done
	observed -a -- "$PROGRAMS/forks" nested
	assert_nothing_lost
	is "a grandchild's" $((20 * 1022 + 20 * 2031)) "$(field tagged_live 3)"
}

@test "forks of a process with threads: every block has one free (oracle: the counters)" {
	observed -a -- "$PROGRAMS/forks" threads
	assert_nothing_lost
	is exit 0 "$(exit_code)"
	is "the parent's" $((100 * 1022)) "$(field tagged_live)"
	is regions 21 "$(grep -c '^region ' "$OUT")"
}

@test "vfork and posix_spawn are no fork; an exec is a new heap" {
	local how
	for how in vfork spawn; do
		observed -- "$PROGRAMS/forks" $how
		assert_nothing_lost
		is exit 0 "$(exit_code)"
		is live $((100 * 1022)) "$(field tagged_live)"
		is "regions made by forks" 0 "$(grep -c 'reason=fork' "$OUT" || true)"
		# what a vfork child makes, it makes in its parent's heap
		is allocations "$([ $how = vfork ] && echo 120 || echo 100)" "$(field tagged_allocs)"
	done
	observed -- "$PROGRAMS/forks" exec
	assert_nothing_lost
	is "of the second" $((100 * 1022)) "$(field tagged_live 2)"
	is reason exec "$(field reason 2)"
}

@test "traced by uprobes: each site is hit as often as the shim says, and fork children live (oracle: the kernel's counts)" {
	observed -u -e wait=60000 -a -- "$PROGRAMS/known" 4
	assert_known
	is hello 1 "$(site hello)"
	is stack "$(field traps)" "$(site stack)"
	observed -u -e wait=60000 -m sampled -g 65536 -- "$PROGRAMS/known" 4
	is alloc "$(field samples)" "$(site alloc)"
	[ "$(site free)" -ge "$(field sample_frees)" ]
	local how
	for how in fork nested raw threads vfork spawn; do
		observed -u -e wait=60000,child=60000 -- "$PROGRAMS/forks" $how
		is "$how: exit" 0 "$(exit_code)"
		is "$how: hello" "$(grep -c '^region ' "$OUT")" "$(site hello)"
		is "$how: stack" "$(total traps)" "$(site stack)"
		assert_nothing_lost
	done
}

@test "the arguments of a call and rbp are the caller's at a site: no code of ours writes rbp" {
	local writes
	writes=$(objdump -d --no-show-raw-insn "$SHIM" |
		awk '/^[0-9a-f]+ </ { f = $2 } /,%[re]?bpl?$|(push|pop|leave|enter).*%?[re]bp/ { print f, $0 }' |
		grep -v -e __do_global_dtors_aux -e frame_dummy -e register_tm_clones || true)
	is "instructions that write rbp" "" "$writes"
}

@test "libraries come and go, found by the RUNPATH of who opens them" {
	observed -a -- "$PROGRAMS/corners" dlopen shim_plugin.so
	assert_nothing_lost
	is exit 0 "$(exit_code)"
	is allocations 400 "$(field tagged_allocs)"
	is live 0 "$(field tagged_live)"
}

@test "threads that free in their destructors, 800 of them" {
	observed -a -- "$PROGRAMS/corners" destructors
	assert_nothing_lost
	is exit 0 "$(exit_code)"
	is allocations $((800 * 53)) "$(field tagged_allocs)"
	is live 0 "$(field tagged_live)"
}

@test "signal handlers that allocate in the middle of everything (oracle: 7 blocks stay)" {
	LIBRARY="$SHIM $PROGRAMS/bump.so" observed -a -- "$PROGRAMS/signals"
	assert_nothing_lost
	is exit 0 "$(exit_code)"
	is live $((7 * 1022)) "$(field tagged_live)"
	[ "$(field nested)" -gt 0 ]
}

@test "what a killed process told outlives it" {
	observed -- "$PROGRAMS/corners" killed
	is exit 137 "$(exit_code)"
	assert_nothing_lost
	is live $((10 * 1022)) "$(field tagged_live)"
}

@test "seccomp's strict mode: no rdtsc, no system call, nothing lost" {
	observed -a -- "$PROGRAMS/corners" strict
	is exit 0 "$(exit_code)"
	assert_nothing_lost
	is allocations 20004 "$(field tagged_allocs)"
	is live $((4 * 1022)) "$(field tagged_live)"
	is clock 1 "$(field clock)"
}

@test "mmap, mremap and munmap of parts (oracle: 5 pages stay, 9 were)" {
	observed -- "$PROGRAMS/corners" maps
	is exit 0 "$(exit_code)"
	assert_nothing_lost
	is live $((5 * 4096)) "$(field mapped_live)"
	is peak $((9 * 4096)) "$(field mapped_peak)"
}

@test "sizes that cannot be had change nothing, nor does errno" {
	local mode
	for mode in exact sampled off; do
		observed -m $mode -- "$PROGRAMS/corners" huge
		is exit 0 "$(exit_code)"
	done
	observed -- "$PROGRAMS/corners" huge
	assert_nothing_lost
	is live $((3 * 1022)) "$(field tagged_live)"
}

@test "sampled: the estimate is that of the program within 5 standard deviations" {
	observed -m sampled -g 16384 -- "$PROGRAMS/known" 4 20000
	assert_nothing_lost
	is exit 0 "$(exit_code)"
	# blocks of n ≪ gap: the deviation of the sum is √(gap × sum)
	local sum=0 i
	for ((i = 0; i < 20000; i++)); do
		case $((i % 10)) in
		4) sum=$((sum + 1009 * 8 + 13)) ;;
		5) sum=$((sum + 1022)) ;;
		esac
		sum=$((sum + 1009 * (1 + i % 7) + 13))
	done
	awk -v sum=$((4 * sum)) -v got="$(field tagged_estimate)" 'BEGIN {
		d = got - sum
		exit !(got > 0 && d * d < 25 * 16384 * sum)
	}' || fail "estimate $(field tagged_estimate), made $((4 * sum))"
}

@test "without an answer the task starts all the same, and tells nothing" {
	observed -m silent -e listen,wait=200 -- "$PROGRAMS/known" 2
	is exit 0 "$(exit_code)"
	is regions 0 "$(grep -c '^region ' "$OUT" || true)"
	observed -m off -- "$PROGRAMS/known" 2
	is exit 0 "$(exit_code)"
	is offered 0 "$(field offered)"
}

@test "an observer that is killed: the task ends as it would have" {
	"$BUILD/shim_observer" -u -e wait=60000 -f 1000 "$SHIM" -- sh -c \
		"echo \$\$ >pid; '$PROGRAMS/known' 2 >before; while [ ! -e killed ]; do sleep 0.1; done
		'$PROGRAMS/known' 4 20000 >after; echo \$? >code" &
	STARTED+=($!)
	wait_for 30 test -s before
	kill -KILL $!
	touch killed
	wait_for 60 test -s code
	is exit 0 "$(cat code)"
	grep -q tagged_peak after
}

@test "without a listener nobody waits: no region is made" {
	TASKDIAG_SHIM=wait=60000 LD_PRELOAD=$SHIM timeout 30 "$PROGRAMS/corners" wait 0
	TASKDIAG_SHIM=wait=60000 LD_PRELOAD=$SHIM timeout 30 cat /proc/self/maps >maps
	grep -q preload.so maps
	run ! grep 'rw-s.*/dev/zero' maps
}

# survives NAME COMMAND…: the same output and exit code with the shim, in every mode
survives() {
	local name=$1 plain shimmed mode code=0
	shift
	plain=$("$@" 2>&1) || code=$?
	shimmed=$(LD_PRELOAD=$SHIM "$@" 2>&1) || is "$name: exit" $code $?
	is "$name: alone" "$plain" "$shimmed"
	for mode in off sampled exact; do
		observed -m $mode -a -g 8192 -- "$@"
		is "$name: $mode: exit" $code "$(exit_code)"
		is "$name: $mode" "$plain" "$(grep -v -e '^region ' -e '^exit=' "$OUT"; cat "$ERR")"
		is "$name: $mode: lost" 0 $(($(total lost) + $(total no_ring) + $(total late) + $(total lost_set)))
		[ $mode != exact ] || is "$name: unknown, duplicates" 0 $(($(total unknown) + $(total duplicates)))
	done
}

@test "shells, git, Python with processes, databases, compilers live on as they were (oracle: without the shim)" {
	local tool
	for tool in git jq sqlite3 xz cc; do
		command -v $tool >/dev/null || skip "no $tool"
	done
	# shellcheck disable=SC2016
	survives bash bash -c 'for i in $(seq 20); do x=$(echo $i | tr 0-9 a-j | cat); done; echo "$x"'
	survives git git diff --no-index --stat /etc/passwd /etc/group
	survives python "$PYTHON" -c 'import subprocess, multiprocessing as m
print(sum(m.Pool(2).map(abs, range(1000))), subprocess.check_output(["echo", "x"]))'
	survives threads "$PYTHON" -c 'from concurrent.futures import ThreadPoolExecutor as E
print(sum(E(8).map(lambda n: len(str(list(range(n)))), range(500))))'
	"$PYTHON" -c 'import json; print(json.dumps([{"a": i, "b": str(i)} for i in range(20000)]))' >big.json
	survives jq jq 'map(.b | length) | add' big.json
	survives sqlite sqlite3 :memory: 'create table t(a, b); with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000) insert into t select x, hex(x) from c; create index i on t(b); select count(*), sum(a) from t;'
	survives xz bash -c 'xz -T2 -c big.json | xz -dc | md5sum'
	echo 'int main(void) { return 0; }' >program.c
	survives cc bash -c 'cc -O2 -c program.c -o program.o && md5sum program.o'
}

@test "Node with its threads and a child, traced: nothing is lost (oracle: the counters)" {
	command -v node >/dev/null || skip "no node"
	observed -u -e wait=60000 -a -- node -e 'const a = []; for (let i = 0; i < 50000; i++) a.push({ i });
require("child_process").execSync("true");'
	is exit 0 "$(exit_code)"
	assert_nothing_lost
}

@test "under valgrind the shim is off: it would run into the breakpoint" {
	command -v valgrind >/dev/null || skip "no valgrind"
	observed -u -e wait=60000 -- valgrind -q true
	is exit 0 "$(exit_code)"
}

@test "with jemalloc behind the shim, and before it" {
	local jemalloc=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2
	[ -e $jemalloc ] || skip "no jemalloc"
	LIBRARY="$SHIM $jemalloc" observed -a -- "$PROGRAMS/known" 4
	assert_known
	LIBRARY="$SHIM $jemalloc" observed -a -- "$PROGRAMS/corners" destructors
	assert_nothing_lost
	LIBRARY="$jemalloc $SHIM" observed -- "$PROGRAMS/known" 4
	is exit 0 "$(exit_code)"
	is allocs 0 "$(field allocs)"
}
