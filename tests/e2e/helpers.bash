# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is for the tests
# helpers.bash - what the end-to-end tests share: a run, its manifest, and processes that do not
# outlive their test.
#
#	observe ARG…		runs taskdiag-bpf to its end: $CODE, $OUT, $ERR; the run is $RUN
#	start_observer ARG…	starts it: $OBSERVER; comes back when it observes
#	start_target COMMAND…	starts a program of the test: $TARGET, its stdout is $SAID
#
# Nothing here asserts how long something takes: tests wait for a condition, with a bound that only
# a broken program reaches.

bats_require_minimum_version 1.5.0

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
BUILD=${TASKDIAG_BUILD:-$ROOT/build}
TASKDIAG=$BUILD/taskdiag-bpf
TARGETS=$BUILD/targets
PYTHON=/usr/bin/python3 # Debian's own, as the README has it
PATIENCE=30		# seconds
NOBODY=65534

STARTED=()  # our own children, ended by teardown
PLACES=()   # directories outside of BATS_TEST_TMPDIR, removed by teardown
CGROUPS=()

# Ticks of all CPUs that the hypervisor had, and ticks that have passed on all of them.
stolen_of_passed() {
	awk '$1 == "cpu" { for (i = 2; i <= 9; i++) passed += $i; print $9, passed }' /proc/stat
}

read -r STOLEN PASSED < <(stolen_of_passed)

# For bats, of a test that has failed: a machine that was taken away from the test can keep it from
# what it asserts (rings overflow, threads wait for a CPU), and that is no finding. It is tried
# again, twice at most, and scripts/test lists it. Undisturbed, nothing is tried twice.
bats_should_retry_test() {
	local stolen passed
	read -r stolen passed < <(stolen_of_passed)
	((BATS_TEST_TRY_NUMBER < 3 && (stolen - STOLEN) * 100 >= passed - PASSED)) || return 1
	echo "# tried again: $BATS_TEST_DESCRIPTION: the hypervisor had the CPUs for $((stolen - STOLEN)) of $((passed - PASSED)) ticks" >&3
	tail -n 20 "$BATS_OUT" | sed 's/^/#   /' >&3 # what it failed of
}

setup() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	cd "$BATS_TEST_TMPDIR" || return
	# scripts/test is run by sudo: without this every run would be made as that user
	unset SUDO_UID SUDO_GID SUDO_USER SUDO_COMMAND
	export LC_ALL=C.UTF-8 NO_COLOR=1 TMPDIR=$BATS_TEST_TMPDIR PATH=$PATH:/usr/sbin:/sbin
	RUN=$BATS_TEST_TMPDIR/run
	OUT=$BATS_TEST_TMPDIR/stdout
	ERR=$BATS_TEST_TMPDIR/stderr
	SAID=$BATS_TEST_TMPDIR/said
}

