#!/usr/bin/env bats
# report_profile.bats - what is made of a profile: tree, top, flamegraph and the Profile tab, driven as a
# user drives it. Oracles: the numbers that make_profile.py has written down, Chromium's DOM and
# console, an XML parser.

load helpers

make_run() { # ARG…: see make_profile.py
	"$PYTHON" "$BATS_TEST_DIRNAME/make_profile.py" "$RUN" "$@"
}

# page_test <<'END': python with `page` open at the Profile tab; shown(selector) is what a user reads.
page_test() {
	command -v chromium >/dev/null || skip "needs chromium"
	"$TASKDIAG" html "$RUN" -o "$BATS_TEST_TMPDIR/page.html" 3>&-
	{
		cat <<-'END'
			import json, sys
			sys.path.insert(0, sys.argv[1])
			from browser import Browser
			run, html, profile = sys.argv[2:5]
			manifest = json.load(open(run + "/manifest.json"))
			told = manifest["diagnostics"]["profile"]
			READY = "document.querySelector('.shown') && document.querySelector('.shown').textContent"
			def near(a, b, by=0.06):
			    assert abs(a - b) <= by, (a, b)
			def seconds(text):
			    return float(text.replace(",", "").split(" s")[0])
			with Browser(profile) as page:
			    page.open(html + "#profile", READY)
			    shown = lambda: seconds(page.text(".shown"))
		END
		sed 's/^/    /'
		echo '    assert not page.console, page.console'
	} >page_test.py
	timeout $((PATIENCE * 3)) "$PYTHON" -B page_test.py "$BATS_TEST_DIRNAME" "$RUN" "$BATS_TEST_TMPDIR/page.html" \
		"$BATS_TEST_TMPDIR/chromium" 3>&-
}

@test "tree has every process, thread and cause, and its seconds add up (oracle: make_profile.py)" {
	make_run
	"$TASKDIAG" tree --full "$RUN" >tree.txt 3>&-
	"$PYTHON" - "$RUN" <<-'END'
		import json, re, sys
		told = json.load(open(sys.argv[1] + "/manifest.json"))["diagnostics"]["profile"]
		text = open("tree.txt", encoding="utf-8").read()
		rows = [re.match(r" *([\d.]+) +[\d.]+ %.{7}(.*)", line) for line in text.splitlines()]
		rows = [(float(r[1]), r[2]) for r in rows if r]
		for thread in told["threads"]:
		    name = f"{thread['name']}-{thread['tid']}"
		    assert any(abs(s - thread["marks"] * 0.01) < 1e-6 and name in what for s, what in rows), name
		for cause in told["causes"]:
		    sum_ = sum(s for s, what in rows if what.endswith(cause["name"]))
		    assert cause["name"] == "cpu" or abs(sum_ - cause["seconds"]) < 1e-6, cause
		roots = sum(s for s, what in rows if re.fullmatch(r" *(worker-4711|python3-4720)", what))
		assert abs(roots - told["marks"] * 0.01) < 1e-6, roots
	END
	assert_has "$(cat tree.txt)" '99.96 % of stacks complete (truncated 8, unreadable 2)'
	assert_has "$(cat tree.txt)" 'CPU 0.999, run queue 1.000, blocked 1.001'
}

@test "tree folds chains of library code and --full shows them" {
	make_run
	"$TASKDIAG" tree "$RUN" >tree.txt 3>&-
	assert_has "$(cat tree.txt)" '[2 frames hidden]'
	! grep -q longest_match tree.txt || fail "not folded"
	"$TASKDIAG" tree "$RUN" --full >tree.txt 3>&-
	grep -q longest_match tree.txt || fail "not shown"
	! grep -q hidden tree.txt || fail "something is hidden"
}

@test "tree speaks ASCII without UTF-8, colour only when asked, and NO_COLOR is honoured" {
	make_run
	LC_ALL=C "$TASKDIAG" tree "$RUN" >tree.txt 3>&-
	refute_matches tree.txt '[^\x0a\x20-\x7e]'
	"$TASKDIAG" tree --color always "$RUN" >tree.txt 3>&-
	grep -q $'\e\[1;31m' tree.txt || fail "no colour"
}

@test "top names the function with most time in itself first (oracle: make_profile.py)" {
	make_run
	"$TASKDIAG" top "$RUN" >top.txt 3>&-
	assert_matches "$(sed -n 5p top.txt)" '^ +66\.000 +31\.9 % +66\.000 +66\.000  compare258 .*libz'
	assert_matches "$(grep 'deflate ' top.txt)" '^ +12\.000 .* 78\.000  deflate '
	assert_matches "$(grep ' \[lock\]$' top.txt)" '^ +48\.000 +23\.2 %  \[lock\]'
	assert_matches "$(grep 'pool-1 ' top.txt)" '^ +57\.000 +42\.042 +3\.000 +11\.988 +4712  pool-1 +worker-4711'
}

