/* unwind_unwinder_test.c - a live process that maps, unmaps, forks and executes; oracle:
 * /proc/PID/maps. Needs root and BPF maps; without, it says so and is skipped. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "unwind/unwinder.h"

#define START_NS 12345 /* any number: nobody asks the kernel */
#define PATIENCE_NS (60 * NS_PER_S)

struct fixture {
	struct unwinder *u;
	struct inspect *inspect;
	struct unwinder_maps maps;
	uint32_t execs; /* of the child, as the kernel would count them */
	pid_t child;
	int to, from; /* pipes */
};

/*
 * The child: one letter, one deed, one letter back.
 */

static void __attribute__((noinline)) child_level_two(int in, int out)
{
	static void *library, *code;
	char letter;
	pid_t pid;

	while (read(in, &letter, 1) == 1) {
		if (letter == 'o')
			library = dlopen("libpthread.so.0", RTLD_NOW)
				      ? dlopen("libutil.so.1", RTLD_NOW)
				      : NULL;
		if (letter == 'c')
			dlclose(library);
		if (letter == 'j')
			code = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
				    -1, 0);
		if (letter == 'u')
			munmap(code, 8192);
		if (letter == 'f') {
			pid = fork();
			if (!pid)
				for (;;)
					pause();
			if (write(out, &pid, sizeof(pid)) != sizeof(pid))
				_exit(1);
		}
		if (letter == 'x')
			execl("/proc/self/exe", "child", "child", NULL);
		if (write(out, &letter, 1) != 1)
			_exit(1);
	}
	__asm__ volatile(""); /* not a tail call */
}

static int __attribute__((noinline)) child_level_one(void)
{
	char letter = 'r';

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(4, &letter, 1) != 1)
		return 1;
	child_level_two(3, 4);
	__asm__ volatile("");
	return 0;
}

static void answer_of(struct fixture *f, char expected)
{
	char letter = 0;

	assert_int_equal(read(f->from, &letter, 1), 1);
	assert_int_equal(letter, expected);
}

static void ask(struct fixture *f, char letter)
{
	assert_int_equal(write(f->to, &letter, 1), 1);
	answer_of(f, letter == 'x' ? 'r' : letter);
}

static void child_start(struct fixture *f)
{
	int to[2], from[2], in, out;

	assert_int_equal(pipe(to) | pipe(from), 0);
	f->child = fork();
	if (!f->child) {
		/* by way of copies: the pipes may be 3 and 4 themselves, or the other way round */
		in = fcntl(to[0], F_DUPFD, 5);
		out = fcntl(from[1], F_DUPFD, 5);
		dup2(in, 3);
		dup2(out, 4);
		close_range(5, ~0U, 0);
		execl("/proc/self/exe", "child", "child", NULL);
		_exit(1);
	}
	close(to[0]);
	close(from[1]);
	f->to = to[1];
	f->from = from[0];
	answer_of(f, 'r');
}

static int execs(void *context, uint32_t tgid, uint64_t start_ns, uint32_t *ret)
{
	struct fixture *f = context;

	if (start_ns != START_NS)
		return -ESRCH;
	*ret = (pid_t)tgid == f->child ? f->execs : 0;
	return 0;
}

static int maps_make(struct unwinder_maps *maps)
{
	LIBBPF_OPTS(bpf_map_create_opts, mapped, .map_flags = BPF_F_MMAPABLE);
	LIBBPF_OPTS(bpf_map_create_opts, outer);
	LIBBPF_OPTS(bpf_map_create_opts, hash, .map_flags = BPF_F_NO_PREALLOC);
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "inner", 4, CHUNK_WORDS * 8, 1, &mapped);

	if (inner < 0)
		return inner;
	outer.inner_map_fd = inner;
	maps->chunks =
	    bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "chunks", 4, 4, CHUNKS_MAX, &outer);
	maps->mappings = bpf_map_create(BPF_MAP_TYPE_ARRAY, "mappings", 4, sizeof(struct mapping),
					MAPPINGS_MAX, &mapped);
	maps->processes = bpf_map_create(BPF_MAP_TYPE_HASH, "processes", 4,
					 sizeof(struct unwind_process), 65536, &hash);
	close(inner);
	return maps->chunks < 0 || maps->mappings < 0 || maps->processes < 0 ? -EPERM : 0;
}

