/* inspect_python_test.c - CPython interpreters in ELF files: their version, data and code.
 * Oracles: nm of the same file with its symbols; the interpreter itself (sys.hexversion); readelf;
 * files made here by the assembler, whose parts are known.
 */
#include <elf.h>
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
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "inspect/python.h"
#include "inspect/query.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

#define DEBIAN "/usr/bin/python3.11"
#define DEBIAN_OBJECTS "/usr/lib/python3.11/config-3.11-x86_64-linux-gnu/libpython3.11.a"
#define PYENV "/root/.pyenv/versions/"
#define EVAL "_PyEval_EvalFrameDefault"
#define TINY 64 /* bytes of a cold part that has no room for four jumps and what they are for */

static char directory[] = "/tmp/inspect_python_XXXXXX";

struct interpreter {
	const char *file, *program;
};

static const struct interpreter interpreters[] = {
	{ DEBIAN, DEBIAN },
	{ PYENV "3.7.16/lib/libpython3.7m.so.1.0", PYENV "3.7.16/bin/python3.7" },
	{ PYENV "3.8.18/lib/libpython3.8.so.1.0", PYENV "3.8.18/bin/python3.8" },
	{ PYENV "3.9.18/lib/libpython3.9.so.1.0", PYENV "3.9.18/bin/python3.9" },
	{ PYENV "3.10.13/lib/libpython3.10.so.1.0", PYENV "3.10.13/bin/python3.10" },
	{ PYENV "3.11.7/lib/libpython3.11.so.1.0", PYENV "3.11.7/bin/python3.11" },
	{ PYENV "3.12.1/lib/libpython3.12.so.1.0", PYENV "3.12.1/bin/python3.12" },
	{ PYENV "3.13.0/lib/libpython3.13.so.1.0", PYENV "3.13.0/bin/python3.13" },
};
#define INTERPRETERS (sizeof(interpreters) / sizeof(*interpreters))

/* ---- files and tools ---- */

static bool is_there(const char *path)
{
	if (!access(path, R_OK))
		return true;
	print_message("%s is not there\n", path);
	return false;
}

static void __attribute__((format(printf, 1, 2))) run(const char *format, ...)
{
	char command[4096];
	va_list list;

	va_start(list, format);
	vsnprintf(command, sizeof(command), format, list);
	va_end(list);
	if (system(command))
		fail_msg("%s", command);
}

/* The first line that a command writes; empty: none. */
static const char *__attribute__((format(printf, 1, 2))) line_of(const char *format, ...)
{
	static char line[1024];
	char command[4096];
	va_list list;
	FILE *f;

	va_start(list, format);
	vsnprintf(command, sizeof(command), format, list);
	va_end(list);
	f = popen(command, "r");
	assert_non_null(f);
	if (!fgets(line, sizeof(line), f))
		line[0] = 0;
	pclose(f);
	return line;
}

/* What nm tells of a symbol; a start of 0: it knows none. */
static struct python_range nm(const char *file, const char *name)
{
	struct python_range r = {};
	uint64_t size;

	if (sscanf(line_of("{ nm -S %s; nm -DS %s; } 2>/dev/null | sed 's/@.*//' | grep ' %s$'",
			   file, file, name),
		   "%" SCNx64 " %" SCNx64, &r.start, &size) != 2)
		return (struct python_range){};
	r.end = r.start + size;
	return r;
}

static int open_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: %m", path);
	return fd;
}

static int read_fd(int fd, struct inspect_python *ret)
{
	struct elf_file f;
	int err = elf_file_open(fd, &f);

	if (!err)
		err = python_read(&f, ret);
	if (err)
		assert_non_null(f.cause);
	elf_file_close(&f);
	return err;
}

static int read_path(const char *path, struct inspect_python *ret)
{
	_cleanup_close_ int fd = open_path(path);

	return read_fd(fd, ret);
}

static struct inspect_python facts_of(const char *path)
{
	struct inspect_python p;
	int err = read_path(path, &p);

	if (err)
		fail_msg("%s: %s", path, strerror(-err));
	return p;
}

