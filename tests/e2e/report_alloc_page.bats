#!/usr/bin/env bats
# report_alloc_page.bats - the Allocations tab of report.html, driven as a user drives it. Oracles: the
# entries that make_allocations.py has written down, taskdiag-bpf's own JSON, the manifest, Chromium's
# DOM and console.

load helpers

make_run() { # ARG…: see make_allocations.py
	"$PYTHON" "$BATS_TEST_DIRNAME/make_allocations.py" "$RUN" "$@"
}

# page_test <<'END': python with `page` open at the Allocations tab. told: the entries of the source; total(kind):
# their (bytes, pieces); shown(): what a user reads; switch(text), rows(): of the table of functions.
page_test() {
	command -v chromium >/dev/null || skip "needs chromium"
	"$TASKDIAG" html "$RUN" -o "$BATS_TEST_TMPDIR/page.html" 3>&-
	{
		cat <<-'END'
			import collections, json, re, subprocess, sys
			sys.path.insert(0, sys.argv[1])
			from browser import Browser
			run, html, profile, taskdiag = sys.argv[2:6]
			manifest = json.load(open(run + "/manifest.json"))
			both = json.load(open(run + ".told.json"))
			told = both["main"]
			PANEL = "#panel-allocations "
			SWITCHES = {"inuse": "At the peak", "leaked": "At the end", "alloc": "Allocated ever", "temporary": "Temporary"}
			UNITS = {"B": 0, "KiB": 1, "MiB": 2, "GiB": 3}
			READY = f"document.querySelector('{PANEL}.shown') && document.querySelector('{PANEL}.shown').textContent"
			def total(kind, entries=None):
			    return [sum(e[kind][i] for e in (told if entries is None else entries)) for i in (0, 1)]
			def unit(n):
			    i = 0
			    while n >= (1023.95 if i else 1023.5):
			        n, i = n / 1024, i + 1
			    return f"{n:,.{1 if i else 0}f} {list(UNITS)[i]}"
			def functions(entries, kind):
			    """own, with calls, own pieces, of every function by its name"""
			    found = collections.defaultdict(lambda: [0, 0, 0])
			    for e in entries:
			        names = [f[0] for f in e["stack"]]
			        found[names[-1]][0] += e[kind][0]
			        found[names[-1]][2] += e[kind][1]
			        for name in set(names):
			            found[name][1] += e[kind][0]
			    return found
			with Browser(profile) as page:
			    page.open(html + "#allocations", READY)
			    shown = lambda: page.text(PANEL + ".shown")
			    switch = lambda text: page.press(PANEL + ".choice button", text)
			    def table():
			        return page.value(f"[...document.querySelectorAll('{PANEL}.functions tbody tr')].map((r) => "
			            "[...r.children].map((c) => (c.querySelector('.amount') || c).textContent))")
			    def who(value):
			        page.value("(() => { const s = document.querySelector('%s.filters select'); s.value = '%s';"
			                   "s.dispatchEvent(new Event('change')); })()" % (PANEL, value))
		END
		sed 's/^/    /'
		echo '    assert not page.console, page.console'
	} >page_test.py
	timeout $((PATIENCE * 3)) "$PYTHON" -B page_test.py "$BATS_TEST_DIRNAME" "$RUN" "$BATS_TEST_TMPDIR/page.html" \
		"$BATS_TEST_TMPDIR/chromium" "$TASKDIAG" 3>&-
}

@test "page: every moment's bytes and pieces are the entries', and the terminal's (oracle: make_allocations.py, table --json)" {
	make_run
	page_test <<-'END'
		options = {"inuse": [], "leaked": ["--leaks"], "temporary": ["--temporary"]}
		for kind, text in SWITCHES.items():
		    switch(text)
		    bytes_, pieces = total(kind)
		    switch("Bytes")
		    assert shown().startswith(unit(bytes_) + " "), (kind, shown())
		    switch("Pieces")
		    assert shown().startswith(f"{pieces:,} allocations "), (kind, shown())
		    if kind in options:
		        out = subprocess.run([taskdiag, "table", "--json", *options[kind], run], stdout=subprocess.PIPE, check=True).stdout
		        assert json.loads(out)["total"]["bytes"] == bytes_
		        assert json.loads(out)["total"]["count"] == pieces
	END
}

