#!/usr/bin/env bats
# container.bats - real containers (runc, busybox, a program linked with musl), observed from outside by id or name.
# Oracles: runc's own state, the programs, /proc.

load helpers

CONTAINERS=()

setup_container() {
	command -v runc >/dev/null || skip "no runc: scripts/install-deps test"
	[ -x /bin/busybox ] || skip "no busybox: scripts/install-deps test"
}

teardown() {
	local name
	for name in "${CONTAINERS[@]}"; do
		runc kill "$name" KILL >/dev/null 2>&1 || true
		wait_for 10 runc_delete "$name"
	done
	for name in "${STARTED[@]}"; do end_tree "$name"; done
	for name in "${CGROUPS[@]}"; do wait_for 5 rmdir_quietly "$name"; done
	for name in "${PLACES[@]}"; do rm -rf "$name"; done
}

runc_delete() {
	! runc state "$1" >/dev/null 2>&1 || runc delete --force "$1" >/dev/null 2>&1
}

# bundle NAME COMMAND…: an OCI bundle in ./NAME, its root from busybox and what is in ./add
bundle() {
	local name=$1
	shift
	mkdir -p "$name/rootfs/bin" "$name/rootfs/tmp" "$name/rootfs/proc" "$name/rootfs/dev"
	cp /bin/busybox "$name/rootfs/bin/"
	ln -s busybox "$name/rootfs/bin/sh"
	ln -s busybox "$name/rootfs/bin/sleep"
	[ ! -d add ] || cp -r add/. "$name/rootfs/"
	(cd "$name" && runc spec)
	printf '%s\n' "$@" | jq -R . | jq -s . >"$name/args.json"
	jq --slurpfile args "$name/args.json" '.process.terminal = false | .process.args = $args[0] | .root.readonly = false' "$name/config.json" >"$name/config.new" || return
	mv "$name/config.new" "$name/config.json"
}

# start_container NAME: in the background
start_container() {
	CONTAINERS+=("$1")
	background runc run --bundle "$1" "$1" >"$1.out" 2>"$1.err"
	wait_for "$PATIENCE" is_running "$1" || fail "$(cat "$1.err")"
}

is_running() {
	[ "$(runc state "$1" 2>/dev/null | jq -r .status)" = running ]
}

@test "a container by name, by the beginning of it, and by its cgroup's path: the same processes (oracle: runc ps)" {
	setup_container
	local name=taskdiag-e2e-$$-shop how wanted inside
	bundle "$name" sh -c 'sleep 30 & sleep 31 & wait'
	start_container "$name"
	wait_for "$PATIENCE" three_inside "$name"
	wanted=$(runc ps --format json "$name" | jq -r '.[]' | sort -n)
	for how in "--container $name" "--container ${name%op}" "--cgroup $(cgroup_of "$name")"; do
		rm -rf "$RUN"
		# shellcheck disable=SC2086
		observe_well --duration 300ms $how
		inside=$(manifest '.diagnostics.memory.processes[].pid' | sort -n)
		assert_equal "$inside" "$wanted" "processes by $how"
		assert_manifest '[.diagnostics.memory.processes[].inner_pid] | sort == [1, 2, 3] or (.[0] == 1)'
	done
	observe --container taskdiag-e2e-no-such
	assert_equal "$CODE" 125
	assert_has "$(cat "$ERR")" "is it running?"
}

three_inside() {
	[ "$(runc ps --format json "$1" | jq length)" -eq 3 ]
}

cgroup_of() {
	local pid
	pid=$(runc state "$1" | jq -r .pid)
	if [ -d /sys/fs/cgroup/memory ]; then
		sed -n 's/^[0-9]*:memory://p' "/proc/$pid/cgroup"
	else
		sed -n 's/^0:://p' "/proc/$pid/cgroup"
	fi
}

@test "a container by the name that another file knows than its cgroup's (docker's own state)" {
	local id group state=/var/lib/docker/containers
	[ ! -e /var/lib/docker ] || skip "there is a docker here: its state is not ours to add to"
	id=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
	group=/sys/fs/cgroup/memory
	[ -d "$group" ] || group=/sys/fs/cgroup
	group=$group/taskdiag-e2e-$$-docker
	mkdir -p "$group/docker-$id.scope" "$state/$id"
	CGROUPS+=("$group/docker-$id.scope" "$group")
	PLACES+=(/var/lib/docker)
	printf '{"ID":"%s","Name":"/taskdiag-e2e-named"}' "$id" >"$state/$id/config.v2.json"
	start_target sh -c 'echo $$ >"$0" && exec sleep 30' "$group/docker-$id.scope/cgroup.procs"
	wait_for "$PATIENCE" file_has "$group/docker-$id.scope/cgroup.procs" "$TARGET"
	observe_well --duration 300ms --container taskdiag-e2e-named
	assert_manifest ".task.cgroup | .runtime == \"docker\" and .container_id == \"$id\" and .container_name == \"taskdiag-e2e-named\""
	assert_manifest '[.diagnostics.memory.processes[].name] == ["sleep"]'
}

