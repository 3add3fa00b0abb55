/* inspect_cfi_test.c - call frame information written by hand: every instruction and encoding that
 * a row depends on, and hostile sections. Oracle: DWARF 5 §6.4 and the LSB, read by a person; libdw
 * is the oracle of inspect_libdw_test.c. */
#include <dwarf.h>
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/unwind.h"
#include "inspect/cfi.h"

#define TEXT 0x1000 /* where the code is */
#define TEXT_END 0x5000
#define SECTION 0x8000 /* where the section is */
#define MANY 200000

/* ---- a section while it is written ---- */

struct section {
	uint8_t *bytes;
	size_t size, capacity;
	size_t open; /* the entry that is not closed yet */
	bool debug_frame, wide;
};

static void put(struct section *s, const void *bytes, size_t size)
{
	if (s->size + size > s->capacity) {
		s->capacity = 2 * (s->size + size);
		s->bytes = realloc(s->bytes, s->capacity);
		assert_non_null(s->bytes);
	}
	memcpy(s->bytes + s->size, bytes, size);
	s->size += size;
}

static void put_number(struct section *s, uint64_t value, size_t size)
{
	put(s, &value, size); /* little-endian */
}

static void put_u8(struct section *s, uint8_t value)
{
	put(s, &value, 1);
}

static void put_uleb(struct section *s, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		put_u8(s, value | 0x80);
	put_u8(s, value);
}

static void put_sleb(struct section *s, int64_t value)
{
	for (; value < -64 || value > 63; value >>= 7)
		put_u8(s, value | 0x80);
	put_u8(s, value & 0x7f);
}

#define PUT(s, ...) put(s, (const uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }))

static size_t id_size(const struct section *s)
{
	return s->debug_frame && s->wide ? 8 : 4;
}

static size_t begin(struct section *s)
{
	size_t at = s->size;

	if (s->wide)
		put_number(s, UINT32_MAX, 4);
	s->open = s->size;
	put_number(s, 0, s->wide ? 8 : 4);
	return at;
}

static void end(struct section *s)
{
	size_t length_size = s->wide ? 8 : 4;
	uint64_t length = s->size - s->open - length_size;

	memcpy(s->bytes + s->open, &length, length_size);
}

/* A CIE up to its instructions: code factor 1, data factor -8. */
static size_t begin_cie(struct section *s, uint8_t version, const char *augmentation)
{
	size_t at = begin(s);

	put_number(s, s->debug_frame ? UINT64_MAX : 0, id_size(s));
	put_u8(s, version);
	put(s, augmentation, strlen(augmentation) + 1);
	if (version == 4)
		PUT(s, 8, 0);
	PUT(s, 1, 0x78, 16);
	return at;
}

/* CFA = rsp + 8, return address at CFA - 8. */
static void put_usual(struct section *s)
{
	PUT(s, DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1);
}

static size_t put_cie(struct section *s, uint8_t encoding)
{
	size_t at = begin_cie(s, 1, "zR");

	PUT(s, 1, encoding);
	put_usual(s);
	end(s);
	return at;
}

/* An FDE up to its instructions, with absolute addresses of 8 bytes. */
static void begin_fde(struct section *s, size_t cie, uint64_t start, uint64_t size)
{
	begin(s);
	put_number(s, s->debug_frame ? cie : s->size - cie, id_size(s));
	put_number(s, start, 8);
	put_number(s, size, 8);
	if (!s->debug_frame)
		put_u8(s, 0); /* of augmentation data */
}

/* Exactly as large as it is: that is what the sanitizer watches. */
static struct cfi_section copy(const struct section *s)
{
	uint8_t *bytes = malloc(s->size + !s->size);

	assert_non_null(bytes);
	if (s->size)
		memcpy(bytes, s->bytes, s->size);
	return (struct cfi_section){
		.bytes = bytes, .size = s->size, .address = SECTION, .debug_frame = s->debug_frame
	};
}

static int build_both(const struct section *s, const struct section *second, uint64_t entry,
		      struct cfi_table *t)
{
	struct cfi_input in = { .frame = copy(s),
				.second = copy(second),
				.text_first = TEXT,
				.text_end = TEXT_END,
				.entry = entry };
	int err;

	err = cfi_build(&in, t);
	free((void *)in.frame.bytes);
	free((void *)in.second.bytes);
	if (!err)
		assert_true(cfi_valid(t->rows, t->row_count, t->buckets, t->bucket_count));
	return err;
}

static int build(const struct section *s, uint64_t entry, struct cfi_table *t)
{
	static const struct section none;

	return build_both(s, &none, entry, t);
}

static uint64_t rule_at(const struct cfi_table *t, uint64_t address)
{
	return cfi_lookup(t, address) & ROW_RULE_MASK;
}

#define RSP_ROW(words) ROW_RULE(CFA_RSP, 0, words, RBP_SAME, 0, 0)
#define END_ROW ROW_RULE(CFA_END, 0, 0, 0, 0, 0)
#define STOP_ROW ROW_RULE(CFA_STOP, 0, 0, 0, 0, 0)
#define UNSUPPORTED_ROW ROW_RULE(CFA_UNSUPPORTED, 0, 0, 0, 0, 0)

/* The rule after @size bytes of instructions, of a function on its own. */
static uint64_t rule_after(const uint8_t *instructions, size_t size)
{
	struct section s = {};
	struct cfi_table t;
	size_t cie = put_cie(&s, DW_EH_PE_absptr);
	uint64_t rule;

	begin_fde(&s, cie, TEXT, 0x100);
	PUT(&s, DW_CFA_advance_loc | 4);
	put(&s, instructions, size);
	end(&s);
	assert_int_equal(build(&s, 0, &t), 0);
	assert_int_equal(t.functions, 1);
	rule = rule_at(&t, TEXT + 0xff);
	if (rule != UNSUPPORTED_ROW)
		assert_true(rule_at(&t, TEXT + 3) == RSP_ROW(1));
	cfi_free(&t);
	free(s.bytes);
	return rule;
}

#define RULE_AFTER(...) \
	rule_after((const uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }))

/* ---- what the sections say ---- */