@test "page: tiles are the manifest's, with what is not attributed (oracle: manifest.json)" {
	make_run
	page_test <<-'END'
		of = manifest["diagnostics"]["allocations"]
		tiles = page.value(f"[...document.querySelectorAll('{PANEL}.tile')].map((t) => [...t.children].map((c) => c.textContent))")
		tiles = {t[0]: t[1:] for t in tiles}
		rest = sum(r["bytes"] for r in of["remainder"])
		assert tiles["Live at the peak"] == [unit(of["peak_bytes"] - rest), "4,920 allocations, at 12.17 s"], tiles
		assert tiles["Live at the end"][0] == unit(of["leaked_bytes"]), tiles
		assert tiles["Allocated ever"] == [unit(of["allocated_bytes"]), f"{of['allocations']:,} allocations"], tiles
		assert tiles["Not attributed"] == [unit(rest), f"of {unit(of['peak_bytes'])} at the peak"], tiles
		assert tiles["Precision"] == ["Exact", "to the byte"], tiles
		assert page.text(PANEL + ".total").startswith("heap, exact: 410.0 MiB live at the peak (12.17 s)")
		assert page.text(PANEL + ".remainder") == "not in it: 6.0 MiB before the observation"
		assert not page.value(f"!!document.querySelector('{PANEL}.strip')"), "a curve of nothing"
	END
}

@test "page: functions' own bytes, with calls, and pieces; recursion once (oracle: make_allocations.py)" {
	make_run
	page_test <<-'END'
		switch("Functions")
		for kind, text in SWITCHES.items():
		    switch(text)
		    wanted = {n: v for n, v in functions(told, kind).items() if v[1]}
		    rows = {r[3]: r for r in table()}
		    assert rows.keys() == wanted.keys(), (kind, rows.keys() ^ wanted.keys())
		    for name, (own, all_, pieces) in wanted.items():
		        found = rows[name]
		        assert found[0] == unit(own) and found[1] == unit(all_), (kind, name, found)
		        assert re.match(f"{pieces:,} allocations?$", found[2]), (kind, name, found)
		switch("At the peak")
		assert table()[0][3] == "read_file", table()[0]
		page.press(PANEL + ".functions th button", "Function")
		names = [r[3] for r in table()]
		assert names == page.value("%s.sort((a, b) => a.localeCompare(b))" % json.dumps(names)), names
		page.press(PANEL + ".functions th button", "Own, in")
		assert table()[0][3] == "parse_copy", table()[0]
	END
}

@test "page: a line of a function is a row of its own when that is asked for (oracle: make_allocations.py)" {
	make_run
	page_test <<-'END'
		switch("Functions")
		of = [r for r in table() if r[3] == "read_file"]
		assert [r[0] for r in of] == ["330.0 MiB"], of
		switch("By line")
		of = {r[4].split(" ")[0]: r[0] for r in table() if r[3] == "read_file"}
		assert of == {"/src/load.c:77": "320.0 MiB", "/src/load.c:79": "10.0 MiB"}, of
		assert shown().startswith(unit(total("inuse")[0]) + " "), shown()
		switch("By function")
		assert [r[0] for r in table() if r[3] == "read_file"] == ["330.0 MiB"]
	END
}

