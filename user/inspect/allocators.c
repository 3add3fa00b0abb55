/* allocators.c - see allocators.h: functions by name. */
#include "inspect/allocators.h"

#include <errno.h>
#include <string.h>

#include "bpf/heap.h"
#include "inspect/elf_symbols.h"
#include "inspect/usdt.h"
#include "preload/region.h"

#define CODE_BYTES 32 /* of a function that are looked at */

#define BY(allocator) (CALL_ALLOCATES | (allocator))
#define SIZE(n) ((uint64_t)(n) << 8)
#define COUNT(n) ((uint64_t)(n) << 12)
#define OLD(n) ((uint64_t)(n) << 16)
#define OLD_SIZE(n) ((uint64_t)(n) << 20)
#define RESULT(n) ((uint64_t)(n) << 24)
#define FLAGS(n) ((uint64_t)(n) << 28)
#define THROWS 0

/* Operators new and delete count only where the file has its own allocator: those of libstdc++ call
 * malloc and free. */
static const struct {
	const char *name;
	uint64_t cookie;
	bool cxx;
} functions[] = {
	{ "malloc", BY(REGION_BY_MALLOC) | SIZE(1), false },
	{ "calloc", BY(REGION_BY_CALLOC) | COUNT(1) | SIZE(2), false },
	{ "realloc", BY(REGION_BY_REALLOC) | OLD(1) | SIZE(2), false },
	{ "reallocarray", BY(REGION_BY_REALLOC) | OLD(1) | COUNT(2) | SIZE(3), false },
	{ "memalign", BY(REGION_BY_MEMALIGN) | SIZE(2), false },
	{ "aligned_alloc", BY(REGION_BY_ALIGNED_ALLOC) | SIZE(2), false },
	{ "posix_memalign", BY(REGION_BY_POSIX_MEMALIGN) | RESULT(1) | SIZE(3), false },
	{ "valloc", BY(REGION_BY_VALLOC) | SIZE(1), false },
	{ "pvalloc", BY(REGION_BY_PVALLOC) | SIZE(1), false },
	{ "free", OLD(1), false },
	{ "cfree", OLD(1), false },
	{ "free_sized", OLD(1), false },
	{ "free_aligned_sized", OLD(1), false },
	{ "mmap", BY(REGION_BY_MMAP) | OLD(1) | OLD_SIZE(2) | SIZE(2) | FLAGS(4), false },
	{ "mmap64", BY(REGION_BY_MMAP) | OLD(1) | OLD_SIZE(2) | SIZE(2) | FLAGS(4), false },
	{ "munmap", OLD(1) | OLD_SIZE(2), false },
	{ "mremap", BY(REGION_BY_MREMAP) | OLD(1) | OLD_SIZE(2) | SIZE(3), false },
	/* jemalloc's own */
	{ "mallocx", BY(REGION_BY_MALLOC) | SIZE(1), false },
	{ "rallocx", BY(REGION_BY_REALLOC) | OLD(1) | SIZE(2), false },
	{ "dallocx", OLD(1), false },
	{ "sdallocx", OLD(1), false },
	/* operators new that return NULL; the others throw, see allocators.h */
	{ "_ZnwmRKSt9nothrow_t", BY(REGION_BY_MALLOC) | SIZE(1), true },
	{ "_ZnamRKSt9nothrow_t", BY(REGION_BY_MALLOC) | SIZE(1), true },
	{ "_ZnwmSt11align_val_tRKSt9nothrow_t", BY(REGION_BY_ALIGNED_ALLOC) | SIZE(1), true },
	{ "_ZnamSt11align_val_tRKSt9nothrow_t", BY(REGION_BY_ALIGNED_ALLOC) | SIZE(1), true },
	{ "_Znwm", THROWS, true },
	{ "_Znam", THROWS, true },
	{ "_ZnwmSt11align_val_t", THROWS, true },
	{ "_ZnamSt11align_val_t", THROWS, true },
	/* operators delete: also with the size */
	{ "_ZdlPv", OLD(1), true },
	{ "_ZdaPv", OLD(1), true },
	{ "_ZdlPvm", OLD(1), true },
	{ "_ZdaPvm", OLD(1), true },
	{ "_ZdlPvRKSt9nothrow_t", OLD(1), true },
	{ "_ZdaPvRKSt9nothrow_t", OLD(1), true },
	{ "_ZdlPvSt11align_val_t", OLD(1), true },
	{ "_ZdaPvSt11align_val_t", OLD(1), true },
	{ "_ZdlPvmSt11align_val_t", OLD(1), true },
	{ "_ZdaPvmSt11align_val_t", OLD(1), true },
};

/* Some libraries are built with their names in front of every function. */
static const char *const prefixes[] = { "je_", "_rjem_", "mi_", "tc_" };

#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

struct found {
	struct inspect_allocators *to;
	bool cxx[INSPECT_ALLOCATORS_MAX];
	bool allocator;	   /* malloc itself is there */
	uint32_t throwing; /* operators new, in one table */
};

static const char *without_prefix(const char *name)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t length = strlen(prefixes[i]);

		if (!strncmp(name, prefixes[i], length))
			return name + length;
	}
	return name;
}

