/* rules_test.c - which processes are a task and what they are called: rules as a configuration has
 * them, processes as the kernel tells of them. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "rules/config.h"

static char path[] = "/tmp/rules_test.XXXXXX";

static int set_up(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	return fd < 0;
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static int read_text(const char *text, const char *environment, struct serve_config *ret,
		     struct problem *problem)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	*problem = (struct problem){};
	return serve_config_read(path, environment, ret, problem);
}

static void good(const char *text, struct serve_config *ret)
{
	struct problem problem;

	if (read_text(text, NULL, ret, &problem))
		fail_msg("%s", problem.text);
}

static void bad(const char *text, const char *says)
{
	struct serve_config c;
	struct problem problem;

	assert_int_equal(read_text(text, NULL, &c, &problem), -22);
	if (!strstr(problem.text, says))
		fail_msg("no '%s' in: %s", says, problem.text);
}

static void an_empty_file_collects_nothing(void **state)
{
	struct serve_config c;

	(void)state;
	good("", &c);
	assert_null(c.diagnostics[0]);
	assert_int_equal(c.rules.count, 0);
	assert_int_equal(c.protection_s, 86400);
	assert_string_equal(c.prefix, "/tasks/");
	serve_config_release(&c);
}

static void diagnostics_are_named_as_pulp_does_it_too(void **state)
{
	static const char *const texts[] = {
		"memory, profile",
		"['memory', 'pyinstrument']",
		"[\"pyinstrument\", \"memory\", \"profile\"]",
		" memory,memory,profile ",
	};
	char **list;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct problem problem = {};

		assert_int_equal(diagnostics_list(texts[i], &list, &problem), 0);
		assert_non_null(list[0]);
		assert_non_null(list[1]);
		assert_null(list[2]);
		for (char **d = list; *d; d++)
			free(*d);
		free(list);
	}
}

static void an_unknown_diagnostic_is_named(void **state)
{
	struct problem problem = {};
	char **list;

	(void)state;
	assert_int_equal(diagnostics_list("memory,telepathy", &list, &problem), -22);
	assert_non_null(strstr(problem.text, "telepathy"));
	assert_non_null(strstr(problem.text, "memray"));
}

static void the_environment_beats_the_file(void **state)
{
	struct serve_config c;
	struct problem problem;

	(void)state;
	assert_int_equal(read_text("[serve]\ntask_diagnostics = memory\n", "memray", &c, &problem),
			 0);
	assert_string_equal(c.diagnostics[0], "allocations");
	assert_null(c.diagnostics[1]);
	serve_config_release(&c);
	assert_int_equal(read_text("[serve]\ntask_diagnostics = memory\n", "", &c, &problem), 0);
	assert_null(c.diagnostics[0]);
	serve_config_release(&c);
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
	(void)state;
	bad("[serve]\nstate = /s\nstat = /s\n", ":3: stat: no such key");
	bad("[server]\nstate = /s\n", "[server]: no such section");
	bad("[serve]\ninterval = soon\n", "interval = soon");
	bad("[serve]\nmax_bytes = 1Q\n", "not a size");
	bad("[serve]\nmax_tasks = -1\n", "not a number");
	bad("[serve]\nprefix = tasks\n", "must begin and end with /");
	bad("[serve]\ntask_diagnostics = all\n", "no such diagnostic");
	bad("[rule a]\ncomm = /(/\n", "comm");
	bad("[rule a]\nfork = yes\n", "says nothing");
	bad("[rule a]\ncomm = x\nfork = yes\n", "whose child");
	bad("[rule a]\ncomm = x\nid_stderr = /abc/\n", "(group)");
	bad("[rule a]\ncomm = x\ncomm = y\n", "given twice");
	bad("[rule a]\ncomm = x\n[serve]\nstate = /s\n[rule a]\ncomm = y\n",
	    "there is one of that name");
	bad("[rule a b]\ncomm = x\n", "a name has letters");
	bad("[rule a]\ncomm = x\nsample = 0\n", "must be 1 or more");
}

static void nobody_listens_to_the_world_without_token_and_tls(void **state)
{
	struct serve_config c;

	(void)state;
	bad("[serve]\nlisten = 127.0.0.1:80\n", "token_file");
	bad("[serve]\nlisten = 0.0.0.0:80\ntoken_file = /t\n", "beyond this host");
	bad("[serve]\nlisten = [::]:80\ntoken_file = /t\ntls_certificate = /c\n", "both or none");
	good("[serve]\nlisten = [::1]:80\ntoken_file = /t\n", &c);
	serve_config_release(&c);
	good("[serve]\nlisten = 0.0.0.0:80\ntoken_file = /t\ntls_certificate = /c\ntls_key = /k\n",
	     &c);
	serve_config_release(&c);
}

static const char pulp[] = "[rule pulp]\n"
			   "comm = pulpcore-worker\n"
			   "parent = pulpcore-worker\n"
			   "fork = yes\n"
			   "directory = /@[^/]+\\/tmp[a-z0-9_]{8}$/\n"
			   "id_stderr = /Starting task id: ([0-9a-f-]{36}) in domain/\n";

static void a_worker_is_a_task_once_it_is_in_its_directory(void **state)
{
	struct rule_process p = { .moment = RULE_AT_CHDIR,
				  .comm = "pulpcore-worker",
				  .parent_comm = "pulpcore-worker",
				  .directory = "/var/lib/pulp/tmp/71@host/tmpab12_xyz" };
	struct serve_config c;

	(void)state;
	good(pulp, &c);
	assert_int_equal(rule_moment(&c.rules.rule[0]), RULE_AT_CHDIR);
	assert_ptr_equal(rules_match(&c.rules, &p), &c.rules.rule[0]);
	p.directory = "/var/lib/pulp/tmp/71@host";
	assert_null(rules_match(&c.rules, &p));
	p.directory = NULL;
	assert_null(rules_match(&c.rules, &p));
	p.directory = "/x/71@host/tmpab12_xyz";
	p.parent_comm = "bash";
	assert_null(rules_match(&c.rules, &p));
	p.parent_comm = "pulpcore-worker";
	p.moment = RULE_AT_EXEC;
	assert_null(rules_match(&c.rules, &p));
	serve_config_release(&c);
}

static void an_id_is_a_group_of_safe_bytes(void **state)
{
	static const char line[] = "pulp [ab]: INFO: Starting task id: "
				   "0190f0aa-7b5c-7000-8000-00000000abcd in domain: default\n";
	struct serve_config c;
	char id[65];

	(void)state;
	good(pulp, &c);
	assert_true(rule_id(&c.rules.rule[0].id_stderr, line, strlen(line), id));
	assert_string_equal(id, "0190f0aa-7b5c-7000-8000-00000000abcd");
	assert_false(rule_id(&c.rules.rule[0].id_stderr, line, 40, id)); /* cut before its end */
	assert_false(rule_id(&c.rules.rule[0].id_cgroup, line, strlen(line), id));
	serve_config_release(&c);
	good("[rule a]\ncomm = x\nid_stderr = /id=(.*)$/\n", &c);
	assert_true(rule_id(&c.rules.rule[0].id_stderr, "id=a-B_9", 8, id));
	assert_false(rule_id(&c.rules.rule[0].id_stderr, "id=../../etc", 12, id));
	assert_false(rule_id(&c.rules.rule[0].id_stderr, "id=-a", 5, id));
	assert_false(rule_id(&c.rules.rule[0].id_stderr, "id=", 3, id));
	assert_false(rule_id(&c.rules.rule[0].id_stderr, "id=a\0b", 6, id) && strlen(id) != 1);
	serve_config_release(&c);
}