@test "a beginning that fits several containers is refused with their list" {
	setup_container
	local a=taskdiag-e2e-$$-twin-a b=taskdiag-e2e-$$-twin-b
	bundle "$a" sleep 30
	bundle "$b" sleep 30
	start_container "$a"
	start_container "$b"
	observe --container "taskdiag-e2e-$$-twin"
	assert_equal "$CODE" 125
	assert_has "$(cat "$ERR")" "2 fit"
	observe_well --duration 100ms --container "$a"
}

# A program whose functions are known, linked with musl, in ./add
add_busy() {
	command -v musl-gcc >/dev/null || skip "no musl-gcc: scripts/install-deps test"
	mkdir -p add/app add/lib
	cat >busy.c <<-'END'
		#include <stdlib.h>
		#include <string.h>
		volatile unsigned long sum;
		__attribute__((noinline)) void spin_in_container(void) { for (unsigned long i = 0; i < 20000000; i++) sum += i; }
		__attribute__((noinline)) char *hold_in_container(void) { char *p = malloc(24 << 20); memset(p, 1, 24 << 20); return p; }
		int main(void) { char *p = hold_in_container(); for (;;) { spin_in_container(); sum += p[5]; } }
	END
	musl-gcc -g -O1 -fno-optimize-sibling-calls -o add/app/busy busy.c
	cp -L /lib/ld-musl-x86_64.so.1 add/lib/
}

assert_busy_is_named() {
	# musl has no unwind tables: its own start of the program is where a stack ends
	grep -q 'main[^;]*;spin_in_container' "$RUN/profile.folded" || fail "$(cat "$RUN/profile.folded")"
	assert_manifest '.diagnostics.memory.cgroup.ledger | max_by(.bytes) | .kind == "process" and (.name | startswith("busy-"))'
	assert_ledger_complete
}

@test "programs in a container have names: musl, its own mount namespace (oracle: the source)" {
	setup_container
	local name=taskdiag-e2e-$$-musl
	add_busy
	bundle "$name" /app/busy
	start_container "$name"
	observe_well --duration 1s -d memory,profile --container "$name"
	assert_busy_is_named
}

@test "the same on overlayfs, and with a file that is deleted while it runs (oracle: the source)" {
	setup_container
	needs_private_mounts
	local name=taskdiag-e2e-$$-overlay
	add_busy
	bundle "$name" /app/busy
	mkdir upper work merged
	mount -t tmpfs none upper # an upper layer cannot be on overlayfs itself
	mkdir upper/up upper/work
	if ! mount -t overlay -o "lowerdir=$PWD/$name/rootfs,upperdir=upper/up,workdir=upper/work" overlay merged; then
		umount upper
		skip "no overlayfs here"
	fi
	jq --arg root "$PWD/merged" '.root.path = $root' "$name/config.json" >"$name/config.new"
	mv "$name/config.new" "$name/config.json"
	start_container "$name"
	observe -q --duration 1s -d memory,profile --container "$name"
	grep -q 'main[^;]*;spin_in_container' "$RUN/profile.folded" || BUSY=unnamed
	rm -rf "$RUN.first"
	mv "$RUN" "$RUN.first"
	rm merged/app/busy
	observe -q --duration 1s -d memory,profile --container "$name"
	runc kill "$name" KILL
	wait_for 10 runc_delete "$name"
	umount merged upper
	[ -z "${BUSY:-}" ] || fail "on overlayfs:" "$(cat "$RUN.first/profile.folded")" "$(jq -c .diagnostics.profile.problems "$RUN.first/manifest.json")"
	assert_busy_is_named
}

@test "a container with a limit that is killed for want of memory leaves a whole run" {
	setup_container
	local name=taskdiag-e2e-$$-oom
	mkdir -p add/app
	cp "$TARGETS/profile_static" add/app/ 2>/dev/null || true
	bundle "$name" sh -c 'sleep 1; x=0123456789abcdef; while :; do x=$x$x; done'
	jq '.linux.resources.memory.limit = 41943040' "$name/config.json" >"$name/config.new"
	mv "$name/config.new" "$name/config.json"
	start_container "$name"
	start_observer -d memory,allocations --container "$name"
	end_of "$OBSERVER"
	assert_equal "$CODE" 0
	assert_whole_run "$RUN"
	assert_manifest '.task.end == "oom" and (.task.oom_kills | length) >= 1 and .task.oom_kills[0].cgroup_limit_bytes == 41943040'
	assert_within_permille 20 "$(manifest .diagnostics.memory.cgroup.peak_bytes)" 41943040
}
