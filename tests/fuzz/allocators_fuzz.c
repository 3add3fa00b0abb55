/* allocators_fuzz.c - bytes → a file in memory → places of its allocators; and → arguments of a
 * USDT probe: no crash, and what is found lies in the file.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inspect/allocators.h"

#define ARGUMENTS_MAX 3

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_all(int fd, size_t size)
{
	struct inspect_allocators a;
	struct elf_file f;
	int err = elf_file_open(fd, &f);

	if (!err)
		err = allocators_read(&f, &a);
	if (err && !f.cause)
		abort();
	for (uint32_t i = 0; !err && i < a.count; i++)
		if (a.places[i].kind >= INSPECT_PLACE_KINDS ||
		    (a.places[i].kind == INSPECT_CALL && a.places[i].offset >= size))
			abort();
	if (!err && a.count > INSPECT_ALLOCATORS_MAX)
		abort();
	elf_file_close(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static int fd = -1;
	uint64_t cookie;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, bytes, size);
	text[size] = 0;
	usdt_arguments(text, ARGUMENTS_MAX, &cookie);
	free(text);
	if (fd < 0)
		fd = memfd_create("allocators_fuzz", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 || pwrite(fd, bytes, size, 0) != (ssize_t)size)
		abort();
	read_all(fd, size);
	return 0;
}
