/* inspect_names_test.c - addresses of ELF files → names; oracles: nm, objdump, addr2line,
 * llvm-symbolizer, rustc, and the sources of small programs that are built here. */
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
#include <sys/mman.h>
#include <unistd.h>
#include <elf.h>
#include <cmocka.h>

#include "inspect/demangle.h"
#include "inspect/minidebug.h"
#include "inspect/names.h"

#define LINE_MAX_BYTES 65536

/* Inlined two levels deep, a static function that stays, calls through the PLT. */
static const char program[] =
    "#include <stdio.h>\n"
    "#include <stdlib.h>\n"
    "static volatile int sink;\n"
    "static inline __attribute__((always_inline)) int innermost(int x)\n"
    "{\n"
    "	sink += x;\n"
    "	return sink * 3;\n"
    "}\n"
    "static inline __attribute__((always_inline)) int middle(int x)\n"
    "{\n"
    "	int y = innermost(x + 1);\n"
    "	return y + innermost(y);\n"
    "}\n"
    "static __attribute__((noinline)) int stays_local(int n)\n"
    "{\n"
    "	int sum = 0;\n"
    "	for (int i = 0; i < n; i++)\n"
    "		sum += middle(i);\n"
    "	return sum;\n"
    "}\n"
    "__attribute__((visibility(\"default\"), noinline)) int exported(int n)\n"
    "{\n"
    "	return stays_local(n) + atoi(\"7\");\n"
    "}\n"
    "int main(int argc, char **argv)\n"
    "{\n"
    "	(void)argv;\n"
    "	return printf(\"%d\\n\", exported(argc)) < 0;\n"
    "}\n";

static const char assembly[] = "	.text\n"
			       "	.p2align 4\n"
			       "	.globl strong_name\n"
			       "	.globl _strong_name\n"
			       "	.weak a_weak_name\n"
			       "	.type strong_name, @function\n"
			       "	.type _strong_name, @function\n"
			       "	.type a_weak_name, @function\n"
			       "	.type a_local_name, @function\n"
			       "strong_name:\n"
			       "_strong_name:\n"
			       "a_weak_name:\n"
			       "a_local_name:\n"
			       "	.skip 16, 0x90\n"
			       "label_inside:\n"
			       "	.skip 16, 0x90\n"
			       "	.size strong_name, 32\n"
			       "	.size _strong_name, 32\n"
			       "	.size a_weak_name, 32\n"
			       "	.size a_local_name, 64\n" /* beyond the others */
			       "	.skip 32, 0x90\n"
			       "	.type no_size, @function\n"
			       "no_size:\n"
			       "	.skip 16, 0x90\n"
			       "label_behind:\n"
			       "	.skip 16, 0x90\n"
			       "	.type next_function, @function\n"
			       "next_function:\n"
			       "	.skip 16, 0x90\n"
			       "	.size next_function, 16\n"
			       "	.type outer, @function\n"
			       "outer:\n"
			       "	.skip 16, 0x90\n"
			       "	.type inner, @function\n"
			       "inner:\n"
			       "	.skip 16, 0x90\n"
			       "	.size inner, 16\n"
			       "	.skip 16, 0x90\n"
			       "	.size outer, 48\n"
			       "bare_label:\n"
			       "	.skip 16, 0x90\n"
			       "	.section .note.GNU-stack,\"\",@progbits\n";

struct named {
	struct names_answer answer;
	struct inspect_name *names;
	size_t count;
	const char *cause;
};

static const char *compiler = "gcc";
static char directory[] = "/tmp/taskdiag-names-XXXXXX";

static void __attribute__((format(printf, 1, 2))) run(const char *format, ...)
{
	char *command = NULL, *whole = NULL;
	va_list arguments;

	va_start(arguments, format);
	assert_true(vasprintf(&command, format, arguments) > 0);
	va_end(arguments);
	assert_true(asprintf(&whole, "set -e; cd %s; %s", directory, command) > 0);
	if (system(whole))
		fail_msg("%s", command);
	free(command);
	free(whole);
}

