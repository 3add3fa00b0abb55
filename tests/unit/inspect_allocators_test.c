/* inspect_allocators_test.c - places for probes in files with an allocator. Oracles: readelf's
 * table of the same file; instructions by the manual of the processor; notes as readelf -n prints
 * them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "bpf/heap.h"
#include "inspect/allocators.h"
#include "lib/cleanup.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"

static uint64_t address_in_libc(const char *name)
{
	char command[256];
	uint64_t address = 0;
	FILE *out;

	snprintf(command, sizeof(command),
		 "readelf -sW --dyn-syms " LIBC " | awk '$8 ~ /^%s@@/ { print $2 }'", name);
	out = popen(command, "re");
	assert_non_null(out);
	assert_int_equal(fscanf(out, "%" SCNx64, &address), 1);
	pclose(out);
	return address;
}

static const struct inspect_place *find(const struct inspect_allocators *a, uint64_t address)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (a->places[i].address == address)
			return &a->places[i];
	return NULL;
}

static void functions_of_libc_are_found(void **state)
{
	static const char *const names[] = { "malloc",	       "calloc",	"realloc", "free",
					     "posix_memalign", "aligned_alloc", "mmap",	   "munmap",
					     "mremap",	       "reallocarray",	"valloc" };
	_cleanup_close_ int fd = open(LIBC, O_RDONLY | O_CLOEXEC);
	struct inspect_allocators a;
	struct elf_file f;

	(void)state;
	assert_int_equal(elf_file_open(fd, &f), 0);
	assert_int_equal(allocators_read(&f, &a), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct inspect_place *p = find(&a, address_in_libc(names[i]));

		assert_non_null(p);
		assert_int_equal(p->kind, INSPECT_CALL);
		assert_in_range(p->offset - p->address, 0, 16); /* text is mapped as in the file */
	}
	assert_true(find(&a, address_in_libc("malloc"))->cookie & CALL_ALLOCATES);
	assert_false(find(&a, address_in_libc("free"))->cookie & CALL_ALLOCATES);
	assert_int_equal(a.left_out, 0);
	assert_int_equal(a.throwing, 0);
	elf_file_close(&f);
}

static void libstdcxx_has_no_allocator_of_its_own(void **state)
{
	_cleanup_close_ int fd =
	    open("/usr/lib/x86_64-linux-gnu/libstdc++.so.6", O_RDONLY | O_CLOEXEC);
	struct inspect_allocators a;
	struct elf_file f;

	(void)state;
	assert_int_equal(elf_file_open(fd, &f), 0);
	assert_int_equal(allocators_read(&f, &a), 0);
	assert_int_equal(a.count, 0);
	assert_int_equal(a.throwing, 0);
	elf_file_close(&f);
}

static void the_first_emulated_instruction_is_taken(void **state)
{
	static const struct {
		uint8_t code[16];
		unsigned place;
		bool stepped;
	} cases[] = {
		{ { 0x41, 0x54, 0x55 }, 0, false },			    /* push r12 */
		{ { 0x55, 0x48, 0x89, 0xe5 }, 0, false },		    /* push rbp */
		{ { 0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x90 }, 4, false },	    /* endbr64; push */
		{ { 0x48, 0x85, 0xff, 0x0f, 0x84, 0, 0, 0, 0 }, 3, false }, /* test; je */
		{ { 0x80, 0x3d, 1, 2, 3, 4, 0, 0x41, 0x54 }, 7, false },    /* cmpb; push r12 */
		{ { 0x48, 0x83, 0xec, 0x58, 0x55, 0x90 }, 0, true },	   /* sub rsp: not passed */
		{ { 0xb8, 0x0b, 0, 0, 0, 0x0f, 0x05 }, 0, true },	   /* mov eax */
		{ { 0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x89, 0xf8 }, 0, true }, /* endbr64; mov */
		{ { 0xeb, 0x10 }, 0, false },				   /* jmp */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool stepped;

		assert_int_equal(allocators_place(cases[i].code, sizeof(cases[i].code), &stepped),
				 cases[i].place);
		assert_int_equal(stepped, cases[i].stepped);
	}
}

static void code_that_ends_is_not_read_beyond(void **state)
{
	uint8_t *code = malloc(4);
	bool stepped;

	(void)state;
	memcpy(code, (uint8_t[]){ 0xf3, 0x0f, 0x1e, 0xfa }, 4);
	for (size_t size = 0; size <= 4; size++) {
		assert_int_equal(allocators_place(code, size, &stepped), 0);
		assert_true(stepped);
	}
	free(code);
}

static uint64_t spec(uint64_t cookie, unsigned number)
{
	return cookie >> number * USDT_BITS & ((1ULL << USDT_BITS) - 1);
}

static void arguments_of_probes(void **state)
{
	uint64_t cookie;

	(void)state;
	assert_int_equal(usdt_arguments("8@%rbp -4@$-7 8@-16(%r13)", 3, &cookie), 0);
	assert_int_equal(USDT_PLACE(spec(cookie, 0)), USDT_REGISTER);
	assert_int_equal(USDT_REGISTER_NR(spec(cookie, 0)), 5);
	assert_int_equal(USDT_SIZE_SHIFT(spec(cookie, 0)), 3);
	assert_int_equal(USDT_PLACE(spec(cookie, 1)), USDT_CONSTANT);
	assert_int_equal(USDT_OFFSET(spec(cookie, 1)), -7);
	assert_int_equal(USDT_PLACE(spec(cookie, 2)), USDT_MEMORY);
	assert_int_equal(USDT_REGISTER_NR(spec(cookie, 2)), 13);
	assert_int_equal(USDT_OFFSET(spec(cookie, 2)), -16);
	assert_int_equal(usdt_arguments("4@%edi", 1, &cookie), 0);
	assert_int_equal(USDT_REGISTER_NR(spec(cookie, 0)), 7);
	assert_int_equal(USDT_SIZE_SHIFT(spec(cookie, 0)), 2);
}

static void arguments_that_no_cookie_holds(void **state)
{
	static const char *const texts[] = {
		"",
		"8@",
		"8",
		"8@%xmm0",
		"8@%rdi(",
		"3@%rdi",
		"8@99999(%rax)",
		"8@(%rax,%rbx)",
		"8@symbol(%rip)",
		"8@$99999",
		"8@%rdi%rsi",
		"@%rdi",
		"8@(%rax",
	};
	uint64_t cookie;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(usdt_arguments(texts[i], 1, &cookie), -EINVAL);
	assert_int_equal(usdt_arguments("8@%rdi", 2, &cookie), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_of_libc_are_found),
		cmocka_unit_test(libstdcxx_has_no_allocator_of_its_own),
		cmocka_unit_test(the_first_emulated_instruction_is_taken),
		cmocka_unit_test(code_that_ends_is_not_read_beyond),
		cmocka_unit_test(arguments_of_probes),
		cmocka_unit_test(arguments_that_no_cookie_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
