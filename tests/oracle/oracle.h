/* oracle.h - one snapshot of a thread, walked twice: by libdw and by our own step.
 *
 *   perf sample: registers, copy of the stack ─┬─► libdw.c: dwfl_getthread_frames ─┐
 *                                              └─► ours.c: bpf/unwind_step.h ──────┴─► compare
 *
 * No kernel program of ours takes part: what differs is the unwinder, not when it looked.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ORACLE_FRAMES 255
#define ORACLE_REGISTERS 17 /* ax bx cx dx si di bp sp ip r8…r15: the order of perf_regs.h */

enum { REG_BX = 1, REG_BP = 6, REG_SP = 7, REG_IP = 8 };

#define SNAPSHOT_STACK_BYTES 64000 /* a record of perf is smaller than 64 KiB */

struct snapshot {
	uint32_t pid, tid;
	uint64_t registers[ORACLE_REGISTERS];
	uint64_t stack_at, stack_bytes;
	const uint8_t *stack;
	bool cut;   /* a walk wanted more of the stack than the sample has */
	bool below; /* ours wanted what lies below the stack pointer: no sample has that */
};

struct walk {
	uint64_t pc[ORACLE_FRAMES]; /* innermost first; return addresses as they are */
	size_t count;
	bool complete;	     /* the outermost frame was reached */
	const char *outcome; /* in words */
};

/* A process and the threads and children that it makes from now on. @on_exec: not before its next
 * exec. These end the program when perf refuses. */
void sampler_watch_thread(pid_t tid, int hz, bool on_exec);
void sampler_watch_process(pid_t pid, int hz);

struct sampler_callbacks {
	void (*snapshot)(struct snapshot *s); /* valid during the call */
	void (*mappings_changed)(void);	      /* exec, mmap, dlopen of any of them */
};
void sampler_drain(const struct sampler_callbacks *c);
unsigned long sampler_lost(void); /* snapshots, by a full ring */

/* A word of the thread's memory: from the copy of its stack, else, when it is on no stack that the
 * sample should have, from the live process, once, so that both walks see the same. */
bool snapshot_word(struct snapshot *s, uint64_t address, uint64_t *ret);
void snapshot_begin(struct snapshot *s); /* forgets what was read live */

/* Each keeps what it knows of the process's mappings until it is told that they changed. false: it
 * knows none, as in the midst of an exec; then it must not walk. */
void libdw_walk(struct snapshot *s, struct walk *ret);
bool libdw_mappings_changed(pid_t pid);
void ours_walk(struct snapshot *s, struct walk *ret);
void ours_mappings_changed(pid_t pid);

/* "libc.so.6+0x1f2a0", or the address alone; one of four buffers. */
const char *ours_place(uint64_t address);

#endif
