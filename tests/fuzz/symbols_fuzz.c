/* symbols_fuzz.c - any bytes as an ELF file: names of a few addresses, without lines. What comes
 * out must be well-formed. The last byte chooses whether the file is its own debug file as well. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inspect/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const uint64_t addresses[] = { 0,      0x1000,	0x1010,	  0x1020,   0x1040,
					      0x1136, 0x4010d0, 0x401136, 1u << 31, UINT64_MAX };
	const size_t count = sizeof(addresses) / sizeof(*addresses);
	static int fd = -1;
	struct names_answer answer = { 0 };
	struct inspect_name *names;
	const char *cause = NULL;
	size_t name_count;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, bytes, size, 0) != (ssize_t)size)
		abort();
	if (names_elf(fd, size && bytes[size - 1] & 1 ? fd : -1, addresses, count, 0, &answer,
		      &cause)) {
		if (!cause)
			abort();
	} else {
		if (names_decode(answer.bytes, answer.size, count, &names, &name_count) ||
		    name_count != count)
			abort();
		free(names);
	}
	free(answer.bytes);
	return 0;
}
