#!/usr/bin/env bats
# doctor: what it says is what a run then finds; what is taken away is what it names.

load helpers

doctor() {
	CODE=0
	"$@" "$TASKDIAG" doctor --json >"$OUT" 2>"$ERR" || CODE=$?
}

state_of() {
	jq -r --arg name "$1" '.abilities[] | select(.name == $name) | .state' "$OUT"
}

@test "as root on this kernel the memory diagnostic works, and a run does (oracle: a run)" {
	doctor env
	[ "$CODE" -eq 0 ]
	[ "$(jq -r .diagnostics.memory.verdict "$OUT")" = works ]
	[ "$(state_of "observe a child")" = ok ]
	observe -- true
	[ "$CODE" -eq 0 ]
	jq -e '.diagnostics.memory.status == "ok"' "$RUN/manifest.json"
}

@test "the profile's verdict is what a run of it then finds (oracle: a run)" {
	doctor env
	[ "$CODE" -eq 0 ]
	jq -e '.diagnostics.profile.remedies | type == "array"' "$OUT"
	[ "$(state_of "inspection worker")" = ok ]
	cp "$OUT" doctor.json # a run writes to $OUT as well
	observe -d profile -- "$TARGETS/profile_threads" --ms 10
	[ "$CODE" -eq 0 ]
	case $(jq -r .diagnostics.profile.verdict doctor.json) in
	works) jq -e '.diagnostics.profile | .status == "ok" and .mode == "phase"' "$RUN/manifest.json" ;;
	"works with limits") jq -e '.diagnostics.profile | .status == "limited" and (.limits | length) > 0' "$RUN/manifest.json" ;;
	*) false ;;
	esac
}

@test "a kernel without a hook at the end of a wait: the profile has limits, memory has none (oracle: a run)" {
	doctor env TASKDIAG_WITHOUT=profile_wake
	[ "$CODE" -eq 0 ]
	[ "$(jq -r .diagnostics.memory.verdict "$OUT")" = works ]
	[ "$(jq -r .diagnostics.profile.verdict "$OUT")" = "works with limits" ]
	TASKDIAG_WITHOUT=profile_wake observe -d profile -- "$TARGETS/profile_threads" --ms 10
	jq -e '.diagnostics.profile | .status == "limited" and .mode == "phase-at-switch"' "$RUN/manifest.json"
}

@test "without privileges: refused, the missing capabilities are named, with the remedy (oracle: a run)" {
	doctor setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups
	[ "$CODE" -eq 1 ]
	[ "$(jq -r .diagnostics.memory.verdict "$OUT")" = refused ]
	[ "$(jq -r .diagnostics.profile.verdict "$OUT")" = refused ]
	jq -e '.abilities[] | select(.name == "capabilities") | .detail | contains("CAP_BPF") and contains("CAP_PERFMON")' "$OUT"
	jq -e '.diagnostics.memory.remedies | any(contains("sudo"))' "$OUT"
}

@test "with CAP_BPF and CAP_PERFMON alone it loads and counts (oracle: setpriv)" {
	doctor setpriv --bounding-set=-all,+bpf,+perfmon --inh-caps=-all
	[ "$(state_of "load programs")" = ok ]
	[ "$(state_of "observe a child")" = ok ]
	[ "$(jq -r .diagnostics.memory.verdict "$OUT")" = "works with limits" ]
}

@test "a kernel without the kernel's types: refused by that name (oracle: an empty /sys/kernel/btf)" {
	needs_private_mounts
	doctor unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && exec "$@"' sh
	[ "$CODE" -eq 1 ]
	[ "$(state_of "kernel types (BTF)")" = missing ]
	jq -e '.abilities[] | select(.name == "kernel types (BTF)") | .remedy | contains("CONFIG_DEBUG_INFO_BTF")' "$OUT"
}

@test "a kernel without rss_stat: works with limits, and the run says the same (oracle: a run)" {
	doctor env TASKDIAG_WITHOUT=memory_rss_stat
	[ "$CODE" -eq 0 ]
	[ "$(jq -r .diagnostics.memory.verdict "$OUT")" = "works with limits" ]
	jq -e '.abilities[] | select(.name == "load programs") | .detail | contains("memory_rss_stat")' "$OUT"
	TASKDIAG_WITHOUT=memory_rss_stat observe --interval 100ms -- "$TARGETS/spike" --mib 50 --ms 600
	jq -e '.diagnostics.memory | .status == "limited" and .source == "ticks" and (.limits | length) == 1
		and .peak_rss_bytes > 50 * 1048576' "$RUN/manifest.json"
}

@test "--pid: who traces it is told (oracle: /proc/PID/status)" {
	local tracer
	gdb -q -nx -batch -ex 'starti' -ex 'shell sleep 30' --args sleep 100 >/dev/null 2>&1 &
	STARTED+=($!)
	wait_for "$PATIENCE" pgrep -P $! -x sleep >/dev/null
	tracer=$(pgrep -P $! -x sleep | head -n 1)
	wait_for "$PATIENCE" grep -q "^TracerPid:[[:space:]]*$!" "/proc/$tracer/status"
	"$TASKDIAG" doctor --json --pid "$tracer" >"$OUT"
	jq -e --arg pid "$!" '.abilities[] | select(.name == "TracerPid") | .detail | endswith("traced by pid " + $pid)' "$OUT"
	"$TASKDIAG" doctor --json --pid $$ >"$OUT"
	jq -e '.abilities[] | select(.name == "TracerPid") | .detail | endswith("by nobody")' "$OUT"
}

@test "text and JSON say the same, in the same order (oracle: jq)" {
	"$TASKDIAG" doctor >"$SAID"
	doctor env
	while read -r name; do
		grep -qF -- "$name" "$SAID"
	done < <(jq -r '.abilities[].name' "$OUT")
	grep -q '^memory: works$' "$SAID"
	grep -qFx "profile: $(jq -r .diagnostics.profile.verdict "$OUT")" "$SAID"
}

@test "an operand or a pid that is none is refused (oracle: --help)" {
	local word
	for word in bogus "--pid=0" "--pid=x" "--pid=99999999"; do
		CODE=0
		"$TASKDIAG" doctor "$word" >"$OUT" 2>"$ERR" || CODE=$?
		[ "$CODE" -ne 0 ]
	done
}
