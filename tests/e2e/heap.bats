#!/usr/bin/env bats
# heap.bats - who held the malloc'd bytes that were live when the live heap was highest? A started
# command carries the malloc shim. Against programs that know it, to the byte.
# shellcheck disable=SC2016 # single quotes hold what another shell expands
# shellcheck disable=SC2030,SC2031 # every test is a process of its own, and is meant to be

load helpers

PROGRAMS=$TARGETS/shim
OPTIONS=(--exact) # of the observer, for heap_of: a busy machine is no reason to sample

# heap_of COMMAND…: observes it; it has to go well.
heap_of() {
	observe_well -d memory,allocations "${OPTIONS[@]}" -- "$@"
}

# ticks_of_command: CPU time that the observer's command has used, 0 before its exec
ticks_of_command() {
	local pid
	pid=$(pgrep -P "$OBSERVER" -x corners | head -n 1) || true
	{ [ -n "$pid" ] && awk '{ print $14 }' "/proc/$pid/stat" 2>/dev/null; } || echo 0
}

# heap KEY: of the manifest
heap() {
	manifest ".diagnostics.allocations.heap.$1"
}

assert_exact() {
	jq -e '.diagnostics.allocations | .source == "heap" and .exact and .heap.events_offered == .heap.events_read' \
		"$RUN/manifest.json" >/dev/null ||
		fail "$(jq -c '.diagnostics.allocations, .ledger' "$RUN/manifest.json")"
}

# entries PYTHON <<<ARG…: Python that looks at what allocations.pb.gz has: rows, a list of
# (process, thread, functions root first, allocator, {sample type: value}).
entries() {
	{
		cat <<-'END_PYTHON'
			import collections, gzip, re, sys

			run, *args = sys.argv[1:]


			def fields(data):
			    """(number, value) of a protobuf message; varints and bytes are all that pprof has"""
			    at = 0

			    def varint():
			        nonlocal at
			        value = shift = 0
			        while True:
			            byte = data[at]
			            at += 1
			            value |= (byte & 127) << shift
			            shift += 7
			            if byte < 128:
			                return value

			    while at < len(data):
			        key = varint()
			        value = varint()
			        if key & 7 == 2:
			            value, at = data[at:at + value], at + value
			        yield key >> 3, value


			def packed(data):
			    return [v for _, v in fields(b"".join(b"\x08" + part for part in re.findall(rb"[\x80-\xff]*[\x00-\x7f]", data)))]


			messages = collections.defaultdict(list)
			for number, value in fields(gzip.open(run + "/allocations.pb.gz").read()):
			    messages[number].append(value)
			strings = [s.decode(errors="surrogateescape") for s in messages[6]]
			types = [strings[dict(fields(m))[1]] for m in messages[1]]
			functions = {f[1]: strings[f.get(2, 0)] for f in (dict(fields(m)) for m in messages[5])}
			locations = {}
			for m in messages[4]:
			    f = list(fields(m))
			    lines = [dict(fields(v)) for n, v in f if n == 4]
			    locations[dict(f)[1]] = [functions[line[1]] for line in lines]
			rows = []
			for m in messages[2]:
			    names, values, labels = [], [], {}
			    for n, v in fields(m):
			        if n == 1:
			            for at in packed(v):
			                names += locations[at]
			        elif n == 2:
			            values = packed(v)
			        elif n == 3:
			            label = dict(fields(v))
			            labels[strings[label[1]]] = strings[label[2]] if 2 in label else label.get(3, 0)
			    rows.append((labels.get("process"), labels.get("thread"), names[::-1], labels.get("allocator"),
			                 dict(zip(types, values))))


			def held(function, *allocators, kind="inuse_space"):
			    return sum(v[kind] for _, _, names, allocator, v in rows
			               if function in names and (not allocators or allocator in allocators))
		END_PYTHON
		cat
	} >"$BATS_TEST_TMPDIR/entries.py"
	"$PYTHON" "$BATS_TEST_TMPDIR/entries.py" "$RUN" "$@"
}

