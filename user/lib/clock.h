/* clock.h - the clock of all our times, and durations as a person writes them. */
#ifndef TASKDIAG_CLOCK_H
#define TASKDIAG_CLOCK_H

#include <stdint.h>

#define NS_PER_S 1000000000ULL
#define NS_PER_MS 1000000ULL

/* CLOCK_BOOTTIME: goes on through suspend, never jumps. */
uint64_t clock_boot_ns(void);
uint64_t clock_monotonic_ns(void); /* stands still in suspend */
uint64_t clock_utc_ns(void);

/**
 * "2s", "500ms", "1.5m", "2h", "90" (seconds). Returns 0, -EINVAL when @text is no duration,
 * -ERANGE when it is not above 0 or beyond ten years.
 */
int duration_parse(const char *text, uint64_t *ret_ns);

#endif
