#!/usr/bin/env bats
# What a run leaves: read by the tools it is meant for, as docs/artifact-format.md promises.
# shellcheck disable=SC2016 # single quotes hold what another shell expands
# shellcheck disable=SC2030,SC2031 # every test is a process of its own, and is meant to be

# shellcheck disable=SC2153 # SAID is a file, said() a function

load helpers

setup_file() {
	export MADE=$BATS_FILE_TMPDIR/made
	unset SUDO_UID SUDO_GID
	[ "$(id -u)" -ne 0 ] ||
		"${TASKDIAG_BUILD:-$BATS_TEST_DIRNAME/../../build}/taskdiag-bpf" -q -i 50ms -o "$MADE" -- \
			"${TASKDIAG_BUILD:-$BATS_TEST_DIRNAME/../../build}/targets/tree" --ms 300 --after-ms 100 40 8 16 4 24 3>&- >/dev/null
}

# A run to read, made once: a tree of five, a few ticks.
take_made() {
	cp -r "$MADE" "$RUN"
}

# png_colours FILE: how many colours the pixels of a PNG have; fails unless it is whole.
png_colours() {
	"$PYTHON" - "$1" <<-'END'
		import struct, sys, zlib
		data = open(sys.argv[1], "rb").read()
		assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
		at, pixels, kinds = 8, b"", []
		while at < len(data):
		    size, kind = struct.unpack(">I4s", data[at:at + 8])
		    body = data[at + 8:at + 8 + size]
		    assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0], kind
		    kinds.append(kind)
		    if kind == b"IHDR":
		        width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
		    if kind == b"IDAT":
		        pixels += body
		    at += 12 + size
		assert kinds[0] == b"IHDR" and kinds[-1] == b"IEND" and not interlaced and depth in (1, 2, 4, 8)
		channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
		step = max(1, channels * depth // 8)
		stride = (width * channels * depth + 7) // 8
		raw, before, seen = zlib.decompress(pixels), bytearray(stride), set()
		assert len(raw) == height * (stride + 1) and width >= 100 and height >= 100
		for y in range(height):
		    how, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
		    for x in range(stride):
		        a = line[x - step] if x >= step else 0
		        b, c = before[x], before[x - step] if x >= step else 0
		        p = a + b - c
		        paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
		        line[x] = (line[x] + (0, a, b, (a + b) // 2, paeth)[how]) & 255
		    seen.update(bytes(line[x:x + step]) for x in range(0, stride, step))
		    before = line
		print(len(seen))
	END
}

@test "Pulp's gnuplot recipe, line by line, plots memory.datum (oracle: gnuplot, a PNG with more than one colour)" {
	take_made
	cd "$RUN"
	printf '%s\n' 'set terminal png' 'set output "plot.png"' \
		'set ylabel "Task Process Megabytes (MB)"' \
		'set xlabel "Seconds since task start"' \
		'plot "memory.datum" with lines' >../recipe
	gnuplot ../recipe >"$OUT" 2>"$ERR"
	assert_equal "$(cat "$ERR")" "" "what gnuplot says"
	[ "$(png_colours plot.png)" -gt 1 ]
}

@test "gnuplot lifts its pen at a gap (oracle: gnuplot's own table)" {
	start_sleeper 1 4
	start_observer -i 20ms --pid "$TARGET"
	kill -STOP "$OBSERVER"
	wait_for "$PATIENCE" has_state "$OBSERVER" T
	sleep 0.4
	kill -CONT "$OBSERVER"
	stop_observer
	assert_manifest '.diagnostics.memory.gaps | length > 0'
	cd "$RUN"
	gnuplot -e 'set table "../table"; plot "memory.datum" with lines' 2>"$ERR"
	[ "$(sed '/^#/d' ../table | sed '/./,$!d' | grep -c '^ *$')" -ge 2 ] || fail "one line through the gap:" "$(cat ../table)"
}

@test "memory.datum: its first line, then seconds with three and MB with two decimals (oracle: docs/artifact-format.md)" {
	take_made
	assert_equal "$(head -n 1 "$RUN/memory.datum" | od -c)" "$(printf '# Seconds\tMemory in MB\n' | od -c)" "first line"
	assert_equal "$(tail -n +2 "$RUN/memory.datum" | grep -cvP '^[0-9]+\.[0-9]{3}\t[0-9]+\.[0-9]{2}$')" 0 "lines of another form"
	tail -n +2 "$RUN/memory.datum" | cut -f 1 | sort -c -n
}

@test "memory.datum has every tick and every peak row of memory.csv (oracle: python's csv)" {
	take_made
	diff <(grep -v '^#' "$RUN/memory.datum") \
		<(csv 'r["event"] in ("tick", "peak")' '"%.3f\t%.2f" % (float(r["time_s"]), int(r["rss_bytes"]) / 1048576)')
}

@test "mprof reads mprof.dat, and its peak is the manifest's (oracle: mprof peak)" {
	local said
	command -v python3-mprof >/dev/null || skip "python3-memory-profiler is not installed"
	take_made
	said=$(python3-mprof peak "$RUN/mprof.dat" 2>&1)
	assert_equal "$(sed -n 's/.*\t\([0-9.]*\) MiB$/\1/p' <<<"$said")" \
		"$(awk -v b="$(memory peak_rss_bytes)" 'BEGIN { printf "%.3f", b / 1048576 }')" "peak in: $said"
}

@test "mprof plots mprof.dat (oracle: mprof plot)" {
	command -v python3-mprof >/dev/null || skip "python3-memory-profiler is not installed"
	"$PYTHON" -c 'import matplotlib' 2>/dev/null || skip "python3-matplotlib is not installed"
	take_made
	MPLBACKEND=Agg python3-mprof plot -o plot.png "$RUN/mprof.dat" >"$OUT" 2>&1 || fail "$(cat "$OUT")"
	[ "$(png_colours plot.png)" -gt 1 ]
}

@test "memory.csv: columns as documented, times in order, events of the four kinds (oracle: python's csv)" {
	take_made
	sed -n '/^## memory.csv/,/^## Profile/p' "$ROOT/docs/artifact-format.md" | grep '^| `' |
		cut -d'|' -f2 | grep -oE '`[a-z_]+`' | tr -d '`' >documented
	"$PYTHON" - "$RUN/memory.csv" documented <<-'END'
		import csv, sys
		rows = list(csv.reader(open(sys.argv[1], newline="")))
		header, rows = rows[0], rows[1:]
		assert header == open(sys.argv[2]).read().split(), header
		assert len(rows) > 3 and all(len(r) == len(header) for r in rows)
		rows = [dict(zip(header, r)) for r in rows]
		assert all(r["event"] in ("tick", "peak", "gap", "merged") for r in rows)
		times = [float(r["time_s"]) for r in rows]
		assert times == sorted(times), times
		for r in rows:
		    if r["event"] == "peak":
		        assert all(r[c] == "" for c in header[7:]), r
		    if r["event"] != "tick":
		        continue
		    n = {k: float(v) for k, v in r.items() if k != "event" and v != ""}
		    assert n["ticks"] == 1 and n["rss_min_bytes"] <= n["rss_bytes"] <= n["rss_peak_bytes"], r
		    assert n["anon_bytes"] + n["file_bytes"] + n["shmem_bytes"] == n["rss_bytes"], r
		    assert n["rss_peak_time_s"] <= n["time_s"], r
		ticks = [r for r in rows if r["event"] == "tick"]
		for column in ("minor_faults", "major_faults"):
		    values = [int(r[column]) for r in ticks]
		    assert values == sorted(values), (column, values)
	END
}

@test "the highest rss_peak_bytes of memory.csv is the manifest's peak (oracle: python's csv)" {
	take_made
	assert_equal "$(csv 'r["rss_peak_bytes"]' 'r["rss_peak_bytes"]' | sort -n | tail -n 1)" "$(memory peak_rss_bytes)"
	assert_equal "$(csv 'r["event"] == "tick"' 1 | wc -l)" "$(memory ticks)" ticks
}

# Every path of the manifest, as the tables of docs/artifact-format.md write it.
documented_keys() {
	"$PYTHON" - "$ROOT/docs/artifact-format.md" <<-'END'
		import re, sys
		text = open(sys.argv[1]).read().split("## manifest.json")[1]
		diagnostic = "diagnostics.memory."
		for heading, row in re.findall(r"^(?:### (\S+)|\| (`.*?) \|)", text, re.M):
		    if heading:
		        diagnostic = heading + "."
		    for cell in re.findall(r"`([^`]+)`", row):
		        cell = cell.replace("….", diagnostic)
		        cell = cell.replace("{cause:n}", "").replace("{name:n}", "")
		        inner = re.match(r"(.*)\{(.*)\}$", cell)
		        if inner:
		            for key in inner.group(2).split(","):
		                print(inner.group(1) + "." + key)
		            continue
		        parts = cell.split(",")
		        print(parts[0])
		        for key in parts[1:]:
		            print(parts[0].rsplit(".", 1)[0] + "." + key)
	END
}

# ledger.lost and ledger.notes are maps: their keys are not listed one by one
present_keys() {
	jq -r '[paths | map(if type == "number" then "[]" else . end) | join(".") | gsub("\\.\\[\\]"; "[]")] | unique[]' \
		"$1/manifest.json" | sed 's/\[\]$//' | grep -vE '^(task|diagnostics|diagnostics\.(memory|profile|allocations)|ledger|observer)$' |
		grep -vE '^(ledger\.(lost|notes)\..*|diagnostics\.memory\.gaps|diagnostics\.allocations\.(remainder|last_scan)|artifacts)$' | sort -u
}

# The timer of the ticks is the one by CLOCK_BOOTTIME.
ticks_are_timed() {
	grep -qsx 'clockid: 7' "/proc/$OBSERVER/fdinfo"/*
}

@test "manifest.json has every documented key, and no other (oracle: docs/artifact-format.md)" {
	# one with a gap, so that gaps[] has a member
	start_sleeper 1 4
	start_observer -d memory,profile,allocations -i 20ms --pid "$TARGET"
	wait_for "$PATIENCE" ticks_are_timed # the profile has a timer too, that stands earlier
	kill -STOP "$OBSERVER"
	wait_for "$PATIENCE" has_state "$OBSERVER" T
	sleep 0.4
	kill -CONT "$OBSERVER"
	stop_observer
	documented_keys | grep -vE "^diagnostics\.(allocations\.heap|memory\.cgroup)\." | sed 's/\[\]$//' | sort -u >documented
	[ "$(wc -l <documented)" -ge 110 ] || fail "too few keys in the document: $(cat documented)"
	diff documented <(present_keys "$RUN")
}

@test "a run has the keys and the files of the diagnostics it was asked for, and of no other" {
	local list others options
	documented_keys | grep -vE "^diagnostics\.(allocations\.heap|memory\.cgroup)\." | sed 's/\[\]$//' | sort -u >documented
	for list in memory profile allocations; do
		rm -rf "$RUN"
		options=()
		[ "$list" != allocations ] || options=(--resident) # the keys of the heap: heap.bats
		observe_well -d "$list" "${options[@]}" -- "$TARGETS/profile_threads" --ms 5
		others=$(printf '%s\n' memory profile allocations | grep -v "$list" | paste -sd '|')
		# there is nothing to scan when the task has ended
		diff <(grep -vE "^diagnostics\.(($others)\.|memory\.gaps|allocations\.last_scan)" documented) <(present_keys "$RUN")
		assert_equal "$(manifest '.diagnostics | keys[]')" "$list"
		if [ "$list" = memory ]; then
			assert_manifest '[.artifacts[].name] | sort == ["memory.csv", "memory.datum", "mprof.dat", "report.html"]'
		elif [ "$list" = allocations ]; then
			assert_manifest '[.artifacts[].name] | sort == ["allocations.folded", "allocations.pb.gz",
				"allocations.speedscope.json", "massif.out", "memray.bin", "report.html"]'
		else
			assert_manifest '[.artifacts[].name] | sort == ["profile.folded", "profile.pb.gz", "profile.pyisession",
				"profile.speedscope.json", "report.html"]'
		fi
	done
}

@test "types and words of the profile's manifest are the documented ones (oracle: jq)" {
	observe_well -d profile -- "$TARGETS/profile_threads" --ms 10
	assert_manifest '.diagnostics.profile | .status | IN("ok", "limited")'
	assert_manifest '.diagnostics.profile | (.status == "ok") == (.limits == [])'
	assert_manifest '.diagnostics.profile | .mode | IN("phase", "phase-at-switch", "outside", "cpu-only")'
	assert_manifest '.diagnostics.profile | (.mode == "outside") == (.outside_since_s != null)'
	assert_manifest '.diagnostics.profile | .stacks_complete_ratio | . >= 0 and . <= 1'
	assert_manifest '.diagnostics.profile | [.stacks[], .tables[], .worker[], .marks, .marks_lost] | all(. == floor and . >= 0)'
	assert_manifest '.diagnostics.profile | .mode != "phase" or .marks + .marks_lost == .marks_passed'
	assert_manifest '.diagnostics.profile | ([.threads[].marks_recorded[]] | add) + .omitted_marks == .marks'
	assert_manifest '.diagnostics.profile | .threads_seen == (.threads | length) + .threads_omitted'
	assert_manifest '.diagnostics.profile | [.causes[].marks] | . == (sort | reverse)'
	assert_manifest '.diagnostics.profile.records_failed == 0'
	rm -rf "$RUN"
	observe_well -d profile --cpu-only -- "$TARGETS/profile_threads" --ms 10
	assert_manifest '.diagnostics.profile | .mode == "cpu-only" and .fidelity.blocked == null and .fidelity.cpu > 0'
}

@test "types and words of the manifest are the documented ones (oracle: jq)" {
	take_made
	assert_manifest '.format == 1 and (.kernel | type) == "string" and (.tool_version | type) == "string"'
	assert_equal "$(manifest .kernel)" "$(uname -r)" kernel
	assert_manifest '.task.id | test("^[A-Za-z0-9_-]+$")'
	assert_manifest '.task.start_utc | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z$")'
	assert_manifest '.task.end | IN("exited", "killed-by-signal", "oom", "detached")'
	assert_manifest '.diagnostics.memory.status | IN("ok", "limited", "failed")'
	assert_manifest '.diagnostics.memory.source | IN("rss_stat", "ticks")'
	assert_manifest '[.diagnostics.memory.processes[].end] | all(IN("exited", "killed-by-signal", "oom", "running", "unknown"))'
	assert_manifest '(.diagnostics.memory.processes | length) <= 512'
	assert_manifest '[.diagnostics.memory | .peak_rss_bytes, .ticks, .minor_faults, .swap_peak_bytes] | all(. == floor and . >= 0)'
	assert_manifest '.diagnostics.memory.processes | all(.rss_at_peak_bytes <= .peak_rss_bytes and .start_s <= .end_s)'
	assert_manifest '.observer | .cpu_s > 0 and .rss_peak_bytes > 1048576 and .attach_s > 0'
}

@test "task.start_utc is when it began (oracle: date)" {
	local before after start
	before=$(date -u +%s)
	observe_well -- true
	after=$(date -u +%s)
	start=$(date -u -d "$(manifest .task.start_utc)" +%s)
	[ "$start" -ge $((before - 1)) ] && [ "$start" -le $((after + 1)) ]
}

@test "size and sha256 of every artifact are right, and no file is missing or unlisted (oracle: sha256sum, stat)" {
	take_made
	assert_whole_run "$RUN"
	assert_equal "$(manifest '.artifacts[].name' | sort | paste -sd' ')" "memory.csv memory.datum mprof.dat report.html"
}

@test "files have mode 0640, the directory 0750, whatever the umask (oracle: stat)" {
	local mask
	for mask in 000 077 022; do
		rm -rf "$RUN"
		(umask "$mask" && observe_well -- true)
		assert_equal "$(stat -c %a "$RUN")" 750 "mode of the directory, umask $mask"
		assert_equal "$(stat -c %a "$RUN"/* | sort -u)" 640 "modes of the files, umask $mask"
		assert_equal "$(stat -c %U:%G "$RUN" "$RUN"/* | sort -u)" root:root owner
	done
}

@test "the run belongs to the user who called sudo, in a directory of that user (oracle: stat)" {
	new_place
	chown "$NOBODY:$NOBODY" "$PLACE"
	chmod 0700 "$PLACE"
	env SUDO_UID="$NOBODY" SUDO_GID="$NOBODY" "$TASKDIAG" -q -o "$PLACE/run" -- true 3>&-
	assert_whole_run "$PLACE/run"
	assert_equal "$(stat -c %u:%g "$PLACE/run" "$PLACE/run"/* | sort -u)" "$NOBODY:$NOBODY" owner
	assert_equal "$(stat -c %a "$PLACE/run"/* | sort -u)" 640 modes
	assert_equal "$(stat -c %a "$PLACE/run")" 750 "mode of the directory"
	setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups cat "$PLACE/run/manifest.json" >/dev/null
}

@test "a run of --pid belongs to the user who called sudo as well (oracle: stat)" {
	new_place
	chown "$NOBODY:$NOBODY" "$PLACE"
	start_sleeper 1 1
	RUN=$PLACE/run
	SUDO_UID=$NOBODY SUDO_GID=$NOBODY start_observer --pid "$TARGET"
	stop_observer
	assert_equal "$(stat -c %u:%g "$RUN" "$RUN"/* | sort -u)" "$NOBODY:$NOBODY" owner
}

@test "summary, plot and html read a copied run, for a user who has no rights (oracle: xml, png, html)" {
	new_place
	cp -r "$MADE" "$PLACE/copy"
	cp "$TASKDIAG" "$PLACE/program"
	chown -R "$NOBODY:$NOBODY" "$PLACE"
	cd "$PLACE"
	local as_nobody=(setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups ./program)
	"${as_nobody[@]}" summary copy >"$OUT"
	assert_has "$(cat "$OUT")" "peak RSS"
	assert_has "$(cat "$OUT")" "killed by SIGKILL"
	[ "$(wc -l <"$OUT")" -le 24 ] || fail "more than one screen: $(wc -l <"$OUT") lines"
	"${as_nobody[@]}" plot copy -o plot.svg >"$OUT" || "${as_nobody[@]}" plot -o plot.svg copy >"$OUT"
	assert_equal "$(cat "$OUT")" "$(printf 'plot.svg\nplot.png')"
	"$PYTHON" -c 'import sys, xml.dom.minidom as x
assert x.parse(sys.argv[1]).documentElement.tagName == "svg"' plot.svg
	[ "$(png_colours plot.png)" -gt 1 ]
	"${as_nobody[@]}" html -o page.html copy
	# the page of the run was made before all digests were there
	diff <(sed 's/,"artifacts":\[[^]]*\]//' page.html) <(sed 's/,"artifacts":\[[^]]*\]//' copy/report.html)
}

@test "what was made by a verb is the same each time (oracle: cmp)" {
	take_made
	"$TASKDIAG" summary "$RUN" >first
	"$TASKDIAG" summary "$RUN" >second
	cmp first second
	"$TASKDIAG" plot -o first.svg "$RUN" >/dev/null
	"$TASKDIAG" plot -o second.svg "$RUN" >/dev/null
	cmp first.svg second.svg
}

@test "summary --json prints the manifest (oracle: jq)" {
	take_made
	diff <("$TASKDIAG" summary --json "$RUN" | jq -S .) <(jq -S . "$RUN/manifest.json")
}

@test "a manifest of format 99 is refused by every verb, in one line that names it" {
	local verb
	take_made
	jq '.format = 99' "$MADE/manifest.json" >"$RUN/manifest.json"
	for verb in summary plot html; do
		CODE=0
		"$TASKDIAG" "$verb" "$RUN" >"$OUT" 2>"$ERR" || CODE=$?
		assert_equal "$CODE" 1 "exit status of $verb"
		assert_equal "$(wc -l <"$ERR")" 1 "lines of stderr"
		assert_has "$(cat "$ERR")" "format 99"
		assert_equal "$(cat "$OUT")" ""
	done
	assert_equal "$(find . -maxdepth 1 -name 'memory.*' -o -maxdepth 1 -name '*.html')" "" "files made"
}

@test "a manifest with keys that are not known yet is read (oracle: the same summary)" {
	take_made
	jq '.new = {a: 1} | .task.new = "x" | .diagnostics.other = {status: "ok"}' "$MADE/manifest.json" >"$RUN/manifest.json"
	"$TASKDIAG" summary "$RUN" >"$OUT"
	cp "$MADE/manifest.json" "$RUN/"
	diff "$OUT" <("$TASKDIAG" summary "$RUN")
}

@test "a damaged run is refused in one line: cut manifest, cut csv, missing csv, nonsense, a link, a fifo" {
	local damage
	for damage in 'head -c 300 "$MADE/manifest.json" >manifest.json' 'echo null >manifest.json' ': >manifest.json' \
		'rm memory.csv' 'echo nonsense >memory.csv' 'rm memory.csv && ln -s /etc/passwd memory.csv' \
		'rm manifest.json && mkfifo manifest.json' 'head -c 65536 /dev/urandom >memory.csv'; do
		rm -rf "$RUN"
		take_made
		(cd "$RUN" && eval "$damage")
		CODE=0
		timeout "$PATIENCE" "$TASKDIAG" summary "$RUN" >"$OUT" 2>"$ERR" || CODE=$?
		assert_equal "$CODE" 1 "exit status after: $damage"
		assert_equal "$(wc -l <"$ERR")" 1 "lines of stderr after: $damage"
		assert_no_control_characters "$ERR"
	done
}

# ---- names that others chose

EVIL=$'e\e[31m\n\a"\xff\xfe<b>'

assert_run_of_evil_name_is_clean() {
	# strictly UTF-8, strictly JSON
	"$PYTHON" -c 'import json, sys; json.loads(open(sys.argv[1], "rb").read().decode("utf-8"))' "$RUN/manifest.json"
	"$PYTHON" -c 'import sys; open(sys.argv[1], "rb").read().decode("utf-8")' "$RUN/report.html"
	assert_no_control_characters "$ERR"
	"$TASKDIAG" summary --color never "$RUN" >"$OUT"
	assert_no_control_characters "$OUT"
	LC_ALL=C "$TASKDIAG" summary --color never "$RUN" >"$OUT"
	refute_matches "$OUT" '[^\x0a\x20-\x7e]'
	assert_manifest '.task.id | test("^[A-Za-z0-9_-]+$")'
	assert_whole_run "$RUN"
	# the page: a name is text, never markup
	refute_matches "$RUN/report.html" '<b>[^<]*$'
	"$TASKDIAG" plot -o evil.svg "$RUN" >/dev/null
	"$PYTHON" -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' evil.svg
	assert_equal "$(python3-mprof peak "$RUN/mprof.dat" 2>&1 | grep -c MiB)" 1 "peaks that mprof reads"
}

@test "a program with a hostile name: valid JSON, nothing raw on the terminal, in the page or in a file (oracle: python)" {
	cp /bin/sleep "$EVIL"
	observe_well -- "./$EVIL" 0.05
	assert_run_of_evil_name_is_clean
	assert_manifest '.diagnostics.memory.processes[0].name | startswith("e\u001b[31m\n\u0007\"")'
}

@test "a child with a hostile name, of a task that was attached to (oracle: python)" {
	cp /bin/sleep "$EVIL"
	start_target sh -c '"./$1" 1000 & wait' sh "$EVIL"
	wait_for "$PATIENCE" pgrep -P "$TARGET"
	wait_for "$PATIENCE" file_has "/proc/$(pgrep -P "$TARGET")/stat" 31m
	start_observer --pid "$TARGET"
	stop_observer
	assert_run_of_evil_name_is_clean
	assert_manifest '.task.processes_seen == 2'
}

@test "a process that names itself anew, attached to by pid (oracle: /proc/PID/comm)" {
	start_target "$PYTHON" -c 'import sys, time
open("/proc/self/comm", "wb").write(b"\x1b]0;x\x07\n)(\xc3")
print("named", flush=True)
time.sleep(1000)'
	wait_for "$PATIENCE" file_has "$SAID" named
	start_observer --pid "$TARGET"
	stop_observer
	assert_run_of_evil_name_is_clean
}

@test "a command line with hostile arguments, and a very long one (oracle: python)" {
	observe_well -- true $'\e]0;owned\a' $'a\nMEM 99999.0 1.0' $'\xff' '</script><script>alert(1)</script>' "$(printf 'x%.0s' {1..5000})"
	assert_run_of_evil_name_is_clean
	refute_matches "$RUN/report.html" '<script>alert'
	awk -v b="$(memory peak_rss_bytes)" '/^MEM/ && $2 > top { top = $2 } END { exit !(top < b / 1048576 + 1) }' "$RUN/mprof.dat" ||
		fail "mprof.dat has a line of the command's"
}

@test "an output path with hostile characters is escaped on the terminal (oracle: grep)" {
	RUN=$BATS_TEST_TMPDIR/$EVIL
	observe_well -- true
	assert_no_control_characters "$ERR"
	assert_whole_run "$RUN"
}
