/* abilities.c - see abilities.h: what can be read off the host. What has to be tried with BPF is
 * rehearsal.c. */
#include "session/abilities.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "session/rehearsal.h"
#include "session/target.h"

#define SAY(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)

static int read_text(const char *path, char *text, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (n < 0)
		return -errno;
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	return 0;
}

static void try_btf(struct ability *a)
{
	struct stat st;

	if (!stat("/sys/kernel/btf/vmlinux", &st)) {
		SAY(a->detail, "/sys/kernel/btf/vmlinux, %lld bytes", (long long)st.st_size);
		return;
	}
	a->state = ABILITY_MISSING;
	SAY(a->detail, "/sys/kernel/btf/vmlinux: %s", strerror(errno));
	SAY(a->remedy, "a kernel with CONFIG_DEBUG_INFO_BTF=y (Debian 11, Ubuntu 20.10, RHEL 8.2 "
		       "and later have it); "
		       "in a container: mount /sys");
}

/* capabilities(7): bit numbers. CAP_SYS_ADMIN stands for the first two. */
static const struct {
	int bit;
	const char *name;
	enum ability_state without;
	const char *what;
} wanted_caps[] = {
	{ 39, "CAP_BPF", ABILITY_MISSING, "load programs" },
	{ 38, "CAP_PERFMON", ABILITY_MISSING, "attach them" },
	{ 19, "CAP_SYS_PTRACE", ABILITY_LIMITED, "PSS of other users' processes" },
	{ 6, "CAP_SETGID", ABILITY_LIMITED, "start a command as another user" },
	{ 7, "CAP_SETUID", ABILITY_LIMITED, "start a command as another user" },
};

static void try_caps(struct ability *a)
{
	_cleanup_fclose_ FILE *status = fopen("/proc/self/status", "re");
	unsigned long long effective = 0;
	char line[128];

	while (status && fgets(line, sizeof(line), status))
		if (!strncmp(line, "CapEff:", 7))
			effective = strtoull(line + 7, NULL, 16);
	for (size_t i = 0; i < sizeof(wanted_caps) / sizeof(wanted_caps[0]); i++) {
		size_t used = strlen(a->detail);

		if (effective & 1ULL << wanted_caps[i].bit || (i < 2 && effective & 1ULL << 21))
			continue;
		snprintf(a->detail + used, sizeof(a->detail) - used, "%s%s missing (%s)",
			 used ? ", " : "", wanted_caps[i].name, wanted_caps[i].what);
		if (a->state != ABILITY_MISSING)
			a->state = wanted_caps[i].without;
	}
	if (a->state == ABILITY_OK)
		SAY(a->detail, "all that are needed");
	else
		SAY(a->remedy, "run it as root: sudo taskdiag-bpf …");
}

static void try_lockdown(struct ability *a)
{
	char text[128];

	if (read_text("/sys/kernel/security/lockdown", text, sizeof(text))) {
		SAY(a->detail, "not in use, or securityfs is not mounted");
		return;
	}
	SAY(a->detail, "%.200s", text);
	if (!strstr(text, "[confidentiality]"))
		return;
	a->state = ABILITY_MISSING;
	SAY(a->remedy, "the kernel refuses BPF to read its memory: boot with lockdown=integrity or "
		       "lockdown=none");
}

static void try_memlock(struct ability *a)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY }, limit;

	if (!setrlimit(RLIMIT_MEMLOCK, &unlimited)) {
		SAY(a->detail, "can be raised");
		return;
	}
	getrlimit(RLIMIT_MEMLOCK, &limit);
	SAY(a->detail, "%llu kB, cannot be raised; counted before Linux 5.11 only",
	    (unsigned long long)limit.rlim_max / 1024);
}

static void try_tracefs(struct ability *a)
{
	bool mounted = !access("/sys/kernel/tracing/events", F_OK) ||
		       !access("/sys/kernel/debug/tracing/events", F_OK);

	SAY(a->detail, "%s; not needed: probes attach by BTF", mounted ? "mounted" : "not mounted");
}

static void try_cgroup(struct ability *a)
{
	bool pure = !access("/sys/fs/cgroup/cgroup.controllers", F_OK);
	bool hybrid = !access("/sys/fs/cgroup/unified/cgroup.controllers", F_OK);
	bool v1_memory = !access("/sys/fs/cgroup/memory/memory.usage_in_bytes", F_OK);

	SAY(a->detail, "%s%s",
	    pure	? "v2"
	    : hybrid	? "v1 and v2 (hybrid)"
	    : v1_memory ? "v1"
			: "none mounted",
	    v1_memory ? ", memory on v1" : "");
}

