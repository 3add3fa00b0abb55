/* heap_calls_files.c - see heap_calls_private.h: files with code → probes at their allocators. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "session/heap_calls_private.h"
#include "unwind/maps.h"

#define SLICE_BYTES 65536

/* A file of the process that is looked at, with an open descriptor of ours. */
struct candidate {
	struct candidate *next;
	const struct inspect_allocators *allocators;
	int fd;
};

struct scan {
	struct heap_calls *c;
	struct called *p;
	struct candidate *found;
	int err;
};

/* Its main thread has ended, and others have not. */
static bool is_headless(const struct called *p)
{
	_cleanup_fclose_ FILE *stat = NULL;
	char path[32], line[512], *name;

	snprintf(path, sizeof(path), "/proc/%u/stat", p->pid);
	stat = fopen(path, "re");
	if (!stat || !fgets(line, sizeof(line), stat))
		return false;
	name = strrchr(line, ')'); /* of the program: hostile */
	return name && name[1] == ' ' && name[2] == 'Z';
}

void called_detach(struct called *p)
{
	uprobes_detach_all(p->list, p->count);
	p->count = 0;
	p->file_count = 0;
}

void called_files_free(struct heap_calls *c)
{
	struct called_file *f, *next;

	HASH_ITER (hh, c->files, f, next) {
		HASH_DEL(c->files, f);
		free(f->allocators);
		free(f);
	}
}

static void *with_room(void *array, size_t count, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 16;
	void *grown;

	if (count < *room)
		return array;
	grown = reallocarray(array, more, size);
	if (grown)
		*room = more;
	return grown;
}

static bool is_looked_at(const struct called *p, const struct called_file_key *key)
{
	for (size_t i = 0; i < p->file_count; i++)
		if (!memcmp(&p->files[i], key, sizeof(*key)))
			return true;
	return false;
}

static int note_file(struct called *p, const struct called_file_key *key)
{
	struct called_file_key *files;

	if (p->file_count >= CALLED_FILES_MAX)
		return -ENOSPC;
	files = with_room(p->files, p->file_count, &p->file_room, sizeof(*files));
	if (!files)
		return -ENOMEM;
	p->files = files;
	files[p->file_count++] = *key;
	return 0;
}

/* Files that nobody can read as ELF have no allocator: scripts, devices, what is truncated. */
static struct called_file *file_ask(struct heap_calls *c, const struct called_file_key *key, int fd)
{
	struct called_file *f = calloc(1, sizeof(*f));
	struct inspect_allocators found;

	if (!f || HASH_COUNT(c->files) >= CALLED_FILES_MAX) {
		free(f);
		return NULL;
	}
	f->key = *key;
	if (!inspect_allocators(c->config.inspect, fd, &found) &&
	    (found.count || found.left_out || found.throwing)) {
		f->allocators = malloc(sizeof(found));
		if (f->allocators)
			*f->allocators = found;
	}
	HASH_ADD(hh, c->files, key, sizeof(f->key), f);
	return f;
}

static int look_at(struct scan *s, const struct region *region, const struct called_file_key *key)
{
	_cleanup_close_ int fd = -1;
	struct called_file *f;
	struct candidate *candidate;
	char path[80];

	snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", s->p->pid,
		 (unsigned long long)region->start,
		 (unsigned long long)(region->start + region->length));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) /* it is gone again */
		return 0;
	HASH_FIND(hh, s->c->files, key, sizeof(*key), f);
	if (!f)
		f = file_ask(s->c, key, fd);
	if (!f)
		return -ENOMEM;
	if (!f->allocators)
		return 0;
	candidate = malloc(sizeof(*candidate));
	if (!candidate)
		return -ENOMEM;
	*candidate = (struct candidate){ s->found, f->allocators, take_fd(&fd) };
	s->found = candidate;
	return 0;
}

static void on_region(void *context, const struct region *region)
{
	const struct called_file_key key = { region->device, region->inode };
	struct scan *s = context;
	int err;

	if (!region->inode || is_looked_at(s->p, &key))
		return;
	err = note_file(s->p, &key);
	if (!err)
		err = look_at(s, region, &key);
	if (err)
		s->err = err;
}

static int scan_files(struct scan *s)
{
	struct maps_reader *maps;
	int err = maps_open((pid_t)s->p->pid, &maps), more = 1;

	if (err)
		return err;
	while (more > 0)
		more = maps_read(maps, SLICE_BYTES, on_region, s);
	maps_close(maps);
	return more < 0 ? more : s->err;
}

/* Which of a file's places one program is attached to. */
typedef bool place_fn(const struct inspect_place *p);

