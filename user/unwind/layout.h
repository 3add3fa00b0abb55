/* layout.h - an area of an address space and what is known of its file → entries of the mappings
 * that a walk reads. */
#ifndef TASKDIAG_LAYOUT_H
#define TASKDIAG_LAYOUT_H

#include <stddef.h>

#include "bpf/unwind.h"
#include "unwind/areas.h"
#include "unwind/files.h"

#define AREA_MAPPINGS_MAX 3 /* before the first bucket, with rows, behind the last */

/**
 * @file: of the area; NULL: it has none. Writes at least one entry, in order; together they cover
 * the area. Until a file's segments are known its addresses cannot be told: file 0, as for
 * anonymous code.
 */
size_t layout_area(const struct area *area, const struct file *file,
		   struct mapping ret[AREA_MAPPINGS_MAX]);

/** Address in the process minus address in the ELF file. False: it cannot be told. */
bool layout_bias(const struct area *area, const struct file *file, uint64_t *ret);

#endif
