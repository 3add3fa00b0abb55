/* cfi_entries.h - the CIEs and FDEs of a section: what functions there are, sorted by address.
 *
 * CIE and FDE are a common information entry and a frame description entry of DWARF 5 §6.4.1.
 */
#ifndef TASKDIAG_CFI_ENTRIES_H
#define TASKDIAG_CFI_ENTRIES_H

#include <stddef.h>
#include <stdint.h>

#include "inspect/cfi.h"
#include "inspect/cfi_program.h"

/* An FDE: code [at, end) relative to @first, its program as an offset in the section. Small, as
 * there are hundreds of thousands. */
struct cfi_entry {
	uint32_t at, end;
	uint32_t program, program_size;
	uint32_t common; /* its CIE */
};

struct cfi_entries {
	const struct cfi_section *section;
	uint64_t text_first, text_end;
	uint64_t first; /* of the table */
	struct cfi_common *commons;
	size_t common_count, common_capacity; /* sorted by offset */
	struct cfi_entry *functions;
	size_t function_count, function_capacity;
	uint64_t *order; /* of functions by address: it and their number */
	size_t ignored;	 /* malformed ones */
};

/** @section: one of @in. @first: what addresses are relative to, less than 4 GiB below the text's
 * end. 0, -ENOMEM, -EFBIG, -ENODATA: no function. To be freed in every case. */
int cfi_entries_read(const struct cfi_input *in, const struct cfi_section *section, uint64_t first,
		     struct cfi_entries *ret);
void cfi_entries_free(struct cfi_entries *e);

/** Function @i by address; they may overlap. */
const struct cfi_entry *cfi_entries_get(const struct cfi_entries *e, size_t i);

/** @array with room for one more; NULL: no memory, and it is as it was. */
void *cfi_with_room(void *array, size_t count, size_t *capacity, size_t size);

#endif
