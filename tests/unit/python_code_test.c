/* python_code_test.c - names and lines of code objects; oracle: the interpreters of this machine,
 * which say of code objects of their library what the bytes in memory are, what text that is, and,
 * with PyCode_Addr2Line(), which line every instruction has. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "python/code.h"
#include "tests/unit/python_interpreters.h"

/* A line for every code object: minor, first line, name and file (memory, text), table, lines. */
static const char script[] =
    "import ctypes, importlib.util, sys, types\n"
    "minor = sys.version_info[1]\n"
    "line_of = ctypes.pythonapi.PyCode_Addr2Line\n"
    "line_of.argtypes = [ctypes.py_object, ctypes.c_int]\n"
    "def text(s, most):\n"
    "    width = 1 if max(map(ord, s), default=0) < 256 else 2 if max(map(ord, s)) < 65536 else 4\n"
    "    size = s.__sizeof__()\n"
    "    fit = (most - (size - (len(s) + 1) * width)) // width\n"
    "    want = s[:fit] + ('…' if len(s) > fit else '')\n"
    "    want = ''.join('\\ufffd' if c == '\\0' or '\\ud800' <= c < '\\ue000' else c for c in "
    "want)\n"
    "    raw = ctypes.string_at(id(s), min(most, size))\n"
    "    return raw.hex(), want.encode().hex() or '-'\n"
    "def tell(code):\n"
    "    name = code.co_qualname if minor >= 11 else code.co_name\n"
    "    table = code.co_linetable if minor >= 10 else code.co_lnotab\n"
    "    lines = [line_of(code, at) for at in range(0, len(code.co_code), 2)]\n"
    "    print(minor, code.co_firstlineno, *text(name, 256), *text(code.co_filename, 512),\n"
    "          table.hex() or '-', ','.join(str(max(line, 0)) for line in lines))\n"
    "def tell_all(code):\n"
    "    tell(code)\n"
    "    for part in code.co_consts:\n"
    "        if isinstance(part, types.CodeType):\n"
    "            tell_all(part)\n"
    "for name in ('argparse', 'ast', 'contextlib', 'dataclasses', 'heapq', 'inspect', 'locale',\n"
    "             'subprocess', 'tarfile', 'textwrap', 'threading', 'typing'):\n"
    "    origin = importlib.util.find_spec(name).origin\n"
    "    tell_all(compile(open(origin, 'rb').read(), origin, 'exec'))\n"
    "def gaps(blank):\n"
    "    return ('def f(a):\\n' + '\\n' * blank + ' try:\\n  a(\\n' + '\\n' * blank +\n"
    "            '  1,\\n  2)\\n finally:\\n' + '\\n' * blank + '  b = [c for c in a]\\n' +\n"
    "            ' with a as d:\\n' + '\\n' * blank + '  while d:\\n   e = yield\\n')\n"
    "for blank in (0, 1, 100, 126, 127, 128, 129, 255, 256, 1000, 50000):\n"
    "    tell_all(compile(gaps(blank), 'gaps', 'exec'))\n"
    "long = 'def f():\\n' + ''.join(' a = [%d,\\n\\n b]\\n' % n for n in range(1000))\n"
    "tell_all(compile(long, 'long', 'exec'))\n"
    "class Kinds: exec('def größe(): pass\\ndef имя(): pass\\ndef 𝒂𝒃(): pass')\n"
    "some = tell.__code__\n"
    "for name in ('', 'a', 'é', 'Größe', 'имя', '名前', '\\U0001d482', 'a\\0b', '\\ud800x',\n"
    "             '\\udfff', '\\U0010ffff', '\\x7f\\x80\\xff', '\\u0100', '\\uffff', "
    "'\\U00010000'):\n"
    "    for times in (1, 2, 7, 40, 100, 183, 184, 185, 199, 200, 201, 208, 209, 216, 217, 999):\n"
    "        one = some.replace(co_name=name * times, co_filename=name * times)\n"
    "        if minor >= 11: one = one.replace(co_qualname=name * times)\n"
    "        tell(one)\n"
    "for method in vars(Kinds).values():\n"
    "    if isinstance(method, types.FunctionType):\n"
    "        tell(method.__code__)\n"
    "for first in (0, 1, 2147483000):\n"
    "    tell(some.replace(co_firstlineno=first))\n";

