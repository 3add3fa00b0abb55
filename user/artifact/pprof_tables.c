/* pprof_tables.c - see pprof_tables.h */
#include "artifact/pprof_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/profile_walk.h"
#include "lib/cleanup.h"

uint32_t pprof_tables_string(struct pprof_tables *t, const char *s)
{
	_cleanup_free_ char *safe = profile_safe_name(s);

	return safe ? strings_add(&t->strings, safe) : INTERN_NONE;
}

static uint32_t function_of(struct pprof_tables *t, const struct profile_frame *f)
{
	struct pprof_function key = { .name = pprof_tables_string(t, *f->name ? f->name : "?"),
				      .first_line = f->first_line };

	key.system_name = f->system_name ? pprof_tables_string(t, f->system_name) : key.name;
	key.file = pprof_tables_string(t, f->file ? f->file : "");
	if (key.name == INTERN_NONE || key.system_name == INTERN_NONE || key.file == INTERN_NONE)
		return INTERN_NONE;
	return intern_add(&t->functions, &key);
}

/* The location of a frame without an address. */
static uint32_t pseudo_location(struct pprof_tables *t, const char *name)
{
	struct profile_frame frame = { .name = name };
	struct pprof_location key = { .mapping = PROFILE_NONE,
				      .function = function_of(t, &frame),
				      .caller = INTERN_NONE };

	return key.function == INTERN_NONE ? INTERN_NONE : intern_add(&t->locations, &key);
}

/* Parents are made before their children, so theirs are known. */
static int add_stack(struct pprof_tables *t, uint32_t stack)
{
	uint32_t parent = profile_stack_parent(t->profile, stack);
	uint32_t frame = profile_stack_frame(t->profile, stack);
	const struct profile_frame *f = profile_frame_at(t->profile, frame);
	struct pprof_location key = { .address = f->address,
				      .mapping = f->mapping,
				      .function = t->frame_function[frame],
				      .line = f->line,
				      .caller = INTERN_NONE };

	t->stack_caller[stack] = parent;
	if (f->inlined && parent != PROFILE_NO_STACK) {
		const struct pprof_location *outer;

		key.caller = t->stack_location[parent];
		outer = intern_at(&t->locations, key.caller);
		key.address = outer->address;
		key.mapping = outer->mapping;
		t->stack_caller[stack] = t->stack_caller[parent];
	}
	t->stack_location[stack] = intern_add(&t->locations, &key);
	return t->stack_location[stack] == INTERN_NONE ? -ENOMEM : 0;
}

static int add_stacks(struct pprof_tables *t)
{
	for (uint32_t i = 0; i < profile_frame_count(t->profile); i++) {
		t->frame_function[i] = function_of(t, profile_frame_at(t->profile, i));
		if (t->frame_function[i] == INTERN_NONE)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < profile_stack_count(t->profile); i++)
		if (add_stack(t, i))
			return -ENOMEM;
	t->no_frames = pseudo_location(t, PROFILE_NO_FRAMES);
	return t->no_frames == INTERN_NONE ? -ENOMEM : 0;
}

/* "[lock]" -> lock */
static uint32_t bare_string(struct pprof_tables *t, const char *name)
{
	size_t length = strlen(name);
	bool bracketed = length > 2 && name[0] == '[' && name[length - 1] == ']';
	_cleanup_free_ char *bare =
	    bracketed ? strndup(name + 1, length - 2) : strndup(name, length);

	return bare ? pprof_tables_string(t, bare) : INTERN_NONE;
}

static int add_causes(struct pprof_tables *t)
{
	for (uint32_t i = 0; i < profile_cause_count(t->profile); i++) {
		const struct profile_cause *c = profile_cause_at(t->profile, i);

		t->cause_location[i] = c->running ? PROFILE_NONE : pseudo_location(t, c->name);
		t->cause_label[i] = bare_string(t, c->running ? "cpu" : c->name);
		if (t->cause_label[i] == INTERN_NONE ||
		    (!c->running && t->cause_location[i] == INTERN_NONE))
			return -ENOMEM;
	}
	return 0;
}

static int add_threads(struct pprof_tables *t)
{
	for (uint32_t i = 0; i < profile_thread_count(t->profile); i++) {
		const struct profile_thread *thread = profile_thread_at(t->profile, i);
		const struct profile_process *x = profile_process_at(t->profile, thread->process);
		_cleanup_free_ char *process = profile_name_with_id(x->name, x->pid);
		_cleanup_free_ char *name = profile_name_with_id(thread->name, thread->tid);

		if (!process || !name)
			return -ENOMEM;
		t->threads[i].process = strings_add(&t->strings, process);
		t->threads[i].thread = strings_add(&t->strings, name);
		if (t->threads[i].process == INTERN_NONE || t->threads[i].thread == INTERN_NONE)
			return -ENOMEM;
	}
	return 0;
}

int pprof_tables_init(struct pprof_tables *t, const struct profile *p)
{
	size_t stacks = profile_stack_count(p) + 1, causes = profile_cause_count(p) + 1;
	int err;

	*t = (struct pprof_tables){ .profile = p };
	strings_init(&t->strings);
	intern_init(&t->functions, sizeof(struct pprof_function), sizeof(struct pprof_function));
	intern_init(&t->locations, sizeof(struct pprof_location),
		    offsetof(struct pprof_location, id));
	t->frame_function = calloc(profile_frame_count(p) + 1, sizeof(uint32_t));
	t->stack_location = calloc(stacks, sizeof(uint32_t));
	t->stack_caller = calloc(stacks, sizeof(uint32_t));
	t->cause_location = calloc(causes, sizeof(uint32_t));
	t->cause_label = calloc(causes, sizeof(uint32_t));
	t->threads = calloc(profile_thread_count(p) + 1, sizeof(*t->threads));
	if (!t->frame_function || !t->stack_location || !t->stack_caller || !t->cause_location ||
	    !t->cause_label || !t->threads || strings_add(&t->strings, "") != 0)
		return -ENOMEM;
	err = add_stacks(t);
	if (!err)
		err = add_causes(t);
	return err ? err : add_threads(t);
}

void pprof_tables_clear(struct pprof_tables *t)
{
	strings_clear(&t->strings);
	intern_clear(&t->functions);
	intern_clear(&t->locations);
	free(t->frame_function);
	free(t->stack_location);
	free(t->stack_caller);
	free(t->cause_location);
	free(t->cause_label);
	free(t->threads);
}
