/* memray.c - memray.bin: memray's capture file in its aggregated form (see allocations_files.h)
 *
 *   header ─► snapshots ─► names of threads ─► frames ─► nodes (parent + frame) ─► allocations ─►
 * end
 *
 * Little-endian, not compressed. Frames of native code are written as frames of Python: memray
 * would look native ones up anew, in the files of the machine that reads. Only what an allocation
 * leads to is written; nodes are numbered from 1, parents before their children, 0 is the root.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/allocations_files.h"
#include "artifact/profile_walk.h"
#include "lib/cleanup.h"

#define NS_PER_MS 1000000
#define PYTHON_ALLOCATOR_MALLOC 3
/* What the line tables of format 12 and later are those of: 3.11. */
#define PYTHON_VERSION 0x030b00f0
#define AGGREGATED 1

enum record {
	RECORD_SNAPSHOT = 1,
	RECORD_ALLOCATION = 2,
	RECORD_NODE = 3,
	RECORD_FRAME = 4,
	RECORD_THREAD_NAME = 10,
	RECORD_THREAD = 12,
	RECORD_CODE = 14,
	RECORD_END = 15,
};

/* As memray numbers them: up to format 11, and since. Resident pages are told as what its own users
 * see of such memory. */
static const unsigned char allocators[ALLOCATORS][2] = {
	[ALLOCATOR_MALLOC] = { 1, 6 },	       [ALLOCATOR_REALLOC] = { 4, 7 },
	[ALLOCATOR_CALLOC] = { 3, 8 },	       [ALLOCATOR_POSIX_MEMALIGN] = { 5, 9 },
	[ALLOCATOR_ALIGNED_ALLOC] = { 6, 10 }, [ALLOCATOR_MEMALIGN] = { 7, 11 },
	[ALLOCATOR_VALLOC] = { 8, 12 },	       [ALLOCATOR_PVALLOC] = { 9, 13 },
	[ALLOCATOR_MMAP] = { 10, 14 },	       [ALLOCATOR_PAGE_ANON] = { 10, 14 },
	[ALLOCATOR_PAGE_FILE] = { 10, 14 },    [ALLOCATOR_PAGE_SHMEM] = { 10, 14 },
};

static const struct {
	unsigned format;
	const char *readers;
} formats[] = {
	{ 11, "memray 1.11 to 1.18" },
	{ 12, "memray 1.19" },
	{ 13, "memray 1.20" },
};

const char *memray_readers(unsigned format)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (formats[i].format == format)
			return formats[i].readers;
	return NULL;
}

/* Of one record: one stack of one thread. memray's reader would make one of several, too, but count
 * all but the first as one piece each. */
struct told {
	uint64_t thread;
	uint32_t node, pad;
	struct allocation_sum peak, leaked; /* not part of the key, as the rest */
	uint64_t most;	    /* bytes of the largest entry, whose allocator is shown */
	uint32_t allocator; /* memray's number */
};

struct memray {
	const struct allocations *a;
	unsigned format;
	FILE *out;
	struct profile_walk walk;
	uint32_t *frame_id; /* of each label, + 1; 0: not used */
	uint32_t *node_id;  /* of each node; 0: not used */
	uint32_t frames;
	uint64_t *thread_id; /* of each thread */
	struct intern told;
};

static void put_u8(struct memray *m, unsigned char value)
{
	fputc(value, m->out);
}

static void put_u32(struct memray *m, uint32_t value)
{
	value = htole32(value);
	fwrite(&value, sizeof(value), 1, m->out);
}

static void put_u64(struct memray *m, uint64_t value)
{
	value = htole64(value);
	fwrite(&value, sizeof(value), 1, m->out);
}

static void put_varint(struct memray *m, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		put_u8(m, (unsigned char)(value | 0x80));
	put_u8(m, (unsigned char)value);
}

