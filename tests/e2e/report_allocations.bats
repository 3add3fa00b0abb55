#!/usr/bin/env bats
# report_allocations.bats - what is made of allocations: tree, table, leaks, diff, top, flamegraph,
# summary, driven as a user drives them. Oracle: the entries that make_allocations.py has written
# down, an XML parser.

load helpers

make_run() { # RUN_DIR ARG…: see make_allocations.py
	"$PYTHON" "$BATS_TEST_DIRNAME/make_allocations.py" "$@"
}

# told FILE…  <<'END': python with told (every entry of $RUN) and the helpers below.
told() {
	{
		cat <<-'END'
			import json, re, sys
			with open(sys.argv[1] + ".told.json") as f:
			    told = json.load(f)
			files = [open(p, encoding="utf-8").read() for p in sys.argv[2:]]
			UNITS = {"B": 0, "KiB": 1, "MiB": 2, "GiB": 3}
			def near(text, bytes_):
			    number, unit = text.split()
			    return abs(float(number) * 1024 ** UNITS[unit] - bytes_) <= 0.051 * 1024 ** UNITS[unit]
			def total(kind, which="main"):
			    return sum(e[kind][0] for e in told[which])
			def place(frame):
			    name, file, line, module = frame
			    return f"{name}  " + (f"{file.split('/')[-1]}:{line}" if file else module.split("/")[-1])
			ROW = re.compile(r" *([\d.]+ [KMG]?i?B) +(?:± [\d.]+ [KMG]?i?B +)?([\d.]+) % +([\d,]+)  (.*)")
			def rows(text):
			    return [m.groups() for m in map(ROW.match, text.splitlines()) if m]
		END
		cat
	} >told.py
	"$PYTHON" -B told.py "$RUN" "$@"
}

refuses() { # TEXT COMMAND…
	local text=$1
	shift
	CODE=0
	"$TASKDIAG" "$@" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
	[ "$CODE" -ne 0 ] || fail "was not refused: $*"
	assert_equal "$(wc -l <"$ERR")" 1 "lines"
	assert_has "$(cat "$ERR")" "$text"
}

@test "tree has every stack with its bytes and pieces, below its process (oracle: make_allocations.py)" {
	make_run "$RUN"
	"$TASKDIAG" tree --full "$RUN" >tree.txt 3>&-
	told tree.txt <<-'END'
		lines = rows(files[0])
		assert near(lines[0][0], total("inuse")) and lines[0][3] == "◉ total", lines[0]
		at = []
		sums = {}
		for size, share, pieces, text in lines[1:]:
		    depth = (re.match(r"[│├└─ ]*", text).end()) // 3
		    at[depth - 1:] = [text[depth * 3:]]
		    sums[tuple(at)] = size, share, int(pieces.replace(",", ""))
		for e in told["main"]:
		    path = (f"{e['thread'][0]}-{e['thread'][1]}",) + tuple(place(f) for f in e["stack"])
		    for n in range(1, len(path) + 1):
		        below = [x for x in told["main"] if x["inuse"][1] and (f"{x['thread'][0]}-{x['thread'][1]}",) +
		                 tuple(place(f) for f in x["stack"][:n - 1]) == path[:n]]
		        if not below:
		            continue
		        size, share, pieces = sums[path[:n]]
		        bytes_ = sum(x["inuse"][0] for x in below)
		        assert near(size, bytes_), (path[:n], size, bytes_)
		        assert pieces == sum(x["inuse"][1] for x in below), path[:n]
		        assert abs(float(share) - 100 * bytes_ / total("inuse")) < 0.06, path[:n]
	END
	assert_has "$(cat tree.txt)" 'loader-4711: heap, exact: 410.0 MiB live at the peak (12.17 s), in 4,920 allocations'
	assert_has "$(cat tree.txt)" 'not in it: 6.0 MiB before the observation'
}

