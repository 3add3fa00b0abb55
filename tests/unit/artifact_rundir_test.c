/* artifact_rundir_test.c - a run directory is whole or absent; oracles: the file system, jansson's
 * reader, sha256sum(1). Every test works in an empty directory of its own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "artifact/rundir.h"

#define PARTIAL ".run.taskdiag-partial"

static char place[64];
static struct identity ourselves;

static int enter(void **state)
{
	(void)state;
	snprintf(place, sizeof(place), "/tmp/rundir-test-XXXXXX");
	ourselves = (struct identity){ .uid = geteuid(), .gid = getegid() };
	return mkdtemp(place) && !chdir(place) ? 0 : -1;
}

static int leave(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", place);
	return chdir("/") || system(command);
}

static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static size_t entries(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static struct rundir *begin_run(const char *path)
{
	struct problem problem = {};
	struct rundir *r = NULL;
	int err = rundir_new(path, &ourselves, &r, &problem);

	if (err)
		fail_msg("%s: %d: %s", path, err, problem.text);
	assert_non_null(r);
	assert_string_equal(problem.text, "");
	return r;
}

static void add(struct rundir *r, const char *name, const void *bytes, size_t size)
{
	struct problem problem = {};
	FILE *f = rundir_begin(r, name, &problem);

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	assert_int_equal(rundir_end(r, f, &problem), 0);
	assert_string_equal(problem.text, "");
}

static int commit(struct rundir *r, struct problem *problem)
{
	json_t *manifest = json_pack("{s:i}", "format", 1);
	int err = rundir_commit(r, manifest, problem);

	json_decref(manifest);
	return err;
}

static void assert_refused(const char *path, int expected)
{
	struct problem problem = {};
	struct rundir *r = NULL;
	int err = rundir_new(path, &ourselves, &r, &problem);

	if (err != expected)
		fail_msg("\"%s\": %d instead of %d", path, err, expected);
	assert_null(r);
	assert_non_null(strstr(problem.text, path));
	assert_null(strchr(problem.text, '\n'));
}

static void absent_until_committed_then_whole(void **state)
{
	struct problem problem = {};
	struct rundir *r = begin_run("run");
	json_t *manifest;

	(void)state;
	assert_false(exists("run"));
	assert_true(exists(PARTIAL));
	assert_string_equal(rundir_path(r), "run");
	add(r, "a.txt", "abc", 3);
	assert_false(exists("run"));
	assert_int_equal(commit(r, &problem), 0);
	assert_true(exists("run/a.txt") && exists("run/manifest.json"));
	assert_int_equal(entries("run"), 2);
	assert_false(exists(PARTIAL));
	assert_int_equal(faccessat(rundir_fd(r), "manifest.json", R_OK, 0), 0);
	rundir_free(r);
	assert_true(exists("run/manifest.json")); /* freeing removes nothing that is committed */
	assert_int_equal(entries("."), 1);

	manifest = json_load_file("run/manifest.json", 0, NULL);
	assert_non_null(manifest);
	assert_int_equal(json_integer_value(json_object_get(manifest, "format")), 1);
	assert_int_equal(json_array_size(json_object_get(manifest, "artifacts")), 1);
	json_decref(manifest);
}

static void without_commit_nothing_is_left(void **state)
{
	struct problem problem = {};
	struct rundir *r = begin_run("run");
	FILE *f;

	(void)state;
	add(r, "a.txt", "abc", 3);
	f = rundir_begin(r, "b.txt", &problem); /* was still being written */
	assert_non_null(f);
	fputs("half", f);
	fclose(f);
	rundir_free(r);
	assert_int_equal(entries("."), 0);
	rundir_free(NULL);
}

