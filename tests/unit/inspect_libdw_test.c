/* inspect_libdw_test.c - rows of the libraries of this machine; oracle: libdw's own interpreter, at
 * every address where either changes. All of them with TASKDIAG_ALL_LIBRARIES=1. */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "bpf/unwind.h"
#include "inspect/cfi.h"
#include "inspect/elf_file.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

#define FILES_WANTED 20
#define FILES_MAX 60

struct totals {
	size_t files, points, rows, words, functions, different, no_opinion;
	uint64_t build_ns;
};

/* libdw refuses DW_CFA_def_cfa_register after an expression; libgcc's unwinder takes it, and so the
 * hand-written code of libgcrypt works (two functions of the 600,000 here). */
#define NO_OPINION UINT64_MAX
#define NO_OPINION_MAX 16

static const uint64_t unsupported = ROW_RULE(CFA_UNSUPPORTED, 0, 0, 0, 0, 0);

static bool fits(int64_t words)
{
	return words >= INT16_MIN && words <= INT16_MAX;
}

/* Saved at CFA + *ret? */
static bool is_at_cfa(const Dwarf_Op *ops, size_t count, int64_t *ret)
{
	*ret = 0;
	if (!count || ops[0].atom != DW_OP_call_frame_cfa)
		return false;
	if (count == 2 && ops[1].atom == DW_OP_plus_uconst)
		*ret = (int64_t)ops[1].number;
	return count == 1 || (count == 2 && ops[1].atom == DW_OP_plus_uconst);
}

/* What no CFI says of rbx libdw 0.188 calls undefined: its table of the ABI's registers has number
 * 0, rax, in the place of rbx. There @ours may be either. */
static uint64_t oracle_rbx(Dwarf_Frame *frame, uint64_t ours)
{
	Dwarf_Op memory[3], *ops;
	size_t count;
	int64_t offset;

	assert_int_equal(dwarf_frame_register(frame, 3, memory, &ops, &count), 0);
	if (!count)
		return ops && ROW_RBX(ours) == RBX_UNKNOWN ? RBX_UNKNOWN : 0;
	if (is_at_cfa(ops, count, &offset) && offset < 0 && offset % 8 == 0 && offset >= -126 * 8)
		return -offset / 8;
	return RBX_UNKNOWN;
}

static enum rbp oracle_rbp(Dwarf_Frame *frame, int64_t *ret_words)
{
	Dwarf_Op memory[3], *ops;
	size_t count;
	int64_t offset;

	*ret_words = 0;
	assert_int_equal(dwarf_frame_register(frame, 6, memory, &ops, &count), 0);
	if (!count)
		return ops ? RBP_UNDEFINED : RBP_SAME;
	if (is_at_cfa(ops, count, &offset) && offset % 8 == 0 && fits(offset / 8)) {
		*ret_words = offset / 8;
		return RBP_AT_CFA;
	}
	/* an expression begins with the CFA on its stack */
	if (count == 2 && ops[1].atom == DW_OP_breg6 && (int64_t)ops[1].number % 8 == 0 &&
	    fits((int64_t)ops[1].number / 8)) {
		*ret_words = (int64_t)ops[1].number / 8;
		return RBP_AT_RBP;
	}
	return RBP_UNSUPPORTED;
}