@test "on a terminal long views go through the pager of the user, elsewhere through none (oracle: what it got)" {
	local view
	make_run "$RUN"
	for view in "tree --allocations" table leaks "top --allocations"; do
		rm -f paged
		# shellcheck disable=SC2086 # words of a command
		env -u SUDO_UID PAGER="cat >paged" "$TASKDIAG" $view "$RUN" >plain.txt 3>&-
		[ ! -e paged ] || fail "$view: a pager for a file"
		env -u SUDO_UID TERM=xterm PAGER="cat >paged" script -qec "stty cols 200; $TASKDIAG $view --color never $RUN" /dev/null </dev/null >terminal.txt 3>&-
		[ -s paged ] || fail "$view: no pager" "$(cat terminal.txt)"
		[ ! -s terminal.txt ] || fail "$view: not only the pager" "$(cat terminal.txt)"
		env -u SUDO_UID TERM=xterm PAGER=cat script -qec "stty cols 200; $TASKDIAG $view --color never $RUN" /dev/null </dev/null >terminal.txt 3>&-
		diff paged <(tr -d '\r' <terminal.txt)
		# who leaves early has seen enough
		env -u SUDO_UID TERM=xterm PAGER=true script -qec "$TASKDIAG $view --full $RUN" /dev/null </dev/null >terminal.txt 3>&-
		[ ! -s terminal.txt ] || fail "$view: $(cat terminal.txt)"
	done
}

@test "tree hides what is small, says how much that is, and folds libraries" {
	make_run "$RUN"
	"$TASKDIAG" tree --allocations "$RUN" >tree.txt 3>&-
	assert_matches "$(grep smaller tree.txt)" '^ +10\.0 MiB +2\.4 % +40  .*…40 smaller$'
	! grep -q part_1 tree.txt || fail "not hidden"
	assert_has "$(cat tree.txt)" '[2 frames hidden]'
	assert_has "$(cat tree.txt)" '40 branches below 1 % and 2 frames of libraries are hidden; --full shows all'
	LC_ALL=C "$TASKDIAG" tree "$RUN" >tree.txt 3>&-
	refute_matches tree.txt '[^\x0a\x20-\x7e]'
	"$TASKDIAG" tree --color always "$RUN" >tree.txt 3>&-
	grep -q $'\e\[1;31m' tree.txt || fail "no colour"
}

@test "tree of a run with both shows the profile, and says how to see the allocations" {
	"$PYTHON" "$BATS_TEST_DIRNAME/make_profile.py" "$RUN"
	"$TASKDIAG" tree "$RUN" >before.txt 3>&-
	make_run "$RUN"
	"$TASKDIAG" tree "$RUN" >after.txt 3>&-
	assert_equal "$(head -n "$(wc -l <before.txt)" after.txt)" "$(cat before.txt)" "the profile"
	assert_has "$(tail -1 after.txt)" 'allocations: taskdiag-bpf tree --allocations'
	for asking in --allocations --leaks --temporary; do
		"$TASKDIAG" tree $asking "$RUN" >tree.txt 3>&-
		assert_has "$(sed -n 1p tree.txt)" 'heap, exact'
	done
	"$TASKDIAG" top --allocations "$RUN" >top.txt 3>&-
	assert_matches "$(sed -n 5p top.txt)" '^ +330\.0 MiB +80\.5 % +20 +330\.0 MiB +80\.5 %  read_file'
}

