/* serve_store_test.c - what the daemon keeps: directories, index, signatures, removal. Files are
 * real, in a directory of the test's own. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "serve/retention.h"
#include "serve/sign.h"

#define DAY_MS 86400000LL
#define NOW_MS (1800000000000LL)

struct place {
	char path[64];
	struct store *store;
	struct index *index;
};

static struct place place;

static void run_command(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
	struct problem problem = {};
	bool anew;

	(void)state;
	strcpy(place.path, "/tmp/serve_store_test.XXXXXX");
	if (!mkdtemp(place.path) || store_open(place.path, true, &place.store, &problem) ||
	    index_open_writer(place.store, &place.index, &anew, &problem))
		return -1;
	return !anew;
}

static int tear_down(void **state)
{
	(void)state;
	index_free(place.index);
	store_free(place.store);
	run_command("rm -rf %s", place.path);
	return 0;
}

/* A run directory as the observer leaves it. */
static void make_run(const char *id, const char *start_utc)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/runs/%s", place.path, id);
	assert_int_equal(mkdir(path, 0750), 0);
	run_command("printf 0123456789 >%s/memory.datum", path);
	strcat(path, "/manifest.json");
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(
	    f,
	    "{\"task\": {\"id\": \"%s\", \"command\": \"work\", \"pids\": [7], \"end\": \"exited\","
	    " \"start_utc\": \"%s\", \"duration_s\": 2.5, \"processes_seen\": 3},"
	    " \"diagnostics\": {\"memory\": {\"peak_rss_bytes\": 4096}},"
	    " \"ledger\": {\"lost\": {\"ring_full\": 2, \"late\": 1}},"
	    " \"artifacts\": [{\"name\": \"memory.datum\", \"bytes\": 10, \"sha256\": \"%064d\"}]}",
	    id, start_utc, 7);
	fclose(f);
}

static void put(const char *id, enum indexed_state state, int64_t end_ms, uint64_t bytes)
{
	struct indexed_task t = { .state = state,
				  .end_utc_ms = end_ms,
				  .disk_bytes = bytes,

				  .start_utc_ms = end_ms ? end_ms - 1000 : 0 };

	strcpy(t.id, id);
	assert_int_equal(index_put(place.index, &t), 0);
}

static bool has(const char *path)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s", place.path, path);
	return !access(whole, F_OK);
}

