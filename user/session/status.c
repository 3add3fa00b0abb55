/* status.c - the live line: elapsed, RSS now and peak, processes, losses. Only on a terminal; the
 * cursor stays at its start, so that what a command prints overwrites it. */
#include <inttypes.h>
#include <stdio.h>

#include "lib/clock.h"
#include "session/state.h"

static const char clear_line[] = "\r\033[K";

static uint64_t losses(const struct session *s)
{
	uint64_t drops[DROP_MAX];

	probes_drops(s->probes, drops);
	return drops[DROP_RING_FULL] + drops[DROP_TARGETS_FULL] + drops[DROP_IMAGES_FULL] +
	       drops[DROP_THREADS_FULL] + s->stream.malformed + s->stream.late;
}

void status_show(const struct session *s)
{
	uint64_t elapsed_s = (s->o.tick_ns - s->o.start_ns) / NS_PER_S, lost;
	const char *bold = s->options.colour ? "\033[1m" : "",
		   *red = s->options.colour ? "\033[31m" : "";
	const char *plain = s->options.colour ? "\033[0m" : "";
	struct memory_now now = {};

	if (!s->options.live)
		return;
	for (size_t i = 0; s->stream.collectors[i]; i++)
		if (s->stream.collectors[i]->now)
			s->stream.collectors[i]->now(s->stream.selves[i], &now);
	lost = losses(s);
	fprintf(stderr,
		"%s%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64
		"  RSS %s%.1f MB%s  peak %.1f MB  %u process%s  %s%" PRIu64 " lost%s%s\r",
		clear_line, elapsed_s / 3600, elapsed_s / 60 % 60, elapsed_s % 60, bold,
		now.rss_bytes / 1048576.0, plain, now.peak_bytes / 1048576.0, now.processes,
		now.processes == 1 ? "" : "es", lost ? red : "", lost, lost ? plain : "",
		now.sampled_since_ns ? "  allocations sampled" : "");
	fflush(stderr);
}

void status_clear(const struct session *s)
{
	if (s->options.live)
		fputs(clear_line, stderr);
}