struct record {
	unsigned minor, first_line;
	uint8_t *name, *name_text, *file, *file_text, *table;
	size_t name_bytes, file_bytes, table_bytes, bytes;
	const char *lines;
};

static void record_parse(struct record *r, char *line)
{
	char *save, *word = strtok_r(line, " \n", &save);

	r->minor = atoi(word);
	r->first_line = atoi(strtok_r(NULL, " \n", &save));
	r->name = unhex(strtok_r(NULL, " \n", &save), &r->name_bytes);
	r->name_text = unhex(strtok_r(NULL, " \n", &save), &r->bytes);
	r->file = unhex(strtok_r(NULL, " \n", &save), &r->file_bytes);
	r->file_text = unhex(strtok_r(NULL, " \n", &save), &r->bytes);
	r->table = unhex(strtok_r(NULL, " \n", &save), &r->table_bytes);
	r->lines = strtok_r(NULL, " \n", &save);
	assert_non_null(r->lines);
}

static void record_free(struct record *r)
{
	free(r->name);
	free(r->name_text);
	free(r->file);
	free(r->file_text);
	free(r->table);
}

/* The event that a walk would send, had it read @table_bytes of the line table. */
static struct python_code *code_of(const struct record *r, size_t table_bytes)
{
	const size_t bytes = sizeof(struct code_event) + table_bytes;
	struct code_event *e = calloc(1, bytes);
	struct python_code *code = NULL;

	assert_non_null(e);
	e->minor = r->minor;
	e->first_line = r->first_line;
	e->name_bytes = r->name_bytes;
	e->file_bytes = r->file_bytes;
	e->lines_bytes = table_bytes;
	e->lines_size = r->table_bytes;
	memcpy(e->name, r->name, r->name_bytes);
	memcpy(e->file, r->file, r->file_bytes);
	memcpy(e + 1, r->table, table_bytes);
	assert_int_equal(python_code_new(e, bytes, &code), 0);
	free(e);
	return code;
}

/* Returns how many instructions have a line. With @cut, some may have lost theirs. */
static size_t check_lines(const struct python_code *code, const char *lines, bool cut)
{
	size_t found = 0;
	char *end;

	for (uint32_t i = 0; *lines; i++, lines = end + (*end == ',')) {
		uint32_t want = strtoul(lines, &end, 10), line = python_code_line(code, i);

		if (line != want && (line || !cut))
			fail_msg("instruction %u: line %u, but it is %u", i, line, want);
		found += line != 0;
	}
	return found;
}

static void check_record(const struct record *r, size_t *longer, size_t *cut_lines)
{
	size_t most = r->table_bytes < PYTHON_LINES_BYTES ? r->table_bytes : PYTHON_LINES_BYTES;
	struct python_code *code = code_of(r, most);

	assert_string_equal(python_code_name(code), (char *)r->name_text);
	assert_string_equal(python_code_file(code), (char *)r->file_text);
	assert_int_equal(python_code_first_line(code), r->first_line);
	check_lines(code, r->lines, most < r->table_bytes);
	*longer += most < r->table_bytes;
	assert_int_equal(python_code_set_lines(code, r->table, r->table_bytes), 0);
	check_lines(code, r->lines, false);
	assert_int_equal(python_code_line(code, FRAME_NO_INSTRUCTION), 0);
	python_code_free(code);
	code = code_of(r, most / 2);
	*cut_lines += check_lines(code, r->lines, true);
	python_code_free(code);
}

static void names_and_lines_are_those_that_the_interpreter_says(void **state)
{
	struct interpreters all = { 0 };

	(void)state;
	interpreters_find(&all);
	for (size_t i = 0; i < all.count; i++) {
		_cleanup_free_ char *line = NULL;
		size_t room = 0, count = 0, longer = 0, cut_lines = 0;
		pid_t child;
		FILE *output = interpreter_run(all.paths[i], script, NULL, &child);

		while (getline(&line, &room, output) > 0) {
			struct record r = { 0 };

			record_parse(&r, line);
			check_record(&r, &longer, &cut_lines);
			record_free(&r);
			count++;
		}
		interpreter_end(output, child);
		print_message("%s: %zu code objects\n", all.paths[i], count);
		assert_true(count > 1000);
		assert_true(longer);
		assert_true(cut_lines > 10000);
	}
	interpreters_free(&all);
}

