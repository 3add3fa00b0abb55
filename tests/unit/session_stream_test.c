/* session_stream_test.c - records from the ring: each is recorded, malformed or late, and none of
 * them is believed further than bpf/events.h goes. Oracle: the sizes there, counted by hand. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "collect/memory.h"
#include "session/stream.h"

#define FUZZ_RECORDS 200000

static uint64_t passed_records, passed_samples;

static void count_record(void *self, const struct event_header *h)
{
	(void)self;
	(void)h;
	passed_records++;
}

static void count_sample(void *self, const struct sample_header *h)
{
	(void)self;
	(void)h;
	passed_samples++;
}

static const struct collector counter = { .name = "counter",
					  .record = count_record,
					  .sample = count_sample };
static const struct collector deaf = { .name = "deaf" };

struct fixture {
	struct observation o;
	struct stream s;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->o.processes = processes_new();
	f->o.start_ns = 1000;
	f->s.o = &f->o;
	f->s.collectors[0] = &deaf; /* takes neither records nor samples */
	f->s.collectors[1] = &counter;
	passed_records = passed_samples = 0;
	*state = f;
	return f->o.processes ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	processes_free(f->o.processes);
	free(f);
	return 0;
}

static const struct {
	uint32_t type;
	size_t bytes;
} kinds[] = {
	{ EV_PROCESS, 72 }, { EV_EXEC, 72 },   { EV_EXIT, 64 },	 { EV_IMAGE_END, 80 },
	{ EV_OOM, 88 },	    { EV_PAGES, 120 }, { EV_TASK, 616 }, { EV_LINE, 304 },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* A record of its own allocation: the sanitizer sees every byte that is read beyond it. */
static void feed(struct fixture *f, const void *record, size_t bytes)
{
	void *copy = malloc(bytes ? bytes : 1);

	assert_non_null(copy);
	memcpy(copy, record, bytes);
	stream_record(&f->s, copy, bytes);
	free(copy);
}

static struct event_header header(uint32_t type, uint32_t tgid)
{
	struct event_header h = { .type = type, .time_ns = 5000, .start_ns = 7, .tgid = tgid };

	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].type == type)
			h.size = kinds[i].bytes;
	h.pid = tgid + 100000;
	return h;
}

static void joins(struct fixture *f, uint32_t type, uint32_t tgid, uint32_t root, const char *name)
{
	struct process_event e = { .h = header(type, tgid), .parent_tgid = 1, .root = root };

	memcpy(e.name, name, strnlen(name, sizeof(e.name)));
	feed(f, &e, sizeof(e));
}

static void exits(struct fixture *f, uint32_t tgid, uint32_t code)
{
	struct exit_event e = {
		.h = header(EV_EXIT, tgid), .minor_faults = 11, .major_faults = 3, .exit_code = code
	};

	feed(f, &e, sizeof(e));
}

static void assert_counts(const struct fixture *f, uint64_t recorded, uint64_t malformed,
			  uint64_t late)
{
	assert_int_equal(f->s.recorded, recorded);
	assert_int_equal(f->s.malformed, malformed);
	assert_int_equal(f->s.late, late);
	assert_int_equal(passed_records, recorded); /* a collector sees what is recorded, only */
}

static void a_process_is_what_its_records_say(void **state)
{
	struct fixture *f = *state;
	struct process *p;

	f->o.tick = 9;
	joins(f, EV_PROCESS, 10, 1, "first");
	p = processes_find(f->o.processes, 10, 7);
	assert_non_null(p);
	assert_int_equal(p->pid, 100010);
	assert_true(p->root);
	assert_string_equal(p->name, "first");
	assert_int_equal(p->last_tick, 9);
	joins(f, EV_EXEC, 10, 0, "second");
	assert_true(p->root); /* stays what it was */
	assert_string_equal(p->name, "second");
	exits(f, 10, 3 << 8);
	assert_int_equal(p->end, END_EXITED);
	assert_int_equal(p->status, 3 << 8);
	assert_int_equal(p->end_ns, 5000);
	assert_int_equal(p->minor_faults, 11);
	assert_int_equal(p->major_faults, 3);
	assert_int_equal(processes_alive(f->o.processes), 0);
	assert_int_equal(processes_seen(f->o.processes), 1);
	assert_counts(f, 3, 0, 0);
}

