/* save.c - writes the run directory; where its place has failed, in the first of several others
 * that takes it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/state.h"

int session_write(struct session *s, struct rundir *r, session_extra_fn extra,
		  struct problem *problem)
{
	/* already now: a report of the run lists what there is */
	int err = json_object_set(s->manifest, "artifacts", rundir_artifacts(r)) ? -ENOMEM : 0;

	for (size_t i = 0; !err && s->stream.collectors[i]; i++)
		err = s->stream.collectors[i]->write(s->stream.selves[i], r, problem);
	if (!err && extra)
		err = extra(r, s->manifest, problem);
	return err ? err : rundir_commit(r, s->manifest, problem);
}

static int write_elsewhere(struct session *s, const char *place, session_extra_fn extra)
{
	struct problem ignored = {};
	struct rundir *r = NULL;
	char path[512];
	int err;

	if (!place || session_default_output(s, place, 0, path, sizeof(path)))
		return -EINVAL;
	err = rundir_new(path, &s->options.owner, &r, &ignored);
	if (!err)
		err = session_write(s, r, extra, &ignored);
	if (err) {
		rundir_free(r);
		return err;
	}
	rundir_free(s->rundir);
	s->rundir = r;
	return 0;
}

int session_save(struct session *s, session_extra_fn extra, const char **ret_path,
		 json_t **ret_manifest, struct problem *problem)
{
	const char *const places[] = { getenv("TMPDIR"), "/var/tmp", "/tmp", "/dev/shm",
				       s->options.owner.home };
	int err;

	s->manifest = session_manifest(s);
	if (!s->manifest)
		return problem_set(problem, -ENOMEM, "write the run directory: %s",
				   strerror(ENOMEM));
	err = session_write(s, s->rundir, extra, problem);
	for (size_t i = 0; err && i < sizeof(places) / sizeof(places[0]); i++) {
		if (write_elsewhere(s, places[i], extra))
			continue;
		*ret_path = rundir_path(s->rundir);
		*ret_manifest = s->manifest;
		return -EIO;
	}
	*ret_path = rundir_path(s->rundir);
	*ret_manifest = s->manifest;
	return err;
}
