#!/usr/bin/env bats
# deb.bats - the Debian package: built, installed, upgraded and purged, in a copy of this system that is thrown
# away. Oracles: dpkg, the files.

load helpers

# in_copy COMMAND: as root of an overlay over /, in namespaces of its own.
in_copy() {
	unshare --mount --pid --fork --mount-proc bash -eu -c '
		mount -t tmpfs none "$1"
		mkdir "$1/upper" "$1/work" "$1/root"
		mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" none "$1/root"
		mount -t proc none "$1/root/proc"
		mount --bind "$2" "$1/root/mnt"
		chroot "$1/root" bash -eu -c "$3"' -- "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$1" 3>&-
}

setup_file() {
	make -s -C "$ROOT" BUILD="$BUILD" deb >"$BATS_FILE_TMPDIR/log" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/log" >&2
		return 1
	}
	cp "$BUILD"/taskdiag-bpf_*.deb "$BATS_FILE_TMPDIR/first.deb"
	dpkg-deb -R "$BATS_FILE_TMPDIR/first.deb" "$BATS_FILE_TMPDIR/tree"
	sed -i 's/^Version: .*/&.1/' "$BATS_FILE_TMPDIR/tree/DEBIAN/control"
	dpkg-deb --root-owner-group --build "$BATS_FILE_TMPDIR/tree" "$BATS_FILE_TMPDIR/second.deb" >/dev/null
	rm -r "$BATS_FILE_TMPDIR/tree"
}

@test "the package installs, is off, upgrades with its configuration kept, and is purged without a trace (oracle: dpkg)" {
	in_copy '
		dpkg -i /mnt/first.deb >/dev/null
		taskdiag-bpf --version
		getent passwd taskdiag >/dev/null
		[ "$(stat -c "%U:%G %a" /var/lib/taskdiag-bpf)" = "root:taskdiag 750" ]
		[ ! -e /etc/systemd/system/multi-user.target.wants/taskdiag-bpf.service ]
		grep -q "^task_diagnostics =$" /etc/taskdiag-bpf/serve.ini
		man -w taskdiag-bpf >/dev/null
		sed -i "s/^protection_time.*/protection_time = 48h/" /etc/taskdiag-bpf/serve.ini
		dpkg --force-confold -i /mnt/second.deb >/dev/null
		grep -q "48h" /etc/taskdiag-bpf/serve.ini
		dpkg -r taskdiag-bpf >/dev/null
		[ -e /etc/taskdiag-bpf/serve.ini ]
		touch /var/lib/taskdiag-bpf/runs/x
		dpkg -P taskdiag-bpf >/dev/null 2>&1
		[ ! -e /etc/taskdiag-bpf ] && [ ! -e /etc/default/taskdiag-bpf ] && [ ! -e /var/lib/taskdiag-bpf ]
		[ ! -e /usr/bin/taskdiag-bpf ] && ! getent passwd taskdiag >/dev/null'
}