static void a_name_is_terminated_whatever_comes(void **state)
{
	struct fixture *f = *state;

	joins(f, EV_PROCESS, 10, 0, "0123456789abcdefgh");
	assert_string_equal(processes_find(f->o.processes, 10, 7)->name, "0123456789abcde");
}

static void the_first_exec_of_a_root_is_time_zero(void **state)
{
	struct fixture *f = *state;
	struct process_event e = { .h = header(EV_EXEC, 10), .root = 1 };

	joins(f, EV_PROCESS, 10, 1, "a");
	joins(f, EV_PROCESS, 11, 0, "b");
	joins(f, EV_EXEC, 11, 0, "b"); /* no root */
	assert_int_equal(f->s.root_exec_ns, 0);
	feed(f, &e, sizeof(e));
	assert_int_equal(f->s.root_exec_ns, 5000);
	e.h.time_ns = 6000;
	feed(f, &e, sizeof(e));
	assert_int_equal(f->s.root_exec_ns, 5000);
}

static void a_wrong_size_is_malformed(void **state)
{
	struct fixture *f = *state;
	char record[1024] = {};
	struct event_header *h = (struct event_header *)record;
	uint64_t malformed = 0;

	for (size_t i = 0; i < KINDS; i++) {
		*h = header(kinds[i].type, 10);
		for (size_t bytes = 0; bytes < kinds[i].bytes; bytes++, malformed++)
			feed(f, record, bytes); /* cut, whatever it says of itself */
		for (uint32_t size = 0; size < sizeof(record); size++) {
			if (size == kinds[i].bytes)
				continue;
			h->size = size;
			feed(f, record, sizeof(record)); /* long enough, but it says otherwise */
			malformed++;
		}
		h->size = UINT32_MAX;
		feed(f, record, sizeof(record));
		malformed++;
	}
	assert_counts(f, 0, malformed, 0);
	assert_null(processes_first(f->o.processes));
}

static void an_unknown_type_is_malformed(void **state)
{
	static const uint32_t types[] = { 0, EV_OOM + 1, 99, 0x80000000, UINT32_MAX };
	struct fixture *f = *state;
	char record[1024] = {};
	struct event_header *h = (struct event_header *)record;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		h->type = types[i];
		h->size = 64;
		feed(f, record, 64);
	}
	assert_counts(f, 0, 5, 0);
	feed(f, record, 0);
	assert_counts(f, 0, 6, 0);
	assert_null(processes_first(f->o.processes));
}

static void the_right_size_of_every_type_is_recorded(void **state)
{
	struct fixture *f = *state;
	char record[1024] = {};

	joins(f, EV_PROCESS, 10, 0, "a"); /* so that there is one to choose for the OOM killer */
	for (size_t i = 0; i < KINDS; i++) {
		uint32_t type = kinds[(i + KINDS - 1) % KINDS].type; /* the exit is not the first */
		struct event_header h = header(type, type == EV_OOM ? 10 : 20 + i);

		memcpy(record, &h, sizeof(h));
		feed(f, record, h.size);
	}
	assert_counts(f, 1 + KINDS, 0, 0);
}

static void what_comes_after_the_end_is_late(void **state)
{
	struct fixture *f = *state;
	struct oom_event oom = { .h = header(EV_OOM, 10) };
	struct process *p;

	joins(f, EV_PROCESS, 10, 0, "a");
	exits(f, 10, 0);
	p = processes_find(f->o.processes, 10, 7);
	joins(f, EV_PROCESS, 10, 1, "late");
	joins(f, EV_EXEC, 10, 1, "late");
	exits(f, 10, 9);
	feed(f, &oom, sizeof(oom));
	assert_counts(f, 2, 0, 4);
	assert_string_equal(p->name, "a"); /* nothing of it has changed */
	assert_false(p->root);
	assert_false(p->oom);
	assert_int_equal(p->end, END_EXITED);
	assert_int_equal(p->status, 0);
	assert_int_equal(f->s.root_exec_ns, 0);
	assert_int_equal(processes_seen(f->o.processes), 1);
}

