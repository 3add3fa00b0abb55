/* maps_fuzz.c - text of /proc/PID/maps and mountinfo, and records of the perf side-band.
 *
 * The first byte says what the rest is: text for even values, a record for odd ones.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/maps.h"
#include "unwind/mounts.h"
#include "unwind/sideband.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int truth)
{
	if (!truth)
		abort();
}

static void region_check(const struct region *r, size_t room)
{
	must(r->length && r->start + r->length > r->start);
	must(strlen(r->path) < room);
}

static void text(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1), *again = malloc(size + 1);
	struct region r;
	dev_t device;
	int id;

	must(line && again);
	for (size_t from = 0, to; from < size; from = to + 1) {
		const uint8_t *end = memchr(data + from, '\n', size - from);

		to = end ? (size_t)(end - data) : size;
		memcpy(line, data + from, to - from);
		line[to - from] = '\0';
		memcpy(again, line, to - from + 1);
		if (maps_parse(line, to - from, &r) >= 0)
			region_check(&r, to - from + 1);
		mounts_parse(again, &device, &id);
	}
	free(line);
	free(again);
}

static void record(const uint8_t *data, size_t size)
{
	size_t words = size / 8;
	uint64_t *copy = malloc(words * 8 + 1); /* aligned, and exactly as long as the record */
	struct sideband_event event;

	must(!!copy);
	memcpy(copy, data, words * 8);
	if (words)
		((uint16_t *)copy)[3] = words * 8; /* the size, so that most are looked into */
	if (!sideband_decode(copy, words * 8, &event) && event.type == SIDEBAND_MAP)
		region_check(&event.region, words * 8);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1)
		record(data + 1, size - 1);
	else
		text(data + 1, size - 1);
	return 0;
}