static bool is_known(const struct inspect_allocators *a, uint64_t address)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (a->places[i].address == address)
			return true;
	return false;
}

/* Aliases of one function are one: the first name in functions[] does not matter, they are equal.
 */
static int take_symbol(void *context, const struct elf_file *f, const Elf64_Sym *s,
		       const char *name)
{
	struct found *found = context;
	struct inspect_allocators *to = found->to;

	if (s->st_shndx == SHN_UNDEF || !s->st_value || ELF64_ST_TYPE(s->st_info) != STT_FUNC ||
	    !elf_text_offset(f, s->st_value))
		return 0;
	name = without_prefix(name);
	for (size_t i = 0; i < FUNCTIONS; i++) {
		if (strcmp(name, functions[i].name) || is_known(to, s->st_value))
			continue;
		if (functions[i].cookie == THROWS) {
			found->throwing++;
			continue;
		}
		if (to->count == INSPECT_ALLOCATORS_MAX) {
			to->left_out++;
			continue;
		}
		found->allocator |= i == 0;
		found->cxx[to->count] = functions[i].cxx;
		to->places[to->count++] =
		    (struct inspect_place){ .address = s->st_value, .cookie = functions[i].cookie };
	}
	return 0;
}

/* Lengths of instructions that change neither an argument nor the stack; 0: another. */
static unsigned harmless(const uint8_t *code, size_t size)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

	if (size >= sizeof(endbr64) && !memcmp(code, endbr64, sizeof(endbr64)))
		return sizeof(endbr64);
	if (size >= 3 && (code[0] & 0xf8) == 0x48 && code[1] == 0x85 && code[2] >= 0xc0)
		return 3; /* test of two registers */
	if (size >= 7 && code[0] == 0x80 && code[1] == 0x3d)
		return 7; /* comparison of a byte in memory (rip) with a constant */
	return 0;
}

/* As arch/x86/kernel/uprobes.c: push of a register, nop, call, jmp and conditional jumps. */
static bool is_emulated(const uint8_t *code, size_t size)
{
	if (size < 2)
		return false;
	if (code[0] == 0x41)
		return code[1] >= 0x50 && code[1] <= 0x57;
	return (code[0] >= 0x50 && code[0] <= 0x57) || code[0] == 0x90 || code[0] == 0xe8 ||
	       code[0] == 0xe9 || code[0] == 0xeb || (code[0] & 0xf0) == 0x70 ||
	       (code[0] == 0x0f && (code[1] & 0xf0) == 0x80);
}

unsigned allocators_place(const uint8_t *code, size_t size, bool *ret_stepped)
{
	unsigned at = 0;

	while (at < size && !is_emulated(code + at, size - at)) {
		unsigned length = harmless(code + at, size - at);

		if (!length)
			break;
		at += length;
	}
	*ret_stepped = at >= size || !is_emulated(code + at, size - at);
	return *ret_stepped ? 0 : at;
}

static uint64_t pages_of(uint64_t bytes)
{
	uint64_t pages = (bytes + 4095) >> 12;

	return pages < CALL_PAGES_MAX ? pages : CALL_PAGES_MAX;
}

/* mmap & co.: how far the code of their library goes. */
static void note_own_code(const struct elf_file *f, struct inspect_place *p)
{
	if (!CALL_OLD_SIZE(p->cookie))
		return;
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *s = &f->segments[i];
		uint64_t into = p->address - s->p_vaddr;

		if (s->p_type != PT_LOAD || !(s->p_flags & PF_X) || into >= s->p_memsz)
			continue;
		p->cookie |= pages_of(into) << 33 | pages_of(s->p_memsz - into) << 48;
	}
}

static int place(struct elf_file *f, struct inspect_place *p)
{
	uint64_t offset = elf_text_offset(f, p->address);
	uint64_t left = offset < f->size ? f->size - offset : 1; /* none: the read says so */
	uint8_t code[CODE_BYTES];
	size_t size = left < sizeof(code) ? left : sizeof(code);
	bool stepped;
	int err = elf_file_read(f, code, size, offset);

	if (err)
		return err;
	p->offset = offset + allocators_place(code, size, &stepped);
	p->stepped = stepped;
	note_own_code(f, p);
	return 0;
}

static int place_all(struct elf_file *f, struct found *found)
{
	struct inspect_allocators *to = found->to;
	uint32_t count = 0;
	int err = 0;

	for (uint32_t i = 0; !err && i < to->count; i++) {
		if (found->cxx[i] && !found->allocator)
			continue;
		to->places[count] = to->places[i];
		err = place(f, &to->places[count++]);
	}
	to->count = count;
	to->throwing = found->allocator ? found->throwing : 0;
	return err;
}

int allocators_read(struct elf_file *f, struct inspect_allocators *ret)
{
	struct found found = { .to = ret };
	int err;

	*ret = (struct inspect_allocators){};
	err = elf_symbols(f, SHT_DYNSYM, take_symbol, &found);
	if (!err)
		err = elf_symbols(f, SHT_SYMTAB, take_symbol, &found);
	if (!err)
		err = place_all(f, &found);
	return err ? err : usdt_read(f, ret);
}