/* Moved out of the cgroup, and in again: one process, and its faults count once. */
static void one_that_left_may_come_back(void **state)
{
	struct fixture *f = *state;
	struct exit_event left = { .h = header(EV_EXIT, 10), .minor_faults = 5 };
	uint64_t minor, major;
	struct process *p;

	left.h.type = EV_LEAVE;
	joins(f, EV_PROCESS, 10, ROOT_FOUND, "a");
	p = processes_find(f->o.processes, 10, 7);
	for (int i = 0; i < 3; i++) {
		feed(f, &left, sizeof(left));
		assert_int_equal(p->end, END_LEFT);
		assert_int_equal(processes_alive(f->o.processes), 0);
		joins(f, EV_PROCESS, 10, ROOT_FOUND, "a");
		assert_int_equal(p->end, END_RUNNING);
		assert_int_equal(processes_alive(f->o.processes), 1);
	}
	processes_ended_faults(f->o.processes, &minor, &major);
	assert_int_equal(minor, 0);
	assert_int_equal(processes_seen(f->o.processes), 1);
	assert_counts(f, 7, 0, 0);
}

/* An address space may end after its process: that is no lateness. */
static void an_image_may_end_after_its_process(void **state)
{
	struct fixture *f = *state;
	struct image_event e = { .h = header(EV_IMAGE_END, 10) };

	joins(f, EV_PROCESS, 10, 0, "a");
	exits(f, 10, 0);
	feed(f, &e, sizeof(e));
	assert_counts(f, 3, 0, 0);
}

static void the_end_of_an_unknown_process_is_recorded(void **state)
{
	struct fixture *f = *state;
	struct process *p;

	exits(f, 10, 2 << 8); /* its beginning was lost */
	assert_counts(f, 1, 0, 0);
	p = processes_find(f->o.processes, 10, 7);
	assert_non_null(p);
	assert_int_equal(p->pid, 100010);
	assert_int_equal(p->end, END_EXITED);
	assert_int_equal(processes_seen(f->o.processes), 1);
	assert_int_equal(processes_alive(f->o.processes), 0);
}

static void the_oom_killer_is_told_from_a_signal(void **state)
{
	struct fixture *f = *state;
	struct oom_event oom = { .h = header(EV_OOM, 10) }, stranger = { .h = header(EV_OOM, 99) };

	joins(f, EV_PROCESS, 10, 0, "a");
	joins(f, EV_PROCESS, 11, 0, "b");
	joins(f, EV_PROCESS, 12, 0, "c");
	feed(f, &oom, sizeof(oom));
	oom.h.tgid = 12;
	feed(f, &oom, sizeof(oom));
	exits(f, 10, 9);
	exits(f, 11, 9);
	exits(f, 12, 0); /* it was quicker */
	assert_int_equal(processes_find(f->o.processes, 10, 7)->end, END_OOM);
	assert_int_equal(processes_find(f->o.processes, 11, 7)->end, END_SIGNAL);
	assert_int_equal(processes_find(f->o.processes, 12, 7)->end, END_EXITED);
	feed(f, &stranger, sizeof(stranger));
	assert_counts(f, 8, 0, 1);
	assert_null(processes_find(f->o.processes, 99, 7));
}

static void a_pid_that_is_used_again_is_another_process(void **state)
{
	struct fixture *f = *state;
	struct process_event e = { .h = header(EV_PROCESS, 10) };

	joins(f, EV_PROCESS, 10, 0, "a");
	exits(f, 10, 0);
	e.h.start_ns = 8;
	feed(f, &e, sizeof(e));
	assert_counts(f, 3, 0, 0);
	assert_int_equal(processes_alive(f->o.processes), 1);
	assert_int_equal(processes_seen(f->o.processes), 2);
}

