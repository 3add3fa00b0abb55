/* preload.h - the malloc shim inside: its parts and what they share. The contract with the observer
 * is region.h.
 *
 *	entry.c      malloc and its like ──┐        ┌──► ring.c    events into a ring ──► memo.c
 *	mappings.c   mmap and its like ────┼ tell.c ┤
 *	                                   │        └──► sample.c  one block in so many bytes
 *	start.c      region, hello, off ◄──┘ at the first call and after a fork (fork.c)
 *	next.c       the allocator behind; a few bytes before it is found
 *	sites.c      what the observer traces        hooks.c  dlopen, prctl
 *
 * Rules. No lock: a signal handler or a fork may come between any two instructions. No libc
 *function but dlsym at the start, the thread key and memcpy. errno is the next allocator's. The
 *register rbp is not used by any of our code (-ffixed-rbp): at a site it is still the caller's, and
 *a memo can compare it.
 */
#ifndef TASKDIAG_PRELOAD_H
#define TASKDIAG_PRELOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/region.h"

#pragma GCC visibility push(hidden)

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define EXPORT __attribute__((visibility("default")))
#define NOINLINE __attribute__((noinline))
#define COLD __attribute__((noinline, cold))
#define compiler_barrier() __asm__ volatile("" ::: "memory")

/* Where an allocating function was called: its CFA and its return address. */
struct site {
	uint64_t cfa, caller;
};
#define HERE \
	((struct site){ (uint64_t)__builtin_dwarf_cfa(), (uint64_t)__builtin_return_address(0) })

/* One end of a ring. */
struct writer {
	struct region_ring *ring; /* NULL: none */
	uint64_t *events;
	uint64_t mask;	  /* of an index in events */
	uint64_t tail;	  /* as last read */
	uint64_t check;	  /* look at the tail again before head is above this */
	uint64_t last;	  /* stamp of its last event */
	uint64_t starved; /* tail at which a wait was in vain, plus 1; no wait until it moves */
	uint32_t number;
};

struct memo;

/* Of one thread; zero at its start. */
struct thread {
	uint64_t left;	/* fewer bytes than this pass by; 0: none, when exact or at its start */
	uint32_t busy;	/* in the shim: who comes now is a signal handler */
	bool resolving; /* dlsym is at work and may call malloc */
	bool ended;	/* its key's destructor has run */
	bool keyed;
	uint32_t tid;
	uint32_t borrowed; /* events since the last try to get a ring */
	struct writer writer;
	struct memo *memo;
	uint64_t first_sequence; /* older answers are not for this thread, or not valid any more */
	uint64_t control;	 /* of the region, as last seen */
	uint64_t random;
	uint64_t gap; /* with which left was drawn */
};
extern __thread struct thread self __attribute__((tls_model("initial-exec")));

/* The page that a fork wipes: mode 0 is either the very first call or that of a new process. */
struct wiped {
	uint32_t mode;	   /* enum region_mode; 0: to be found out */
	uint32_t starting; /* somebody is at it */
	uint8_t rest[4088];
};
extern struct wiped wiped;

/* What does not change after the start (of this process). */
struct shim {
	struct region *region;
	uint64_t region_bytes;
	uint32_t flags; /* enum region_flag */
	uint32_t full_wait_us;
	uint32_t last_mode;   /* survives a fork */
	uint32_t counting;    /* the clock is region->counter */
	uint32_t no_syscalls; /* the task has put itself in a sandbox */
	uint32_t thin;	      /* exact, but of blocks only samples are told */
	uint32_t foreign;     /* another malloc is in front of ours */
	bool listen;	      /* there is an observer, whatever the sites say: a test */
};
extern struct shim shim;
/* Of every ring, in private memory: a fork copies it. A cache line each. */
struct own_head {
	uint64_t words;
	uint64_t unused[7];
};
extern struct own_head heads[REGION_RINGS];

