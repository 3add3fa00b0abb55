/* inspect_sandbox_test.c - what a process that has entered the sandbox still has and can do;
 * oracle: /proc, as its parent reads it. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "inspect/worker.h"

struct seen {
	int opened, socket, status, readlink; /* errno of trying */
};

static int error_of(long result)
{
	return result < 0 ? errno : 0;
}

/* Tries what a worker must not do, and tells how it went. */
static void __attribute__((noreturn)) try_forbidden(int socket)
{
	struct seen seen = {};
	struct stat st;
	char text[16];

	if (!geteuid() &&
	    setgroups(2, (const gid_t[]){ 1, 2 }) < 0) /* there is something to drop */
		_exit(3);
	if (sandbox_enter(socket))
		_exit(1);
	seen.opened = error_of(open("/etc/passwd", O_RDONLY));
	seen.socket = error_of(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
	seen.status = error_of(stat("/etc/passwd", &st));
	seen.readlink = error_of(readlink("/proc/self/exe", text, sizeof(text)));
	if (write(socket, &seen, sizeof(seen)) != sizeof(seen) ||
	    read(socket, text, 1) != 1) /* until the parent has looked */
		_exit(2);
	_exit(0);
}

static void line_of_status(pid_t pid, const char *name, char ret[256])
{
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	ret[0] = 0;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			snprintf(ret, 256, "%s", line + strlen(name) + 1);
	fclose(f);
	ret[strcspn(ret, "\n")] = 0;
	for (char *c = ret; *c; c++)
		if (*c == '\t')
			*c = ' ';
	while (*ret == ' ')
		memmove(ret, ret + 1, strlen(ret));
}

static void assert_status(pid_t pid, const char *name, const char *value)
{
	char found[256];

	line_of_status(pid, name, found);
	if (strcmp(found, value))
		fail_msg("%s is \"%s\", not \"%s\"", name, found, value);
}

static size_t open_files(pid_t pid)
{
	char path[64], link[64];
	size_t count = 0;

	for (int fd = 0; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		count += readlink(path, link, sizeof(link)) > 0;
	}
	return count;
}

static void the_sandbox_has_no_privilege_and_no_way_to_a_file(void **state)
{
	static const char *const no_capability[] = { "CapInh", "CapPrm", "CapEff", "CapAmb" };
	int pair[2], inherited = open("/etc/passwd", O_RDONLY), status;
	struct seen seen;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pid = fork();
	if (!pid)
		try_forbidden(pair[1]);
	close(pair[1]);
	assert_int_equal(read(pair[0], &seen, sizeof(seen)), sizeof(seen));
	assert_int_equal(seen.opened, EACCES);
	assert_int_equal(seen.socket, EACCES);
	assert_int_equal(seen.status, EACCES);
	assert_int_equal(seen.readlink, EACCES);
	for (size_t i = 0; i < 4; i++)
		assert_status(pid, no_capability[i], "0000000000000000");
	assert_status(pid, "NoNewPrivs", "1");
	assert_status(pid, "Seccomp", "2");
	if (!geteuid()) {
		assert_status(pid, "CapBnd", "0000000000000000");
		assert_status(pid, "Uid", "65534 65534 65534 65534");
		assert_status(pid, "Gid", "65534 65534 65534 65534");
		assert_status(pid, "Groups", "");
		assert_int_equal(open_files(pid), 4); /* /dev/null twice, standard error, socket */
	}
	assert_int_equal(write(pair[0], "", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(pair[0]);
	close(inherited);
}

static void forbidden_exec(void)
{
	execl("/bin/true", "true", NULL);
}

static void forbidden_fork(void)
{
	syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void forbidden_code(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void forbidden_kill(void)
{
	syscall(SYS_kill, getppid(), 0);
}

static void forbidden_ptrace(void)
{
	syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0);
}

static void what_the_filter_does_not_know_kills(void **state)
{
	static void (*const forbidden[])(void) = { forbidden_exec, forbidden_fork, forbidden_code,
						   forbidden_kill, forbidden_ptrace };

	(void)state;
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		int pair[2], status;
		pid_t pid;

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
		pid = fork();
		if (!pid) {
			if (sandbox_enter(pair[1]))
				_exit(1);
			forbidden[i]();
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
		close(pair[0]);
		close(pair[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sandbox_has_no_privilege_and_no_way_to_a_file),
		cmocka_unit_test(what_the_filter_does_not_know_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
