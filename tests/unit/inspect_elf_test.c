/* inspect_elf_test.c - ELF files: where their rows, build-id and debug link are; hostile headers.
 * Oracles: the same file before it was changed; files made here, byte by byte; libdw. */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "bpf/unwind.h"
#include "inspect/elf_file.h"
#include "lib/cleanup.h"

#define TEXT 0x1000
#define TEXT_BYTES 0x1000
#define FUNCTION (TEXT + 8)
#define SECTIONS 6

/* ---- an ELF file while it is made ---- */

/* One segment of everything, and the sections that were added. */
struct image {
	uint8_t bytes[0x4000];
	size_t size;
	Elf64_Ehdr header;
	Elf64_Phdr segments[3];
	Elf64_Shdr sections[SECTIONS];
	char names[256];
	size_t names_size;
};

static void image_begin(struct image *i)
{
	*i = (struct image){ .size = TEXT + TEXT_BYTES, .names_size = 1 };
	memcpy(i->header.e_ident, ELFMAG, SELFMAG);
	i->header.e_ident[EI_CLASS] = ELFCLASS64;
	i->header.e_ident[EI_DATA] = ELFDATA2LSB;
	i->header.e_type = ET_DYN;
	i->header.e_machine = EM_X86_64;
	i->header.e_phentsize = sizeof(Elf64_Phdr);
	i->header.e_shentsize = sizeof(Elf64_Shdr);
	i->header.e_phoff = sizeof(Elf64_Ehdr);
	i->header.e_phnum = 1;
	i->header.e_shnum = 1;
	i->segments[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
				       .p_flags = PF_R | PF_X,
				       .p_offset = TEXT,
				       .p_vaddr = TEXT,
				       .p_filesz = TEXT_BYTES,
				       .p_memsz = TEXT_BYTES };
}

/* Where the bytes are in the file; their address is the same. */
static size_t image_bytes(struct image *i, const void *bytes, size_t size)
{
	size_t at = i->size;

	assert_true(i->size + size <= sizeof(i->bytes));
	if (size)
		memcpy(i->bytes + at, bytes, size);
	i->size = (at + size + 7) & ~7ul;
	return at;
}

static Elf64_Shdr *image_section(struct image *i, const char *name, uint32_t type,
				 const void *bytes, size_t size)
{
	Elf64_Shdr *s = &i->sections[i->header.e_shnum++];

	assert_true(i->header.e_shnum <= SECTIONS);
	*s = (Elf64_Shdr){ .sh_name = i->names_size, .sh_type = type, .sh_size = size };
	s->sh_offset = s->sh_addr = image_bytes(i, bytes, size);
	strcpy(i->names + i->names_size, name);
	i->names_size += strlen(name) + 1;
	return s;
}

static void image_names(struct image *i)
{
	Elf64_Shdr *s = image_section(i, ".shstrtab", SHT_STRTAB, NULL, 0);

	s->sh_offset = image_bytes(i, i->names, i->names_size);
	s->sh_size = i->names_size;
	i->header.e_shstrndx = i->header.e_shnum - 1;
	i->header.e_shoff = i->size;
}

/* Its fd, with the headers as they are now. */
static int image_file(struct image *i)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_int_equal(pwrite(fd, i->bytes, i->size, 0), (ssize_t)i->size);
	if (i->header.e_shoff && i->header.e_shoff <= i->size)
		assert_true(pwrite(fd, i->sections, sizeof(i->sections), i->header.e_shoff) > 0);
	assert_true(pwrite(fd, &i->header, sizeof(i->header), 0) > 0);
	assert_true(pwrite(fd, i->segments, sizeof(i->segments), sizeof(i->header)) > 0);
	return fd;
}