static int setup_with(void **state, const char *cache)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct unwinder_config config = { .follow_children = true, .execs = execs, .context = f };
	struct problem problem = {};

	assert_non_null(f);
	*state = f;
	f->maps.chunks = f->maps.mappings = f->maps.processes = f->maps.pythons = -1;
	f->to = f->from = -1;
	if (geteuid() || maps_make(&f->maps)) {
		print_message("no root, or no BPF maps: not tested here\n");
		return 0;
	}
	assert_int_equal(inspect_new(NULL, &f->inspect), 0);
	config.maps = f->maps;
	config.inspect = f->inspect;
	config.cache = cache;
	config.cache_bytes = 64 << 20;
	if (unwinder_new(&config, &f->u, &problem)) {
		print_message("%s: not tested here\n", problem.text);
		return 0;
	}
	child_start(f);
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, NULL);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->child) {
		kill(f->child, SIGKILL);
		waitpid(f->child, NULL, 0);
	}
	inspect_free(f->inspect);
	unwinder_free(f->u);
	close(f->maps.chunks);
	close(f->maps.mappings);
	close(f->maps.processes);
	close(f->to);
	close(f->from);
	free(f);
	return 0;
}

static void settle(struct fixture *f)
{
	assert_int_equal(unwinder_settle(f->u, PATIENCE_NS), 0);
}

static void assert_line(struct fixture *f, pid_t pid, uint64_t start, uint64_t end,
			const char *path)
{
	for (uint64_t at = start;; at = end - 1) {
		struct mapping m;

		if (!unwinder_find(f->u, pid, at, &m))
			fail_msg("%s at %lx is not known", path, at);
		assert_true(m.start <= at && at - m.start < m.length);
		assert_true(m.start >= start || !m.file);
		assert_int_not_equal(m.kind, MAPPING_PENDING);
		if (*path == '/' && unwinder_file(f->u, m.file))
			assert_string_equal(unwinder_file(f->u, m.file)->path, path);
		else
			assert_int_not_equal(*path, '/');
		if (at == end - 1)
			return;
	}
}

/* Every executable mapping of the process is known; returns how many. */
static int assert_as_maps(struct fixture *f, pid_t pid)
{
	_cleanup_fclose_ FILE *maps = NULL;
	char path[64], line[4096], flags[8], name[4096];
	uint64_t start, end;
	int count = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		name[0] = '\0';
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %4095[^\n]", &start, &end, flags, name) <
			3 ||
		    flags[2] != 'x' || !strcmp(name, "[vsyscall]"))
			continue;
		assert_line(f, pid, start, end, name);
		count++;
	}
	return count;
}

/* What programs of the kernel would find. */
static struct unwind_process shown(struct fixture *f, uint32_t tgid)
{
	struct unwind_process p = {};

	assert_int_equal(bpf_map_lookup_elem(f->maps.processes, &tgid, &p), 0);
	return p;
}

static uint64_t address_of(pid_t pid, const char *part)
{
	_cleanup_fclose_ FILE *maps = NULL;
	char path[64], line[4096], flags[8];
	uint64_t start;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, part) && sscanf(line, "%lx-%*x %7s", &start, flags) == 2 &&
		    flags[2] == 'x')
			return start;
	return 0;
}

static void an_adopted_process_is_read(void **state)
{
	struct fixture *f = *state;
	struct unwind_process p;
	struct unwinder_stats stats;
	struct mapping m;
	int count;

	if (!f->u)
		skip();
	assert_int_equal(unwinder_process(f->u, f->child, f->child, START_NS, true), 0);
	settle(f);
	count = assert_as_maps(f, f->child);
	assert_true(count > 4);
	p = shown(f, f->child);
	assert_int_equal(p.start_ns, START_NS);
	assert_int_equal(p.execs, 0);
	assert_true(p.count >= (uint32_t)count);
	unwinder_stats(f->u, &stats);
	assert_int_equal(stats.files_without_rows, 0);
	assert_int_equal(stats.rescans, 1);
	assert_true(stats.rows > 10000 && stats.chunks >= 1);
	/* its libc has rows, and so has the vdso */
	assert_true(unwinder_find(f->u, f->child, address_of(f->child, "libc.so"), &m));
	assert_int_equal(m.kind, MAPPING_ROWS);
	assert_true(unwinder_file(f->u, m.file)->fd >= 0);
	assert_true(unwinder_file(f->u, m.file)->build_id_bytes > 0);
	assert_true(unwinder_find(f->u, f->child, address_of(f->child, "[vdso]"), &m));
	assert_int_equal(m.kind, MAPPING_ROWS);
	assert_false(unwinder_find(f->u, f->child, 0x1000, &m));
	assert_false(unwinder_find(f->u, f->child + 1, address_of(f->child, "libc.so"), &m));
}

