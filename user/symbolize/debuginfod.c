/* debuginfod.c - debug files from servers, by elfutils' own client, in a process that can be ended.
 */
#include "symbolize/debugfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define TIMEOUT_MS 60000

extern char **environ;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int start(const char *hex, int output, pid_t *ret)
{
	char *argv[] = { "debuginfod-find", "debuginfo", (char *)hex, NULL };
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return -err;
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	err = posix_spawnp(ret, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

/* Until the end of the output. -ETIMEDOUT; -EFBIG: that is no path. */
static int read_path(int fd, char *path, size_t size)
{
	int64_t end = now_ms() + TIMEOUT_MS;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t used = 0;
	ssize_t n;

	while (used < size - 1) {
		int64_t left = end - now_ms();

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return -ETIMEDOUT;
		n = read(fd, path + used, size - 1 - used);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n == 0) {
			path[used] = '\0';
			path[strcspn(path, "\n")] = '\0';
			return used ? 0 : -ENOENT;
		}
		used += n > 0 ? (size_t)n : 0;
	}
	return -EFBIG;
}

static int open_regular(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? take_fd(&fd) : -EINVAL;
}

int debugfiles_fetch(const uint8_t *build_id, uint32_t build_id_bytes, const char **ret_cause)
{
	_cleanup_close_ int reader = -1, writer = -1;
	char hex[DEBUGFILES_HEX_MAX], path[PATH_MAX];
	int ends[2], err;
	pid_t pid;

	*ret_cause = "DEBUGINFOD_URLS is not set";
	if (!getenv("DEBUGINFOD_URLS"))
		return -ENOENT;
	*ret_cause = "debuginfod-find cannot be run";
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	reader = ends[0];
	writer = ends[1];
	debugfiles_hex(build_id, build_id_bytes, hex);
	err = start(hex, writer, &pid);
	if (err)
		return err;
	cleanup_close(&writer);
	writer = -1;
	err = read_path(reader, path, sizeof(path));
	if (err && err != -ENOENT)
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	*ret_cause = err == -ETIMEDOUT ? "debuginfod servers did not answer within 60 s"
				       : "no debug file at the debuginfod servers";
	return err ?: open_regular(path);
}
