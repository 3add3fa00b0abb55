/* peek: reads of another process's memory, which never wait. Oracle: our own copy of what was read.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "unwind/peek.h"

#define PAGE 4096

static void what_is_read_is_what_is_there(void **state)
{
	unsigned char wanted[PEEK_BYTES], got[PEEK_BYTES];
	struct peek *p = peek_new();

	(void)state;
	for (size_t i = 0; i < sizeof(wanted); i++)
		wanted[i] = i * 7;
	assert_int_equal(peek_read(p, getpid(), got, sizeof(got), (uintptr_t)wanted), sizeof(got));
	assert_memory_equal(got, wanted, sizeof(got));
	assert_int_equal(peek_read(p, getpid(), got, 8, (uintptr_t)wanted + 3), 8);
	assert_memory_equal(got, wanted + 3, 8);
	peek_free(p);
}

static void a_read_ends_where_the_mapping_does(void **state)
{
	unsigned char *two =
	    mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char got[PEEK_BYTES];
	struct peek *p = peek_new();

	(void)state;
	assert_true(two != MAP_FAILED);
	munmap(two + PAGE, PAGE);
	memset(two, 9, PAGE);
	assert_int_equal(peek_read(p, getpid(), got, sizeof(got), (uintptr_t)two + 100),
			 PAGE - 100);
	assert_int_equal(got[0], 9);
	assert_int_equal(peek_read(p, getpid(), got, 8, (uintptr_t)two + PAGE), 0);
	assert_int_equal(peek_refused(p), 0);
	munmap(two, PAGE);
	peek_free(p);
}

static void a_process_that_is_gone_gives_nothing(void **state)
{
	struct peek *p = peek_new();
	pid_t pid = fork();
	char got[8];

	(void)state;
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	assert_int_equal(peek_read(p, pid, got, sizeof(got), (uintptr_t)got), 0);
	assert_int_equal(peek_refused(p), 0);
	peek_free(p);
}

/* A page that nobody ever fills: who touches it waits for ever. */
static void *endless_page(int *ret_fd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*ret_fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (*ret_fd < 0 || page == MAP_FAILED || ioctl(*ret_fd, UFFDIO_API, &api))
		return NULL;
	range.range.start = (uintptr_t)page;
	range.range.len = PAGE;
	return ioctl(*ret_fd, UFFDIO_REGISTER, &range) ? NULL : page;
}

static void memory_that_never_answers_costs_the_reader_and_is_not_asked_again(void **state)
{
	struct peek *p = peek_new();
	unsigned char got[64];
	void *page;
	int fd;

	(void)state;
	page = endless_page(&fd);
	if (!page) { /* no userfaultfd here, or not for us */
		peek_free(p);
		skip();
	}
	assert_int_equal(peek_read(p, getpid(), got, sizeof(got), (uintptr_t)page), 0);
	assert_int_equal(peek_refused(p), 1);
	/* not even what would answer */
	assert_int_equal(peek_read(p, getpid(), got, sizeof(got), (uintptr_t)got), 0);
	assert_int_equal(peek_refused(p), 1);
	/* others are read as before: by a new reader */
	assert_int_equal(peek_read(p, getppid(), got, 1, 0), 0);
	assert_int_equal(peek_refused(p), 1);
	close(fd);
	munmap(page, PAGE);
	peek_free(p);
}

static void the_reader_holds_nothing_of_ours_open_and_ends_with_us(void **state)
{
	int ends[2];
	char byte;
	struct peek *p = peek_new();
	char got[8];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(peek_read(p, getpid(), got, sizeof(got), (uintptr_t)got), sizeof(got));
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 0); /* the end of file: the reader has no copy */
	close(ends[0]);
	peek_free(p);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read_is_what_is_there),
		cmocka_unit_test(a_read_ends_where_the_mapping_does),
		cmocka_unit_test(a_process_that_is_gone_gives_nothing),
		cmocka_unit_test(memory_that_never_answers_costs_the_reader_and_is_not_asked_again),
		cmocka_unit_test(the_reader_holds_nothing_of_ours_open_and_ends_with_us),
	};

	return cmocka_run_group_tests_name("unwind/peek", tests, NULL, NULL);
}
