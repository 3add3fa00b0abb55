/* cfi_program.h - runs one program of call frame instructions (DWARF 5 §6.4.2): rules of rows.
 *
 * Of the registers only those that a row can hold are followed: CFA, rbp, rbx, return address.
 * x86-64. Time is linear in the bytes of the program: no instruction can jump back.
 */
#ifndef TASKDIAG_CFI_PROGRAM_H
#define TASKDIAG_CFI_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inspect/cfi.h"
#include "inspect/dwarf_read.h"

/* Numbers of x86-64, psABI §3.6.2 */
#define DWARF_RBX 3
#define DWARF_RBP 6
#define DWARF_RSP 7
#define DWARF_RA 16

enum cfi_saved_how {
	SAVED_SAME,
	SAVED_AT_CFA, /* at CFA + offset */
	SAVED_AT,     /* at the address that the expression gives */
	SAVED_UNDEFINED,
	SAVED_OTHER,
};

struct cfi_saved {
	enum cfi_saved_how how;
	uint32_t size; /* of the expression */
	union {
		int64_t offset;
		const uint8_t *expression;
	};
};

enum { REGISTER_RBP, REGISTER_RBX, REGISTER_RA, REGISTERS };

struct cfi_state {
	uint64_t cfa_register;
	int64_t cfa_offset;
	const uint8_t *cfa_expression; /* NULL: register + offset */
	uint32_t cfa_expression_size;
	struct cfi_saved saved[REGISTERS];
};

/* What all functions of a CIE have in common. */
struct cfi_common {
	uint32_t offset;  /* in the section */
	uint8_t encoding; /* of addresses, DW_EH_PE_* */
	bool augmented;	  /* FDEs have augmentation data */
	bool signal;	  /* its frames are signal trampolines */
	bool bad;	  /* malformed, or of a kind that is not for this machine */
	uint64_t code_factor;
	int64_t data_factor;
	struct cfi_state initial;
};

/* A row while its place is an address: relative to the first byte of the table. */
struct cfi_row {
	uint32_t at;
	uint64_t rule;
};

struct cfi_rows {
	struct cfi_row *rows;
	size_t count, capacity;
};

/** Reads an address as DW_EH_PE_* @encoding says; what only the process knows makes the reader bad.
 */
uint64_t cfi_pointer(struct dwarf_reader *r, const struct cfi_section *section, uint8_t encoding);

/** The rule of a row in this state. */
uint64_t cfi_state_rule(const struct cfi_state *s, const struct cfi_common *common);

/** The initial instructions of a CIE: fills common->initial. 0 or -EBADMSG. */
int cfi_program_initial(struct dwarf_reader program, struct cfi_common *common);

/* A function: [at, end) relative to @first. */
struct cfi_function {
	const struct cfi_section *section;
	const struct cfi_common *common;
	uint64_t first;
	uint32_t at, end;
};

/** Replaces the content of @rows by the rows of one function; adjacent ones differ. 0, -EBADMSG
 * when it is malformed, -ENOMEM. */
int cfi_program_run(struct dwarf_reader program, const struct cfi_function *function,
		    struct cfi_rows *rows);

#endif
