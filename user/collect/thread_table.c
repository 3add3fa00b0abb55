/* thread_table.c - see thread_table.h */
#include "collect/thread_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 16384

struct entry {
	struct thread_key key;
	uint32_t pid;
	char process[NAME_BYTES], name[NAME_BYTES];
};

void thread_table_init(struct thread_table *t, const struct observation *o)
{
	t->o = o;
	intern_init(&t->threads, sizeof(struct entry), sizeof(struct thread_key));
}

void thread_table_clear(struct thread_table *t)
{
	intern_clear(&t->threads);
}

static void name_copy(char *to, const char *from)
{
	size_t length = strnlen(from, NAME_BYTES - 1);

	memmove(to, from, length);
	to[length] = 0;
}

uint32_t thread_table_get(struct thread_table *t, const struct thread_key *key, uint32_t pid,
			  const char *name)
{
	const struct process *p = processes_find(t->o->processes, key->tgid, key->start_ns);
	bool full = t->threads.count >= THREADS_MAX;
	const struct thread_key others = {};
	uint32_t number = intern_add(&t->threads, full ? &others : key);
	struct entry *e;

	if (number == INTERN_NONE)
		return number;
	e = intern_at(&t->threads, number);
	e->pid = full ? 0 : pid;
	name_copy(e->process, full ? "[others]" : p ? p->name : e->process);
	name_copy(e->name, full ? "[others]" : name);
	return number;
}

/* PROFILE_NONE: no memory. */
static uint32_t process_add(struct profile *p, const struct entry *e)
{
	char name[NAME_BYTES + 16];

	snprintf(name, sizeof(name), "%s-%u", e->process, e->pid);
	for (size_t k = 0; k < profile_process_count(p); k++)
		if (profile_process_at(p, k)->pid == e->pid &&
		    !strcmp(profile_process_at(p, k)->name, name))
			return k;
	return profile_process(p, &(struct profile_process){ .name = name, .pid = e->pid });
}

int thread_table_add(struct thread_table *t, struct profile *p, uint32_t **ret)
{
	uint32_t *numbers = calloc(t->threads.count ? t->threads.count : 1, sizeof(*numbers));

	*ret = numbers;
	if (!numbers)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->threads.count; i++) {
		const struct entry *e = intern_at(&t->threads, i);
		uint32_t process = process_add(p, e);

		if (process == PROFILE_NONE)
			return -ENOMEM;
		numbers[i] =
		    profile_thread(p, &(struct profile_thread){
					  .name = e->name, .process = process, .tid = e->key.tid });
		if (numbers[i] == PROFILE_NONE)
			return -ENOMEM;
	}
	return 0;
}
