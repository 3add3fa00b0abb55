# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034 # single quotes hold what another shell expands; load_pid is stop_program's
# shellcheck disable=SC2154 # $work, $targets, $tool, $build, $pairs, $here: scripts/bench
# profile.bash - the parts of scripts/bench that look at the profile. Each prints a table in Markdown.
#
# BENCH_SECONDS: how long each program is looked at (default: 5); BENCH_SAMPLES: of all programs against libdw (default: 10000)

seconds=${BENCH_SECONDS:-5}
samples=${BENCH_SAMPLES:-10000}

# walks_of FILE…: "complete all worst", worst: how the incomplete ones ended
walks_of() {
	jq -rs '[.[].diagnostics.profile.stacks | del(.none, .with_guessed_frames, .overflowed, .read_from_outside)] |
		map(to_entries[]) | group_by(.key) | map({key: .[0].key, value: ([.[].value] | add)}) | from_entries |
		"\(.complete) \([.[]] | add) \(del(.complete) | to_entries | map(select(.value > 0) | "\(.key) \(.value)") |
		if length > 0 then join(", ") else "–" end)"' "$@"
}

percent() { # PART WHOLE
	awk -v part="$1" -v whole="$2" 'BEGIN { if (whole > 0) printf "%.2f", int(part / whole * 10000) / 100; else printf "not measured" }'
}

# look HZ SECONDS RUN: at the running program
look() {
	"$tool" -q -d profile -F "$1" --no-children --duration "$2s" -o "$3" --pid "$program_pid" 2> "$work/said" ||
		echo "bench: $(cat "$work/said")" >&2
}

bench_complete() {
	local name i bar fast slow first complete all worst incomplete
	printf '| program | bar | attached, 999 Hz | 99 Hz | from its first instruction, 999 Hz | how the others ended |\n|---|---|---|---|---|---|\n'
	for name in $all_programs; do
		rm -rf "$work"/run*
		bar=99.9
		case $name in exceptions | clang | node) bar=99.5 ;; esac
		start_program "$name" || { printf '| %s | | not measured: %s | | | |\n' "$name" "$missing"; continue; }
		sleep 1
		look 999 "$seconds" "$work/run999"
		look 99 "$((seconds * 2))" "$work/run99"
		stop_program
		incomplete=
		read -r complete all worst < <(walks_of "$work/run999/manifest.json")
		fast="$(percent "$complete" "$all") % of $all" incomplete="999 Hz: $worst"
		read -r complete all worst < <(walks_of "$work/run99/manifest.json")
		slow="$(percent "$complete" "$all") % of $all"
		[ "$worst" = – ] || incomplete="$incomplete; 99 Hz: $worst"
		first="not measured: idle without load"
		if [ "$name" != redis ]; then
			for i in 1 2 3; do # a second each; nothing stands between us and the program
				(cd "$work" && "$tool" -q -d profile -F 999 --duration 1s -o "run-$i" -- "${command[@]}") > /dev/null 2>&1 || true
				first=$(jq -r .task.id "$work/run-$i/manifest.json") # NAME-PID
				kill "${first##*-}" 2> /dev/null || true
			done
			read -r complete all worst < <(walks_of "$work"/run-?/manifest.json)
			first="$(percent "$complete" "$all") % of $all"
			[ "$worst" = – ] || incomplete="$incomplete; started: $worst"
		fi
		printf '| %s | %s %% (started 99.5) | %s | %s | %s | %s |\n' "$name" "$bar" "$fast" "$slow" "$first" "$incomplete"
	done
}

bench_same() {
	local name each
	local -A n
	each=$((samples / $(wc -w <<< "$all_programs")))
	: > "$work/same"
	: > "$work/differences"
	printf '| program | samples | same | ours longer | ours shorter | differ | ours complete | libdw complete | copy of the stack too short |\n'
	printf '|---|---|---|---|---|---|---|---|---|\n'
	for name in $all_programs; do
		start_program "$name" || { printf '| %s | not measured: %s | | | | | | | |\n' "$name" "$missing"; continue; }
		sleep 1
		# the end is the end of the program, for one that does not give enough samples
		( sleep 60; kill -KILL "$program_pid" 2> /dev/null ) &
		local alarm=$!
		"$build/unwind_compare" -n "$each" --pid "$program_pid" > "$work/compared" 2>&1 || true
		kill "$alarm" 2> /dev/null || true
		wait "$alarm" 2> /dev/null || true
		stop_program
		while read -r key value _; do n[$key]=$value; done < <(grep -E '^[a-z_]+ [0-9]+$' "$work/compared")
		printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$name" "${n[samples]:-?}" "${n[same]:-?}" "${n[ours_longer]:-?}" \
			"${n[ours_shorter]:-?}" "${n[differ]:-?}" "${n[complete]:-?}" "${n[libdw_complete]:-?}" "${n[cut]:-?}"
		echo "${n[samples]:-0} ${n[same]:-0}" >> "$work/same"
		grep -E '^ +[0-9]+ ' "$work/compared" | sed "s/^/$name/" >> "$work/differences" || true
		n=()
	done
	awk '{ all += $1; same += $2 } END { printf "| **all** | %d | %d = %.2f %% (bar 99.8) | | | | | | |\n", all, same, 100 * same / all }' "$work/same"
	printf '\nDifferences, how often:\n\n'
	sed 's/^/    /' "$work/differences"
}