static bool have(const char *tool)
{
	char command[256];

	snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", tool);
	if (!system(command))
		return true;
	print_message("skipped: %s is not installed\n", tool);
	return false;
}

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int open_file(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), name[0] == '/' ? "%.0s%s" : "%s/%s", directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static struct named names_of(int fd, int debug_fd, const uint64_t *addresses, size_t count,
			     unsigned int flags)
{
	struct named n = { 0 };

	assert_int_equal(names_elf(fd, debug_fd, addresses, count, flags, &n.answer, &n.cause), 0);
	assert_int_equal(names_decode(n.answer.bytes, n.answer.size, count, &n.names, &n.count), 0);
	return n;
}

static void forget(struct named *n)
{
	free(n->names);
	free(n->answer.bytes);
}

/* A symbol as nm tells it. */
struct known {
	uint64_t start, size;
	char *name;
};

struct known_table {
	struct known *all;
	size_t count;
};

static void cut_version(char *name)
{
	char *at = strchr(name + 1, '@');

	if (at)
		*at = '\0';
}

static struct known_table nm(const char *arguments)
{
	struct known_table t = { .all = calloc(200000, sizeof(*t.all)) };
	static char line[LINE_MAX_BYTES];
	char command[512], type;
	int name_at;
	FILE *f;

	snprintf(command, sizeof(command), "cd %s && nm -S --defined-only -n %s 2>/dev/null",
		 directory, arguments);
	f = popen(command, "r");
	assert_true(f && t.all);
	while (fgets(line, sizeof(line), f)) {
		struct known *k = &t.all[t.count];

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%" SCNx64 " %" SCNx64 " %c %n", &k->start, &k->size, &type,
			   &name_at) != 3 ||
		    !strchr("tTwWi", type))
			continue;
		k->name = strdup(line + name_at);
		cut_version(k->name);
		assert_true(++t.count < 200000);
	}
	assert_int_equal(pclose(f), 0);
	return t;
}

static void nm_free(struct known_table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->all[i].name);
	free(t->all);
}

static uint64_t address_of(const struct known_table *t, const char *name)
{
	for (size_t i = 0; i < t->count; i++)
		if (!strcmp(t->all[i].name, name))
			return t->all[i].start;
	fail_msg("nm knows no %s", name);
	return 0;
}

static bool nm_agrees(const struct known_table *t, const struct inspect_name *name,
		      uint64_t address)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct known *k = &t->all[i];
		size_t size = strlen(name->name);

		if (k->start != name->start || address >= k->start + k->size)
			continue;
		if (size == DEMANGLE_OUTPUT_MAX - 1)
			size -= 3; /* cut: "..." */
		if (size == strlen(name->name) ? !strcmp(k->name, name->name)
					       : !strncmp(k->name, name->name, size))
			return true;
	}
	return false;
}

/* The middle of every function of the file is asked for; so is the end of each, which is not its.
 */
static void assert_as_nm(const char *path, size_t least)
{
	char arguments[256];
	struct known_table t;
	uint64_t *addresses;
	struct named n;
	size_t count = 0;
	int fd = open_file(path);

	snprintf(arguments, sizeof(arguments), "-D -C %s", path);
	t = nm(arguments);
	assert_in_range(t.count, least, 200000);
	addresses = calloc(t.count, sizeof(*addresses));
	for (size_t i = 0; i < t.count; i++) {
		uint64_t middle = t.all[i].start + t.all[i].size / 2;

		if (t.all[i].size && (!count || middle >= addresses[count - 1]))
			addresses[count++] = middle;
	}
	assert_in_range(count, least / 2, t.count);
	n = names_of(fd, -1, addresses, count, 0);
	assert_int_equal(n.count, count);
	for (size_t i = 0; i < count; i++)
		if (!n.names[i].name || !nm_agrees(&t, &n.names[i], addresses[i]))
			fail_msg("%s: %#" PRIx64 " is not %s", path, addresses[i],
				 n.names[i].name ?: "nameless");
	forget(&n);
	nm_free(&t);
	free(addresses);
	close(fd);
}