static void assert_eval(const struct inspect_python *p, uint32_t i, struct python_range range)
{
	assert_in_range(i, 0, p->eval_count - 1);
	assert_int_equal(p->eval[i].start, range.start);
	assert_int_equal(p->eval[i].end, range.end);
}

/* ---- interpreters of this machine ---- */

static void assert_as_nm(const char *file, const struct inspect_python *p)
{
	struct python_range runtime = nm(file, "_PyRuntime");
	struct python_range cold = nm(file, EVAL "\\.cold");

	assert_true(runtime.start);
	assert_int_equal(p->runtime, runtime.start);
	assert_int_equal(p->runtime_bytes, runtime.end - runtime.start);
	assert_int_equal(p->code_type, nm(file, "PyCode_Type").start);
	assert_eval(p, 0, nm(file, EVAL));
	if (cold.start)
		assert_eval(p, 1, cold);
}

static void assert_version(const struct interpreter *i, const struct inspect_python *p)
{
	uint32_t version =
	    strtoul(line_of("%s -I -c 'import sys; print(sys.hexversion)'", i->program), NULL, 10);

	assert_int_equal(version >> 24, 3);
	if ((version >> 16 & 0xff) < 11)
		version &= ~0xffu; /* a text has no level */
	assert_int_equal(p->version, version);
}

static void facts_of_interpreters_are_those_of_nm_and_of_themselves(void **state)
{
	(void)state;
	for (size_t i = 0; i < INTERPRETERS; i++) {
		struct inspect_python p;

		if (!is_there(interpreters[i].file)) {
			assert_true(i); /* Debian's must be */
			continue;
		}
		p = facts_of(interpreters[i].file);
		assert_as_nm(interpreters[i].file, &p);
		assert_version(&interpreters[i], &p);
		assert_false(p.musl);
		assert_false(p.free_threaded);
	}
}

/* nm: B is .bss, D is .data */
static void first_bytes_of_the_runtime_are_there_where_the_file_has_them(void **state)
{
	uint64_t version;

	(void)state;
	for (size_t i = 0; i < INTERPRETERS; i++) {
		const char *file = interpreters[i].file;
		struct inspect_python p;
		uint32_t wanted;

		if (!is_there(file))
			continue;
		p = facts_of(file);
		wanted = p.runtime_bytes < sizeof(p.debug) ? p.runtime_bytes : sizeof(p.debug);
		if (!*line_of("nm -D %s | grep ' D _PyRuntime'", file))
			wanted = 0;
		assert_int_equal(p.debug_bytes, wanted);
		if ((p.version >> 16 & 0xff) < 13)
			continue;
		memcpy(&version, p.debug + 8, sizeof(version));
		assert_memory_equal(p.debug, "xdebugpy", 8);
		assert_int_equal(version, p.version);
	}
}

static void same_facts(const struct inspect_python *a, const struct inspect_python *b)
{
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->runtime, b->runtime);
	assert_int_equal(a->runtime_bytes, b->runtime_bytes);
	assert_int_equal(a->code_type, b->code_type);
	assert_int_equal(a->free_threaded, b->free_threaded);
	assert_int_equal(a->musl, b->musl);
	assert_int_equal(a->debug_bytes, b->debug_bytes);
	assert_memory_equal(a->debug, b->debug, sizeof(a->debug));
	assert_int_equal(a->eval_count, b->eval_count);
	assert_memory_equal(a->eval, b->eval, sizeof(a->eval));
}

/* A part of a few bytes (code that must not be reached) has no jumps to be found by. */
static void forget_tiny_parts(struct inspect_python *p)
{
	for (uint32_t i = p->eval_count; i-- > 1;) {
		if (p->eval[i].end - p->eval[i].start >= TINY)
			continue;
		assert_int_equal(i, p->eval_count - 1);
		p->eval_count--;
		memset(&p->eval[i], 0, sizeof(p->eval[i]));
	}
}