/* One with a table that only this test has made. */
static uint32_t line_in(unsigned minor, uint32_t first, const void *table, size_t bytes, bool whole,
			uint32_t instruction)
{
	struct code_event *e = calloc(1, sizeof(*e) + bytes);
	struct python_code *code = NULL;
	uint32_t line;

	assert_non_null(e);
	e->minor = minor;
	e->first_line = first;
	e->lines_bytes = bytes;
	e->lines_size = bytes + !whole;
	memcpy(e + 1, table, bytes);
	assert_int_equal(python_code_new(e, sizeof(*e) + bytes, &code), 0);
	assert_null(python_code_name(code)); /* of no bytes */
	line = python_code_line(code, instruction);
	python_code_free(code);
	free(e);
	return line;
}

#define LINE_IN(minor, first, table, whole, instruction) \
	line_in(minor, first, table, sizeof(table) - 1, whole, instruction)

static void a_table_that_is_cut_says_nothing_of_what_was_behind(void **state)
{
	(void)state;
	for (unsigned minor = 8; minor <= 9; minor++) {
		assert_int_equal(LINE_IN(minor, 7, "\x04\x01", true, 1), 7);
		assert_int_equal(LINE_IN(minor, 7, "\x04\x01", true, 2), 8);
		assert_int_equal(LINE_IN(minor, 7, "\x04\x01", false, 1), 7);
		assert_int_equal(LINE_IN(minor, 7, "\x04\x01", false, 2), 0);
		assert_int_equal(LINE_IN(minor, 7, "\x04\x01\x02", true, 3), 8); /* half a pair */
		assert_int_equal(LINE_IN(minor, 7, "", true, 3), 7);
		assert_int_equal(LINE_IN(minor, 7, "", false, 3), 0);
	}
	assert_int_equal(LINE_IN(10, 7, "\x04\x01\x02\x80\x02\x01", true, 1), 8);
	assert_int_equal(LINE_IN(10, 7, "\x04\x01\x02\x80\x02\x01", true, 2), 0);
	assert_int_equal(LINE_IN(10, 7, "\x04\x01\x02\x80\x02\x01", true, 3), 9);
	assert_int_equal(LINE_IN(10, 7, "\x04\x01\x02\x80\x02\x01", true, 4), 0);
	assert_int_equal(LINE_IN(10, 7, "\x04\x01\x02\x80\x02", true, 3), 0);
	for (unsigned minor = 11; minor <= 14; minor++) {
		/* one unit at line + 1; two at line - 1; one without */
		assert_int_equal(LINE_IN(minor, 7, "\xe8\x02\xe9\x03\xf8", true, 0), 8);
		assert_int_equal(LINE_IN(minor, 7, "\xe8\x02\xe9\x03\xf8", true, 2), 7);
		assert_int_equal(LINE_IN(minor, 7, "\xe8\x02\xe9\x03\xf8", true, 3), 0);
		assert_int_equal(LINE_IN(minor, 7, "\xe8\x02\xe9\x03\xf8", true, 4), 0);
		assert_int_equal(LINE_IN(minor, 7, "\xe8\x02\xe9", true, 1), 0); /* no delta */
		assert_int_equal(LINE_IN(minor, 7, "\xe8\x42", true, 0), 0);	 /* half a delta */
	}
}

