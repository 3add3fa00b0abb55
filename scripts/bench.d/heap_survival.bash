# shellcheck shell=bash
# shellcheck disable=SC2154 # $work, $tool, $targets, $pairs, $build: scripts/bench
# heap_survival.bash - the parts of scripts/bench that ask whether programs live under the malloc shim, and
# whether what is said of their heap is true. Each prints a table in Markdown.

# The cases of tests/e2e/heap_survival.bats, twenty times each.
bench_survival_heap() {
	local log=$work/survival rounds=${ROUNDS:-20}
	: >"$log"
	TASKDIAG_BUILD=$build HEAP_SURVIVAL_ROUNDS=$rounds HEAP_SURVIVAL_LOG=$log \
		bats --formatter tap tests/e2e/heap_survival.bats >"$work/survival.tap" </dev/null || true
	grep -E '^(not ok|# |ok .*# skip)' "$work/survival.tap" || true
	echo "| case | runs | exact | incomplete, and why | events lost | residual, most |"
	echo "|---|---|---|---|---|---|"
	awk -F '\t' '
	!($1 in runs) { order[++cases] = $1 }
	{
		runs[$1]++
		if ($2 == "exact") exact[$1]++
		else if ($2 == "incomplete") {
			gsub(/[0-9]+ /, "", $8)
			if (!index(why[$1], $8)) why[$1] = why[$1] (why[$1] ? "; " : "") $8
			incomplete[$1]++
		}
		lost[$1] += $4
		if ($6 > residual[$1]) residual[$1] = $6
	}
	END {
		for (i = 1; i <= cases; i++) {
			c = order[i]
			printf "| %s | %d | %d | %s | %d | %d |\n", c, runs[c], exact[c],
				incomplete[c] ? incomplete[c] ": " why[c] : "–", lost[c], residual[c]
		}
	}' "$log"
	grep -E '^(ok|not ok) ' "$work/survival.tap" | awk '{ n[$1 == "ok"]++ } END { printf "\n%d tests passed, %d failed\n", n[1], n[0] }'
}

# 10 million allocations flat out with rings of 4 KiB, beside an observer that is stopped again and again.
bench_starved_heap() {
	local rounds=${ROUNDS:-20} mallocs=${MALLOCS:-10000000} threads i pid
	echo "| threads | rounds | with a loss | called exact with one | residual not 0 | offered ≠ read + lost | lost, of offered |"
	echo "|---|---|---|---|---|---|---|"
	for threads in 1 4 16; do
		: >"$work/starved"
		for ((i = 0; i < rounds; i++)); do
			rm -rf "$work/run"
			TASKDIAG_SHIM=ring=4 "$tool" -q -d allocations -o "$work/run" -- "$targets/heap_survival_flat" $threads "$mallocs" \
				>"$work/said" &
			pid=$!
			starve "$pid"
			wait "$pid" || echo "threads $threads, round $i: status $?"
			jq -r '.diagnostics.allocations | [.heap.lost + .heap.lost_no_ring, .exact, .heap.residual, .heap.events_offered,
				.heap.events_read + .heap.lost] | @tsv' "$work/run/manifest.json" >>"$work/starved"
		done
		awk -F '\t' -v threads=$threads '
		{ n++; loss += $1 > 0; wrong += $1 > 0 && $2 == "true"; residual += $3 > 0; apart += $4 != $5; lost += $1; offered += $4 }
		END { printf "| %d | %d | %d | %d | %d | %d | %.2f %% |\n", threads, n, loss, wrong, residual, apart, 100 * lost / offered }' "$work/starved"
	done
}

# A thread waits a second for room before an event is lost. A pid that is no longer our child is left alone.
starve() {
	sleep 0.5
	while [ "$(ps -o ppid= -p "$1" | tr -d ' ')" = $$ ]; do
		kill -STOP "$1" 2>/dev/null || return 0
		sleep 1.2
		kill -CONT "$1" 2>/dev/null || return 0
		sleep 0.3
	done
}

bench_sampling_heap() {
	python3 scripts/bench.d/heap_sampling.py "$tool" "$targets" "$work" "${ROUNDS:-100}"
}