static void functions_of_stripped_libraries_are_those_of_nm(void **state)
{
	static const char *const files[] = { "/lib/x86_64-linux-gnu/libc.so.6",
					     "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
					     "/usr/bin/python3.11" };
	size_t seen = 0;

	(void)state;
	if (!have("nm"))
		skip();
	for (size_t i = 0; i < 3; i++) {
		if (access(files[i], R_OK))
			continue;
		assert_as_nm(files[i], 800);
		seen++;
	}
	if (!seen)
		skip();
}

static void build_program(const char *flags)
{
	write_file("program.c", program);
	run("%s -O2 -g %s -o program program.c", compiler, flags);
}

static const char *name_at(const char *file, const char *debug, uint64_t address, char ret[256])
{
	int fd = open_file(file), debug_fd = debug ? open_file(debug) : -1;
	struct named n = names_of(fd, debug_fd, &address, 1, 0);

	assert_int_equal(n.count, 1);
	snprintf(ret, 256, "%s", n.names[0].name ?: "");
	forget(&n);
	close(fd);
	if (debug_fd >= 0)
		close(debug_fd);
	return ret;
}

static void aliases_labels_and_missing_sizes(void **state)
{
	static const struct {
		const char *base;
		int offset;
		const char *name;
	} rows[] = {
		{ "strong_name", 0, "strong_name" },  /* global, fewer underscores */
		{ "strong_name", 17, "strong_name" }, /* no label inside a function */
		{ "strong_name", 31, "strong_name" },
		{ "strong_name", 32, "a_local_name" }, /* only the longer alias reaches here */
		{ "strong_name", 63, "a_local_name" },
		{ "no_size", 0, "no_size" },
		{ "no_size", 31, "no_size" }, /* to the next function, over a label */
		{ "next_function", 0, "next_function" },
		{ "next_function", 15, "next_function" },
		{ "outer", 0, "outer" },
		{ "inner", 0, "inner" },
		{ "inner", 15, "inner" },
		{ "inner", 16, "outer" }, /* the one around it goes on */
		{ "inner", 31, "outer" },
		{ "bare_label", 5, "bare_label" },
	};
	char name[256];

	(void)state;
	if (!have("gcc"))
		skip();
	write_file("labels.s", assembly);
	write_file("main.c", "int main(void) { return 0; }\n");
	run("gcc -o labels labels.s main.c");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char command[256];
		uint64_t start = 0;
		FILE *f;

		snprintf(command, sizeof(command), "nm %s/labels | awk '$3 == \"%s\" { print $1 }'",
			 directory, rows[i].base);
		f = popen(command, "r");
		assert_non_null(f);
		assert_int_equal(fscanf(f, "%" SCNx64, &start), 1);
		pclose(f);
		assert_string_equal(name_at("labels", NULL, start + (uint64_t)rows[i].offset, name),
				    rows[i].name);
	}
}

static void a_local_function_needs_its_symbol_table(void **state)
{
	struct known_table t;
	uint64_t local, exported;
	char name[256];

	(void)state;
	if (!have("gcc"))
		skip();
	build_program("-rdynamic");
	t = nm("program");
	local = address_of(&t, "stays_local") + 1;
	exported = address_of(&t, "exported") + 1;
	nm_free(&t);
	assert_string_equal(name_at("program", NULL, local, name), "stays_local");
	run("cp program stripped; strip stripped");
	assert_string_equal(name_at("stripped", NULL, local, name), "");
	assert_string_equal(name_at("stripped", NULL, exported, name), "exported");
	assert_string_equal(name_at("stripped", NULL, 1, name), "");
	assert_string_equal(name_at("stripped", NULL, UINT64_MAX, name), "");
}

