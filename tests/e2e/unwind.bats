#!/usr/bin/env bats
# Are the frames those that were there? Against targets whose every frame is known, and against libdw.

# shellcheck disable=SC2016 # single quotes hold what another shell expands
# shellcheck disable=SC2030,SC2031 # every test is a process of its own, and is meant to be

load helpers

COMPARE=$BUILD/unwind_compare

# ---- the same frames as libdw, on the same registers and the same stack bytes

# compare SAMPLES COMMAND…: adds to the sums
compare() {
	local samples=$1
	shift
	"$COMPARE" -n "$samples" -- "$@" >compared 2>compare.stderr 3>&- ||
		fail "unwind_compare $*:" "$(cat compare.stderr)" || return
	cat compared >>all
	awk -v n="$samples" '$1 == "samples" { exit !($2 * 2 > n) }' compared ||
		fail "too few samples of $*:" "$(cat compared)"
}

sum_of() {
	awk -v name="$1" '$1 == name { sum += $2 } END { print sum + 0 }' all
}

assert_same_as_libdw() {
	local all same
	all=$(sum_of samples)
	same=$(sum_of same)
	[ $((same * 1000)) -ge $((all * 998)) ] || fail "$same the same of $all:" "$(cat all)"
	[ $(($(sum_of differ) * 1000)) -le "$all" ] || fail "some differ:" "$(cat all)"
}

@test "the targets' frames are those of libdw in 99.8 % of the samples (oracle: libdw, same registers and bytes)" {
	local name
	for name in burn deep drap signal jit static staticpie framepointer threads; do
		compare 500 "$TARGETS/profile_$name" --ms 800
	done
	rm -f /tmp/perf-*.map
	assert_same_as_libdw
}

@test "distribution programs' frames are those of libdw in 99.8 % of 10,000 samples (oracle: libdw)" {
	head -c 60000000 /dev/zero >zero
	seq 3000000 >numbers
	compare 2500 "$PYTHON" -c 'import json
d = [{"a": [i, str(i), i / 3]} for i in range(20000)]
while True: json.loads(json.dumps(d, indent=1)); sorted(d, key=lambda x: -x["a"][0])'
	compare 2500 sh -c 'exec xz -9 -k -c numbers >/dev/null'
	compare 2500 sh -c 'exec gzip -9 -c zero numbers numbers numbers numbers numbers numbers numbers >/dev/null'
	compare 2500 sh -c 'exec sort -R numbers numbers >/dev/null'
	compare 2500 sh -c 'exec jq -n "[range(3000000)] | map(tostring) | length" >/dev/null'
	[ "$(sum_of samples)" -ge 10000 ] || fail "only $(sum_of samples) samples"
	assert_same_as_libdw
}

# ---- targets whose every frame is known

deep() {
	profile_of "$TARGETS/profile_deep" --depth "$1" --ms 600
	profiled "$1" <<-'END'
		depth = int(args[0])
		chain = ["main"] + [f"step_{i % 10}" for i in range(depth)] + ["bottom"]
		found = of("bottom", cause="cpu")
		for s in found:
		    assert s.has(*chain), s
		    # in the first moments of a command the C library may not be known yet
		    assert s.frames[0] == "_start" or s.frames[0].startswith("[incomplete"), s
		about(sum(s.ns for s in found), said_number("cpu_ns"), what="bottom")
	END
}

@test "40 frames: every one is there, in order, from _start (oracle: the target)" {
	deep 40
}

@test "200 frames: every one is there, in order, from _start (oracle: the target)" {
	deep 200
}

@test "attached: every stack is whole (oracle: the target)" {
	start_target "$TARGETS/profile_burn" --ms 3000
	wait_for "$PATIENCE" file_has "$SAID" ready
	start_observer -d profile "${FAST[@]}" --pid "$TARGET"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	PROFILED_SAID=$SAID profiled <<-'END'
		assert complete_part() >= 0.999, profile["stacks"]
		for s in of("burn_inner", cause="cpu"):
		    assert s.frames[0] == "_start" and s.has("main", "burn_outer", "burn_middle", "burn_inner"), s
		assert of("burn_inner", cause="cpu")
	END
}