/* zigzag: the sign is the lowest bit */
static void put_signed(struct memray *m, int64_t value)
{
	put_varint(m, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

static void put_string(struct memray *m, const char *s)
{
	fwrite(s, 1, strlen(s) + 1, m->out);
}

/* ------------------------------------------------------------------ what is written */

/* "name\nfile\nline": a safe name holds no \n. */
static int show(FILE *out, const struct profile_shown *f)
{
	const char *file = f->file ? f->file : f->module ? f->module : "<unknown>";

	fprintf(out, "%s\n%s\n%u", f->name, file, f->file ? f->line : 0);
	return 0;
}

/* Marks @node and all above it as used. */
static void use(struct memray *m, uint32_t node)
{
	while (node != INTERN_NONE && !m->node_id[node]) {
		m->node_id[node] = 1;
		m->frame_id[profile_walk_label_of(&m->walk, node)] = 1;
		node = profile_walk_parent(&m->walk, node);
	}
}

/* Numbers what is used, in the order of its making. */
static void number(struct memray *m)
{
	uint32_t nodes = 0;

	for (uint32_t i = 0; i < strings_count(&m->walk.labels); i++)
		if (m->frame_id[i])
			m->frame_id[i] = ++m->frames;
	for (uint32_t i = 0; i < m->walk.nodes.count; i++)
		if (m->node_id[i])
			m->node_id[i] = ++nodes;
}

static void add_sum(struct allocation_sum *to, const struct allocation_sum *more)
{
	to->bytes += more->bytes;
	to->count += more->count;
}

/* 0 or -ENOMEM. */
static int tell(struct memray *m, const struct allocation_entry *e)
{
	struct told key = { .thread = m->thread_id[e->thread],
			    .node = profile_walk_stack(&m->walk, e->stack) };
	uint64_t bytes = e->peak.bytes + e->leaked.bytes;
	struct told *told;
	uint32_t i;

	if (!bytes)
		return 0;
	i = intern_add(&m->told, &key);
	if (i == INTERN_NONE)
		return -ENOMEM;
	told = intern_at(&m->told, i);
	add_sum(&told->peak, &e->peak);
	add_sum(&told->leaked, &e->leaked);
	if (bytes > told->most) {
		told->most = bytes;
		told->allocator = allocators[e->allocator][m->format >= 12];
	}
	use(m, key.node);
	return 0;
}

static int tell_all(struct memray *m)
{
	/* made by now, so that no node comes after the table of them */
	uint32_t empty = profile_walk_stack(&m->walk, PROFILE_NO_STACK);
	int err = 0;

	m->frame_id = calloc((size_t)strings_count(&m->walk.labels) + 1, sizeof(*m->frame_id));
	m->node_id = calloc((size_t)m->walk.nodes.count + 1, sizeof(*m->node_id));
	if (empty == INTERN_NONE || !m->frame_id || !m->node_id)
		return -ENOMEM;
	for (size_t i = 0; !err && i < allocations_count(m->a); i++)
		err = tell(m, allocations_at(m->a, i));
	number(m);
	return err;
}

/* memray knows a thread by a number of 64 bits: the tid, and above it how many had it before. */
static int number_threads(struct memray *m)
{
	struct thread_count {
		uint32_t tid, count;
	};
	const struct profile *p = allocations_names(m->a);
	struct intern seen;
	int err = 0;

	m->thread_id = calloc(profile_thread_count(p) + 1, sizeof(*m->thread_id));
	if (!m->thread_id)
		return -ENOMEM;
	intern_init(&seen, sizeof(struct thread_count), sizeof(uint32_t));
	for (uint32_t i = 0; !err && i < profile_thread_count(p); i++) {
		uint32_t tid = profile_thread_at(p, i)->tid, at = intern_add(&seen, &tid);
		struct thread_count *known = at == INTERN_NONE ? NULL : intern_at(&seen, at);

		if (known)
			m->thread_id[i] = (uint64_t)known->count++ << 32 | tid;
		else
			err = -ENOMEM;
	}
	intern_clear(&seen);
	return err;
}

/* ------------------------------------------------------------------ records */

static uint64_t start_ms(const struct memray *m)
{
	return allocations_facts(m->a)->start_utc_ns / NS_PER_MS;
}

static int put_header(struct memray *m)
{
	const struct allocations_facts *f = allocations_facts(m->a);
	_cleanup_free_ char *command = profile_safe_name(f->command ? f->command : "");

	if (!command)
		return -ENOMEM;
	fwrite("memray", 1, sizeof("memray"), m->out);
	put_u32(m, m->format);
	if (m->format >= 12)
		put_u32(m, PYTHON_VERSION);
	put_u8(m, 0); /* no native traces */
	put_u8(m, AGGREGATED);
	put_u64(m, allocations_sum(m->a).allocated.count);
	put_u64(m, m->frames);
	put_u64(m, start_ms(m));
	put_u64(m, (f->start_utc_ns + f->duration_ns) / NS_PER_MS);
	put_string(m, command);
	put_u32(m, f->pid);
	put_u64(m, f->pid); /* the main thread */
	put_u64(m, 0);	    /* frames to skip on it */
	put_u8(m, PYTHON_ALLOCATOR_MALLOC);
	put_u8(m, 0); /* Python's own allocators are not told apart */
	if (m->format >= 12)
		put_u8(m, 0); /* nor lifetimes of objects */
	if (m->format >= 13) {
		put_string(m, ""); /* the standard library's place */
		put_string(m, ""); /* ends site-packages */
		put_string(m, ""); /* ends sys.path */
	}
	return 0;
}

static void put_snapshot(struct memray *m, uint64_t time_ns, uint64_t rss, uint64_t heap)
{
	put_u8(m, RECORD_SNAPSHOT);
	put_u64(m, start_ms(m) + time_ns / NS_PER_MS);
	put_u64(m, rss);
	put_u64(m, heap);
}

static void put_snapshots(struct memray *m)
{
	for (size_t i = 0; i < allocations_point_count(m->a); i++) {
		const struct allocation_point *p = allocations_point_at(m->a, i);

		put_snapshot(m, p->time_ns, p->rss_bytes, p->live_bytes);
	}
}

/* @process only where there are several. */
static int put_thread_name(struct memray *m, const struct profile_thread *t)
{
	const struct profile *p = allocations_names(m->a);
	_cleanup_free_ char *name = profile_safe_name(t->name);
	_cleanup_free_ char *process = NULL;

	if (!name)
		return -ENOMEM;
	if (profile_process_count(p) > 1) {
		const struct profile_process *x = profile_process_at(p, t->process);

		process = profile_name_with_id(x->name, x->pid);
		if (!process)
			return -ENOMEM;
		fprintf(m->out, "%s / ", process);
	}
	put_string(m, name);
	return 0;
}

static int put_threads(struct memray *m)
{
	const struct profile *p = allocations_names(m->a);
	int err = 0;

	for (uint32_t i = 0; !err && i < profile_thread_count(p); i++) {
		put_u8(m, RECORD_THREAD);
		put_u64(m, m->thread_id[i]);
		put_u8(m, RECORD_THREAD_NAME);
		err = put_thread_name(m, profile_thread_at(p, i));
	}
	return err;
}

/* A code object per frame: its first line is then the frame's, whatever the table of lines says. */
static void put_frame(struct memray *m, uint32_t id, int32_t *last_line, const char *label)
{
	/* one entry for 8 instructions at the first line */
	static const unsigned char lines[] = { 0xef, 0x00 };
	const char *file = strchr(label, '\n') + 1, *line = strchr(file, '\n') + 1;
	unsigned long told = strtoul(line, NULL, 10);
	int32_t number = told > INT32_MAX ? INT32_MAX : (int32_t)told;
	size_t name_length = (size_t)(file - label) - 1, file_length = (size_t)(line - file) - 1;

	put_u8(m, m->format >= 12 ? RECORD_CODE : RECORD_FRAME);
	if (m->format >= 12)
		put_varint(m, id);
	else
		put_u64(m, id);
	fwrite(label, 1, name_length, m->out);
	put_u8(m, '\0');
	fwrite(file, 1, file_length, m->out);
	put_u8(m, '\0');
	if (m->format < 12) {
		put_u32(m, (uint32_t)number);
		put_u8(m, 1); /* an entry from native code: no more is known */
		return;
	}
	put_signed(m, (int64_t)number - *last_line);
	*last_line = number;
	put_varint(m, sizeof(lines));
	fwrite(lines, 1, sizeof(lines), m->out);
}

static void put_frames(struct memray *m)
{
	int32_t last_line = 0;

	for (uint32_t i = 0; i < strings_count(&m->walk.labels); i++)
		if (m->frame_id[i])
			put_frame(m, m->frame_id[i] - 1, &last_line,
				  profile_walk_label(&m->walk, i));
	for (uint32_t id = 0; m->format >= 12 && id < m->frames; id++) {
		put_u8(m, RECORD_FRAME);
		put_varint(m, id);
		put_varint(m, id); /* code object */
		put_signed(m, 0);  /* instruction */
		put_u8(m, 1);
	}
}

static void put_nodes(struct memray *m)
{
	for (uint32_t i = 0; i < m->walk.nodes.count; i++) {
		uint32_t parent = profile_walk_parent(&m->walk, i);
		uint32_t above = parent == INTERN_NONE ? 0 : m->node_id[parent];
		uint32_t frame = m->frame_id[profile_walk_label_of(&m->walk, i)] - 1;

		if (!m->node_id[i])
			continue;
		put_u8(m, RECORD_NODE);
		if (m->format >= 12) {
			put_varint(m, frame);
			put_varint(m, above);
		} else {
			put_u64(m, frame);
			put_u32(m, above);
		}
	}
}

/* What is there has at least one piece, also when an estimate rounds to none. */
static uint64_t pieces(const struct allocation_sum *s)
{
	return s->bytes && !s->count ? 1 : s->count;
}

static void put_allocation(struct memray *m, const struct told *t)
{
	put_u8(m, RECORD_ALLOCATION);
	put_u64(m, t->thread);
	put_u64(m, t->allocator); /* one byte and padding */
	put_u64(m, 0);		  /* native frame */
	put_u64(m, m->node_id[t->node]);
	put_u64(m, 0); /* generation of native segments */
	put_u64(m, pieces(&t->peak));
	put_u64(m, pieces(&t->leaked));
	put_u64(m, t->peak.bytes);
	put_u64(m, t->leaked.bytes);
}

static int put_all(struct memray *m)
{
	int err = put_header(m);

	if (err)
		return err;
	put_snapshots(m);
	err = put_threads(m);
	if (err)
		return err;
	put_frames(m);
	put_nodes(m);
	for (uint32_t i = 0; i < m->told.count; i++)
		put_allocation(m, intern_at(&m->told, i));
	put_u8(m, RECORD_END);
	return 0;
}

int allocations_write_memray(const struct allocations *a, const struct allocations_options *options,
			     FILE *out)
{
	struct memray m = { .a = a, .out = out, .format = MEMRAY_FORMAT };
	int err;

	if (options && options->memray_format)
		m.format = options->memray_format;
	if (!memray_readers(m.format))
		return -EINVAL;
	intern_init(&m.told, sizeof(struct told), offsetof(struct told, peak));
	err = profile_walk_init(&m.walk, allocations_names(a), show);
	if (!err)
		err = number_threads(&m);
	if (!err)
		err = tell_all(&m);
	if (!err)
		err = put_all(&m);
	profile_walk_clear(&m.walk);
	intern_clear(&m.told);
	free(m.frame_id);
	free(m.node_id);
	free(m.thread_id);
	return err ? err : ferror(out) ? -EIO : 0;
}
