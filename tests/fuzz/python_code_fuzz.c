/* python_code_fuzz.c - any bytes as the record of a code object. Names must be UTF-8 that ends,
 * lines between 0 and INT32_MAX. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "python/code.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Twice of the largest is what UTF-8 can make of it, and the ellipsis. */
static void check_text(const char *text)
{
	if (text && strlen(text) > 2 * PYTHON_FILE_BYTES + 3)
		abort();
}

static void check_lines(const struct python_code *code)
{
	for (uint32_t i = 0; i < 64; i++)
		if (python_code_line(code, i) > INT32_MAX)
			abort();
	if (python_code_line(code, FRAME_NO_INSTRUCTION))
		abort();
	python_code_line(code, FRAME_NO_INSTRUCTION - 1);
	python_code_line(code, UINT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct code_event *e = malloc(size ? size : 1);
	struct python_code *code;

	if (!e)
		abort();
	if (size)
		memcpy(e, bytes, size);
	if (!python_code_new(e, size, &code)) {
		check_text(python_code_name(code));
		check_text(python_code_file(code));
		check_lines(code);
		if (python_code_set_lines(code, bytes, size))
			abort();
		check_lines(code);
		python_code_free(code);
	}
	free(e);
	return 0;
}