@test "page: thread and allocator choose what counts (oracle: make_allocations.py)" {
	make_run
	page_test <<-'END'
		threads = page.value(f"[...document.querySelectorAll('{PANEL}.filters option')].map((o) => [o.value, o.textContent])")
		value = [v for v, text in threads if text.startswith("pool-1-4712")]
		who(value[0])
		pool = [e for e in told if e["thread"][3] == 4712]
		assert shown().startswith(unit(total("inuse", pool)[0]) + " "), shown()
		chip = f"[...document.querySelectorAll('{PANEL}.chip')].find((c) => c.textContent.startsWith('realloc'))"
		page.value(chip + ".querySelector('button').click()")
		both_ = [e for e in pool if e["allocator"] == "realloc"]
		assert shown().startswith(unit(total("inuse", both_)[0]) + " "), shown()
		switch("Temporary")
		assert shown().startswith(unit(total("temporary", both_)[0]) + " "), shown()
		who("")
		switch("At the peak")
		page.value(chip + ".querySelector('button').click()")
		assert shown() == unit(total("inuse")[0]) + " live at the peak", shown()
		def amounts():
		    texts = page.value(f"[...document.querySelectorAll('{PANEL}.filters option')].map((o) => o.textContent)")
		    return dict(t.split("  ") for t in texts if "  " in t)
		for text, kind in (("At the peak", "inuse"), ("At the end", "leaked")):
		    switch(text)
		    for tid in (4711, 4712, 4720):
		        of = [e for e in told if e["thread"][3] == tid]
		        name = f"{of[0]['thread'][2]}-{tid}"
		        assert amounts()[name] == unit(total(kind, of)[0]), (kind, name, amounts())
		chips = page.value(f"[...document.querySelectorAll('{PANEL}.chip .name')].map((c) => c.textContent)")
		assert sorted(chips) == sorted({e["allocator"] for e in told}), chips
	END
}

@test "page: estimates say so, with their interval (oracle: make_allocations.py)" {
	make_run --sampled
	page_test <<-'END'
		error = sum(e["error"] ** 2 for e in told) ** 0.5
		assert shown() == f"{unit(total('inuse')[0])} live at the peak ± {unit(error)}", shown()
		assert ", estimated from one sample in 512.0 KiB" in page.text(PANEL + ".total")
		assert ", 95 %: " in page.text(PANEL + ".total")
		switch("Functions")
		by = collections.defaultdict(float)
		for e in told:
		    by[e["stack"][-1][0]] += e["error"] ** 2
		for row in table():
		    want = by.get(row[4], 0) ** 0.5
		    assert row[3] == (unit(want) if want else ""), (row, want)
		switch("At the end")
		assert "±" not in shown(), shown()
		assert all(row[3] == "" for row in table()), "an error of the peak at another moment"
	END
}

@test "page: heap and resident pages, one at a time (oracle: make_allocations.py)" {
	make_run --both
	page_test <<-'END'
		assert shown().startswith(unit(total("inuse")[0]) + " live at the peak"), shown()
		switch("Temporary")
		switch("Resident pages")
		pages = both["resident"]
		assert shown().startswith(unit(total("inuse", pages)[0]) + " live at the peak"), shown()
		switch("Pages")
		assert shown().startswith(f"{total('inuse', pages)[1]:,} pages live at the peak"), shown()
		assert page.text(PANEL + ".total").startswith("resident pages, estimated"), page.text(PANEL + ".total")
		switch("Heap")
		assert shown().startswith(f"{total('inuse')[1]:,} allocations live at the peak"), shown()
		assert page.value(f"document.querySelectorAll('{PANEL}.views').length") == 1
	END
}

@test "page: a run with resident pages only has no switch of sources (oracle: make_allocations.py)" {
	make_run --only-resident
	page_test <<-'END'
		assert shown().startswith(unit(total("inuse")[0]) + " live at the peak"), shown()
		assert page.text(PANEL + ".tile dt") == "Resident at the peak"
		buttons = page.value(f"[...document.querySelectorAll('{PANEL}.choice button')].map((b) => b.textContent)")
		assert "Heap" not in buttons and "Temporary" not in buttons, buttons
		assert page.value("document.getElementById('tabs').hidden && document.getElementById('panel-memory').hidden")
		assert page.value("document.title") == "loader-4711: allocations"
	END
}