# attach_ms cold|warm PID: milliseconds from the start of the observer until it observes; cold: with a cache that is empty
attach_ms() {
	local empty='[ "$0" = warm ] || mount -t tmpfs none /var/cache && exec "$@"'
	rm -rf "$work/run"
	unshare -m sh -c "$empty" "$1" "$tool" -q -d profile --no-children --duration 50ms -o "$work/run" --pid "$2" 2> /dev/null || true
	jq '.observer.attach_s * 1000' "$work/run/manifest.json"
}

# attaches STATIC_PID PID: "cold less warm less", medians of the pairs; less: than what a static program takes just before
attaches() {
	local i how base ms
	rm -f "$work"/attach.*
	for ((i = 0; i < pairs; i++)); do
		for how in cold warm; do
			base=$(attach_ms "$how" "$1")
			ms=$(attach_ms "$how" "$2")
			echo "$ms" >> "$work/attach.$how"
			awk "BEGIN { print $ms - $base }" >> "$work/attach.$how.less"
		done
	done
	echo "$(median < "$work/attach.cold") $(median < "$work/attach.cold.less") $(median < "$work/attach.warm") $(median < "$work/attach.warm.less")"
}

bench_tables() {
	local name static made cold cold_less warm warm_less bar
	# shellcheck disable=SC2046 # a list of files
	gcc -O2 -D_GNU_SOURCE -Iuser -I. scripts/bench.d/table_cost.c $(find "$build/user/inspect" -maxdepth 1 -name 'cfi*.o' -o -name 'elf_*.o') \
		-lelf -lz -o "$work/table_cost"
	printf '| file | rows | ns a row (bar 50) | bytes a row (bar 10) | ms |\n|---|---|---|---|---|\n'
	"$work/table_cost" 9 /usr/lib/x86_64-linux-gnu/libc.so.6 /usr/lib/x86_64-linux-gnu/libstdc++.so.6 /usr/bin/python3.11 /usr/bin/git \
		/usr/bin/redis-server /usr/bin/node /usr/lib/x86_64-linux-gnu/libLLVM-14.so.1 /usr/lib/x86_64-linux-gnu/libclang-cpp.so.14 2> /dev/null |
		awk '{ n = split($1, a, "/"); printf "| %s | %d | %.1f | %.2f | %.1f |\n", a[n], $2, $4 / $2, $3 / $2, $4 / 1e6 }'
	"$targets/profile_static" --ms 300000 > /dev/null &
	static=$!
	printf '\n| attach to | files | rows | its tables made | start to attached, no cache | more than a static program | with the cache | more | bar (more) |\n'
	printf '|---|---|---|---|---|---|---|---|---|\n'
	for name in python3 clang; do
		start_program "$name" || { printf '| %s | | | not measured: %s | | | | | |\n' "$name" "$missing"; continue; }
		sleep 1
		kill -STOP "$static" "$program_pid"	# what the observer does is measured, not what it competes with
		read -r cold cold_less warm warm_less < <(attaches "$static" "$program_pid")
		# shellcheck disable=SC2046 # a list of files
		made=$("$work/table_cost" 5 $(awk '$2 ~ /x/ && $6 ~ /^\// { print $6 }' "/proc/$program_pid/maps" | sort -u) 2> /dev/null |
			awk '{ ns += $4 } END { print ns / 1e6 }')
		stop_program
		kill -CONT "$static"
		jq .diagnostics.profile.tables "$work/run/manifest.json" > "$work/tables"
		bar=20
		[ "$name" != clang ] || bar=200
		printf '| %s | %s | %s | %.0f ms | %.0f ms | %.0f ms | %.0f ms | %.0f ms | %s ms |\n' "$name" "$(jq .files "$work/tables")" \
			"$(jq .rows "$work/tables")" "$made" "$cold" "$cold_less" "$warm" "$warm_less" "$bar"
	done
	kill "$static"
}

