/* perf_map_fuzz.c - any bytes as a perf map. What comes out must be well-formed. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inspect/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const uint64_t addresses[] = { 0, 1, 0x10, 0x10, 0x1f, 0x7f0000000000, UINT64_MAX };
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
	if (names_perf_map(fd, addresses, count, &answer, &cause) ||
	    names_decode(answer.bytes, answer.size, count, &names, &name_count) ||
	    name_count != count)
		abort();
	free(names);
	free(answer.bytes);
	return 0;
}
