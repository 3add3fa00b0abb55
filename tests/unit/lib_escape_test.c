/* lib_escape_test.c - hostile text is made visible, and never wider than told; oracle: the lists of
 * Unicode and ECMA-48, written out by hand. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/escape.h"

static void what_escapes_is_visible(void **state)
{
	static const struct {
		const char *raw, *terminal, *ascii, *xml;
	} names[] = {
		{ "plain é", "plain é", "plain \\u00e9", "plain é" },
		{ "a\033[2J\177\a", "a\\x1b[2J\\x7f\\x07", "a\\x1b[2J\\x7f\\x07",
		  "a\\x1b[2J\\x7f\\x07" },
		{ "\u202egnp\u2066", "\\u202egnp\\u2066", "\\u202egnp\\u2066",
		  "\\u202egnp\\u2066" },
		{ "\xc2\x9b"
		  "31m",
		  "\\u009b31m", "\\u009b31m", "\\u009b31m" },
		{ "\xff\xc0\xaf\xed\xa0\x80", "\\xff\\xc0\\xaf\\xed\\xa0\\x80",
		  "\\xff\\xc0\\xaf\\xed\\xa0\\x80", "\\xff\\xc0\\xaf\\xed\\xa0\\x80" },
		{ "<&>\"'", "<&>\"'", "<&>\"'", "&lt;&amp;&gt;&quot;&#39;" },
		{ "\U000e0041\ufeff", "\\U000e0041\\ufeff", "\\U000e0041\\ufeff",
		  "\\U000e0041\\ufeff" },
		{ "cut\xe2\x82", "cut\\xe2\\x82", "cut\\xe2\\x82", "cut\\xe2\\x82" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_free_ char *terminal = escape_terminal(names[i].raw, true, 0);
		_cleanup_free_ char *ascii = escape_terminal(names[i].raw, false, 0);
		_cleanup_free_ char *xml = escape_xml(names[i].raw);

		assert_string_equal(terminal, names[i].terminal);
		assert_string_equal(ascii, names[i].ascii);
		assert_string_equal(xml, names[i].xml);
	}
}

static void a_cut_name_keeps_to_its_columns(void **state)
{
	(void)state;
	for (size_t columns = 1; columns < 12; columns++) {
		_cleanup_free_ char *wide = escape_terminal("日本語日本語\033\n", true, columns);
		_cleanup_free_ char *ascii = escape_terminal("abcdefghijklmn", false, columns);

		assert_true(escape_columns(wide, true) <= columns);
		assert_true(columns < 3 || strlen(ascii) == columns);
	}
}

static void json_keeps_the_value_and_never_ends_a_script(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	assert_non_null(f);
	escape_json(f, "é\"\\</script>&\n\u2028\u202e\xff\U000e0041");
	assert_int_equal(fclose(f), 0);
	assert_string_equal(text, "\"é\\u0022\\u005c\\u003c/script\\u003e\\u0026\\u000a"
				  "\\u2028\\u202e\\ufffd\\udb40\\udc41\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_escapes_is_visible),
		cmocka_unit_test(a_cut_name_keeps_to_its_columns),
		cmocka_unit_test(json_keeps_the_value_and_never_ends_a_script),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