static void a_stripped_copy_gives_what_the_symbols_say(void **state)
{
	char copy[128];

	(void)state;
	snprintf(copy, sizeof(copy), "%s/stripped", directory);
	for (size_t i = 0; i < INTERPRETERS; i++) {
		struct inspect_python whole, stripped;

		if (!is_there(interpreters[i].file))
			continue;
		run("strip -o %s %s", copy, interpreters[i].file);
		whole = facts_of(interpreters[i].file);
		stripped = facts_of(copy);
		forget_tiny_parts(&whole);
		same_facts(&whole, &stripped);
	}
}

/* The objects of Debian's interpreter as they are before its link: built with a profile, with
 * symbols. */
static void the_cold_part_of_a_profiled_build_is_found_without_symbols(void **state)
{
	struct inspect_python whole, stripped;
	char path[128];

	(void)state;
	if (!is_there(DEBIAN_OBJECTS))
		skip();
	snprintf(path, sizeof(path), "%s/linked", directory);
	run("cd %s && echo 'int Py_BytesMain(int, char **); int main(int c, char **v)"
	    "{ return Py_BytesMain(c, v); }' >main.c && cc -no-pie -rdynamic main.c "
	    "-Wl,--whole-archive %s -Wl,--no-whole-archive -lm -lz -lexpat -o linked && "
	    "strip -o linked.stripped linked",
	    directory, DEBIAN_OBJECTS);
	whole = facts_of(path);
	assert_as_nm(path, &whole);
	assert_int_equal(whole.eval_count, 2);
	assert_in_range(whole.eval[1].end - whole.eval[1].start, TINY, 1 << 20);
	strcat(path, ".stripped");
	stripped = facts_of(path);
	same_facts(&whole, &stripped);
}

static void debians_cold_part_is_a_function_of_readelf(void **state)
{
	struct inspect_python p = facts_of(DEBIAN);

	(void)state;
	assert_int_equal(p.eval_count, 2);
	assert_true(p.eval[1].end <= p.eval[0].start || p.eval[1].start >= p.eval[0].end);
	assert_true(*line_of("readelf --debug-dump=frames %s 2>/dev/null | grep "
			     "'FDE.*pc=%016" PRIx64 "\\.\\.%016" PRIx64 "'",
			     DEBIAN, p.eval[1].start, p.eval[1].end));
}

static void other_files_are_no_interpreters(void **state)
{
	struct inspect_python p;

	(void)state;
	assert_int_equal(read_path("/bin/true", &p), -ENOENT);
	assert_int_equal(read_path("/lib/x86_64-linux-gnu/libc.so.6", &p), -ENOENT);
	assert_int_equal(read_path("/etc/passwd", &p), -ENOEXEC);
	if (is_there(PYENV "3.12.1/bin/python3.12")) /* it only loads libpython */
		assert_int_equal(read_path(PYENV "3.12.1/bin/python3.12", &p), -ENOENT);
}

/* ---- interpreters made here ---- */

