/* table_cost.c - what the rows of a file cost: time and bytes.
 *
 *	table_cost ROUNDS FILE…
 *
 * Prints for each file `FILE ROWS BYTES NS`: bytes of rows and buckets; ns is the shortest of ROUNDS
 * from open to the rows, by the product's own reader, with the file in the page cache.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "inspect/elf_file.h"

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* 0, and the table's size; -errno */
static int read_once(const char *path, size_t *ret_rows, size_t *ret_bytes)
{
	struct elf_file f;
	struct cfi_table t;
	bool debug_frame;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -1;
	err = elf_file_open(fd, &f);
	if (!err)
		err = elf_file_rows(&f, &t, &debug_frame);
	if (!err) {
		*ret_rows = t.row_count;
		*ret_bytes = (t.row_count + t.bucket_count) * 8;
		cfi_free(&t);
	}
	elf_file_close(&f);
	close(fd);
	return err;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[1]) : 0;

	if (rounds < 1)
		errx(2, "use: table_cost ROUNDS FILE...");
	for (int i = 2; i < argc; i++) {
		size_t rows = 0, bytes = 0;
		double best = 0;

		for (int n = 0; n < rounds; n++) {
			double start = now_ns(), took;

			if (read_once(argv[i], &rows, &bytes) < 0)
				break;
			took = now_ns() - start;
			if (!n || took < best)
				best = took;
		}
		if (rows)
			printf("%s %zu %zu %.0f\n", argv[i], rows, bytes, best);
		else
			warnx("%s: no rows", argv[i]);
	}
	return 0;
}