@test "the summary of a run with all diagnostics is one screen (oracle: make_allocations.py)" {
	"$PYTHON" "$BATS_TEST_DIRNAME/make_profile.py" "$RUN"
	make_run "$RUN"
	"$TASKDIAG" summary "$RUN" >"$OUT" 3>&-
	[ "$(wc -l <"$OUT")" -le 24 ] || fail "too long" "$(cat "$OUT")"
	[ "$(wc -L <"$OUT")" -le 80 ] || fail "too wide" "$(cat "$OUT")"
	assert_has "$(cat "$OUT")" 'alloc    heap, exact: peak 410.0 MB at 12.17 s, 4,920 allocations'
	assert_matches "$(grep read_file "$OUT")" '^ +80\.5 % +330\.0 MB  read_file'
	assert_has "$(cat "$OUT")" 'at end   75.0 MB live in 9 allocations; see taskdiag-bpf leaks'
	make_run "$RUN" --sampled
	"$TASKDIAG" summary "$RUN" >"$OUT" 3>&-
	[ "$(wc -l <"$OUT")" -le 23 ] && [ "$(wc -L <"$OUT")" -le 80 ] || fail "no screen" "$(cat "$OUT")"
	assert_matches "$(grep '^alloc' "$OUT")" 'heap, estimated: peak 410\.0 MB \(404\.[0-9] MB to 415\.[0-9] MB\) at 12\.17 s$'
}

@test "table has a row for each place, allocator and thread (oracle: make_allocations.py)" {
	make_run "$RUN"
	for kind in inuse leaked temporary; do
		case $kind in inuse) option= ;; leaked) option=--leaks ;; *) option=--temporary ;; esac
		"$TASKDIAG" table --full $option "$RUN" >table.txt 3>&-
		KIND=$kind told table.txt <<-'END'
			import collections, os
			kind, wanted = os.environ["KIND"], collections.Counter()
			for e in told["main"]:
			    if any(e[kind]):
			        wanted[e["allocator"], f"{e['thread'][2]}-{e['thread'][3]}", place(e["stack"][-1])] += e[kind][0]
			found = rows(files[0])
			assert len(found) == len(wanted), (len(found), len(wanted))
			for size, share, pieces, text in found:
			    key = tuple(text.split(None, 2))
			    assert near(size, wanted[key]), (key, size)
		END
	done
	"$TASKDIAG" table "$RUN" >table.txt 3>&-
	assert_matches "$(sed -n 5p table.txt)" '^ +300\.0 MiB +73\.2 % +12  malloc +loader-4711 +read_file  load\.c:77$'
	assert_has "$(tail -1 table.txt)" '4.0 MiB in 16 more rows; --full shows all'
}

@test "leaks has what was live at the end, each stack as a whole, largest first (oracle: make_allocations.py)" {
	make_run "$RUN"
	"$TASKDIAG" leaks "$RUN" >leaks.txt 3>&-
	told leaks.txt <<-'END'
		wanted = sorted((e for e in told["main"] if e["leaked"][0]), key=lambda e: -e["leaked"][0])
		blocks = files[0].strip().split("\n\n")
		assert len(blocks) == 1 + len(wanted), len(blocks)
		for block, e in zip(blocks[1:], wanted):
		    head, *frames = block.splitlines()
		    size, share, pieces, what = rows(head)[0]
		    assert near(size, e["leaked"][0]) and int(pieces) == e["leaked"][1], block
		    assert [f.strip() for f in frames] == [place(f) for f in reversed(e["stack"])] + \
		        [f"{e['thread'][0]}-{e['thread'][1]}"], block
	END
	make_run "$BATS_TEST_TMPDIR/pages" --only-resident
	"$TASKDIAG" leaks "$BATS_TEST_TMPDIR/pages" >leaks.txt 3>&-
	assert_has "$(cat leaks.txt)" '60.0 MiB live at the end, in 15,360 pages'
}