/* The macros are what tests change. The jumps are between sections, and so have 32 bits. */
static const char source[] =
    "#ifndef RUNTIME_SIZE\n#define RUNTIME_SIZE 2000\n#endif\n"
    "#ifndef EVAL_SIZE\n#define EVAL_SIZE .-_PyEval_EvalFrameDefault\n#endif\n"
    "#ifndef JUMPS\n#define JUMPS 6\n#endif\n"
    "#ifndef BACK\n#define BACK JUMPS\n#endif\n"
    "#ifndef INTO\n#define INTO 1\n#endif\n"
    "#ifndef FREE\n#define FREE 0\n#endif\n"
    "#ifndef VERSION\n#define VERSION .globl Py_Version; Py_Version: .quad 0x030d02f0\n#endif\n"
    "#ifndef HANDLERS\n#define HANDLERS\n#endif\n"
    "	.globl _PyRuntime, PyCode_Type, _PyEval_EvalFrameDefault\n"
    "	.type _PyRuntime, @object\n	.type PyCode_Type, @object\n"
    "	.type Py_Version, @object\n	.size Py_Version, 8\n"
    "	.type _PyEval_EvalFrameDefault, @function\n"
    "	.type _PyEval_EvalFrameDefault.cold, @function\n"
    "	.data\n"
    "_PyRuntime: .ascii \"xdebugpy\"\n	.quad 0x030d02f0, FREE\n	.fill 1976, 1, 7\n"
    "	.size _PyRuntime, RUNTIME_SIZE\n"
    "PyCode_Type: .zero 400\n	.size PyCode_Type, 400\n"
    "	.section .rodata\n	VERSION\n"
    "	.section .text.unlikely, \"ax\"\n"
    "	.cfi_startproc\n	nop\n	ret\n	.cfi_endproc\n"
    "_PyEval_EvalFrameDefault.cold:\n	.cfi_startproc\n	nop\n"
    "	.set i, 0\n	.rept BACK\n	.byte 0x0f, 0x85\n	.long hot+i-.-4\n	.set i, "
    "i+2\n"
    "	.endr\n	.cfi_endproc\n"
    "	.size _PyEval_EvalFrameDefault.cold, .-_PyEval_EvalFrameDefault.cold\n"
    "	.text\n	.cfi_startproc\n	ret\n	.cfi_endproc\n"
    "_PyEval_EvalFrameDefault:\n	.cfi_startproc\n	nop\n"
    "hot:	.fill 100, 1, 0x90\n"
    "	.set i, INTO\n	.rept JUMPS\n	.byte 0xe9\n"
    "	.long _PyEval_EvalFrameDefault.cold+i-.-4\n	.set i, i+2\n	.endr\n"
    "	.cfi_endproc\n"
    "	.size _PyEval_EvalFrameDefault, EVAL_SIZE\n"
    "	HANDLERS\n";

/* Returns its path, valid until the next call. */
static const char *made(const char *macros, const char *linker)
{
	static char path[128];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "%s/made.S", directory);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(source, f) >= 0 && !fflush(f));
	run("cd %s && cc -shared -nostdlib %s made.S -Wl,-z,noexecstack %s -o made", directory,
	    macros, linker);
	snprintf(path, sizeof(path), "%s/made", directory);
	return path;
}

static void the_made_one_has_every_fact(void **state)
{
	const char *file = made("", "");
	struct inspect_python p = facts_of(file);
	uint8_t filled[sizeof(p.debug) - 24];

	(void)state;
	assert_as_nm(file, &p);
	assert_int_equal(p.version, 0x030d02f0);
	assert_int_equal(p.runtime_bytes, 2000);
	assert_int_equal(p.debug_bytes, sizeof(p.debug));
	memset(filled, 7, sizeof(filled));
	assert_memory_equal(p.debug + 24, filled, sizeof(filled));
	assert_int_equal(p.eval_count, 2);
	assert_false(p.free_threaded);
}

static void free_threaded_is_what_the_runtime_says_from_3_13_on(void **state)
{
	(void)state;
	assert_true(facts_of(made("-DFREE=1", "")).free_threaded);
	assert_false(facts_of(made("-DFREE=1 '-DVERSION=.globl Py_Version; Py_Version: "
				   ".quad 0x030c02f0'",
				   ""))
			 .free_threaded);
}

static void musl_is_told_by_what_the_file_needs(void **state)
{
	(void)state;
	run("cd %s && : | cc -shared -nostdlib -x c - -Wl,-soname,libc.musl-x86_64.so.1 "
	    "-o libmusl.so",
	    directory);
	assert_true(facts_of(made("", "-Wl,--no-as-needed ./libmusl.so")).musl);
	assert_true(
	    facts_of(made("", "-Wl,--dynamic-linker,/lib/ld-musl-x86_64.so.1 -pie -Wl,-e,0")).musl);
	assert_false(facts_of(made("", "")).musl);
}

static void a_function_with_fewer_jumps_is_no_cold_part(void **state)
{
	struct inspect_python p;

	(void)state;
	p = facts_of(made("-DJUMPS=4", "-s"));
	assert_int_equal(p.eval_count, 2);
	p = facts_of(made("-DJUMPS=3", "-s"));
	assert_int_equal(p.eval_count, 1);
}