@test "page: the flame graph by keyboard: zoom, search, callers (oracle: make_allocations.py)" {
	make_run
	page_test <<-'END'
		page.value(f"document.querySelector('{PANEL}.flame canvas').focus()")
		for name in ("loader-4711", "__libc_start_call_main", "main", "load", "read_file"):
		    page.key("ArrowDown")
		    assert page.text(PANEL + ".details .name") == name, page.text(PANEL + ".details")
		numbers = page.text(PANEL + ".details .numbers")
		assert numbers == "330.0 MiB, 80.5 % of what is shown; in 20 allocations; of its own 330.0 MiB", numbers
		page.key("Enter")
		assert page.text(PANEL + ".crumbs").endswith("read_file"), page.text(PANEL + ".crumbs")
		page.key("Escape")
		assert page.value(f"document.querySelector('{PANEL}.crumbs').hidden")
		page.key("/")
		page.type("index")
		assert page.text(PANEL + ".found") == "7.8 % in 2 calls", page.text(PANEL + ".found")
		page.key("Escape")
		switch("Callers")
		page.value(f"document.querySelector('{PANEL}.flame canvas').focus()")
		page.key("ArrowDown")
		assert page.text(PANEL + ".details .name") == "read_file", page.text(PANEL + ".details")
		switch("Tree")
		rows = page.value(f"[...document.querySelectorAll('{PANEL}.calls tbody tr')].map((r) => [...r.children].map((c) => c.textContent))")
		assert rows[0][0] == unit(total("inuse")[0]) and rows[0][3] == f"{total('inuse')[1]:,}", rows[0]
	END
}

@test "page: three tabs go round by the arrow keys, one stands with its address" {
	"$PYTHON" "$BATS_TEST_DIRNAME/make_profile.py" "$RUN"
	make_run
	page_test <<-'END'
		chosen = lambda: page.value("[...document.querySelectorAll('[role=tab][aria-selected=true]')].map((t) => t.textContent).join()")
		open_ = lambda: page.value("['memory', 'profile', 'allocations'].filter((n) => !document.getElementById('panel-' + n).hidden).join()")
		assert chosen() == "Allocations" and open_() == "allocations"
		page.value("document.getElementById('tab-allocations').focus()")
		for want in ("Memory", "Profile", "Allocations", "Memory"):
		    page.key("ArrowRight")
		    assert chosen() == want and open_() == want.lower(), (want, chosen(), open_())
		page.key("ArrowLeft")
		assert chosen() == "Allocations", chosen()
		# a slash searches in the tab that is seen
		page.value(f"document.querySelector('{PANEL}.flame canvas').focus()")
		page.key("/")
		assert page.value("document.activeElement.closest('#panel-allocations') !== null")
		label = page.value(f"document.querySelector('{PANEL}.strip canvas').getAttribute('aria-label')")
		assert label.startswith("RSS (up to ") and label.endswith("the peak is 416.0 MiB at 12.17 s"), label
		assert page.text("#kinds") == "memory, profile and allocations report"
	END
}

@test "page: the heap's curve is massif.out's (oracle: the file)" {
	make_run
	printf 'desc: x\ncmd: y\ntime_unit: ms\n#-----------\nsnapshot=0\n#-----------\ntime=0\nmem_heap_B=1024\n%s\n' \
		'mem_heap_extra_B=0' >"$RUN/massif.out"
	printf 'time=%s\nmem_heap_B=%s\n' 5000 1048576 12170 436207616 >>"$RUN/massif.out"
	# what a function may be called
	printf 'n0: 1 time=7 mem_heap_B=7\n%5000smem_heap_B=9\n' '' >>"$RUN/massif.out"
	page_test <<-'END'
		points = page.value("allocmodel.load(document.getElementById('allocations')).then((a) => a.facts.points)")
		assert points == [[0, 1024], [5, 1048576], [12.17, 436207616]], points
		label = page.value(f"document.querySelector('{PANEL}.strip canvas').getAttribute('aria-label')")
		assert label.startswith("live bytes of the heap (up to 416.0 MiB) over time"), label
	END
}

