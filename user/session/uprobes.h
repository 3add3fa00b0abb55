/* uprobes.h - one loaded program at many places of a file, of one process or of all.
 *
 *   uprobe_multi (Linux 6.6): one link for all places; threads are seen since 6.10
 *   perf events: one for each place; blind once the main thread has ended; CAP_SYS_ADMIN
 *
 * Which of both is found out by trying, once. No path of tracefs is used: what is attached goes
 * with our descriptors.
 */
#ifndef TASKDIAG_UPROBES_H
#define TASKDIAG_UPROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bpf_program;
struct endings;
struct uprobes;

struct uprobe_site {
	uint64_t offset;    /* in the file */
	uint64_t cookie;    /* bpf_get_attach_cookie() */
	uint64_t semaphore; /* offset of a counter of those who look (USDT); 0: none */
};

/** uprobe_multi is there, and sees all threads. */
bool uprobes_multi(void);

/** To be called for every program between open and load. 0 or -errno. */
int uprobes_expect(struct bpf_program *program);

/**
 * @pid: 0: every process that maps the file, now or later. 0; -ESRCH: no such process; -errno:
 * nothing is attached.
 */
int uprobes_attach(int program_fd, const char *path, pid_t pid, bool at_return,
		   const struct uprobe_site *sites, size_t count, struct uprobes **ret);
/** Frees them; NULLs are fine. The kernel lets go of each after a grace period: at once for all. */
void uprobes_detach_all(struct uprobes **list, size_t count);
/** One of them, along with other things; NULL is fine. */
void uprobes_end_with(struct endings *e, struct uprobes *u);

#endif
