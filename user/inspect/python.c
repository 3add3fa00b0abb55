/* python.c - see python.h */
#include "inspect/python.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/elf_symbols.h"
#include "inspect/python_eval.h"
#include "lib/cleanup.h"

#define TEXT_BYTES_MAX (64ull << 20) /* of constants that are searched for a version */
#define SEGMENTS_MAX 256
#define DYNAMIC_BYTES_MAX 65536
#define LIBRARY_NAME_MAX 256
#define INTERPRETER_MAX 4096
#define DEBUG_COOKIE "xdebugpy"
#define MINOR_OLDEST 7	     /* the first with _PyRuntime */
#define MINOR_TEXT_LAST 10   /* from 3.11 on there is Py_Version */
#define MINOR_DEBUG_FIRST 13 /* with _Py_DebugOffsets */

#define VERSION_MAJOR(v) ((v) >> 24)
#define VERSION_MINOR(v) ((v) >> 16 & 0xff)

enum wanted { RUNTIME, CODE_TYPE, VERSION, EVAL, WANTED };

static const char *const wanted_names[WANTED] = { [RUNTIME] = "_PyRuntime",
						  [CODE_TYPE] = "PyCode_Type",
						  [VERSION] = "Py_Version",
						  [EVAL] = "_PyEval_EvalFrameDefault" };

/* What the symbol tables say. */
struct found {
	struct python_range wanted[WANTED]; /* start 0: not there */
	struct python_parts parts;
};

static int fail(struct elf_file *f, int err, const char *cause)
{
	f->cause = cause;
	return err;
}

/* ---- segments ---- */

/* The first one that has the bytes at @address: in memory, or (@in_file) in the file. */
static const Elf64_Phdr *segment_at(const struct elf_file *f, uint64_t address, bool in_file)
{
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];

		if (p->p_type == PT_LOAD &&
		    address - p->p_vaddr < (in_file ? p->p_filesz : p->p_memsz))
			return p;
	}
	return NULL;
}

bool python_in_segment(const struct elf_file *f, struct python_range range, uint32_t flags)
{
	const Elf64_Phdr *p = segment_at(f, range.start, flags & PF_X);
	uint64_t size;

	if (!p || range.start >= range.end || range.end > PYTHON_ADDRESS_MAX)
		return false;
	size = flags & PF_X ? p->p_filesz : p->p_memsz;
	return (p->p_flags & flags) == flags && range.end - p->p_vaddr <= size;
}

/* As many bytes as the file has at @address, at most @size. */
static int read_at(struct elf_file *f, uint64_t address, void *to, size_t size, uint32_t *ret_size)
{
	const Elf64_Phdr *p = segment_at(f, address, true);
	uint64_t into, offset;

	*ret_size = 0;
	if (!p)
		return 0;
	into = address - p->p_vaddr;
	if (size > p->p_filesz - into)
		size = p->p_filesz - into;
	if (__builtin_add_overflow(p->p_offset, into, &offset))
		return fail(f, -ENOEXEC, "malformed ELF file: place of a segment");
	*ret_size = size;
	return elf_file_read(f, to, size, offset);
}

/* ---- symbols ---- */

static int take_symbol(void *context, const struct elf_file *f, const Elf64_Sym *s,
		       const char *name)
{
	struct found *found = context;
	/* a sum that wraps is no range: it lies in no segment */
	struct python_range range = { s->st_value, s->st_value + s->st_size };
	int type = ELF64_ST_TYPE(s->st_info);

	if (s->st_shndx == SHN_UNDEF || !s->st_value || (type != STT_OBJECT && type != STT_FUNC))
		return 0;
	for (int i = 0; i < WANTED; i++)
		if (!found->wanted[i].start && !strcmp(name, wanted_names[i]))
			found->wanted[i] = range;
	return type == STT_FUNC && python_is_part(name) ? python_parts_add(&found->parts, f, range)
							: 0;
}

/* ---- the version ---- */

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Up to three digits at *@at, which goes on behind them. -1: none, or more. */
static int number(const uint8_t *bytes, size_t size, size_t *at)
{
	size_t from = *at;
	int value = 0;

	for (; *at < size && is_digit(bytes[*at]) && *at - from < 4; ++*at)
		value = value * 10 + bytes[*at] - '0';
	return *at == from || *at - from > 3 ? -1 : value;
}

