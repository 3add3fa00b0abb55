/* cfi_program.c - see cfi_program.h */
#include "inspect/cfi_program.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#define REMEMBERED_MAX 16 /* states at once; compilers use 1 or 2 */

struct machine {
	struct dwarf_reader r;
	const struct cfi_section *section;
	const struct cfi_common *common;
	uint64_t first;
	uint32_t at, end;
	bool changed; /* since the last row */
	bool ended;   /* the function's last byte was passed */
	int err;
	struct cfi_rows *rows; /* NULL: none wanted */
	struct cfi_state state;
	unsigned remembered;
	struct cfi_state memory[REMEMBERED_MAX];
};

static uint64_t pointer_value(struct dwarf_reader *r, uint8_t form)
{
	switch (form) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
	case DW_EH_PE_signed:
		return dwarf_u64(r);
	case DW_EH_PE_uleb128:
		return dwarf_uleb(r);
	case DW_EH_PE_sleb128:
		return dwarf_sleb(r);
	case DW_EH_PE_udata2:
		return dwarf_u16(r);
	case DW_EH_PE_sdata2:
		return (int64_t)(int16_t)dwarf_u16(r);
	case DW_EH_PE_udata4:
		return dwarf_u32(r);
	case DW_EH_PE_sdata4:
		return (int64_t)(int32_t)dwarf_u32(r);
	default:
		return dwarf_bad(r);
	}
}

uint64_t cfi_pointer(struct dwarf_reader *r, const struct cfi_section *section, uint8_t encoding)
{
	uint64_t place = section->address + (r->at - section->bytes);

	if (encoding & DW_EH_PE_indirect)
		return dwarf_bad(r);
	switch (encoding & 0x70) {
	case DW_EH_PE_absptr:
	/* their bases are 0 on this machine, as in libdw */
	case DW_EH_PE_textrel:
	case DW_EH_PE_datarel:
		return pointer_value(r, encoding & 0x0f);
	case DW_EH_PE_pcrel:
		return place + pointer_value(r, encoding & 0x0f);
	case DW_EH_PE_aligned:
		dwarf_bytes(r, -place & 7);
		return dwarf_u64(r);
	default:
		return dwarf_bad(r);
	}
}

static int rows_grow(struct cfi_rows *rows)
{
	size_t capacity = rows->capacity ? rows->capacity * 2 : 256;
	struct cfi_row *grown = reallocarray(rows->rows, capacity, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	rows->rows = grown;
	rows->capacity = capacity;
	return 0;
}

static void machine_row(struct machine *m)
{
	struct cfi_rows *rows = m->rows;
	uint64_t rule;

	if (!m->changed || !rows)
		return;
	m->changed = false;
	rule = cfi_state_rule(&m->state, m->common);
	if (rows->count && rows->rows[rows->count - 1].rule == rule)
		return;
	if (rows->count == rows->capacity && (m->err = rows_grow(rows))) {
		m->ended = true;
		return;
	}
	rows->rows[rows->count++] = (struct cfi_row){ .at = m->at, .rule = rule };
}

static void machine_advance(struct machine *m, uint64_t bytes)
{
	if (!bytes)
		return;
	machine_row(m);
	if (bytes >= m->end - m->at)
		m->ended = true;
	else
		m->at += bytes;
}

static void machine_delta(struct machine *m, uint64_t delta)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(delta, m->common->code_factor, &bytes))
		bytes = UINT64_MAX;
	machine_advance(m, bytes);
}

static void machine_set_location(struct machine *m)
{
	uint64_t to = 0;

	if (m->section)
		to = cfi_pointer(&m->r, m->section, m->common->encoding) - m->first;
	if (m->r.bad || to < m->at)
		dwarf_bad(&m->r); /* rows go upwards */
	else
		machine_advance(m, to - m->at);
}

static struct cfi_saved *followed(struct machine *m, uint64_t number)
{
	switch (number) {
	case DWARF_RBX:
		m->changed = true;
		return &m->state.saved[REGISTER_RBX];
	case DWARF_RBP:
		m->changed = true;
		return &m->state.saved[REGISTER_RBP];
	case DWARF_RA:
		m->changed = true;
		return &m->state.saved[REGISTER_RA];
	default:
		return NULL;
	}
}

static void machine_save(struct machine *m, uint64_t number, enum cfi_saved_how how,
			 uint64_t offset)
{
	struct cfi_saved *saved = followed(m, number);

	if (saved)
		*saved = (struct cfi_saved){ .how = how, .offset = (int64_t)offset };
}

static void machine_restore(struct machine *m, uint64_t number)
{
	struct cfi_saved *saved = followed(m, number);

	if (saved)
		*saved = m->common->initial.saved[saved - m->state.saved];
}

/* Factored offsets wrap: what is beyond a row's range then does not matter. */
static uint64_t factored(struct machine *m, uint64_t value)
{
	return value * (uint64_t)m->common->data_factor;
}

static void machine_save_expression(struct machine *m, enum cfi_saved_how how)
{
	struct cfi_saved *saved = followed(m, dwarf_uleb(&m->r));
	uint64_t size = dwarf_uleb(&m->r);
	const uint8_t *bytes = dwarf_bytes(&m->r, size);

	if (saved && bytes)
		*saved = (struct cfi_saved){ .how = how, .size = size, .expression = bytes };
}

static void machine_remember(struct machine *m)
{
	if (m->remembered == REMEMBERED_MAX)
		dwarf_bad(&m->r);
	else
		m->memory[m->remembered++] = m->state;
}

static void machine_recall(struct machine *m)
{
	if (!m->remembered) {
		dwarf_bad(&m->r);
		return;
	}
	m->state = m->memory[--m->remembered];
	m->changed = true;
}