@test "recursion counts once in a function's total (oracle: make_profile.py)" {
	make_run --recursion 500
	"$TASKDIAG" top --full "$RUN" >top.txt 3>&-
	assert_matches "$(grep 'descend ' top.txt)" '^ +6\.000 .* 6\.000  descend '
	"$TASKDIAG" tree --full "$RUN" >tree.txt 3>&-
	assert_equal "$(grep -c descend tree.txt)" 500 "frames of a recursion"
}

@test "flamegraph is XML with our one script, whatever the names are (oracle: an XML parser)" {
	make_run --hostile
	"$TASKDIAG" flamegraph "$RUN" >"$OUT" 3>&-
	assert_equal "$(cat "$OUT")" flamegraph.svg "default file"
	"$PYTHON" - <<-'END'
		import xml.etree.ElementTree as tree
		svg = tree.parse("flamegraph.svg").getroot()
		names = [e.tag.rpartition("}")[2] for e in svg.iter()]
		assert names.count("script") == 1 and "img" not in names, names
		titles = [e.text for e in svg.iter() if e.tag.endswith("title")]
		assert any(t.startswith("compare258  libz.so.1.2.13\n33.000 s, ") for t in titles), titles
		assert any("</script><script>document.title='acted'</script>" in t for t in titles), titles
	END
}

@test "a run without profile is told so, with the next step" {
	mkdir "$RUN"
	echo '{"format":1}' >"$RUN/manifest.json"
	for verb in tree top flamegraph; do
		CODE=0
		"$TASKDIAG" $verb "$RUN" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
		assert_equal "$CODE" 1 "status of $verb"
		assert_equal "$(cat "$ERR")" "taskdiag-bpf: $RUN: has no profile; make one with: taskdiag-bpf -d profile"
	done
}

@test "a damaged profile is one line (oracle: every cut of the file)" {
	make_run
	cp "$RUN/profile.pb.gz" whole
	for size in 0 1 17 100 1000 4000; do
		head -c "$size" whole >"$RUN/profile.pb.gz"
		! "$TASKDIAG" top "$RUN" >"$OUT" 2>"$ERR" 3>&- || fail "was read: $size bytes"
		assert_equal "$(cat "$ERR")" "taskdiag-bpf: $RUN: profile.pb.gz is not gzip, or is cut; make the run again"
	done
}

@test "the summary of a run with both diagnostics is one screen (oracle: make_profile.py)" {
	make_run
	"$TASKDIAG" summary "$RUN" >"$OUT" 3>&-
	[ "$(wc -l <"$OUT")" -le 24 ] || fail "too long" "$(cat "$OUT")"
	[ "$(wc -L <"$OUT")" -le 80 ] || fail "too wide" "$(cat "$OUT")"
	assert_has "$(cat "$OUT")" 'profile  207.0 s of thread time: 53.6 % cpu, 23.2 % [lock], 17.4 % [network],'
	assert_matches "$(grep compare258 "$OUT")" '^ +31\.9 % +66\.00 s  compare258 +libz'
}

@test "the verbs are in the help, the man page and the completion" {
	for verb in tree top flamegraph; do
		"$TASKDIAG" --help | grep -q "taskdiag-bpf $verb RUN_DIR"
		"$TASKDIAG" man | grep -q "^\.B $verb RUN_DIR"
		"$TASKDIAG" completion | grep -q "verbs=.*$verb"
	done
}

@test "page: totals are the manifest's (oracle: manifest.json)" {
	make_run
	page_test <<-'END'
		near(shown(), told["marks"] * 0.01)
		for cause in told["causes"]:
		    chip = page.value("[...document.querySelectorAll('.chip')].map((c) => c.textContent)")
		    percent = "%.1f %%" % (100 * cause["seconds"] / (told["marks"] * 0.01))
		    assert any(c.startswith(cause["name"]) and percent in c for c in chip), (cause, chip)
		rows = page.value("[...document.querySelectorAll('.threads tbody tr')].map((r) => [...r.children].map((c) => c.textContent))")
		assert len(rows) == len(told["threads"]), rows
		for row, thread in zip(rows, told["threads"]):
		    assert row[0] == f"{thread['name']}-{thread['tid']}", row
		    near(seconds(row[2]), thread["marks"] * 0.01)
		    near(seconds(row[3]), thread["cpu_s"])
	END
}