static void try_python(struct ability *a)
{
	SAY(a->detail,
	    "CPython 3.8 to 3.14 linked with glibc; without the GIL or with musl: native "
	    "frames only, and the run says so");
}

static void try_gnuplot(struct ability *a)
{
	const char *paths = getenv("PATH");
	_cleanup_free_ char *copy = strdup(paths ? paths : "/usr/bin:/bin");
	char *save, *place, file[512];

	for (place = copy ? strtok_r(copy, ":", &save) : NULL; place;
	     place = strtok_r(NULL, ":", &save)) {
		snprintf(file, sizeof(file), "%.490s/gnuplot", place);
		if (!access(file, X_OK)) {
			SAY(a->detail, "%.200s", file);
			return;
		}
	}
	SAY(a->detail, "not installed: plot writes SVG only");
	SAY(a->remedy, "apt install gnuplot-nox");
}

static void try_pid(struct ability *a, pid_t pid)
{
	struct problem problem = {};
	char name[16];
	pid_t tracer;
	int fd = -1;

	if (target_open(pid, &fd, name, &problem)) {
		a->state = ABILITY_MISSING;
		SAY(a->detail, "%.255s", problem.text);
		SAY(a->remedy, "name a living process");
		return;
	}
	close(fd);
	tracer = target_tracer(pid);
	SAY(a->detail, tracer ? "pid %d is traced by pid %d" : "pid %d is traced by nobody", pid,
	    tracer);
	if (tracer) /* memory is watched in the kernel: a debugger does not mind, but a stopped task
		       does not grow */
		a->state = ABILITY_INFO;
}

static const struct {
	const char *name;
	enum ability_state state; /* to begin with */
	unsigned of;
	void (*try)(struct ability *a);
} rows[] = {
	{ "kernel types (BTF)", ABILITY_OK, OF_MEMORY | OF_PROFILE | OF_ALLOCATIONS, try_btf },
	{ "capabilities", ABILITY_OK, OF_MEMORY | OF_PROFILE | OF_ALLOCATIONS, try_caps },
	{ "lockdown", ABILITY_OK, OF_MEMORY | OF_PROFILE | OF_ALLOCATIONS, try_lockdown },
	{ "locked memory", ABILITY_INFO, OF_MEMORY | OF_PROFILE | OF_ALLOCATIONS, try_memlock },
	{ "load programs", ABILITY_OK, OF_MEMORY | OF_PROFILE | OF_ALLOCATIONS, rehearse_load },
	{ "observe a child", ABILITY_OK, OF_MEMORY, rehearse_child },
	{ "profile", ABILITY_OK, OF_PROFILE, rehearse_profile },
	{ "resident pages", ABILITY_OK, OF_ALLOCATIONS, rehearse_resident },
	{ "malloc shim", ABILITY_OK, OF_ALLOCATIONS, rehearse_shim },
	{ "inspection worker", ABILITY_OK, OF_PROFILE | OF_ALLOCATIONS, rehearse_worker },
	{ "python frames", ABILITY_INFO, OF_PROFILE | OF_ALLOCATIONS, try_python },
	{ "PSS", ABILITY_OK, OF_MEMORY, rehearse_pss },
	{ "cgroup", ABILITY_INFO, OF_MEMORY | OF_PROFILE | OF_ALLOCATIONS, try_cgroup },
	{ "tracefs", ABILITY_INFO, OF_MEMORY | OF_PROFILE | OF_ALLOCATIONS, try_tracefs },
	{ "gnuplot", ABILITY_INFO, OF_MEMORY, try_gnuplot },
};

size_t abilities_try(pid_t pid, struct ability ret[ABILITIES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++, n++) {
		ret[n] = (struct ability){ .name = rows[i].name,
					   .state = rows[i].state,
					   .of = rows[i].of };
		rows[i].try(&ret[n]);
	}
	if (pid) {
		ret[n] = (struct ability){ .name = "TracerPid",
					   .state = ABILITY_OK,
					   .of = OF_MEMORY | OF_PROFILE };
		try_pid(&ret[n++], pid);
	}
	return n;
}

enum ability_state abilities_verdict(const struct ability *abilities, size_t count,
				     enum ability_of of)
{
	enum ability_state worst = ABILITY_OK;

	for (size_t i = 0; i < count; i++)
		if (abilities[i].of & of && abilities[i].state != ABILITY_INFO &&
		    abilities[i].state > worst)
			worst = abilities[i].state;
	return worst;
}
