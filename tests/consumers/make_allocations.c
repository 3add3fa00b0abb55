/* make_allocations.c - writes allocations with known totals in all formats, for the other people's
 * tools that read them (see check_allocations_*.py):
 *
 *	make_allocations DIR		the rich one: C and Python, two processes, hostile names
 *	make_allocations --large DIR	200,000 stacks, 24 frames deep
 *	make_allocations --deep DIR	two stacks of 2,000 frames
 *	make_allocations --empty DIR	no allocation at all
 *
 * Prints the totals, as key=value lines, that each file must tell. memray.bin is written once for
 * each format, as memray-11.bin and so on.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "artifact/allocations_files.h"

#define MIB (1ULL << 20)
#define MS 1000000ULL

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
	"a/b\\c:d,e|f{g}",
	"n0: 5 100% %s [bold]x[/bold]",
};
#define HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

struct world {
	struct allocations *a;
	struct profile *p;
	uint32_t program, library;	     /* mappings */
	uint32_t main_thread, worker, other; /* threads */
	uint32_t root;			     /* stack */
};

static uint32_t checked(uint32_t number)
{
	if (number != PROFILE_NONE)
		return number;
	fprintf(stderr, "make_allocations: no memory\n");
	exit(1);
}

static uint32_t call(struct world *w, uint32_t parent, const struct profile_frame *f)
{
	return checked(profile_stack(w->p, parent, checked(profile_frame(w->p, f))));
}

static uint32_t native(struct world *w, uint32_t parent, const char *name, const char *file,
		       uint32_t line, uint64_t address)
{
	return call(w, parent,
		    &(struct profile_frame){
			.name = name,
			.file = file,
			.line = line,
			.mapping = file ? w->program : w->library,
			.address = address,
		    });
}

static uint32_t python(struct world *w, uint32_t parent, const char *name, const char *file,
		       uint32_t line)
{
	return call(w, parent,
		    &(struct profile_frame){
			.name = name,
			.file = file,
			.line = line,
			.first_line = line - 1,
			.mapping = PROFILE_NONE,
			.python = true,
		    });
}

/* @peak, @leaked bytes; ever allocated is their sum and as much again, which was temporary. */
static void add(struct world *w, uint32_t stack, uint32_t thread, uint32_t allocator, uint64_t peak,
		uint64_t leaked)
{
	struct allocation_entry e = {
		.stack = stack,
		.thread = thread,
		.allocator = allocator,
		.peak = { peak, peak / 64 + !!peak },
		.leaked = { leaked, leaked / 64 + !!leaked },
		.allocated = { 2 * (peak + leaked), (peak + leaked) / 32 + 4 },
		.temporary = { peak + leaked, (peak + leaked) / 64 + 2 },
	};

	if (allocations_add(w->a, &e)) {
		fprintf(stderr, "make_allocations: allocations_add failed\n");
		exit(1);
	}
}

static uint32_t thread(struct world *w, uint32_t process, const char *name, uint32_t tid)
{
	struct profile_thread t = { .name = name, .process = process, .tid = tid };

	return checked(profile_thread(w->p, &t));
}

static void make_world(struct world *w)
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
	uint32_t process;

	w->p = allocations_tree(w->a);
	process = checked(profile_process(w->p, &demo));
	w->program = checked(profile_mapping(w->p, &program));
	w->library = checked(profile_mapping(w->p, &library));
	w->main_thread = thread(w, process, "demo", 100);
	w->worker = thread(w, process, "worker", 102);
	w->other = thread(w, checked(profile_process(w->p, &helper)), "help;er", 101);
	w->root = native(w, PROFILE_NO_STACK, "main", "/src/main.c", 12, 0x401000);
}

