#!/usr/bin/env bats
# ci.bats - budgets: ci, check, diff with rules; the recipes of docs/ci.md, run as they stand there.
# Oracles: programs that know what they hold (tests/targets/ci_regression.*), exit statuses of
# docs/ci.md, jq, xmllint, GNU time.

load helpers

SEEDED_C=$TARGETS/ci_regression
SEEDED_PY=$ROOT/tests/targets/ci_regression.py

# judge ARG…: taskdiag-bpf with the arguments: $CODE, $OUT, $ERR.
judge() {
	CODE=0
	timeout --foreground 120 "$TASKDIAG" "$@" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
}

# judge_as WHO… -- ARG…: the same, behind setpriv.
judge_as() {
	local who=()
	while [ "$1" != -- ]; do
		who+=("$1")
		shift
	done
	shift
	CODE=0
	timeout --foreground 120 setpriv "${who[@]}" "$TASKDIAG" "$@" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
}

AS_NOBODY=(--reuid "$NOBODY" --regid "$NOBODY" --clear-groups)

judged_as() {
	[ "$CODE" -eq "$1" ] || fail "status $CODE, should be $1:" "$(cat "$OUT" "$ERR")"
}

budget() {
	printf '%s\n' "$@" >budget.ini
}

# block NAME: the fenced block of docs/ci.md that begins with the comment # NAME.
block() {
	awk -v name="# $1" '
		/^```/ { inside = !inside; first = inside; next }
		inside && first { taken = $0 == name; first = 0 }
		inside && taken { print; found = 1 }
		END { exit !found }' "$ROOT/docs/ci.md"
}

# place ARG…: a checkout as the recipes want it: budget.ini and a program ./tests, which has the arguments.
place() {
	block budget.ini | cat >./budget.ini
	printf '#!/bin/sh\nexec "%s" %s\n' "$SEEDED_C" "$*" >tests
	chmod +x tests
	mkdir -p bin
	ln -sf "$TASKDIAG" bin/taskdiag-bpf
	PATH=$PWD/bin:$PATH
}

# recipe COMMAND: as a shell of a job runs it.
recipe() {
	CODE=0
	timeout --foreground 120 sh -e -c "$1" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
}

gitlab_script() {
	block .gitlab-ci.yml | sed -n 's/^    - \(taskdiag-bpf .*\)/\1/p'
}

github_run() {
	block .github/workflows/memory.yml | sed -n 's/^      - run: sudo --preserve-env=GITHUB_STEP_SUMMARY \(.*\)/\1/p'
}

@test "a program within its budget passes, to the byte (oracle: what it holds)" {
	budget "[task]" "heap-peak = 24M" "leaked = 0" "processes = 1" "wall = 60s" "peak-rss = 100M"
	judge ci --budget budget.ini -o "$RUN" --report json=v.json -- "$SEEDED_C"
	judged_as 0
	jq -e '.verdict == "within" and (.verdicts | length) == 5 and all(.verdicts[]; .verdict == "within")' v.json
	jq -e '.verdicts[] | select(.measure == "heap-peak") | .measured.value == 24 * 1048576' v.json
	assert_whole_run "$RUN"
}

@test "a seeded C program fails, and its function and line are named (oracle: its source)" {
	budget "[task]" "heap-peak = 30M"
	judge ci --budget budget.ini -o "$RUN" --report json=v.json -- "$SEEDED_C" --seeded
	judged_as 3
	grep -q '^over .*40.0 MiB; budget 30.0 MiB: over by 10.0 MiB' "$OUT" || fail "$(cat "$OUT")"
	line=$(grep -n 'cached\[i\] = filled' "$ROOT/tests/targets/ci_regression.c" | cut -d: -f1)
	jq -e --arg at "cache_rows (ci_regression.c:$line)" \
		'[.verdicts[0].places[] | select(.stack | contains($at)) | .value] | add == 16 * 1048576' v.json ||
		fail "cache_rows is not named:" "$(cat v.json)"
}

@test "a seeded Python program fails, and its function and line are named (oracle: its source)" {
	budget "[task]" "heap-peak = 36M" "[function cache_rows]" "heap-peak = 8M"
	judge ci --budget budget.ini -o plain -- "$PYTHON" "$SEEDED_PY"
	judged_as 0
	judge ci --budget budget.ini -o "$RUN" --report json=v.json -- "$PYTHON" "$SEEDED_PY" --seeded
	judged_as 3
	line=$(grep -n 'cache.append' "$SEEDED_PY" | cut -d: -f1)
	jq -e --argjson line "$line" --arg file "$SEEDED_PY" 'all(.verdicts[]; .verdict == "over") and
		any(.verdicts[0].places[]; .function == "cache_rows" and .file == $file and .line == $line)
		and .verdicts[1].places[0].line == $line' v.json || fail "$(cat v.json)"
}

@test "check says of a run what ci said (oracle: ci)" {
	budget "[task]" "heap-peak = 30M" "peak-rss = 100M"
	judge ci --budget budget.ini -o "$RUN" --report json=ci.json -- "$SEEDED_C" --seeded
	judged_as 3
	judge check --budget budget.ini --format json "$RUN"
	judged_as 3
	diff <(jq -S . ci.json) <(jq -S . "$OUT")
}

@test "verdicts are the same without a locale, as jobs have none (oracle: C.UTF-8)" {
	local format
	budget "[task]" "heap-peak = 1M"
	judge ci --budget budget.ini -o "$RUN" -- "$SEEDED_C"
	for format in text markdown junit github gitlab json; do
		LC_ALL=C judge check --budget budget.ini --format $format "$RUN"
		judged_as 3
		cp "$OUT" "$format"
		judge check --budget budget.ini --format $format "$RUN"
		cmp "$OUT" "$format"
	done
	grep -q ' ← load_rows' text
}

@test "a run that lacks a diagnostic is not measurable, by its name; what is over still counts" {
	observe_well -d memory -- "$SEEDED_C"
	budget "[task]" "peak-rss = 100M" "heap-peak = 1M"
	judge check --budget budget.ini "$RUN"
	judged_as 4
	grep -q '^not measurable .*no allocations diagnostic' "$OUT"
	budget "[task]" "peak-rss = 1M" "heap-peak = 1M"
	judge check --budget budget.ini "$RUN"
	judged_as 3
}

@test "the CPU time of a function counts, and of one that is not there it is asked whether the name is right" {
	budget "[function burn]" "cpu = 100ms" "[function brun]" "cpu = 100ms"
	judge ci --budget budget.ini -o "$RUN" --report json=v.json -- "$SEEDED_C" --spin-ms 800
	judged_as 3
	jq -e '.verdicts[0].verdict == "over" and (.verdicts[0].places | length) > 0
		and .verdicts[1].verdict == "within" and (.verdicts[1].note | contains("is the name right"))' v.json
}

@test "a budget with a mistake runs nothing, and its line is told" {
	budget "[task]" "peek-rss = 5M"
	judge ci --budget budget.ini -o "$RUN" -- touch ran
	judged_as 2
	grep -q 'budget.ini:2: peek-rss: not known; there is: peak-rss, ' "$ERR" || fail "$(cat "$ERR")"
	[ ! -e ran ]
	[ ! -e "$RUN" ]
	judge ci --budget absent.ini -- true
	judged_as 2
	judge ci -- true
	judged_as 2
	judge ci --budget "$BATS_TEST_TMPDIR" -- true
	judged_as 2
}

@test "options that cannot be are refused before anything runs" {
	local bad
	budget "[task]" "wall = 60s"
	for bad in --runs=0 --runs=x --runs=1001 --format=xml --report=junit --report=xml=f --report=junit=; do
		judge ci --budget budget.ini "$bad" -o "$RUN" -- touch ran
		judged_as 2
	done
	for bad in peak peak+ heap+1M peak+10s; do
		judge diff --fail-on "$bad" "$RUN" "$RUN"
		judged_as 2
	done
	judge check --budget budget.ini
	judged_as 2
	judge ci --budget budget.ini
	judged_as 2
	[ ! -e ran ]
}

@test "a command's own failure is its status, is said, and stands in every report" {
	budget "[task]" "wall = 60s"
	judge ci --budget budget.ini -o "$RUN" --report junit=j.xml --report json=v.json -- sh -c 'exit 7'
	judged_as 7
	grep -q 'not judged: the command ended with status 7' "$OUT"
	jq -e '.verdict == "failed"' v.json
	xmllint --noout j.xml
	assert_equal "$(xmllint --xpath 'string(//testcase/error/@message)' j.xml)" "the command ended with status 7"
	judge ci --budget budget.ini -o signal -- sh -c 'kill -TERM $$'
	judged_as 143
	judge ci --runs 3 --budget budget.ini -o several -- sh -c 'exit 9'
	judged_as 9
	grep -q 'in run 1 of 3' "$OUT"
	[ ! -e several/run-2 ]
	judge ci --budget budget.ini -o gone -- ./no-such-command
	judged_as 127
	mkdir there
	judge ci --runs 2 --budget budget.ini -o there --report json=v.json -- true
	judged_as 125
	jq -e '.verdict == "failed"' v.json
}

@test "a job that is stopped is not judged, and its status is the signal's" {
	budget "[task]" "wall = 60s"
	background "$TASKDIAG" ci --budget budget.ini -o "$RUN" -- sh -c 'echo "pid $$" >there; exec sleep 100' >"$OUT" 2>"$ERR"
	wait_for "$PATIENCE" file_has there pid
	kill -TERM $!
	end_of $!
	judged_as 143
	grep -q 'not judged' "$OUT"
}

@test "--runs judges the median and tells the spread; the runs are there" {
	budget "[task]" "heap-peak = 30M" "peak-rss = 100M"
	judge ci --runs 3 --budget budget.ini -o "$RUN" --report json=v.json -- "$SEEDED_C"
	judged_as 0
	grep -q 'median of 3 runs' "$OUT"
	jq -e 'all(.verdicts[].measured; .runs == 3 and .min <= .value and .value <= .max)' v.json
	for i in 1 2 3; do
		assert_whole_run "$RUN/run-$i"
	done
	judge check --budget budget.ini --format json "$RUN"
	judged_as 0
	diff <(jq -S . v.json) <(jq -S . "$OUT")
}

@test "diff with a rule fails beyond it, and names the stack, its line and its share (oracle: the source)" {
	budget "[task]" "heap-peak = 100M"
	judge ci --budget budget.ini -o base -- "$SEEDED_C"
	judge ci --budget budget.ini -o head -- "$SEEDED_C" --seeded
	judge diff --fail-on peak+10% --fail-on leaked+5M --report json=v.json base head
	judged_as 3
	grep -q '^change  +16.0 MiB' "$OUT"
	jq -e '[.verdicts[] | select(.verdict == "over") | .measure] == ["heap-peak", "leaked"]' v.json
	jq -e '.verdicts[0] | .measured.value - .base.value == 16 * 1048576 and .noise == 0
		and any(.places[]; (.stack | contains("cache_rows (ci_regression.c:")) and .share > 0.7)' v.json ||
		fail "$(cat v.json)"
	judge diff --fail-on peak+70% --fail-on peak+1M base head
	judged_as 2
	judge diff --fail-on peak+70% base head
	judged_as 0
	judge diff --fail-on peak+0 head base
	judged_as 0
	# without a rule it is what it was
	judge diff base head
	judged_as 0
	run ! grep -q 'no rule' "$OUT"
}

@test "a difference below the noise of repeated runs is near, not over (oracle: runs that differ by chance)" {
	budget "[task]" "heap-peak = 100M"
	# shellcheck disable=SC2016 # the program's own
	printf '#!/bin/sh\nn=$(cat n); echo $((n + 1)) >n\nexec "%s" $([ "$n" = 1 ] && echo --seeded)\n' "$SEEDED_C" >varies
	chmod +x varies
	echo 0 >n
	judge ci --runs 3 --budget budget.ini -o base -- ./varies
	judged_as 0
	judge ci --runs 3 --budget budget.ini -o head -- "$SEEDED_C" --seeded
	judge diff --fail-on peak+10% --format json base head
	judged_as 0
	jq -e '.verdicts[0] | .verdict == "near" and .noise == 16 * 1048576' "$OUT" || fail "$(cat "$OUT")"
}

@test "a rule about RSS needs no allocations, one about the heap is not measurable without" {
	observe_well -d memory -- "$SEEDED_C"
	mv "$RUN" base
	observe_well -d memory -- "$SEEDED_C" --seeded
	judge diff --fail-on rss+20% base "$RUN"
	judged_as 3
	grep -q '^over  *peak RSS .* was ' "$OUT" || fail "$(cat "$OUT")"
	judge diff --fail-on rss+200% --fail-on faults+1000000 base "$RUN"
	judged_as 0
	judge diff --fail-on rss+200% --fail-on peak+1% base "$RUN"
	judged_as 4
	judge diff --fail-on rss+200% --json base "$RUN"
	judged_as 1
	grep -q 'has no allocations' "$ERR"
}

@test "JUnit, GitLab and JSON parse, whatever the task is called (oracle: xmllint, jq)" {
	local name=$'a"<b>&\'`|]]>\n::error::x\e[31m'
	cp "$SEEDED_C" "$name"
	budget "[task]" "heap-peak = 1M" "cpu = 60s" "[function main]" "heap-peak = 1M"
	judge ci --budget budget.ini -o "$RUN" --report junit=j.xml --report gitlab=g.json --report json=v.json \
		--report markdown=m.md --report github=a.txt --report text=t.txt -- "./$name"
	judged_as 3
	xmllint --noout j.xml
	assert_equal "$(xmllint --xpath 'count(//testcase)' j.xml)" 3
	assert_equal "$(xmllint --xpath 'string(/testsuites/testsuite/@failures)' j.xml)" 2
	assert_equal "$(xmllint --xpath 'count(//testcase/failure)' j.xml)" 2
	jq -e 'length == 2 and all(.[]; .severity == "major" and (.location.lines.begin > 0) and (.location.path | length) > 0)
		and ([.[].fingerprint] | unique | length) == 2' g.json
	jq -e .format v.json
	run ! grep -q '^::error::x' a.txt t.txt "$OUT"
	assert_equal "$(grep -c '^::error file=' a.txt)" 2
	run ! grep -q '<b>' m.md
	for file in m.md a.txt t.txt "$OUT"; do
		assert_no_control_characters "$file"
	done
}

