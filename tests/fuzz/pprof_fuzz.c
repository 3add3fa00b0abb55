/* pprof_fuzz.c - libFuzzer's door to report/pprof.c; inflated bytes, so that a change reaches the
 * parser. What is read must be whole: every number names something.
 *
 *	clang -fsanitize=fuzzer,address,undefined … pprof_fuzz.c; ./pprof_fuzz corpus/pprof
 */
#include <stdlib.h>

#include "report/pprof.h"

static void check(const struct profile *p)
{
	for (uint32_t i = 0; i < profile_sample_count(p); i++) {
		const struct profile_sample *s = profile_sample_at(p, i);
		uint32_t stack = s->stack;

		if (s->thread >= profile_thread_count(p) || s->cause >= profile_cause_count(p))
			abort();
		for (; stack != PROFILE_NO_STACK; stack = profile_stack_parent(p, stack))
			if (stack >= profile_stack_count(p) ||
			    profile_stack_frame(p, stack) >= profile_frame_count(p))
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile *p = NULL;
	const char *cause = NULL;
	int err = pprof_parse(data, size, 0, &p, &cause);

	if (!err != !!p || (err && !cause))
		abort();
	if (p)
		check(p);
	profile_free(p);
	return 0;
}
