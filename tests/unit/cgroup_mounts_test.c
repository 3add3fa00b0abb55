/* cgroup_mounts_test.c - the cgroup file systems of a host, from texts of real hosts. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <cmocka.h>

#include "cgroup/mounts.h"

static struct cgroup_mounts mounts;

static void parse(const char *mountinfo, const char *cgroup)
{
	char m[8192], c[2048];

	snprintf(m, sizeof(m), "%s", mountinfo);
	snprintf(c, sizeof(c), "%s", cgroup);
	cgroup_mounts_parse(m, c, &mounts);
}

static void a_hybrid_host_has_both(void **state)
{
	(void)state;
	parse("25 1 0:22 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755\n"
	      "26 25 0:23 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	      "27 25 0:24 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
	      "31 25 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	      "32 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
	      "12:cpu,cpuacct:/\n4:memory:/user.slice\n1:name=systemd:/x\n0::/user.slice\n");
	assert_int_equal(mounts.count, 4);
	assert_int_equal(mounts.list[0].version, 2);
	assert_int_equal(mounts.list[0].hierarchy, 0);
	assert_int_equal(mounts.list[0].device, makedev(0, 23));
	assert_string_equal(mounts.list[1].controllers, "name=systemd");
	assert_int_equal(mounts.list[1].hierarchy, 1);
	assert_int_equal(mounts.list[2].hierarchy, 4);
	assert_string_equal(mounts.list[2].point, "/sys/fs/cgroup/memory");
	assert_int_equal(mounts.list[3].hierarchy, 12);
	assert_true(cgroup_controllers_have(mounts.list[3].controllers, "cpuacct"));
	assert_false(cgroup_controllers_have(mounts.list[3].controllers, "cpua"));
}

static void blanks_in_paths_are_octal_and_roots_of_namespaces_are_kept(void **state)
{
	(void)state;
	parse("30 25 0:27 /docker/ab\\040c /mnt/a\\040b\\134c rw - cgroup2 none rw\n", "0::/\n");
	assert_int_equal(mounts.count, 1);
	assert_string_equal(mounts.list[0].root, "/docker/ab c");
	assert_string_equal(mounts.list[0].point, "/mnt/a b\\c");
}

static void malformed_lines_are_skipped(void **state)
{
	(void)state;
	parse("\n - \nx y z\n1 2 3:4 / /p rw - cgroup2\n1 2 x / /p rw - cgroup2 n rw\n"
	      "5 6 0:7 / /good rw - cgroup2 n rw\n"
	      "1 2 0:9 / - cgroup2 n rw\n",
	      "::\n4\n4:\n-3:memory:/\n99999999999999999999:memory:/\n");
	assert_int_equal(mounts.count, 1);
	assert_string_equal(mounts.list[0].point, "/good");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hybrid_host_has_both),
		cmocka_unit_test(blanks_in_paths_are_octal_and_roots_of_namespaces_are_kept),
		cmocka_unit_test(malformed_lines_are_skipped),
	};

	return cmocka_run_group_tests_name("cgroup/mounts", tests, NULL, NULL);
}