static void an_artifact_has_its_name_when_it_is_whole(void **state)
{
	struct problem problem = {};
	struct rundir *r = begin_run("run");
	FILE *f = rundir_begin(r, "a.txt", &problem);

	(void)state;
	assert_non_null(f);
	fputs("half", f);
	fflush(f);
	assert_int_equal(entries(PARTIAL), 1);
	assert_false(exists(PARTIAL "/a.txt"));
	assert_int_equal(rundir_end(r, f, &problem), 0);
	assert_int_equal(entries(PARTIAL), 1);
	assert_true(exists(PARTIAL "/a.txt"));
	rundir_free(r);
}

static void what_is_there_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir("full", 0755), 0);
	put("full/.hidden", "mine");
	put("file", "mine");
	assert_int_equal(mkdir("empty", 0755), 0);
	assert_int_equal(symlink("empty", "link"), 0);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_refused("full", -EEXIST);
	assert_refused("full///", -EEXIST);
	assert_refused("file", -EEXIST);
	assert_refused("link", -EEXIST);
	assert_refused("dangling", -EEXIST);
	assert_refused("fifo", -EEXIST);
	assert_true(exists("full/.hidden"));
	assert_int_equal(entries("."), 6); /* and nothing of ours */
}

static void where_no_directory_can_be_is_refused(void **state)
{
	char long_name[300];

	(void)state;
	put("file", "mine");
	assert_refused("", -EINVAL);
	assert_refused(".", -EINVAL);
	assert_refused("..", -EINVAL);
	assert_refused("/", -EINVAL);
	assert_refused("//", -EINVAL);
	assert_refused("new/..", -EINVAL);
	assert_refused("missing/run", -ENOENT);
	assert_refused("file/run", -ENOTDIR);
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = 0;
	assert_refused(long_name, -ENAMETOOLONG);
	assert_int_equal(entries("."), 1);
}

static void every_way_to_write_a_path_works(void **state)
{
	char absolute[128];
	const char *const paths[] = { "run", "run/", "run//", "./run", "deep/../run", absolute };

	(void)state;
	snprintf(absolute, sizeof(absolute), "%s/run", place);
	assert_int_equal(mkdir("deep", 0755), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct problem problem = {};
		struct rundir *r = begin_run(paths[i]);

		assert_true(exists(PARTIAL)); /* beside it: rename(2) stays in one file system */
		assert_int_equal(commit(r, &problem), 0);
		rundir_free(r);
		assert_true(exists("run/manifest.json"));
		assert_int_equal(unlink("run/manifest.json"), 0);
		assert_int_equal(rmdir("run"), 0);
	}
}

static void an_empty_directory_is_taken_over(void **state)
{
	struct problem problem = {};
	struct rundir *r;

	(void)state;
	assert_int_equal(mkdir("run", 0700), 0);
	r = begin_run("run");
	assert_int_equal(entries("run"), 0); /* until the end it is empty */
	assert_int_equal(commit(r, &problem), 0);
	rundir_free(r);
	assert_true(exists("run/manifest.json"));
	assert_int_equal(mode_of("run"), 0750);
}

static void what_appears_meanwhile_is_not_overwritten(void **state)
{
	struct problem problem = {};
	struct rundir *r = begin_run("run");

	(void)state;
	add(r, "a.txt", "abc", 3);
	assert_int_equal(mkdir("run", 0755), 0);
	put("run/theirs", "theirs");
	assert_true(commit(r, &problem) < 0);
	assert_non_null(strstr(problem.text, "run"));
	rundir_free(r);
	assert_int_equal(entries("run"), 1);
	assert_int_equal(entries("."), 1);

	memset(&problem, 0, sizeof(problem));
	r = begin_run("other");
	put("other", "a file");
	assert_true(commit(r, &problem) < 0);
	assert_string_not_equal(problem.text, "");
	rundir_free(r);
	assert_int_equal(entries("."), 2);
}

static void two_runs_do_not_share_a_place(void **state)
{
	struct problem problem = {};
	struct rundir *r = begin_run("run");

	(void)state;
	add(r, "a.txt", "abc", 3);
	assert_refused("run", -EBUSY);
	assert_true(exists(PARTIAL "/a.txt"));
	assert_int_equal(commit(r, &problem), 0);
	rundir_free(r);
	assert_true(exists("run/a.txt"));
}

