/* symbolize.c - one request per file: its debug file, its names, or what stands in for them. */
#include "symbolize/symbolize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/cleanup.h"
#include "symbolize/debugfiles.h"

#define MODULE_MAX 255 /* bytes of a file's name within a made-up symbol */

struct request {
	struct symbolizer *owner; /* NULL: freed, but inspect still has the request */
	struct request *next;
	size_t index;
	struct symbolize_file file;
	uint64_t *addresses;
	size_t count;
	symbolize_fn fn;
	void *context;
	int debug_fd;
	unsigned int flags; /* INSPECT_LINES */
	bool pending;	    /* inspect has it */
	bool again;	    /* it failed: to be asked for less */
	bool told;
	char problem[256];
};

struct symbolizer {
	struct inspect *inspect;
	struct symbolize_options options;
	struct request *requests;
	const char *debuginfod_failed; /* its cause: do not ask again */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void request_free(struct request *r)
{
	cleanup_close(&r->debug_fd);
	free(r->addresses);
	free(r);
}

/* The first one is the one to tell. */
static void __attribute__((format(printf, 2, 3)))
set_problem(struct request *r, const char *format, ...)
{
	va_list arguments;

	if (r->problem[0])
		return;
	va_start(arguments, format);
	vsnprintf(r->problem, sizeof(r->problem), format, arguments);
	va_end(arguments);
}

static const char *module_of(const struct symbolize_file *file)
{
	const char *slash = file->path ? strrchr(file->path, '/') : NULL;
	const char *name = slash ? slash + 1 : file->path;

	return name && *name ? name : "[unknown]";
}

/* Names while they are put together. */
struct telling {
	struct symbolize_name *names;
	size_t count, capacity, unresolved;
	char *texts; /* of module+0xoffset */
	size_t texts_used, text_size;
};

static void add_unresolved(struct telling *t, const struct request *r, struct symbolize_name name)
{
	char *text = t->texts + t->texts_used;

	t->texts_used += t->text_size;
	snprintf(text, t->text_size, "%.*s+0x%" PRIx64, MODULE_MAX, module_of(&r->file),
		 r->addresses[name.address]);
	name.name = text;
	name.unresolved = true;
	t->unresolved++;
	t->names[t->count++] = name;
}

static void add_name(struct telling *t, const struct request *r, const struct inspect_name *known)
{
	struct symbolize_name name = { .address = known->address,
				       .name = known->name,
				       .file = known->file,
				       .line = known->line,
				       .inlined = known->inlined };

	if (name.name)
		t->names[t->count++] = name;
	else
		add_unresolved(t, r, name);
}

static const char *summary(struct request *r, const struct telling *t, char *buffer, size_t size)
{
	const char *cause = r->problem;

	if (!t->unresolved)
		return *cause ? cause : NULL;
	if (!*cause)
		cause = r->file.perf_map   ? "no line of the perf map covers them"
			: r->debug_fd >= 0 ? "no symbol covers them"
					   : "no symbol covers them, and no debug file was found";
	snprintf(buffer, size, "%zu of %zu addresses have no name: %s", t->unresolved, r->count,
		 cause);
	return buffer;
}

/* @known covers addresses in order, maybe not all of them. */
static void tell(struct request *r, const struct inspect_name *known, size_t known_count)
{
	struct telling t = { .text_size = strnlen(module_of(&r->file), MODULE_MAX) + 3 + 16 + 1 };
	_cleanup_free_ struct symbolize_name *names = NULL;
	_cleanup_free_ char *texts = NULL;
	size_t most = known_count + r->count + 1, k = 0;
	char buffer[384];

	r->told = true;
	names = t.names = calloc(most, sizeof(*names));
	texts = t.texts = calloc(most, t.text_size);
	if (!names || !texts) {
		r->fn(r->context, r->index, NULL, 0, "not enough memory for names");
		return;
	}
	for (size_t i = 0; i < r->count; i++) {
		if (k == known_count || known[k].address != i)
			add_unresolved(&t, r, (struct symbolize_name){ .address = (uint32_t)i });
		for (; k < known_count && known[k].address == i; k++)
			add_name(&t, r, &known[k]);
	}
	r->fn(r->context, r->index, names, t.count, summary(r, &t, buffer, sizeof(buffer)));
}

/* A file that its reader dies of, or takes too long for, may still do without lines, or without its
 * debug file. */
static bool ask_for_less(struct request *r, const char *cause)
{
	if (r->flags & INSPECT_LINES) {
		set_problem(r, "without lines and inlined functions: %s", cause);
		r->flags = 0;
		return true;
	}
	if (r->debug_fd >= 0) {
		set_problem(r, "without its debug file: %s", cause);
		cleanup_close(&r->debug_fd);
		r->debug_fd = -1;
		return true;
	}
	return false;
}

static void done(void *context, int err, const char *cause, const struct inspect_name *names,
		 size_t count)
{
	struct request *r = context;

	r->pending = false;
	if (!r->owner) {
		request_free(r);
		return;
	}
	if (r->told)
		return;
	if (err && !r->file.perf_map && ask_for_less(r, cause ?: strerror(-err))) {
		/* not from here: this is within inspect_pump() */
		r->again = true;
		return;
	}
	if (err || cause)
		set_problem(r, "%s", cause ?: strerror(-err));
	tell(r, err ? NULL : names, err ? 0 : count);
}

static void send(struct request *r)
{
	struct inspect *inspect = r->owner->inspect;
	int err;

	r->again = false;
	r->pending = true;
	if (r->file.perf_map)
		err = inspect_perf_map(inspect, r->file.fd, r->addresses, r->count, done, r);
	else
		err = inspect_names(inspect, r->file.fd, r->debug_fd, r->addresses, r->count,
				    r->flags, done, r);
	if (!err)
		return;
	r->pending = false;
	set_problem(r, "cannot ask for names: %s", strerror(-err));
	tell(r, NULL, 0);
}

struct identity {
	uint8_t build_id[INSPECT_BUILD_ID_MAX];
	uint32_t build_id_bytes;
	char link[256];
};

static int identify(struct inspect *inspect, int fd, struct identity *ret)
{
	return inspect_debug_link(inspect, fd, ret->build_id, &ret->build_id_bytes, ret->link,
				  sizeof(ret->link));
}

static bool same_file(int a, int b)
{
	struct stat p, q;

	return !fstat(a, &p) && !fstat(b, &q) && p.st_dev == q.st_dev && p.st_ino == q.st_ino;
}

/* Where neither has a build-id, the worker compares the CRC of the link. */
static bool belongs(struct request *r, const struct identity *wanted, int fd)
{
	struct identity found = { 0 };

	if (same_file(r->file.fd, fd) || identify(r->owner->inspect, fd, &found))
		return false;
	if (found.build_id_bytes == wanted->build_id_bytes &&
	    !memcmp(found.build_id, wanted->build_id, found.build_id_bytes))
		return true;
	set_problem(r, "a debug file of another build was found and not used");
	return false;
}

static int fetch(struct symbolizer *s, struct request *r, const struct identity *wanted)
{
	const char *cause = s->debuginfod_failed;
	int fd = -ENOENT;

	if (!s->options.debuginfod || !wanted->build_id_bytes)
		return -ENOENT;
	if (!cause)
		fd = debugfiles_fetch(wanted->build_id, wanted->build_id_bytes, &cause);
	if (fd >= 0)
		return fd;
	/* a minute per file is too much: one that has not answered is not asked again */
	if (fd == -ETIMEDOUT)
		s->debuginfod_failed = cause;
	set_problem(r, "no debug file was found: %s", cause);
	return fd;
}

static void find_debug_file(struct symbolizer *s, struct request *r)
{
	struct identity wanted = { 0 };
	struct debugfiles_wanted place = { .root = r->file.root ?: "",
					   .path = r->file.path,
					   .build_id = wanted.build_id,
					   .link = wanted.link };

	if (identify(s->inspect, r->file.fd, &wanted))
		return; /* inspect_names() will say why */
	place.build_id_bytes = wanted.build_id_bytes;
	for (size_t n = 0; r->debug_fd < 0; n++) {
		_cleanup_close_ int fd = debugfiles_open(&place, n);

		if (fd == -ERANGE)
			break;
		if (fd >= 0 && belongs(r, &wanted, fd))
			r->debug_fd = take_fd(&fd);
	}
	if (r->debug_fd >= 0)
		r->problem[0] = '\0'; /* of others that were looked at first */
	if (r->debug_fd < 0)
		r->debug_fd = fetch(s, r, &wanted);
	if (r->debug_fd < 0)
		r->debug_fd = -1;
}

static struct request *request_new(size_t index, const struct symbolize_file *file,
				   const uint64_t *addresses, size_t count)
{
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->debug_fd = -1;
	r->index = index;
	r->file = *file;
	r->count = count;
	r->addresses = calloc(count + 1, sizeof(*addresses));
	if (!r->addresses) {
		free(r);
		return NULL;
	}
	if (count)
		memcpy(r->addresses, addresses, count * sizeof(*addresses));
	return r;
}

int symbolizer_ask(struct symbolizer *s, size_t index, const struct symbolize_file *file,
		   const uint64_t *addresses, size_t count, symbolize_fn fn, void *context)
{
	struct request *r = request_new(index, file, addresses, count);

	if (!r)
		return -ENOMEM;
	r->owner = s;
	r->fn = fn;
	r->context = context;
	r->flags = s->options.lines ? INSPECT_LINES : 0;
	r->next = s->requests;
	s->requests = r;
	if (file->fd < 0 || !count) {
		if (file->fd < 0)
			set_problem(r, "the file could not be read");
		tell(r, NULL, 0);
		return 0;
	}
	if (!file->perf_map)
		find_debug_file(s, r);
	send(r);
	return 0;
}

/* Frees what is over; returns how many inspect still has to answer. */
static size_t sweep(struct symbolizer *s)
{
	struct request **link = &s->requests, *r;
	size_t open = 0;

	while ((r = *link)) {
		if (r->told && !r->pending) {
			*link = r->next;
			request_free(r);
			continue;
		}
		if (r->again)
			send(r);
		open += !r->told;
		link = &r->next;
	}
	return open;
}

void symbolizer_finish(struct symbolizer *s, uint64_t timeout_ns)
{
	uint64_t end = now_ns() + timeout_ns, now;

	if (end < timeout_ns)
		end = UINT64_MAX;
	while (sweep(s)) {
		now = now_ns();
		if (now >= end || !inspect_pending(s->inspect))
			break;
		inspect_wait(s->inspect, end - now);
	}
	for (struct request *r = s->requests; r; r = r->next) {
		if (r->told)
			continue;
		set_problem(r, "no answer in time");
		tell(r, NULL, 0);
	}
	sweep(s);
}

int symbolizer_new(struct inspect *inspect, const struct symbolize_options *options,
		   struct symbolizer **ret)
{
	struct symbolizer *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->inspect = inspect;
	s->options = *options;
	*ret = s;
	return 0;
}

void symbolizer_free(struct symbolizer *s)
{
	struct request *r, *next;

	if (!s)
		return;
	for (r = s->requests; r; r = next) {
		next = r->next;
		r->owner = NULL;
		/* else done() frees it; its answer has nobody left to be told to */
		if (!r->pending)
			request_free(r);
	}
	free(s);
}
