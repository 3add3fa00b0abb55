# shellcheck shell=bash
# shellcheck disable=SC2154 # tool, targets and work are scripts/bench's
# ci.bash - is the verdict of a job right? A program with an allocation regression that a flag seeds, in C and in Python: with the
# budget of docs/ci.md every seeded job has to fail and name the function with its line, and no other may. The same of diff
# with a rule, each run against the first one. SEEDED=20 and CLEAN=50: how often.

ci_budget() {
	awk '/^```ini/ { inside = 1; next } /^```/ { inside = 0 } inside && /^# budget.ini/ { taken = 1 }
		inside && taken { print } !inside && taken { exit }' docs/ci.md
}

# LANGUAGE COMMAND…: a row of the table
ci_row() {
	local language=$1 seeded=${SEEDED:-20} clean=${CLEAN:-50} i status over=0 named=0 alarms=0 grown=0 diff_alarms=0
	shift
	rm -rf "$work/first"
	for ((i = 0; i <= clean; i++)); do
		rm -rf "$work/run"
		status=0
		"$tool" ci -q --budget "$work/budget.ini" -o "$work/run" --report "json=$work/v.json" -- "$@" >/dev/null 2>&1 || status=$?
		[ "$status" -eq 0 ] || { alarms=$((alarms + 1)) && jq -c '[.failed, .verdicts[] | select(.verdict != "within") | .sentence]' "$work/v.json"; }
		[ -d "$work/first" ] || { mv "$work/run" "$work/first" && continue; }
		"$tool" diff --format json --fail-on peak+10% --fail-on leaked+5M "$work/first" "$work/run" >/dev/null 2>&1 || diff_alarms=$((diff_alarms + 1))
	done
	for ((i = 0; i < seeded; i++)); do
		rm -rf "$work/run"
		status=0
		"$tool" ci -q --budget "$work/budget.ini" -o "$work/run" --report "json=$work/v.json" -- "$@" --seeded >/dev/null 2>&1 || status=$?
		[ "$status" -ne 3 ] || over=$((over + 1))
		jq -e 'any(.verdicts[] | select(.verdict == "over") | .places[]; .stack | test("cache_rows \\(ci_regression\\.(c|py):[0-9]+\\)"))' \
			"$work/v.json" >/dev/null && named=$((named + 1))
		status=0
		"$tool" diff --format json --fail-on peak+10% --fail-on leaked+5M "$work/first" "$work/run" >"$work/d.json" 2>/dev/null || status=$?
		[ "$status" -ne 3 ] || grown=$((grown + 1))
	done
	echo "| $language | $over of $seeded | $named of $seeded | $alarms of $((clean + 1)) | $grown of $seeded | $diff_alarms of $clean |"
}

bench_ci_verdicts() {
	ci_budget >"$work/budget.ini"
	echo "| program | seeded: over | function and line named | not seeded: alarms | diff, seeded: over | diff, not seeded: alarms |"
	echo "|---|---|---|---|---|---|"
	ci_row C "$targets/ci_regression"
	ci_row Python /usr/bin/python3 tests/targets/ci_regression.py
}