/* As gdb's manual makes it. */
static void minidebuginfo_names_local_functions(void **state)
{
	struct known_table t;
	uint64_t local;
	char name[256];

	(void)state;
	if (!have("gcc") || !have("xz"))
		skip();
	build_program("");
	t = nm("program");
	local = address_of(&t, "stays_local") + 1;
	nm_free(&t);
	run("nm program --format=posix --defined-only | "
	    "awk '{ if ($2 == \"T\" || $2 == \"t\" || $2 == \"D\") print $1 }' | sort > keep;"
	    "rm -f mini mini.xz;"
	    "objcopy --only-keep-debug program full.debug;"
	    "objcopy -S --remove-section .gdb_index --remove-section .comment"
	    "	--keep-symbols=keep full.debug mini;"
	    "cp program stripped; strip --strip-all -R .comment stripped; xz mini;"
	    "objcopy --add-section .gnu_debugdata=mini.xz stripped with_mini");
	assert_string_equal(name_at("stripped", NULL, local, name), "");
	assert_string_equal(name_at("with_mini", NULL, local, name), "stays_local");
	/* damaged: as if it were not there */
	run("head -c 300 mini.xz > cut.xz;"
	    "objcopy --add-section .gnu_debugdata=cut.xz stripped with_cut");
	assert_string_equal(name_at("with_cut", NULL, local, name), "");
}

static void a_zip_bomb_is_not_unpacked(void **state)
{
	uint8_t *xz, *image = NULL;
	size_t size;
	FILE *f;

	(void)state;
	if (!have("xz"))
		skip();
	run("head -c %u /dev/zero | xz -0 > bomb.xz; head -c 70000 /dev/zero | xz > small.xz",
	    MINIDEBUG_BYTES_MAX + 1);
	xz = malloc(1 << 20);
	for (int bomb = 0; bomb <= 1; bomb++) {
		char path[256];
		size_t unpacked = 0;

		snprintf(path, sizeof(path), "%s/%s.xz", directory, bomb ? "bomb" : "small");
		f = fopen(path, "r");
		assert_non_null(f);
		size = fread(xz, 1, 1 << 20, f);
		fclose(f);
		assert_in_range(size, 10, (1 << 20) - 1);
		assert_int_equal(minidebug_unpack(xz, size, &image, &unpacked), bomb ? -EFBIG : 0);
		if (!bomb) {
			assert_int_equal(unpacked, 70000);
			assert_true(!image[0] && !memcmp(image, image + 1, 69999));
			free(image);
		}
	}
	/* a stream that ends too early, and none at all */
	assert_int_equal(minidebug_unpack(xz, size / 2, &image, &size), -EBADMSG);
	assert_int_equal(minidebug_unpack("no xz", 5, &image, &size), -EBADMSG);
	assert_int_equal(minidebug_unpack("", 0, &image, &size), -EBADMSG);
	free(xz);
}

static const char *cause_with(const char *file, const char *debug)
{
	int fd = open_file(file), debug_fd = open_file(debug);
	uint64_t address = 1;
	struct named n = names_of(fd, debug_fd, &address, 1, 0);
	const char *cause = n.cause;

	forget(&n);
	close(fd);
	close(debug_fd);
	return cause;
}

static void assert_debug_file_rule(const char *flags, const char *other_flags)
{
	struct known_table t;
	uint64_t local;
	char name[256];

	build_program(other_flags);
	run("objcopy --only-keep-debug program other.debug");
	build_program(flags);
	t = nm("program");
	local = address_of(&t, "stays_local") + 1;
	nm_free(&t);
	run("objcopy --only-keep-debug program program.debug; cp program stripped;"
	    "strip stripped; objcopy --add-gnu-debuglink=program.debug stripped");
	assert_string_equal(name_at("stripped", "program.debug", local, name), "stays_local");
	assert_null(cause_with("stripped", "program.debug"));
	assert_string_equal(name_at("stripped", "other.debug", local, name), "");
	assert_string_equal(cause_with("stripped", "other.debug"),
			    "the debug file belongs to another build: ignored");
	assert_string_equal(cause_with("stripped", "program.c"),
			    "the debug file is not a usable ELF file: ignored");
}