static void an_exit_that_was_never_told_is_found_after_two_ticks(void **state)
{
	struct fixture *f = *state;
	struct process *gone, *alive;

	f->o.tick = 5;
	joins(f, EV_PROCESS, 10, 0, "gone");
	joins(f, EV_PROCESS, 11, 0, "alive");
	gone = processes_find(f->o.processes, 10, 7);
	alive = processes_find(f->o.processes, 11, 7);
	stream_forget(&f->s, 2);
	f->o.tick = alive->last_tick = 6;
	stream_forget(&f->s, 2);
	assert_int_equal(f->s.exits_forgotten, 0);
	assert_int_equal(gone->end, END_RUNNING); /* one tick may have missed it */
	f->o.tick = alive->last_tick = 7;
	f->o.tick_ns = 77000;
	stream_forget(&f->s, 2);
	assert_int_equal(f->s.exits_forgotten, 1);
	assert_int_equal(gone->end, END_UNKNOWN);
	assert_int_equal(gone->end_ns, 77000);
	assert_int_equal(alive->end, END_RUNNING);
	stream_forget(&f->s, 2); /* once */
	assert_int_equal(f->s.exits_forgotten, 1);
	exits(f, 10, 0); /* it was only slow */
	assert_counts(f, 2, 0, 1);
	assert_int_equal(gone->end, END_UNKNOWN);
}

/* many are found gone at once, while the table is walked */
static void many_exits_may_be_forgotten_at_once(void **state)
{
	struct fixture *f = *state;

	f->o.tick = 1;
	for (uint32_t i = 1; i <= 3000; i++)
		joins(f, EV_PROCESS, i, 0, "p");
	f->o.tick = 3;
	stream_forget(&f->s, 2);
	assert_int_equal(f->s.exits_forgotten, 3000);
	assert_int_equal(processes_alive(f->o.processes), 0);
}

static void ended_processes_are_trimmed_while_records_come(void **state)
{
	struct fixture *f = *state;
	size_t listed = 0;

	for (uint32_t i = 1; i <= 5000; i++) {
		joins(f, EV_PROCESS, i, i == 1, "p");
		exits(f, i, 0);
	}
	for (struct process *p = processes_first(f->o.processes); p; p = p->hh.next)
		listed++;
	assert_true(listed <= 1024 + 1);
	assert_int_equal(processes_omitted(f->o.processes)->count, 5000 - listed);
	assert_non_null(processes_find(f->o.processes, 1, 7)); /* the root */
	assert_counts(f, 10000, 0, 0);
}

static void samples_go_to_every_collector(void **state)
{
	struct fixture *f = *state;
	struct thread_sample s = { .h = { SAMPLE_THREAD, sizeof(s) } };

	stream_sample(&f->s, &s, sizeof(s));
	stream_sample(&f->s, &s, sizeof(s));
	assert_int_equal(passed_samples, 2);
	assert_counts(f, 0, 0, 0);
}

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

/* Fills a record with random bytes, then makes it look like one of ours, more or less. Returns its
 * length; *ret_whole: type and both lengths fit. */
static size_t fuzz_record(uint64_t *seed, uint64_t *words, bool *ret_whole)
{
	size_t kind = next(seed) % KINDS, bytes = kinds[kind].bytes;
	struct event_header *h = (struct event_header *)words;

	for (size_t i = 0; i < 16; i++)
		words[i] = next(seed);
	*ret_whole = true;
	h->type = kinds[kind].type;
	h->size = bytes;
	h->tgid = 1 + next(seed) % 5000;
	h->start_ns = next(seed) % 3;
	if (kinds[kind].bytes == sizeof(struct process_event)) /* roots are few: never dropped */
		((struct process_event *)words)->root = next(seed) % 1000 == 0;
	switch (next(seed) % 8) {
	case 0:
		h->type = next(seed) % 2 ? next(seed) >> 32 | 8 : 0;
		*ret_whole = false;
		break;
	case 1:
		h->size += 1 + next(seed) % 1000;
		*ret_whole = false;
		break;
	case 2:
		bytes = next(seed) % bytes;
		*ret_whole = false;
		break;
	}
	return bytes;
}

static void fuzz_tick(struct fixture *f, uint64_t *seed)
{
	struct task_sample task = { .h = { SAMPLE_TASK, sizeof(task) } };

	f->o.tick++;
	f->o.tick_ns += 1000;
	task.time_ns = f->o.tick_ns;
	task.rss_bytes = next(seed) >> 20;
	task.interval_peak_bytes = next(seed) >> 20;
	task.interval_peak_ns = next(seed);
	stream_sample(&f->s, &task, sizeof(task));
	for (int i = 0; i < 50; i++) {
		struct process_sample p;
		uint64_t *word = (uint64_t *)&p;

		for (size_t k = 0; k < sizeof(p) / sizeof(*word); k++)
			word[k] = next(seed) >> 20;
		p.h = (struct sample_header){ next(seed) % 4, sizeof(p) };
		p.tgid = 1 + next(seed) % 5000;
		p.start_ns = next(seed) % 3;
		p.pid = 0x7fff0000;
		p.image = next(seed) % 40;
		memset(p.name, 0xff, sizeof(p.name));
		stream_sample(&f->s, &p, sizeof(p));
	}
	assert_int_equal(memory_tick(f->s.selves[2]), 0);
	stream_forget(&f->s, 2);
}

