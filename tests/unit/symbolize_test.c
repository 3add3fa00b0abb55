/* symbolize_test.c - frames → names through the worker; oracles: nm, and the files laid out here.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "inspect/inspect.h"
#include "lib/cleanup.h"
#include "symbolize/debugfiles.h"
#include "symbolize/open_below.h"
#include "symbolize/perf_map_file.h"
#include "symbolize/symbolize.h"

#define MINUTE (60ull * 1000000000)
#define NAMES_MAX 64

static const char program[] = "static volatile int sink;\n"
			      "static inline __attribute__((always_inline)) void inlined(int x)\n"
			      "{\n"
			      "	sink += x;\n"
			      "}\n"
			      "static __attribute__((noinline)) int stays_local(int n)\n"
			      "{\n"
			      "	for (int i = 0; i < n; i++)\n"
			      "		inlined(i);\n"
			      "	return sink;\n"
			      "}\n"
			      "int main(int argc, char **argv)\n"
			      "{\n"
			      "	(void)argv;\n"
			      "	return stays_local(argc);\n"
			      "}\n";

static char directory[] = "/tmp/taskdiag-symbolize-XXXXXX";

/* What the symbolizer has told of one file. */
struct told {
	int calls;
	size_t file, count;
	char names[NAMES_MAX][512];
	char files[NAMES_MAX][512];
	struct symbolize_name raw[NAMES_MAX];
	char problem[512];
};

static void take(void *context, size_t file, const struct symbolize_name *names, size_t count,
		 const char *problem)
{
	struct told *t = context;

	t->calls++;
	t->file = file;
	t->count = count;
	assert_in_range(count, 0, NAMES_MAX);
	for (size_t i = 0; i < count; i++) {
		assert_non_null(names[i].name);
		t->raw[i] = names[i];
		snprintf(t->names[i], sizeof(t->names[i]), "%s", names[i].name);
		snprintf(t->files[i], sizeof(t->files[i]), "%s", names[i].file ?: "");
	}
	snprintf(t->problem, sizeof(t->problem), "%s", problem ?: "");
}

static int __attribute__((format(printf, 1, 2))) try(const char *format, ...)
{
	char *command = NULL, *whole = NULL;
	va_list arguments;
	int status;

	va_start(arguments, format);
	assert_true(vasprintf(&command, format, arguments) > 0);
	va_end(arguments);
	assert_true(asprintf(&whole, "set -e; cd %s; %s", directory, command) > 0);
	status = system(whole);
	free(command);
	free(whole);
	return status;
}

#define run(...) assert_int_equal(try(__VA_ARGS__), 0)