@test "four functions hold 149 MiB at the peak, to the byte, decoys none (oracle: the target)" {
	local size
	for size in --large --small; do
		rm -rf "$RUN"
		heap_of "$TARGETS/alloc_known" $size 1
		assert_exact
		entries "$OUT" <<-'END_PYTHON'
			for line in open(args[0]):
			    if line.startswith("holds"):
			        _, name, size = line.split()
			        assert held(name, "malloc") == int(size), (name, held(name, "malloc"), size)
			assert held("decoy_before", "malloc") == held("decoy_after", "malloc") == 0
			assert held("decoy_before", "malloc", kind="alloc_space") in (100 << 20, (100 << 20) // 4000 * 4000)
		END_PYTHON
	done
	assert_manifest '.diagnostics.allocations | .peak_bytes - (149 * 1048576) | . > -16000 and . < 1000000'
}

@test "threads that free each other's blocks, made in every way: exact with 1, 4, 16 and 260 of them (oracle: the program)" {
	local threads
	for threads in 1 4 16 260; do # 240 have a ring of their own
		rm -rf "$RUN"
		heap_of "$PROGRAMS/known" $threads
		assert_exact
		entries "$(sed -n 's/^tagged_allocs.*tagged_live=\([0-9]*\).*/\1/p' "$OUT")" \
			"$(sed -n 's/^tagged_allocs.*tagged_peak=\([0-9]*\).*/\1/p' "$OUT")" <<-'END_PYTHON'
			live, peak = map(int, args)
			assert held("work", kind="leaked_space") == live, (held("work", kind="leaked_space"), live)
			assert held("work") == peak, (held("work"), peak)
		END_PYTHON
	done
}

@test "every memo hit names the right stack: as where every allocation traps (oracle: the kernel)" {
	local how
	for how in memo oracle; do
		rm -rf "$RUN"
		if [ "$how" = oracle ]; then
			export TASKDIAG_HEAP_ORACLE=1
		fi
		heap_of "$PYTHON" "$ROOT/tests/targets/metadata_import.py" --packages 1000 --quiet
		assert_exact
		if [ "$how" = memo ]; then
			[ "$(heap memo_hits)" -gt 0 ]
		else
			[ "$(heap checks_wrong)" -eq 0 ]
			[ "$(heap checks)" -gt 0 ]
		fi
	done
}

@test "Python lines hold 80 and 60 MB (oracle: the script)" {
	cat >"$BATS_TEST_TMPDIR/script.py" <<-'END_PYTHON'
		def first():
		    return bytearray(80000000)

		def second():
		    return [bytes(600) for _ in range(94787)]

		kept = first(), second()
	END_PYTHON
	heap_of "$PYTHON" -I -S "$BATS_TEST_TMPDIR/script.py"
	assert_exact
	entries <<-'END_PYTHON'
		assert 80000000 <= held("first") <= 80000100, held("first")
		size = 94787 * (600 + 33)
		assert size <= held("second") <= size + 4000000, (held("second"), size)
	END_PYTHON
	grep -q 'first (script.py:2)' "$RUN/allocations.folded"
}

@test "small objects of Python are in arenas unless each is asked for, and that is said (oracle: sys.getsizeof)" {
	local script='def hold(): return [[] for _ in range(100000)]
import sys
kept = hold()
print(len(kept) * sys.getsizeof([]))'
	heap_of "$PYTHON" -I -S -c "$script"
	assert_exact
	"$TASKDIAG" tree "$RUN" 3>&- | grep -q -- '--python-allocators shows each'
	rm -rf "$RUN"
	OPTIONS=(--exact --python-allocators)
	heap_of "$PYTHON" -S -c "$script" # -I would have it ignore its environment
	assert_exact
	entries "$(tail -n 1 "$OUT")" <<-'END_PYTHON'
		assert held("hold") >= int(args[0]), (held("hold"), args)
		assert sum(v["inuse_objects"] for _, _, names, _, v in rows if "hold" in names) >= 99900 # some lists were freed before and wait
	END_PYTHON
	! "$TASKDIAG" tree "$RUN" 3>&- | grep -- '--python-allocators' || fail "said though each is shown"
}

@test "children have their parent's heap, and go on with it (oracle: the program)" {
	local how
	for how in fork raw nested threads vfork spawn exec; do
		rm -rf "$RUN"
		heap_of "$PROGRAMS/forks" $how
		assert_exact
	done
}

@test "SIGKILL loses nothing (oracle: the program)" {
	observe -d memory,allocations -- "$PROGRAMS/corners" killed
	[ "$CODE" -eq 137 ]
	assert_exact
	entries <<-'END_PYTHON'
		assert sum(v["inuse_space"] for *_, v in rows if v["inuse_space"] % 1022 == 0) >= 10220, rows
	END_PYTHON
}

@test "a static program has no shim, and that is said" {
	heap_of "$TARGETS/profile_static" --ms 5
	assert_manifest '.diagnostics.allocations | .source == "resident" and .status == "limited"
		and (.limits | any(test("profile_static")))'
}

@test "sampled: four functions hold 149 MiB within the interval that is told, and nothing is said to be exact (oracle: the target)" {
	OPTIONS=(--sample-bytes 64K)
	heap_of "$TARGETS/alloc_known" --small 1
	assert_manifest '.diagnostics.allocations | .source == "heap" and (.exact | not) and .gap_bytes == 65536 and .mode == "sampled"'
	entries "$OUT" <<-'END_PYTHON'
		for line in open(args[0]):
		    if line.startswith("holds"):
		        _, name, size = line.split()
		        samples = int(size) / 65536
		        error = int(size) * 5 / samples ** .5  # five sigma: one run in two million fails
		        assert abs(held(name, "malloc") - int(size)) < error, (name, held(name, "malloc"), size)
		        assert held(name, kind="error_95") > 0
	END_PYTHON
}

@test "a starved ring: what is lost is counted, offered = read + lost, and it is never called exact (oracle: the shim's counters)" {
	export TASKDIAG_SHIM="ring=4"
	start_observer -d allocations -- "$PROGRAMS/corners" pair 8000000
	until [ "$(ticks_of_command)" -gt 20 ]; do # of CPU time: it allocates, and so has been answered
		sleep 0.02
		kill -0 "$OBSERVER" || fail "ended" "$(cat "$ERR")"
	done
	kill -STOP "$OBSERVER" # nobody reads
	sleep 3
	kill -CONT "$OBSERVER"
	wait "$OBSERVER"
	assert_manifest '.diagnostics.allocations | .heap.lost > 0 and .heap.events_offered == .heap.events_read + .heap.lost
		and (.exact | not) and .status == "limited" and .heap.residual == 0'
}

@test "the keys of the heap are the documented ones, and those of the pages stand below resident (oracle: docs/artifact-format.md)" {
	heap_of "$PROGRAMS/known" 2
	sed -n '/^### diagnostics.allocations.heap/,/^### ledger/p' "$ROOT/docs/artifact-format.md" | grep '^|' | cut -d '|' -f 2 |
		grep -o '….[a-z_]*' | sed 's/^…\.//' | sort -u >documented
	diff documented <(jq -r '.diagnostics.allocations.heap | keys[]' "$RUN/manifest.json" | sort)
	assert_manifest '.diagnostics.allocations.resident | .mode == "pages" and .peak_bytes > 0'
	assert_manifest '[.artifacts[].name] | contains(["allocations.pb.gz", "resident.pb.gz", "memray.bin", "massif.out"])'
}

@test "memray reads memray.bin of a Python program with every malloc of it (oracle: memray's own tree)" {
	heap_of "$PYTHON" -I -S -c 'def hold(): return bytearray(50000000)
kept = hold()'
	assert_exact
	"$PYTHON" "$ROOT/tests/consumers/check_allocations_memray.py" "$RUN" 3>&-
}

@test "programs run unharmed under the shim: the same output and status as alone, and nothing stays behind (oracle: the programs)" {
	local name before
	before=$(find /tmp /var/tmp -maxdepth 1 -name 'taskdiag-bpf-*' | sort)
	git -C "$BATS_TEST_TMPDIR" init -q repository
	cp -r "$ROOT/docs" repository/
	seq 200000 >numbers
	cat >run.sh <<-'END_SH'
		case $1 in
		pipeline) sort -r numbers | tee >(wc -l >lines) | awk '{ s += $1 } END { print s }'; wait; cat lines ;;
		git) cd repository && git add . && git -c user.name=a -c user.email=b -c commit.gpgsign=false commit -qm x --date=2000-01-01T00:00:00 && git diff-tree --stat -r --root HEAD | tail -n 1 ;;
		python) python3 -c 'import json, subprocess, multiprocessing as m
		if __name__ == "__main__":
		    with m.get_context("fork").Pool(3) as p: print(sum(p.map(abs, range(-1000, 0))))
		    print(subprocess.run(["echo", "child"], capture_output=True).stdout, json.dumps({"a": [1] * 5}))' ;;
		node) node -e 'console.log([...Array(100000).keys()].map(String).sort().slice(0, 3).join())' ;;
		clang) printf 'int main(void) { return 7; }\n' >m.c && clang -O2 m.c -o m && ./m ;;
		perl) perl -e 'my %h; $h{$_ % 977} .= $_ for 1 .. 100000; print length(join "", values %h), "\n"; exit 3' ;;
		xz) xz -1 -c numbers | xz -d | cksum ;;
		sqlite) sqlite3 :memory: 'CREATE TABLE t(a); WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 50000) INSERT INTO t SELECT hex(x) FROM c; CREATE INDEX i ON t(a); SELECT count(*), max(a) FROM t;' ;;
		redis) redis-server --port 0 --unixsocket "$PWD/s" --save '' --daemonize no --logfile /dev/null & for _ in $(seq 200); do redis-cli -s s ping 2>/dev/null && break; sleep 0.1; done
			redis-benchmark -s "$PWD/s" -q -n 2000 -t set,get,lpush >/dev/null && redis-cli -s s dbsize && redis-cli -s s shutdown nosave; wait ;;
		deep) ulimit -s 16384; perl -e 'sub f { my $n = shift; $n ? 1 + f($n - 1) : 0 } no warnings; print f(20000), "\n"' ;;
		esac
	END_SH
	for name in pipeline git python node clang perl xz sqlite redis deep; do
		case $name in
		node | clang | redis) command -v "${name/redis/redis-server}" >/dev/null || {
			echo "# skip $name: not installed" >&3
			continue
		} ;;
		esac
		rm -rf repository/.git lines s && git -C repository init -q
		CODE=0
		bash run.sh $name >alone 2>&1 || CODE=$?
		status=$CODE
		rm -rf repository/.git lines s "$RUN" && git -C repository init -q
		observe -q -d allocations -- bash run.sh $name
		[ "$CODE" -eq "$status" ] || fail "$name: status $CODE, alone $status" "$(cat "$ERR" "$OUT")"
		diff alone <(cat "$OUT" "$ERR") || fail "$name: other output"
		assert_manifest '.diagnostics.allocations | .source == "heap" and .heap.processes > 0'
		jq -e '.diagnostics.allocations.heap | .malformed == 0 and .duplicates == 0 and .events_offered == .events_read + .lost' \
			"$RUN/manifest.json" >/dev/null || fail "$name: $(jq -c '.diagnostics.allocations.heap' "$RUN/manifest.json")"
	done
	assert_equal "$(find /tmp /var/tmp -maxdepth 1 -name 'taskdiag-bpf-*' | sort)" "$before"
}