teardown() {
	local i place
	# the last first: what a debugger holds can only be reaped when the debugger is gone
	for ((i = ${#STARTED[@]} - 1; i >= 0; i--)); do
		end_tree "${STARTED[i]}"
	done
	for place in "${CGROUPS[@]}"; do
		wait_for 5 rmdir_quietly "$place"
	done
	for place in "${PLACES[@]}"; do
		rm -rf "$place"
	done
}

rmdir_quietly() {
	[ ! -d "$1" ] || rmdir "$1" 2>/dev/null
}

# end_tree PID: a child of this shell and what it started. A pid that is no longer our child is left
# alone: it may be another's by now.
end_tree() {
	is_our_child "$1" || return 0
	kill_below "$1"
	kill -KILL "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

is_our_child() {
	[ "$(ps -o ppid= -p "$1" 2>/dev/null | tr -d ' ')" = "$BASHPID" ]
}

kill_below() {
	local child
	for child in $(pgrep -P "$1"); do
		kill_below "$child"
		kill -KILL "$child" 2>/dev/null || true
	done
}

fail() {
	printf '%s\n' "$@" >&2
	return 1
}

# wait_for SECONDS COMMAND…: until the command succeeds.
wait_for() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -le "$deadline" ] || fail "not within $PATIENCE s: $*" || return
		sleep 0.02
	done
}

# In a bare chroot nobody can: its root is no mount point.
needs_private_mounts() {
	unshare -m true 2>/dev/null || skip "no private mounts here: is this a chroot? mount --bind its root onto itself"
}

file_has() {
	grep -q -- "$2" "$1" 2>/dev/null
}

# A directory that every user can reach; BATS_TEST_TMPDIR is root's own.
new_place() {
	PLACE=$(mktemp -d /tmp/taskdiag-e2e.XXXXXX)
	PLACES+=("$PLACE")
	chmod 0755 "$PLACE"
}

# ---- taskdiag-bpf

observe() {
	CODE=0
	timeout --foreground 120 "$TASKDIAG" -o "$RUN" "$@" >"$OUT" 2>"$ERR" 3>&- || CODE=$?
}

# As observe, and the run has to go well.
observe_well() {
	observe "$@"
	[ "$CODE" -eq 0 ] || fail "status $CODE" "$(cat "$ERR")"
}

# Bash has its background jobs ignore SIGINT and read /dev/null; a user at a terminal has not.
background() {
	env --default-signal=INT,QUIT,PIPE "$@" <&0 3>&- &
	STARTED+=("$!")
}

start_observer() {
	background "$TASKDIAG" -o "$RUN" "$@" >"$OUT" 2>"$ERR"
	OBSERVER=$!
	wait_for "$PATIENCE" observes_or_ended "$OBSERVER"
	observes "$OBSERVER" || fail "the observer ended:" "$(cat "$ERR")"
}

# The timer of the ticks is made when every probe stands.
observes() {
	grep -qs '^clockid: 7$' "/proc/$1/fdinfo/"* # of CLOCK_BOOTTIME: a profile has timers of other clocks
}

observes_or_ended() {
	observes "$1" || ! is_our_child "$1" || is_zombie "$1"
}

is_zombie() {
	[ "$(process_state "$1")" = Z ]
}

process_state() {
	sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null
}

has_state() {
	[ "$(process_state "$1")" = "$2" ]
}

# end_of PID: waits for a child of ours, bounded; its exit status is in $CODE.
end_of() {
	wait_for "$PATIENCE" has_ended "$1"
	CODE=0
	wait "$1" || CODE=$?
}

has_ended() {
	! is_our_child "$1" || is_zombie "$1"
}

stop_observer() {
	kill -INT "$OBSERVER"
	end_of "$OBSERVER"
	[ "$CODE" -eq 0 ] || fail "the observer ended with $CODE:" "$(cat "$ERR")"
}

# ---- targets

start_target() {
	: >"$SAID"
	background "$@" >"$SAID"
	TARGET=$!
}

# start_sleeper PROCESSES MIB
start_sleeper() {
	start_target "$TARGETS/sleeper" --procs "$1" --mib "$2"
	wait_for "$PATIENCE" file_has "$SAID" "^ready $1\$"
}

# A shell that does nothing until `release`, and then becomes the command.
start_held() {
	[ -p hold ] || mkfifo hold
	start_target sh -c 'echo held >held; read -r go <hold; exec "$@"' sh "$@"
	wait_for "$PATIENCE" file_has held held
}

release() {
	timeout "$PATIENCE" sh -c 'echo >hold'
}

# said NAME [FILE]: the value of a line "NAME value" that a target has printed.
said() {
	local value
	value=$(sed -n "s/^$1 //p" "${2:-$OUT}")
	[ -n "$value" ] || fail "the target did not say $1:" "$(cat "${2:-$OUT}")" || return
	printf '%s\n' "$value"
}

# status_kb PID FIELD
status_kb() {
	sed -n "s/^$2:[ \t]*\([0-9]*\) kB/\1/p" "/proc/$1/status"
}

alive() {
	kill -0 "$1" 2>/dev/null && ! is_zombie "$1"
}

descendants() {
	local child
	for child in $(pgrep -P "$1"); do
		echo "$child"
		descendants "$child"
	done
}

# ---- what a run says

manifest() {
	jq -r "$1" "${2:-$RUN}/manifest.json"
}

memory() {
	manifest ".diagnostics.memory.$1"
}

# assert_manifest FILTER: a jq filter that has to be true.
assert_manifest() {
	jq -e "$1" "$RUN/manifest.json" >/dev/null ||
		fail "not true of the manifest: $1" "$(cat "$RUN/manifest.json")"
}

assert_equal() {
	[ "$1" = "$2" ] || fail "${3:-value}: is '$1', should be '$2'"
}

assert_matches() {
	[[ $1 =~ $2 ]] || fail "'$1' does not match: $2"
}

assert_has() {
	[[ $1 == *"$2"* ]] || fail "'$1' does not have: $2"
}

# assert_within_permille LIMIT VALUE TRUTH
assert_within_permille() {
	awk -v limit="$1" -v value="$2" -v truth="$3" 'BEGIN {
		difference = value - truth; if (difference < 0) difference = -difference
		exit !(truth > 0 && difference * 1000 <= truth * limit)
	}' || fail "$2 is not within $1 permille of $3"
}

# The bar: never below the kernel's own mark, at most 0.1 % above it. For peaks of 128 MiB or more: a
# target that goes on after its look at VmHWM maps a few pages of its own code, 16 at a time.
assert_peak_is_vmhwm() {
	local hwm=$(($2 * 1024))
	[ "$1" -ge "$hwm" ] || fail "the peak $1 is below VmHWM $hwm"
	[ $(($1 * 1000)) -le $((hwm * 1001)) ] || fail "the peak $1 is too far above VmHWM $hwm"
}

# Several threads: VmHWM between two looks lacks what each CPU has not handed in yet, rises or falls,
# 32 pages and kind (see tests/targets/target.h), so it bounds the peak loosely from below; the known
# sum of all memory and that of the program itself bound it from above.
assert_peak_is_between() { # PEAK VMHWM_KB KNOWN_MIB
	local low=$(($2 * 1024 - $(getconf _NPROCESSORS_CONF) * 3 * 64 * $(getconf PAGESIZE)))
	local high=$((($3 + 3) << 20))
	[ "$1" -ge "$low" ] || fail "the peak $1 is below VmHWM $2 kB" || return
	[ "$1" -le "$high" ] || fail "the peak $1 is above the $3 MiB that there are"
}

# refute_matches FILE REGEX: no line of the file matches; bytes, not characters.
refute_matches() {
	! LC_ALL=C grep -qP -- "$2" "$1" || fail "$1 has a line that matches $2:" "$(cat -v "$1")"
}

assert_no_control_characters() {
	refute_matches "$1" '[\x00-\x09\x0b-\x1f\x7f]'
}

assert_ledger_complete() {
	assert_manifest '.ledger | .offered == .recorded and ([.lost[]] | add) == 0'
}

assert_whole_run() {
	local dir=$1 name bytes sha256
	[ -f "$dir/manifest.json" ] || fail "$dir: no manifest.json" || return
	jq -r '.artifacts[] | [.name, .bytes, .sha256] | @tsv' "$dir/manifest.json" |
		while IFS=$'\t' read -r name bytes sha256; do
			assert_equal "$(stat -c %s "$dir/$name")" "$bytes" "bytes of $name" || return
			assert_equal "$(sha256sum <"$dir/$name")" "$sha256  -" "sha256 of $name" || return
		done || return
	assert_equal "$(cd "$dir" && find . -mindepth 1 -printf '%P\n' | sort)" \
		"$({ echo manifest.json && jq -r '.artifacts[].name' "$dir/manifest.json"; } | sort)" \
		"files of $dir"
}

partial_of() {
	printf '%s/.%s.taskdiag-partial' "$(dirname "$1")" "$(basename "$1")"
}

assert_no_run() {
	[ ! -e "$RUN" ] || fail "$RUN: exists"
	[ ! -e "$(partial_of "$RUN")" ] || fail "$(partial_of "$RUN"): was left behind"
}

# csv FILTER: rows of memory.csv as python's csv reads them; FILTER is an expression of r, a row.
csv() {
	"$PYTHON" - "$RUN/memory.csv" "$1" "$2" <<-'END'
		import csv, sys
		with open(sys.argv[1], newline="") as f:
		    for r in csv.DictReader(f):
		        if eval(sys.argv[2]):
		            print(eval(sys.argv[3]))
	END
}

# ---- the profile

profile() {
	manifest ".diagnostics.profile.$1"
}

# A frequency whose period fits many times into the target's shortest step; 1 ms and a bit.
FAST=(--frequency 999)

# Time that the host took from this machine, until now: the kernel leaves it out of a thread's CPU time
# (CONFIG_PARAVIRT_TIME_ACCOUNTING), but by the wall clock the thread had the CPU.
stolen_ns() {
	awk -v hz="$(getconf CLK_TCK)" '$1 == "cpu" { printf "%.0f", $9 * 1e9 / hz }' /proc/stat
}
STOLEN_BEFORE=$(stolen_ns)

# profiled ARG… <<END: Python that looks at the run and at what the target said. What it has is below;
# it fails by an assertion.
profiled() {
	{
		cat <<-'END'
			import json, math, os, re, sys

			run, said_file, *args = sys.argv[1:]
			manifest = json.load(open(run + "/manifest.json"))
			profile = manifest["diagnostics"]["profile"]
			period = profile["period_ns"]
			threads = profile["threads"]
			stolen = int(os.environ["STOLEN_NS"]) + 20000000  # it is told in ticks of 10 ms, for each CPU
			SIGMA = 5  # a test of chance fails once in two million runs


			class Stack:
			    """A line of profile.folded. frames: root first, without the source, without the cause."""

			    def __init__(self, line):
			        text, us = line.rstrip("\n").rsplit(" ", 1)
			        self.process, self.thread, *frames = text.split(";")
			        self.ns = int(us) * 1000
			        frames = [re.sub(r" \([^()]*:\d+\)$", "", f) for f in frames]
			        last = frames[-1] if frames else ""
			        self.cause = last if re.fullmatch(r"\[[A-Za-z0-9_ ]+\]", last) else "cpu"
			        self.frames = frames if self.cause == "cpu" else frames[:-1]

			    def at(self, *chain):
			        """Where the chain of callers stands in it, -1: nowhere. A frame is a regular expression."""
			        for i in range(len(self.frames) - len(chain) + 1):
			            if all(re.fullmatch(c, f) for c, f in zip(chain, self.frames[i:])):
			                return i
			        return -1

			    def has(self, *chain):
			        return self.at(*chain) >= 0

			    def __repr__(self):
			        return f"{self.process};{self.thread};{';'.join(self.frames)} {self.cause} {self.ns}"


			with open(run + "/profile.folded", errors="surrogateescape") as f:
			    stacks = [Stack(line) for line in f]
			said = [line.split() for line in open(said_file)]


			def said_lines(*begin):
			    """What follows in the lines that begin so."""
			    lines = [line[len(begin):] for line in said if line[:len(begin)] == list(begin)]
			    assert lines, f"the target did not say {begin}: {said}"
			    return lines


			def said_number(*begin):
			    return int(said_lines(*begin)[0][0])


			def of(*chain, thread=None, process=None, cause=None):
			    return [s for s in stacks
			            if (thread is None or s.thread == thread) and (process is None or s.process == process)
			            and (cause is None or s.cause == cause) and (not chain or s.has(*chain))]


			def ns(*chain, **which):
			    return sum(s.ns for s in of(*chain, **which))


			def about(value_ns, truth_ns, pieces=None, what=""):
			    """Within chance: marks stand a period apart, so a piece of time is off by less than one mark, and
			    pieces shorter than a period are drawn. And within what the host has stolen."""
			    marks = truth_ns / period
			    pieces = max(pieces or marks, 1)
			    sigma = math.sqrt(min(marks, pieces / 4))
			    limit = (SIGMA * sigma + 2) * period + (stolen if stolen > 20000000 else 0)
			    assert abs(value_ns - truth_ns) <= limit, (what, value_ns, truth_ns, limit, period)


			def thread_of(tid):
			    found = [t for t in threads if t["tid"] == int(tid)]
			    assert len(found) == 1, (tid, found)
			    return found[0]


			def early(stack):
			    """walked before the tables of what was just mapped stood"""
			    return any(f.startswith("[incomplete: " + why) for f in stack.frames[:1]
			               for why in ("outside of all", "mappings not known", "rows not made"))

			def complete_part():
			    """of the walks of stacks, but for those that a busy machine made come before the tables"""
			    walks = {k: v for k, v in profile["stacks"].items()
			             if k not in ("none", "with_guessed_frames", "overflowed", "read_from_outside",
			                          "no_process", "no_mapping", "rows_pending")}
			    assert sum(walks.values()), profile["stacks"]
			    return walks["complete"] / sum(walks.values())
		END
		cat
	} >"$BATS_TEST_TMPDIR/profiled.py"
	STOLEN_NS=$(($(stolen_ns) - STOLEN_BEFORE)) "$PYTHON" "$BATS_TEST_TMPDIR/profiled.py" "$RUN" "${PROFILED_SAID:-$OUT}" "$@"
}

# profile_of COMMAND…: a profile of a program of the test, which has to go well.
profile_of() {
	observe_well -d profile "${FAST[@]}" -- "$@"
}