/* The same text at two addresses, an inlined function, every allocator, a stack that is lost. */
static void add_native(struct world *w)
{
	uint32_t s = native(w, w->root, "parse", "/src/parse.c", 40, 0x402000);
	uint32_t again = native(w, w->root, "parse", "/src/parse.c", 40, 0x402010);
	uint32_t inlined = call(w, s,
				&(struct profile_frame){
				    .name = "grow",
				    .file = "/src/parse.h",
				    .line = 7,
				    .mapping = w->program,
				    .address = 0x402000,
				    .inlined = true,
				});
	uint32_t stripped = native(w, s, "libstripped.so+0x1f", NULL, 0, 0x7f000000001f);

	add(w, inlined, w->main_thread, ALLOCATOR_MALLOC, 40 * MIB, 0);
	add(w, inlined, w->worker, ALLOCATOR_MALLOC, 8 * MIB + 1, 3 * MIB);
	add(w, again, w->main_thread, ALLOCATOR_MALLOC, 4 * MIB, 77);
	add(w, s, w->main_thread, ALLOCATOR_MALLOC, 1, 0);
	for (uint32_t i = 0; i < ALLOCATORS; i++)
		add(w, native(w, stripped, allocator_name(i), "/src/wrap.c", i, 0x402100 + i),
		    w->other, i, (i + 1) * 10007, i * 11);
	add(w, PROFILE_NO_STACK, w->worker, ALLOCATOR_MALLOC, 123457, 0);
	add(w, native(w, w->root, "temporary_only", "/src/main.c", 30, 0x403000), w->worker,
	    ALLOCATOR_MALLOC, 0, 0);
	add(w, native(w, w->root, "leak_only", "/src/main.c", 31, 0x403010), w->worker,
	    ALLOCATOR_CALLOC, 0, 5 * MIB);
}

static void add_python(struct world *w)
{
	uint32_t s = python(w, w->root, "<module>", "/srv/app.py", 90);
	uint32_t load = python(w, s, "load", "/usr/lib/python3.11/json/__init__.py", 293);

	for (uint32_t line = 14; line <= 17; line += 3)
		add(w, python(w, s, "work", "/srv/app.py", line), w->other, ALLOCATOR_MALLOC,
		    line * MIB, line);
	add(w, native(w, load, "PyList_New", NULL, 0, 0x7f0000000400), w->other, ALLOCATOR_MALLOC,
	    20 * MIB, 0);
	add(w, python(w, s, "Ωmega", "<string>", 1), w->other, ALLOCATOR_CALLOC, 3 * MIB, MIB);
}

static void add_hostile(struct world *w)
{
	char *longest = calloc(1, 100001);
	uint32_t s = w->root;

	if (!longest)
		exit(1);
	memset(longest, 'x', 100000);
	for (size_t i = 0; i < HOSTILE; i++) {
		uint32_t t = thread(w, 0, hostile[i], 200 + (uint32_t)i);

		s = native(w, s, hostile[i], i % 2 ? hostile[HOSTILE - 1 - i] : NULL, (uint32_t)i,
			   0x404000 + i);
		add(w, s, t, ALLOCATOR_MALLOC, 2 * MIB + i, i);
	}
	s = native(w, w->root, longest, longest, 1, 1);
	add(w, s, w->main_thread, ALLOCATOR_MALLOC, MIB, 0);
	for (uint32_t i = 0; i < 300; i++)
		s = native(w, s, "recurse", "/src/main.c", 99, 0x405000);
	add(w, s, w->main_thread, ALLOCATOR_MALLOC, 5 * MIB, 5);
	free(longest);
}

static void make_rich(struct world *w)
{
	add_native(w);
	add_python(w);
	add_hostile(w);
}

/* 200,000 leaves under 200 callers */
static void make_large(struct world *w)
{
	char name[64];

	for (uint32_t i = 0; i < 200000; i++) {
		uint32_t s = w->root;

		for (uint32_t d = 0; d < 22; d++) {
			uint32_t f = i % 200 * 100 + d;

			snprintf(name, sizeof(name), "some_function_number_%u", f);
			s = native(w, s, name, "/src/some.c", f, 0x401000 + f);
		}
		snprintf(name, sizeof(name), "leaf_%u", i);
		s = native(w, s, name, "/src/leaf.c", i, 0x801000 + i);
		add(w, s, i % 3 ? w->worker : w->main_thread, i % 3, 1000 + i % 777, i % 5);
	}
}

static void make_deep(struct world *w)
{
	uint32_t s = w->root;

	for (uint32_t i = 0; i < 2000; i++) {
		s = native(w, s, i % 2 ? "ping" : "pong", "/src/deep.c", i % 7, 0x401000 + i);
		if (i == 1000)
			add(w, s, w->worker, ALLOCATOR_MALLOC, MIB, 1);
	}
	add(w, s, w->main_thread, ALLOCATOR_MALLOC, 2 * MIB, 2);
}

static void make_empty(struct world *w)
{
	(void)w;
}

static const struct {
	const char *option; /* NULL: without one */
	void (*make)(struct world *w);
} kinds[] = {
	{ NULL, make_rich },
	{ "--large", make_large },
	{ "--deep", make_deep },
	{ "--empty", make_empty },
};