static const char *path_of(const char *name)
{
	static char paths[4][512];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static uint64_t symbol(const char *file, const char *name)
{
	char command[1024];
	uint64_t start = 0;
	FILE *f;

	snprintf(command, sizeof(command), "nm %s | awk '$3 == \"%s\" { print $1 }'", path_of(file),
		 name);
	f = popen(command, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%" SCNx64, &start), 1);
	pclose(f);
	return start;
}

/* root/: a task's root with a stripped program in /srv/app; its debug file lies outside. */
static void build(const char *flags)
{
	FILE *f = fopen(path_of("program.c"), "w");

	assert_true(f && fputs(program, f) >= 0 && !fclose(f));
	run("rm -rf root; mkdir -p root/srv/app root/tmp; gcc -O2 -g %s -o program program.c;"
	    "objcopy --only-keep-debug program app.debug; cp program root/srv/app/app;"
	    "strip root/srv/app/app; objcopy --add-gnu-debuglink=app.debug root/srv/app/app",
	    flags);
}

static struct told ask(const struct symbolize_options *options, const struct symbolize_file *file,
		       const uint64_t *addresses, size_t count)
{
	struct symbolizer *s = NULL;
	struct inspect *inspect = NULL;
	struct told told = { 0 };

	assert_int_equal(inspect_new(NULL, &inspect), 0);
	assert_int_equal(symbolizer_new(inspect, options, &s), 0);
	assert_int_equal(symbolizer_ask(s, 7, file, addresses, count, take, &told), 0);
	symbolizer_finish(s, MINUTE);
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.file, 7);
	symbolizer_free(s);
	inspect_free(inspect);
	return told;
}

static struct told ask_app(bool lines)
{
	const struct symbolize_options options = { .lines = lines };
	_cleanup_close_ int fd = open(path_of("root/srv/app/app"), O_RDONLY | O_CLOEXEC);
	const struct symbolize_file file = { .fd = fd,
					     .path = "/srv/app/app",
					     .root = path_of("root") };
	uint64_t address = symbol("program", "stays_local");

	assert_true(fd >= 0);
	return ask(&options, &file, &address, 1);
}

static void hex_id(char ret[128])
{
	FILE *f;
	char command[512];

	snprintf(command, sizeof(command), "readelf -n %s | awk '/Build ID/ { print $3 }'",
		 path_of("program"));
	f = popen(command, "r");
	assert_true(f && fscanf(f, "%127s", ret) == 1);
	pclose(f);
}

static void without_symbols_a_name_is_module_and_offset(void **state)
{
	struct told told;
	char wanted[64];

	(void)state;
	build("");
	told = ask_app(false);
	snprintf(wanted, sizeof(wanted), "app+0x%" PRIx64, symbol("program", "stays_local"));
	assert_int_equal(told.count, 1);
	assert_string_equal(told.names[0], wanted);
	assert_true(told.raw[0].unresolved);
	assert_string_equal(told.problem,
			    "1 of 1 addresses have no name: no symbol covers them, and "
			    "no debug file was found");
}

static void assert_found_at(const char *place)
{
	struct told told;

	run("mkdir -p $(dirname %s); cp app.debug %s", place, place);
	told = ask_app(false);
	assert_string_equal(told.names[0], "stays_local");
	assert_false(told.raw[0].unresolved);
	assert_string_equal(told.problem, "");
	run("rm %s", place);
}

static void debug_files_are_found_where_gdb_finds_them(void **state)
{
	char id[128], place[256];

	(void)state;
	build("");
	hex_id(id);
	snprintf(place, sizeof(place), "root/usr/lib/debug/.build-id/%.2s/%s.debug", id, id + 2);
	assert_found_at(place);
	assert_found_at("root/srv/app/app.debug");
	assert_found_at("root/srv/app/.debug/app.debug");
	assert_found_at("root/usr/lib/debug/srv/app/app.debug");
	build("-Wl,--build-id=none"); /* the link alone; its CRC decides */
	assert_found_at("root/srv/app/.debug/app.debug");
}

static void a_debug_file_on_the_host_serves_a_container(void **state)
{
	char id[128];
	struct told told;

	(void)state;
	build("");
	hex_id(id);
	if (try("mkdir -p /usr/lib/debug/.build-id/%.2s &&"
		"cp app.debug /usr/lib/debug/.build-id/%.2s/%s.debug 2>/dev/null",
		id, id, id + 2))
		skip(); /* not root */
	told = ask_app(false);
	run("rm /usr/lib/debug/.build-id/%.2s/%s.debug;"
	    "rmdir /usr/lib/debug/.build-id/%.2s 2>/dev/null || true",
	    id, id + 2, id);
	assert_string_equal(told.names[0], "stays_local");
}

static void a_debug_file_of_another_build_is_told(void **state)
{
	struct told told;

	(void)state;
	build("");
	run("gcc -O1 -g -DOTHER -o other program.c; objcopy --only-keep-debug other other.debug;"
	    "cp other.debug root/srv/app/app.debug");
	for (int i = 0; i < 2; i++) {
		told = ask_app(false);
		assert_true(told.raw[0].unresolved);
		assert_string_equal(told.problem,
				    "1 of 1 addresses have no name: a debug file of another build "
				    "was found and not used");
		/* one without a build-id is no better */
		run("objcopy --remove-section .note.gnu.build-id other.debug"
		    " root/srv/app/app.debug");
	}
	/* the right one is found behind it; the other is not worth a word then */
	run("mkdir root/srv/app/.debug; cp app.debug root/srv/app/.debug/app.debug");
	told = ask_app(false);
	assert_string_equal(told.names[0], "stays_local");
	assert_string_equal(told.problem, "");
}

static void lines_and_inlined_functions_come_innermost_first(void **state)
{
	struct told told;

	(void)state;
	build("");
	run("cp app.debug root/srv/app/app.debug");
	for (int i = 0; i < 2; i++) {
		const struct symbolize_options options = { .lines = i };
		_cleanup_close_ int fd = open(path_of("root/srv/app/app"), O_RDONLY | O_CLOEXEC);
		const struct symbolize_file file = { .fd = fd,
						     .path = "/srv/app/app",
						     .root = path_of("root") };
		uint64_t addresses[32], start = symbol("program", "stays_local");
		size_t inlined = 0;

		for (size_t k = 0; k < 32; k++)
			addresses[k] = start + k;
		told = ask(&options, &file, addresses, 32);
		assert_in_range(told.count, 32, NAMES_MAX);
		for (size_t k = 0; k < told.count; k++) {
			bool inner = !strcmp(told.names[k], "inlined");

			inlined += inner;
			assert_int_equal(told.raw[k].inlined, inner);
			if (!i)
				assert_string_equal(told.files[k], "");
			else
				assert_non_null(strstr(told.files[k], "program.c"));
			if (inner) {
				assert_int_equal(told.raw[k].line, 4);
				assert_string_equal(told.names[k + 1], "stays_local");
				assert_int_equal(told.raw[k + 1].line, 9);
				assert_int_equal(told.raw[k + 1].address, told.raw[k].address);
			}
		}
		assert_int_equal(inlined > 0, i);
	}
}

static void a_file_that_cannot_be_read_has_names_all_the_same(void **state)
{
	static const uint64_t addresses[] = { 0x10, 0x1f };
	const struct symbolize_options options = { 0 };
	struct symbolize_file file = { .fd = -1, .path = "/usr/bin/app", .root = "" };
	struct told told;

	(void)state;
	told = ask(&options, &file, addresses, 2);
	assert_int_equal(told.count, 2);
	assert_string_equal(told.names[0], "app+0x10");
	assert_string_equal(told.names[1], "app+0x1f");
	assert_int_equal(told.raw[1].address, 1);
	assert_string_equal(told.problem,
			    "2 of 2 addresses have no name: the file could not be read");
	file.path = "[vdso]";
	told = ask(&options, &file, addresses, 1);
	assert_string_equal(told.names[0], "[vdso]+0x10");
	file.path = NULL;
	told = ask(&options, &file, addresses, 1);
	assert_string_equal(told.names[0], "[unknown]+0x10");
	file.path = "/a/";
	told = ask(&options, &file, addresses, 0);
	assert_int_equal(told.count, 0);
	/* no ELF file at all */
	file.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	file.path = "/x/maps";
	told = ask(&options, &file, addresses, 2);
	close(file.fd);
	assert_string_equal(told.names[1], "maps+0x1f");
	assert_non_null(strstr(told.problem, "2 of 2 addresses have no name: "));
}

static void a_perf_map_names_addresses_of_the_process(void **state)
{
	static const uint64_t addresses[] = { 0x7f0000000010, 0x7f0000000110 };
	const struct symbolize_options options = { .lines = true };
	struct symbolize_file file = { .path = "/tmp/perf-9.map", .root = "", .perf_map = true };
	struct told told;

	(void)state;
	run("mkdir -p root/tmp; echo '7f0000000000 100 LazyCompile:*run /a.js:1:1' > jit.map");
	file.fd = open(path_of("jit.map"), O_RDONLY | O_CLOEXEC);
	told = ask(&options, &file, addresses, 2);
	close(file.fd);
	assert_string_equal(told.names[0], "LazyCompile:*run /a.js:1:1");
	assert_string_equal(told.names[1], "perf-9.map+0x7f0000000110");
	assert_string_equal(told.problem,
			    "1 of 2 addresses have no name: no line of the perf map covers them");
}

/* @wait: the answers come while the symbolizer is still there, but nobody waits for them. */
static void assert_told_once(bool wait)
{
	const struct symbolize_options options = { 0 };
	struct told told[20] = { 0 };
	struct symbolizer *s = NULL;
	struct inspect *inspect = NULL;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const struct symbolize_file file = { .fd = fd, .path = "/bin/self", .root = "" };
	uint64_t address = 1;

	assert_int_equal(inspect_new(NULL, &inspect), 0);
	assert_int_equal(symbolizer_new(inspect, &options, &s), 0);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(symbolizer_ask(s, i, &file, &address, 1, take, &told[i]), 0);
	symbolizer_finish(s, 0);
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(told[i].calls, 1);
		assert_string_equal(told[i].names[0], "self+0x1");
		assert_true(told[i].problem[0]);
	}
	assert_non_null(strstr(told[19].problem, "no answer in time"));
	if (wait)
		assert_int_equal(inspect_wait(inspect, MINUTE), 0);
	symbolizer_free(s);
	assert_int_equal(inspect_wait(inspect, MINUTE), 0);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(told[i].calls, 1);
	inspect_free(inspect);
	close(fd);
}