@test "700 frames: the innermost 511 are right, and the stack says that it is not whole (oracle: the target)" {
	profile_of "$TARGETS/profile_deep" --depth 700 --ms 600
	profiled <<-'END'
		chain = [f"step_{i % 10}" for i in range(700)] + ["bottom"]
		found = of("bottom", cause="cpu")
		assert found
		for s in found:
		    end = s.at("bottom") + 1
		    frames = [f for f in s.frames if not f.startswith("[incomplete")]
		    assert 505 <= len(frames) <= 560, len(frames)  # some are inlined
		    assert s.frames[0].startswith("[incomplete: deeper than"), s.frames[:3]
		    assert s.frames[1:end] == chain[-(end - 1):], s
		assert profile["stacks"]["too_deep"] > 0, profile["stacks"]
		about(sum(s.ns for s in found), said_number("cpu_ns"), what="bottom")
	END
}

# burns PROGRAM: main → burn_outer → burn_middle → burn_inner, and all of its time is there
burns() {
	profile_of "$TARGETS/$1" --ms 600
	profiled <<-'END'
		found = of("burn_inner", cause="cpu")
		for s in found:
		    assert s.has("main", "burn_outer", "burn_middle", "burn_inner"), s
		about(sum(s.ns for s in found), said_number("cpu_ns"), what="burn_inner")
	END
}

@test "a static program (oracle: the target)" {
	burns profile_static
}

@test "a static-pie program (oracle: the target)" {
	burns profile_staticpie
}

@test "a program with call frame information in .debug_frame only (oracle: the target)" {
	burns profile_debugframe
}

@test "a program without call frame information but with frame pointers: found, and flagged as guessed (oracle: the target)" {
	burns profile_framepointer
	assert_manifest '.diagnostics.profile.stacks.with_guessed_frames > 0'
}

@test "a program with musl: its own frames, though musl has no call frame information (oracle: the target)" {
	[ -x "$TARGETS/profile_musl" ] || skip "musl-tools is not installed"
	profile_of "$TARGETS/profile_musl" --ms 600
	profiled <<-'END'
		# the clock's function is musl's, and hides its caller
		found = [s for s in of(cause="cpu") if s.frames and s.frames[-1] in ("burn_inner", "spin_a_little")]
		assert found
		for s in found:
		    assert s.has("main", "burn_outer", "burn_middle", "burn_inner"), s
	END
}

@test "a program without call frame information and frame pointers: what runs is right, and no stack is said to be whole (oracle: the target)" {
	profile_of "$TARGETS/profile_nocfi" --ms 600
	profiled <<-'END'
		spins = [s for s in of("burn_inner", cause="cpu") if s.frames[-1] == "burn_inner"]
		assert spins
		for s in spins:
		    assert s.frames[0].startswith("[incomplete: "), s
		ends = {k: v for k, v in profile["stacks"].items() if k.startswith("no_") or k in ("zero", "stuck", "not_readable")}
		assert profile["stacks"]["complete"] < sum(ends.values()), profile["stacks"]
	END
}

@test "stacks that are realigned, with alloca (oracle: the target)" {
	profile_of "$TARGETS/profile_drap" --ms 800
	profiled <<-'END'
		found = of("burn_aligned", cause="cpu")
		for s in found:
		    assert s.has("main", "realigned", "realigned_inner", "burn_aligned"), s
		about(sum(s.ns for s in found), said_number("cpu_ns"), what="burn_aligned")
	END
}

@test "lazy binding: through the stubs and _dl_runtime_resolve (oracle: the target)" {
	profile_of "$TARGETS/profile_plt" --ms 800
	profiled <<-'END'
		resolve = r".*_dl_(runtime_resolve|fixup|lookup_symbol).*|ld-linux-x86-64\.so\.2\+0x[0-9a-f]+"
		found = [s for s in stacks if s.has("main", "call_through_plt", "call_each", resolve)]
		assert len(found) > 1, stacks[:5]
		stubs = [s for s in of("call_each", cause="cpu") if not s.frames[0].startswith("[incomplete")]
		for s in stubs:
		    assert s.has("main", "call_through_plt", "call_each"), s
		assert complete_part() >= 0.995, profile["stacks"]
	END
}