/* next.c */
struct next {
	void *(*malloc)(size_t);
	void (*free)(void *);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void *(*memalign)(size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	int (*posix_memalign)(void **, size_t, size_t);
	void *(*valloc)(size_t);
	void *(*pvalloc)(size_t);
	size_t (*usable_size)(void *);
	void *(*mmap)(void *, size_t, int, int, int, long);
	int (*munmap)(void *, size_t);
	void *(*mremap)(void *, size_t, size_t, int, void *);
	void *(*dlopen)(const char *, int);
	void *(*dlmopen)(long, const char *, int);
	int (*dlclose)(void *);
	long (*syscall)(long, long, long, long, long, long, long);
	int (*prctl)(int, unsigned long, unsigned long, unsigned long, unsigned long);
};
extern struct next next;
void next_resolve(void);
extern void *own_malloc(size_t n); /* ours, whatever else has its name */
/** Is @caller code of the allocator behind? What it maps is told as the blocks that it makes. */
bool next_contains(uint64_t caller);
/** Was @p given out before the next allocator was known? Such a block is never freed. */
bool is_boot(const void *p);
size_t boot_size(const void *p);
bool boot_used(void);

/* start.c */
void start(void);    /* sets wiped.mode, unless somebody else is at it */
void turn_off(void); /* for good */
/* fork.c */
void mend_sites(void);

/* tell.c: what has been done, or (free, unmap) is about to be done. */
uint64_t tell_wanted_slow(size_t bytes);
void tell_alloc(void *p, size_t bytes, enum region_allocator by, struct site at, uint64_t wanted);
/** @tentative: tell_undo() may follow. False: not told, there is nothing to undo. */
bool tell_free(void *p, bool tentative);
void tell_block_undo(void *p);
/** Ranges are told in both modes, all of them. */
bool tells_ranges(uint64_t caller);
void tell_map(void *p, size_t bytes, enum region_allocator by, struct site at);
void tell_unmap(void *p, size_t bytes);
void tell_map_undo(void *p);

/* ring.c, and ring.h */
void thread_end(void *thread);
extern int end_key; /* -1: none */

/* sample.c */
uint64_t sample_due(struct thread *t, size_t bytes);
void sample_alloc(void *p, size_t bytes, enum region_allocator by, struct site at, uint64_t gap);
bool sample_free(void *p); /* false: it is no sample */
void sample_undo(void *p); /* of sample_free */

/** Is a block of @bytes to be told? What to hand to tell_alloc(), or 0: the gap that it is a sample
 * of, or 1, every block. */
static inline uint64_t tell_wanted(size_t bytes)
{
	return likely(wiped.mode == REGION_EXACT && !shim.thin) ? 1 : tell_wanted_slow(bytes);
}

/* One byte for every so many addresses, not 0: free looks closer. mask 0: all share byte 0. */
#define FILTER_BITS 14
extern uint8_t filter[1 << FILTER_BITS];
extern uint32_t filter_mask;

static inline uint32_t filter_slot(const void *p)
{
	return ((uint32_t)((uintptr_t)p >> 4) * 0x9e3779b1u) >> (32 - FILTER_BITS) & filter_mask;
}

/* sites.c: in the table of symbols, for the observer */
#define TRACED __attribute__((visibility("protected")))
TRACED void taskdiag_hello(struct region *r, uint64_t bytes);
TRACED void taskdiag_stack(uint64_t token, uint64_t cfa, uint64_t caller);
TRACED void taskdiag_flush(uint64_t ring, uint64_t used);
TRACED void taskdiag_alloc(void *p, uint64_t bytes, uint64_t stamp, uint64_t gap_allocator,
			   uint64_t cfa, uint64_t caller);
TRACED void taskdiag_free(void *p, uint64_t bytes, uint64_t stamp);
bool observer_there(void); /* is taskdiag_hello traced? */

/* Of glibc from 2.32: no other thread of this process can be running. */
extern char __libc_single_threaded __attribute__((weak, visibility("default")));

static inline uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

/** Not before what was read before it (lfence), and what is written after it is seen after it: so
 * the stamps of two threads that pass a block from one to the other have the order of what they
 * did. A thread that is alone needs no fence (12 ns of 24): its events have the order of its ring.
 */
static inline uint64_t stamp(void)
{
	if (unlikely(shim.counting))
		return __atomic_fetch_add(&shim.region->counter, 1, __ATOMIC_SEQ_CST);
	if (!&__libc_single_threaded || !__libc_single_threaded)
		__asm__ volatile("lfence" ::: "memory");
	return tsc();
}

static inline void count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

#pragma GCC visibility pop

#endif
