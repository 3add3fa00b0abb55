/* peak_ledger.c - see peak_ledger.h */
#include "collect/peak_ledger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "artifact/rundir.h"
#include "lib/cleanup.h"

#define PROCESSES_LISTED 256

#define LATE_PART 50 /* used after the look: what part of the peak is too much */

struct table {
	json_t *rows;
	uint64_t left; /* of the usage at that moment: has no row yet */
	uint64_t peak;
};

/* A process, and its anonymous memory. */
struct holder {
	const struct process *process;
	uint64_t anon;
};

/* What a row takes is at most what is left: the table never has more than there was. */
static json_t *row(struct table *t, const char *kind, const char *name, uint64_t bytes)
{
	uint64_t taken = bytes < t->left ? bytes : t->left;
	json_t *o;

	if (!taken)
		return NULL;
	t->left -= taken;
	o = json_pack("{s:s,s:o,s:I,s:f}", "kind", kind, "name", json_text(name), "bytes",
		      (json_int_t)taken, "share", (double)taken / (double)t->peak);
	json_array_append_new(t->rows, o);
	return o;
}

static int by_anon(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;

	if (x->anon != y->anon)
		return x->anon < y->anon ? 1 : -1;
	return x->process->key.start_ns < y->process->key.start_ns ? -1 : 1;
}

/* At the highest RSS only the sum was kept; what was no anonymous memory in it is known from its
 * last tick. */
static uint64_t anon_of(const struct process *p, const struct peak_ledger_moments *m, bool by_rss)
{
	uint64_t others = p->parts.file + p->parts.shmem;

	if (!by_rss)
		return p->usage_tick == m->tick ? p->at_usage.anon : 0;
	if (p->epoch != m->rss_epoch)
		return 0;
	return p->share_bytes > others ? p->share_bytes - others : 0;
}

static struct holder *present(const struct processes *processes,
			      const struct peak_ledger_moments *m, bool by_rss, size_t *ret_count,
			      uint64_t *ret_bytes)
{
	struct holder *list = NULL, *grown;
	size_t n = 0, room = 0;

	*ret_bytes = 0;
	for (struct process *p = processes_first(processes); p; p = p->hh.next) {
		uint64_t anon = anon_of(p, m, by_rss);

		if (!anon)
			continue;
		if (n == room) {
			room = room ? room * 2 : 64;
			grown = reallocarray(list, room, sizeof(*list));
			if (!grown)
				break;
			list = grown;
		}
		list[n++] = (struct holder){ p, anon };
		*ret_bytes += anon;
	}
	if (n)
		qsort(list, n, sizeof(*list), by_anon);
	*ret_count = n;
	return list;
}

static void process_row(struct table *t, const struct holder *h, uint64_t bytes)
{
	char name[PROCESS_NAME_BYTES + 16];
	json_t *o;

	snprintf(name, sizeof(name), "%s-%u", h->process->name, h->process->pid);
	o = row(t, "process", name, bytes);
	if (!o)
		return;
	json_object_set_new(o, "pid", json_integer(h->process->pid));
	json_object_set_new(o, "rss_anon_bytes", json_integer((json_int_t)h->anon));
}

/* What the kernel has charged as anonymous, by process. */
static void anonymous(struct table *t, uint64_t charged, const struct processes *processes,
		      const struct peak_ledger_moments *m, bool by_rss)
{
	uint64_t sum, told = 0, others = 0;
	size_t count;
	_cleanup_free_ struct holder *list = present(processes, m, by_rss, &count, &sum);
	double scale = sum > charged && sum ? (double)charged / (double)sum : 1;

	for (size_t i = 0; i < count; i++) {
		uint64_t bytes = (uint64_t)((double)list[i].anon * scale);

		told += bytes;
		if (i < PROCESSES_LISTED)
			process_row(t, &list[i], bytes);
		else
			others += bytes;
	}
	row(t, "process", "other processes", others);
	if (charged > told + t->peak / 100000) /* not what scaling has rounded off */
		row(t, "anonymous", "of no process of the task (moved, ended, swap cache)",
		    charged - told);
}

static uint64_t known(uint64_t value)
{
	return value == COUNTER_UNKNOWN ? 0 : value;
}

static void kernel(struct table *t, const struct cgroup_counters *c)
{
	const struct {
		const char *name;
		uint64_t bytes;
	} parts[] = {
		{ "slab", known(c->slab) },
		{ "page tables", known(c->pagetables) },
		{ "kernel stacks", known(c->kernel_stack) },
		{ "per-CPU", known(c->percpu) },
		{ "vmalloc", known(c->vmalloc) },
		{ "compressed swap (zswap)", known(c->zswap) },
	};
	uint64_t told = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		row(t, "kernel", parts[i].name, parts[i].bytes);
		told += parts[i].bytes;
	}
	row(t, "kernel", "other kernel memory", known(c->kernel) > told ? c->kernel - told : 0);
	row(t, "sockets", "socket buffers", known(c->sock));
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static uint64_t kernel_bytes(const struct cgroup_counters *c)
{
	return known(c->kernel) + known(c->sock);
}

json_t *peak_ledger_json(const struct memcg_peak *peak, const struct processes *processes,
			 const struct peak_ledger_moments *moments, const char **ret_moment)
{
	const struct cgroup_counters *c = &peak->look;
	uint64_t late = peak->bytes > c->usage ? peak->bytes - c->usage : 0;
	bool by_rss = late > peak->bytes / LATE_PART && moments->rss_epoch &&
		      distance(moments->rss_peak_ns, peak->ns) <= distance(peak->look_ns, peak->ns);
	struct table t = { .rows = json_array(),
			   .left = by_rss ? peak->bytes : c->usage,
			   .peak = peak->bytes };
	uint64_t shmem = known(c->shmem), file = known(c->file), anon = known(c->anon);

	*ret_moment = by_rss ? "rss_peak" : "look";
	if (!t.rows || !peak->bytes)
		return t.rows;
	if (by_rss) {
		anon =
		    file + kernel_bytes(c) < peak->bytes ? peak->bytes - file - kernel_bytes(c) : 0;
		late = 0;
	}
	anonymous(&t, anon, processes, moments, by_rss);
	row(&t, "file", "file cache", file > shmem ? file - shmem : 0);
	row(&t, "shmem", "shared memory and tmpfs", shmem);
	kernel(&t, c);
	row(&t, "unattributed",
	    "unattributed (charged ahead by CPUs, and what the kernel does not tell)", t.left);
	t.left = late;
	row(&t, "later", "used after the last look", late);
	return t.rows;
}