static void mappings_come_and_go(void **state)
{
	struct fixture *f = *state;
	struct unwinder_stats before, after;
	uint64_t library;
	struct mapping m;

	if (!f->u)
		skip();
	assert_int_equal(unwinder_process(f->u, f->child, f->child, START_NS, true), 0);
	settle(f);
	unwinder_stats(f->u, &before);
	ask(f, 'o');
	ask(f, 'j');
	settle(f);
	library = address_of(f->child, "libutil");
	assert_true(library);
	assert_as_maps(f, f->child);
	unwinder_stats(f->u, &after);
	assert_int_equal(after.rescans, before.rescans); /* the side-band has told */
	ask(f, 'c');
	ask(f, 'u');
	assert_int_equal(address_of(f->child, "libutil"), 0);
	unwinder_rescan(f->u, f->child);
	settle(f);
	assert_false(unwinder_find(f->u, f->child, library, &m));
	assert_as_maps(f, f->child);
	unwinder_stats(f->u, &after);
	assert_int_equal(after.rescans, before.rescans + 1);
}

static void a_forked_child_shares_and_an_exec_starts_anew(void **state)
{
	struct fixture *f = *state;
	struct unwind_process parent, child;
	struct unwinder_stats before, after;
	pid_t pid;

	if (!f->u)
		skip();
	assert_int_equal(unwinder_process(f->u, f->child, f->child, START_NS, true), 0);
	settle(f);
	unwinder_stats(f->u, &before);
	assert_int_equal(write(f->to, "f", 1), 1);
	assert_int_equal(read(f->from, &pid, sizeof(pid)), sizeof(pid));
	answer_of(f, 'f');
	assert_int_equal(unwinder_process(f->u, pid, pid, START_NS, false), 0);
	settle(f);
	parent = shown(f, f->child);
	child = shown(f, pid);
	assert_int_equal(child.first, parent.first);
	assert_int_equal(child.count, parent.count);
	assert_as_maps(f, pid);

	ask(f, 'x');
	f->execs++;
	settle(f);
	assert_as_maps(f, f->child);
	assert_as_maps(f, pid); /* still what it was */
	parent = shown(f, f->child);
	assert_int_equal(parent.execs, 1);
	assert_int_not_equal(parent.first, child.first);
	unwinder_stats(f->u, &after);
	assert_int_equal(after.rescans, before.rescans);

	unwinder_exit(f->u, pid, START_NS);
	assert_int_equal(bpf_map_lookup_elem(f->maps.processes, &pid, &child), -ENOENT);
	kill(pid, SIGKILL);
}

static struct unwind_registers registers_of(pid_t pid)
{
	struct user_regs_struct r;
	int status;