@test "without capabilities: what is missing is named, and what wait4 tells is judged (oracle: GNU time)" {
	local kib
	new_place
	chmod 0777 "$PLACE"
	cd "$PLACE"
	cp "$SEEDED_C" seeded && cp "$TARGETS/toucher" toucher # nobody need not reach the build
	budget "[task]" "peak-rss = 200M" "wall = 60s" "cpu = 60s" "faults = 1000000" "processes = 1"
	judge_as "${AS_NOBODY[@]}" -- ci --budget budget.ini --report json=v.json -- ./seeded
	judged_as 0
	grep -q 'memory, profile.*: refused here: .*CAP_BPF missing' "$OUT" || fail "$(cat "$OUT")"
	grep -q 'peak RSS of its largest process' "$OUT"
	kib=$(/usr/bin/time -f %M ./seeded 2>&1)
	assert_within_permille 100 "$(jq '.verdicts[0].measured.value / 1024 | floor' v.json)" "$kib"
	budget "[task]" "peak-rss = 100M" "heap-peak = 1M"
	judge_as "${AS_NOBODY[@]}" -- ci --budget budget.ini -- ./toucher --mib 200
	judged_as 3
	grep -q '^not measurable .*heap at the peak .*CAP_BPF missing' "$OUT"
}

@test "without capabilities several processes have no known sum: only the largest can be over" {
	new_place
	chmod 0777 "$PLACE"
	cd "$PLACE"
	cp "$SEEDED_C" seeded && cp "$TARGETS/toucher" toucher # nobody need not reach the build
	local shape
	# children that are waited for; an orphan
	for shape in './seeded; true' "(sleep 1 &) ; true"; do
		budget "[task]" "peak-rss = 200M"
		judge_as "${AS_NOBODY[@]}" -- ci --budget budget.ini -- sh -c "$shape"
		judged_as 4
		grep -q 'there were others' "$OUT" || fail "$(cat "$OUT")"
	done
	budget "[task]" "peak-rss = 100M"
	judge_as "${AS_NOBODY[@]}" -- ci --budget budget.ini -- sh -c './toucher --mib 200; true'
	judged_as 3
}