static void a_line_stays_between_1_and_2147483647(void **state)
{
	(void)state;
	assert_int_equal(LINE_IN(8, INT32_MAX, "\x02\x01", true, 0), INT32_MAX);
	assert_int_equal(LINE_IN(8, INT32_MAX, "\x02\x01", true, 1), 0);
	assert_int_equal(LINE_IN(8, UINT32_MAX, "\x02\x01", true, 0), 0);
	assert_int_equal(LINE_IN(9, 1, "\x02\xff", true, 1), 0);
	assert_int_equal(LINE_IN(10, 1, "\x02\xff", true, 0), 0);
	assert_int_equal(LINE_IN(10, INT32_MAX, "\x02\x01", true, 0), 0);
	assert_int_equal(LINE_IN(11, INT32_MAX, "\xe8\x02", true, 0), 0);
	assert_int_equal(LINE_IN(11, INT32_MAX, "\xe8\x00", true, 0), INT32_MAX);
	assert_int_equal(LINE_IN(11, 1, "\xe8\x03", true, 0), 0);
	/* plus, and minus, the largest that is an int */
	assert_int_equal(LINE_IN(12, 0, "\xe8\x7e\x7f\x7f\x7f\x7f\x03", true, 0), INT32_MAX);
	assert_int_equal(LINE_IN(12, 1, "\xe8\x7e\x7f\x7f\x7f\x7f\x03", true, 0), 0);
	assert_int_equal(LINE_IN(12, 1, "\xe8\x7f\x7f\x7f\x7f\x7f\x03", true, 0), 0);
	/* there and back again: the sum is not cut on its way */
	assert_int_equal(
	    LINE_IN(12, 5, "\xe8\x7e\x7f\x7f\x7f\x7f\x03\xe8\x7f\x7f\x7f\x7f\x7f\x03", true, 1), 5);
	/* longer than an int, and longer than anything */
	assert_int_equal(LINE_IN(12, 1, "\xe8\x40\x40\x40\x40\x40\x04", true, 0), 0);
	assert_int_equal(
	    LINE_IN(12, 1, "\xe8\x40\x40\x40\x40\x40\x40\x40\x40\x40\x40\x00", true, 0), 0);
	assert_int_equal(LINE_IN(12, 1, "\xe8\x42\x40\x40\x40\x40\x40\x00", true, 0), 0);
	/* once it was longer than an int, nothing that follows has a line either */
	assert_int_equal(
	    LINE_IN(12, 5, "\xe8\x40\x40\x40\x40\x40\x04\xe8\x41\x40\x40\x40\x40\x04", true, 1), 0);
	/* an entry that does not begin as one */
	assert_int_equal(LINE_IN(12, 1, "\x02\xe8\x02", true, 0), 0);
}

static void put_string(struct code_event *e, uint64_t length, uint32_t state, uint16_t bytes)
{
	memcpy(e->name + 16, &length, sizeof(length));
	memcpy(e->name + 32, &state, sizeof(state));
	e->name_bytes = bytes;
}