static void names_that_could_lead_out_are_none(void **state)
{
	static const char *const wrong[] = { "",   ".",	  "..",	 "a/b",	     "a.b",  "%2e",    "-a",
					     "_a", "a b", "a\n", "\xc3\xa4", "a%00", ".hidden" };
	char longest[TASK_ID_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(task_id_is_valid(wrong[i]));
	memset(longest, 'a', sizeof(longest));
	longest[TASK_ID_MAX + 1] = 0;
	assert_false(task_id_is_valid(longest));
	longest[TASK_ID_MAX] = 0;
	assert_true(task_id_is_valid(longest));
	assert_true(artifact_name_is_valid("memory.datum"));
	assert_false(artifact_name_is_valid("..datum/"));
	assert_false(artifact_name_is_valid(".memory.datum.tmp"));
}

static void an_artifact_is_what_the_manifest_lists(void **state)
{
	char sha256[65];
	uint64_t bytes;
	int fd;

	(void)state;
	make_run("a", "2026-11-22T10:00:00.000Z");
	assert_int_equal(
	    store_artifact(place.store, "a", false, "memory.datum", &fd, &bytes, sha256), 0);
	assert_int_equal(bytes, 10);
	assert_int_equal(strlen(sha256), 64);
	close(fd);
	assert_int_equal(
	    store_artifact(place.store, "a", false, "manifest.json", &fd, &bytes, sha256), 0);
	close(fd);
	run_command("touch %s/runs/a/other.txt", place.path);
	assert_int_equal(store_artifact(place.store, "a", false, "other.txt", &fd, &bytes, sha256),
			 -ENOENT);
	assert_int_equal(
	    store_artifact(place.store, "a", true, "memory.datum", &fd, &bytes, sha256), -ENOENT);
	assert_int_equal(store_artifact(place.store, "..", false, "index.db", &fd, &bytes, sha256),
			 -ENOENT);
	run_command("truncate -s 5 %s/runs/a/memory.datum", place.path);
	assert_int_equal(
	    store_artifact(place.store, "a", false, "memory.datum", &fd, &bytes, sha256), -ENOENT);
}

static void links_are_not_followed(void **state)
{
	char sha256[65];
	uint64_t bytes;
	json_t *manifest;
	int fd;

	(void)state;
	make_run("a", "2026-11-22T10:00:00.000Z");
	run_command("printf 0123456789 >%s/secret", place.path);
	run_command("ln -sf ../../secret %s/runs/a/memory.datum", place.path);
	assert_int_equal(
	    store_artifact(place.store, "a", false, "memory.datum", &fd, &bytes, sha256), -ENOENT);
	run_command("rm %s/runs/a/memory.datum; ln %s/secret %s/runs/a/memory.datum", place.path,
		    place.path, place.path);
	assert_int_equal(
	    store_artifact(place.store, "a", false, "memory.datum", &fd, &bytes, sha256), -ENOENT);
	run_command("rm %s/runs/a/memory.datum; mkfifo %s/runs/a/memory.datum", place.path,
		    place.path);
	assert_int_equal(
	    store_artifact(place.store, "a", false, "memory.datum", &fd, &bytes, sha256), -ENOENT);
	run_command("ln -s a %s/runs/b", place.path);
	assert_true(store_manifest(place.store, "b", false, &manifest) < 0);
}

static void a_run_is_removed_with_what_we_wrote_and_only_that(void **state)
{
	(void)state;
	make_run("a", "2026-11-22T10:00:00.000Z");
	assert_int_equal(store_remove(place.store, "a", false), 0);
	assert_false(has("runs/a"));
	make_run("b", "2026-11-22T10:00:00.000Z");
	run_command("touch %s/runs/b/mine.txt", place.path);
	assert_int_equal(store_remove(place.store, "b", false), -ENOTEMPTY);
	assert_true(has("runs/b/manifest.json") && has("runs/b/memory.datum"));
	run_command("rm %s/runs/b/mine.txt; mkdir %s/runs/b/d", place.path, place.path);
	assert_int_equal(store_remove(place.store, "b", false), -ENOTEMPTY);
	run_command("mkdir %s/elsewhere; touch %s/elsewhere/manifest.json; ln -s ../elsewhere "
		    "%s/runs/c",
		    place.path, place.path, place.path);
	assert_true(store_remove(place.store, "c", false) < 0);
	assert_true(has("elsewhere/manifest.json"));
	assert_int_equal(store_remove(place.store, "none", false), -ENOENT);
}

static void what_a_killed_daemon_has_begun_is_ended(void **state)
{
	struct problem problem = {};
	struct store *again;

	(void)state;
	make_run("a", "2026-11-22T10:00:00.000Z");
	run_command("mv %s/runs/a %s/runs/.a.taskdiag-remove", place.path, place.path);
	run_command("mkdir %s/runs/.b.taskdiag-partial; touch %s/runs/.b.taskdiag-partial/.x.tmp",
		    place.path, place.path);
	assert_int_equal(store_open(place.path, true, &again, &problem), 0);
	assert_false(has("runs/.a.taskdiag-remove"));
	assert_false(has("runs/.b.taskdiag-partial"));
	store_free(again);
}

static int count_one(void *context, const struct indexed_task *t)
{
	(void)t;
	++*(int *)context;
	return 0;
}

static void a_row_is_found_as_it_was_put(void **state)
{
	struct indexed_task t = { .id = "a",
				  .rule = "r",
				  .name = "\xff\"n",
				  .diagnostics = "memory",
				  .end = "oom",
				  .state = INDEXED_DONE,
				  .pid = 5,
				  .start_boot_ns = 6,
				  .start_utc_ms = 7,
				  .end_utc_ms = 8,
				  .rss_bytes = 9,
				  .peak_bytes = 1ULL << 40,
				  .processes = 11,
				  .threads = 12,
				  .lost_records = 13,
				  .disk_bytes = 14,
				  .partial = true };
	struct indexed_task found;

	(void)state;
	assert_int_equal(index_put(place.index, &t), 0);
	assert_int_equal(index_find(place.index, "a", &found), 0);
	assert_memory_equal(&found, &t, sizeof(t));
	assert_int_equal(index_find(place.index, "b", &found), -ENOENT);
	t.state = INDEXED_LOST;
	assert_int_equal(index_put(place.index, &t), 0);
	assert_int_equal(index_find(place.index, "a", &found), 0);
	assert_int_equal(found.state, INDEXED_LOST);
	assert_int_equal(index_rename(place.index, "a", "b"), 0);
	assert_int_equal(index_find(place.index, "b", &found), 0);
	put("c", INDEXED_DONE, 5, 5);
	assert_int_equal(index_rename(place.index, "c", "b"), -EEXIST);
	assert_int_equal(index_delete(place.index, "b"), 0);
	assert_int_equal(index_find(place.index, "b", &found), -ENOENT);
}

static void filters_and_pages_count_what_they_show(void **state)
{
	struct index_filter f = { .state = "ended", .limit = 4, .offset = 8 };
	uint64_t count;
	char id[8];
	int seen = 0;

	(void)state;
	for (int i = 0; i < 10; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		put(id, INDEXED_DONE, 10000 + i, 1);
	}
	put("running", INDEXED_RUNNING, 20000, 0);
	assert_int_equal(index_list(place.index, &f, count_one, &seen, &count), 0);
	assert_int_equal(count, 10);
	assert_int_equal(seen, 2);
	f = (struct index_filter){ .state = "running" };
	seen = 0;
	assert_int_equal(index_list(place.index, &f, count_one, &seen, &count), 0);
	assert_int_equal(seen, 1);
	f = (struct index_filter){ .since_utc_ms = 9005, .until_utc_ms = 9007 };
	assert_int_equal(index_list(place.index, &f, count_one, &seen, &count), 0);
	assert_int_equal(count, 2);
}

struct points {
	int count;
	double first, last;
};

static int take_point(void *context, double time_s, uint64_t rss_bytes)
{
	struct points *p = context;

	(void)rss_bytes;
	if (!p->count++)
		p->first = time_s;
	assert_true(p->count == 1 || time_s > p->last);
	p->last = time_s;
	return 0;
}

static void a_curve_stays_bounded_and_keeps_its_ends(void **state)
{
	struct points p = {};

	(void)state;
	assert_int_equal(index_begin(place.index), 0);
	for (int i = 0; i < 20000; i++)
		assert_int_equal(index_curve_add(place.index, "a", i, i), 0);
	assert_int_equal(index_commit(place.index), 0);
	assert_int_equal(index_curve(place.index, "a", take_point, &p), 0);
	assert_true(p.count <= CURVE_POINTS && p.count > CURVE_POINTS / 3);
	assert_true(p.last == 19999);
	assert_int_equal(index_curve_drop(place.index, "a"), 0);
	p = (struct points){};
	index_curve(place.index, "a", take_point, &p);
	assert_int_equal(p.count, 0);
}

static void a_damaged_index_is_put_aside_and_made_from_the_runs(void **state)
{
	struct problem problem = {};
	struct indexed_task t;
	bool anew;

	(void)state;
	make_run("a", "2026-11-22T10:00:00.123Z");
	index_free(place.index);
	place.index = NULL;
	run_command("rm -f %s/index.db-*; head -c 20000 /dev/urandom >%s/index.db", place.path,
		    place.path);
	assert_int_equal(index_open_writer(place.store, &place.index, &anew, &problem), 0);
	assert_true(anew);
	run_command("ls %s/index.db.damaged-* >/dev/null", place.path);
	assert_int_equal(retention_recover(place.store, place.index, NOW_MS), 1);
	assert_int_equal(index_find(place.index, "a", &t), 0);
	assert_int_equal(t.state, INDEXED_DONE);
	assert_int_equal(t.start_utc_ms, 1795341600123LL);
	assert_int_equal(t.end_utc_ms, 1795341602623LL);
	assert_int_equal(t.peak_bytes, 4096);
	assert_int_equal(t.lost_records, 3);
	assert_string_equal(t.end, "exited");
}

static void rows_of_tasks_that_died_meanwhile_say_so(void **state)
{
	struct indexed_task t;

	(void)state;
	put("running", INDEXED_RUNNING, 0, 0);
	put("saving", INDEXED_SAVING, 5000, 0);
	put("gone", INDEXED_DONE, 5000, 10);
	make_run("saving", "2026-11-22T10:00:00.000Z");
	assert_int_equal(retention_recover(place.store, place.index, NOW_MS), 3);
	assert_int_equal(index_find(place.index, "running", &t), 0);
	assert_int_equal(t.state, INDEXED_LOST);
	assert_int_equal(t.end_utc_ms, NOW_MS);
	assert_int_equal(index_find(place.index, "saving", &t), 0);
	assert_int_equal(t.state, INDEXED_DONE);
	assert_int_equal(index_find(place.index, "gone", &t), -ENOENT);
	assert_int_equal(retention_recover(place.store, place.index, NOW_MS), 0);
}

static void note(void *context, const struct retention_removed *r)
{
	char *text = context;

	sprintf(text + strlen(text), "%s:%d%s ", r->id, r->cause, r->err ? "!" : "");
}

static void what_is_old_goes_and_what_has_no_room(void **state)
{
	const struct retention r = { .protection_s = 86400, .total_bytes = 100, .task_bytes = 70 };
	char told[256] = "";

	(void)state;
	make_run("old", "2026-11-22T10:00:00.000Z");
	make_run("large", "2026-11-22T10:00:00.000Z");
	make_run("first", "2026-11-22T10:00:00.000Z");
	make_run("second", "2026-11-22T10:00:00.000Z");
	put("old", INDEXED_DONE, NOW_MS - 2 * DAY_MS, 60);
	put("large", INDEXED_DONE, NOW_MS - 1000, 71);
	put("first", INDEXED_DONE, NOW_MS - 9000, 60);
	put("second", INDEXED_DONE, NOW_MS - 8000, 60);
	put("runs", INDEXED_RUNNING, 0, 0);
	assert_int_equal(retention_round(place.store, place.index, &r, NOW_MS, true, note, told),
			 3);
	assert_string_equal(told, "old:0 large:2 first:1 ");
	assert_true(has("runs/old"));
	told[0] = 0;
	assert_int_equal(retention_round(place.store, place.index, &r, NOW_MS, false, note, told),
			 3);
	assert_string_equal(told, "old:0 large:2 first:1 ");
	assert_false(has("runs/old") || has("runs/large") || has("runs/first"));
	assert_true(has("runs/second/manifest.json"));
}

static void a_clock_that_was_set_back_keeps_what_is_new(void **state)
{
	const struct retention r = { .protection_s = 3600 };

	(void)state;
	make_run("a", "2026-11-22T10:00:00.000Z");
	put("a", INDEXED_DONE, NOW_MS + 2 * DAY_MS, 10);
	assert_int_equal(retention_round(place.store, place.index, &r, 1000, false, NULL, NULL), 0);
	assert_true(has("runs/a"));
}

static void what_is_not_ours_stays_with_its_row(void **state)
{
	const struct retention r = { .protection_s = 0 };
	struct indexed_task t;
	char told[64] = "";

	(void)state;
	make_run("a", "2026-11-22T10:00:00.000Z");
	run_command("touch %s/runs/a/notes.txt", place.path);
	put("a", INDEXED_DONE, 1000, 10);
	assert_int_equal(retention_round(place.store, place.index, &r, NOW_MS, false, note, told),
			 0);
	assert_string_equal(told, "a:0! ");
	assert_int_equal(index_find(place.index, "a", &t), 0);
}

static void a_signature_is_of_one_artifact_for_its_time(void **state)
{
	static const struct sign_key key = { { 1, 2, 3 } }, other = { { 1, 2, 4 } };
	char token[SIGN_HEX], wrong[SIGN_HEX];

	(void)state;
	sign_url(&key, "a", false, "f", 1000, token);
	assert_int_equal(sign_check(&key, "a", false, "f", "1000", token, 999), SIGN_GOOD);
	assert_int_equal(sign_check(&key, "a", false, "f", "1000", token, 1001), SIGN_EXPIRED);
	assert_int_equal(sign_check(&key, "b", false, "f", "1000", token, 999), SIGN_WRONG);
	assert_int_equal(sign_check(&key, "a", true, "f", "1000", token, 999), SIGN_WRONG);
	assert_int_equal(sign_check(&key, "a", false, "g", "1000", token, 999), SIGN_WRONG);
	assert_int_equal(sign_check(&key, "a", false, "f", "1001", token, 999), SIGN_WRONG);
	assert_int_equal(sign_check(&key, "a", false, "f", "+1000", token, 999), SIGN_WRONG);
	assert_int_equal(sign_check(&other, "a", false, "f", "1000", token, 999), SIGN_WRONG);
	assert_int_equal(sign_check(&key, "a", false, "f", NULL, token, 999), SIGN_WRONG);
	assert_int_equal(sign_check(&key, "a", false, "f", "1000", "", 999), SIGN_WRONG);
	for (size_t i = 0; i < SIGN_HEX - 1; i++) {
		strcpy(wrong, token);
		wrong[i] = wrong[i] == '0' ? '1' : '0';
		assert_int_equal(sign_check(&key, "a", false, "f", "1000", wrong, 999), SIGN_WRONG);
	}
}

static void a_signature_is_hmac_sha256(void **state)
{
	static const struct sign_key key = { "0123456789abcdef0123456789abcdef" };
	char token[SIGN_HEX], line[128] = "";
	FILE *openssl;

	(void)state;
	sign_url(&key, "a", false, "memory.datum", 1000, token);
	openssl = popen("printf 'a\\n-\\nmemory.datum\\n1000' | openssl dgst -sha256 -hmac "
			"0123456789abcdef0123456789abcdef",
			"r");
	assert_non_null(fgets(line, sizeof(line), openssl));
	pclose(openssl);
	line[strcspn(line, "\n")] = 0;
	assert_string_equal(strrchr(line, ' ') + 1, token);
}

static void a_key_that_others_can_read_is_refused(void **state)
{
	struct sign_key first, second;
	struct problem problem = {};
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/url.key", place.path);
	assert_int_equal(sign_key_read(path, false, &first, &problem), -ENOENT);
	assert_int_equal(sign_key_read(path, true, &first, &problem), 0);
	assert_int_equal(sign_key_read(path, true, &second, &problem), 0);
	assert_memory_equal(&first, &second, sizeof(first));
	run_command("chmod 644 %s", path);
	problem = (struct problem){};
	assert_int_equal(sign_key_read(path, true, &second, &problem), -EPERM);
	assert_non_null(strstr(problem.text, "chmod 600"));
	run_command("chmod 600 %s; truncate -s 31 %s", path, path);
	problem = (struct problem){};
	assert_int_equal(sign_key_read(path, true, &second, &problem), -EPERM);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_that_could_lead_out_are_none),
		TEST(an_artifact_is_what_the_manifest_lists),
		TEST(links_are_not_followed),
		TEST(a_run_is_removed_with_what_we_wrote_and_only_that),
		TEST(what_a_killed_daemon_has_begun_is_ended),
		TEST(a_row_is_found_as_it_was_put),
		TEST(filters_and_pages_count_what_they_show),
		TEST(a_curve_stays_bounded_and_keeps_its_ends),
		TEST(a_damaged_index_is_put_aside_and_made_from_the_runs),
		TEST(rows_of_tasks_that_died_meanwhile_say_so),
		TEST(what_is_old_goes_and_what_has_no_room),
		TEST(a_clock_that_was_set_back_keeps_what_is_new),
		TEST(what_is_not_ours_stays_with_its_row),
		TEST(a_signature_is_of_one_artifact_for_its_time),
		TEST(a_signature_is_hmac_sha256),
		TEST(a_key_that_others_can_read_is_refused),
	};

	return cmocka_run_group_tests_name("serve_store", tests, NULL, NULL);
}