/* One function at FUNCTION, 16 bytes long: CFA = rsp + 8 * @words. */
static size_t frame(uint8_t *to, bool debug_frame, uint8_t words)
{
	const uint8_t cie_eh[] = { 16,
				   0,
				   0,
				   0,
				   0,
				   0,
				   0,
				   0,
				   1,
				   'z',
				   'R',
				   0,
				   1,
				   0x78,
				   16,
				   1,
				   DW_EH_PE_absptr,
				   DW_CFA_offset | 16,
				   1,
				   0 },
		      cie_debug[] = { 16,   0, 0, 0, 0xff, 0xff, 0xff,
				      0xff, 1, 0, 1, 0x78, 16,	 DW_CFA_offset | 16,
				      1,    0, 0, 0, 0,	   0 },
		      fde[] = { 24, 0,	0, 0, debug_frame ? 0 : 24,
				0,  0,	0, 8, 0x10,
				0,  0,	0, 0, 0,
				0,  16, 0, 0, 0,
				0,  0,	0, 0 };
	uint8_t program[] = { 0, DW_CFA_def_cfa, 7,
			      8 * words }; /* no augmentation data, or a nop */

	memcpy(to, debug_frame ? cie_debug : cie_eh, 20);
	memcpy(to + 20, fde, sizeof(fde));
	memcpy(to + 20 + sizeof(fde), program, sizeof(program));
	return 20 + sizeof(fde) + sizeof(program);
}

/* The CFA of the function that frame() describes; 0 and *ret_err without rows. */
static int rows_words(int fd, bool *ret_debug_frame, int *ret_err, const char **ret_cause)
{
	struct elf_file f;
	struct cfi_table t;
	int words = 0;

	*ret_err = elf_file_open(fd, &f);
	if (!*ret_err)
		*ret_err = elf_file_rows(&f, &t, ret_debug_frame);
	if (!*ret_err) {
		assert_int_equal(ROW_CFA(cfi_lookup(&t, FUNCTION)), CFA_RSP);
		words = ROW_CFA_OFFSET(cfi_lookup(&t, FUNCTION));
		cfi_free(&t);
	}
	*ret_cause = f.cause;
	elf_file_close(&f);
	close(fd);
	return words;
}

static void assert_rows(struct image *i, int words, bool debug_frame)
{
	const char *cause = NULL;
	bool is_debug_frame;
	int err;

	assert_int_equal(rows_words(image_file(i), &is_debug_frame, &err, &cause), words);
	if (err)
		fail_msg("%d: %s", err, cause);
	assert_int_equal(is_debug_frame, debug_frame);
}

static void assert_refused(struct image *i, int err, const char *cause)
{
	const char *told = NULL;
	bool is_debug_frame;
	int got;

	assert_int_equal(rows_words(image_file(i), &is_debug_frame, &got, &told), 0);
	assert_string_equal(told, cause);
	assert_int_equal(got, err);
}

/* ---- rows ---- */

static void of_a_function_in_both_sections_the_rows_are_of_eh_frame(void **state)
{
	uint8_t eh[64], debug[64];
	size_t eh_size = frame(eh, false, 2), debug_size = frame(debug, true, 3);
	struct image i;

	(void)state;
	image_begin(&i);
	image_section(&i, ".debug_frame", SHT_PROGBITS, debug, debug_size);
	image_section(&i, ".eh_frame", SHT_PROGBITS, eh, eh_size);
	image_names(&i);
	assert_rows(&i, 2, false);
	i.sections[2].sh_type = SHT_NOBITS; /* as in a separate debug file */
	assert_rows(&i, 3, true);
	i.sections[2].sh_type = SHT_PROGBITS;
	i.sections[2].sh_size = 0;
	assert_rows(&i, 3, true);
	memset(i.bytes + i.sections[2].sh_offset, 0, eh_size); /* no function in it */
	i.sections[2].sh_size = eh_size;
	assert_rows(&i, 3, true);
	i.sections[1].sh_type = SHT_NOBITS;
	assert_refused(&i, -ENODATA, "no call frame information (.eh_frame, .debug_frame)");
}

