/* make_profile.c - writes a profile with known totals in all four formats, for the other people's
 * tools that read them (see check_consumers):
 *
 *	make_profile DIR		the rich one: every cause, inlines, hostile names
 *	make_profile --large DIR	20,000 stacks in each of 300 slices: 6,000,000 samples
 *	make_profile --empty DIR	no mark at all
 *
 * Prints the total, as key=value lines, that each file must tell.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "artifact/profile_files.h"

#define PERIOD_NS 10101010 /* 99 Hz: no whole number of microseconds */
#define SLICE_NS 1000000000

static const struct profile_run run = {
	.start_utc_ns = 1700000000123456789,
	.duration_ns = 300000000000,
	.command = "./demo --title '<script>alert(1)</script>' \xe2\x80\xae\xff",
};

/* Each of them once as a function, a file, a thread. */
static const char *const hostile[] = {
	"semi;colon",
	"new\nline",
	"quote\"back\\slash'",
	"<script>alert(1)</script>",
	"bidi \xe2\x80\xae"
	"drow",
	"invalid \xff\xfe utf8 \xc3",
	"emoji \xf0\x9f\x94\xa5 fire",
	"ends in digits 42",
	" spaces  in  it ",
	"tab\tand\x1b[31mcolour\x01",
	"&amp;&lt;",
	"caf\xc3\xa9",
	"",
	"[self]",
	"a/b\\c:d,e|f{g}",
};
#define HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static uint32_t checked(uint32_t number)
{
	if (number != PROFILE_NONE)
		return number;
	fprintf(stderr, "make_profile: no memory\n");
	exit(1);
}

static void add(struct profile *p, uint32_t stack, uint32_t thread, uint32_t cause, uint32_t slice,
		uint64_t marks)
{
	if (profile_add(p, stack, thread, cause, slice, marks)) {
		fprintf(stderr, "make_profile: profile_add failed\n");
		exit(1);
	}
}

static uint32_t frame(struct profile *p, const char *name, const char *file, uint32_t line,
		      uint32_t mapping, uint64_t address, bool inlined)
{
	struct profile_frame f = { .name = name,
				   .file = file,
				   .line = line,
				   .mapping = mapping,
				   .address = address,
				   .inlined = inlined };

	return checked(profile_frame(p, &f));
}

static uint32_t thread(struct profile *p, uint32_t process, const char *name, uint32_t tid)
{
	struct profile_thread t = { .name = name, .process = process, .tid = tid };

	return checked(profile_thread(p, &t));
}

struct world {
	uint32_t program, library; /* mappings */
	uint32_t main_thread, worker, other;
	uint32_t cpu, lock, disk, queue;
	uint32_t root; /* stack */
};

static void make_world(struct profile *p, struct world *w)
{
	struct profile_mapping program = { .path = "/usr/bin/demo",
					   .build_id = "0123456789abcdef0123456789abcdef01234567",
					   .start = 0x400000,
					   .limit = 0x500000,
					   .offset = 0x1000,
					   .named = true };
	struct profile_mapping library = { .path = "/lib/libstripped.so",
					   .start = 0x7f0000000000,
					   .limit = 0x7f0000100000 };
	struct profile_process demo = { .name = "demo-100", .pid = 100 };
	struct profile_process helper = { .name = "help;er-101", .pid = 101 };
	uint32_t process = checked(profile_process(p, &demo));

	w->program = checked(profile_mapping(p, &program));
	w->library = checked(profile_mapping(p, &library));
	w->main_thread = thread(p, process, "demo", 100);
	w->worker = thread(p, process, "worker", 102);
	w->other = thread(p, checked(profile_process(p, &helper)), "help;er", 101);
	w->cpu = checked(profile_cause(p, "cpu", true));
	w->lock = checked(profile_cause(p, "[lock]", false));
	w->disk = checked(profile_cause(p, "[disk]", false));
	w->queue = checked(profile_cause(p, "[run queue]", false));
	w->root = checked(profile_stack(
	    p, PROFILE_NO_STACK, frame(p, "main", "/src/main.c", 12, w->program, 0x401000, false)));
}

