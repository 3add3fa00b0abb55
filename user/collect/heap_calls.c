/* heap_calls.c - see heap_private.h: processes whose allocators have uprobes. */
#include "collect/heap_private.h"

static void begins(struct live_heap *h, struct live_process *p, const struct heap_calls_event *e)
{
	h->calls.samples |= e->what == CALLS_SAMPLES;
	if (p->space) /* more of its files have them now */
		return;
	if (!live_space_called(h, p, &e->h)) {
		h->failed++;
		return;
	}
	h->calls.processes++;
	if (!h->calls.begin_ns)
		h->calls.begin_ns = e->h.time_ns;
}

void live_calls_record(struct live_heap *h, const struct heap_calls_event *e)
{
	struct live_process *p = live_process(h, &e->h, true);
	struct live_calls *calls = &h->calls;

	calls->functions += e->functions;
	calls->stepped += e->stepped;
	calls->left_out += e->left_out;
	calls->throwing += e->throwing;
	if (!p) {
		h->failed++;
	} else if (e->what == CALLS_BEGIN || e->what == CALLS_SAMPLES) {
		begins(h, p, e);
	} else if (e->what == CALLS_NOWHERE) {
		calls->nowhere++;
	} else if (e->what == CALLS_FAILED) {
		calls->failed++;
		calls->err = e->err;
	} else if (e->what == CALLS_LEADER) {
		calls->headless++;
		live_process_end(h, p, e->h.time_ns, false);
	} else if (e->what == CALLS_EXPENSIVE) {
		calls->braked_ns = e->h.time_ns;
		live_process_end(h, p, e->h.time_ns, false);
	}
}