static const struct {
	const char *name;
	allocations_write_fn *write;
	unsigned memray_format;
} files[] = {
	{ "allocations.folded", allocations_write_folded, 0 },
	{ "allocations.pb.gz", allocations_write_pprof, 0 },
	{ "allocations.speedscope.json", allocations_write_speedscope, 0 },
	{ "memray-11.bin", allocations_write_memray, 11 },
	{ "memray-12.bin", allocations_write_memray, 12 },
	{ "memray-13.bin", allocations_write_memray, 13 },
	{ "massif.out", allocations_write_massif, 0 },
};

static void told(const char *what)
{
	struct rusage usage;
	struct timespec now;

	getrusage(RUSAGE_SELF, &usage);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	fprintf(stderr, "make_allocations: %-28s %3ld.%03ld s CPU, %ld MiB peak so far\n", what,
		now.tv_sec, now.tv_nsec / 1000000, usage.ru_maxrss / 1024);
}

static void write_files(const struct allocations *a, const char *dir)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct allocations_options options = { .memray_format = files[i].memray_format };
		char path[4096];
		FILE *out;
		int err;

		snprintf(path, sizeof(path), "%s/%s", dir, files[i].name);
		out = fopen(path, "we");
		err = out ? files[i].write(a, &options, out) : -errno;
		if (err || fclose(out)) {
			fprintf(stderr, "make_allocations: %s: %s\n", path, strerror(-err));
			exit(1);
		}
		told(files[i].name);
	}
}

/* The names are made first, with another record: the peak is told when this one is made. */
static struct allocations *make(void (*fill)(struct world *w), uint64_t peak_bytes)
{
	struct allocations_facts facts = {
		.exact = true,
		.peak_bytes = peak_bytes,
		.peak_ns = 2345 * MS,
		.start_utc_ns = 1700000000123456789,
		.duration_ns = 10000 * MS,
		.peak_rss_bytes = peak_bytes + 10 * MIB,
		.command = "./demo --title '<script>alert(1)</script>' #x \xe2\x80\xae\xff",
		.pid = 100,
		.python = true,
	};
	struct world w = { .a = allocations_new(&facts) };

	if (!w.a)
		exit(1);
	make_world(&w);
	fill(&w);
	for (uint64_t i = 0; i <= 10000; i += 10) {
		struct allocation_point p = {
			.time_ns = i * MS,
			.live_bytes = peak_bytes / 10001 * (10000 - i),
			.highest_bytes = peak_bytes / 10001 * (10001 - i),
			.rss_bytes = peak_bytes + 9 * MIB + i,
		};

		if (allocations_point(w.a, &p))
			exit(1);
	}
	return w.a;
}

/* What memray sees: pages as mmap. */
static void print_allocators(const struct allocations *a)
{
	uint64_t bytes[ALLOCATOR_MMAP + 1] = { 0 };

	for (size_t i = 0; i < allocations_count(a); i++) {
		const struct allocation_entry *e = allocations_at(a, i);

		bytes[e->allocator < ALLOCATOR_MMAP ? e->allocator : ALLOCATOR_MMAP] +=
		    e->peak.bytes;
	}
	for (unsigned i = 0; i <= ALLOCATOR_MMAP; i++)
		printf("by_%s=%" PRIu64 "\n", allocator_name(i), bytes[i]);
}

int main(int argc, char **argv)
{
	const char *option = argc == 3 ? argv[1] : NULL;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct allocations *a;
		struct allocation_entry sum;

		if ((argc != 2 && argc != 3) || !option != !kinds[i].option ||
		    (option && strcmp(option, kinds[i].option)))
			continue;
		a = make(kinds[i].make, 1);
		sum = allocations_sum(a);
		allocations_free(a);
		a = make(kinds[i].make, sum.peak.bytes);
		told("allocations");
		printf("peak_bytes=%" PRIu64 "\npeak_count=%" PRIu64 "\nleaked_bytes=%" PRIu64
		       "\nleaked_count=%" PRIu64 "\nallocated_bytes=%" PRIu64
		       "\nallocated_count=%" PRIu64 "\ntemporary_bytes=%" PRIu64
		       "\ntemporary_count=%" PRIu64 "\nentries=%zu\n",
		       sum.peak.bytes, sum.peak.count, sum.leaked.bytes, sum.leaked.count,
		       sum.allocated.bytes, sum.allocated.count, sum.temporary.bytes,
		       sum.temporary.count, allocations_count(a));
		print_allocators(a);
		write_files(a, argv[argc - 1]);
		allocations_free(a);
		return 0;
	}
	fprintf(stderr, "usage: make_allocations [--large | --deep | --empty] DIR\n");
	return 2;
}
