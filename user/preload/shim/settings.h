/* settings.h - what the starter says in TASKDIAG_SHIM="wait=2000,child=2000,ring=64,listen"; all of
 * it may be missing. */
#ifndef TASKDIAG_PRELOAD_SETTINGS_H
#define TASKDIAG_PRELOAD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct settings {
	uint32_t wait_ms;	/* for the observer, at an exec; at most 60,000 */
	uint32_t child_wait_ms; /* after a fork */
	uint32_t ring_kib;	/* a power of two, 4 … 1024 */
	bool emulated;		/* valgrind runs the task: a breakpoint in our code would end it */
	bool listen;		/* somebody listens though no site is traced: a test */
};

struct settings settings_read(void);

#endif
