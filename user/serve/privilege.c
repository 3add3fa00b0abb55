/* privilege.c - see privilege.h */
#include "serve/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534
#define WEB_FILES 4096

/* seccomp.h of Debian 12 does not know the newest numbers */
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

static const int collector_capabilities[] = {
	CAP_BPF,	  CAP_PERFMON,	    CAP_SYS_ADMIN, /* perf-type uprobes, cgroup files */
	CAP_SYS_PTRACE,	  CAP_SYS_RESOURCE, CAP_DAC_READ_SEARCH,
	CAP_DAC_OVERRIDE, CAP_CHOWN,	    CAP_FOWNER,
	CAP_SETUID,	  CAP_SETGID,	    CAP_SETPCAP, /* workers become nobody */
	CAP_KILL,	  CAP_SYS_NICE,	    CAP_CHECKPOINT_RESTORE,
	CAP_SYSLOG,
};

static uint64_t mask_of(const int *keep, size_t count)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < count; i++)
		mask |= 1ULL << keep[i];
	return mask;
}

/* What can never be had again, by whatever is executed. */
static int bounding_set(uint64_t wanted)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (!(wanted >> cap & 1) && prctl(PR_CAPBSET_DROP, cap) && errno != EPERM)
			return -errno;
	return 0;
}

static int capabilities_set(uint64_t wanted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3] = {},
				      kept[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &header, now))
		return -errno;
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t mask = wanted >> (32 * i);

		kept[i].permitted = now[i].permitted & mask;
		kept[i].effective = now[i].permitted & mask;
	}
	return syscall(SYS_capset, &header, kept) ? -errno : 0;
}

int privilege_collector(struct problem *problem)
{
	uint64_t wanted = mask_of(collector_capabilities, sizeof(collector_capabilities) /
							      sizeof(collector_capabilities[0]));
	int err = bounding_set(wanted);

	if (!err)
		err = capabilities_set(wanted);
	return err ? problem_set(problem, err, "give up capabilities: %s", strerror(-err)) : 0;
}

static int become(const struct identity *who)
{
	uid_t uid = who ? who->uid : NOBODY;
	gid_t gid = who ? who->gid : NOBODY;

	if (geteuid() && getuid())
		return 0;
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

/* Only reading, and only below the directory. A kernel without Landlock (before 5.13) leaves it to
 * the uid and to seccomp. */
static int landlock(int dirfd)
{
	struct landlock_ruleset_attr attributes = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				     LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
				     LANDLOCK_ACCESS_FS_REMOVE_DIR |
				     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
				     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
				     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
				     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM,
	};
	struct landlock_path_beneath_attr below = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
		.parent_fd = dirfd,
	};
	int rules = syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0), err;

	if (rules < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
	err = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) ||
		      syscall(SYS_landlock_restrict_self, rules, 0)
		  ? -errno
		  : 0;
	close(rules);
	return err;
}

/* What reads files and answers on sockets that are open already. All else is refused. */
static const int web_calls[] = {
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(access),
	SCMP_SYS(brk),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(close),
	SCMP_SYS(dup),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(eventfd2),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(fadvise64),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(fstatfs),
	SCMP_SYS(futex),
	SCMP_SYS(getdents64),
	SCMP_SYS(getegid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getpeername),
	SCMP_SYS(getpid),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrlimit),
	SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt),
	SCMP_SYS(gettid),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getuid),
	SCMP_SYS(lseek),
	SCMP_SYS(lstat),
	SCMP_SYS(madvise),
	SCMP_SYS(mprotect),
	SCMP_SYS(mremap),
	SCMP_SYS(munmap),
	SCMP_SYS(nanosleep),
	SCMP_SYS(newfstatat),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(pipe2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(prlimit64),
	SCMP_SYS(read),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(readv),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sendfile),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(stat),
	SCMP_SYS(statx),
	SCMP_SYS(sysinfo),
	SCMP_SYS(tgkill),
	SCMP_SYS(uname),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(prctl), /* names of threads */
	SCMP_SYS(clone), /* of threads; clone3 is told to be missing, libc then takes this one */
};

static int filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = filter ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < sizeof(web_calls) / sizeof(web_calls[0]); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, web_calls[i], 0);
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* memory that is written is never run */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, 0x4, 0));
	if (!err)
		err = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return err;
}

static int limit_resources(void)
{
	const struct rlimit none = { 0, 0 }, files = { WEB_FILES, WEB_FILES };

	if (setrlimit(RLIMIT_CORE, &none) || (setrlimit(RLIMIT_NOFILE, &files) && errno != EPERM))
		return -errno;
	return 0;
}

int privilege_web(const struct identity *who, int dirfd, struct problem *problem)
{
	int err = limit_resources();

	if (!err)
		err = bounding_set(0); /* while we may */
	if (!err)
		err = become(who);
	if (!err)
		err = capabilities_set(0);
	if (!err && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0)))
		err = -errno;
	if (!err)
		err = landlock(dirfd);
	if (!err)
		err = filter_calls();
	return err ? problem_set(problem, err, "give up privileges of the web process: %s",
				 strerror(-err))
		   : 0;
}
