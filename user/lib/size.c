/* size.c - see size.h */
#include "lib/size.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int size_parse(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	unsigned long long value;
	const char *unit;
	unsigned shift = 0;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
	}
	if (*end && strcmp(end, unit ? "iB" : "B") && strcmp(end, "B"))
		return -EINVAL;
	if (value >= (1ULL << 63) >> shift)
		return -ERANGE;
	*ret_bytes = value << shift;
	return 0;
}
