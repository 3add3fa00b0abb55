/* budget_fuzz.c - libFuzzer's door to report/budget_file.c. What is read must be whole: every limit
 * is of a measure that its subject has, finite, not negative, once.
 *
 *	clang -fsanitize=fuzzer,address,undefined … budget_fuzz.c; ./budget_fuzz corpus/budget
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "report/budget.h"

static void check(const struct budget *b)
{
	if (!b->n || b->n > BUDGET_LIMITS_MAX)
		abort();
	for (size_t i = 0; i < b->n; i++) {
		const struct budget_limit *l = &b->limits[i];

		if (l->measure >= MEASURES || !isfinite(l->limit) || l->limit < 0 || !l->line)
			abort();
		if (l->function && (!*l->function || !measures[l->measure].of_function))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *error = NULL;
	struct budget *b = NULL;
	int err;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	err = budget_parse(text, "b", &b, &error);
	if (!err != !!b || (!err && error))
		abort();
	if (b)
		check(b);
	budget_free(b);
	free(error);
	free(text);
	return 0;
}