@test "JSON has every entry exactly, and what it leaves out is summed (oracle: make_allocations.py)" {
	make_run "$RUN" --both --sampled --many 11000
	"$TASKDIAG" tree --json "$RUN" >peak.json 3>&-
	"$TASKDIAG" table --json --leaks --full "$RUN" >leaks.json 3>&-
	"$TASKDIAG" leaks --json --resident "$RUN" >pages.json 3>&-
	told peak.json leaks.json pages.json <<-'END'
		import collections
		for text, kind, which in zip(files, ("inuse", "leaked", "leaked"), ("main", "main", "resident")):
		    found = json.loads(text)
		    assert found["source"] == {"main": "heap", "resident": "resident"}[which] and not found["exact"]
		    def key(thread, allocator, stack):
		        return thread, allocator, tuple(stack)
		    wanted, errors = collections.Counter(), collections.Counter()
		    for e in told[which]:
		        k = key(e["thread"][3], e["allocator"], ((f[0], f[1], f[2] or None) for f in e["stack"]))
		        wanted[k] += e[kind][0]
		        errors[k] += e["error"] ** 2 if kind == "inuse" else 0
		    bytes_ = [e["bytes"] for e in found["entries"]]
		    assert bytes_ == sorted(bytes_, reverse=True)
		    for e in found["entries"]:
		        k = key(e["tid"], e["allocator"], ((f["function"], f["file"], f["line"]) for f in e["stack"]))
		        assert e["bytes"] == wanted[k], (e, wanted[k])
		        assert abs(e["error_95_bytes"] - errors[k] ** 0.5) <= 3, e
		    assert sum(bytes_) + found["omitted"]["bytes"] == found["total"]["bytes"] == total(kind, which)
		assert json.loads(files[0])["omitted"]["entries"] > 900
	END
}

@test "diff tells what grew, to the byte, and as JSON for a check (oracle: make_allocations.py)" {
	make_run "$RUN"
	make_run "$BATS_TEST_TMPDIR/later" --grown
	"$TASKDIAG" diff "$RUN" "$BATS_TEST_TMPDIR/later" >diff.txt 3>&-
	assert_has "$(cat diff.txt)" 'change  +40.0 MiB (+9.8 %), 0 allocations'
	assert_matches "$(sed -n 6p diff.txt)" '^ +\+40\.0 MiB +32\.0 MiB +72\.0 MiB +0  index \(index\.c:9\) ← index ← load ← main'
	"$TASKDIAG" diff --json "$BATS_TEST_TMPDIR/later" "$RUN" >diff.json 3>&-
	"$PYTHON" - <<-'END'
		import json
		d = json.load(open("diff.json"))
		assert d["change"] == {"bytes": -(40 << 20), "count": 0, "error_95_bytes": 0, "beyond_error": True}, d["change"]
		assert d["before"]["total"]["bytes"] - d["after"]["total"]["bytes"] == 40 << 20
		(s,) = d["stacks"]
		assert s["change_bytes"] == -(40 << 20) and [f["function"] for f in s["stack"]][-3:] == ["load", "index", "index"], s
		own = {f["function"]["function"]: (f["own_change_bytes"], f["change_bytes"]) for f in d["functions"]}
		assert own["index"] == (-(40 << 20), -(40 << 20)) and own["main"] == (0, -(40 << 20)), own
	END
	"$TASKDIAG" diff "$RUN" "$RUN" >diff.txt 3>&-
	assert_equal "$(grep -c 'nothing grew or shrank' diff.txt)" 2 "empty tables"
}

@test "a change within the error of estimates is said to be so" {
	make_run "$RUN" --sampled --many 10
	make_run "$BATS_TEST_TMPDIR/later" --sampled
	"$TASKDIAG" diff "$RUN" "$BATS_TEST_TMPDIR/later" >diff.txt 3>&-
	assert_has "$(cat diff.txt)" 'within the error of the estimates'
	"$TASKDIAG" diff --json "$RUN" "$BATS_TEST_TMPDIR/later" >diff.json 3>&-
	grep -q '"beyond_error":false' diff.json || fail "as JSON it is not"
}