static void a_function_is_rows_and_what_is_between_functions_is_an_end(void **state)
{
	struct section s = {};
	struct cfi_table t;
	size_t cie = put_cie(&s, DW_EH_PE_absptr);

	(void)state;
	begin_fde(&s, cie, 0x1010, 0x20);
	PUT(&s, DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16, DW_CFA_offset | 6, 2);
	PUT(&s, DW_CFA_advance_loc | 3, DW_CFA_def_cfa_register, 6);
	PUT(&s, DW_CFA_advance_loc1, 0x1b, DW_CFA_def_cfa, 7, 8, DW_CFA_restore | 6);
	end(&s);
	begin_fde(&s, cie, 0x1030 + 15, 1); /* behind padding */
	end(&s);
	begin_fde(&s, cie, 0x1040 + 16, 0x10); /* behind code without CFI */
	end(&s);
	put_number(&s, 0, 4);
	assert_int_equal(build(&s, 0, &t), 0);
	assert_int_equal(t.functions, 3);
	assert_int_equal(t.ignored, 0);
	assert_int_equal(t.first, 0x1000);
	assert_int_equal(t.bucket_count, (TEXT_END - TEXT) / 512);
	assert_true(rule_at(&t, 0xfff) == 0);
	assert_true(rule_at(&t, 0x1000) == END_ROW);
	assert_true(rule_at(&t, 0x100f) == END_ROW);
	assert_true(rule_at(&t, 0x1010) == RSP_ROW(1));
	assert_true(rule_at(&t, 0x1011) == ROW_RULE(CFA_RSP, 0, 2, RBP_AT_CFA, -2, 0));
	assert_true(rule_at(&t, 0x1013) == ROW_RULE(CFA_RSP, 0, 2, RBP_AT_CFA, -2, 0));
	assert_true(rule_at(&t, 0x1014) == ROW_RULE(CFA_RBP, 0, 2, RBP_AT_CFA, -2, 0));
	assert_true(rule_at(&t, 0x102e) == ROW_RULE(CFA_RBP, 0, 2, RBP_AT_CFA, -2, 0));
	assert_true(rule_at(&t, 0x102f) == RSP_ROW(1));
	assert_true(rule_at(&t, 0x103f) == RSP_ROW(1)); /* padding belongs to the one before */
	assert_true(rule_at(&t, 0x1040) == END_ROW);
	assert_true(rule_at(&t, 0x1050) == RSP_ROW(1));
	assert_true(rule_at(&t, 0x1060) == END_ROW);
	assert_true(rule_at(&t, TEXT_END - 1) == END_ROW); /* of many buckets without a row */
	assert_int_equal(t.row_count, 1 + 7);		   /* equal neighbours are one */
	cfi_free(&t);
	s.size -= 4;
	begin_fde(&s, cie, TEXT_END - 0x10, 8); /* behind the last one there is no padding */
	end(&s);
	assert_int_equal(build(&s, 0, &t), 0);
	assert_true(rule_at(&t, TEXT_END - 9) == RSP_ROW(1));
	assert_true(rule_at(&t, TEXT_END - 8) == END_ROW);
	cfi_free(&t);
	free(s.bytes);
}

static void code_without_cfi_at_the_entry_point_is_the_outermost_frame(void **state)
{
	struct section s = {};
	struct cfi_table t;
	size_t cie = put_cie(&s, DW_EH_PE_absptr);

	(void)state;
	begin_fde(&s, cie, 0x1000, 0x10);
	end(&s);
	begin_fde(&s, cie, 0x1040, 0x10);
	end(&s);
	assert_int_equal(build(&s, 0x1020, &t), 0);
	assert_true(rule_at(&t, 0x101f) == END_ROW);
	assert_true(rule_at(&t, 0x1020) == STOP_ROW);
	assert_true(rule_at(&t, 0x103f) == STOP_ROW);
	assert_true(rule_at(&t, 0x1040) == RSP_ROW(1));
	cfi_free(&t);
	assert_int_equal(build(&s, 0x1010, &t), 0); /* the gap begins with it */
	assert_true(rule_at(&t, 0x1010) == STOP_ROW);
	cfi_free(&t);
	assert_int_equal(build(&s, 0x1004, &t), 0); /* it has CFI */
	assert_true(rule_at(&t, 0x1004) == RSP_ROW(1));
	assert_true(rule_at(&t, 0x1020) == END_ROW);
	cfi_free(&t);
	assert_int_equal(build(&s, 0x1060, &t), 0); /* behind the last */
	assert_true(rule_at(&t, 0x1050) == END_ROW);
	assert_true(rule_at(&t, TEXT_END - 1) == STOP_ROW);
	cfi_free(&t);
	free(s.bytes);
}

static void put_encoded(struct section *s, uint8_t encoding, uint64_t value)
{
	switch (encoding & 0x0f) {
	case DW_EH_PE_uleb128:
		put_uleb(s, value);
		break;
	case DW_EH_PE_sleb128:
		put_sleb(s, value);
		break;
	case DW_EH_PE_udata2:
	case DW_EH_PE_sdata2:
		put_number(s, value, 2);
		break;
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4:
		put_number(s, value, 4);
		break;
	default:
		put_number(s, value, 8);
	}
}

/* A function at 0x1010 whose address is encoded so. 0 or the error of cfi_build(). */
static int build_encoded(uint8_t encoding, struct cfi_table *t)
{
	struct section s = {};
	size_t cie = put_cie(&s, encoding);
	uint64_t value = 0x1010;
	int err;

	begin(&s);
	put_number(&s, s.size - cie, 4);
	if ((encoding & 0x70) == DW_EH_PE_aligned) {
		while ((SECTION + s.size) % 8)
			put_u8(&s, 0xee);
	}
	if ((encoding & 0x70) == DW_EH_PE_pcrel)
		value -= SECTION + s.size;
	put_encoded(&s, encoding, value);
	put_encoded(&s, encoding & 0x0f, 0x20);
	put_u8(&s, 0);
	end(&s);
	err = build(&s, 0, t);
	free(s.bytes);
	return err;
}