static void every_file_is_told_once_also_when_time_is_up(void **state)
{
	(void)state;
	assert_told_once(false);
	assert_told_once(true);
}

/* Every question costs a worker its life here: the debug link, lines, names alone. */
static void a_file_that_kills_its_reader_is_asked_for_less(void **state)
{
	const struct symbolize_options options = { .lines = true };
	struct told told = { 0 };
	struct symbolizer *s = NULL;
	struct inspect *inspect = NULL;
	struct inspect_stats stats;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const struct symbolize_file file = { .fd = fd, .path = "/bin/self", .root = "" };
	uint64_t address = 1;

	(void)state;
	assert_int_equal(inspect_new(NULL, &inspect), 0);
	inspect_set_deadline(inspect, 1);
	assert_int_equal(symbolizer_new(inspect, &options, &s), 0);
	assert_int_equal(symbolizer_ask(s, 0, &file, &address, 1, take, &told), 0);
	symbolizer_finish(s, MINUTE);
	assert_int_equal(told.calls, 1);
	assert_string_equal(told.names[0], "self+0x1");
	assert_non_null(strstr(told.problem, "without lines and inlined functions: worker killed"));
	inspect_stats(inspect, &stats);
	assert_int_equal(stats.asked, 3);
	assert_int_equal(stats.failed, 3);
	symbolizer_free(s);
	inspect_free(inspect);
	close(fd);
}