static bool is_plt(const Dwarf_Op *ops, size_t count, int64_t *ret_threshold)
{
	static const uint8_t atoms[] = { DW_OP_breg7, DW_OP_breg16, DW_OP_lit15, DW_OP_and, 0,
					 DW_OP_ge,    DW_OP_lit3,   DW_OP_shl,	 DW_OP_plus };

	if (count != sizeof(atoms) || ops[0].number != 8 || ops[1].number != 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (atoms[i] && ops[i].atom != atoms[i])
			return false;
	*ret_threshold = ops[4].atom - DW_OP_lit0;
	return *ret_threshold >= 0 && *ret_threshold < 16;
}

static enum cfa oracle_cfa(const Dwarf_Op *ops, size_t count, int64_t *ret_offset,
			   uint64_t *ret_extra)
{
	int64_t base = (int64_t)ops[0].number;

	*ret_extra = 0;
	if (is_plt(ops, count, ret_offset))
		return CFA_PLT;
	if (count == 1 && ops[0].atom == DW_OP_bregx) { /* how libdw says register + offset */
		*ret_offset = (int64_t)ops[0].number2 / 8;
		if ((int64_t)ops[0].number2 % 8 || !fits(*ret_offset))
			return CFA_UNSUPPORTED;
		*ret_extra = base;
		if (base != 7 && base != 6 && base != 3)
			return CFA_REGISTER;
		*ret_extra = 0;
		return base == 7 ? CFA_RSP : base == 6 ? CFA_RBP : CFA_RBX;
	}
	if (count < 2 || count > 3 || ops[1].atom != DW_OP_deref || !fits(base) ||
	    (ops[0].atom != DW_OP_breg6 && ops[0].atom != DW_OP_breg7))
		return CFA_UNSUPPORTED;
	if (count == 3 &&
	    (ops[2].atom != DW_OP_plus_uconst || ops[2].number % 8 || ops[2].number / 8 > 255))
		return CFA_UNSUPPORTED;
	*ret_extra = count == 3 ? ops[2].number / 8 : 0;
	*ret_offset = base;
	return ops[0].atom == DW_OP_breg7 ? CFA_AT_RSP : CFA_AT_RBP;
}

/* The rule that a row should have, from what libdw says. */
static uint64_t oracle_rule(Dwarf_Frame *frame, bool signal, uint64_t ours)
{
	Dwarf_Op memory[3], *ops;
	size_t count;
	int64_t ra, offset, rbp_words;
	uint64_t extra;
	enum cfa cfa;
	enum rbp rbp;
	bool plain;

	assert_int_equal(dwarf_frame_register(frame, 16, memory, &ops, &count), 0);
	if (!count && ops)
		return ROW_RULE(CFA_STOP, 0, 0, 0, 0, 0);
	plain = is_at_cfa(ops, count, &ra) && ra == -8;
	if (dwarf_frame_cfa(frame, &ops, &count))
		return NO_OPINION;
	if (signal && (!plain || count != 1 || ops[0].atom != DW_OP_bregx))
		return ROW_RULE(CFA_SIGNAL, 0, 0, 0, 0, 0);
	cfa = oracle_cfa(ops, count, &offset, &extra);
	if (!plain || cfa == CFA_UNSUPPORTED)
		return unsupported;
	rbp = oracle_rbp(frame, &rbp_words);
	return ROW_RULE(cfa, extra, offset, rbp, rbp_words, oracle_rbx(frame, ours));
}

/* The first address after @address at which a row of ours begins. */
static uint64_t next_row(const struct cfi_table *t, uint64_t address, uint64_t end)
{
	uint64_t i = (address - t->first) >> BUCKET_SHIFT;

	for (; i < t->bucket_count; i++) {
		uint64_t base = t->first + (i << BUCKET_SHIFT);

		for (uint32_t n = 1; n <= t->buckets[i] >> 32; n++) {
			uint64_t at = base + ROW_PC(t->rows[(uint32_t)t->buckets[i] + n]);

			if (at > address)
				return at < end ? at : end;
		}
	}
	return end;
}

static void tell_difference(struct totals *sum, const char *path, uint64_t pc, uint64_t ours,
			    uint64_t theirs)
{
	if (sum->different++ < 10)
		print_message("%s: %#lx: row %#lx, libdw %#lx\n", path, pc, ours, theirs);
}

/* Rows and libdw's are both piecewise constant: equal where either changes, they are equal. */
static void compare(struct totals *sum, const char *path, const struct cfi_table *t, Dwarf_CFI *cfi,
		    uint64_t first, uint64_t end, uint64_t entry)
{
	unsigned gap = 0;

	for (uint64_t pc = first, next; pc < end; pc = next) {
		uint64_t ours = cfi_lookup(t, pc) & ROW_RULE_MASK, theirs, stop;
		Dwarf_Frame *frame;
		bool signal;

		sum->points++;
		next = next_row(t, pc, end);
		if (dwarf_cfi_addrframe(cfi, pc, &frame)) {
			theirs =
			    ROW_RULE(pc >= entry && ROW_CFA(ours) == CFA_STOP ? CFA_STOP : CFA_END,
				     0, 0, 0, 0, 0);
			if (++gap > 15 && ours != theirs)
				tell_difference(sum, path, pc, ours, theirs);
			if (ours != theirs)
				next = pc + 1;
			continue;
		}
		gap = 0;
		dwarf_frame_info(frame, NULL, &stop, &signal);
		theirs = oracle_rule(frame, signal, ours);
		if (theirs == NO_OPINION)
			sum->no_opinion++;
		else if (ours != theirs)
			tell_difference(sum, path, pc, ours, theirs);
		if (stop > pc && stop < next)
			next = stop;
		free(frame);
	}
}

static size_t functions_in_header(struct elf_file *f)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t size;
	uint64_t address;
	uint32_t count;

	if (elf_file_section(f, ".eh_frame_hdr", &bytes, &size, &address) || size < 12)
		return 0;
	memcpy(&count, bytes + 8, sizeof(count));
	return count;
}