static void without_sections_the_header_of_eh_frame_tells_where_it_is(void **state)
{
	uint8_t eh[128] = {}, header[12] = { 1, DW_EH_PE_pcrel | DW_EH_PE_sdata4, 0x03, 0x3b };
	size_t eh_size = frame(eh, false, 2);
	struct image i;
	int32_t distance;
	size_t at;

	(void)state;
	image_begin(&i);
	/* behind the terminator: what could be taken for an earlier function over this one */
	frame(eh + eh_size + 4, false, 5);
	eh[eh_size + 4 + 28] -= FUNCTION - TEXT;
	at = image_bytes(&i, eh, sizeof(eh));
	distance = (int32_t)(at - (i.size + 4));
	memcpy(header + 4, &distance, 4);
	i.segments[1] = (Elf64_Phdr){ .p_type = PT_GNU_EH_FRAME, .p_filesz = sizeof(header) };
	i.segments[1].p_offset = i.segments[1].p_vaddr = image_bytes(&i, header, sizeof(header));
	i.segments[2] = (Elf64_Phdr){ .p_type = PT_LOAD,
				      .p_flags = PF_R,
				      .p_offset = at,
				      .p_vaddr = at,
				      .p_filesz = i.size - at };
	i.header.e_phnum = 3;
	i.header.e_shnum = 0;
	assert_rows(&i, 2, false);
	i.segments[2].p_filesz = 0; /* it points to nowhere */
	assert_refused(&i, -ENODATA, "no call frame information (.eh_frame, .debug_frame)");
	i.segments[2].p_filesz = UINT64_MAX - at;
	assert_refused(&i, -EFBIG, "a part of the ELF file is larger than 512 MiB");
	i.segments[2].p_filesz = 1 << 20;
	assert_refused(&i, -ENODATA, "the file is shorter than its ELF headers say");
	i.segments[2].p_filesz = i.size - at;
	i.bytes[i.segments[1].p_offset] = 2; /* version */
	assert_refused(&i, -ENODATA, "no call frame information (.eh_frame, .debug_frame)");
}

static void a_compressed_debug_frame_is_inflated(void **state)
{
	uint8_t debug[64], packed[256];
	size_t size = frame(debug, true, 3);
	uLongf packed_size = sizeof(packed) - sizeof(Elf64_Chdr);
	Elf64_Chdr *chdr = (Elf64_Chdr *)packed;
	struct image i;

	(void)state;
	assert_int_equal(compress(packed + sizeof(*chdr), &packed_size, debug, size), Z_OK);
	*chdr = (Elf64_Chdr){ .ch_type = ELFCOMPRESS_ZLIB, .ch_size = size };
	image_begin(&i);
	image_section(&i, ".debug_frame", SHT_PROGBITS, packed, sizeof(*chdr) + packed_size)
	    ->sh_flags = SHF_COMPRESSED;
	image_names(&i);
	assert_rows(&i, 3, true);
	chdr = (Elf64_Chdr *)(i.bytes + i.sections[1].sh_offset);
	chdr->ch_size = size - 1; /* more comes out than it says */
	assert_refused(&i, -ENOEXEC, "malformed ELF file: a section cannot be inflated");
	chdr->ch_size = UINT64_MAX;
	assert_refused(&i, -EFBIG, "a part of the ELF file is larger than 512 MiB");
	chdr->ch_size = size;
	chdr->ch_type = 2; /* zstd */
	assert_refused(&i, -ENOTSUP, "a section is compressed, and not by zlib");
	i.sections[1].sh_size = 5;
	assert_refused(&i, -ENOEXEC, "malformed ELF file: a compressed section without header");
}

static void a_debug_frame_that_cannot_be_read_takes_nothing_from_eh_frame(void **state)
{
	uint8_t eh[64], debug[64];
	size_t eh_size = frame(eh, false, 2), debug_size = frame(debug, true, 3);
	struct image i;

	(void)state;
	debug[20 + 8] += 0x10; /* of another function */
	image_begin(&i);
	image_section(&i, ".debug_frame", SHT_PROGBITS, debug, debug_size);
	image_section(&i, ".eh_frame", SHT_PROGBITS, eh, eh_size);
	image_names(&i);
	assert_rows(&i, 2, true); /* of both, now */
	i.sections[1].sh_size = 3;
	assert_rows(&i, 2, false);
	i.sections[1].sh_size = UINT32_MAX;
	assert_rows(&i, 2, false);
	i.sections[1].sh_size = debug_size;
	i.sections[1].sh_flags = SHF_COMPRESSED;
	assert_rows(&i, 2, false);
	i.sections[1].sh_flags = 0;
	i.sections[2].sh_size = UINT32_MAX; /* nor does .eh_frame from .debug_frame */
	i.bytes[i.sections[1].sh_offset + 20 + 8] -= 0x10;
	assert_rows(&i, 3, true);
}

