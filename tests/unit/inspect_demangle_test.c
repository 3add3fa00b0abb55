/* inspect_demangle_test.c - names of C++ and Rust; oracle: what rustc and the ABI say they mean. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "inspect/demangle.h"

static void names_of_cxx_and_rust_are_readable(void **state)
{
	static const struct {
		const char *mangled, *readable;
	} rows[] = {
		{ "_ZN3foo3barEiPKc", "foo::bar(int, char const*)" },
		{ "_ZNSt6vectorIiSaIiEE9push_backEOi",
		  "std::vector<int, std::allocator<int> >::push_back(int&&)" },
		{ "_Z3foov.cold", "foo() [clone .cold]" },
		{ "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad" },
		{ "_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar"
		  "17h930b740aa94f1d3aE",
		  "<Test + 'static as foo::Bar<Test>>::bar" },
		{ "_RNvC6_123foo3bar", "123foo::bar" },
		{ "_RNvMsr_NtCs3ssYzQotkvD_3std4pathNtB5_7PathBuf3newCs15kBYyAo9fc_7mycrate",
		  "<std::path::PathBuf>::new" },
		{ "main", NULL },
		{ "", NULL },
		{ "_", NULL },
		{ "_start", NULL },
		{ "_Z", NULL },
		{ "_ZN", NULL },
		{ "_R", NULL },
		{ "__libc_start_main", NULL },
	};
	char readable[DEMANGLE_OUTPUT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(demangle(rows[i].mangled, readable), rows[i].readable != NULL);
		if (rows[i].readable)
			assert_string_equal(readable, rows[i].readable);
	}
}

/* Each of 30 arguments doubles the one before: a gigabyte, if it were written. */
static void a_name_that_would_be_endless_is_cut(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char mangled[8192], readable[DEMANGLE_OUTPUT_MAX];
	size_t used;

	(void)state;
	strcpy(mangled, "_Z1f1AIS_S_E");
	used = strlen(mangled);
	for (int i = 0; i < 30; i++)
		used += (size_t)sprintf(mangled + used, "S_IS%c_S%c_E", digits[i], digits[i]);
	assert_true(demangle(mangled, readable));
	assert_int_equal(strlen(readable), DEMANGLE_OUTPUT_MAX - 1);
	assert_string_equal(readable + DEMANGLE_OUTPUT_MAX - 4, "...");
	assert_memory_equal(readable, "f(A<A, A>, A<A<A, A>, A<A, A> >", 30);
	/* too long to be looked at */
	memset(mangled, 'P', sizeof(mangled));
	memcpy(mangled, "_Z1f", 4);
	mangled[DEMANGLE_INPUT_MAX + 1] = '\0';
	assert_false(demangle(mangled, readable));
	/* deep, not long */
	strcpy(mangled + DEMANGLE_INPUT_MAX - 1, "i");
	(void)demangle(mangled, readable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_cxx_and_rust_are_readable),
		cmocka_unit_test(a_name_that_would_be_endless_is_cut),
	};

	return cmocka_run_group_tests_name("inspect/demangle", tests, NULL, NULL);
}
