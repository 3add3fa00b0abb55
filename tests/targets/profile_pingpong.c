/* profile_pingpong.c - the worst case for whoever looks at every switch: two processes that do
 * nothing but wake each other.
 *
 *	profile_pingpong [--rounds N]
 *
 * Truth: a byte goes to the child (play_pong) and back (play_ping) N times, over two pipes. Prints
 * `rounds N`, `elapsed_ns`, `cpu_ns` (of both), `pids PARENT CHILD`.
 */
#include "profile_clock.h"

#include <sys/wait.h>

static void move(int fd, char *byte, ssize_t (*moves)(int, void *, size_t))
{
	if (moves(fd, byte, 1) != 1)
		err(TARGET_FAILED, "pipe");
}

static ssize_t put(int fd, void *from, size_t bytes)
{
	return write(fd, from, bytes);
}

static NOINLINE void play_ping(int in, int out, long rounds)
{
	char byte = 'x';

	for (long i = 0; i < rounds; i++) {
		move(out, &byte, put);
		move(in, &byte, read);
	}
}

static NOINLINE void play_pong(int in, int out, long rounds)
{
	char byte;

	for (long i = 0; i < rounds; i++) {
		move(in, &byte, read);
		move(out, &byte, put);
	}
}

int main(int argc, char **argv)
{
	long rounds = option_number(argc, argv, "rounds", 100000);
	int to_child[2], to_parent[2], status;
	int64_t start, end, cpu[2];
	pid_t child;

	if (pipe2(to_child, O_CLOEXEC) < 0 || pipe2(to_parent, O_CLOEXEC) < 0)
		err(TARGET_FAILED, "pipe");
	start = wall_ns();
	child = fork();
	if (child < 0)
		err(TARGET_FAILED, "fork");
	if (!child) {
		play_pong(to_child[0], to_parent[1], rounds);
		cpu[1] = cpu_ns();
		_exit(write(to_parent[1], &cpu[1], sizeof(cpu[1])) == sizeof(cpu[1])
			  ? 0
			  : TARGET_FAILED);
	}
	play_ping(to_parent[0], to_child[1], rounds);
	end = wall_ns();
	cpu[0] = cpu_ns();
	if (read(to_parent[0], &cpu[1], sizeof(cpu[1])) != sizeof(cpu[1]))
		err(TARGET_FAILED, "answer of the child");
	if (waitpid(child, &status, 0) < 0 || status)
		errx(TARGET_FAILED, "the child failed");
	printf("rounds %ld\nelapsed_ns %lld\ncpu_ns %lld\npids %d %d\n", rounds,
	       (long long)(end - start), (long long)(cpu[0] + cpu[1]), (int)getpid(), (int)child);
	return 0;
}
