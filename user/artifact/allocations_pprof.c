/* allocations_pprof.c - allocations.pb.gz: pprof's profile.proto, gzipped; what stands in it:
 * allocations_files.h */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "artifact/allocations_files.h"
#include "artifact/pprof_writer.h"
#include "lib/cleanup.h"

#define NS 1000000000

static const struct pprof_type types[] = {
	{ "alloc_objects", "count" },	  { "alloc_space", "bytes" },
	{ "inuse_objects", "count" },	  { "inuse_space", "bytes" },
	{ "leaked_objects", "count" },	  { "leaked_space", "bytes" },
	{ "temporary_objects", "count" }, { "temporary_space", "bytes" },
	{ "error_95", "bytes" },
};
#define TYPES (sizeof(types) / sizeof(types[0]))

__attribute__((format(printf, 2, 3))) static void comment(struct pprof_writer *w,
							  const char *format, ...)
{
	char text[96]; /* numbers and words of ours only */
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pprof_writer_comment(w, text);
}

static const char *truth(bool b)
{
	return b ? "true" : "false";
}

static int put_comments(struct pprof_writer *w, const struct allocations_facts *f)
{
	_cleanup_free_ char *command = NULL;

	comment(w, "source=%s", f->resident ? "resident" : "heap");
	comment(w, "exact=%s", truth(f->exact));
	comment(w, "gap_bytes=%" PRIu64, f->gap_bytes);
	comment(w, "peak_bytes=%" PRIu64, f->peak_bytes);
	comment(w, "peak_s=%" PRIu64 ".%09" PRIu64, f->peak_ns / NS, f->peak_ns % NS);
	comment(w, "peak_rss_bytes=%" PRIu64, f->peak_rss_bytes);
	comment(w, "pid=%" PRIu32, f->pid);
	comment(w, "python=%s", truth(f->python));
	if (!f->command || !*f->command)
		return 0;
	if (asprintf(&command, "command=%s", f->command) < 0) {
		command = NULL; /* asprintf() leaves it undefined */
		return -ENOMEM;
	}
	pprof_writer_comment(w, command);
	return 0;
}

static int put_head(struct pprof_writer *w, const struct allocations_facts *f)
{
	pprof_writer_head(w, &(struct pprof_head){
				 .samples = types,
				 .sample_types = TYPES,
				 .shown = "inuse_space",
				 .period_type = { "space", "bytes" },
				 .period = f->gap_bytes ? f->gap_bytes : 1,
				 .start_utc_ns = f->start_utc_ns,
				 .duration_ns = f->duration_ns,
			     });
	return put_comments(w, f);
}

static void put_entry(struct pprof_writer *w, const struct allocation_entry *e,
		      const uint64_t *allocator)
{
	const uint64_t values[TYPES] = {
		e->allocated.count, e->allocated.bytes, e->peak.count,
		e->peak.bytes,	    e->leaked.count,	e->leaked.bytes,
		e->temporary.count, e->temporary.bytes, e->error_95_bytes,
	};

	pprof_writer_sample(w, PROFILE_NONE, e->stack, values, TYPES);
	pprof_writer_thread(w, e->thread);
	pprof_writer_label(w, allocator[ALLOCATORS], allocator[e->allocator], 0, 0);
	pprof_writer_end(w);
}

int allocations_write_pprof(const struct allocations *a, const struct allocations_options *options,
			    FILE *out)
{
	struct pprof_writer *w = pprof_writer_new(allocations_names(a), out);
	uint64_t allocator[ALLOCATORS + 1]; /* strings: their names, then the label's */
	int err, written;

	(void)options;
	if (!w)
		return -ENOMEM;
	err = put_head(w, allocations_facts(a));
	for (unsigned i = 0; i < ALLOCATORS; i++)
		allocator[i] = pprof_writer_string(w, allocator_name(i));
	allocator[ALLOCATORS] = pprof_writer_string(w, "allocator");
	for (size_t i = 0; !err && i < allocations_count(a); i++)
		put_entry(w, allocations_at(a, i), allocator);
	written = pprof_writer_finish(w);
	pprof_writer_free(w);
	return err ? err : written;
}