static void assert_table_adds_up(const struct fixture *f)
{
	size_t listed = 0, alive = 0;

	for (struct process *p = processes_first(f->o.processes); p; p = p->hh.next) {
		listed++;
		alive += p->end == END_RUNNING;
		assert_true(memchr(p->name, 0, sizeof(p->name)));
	}
	assert_int_equal(alive, processes_alive(f->o.processes));
	assert_int_equal(listed + processes_omitted(f->o.processes)->count,
			 processes_seen(f->o.processes));
}

/* Nothing that can stand in the ring does harm, and every record is counted in one place. */
static void any_bytes_are_survived_and_counted(void **state)
{
	static const struct collector memory = MEMORY_COLLECTOR;
	struct fixture *f = *state;
	uint64_t words[128], seed = 0x7a5cd1a6, malformed = 0;
	json_t *limits = json_array(), *o;
	char *text;

	f->o.event_driven = true;
	f->o.interval_ns = 1000;
	f->s.collectors[2] = &memory;
	f->s.selves[2] = memory_new(&f->o);
	assert_non_null(f->s.selves[2]);
	for (uint64_t fed = 1; fed <= FUZZ_RECORDS; fed++) {
		bool whole;
		size_t bytes = fuzz_record(&seed, words, &whole);

		feed(f, words, bytes);
		malformed += !whole;
		if (f->s.recorded + f->s.malformed + f->s.late != fed)
			fail_msg("record %llu was counted twice or not at all",
				 (unsigned long long)fed);
		if (fed % 1000 == 0)
			fuzz_tick(f, &seed);
	}
	assert_int_equal(f->s.malformed, malformed);
	assert_int_equal(f->s.recorded, passed_records);
	assert_true(f->s.recorded > FUZZ_RECORDS / 10 && f->s.late > 1000);
	assert_table_adds_up(f);
	memory_totals(f->s.selves[2], 1, 1, 1);
	o = memory_manifest(f->s.selves[2], limits);
	text = o ? json_dumps(o, 0) : NULL;
	assert_non_null(text);
	free(text);
	json_decref(o);
	json_decref(limits);
	memory_free(f->s.selves[2]);
}

/* Not even the type and the sizes are ours. */
static void pure_noise_is_malformed(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 99, words[16];

	for (int i = 0; i < 20000; i++) {
		for (size_t k = 0; k < 16; k++)
			words[k] = next(&seed);
		feed(f, words, next(&seed) % (sizeof(words) + 1));
	}
	assert_counts(f, 0, 20000, 0);
}

int main(void)
{
#define fresh(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		fresh(a_process_is_what_its_records_say),
		fresh(a_name_is_terminated_whatever_comes),
		fresh(the_first_exec_of_a_root_is_time_zero),
		fresh(a_wrong_size_is_malformed),
		fresh(an_unknown_type_is_malformed),
		fresh(the_right_size_of_every_type_is_recorded),
		fresh(what_comes_after_the_end_is_late),
		fresh(one_that_left_may_come_back),
		fresh(an_image_may_end_after_its_process),
		fresh(the_end_of_an_unknown_process_is_recorded),
		fresh(the_oom_killer_is_told_from_a_signal),
		fresh(a_pid_that_is_used_again_is_another_process),
		fresh(an_exit_that_was_never_told_is_found_after_two_ticks),
		fresh(many_exits_may_be_forgotten_at_once),
		fresh(ended_processes_are_trimmed_while_records_come),
		fresh(samples_go_to_every_collector),
		fresh(any_bytes_are_survived_and_counted),
		fresh(pure_noise_is_malformed),
	};

	return cmocka_run_group_tests_name("session/stream", tests, NULL, NULL);
}