/* What a killed observer left has no lock. */
static void a_stale_partial_is_swept(void **state)
{
	struct rundir *r;

	(void)state;
	assert_int_equal(mkdir(".old.taskdiag-partial", 0750), 0);
	put(".old.taskdiag-partial/memory.csv", "half");
	put(".old.taskdiag-partial/.x.tmp", "half");
	assert_int_equal(mkdir(PARTIAL, 0750), 0); /* also of the very same place */
	put(PARTIAL "/a.txt", "old");
	r = begin_run("run");
	assert_false(exists(".old.taskdiag-partial"));
	assert_int_equal(entries(PARTIAL), 0);
	rundir_free(r);
	assert_int_equal(entries("."), 0);
}

static void a_locked_partial_stays(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(mkdir(".old.taskdiag-partial", 0750), 0);
	put(".old.taskdiag-partial/memory.csv", "half");
	fd = open(".old.taskdiag-partial", O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	rundir_free(begin_run("run"));
	assert_true(exists(".old.taskdiag-partial/memory.csv"));
	close(fd);
	rundir_free(begin_run("run"));
	assert_int_equal(entries("."), 0);
}

static void nothing_else_is_swept(void **state)
{
	(void)state;
	assert_int_equal(mkdir("theirs", 0755), 0);
	put("theirs/file", "theirs");
	assert_int_equal(symlink("theirs", ".link.taskdiag-partial"), 0);
	put(".file.taskdiag-partial", "a file");
	assert_int_equal(mkdir(".taskdiag-partial", 0755), 0);	       /* no name in it */
	assert_int_equal(mkdir("run.taskdiag-partial", 0755), 0);      /* not hidden */
	assert_int_equal(mkdir(".old.taskdiag-partial.bak", 0755), 0); /* goes on */
	rundir_free(begin_run("run"));
	assert_true(exists("theirs/file"));
	assert_int_equal(entries("."), 6);
}

static void a_partial_of_another_user_stays(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(mkdir(".old.taskdiag-partial", 0750), 0);
	assert_int_equal(chown(".old.taskdiag-partial", 4321, 4321), 0);
	rundir_free(begin_run("run"));
	assert_int_equal(entries("."), 1);
}

static void modes_do_not_depend_on_the_umask(void **state)
{
	static const mode_t masks[] = { 0, 022, 077 };

	(void)state;
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		struct problem problem = {};
		mode_t before = umask(masks[i]);
		struct rundir *r = begin_run("run");

		add(r, "a.txt", "abc", 3);
		assert_int_equal(commit(r, &problem), 0);
		umask(before);
		rundir_free(r);
		assert_int_equal(mode_of("run"), 0750);
		assert_int_equal(mode_of("run/a.txt"), 0640);
		assert_int_equal(mode_of("run/manifest.json"), 0640);
		unlink("run/a.txt");
		unlink("run/manifest.json");
		rmdir("run");
	}
}

static void everything_belongs_to_the_owner(void **state)
{
	static const char *const paths[] = { "run", "run/a.txt", "run/manifest.json" };
	struct problem problem = {};
	struct stat st;

	(void)state;
	if (geteuid())
		skip();
	ourselves = (struct identity){ .uid = 4321, .gid = 1234, .name = "gast" };
	assert_refused("run", -EACCES); /* our place is root's, 0700 */
	assert_int_equal(chmod(".", 0777), 0);
	struct rundir *r = begin_run("run");

	add(r, "a.txt", "abc", 3);
	assert_int_equal(commit(r, &problem), 0);
	rundir_free(r);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_int_equal(lstat(paths[i], &st), 0);
		assert_int_equal(st.st_uid, 4321);
		assert_int_equal(st.st_gid, 1234);
	}
	assert_int_equal(mkdir("closed", 0700), 0);
	memset(&problem, 0, sizeof(problem));
	assert_int_equal(rundir_new("closed/run", &ourselves, &r, &problem), -EACCES);
	assert_non_null(strstr(problem.text, "gast"));
	assert_int_equal(entries("closed"), 0);
}