@test "estimates have their 95 % interval beside them, exact numbers have none" {
	make_run "$RUN" --sampled
	"$TASKDIAG" tree "$RUN" >tree.txt 3>&-
	assert_has "$(sed -n 1p tree.txt)" 'estimated from one sample in 512.0 KiB'
	assert_matches "$(sed -n 1p tree.txt)" '95 %: 404\.[0-9] MiB to 415\.[0-9] MiB'
	assert_matches "$(grep 'load.c:79' tree.txt)" '^ +10\.0 MiB ± 948\.7 KiB +2\.4 %'
	LC_ALL=C "$TASKDIAG" table "$RUN" >table.txt 3>&-
	assert_matches "$(grep 'load.c:79' table.txt)" '^ +10\.0 MiB \+- 948\.7 KiB'
	make_run "$BATS_TEST_TMPDIR/exact"
	"$TASKDIAG" tree "$BATS_TEST_TMPDIR/exact" >tree.txt 3>&-
	! grep -q ± tree.txt || fail "an exact number has an error"
}

@test "--resident shows resident pages, from either file; a heap is not compared with them" {
	make_run "$RUN" --both
	make_run "$BATS_TEST_TMPDIR/pages" --only-resident
	make_run "$BATS_TEST_TMPDIR/heap"
	"$TASKDIAG" table --resident "$RUN" >both.txt 3>&-
	assert_matches "$(sed -n 4p both.txt)" '^ +100\.0 MiB +78\.1 % +25,600  anonymous page +loader-4711 +fill  fill\.c:3$'
	"$TASKDIAG" table --resident "$BATS_TEST_TMPDIR/pages" >one.txt 3>&-
	assert_equal "$(sed -n '/anonymous/,$p' one.txt)" "$(sed -n '/anonymous/,$p' both.txt)" "the only source"
	"$TASKDIAG" diff --resident "$RUN" "$BATS_TEST_TMPDIR/pages" >diff.txt 3>&-
	assert_has "$(cat diff.txt)" 'nothing grew or shrank'
	refuses 'they do not compare' diff "$RUN" "$BATS_TEST_TMPDIR/pages"
	refuses 'no resident pages; leave out --resident' tree --resident "$BATS_TEST_TMPDIR/heap"
}

@test "flamegraph of allocations is XML with our one script, whatever the names are (oracle: an XML parser)" {
	make_run "$RUN" --hostile
	"$TASKDIAG" flamegraph "$RUN" >"$OUT" 3>&-
	assert_equal "$(cat "$OUT")" allocations.svg "default file"
	"$PYTHON" - <<-'END'
		import xml.etree.ElementTree as tree
		svg = tree.parse("allocations.svg").getroot()
		names = [e.tag.rpartition("}")[2] for e in svg.iter()]
		assert names.count("script") == 1 and "img" not in names, names
		titles = [e.text for e in svg.iter() if e.tag.endswith("title")]
		assert "load  load.c:31\n362.0 MiB, 79.04 %, 84 allocations; self 0 B" in titles, titles
		assert any("</script><script>document.title='acted'</script>" in t for t in titles), titles
	END
}

@test "no name of a task acts on a terminal, in any view" {
	make_run "$RUN" --hostile
	make_run "$BATS_TEST_TMPDIR/other"
	for view in "tree" "tree --full" table leaks top "tree --json" "diff $BATS_TEST_TMPDIR/other" \
		"diff --json $BATS_TEST_TMPDIR/other" summary; do
		# shellcheck disable=SC2086 # words
		"$TASKDIAG" $view "$RUN" >"$OUT" 3>&-
		refute_matches "$OUT" '[\x00-\x09\x0b-\x1f\x7f]'
		! grep -qP '\x{202e}|\x{9b}|\x{2028}' "$OUT" || fail "$view: acts"
		! grep -q '<script' "$OUT" || [ "${view%--json*}" = "$view" ] || fail "$view: acts in a page"
	done
}

@test "a run without allocations is told so, with the next step" {
	mkdir "$RUN"
	echo '{"format":1}' >"$RUN/manifest.json"
	for verb in table leaks "tree --allocations" "top --leaks" "flamegraph --allocations" "diff $RUN"; do
		# shellcheck disable=SC2086 # words
		refuses "$RUN: has no allocations; make them with: taskdiag-bpf -d allocations" $verb "$RUN"
	done
	refuses 'has no profile' tree "$RUN"
	refuses 'needs two run directories' diff "$RUN"
	refuses 'give one of them' table --leaks --temporary "$RUN"
}