static void a_debug_file_of_another_build_is_not_used(void **state)
{
	(void)state;
	if (!have("gcc"))
		skip();
	assert_debug_file_rule("-Wl,--build-id", "-Wl,--build-id -DOTHER -fno-inline");
}

static void without_build_ids_the_crc_of_the_link_decides(void **state)
{
	(void)state;
	if (!have("gcc"))
		skip();
	assert_debug_file_rule("-Wl,--build-id=none", "-Wl,--build-id=none -DOTHER -fno-inline");
}

static void stubs_of_the_plt_are_named_as_objdump_names_them(void **state)
{
	static const char *const flags[] = { "-fcf-protection=none -Wl,-z,lazy",
					     "-fcf-protection=full -Wl,-z,ibtplt", "-Wl,-z,now" };
	size_t stubs = 0;

	(void)state;
#ifndef __x86_64__
	skip();
#endif
	if (!have("gcc") || !have("objdump"))
		skip();
	for (size_t i = 0; i < 3; i++) {
		char line[512], wanted[256], name[256], *at;
		uint64_t address;
		FILE *f;

		build_program(flags[i]);
		snprintf(line, sizeof(line), "objdump -d %s/program", directory);
		f = popen(line, "r");
		assert_non_null(f);
		while (fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%" SCNx64 " <%255[^>]>:", &address, wanted) != 2)
				continue;
			at = strstr(wanted, "@plt");
			if (!at || at[4])
				continue;
			assert_string_equal(name_at("program", NULL, address + 5, name), wanted);
			stubs++;
		}
		pclose(f);
	}
	assert_in_range(stubs, 5, 50);
}

/* "function\nfile:line[:column]\n" … of the oracle, as "function base:line\n" … */
static void fold(FILE *f, FILE *out)
{
	char function[1024], place[1024];

	while (fgets(function, sizeof(function), f)) {
		char *base, *colon;

		function[strcspn(function, "\n")] = '\0';
		if (!*function || !fgets(place, sizeof(place), f))
			continue;
		place[strcspn(place, " \n")] = '\0'; /* (discriminator 2) */
		base = strrchr(place, '/') ? strrchr(place, '/') + 1 : place;
		colon = strchr(base, ':');
		if (colon && strchr(colon + 1, ':'))
			*strchr(colon + 1, ':') = '\0';
		fprintf(out, "%s %s\n", function, base);
	}
}

static void fold_ours(const struct named *n, FILE *out)
{
	for (size_t i = 0; i < n->count; i++) {
		const char *file = n->names[i].file ?: "??";

		fprintf(out, "%s %s:%u\n", n->names[i].name ?: "??",
			strrchr(file, '/') ? strrchr(file, '/') + 1 : file, n->names[i].line);
	}
}

