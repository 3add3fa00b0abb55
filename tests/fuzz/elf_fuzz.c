/* elf_fuzz.c - bytes → a file in memory → elf_file → rows, build-id, debug link: no crash.
 *
 *	clang-14 -std=gnu17 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *		-D_GNU_SOURCE -I. -Iuser tests/fuzz/elf_fuzz.c user/inspect/cfi*.c \
 *		user/inspect/elf_*.c -lz -o elf_fuzz
 *	mkdir -p new && ./elf_fuzz -max_len=16384 -timeout=10 -rss_limit_mb=4096 new \
 *		tests/fuzz/corpus/elf
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inspect/elf_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_all(int fd)
{
	uint8_t build_id[ELF_BUILD_ID_MAX];
	char link[ELF_LINK_MAX];
	struct elf_file f;
	struct cfi_table t;
	bool debug_frame;
	int err = elf_file_open(fd, &f);

	if (err) {
		if (!f.cause)
			abort();
		elf_file_close(&f);
		return;
	}
	if (elf_file_build_id(&f, build_id) > sizeof(build_id))
		abort();
	elf_file_debug_link(&f, link);
	if (strlen(link) >= sizeof(link) || strchr(link, '/'))
		abort();
	err = elf_file_rows(&f, &t, &debug_frame);
	if (err && !f.cause)
		abort();
	if (!err) {
		if (!cfi_valid(t.rows, t.row_count, t.buckets, t.bucket_count))
			abort();
		cfi_free(&t);
	}
	elf_file_close(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("elf_fuzz", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, size) < 0 || pwrite(fd, bytes, size, 0) != (ssize_t)size)
		abort();
	read_all(fd);
	return 0;
}
