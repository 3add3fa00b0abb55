/* start.c - the first call of a process, and the first after a fork: a region, a hello, and the
 * observer's answer. Without an observer the shim is off: a breakpoint in the hello site says that
 * there is one, so nobody waits in vain, even in what a task left running. */
#include <cpuid.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "preload/shim/preload.h"
#include "preload/shim/settings.h"
#include "preload/shim/syscalls.h"

#define SLICE_US 10000
#define FULL_WAIT_US 10000
#define FULL_WAIT_US_MAX 10000000
#define INVARIANT_TSC (1 << 8) /* CPUID 0x80000007, EDX */

struct wiped wiped __attribute__((aligned(4096)));
struct shim shim __attribute__((aligned(64)));
static struct settings settings;
static bool begun; /* in this process or the one that it was copied from */
static uint64_t early_losses;
static bool sandboxed; /* from before our start: what is allowed is not known */

_Static_assert(sizeof(struct wiped) == 4096, "the kernel wipes pages");

static bool tsc_usable(void)
{
	uint32_t a, b, c, d, may = PR_TSC_ENABLE;

	if (syscall3(SYS_prctl, PR_GET_TSC, (long)&may, 0) == 0 && may != PR_TSC_ENABLE)
		return false;
	return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & INVARIANT_TSC;
}