static void an_address_is_the_same_in_every_encoding(void **state)
{
	static const uint8_t forms[] = { DW_EH_PE_absptr, DW_EH_PE_udata2,  DW_EH_PE_udata4,
					 DW_EH_PE_udata8, DW_EH_PE_sdata2,  DW_EH_PE_sdata4,
					 DW_EH_PE_sdata8, DW_EH_PE_uleb128, DW_EH_PE_sleb128,
					 DW_EH_PE_signed };
	static const uint8_t bases[] = { 0, DW_EH_PE_pcrel, DW_EH_PE_textrel, DW_EH_PE_datarel };
	static const uint8_t refused[] = { DW_EH_PE_indirect | DW_EH_PE_absptr,
					   DW_EH_PE_funcrel,
					   DW_EH_PE_omit,
					   0x05,
					   0x0f,
					   0x60 };
	struct cfi_table t;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) * sizeof(bases) + 1; i++) {
		uint8_t encoding = i == sizeof(forms) * sizeof(bases)
				       ? DW_EH_PE_aligned
				       : forms[i % sizeof(forms)] | bases[i / sizeof(forms)];

		/* 16 or 32 bits without a sign cannot go back */
		if (encoding == (DW_EH_PE_pcrel | DW_EH_PE_udata2) ||
		    encoding == (DW_EH_PE_pcrel | DW_EH_PE_udata4))
			continue;
		assert_int_equal(build_encoded(encoding, &t), 0);
		assert_true(rule_at(&t, 0x100f) == END_ROW);
		assert_true(rule_at(&t, 0x1010) == RSP_ROW(1));
		assert_true(rule_at(&t, 0x102f) == RSP_ROW(1));
		assert_true(rule_at(&t, 0x1030) == END_ROW);
		cfi_free(&t);
	}
	for (size_t i = 0; i < sizeof(refused); i++)
		assert_int_equal(build_encoded(refused[i], &t), -ENODATA);
}

static void versions_and_widths_of_both_sections_say_the_same(void **state)
{
	static const uint8_t versions[] = { 1, 3, 4 };

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		struct section s = { .debug_frame = i & 1, .wide = i & 2 };
		struct cfi_table t;
		size_t cie = begin_cie(&s, versions[i / 4], s.debug_frame ? "" : "z");

		if (!s.debug_frame)
			put_u8(&s, 0);
		put_usual(&s);
		end(&s);
		begin_fde(&s, cie, TEXT, 0x10);
		PUT(&s, DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16);
		end(&s);
		assert_int_equal(build(&s, 0, &t), 0);
		assert_true(rule_at(&t, TEXT) == RSP_ROW(1));
		assert_true(rule_at(&t, TEXT + 1) == RSP_ROW(2));
		cfi_free(&t);
		free(s.bytes);
	}
}

static void a_debug_frame_may_name_a_cie_that_comes_later(void **state)
{
	struct section s = { .debug_frame = true };
	struct cfi_table t;
	size_t cie;

	(void)state;
	begin_fde(&s, 4 + 4 + 16, TEXT, 0x10);
	end(&s);
	begin_fde(&s, 4 + 4 + 16, 0, 0x2000); /* dropped by the linker */
	end(&s);
	cie = begin_cie(&s, 1, "");
	put_usual(&s);
	end(&s);
	memcpy(s.bytes + 4, &cie, 4);
	memcpy(s.bytes + 24 + 4, &cie, 4);
	assert_int_equal(build(&s, 0, &t), 0);
	assert_int_equal(t.functions, 1);
	assert_int_equal(t.ignored, 0);
	assert_true(rule_at(&t, TEXT) == RSP_ROW(1));
	cfi_free(&t);
	free(s.bytes);
}