@test "snapshots: what is live by then, in a run of its own each, while the run goes on (oracle: the program)" {
	local snapshot peak before=0
	OPTIONS=(--exact --snapshot-every 400ms)
	heap_of "$PYTHON" -I -S -c 'import time
kept = []
for _ in range(20):
    kept.append(bytearray(1000000))
    time.sleep(0.1)'
	assert_exact
	[ -d "$RUN.snapshot-2" ] || fail "$(ls)"
	for snapshot in "$RUN".snapshot-*; do
		peak=$(jq .diagnostics.allocations.peak_bytes "$snapshot/manifest.json")
		[ "$peak" -gt "$before" ] || fail "$snapshot: $peak, before $before"
		[ "$peak" -le "$(manifest .diagnostics.allocations.peak_bytes)" ] || fail "$snapshot: $peak"
		before=$peak
		"$TASKDIAG" tree "$snapshot" 3>&- | grep -q '<module>' || fail "$snapshot: no names"
	done
}

@test "SIGUSR1 writes a snapshot of a running process (oracle: its pages)" {
	start_target "$TARGETS/alloc_known" --hold-ms 60000
	wait_for "$PATIENCE" file_has "$SAID" '^ready'
	start_observer -d memory,allocations --pid "$TARGET"
	kill -USR1 "$OBSERVER"
	wait_for "$PATIENCE" test -e "$RUN.snapshot-1/manifest.json"
	jq -e '.diagnostics.allocations | .source == "resident" and .peak_bytes > 140000000' "$RUN.snapshot-1/manifest.json" >/dev/null ||
		fail "$(ls)" "$(cat "$ERR")"
	kill -0 "$OBSERVER"
	stop_observer
	assert_manifest '.task.end == "detached" and .ledger.notes.snapshots_skipped == 0'
}