static void sha256sum(const char *path, char hex[65])
{
	char command[256];
	FILE *p;

	snprintf(command, sizeof(command), "sha256sum %s", path);
	p = popen(command, "r");
	assert_non_null(p);
	assert_int_equal(fread(hex, 1, 64, p), 64);
	hex[64] = 0;
	pclose(p);
}

static void the_manifest_knows_every_artifact(void **state)
{
	static const size_t sizes[] = { 0, 1, 16384, 16385, 300000 };
	struct problem problem = {};
	struct rundir *r = begin_run("run");
	json_t *manifest, *artifacts, *row;
	char *bytes = malloc(300000), hex[65], path[64];
	size_t i;

	(void)state;
	assert_non_null(bytes);
	for (i = 0; i < 300000; i++)
		bytes[i] = i * 7 + i / 256;
	for (i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "file-%zu.bin", i);
		add(r, path, bytes, sizes[i]);
	}
	free(bytes);
	assert_int_equal(commit(r, &problem), 0);
	rundir_free(r);

	manifest = json_load_file("run/manifest.json", JSON_REJECT_DUPLICATES, NULL);
	artifacts = json_object_get(manifest, "artifacts");
	assert_int_equal(json_array_size(artifacts), 5); /* not itself */
	json_array_foreach(artifacts, i, row)
	{
		snprintf(path, sizeof(path), "file-%zu.bin", i);
		assert_string_equal(json_string_value(json_object_get(row, "name")), path);
		assert_int_equal(json_integer_value(json_object_get(row, "bytes")), sizes[i]);
		snprintf(path, sizeof(path), "run/file-%zu.bin", i);
		sha256sum(path, hex);
		assert_string_equal(json_string_value(json_object_get(row, "sha256")), hex);
	}
	json_decref(manifest);
}

/* The known answer of FIPS 180-2, so that the two do not err together. */
static void the_digest_of_abc_is_known(void **state)
{
	static const char known[] =
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	struct problem problem = {};
	struct rundir *r = begin_run("run");
	json_t *manifest = json_object();
	const json_t *row;

	(void)state;
	add(r, "a.txt", "abc", 3);
	assert_int_equal(rundir_commit(r, manifest, &problem), 0);
	row = json_array_get(json_object_get(manifest, "artifacts"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "sha256")), known);
	/* the caller's manifest is the one on disk: it does not list itself */
	assert_int_equal(json_array_size(json_object_get(manifest, "artifacts")), 1);
	json_decref(manifest);
	rundir_free(r);
}

static void a_directory_deleted_meanwhile_is_an_error(void **state)
{
	struct problem begun = {}, ended = {}, committed = {};
	struct rundir *r = begin_run("run");
	FILE *f;

	(void)state;
	add(r, "a.txt", "abc", 3);
	f = rundir_begin(r, "b.txt", &begun);
	assert_non_null(f);
	fputs("b", f);
	assert_int_equal(system("rm -r " PARTIAL), 0);
	assert_true(rundir_end(r, f, &ended) < 0);
	assert_non_null(strstr(ended.text, "b.txt"));
	assert_null(rundir_begin(r, "c.txt", &begun));
	assert_non_null(strstr(begun.text, "c.txt"));
	assert_true(commit(r, &committed) < 0);
	assert_non_null(strstr(committed.text, "run"));
	rundir_free(r);
	assert_int_equal(entries("."), 0);
}

static void a_directory_moved_away_is_an_error(void **state)
{
	struct problem problem = {};
	struct rundir *r = begin_run("run");

	(void)state;
	add(r, "a.txt", "abc", 3);
	assert_int_equal(rename(PARTIAL, "elsewhere"), 0);
	assert_int_equal(commit(r, &problem), -ENOENT);
	assert_string_not_equal(problem.text, "");
	rundir_free(r);
	assert_false(exists("run"));
}