static void every_instruction_has_its_effect(void **state)
{
	(void)state;
	assert_true(RULE_AFTER(DW_CFA_nop) == RSP_ROW(1));
	assert_true(RULE_AFTER(DW_CFA_def_cfa_offset, 0x80, 1) == RSP_ROW(16));
	assert_true(RULE_AFTER(DW_CFA_def_cfa_sf, 7, 0x70) == RSP_ROW(16));
	assert_true(RULE_AFTER(DW_CFA_def_cfa_offset_sf, 0x7e) == RSP_ROW(2));
	assert_true(RULE_AFTER(DW_CFA_advance_loc2, 4, 0, DW_CFA_def_cfa_offset, 24) == RSP_ROW(3));
	assert_true(RULE_AFTER(DW_CFA_advance_loc4, 4, 0, 0, 0, DW_CFA_def_cfa_offset, 24) ==
		    RSP_ROW(3));
	assert_true(RULE_AFTER(DW_CFA_set_loc, 8, 0x10, 0, 0, 0, 0, 0, 0, DW_CFA_def_cfa_offset,
			       24) == RSP_ROW(3));
	assert_true(RULE_AFTER(DW_CFA_GNU_args_size, 0x80, 1, DW_CFA_def_cfa_offset, 24) ==
		    RSP_ROW(3));
	assert_true(RULE_AFTER(DW_CFA_offset_extended, 6, 2) ==
		    ROW_RULE(CFA_RSP, 0, 1, RBP_AT_CFA, -2, 0));
	assert_true(RULE_AFTER(DW_CFA_offset_extended_sf, 6, 0x7e) ==
		    ROW_RULE(CFA_RSP, 0, 1, RBP_AT_CFA, 2, 0));
	assert_true(RULE_AFTER(DW_CFA_GNU_negative_offset_extended, 6, 2) ==
		    ROW_RULE(CFA_RSP, 0, 1, RBP_AT_CFA, 2, 0));
	assert_true(RULE_AFTER(DW_CFA_undefined, 6) ==
		    ROW_RULE(CFA_RSP, 0, 1, RBP_UNDEFINED, 0, 0));
	assert_true(RULE_AFTER(DW_CFA_offset | 6, 2, DW_CFA_same_value, 6) == RSP_ROW(1));
	assert_true(RULE_AFTER(DW_CFA_offset | 6, 2, DW_CFA_restore_extended, 6) == RSP_ROW(1));
	assert_true(RULE_AFTER(DW_CFA_register, 6, 0) ==
		    ROW_RULE(CFA_RSP, 0, 1, RBP_UNSUPPORTED, 0, 0));
	assert_true(RULE_AFTER(DW_CFA_val_offset, 6, 2) ==
		    ROW_RULE(CFA_RSP, 0, 1, RBP_UNSUPPORTED, 0, 0));
	assert_true(RULE_AFTER(DW_CFA_val_offset_sf, 6, 0x7e) ==
		    ROW_RULE(CFA_RSP, 0, 1, RBP_UNSUPPORTED, 0, 0));
	assert_true(RULE_AFTER(DW_CFA_val_expression, 6, 2, DW_OP_breg6, 0) ==
		    ROW_RULE(CFA_RSP, 0, 1, RBP_UNSUPPORTED, 0, 0));
	assert_true(RULE_AFTER(DW_CFA_remember_state, DW_CFA_def_cfa, 6, 16, DW_CFA_offset | 3, 3,
			       DW_CFA_advance_loc | 1, DW_CFA_restore_state) == RSP_ROW(1));
	assert_true(RULE_AFTER(DW_CFA_undefined, 16) == STOP_ROW);
	assert_true(RULE_AFTER(DW_CFA_offset | 16, 2) == UNSUPPORTED_ROW);
	assert_true(RULE_AFTER(DW_CFA_offset | 12, 2) == RSP_ROW(1));	   /* r12: no row has it */
	assert_true(RULE_AFTER(DW_CFA_def_cfa, 7, 12) == UNSUPPORTED_ROW); /* no whole words */
	assert_true(RULE_AFTER(DW_CFA_def_cfa, 7, 0x80, 0x80, 0x10) == UNSUPPORTED_ROW); /* 2^18 */
	assert_true(RULE_AFTER(DW_CFA_def_cfa, 3, 16) == ROW_RULE(CFA_RBX, 0, 2, 0, 0, 0));
	assert_true(RULE_AFTER(DW_CFA_def_cfa, 10, 16) == ROW_RULE(CFA_REGISTER, 10, 2, 0, 0, 0));
	assert_true(RULE_AFTER(DW_CFA_offset | 3, 2) == ROW_RULE(CFA_RSP, 0, 1, 0, 0, 2));
	assert_true(RULE_AFTER(DW_CFA_offset | 3, 126) == ROW_RULE(CFA_RSP, 0, 1, 0, 0, 126));
	assert_true(RULE_AFTER(DW_CFA_offset | 3, 127) == ROW_RULE(CFA_RSP, 0, 1, 0, 0, 127));
	assert_true(RULE_AFTER(DW_CFA_offset | 3, 0x80, 1) ==
		    ROW_RULE(CFA_RSP, 0, 1, 0, 0, RBX_UNKNOWN));
	assert_true(RULE_AFTER(DW_CFA_offset | 3, 0) == ROW_RULE(CFA_RSP, 0, 1, 0, 0, RBX_UNKNOWN));
	assert_true(RULE_AFTER(DW_CFA_undefined, 3) == ROW_RULE(CFA_RSP, 0, 1, 0, 0, RBX_UNKNOWN));
}

static void the_expressions_of_compilers_and_linkers_are_rows(void **state)
{
	(void)state;
	assert_true(RULE_AFTER(DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 8, DW_OP_breg16, 0,
			       DW_OP_lit15, DW_OP_and, DW_OP_lit11, DW_OP_ge, DW_OP_lit3, DW_OP_shl,
			       DW_OP_plus) == ROW_RULE(CFA_PLT, 0, 11, 0, 0, 0));
	assert_true(RULE_AFTER(DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 8, DW_OP_breg16, 0,
			       DW_OP_lit15, DW_OP_and, DW_OP_lit11, DW_OP_gt, DW_OP_lit3, DW_OP_shl,
			       DW_OP_plus) == UNSUPPORTED_ROW);
	assert_true(RULE_AFTER(DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x78, DW_OP_deref) ==
		    ROW_RULE(CFA_AT_RBP, 0, -8, 0, 0, 0));
	assert_true(RULE_AFTER(DW_CFA_def_cfa_expression, 6, DW_OP_breg7, 0x90, 1, DW_OP_deref,
			       DW_OP_plus_uconst, 16) == ROW_RULE(CFA_AT_RSP, 2, 144, 0, 0, 0));
	assert_true(RULE_AFTER(DW_CFA_def_cfa_expression, 5, DW_OP_breg7, 8, DW_OP_deref,
			       DW_OP_plus_uconst, 4) == UNSUPPORTED_ROW);
	assert_true(RULE_AFTER(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 8, DW_OP_deref,
			       DW_OP_deref) == UNSUPPORTED_ROW);
	assert_true(RULE_AFTER(DW_CFA_def_cfa_expression, 0) == UNSUPPORTED_ROW);
	assert_true(RULE_AFTER(DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x78, DW_OP_deref,
			       DW_CFA_def_cfa_register, 7) == RSP_ROW(1));
	assert_true(RULE_AFTER(DW_CFA_expression, 6, 2, DW_OP_breg6, 0) ==
		    ROW_RULE(CFA_RSP, 0, 1, RBP_AT_RBP, 0, 0));
	assert_true(RULE_AFTER(DW_CFA_expression, 6, 2, DW_OP_breg6, 0x70) ==
		    ROW_RULE(CFA_RSP, 0, 1, RBP_AT_RBP, -2, 0));
	assert_true(RULE_AFTER(DW_CFA_expression, 6, 2, DW_OP_breg7, 8) ==
		    ROW_RULE(CFA_RSP, 0, 1, RBP_UNSUPPORTED, 0, 0));
	assert_true(RULE_AFTER(DW_CFA_expression, 3, 2, DW_OP_breg6, 0x70) ==
		    ROW_RULE(CFA_RSP, 0, 1, 0, 0, RBX_UNKNOWN));
}

static void a_signal_trampoline_is_one_where_it_does_not_return_like_a_function(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		struct section s = { .debug_frame = i == 2 };
		struct cfi_table t;
		size_t cie = begin_cie(&s, 1, s.debug_frame ? "S" : "zRS");

		(void)state;
		if (!s.debug_frame)
			PUT(&s, 1, DW_EH_PE_absptr);
		put_usual(&s);
		if (i) /* as in libc's __restore_rt */
			PUT(&s, DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0xa0, 1, DW_OP_deref);
		end(&s);
		begin_fde(&s, cie, TEXT, 0x10);
		end(&s);
		assert_int_equal(build(&s, 0, &t), 0);
		assert_true(rule_at(&t, TEXT) ==
			    (i ? ROW_RULE(CFA_SIGNAL, 0, 0, 0, 0, 0) : RSP_ROW(1)));
		cfi_free(&t);
		free(s.bytes);
	}
}

