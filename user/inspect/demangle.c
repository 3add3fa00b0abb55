/* demangle.c - C++ (Itanium) and Rust (legacy and v0) by libiberty. */
#include "inspect/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

/* Not DMGL_NO_RECURSE_LIMIT: the names are hostile. */
#define OPTIONS (DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO)
#define CUT "..."

struct sink {
	char *text;
	size_t used;
	jmp_buf full;
};

/* Back references let 100 bytes stand for gigabytes. libiberty cannot be told to stop; its callback
 * interface keeps its state on the stack, so it can be left by a jump. */
static void sink_put(const char *s, size_t n, void *opaque)
{
	struct sink *k = opaque;
	size_t room = DEMANGLE_OUTPUT_MAX - sizeof(CUT) - k->used;

	if (n > room) {
		memcpy(k->text + k->used, s, room);
		k->used += room;
		longjmp(k->full, 1);
	}
	memcpy(k->text + k->used, s, n);
	k->used += n;
}

bool demangle(const char *name, char ret[DEMANGLE_OUTPUT_MAX])
{
	struct sink k = { .text = ret };

	if (name[0] != '_' || strnlen(name, DEMANGLE_INPUT_MAX + 1) > DEMANGLE_INPUT_MAX)
		return false;
	if (setjmp(k.full)) {
		memcpy(ret + k.used, CUT, sizeof(CUT));
		return true;
	}
	if (!rust_demangle_callback(name, OPTIONS, sink_put, &k)) {
		k.used = 0;
		if (!cplus_demangle_v3_callback(name, OPTIONS, sink_put, &k))
			return false;
	}
	ret[k.used] = '\0';
	return k.used > 0;
}