static void what_is_no_string_has_no_text(void **state)
{
	const uint32_t ascii = 1 << 2 | 1 << 5 | 1 << 6;
	const struct {
		uint64_t length;
		uint32_t state;
		uint16_t bytes;
		const char *want;
	} cases[] = {
		{ 2, ascii, 256, "aa" },
		{ 2, ascii, 42, "aa" },
		{ 2, ascii, 41, "a…" },
		{ 2, ascii, 40, "…" },
		{ 0, ascii, 40, "" },
		{ 2, ascii, 39, NULL },
		{ 2, ascii, 0, NULL },
		{ INT64_MAX, ascii, 42, "aa…" },
		{ UINT64_MAX, ascii, 256, NULL },	     /* a negative length */
		{ 2, 1 << 2 | 1 << 6, 256, NULL },	     /* not compact */
		{ 2, 1 << 5, 256, NULL },		     /* of no kind */
		{ 2, 3 << 2 | 1 << 5, 256, NULL },	     /* of a kind that is none */
		{ 2, 2 << 2 | 1 << 5 | 1 << 6, 256, NULL },  /* ASCII of two bytes */
		{ 1, 4 << 2 | 1 << 5, 256, "\xef\xbf\xbd" }, /* U+61616161 */
		{ 1, 2 << 2 | 1 << 5, 256, "\xe6\x85\xa1" }, /* U+6161 */
		{ 2, 2 << 2 | 1 << 5, 59, "\xe6\x85\xa1…" }, /* half a character */
		{ 2, 1 << 2 | 1 << 5, 256, "aa" },	     /* Latin-1 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct code_event e = { .minor = 12, .flags = PYTHON_FILE_UNREAD };
		struct python_code *code;

		memset(e.name, 'a', sizeof(e.name));
		memset(e.file, 'a', sizeof(e.file));
		e.file_bytes = sizeof(e.file);
		put_string(&e, cases[i].length, cases[i].state, cases[i].bytes);
		assert_int_equal(python_code_new(&e, sizeof(e), &code), 0);
		if (cases[i].want)
			assert_string_equal(python_code_name(code), cases[i].want);
		else
			assert_null(python_code_name(code));
		assert_null(python_code_file(code));
		python_code_free(code);
	}
}

/* What a walk could not read is not taken for what it is, even where the bytes would do. */
static void what_was_not_read_is_not_used(void **state)
{
	struct code_event e = { .minor = 12 };
	struct python_code *code;

	(void)state;
	put_string(&e, 0, 1 << 2 | 1 << 5 | 1 << 6, PYTHON_NAME_BYTES);
	memcpy(e.file, e.name, sizeof(e.name));
	e.file_bytes = PYTHON_FILE_BYTES;
	for (unsigned flags = 0; flags <= 3; flags++) {
		e.flags =
		    (flags & 1 ? PYTHON_NAME_UNREAD : 0) | (flags & 2 ? PYTHON_FILE_UNREAD : 0);
		assert_int_equal(python_code_new(&e, sizeof(e), &code), 0);
		assert_true(!python_code_name(code) == !!(flags & 1));
		assert_true(!python_code_file(code) == !!(flags & 2));
		python_code_free(code);
	}
	/* up to 3.9 an empty table is one line; one that could not be read, size and all, is not */
	e = (struct code_event){ .minor = 8, .first_line = 7, .flags = PYTHON_LINES_UNREAD };
	assert_int_equal(python_code_new(&e, sizeof(e), &code), 0);
	assert_int_equal(python_code_line(code, 0), 0);
	assert_int_equal(python_code_set_lines(code, NULL, 0), 0);
	assert_int_equal(python_code_line(code, 0), 7);
	python_code_free(code);
}

static void an_event_that_does_not_fit_its_bytes_is_refused(void **state)
{
	const struct code_event right = { .minor = 8 };
	struct code_event *e = calloc(1, sizeof(*e) + 2);
	struct python_code *code;

	(void)state;
	assert_non_null(e);
#define REFUSED(bytes, field, value)                                          \
	do {                                                                  \
		*e = right;                                                   \
		e->field = value;                                             \
		assert_int_equal(python_code_new(e, bytes, &code), -EBADMSG); \
	} while (0)
	REFUSED(sizeof(*e) - 1, minor, 8);
	REFUSED(0, minor, 8);
	REFUSED(sizeof(*e), minor, 7);
	REFUSED(sizeof(*e), minor, 15);
	REFUSED(sizeof(*e), name_bytes, PYTHON_NAME_BYTES + 1);
	REFUSED(sizeof(*e), file_bytes, PYTHON_FILE_BYTES + 1);
	e->lines_size = 3;
	REFUSED(sizeof(*e) + 2, lines_bytes, 3);
	REFUSED(sizeof(*e) + 2, lines_bytes, 2); /* of a table of 0 */
#undef REFUSED
	*e = right;
	e->lines_bytes = e->lines_size = 2;
	assert_int_equal(python_code_new(e, sizeof(*e) + 1, &code), -EBADMSG);
	assert_int_equal(python_code_new(e, sizeof(*e) + 2, &code), 0);
	assert_int_equal(python_code_set_lines(code, NULL, 0), 0);
	python_code_free(code);
	python_code_free(NULL);
	free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_lines_are_those_that_the_interpreter_says),
		cmocka_unit_test(a_table_that_is_cut_says_nothing_of_what_was_behind),
		cmocka_unit_test(a_line_stays_between_1_and_2147483647),
		cmocka_unit_test(what_is_no_string_has_no_text),
		cmocka_unit_test(what_was_not_read_is_not_used),
		cmocka_unit_test(an_event_that_does_not_fit_its_bytes_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
