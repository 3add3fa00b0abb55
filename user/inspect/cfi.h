/* cfi.h - call frame information of an ELF image → rows and buckets (bpf/unwind.h).
 *
 * After DWARF 5 §6.4 and the Linux Standard Base's .eh_frame. Hostile input: every read is bounded,
 * every loop must advance, tables have an upper size. Pure: no files, no kernel.
 */
#ifndef TASKDIAG_CFI_H
#define TASKDIAG_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CFI_ROWS_MAX (24u << 20)

/* A section's bytes and the address it is loaded at. */
struct cfi_section {
	const uint8_t *bytes;
	size_t size;
	uint64_t address;
	bool debug_frame; /* .debug_frame: other CIE ids, absolute addresses */
};

struct cfi_input {
	struct cfi_section frame;
	struct cfi_section second; /* for code that no function of @frame covers; may be empty */
	uint64_t text_first, text_end; /* executable addresses: code outside is ignored */
	uint64_t entry;		       /* e_entry: a gap there is the outermost frame; 0: none */
};

struct cfi_table {
	uint64_t first; /* text_first, rounded down to a bucket */
	/* row 0 is a CFA_END that no bucket counts: what applies before the first function. Bucket
	 * i follows on bucket i - 1: their rows are rows 1, 2, … in order */
	uint64_t *rows, *buckets;
	size_t row_count, bucket_count;
	size_t functions;   /* FDEs used */
	size_t from_second; /* those of them that are of the second section */
	size_t unsupported; /* rows that no walk can follow */
	size_t ignored;	    /* malformed or overlapping CIEs and FDEs */
};

/**
 * 0; -ENOMEM; -EFBIG more than CFI_ROWS_MAX rows, or 4 GiB of text or CFI; -ENODATA no usable CFI
 * at all. *ret is to be freed with cfi_free() after 0 only.
 */
int cfi_build(const struct cfi_input *in, struct cfi_table *ret);
void cfi_free(struct cfi_table *t);

/** Whether rows and buckets that another process has made are what a table holds: every bucket
 * names rows that are there, sorted, of known kinds. */
bool cfi_valid(const uint64_t *rows, size_t row_count, const uint64_t *buckets,
	       size_t bucket_count);

/** The row that applies at @address, for tests and for the report of differences; 0 outside. */
uint64_t cfi_lookup(const struct cfi_table *t, uint64_t address);

#endif