static struct region *make_region(void)
{
	uint32_t ring_bytes = settings.ring_kib * 1024;
	uint64_t bytes = region_bytes(ring_bytes);
	long mapped = syscall6(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct region *r = (struct region *)mapped;

	if (mapped < 0 && mapped > -4096)
		return NULL;
	syscall3(SYS_madvise, mapped, (long)bytes, MADV_DONTDUMP);
	r->version = REGION_VERSION;
	r->header_bytes = REGION_HEADER_BYTES;
	r->bytes = bytes;
	r->rings = REGION_RINGS;
	r->ring_bytes = ring_bytes;
	r->ring_offset = REGION_HEADER_BYTES;
	r->ring_stride = REGION_EVENTS_OFFSET + ring_bytes;
	r->answers_offset = sizeof(struct region_ring);
	r->events_offset = REGION_EVENTS_OFFSET;
	r->pid = (uint32_t)syscall3(SYS_getpid, 0, 0, 0);
	r->clock = shim.counting ? REGION_COUNTER : REGION_TSC;
	r->counter = 1;
	r->foreign = shim.foreign;
	r->no_barrier = sandboxed;
	return r;
}

/* What the parent has told belongs to this heap, up to here. */
static void note_parent(struct region *r, const struct region *parent)
{
	r->reason = REGION_FORK;
	r->parent_id = parent->id;
	r->parent_pid = parent->pid;
	r->counter = parent->counter;
	for (uint32_t i = 0; i < REGION_RINGS; i++) {
		r->parent_heads[i] = heads[i].words;
		heads[i].words = 0;
	}
}

/* True when the observer has answered. */
static bool say_hello(struct region *r, uint32_t wait_ms)
{
	uint64_t until = monotonic_us() + wait_ms * 1000ULL;
	uint32_t waiting = REGION_WAITING, slices = wait_ms * 1000 / SLICE_US + 1;

	__atomic_store_n(&r->magic, REGION_MAGIC, __ATOMIC_RELEASE);
	taskdiag_hello(r, r->bytes);
	/* by slices too: a sandbox may refuse the time */
	while (__atomic_load_n(&r->ready, __ATOMIC_ACQUIRE) == REGION_WAITING && observer_there() &&
	       slices-- && monotonic_us() < until)
		sleep_on(&r->ready, REGION_WAITING, SLICE_US);
	/* one of us is first: both know who */
	return !__atomic_compare_exchange_n(&r->ready, &waiting, REGION_ABANDONED, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static uint32_t obey(struct region *r)
{
	struct region_wish wish = r->wish;

	shim.flags = wish.flags;
	shim.thin = wish.flags & REGION_THIN ? 1 : 0;
	shim.full_wait_us = wish.full_wait_us ? wish.full_wait_us : FULL_WAIT_US;
	if (shim.full_wait_us > FULL_WAIT_US_MAX)
		shim.full_wait_us = FULL_WAIT_US_MAX;
	if (wish.clock == REGION_COUNTER)
		shim.counting = 1;
	r->clock = shim.counting ? REGION_COUNTER : REGION_TSC;
	return wish.mode == REGION_EXACT || wish.mode == REGION_SAMPLED ? wish.mode : REGION_OFF;
}

/* What a free looks at: exact, every one goes the slow way by one byte; off, none, if it can be. */
static void set_filter(uint32_t mode)
{
	bool all = mode == REGION_SAMPLED || (mode == REGION_OFF && boot_used());

	if (mode == REGION_EXACT)
		filter[0] = 255;
	else if (!boot_used())
		filter[0] = 0;
	filter_mask = all ? (1 << FILTER_BITS) - 1 : 0;
}

static void drop_region(void)
{
	if (shim.region)
		syscall3(SYS_munmap, (long)shim.region, (long)shim.region_bytes, 0);
	shim.region = NULL;
}

static void leave_parent(void)
{
	mend_sites();
	self.writer.ring = NULL;
	self.memo = NULL;
	self.tid = 0;
	self.random = 0;
	self.left = 0;
	self.control = 0;
	self.borrowed = 0;
}

/* A child that is off: its parent's region is still mapped. */
static uint32_t off_as_child(void)
{
	if (shim.region)
		count(&shim.region->children_off);
	return REGION_OFF;
}

static bool region_with_observer(bool child)
{
	struct region *parent = shim.region, *r;

	if (settings.emulated || !observer_there())
		return false;
	r = make_region();
	if (!r) {
		off_as_child();
		return false;
	}
	if (child && parent)
		note_parent(r, parent);
	drop_region();
	shim.region = r;
	shim.region_bytes = r->bytes;
	r->id = monotonic_us() << 20 | (r->pid & 0xfffff);
	r->lost_early = early_losses;
	early_losses = 0;
	return say_hello(r, child ? settings.child_wait_ms : settings.wait_ms);
}

static void begin(void)
{
	pthread_key_t key;

	begun = true;
	settings = settings_read();
	shim.listen = settings.listen;
	shim.counting = !tsc_usable();
	sandboxed = syscall3(SYS_prctl, PR_GET_SECCOMP, 0, 0) != 0;
	/* the observer may then see to it that what was begun before a moment is visible */
	if (!sandboxed)
		syscall3(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0);
	if (pthread_key_create(&key, thread_end) == 0)
		end_key = (int)key;
}

static uint32_t find_mode(void)
{
	bool child = begun;

	if (child && shim.last_mode == REGION_OFF)
		return REGION_OFF;
	if (child && (self.busy || shim.no_syscalls))
		return off_as_child(); /* a fork in a signal handler in the shim; a sandbox */
	if (syscall3(SYS_madvise, (long)&wiped, sizeof(wiped), MADV_WIPEONFORK) < 0)
		return REGION_OFF; /* a fork could not be told: before Linux 4.14 */
	if (!child)
		begin();
	else
		leave_parent();
	if (!region_with_observer(child)) {
		drop_region();
		return REGION_OFF;
	}
	return obey(shim.region);
}

void start(void)
{
	uint32_t nobody = 0, mode;

	if (self.resolving)
		return;
	if (!__atomic_compare_exchange_n(&wiped.starting, &nobody, 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED)) {
		count(&early_losses);
		return;
	}
	next_resolve();
	mode = find_mode();
	set_filter(mode);
	shim.last_mode = mode;
	if (shim.region)
		shim.region->lost_early += early_losses;
	__atomic_store_n(&wiped.mode, mode, __ATOMIC_RELEASE);
}

/* The region stays: another thread may be writing to it. */
void turn_off(void)
{
	__atomic_store_n(&wiped.mode, REGION_OFF, __ATOMIC_RELEASE);
	shim.last_mode = REGION_OFF;
	set_filter(REGION_OFF);
}

/* For a task that maps before it allocates. */
__attribute__((constructor)) static void at_load(void)
{
	if (!wiped.mode)
		start();
}