@test "damaged allocations are one line (oracle: every cut of the file)" {
	make_run "$RUN"
	cp "$RUN/allocations.pb.gz" whole
	for size in 0 1 17 100 1000 1500; do
		head -c "$size" whole >"$RUN/allocations.pb.gz"
		refuses "$RUN: allocations.pb.gz is not gzip, or is cut; make the run again" table "$RUN"
	done
	rm "$RUN/allocations.pb.gz"
	refuses 'allocations.pb.gz is missing though the manifest names it' leaks "$RUN"
	mkfifo "$RUN/allocations.pb.gz"
	refuses 'allocations.pb.gz is not a regular file' leaks "$RUN"
	rm "$RUN/allocations.pb.gz"
	ln -s ../whole "$RUN/allocations.pb.gz"
	refuses 'allocations.pb.gz is a symbolic link' leaks "$RUN"
}

@test "a run of 20,000 stacks is shown in every view, and nothing is lost (oracle: make_allocations.py)" {
	make_run "$RUN" --many 20000
	for view in tree table leaks top; do
		"$TASKDIAG" $view "$RUN" >"$view.txt" 3>&-
		[ "$(wc -l <"$view.txt")" -lt 600 ] || fail "$view is too long"
	done
	told table.txt leaks.txt <<-'END'
		for text, kind in zip(files, ("inuse", "leaked")):
		    more = re.search(r"([\d.]+ [KMG]?i?B) in ([\d,]+) more", text)
		    shown = 0
		    for size, *_ in rows(text):
		        shown += float(size.split()[0]) * 1024 ** UNITS[size.split()[1]]
		    shown += float(more[1].split()[0]) * 1024 ** UNITS[more[1].split()[1]]
		    assert abs(shown - total(kind)) <= 1 << 20, (kind, shown, total(kind))
	END
}

@test "--lines has source lines from debug information, and every byte still (oracle: the source, make_allocations.py)" {
	command -v gcc >/dev/null || skip "needs gcc"
	printf '#include <stdlib.h>\n\nvoid *keep(void)\n{\n\treturn malloc(1);\n}\n\nint main(void)\n{\n\treturn !keep();\n}\n' >held.c
	gcc -g -O0 -o held held.c
	make_run "$RUN" --binary "$PWD/held" keep "$(nm held | sed -n 's/ T keep$//p')"
	"$TASKDIAG" tree "$RUN" >tree.txt 3>&-
	assert_matches "$(grep keep tree.txt)" ' keep  held$'
	"$TASKDIAG" tree --lines "$RUN" >lines.txt 2>"$ERR" 3>&-
	assert_matches "$(grep keep lines.txt)" '^ +200\.0 MiB .* keep  held\.c:4$'
	"$TASKDIAG" tree --lines --json --full "$RUN" >lines.json 2>"$ERR" 3>&-
	told lines.json <<-'END'
		found = json.loads(files[0])
		assert sum(e["bytes"] for e in found["entries"]) == total("inuse")
		assert found["total"]["count"] == sum(e["inuse"][1] for e in told["main"])
	END
}

@test "the verbs of allocations are in the help, the man page and the completion" {
	for verb in "table RUN_DIR" "leaks RUN_DIR" "diff RUN_A RUN_B"; do
		"$TASKDIAG" --help | grep -q "taskdiag-bpf $verb"
		"$TASKDIAG" man | grep -q "^\.B $verb"
		"$TASKDIAG" completion | grep -q "verbs=.*${verb%% *}"
		"$TASKDIAG" completion | grep -q "|${verb%% *}[|)]"
	done
	for option in --allocations --leaks --temporary --resident; do
		"$TASKDIAG" --help | grep -q -- "$option"
		"$TASKDIAG" completion | grep -q -- "options=.*$option"
	done
}