/* ---- a program of both sections; oracle: libdw ---- */

/* Code of its own in .debug_frame, of crt1.o in .eh_frame. */
static int compiled(void)
{
	static const char source[] =
	    "#include <string.h>\n"
	    "__attribute__((noinline)) int sum(int n, char *to)\n"
	    "{ char own[n + 1]; memset(own, n, n + 1); memcpy(to, own, n);\n"
	    "  return own[n / 2]; }\n"
	    "__attribute__((noinline)) int twice(int n, char *to)\n"
	    "{ return n < 2 ? 0 : sum(n, to) + twice(n - 1, to) + to[0]; }\n"
	    "int main(int argc, char **argv)\n"
	    "{ char to[99]; (void)argv; return twice(argc, to); }\n";
	char path[] = "/tmp/taskdiag-elf-XXXXXX", command[256];
	int fd = mkstemp(path);
	FILE *compiler;

	assert_true(fd >= 0);
	snprintf(command, sizeof(command),
		 "gcc -g -O1 -fno-asynchronous-unwind-tables -x c -o %s.out - && mv %s.out %s",
		 path, path, path);
	compiler = popen(command, "w");
	assert_non_null(compiler);
	assert_true(fputs(source, compiler) >= 0);
	assert_int_equal(pclose(compiler), 0);
	close(fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

/* The words that @number is saved at, from the CFA on; 0: not so. */
static int64_t saved_words(Dwarf_Frame *frame, int number)
{
	Dwarf_Op memory[3], *ops;
	size_t count;

	assert_int_equal(dwarf_frame_register(frame, number, memory, &ops, &count), 0);
	return count == 2 && ops[0].atom == DW_OP_call_frame_cfa ? (int64_t)ops[1].number / 8 : 0;
}

/* Of all that rows can say, what this compiler uses. */
static void assert_row_is(uint64_t row, Dwarf_Frame *frame)
{
	Dwarf_Op memory[3], *ops;
	size_t count;

	assert_int_equal(dwarf_frame_register(frame, 16, memory, &ops, &count), 0);
	if (!count && ops) { /* undefined: _start */
		assert_int_equal(ROW_CFA(row), CFA_STOP);
		return;
	}
	assert_int_equal(dwarf_frame_cfa(frame, &ops, &count), 0);
	if (count > 1) {
		assert_int_equal(ROW_CFA(row), CFA_PLT);
		return;
	}
	assert_int_equal(ops[0].atom, DW_OP_bregx);
	assert_int_equal(ROW_CFA(row), ops[0].number == 7 ? CFA_RSP : CFA_RBP);
	assert_int_equal(ROW_CFA_OFFSET(row), (int64_t)ops[0].number2 / 8);
	assert_int_equal(saved_words(frame, 16), -1);
	assert_int_equal(ROW_RBP_OFFSET(row), saved_words(frame, 6));
	assert_int_equal(ROW_RBP(row) == RBP_AT_CFA, saved_words(frame, 6) != 0);
	assert_int_equal(-(int64_t)ROW_RBX(row), saved_words(frame, 3));
}

static void each_row_of_a_program_with_both_sections_is_what_libdw_says(void **state)
{
	int fd = compiled(), from_eh = 0, from_debug = 0;
	uint64_t first, end;
	struct cfi_table t;
	struct elf_file f;
	bool debug_frame;
	Dwarf_CFI *eh;
	Dwarf *dwarf;
	Elf *elf;

	(void)state;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	eh = dwarf_getcfi_elf(elf);
	assert_non_null(eh);
	assert_non_null(dwarf_getcfi(dwarf));
	assert_int_equal(elf_file_open(fd, &f), 0);
	assert_int_equal(elf_file_text(&f, &first, &end), 0);
	assert_int_equal(elf_file_rows(&f, &t, &debug_frame), 0);
	assert_true(debug_frame);
	for (uint64_t pc = first; pc < end; pc++) {
		Dwarf_Frame *frame;

		if (!dwarf_cfi_addrframe(eh, pc, &frame))
			from_eh++;
		else if (!dwarf_cfi_addrframe(dwarf_getcfi(dwarf), pc, &frame))
			from_debug++;
		else
			continue;
		assert_row_is(cfi_lookup(&t, pc), frame);
		free(frame);
	}
	assert_true(from_eh > 40); /* _start and .plt */
	assert_true(from_debug > 100);
	assert_true(t.from_second >= 3);
	cfi_free(&t);
	elf_file_close(&f);
	dwarf_cfi_end(eh);
	dwarf_end(dwarf);
	elf_end(elf);
	close(fd);
}

/* ---- headers ---- */

static void image_with_rows(struct image *i)
{
	uint8_t eh[64];
	size_t size = frame(eh, false, 2);

	image_begin(i);
	image_section(i, ".eh_frame", SHT_PROGBITS, eh, size);
	image_names(i);
}

static void files_of_another_kind_are_refused_with_their_cause(void **state)
{
	struct image i;

	(void)state;
	image_with_rows(&i);
	assert_rows(&i, 2, false);
	i.header.e_ident[EI_CLASS] = ELFCLASS32;
	assert_refused(&i, -ENOTSUP, "not of this machine: a 32-bit or big-endian ELF file");
	image_with_rows(&i);
	i.header.e_machine = EM_AARCH64;
	assert_refused(&i, -ENOTSUP, "not of this machine: only x86-64 is unwound");
	image_with_rows(&i);
	i.header.e_type = ET_CORE;
	assert_refused(&i, -ENOTSUP, "an ELF file, but no executable and no shared library");
	image_with_rows(&i);
	i.header.e_ident[0] = 0;
	assert_refused(&i, -ENOEXEC, "not an ELF file");
	image_with_rows(&i);
	i.segments[0].p_flags = PF_R;
	assert_refused(&i, -ENODATA, "the file has no code");
}

static void sizes_and_offsets_beyond_the_file_are_refused(void **state)
{
	struct image i;

	(void)state;
	image_with_rows(&i);
	i.sections[1].sh_size = UINT32_MAX;
	assert_refused(&i, -EFBIG, "a part of the ELF file is larger than 512 MiB");
	i.sections[1].sh_size = 1 << 20;
	assert_refused(&i, -ENODATA, "the file is shorter than its ELF headers say");
	i.sections[1].sh_size = 64;
	i.sections[1].sh_offset = UINT64_MAX - 8;
	assert_refused(&i, -ENODATA, "the file is shorter than its ELF headers say");
	image_with_rows(&i);
	i.segments[0].p_filesz = UINT64_MAX;
	assert_refused(&i, -ENOEXEC, "malformed ELF file: code beyond the end of the file");
	image_with_rows(&i);
	i.header.e_phoff = UINT64_MAX;
	assert_refused(&i, -ENODATA, "the file is shorter than its ELF headers say");
	image_with_rows(&i);
	i.header.e_phentsize = 1;
	assert_refused(&i, -ENOEXEC, "malformed ELF file: size of a program header");
}

/* Broken section headers are as good as none: the program runs without them. */
static void broken_section_headers_are_left_out(void **state)
{
	static const char no_cfi[] = "no call frame information (.eh_frame, .debug_frame)";
	struct image i;

	(void)state;
	image_with_rows(&i);
	i.header.e_shoff = UINT32_MAX;
	assert_refused(&i, -ENODATA, no_cfi);
	image_with_rows(&i);
	i.header.e_shnum = 0; /* "the number is in section 0" */
	i.sections[0].sh_size = UINT64_MAX;
	assert_refused(&i, -ENODATA, no_cfi);
	i.sections[0].sh_size = 3;
	assert_rows(&i, 2, false);
	i.header.e_shstrndx = SHN_XINDEX;
	i.sections[0].sh_link = 2;
	assert_rows(&i, 2, false);
	i.sections[0].sh_link = 1; /* no table of names */
	assert_refused(&i, -ENODATA, no_cfi);
	i.sections[0].sh_link = 99;
	assert_refused(&i, -ENODATA, no_cfi);
	image_with_rows(&i);
	i.sections[1].sh_name = UINT32_MAX;
	assert_refused(&i, -ENODATA, no_cfi);
	image_with_rows(&i);
	i.sections[2].sh_size = 3; /* names end in the midst of one: it is that short then */
	assert_refused(&i, -ENODATA, no_cfi);
}

/* ---- build-id, debug link ---- */

static uint32_t build_id_of(struct image *i, uint8_t ret[ELF_BUILD_ID_MAX])
{
	int fd = image_file(i);
	struct elf_file f;
	uint32_t bytes;

	assert_int_equal(elf_file_open(fd, &f), 0);
	bytes = elf_file_build_id(&f, ret);
	elf_file_close(&f);
	close(fd);
	return bytes;
}

static void the_build_id_is_found_by_segment_and_by_section(void **state)
{
	static const uint32_t notes[40] = { 4,	      5,	 5,
					    0x554e47, 1,	 2, /* another, padded */
					    4,	      4,	 NT_GNU_BUILD_ID,
					    0x554e47, 0x04030201 };
	static const uint8_t wanted[] = { 1, 2, 3, 4 };
	uint8_t id[ELF_BUILD_ID_MAX];
	struct image i;
	Elf64_Shdr *s;
	uint32_t *length;

	(void)state;
	image_begin(&i);
	s = image_section(&i, ".note.gnu.build-id", SHT_NOTE, notes, sizeof(notes));
	image_names(&i);
	assert_int_equal(build_id_of(&i, id), 4);
	assert_memory_equal(id, wanted, 4);
	i.segments[1] = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = s->sh_offset, .p_filesz = s->sh_size, .p_align = 4
	};
	i.header.e_phnum = 2;
	i.header.e_shoff = 0;
	assert_int_equal(build_id_of(&i, id), 4);
	assert_memory_equal(id, wanted, 4);
	length = (uint32_t *)(i.bytes + s->sh_offset + 24);
	length[1] = ELF_BUILD_ID_MAX + 1; /* longer than all */
	assert_int_equal(build_id_of(&i, id), 0);
	length[0] = UINT32_MAX;
	length[1] = UINT32_MAX;
	assert_int_equal(build_id_of(&i, id), 0);
	i.segments[1].p_filesz = UINT64_MAX;
	assert_int_equal(build_id_of(&i, id), 0);
}

static void the_debug_link_is_a_plain_name_or_nothing(void **state)
{
	static const struct {
		const char *link, *wanted;
	} cases[] = { { "libx.debug", "libx.debug" },
		      { "../../etc/shadow", "" },
		      { "..", "" },
		      { ".", "" },
		      { "", "" } };
	struct image i;

	(void)state;
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		char link[ELF_LINK_MAX] = "not touched";
		struct elf_file f;
		int fd;

		image_begin(&i);
		image_section(&i, ".gnu_debuglink", SHT_PROGBITS, cases[k].link,
			      strlen(cases[k].link) + 1);
		image_names(&i);
		fd = image_file(&i);
		assert_int_equal(elf_file_open(fd, &f), 0);
		elf_file_debug_link(&f, link);
		assert_string_equal(link, cases[k].wanted);
		elf_file_close(&f);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_function_in_both_sections_the_rows_are_of_eh_frame),
		cmocka_unit_test(without_sections_the_header_of_eh_frame_tells_where_it_is),
		cmocka_unit_test(a_compressed_debug_frame_is_inflated),
		cmocka_unit_test(a_debug_frame_that_cannot_be_read_takes_nothing_from_eh_frame),
		cmocka_unit_test(each_row_of_a_program_with_both_sections_is_what_libdw_says),
		cmocka_unit_test(files_of_another_kind_are_refused_with_their_cause),
		cmocka_unit_test(sizes_and_offsets_beyond_the_file_are_refused),
		cmocka_unit_test(broken_section_headers_are_left_out),
		cmocka_unit_test(the_build_id_is_found_by_segment_and_by_section),
		cmocka_unit_test(the_debug_link_is_a_plain_name_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