	assert_int_equal(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
	assert_int_equal(waitpid(pid, &status, __WALL), pid);
	assert_int_equal(ptrace(PTRACE_GETREGS, pid, 0, &r), 0);
	assert_int_equal(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
	return (struct unwind_registers){ .pc = r.rip, .sp = r.rsp, .bp = r.rbp, .bx = r.rbx };
}

static uint64_t in_file(const void *function)
{
	Dl_info info;

	assert_int_not_equal(dladdr(function, &info), 0);
	return (uintptr_t)function - (uintptr_t)info.dli_fbase;
}

static void no_code(void *context, const struct code_event *code, size_t bytes)
{
	(void)context;
	(void)code;
	(void)bytes;
	fail();
}

/* The test itself is the child's program: the oracle is where its functions are. */
static void a_waiting_thread_is_walked_from_outside(void **state)
{
	struct fixture *f = *state;
	struct unwind_registers registers;
	uint64_t frames[FRAMES_MAX];
	uint64_t two = in_file(child_level_two), one = in_file(child_level_one);
	size_t count = 0, at = 0;

	if (!f->u)
		skip();
	assert_int_equal(unwinder_process(f->u, f->child, f->child, START_NS, true), 0);
	settle(f);
	registers = registers_of(f->child);
	assert_int_equal(
	    unwinder_outside(f->u, f->child, f->child, &registers, no_code, NULL, frames, &count),
	    UNWIND_COMPLETE);
	assert_in_range(count, 5, 12);
	while (at < count && FRAME_ADDRESS(frames[at]) - two >= one - two)
		at++;
	assert_true(at + 2 < count);
	assert_true(strstr(unwinder_file(f->u, FRAME_FILE(frames[0]))->path, "/lib"));
	assert_in_range(FRAME_ADDRESS(frames[at + 1]), one, one + 400);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(frames[i] & FRAME_HEURISTIC, 0);
}

static void a_second_run_takes_its_tables_from_the_cache(void **state)
{
	char cache[] = "/tmp/unwind-cache-XXXXXX", command[64];
	struct unwinder_stats stats;
	struct fixture *f = *state;
	struct unwind_process p;
	uint64_t rows = 0;

	if (!f->u)
		skip();
	assert_non_null(mkdtemp(cache));
	for (int run = 0; run < 2; run++) {
		void *other;

		setup_with(&other, cache);
		f = other;
		assert_int_equal(unwinder_process(f->u, f->child, f->child, START_NS, true), 0);
		settle(f);
		assert_as_maps(f, f->child);
		unwinder_stats(f->u, &stats);
		p = shown(f, f->child);
		assert_true(p.count > 4);
		if (run == 0)
			rows = stats.rows;
		/* the test itself has no build-id, perhaps; and the vdso is not kept */
		assert_in_range(run ? stats.cache_hits : stats.cache_misses, stats.files - 2,
				stats.files);
		assert_int_equal(stats.rows, rows);
		teardown(&other);
	}
	snprintf(command, sizeof(command), "rm -r %s", cache);
	assert_int_equal(system(command), 0);
}

/* Opens a library in the first run; in the second its rows stand before it is opened. */
static void what_a_program_mapped_last_time_is_loaded_ahead(void **state)
{
	char cache[] = "/tmp/unwind-cache-XXXXXX", command[64];
	struct unwinder_stats before, after, last = {};
	struct fixture *f = *state;

	if (!f->u)
		skip();
	assert_non_null(mkdtemp(cache));
	for (int run = 0; run < 2; run++) {
		void *other;

		setup_with(&other, cache);
		f = other;
		assert_int_equal(unwinder_process(f->u, f->child, f->child, START_NS, true), 0);
		settle(f);
		unwinder_stats(f->u, &before);
		ask(f, 'o');
		settle(f);
		assert_as_maps(f, f->child);
		assert_int_not_equal(address_of(f->child, "libutil"), 0);
		unwinder_stats(f->u, &after);
		assert_true(after.files > before.files);
		if (run == 0) {
			assert_true(after.rows > before.rows);
			last = after;
			teardown(&other);
			continue;
		}
		assert_int_equal(before.rows, last.rows);
		assert_int_equal(after.rows, last.rows); /* not loaded twice */
		assert_int_equal(after.table_bytes, before.table_bytes);
		assert_int_equal(after.files, last.files);
		assert_int_equal(after.cache_hits - before.cache_hits, after.files - before.files);
		teardown(&other);
	}
	snprintf(command, sizeof(command), "rm -r %s", cache);
	assert_int_equal(system(command), 0);
}

static void a_pipe_and_a_directory_are_no_files(void **state)
{
	struct unwinder_stats stats;
	struct fixture *f = *state;

	if (!f->u)
		skip();
	assert_int_equal(unwinder_process(f->u, f->child, f->child, START_NS, true), 0);
	settle(f);
	unwinder_stats(f->u, &stats);
	assert_null(unwinder_file(f->u, 0));
	assert_null(unwinder_file(f->u, stats.files + 1));
	for (uint32_t i = 1; i <= stats.files; i++) {
		const struct unwind_file *file = unwinder_file(f->u, i);
		struct stat st;

		assert_true(file->fd >= 0 && !fstat(file->fd, &st) && S_ISREG(st.st_mode));
		assert_int_equal(fcntl(file->fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		assert_true(file->text_first < file->text_end);
		assert_null(file->problem);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_adopted_process_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(mappings_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(a_forked_child_shares_and_an_exec_starts_anew,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_waiting_thread_is_walked_from_outside, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_second_run_takes_its_tables_from_the_cache, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_a_program_mapped_last_time_is_loaded_ahead,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_pipe_and_a_directory_are_no_files, setup,
						teardown),
	};

	if (argc > 1 && !strcmp(argv[1], "child"))
		return child_level_one();
	return cmocka_run_group_tests_name("unwind/unwinder", tests, NULL, NULL);
}
