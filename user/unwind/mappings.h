/* mappings.h - the mappings as walks read them: ranges of one array, and which range is whose.
 *
 * A range is written once and never changed: a process whose mappings change gets a new one, and
 * the old one rests before it is used again.
 */
#ifndef TASKDIAG_MAPPINGS_H
#define TASKDIAG_MAPPINGS_H

#include <stdint.h>

#include "bpf/unwind.h"
#include "unwind/pythons.h"

struct mappings;

/** @array: map of struct mapping; @processes: map tgid → struct unwind_process; @pythons: map of
 * struct python_layout; all borrowed; -1: memory that no BPF program sees (tests). */
int mappings_new(int array, int processes, int pythons, struct mappings **ret);
void mappings_free(struct mappings *m); /* NULL is fine */

/** Writes a range of @count (0 is fine). 0; -EAGAIN: no room until older ranges have rested;
 * -ENOSPC: no room at all. */
int mappings_write(struct mappings *m, const struct mapping *list, uint32_t count,
		   uint32_t *ret_first);
void mappings_give(struct mappings *m, uint32_t first, uint32_t count, uint64_t now_ns);
void mappings_expire(struct mappings *m, uint64_t now_ns);

/** A process's range from now on. 0 or -errno. */
int mappings_show(struct mappings *m, uint32_t tgid, const struct unwind_process *process);
/** Its entry goes, if it is that process's. */
void mappings_hide(struct mappings *m, uint32_t tgid, uint64_t start_ns);

struct pythons *mappings_pythons(struct mappings *m);
const struct mapping *mappings_at(const struct mappings *m, uint32_t i); /* NULL: out of range */
uint32_t mappings_used(const struct mappings *m); /* without those that rest */

#endif
