#!/usr/bin/env bats
# report_page.bats - what is made of a run whose task chose every name to do harm, in the program that
# people open it with. Oracles: Chromium's DOM and console, an XML parser.

load helpers

# Chromium of its own profile, without network; console messages go to $ERR.
browse() { # FILE ARG…
	local page=$1
	shift
	timeout "$PATIENCE" chromium --headless --no-sandbox --disable-gpu --disable-quic \
		--no-first-run --disable-background-networking --disable-component-update \
		--disable-sync --disable-dev-shm-usage --user-data-dir="$BATS_TEST_TMPDIR/profile" \
		--enable-logging=stderr --virtual-time-budget=5000 --window-size=1200,900 "$@" \
		"file://$page" 2>"$ERR" 3>&- || fail "chromium: $?" "$(tail -n 5 "$ERR")"
}

# A violation of the policy and an uncaught exception both are console messages.
assert_silent_console() {
	! grep 'CONSOLE' "$ERR" || fail "the console is not silent"
}

# The DOM after all scripts in dom.html, and in text.txt what of it is shown: one piece a line.
dom() {
	browse "$1" --dump-dom >dom.html
	"$PYTHON" - >text.txt <<-'END'
		from html.parser import HTMLParser
		class Text(HTMLParser):
		    hidden = None
		    def handle_starttag(self, tag, attributes):
		        if tag in ("script", "style", "noscript"):
		            self.hidden = tag
		    def handle_endtag(self, tag):
		        if tag == self.hidden:
		            self.hidden = None
		    def handle_data(self, data):
		        if not self.hidden and data.strip():
		            print(data)
		Text().feed(open("dom.html", encoding="utf-8").read())
	END
}

# assert_shown TEXT: a piece of text is exactly that.
assert_shown() {
	grep -Fxq -- "$1" text.txt || fail "is not shown: $1" "$(cat text.txt)"
}

# elements NAME[.CLASS]: how many start tags of the DOM have that name and that class.
elements() {
	"$PYTHON" - "$1" <<-'END'
		import sys
		from html.parser import HTMLParser
		name, _, wanted = sys.argv[1].partition(".")
		class Counter(HTMLParser):
		    n = 0
		    def handle_starttag(self, tag, attributes):
		        classes = (dict(attributes).get("class") or "").split()
		        self.n += tag == name and (not wanted or wanted in classes)
		counter = Counter()
		counter.feed(open("dom.html", encoding="utf-8").read())
		print(counter.n)
	END
}

# A run with a peak between two ticks, a gap, and three processes with hostile names.
hostile_run() {
	mkdir "$RUN"
	"$PYTHON" - "$RUN" <<-'END'
		import json, sys
		MB, run = 1 << 20, sys.argv[1]
		act = "</script><script>document.title='acted'</script>"
		names = [act, "<img src=x onerror=document.title='acted'>\u202egnp", "two\nlines\x1b[31m\x9b\u2028&\"'"]
		columns = ("time_s,event,ticks,rss_bytes,rss_min_bytes,rss_peak_bytes,rss_peak_time_s,anon_bytes,"
		           "file_bytes,shmem_bytes,swap_bytes,pss_bytes,minor_faults,major_faults,processes,threads")
		with open(run + "/memory.csv", "w") as f:
		    print(columns, file=f)
		    for t in range(0, 60):
		        rss = (100 + t) * MB
		        if t == 2:
		            print(f"1.500,peak,1,{512 * MB},{512 * MB},{512 * MB},1.500,,,,,,,,,", file=f)
		        if not 20 <= t < 30:
		            print(f"{t}.000,{'gap' if t == 30 else 'tick'},1,{rss},{rss},{rss},{t}.000,{rss // 2},"
		                  f"{rss // 2},0,0,{rss if t == 10 else ''},{t},0,3,3", file=f)
		with open(run + "/memory.datum", "w") as f:
		    f.write("# Seconds\tMemory in MB\n0.000\t100.00\n1.000\t101.00\n")
		process = [dict(pid=700 + i, name=name, start_s=i, end_s=59.5, rss_at_peak_bytes=share * MB,
		                peak_rss_bytes=share * MB, peak_time_s=1.5, end="exited", exit_status=i, signal=None)
		           for i, (name, share) in enumerate(zip(names, (256, 192, 64)))]
		json.dump(dict(
		    format=1, tool_version="0" + act, kernel=act,
		    task=dict(id="sh-700", command=["sh", "-c", act + "\u202e\n"], pids=[700], duration_s=59.5,
		              start_utc="2025-11-22T19:11:04Z", end="exited", exit_status=0, signal=None,
		              processes_seen=3, processes_left=0),
		    diagnostics=dict(memory=dict(
		        status="limited", limits=[act], source="rss_stat", interval_s=1, peak_rss_bytes=512 * MB,
		        peak_time_s=1.5, final_rss_bytes=159 * MB, pss_bytes=110 * MB, pss_time_s=10,
		        swap_peak_bytes=0, minor_faults=59, major_faults=0, ticks=50,
		        gaps=[dict(time_s=19, seconds=11, cause=act)], processes=process,
		        processes_omitted=0, omitted_at_peak_bytes=0)),
		    artifacts=[dict(name=act, bytes=1, sha256=act), dict(name="memory.csv", bytes=1, sha256="ab" * 32)],
		    ledger=dict(offered=1007, recorded=1000, lost={"ring_full": 7, act: 0}, notes={act: 1}),
		    observer=dict(cpu_s=0.05, rss_peak_bytes=8 * MB, attach_s=0.1)), open(run + "/manifest.json", "w"))
	END
}