static void augmentations_are_read_or_refused(void **state)
{
	static const struct {
		const char *letters;
		uint8_t data[16], size;
		bool used;
	} cases[] = {
		{ "zR", { DW_EH_PE_absptr }, 1, true },
		{ "zRB", { DW_EH_PE_absptr }, 1, true },
		{ "zR", { DW_EH_PE_absptr, 1, 2, 3 }, 4, true }, /* more than we know */
		{ "zPLR", { 0x9b, 1, 2, 3, 4, DW_EH_PE_sdata4, DW_EH_PE_absptr }, 7, true },
		{ "zPR", { 0, 1, 2, 3, 4, 5, 6, 7, 8, DW_EH_PE_absptr }, 10, true },
		{ "zRX", { DW_EH_PE_absptr }, 1, false },
		{ "zR", {}, 0, false },
		{ "R", {}, 0, false },
		{ "eh", {}, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct section s = {};
		struct cfi_table t;
		size_t cie = begin_cie(&s, 1, cases[i].letters);

		put_u8(&s, cases[i].size);
		put(&s, cases[i].data, cases[i].size);
		put_usual(&s);
		end(&s);
		begin_fde(&s, cie, TEXT, 0x10);
		end(&s);
		assert_int_equal(build(&s, 0, &t), cases[i].used ? 0 : -ENODATA);
		if (cases[i].used) {
			assert_true(rule_at(&t, TEXT) == RSP_ROW(1));
			cfi_free(&t);
		}
		free(s.bytes);
	}
}

static void of_functions_that_overlap_the_first_by_address_is_kept(void **state)
{
	struct section s = {};
	struct cfi_table t;
	size_t cie = put_cie(&s, DW_EH_PE_absptr);

	(void)state;
	begin_fde(&s, cie, 0x1100, 0x100);
	PUT(&s, DW_CFA_def_cfa_offset, 16, DW_CFA_advance_loc1, 0x90, DW_CFA_def_cfa_offset, 24);
	PUT(&s, DW_CFA_advance_loc1, 0x20, DW_CFA_def_cfa_offset, 32);
	end(&s);
	begin_fde(&s, cie, 0x1000, 0x1a0);
	end(&s);
	begin_fde(&s, cie, 0x1080, 0x10); /* within it */
	PUT(&s, DW_CFA_def_cfa_offset, 40);
	end(&s);
	begin_fde(&s, cie, 0x800, 0x10); /* no code of this file */
	end(&s);
	begin_fde(&s, cie, 0x4ff0, UINT64_MAX); /* ends with the text */
	PUT(&s, DW_CFA_def_cfa_offset, 48);
	end(&s);
	assert_int_equal(build(&s, 0, &t), 0);
	assert_true(rule_at(&t, 0x1085) == RSP_ROW(1));
	assert_true(rule_at(&t, 0x119f) == RSP_ROW(1));
	assert_true(rule_at(&t, 0x11a0) ==
		    RSP_ROW(3)); /* what it says for there, not for its start */
	assert_true(rule_at(&t, 0x11b0) == RSP_ROW(4));
	assert_true(rule_at(&t, 0x1200) == END_ROW);
	assert_true(rule_at(&t, TEXT_END - 1) == RSP_ROW(6));
	assert_int_equal(t.functions, 3);
	assert_int_equal(t.ignored, 2);
	cfi_free(&t);
	free(s.bytes);
}

/* ---- two sections ---- */

/* A function of 8 * @words bytes of stack, and 8 more from its ninth byte on. */
static void put_function(struct section *s, size_t cie, uint64_t start, uint64_t size,
			 uint8_t words)
{
	begin_fde(s, cie, start, size);
	PUT(s, DW_CFA_def_cfa_offset);
	put_uleb(s, 8 * words);
	PUT(s, DW_CFA_advance_loc | 8, DW_CFA_def_cfa_offset);
	put_uleb(s, 8 * (words + 1));
	end(s);
}

static void functions_of_the_second_section_are_where_the_first_has_none(void **state)
{
	struct section s = {}, second = { .debug_frame = true };
	struct cfi_table t;
	size_t cie = put_cie(&s, DW_EH_PE_absptr), other = begin_cie(&second, 3, "");

	(void)state;
	put_usual(&second);
	end(&second);
	put_function(&s, cie, 0x1100, 0x100, 2);
	put_function(&s, cie, 0x1300, 0x100, 4);
	put_function(&second, other, 0x1500, 0x10, 30); /* not in order */
	put_function(&second, other, 0x1040, 0x40, 20);
	put_function(&second, other, 0x1100, 0x100, 40); /* in the first, too */
	put_function(&second, other, 0x1320, 0x10, 50);	 /* within one of it */
	put_function(&second, other, 0x1200, 0x100, 60); /* between two without a gap */
	assert_int_equal(build_both(&s, &second, 0, &t), 0);
	assert_int_equal(t.functions, 5);
	assert_int_equal(t.from_second, 3);
	assert_int_equal(t.ignored, 0);
	assert_true(rule_at(&t, 0x103f) == END_ROW);
	assert_true(rule_at(&t, 0x1040) == RSP_ROW(20));
	assert_true(rule_at(&t, 0x1048) == RSP_ROW(21));
	assert_true(rule_at(&t, 0x1080) == END_ROW);
	assert_true(rule_at(&t, 0x1100) == RSP_ROW(2));
	assert_true(rule_at(&t, 0x11ff) == RSP_ROW(3));
	assert_true(rule_at(&t, 0x1200) == RSP_ROW(60));
	assert_true(rule_at(&t, 0x12ff) == RSP_ROW(61));
	assert_true(rule_at(&t, 0x1300) == RSP_ROW(4));
	assert_true(rule_at(&t, 0x1328) == RSP_ROW(5));
	assert_true(rule_at(&t, 0x1400) == END_ROW);
	assert_true(rule_at(&t, 0x1508) == RSP_ROW(31));
	assert_true(rule_at(&t, 0x1510) == END_ROW);
	cfi_free(&t);
	assert_int_equal(build_both(&second, &s, 0, &t), 0); /* whichever is the first wins */
	assert_int_equal(t.from_second, 1);
	assert_true(rule_at(&t, 0x1100) == RSP_ROW(40));
	assert_true(rule_at(&t, 0x1320) == RSP_ROW(50));
	cfi_free(&t);
	free(s.bytes);
	free(second.bytes);
}

static void of_sections_that_overlap_in_part_the_first_wins_and_it_is_told(void **state)
{
	struct section s = {}, second = {};
	struct cfi_table t;
	size_t cie = put_cie(&s, DW_EH_PE_absptr), other = put_cie(&second, DW_EH_PE_absptr);

	(void)state;
	put_function(&s, cie, 0x1100, 0x100, 2);
	put_function(&s, cie, 0x1300, 0x100, 4);
	put_function(&second, other, 0x10fc, 0x20, 20);	 /* into the first one */
	put_function(&second, other, 0x11fc, 0x20, 30);	 /* out of it */
	put_function(&second, other, 0x1240, 0x800, 40); /* over the second one */
	assert_int_equal(build_both(&s, &second, 0, &t), 0);
	assert_int_equal(t.functions, 5);
	assert_int_equal(t.ignored, 3);
	assert_true(rule_at(&t, 0x10fc) == RSP_ROW(20));
	assert_true(rule_at(&t, 0x1100) == RSP_ROW(2)); /* not 21, which begins later */
	assert_true(rule_at(&t, 0x1104) == RSP_ROW(2));
	assert_true(rule_at(&t, 0x11ff) == RSP_ROW(3));
	assert_true(rule_at(&t, 0x1200) == RSP_ROW(30));
	assert_true(rule_at(&t, 0x1204) == RSP_ROW(31));
	assert_true(rule_at(&t, 0x121c) == END_ROW);
	assert_true(rule_at(&t, 0x12ff) == RSP_ROW(41));
	assert_true(rule_at(&t, 0x1300) == RSP_ROW(4));
	assert_true(rule_at(&t, 0x1400) == END_ROW); /* it is used once */
	cfi_free(&t);
	free(s.bytes);
	free(second.bytes);
}

static void either_section_may_be_of_no_use(void **state)
{
	struct section s = {}, junk = {};
	struct cfi_table t;
	size_t cie = put_cie(&s, DW_EH_PE_absptr);

	(void)state;
	put_function(&s, cie, 0x1100, 0x100, 2);
	assert_int_equal(build_both(&junk, &s, 0, &t), 0); /* empty */
	assert_int_equal(t.from_second, 1);
	cfi_free(&t);
	PUT(&junk, 8, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 2, 3, 4, 0xfe, 0xff, 0xff, 0xff);
	assert_int_equal(build_both(&junk, &s, 0, &t), 0);
	assert_int_equal(t.from_second, 1);
	assert_int_equal(t.ignored, 2);
	assert_true(rule_at(&t, 0x1100) == RSP_ROW(2));
	cfi_free(&t);
	assert_int_equal(build_both(&s, &junk, 0, &t), 0);
	assert_int_equal(t.from_second, 0);
	assert_int_equal(t.ignored, 2);
	assert_true(rule_at(&t, 0x1100) == RSP_ROW(2));
	cfi_free(&t);
	assert_int_equal(build_both(&junk, &junk, 0, &t), -ENODATA);
	free(s.bytes);
	free(junk.bytes);
}

/* One function of the second section with a long program over many small ones of the first: a run
 * of it for each hole would be 10^10 instructions. */
static void a_function_over_many_of_the_first_section_is_run_once(void **state)
{
	struct section s = {}, second = {};
	struct cfi_table t;
	size_t cie = put_cie(&s, DW_EH_PE_absptr), other = put_cie(&second, DW_EH_PE_absptr);

	(void)state;
	for (unsigned i = 0; i < 0x1f00; i++) {
		begin_fde(&s, cie, TEXT + 0x100 + i * 2, 1);
		end(&s);
	}
	begin_fde(&second, other, TEXT, 0x4000);
	for (unsigned i = 0; i < MANY * 5; i++)
		PUT(&second, DW_CFA_nop);
	PUT(&second, DW_CFA_def_cfa_offset, 32);
	end(&second);
	assert_int_equal(build_both(&s, &second, 0, &t), 0);
	assert_int_equal(t.functions, 0x1f01);
	assert_int_equal(t.from_second, 1);
	assert_true(rule_at(&t, TEXT) == RSP_ROW(4));
	assert_true(rule_at(&t, TEXT + 0x100) == RSP_ROW(1));
	cfi_free(&t);
	free(s.bytes);
	free(second.bytes);
}

/* ---- hostile sections ---- */

/* One malformed function between two good ones. */
static void assert_malformed(const uint8_t *instructions, size_t size)
{
	struct section s = {};
	struct cfi_table t;
	size_t cie = put_cie(&s, DW_EH_PE_absptr);

	begin_fde(&s, cie, 0x1000, 0x100);
	end(&s);
	begin_fde(&s, cie, 0x1100, 0x100);
	PUT(&s, DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16, DW_CFA_advance_loc | 1);
	put(&s, instructions, size);
	end(&s);
	begin_fde(&s, cie, 0x1200, 0x100);
	end(&s);
	assert_int_equal(build(&s, 0, &t), 0);
	assert_true(rule_at(&t, 0x10ff) == RSP_ROW(1));
	assert_true(rule_at(&t, 0x1100) == UNSUPPORTED_ROW);
	assert_true(rule_at(&t, 0x11ff) == UNSUPPORTED_ROW);
	assert_true(rule_at(&t, 0x1200) == RSP_ROW(1));
	assert_int_equal(t.ignored, 1);
	assert_int_equal(t.unsupported, 1);
	cfi_free(&t);
	free(s.bytes);
}

#define MALFORMED(...) \
	assert_malformed((const uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }))

