/* next.c - the allocator behind the shim, and what is given out until it is found. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/shim/preload.h"
#include "preload/shim/syscalls.h"

/* dlsym may allocate. What it gets then comes from here and is never given back: the size, then the
 * block, at 16 bytes. */
#define BOOT_BYTES 65536
static uint8_t boot[BOOT_BYTES] __attribute__((aligned(16)));
static uint64_t boot_taken;

static uint64_t code_start, code_end; /* of the allocator behind */

bool is_boot(const void *p)
{
	return (uintptr_t)p - (uintptr_t)boot < BOOT_BYTES;
}

size_t boot_size(const void *p)
{
	return ((const size_t *)p)[-2];
}

bool boot_used(void)
{
	return __atomic_load_n(&boot_taken, __ATOMIC_RELAXED);
}

static void *boot_alloc(size_t alignment, size_t bytes)
{
	uint64_t start;
	uintptr_t p;

	if (bytes > BOOT_BYTES || alignment > 4096) {
		errno = ENOMEM;
		return NULL;
	}
	start = __atomic_fetch_add(&boot_taken, (bytes + alignment + 31) & ~15UL, __ATOMIC_RELAXED);
	if (start + bytes + alignment + 32 > BOOT_BYTES) {
		errno = ENOMEM;
		return NULL;
	}
	p = (uintptr_t)boot + start + 16;
	p = (p + alignment - 1) & -alignment;
	((size_t *)p)[-2] = bytes;
	filter[filter_slot((void *)p)] = 255;
	return (void *)p;
}

static void *first_malloc(size_t n)
{
	if (self.resolving)
		return boot_alloc(16, n);
	next_resolve();
	return next.malloc(n);
}

static void *first_calloc(size_t n, size_t size)
{
	size_t bytes;

	if (!self.resolving) {
		next_resolve();
		return next.calloc(n, size);
	}
	if (__builtin_mul_overflow(n, size, &bytes))
		bytes = SIZE_MAX;
	return boot_alloc(16, bytes); /* it is zero: nothing is ever given out twice */
}

static void *first_realloc(void *p, size_t n)
{
	if (!self.resolving) {
		next_resolve();
		return next.realloc(p, n);
	}
	return p ? NULL : boot_alloc(16, n); /* entry.c takes care of blocks of boot */
}

static void first_free(void *p)
{
	if (!p || self.resolving)
		return;
	next_resolve();
	next.free(p);
}

static void *first_memalign(size_t alignment, size_t n)
{
	if (self.resolving)
		return boot_alloc(alignment < 16 ? 16 : alignment, n);
	next_resolve();
	return next.memalign(alignment, n);
}

static void *as_mapped(long result)
{
	if (result < 0 && result > -4096) {
		errno = (int)-result;
		return MAP_FAILED;
	}
	return (void *)result;
}

static void *first_mmap(void *p, size_t n, int rights, int flags, int fd, long offset)
{
	return as_mapped(syscall6(SYS_mmap, (long)p, (long)n, rights, flags, fd, offset));
}

static int first_munmap(void *p, size_t n)
{
	return as_mapped(syscall3(SYS_munmap, (long)p, (long)n, 0)) == MAP_FAILED ? -1 : 0;
}

static void *first_mremap(void *p, size_t old, size_t n, int flags, void *to)
{
	return as_mapped(syscall6(SYS_mremap, (long)p, (long)old, (long)n, flags, (long)to, 0));
}

static int first_prctl(int what, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	return as_mapped(syscall6(SYS_prctl, what, (long)a, (long)b, (long)c, (long)d, 0)) ==
		       MAP_FAILED
		   ? -1
		   : 0;
}

static long first_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	return (long)as_mapped(syscall6(number, a, b, c, d, e, f));
}

/* The other members are set before anything can call them: see need_next() in entry.c. */
struct next next __attribute__((aligned(64))) = {
	.malloc = first_malloc,
	.free = first_free,
	.calloc = first_calloc,
	.realloc = first_realloc,
	.memalign = first_memalign,
	.mmap = first_mmap,
	.munmap = first_munmap,
	.mremap = first_mremap,
	.prctl = first_prctl,
	.syscall = first_syscall,
};

static const struct {
	const char *name;
	size_t offset;
} names[] = {
	{ "aligned_alloc", offsetof(struct next, aligned_alloc) },
	{ "posix_memalign", offsetof(struct next, posix_memalign) },
	{ "valloc", offsetof(struct next, valloc) },
	{ "pvalloc", offsetof(struct next, pvalloc) },
	{ "malloc_usable_size", offsetof(struct next, usable_size) },
	{ "dlopen", offsetof(struct next, dlopen) },
	{ "dlmopen", offsetof(struct next, dlmopen) },
	{ "dlclose", offsetof(struct next, dlclose) },
	{ "mmap", offsetof(struct next, mmap) },
	{ "munmap", offsetof(struct next, munmap) },
	{ "syscall", offsetof(struct next, syscall) },
	{ "mremap", offsetof(struct next, mremap) },
	{ "memalign", offsetof(struct next, memalign) },
	{ "realloc", offsetof(struct next, realloc) },
	{ "calloc", offsetof(struct next, calloc) },
	{ "free", offsetof(struct next, free) },
	{ "malloc", offsetof(struct next, malloc) }, /* the last: what others look at */
};

static void find_code(void *function)
{
	const Elf64_Ehdr *elf;
	const Elf64_Phdr *p;
	Dl_info object;

	if (!dladdr(function, &object) || !object.dli_fbase)
		return;
	elf = object.dli_fbase;
	if (memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0)
		return;
	p = (const void *)((const char *)elf + elf->e_phoff);
	for (int i = 0; i < elf->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_flags & PF_X) {
			code_start = (uint64_t)elf + p[i].p_vaddr;
			code_end = code_start + p[i].p_memsz;
		}
}

bool next_contains(uint64_t caller)
{
	return caller - code_start < code_end - code_start;
}

/* Is that another malloc than ours? In a program that is not position-independent its address may
 * be that of a jump to the one that was found: a symbol with a value that is defined nowhere there.
 */
static bool is_foreign(void *function)
{
	const Elf64_Sym *symbol = NULL;
	Dl_info object;

	return function != (void *)own_malloc &&
	       dladdr1(function, &object, (void **)&symbol, RTLD_DL_SYMENT) && symbol &&
	       symbol->st_shndx != SHN_UNDEF;
}

/* Two threads may do this at once: they find the same. */
void next_resolve(void)
{
	struct next found = next;
	bool missing = false;

	if (self.resolving || next.malloc != first_malloc)
		return;
	self.resolving = true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		void *symbol = dlsym(RTLD_NEXT, names[i].name);

		missing = missing || !symbol;
		if (symbol)
			*(void **)((char *)&found + names[i].offset) = symbol;
	}
	shim.foreign = is_foreign(dlsym(RTLD_DEFAULT, "malloc"));
	if (missing)
		dlerror(); /* it is the task's: leave none of ours */
	find_code((void *)found.malloc);
	self.resolving = false;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		__atomic_store_n((void **)((char *)&next + names[i].offset),
				 *(void **)((char *)&found + names[i].offset), __ATOMIC_RELEASE);
}