hostile_page() {
	command -v chromium >/dev/null || skip "needs chromium"
	hostile_run
	"$TASKDIAG" html "$RUN" -o "$BATS_TEST_TMPDIR/page.html" 3>&-
	dom "$BATS_TEST_TMPDIR/page.html"
}

@test "the page shows curve, peak, processes and losses of a hostile task (oracle: Chromium's DOM)" {
	hostile_page
	[ "$(elements canvas)" -ge 1 ] || fail "no chart"
	assert_equal "$(elements div.peak-flag)" 1 "marks of the peak"
	assert_shown 'peak 512.0 MB at 1.50 s'
	assert_equal "$(elements label.switch)" 7 "series"
	assert_equal "$(elements tr)" 4 "rows of the table, its head included"
	assert_equal "$(elements th)" 8 "columns of the table"
	grep -q 'aria-sort="descending"' dom.html || fail "the table is not sorted"
	assert_shown 'incomplete: 7 of 1,007 records lost: ring_full 7'
	assert_shown 'CPU 0.050 s (0.084 % of the run), RSS 8.0 MB, attached in 0.100 s'
	assert_shown "$(printf 'ab%.0s' {1..32})"
	assert_shown 'exited with status 2'
}

@test "no name of a task acts in the page (oracle: Chromium's DOM and console)" {
	hostile_page
	assert_silent_console
	assert_shown 'sh-700: memory' # the title
	assert_equal "$(elements script)" 3 "scripts: data, dygraphs, modules"
	assert_equal "$(elements img)" 0 "images"
	assert_shown "</script><script>document.title='acted'</script>"
	assert_shown "<img src=x onerror=document.title='acted'>\u202egnp"
	assert_shown 'two\nlines\u001b[31m\u009b\u2028&"'"'"
}

@test "the page needs no network and allows only its own scripts (oracle: its policy, a changed copy)" {
	local page=$BATS_TEST_TMPDIR/page.html
	hostile_page
	grep -q "content=\"default-src 'none'; script-src 'sha256-[^;]*; style-src 'sha256-[^;]*;" "$page"
	! grep -q 'unsafe-' "$page" || fail "the policy has a hole"
	# were the hashes wrong or the policy without effect, the test above could not tell
	sed 's|</body>|<script>document.title = "acted"</script></body>|' "$page" >changed.html
	dom "$PWD/changed.html"
	assert_shown 'sh-700: memory'
	grep -q 'CONSOLE.*Content Security Policy' "$ERR" || fail "a violation goes unseen" "$(cat "$ERR")"
}

@test "the page of a run without any tick says so (oracle: Chromium's DOM and console)" {
	command -v chromium >/dev/null || skip "needs chromium"
	mkdir "$RUN"
	echo '{"format":1,"diagnostics":{"memory":{"status":"failed","processes":{},"gaps":7}},"artifacts":[null]}' \
		>"$RUN/manifest.json"
	"$TASKDIAG" html "$RUN" -o "$BATS_TEST_TMPDIR/page.html" 3>&-
	dom "$BATS_TEST_TMPDIR/page.html"
	assert_silent_console
	assert_shown 'RSS was not measured in this run.'
	assert_shown 'unknown: the manifest holds no ledger'
}

@test "plot makes XML with a marked peak and a lifted pen (oracle: Python's XML parser)" {
	hostile_run
	"$TASKDIAG" plot "$RUN" -o "$BATS_TEST_TMPDIR/plot.svg" 3>&-
	"$PYTHON" - "$BATS_TEST_TMPDIR/plot.svg" <<-'END'
		import sys, xml.etree.ElementTree as tree
		svg = tree.parse(sys.argv[1]).getroot()
		names = [e.tag.rpartition("}")[2] for e in svg.iter()]
		texts = [e.text for e in svg.iter() if e.text]
		assert "script" not in names, names
		assert "peak 512.0 MB at 1.50 s" in texts, texts
		assert "Task Process Megabytes (MB)" in texts and "Seconds since task start" in texts, texts
		curve = [e for e in svg.iter() if e.get("class") == "curve"]
		assert len(curve) == 1 and curve[0].get("d").count("M") == 2, curve
	END
}

@test "the summary of a hostile task is one screen of printable text (oracle: Python's unicodedata)" {
	hostile_run
	"$TASKDIAG" summary "$RUN" >"$OUT" 3>&-
	"$PYTHON" - "$OUT" <<-'END'
		import sys, unicodedata
		lines = open(sys.argv[1], encoding="utf-8", newline="\n").read().split("\n")[:-1]
		assert len(lines) <= 26, len(lines)   # two limits and a note more than an ordinary run
		for line in lines:
		    assert len(line) <= 80, line
		    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for c in line), line
	END
	assert_has "$(cat "$OUT")" 'peak RSS 512.0 MB at 1.50 s'
}