/* No room: the limit on file size stands in for a full disk. */
static void a_failed_write_is_an_error_and_no_artifact(void **state)
{
	struct rlimit limit, small;
	struct problem problem = {};
	struct rundir *r = begin_run("run");
	FILE *f = rundir_begin(r, "big.bin", &problem);
	int err;

	(void)state;
	assert_non_null(f);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 65536; i++)
		fputc('x', f);
	err = rundir_end(r, f, &problem);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_true(err < 0);
	assert_non_null(strstr(problem.text, "big.bin"));
	assert_false(exists(PARTIAL "/big.bin"));
	rundir_free(r);
	assert_int_equal(entries("."), 0);
}

static void assert_text(const char *bytes, const char *expected)
{
	json_t *text = json_text(bytes);
	char *dump;

	assert_non_null(text);
	assert_string_equal(json_string_value(text), expected);
	dump = json_dumps(text, JSON_ENCODE_ANY);
	assert_non_null(dump);
	free(dump);
	json_decref(text);
}

static void text_is_json_whatever_its_bytes(void **state)
{
	char every[256];

	(void)state;
	assert_text("", "");
	assert_text("plain", "plain");
	assert_text("caf\xc3\xa9 \xf0\x9f\x90\xa7", "caf\xc3\xa9 \xf0\x9f\x90\xa7");
	assert_text("a\nb\"c\\d\x01\x7f", "a\nb\"c\\d\x01\x7f");
	assert_text("\xff", "?");
	assert_text("a\xff\xfe"
		    "b",
		    "a??b");
	assert_text("cut \xc3", "cut ?");
	assert_text("\xc0\x80", "??");		 /* overlong */
	assert_text("\xed\xa0\x80", "???");	 /* a surrogate */
	assert_text("\xf4\x90\x80\x80", "????"); /* beyond U+10FFFF */
	for (int i = 0; i < 255; i++)
		every[i] = i + 1;
	every[255] = 0;
	json_t *text = json_text(every);

	assert_non_null(text);
	json_decref(text);
}

/* rundir.h: "what is not UTF-8 becomes '?'": and only that. The kernel cuts a name after 15 bytes,
 * in the middle of a character, too. */
static void one_bad_byte_does_not_spoil_the_rest(void **state)
{
	(void)state;
	assert_text("caf\xc3\xa9 \xff", "caf\xc3\xa9 ?");
	assert_text("\xd1\x81\xd0", "\xd1\x81?");
}

int main(void)
{
#define in_a_place(test) cmocka_unit_test_setup_teardown(test, enter, leave)
	const struct CMUnitTest tests[] = {
		in_a_place(absent_until_committed_then_whole),
		in_a_place(without_commit_nothing_is_left),
		in_a_place(an_artifact_has_its_name_when_it_is_whole),
		in_a_place(what_is_there_is_refused),
		in_a_place(where_no_directory_can_be_is_refused),
		in_a_place(every_way_to_write_a_path_works),
		in_a_place(an_empty_directory_is_taken_over),
		in_a_place(what_appears_meanwhile_is_not_overwritten),
		in_a_place(two_runs_do_not_share_a_place),
		in_a_place(a_stale_partial_is_swept),
		in_a_place(a_locked_partial_stays),
		in_a_place(nothing_else_is_swept),
		in_a_place(a_partial_of_another_user_stays),
		in_a_place(modes_do_not_depend_on_the_umask),
		in_a_place(everything_belongs_to_the_owner),
		in_a_place(the_manifest_knows_every_artifact),
		in_a_place(the_digest_of_abc_is_known),
		in_a_place(a_directory_deleted_meanwhile_is_an_error),
		in_a_place(a_directory_moved_away_is_an_error),
		in_a_place(a_failed_write_is_an_error_and_no_artifact),
		cmocka_unit_test(text_is_json_whatever_its_bytes),
		cmocka_unit_test(one_bad_byte_does_not_spoil_the_rest),
	};

	return cmocka_run_group_tests_name("artifact/rundir", tests, NULL, NULL);
}