static void machine_cfa(struct machine *m, uint64_t number, uint64_t offset)
{
	m->state.cfa_register = number;
	m->state.cfa_offset = (int64_t)offset;
	m->state.cfa_expression = NULL;
	m->changed = true;
}

static void machine_cfa_expression(struct machine *m)
{
	uint64_t size = dwarf_uleb(&m->r);
	const uint8_t *bytes = dwarf_bytes(&m->r, size);

	m->state.cfa_expression = bytes;
	m->state.cfa_expression_size = size;
	m->changed = true;
}

/* The instructions that say where a register is saved. */
static void machine_register(struct machine *m, uint8_t op)
{
	uint64_t number;

	if (op == DW_CFA_expression || op == DW_CFA_val_expression) {
		machine_save_expression(m, op == DW_CFA_expression ? SAVED_AT : SAVED_OTHER);
		return;
	}
	number = dwarf_uleb(&m->r);
	switch (op) {
	case DW_CFA_offset_extended:
		machine_save(m, number, SAVED_AT_CFA, factored(m, dwarf_uleb(&m->r)));
		break;
	case DW_CFA_offset_extended_sf:
		machine_save(m, number, SAVED_AT_CFA, factored(m, dwarf_sleb(&m->r)));
		break;
	case DW_CFA_GNU_negative_offset_extended:
		machine_save(m, number, SAVED_AT_CFA, -factored(m, dwarf_uleb(&m->r)));
		break;
	case DW_CFA_restore_extended:
		machine_restore(m, number);
		break;
	case DW_CFA_undefined:
		machine_save(m, number, SAVED_UNDEFINED, 0);
		break;
	case DW_CFA_same_value:
		machine_save(m, number, SAVED_SAME, 0);
		break;
	case DW_CFA_register:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
		dwarf_leb(&m->r, false); /* of the same length, with or without a sign */
		machine_save(m, number, SAVED_OTHER, 0);
		break;
	default:
		dwarf_bad(&m->r);
	}
}

static void machine_extended(struct machine *m, uint8_t op)
{
	uint64_t number;

	switch (op) {
	case DW_CFA_nop:
		break;
	case DW_CFA_set_loc:
		machine_set_location(m);
		break;
	case DW_CFA_advance_loc1:
		machine_delta(m, dwarf_u8(&m->r));
		break;
	case DW_CFA_advance_loc2:
		machine_delta(m, dwarf_u16(&m->r));
		break;
	case DW_CFA_advance_loc4:
		machine_delta(m, dwarf_u32(&m->r));
		break;
	case DW_CFA_remember_state:
		machine_remember(m);
		break;
	case DW_CFA_restore_state:
		machine_recall(m);
		break;
	case DW_CFA_def_cfa:
		number = dwarf_uleb(&m->r);
		machine_cfa(m, number, dwarf_uleb(&m->r));
		break;
	case DW_CFA_def_cfa_sf:
		number = dwarf_uleb(&m->r);
		machine_cfa(m, number, factored(m, dwarf_sleb(&m->r)));
		break;
	case DW_CFA_def_cfa_register:
		machine_cfa(m, dwarf_uleb(&m->r), m->state.cfa_offset);
		break;
	case DW_CFA_def_cfa_offset:
		m->state.cfa_offset = dwarf_uleb(&m->r);
		m->changed = true;
		break;
	case DW_CFA_def_cfa_offset_sf:
		m->state.cfa_offset = factored(m, dwarf_sleb(&m->r));
		m->changed = true;
		break;
	case DW_CFA_def_cfa_expression:
		machine_cfa_expression(m);
		break;
	case DW_CFA_GNU_args_size:
		dwarf_uleb(&m->r);
		break;
	default:
		machine_register(m, op);
	}
}

static int machine_run(struct machine *m)
{
	while (m->r.at < m->r.end && !m->ended) {
		uint8_t op = *m->r.at++, low = op & 0x3f;

		switch (op & 0xc0) {
		case DW_CFA_advance_loc:
			machine_delta(m, low);
			break;
		case DW_CFA_offset:
			machine_save(m, low, SAVED_AT_CFA, factored(m, dwarf_uleb(&m->r)));
			break;
		case DW_CFA_restore:
			machine_restore(m, low);
			break;
		default:
			machine_extended(m, op);
		}
	}
	if (m->err)
		return m->err;
	if (m->r.bad)
		return -EBADMSG;
	if (!m->ended)
		machine_row(m);
	return m->err;
}

/* Not by an initialiser: that would clear the memory of states too, a good part of all the time. */
static void machine_begin(struct machine *m, struct dwarf_reader program,
			  const struct cfi_common *common)
{
	m->r = program;
	m->section = NULL;
	m->common = common;
	m->first = 0;
	m->at = m->end = 0;
	m->changed = true;
	m->ended = false;
	m->err = 0;
	m->rows = NULL;
	m->remembered = 0;
}

int cfi_program_initial(struct dwarf_reader program, struct cfi_common *common)
{
	struct machine m;
	int err;

	machine_begin(&m, program, common);
	m.state = (struct cfi_state){ .cfa_register = DWARF_RSP };
	err = machine_run(&m);
	if (err || m.ended) /* there is no code to advance in */
		return -EBADMSG;
	common->initial = m.state;
	return 0;
}

int cfi_program_run(struct dwarf_reader program, const struct cfi_function *function,
		    struct cfi_rows *rows)
{
	struct machine m;

	machine_begin(&m, program, function->common);
	m.section = function->section;
	m.first = function->first;
	m.at = function->at;
	m.end = function->end;
	m.rows = rows;
	m.state = function->common->initial;
	rows->count = 0;
	return machine_run(&m);
}
