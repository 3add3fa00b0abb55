#!/usr/bin/env bats
# python.bats - Python functions, files and lines in the stacks of the profile, for every CPython that
# can be had (scripts/pythons). Oracles: the programs of tests/targets/python, which know their own
# stacks and times; py-spy.

load helpers

PROGRAMS=$ROOT/tests/targets/python
OPTIONS=() # of the observer, for python_run

setup_file() {
	PATH=$PATH:/usr/sbin:/sbin
	"$BATS_TEST_DIRNAME/../../scripts/pythons" >"$BATS_FILE_TMPDIR/pythons" 2>"$BATS_FILE_TMPDIR/absent" || true
	sed 's/^/# python: /' "$BATS_FILE_TMPDIR/pythons" "$BATS_FILE_TMPDIR/absent" >&3
}

# each_python FUNCTION: for every interpreter; $VERSION and INTERPRETER (an array) are set.
each_python() {
	local line
	[ -s "$BATS_FILE_TMPDIR/pythons" ] || fail "no interpreter at all:" "$(cat "$BATS_FILE_TMPDIR/absent")"
	while IFS= read -r -u 9 line; do
		[[ $line != \#* ]] || continue
		VERSION=${line%%$'\t'*}
		[[ $VERSION != *t ]] || continue # without the GIL: refused by name
		read -r -a INTERPRETER <<<"${line#*$'\t'}"
		rm -rf "$RUN"
		"$@" || fail "with $VERSION: ${INTERPRETER[*]}"
	done 9<"$BATS_FILE_TMPDIR/pythons"
}

# python_run PROGRAM ARG…: a profile of it; where the interpreter has a root of its own the program is
# copied there.
python_run() {
	local program=$PROGRAMS/$1
	shift
	if [ "${INTERPRETER[0]}" = chroot ]; then
		mkdir -p "${INTERPRETER[1]}/tmp/taskdiag"
		cp "$program" "${INTERPRETER[1]}/tmp/taskdiag/"
		program=/tmp/taskdiag/${program##*/}
	fi
	timeout --foreground 120 "$TASKDIAG" -o "$RUN" -d profile "${FAST[@]}" "${OPTIONS[@]}" -- \
		"${INTERPRETER[@]}" "$program" "$@" >"$OUT" 2>"$ERR" 3>&- ||
		fail "status $?" "$(cat "$ERR" "$OUT")"
}

# python_is_ok: what the profile says of the interpreter is that all went well. A walk may come upon the
# interpreter between two frames, where the current one is freed already.
python_is_ok() {
	jq -e '.diagnostics.profile.python | .status == "ok" and .gone == 0 and .not_its_own == 0
		and (.not_code + .not_readable) * 50 <= .walks
		and .codes_lost == 0 and .ambiguous == 0' "$RUN/manifest.json" >/dev/null ||
		fail "$(jq -c '.diagnostics.profile | .python, .limits' "$RUN/manifest.json")"
}

# python_stacks <<END: as profiled, and pystacks: [(thread, [(function, file, line)…] root first, cause, ns)].
python_stacks() {
	{
		cat <<-'END'
			def split(frame):
			    m = re.fullmatch(r"(.*) \(([^()]*|<[^<>]*>):(\d+)\)", frame)
			    return (m[1], m[2], int(m[3])) if m else (frame, None, 0)

			pystacks = []
			with open(run + "/profile.folded", errors="surrogateescape") as f:
			    for line in f:
			        text, us = line.rstrip("\n").rsplit(" ", 1)
			        process, thread, *frames = text.split(";")
			        frames = [split(x) for x in frames]
			        cause = frames.pop()[0] if re.fullmatch(r"\[[A-Za-z0-9_ ]+\]", frames[-1][0]) else "cpu"
			        pystacks.append((thread, frames, cause, int(us) * 1000, process))

			def py(frames):
			    return [f for f in frames if f[1]]

			def in_function(name, cause=None):
			    return sum(ns for _, frames, c, ns, _ in pystacks
			               if any(f[0].split(".")[-1] == name for f in py(frames)) and (cause is None or c == cause))
		END
		cat
	} | profiled
}

schedule() {
	python_run schedule.py --seconds 2
	python_is_ok
	python_stacks <<-'END'
		for name in ("spin_python", "nap", "crunch"):
		    wall, cpu = map(int, said_lines("part", name)[0])
		    about(in_function(name), wall, pieces=40, what=name)
		wall, cpu = map(int, said_lines("part", "nap")[0])
		asleep = in_function("nap", "[sleep]") + in_function("nap", "[poll]")  # up to 3.10 it is select(2)
		assert asleep > in_function("nap") * 0.5, (asleep, in_function("nap"))
		# the helper is blocked from its begin to the end, in its own function, on a lock
		helper = [s for s in pystacks if any(f[0] == "helper" for f in s[1])]
		assert helper and {s[2] for s in helper} <= {"[lock]", "cpu", "[run queue]", "[GIL]", "[not sampled]"}, helper
		assert in_function("helper", "[lock]") > 0.8 * in_function("helper"), helper
	END
}

@test "a schedule of Python, sleep and C: each part has its time, in every version (oracle: the program's clocks)" {
	each_python schedule
}

calls() {
	python_run calls.py --hold-ms 60
	python_is_ok
	python_stacks <<-'END'
		wanted = [json.loads(line) for line in open(said_file) if line.startswith("[[")]
		assert len(wanted) >= 8, wanted
		base = lambda f: (f[0], os.path.basename(f[1]))
		missing = []
		for chain in wanted:
		    chain = chain[::-1]  # root first
		    leaf = chain[-1]
		    same = [py(s[1]) for s in pystacks
		            if len(py(s[1])) >= len(chain) and base(py(s[1])[len(chain) - 1]) == base(leaf)
		            and all(base(a) == base(b) and a[2] == b[2] for a, b in zip(py(s[1])[:len(chain) - 1], chain[:-1]))]
		    if not same:
		        missing.append((chain, [py(s[1]) for s in pystacks if any(f[0] == leaf[0] for f in py(s[1]))][:2]))
		assert not missing, missing
	END
}

@test "methods, closures, generators, coroutines, callbacks through C: function, file and line of every frame (oracle: sys._getframe)" {
	each_python calls
}

deep() {
	python_run recursion.py --depth 600
	python_stacks <<-'END'
		found = [s for s in pystacks if any(f[0] == "bottom" for f in py(s[1])) and s[2] == "cpu"]
		assert found
		for thread, frames, cause, ns, process in found:
		    names = [f[0] for f in py(frames)]
		    names = names[:names.index("bottom") + 1]
		    assert frames[0][0].startswith("[incomplete: deeper than"), frames[:3]
		    assert len(names) > 100 and set(names[:-1]) == {"recurse"}, (len(names), set(names))
		assert profile["stacks"]["too_deep"] > 0
	END
}

@test "600 Python frames deep: the leaf side is whole, and the cut is named (oracle: the program)" {
	each_python deep
}

@test "two threads in the GIL's way wait for it, and that is its name (oracle: the program)" {
	VERSION=3.11 INTERPRETER=("$PYTHON")
	python_run threads.py
	python_is_ok
	python_stacks <<-'END'
		for name in ("burn_a", "burn_b"):
		    assert in_function(name, "[GIL]") > 0 and in_function(name, "cpu") > 0, [s for s in pystacks][:9]
		    assert in_function(name, "[GIL]") > 5 * in_function(name, "[lock]"), pystacks
	END
}

@test "forked workers and an exec of another interpreter have their own functions (oracle: the program)" {
	VERSION=3.11 INTERPRETER=("$PYTHON")
	python_run forks.py
	python_is_ok
	python_stacks <<-'END'
		at = {name: {s[4] for s in pystacks if any(f[0] == name for f in py(s[1]))}
		      for name in ("worker_0", "worker_1", "child_burn")}
		assert all(len(p) == 1 for p in at.values()) and len(set.union(*at.values())) == 3, at
	END
}

subinterpreter() {
	python_run subinterpreter.py
	python_is_ok
	python_stacks <<-'END'
		about(in_function("in_sub", "cpu"), 700000000, what="in_sub")
	END
}

@test "a sub-interpreter's functions are seen while they run, in every version (oracle: the program)" {
	each_python subinterpreter
}

@test "names in any script and files in any spelling (oracle: the program)" {
	VERSION=3.11 INTERPRETER=("$PYTHON")
	python_run unicode_names.py
	python_is_ok
	python_stacks <<-'END'
		names = {f[0] for s in pystacks for f in py(s[1])}
		wanted = [line.split(" ", 1)[1].strip() for line in open(said_file) if line.startswith("function ")]
		assert len(wanted) >= 3 and set(wanted) <= names, (wanted, names)
	END
}

@test "code objects that come and go at the same address never have another's name (oracle: the program)" {
	VERSION=3.11 INTERPRETER=("$PYTHON")
	python_run churn.py
	python_stacks <<-'END'
		seen = set()
		for thread, frames, cause, ns, process in pystacks:
		    for name, file, line in py(frames):
		        if re.fullmatch(r"gen_\d+", name):
		            seen.add(name)
		            assert os.path.basename(file).startswith(name + "."), (name, file)
		assert len(seen) > 20, seen
		assert profile["python"]["gone"] == 0 and profile["python"]["ambiguous"] == 0, profile["python"]
	END
}

@test "an event loop, idle workers, a queue, a lock, a child and a socket: what each waits for has its name" {
	VERSION=3.11 INTERPRETER=("$PYTHON")
	python_run sleepers.py
	python_is_ok
	python_stacks <<-'END'
		def waits(function, cause):
		    assert in_function(function, cause) > 0, (function, cause, sorted({(s[2], tuple(f[0] for f in py(s[1]))[-3:]) for s in pystacks}, key=str))
		waits("select", "[epoll]")
		waits("accept", "[socket]")
		waits("_worker", "[lock]")
		waits("get", "[lock]")
		waits("wait", "[child]")
	END
}

@test "an interpreter within a C program: its own frames stay (oracle: the program)" {
	local library
	library=$(ldconfig -p | awk '/libpython3.*\.so/ { print $NF; exit }')
	[ -n "$library" ] || skip "needs a libpython3"
	observe_well -d profile "${FAST[@]}" -- "$TARGETS/python_embed" "$library"
	python_is_ok
	python_stacks <<-'END'
		found = [s for s in pystacks if any(f[0] == "embedded" for f in py(s[1])) and s[2] == "cpu"]
		assert found
		for s in found:
		    names = [f[0] for f in s[1]]
		    assert names.index("embed_outer") < names.index("embed_inner") < names.index("embedded"), names
		    assert not any(n.startswith("_PyEval") for n in names), names
	END
}

@test "--native-internals shows the interpreter's own frames between Python's" {
	VERSION=3.11 INTERPRETER=("$PYTHON")
	OPTIONS=(--native-internals)
	python_run schedule.py --seconds 1
	python_stacks <<-'END'
		found = [s for s in pystacks if any(f[0] == "spin_python" for f in py(s[1])) and s[2] == "cpu"]
		assert found
		for s in found:
		    names = [f[0] for f in s[1]]
		    assert names.index("_PyEval_EvalFrameDefault") < names.index("spin_python"), names
	END
	rm -rf "$RUN"
	OPTIONS=()
	python_run schedule.py --seconds 1
	run ! grep -q _PyEval_EvalFrameDefault <(grep spin_python "$RUN/profile.folded")
}

@test "stopped moments: the same frames and lines as py-spy dump (oracle: py-spy)" {
	local moment
	"$PYTHON" "$BATS_TEST_DIRNAME/pythondump.py" --check || skip "py-spy could not be had"
	start_target "$PYTHON" "$PROGRAMS/calls.py" --hold-ms 400
	wait_for "$PATIENCE" file_has "$SAID" ready
	for moment in 1 2 3 4 5 6; do
		sleep 0.25
		kill -STOP "$TARGET"
		rm -rf "$RUN"
		observe -d profile "${FAST[@]}" --duration 200ms --pid "$TARGET"
		[ "$CODE" -eq 0 ] || fail "status $CODE" "$(cat "$ERR")"
		"$PYTHON" "$BATS_TEST_DIRNAME/pythondump.py" "$TARGET" >dump.json
		kill -CONT "$TARGET"
		PROFILED_SAID=dump.json python_stacks <<-'END'
			dump = json.load(open(said_file))
			stopped = [s for s in pystacks if s[2] == "[stopped]"]
			ours = {tuple((f[0].split(".")[-1], os.path.basename(f[1]), f[2]) for f in py(s[1])) for s in stopped}
			theirs = {tuple((f[0].split(".")[-1], os.path.basename(f[1]), f[2]) for f in reversed(t)) for t in dump.values()}
			assert ours == theirs, (ours, theirs)
		END
	done
}

@test "an interpreter that lies: loops, unmapped and kernel pointers, no code objects, huge names, line tables of garbage" {
	local kind
	for kind in fine loop unmapped kernel type name lines thread; do
		rm -rf "$RUN"
		profile_of "$TARGETS/python_hostile" "$kind"
		python_stacks <<-END
			kind = "$kind"
			python = profile["python"]
			names = {f[0] for s in pystacks for f in s[1]}
			limits = " ".join(profile["limits"])
			assert all(len(n) < 600 for n in names), [len(n) for n in names]
			about(sum(s[3] for s in pystacks if s[2] == "cpu" and (any(f[0] == "main" for f in s[1]) or py(s[1]))), said_number("cpu_ns"), what=kind)
			if kind in ("fine", "lines", "kernel", "unmapped"):
			    assert "inner" in names and python["status"] == "ok", (names, python)
			if kind in ("fine", "lines"):
			    assert "outer" in names, names
			if kind == "loop":
			    assert profile["stacks"]["too_deep"] > 0, profile["stacks"]
			if kind in ("unmapped", "kernel"):
			    assert python["not_readable"] > 0 and "outer" not in names, (python, names)
			if kind == "lines":
			    assert python["lineless"] == 2, python
			if kind == "type":
			    assert python["not_code"] > 0 and "python frames unavailable: what its frames run" in limits, (python, limits)
			if kind == "thread":
			    assert python["not_its_own"] > 0 and "python frames unavailable: the interpreter's threads" in limits, (python, limits)
		END
	done
}
