# shellcheck shell=bash
# shellcheck disable=SC2154 # $work, $tool, $pairs: scripts/bench
# python.bash - the parts of scripts/bench that look at Python. Each prints a table in Markdown.

# Each version of CPython that can be had: parts of a known schedule, by us and by the program's own clocks.
bench_shares_python() {
	local version interpreter program
	printf '| CPython | worst part, points off | walks | incomplete | Python frames without a name |\n|---|---|---|---|---|\n'
	scripts/pythons 2>/dev/null | while IFS=$'\t' read -r version interpreter; do
		[[ $version != \#* && $version != *t ]] || continue
		program=$PWD/tests/targets/python/schedule.py
		rm -rf "$work/run"
		if [[ $interpreter == chroot* ]]; then
			read -r _ root _ <<<"$interpreter"
			cp "$program" "$root/tmp/schedule.py"
			program=/tmp/schedule.py
		fi
		# shellcheck disable=SC2086 # words of a command
		"$tool" -q -d profile -F 999 -o "$work/run" -- $interpreter "$program" --seconds 10 >"$work/said"
		python3 scripts/bench.d/python_shares.py "$work/run" "$work/said" "$version ($interpreter)"
	done
}

bench_frames_python() {
	python3 scripts/bench.d/python_frames.py "$tool" "$work" 200
}

bench_slowdown_python() {
	python3 scripts/bench.d/python_slowdown.py "$tool" "$work" "$pairs"
}
