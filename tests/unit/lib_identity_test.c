/* lib_identity_test.c - whom we act for; oracles: getpwnam(3), what the kernel says of new files.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/identity.h"

#define NOBODYS_UID 3987654321u /* no login has it (checked below) */

static void sudo(const char *uid, const char *gid)
{
	uid ? setenv("SUDO_UID", uid, 1) : unsetenv("SUDO_UID");
	gid ? setenv("SUDO_GID", gid, 1) : unsetenv("SUDO_GID");
}

/* What the passwd database says; a copy, for the code under test asks it, too. */
static struct identity login(const char *name)
{
	const struct passwd *pw = getpwnam(name);
	struct identity id = {};

	assert_non_null(pw);
	id.uid = pw->pw_uid;
	id.gid = pw->pw_gid;
	snprintf(id.name, sizeof(id.name), "%s", pw->pw_name);
	snprintf(id.home, sizeof(id.home), "%s", pw->pw_dir);
	return id;
}

static void assert_same(const struct identity *a, const struct identity *b)
{
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->gid, b->gid);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->home, b->home);
}

static int without_sudo(void **state)
{
	(void)state;
	sudo(NULL, NULL);
	return 0;
}

static void need_root(void)
{
	if (geteuid())
		skip();
}

static void without_sudo_it_is_ourselves(void **state)
{
	struct identity root = login("root"), id = {};
	struct problem problem = {};

	(void)state;
	assert_int_equal(identity_invoking(&id, &problem), 0);
	assert_int_equal(id.uid, geteuid());
	assert_string_equal(problem.text, "");
	if (!geteuid())
		assert_same(&id, &root);
}

static void the_user_behind_sudo_is_found(void **state)
{
	struct identity daemon = login("daemon"), id = {};
	struct problem problem = {};
	char uid[16];

	(void)state;
	need_root();
	snprintf(uid, sizeof(uid), "%u", daemon.uid);
	sudo(uid, "4242");
	assert_int_equal(identity_invoking(&id, &problem), 0);
	daemon.gid = 4242; /* sudo's counts, not the one of the login */
	assert_same(&id, &daemon);
}

static void a_uid_without_login_has_no_name(void **state)
{
	struct problem problem = {};
	struct identity id = {};
	char uid[16];

	(void)state;
	need_root();
	assert_null(getpwuid(NOBODYS_UID));
	snprintf(uid, sizeof(uid), "%u", NOBODYS_UID);
	sudo(uid, "4294967294"); /* the highest there is: -1 means "unchanged" to chown(2) */
	assert_int_equal(identity_invoking(&id, &problem), 0);
	assert_int_equal(id.uid, NOBODYS_UID);
	assert_int_equal(id.gid, 4294967294u);
	assert_string_equal(id.name, "");
	assert_string_equal(id.home, "");
}

static void what_is_no_number_is_refused(void **state)
{
	static const char *const words[] = { "",	   " ",
					     "x",	   "1000x",
					     "1000 ",	   " 1000",
					     "-1",	   "+1",
					     "0x10",	   "1e3",
					     "1.0",	   "1000:1000",
					     "4294967295", /* (uid_t)-1 */
					     "4294967296", "18446744073709551616" };

	(void)state;
	need_root();
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (int as_gid = 0; as_gid < 2; as_gid++) {
			struct problem problem = {};
			struct identity id = {};

			sudo(as_gid ? "1" : words[i], as_gid ? words[i] : "1");
			if (identity_invoking(&id, &problem) != -EINVAL)
				fail_msg("%s=\"%s\" was taken", as_gid ? "SUDO_GID" : "SUDO_UID",
					 words[i]);
			assert_non_null(strstr(problem.text, "SUDO_UID"));
			assert_non_null(strstr(problem.text, words[i]));
		}
}

/* "SUDO_UID and SUDO_GID if root was reached by sudo, else who we are": one alone is not sudo */
static void half_of_sudo_is_no_sudo(void **state)
{
	struct problem problem = {};
	struct identity ours = {}, id = {};

	(void)state;
	need_root();
	assert_int_equal(identity_invoking(&ours, &problem), 0);
	sudo("1", NULL);
	assert_int_equal(identity_invoking(&id, &problem), 0);
	assert_int_equal(id.uid, ours.uid);
	assert_int_equal(id.gid, ours.gid);
	sudo(NULL, "4242");
	assert_int_equal(identity_invoking(&id, &problem), 0);
	assert_int_equal(id.uid, ours.uid);
	assert_int_equal(id.gid, ours.gid);
}

static void a_name_is_its_login(void **state)
{
	static const char *const names[] = { "root", "daemon", "nobody" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct identity known = login(names[i]), id = {};
		struct problem problem = {};

		assert_int_equal(identity_named(names[i], &id, &problem), 0);
		assert_same(&id, &known);
	}
}

