/* profile_pprof.c - profile.pb.gz: pprof's profile.proto, gzipped (see profile_files.h) */
#include <errno.h>
#include <inttypes.h>

#include "artifact/pprof_writer.h"
#include "artifact/profile_files.h"
#include "artifact/profile_samples.h"

/* pprof itself takes some 3 KB of memory for a sample with labels. */
#define MAX_SAMPLES 500000

static const struct pprof_type types[] = {
	{ "samples", "count" },
	{ "wall", "nanoseconds" },
	{ "cpu", "nanoseconds" },
};

/* Keys and units of the labels, by number of the string. */
struct labels {
	uint64_t cause, time, nanoseconds;
};

static void put_head(struct pprof_writer *w, const struct profile *p, const struct profile_run *run,
		     const struct profile_samples *samples)
{
	char slice[48];

	pprof_writer_head(w, &(struct pprof_head){
				 .samples = types,
				 .sample_types = sizeof(types) / sizeof(types[0]),
				 .shown = "wall",
				 .period_type = { "wall", "nanoseconds" },
				 .period = profile_period_ns(p),
				 .start_utc_ns = run->start_utc_ns,
				 .duration_ns = run->duration_ns,
			     });
	snprintf(slice, sizeof(slice), "slice %" PRIu64 " ns", profile_samples_slice_ns(samples));
	pprof_writer_comment(w, slice);
	if (run->command && *run->command)
		pprof_writer_comment(w, run->command);
}

static void put_sample(struct pprof_writer *w, const struct profile *p,
		       const struct profile_sample *s, const struct labels *label)
{
	const struct pprof_tables *t = pprof_writer_tables(w);
	uint64_t wall_ns = s->marks * profile_period_ns(p);
	uint32_t cause = t->cause_location[s->cause];
	uint64_t values[] = { s->marks, wall_ns, cause == PROFILE_NONE ? wall_ns : 0 };

	pprof_writer_sample(w, cause, s->stack, values, sizeof(values) / sizeof(values[0]));
	pprof_writer_thread(w, s->thread);
	pprof_writer_label(w, label->cause, t->cause_label[s->cause], 0, 0);
	pprof_writer_label(w, label->time, 0, s->slice * profile_slice_ns(p), label->nanoseconds);
	pprof_writer_end(w);
}

static int write_samples(const struct profile *p, const struct profile_samples *samples,
			 const struct profile_run *run, FILE *out)
{
	struct pprof_writer *w = pprof_writer_new(p, out);
	struct labels label;
	int err;

	if (!w)
		return -ENOMEM;
	put_head(w, p, run, samples);
	label = (struct labels){
		.cause = pprof_writer_string(w, "cause"),
		.time = pprof_writer_string(w, "time"),
		.nanoseconds = pprof_writer_string(w, "nanoseconds"),
	};
	for (uint32_t i = 0; i < profile_samples_count(samples); i++)
		put_sample(w, p, profile_samples_at(samples, i), &label);
	err = pprof_writer_finish(w);
	pprof_writer_free(w);
	return err;
}

int profile_write_pprof(const struct profile *p, const struct profile_run *run, FILE *out)
{
	struct profile_samples samples;
	int err = profile_samples_init(&samples, p, MAX_SAMPLES);

	if (!err)
		err = write_samples(p, &samples, run, out);
	profile_samples_clear(&samples);
	return err;
}
