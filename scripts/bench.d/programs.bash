# shellcheck shell=bash
# shellcheck disable=SC2016 # single quotes hold what other programs expand
# shellcheck disable=SC2034 # all_programs, bench_port: profile.bash
# shellcheck disable=SC2154 # $work, $targets: scripts/bench
# programs.bash - real programs that scripts/bench observes: endless, or of more work than is looked at.
#
#	program NAME	sets $command, or $missing: why it cannot be run
#	start_program NAME	runs it: $program_pid; redis gets its load; 5 minutes of CPU at most
#	stop_program

all_programs="jq xz sqlite3 python3 redis git threads exceptions clang node"
bench_port=16399
program_pid='' load_pid=''

have() {
	local name
	for name; do
		command -v "$name" > /dev/null || { missing="$name: not installed"; return 1; }
	done
}

# A C++ file that keeps clang -O2 busy for half a minute.
write_source() {
	[ -e "$work/many.cc" ] || awk 'BEGIN {
		print "#include <algorithm>\n#include <map>\n#include <string>\n#include <vector>"
		print "template <int N> struct item { int v[N % 7 + 1]; bool operator<(const item &o) const { return v[0] < o.v[0]; } };"
		print "template <int N> int f(const std::string &s) {\n\tstd::map<std::string, item<N>> m;\n\tstd::vector<item<N>> v(s.size() + N);"
		print "\tfor (auto &i : v) { i.v[0] = s[N % 3] * N; m[s + std::to_string(i.v[0])] = i; }"
		print "\tstd::sort(v.begin(), v.end());\n\treturn v[0].v[0] + m.begin()->second.v[0];\n}"
		print "int main(int n, char **a) {\n\tint sum = 0;"
		for (i = 0; i < 1500; i++)
			print "\tsum += f<" i ">(a[0]);"
		print "\treturn sum;\n}" }' > "$work/many.cc"
}

write_numbers() {
	[ -e "$work/numbers" ] || seq 20000000 > "$work/numbers"
	[ -e "$work/shuffled" ] || {
		awk 'BEGIN { srand(1); for (i = 0; i < 200000; i++) print int(rand() * 200000) }' > "$work/shuffled"
		seq 200000 > "$work/sorted"
	}
}

python_work='
import json, sys, mmap, struct
data = [{"a": [i, str(i), i / 3]} for i in range(20)]
def convert(d): return json.loads(json.dumps(d, indent=1))
def work(d): return sorted(convert(d), key=lambda x: -x["a"][0])
count, progress = 0, None
if len(sys.argv) > 1:
    with open(sys.argv[1], "r+b") as f: progress = mmap.mmap(f.fileno(), 8)
while True:
    work(data)
    count += 1
    if progress: progress[:8] = struct.pack("<q", count)
'

program() {
	missing=
	command=()
	case $1 in
	jq) have jq && command=(jq -n 'last(range(1e12) | {a: ., b: tostring} | tojson | fromjson | .b | length)') ;;
	xz) have xz && write_numbers && command=(xz -6 -k -c "$work/numbers") ;;
	sqlite3) have sqlite3 && command=(sqlite3 :memory: 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT
		1000000000) SELECT sum(length(replace(hex(x * 7919), "1", "one") || printf("%d-%s", x, x))) FROM c;') ;;
	python3) have /usr/bin/python3 && command=(/usr/bin/python3 -c "$python_work") ;;
	redis) have redis-server redis-benchmark && command=(redis-server --port "$bench_port" --bind 127.0.0.1 --save '' --appendonly no) ;;
	git) have git && write_numbers && command=(git --no-pager diff --no-index --minimal --stat "$work/sorted" "$work/shuffled") ;;
	threads) command=("$targets/profile_threads" --ms 5000) ;;
	exceptions) command=("$targets/profile_exceptions" --ms 300000) ;;
	clang) # the compiler itself: the driver runs it as a child
		have clang++ && write_source && eval "command=($(clang++ -O2 -c "$work/many.cc" -o /dev/null -'###' 2>&1 | tail -n 1))" ;;
	node) have node && command=(node -e 'const words = [...Array(2000).keys()].map(i => "w" + i % 97);
		function count(list) { const m = new Map(); for (const w of list) m.set(w, (m.get(w) || 0) + 1); return m; }
		function order(m) { return [...m].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)); }
		for (;;) order(count(words));') ;;
	esac
	[ -z "$missing" ]
}

# sqlite3, jq and git are measured on the CPU alone: their output is dropped.
start_program() {
	program "$1" || return 1
	( cd "$work" && ulimit -t 300 && exec "${command[@]}" > /dev/null 2>&1 ) &
	program_pid=$!
	load_pid=
	[ "$1" = redis ] || return 0
	until redis-cli -p "$bench_port" ping > /dev/null 2>&1; do sleep 0.05; done
	redis-benchmark -q -p "$bench_port" -l -c 20 -P "${PIPELINE:-8}" -r 100000 -n 200000 -t set,get,lpush,zadd > /dev/null 2>&1 &
	load_pid=$!
}

stop_program() {
	local pid
	for pid in $load_pid $program_pid; do
		kill -KILL "$pid" 2> /dev/null || true
		wait "$pid" 2> /dev/null || true
	done
	load_pid='' program_pid=''
}