static void debuginfod_is_asked_only_when_wanted(void **state)
{
	const struct symbolize_options options = { .debuginfod = true };
	_cleanup_close_ int fd = -1;
	struct symbolize_file file = { .path = "/srv/app/app" };
	struct told told;
	char *path = strdup(getenv("PATH") ?: "");
	uint64_t address;

	(void)state;
	build("");
	run("mkdir -p bin; printf '#!/bin/sh\\necho \"$@\" > %s/called\\necho %s/app.debug\\n'"
	    " > bin/debuginfod-find; chmod +x bin/debuginfod-find; rm -f called",
	    directory, directory);
	setenv("PATH", path_of("bin:/usr/bin:/bin"), 1);
	fd = file.fd = open(path_of("root/srv/app/app"), O_RDONLY | O_CLOEXEC);
	file.root = path_of("root");
	address = symbol("program", "stays_local");

	unsetenv("DEBUGINFOD_URLS");
	told = ask(&options, &file, &address, 1);
	assert_non_null(
	    strstr(told.problem, "no debug file was found: DEBUGINFOD_URLS is not set"));
	assert_int_equal(access(path_of("called"), F_OK), -1);
	setenv("DEBUGINFOD_URLS", "http://localhost:1", 1);
	told = ask_app(false); /* the option is off */
	assert_int_equal(access(path_of("called"), F_OK), -1);
	assert_true(told.raw[0].unresolved);
	told = ask(&options, &file, &address, 1);
	assert_string_equal(told.names[0], "stays_local");
	run("set -- $(cat called); test \"$1\" = debuginfo;"
	    "readelf -n program | grep -q \"Build ID: $2\"");
	run("printf '#!/bin/sh\\nexit 1\\n' > bin/debuginfod-find");
	told = ask(&options, &file, &address, 1);
	assert_non_null(strstr(told.problem, "no debug file at the debuginfod servers"));
	unsetenv("DEBUGINFOD_URLS");
	setenv("PATH", path, 1);
	free(path);
}

static int below(const char *path, bool follow)
{
	int fd = open_below(path_of("root"), path, follow, NULL);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void no_link_leads_out_of_a_root(void **state)
{
	struct stat inside, st;
	int fd;

	(void)state;
	run("rm -rf root; mkdir -p root/etc root/d; echo inside > root/etc/passwd;"
	    "ln -s /etc/passwd root/absolute; ln -s ../../../../../etc/passwd root/d/up;"
	    "ln -s /proc/self/root/etc/passwd root/magic; ln -s loop root/loop;"
	    "mkfifo root/fifo; ln -s /etc root/etc_link; ln -s /nonexistent root/dangling");
	assert_int_equal(stat(path_of("root/etc/passwd"), &inside), 0);
	static const char *const ways[] = { "/absolute", "/d/up", "/etc_link/passwd",
					    "/../../../etc/passwd", "etc/passwd" };
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		fd = open_below(path_of("root"), ways[i], true, &st);
		if (fd < 0 || st.st_ino != inside.st_ino || st.st_dev != inside.st_dev)
			fail_msg("%s: %d", ways[i], fd);
		close(fd);
	}
	assert_int_equal(below("/absolute", false), -ELOOP);
	assert_int_equal(below("/loop", true), -ELOOP);
	assert_int_equal(below("/magic", true), -ENOENT);
	assert_int_equal(below("/dangling", true), -ENOENT);
	assert_int_equal(below("/fifo", true), -EINVAL); /* and does not wait for a writer */
	assert_int_equal(below("/d", true), -EINVAL);
	assert_int_equal(open_below("/nonexistent", "/x", true, NULL), -ENOENT);
	fd = open_below("", "/proc/self/exe", true, NULL); /* magic */
	assert_int_equal(fd, -ELOOP);
}

