/* cfi_rule.c - a state of the CFI machine → the rule of a row; what rows can hold is in
 * bpf/unwind.h, what they cannot is CFA_UNSUPPORTED. See cfi_program.h. */
#include "inspect/cfi_program.h"

#include <dwarf.h>

#include "bpf/unwind.h"

#define RBX_SAVED_MAX 126

/* Rows count words: false when @offset is no whole number of them, or too far. */
static bool to_words(int64_t offset, int64_t *ret)
{
	*ret = offset / 8;
	return offset % 8 == 0 && *ret >= INT16_MIN && *ret <= INT16_MAX;
}

/* The first entry of binutils' and lld's .plt: DWARF expression of
 * rsp + 8 + ((rip & 15) >= N) * 8 */
static bool is_plt(const struct cfi_state *s, int64_t *ret_threshold)
{
	static const uint8_t before[] = { DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and },
			     after[] = { DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus };
	const uint8_t *e = s->cfa_expression;
	uint8_t number;

	if (s->cfa_expression_size != sizeof(before) + 1 + sizeof(after))
		return false;
	number = e[sizeof(before)];
	*ret_threshold = number - DW_OP_lit0;
	return number >= DW_OP_lit0 && number <= DW_OP_lit15 &&
	       !memcmp(e, before, sizeof(before)) &&
	       !memcmp(e + sizeof(before) + 1, after, sizeof(after));
}

/* "*(rsp + offset) + 8 * extra", or the same with rbp. */
static bool is_load(const struct cfi_state *s, enum cfa *ret_cfa, int64_t *ret_offset,
		    uint64_t *ret_extra)
{
	struct dwarf_reader r = { .at = s->cfa_expression,
				  .end = s->cfa_expression + s->cfa_expression_size };
	uint8_t base = dwarf_u8(&r);
	uint64_t add = 0;

	*ret_cfa = base == DW_OP_breg7 ? CFA_AT_RSP : CFA_AT_RBP;
	*ret_offset = dwarf_sleb(&r);
	if ((base != DW_OP_breg7 && base != DW_OP_breg6) || dwarf_u8(&r) != DW_OP_deref)
		return false;
	if (dwarf_left(&r)) {
		if (dwarf_u8(&r) != DW_OP_plus_uconst)
			return false;
		add = dwarf_uleb(&r);
	}
	*ret_extra = add / 8;
	return !r.bad && !dwarf_left(&r) && add % 8 == 0 && *ret_extra <= UINT8_MAX &&
	       *ret_offset >= INT16_MIN && *ret_offset <= INT16_MAX;
}

static enum cfa cfa_rule(const struct cfi_state *s, int64_t *ret_offset, uint64_t *ret_extra)
{
	enum cfa cfa;

	*ret_extra = 0;
	if (s->cfa_expression) {
		if (is_plt(s, ret_offset))
			return CFA_PLT;
		return is_load(s, &cfa, ret_offset, ret_extra) ? cfa : CFA_UNSUPPORTED;
	}
	if (!to_words(s->cfa_offset, ret_offset))
		return CFA_UNSUPPORTED;
	if (s->cfa_register == DWARF_RSP)
		return CFA_RSP;
	if (s->cfa_register == DWARF_RBP)
		return CFA_RBP;
	if (s->cfa_register == DWARF_RBX)
		return CFA_RBX;
	*ret_extra = s->cfa_register;
	return s->cfa_register <= UINT8_MAX ? CFA_REGISTER : CFA_UNSUPPORTED;
}

static enum rbp rbp_rule(const struct cfi_saved *saved, int64_t *ret_offset)
{
	struct dwarf_reader r = { .at = saved->expression };

	*ret_offset = 0;
	switch (saved->how) {
	case SAVED_SAME:
		return RBP_SAME;
	case SAVED_AT_CFA:
		if (to_words(saved->offset, ret_offset))
			return RBP_AT_CFA;
		break;
	case SAVED_AT:
		r.end = r.at + saved->size;
		if (dwarf_u8(&r) != DW_OP_breg6)
			break;
		if (to_words(dwarf_sleb(&r), ret_offset) && !r.bad && !dwarf_left(&r))
			return RBP_AT_RBP;
		break;
	case SAVED_UNDEFINED:
		return RBP_UNDEFINED;
	case SAVED_OTHER:
		break;
	}
	*ret_offset = 0;
	return RBP_UNSUPPORTED;
}

static uint64_t rbx_rule(const struct cfi_saved *saved)
{
	if (saved->how == SAVED_SAME)
		return 0;
	if (saved->how == SAVED_AT_CFA && saved->offset < 0 && saved->offset % 8 == 0 &&
	    saved->offset >= -8 * RBX_SAVED_MAX)
		return -saved->offset / 8;
	return RBX_UNKNOWN;
}

uint64_t cfi_state_rule(const struct cfi_state *s, const struct cfi_common *common)
{
	const struct cfi_saved *ra = &s->saved[REGISTER_RA];
	bool plain = ra->how == SAVED_AT_CFA && ra->offset == -8;
	int64_t cfa_offset, rbp_offset;
	uint64_t extra;
	enum cfa cfa;
	enum rbp rbp;

	if (ra->how == SAVED_UNDEFINED)
		return ROW_RULE(CFA_STOP, 0, 0, 0, 0, 0);
	/* what is marked as a signal frame but returns like any other function is one of those:
	 * assembler code that only wants its address taken as exact */
	if (common->signal && (!plain || s->cfa_expression))
		return ROW_RULE(CFA_SIGNAL, 0, 0, 0, 0, 0);
	cfa = cfa_rule(s, &cfa_offset, &extra);
	if (!plain || cfa == CFA_UNSUPPORTED)
		return ROW_RULE(CFA_UNSUPPORTED, 0, 0, 0, 0, 0);
	rbp = rbp_rule(&s->saved[REGISTER_RBP], &rbp_offset);
	return ROW_RULE(cfa, extra, cfa_offset, rbp, rbp_offset, rbx_rule(&s->saved[REGISTER_RBX]));
}