@test "the command's failure is its status without BPF as well" {
	new_place
	chmod 0777 "$PLACE"
	cd "$PLACE"
	budget "[task]" "wall = 60s"
	judge_as "${AS_NOBODY[@]}" -- ci --budget budget.ini -- sh -c 'exit 5'
	judged_as 5
	judge_as "${AS_NOBODY[@]}" -- ci --budget budget.ini -- ./no-such-command
	judged_as 127
	grep -q 'no-such-command: No such file or directory' "$ERR"
}

@test "with memory's rights only: memory is judged, the rest is not measurable by what is missing (docs/ci.md)" {
	budget "[task]" "peak-rss = 100M" "cpu = 60s" "heap-peak = 100M"
	judge_as --inh-caps=-all --bounding-set=-all,+bpf,+perfmon -- ci --budget budget.ini -o "$RUN" --report json=v.json -- "$SEEDED_C"
	judged_as 4
	grep -q '^memory: works here' "$OUT"
	grep -q '^profile, allocations: refused here: inspection worker' "$OUT"
	jq -e '[.verdicts[].verdict] == ["within", "not-measurable", "not-measurable"]' v.json
}

@test "with the capabilities of docs/ci.md every limit is measured" {
	budget "[task]" "peak-rss = 100M" "cpu = 60s" "heap-peak = 100M"
	judge_as --inh-caps=-all --bounding-set=-all,+bpf,+perfmon,+setuid,+setgid,+checkpoint_restore -- ci --budget budget.ini -o "$RUN" -- "$SEEDED_C"
	judged_as 0
}