profiled_slowdown() { # WORKLOAD HZ BAR [OBSERVER]
	/usr/bin/python3 scripts/bench.d/slowdown.py --tool "$tool" --work "$work" --pairs "$pairs" --workload "$1" --hz "$2" --bar "$3" \
		--observer "${4:-ours}" || printf '| %s | %s | not measured | | | | |\n' "$1" "$2"
}

bench_slowdown() {
	local name
	write_numbers
	printf '%s' "$python_work" > "$work/work.py"
	printf '| program | Hz | switches/s | CPU a unit of work, with : without | quartiles | units a second, with : without | BPF programs, of its CPU | the observer, of a core | bar |\n|---|---|---|---|---|---|---|---|---|\n'
	for name in cpu syscalls served; do
		profiled_slowdown "$name" 99 1.01
	done
	profiled_slowdown pingpong 99 1.10
	for name in cpu syscalls served; do
		profiled_slowdown "$name" 999 1.05
	done
}

# observed_rest NAME: what observing the running program costs the observer in addition, of a core; its peak
observed_rest() {
	local short=3 long=$((3 + seconds * 4))
	rm -rf "$work/short" "$work/run"
	look 99 "$short" "$work/short"
	look 99 "$long" "$work/run"
	jq -rn --slurpfile a "$work/short/manifest.json" --slurpfile b "$work/run/manifest.json" --arg name "$1" '
		(($b[0].observer.cpu_s - $a[0].observer.cpu_s) / ($b[0].task.duration_s - $a[0].task.duration_s) * 100) as $share |
		"| \($name) | \($share * 1000 | round / 1000) % | \($a[0].observer.cpu_s * 1000 | round) ms | \(
		$b[0].observer.rss_peak_bytes / 10485.76 | round / 100) MB | \($b[0].diagnostics.profile.tables.rows) |"'
}

observer_of_profile() {
	local name bar
	printf '| program, 99 Hz | of a core while it observes | start, 3 s and end together | RSS peak | rows | bar |\n|---|---|---|---|---|---|\n'
	"$targets/sleeper" --procs 1 > /dev/null &
	program_pid=$! load_pid=
	sleep 0.2
	echo "$(observed_rest "sleeper, at rest") 0.5 %, 15 MB |"
	stop_program
	for name in sqlite3 python3 redis clang; do
		bar="0.5 %, 15 MB"
		[ "$name" != clang ] || bar="0.5 %, 30 MB"
		start_program "$name" || { printf '| %s | not measured: %s | | | | |\n' "$name" "$missing"; continue; }
		sleep 1
		echo "$(observed_rest "$name") $bar |"
		stop_program
	done
}

bench_shares() {
	local hz
	printf '| program | Hz | what | truth | profile | off | bar |\n|---|---|---|---|---|---|---|\n'
	for hz in 99 999; do
		rm -rf "$work/run"
		(cd "$work" && "$tool" -q -d profile -F "$hz" -o "$work/run" -- "$targets/profile_schedule" --rounds $((hz == 99 ? seconds * 60 : seconds * 20)) \
			> "$work/said" 2> /dev/null)
		/usr/bin/python3 scripts/bench.d/shares.py "$work/run" "$work/said" points
		rm -rf "$work/run"
		"$tool" -q -d profile -F "$hz" -o "$work/run" -- "$targets/profile_shortwaits" --waits $((hz == 99 ? seconds * 30000 : seconds * 10000)) \
			> "$work/said" 2> /dev/null
		/usr/bin/python3 scripts/bench.d/shares.py "$work/run" "$work/said" percent
	done
}

bench_peers() {
	local hz peer wanted=$pairs
	printf '%s' "$python_work" > "$work/work.py"
	if [ "$pairs" -gt 5 ]; then pairs=5; fi
	printf '| observer of python3 | Hz | complete stacks | CPU a unit of work, with : without | quartiles | its own CPU, of a core; to make the profile | bytes a second |\n'
	printf '|---|---|---|---|---|---|---|\n'
	for hz in 99 999; do
		for peer in ours perf-dwarf perf-fp py-spy; do
			/usr/bin/python3 scripts/bench.d/slowdown.py --tool "$tool" --work "$work" --pairs "$pairs" --workload cpu --hz "$hz" \
				--observer "$peer" --peers || printf '| %s | %s | not measured | | | | |\n' "$peer" "$hz"
		done
	done
	pairs=$wanted
}

# How long the report's page takes to show what a user asks for.
bench_page_redraw() {
	echo "### Redrawing the Profile tab, 20,000 stacks"
	/usr/bin/python3 scripts/bench.d/page_redraw.py "$tool" "$work" 40
}