/* Four places, of which the first byte is one: a tail call leads there. */
static void a_jump_to_the_first_byte_of_a_function_does_not_count(void **state)
{
	(void)state;
	assert_int_equal(facts_of(made("-DINTO=0 -DJUMPS=4 -DBACK=6", "-s")).eval_count, 1);
	assert_int_equal(facts_of(made("-DINTO=0 -DJUMPS=5 -DBACK=6", "-s")).eval_count, 2);
}

static void a_function_that_does_not_jump_back_is_no_cold_part(void **state)
{
	(void)state;
	assert_int_equal(facts_of(made("-DBACK=4", "-s")).eval_count, 2);
	assert_int_equal(facts_of(made("-DBACK=3", "-s")).eval_count, 1);
}

/* HANDLERS: 20 that follow each other with padding, then single ones, each larger than the last,
 * with another function between them. */
static void handlers_of_tail_calls_are_merged_and_the_largest_are_kept(void **state)
{
	static const char macro[] =
	    "'-DHANDLERS=.altmacro; "
	    ".macro one n, b; .type _TAIL_CALL_OP\\n, @function; _TAIL_CALL_OP\\n: .fill \\b, 1, "
	    "0x90; .size _TAIL_CALL_OP\\n, .-_TAIL_CALL_OP\\n; .endm; .set k, 0; .rept 20; "
	    ".p2align "
	    "4; one %k, 20; .set k, k+1; .endr; .rept 10; .fill 100, 1, 0xcc; one %k, "
	    "<10*(k-19)>; .set k, k+1; .endr; .type _TAIL_CALL_OP30.llvm.17, @function; "
	    "_TAIL_CALL_OP30.llvm.17: .fill 8, 1, 0x90; .size _TAIL_CALL_OP30.llvm.17, 8'";
	struct inspect_python p;
	const char *file;

	(void)state;
	file = made(macro, "");
	p = facts_of(file);
	assert_int_equal(p.eval_count, INSPECT_EVAL_MAX);
	assert_eval(&p, 0, nm(file, EVAL));
	/* 20 * 32 bytes but for the padding of the last */
	assert_eval(&p, 1,
		    (struct python_range){ nm(file, "_TAIL_CALL_OP0").start,
					   nm(file, "_TAIL_CALL_OP19").end });
	assert_eval(&p, 2,
		    (struct python_range){ nm(file, "_TAIL_CALL_OP29").start,
					   nm(file, "_TAIL_CALL_OP30\\.llvm\\.17").end });
	for (uint32_t i = 3; i < INSPECT_EVAL_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "_TAIL_CALL_OP%u", 31 - i);
		assert_eval(&p, i, nm(file, name));
	}
}

static void symbols_that_reach_beyond_their_segment_are_refused(void **state)
{
	static const char *const macros[] = {
		"-DRUNTIME_SIZE=0x100000", "-DRUNTIME_SIZE=0", "-DRUNTIME_SIZE=0xffffffffffffff00",
		"-DEVAL_SIZE=0x100000",	   "-DEVAL_SIZE=0",    "-DEVAL_SIZE=0xffffffffffffff00"
	};
	struct inspect_python p;

	(void)state;
	for (size_t i = 0; i < sizeof(macros) / sizeof(*macros); i++)
		assert_int_equal(read_path(made(macros[i], ""), &p), -ENOEXEC);
}

static void a_file_without_a_version_is_refused(void **state)
{
	struct inspect_python p;

	(void)state;
	assert_int_equal(read_path(made("'-DVERSION=.asciz \"4.1.2\"'", ""), &p), -ENOTSUP);
	assert_int_equal(
	    read_path(made("'-DVERSION=.globl Py_Version; Py_Version: .quad 5'", ""), &p),
	    -ENOTSUP);
	p = facts_of(made("'-DVERSION=.asciz \"/opt/3.9.18\"'", ""));
	assert_int_equal(p.version, 0x03091200);
}