/* main -> parse (outer) -> [inlined] middle -> [inlined] inner, and the same at another address */
static void add_inlined(struct profile *p, const struct world *w)
{
	for (uint64_t at = 0x402000; at <= 0x402010; at += 0x10) {
		uint32_t s = checked(profile_stack(
		    p, w->root, frame(p, "parse", "/src/parse.c", 40, w->program, at, false)));

		s = checked(profile_stack(
		    p, s, frame(p, "middle", "/src/parse.h", 7, w->program, at, true)));
		s = checked(profile_stack(
		    p, s, frame(p, "inner", "/src/parse.h", 3, w->program, at, true)));
		add(p, s, w->main_thread, w->cpu, 0, 7);
		add(p, s, w->worker, w->cpu, 2, 5);
	}
}

static void add_waits(struct profile *p, const struct world *w)
{
	uint32_t s = checked(profile_stack(
	    p, w->root,
	    frame(p, "libstripped.so+0x1f", NULL, 0, w->library, 0x7f000000001f, false)));
	uint32_t kernel =
	    checked(profile_stack(p, s, frame(p, "do_futex", NULL, 0, PROFILE_NONE, 0, false)));

	for (uint32_t slice = 0; slice < 10; slice++) {
		add(p, kernel, w->worker, w->lock, slice, slice + 1);
		add(p, s, w->other, w->disk, 9 - slice, 3);
		add(p, s, w->other, w->queue, slice, 1);
		add(p, s, w->other, w->cpu, slice, 2);
	}
	add(p, PROFILE_NO_STACK, w->worker, w->cpu, 4, 11); /* nothing could be walked */
	add(p, PROFILE_NO_STACK, w->worker, w->lock, 4, 13);
}

/* Two lines of py_work, each with the same call below it; a library of Python between own code. */
static void add_python(struct profile *p, const struct world *w)
{
	static const struct profile_frame frames[] = {
		{ "py_main", NULL, "/srv/app.py", 90, 80, PROFILE_NONE, .python = true },
		{ "py_work", NULL, "/srv/app.py", 14, 12, PROFILE_NONE, .python = true },
		{ "py_work", NULL, "/srv/app.py", 17, 12, PROFILE_NONE, .python = true },
		{ "py_load", NULL, "/usr/lib/python3.11/json/decoder.py", 337, 332, PROFILE_NONE,
		  .python = true },
		{ "py_scan", NULL, "/usr/lib/python3.11/json/scanner.py", 40, 35, PROFILE_NONE,
		  .python = true },
		{ "py_import", NULL, "<frozen importlib._bootstrap>", 1027, 1022, PROFILE_NONE,
		  .python = true },
	};
	uint32_t f[6], s;

	for (size_t i = 0; i < 6; i++)
		f[i] = checked(profile_frame(p, &frames[i]));
	s = checked(profile_stack(p, w->root, f[0]));
	for (uint32_t line = 1; line <= 2; line++) {
		uint32_t load =
		    checked(profile_stack(p, checked(profile_stack(p, s, f[line])), f[3]));

		add(p, load, w->other, w->cpu, line, 20);
		add(p, checked(profile_stack(p, load, f[4])), w->other, w->cpu, line, 4);
	}
	add(p, checked(profile_stack(p, s, f[1])), w->other, w->cpu, 1, 6);
	add(p, checked(profile_stack(p, s, f[5])), w->other, w->disk, 0, 3);
}