static void compare_file(struct totals *sum, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t before, first, end;
	struct elf_file f = {};
	struct cfi_table t;
	bool debug_frame;
	Dwarf_CFI *cfi;
	Elf *elf;

	if (fd < 0 || elf_file_open(fd, &f)) {
		elf_file_close(&f);
		return;
	}
	before = clock_monotonic_ns();
	if (elf_file_rows(&f, &t, &debug_frame)) {
		elf_file_close(&f);
		return;
	}
	if (debug_frame) { /* rows of two sections: inspect_elf_test compares those */
		cfi_free(&t);
		elf_file_close(&f);
		return;
	}
	sum->build_ns += clock_monotonic_ns() - before;
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	cfi = dwarf_getcfi_elf(elf);
	assert_non_null(cfi);
	assert_int_equal(elf_file_text(&f, &first, &end), 0);
	assert_true(cfi_valid(t.rows, t.row_count, t.buckets, t.bucket_count));
	compare(sum, path, &t, cfi, first, end, f.entry);
	if (t.functions + t.ignored < functions_in_header(&f))
		fail_msg("%s: %zu functions, .eh_frame_hdr has %zu", path, t.functions,
			 functions_in_header(&f));
	sum->files++;
	sum->rows += t.row_count;
	sum->words += t.row_count + t.bucket_count;
	sum->functions += t.functions;
	dwarf_cfi_end(cfi);
	elf_end(elf);
	cfi_free(&t);
	elf_file_close(&f);
}

static void rows_are_what_libdw_says_at_every_address_of_system_libraries(void **state)
{
	static const char *const patterns[] = { "/usr/bin/python3.*[0-9]", "/usr/bin/bash",
						"/usr/lib/x86_64-linux-gnu/*.so.*",
						"/lib64/ld-linux-x86-64.so.2" };
	const char *all = getenv("TASKDIAG_ALL_LIBRARIES");
	size_t limit = all ? SIZE_MAX : FILES_MAX;
	struct totals sum = {};
	glob_t files = {};

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		glob(patterns[i], i ? GLOB_APPEND : 0, NULL, &files);
	elf_version(EV_CURRENT);
	for (size_t i = 0; i < files.gl_pathc && sum.files < limit; i++) {
		struct stat st;

		if (!lstat(files.gl_pathv[i], &st) && S_ISREG(st.st_mode))
			compare_file(&sum, files.gl_pathv[i]);
	}
	globfree(&files);
	print_message("%zu files, %zu functions, %zu rows, %.1f ns and %.2f bytes a row; "
		      "%zu addresses compared, %zu differ\n",
		      sum.files, sum.functions, sum.rows, (double)sum.build_ns / sum.rows,
		      8.0 * sum.words / sum.rows, sum.points, sum.different);
	assert_true(sum.files >= FILES_WANTED);
	assert_int_equal(sum.different, 0);
	assert_true(sum.no_opinion <= NO_OPINION_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_what_libdw_says_at_every_address_of_system_libraries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