@test "what costs too much is sampled from then on: said, old blocks stay exact, their frees are seen (oracle: the script)" {
	cat >script.py <<-'END'
		import os, time

		def early():
		    return [bytes(3000) for _ in range(10000)]

		def churn():
		    return [bytes(2000) for _ in range(1000)]

		def late():
		    return [bytes(5000) for _ in range(12000)]

		begin = time.monotonic()
		kept = early()
		while time.monotonic() < begin + 5:
		    churn()
		more = late()
		time.sleep(0.1)
		child = os.fork()
		if not child:
		    del kept
		    os._exit(0)
		os.waitpid(child, 0)
		del kept
		time.sleep(0.1)
	END
	OPTIONS=(--max-overhead 0)
	heap_of "$PYTHON" script.py
	assert_manifest '.diagnostics.allocations | .exact == false and .mode == "sampled" and .heap.sampled_since_s > 1'
	assert_manifest '[.diagnostics.allocations.limits[] | select(contains("--max-overhead"))] | length == 1'
	assert_manifest '.diagnostics.allocations.heap | .residual == 0 and .lost == 0 and .duplicates == 0 and .events_offered == .events_read'
	# bytes(3000) has a head of 33 bytes, the list some 85 kB; of the samples' 60 MB sigma is 2 MB; the child has all again
	awk '/;early \(/ { early += $NF } /;late \(/ { late += $NF } END {
		exit !(early >= 60660000 && early < 61000000 && late > 104000000 && late < 138000000) }' "$RUN/allocations.folded" ||
		fail "$(grep -E 'early|late' "$RUN/allocations.folded")"
	"$TASKDIAG" leaks --json "$RUN" >leaks.json
	run ! grep -q '"early' leaks.json
	OPTIONS=(--exact)
	rm -rf "$RUN"
	heap_of "$PYTHON" script.py
	assert_exact
	assert_manifest '.diagnostics.allocations.heap.sampled_since_s == null'
}