@test "a signal handler: the function that it interrupted is below it, on the same stack and on another (oracle: the target)" {
	profile_of "$TARGETS/profile_signal" --ms 600
	profiled <<-'END'
		for name in ("on_stack", "on_altstack"):
		    handler = ("handler_" + name, "burn_in_handler")
		    found = [s for s in of(*handler, cause="cpu") if not early(s)]
		    for s in found:
		        assert s.has("main"), s
		    # in between: what is inlined there, and the trampoline that the kernel returns through
		    whole = [s for s in found if 2 <= s.at(*handler) - s.at("main", "(run|interrupted_function)", ".*") <= 5
		             and s.has("interrupted_function")]
		    about(sum(s.ns for s in whole), said_number("handler_cpu_ns", name), what=name)
	END
}

@test "C++ exceptions: 99 % of the stacks are whole, and thrown ones have their catcher (oracle: the target)" {
	profile_of "$TARGETS/profile_exceptions" --ms 1500
	profiled <<-'END'
		found = [s for s in of(r"throw_deep.*", cause="cpu") if not s.frames[0].startswith("[incomplete")]
		assert found
		for s in found:
		    assert s.has("main", r"catch_all.*", r"throw_deep.*"), s
		assert complete_part() >= 0.99, profile["stacks"]
	END
}

@test "libraries that come and go at one address: no frame of one is named by the other (oracle: the target)" {
	profile_of "$TARGETS/profile_dlopen" --rounds 8 --ms 60
	profiled <<-'END'
		assert said_number("same_address") > 0  # else nothing was tested
		for x in ("a", "b"):
		    found = of("burn_in_plugin_" + x, cause="cpu")
		    for s in found:
		        assert not s.has("unused_in_plugin_b"), s
		        assert s.has("main", "load_and_run", "plugin_work", "burn_in_plugin_" + x) or \
		            s.frames[0].startswith("[incomplete"), s
		    # it was unloaded before the run ended, and has its names; the first moments may lack rows
		    assert sum(s.ns for s in found) >= said_number("plugin", x) / 2, (x, found)
		both = sum(said_number("plugin", x) for x in "ab")
		assert ns(r"burn_in_plugin_[ab]", cause="cpu") <= both + (5 * math.sqrt(both / period) + 2) * period
	END
}

@test "machine code in no file: found by frame pointer, named by the perf map (oracle: the target)" {
	profile_of "$TARGETS/profile_jit" --ms 600
	rm -f "$(said map)"
	profiled <<-'END'
		found = of("jit_inner", cause="cpu")
		for s in found:
		    # at its first and last instruction the frame pointer is the caller's
		    assert s.has("call_jit", "jit_outer", "jit_inner") or s.frames[0].startswith("[incomplete") or \
		        s.has("call_jit", "jit_inner"), s
		whole = sum(s.ns for s in found if s.has("main", "call_jit", "jit_outer", "jit_inner"))
		about(whole, said_number("jit_ns"), what="jit")
		assert profile["stacks"]["with_guessed_frames"] > 0
	END
}

@test "machine code in no file, and no perf map: its callers are there, it has no name (oracle: the target)" {
	profile_of "$TARGETS/profile_jit" --ms 600 --no-map
	profiled <<-'END'
		assert not of("jit_(inner|outer)")
		about(ns("main", "call_jit", r".*0x[0-9a-f]+", r".*0x[0-9a-f]+", cause="cpu"), said_number("jit_ns"), what="jit")
	END
}

# ---- files that are no more

@test "a program whose file was removed before the attach has its names (oracle: the target)" {
	cp "$TARGETS/profile_burn" gone
	start_target ./gone --ms 2000
	wait_for "$PATIENCE" file_has "$SAID" ready
	rm gone
	start_observer -d profile "${FAST[@]}" --pid "$TARGET"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	PROFILED_SAID=$SAID profiled <<-'END'
		assert of("main", "burn_outer", "burn_middle", "burn_inner", cause="cpu")
	END
}

