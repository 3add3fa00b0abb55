/* symbolize_kallsyms_test.c - kernel addresses → names; oracles: a file written here, and awk over
 * the live /proc/kallsyms. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "symbolize/kallsyms.h"

#define PICKED 300

static void write_symbols(char path[64], const char *text)
{
	FILE *f;
	int fd;

	strcpy(path, "/tmp/taskdiag-kallsyms-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

static void free_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
}

static void the_nearest_text_symbol_before_names_an_address(void **state)
{
	static const char text[] =
	    "0000000000000000 A fixed_percpu_data\n"
	    "0000000000001000 A irq_stack\n"
	    "ffffffff81000000 T _stext\n"
	    "ffffffff81000000 T startup\n" /* fewer underscores */
	    "ffffffff81000000 t local_startup\n"
	    "ffffffff81000100 t static_one\n"
	    "ffffffff81000180 A absolute\n"
	    "ffffffff81000200 W weak_one\n"
	    "ffffffff82000000 D jiffies\n" /* data: ends the text */
	    "ffffffff82000000 t odd_one\n" /* code at the same place */
	    "ffffffff82000100 d more_data\n"
	    "ffffffffc0002000 t later_in_module\t[ext4]\n"
	    "ffffffffc0001000 t earlier_in_module\t[ext4]\n" /* not in order */
	    "ffffffffc0003000 t upper\t[nfs]\n"
	    "ffffffffc0002800 t lower\t[nfs]\n"
	    "not a line\n"
	    "ffffffffc0001800\n";
	static const struct {
		uint64_t address;
		const char *name;
	} rows[] = {
		{ 0x0, NULL },
		{ 0x2000, NULL }, /* absolute symbols are no places */
		{ 0xffffffff80ffffff, NULL },
		{ 0xffffffff81000000, "startup" },
		{ 0xffffffff810000ff, "startup" },
		{ 0xffffffff81000100, "static_one" },
		{ 0xffffffff81000100, "static_one" }, /* asked for twice */
		{ 0xffffffff810001c0, "static_one" },
		{ 0xffffffff81ffffff, "weak_one" },
		{ 0xffffffff82000000, "odd_one" },
		{ 0xffffffff82000100, NULL },
		{ 0xffffffffc0000fff, NULL },
		{ 0xffffffffc0001900, "earlier_in_module [ext4]" },
		{ 0xffffffffc0002000, "later_in_module [ext4]" },
		{ 0xffffffffc0003100, "upper [nfs]" },
	};
	const size_t count = sizeof(rows) / sizeof(*rows);
	uint64_t addresses[sizeof(rows) / sizeof(*rows)];
	char *names[sizeof(rows) / sizeof(*rows)], path[64];

	(void)state;
	write_symbols(path, text);
	for (size_t i = 0; i < count; i++)
		addresses[i] = rows[i].address;
	assert_int_equal(kallsyms_names(path, addresses, count, names), 0);
	for (size_t i = 0; i < count; i++) {
		if (!rows[i].name != !names[i] || (names[i] && strcmp(names[i], rows[i].name)))
			fail_msg("%#" PRIx64 ": %s", addresses[i], names[i] ?: "none");
	}
	free_names(names, count);
	assert_int_equal(kallsyms_names(path, addresses, 0, names), 0);
	unlink(path);
}

static void hidden_addresses_are_told(void **state)
{
	uint64_t address = 0xffffffff81000000;
	char *name = (char *)"not touched", path[64];

	(void)state;
	write_symbols(path, "0000000000000000 T _stext\n0000000000000000 t other\n");
	assert_int_equal(kallsyms_names(path, &address, 1, &name), -EPERM);
	assert_null(name);
	unlink(path);
	assert_int_equal(kallsyms_names("/nonexistent/kallsyms", &address, 1, &name), -ENOENT);
	write_symbols(path, ""); /* a kernel without them hides nothing */
	assert_int_equal(kallsyms_names(path, &address, 1, &name), 0);
	assert_null(name);
	unlink(path);
}

/* Every 300th or so of the text symbols that have an address for themselves. */
static void names_of_the_running_kernel_are_those_of_grep(void **state)
{
	uint64_t addresses[PICKED];
	char *names[PICKED], wanted[PICKED][512], line[1024];
	size_t count = 0;
	FILE *f;
	int err;

	(void)state;
	f = popen("awk '$2 ~ /[tT]/ && $1 !~ /^0+$/ { print $1, $3, $4 }' /proc/kallsyms | sort |"
		  " awk '$1 == last { same = 1 } { if (NR > 1 && !same && first && ++n % 300 == 0)"
		  " print keep; first = ($1 != last); same = 0; last = $1; keep = $0 }'",
		  "r");
	assert_non_null(f);
	while (count < PICKED && fgets(line, sizeof(line), f)) {
		char *at;

		line[strcspn(line, "\n")] = '\0';
		addresses[count] = strtoull(line, &at, 16);
		assert_int_equal(*at, ' ');
		snprintf(wanted[count], sizeof(wanted[count]), "%s", at + 1);
		at = strchr(wanted[count], '\0');
		while (at > wanted[count] && at[-1] == ' ')
			*--at = '\0';
		count++;
	}
	while (fgets(line, sizeof(line), f))
		;
	pclose(f);
	if (!count) {
		err = kallsyms_names("/proc/kallsyms", addresses, 0, names);
		print_message("skipped: the kernel hides its addresses (%d)\n", err);
		skip();
	}
	assert_in_range(count, 50, PICKED);
	assert_int_equal(kallsyms_names("/proc/kallsyms", addresses, count, names), 0);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(names[i], wanted[i]);
	free_names(names, count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_text_symbol_before_names_an_address),
		cmocka_unit_test(hidden_addresses_are_told),
		cmocka_unit_test(names_of_the_running_kernel_are_those_of_grep),
	};

	return cmocka_run_group_tests_name("symbolize/kallsyms", tests, NULL, NULL);
}
