/* cli_memray_installed_test.c - which memray is found, and what it reads; oracle: directories that
 * the test makes, and the versions that introduced each format. */
#include <errno.h>
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

#include "cli/memray_installed.h"

static const struct identity user = { .home = "/home/u" };
static char root[64];

/* All directories of a path below the root. */
static void make(const char *path)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	for (char *slash = strchr(whole + strlen(root) + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = 0;
		assert_true(!mkdir(whole, 0755) || errno == EEXIST);
		if (!slash)
			break;
		*slash = '/';
	}
}

static int setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/taskdiag-test-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static void none_is_none(void **state)
{
	(void)state;
	assert_int_equal(memray_installed(root, NULL, &user), 0);
	make("/usr/lib/python3/dist-packages/memray-stubs-1.19.dist-info");
	make("/usr/lib/python3/dist-packages/memray-1.10.0.dist-info");
	assert_int_equal(memray_installed(root, "", &user), 0);
}

static void the_nearest_counts(void **state)
{
	(void)state;
	make("/usr/lib/python3/dist-packages/memray-1.17.2.dist-info");
	assert_int_equal(memray_installed(root, NULL, &user), 11);
	make("/usr/local/lib/python3.11/dist-packages/memray-1.20.0.dist-info");
	assert_int_equal(memray_installed(root, NULL, &user), 13);
	make("/home/u/.local/lib/python3.12/site-packages/memray-1.19.1.dist-info");
	assert_int_equal(memray_installed(root, NULL, &user), 12);
	make("/srv/venv/lib/python3.13/site-packages/memray-2.0.0.dist-info");
	assert_int_equal(memray_installed(root, "/srv/venv", &user), 13);
	assert_int_equal(memray_installed(root, "/srv/other", &user), 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(none_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(the_nearest_counts, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