@test "page: threads, causes and a range of time filter the graph (oracle: make_profile.py)" {
	make_run
	page_test <<-'END'
		page.press(".threads .link", "pool-1-4712")
		near(shown(), 57)
		page.value("(() => { const s = document.querySelector('.filters select'); s.value = ''; s.dispatchEvent(new Event('change')); })()")
		near(shown(), 207)
		lock = "[...document.querySelectorAll('.chip')].find((c) => c.textContent.startsWith('[lock]'))"
		page.value(lock + ".querySelector('button').click()")
		near(shown(), 48)
		page.value(lock + ".querySelector('button').click()")
		near(shown(), 207)
		page.value("window.scrollTo(0, 0)")
		x, y, w, h = page.box(".strip canvas")
		page.drag(x + w * 20.2 / 60, y + 40, x + w * 29.8 / 60, y + 40)
		assert page.text(".range") == "20.00 s to 30.00 s", page.text(".range")
		near(shown(), 10 * 3.75)   # marks of one slice then, see Run.ordinary: 375
	END
}

@test "page: the keyboard zooms, searches, and chooses a range (oracle: make_profile.py)" {
	make_run
	page_test <<-'END'
		page.value("document.querySelector('.flame canvas').focus()")
		for key in ("Home", "ArrowDown", "ArrowDown"):
		    page.key(key)
		assert page.text(".details .name") == "clone3", page.text(".details")
		assert page.text(".details .numbers").startswith("114.0 s, 55.1 %"), page.text(".details")
		page.key("ArrowRight")
		assert page.text(".details .name") == "__libc_start_call_main", page.text(".details")
		page.key("Enter")
		assert "__libc_start_call_main" in page.text(".crumbs"), page.text(".crumbs")
		page.key("Escape")
		assert page.value("document.querySelector('.crumbs').hidden")
		page.key("/")
		page.type("DEFLATE")
		assert page.text(".found") == "37.7 % in 2 calls", page.text(".found")
		page.key("Escape")
		assert page.text(".found") == "", page.text(".found")
		page.value("document.querySelector('.strip canvas').focus()")
		page.key("Home")
		for _ in range(10):
		    page.key("ArrowRight", shift=True)
		assert page.text(".range") == "0.000 s to 10.00 s", page.text(".range")
		page.key("Escape")
		near(shown(), 207)
	END
}

@test "page: callers turn the graph over (oracle: make_profile.py)" {
	make_run
	page_test <<-'END'
		page.press(".choice button", "Callers")
		near(shown(), 207)
		page.value("document.querySelector('.flame canvas').focus()")
		page.key("Home")
		page.key("ArrowDown")
		assert page.text(".details .name") == "compare258", page.text(".details")
		assert page.text(".details .numbers").startswith("66.00 s"), page.text(".details")
		for wanted in ("longest_match", "deflate_slow", "deflate", "compress_block", "pack_one", "worker_loop"):
		    page.key("ArrowDown")
		    assert page.text(".details .name") == wanted, (wanted, page.text(".details"))
	END
}

@test "page: a click zooms and the pointer shows what is under it (oracle: make_profile.py)" {
	make_run
	page_test <<-'END'
		page.value("document.querySelector('.flame').scrollIntoView()")
		x, y, w, h = page.box(".flame canvas")
		page.hover(x + 30, y + 3 + 20 * 2.5)
		assert page.text(".tip .name") == "clone3", page.text(".tip")
		page.click(x + 30, y + 3 + 20 * 5.5)
		assert page.text(".crumbs").endswith("pack_one"), page.text(".crumbs")
		page.press(".choice button", "Tree")
		assert page.value("document.querySelectorAll('.calls tbody tr').length") > 20
		page.press(".choice button", "Functions")
		page.press(".functions .link", "compare258")
		assert page.text(".found") == "31.9 % in 1 call", page.text(".found")
	END
}

@test "page: no name acts, in any view (oracle: Chromium's DOM and console)" {
	make_run --hostile
	page_test <<-'END'
		for view in ("Tree", "Functions", "Flame graph"):
		    page.press(".choice button", view)
		for way in ("Callers", "Bottom up"):
		    page.press(".choice button", way)
		x, y, w, h = page.box(".flame canvas")
		for i in range(20):
		    page.hover(x + w * i / 20, y + h / 2)
		assert page.value("document.title") == "worker-4711: memory and profile", page.value("document.title")
		assert page.value("document.images.length") == 0
		assert page.value("document.scripts.length") == 4
		assert "\\u202egnp" in page.value("document.querySelector('.functions').textContent")
	END
}