@test "page: hostile names act on nothing, and are seen (oracle: Chromium's DOM)" {
	make_run --hostile
	page_test <<-'END'
		assert page.value("document.title") == "loader-4711: allocations"
		for view in ("Tree", "Functions", "Flame graph"):
		    switch(view)
		switch("Functions")
		text = page.value(f"document.querySelector('{PANEL}.functions').textContent")
		assert "</script><script>document.title='acted'</script>" in text
		assert "\\u202egnp" in text and "two\\nlines" in text, text
		assert shown().startswith(unit(total("inuse")[0]) + " "), shown()
	END
}

@test "page: damaged allocations are told, the rest of the page stands" {
	"$PYTHON" "$BATS_TEST_DIRNAME/make_profile.py" "$RUN"
	make_run
	head -c 300 "$RUN/allocations.pb.gz" >part.gz
	cat part.gz >"$RUN/allocations.pb.gz"
	command -v chromium >/dev/null || skip "needs chromium"
	"$TASKDIAG" html "$RUN" -o page.html 3>&-
	cat >page_test.py <<-'END'
		import sys
		sys.path.insert(0, sys.argv[1])
		from browser import Browser
		with Browser(sys.argv[3]) as page:
		    page.open(sys.argv[2] + "#allocations", "document.querySelector('#panel-allocations .plain')")
		    assert "allocations.pb.gz is not gzip, or is cut; make the run again" in page.text("#panel-allocations"), page.text("#panel-allocations")
		    page.press("#tab-profile")
		    page.wait("document.querySelector('#panel-profile .shown')")
		    assert not page.console, page.console
	END
	timeout $((PATIENCE * 3)) "$PYTHON" -B page_test.py "$BATS_TEST_DIRNAME" "$PWD/page.html" "$BATS_TEST_TMPDIR/chromium" 3>&-
}

@test "page: 20,000 stacks: every byte is there, and every switch answers (oracle: make_allocations.py)" {
	make_run --many 20000
	page_test <<-'END'
		for kind, text in SWITCHES.items():
		    switch(text)
		    assert shown().startswith(unit(total(kind)[0]) + " "), (kind, shown())
		switch("By line")
		switch("Callers")
		switch("At the peak")
		assert shown().startswith(unit(total("inuse")[0]) + " "), shown()
		switch("Functions")
		assert len(table()) == 300
	END
}

@test "page: of a real run the totals are the manifest's and the terminal's (oracle: jq, table --json)" {
	observe_well -d memory,profile,allocations -- "$PYTHON" -c 'a = [bytes(100000) for i in range(500)]'
	[ -e "$RUN/allocations.pb.gz" ] || fail "no allocations"
	echo '{"main":[]}' >"$RUN.told.json"
	page_test <<-'END'
		of = manifest["diagnostics"]["allocations"]
		out = subprocess.run([taskdiag, "table", "--json", run], stdout=subprocess.PIPE, check=True).stdout
		sums = json.loads(out)["total"]
		assert shown().startswith(unit(sums["bytes"]) + " "), (shown(), sums)
		assert page.text(PANEL + ".tile .number") == unit(sums["bytes"])
		assert page.value("allocmodel.load(document.getElementById('allocations')).then((a) => a.sum('peak_bytes'))") == sums["bytes"]
		tiles = page.value(f"[...document.querySelectorAll('{PANEL}.tile')].map((t) => [...t.children].map((c) => c.textContent))")
		tiles = {t[0]: t[1:] for t in tiles}
		assert tiles["Allocated ever"][0] == unit(of["allocated_bytes"]), (tiles, of["allocated_bytes"])
		assert tiles["Not attributed"][1] == f"of {unit(of['peak_bytes'])} at the peak", tiles
	END
}
