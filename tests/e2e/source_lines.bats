#!/usr/bin/env bats
# source_lines.bats - source lines and inlined functions, found when a profile is looked at: tree, top
# and flamegraph with --lines and --debuginfod. Oracles: the source of the target, addr2line.

load helpers

SOURCE=$ROOT/tests/targets/profile_inlined.c

# line_of REMARK: the number of the line of the target that has it.
line_of() {
	grep -n -F "/* $1 */" "$SOURCE" | cut -d : -f 1
}

# inlined_run: a profile of a copy of the target, which the test may then take away.
inlined_run() {
	cp "$TARGETS/profile_inlined" ./inlined
	profile_of ./inlined --ms 700
}

# lines_are FILE: the whole chain of inlined functions, each at its line.
lines_are() {
	grep -qE "─ work +profile_inlined.c:$(line_of "calls outer")$" "$1" &&
		grep -qE "─ inlined_outer +profile_inlined.c:$(line_of "calls inner")$" "$1" &&
		grep -qE "─ inlined_inner +profile_inlined.c:$(line_of "all of the time")$" "$1" ||
		fail "not the lines of the source:" "$(cat "$1")"
}

@test "tree --lines has the lines and the inlined functions of the source; without, one function (oracle: the source)" {
	inlined_run
	"$TASKDIAG" tree "$RUN" >plain 2>&1 3>&-
	run ! grep -q -e 'inlined_inner' -e 'profile_inlined.c' plain
	"$TASKDIAG" tree --lines "$RUN" >lines 2>notes 3>&-
	lines_are lines
	[ "$(head -n 3 plain)" = "$(head -n 3 lines)" ] # the same marks, the same totals
}

@test "top and flamegraph --lines: every address is at the line that addr2line says" {
	inlined_run
	"$TASKDIAG" top --full --lines "$RUN" >top 2>notes 3>&-
	"$TASKDIAG" flamegraph --lines -o flames.svg "$RUN" 2>notes 3>&-
	"$PYTHON" - "$RUN" ./inlined <<-'END'
		import gzip, re, subprocess, sys
		run, program = sys.argv[1:]
		# the addresses within the program, from pprof's own text form
		raw = subprocess.run(["go", "tool", "pprof", "-raw", run + "/profile.pb.gz"], check=True,
		                     capture_output=True, text=True, env={"HOME": ".", "PATH": "/usr/bin:/bin", "GOCACHE": "/tmp"}).stdout
		places = [m for m in re.findall(r"^ +\d+: 0x([0-9a-f]+) M=(\d+) (\S+)", raw, re.M)]
		mapping = re.search(r"^(\d+): 0x.* \S*/inlined ", raw, re.M)
		assert places and mapping, raw
		addresses = [a for a, m, _ in places if m == mapping[1]]
		out = subprocess.run(["addr2line", "-e", program, "-i", *["0x" + a for a in addresses]], check=True,
		                     capture_output=True, text=True).stdout
		wanted = set(re.findall(r"([^/\n]+\.[ch]:\d+)", out))
		assert len(wanted) >= 4, out
		for name in ("top", "flames.svg"):
		    text = open(name, encoding="utf-8").read()
		    missing = [w for w in wanted if not re.search(re.escape(w) + r"\b", text)]
		    assert not missing, (name, missing, text[:3000])
	END
}

@test "a program that was replaced since is not asked for lines; without debug information it is said" {
	inlined_run
	"$TASKDIAG" tree "$RUN" >plain 3>&-
	cp "$TARGETS/profile_burn" ./inlined.new
	mv ./inlined.new ./inlined
	"$TASKDIAG" tree --lines "$RUN" >lines 2>notes 3>&-
	run ! grep -q profile_burn.c lines
	grep -q "lines of .*/inlined: it is not what the task ran: another build-id" notes
	strip -o ./inlined "$TARGETS/profile_inlined"
	"$TASKDIAG" tree --lines "$RUN" >lines 2>notes 3>&-
	run ! grep -q profile_inlined.c lines
	grep -q "lines of .*/inlined: .*no debug file" notes
	# names that the run knows stay
	grep -q "─ work " lines
	rm ./inlined
	"$TASKDIAG" tree --lines "$RUN" >lines 2>notes 3>&-
	grep -q "lines of .*/inlined: No such file or directory" notes
}

@test "--debuginfod fetches the lines of a stripped, replaced or deleted program from a server; --lines asks none" {
	command -v debuginfod-find >/dev/null || skip "needs debuginfod-find"
	local build_id
	build_id=$(readelf -n "$TARGETS/profile_inlined" | awk '/Build ID:/ { print $3 }')
	strip -o ./inlined "$TARGETS/profile_inlined"
	profile_of ./inlined --ms 700
	mkdir -p "server/buildid/$build_id"
	cp "$TARGETS/profile_inlined" "server/buildid/$build_id/debuginfo"
	background "$PYTHON" -u -m http.server --bind 127.0.0.1 --directory server 0 >served 2>asked
	wait_for "$PATIENCE" file_has served "port "
	DEBUGINFOD_URLS=http://127.0.0.1:$(grep -oE 'port [0-9]+' served | cut -d ' ' -f 2)
	export DEBUGINFOD_URLS DEBUGINFOD_CACHE_PATH=$BATS_TEST_TMPDIR/cache
	"$TASKDIAG" tree --lines "$RUN" >lines 2>notes 3>&-
	run ! file_has asked GET
	"$TASKDIAG" tree --debuginfod "$RUN" >lines 2>notes 3>&-
	file_has asked "GET /buildid/$build_id/debuginfo"
	lines_are lines
	rm ./inlined
	"$TASKDIAG" tree --debuginfod "$RUN" >lines 2>notes 3>&-
	lines_are lines
}