/* Nothing, "+", or the level of a pre-release, up to the zero byte. */
static bool version_ends(const uint8_t *bytes, size_t size, size_t at)
{
	if (at < size && (bytes[at] == 'a' || bytes[at] == 'b' || bytes[at] == 'r')) {
		if (bytes[at++] == 'r' && (at == size || bytes[at++] != 'c'))
			return false;
		if (number(bytes, size, &at) < 0)
			return false;
	}
	if (at < size && bytes[at] == '+')
		at++;
	return at < size && !bytes[at];
}

/* The text at @at as a number; 0: something else. In front of it anything but a number may stand:
 * linkers put a string into the end of another one ("/opt/python/3.10.13"). */
static uint32_t version_at(const uint8_t *bytes, size_t size, size_t at)
{
	int minor, patch;

	if (at && (is_digit(bytes[at - 1]) || bytes[at - 1] == '.'))
		return 0;
	at += 2;
	minor = number(bytes, size, &at);
	if (minor < MINOR_OLDEST || minor > MINOR_TEXT_LAST || at == size || bytes[at++] != '.')
		return 0;
	patch = number(bytes, size, &at);
	if (patch < 0 || patch > 255 || !version_ends(bytes, size, at))
		return 0;
	return 3u << 24 | (uint32_t)minor << 16 | (uint32_t)patch << 8;
}

uint32_t python_version_text(const uint8_t *bytes, size_t size)
{
	const uint8_t *from = bytes, *at, *end = bytes + size;
	uint32_t version = 0;
	bool patch_known = true;

	while (from < end && (at = memmem(from, end - from, "3.", 2))) {
		uint32_t v = version_at(bytes, size, at - bytes);

		from = at + 1;
		if (!v)
			continue;
		if (version && v >> 16 != version >> 16)
			return 0;
		patch_known &= !version || v == version;
		version = v;
	}
	return patch_known ? version : version & 0xffff0000;
}

/* Constants are in .rodata; without sections somewhere in what cannot be written. */
static int read_constants(struct elf_file *f, uint8_t **ret, size_t *ret_size)
{
	const Elf64_Phdr *best = NULL;
	uint64_t address;

	if (!elf_file_section(f, ".rodata", ret, ret_size, &address))
		return 0;
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];

		if (p->p_type == PT_LOAD && !(p->p_flags & (PF_W | PF_X)) &&
		    (!best || p->p_filesz > best->p_filesz))
			best = p;
	}
	if (!best)
		return fail(f, -ENOTSUP,
			    "a CPython interpreter of an unknown version: no constants");
	*ret_size = best->p_filesz < TEXT_BYTES_MAX ? best->p_filesz : TEXT_BYTES_MAX;
	return elf_file_read_new(f, *ret_size, best->p_offset, ret);
}

static int version_from_text(struct elf_file *f, uint32_t *ret)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t size;
	int err = read_constants(f, &bytes, &size);

	if (err)
		return err;
	*ret = python_version_text(bytes, size < TEXT_BYTES_MAX ? size : TEXT_BYTES_MAX);
	if (!*ret)
		return fail(f, -ENOTSUP,
			    "a CPython interpreter of an unknown version: no Py_Version, no text");
	return 0;
}

static int read_version(struct elf_file *f, uint64_t symbol, uint32_t *ret)
{
	uint64_t value = 0;
	uint32_t size;
	int err;

	if (!symbol)
		return version_from_text(f, ret);
	err = read_at(f, symbol, &value, sizeof(value), &size);
	if (err)
		return err;
	if (size != sizeof(value) || value > UINT32_MAX || VERSION_MAJOR(value) != 3 ||
	    VERSION_MINOR(value) < MINOR_OLDEST)
		return fail(f, -ENOTSUP,
			    "a CPython interpreter of an unknown version: value of Py_Version");
	*ret = value;
	return 0;
}

/* ---- other data ---- */