static void numbers_are_uid_and_gid(void **state)
{
	struct identity nobody = login("nobody"), id = {};
	struct identity stranger = { .uid = NOBODYS_UID, .gid = NOBODYS_UID };
	struct problem problem = {};
	char text[64];

	(void)state;
	snprintf(text, sizeof(text), "%u", nobody.uid); /* of a login: its group */
	assert_int_equal(identity_named(text, &id, &problem), 0);
	assert_same(&id, &nobody);

	snprintf(text, sizeof(text), "%u:77", nobody.uid);
	assert_int_equal(identity_named(text, &id, &problem), 0);
	nobody.gid = 77;
	assert_same(&id, &nobody);

	snprintf(text, sizeof(text), "%u", NOBODYS_UID); /* of nobody: the group of that number */
	assert_int_equal(identity_named(text, &id, &problem), 0);
	assert_same(&id, &stranger);

	snprintf(text, sizeof(text), "%u:0", NOBODYS_UID);
	assert_int_equal(identity_named(text, &id, &problem), 0);
	stranger.gid = 0;
	assert_same(&id, &stranger);
}

static void who_is_nobody_is_refused(void **state)
{
	static const char *const words[] = {
		"",	 ":",	       "no-such-user-here",
		"1:",	 "1:x",	       ":1",
		"1:1:",	 "1:1:1",      "1:-1",
		"1: 1",	 "1 ",	       "-1",
		"0x0",	 "1x",	       "root:0",
		"root ", "4294967295", "0:4294967295",
		"%s%n",	 "1,1",	       "1:1x",
		"1:0x1", "0:",	       "99999999999999999999",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct identity id = { .uid = 7, .gid = 7 };
		struct problem problem = {};

		if (identity_named(words[i], &id, &problem) != -ENOENT)
			fail_msg("\"%s\" was taken as %u:%u", words[i], id.uid, id.gid);
		assert_non_null(strstr(problem.text, words[i]));
		assert_int_equal(id.uid, 7);
	}
}

/* Oracle: the owner that the kernel gives a new file. */
static void files_are_the_users_between_begin_and_end(void **state)
{
	const struct identity user = { .uid = 4321, .gid = 1234 };
	char dir[] = "/tmp/identity-test-XXXXXX", path[64], secret[64];
	struct stat st;
	int fd;

	(void)state;
	need_root();
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0777), 0);
	snprintf(path, sizeof(path), "%s/file", dir);
	snprintf(secret, sizeof(secret), "%s/secret", dir);
	fd = open(secret, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);

	identity_files_begin(&user);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(open(secret, O_RDONLY) < 0);
	assert_int_equal(errno, EACCES);
	identity_files_end();
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	assert_int_equal(st.st_uid, 4321);
	assert_int_equal(st.st_gid, 1234);

	fd = open(secret, O_RDONLY); /* ours again */
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	unlink(secret);
	rmdir(dir);
}

static int become_in_a_child(const struct identity *id)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		uid_t uid[3];
		gid_t gid[3], groups[64] = { 4242 };
		int n;

		if (setgroups(1, groups) || identity_become(id) ||
		    getresuid(uid, uid + 1, uid + 2) || getresgid(gid, gid + 1, gid + 2))
			_exit(1);
		for (int i = 0; i < 3; i++)
			if (uid[i] != id->uid || gid[i] != id->gid)
				_exit(2);
		if (!setuid(0)) /* for good */
			_exit(3);
		n = getgroups(64, groups);
		for (int i = 0; i < n; i++)
			if (groups[i] == 4242) /* nothing of ours stays */
				_exit(5);
		if (id->name[0]
			? strcmp(getenv("HOME"), id->home) || strcmp(getenv("USER"), id->name) ||
			      strcmp(getenv("LOGNAME"), id->name)
			: n)
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_child_becomes_the_user_for_good(void **state)
{
	const struct identity stranger = { .uid = NOBODYS_UID, .gid = 1234 };
	struct problem problem = {};
	struct identity id;

	(void)state;
	need_root();
	assert_int_equal(identity_named("nobody", &id, &problem), 0);
	assert_int_equal(become_in_a_child(&id), 0);
	assert_int_equal(become_in_a_child(&stranger), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(without_sudo_it_is_ourselves, without_sudo),
		cmocka_unit_test_setup(the_user_behind_sudo_is_found, without_sudo),
		cmocka_unit_test_setup(a_uid_without_login_has_no_name, without_sudo),
		cmocka_unit_test_setup(what_is_no_number_is_refused, without_sudo),
		cmocka_unit_test_setup(half_of_sudo_is_no_sudo, without_sudo),
		cmocka_unit_test(a_name_is_its_login),
		cmocka_unit_test(numbers_are_uid_and_gid),
		cmocka_unit_test(who_is_nobody_is_refused),
		cmocka_unit_test(files_are_the_users_between_begin_and_end),
		cmocka_unit_test(a_child_becomes_the_user_for_good),
	};

	return cmocka_run_group_tests_name("lib/identity", tests, NULL, NULL);
}