static void a_debug_link_is_a_name(void **state)
{
	static const char *const links[] = {
		"../app.debug", "/app.debug", "sub/app.debug", "", ".", ".."
	};
	struct debugfiles_wanted w = { .root = path_of("root"),
				       .path = "/srv/app/app",
				       .link = "" };

	(void)state;
	run("rm -rf root; mkdir -p root/srv/app/sub; echo x > root/srv/app.debug;"
	    "echo x > root/app.debug; echo x > root/srv/app/sub/app.debug;"
	    "echo x > root/srv/app/good");
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		size_t n = 0;
		int fd;

		w.link = links[i];
		while ((fd = debugfiles_open(&w, n++)) != -ERANGE)
			assert_int_equal(fd, -ENOENT);
		assert_int_equal(n, 7);
	}
	w.link = "good";
	int fd = debugfiles_open(&w, 2);
	assert_true(fd >= 0);
	close(fd);
}

static void a_perf_map_belongs_to_its_process_or_to_root(void **state)
{
	int fd = -1;

	(void)state;
	run("rm -rf root; mkdir -p root/tmp; echo '10 10 a' > root/tmp/perf-12.map;"
	    "ln -s perf-12.map root/tmp/perf-13.map; mkfifo root/tmp/perf-14.map;"
	    "truncate -s 64M root/tmp/perf-15.map; truncate -s 67108865 root/tmp/perf-16.map");
	assert_int_equal(symbolize_open_perf_map(path_of("root"), 12, getuid(), &fd), 0);
	close(fd);
	assert_int_equal(symbolize_open_perf_map(path_of("root"), 13, getuid(), &fd), -ELOOP);
	assert_int_equal(symbolize_open_perf_map(path_of("root"), 14, getuid(), &fd), -EINVAL);
	assert_int_equal(symbolize_open_perf_map(path_of("root"), 15, getuid(), &fd), 0);
	close(fd);
	assert_int_equal(symbolize_open_perf_map(path_of("root"), 16, getuid(), &fd), -EFBIG);
	assert_int_equal(symbolize_open_perf_map(path_of("root"), 17, getuid(), &fd), -ENOENT);
	if (chown(path_of("root/tmp/perf-12.map"), 4242, 4242))
		skip(); /* not root */
	assert_int_equal(symbolize_open_perf_map(path_of("root"), 12, 4242, &fd), 0);
	close(fd);
	assert_int_equal(symbolize_open_perf_map(path_of("root"), 12, 4243, &fd), -EPERM);
	assert_int_equal(symbolize_open_perf_map(path_of("root"), 12, 0, &fd), -EPERM);
}

static int make_directory(void **state)
{
	(void)state;
	if (system("command -v gcc objcopy nm readelf >/dev/null")) {
		print_message("skipped: gcc and binutils are not installed\n");
		exit(0);
	}
	/* nobody's worker is handed open files: it need not see this */
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[256];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_symbols_a_name_is_module_and_offset),
		cmocka_unit_test(debug_files_are_found_where_gdb_finds_them),
		cmocka_unit_test(a_debug_file_on_the_host_serves_a_container),
		cmocka_unit_test(a_debug_file_of_another_build_is_told),
		cmocka_unit_test(lines_and_inlined_functions_come_innermost_first),
		cmocka_unit_test(a_file_that_cannot_be_read_has_names_all_the_same),
		cmocka_unit_test(a_perf_map_names_addresses_of_the_process),
		cmocka_unit_test(every_file_is_told_once_also_when_time_is_up),
		cmocka_unit_test(a_file_that_kills_its_reader_is_asked_for_less),
		cmocka_unit_test(debuginfod_is_asked_only_when_wanted),
		cmocka_unit_test(no_link_leads_out_of_a_root),
		cmocka_unit_test(a_debug_link_is_a_name),
		cmocka_unit_test(a_perf_map_belongs_to_its_process_or_to_root),
	};

	return cmocka_run_group_tests_name("symbolize", tests, make_directory, remove_directory);
}
