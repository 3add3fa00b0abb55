/* scope.c - see scope.h */
#include "session/scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "session/state.h"

/* What the run is called by: a part of a path that says something. */
static void name_by_cgroup(struct session *s)
{
	snprintf(s->name, sizeof(s->name), "%.15s", cgroup_name(s->o.cgroup));
	if (!strcmp(s->name, "/"))
		snprintf(s->name, sizeof(s->name), "host");
}

static int open_container(struct session *s, struct problem *problem)
{
	int err = container_find(s->options.container, "", &s->container, problem);

	if (err)
		return err;
	s->o.cgroup = s->container.cgroup;
	snprintf(s->name, sizeof(s->name), "%.15s",
		 s->container.name[0] ? s->container.name : s->container.id);
	return 0;
}

static int open_path(struct session *s, struct problem *problem)
{
	int err = cgroup_open(s->options.cgroup, &s->o.cgroup, problem);

	if (!err)
		name_by_cgroup(s);
	return err;
}

static int make_limit(struct session *s, struct problem *problem)
{
	int err = cgroup_limit_new(s->options.memory_limit, &s->limit, problem);

	if (!err)
		s->o.cgroup = cgroup_limit_group(s->limit);
	return err;
}

int scope_open(struct session *s, struct problem *problem)
{
	int err = 0;

	if (s->options.container)
		err = open_container(s, problem);
	else if (s->options.cgroup)
		err = open_path(s, problem);
	else if (s->options.memory_limit)
		err = make_limit(s, problem);
	s->by_cgroup = s->o.cgroup && !s->limit;
	return err;
}

int scope_enter(struct session *s, struct problem *problem)
{
	return s->limit ? cgroup_limit_enter(s->limit, command_pid(s->command), problem) : 0;
}

void scope_check(struct session *s)
{
	if (!s->by_cgroup)
		return;
	if (s->stream.cgroup_end_ns || !cgroup_is_there(s->o.cgroup))
		s->stop = STOP_ENDED;
}

void scope_threads(struct session *s)
{
	if (!s->stream.moved)
		return;
	s->stream.moved = false;
	if (!s->o.period_ns)
		return;
	if (probes_threads(s->probes, stream_sample, &s->stream))
		s->samples_failed++;
	probes_drain(s->probes);
}

void scope_free(struct session *s)
{
	if (s->options.container)
		container_release(&s->container);
	else if (!s->limit)
		cgroup_free(s->o.cgroup);
	cgroup_limit_free(s->limit);
	s->o.cgroup = NULL;
}