/* The linker puts the table of sections at the end: it is never whole. */
static void a_truncated_file_is_refused_wherever_it_ends(void **state)
{
	_cleanup_close_ int whole = open_path(made("", "")), cut = memfd_create("cut", MFD_CLOEXEC);
	_cleanup_free_ char *bytes = NULL;
	struct inspect_python p;
	struct stat st;

	(void)state;
	assert_int_equal(fstat(whole, &st), 0);
	bytes = malloc(st.st_size);
	assert_int_equal(pread(whole, bytes, st.st_size, 0), st.st_size);
	assert_int_equal(pwrite(cut, bytes, st.st_size, 0), st.st_size);
	assert_int_equal(read_fd(cut, &p), 0);
	for (off_t size = st.st_size - 1; size >= 0; size -= size > 512 ? 61 : 1) {
		assert_int_equal(ftruncate(cut, size), 0);
		assert_in_range(-read_fd(cut, &p), 1, 4095);
	}
}

static void version_texts(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		uint32_t version;
	} cases[] = {
#define CASE(text, version) { text, sizeof(text), version }
		CASE("3.8.18", 0x03081200),
		CASE("x\0003.10.13+", 0x030a0d00),
		CASE("3.9.0rc2", 0x03090000),
		CASE("3.9.0a1", 0x03090000),
		CASE("3.9.0b3+", 0x03090000),
		CASE("/v/3.10.13", 0x030a0d00),
		CASE("3.9.18\0003.9.18", 0x03091200),
		CASE("3.9.18\0003.9.2", 0x03090000),
		CASE("3.9.18\0003.9.2\0003.9.2", 0x03090000),
		CASE("3.9.18\0003.8.18", 0),
		CASE("3.9.18\0003.40.1", 0x03091200),
		CASE("3.9.18\0003.2.0", 0x03091200),
		CASE("13.9.18", 0),
		CASE("1.3.9.18", 0),
		CASE("3.9.18.1", 0),
		CASE("3.9.18 (main)", 0),
		CASE("3.9.", 0),
		CASE("3.9.256", 0),
		CASE("3.9.0r", 0),
		CASE("3.9.0rc", 0),
		CASE("3.9.0000", 0),
		CASE("", 0),
		{ "3.9.18", 6, 0 },
		{ "3.9.", 4, 0 },
		{ "3.", 2, 0 },
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		/* exactly as long as it is said to be: the sanitizer sees a byte more */
		uint8_t *bytes = malloc(cases[i].size);

		memcpy(bytes, cases[i].text, cases[i].size);
		if (python_version_text(bytes, cases[i].size) != cases[i].version)
			fail_msg("%s: %#x", cases[i].text,
				 python_version_text(bytes, cases[i].size));
		free(bytes);
	}
}

/* ---- through the worker ---- */

struct told {
	int calls, err;
	char cause[256];
	struct inspect_python python;
};

static void take_answer(void *context, int err, const char *cause,
			const struct inspect_python *python)
{
	struct told *t = context;

	t->calls++;
	t->err = err;
	snprintf(t->cause, sizeof(t->cause), "%s", cause ?: "");
	assert_int_equal(!python, err != 0);
	if (python)
		t->python = *python;
}

static void the_worker_tells_what_the_reader_found(void **state)
{
	_cleanup_close_ int debian = open_path(DEBIAN), other = open_path("/bin/true");
	struct inspect_python direct = facts_of(DEBIAN);
	struct told python = {}, none = {};
	struct inspect *i;

	(void)state;
	assert_int_equal(inspect_new(NULL, &i), 0);
	assert_int_equal(inspect_python(i, debian, take_answer, &python), 0);
	assert_int_equal(inspect_python(i, other, take_answer, &none), 0);
	assert_int_equal(inspect_wait(i, 60 * NS_PER_S), 0);
	inspect_free(i);
	assert_int_equal(python.calls, 1);
	assert_int_equal(python.err, 0);
	same_facts(&direct, &python.python);
	assert_int_equal(none.calls, 1);
	assert_int_equal(none.err, -ENOENT);
	assert_string_equal(none.cause, "no CPython interpreter");
}

