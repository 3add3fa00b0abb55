/* clock_events.h - one clock event per CPU that runs a BPF program each period. */
#ifndef TASKDIAG_CLOCK_EVENTS_H
#define TASKDIAG_CLOCK_EVENTS_H

#include <stdint.h>

struct bpf_program;
struct clock_events;

/** Starts the clock on every online CPU. 0 or -errno. */
int clock_events_new(struct bpf_program *program, uint64_t period_ns, struct clock_events **ret);
void clock_events_free(struct clock_events *c); /* NULL is fine; stops it */

#endif