static void assert_lines_as(const char *oracle, const char *flags)
{
	char command[512], path[256], *ours = NULL, *theirs = NULL;
	uint64_t addresses[1024], first;
	size_t count = 0, ours_size, theirs_size;
	struct known_table t;
	struct named n;
	FILE *f;
	int fd;

	build_program(flags);
	t = nm("program");
	for (size_t i = 0; i < t.count; i++) {
		if (strcmp(t.all[i].name, "stays_local") && strcmp(t.all[i].name, "exported") &&
		    strcmp(t.all[i].name, "main"))
			continue;
		first = t.all[i].start;
		for (uint64_t a = 0; a < t.all[i].size; a++)
			addresses[count++] = first + a;
		assert_in_range(count, 1, 800);
	}
	nm_free(&t);
	snprintf(path, sizeof(path), "%s/asked", directory);
	f = fopen(path, "w");
	for (size_t i = 0; i < count; i++)
		fprintf(f, "%#" PRIx64 "\n", addresses[i]);
	fclose(f);
	fd = open_file("program");
	n = names_of(fd, -1, addresses, count, INSPECT_LINES);
	assert_null(n.cause);
	assert_in_range(n.count, count + 10, count * 3); /* there are inlined ones */
	f = open_memstream(&ours, &ours_size);
	fold_ours(&n, f);
	fclose(f);
	snprintf(command, sizeof(command), "cd %s && %s program < asked", directory, oracle);
	f = popen(command, "r");
	assert_non_null(f);
	FILE *out = open_memstream(&theirs, &theirs_size);
	fold(f, out);
	fclose(out);
	assert_int_equal(pclose(f), 0);
	assert_string_equal(ours, theirs);
	free(ours);
	free(theirs);
	forget(&n);
	close(fd);
}

static void lines_and_inlined_functions_are_those_of_addr2line(void **state)
{
	(void)state;
	if (!have("gcc") || !have("addr2line"))
		skip();
	assert_lines_as("addr2line -i -f -e", "");
	assert_lines_as("addr2line -i -f -e", "-gdwarf-4 -no-pie");
}

static void lines_and_inlined_functions_are_those_of_llvm(void **state)
{
	(void)state;
	if (!have("gcc") || !have("llvm-symbolizer-14"))
		skip();
	assert_lines_as("llvm-symbolizer-14 --inlines --functions=linkage -e", "");
	assert_lines_as("llvm-symbolizer-14 --inlines --functions=linkage -e", "-gz=zlib");
	if (have("clang-14")) { /* writes no .debug_aranges */
		compiler = "clang-14";
		assert_lines_as("llvm-symbolizer-14 --inlines --functions=linkage -e", "");
		compiler = "gcc";
	}
}

static void without_dwarf_there_still_are_symbols(void **state)
{
	struct known_table t;
	struct named n;
	uint64_t address;
	int fd;

	(void)state;
	if (!have("gcc"))
		skip();
	build_program("-g0");
	t = nm("program");
	address = address_of(&t, "stays_local");
	nm_free(&t);
	fd = open_file("program");
	n = names_of(fd, -1, &address, 1, INSPECT_LINES);
	assert_string_equal(n.names[0].name, "stays_local");
	assert_null(n.names[0].file);
	assert_string_equal(n.cause, "no DWARF: no lines");
	forget(&n);
	close(fd);
}

static int memory_file(const void *bytes, size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	return fd;
}

static uint8_t *read_program(size_t *ret_size)
{
	int fd = open_file("program");
	off_t size = lseek(fd, 0, SEEK_END);
	uint8_t *bytes = malloc((size_t)size);

	assert_int_equal(pread(fd, bytes, (size_t)size, 0), size);
	close(fd);
	*ret_size = (size_t)size;
	return bytes;
}

static int ask_hostile(const void *bytes, size_t size, off_t grow, unsigned int flags)
{
	static const uint64_t addresses[] = { 0, 0x1000, 0x1139, 0x401136, 1ull << 40, UINT64_MAX };
	struct names_answer answer = { 0 };
	struct inspect_name *names;
	const char *cause = NULL;
	size_t count;
	int fd = memory_file(bytes, size), err;

	if (grow)
		assert_int_equal(ftruncate(fd, grow), 0);
	err = names_elf(fd, fd, addresses, 6, flags, &answer, &cause);
	if (err) {
		assert_non_null(cause);
	} else {
		assert_int_equal(names_decode(answer.bytes, answer.size, 6, &names, &count), 0);
		assert_in_range(count, 6, 6 * 64);
		free(names);
	}
	free(answer.bytes);
	close(fd);
	return err;
}