/* Where they are in .bss (until 3.9) the file has none of them. */
static int read_debug(struct elf_file *f, struct inspect_python *p)
{
	size_t size = sizeof(p->debug);
	uint64_t free_threaded;
	int err;

	if (size > p->runtime_bytes)
		size = p->runtime_bytes;
	err = read_at(f, p->runtime, p->debug, size, &p->debug_bytes);
	if (err)
		return err;
	if (VERSION_MINOR(p->version) < MINOR_DEBUG_FIRST || p->debug_bytes < 24 ||
	    memcmp(p->debug, DEBUG_COOKIE, 8))
		return 0;
	memcpy(&free_threaded, p->debug + 16, sizeof(free_threaded));
	p->free_threaded = free_threaded != 0;
	return 0;
}

static bool is_musl(const char *name)
{
	return !strncmp(name, "libc.musl", 9) || !strncmp(name, "ld-musl", 7);
}

/* Does the file need musl? Its names are at @strings, an address. */
static bool needs_musl(struct elf_file *f, const Elf64_Dyn *entries, size_t count)
{
	uint64_t strings = 0;

	for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++)
		if (entries[i].d_tag == DT_STRTAB)
			strings = entries[i].d_un.d_ptr;
	for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
		char name[LIBRARY_NAME_MAX + 1] = {};
		uint32_t size;

		if (entries[i].d_tag == DT_NEEDED &&
		    !read_at(f, strings + entries[i].d_un.d_val, name, LIBRARY_NAME_MAX, &size) &&
		    is_musl(name))
			return true;
	}
	return false;
}

static bool read_musl(struct elf_file *f)
{
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];
		_cleanup_free_ char *bytes = NULL;
		bool dynamic = p->p_type == PT_DYNAMIC && p->p_filesz <= DYNAMIC_BYTES_MAX;
		bool interpreter = p->p_type == PT_INTERP && p->p_filesz <= INTERPRETER_MAX;

		if (!(dynamic || interpreter) ||
		    elf_file_read_new(f, p->p_filesz, p->p_offset, &bytes))
			continue;
		if (interpreter ? strstr(bytes, "ld-musl") != NULL
				: needs_musl(f, (void *)bytes, p->p_filesz / sizeof(Elf64_Dyn)))
			return true;
	}
	return false;
}

static int fill(struct elf_file *f, struct found *found, struct inspect_python *ret)
{
	const struct python_range *w = found->wanted;
	int err;

	if (!w[RUNTIME].start || !w[CODE_TYPE].start)
		return fail(f, -ENOENT, "no CPython interpreter");
	if (!w[EVAL].start)
		return fail(f, -ENOTSUP, "a CPython interpreter without _PyEval_EvalFrameDefault");
	if (!python_in_segment(f, w[RUNTIME], PF_R | PF_W) ||
	    !python_in_segment(f, w[CODE_TYPE], PF_R | PF_W))
		return fail(f, -ENOEXEC, "malformed ELF file: CPython's data is in no segment");
	if (!python_in_segment(f, w[EVAL], PF_X))
		return fail(f, -ENOEXEC, "malformed ELF file: CPython's code is in no segment");
	err = read_version(f, w[VERSION].start, &ret->version);
	if (err)
		return err;
	ret->runtime = w[RUNTIME].start;
	ret->runtime_bytes = w[RUNTIME].end - w[RUNTIME].start;
	ret->code_type = w[CODE_TYPE].start;
	err = read_debug(f, ret);
	if (err)
		return err;
	ret->musl = read_musl(f);
	return python_eval(f, w[EVAL], &found->parts, ret);
}

int python_read(struct elf_file *f, struct inspect_python *ret)
{
	struct found found = {};
	int err;

	*ret = (struct inspect_python){};
	if (f->segment_count > SEGMENTS_MAX)
		return fail(f, -EFBIG, "more than 256 ELF segments");
	if (!f->section_count)
		return fail(f, -ENOENT, "no symbols: the file has no ELF sections");
	err = elf_symbols(f, SHT_DYNSYM, take_symbol, &found);
	if (!err)
		err = elf_symbols(f, SHT_SYMTAB, take_symbol, &found);
	if (!err)
		err = fill(f, &found, ret);
	free(found.parts.ranges);
	if (err == -ENOMEM)
		f->cause = "no memory";
	return err;
}