@test "a program whose file is replaced while it runs keeps the names that it was started with (oracle: the target)" {
	cp "$TARGETS/profile_burn" gone
	start_target ./gone --ms 2000
	wait_for "$PATIENCE" file_has "$SAID" ready
	start_observer -d profile "${FAST[@]}" --pid "$TARGET"
	cp "$TARGETS/profile_deep" new && mv new gone
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	PROFILED_SAID=$SAID profiled <<-'END'
		assert of("main", "burn_outer", "burn_middle", "burn_inner", cause="cpu")
		assert not of("(step_.|bottom)")
	END
}

# ---- hostile input: the observer ends as always, and says what it could not read

hostile_program() {
	"$PYTHON" "$ROOT/tests/targets/profile_hostile_elf.py" "$1" "$TARGETS/profile_burn" hostile
	chmod +x hostile
	profile_of ./hostile --ms 500
	assert_whole_run "$RUN"
	profiled <<-'END'
		# what runs is seen, whatever the file says of itself
		cpu = sum(s.ns for s in of(cause="cpu"))
		assert cpu >= said_number("cpu_ns") / 2, (cpu, said)
		assert profile["worker"]["failed"] == 0 or profile["problems"] or profile["limits"], profile
	END
	! pgrep -f "[t]askdiag-bpf.*$RUN" || fail "a process of the observer was left behind"
}

@test "call frame information with an expression that loops" {
	hostile_program expression-loop
}

@test "call frame information that never goes on, and that never ends" {
	hostile_program stuck
	rm -rf "$RUN"
	hostile_program circle
}

@test "call frame information whose lengths, pointers and numbers lie" {
	local kind
	for kind in cie-of-itself lengths leb noise; do
		hostile_program "$kind"
		rm -rf "$RUN"
	done
}

@test "an ELF file whose section headers, symbols and strings lie" {
	local kind
	for kind in sections symbols strings; do
		hostile_program "$kind"
		rm -rf "$RUN"
	done
}

@test "a perf map that is a FIFO holds nobody up, and is named" {
	profile_of "$TARGETS/profile_jit" --ms 500 --fifo-map
	rm -f "$(said map)"
	assert_manifest '.diagnostics.profile | [.limits[], .problems[]] | any(test("perf"))'
	profiled <<-'END'
		assert not of("jit_(inner|outer)")
		assert of("main", "call_jit", cause="cpu")
	END
}

@test "a process with as many mappings as the kernel allows (oracle: the target)" {
	profile_of "$TARGETS/profile_mappings" --ms 800
	[ "$(said mappings)" -ge 30000 ] || skip "vm.max_map_count is low here"
	profiled <<-'END'
		assert of("main", "burn_among_mappings", cause="cpu")
	END
}

@test "a process with more executable mappings than there is room for: what is refused is counted" {
	profile_of "$TARGETS/profile_mappings" --ms 800 --executable
	[ "$(said mappings)" -ge 30000 ] || skip "vm.max_map_count is low here"
	assert_manifest '.diagnostics.profile.tables.mappings_refused > 0'
	assert_manifest '.diagnostics.profile | .limits + .problems | any(test("mapping"))'
	profiled <<-'END'
		assert of(cause="cpu")
	END
}

@test "what a program mapped last time has its rows before it is mapped (oracle: the same program without it)" {
	local with='import _ctypes, time; time.sleep(0.2)' without='import time; time.sleep(0.2)' known files
	profile_of "$PYTHON" -c "$with" # now the cache knows of it, whatever it knew before
	rm -rf "$RUN"
	profile_of "$PYTHON" -c "$with"
	known=$(manifest .diagnostics.profile.tables.rows)
	files=$(manifest .diagnostics.profile.tables.files)
	rm -rf "$RUN"
	profile_of "$PYTHON" -c "$without"
	[ "$(manifest .diagnostics.profile.tables.files)" -lt "$files" ] || fail "it maps no less without the module"
	assert_equal "$(manifest .diagnostics.profile.tables.rows)" "$known"
}
