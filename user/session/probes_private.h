/* probes_private.h - what the three files of the BPF side share: probes_load.c opens and loads,
 * probes.c attaches and drains, probes_read.c reads what was kept. */
#ifndef TASKDIAG_PROBES_PRIVATE_H
#define TASKDIAG_PROBES_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/state.h"
#include "session/probes.h"

struct bpf_link;
struct bpf_program;
struct clock_events;
struct ring_buffer;
struct taskdiag_bpf;
struct uprobes;

#define LIMITS_MAX 24
#define LINKS_MAX 40
#define SAMPLE_BUFFER 65536
#define PARTS 20
#define SYSCALL_PARTS 8
#define SYSCALLS_WALKING 6
#define HEAP_PARTS 5

/* Which runs load a program. */
enum use {
	USE_ALWAYS,
	USE_CGROUP,
	USE_CACHE,
	USE_PROFILE,
	USE_WAITS,
	USE_RESIDENT,
	USE_BIRTHS,
	USE_FAULTS,
	USE_WATCH
};

/* A program, and what to do on a kernel that refuses it. */
struct part {
	const char *name;
	const char *older; /* does the same for older kernels; or NULL */
	const char *limit; /* what is lost without; NULL: no run without it */
	enum use use;
};

extern const struct part parts[PARTS]; /* in the order that they are attached in */
/* attached to single system calls: names of programs */
extern const char *const syscall_parts[SYSCALL_PARTS];

/* A program, and the function of the malloc shim that it is attached to. */
struct heap_part {
	const char *name, *site;
};

extern const struct heap_part heap_parts[HEAP_PARTS];
extern const char *const call_programs[CALL_PROGRAMS]; /* names */

enum choice { CHOOSE_IT, CHOOSE_OLDER, CHOOSE_NONE, CHOICES };

struct probes {
	struct taskdiag_bpf *skel;
	struct ring_buffer *ring;
	struct bpf_link *links[LINKS_MAX];
	size_t link_count;
	struct bpf_link *syscalls[SYSCALL_PARTS];
	size_t syscall_count;
	struct uprobes *shim[HEAP_PARTS];
	size_t shim_count;
	struct bpf_link *switches[2]; /* profile_switch, profile_wake */
	struct bpf_link *adopt, *sample, *threads, *release;
	struct clock_events *clock;
	record_fn fn;
	void *context;
	enum choice choices[PARTS];
	bool event_driven;
	bool profile, waits, wakes, stacks, resident, heap, calls, cgroup, cache, watch;
	uint32_t tasks; /* slots */
	bool by_faults; /* births of pages are told by faults, as rss_stat does not (≤ 6.1) */
	char *limits[LIMITS_MAX];
	enum probes_of limits_of[LIMITS_MAX];
	size_t limit_count;
	char **logs; /* of the verifier, by program; NULL: not wanted */
	size_t log_count;
	uint32_t nr_cpus;
	unsigned char *buffer; /* of SAMPLE_BUFFER bytes */
};

/* attached to single system calls by probes_watch(): names of programs */
#define WATCH_SYSCALLS 2
extern const char *const watch_syscalls[WATCH_SYSCALLS];

/** The program that was chosen for parts[i]. */
struct bpf_program *probes_program(const struct probes *p, size_t i);
/** A log for each program that will be loaded; freed when that has failed, else with the rest.
 * (probes_stats.c) */
int probes_stats_want(struct probes *p);
void probes_stats_forget(struct probes *p);
/** Keeps a sentence on what is missing. */
int probes_limit_add(struct probes *p, const struct part *part, int err);
/** Attaches the programs of syscall_parts; what this kernel lacks is a limit. (probes_resident.c)
 */
int probes_attach_syscalls(struct probes *p);

#endif