/* An answer of @size bytes, as a worker would have written it. */
static struct told answered(const struct python_answer *a, size_t size)
{
	struct reply reply = { .bytes = size };
	struct told t = {};
	struct query *q;
	int result;

	assert_int_equal(query_new(REQUEST_PYTHON, STDERR_FILENO, -1, &q), 0);
	q->python_done = take_answer;
	q->context = &t;
	q->answer = memfd_create("answer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(pwrite(q->answer, a, sizeof(*a), 0), sizeof(*a));
	result = query_answer(q, &reply);
	assert_int_equal(result, t.err);
	assert_int_equal(t.calls, 1);
	query_free(q);
	return t;
}

static struct python_answer honest(void)
{
	return (struct python_answer){ .runtime = 0x2000,
				       .runtime_bytes = 0x1000,
				       .code_type = 0x3000,
				       .eval = { { 0x1000, 0x1100 }, { 0x1200, 0x1300 } },
				       .version = 0x030b02f0,
				       .eval_count = 2,
				       .debug_bytes = 1024 };
}

static void a_lying_worker_is_not_believed(void **state)
{
	struct python_answer lie = honest();

	(void)state;
	assert_int_equal(answered(&lie, sizeof(lie)).err, 0);
	assert_int_equal(answered(&lie, sizeof(lie) - 1).err, -EBADMSG);
	assert_int_equal(answered(&lie, 0).err, -EBADMSG);
#define LIE(member, value)                                                   \
	do {                                                                 \
		lie = honest();                                              \
		lie.member = value;                                          \
		assert_int_equal(answered(&lie, sizeof(lie)).err, -EBADMSG); \
	} while (0)
	LIE(version, 0x020712f0);
	LIE(free_threaded, 2);
	LIE(musl, 255);
	LIE(eval_count, 0);
	LIE(eval_count, 3);
	LIE(eval_count, INSPECT_EVAL_MAX + 1);
	LIE(eval_count, UINT32_MAX);
	LIE(eval[1].start, 0x1300);
	LIE(eval[0].end, UINT64_MAX);
	LIE(debug_bytes, 1025);
	LIE(runtime_bytes, 1023);
	LIE(runtime_bytes, UINT64_MAX);
	LIE(runtime, UINT64_MAX);
	LIE(runtime, 0);
	LIE(code_type, 0);
	LIE(code_type, 1ull << 47);
#undef LIE
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	run("rm -r %s", directory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_of_interpreters_are_those_of_nm_and_of_themselves),
		cmocka_unit_test(first_bytes_of_the_runtime_are_there_where_the_file_has_them),
		cmocka_unit_test(a_stripped_copy_gives_what_the_symbols_say),
		cmocka_unit_test(the_cold_part_of_a_profiled_build_is_found_without_symbols),
		cmocka_unit_test(debians_cold_part_is_a_function_of_readelf),
		cmocka_unit_test(other_files_are_no_interpreters),
		cmocka_unit_test(the_made_one_has_every_fact),
		cmocka_unit_test(free_threaded_is_what_the_runtime_says_from_3_13_on),
		cmocka_unit_test(musl_is_told_by_what_the_file_needs),
		cmocka_unit_test(a_function_with_fewer_jumps_is_no_cold_part),
		cmocka_unit_test(a_jump_to_the_first_byte_of_a_function_does_not_count),
		cmocka_unit_test(a_function_that_does_not_jump_back_is_no_cold_part),
		cmocka_unit_test(handlers_of_tail_calls_are_merged_and_the_largest_are_kept),
		cmocka_unit_test(symbols_that_reach_beyond_their_segment_are_refused),
		cmocka_unit_test(a_file_without_a_version_is_refused),
		cmocka_unit_test(a_truncated_file_is_refused_wherever_it_ends),
		cmocka_unit_test(version_texts),
		cmocka_unit_test(the_worker_tells_what_the_reader_found),
		cmocka_unit_test(a_lying_worker_is_not_believed),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
