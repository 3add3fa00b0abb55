/* cfi_fuzz.c - bytes → cfi_input → rows: no crash, and every table that is built is a valid one.
 *
 *	clang-14 -std=gnu17 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *		-D_GNU_SOURCE -I. -Iuser tests/fuzz/cfi_fuzz.c user/inspect/cfi*.c -o cfi_fuzz
 *	mkdir -p new && ./cfi_fuzz -max_len=4096 -timeout=5 new tests/fuzz/corpus/cfi
 *
 * The first two bytes of an input choose section, entry point and text; the rest is the section.
 */
#include <stdlib.h>
#include <string.h>

#include "inspect/cfi.h"

#define TEXT 0x1000
#define SECTION 0x100000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(const struct cfi_input *in)
{
	struct cfi_table t;

	if (cfi_build(in, &t))
		return;
	if (!cfi_valid(t.rows, t.row_count, t.buckets, t.bucket_count))
		abort();
	for (uint64_t at = in->text_first; at < in->text_end; at += 61)
		cfi_lookup(&t, at);
	cfi_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct cfi_input in = { .text_first = TEXT };

	if (size < 2)
		return 0;
	in.frame.debug_frame = bytes[0] & 1;
	in.frame.address = SECTION;
	in.frame.bytes = bytes + 2;
	in.frame.size = size - 2;
	in.text_first += bytes[0] & 0xfe; /* not at the begin of a bucket, too */
	in.text_end = in.text_first + ((uint64_t)bytes[1] << 8) + 1;
	if (bytes[1] & 2) { /* two sections, of half the bytes each */
		in.frame.size /= 2;
		in.second = (struct cfi_section){ .bytes = in.frame.bytes + in.frame.size,
						  .size = size - 2 - in.frame.size,
						  .address = 2 * SECTION,
						  .debug_frame = !in.frame.debug_frame };
	}
	in.entry = bytes[1] & 1 ? in.text_first + bytes[0] : 0;
	check(&in);
	return 0;
}