static void a_unit_is_the_last_part_of_the_cgroup(void **state)
{
	struct rule_process p = { .moment = RULE_AT_EXEC,
				  .comm = "worker",
				  .cgroup = "/system.slice/jobs@7.service" };
	struct serve_config c;
	char id[65];

	(void)state;
	good("[rule jobs]\nunit = /^jobs@.*\\.service$/\nid_cgroup = /jobs@([0-9]+)/\n", &c);
	assert_ptr_equal(rules_match(&c.rules, &p), &c.rules.rule[0]);
	assert_true(rule_id(&c.rules.rule[0].id_cgroup, p.cgroup, strlen(p.cgroup), id));
	assert_string_equal(id, "7");
	p.cgroup = "/system.slice/jobs@7.service/child";
	assert_null(rules_match(&c.rules, &p));
	serve_config_release(&c);
}

static void the_first_rule_that_matches_counts(void **state)
{
	struct rule_process p = { .moment = RULE_AT_EXEC, .comm = "make", .exe = "/usr/bin/make" };
	struct serve_config c;

	(void)state;
	good("[rule a]\ncomm = make\nexe = /usr/bin/gmake\n[rule b]\ncomm = make\n[rule c]\ncomm = "
	     "make\n",
	     &c);
	assert_string_equal(rules_match(&c.rules, &p)->name, "b");
	serve_config_release(&c);
}

static void one_in_n_is_sampled(void **state)
{
	struct serve_config c;
	int seen = 0;

	(void)state;
	good("[rule a]\ncomm = make\nsample = 1 in 10\n", &c);
	for (uint64_t i = 1; i <= 100; i++)
		seen += rule_sampled(&c.rules.rule[0], i);
	assert_int_equal(seen, 10);
	serve_config_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_collects_nothing),
		cmocka_unit_test(diagnostics_are_named_as_pulp_does_it_too),
		cmocka_unit_test(an_unknown_diagnostic_is_named),
		cmocka_unit_test(the_environment_beats_the_file),
		cmocka_unit_test(what_is_wrong_is_told_with_its_line),
		cmocka_unit_test(nobody_listens_to_the_world_without_token_and_tls),
		cmocka_unit_test(a_worker_is_a_task_once_it_is_in_its_directory),
		cmocka_unit_test(an_id_is_a_group_of_safe_bytes),
		cmocka_unit_test(a_unit_is_the_last_part_of_the_cgroup),
		cmocka_unit_test(the_first_rule_that_matches_counts),
		cmocka_unit_test(one_in_n_is_sampled),
	};

	return cmocka_run_group_tests_name("rules", tests, set_up, tear_down);
}