static void add_hostile(struct profile *p, const struct world *w)
{
	char *longest = calloc(1, 100001);
	uint32_t s = w->root;

	if (!longest)
		exit(1);
	memset(longest, 'x', 100000);
	for (size_t i = 0; i < HOSTILE; i++) {
		uint32_t t = thread(p, 0, hostile[i], 200 + (uint32_t)i);

		s = checked(
		    profile_stack(p, s,
				  frame(p, hostile[i], i % 2 ? hostile[HOSTILE - 1 - i] : NULL,
					(uint32_t)i, w->program, 0x403000 + i, false)));
		add(p, s, w->main_thread, i % 2 ? w->cpu : w->lock, (uint32_t)i, i + 1);
		add(p, s, t, w->cpu, 0, 1);
	}
	s = checked(profile_stack(p, w->root, frame(p, longest, longest, 1, w->program, 1, false)));
	add(p, s, w->main_thread, w->cpu, 1, 17);
	for (uint32_t i = 0; i < 300; i++)
		s = checked(profile_stack(
		    p, s, frame(p, "recurse", "/src/main.c", 99, w->program, 0x404000, false)));
	add(p, s, w->main_thread, w->cpu, 2, 19);
	free(longest);
}

/* 20,000 leaves under 200 callers, 20 frames deep */
static void make_large(struct profile *p, const struct world *w)
{
	uint32_t *leaves = calloc(20000, sizeof(*leaves));
	char name[64];

	if (!leaves)
		exit(1);
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t s = w->root;

		for (uint32_t d = 0; d < 19; d++) {
			uint32_t f = d < 18 ? i % 200 * 100 + d : 100000 + i;

			snprintf(name, sizeof(name), "some_function_number_%u", f);
			s = checked(profile_stack(
			    p, s,
			    frame(p, name, "/src/some.c", f, w->program, 0x401000 + f, false)));
		}
		leaves[i] = s;
	}
	for (uint32_t slice = 0; slice < 300; slice++)
		for (uint32_t i = 0; i < 20000; i++)
			add(p, leaves[i], i % 3 ? w->worker : w->main_thread,
			    i % 2 ? w->cpu : w->lock, slice, 1 + i % 4);
	free(leaves);
}

static const struct {
	const char *name;
	profile_write_fn *write;
} files[] = {
	{ "profile.folded", profile_write_folded },
	{ "profile.pb.gz", profile_write_pprof },
	{ "profile.speedscope.json", profile_write_speedscope },
	{ "profile.pyisession", profile_write_pyisession },
};

static void told(const char *what)
{
	struct rusage usage;
	struct timespec now;

	getrusage(RUSAGE_SELF, &usage);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	fprintf(stderr, "make_profile: %-24s %3ld.%03ld s CPU, %ld MiB peak so far\n", what,
		now.tv_sec, now.tv_nsec / 1000000, usage.ru_maxrss / 1024);
}

static void write_files(const struct profile *p, const char *dir)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[4096];
		FILE *out;
		int err;

		snprintf(path, sizeof(path), "%s/%s", dir, files[i].name);
		out = fopen(path, "we");
		err = out ? files[i].write(p, &run, out) : -errno;
		if (err || fclose(out)) {
			fprintf(stderr, "make_profile: %s: %s\n", path, strerror(-err));
			exit(1);
		}
		told(files[i].name);
	}
}

int main(int argc, char **argv)
{
	bool large = argc == 3 && !strcmp(argv[1], "--large");
	bool empty = argc == 3 && !strcmp(argv[1], "--empty");
	struct profile *p = profile_new(PERIOD_NS, SLICE_NS);
	uint64_t running = 0;
	struct world w;

	if (!p || (argc != 2 && !large && !empty)) {
		fprintf(stderr, "usage: make_profile [--large | --empty] DIR\n");
		return 2;
	}
	make_world(p, &w);
	if (large) {
		make_large(p, &w);
	} else if (!empty) {
		add_inlined(p, &w);
		add_waits(p, &w);
		add_python(p, &w);
		add_hostile(p, &w);
	}
	told("profile");
	for (uint32_t i = 0; i < profile_sample_count(p); i++)
		if (profile_sample_at(p, i)->cause == w.cpu)
			running += profile_sample_at(p, i)->marks;
	printf("marks=%" PRIu64 "\nrunning_marks=%" PRIu64 "\nperiod_ns=%d\nsamples=%zu\n",
	       profile_marks(p), running, PERIOD_NS, profile_sample_count(p));
	write_files(p, argv[argc - 1]);
	profile_free(p);
	return 0;
}
