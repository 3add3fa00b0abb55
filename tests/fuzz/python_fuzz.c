/* python_fuzz.c - any bytes as an ELF file: is it a CPython interpreter? What comes out must be
 * what the client of the worker believes: ranges that are not empty and lie in a segment. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inspect/python.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(const struct elf_file *f, const struct inspect_python *p)
{
	struct python_range runtime = { p->runtime, p->runtime + p->runtime_bytes };

	if (p->version >> 24 != 3 || !python_in_segment(f, runtime, PF_R) || !p->code_type ||
	    p->debug_bytes > sizeof(p->debug) || p->debug_bytes > p->runtime_bytes ||
	    !p->eval_count || p->eval_count > INSPECT_EVAL_MAX)
		abort();
	for (uint32_t i = 0; i < p->eval_count; i++) {
		struct python_range r = { p->eval[i].start, p->eval[i].end };

		if (!r.start || r.start >= r.end || r.end > PYTHON_ADDRESS_MAX)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static int fd = -1;
	struct inspect_python p;
	struct elf_file f;
	int err;

	python_version_text(bytes, size);
	if (fd < 0)
		fd = memfd_create("python_fuzz", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, size) < 0 || pwrite(fd, bytes, size, 0) != (ssize_t)size)
		abort();
	err = elf_file_open(fd, &f);
	if (!err)
		err = python_read(&f, &p);
	if (err && !f.cause)
		abort();
	if (!err)
		check(&f, &p);
	elf_file_close(&f);
	return 0;
}