static void a_malformed_function_is_one_unsupported_row_and_harms_no_other(void **state)
{
	uint8_t deep[17];

	(void)state;
	MALFORMED(0x3f);			  /* no such instruction */
	MALFORMED(DW_CFA_restore_state);	  /* nothing was remembered */
	MALFORMED(DW_CFA_def_cfa_offset);	  /* its operand is missing */
	MALFORMED(DW_CFA_def_cfa_offset, 0x80);	  /* half of it */
	MALFORMED(DW_CFA_advance_loc4, 0, 0, 0);  /* three quarters */
	MALFORMED(DW_CFA_def_cfa_expression, 99); /* beyond the function's end */
	MALFORMED(DW_CFA_expression, 6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1);
	MALFORMED(DW_CFA_def_cfa_offset, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
		  0x80, 0x80, 1);
	MALFORMED(DW_CFA_set_loc, 0, 0x11, 0, 0, 0, 0, 0, 0); /* back */
	memset(deep, DW_CFA_remember_state, sizeof(deep));
	assert_malformed(deep, sizeof(deep));
}

static void a_code_factor_that_overflows_ends_the_function(void **state)
{
	struct section s = {};
	struct cfi_table t;
	size_t cie = begin(&s);

	(void)state;
	put_number(&s, 0, 4);
	PUT(&s, 1, 'z', 0);
	put_uleb(&s, UINT64_MAX / 2 + 1);
	PUT(&s, 0x78, 16, 0);
	put_usual(&s);
	end(&s);
	begin_fde(&s, cie, TEXT, 0x10);
	PUT(&s, DW_CFA_advance_loc | 2, DW_CFA_def_cfa_offset, 16);
	end(&s);
	assert_int_equal(build(&s, 0, &t), 0);
	assert_true(rule_at(&t, TEXT + 0xf) == RSP_ROW(1));
	cfi_free(&t);
	free(s.bytes);
}

