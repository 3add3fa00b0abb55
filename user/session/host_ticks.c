/* host_ticks.c - one look at all processes of the host serves every task. */
#include "lib/clock.h"
#include "session/host_private.h"

#define GAP_MIN_NS (50 * NS_PER_MS)

struct look {
	struct host *h;
	bool fresh; /* only tasks without a tick so far */
};

static uint32_t number_of(const struct sample_header *h)
{
	switch (h->type) {
	case SAMPLE_TASK:
		return ((const struct task_sample *)h)->task;
	case SAMPLE_PROCESS:
		return ((const struct process_sample *)h)->task;
	case SAMPLE_THREAD:
		return ((const struct thread_sample *)h)->task;
	default:
		return ((const struct state_sample *)h)->task;
	}
}

static void on_sample(void *context, const void *record, size_t bytes)
{
	const struct look *look = context;
	const struct sample_header *h = record;
	uint32_t number = number_of(h);
	struct session *s = look->h->tasks[task_slot(number)];

	if (!s || s->task != number || s->ended_ns)
		return;
	if (!look->fresh || s->o.tick <= 1)
		stream_sample(&s->stream, record, bytes);
}

static void tell(struct host *h, struct session *s)
{
	struct memory_now now = {};

	for (size_t i = 0; s->stream.collectors[i]; i++)
		if (s->stream.collectors[i]->now)
			s->stream.collectors[i]->now(s->stream.selves[i], &now);
	h->config.tick(h->config.context, s->mark, &now);
}

static void tick_end(struct host *h, struct session *s)
{
	for (size_t i = 0; s->stream.collectors[i]; i++) {
		const struct collector *c = s->stream.collectors[i];

		if (c->tick && c->tick(s->stream.selves[i]))
			s->samples_failed++;
		if (c->shift) /* how coarse this task's pages are taken; the kernel tells all */
			c->shift(s->stream.selves[i]);
	}
	stream_forget(&s->stream, 2);
	tell(h, s);
}

/* A late look is told, with its cause: curves have no points there. */
static void find_gap(struct host *h, uint64_t now, uint64_t *ret_gap, bool *ret_suspend)
{
	uint64_t since = h->tick_ns ? now - h->tick_ns : 0;
	int64_t suspend = clock_boot_ns() - clock_monotonic_ns();

	*ret_gap = since > 2 * h->config.interval_ns && since > GAP_MIN_NS ? since : 0;
	*ret_suspend = suspend - h->suspend_ns > (int64_t)GAP_MIN_NS;
	h->suspend_ns = suspend;
	h->tick_ns = now;
}

void host_tick(struct host *h, bool fresh)
{
	struct look look = { h, fresh };
	uint64_t now = clock_boot_ns(), gap = 0;
	bool suspend = false;
	struct session *s;
	int err;

	probes_drain(h->probes);
	if (!fresh) {
		find_gap(h, now, &gap, &suspend);
		probes_drops(h->probes, h->drops);
		h->missed = probes_missed(h->probes);
		host_parents_check(h);
	}
	host_each(h, s)
	{
		if (s->ended_ns || (fresh && s->o.tick))
			continue;
		s->o.tick++;
		s->o.tick_ns = now;
		s->o.gap_ns = s->o.tick > 1 ? gap : 0;
		s->o.gap_suspend = suspend;
	}
	err = probes_sample(h->probes, on_sample, &look);
	host_each(h, s)
	{
		if (s->ended_ns || (fresh && s->o.tick_ns != now))
			continue;
		if (err)
			s->samples_failed++;
		else
			tick_end(h, s);
	}
	h->fresh = false;
}

void host_threads(struct host *h)
{
	struct look look = { h, false };

	h->threads = false;
	if (h->unwinder && !probes_threads(h->probes, on_sample, &look))
		probes_drain(h->probes);
}