@test "the recipe of GitLab CI fails when the regression is there and passes when not" {
	place --seeded
	assert_equal "$(gitlab_script | wc -l)" 1
	recipe "$(gitlab_script)"
	judged_as 3
	xmllint --noout taskdiag.xml
	jq -e 'length > 0' taskdiag.json
	grep -q cache taskdiag.md
	rm -rf run
	place
	recipe "$(gitlab_script)"
	judged_as 0
	jq -e 'length == 0' taskdiag.json
}

@test "the recipe of GitHub Actions annotates the line, and fills the summary" {
	place --seeded
	assert_equal "$(github_run | wc -l)" 1
	export GITHUB_STEP_SUMMARY=$PWD/summary.md
	echo before >summary.md
	recipe "$(github_run)"
	judged_as 3
	grep -q '^::error file=.*ci_regression.c,line=[0-9]*,title=over heap at the peak::' "$OUT" || fail "$(cat "$OUT")"
	assert_equal "$(head -n 1 summary.md)" before
	grep -q '^| ❌ over | heap at the peak' summary.md
	rm -rf run
	place
	recipe "$(github_run)"
	judged_as 0
	run ! grep -q '^::error' "$OUT"
}

@test "the recipe of a Makefile: a budget, and a difference of repeated runs" {
	place --seeded
	block Makefile | cat >./Makefile
	recipe "make -s memory"
	[ "$CODE" -eq 2 ] # make's own
	grep -q 'over budget' "$OUT"
	rm -rf run
	place
	recipe "make -s memory && make -s memory-base && make -s memory-diff"
	judged_as 0
	rm -rf head
	printf '#!/bin/sh\nexec "%s" --seeded-mib 4\n' "$SEEDED_C" >tests
	recipe "make -s memory-diff"
	[ "$CODE" -eq 2 ]
	grep -q '^grown too much' "$OUT" || fail "$(cat "$OUT" "$ERR")"
}