/* What @bytes add behind a good function changes nothing of it. */
static void assert_good_survives(const void *bytes, size_t size, size_t ignored)
{
	struct section s = {};
	struct cfi_table t;
	size_t cie = put_cie(&s, DW_EH_PE_absptr);

	begin_fde(&s, cie, TEXT, 0x10);
	end(&s);
	put(&s, bytes, size);
	assert_int_equal(build(&s, 0, &t), 0);
	assert_int_equal(t.functions, 1);
	assert_int_equal(t.ignored, ignored);
	assert_true(rule_at(&t, TEXT) == RSP_ROW(1));
	cfi_free(&t);
	free(s.bytes);
}

static void broken_entries_are_counted_and_left_out(void **state)
{
	static const uint8_t four_gib[] = { 0xfe, 0xff, 0xff, 0xff, 0, 0, 0, 0 },
			     wide[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					0xff, 0xff, 0xff, 0xff, 0,    0,    0,	  0 },
			     cut_wide[] = { 0xff, 0xff, 0xff, 0xff, 1, 2 },
			     own_cie[] = { 8, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4 },
			     no_cie[] = { 8, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 2, 3, 4 },
			     no_id[] = { 2, 0, 0, 0, 1, 2 },
			     endless_letters[] = { 8, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 'S' },
			     zeros[64] = {}, tail[] = { 1, 2, 3 },
			     later_cie[] = { 8, 0, 0, 0, 0xf0, 0xff, 0xff, 0xff, 1, 2, 3, 4 };

	(void)state;
	assert_good_survives(four_gib, sizeof(four_gib), 1);
	assert_good_survives(wide, sizeof(wide), 1);
	assert_good_survives(cut_wide, sizeof(cut_wide), 1);
	assert_good_survives(own_cie, sizeof(own_cie), 1);
	assert_good_survives(no_cie, sizeof(no_cie), 1);
	assert_good_survives(later_cie, sizeof(later_cie), 1);
	assert_good_survives(no_id, sizeof(no_id), 1);
	assert_good_survives(endless_letters, sizeof(endless_letters), 1);
	assert_good_survives(zeros, sizeof(zeros), 0);
	assert_good_survives(tail, sizeof(tail), 0);
}

static void nothing_of_use_is_no_data(void **state)
{
	struct section s = {};
	struct cfi_table t;
	struct cfi_input in = { .text_first = TEXT, .text_end = TEXT_END };
	static const uint8_t byte;

	(void)state;
	assert_int_equal(build(&s, 0, &t), -ENODATA);
	put_cie(&s, DW_EH_PE_absptr);
	assert_int_equal(build(&s, 0, &t), -ENODATA);
	in.frame.bytes = s.bytes;
	in.frame.size = s.size;
	in.text_end = TEXT;
	assert_int_equal(cfi_build(&in, &t), -ENODATA);
	in.text_end = UINT64_MAX;
	assert_int_equal(cfi_build(&in, &t), -EFBIG);
	in.text_end = TEXT_END;
	in.frame.bytes = &byte;
	in.frame.size = (size_t)UINT32_MAX + 1; /* never looked at */
	assert_int_equal(cfi_build(&in, &t), -EFBIG);
	in.second = in.frame;
	in.frame = (struct cfi_section){};
	assert_int_equal(cfi_build(&in, &t), -EFBIG);
	free(s.bytes);
}

static void a_row_for_each_byte_still_fits_its_bucket(void **state)
{
	struct section s = {};
	struct cfi_table t;
	size_t cie = put_cie(&s, DW_EH_PE_absptr);

	(void)state;
	begin_fde(&s, cie, TEXT, 0x400);
	for (unsigned i = 0; i < 0x3ff; i++)
		PUT(&s, DW_CFA_def_cfa_offset, i % 2 ? 8 : 16, DW_CFA_advance_loc | 1);
	PUT(&s, DW_CFA_def_cfa_offset, 24);
	end(&s);
	assert_int_equal(build(&s, 0, &t), 0);
	assert_int_equal(t.buckets[0] >> 32, BUCKET_ROWS_MAX);
	assert_int_equal(t.buckets[1] >> 32, BUCKET_ROWS_MAX);
	assert_true(rule_at(&t, TEXT) == RSP_ROW(2));
	assert_true(rule_at(&t, TEXT + 0x1fd) == RSP_ROW(1));
	/* the last two bytes of each share a row that says so */
	assert_true(rule_at(&t, TEXT + 0x1fe) == UNSUPPORTED_ROW);
	assert_true(rule_at(&t, TEXT + 0x1ff) == UNSUPPORTED_ROW);
	assert_true(rule_at(&t, TEXT + 0x200) == RSP_ROW(2));
	cfi_free(&t);
	free(s.bytes);
}

