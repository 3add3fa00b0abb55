/* follow.h - the processes of the task and their address spaces: follows the side-band, reads
 * /proc/PID/maps where that does not reach back, and shows walks what it knows.
 *
 *   adopted, events lost, rescan ──► scan (in slices) ─┐
 *   SIDEBAND_MAP, EXEC, FORK ──────────────────────────┴► image ──► mappings.c
 *
 * A forked child shares its parent's image until one of them changes. An image is of one program:
 * the count of execs, ours and the kernel's, tells whose.
 */
#ifndef TASKDIAG_FOLLOW_H
#define TASKDIAG_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/unwind.h"
#include "unwind/files.h"
#include "unwind/mappings.h"
#include "unwind/sideband.h"
#include "unwind/unwinder.h"

struct follow;

int follow_new(const struct unwinder_config *config, struct files *files, struct mappings *mappings,
	       struct follow **ret);
void follow_free(struct follow *f); /* NULL is fine */

/* As the functions of unwinder.h are. */
int follow_process(struct follow *f, uint32_t tgid, uint32_t pid, uint64_t start_ns, bool adopted);
void follow_exit(struct follow *f, uint32_t tgid, uint64_t start_ns);
void follow_rescan(struct follow *f, uint32_t tgid);

/** One event of the side-band, in order. @context: struct follow. */
void follow_event(void *context, const struct sideband_event *event);

/** Reads for a few milliseconds at most, and shows what has changed. @horizon_ns: events of the
 * side-band until then have come. 0 or the first -errno. */
int follow_pump(struct follow *f, uint64_t horizon_ns);
/** When follow_pump() has something to do again; 0: nothing now. */
uint64_t follow_due(const struct follow *f);
bool follow_busy(const struct follow *f); /* a process is known whose mappings are not */

bool follow_find(const struct follow *f, uint32_t tgid, uint64_t address, struct mapping *ret);
/** What walks of the process use now; valid until the next call. NULL: nothing. */
const struct unwind_process *follow_shown(const struct follow *f, uint32_t tgid);
/** Since when: CLOCK_BOOTTIME; 0: not yet. */
uint64_t follow_shown_ns(const struct follow *f, uint32_t tgid);

/** Fills mappings, rescans and lost_events. */
void follow_stats(const struct follow *f, struct unwinder_stats *ret);

#endif