@test "page: 20,000 stacks are below 1 MB and complete (oracle: make_profile.py)" {
	make_run --stacks 20000
	page_test <<-'END'
		import os
		assert os.path.getsize(html) < 1 << 20, os.path.getsize(html)
		total = page.value("profile.topDown({thread: -1, process: -1, from: 0, to: Infinity,"
		                   "causes: new Uint8Array(64).fill(1)}, 'thread').total[0]")
		assert total == told["marks"], (total, told["marks"])
		up = page.value("profile.callers({thread: -1, process: -1, from: 0, to: Infinity,"
		                "causes: new Uint8Array(64).fill(1)}).total[0]")
		assert up == told["marks"], (up, told["marks"])
		page.press(".choice button", "Callers")
		page.press(".choice button", "Functions")
	END
}

@test "page: dark where the system is dark, and a run of the profile alone has no tabs" {
	make_run --no-memory
	page_test <<-'END'
		light = page.value("getComputedStyle(document.body).backgroundColor")
		page.dark()
		assert page.value("getComputedStyle(document.body).backgroundColor") != light
		assert page.value("document.getElementById('tabs').hidden")
		assert page.value("document.getElementById('panel-memory').hidden")
		assert page.value("document.getElementById('quality').offsetHeight") > 0
	END
}

@test "tree, top and flamegraph show Python by file and line, its lines as one (oracle: make_profile.py)" {
	make_run --python
	"$TASKDIAG" tree --full "$RUN" >tree.txt 3>&-
	assert_matches "$(grep ' compute ' tree.txt)" '^ +6\.000 .* compute  model\.py:12$'
	assert_matches "$(grep ' transform ' tree.txt)" '^ +6\.000 .* transform  model\.py:33$'
	"$TASKDIAG" tree --full --lines "$RUN" >tree.txt 3>&-
	assert_equal "$(grep -c ' compute  model.py:1[47]$' tree.txt)" 2 "lines of compute"
	"$TASKDIAG" tree --color always "$RUN" >tree.txt 3>&-
	grep -q $'\e\\[1;33mcompute' tree.txt || fail "Python has no colour"
	grep -q $'\e\\[33mapply' tree.txt || fail "libraries of Python have no colour"
	grep -q $'\e\\[31mext4_file_write_iter' tree.txt || fail "the kernel has no colour"
	"$TASKDIAG" top "$RUN" >top.txt 3>&-
	assert_matches "$(grep 'compute ' top.txt)" '^ +6\.000 .* 6\.000  compute +model\.py:12'
	"$TASKDIAG" flamegraph "$RUN" >"$OUT" 3>&-
	"$PYTHON" - <<-'END'
		import xml.etree.ElementTree as tree
		svg = tree.parse("flamegraph.svg").getroot()
		legend = next(e for e in svg.iter() if e.get("id") == "legend")
		fills = [e.get("fill") for e in legend if e.tag.endswith("rect")]
		assert len(set(fills)) == len(fills) == 5, fills
		texts = {e.text for e in legend if e.tag.endswith("text")}
		assert texts == {"own Python", "Python library", "own code", "library", "kernel"}, texts
	END
}

@test "page: the tree folds library code, a click or Enter opens it (oracle: make_profile.py)" {
	make_run --python
	page_test <<-'END'
		ROWS = "[...document.querySelectorAll('.calls tbody tr')].map((r) => r.lastElementChild.textContent)"
		def names():
		    return [r.strip("▾▸⋯") for r in page.value(ROWS)]
		def has(name):
		    return any(r.startswith(name) for r in names())
		page.press(".choice button", "Tree")
		page.value("(() => { const s = document.querySelector('.filters select'); s.value = 'p2'; s.dispatchEvent(new Event('change')); })()")
		near(shown(), 13.5)
		rows = names()
		at = next(i for i, r in enumerate(rows) if r.startswith("apply"))
		assert rows[at + 1] == "3 frames hidden" and rows[at + 2].startswith("transform/srv/app/model.py:33"), rows
		assert not has("_map") and not has("run") and not has("step"), rows
		hidden = page.value("[...document.querySelector('.hidden-frames').children].map((c) => c.textContent)")
		near(seconds(hidden[1]), 1.5)   # step's own
		page.press(".hidden-frames .call")
		assert has("_map") and has("run") and has("step") and not has("3 frames"), names()
		page.press(".fold input")
		page.press(".fold input")
		assert has("3 frames hidden"), names()
		page.value("document.querySelector('.calls [tabindex=\"0\"]').focus()")
		page.key("Home")
		for _ in range(len(rows)):
		    if page.value("document.activeElement.className") == "hidden-frames":
		        break
		    page.key("ArrowDown")
		page.key("Enter")
		assert has("step") and not has("3 frames"), names()
		page.press(".fold input")
		assert has("step"), names()
	END
}