static void many_cies_are_found_without_looking_at_all_of_them(void **state)
{
	struct section s = {};
	struct cfi_table t;

	(void)state;
	/* each function has its own, and the one of the last but one: a search from either end
	 * would take hours */
	for (unsigned i = 0; i < MANY; i++) {
		size_t cie = put_cie(&s, DW_EH_PE_absptr);

		begin_fde(&s, i % 2 ? cie : 0, TEXT + i % 0x4000, 1);
		end(&s);
	}
	assert_int_equal(build(&s, 0, &t), 0);
	assert_int_equal(t.functions, 0x4000);
	assert_int_equal(t.ignored, MANY - 0x4000);
	cfi_free(&t);
	free(s.bytes);
}

/* Every byte replaced by some others, every length: the sanitizers and cfi_valid() judge. */
static void no_single_change_of_a_section_breaks_the_reader(void **state)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct section s = {}, changed = {};
	struct cfi_table t;
	size_t cie = put_cie(&s, DW_EH_PE_absptr), built = 0;

	(void)state;
	begin_fde(&s, cie, TEXT, 0x100);
	PUT(&s, DW_CFA_remember_state, DW_CFA_advance_loc1, 9, DW_CFA_def_cfa_expression, 3,
	    DW_OP_breg6, 0x78, DW_OP_deref, DW_CFA_expression, 6, 2, DW_OP_breg6, 0,
	    DW_CFA_advance_loc2, 9, 0, DW_CFA_restore_state, DW_CFA_offset | 3, 4);
	end(&s);
	for (size_t i = 0; i < s.size; i++) {
		for (size_t k = 0; k <= sizeof(values); k++) {
			changed.size = 0;
			put(&changed, s.bytes, s.size);
			if (k < sizeof(values))
				changed.bytes[i] = values[k];
			else
				changed.size = i;
			if (!build(&changed, TEXT + 0x180, &t)) {
				cfi_free(&t);
				built++;
			}
		}
	}
	assert_true(built > s.size);
	free(changed.bytes);
	free(s.bytes);
}

/* Copies, exactly as large: that is what the sanitizer watches. */
static bool is_valid(const uint64_t *rows, size_t row_count, const uint64_t *buckets,
		     size_t bucket_count)
{
	uint64_t *own_rows = malloc(row_count * sizeof(*rows) + 1),
		 *own_buckets = malloc(bucket_count * sizeof(*buckets) + 1);
	bool valid;

	memcpy(own_rows, rows, row_count * sizeof(*rows));
	memcpy(own_buckets, buckets, bucket_count * sizeof(*buckets));
	valid = cfi_valid(own_rows, row_count, own_buckets, bucket_count);
	free(own_rows);
	free(own_buckets);
	return valid;
}

static void a_table_that_is_not_consistent_is_not_valid(void **state)
{
	uint64_t rows[] = { 0, RSP_ROW(1) | 4, RSP_ROW(2) | 8, RSP_ROW(3) | 2 };
	uint64_t buckets[] = { BUCKET(0, 2), BUCKET(2, 1) };

	(void)state;
	assert_true(is_valid(rows, 4, buckets, 2));
	assert_false(is_valid(rows, 3, buckets, 2)); /* a bucket names a row that is not there */
	assert_false(is_valid(rows, 4, buckets, 1)); /* a row of no bucket */
	assert_false(is_valid(rows, 0, buckets, 0));
	buckets[1] = BUCKET(3, 0);
	assert_false(is_valid(rows, 4, buckets, 2));
	buckets[1] = BUCKET(UINT32_MAX, 1);
	assert_false(is_valid(rows, 4, buckets, 2));
	buckets[1] = BUCKET(2, 1);
	rows[2] = RSP_ROW(2) | 4; /* not upwards */
	assert_false(is_valid(rows, 4, buckets, 2));
	rows[2] = ROW_RULE(15, 0, 0, 0, 0, 0) | 8; /* no such kind */
	assert_false(is_valid(rows, 4, buckets, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_is_rows_and_what_is_between_functions_is_an_end),
		cmocka_unit_test(code_without_cfi_at_the_entry_point_is_the_outermost_frame),
		cmocka_unit_test(an_address_is_the_same_in_every_encoding),
		cmocka_unit_test(versions_and_widths_of_both_sections_say_the_same),
		cmocka_unit_test(a_debug_frame_may_name_a_cie_that_comes_later),
		cmocka_unit_test(every_instruction_has_its_effect),
		cmocka_unit_test(the_expressions_of_compilers_and_linkers_are_rows),
		cmocka_unit_test(
		    a_signal_trampoline_is_one_where_it_does_not_return_like_a_function),
		cmocka_unit_test(augmentations_are_read_or_refused),
		cmocka_unit_test(of_functions_that_overlap_the_first_by_address_is_kept),
		cmocka_unit_test(functions_of_the_second_section_are_where_the_first_has_none),
		cmocka_unit_test(of_sections_that_overlap_in_part_the_first_wins_and_it_is_told),
		cmocka_unit_test(either_section_may_be_of_no_use),
		cmocka_unit_test(a_function_over_many_of_the_first_section_is_run_once),
		cmocka_unit_test(a_malformed_function_is_one_unsupported_row_and_harms_no_other),
		cmocka_unit_test(a_code_factor_that_overflows_ends_the_function),
		cmocka_unit_test(broken_entries_are_counted_and_left_out),
		cmocka_unit_test(nothing_of_use_is_no_data),
		cmocka_unit_test(a_row_for_each_byte_still_fits_its_bucket),
		cmocka_unit_test(many_cies_are_found_without_looking_at_all_of_them),
		cmocka_unit_test(no_single_change_of_a_section_breaks_the_reader),
		cmocka_unit_test(a_table_that_is_not_consistent_is_not_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