static bool frees(const struct inspect_place *p)
{
	return p->kind == INSPECT_CALL && !(p->cookie & CALL_ALLOCATES);
}

static bool allocates(const struct inspect_place *p)
{
	return p->kind == INSPECT_CALL && p->cookie & CALL_ALLOCATES;
}

static bool samples(const struct inspect_place *p)
{
	return p->kind == INSPECT_USDT_ALLOC;
}

static bool sample_frees(const struct inspect_place *p)
{
	return p->kind == INSPECT_USDT_FREE;
}

/* In the order in which they are attached. A free before the allocations: none is missed. A return
 * before its entry: one whose entry was not seen is counted, an entry whose return is not seen
 * would hide the calls below it. */
static const struct step {
	enum call_program program;
	place_fn *wanted;
	bool at_return, samples;
} steps[] = {
	{ CALL_ENTRY, frees, false, false },	   { CALL_RETURN, allocates, true, false },
	{ CALL_ENTRY, allocates, false, false },   { CALL_USDT_FREE, sample_frees, false, true },
	{ CALL_USDT_ALLOC, samples, false, true },
};

static int attach_step(struct heap_calls *c, struct called *p, const struct candidate *f,
		       const struct step *step)
{
	struct uprobe_site sites[INSPECT_ALLOCATORS_MAX];
	struct uprobes **list;
	char path[32];
	size_t count = 0;
	int err;

	for (uint32_t i = 0; i < f->allocators->count; i++) {
		const struct inspect_place *place = &f->allocators->places[i];

		if (step->wanted(place))
			sites[count++] = (struct uprobe_site){ .offset = place->offset,
							       .cookie = place->cookie,
							       .semaphore = place->semaphore };
	}
	if (!count)
		return 0;
	list = with_room(p->list, p->count, &p->room, sizeof(struct uprobes *));
	if (!list)
		return -ENOMEM;
	p->list = list;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	err = uprobes_attach(probes_call_program(c->config.probes, step->program), path,
			     (pid_t)p->pid, step->at_return, sites, count, &list[p->count]);
	if (!err)
		p->count++;
	return err;
}

static bool offers_samples(const struct candidate *f)
{
	bool allocs = false, blocks = false;

	for (uint32_t i = 0; i < f->allocators->count; i++) {
		allocs |= samples(&f->allocators->places[i]);
		blocks |= sample_frees(&f->allocators->places[i]);
	}
	return allocs && blocks;
}

static void count_places(const struct called *p, const struct candidate *f,
			 struct heap_calls_event *e)
{
	for (uint32_t i = 0; i < f->allocators->count; i++) {
		bool is_call = f->allocators->places[i].kind == INSPECT_CALL;

		e->functions += is_call != p->samples;
		e->stepped += is_call && !p->samples && f->allocators->places[i].stepped;
	}
	e->left_out += f->allocators->left_out;
	e->throwing += p->samples ? 0 : f->allocators->throwing;
}

static int attach_files(struct heap_calls *c, struct called *p, const struct candidate *found,
			struct heap_calls_event *e)
{
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(steps) / sizeof(steps[0]); i++)
		for (const struct candidate *f = found; !err && f; f = f->next)
			if (steps[i].samples == p->samples)
				err = attach_step(c, p, f, &steps[i]);
	for (const struct candidate *f = found; f; f = f->next)
		count_places(p, f, e);
	return err;
}

void called_attach(struct heap_calls *c, struct called *p)
{
	struct scan s = { .c = c, .p = p };
	struct heap_calls_event e = {};
	struct candidate *next;

	e.err = scan_files(&s);
	if (!p->begun) {
		p->samples = false;
		for (const struct candidate *f = s.found; f; f = f->next)
			p->samples |= offers_samples(f);
	}
	if (!e.err)
		e.err = attach_files(c, p, s.found, &e);
	if (!e.err && e.functions)
		e.err = probes_calls_open(c->config.probes, p->tgid, p->start_ns);
	for (struct candidate *f = s.found; f; f = next) {
		next = f->next;
		close(f->fd);
		free(f);
	}
	if (!e.functions && !p->begun && is_headless(p)) {
		called_tell(c, p, (struct heap_calls_event){ .what = CALLS_LEADER });
		return;
	}
	if (e.err == -ESRCH) /* it has ended */
		return;
	if (!e.err && !e.functions && p->begun)
		return; /* nothing new */
	e.what = e.err		? CALLS_FAILED
		 : !e.functions ? CALLS_NOWHERE
		 : p->samples	? CALLS_SAMPLES
				: CALLS_BEGIN;
	p->begun |= e.what == CALLS_BEGIN || e.what == CALLS_SAMPLES;
	called_tell(c, p, e);
}