@test "page: the tree has self time, and marks what is searched for, folded or not (oracle: make_profile.py)" {
	make_run --python
	page_test <<-'END'
		page.press(".choice button", "Tree")
		head = page.value("[...document.querySelectorAll('.calls th')].map((h) => h.textContent)")
		assert head == ["Wall", "Self", "Share", "CPU", "Call"], head
		row = page.value("[...[...document.querySelectorAll('.calls tbody tr')].find((r) => r.textContent.includes('deflate'))"
		                 ".children].map((c) => c.textContent)")
		near(seconds(row[0]), 78)
		near(seconds(row[1]), 12)
		page.key("/")
		page.type("STE")
		marks = page.value("[...document.querySelectorAll('.calls mark')].map((m) => m.textContent + '|' + m.parentNode.textContent)")
		assert marks == ["ste|step"], marks
		x, top, w, height = page.box(".views .tall")
		assert top <= page.box(".calls tr.hit")[1] < top + height
		page.key("Enter")
		assert page.value("document.activeElement.className") == "hit"
		page.key("/")
		page.key("Escape")
		assert page.value("document.querySelectorAll('.calls mark').length") == 0
	END
}

@test "page: calls are grouped by file and by module, and no time is lost (oracle: make_profile.py)" {
	make_run --python
	page_test <<-'END'
		SET = "(() => { const s = [...document.querySelectorAll('.field')].find((f) => f.textContent.startsWith('Group'))" \
		      ".querySelector('select'); s.value = %s; s.dispatchEvent(new Event('change')); })()"
		def rows():
		    rows = page.value("[...document.querySelectorAll('.calls tbody tr')].map((r) => [...r.children].map((c) => c.textContent))")
		    return [(r[-1].strip("▾▸⋯"), seconds(r[0]) if r[0] else None) for r in rows]
		page.press(".choice button", "Tree")
		page.press(".fold input")
		page.value("(() => { const s = document.querySelector('.filters select'); s.value = 'p2'; s.dispatchEvent(new Event('change')); })()")
		page.value(SET % "'file'")
		wanted = [("all", 13.5), ("python3-4800", 13.5), ("/srv/app/model.py", 13.5),
		          ("/usr/lib/python3/dist-packages/frames/core.py", 7.5), ("/usr/lib/python3/dist-packages/frames/ops.py", 7.5),
		          ("/srv/app/model.py", 6)]
		assert rows() == wanted, rows()
		page.value(SET % "'module'")
		wanted = [("all", 13.5), ("python3-4800", 13.5), ("/srv/app/model.py", 13.5), ("frames", 7.5), ("/srv/app/model.py", 6)]
		assert rows() == wanted, rows()
		near(shown(), 13.5)
	END
}

@test "page: in time, what came first stands first, and no time is lost (oracle: make_profile.py)" {
	make_run --python
	page_test <<-'END'
		page.press(".choice button", "Tree")
		page.press(".choice button", "In time")
		near(shown(), told["marks"] * 0.01)
		page.value("(() => { const s = document.querySelector('.filters select'); s.value = 'p2'; s.dispatchEvent(new Event('change')); })()")
		near(shown(), 13.5)
		rows = page.value("[...document.querySelectorAll('.calls tbody tr')].map((r) => r.textContent)")
		first = next(i for i, r in enumerate(rows) if "compute" in r)
		second = next(i for i, r in enumerate(rows) if "apply" in r)
		assert first < second, rows     # though apply took longer
		page.press(".choice button", "Top down")
		rows = page.value("[...document.querySelectorAll('.calls tbody tr')].map((r) => r.textContent)")
		assert next(i for i, r in enumerate(rows) if "compute" in r) > next(i for i, r in enumerate(rows) if "apply" in r)
		page.press(".choice button", "In time")
		page.press(".choice button", "Flame graph")
		assert "1.00 s the order is not known" in page.text(".views"), page.text(".views")
	END
}

@test "page: Python, its libraries, native code and the kernel have colours of their own, in the dark too" {
	make_run --python
	page_test <<-'END'
		legend = "[...document.querySelectorAll('.flame-box .legend .swatch')].map((s) => getComputedStyle(s).backgroundColor)"
		light = page.value(legend)
		page.dark()
		night = page.value(legend)
		assert len(set(light)) == len(set(night)) == 5 and not set(light) & set(night), (light, night)
	END
}
