/* python_code_read_test.c - what a walk reads of a code object: all there is of names that end
 * where the page behind them is not there. Oracle: bytes that the test has put there. */
#include <errno.h>
#include <linux/types.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include <cmocka.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* clang's unroll */
#pragma GCC diagnostic ignored "-Wunused-function"
#include "bpf/python_code.h"

static const struct python_layout *python_layout_at(struct unwind_state *s, __u32 i)
{
	(void)s, (void)i;
	return NULL;
}

static void python_count(struct unwind_state *s, const struct python_layout *layout, __u32 which)
{
	(void)s, (void)layout, (void)which;
}

static void python_met(struct unwind_state *s, const struct python_layout *layout)
{
	(void)s, (void)layout;
}

static const __u64 *unwind_chunk(struct unwind_state *s, __u32 chunk)
{
	(void)s, (void)chunk;
	return NULL;
}

static const struct mapping *unwind_mapping(struct unwind_state *s, __u32 i)
{
	(void)s, (void)i;
	return NULL;
}

/* Nobody can be asked from outside. */
static long unwind_hijacked(struct unwind_state *s, __u64 address, __u64 *ret)
{
	(void)s;
	(void)address;
	(void)ret;
	return -1;
}

static long unwind_read(struct unwind_state *s, void *to, __u32 bytes, __u64 address)
{
	struct iovec here = { to, bytes }, there = { (void *)(uintptr_t)address, bytes };

	(void)s;
	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)bytes ? 0 : -EFAULT;
}
#pragma GCC diagnostic pop

#define PAGES 3

/* Pages, and behind them one that cannot be read. */
static uint8_t *pages_new(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *at = mmap(NULL, (PAGES + 1) * page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	for (size_t i = 0; i < PAGES * page; i++)
		at[i] = (uint8_t)(i * 31 + i / 251);
	assert_int_equal(mprotect(at + PAGES * page, page, PROT_NONE), 0);
	return at;
}

static void names_reach_to_the_end_of_what_is_there(void **state)
{
	static const struct python_layout layout = { .code_name = 0, .code_file = 8 };
	static struct unwind_state walk;
	static struct code_record record;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *pages = pages_new(), *end = pages + PAGES * page;

	(void)state;
	for (size_t left = 1; left <= 2 * PYTHON_FILE_BYTES; left++) {
		size_t name = left < PYTHON_NAME_BYTES ? left : PYTHON_NAME_BYTES;
		size_t file = left < PYTHON_FILE_BYTES ? left : PYTHON_FILE_BYTES;

		walk.python.code[0] = walk.python.code[1] = (uintptr_t)(end - left);
		python_code_read(&walk, &layout, &record);
		assert_int_equal(record.event.name_bytes, name);
		assert_int_equal(record.event.file_bytes, file);
		assert_memory_equal(record.event.name, end - left, name);
		assert_memory_equal(record.event.file, end - left, file);
	}
	walk.python.code[0] = walk.python.code[1] = (uintptr_t)end;
	python_code_read(&walk, &layout, &record);
	assert_int_equal(record.event.name_bytes + record.event.file_bytes, 0);
	assert_int_equal(record.event.flags & (PYTHON_NAME_UNREAD | PYTHON_FILE_UNREAD),
			 PYTHON_NAME_UNREAD | PYTHON_FILE_UNREAD);
	munmap(pages, (PAGES + 1) * page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_reach_to_the_end_of_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
