/* sandbox.c - how the worker gives up every privilege. See worker.h. */
#include "inspect/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inspect/inspect.h"

#define NOBODY 65534
#define MEMORY_BYTES (2ull << 30)
#define OPEN_FILES 16 /* a request has 4 */

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* Standard input and output lead nowhere, standard error stays, the rest but @socket is closed. */
static int close_files(int socket)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -errno;
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return -errno;
	if (fcntl(STDERR_FILENO, F_GETFD) < 0 && dup2(null, STDERR_FILENO) < 0)
		return -errno;
	if (socket > STDERR_FILENO + 1 && close_range(STDERR_FILENO + 1, socket - 1, 0) < 0)
		return -errno;
	return close_range(socket + 1, ~0U, 0) < 0 ? -errno : 0;
}

static int set_limits(void)
{
	static const struct {
		int resource;
		rlim_t soft, hard;
	} limits[] = {
		/* the address space of a sanitized program is reserved, not used */
		{ RLIMIT_AS, MEMORY_BYTES, MEMORY_BYTES },
		/* it retires long before; never shorter than one request may take */
		{ RLIMIT_CPU, WORKER_CPU_S, WORKER_CPU_S + 1 },
		{ RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES },
		{ RLIMIT_CORE, 0, 0 },
		{ RLIMIT_FSIZE, INSPECT_BYTES_MAX, INSPECT_BYTES_MAX },
		{ RLIMIT_NPROC, 0, 0 },
	};

	for (size_t i = SANITIZED; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit wanted = { limits[i].soft, limits[i].hard }, now;

		if (getrlimit(limits[i].resource, &now) < 0)
			return -errno;
		if (wanted.rlim_max > now.rlim_max) /* the user's own limit is lower */
			wanted.rlim_max = now.rlim_max;
		if (wanted.rlim_cur > wanted.rlim_max)
			wanted.rlim_cur = wanted.rlim_max;
		if (setrlimit(limits[i].resource, &wanted) < 0)
			return -errno;
	}
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap) < 0 &&
		    errno != EPERM) /* not root: no way to use it */
			return -errno;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	if (geteuid() == 0 || getuid() == 0) {
		if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
		    setresuid(NOBODY, NOBODY, NOBODY) < 0)
			return -errno;
	}
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

/* After the change of uid: that resets both of the first. */
static int set_process(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

/* What is neither here nor refused below kills. */
static const int allowed[] = {
	SCMP_SYS(read),
	SCMP_SYS(pread64),
	SCMP_SYS(write),
	SCMP_SYS(writev), /* how libc says why it aborts */
	SCMP_SYS(pwrite64),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fstat),
	SCMP_SYS(lseek),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(close),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(brk),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(sched_getaffinity), /* malloc: how many CPUs */
#if SANITIZED
	SCMP_SYS(sched_yield),
	SCMP_SYS(nanosleep),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(rt_sigaction),
#endif
};

/* What libraries try, and can do without: debug files of debug files, locales, /sys. */
static const int refused[] = {
	SCMP_SYS(open),	      SCMP_SYS(openat),	    SCMP_SYS(access),	 SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(stat),	    SCMP_SYS(lstat),	 SCMP_SYS(statx),
	SCMP_SYS(readlink),   SCMP_SYS(readlinkat), SCMP_SYS(getcwd),	 SCMP_SYS(socket),
	SCMP_SYS(ioctl),      SCMP_SYS(prctl),	    SCMP_SYS(prlimit64), SCMP_SYS(getrusage),
	SCMP_SYS(uname),      SCMP_SYS(sysinfo),
};

static int add_rules(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
				  /* an open file: how libc says fstat(). The path, which should be
				   * empty, a filter cannot see */
	    itself = SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH),
				  by_path = SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, 0),
				  /* what libelf asks a file: is it open? */
	    get_fd = SCMP_A1(SCMP_CMP_EQ, F_GETFD), get_flags = SCMP_A1(SCMP_CMP_EQ, F_GETFL),
				  own = SCMP_A0(SCMP_CMP_EQ, getpid());
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; !err && i < sizeof(refused) / sizeof(refused[0]); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), refused[i], 0);
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, no_code);
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_code);
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1, itself);
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(newfstatat), 1,
				       by_path);
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, get_fd);
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, get_flags);
	if (!err) /* abort() */
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, own);
	return err;
}

static int set_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err;

	if (!filter)
		return -ENOMEM;
	err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!err)
		err = add_rules(filter);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

int sandbox_enter(int socket)
{
	static int (*const steps[])(void) = { drop_capabilities, set_process, set_limits,
					      set_filter };
	int err = close_files(socket);

	for (size_t i = 0; !err && i < sizeof(steps) / sizeof(steps[0]); i++)
		err = steps[i]();
	return err;
}