static void truncated_files_are_refused_or_named_in_part(void **state)
{
	uint8_t *bytes;
	size_t size;

	(void)state;
	if (!have("gcc"))
		skip();
	build_program("");
	bytes = read_program(&size);
	for (size_t cut = 0; cut < size; cut += 61)
		(void)ask_hostile(bytes, cut, 0, INSPECT_LINES);
	assert_int_equal(ask_hostile(bytes, 63, 0, 0), -ENOEXEC);
	assert_int_equal(ask_hostile("\177ELF", 4, 0, 0), -ENOEXEC);
	assert_int_equal(
	    ask_hostile("!<arch>\nabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij", 59, 0, 0),
	    -ENOEXEC);
	assert_int_equal(ask_hostile("", 0, 0, 0), -ENOEXEC);
	free(bytes);
}

/* Every section in turn is 4 GiB large, in a sparse file where that is true, and in one where not.
 */
static void sections_of_four_gigabytes_are_not_read(void **state)
{
	uint8_t *bytes;
	size_t size;
	Elf64_Ehdr *header;
	Elf64_Shdr *sections;

	(void)state;
	if (!have("gcc"))
		skip();
	build_program("");
	bytes = read_program(&size);
	header = (Elf64_Ehdr *)bytes;
	sections = (Elf64_Shdr *)(bytes + header->e_shoff);
	for (int i = 1; i < header->e_shnum; i++) {
		uint64_t kept = sections[i].sh_size;

		sections[i].sh_size = 4ull << 30;
		(void)ask_hostile(bytes, size, 0, INSPECT_LINES);
		(void)ask_hostile(bytes, size, 8ll << 30, INSPECT_LINES);
		sections[i].sh_size = UINT64_MAX - 100;
		(void)ask_hostile(bytes, size, 0, INSPECT_LINES);
		sections[i].sh_size = kept;
	}
	/* 2^28 sections, all of them there */
	header->e_shnum = 0;
	sections[0].sh_size = 1u << 28;
	assert_int_equal(ask_hostile(bytes, size, 64ll << 30, 0), -EFBIG);
	free(bytes);
}

static void what_is_no_regular_file_is_refused(void **state)
{
	uint64_t addresses[] = { 2, 1 };
	struct names_answer answer = { 0 };
	const char *cause = NULL;
	int ends[2], fd;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(names_elf(ends[0], -1, addresses, 1, 0, &answer, &cause), -EINVAL);
	assert_non_null(cause);
	close(ends[0]);
	close(ends[1]);
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_int_equal(names_elf(fd, -1, addresses, 2, 0, &answer, &cause), -EINVAL);
	assert_int_equal(names_elf(fd, -1, addresses, 0, 0, &answer, &cause), 0);
	free(answer.bytes);
	close(fd);
}

static int make_directory(void **state)
{
	(void)state;
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
		cmocka_unit_test(functions_of_stripped_libraries_are_those_of_nm),
		cmocka_unit_test(aliases_labels_and_missing_sizes),
		cmocka_unit_test(a_local_function_needs_its_symbol_table),
		cmocka_unit_test(minidebuginfo_names_local_functions),
		cmocka_unit_test(a_zip_bomb_is_not_unpacked),
		cmocka_unit_test(a_debug_file_of_another_build_is_not_used),
		cmocka_unit_test(without_build_ids_the_crc_of_the_link_decides),
		cmocka_unit_test(stubs_of_the_plt_are_named_as_objdump_names_them),
		cmocka_unit_test(lines_and_inlined_functions_are_those_of_addr2line),
		cmocka_unit_test(lines_and_inlined_functions_are_those_of_llvm),
		cmocka_unit_test(without_dwarf_there_still_are_symbols),
		cmocka_unit_test(truncated_files_are_refused_or_named_in_part),
		cmocka_unit_test(sections_of_four_gigabytes_are_not_read),
		cmocka_unit_test(what_is_no_regular_file_is_refused),
	};

	return cmocka_run_group_tests_name("inspect/names", tests, make_directory,
					   remove_directory);
}
