# shellcheck shell=bash
# shellcheck disable=SC2154 # $work, $tool, $targets, $pairs: scripts/bench
# allocations.bash - the parts of scripts/bench that look at allocations. Each prints a table in Markdown.

bench_slowdown_allocations() {
	python3 scripts/bench.d/allocations_slowdown.py "$tool" "$targets" "$work" "$pairs"
}

bench_truth_allocations() {
	python3 scripts/bench.d/allocations_truth.py "$tool" "$targets" "$work" 5
}

# Alone, with every allocation told, sampled without a hit (a gap of 1 GiB), sampled: medians of as many runs
bench_pairs_allocations() {
	local mode options
	for mode in alone exact "sampled, no hit" sampled; do
		case $mode in
		exact) options=(--exact) ;;
		"sampled, no hit") options=(--sample-bytes 1G) ;;
		sampled) options=(--sample-bytes 512K) ;;
		esac
		for ((i = 0; i < pairs; i++)); do
			rm -rf "$work/run"
			if [ "$mode" = alone ]; then
				"$targets/heap_pairs"
			else
				"$tool" -q -d allocations "${options[@]}" -o "$work/run" -- "$targets/heap_pairs"
			fi
		done | awk '{ print $2 }' | median | sed "s/^/a pair of malloc and free, $mode: /; s/\$/ ns/"
	done
}

# From exec to exit of the observer of `true`
bench_start_allocations() {
	local which
	for which in memory memory,profile memory,profile,allocations; do
		for ((i = 0; i < pairs; i++)); do
			rm -rf "$work/run"
			timed "$tool" -q -d "$which" -o "$work/run" -- true
		done | awk '{ print $1 }' | median | sed "s/^/-d $which -- true: /; s/\$/ s/"
	done
}
