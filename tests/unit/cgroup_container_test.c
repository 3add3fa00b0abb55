/* cgroup_container_test.c - names of containers, from state files as the runtimes write them. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "cgroup/container_private.h"

#define A "aaaa567890123456789012345678901234567890123456789012345678901234"
#define B "aaab567890123456789012345678901234567890123456789012345678901234"

static char root[64];
static struct candidates all;

/* @path below the root, its directories made. */
static void put(const char *path, const char *text)
{
	char whole[512], *at;
	FILE *f;

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	for (at = whole + 1; (at = strchr(at, '/')); at++) {
		*at = 0;
		mkdir(whole, 0755);
		*at = '/';
	}
	f = fopen(whole, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/container-test-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void look_for(const char *name)
{
	memset(&all, 0, sizeof(all));
	all.wanted = name;
	container_states(root, &all);
}

static void assert_found(const char *name, const char *runtime, const char *id, const char *path)
{
	look_for(name);
	assert_int_equal(all.count, 1);
	assert_string_equal(all.list[0].runtime, runtime);
	assert_string_equal(all.list[0].id, id);
	assert_string_equal(all.list[0].path, path);
}

static void every_runtime_s_files_are_read(void **state)
{
	(void)state;
	put("/var/lib/docker/containers/" A "/config.v2.json",
	    "{\"ID\":\"" A "\",\"Name\":\"/shop\"}");
	put("/run/docker/runtime-runc/moby/" A "/state.json",
	    "{\"cgroup_paths\":{\"cpu\":\"/c\",\"memory\":\"/sys/fs/cgroup/memory/docker/" A
	    "\"}}");
	put("/var/lib/containers/storage/overlay-containers/containers.json",
	    "[{\"id\":\"" B "\",\"names\":[\"pod-shop\",\"other\"]}]");
	put("/run/crun/" B "/status", "{\"cgroup-path\":\"/machine.slice/libpod-b.scope\"}");
	put("/run/runc/plain/state.json", "{\"cgroup_paths\":{\"\":\"/sys/fs/cgroup/plain\"}}");
	put("/var/lib/nerdctl/1935db59/names/default/ctrd", B "\n");
	put("/run/containers/storage/overlay-containers/crioid/userdata/config.json",
	    "{\"annotations\":{\"io.kubernetes.container.name\":\"app\",\"io.kubernetes.pod.name\":"
	    "\"web-0\"}}");
	look_for("shop");
	assert_int_equal(all.count, 1);
	assert_string_equal(all.list[0].id, A);
	assert_found(A, "docker", A, "/sys/fs/cgroup/memory/docker/" A);
	assert_string_equal(all.list[0].name, "shop"); /* two sources, one container */
	assert_found("aaaa5", "docker", A, "/sys/fs/cgroup/memory/docker/" A);
	look_for("other");
	assert_int_equal(all.count, 1);
	assert_string_equal(all.list[0].id, B);
	assert_found("plain", "runc", "plain", "/sys/fs/cgroup/plain");
	look_for("ctrd");
	assert_int_equal(all.count, 1);
	assert_string_equal(all.list[0].id, B);
	look_for("web-0/app");
	assert_int_equal(all.count, 1);
	assert_string_equal(all.list[0].runtime, "cri-o");
	look_for("nobody");
	assert_int_equal(all.count, 0);
}

static void a_beginning_that_fits_several_lists_them_and_a_short_one_none(void **state)
{
	(void)state;
	put("/run/runc/" A "/state.json", "{}");
	put("/run/runc/" B "/state.json", "{}");
	look_for("aaa");
	assert_int_equal(all.count, 0);
	look_for("aaaa");
	assert_int_equal(all.count, 1);
	look_for("aaab");
	assert_int_equal(all.count, 1);
	for (int i = 0; i < 30; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/run/runc/twin-%02d/state.json", i);
		put(path, "{}");
	}
	look_for("twin-");
	assert_int_equal(all.count, CANDIDATES_MAX);
	assert_int_equal(all.more, 30 - CANDIDATES_MAX);
}

static void hostile_state_is_passed_over(void **state)
{
	(void)state;
	put("/run/runc/half/state.json", "{\"cgroup_paths\":{\"memory\":");
	put("/run/runc/list/state.json", "[1,2]");
	put("/run/runc/numb/state.json", "{\"cgroup_paths\":{\"memory\":7}}");
	put("/run/runc/bad name/state.json", "{}");
	put("/var/lib/docker/containers/dddd/config.v2.json", "{\"Name\":{\"a\":1}}");
	put("/var/lib/containers/storage/overlay-containers/containers.json", "{\"id\":3}");
	put("/var/lib/nerdctl/x/names/default/half", "");
	assert_found("half", "runc", "half", "");
	assert_found("list", "runc", "list", "");
	assert_found("numb", "runc", "numb", "");
	assert_found("dddd", "docker", "dddd", "");
	look_for("bad name");
	assert_int_equal(all.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_runtime_s_files_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_beginning_that_fits_several_lists_them_and_a_short_one_none, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_state_is_passed_over, setup, teardown),
	};

	return cmocka_run_group_tests_name("cgroup/container", tests, NULL, NULL);
}
