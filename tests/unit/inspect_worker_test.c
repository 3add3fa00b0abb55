/* inspect_worker_test.c - requests to the worker process, and what becomes of them when it is
 * killed, stuck or lying. Oracles: cfi_build() in this process, libdw.
 *
 * The test is its own worker: started with one of the names in workers[] it plays that part.
 */
#include <dlfcn.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "bpf/unwind.h"
#include "inspect/elf_file.h"
#include "inspect/inspect.h"
#include "inspect/protocol.h"
#include "inspect/worker.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

#define WAIT_NS (60 * NS_PER_S) /* generous: nobody waits that long unless something is broken */
#define TRUNCATIONS 100

static char self[4096];
static char flag[64]; /* a file: while it is there, the worker is to misbehave */

/* ---- workers that misbehave ---- */

/* A request as it came, for a worker that answers it in its own way. */
static void take(struct request *request, int fds[PROTOCOL_FDS_MAX])
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(PROTOCOL_FDS_MAX * sizeof(int))];
	} control;
	struct iovec part = { request, sizeof(*request) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	if (recvmsg(WORKER_SOCKET, &message, 0) != sizeof(*request))
		_exit(0);
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), 2 * sizeof(int));
}

static void answer(const struct reply *reply)
{
	send(WORKER_SOCKET, reply, sizeof(*reply), 0);
	for (;;)
		pause();
}

static void work_stuck(void)
{
	for (;;)
		pause();
}

static void work_killed(void)
{
	struct request request;
	int fds[PROTOCOL_FDS_MAX];

	take(&request, fds);
	kill(getpid(), SIGKILL);
}

static void work_other_id(void)
{
	struct reply reply = {};
	struct request request;
	int fds[PROTOCOL_FDS_MAX];

	take(&request, fds);
	reply.id = request.id + 1;
	answer(&reply);
}

static void work_claims_more(void)
{
	struct reply reply = { .bytes = INSPECT_BYTES_MAX };
	struct request request;
	int fds[PROTOCOL_FDS_MAX];

	take(&request, fds);
	reply.id = request.id;
	answer(&reply);
}

/* A table of one row and one bucket that the lie may change. */
static void work_with_table(void (*lie)(struct rows_answer *answer, uint64_t words[2], int fd))
{
	struct rows_answer rows = { .row_count = 1, .bucket_count = 1, .first = 0x1000 };
	struct reply reply = { .bytes = sizeof(rows) + 2 * sizeof(uint64_t) };
	uint64_t words[2] = {};
	struct request request;
	int fds[PROTOCOL_FDS_MAX];

	take(&request, fds);
	reply.id = request.id;
	lie(&rows, words, fds[1]);
	if (pwrite(fds[1], &rows, sizeof(rows), 0) < 0 ||
	    pwrite(fds[1], words, sizeof(words), sizeof(rows)) < 0)
		_exit(1);
	answer(&reply);
}

static void no_lie(struct rows_answer *answer, uint64_t words[2], int fd)
{
	(void)answer;
	(void)words;
	(void)fd;
}

static void lie_rows(struct rows_answer *answer, uint64_t words[2], int fd)
{
	(void)words;
	(void)fd;
	answer->row_count = UINT64_MAX / 8;
}

static void lie_bucket(struct rows_answer *answer, uint64_t words[2], int fd)
{
	(void)answer;
	(void)fd;
	words[1] = BUCKET(0, 1);
}

static void lie_segments(struct rows_answer *answer, uint64_t words[2], int fd)
{
	(void)words;
	(void)fd;
	answer->segment_count = INSPECT_SEGMENTS_MAX + 1;
}

/* Keeps a way to change the answer while it is read. */
static void lie_writable(struct rows_answer *answer, uint64_t words[2], int fd)
{
	(void)answer;
	(void)words;
	if (ftruncate(fd, 4096) < 0 ||
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
		_exit(1);
}

static void work_honest_table(void)
{
	work_with_table(no_lie);
}

static void work_lies_rows(void)
{
	work_with_table(lie_rows);
}

static void work_lies_bucket(void)
{
	work_with_table(lie_bucket);
}

static void work_lies_segments(void)
{
	work_with_table(lie_segments);
}

static void work_keeps_writable(void)
{
	work_with_table(lie_writable);
}

static const struct {
	const char *name;
	void (*work)(void);
} workers[] = {
	{ "honest", NULL },
	{ "stuck", work_stuck },
	{ "killed", work_killed },
	{ "other-id", work_other_id },
	{ "claims-more", work_claims_more },
	{ "honest-table", work_honest_table },
	{ "lies-rows", work_lies_rows },
	{ "lies-bucket", work_lies_bucket },
	{ "lies-segments", work_lies_segments },
	{ "keeps-writable", work_keeps_writable },
};

static void play_worker(const char *name)
{
	/* only the first one misbehaves: the flag is gone then */
	for (size_t i = 0; i < sizeof(workers) / sizeof(workers[0]); i++)
		if (!strcmp(name, workers[i].name) && workers[i].work && !unlink(flag))
			workers[i].work();
	worker_main(WORKER_SOCKET);
}

/* ---- what the tests share ---- */

struct outcome {
	int calls, err;
	char cause[200];
	uint64_t hash;
	size_t rows, segments, names;
	char name[64], file[64];
	uint32_t line;
};

static uint64_t hash_words(uint64_t hash, const uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL + (hash >> 29);
	return hash;
}

static void note(struct outcome *o, int err, const char *cause)
{
	o->calls++;
	o->err = err;
	snprintf(o->cause, sizeof(o->cause), "%s", cause ? cause : "");
}

static void on_rows(void *context, int err, const char *cause, const struct inspect_rows *rows)
{
	struct outcome *o = context;

	note(o, err, cause);
	assert_true(!err == !!rows);
	if (!rows)
		return;
	o->hash = hash_words(hash_words(rows->first, rows->rows, rows->row_count), rows->buckets,
			     rows->bucket_count);
	o->rows = rows->row_count;
	o->segments = rows->segment_count;
}

static void on_names(void *context, int err, const char *cause, const struct inspect_name *names,
		     size_t count)
{
	struct outcome *o = context;

	note(o, err, cause);
	o->names = count;
	if (count && names[0].name)
		snprintf(o->name, sizeof(o->name), "%s", names[0].name);
	if (count && names[0].file)
		snprintf(o->file, sizeof(o->file), "%s", basename(names[0].file));
	if (count)
		o->line = names[0].line;
}

static const char *libc_path(void)
{
	Dl_info info;

	assert_int_not_equal(dladdr(dlsym(RTLD_DEFAULT, "getpid"), &info), 0);
	return info.dli_fname;
}

static int open_libc(void)
{
	int fd = open(libc_path(), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* What cfi_build() makes of it in this process. */
static uint64_t own_hash(int fd, size_t *ret_rows)
{
	struct elf_file f;
	struct cfi_table t;
	bool debug_frame;
	uint64_t hash;

	assert_int_equal(elf_file_open(fd, &f), 0);
	assert_int_equal(elf_file_rows(&f, &t, &debug_frame), 0);
	hash = hash_words(hash_words(t.first, t.rows, t.row_count), t.buckets, t.bucket_count);
	*ret_rows = t.row_count;
	cfi_free(&t);
	elf_file_close(&f);
	return hash;
}

static struct inspect *start(const char *worker)
{
	static char *argv[3];
	struct inspect *i;
	int fd;

	argv[0] = self;
	argv[1] = (char *)worker;
	fd = open(flag, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(inspect_new(worker ? argv : NULL, &i), 0);
	return i;
}

static struct inspect_stats stop(struct inspect *i)
{
	struct inspect_stats stats;

	inspect_stats(i, &stats);
	inspect_free(i);
	unlink(flag);
	return stats;
}

static void ask_rows(struct inspect *i, int fd, struct outcome *o)
{
	assert_int_equal(inspect_rows(i, fd, on_rows, o), 0);
}

/* ---- the tests ---- */

static void rows_of_libc_from_the_worker_are_those_of_cfi_build(void **state)
{
	const char *kinds[] = { NULL, "honest" };
	int fd = open_libc();
	size_t rows;
	uint64_t hash = own_hash(fd, &rows);

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct inspect *i = start(kinds[k]);
		struct outcome o = {};
		struct inspect_stats stats;

		assert_int_equal(inspect_fd(i), -1);
		ask_rows(i, fd, &o);
		assert_int_equal(inspect_pending(i), 1);
		assert_int_equal(o.calls, 0);
		assert_int_equal(inspect_wait(i, WAIT_NS), 0);
		assert_string_equal(o.cause, "");
		assert_int_equal(o.err, 0);
		assert_int_equal(o.calls, 1);
		assert_int_equal(o.rows, rows);
		assert_true(o.hash == hash);
		assert_int_equal(o.segments, 1);
		stats = stop(i);
		assert_int_equal(stats.asked, 1);
		assert_int_equal(stats.answered, 1);
		assert_int_equal(stats.failed, 0);
		assert_int_equal(stats.workers, 1);
	}
	close(fd);
}

static void requests_are_answered_in_order_by_one_worker(void **state)
{
	enum { MANY = 50 };
	struct outcome o[MANY] = {};
	struct inspect *i = start(NULL);
	int fd = open_libc();
	struct inspect_stats stats;

	(void)state;
	for (size_t k = 0; k < MANY; k++)
		ask_rows(i, fd, &o[k]);
	close(fd); /* it has its own */
	for (size_t answered = 0; answered < MANY;) {
		inspect_wait(i, 10 * NS_PER_MS);
		for (size_t k = 0; k < MANY; k++)
			assert_true(k == 0 || o[k].calls <= o[k - 1].calls);
		answered = MANY - inspect_pending(i);
	}
	for (size_t k = 0; k < MANY; k++)
		assert_true(o[k].calls == 1 && !o[k].err && o[k].hash == o[0].hash);
	stats = stop(i);
	assert_int_equal(stats.answered, MANY);
	assert_int_equal(stats.workers, 1);
}

static void fail_once(const char *worker, int err, const char *cause)
{
	struct inspect *i = start(worker);
	struct outcome o[3] = {};
	int fd = open_libc();
	struct inspect_stats stats;

	inspect_set_deadline(i, 20 * NS_PER_S);
	if (err == -ETIMEDOUT)
		inspect_set_deadline(i, 300 * NS_PER_MS);
	ask_rows(i, fd, &o[0]);
	while (err == -ETIMEDOUT && !o[0].calls)
		inspect_wait(i, 50 * NS_PER_MS);
	inspect_set_deadline(i, 20 * NS_PER_S); /* a slow machine is not the point */
	ask_rows(i, fd, &o[1]);
	ask_rows(i, fd, &o[2]);
	assert_int_equal(inspect_wait(i, WAIT_NS), 0);
	close(fd);
	assert_int_equal(o[0].err, err);
	assert_non_null(strstr(o[0].cause, cause));
	for (size_t k = 1; k < 3; k++) {
		assert_string_equal(o[k].cause, "");
		assert_int_equal(o[k].calls, 1);
		assert_true(o[k].rows > 1000);
	}
	stats = stop(i);
	assert_int_equal(stats.failed, 1);
	assert_int_equal(stats.answered, 2);
	assert_true(stats.cpu_ns > 0);
}

static void a_worker_that_dies_fails_its_request_alone(void **state)
{
	(void)state;
	fail_once("killed", -ECHILD, "worker ended by signal 9 (Killed)");
}

static void a_request_past_its_deadline_costs_the_worker_its_life_and_no_other_request(void **state)
{
	(void)state;
	fail_once("stuck", -ETIMEDOUT, "worker killed: took longer than 0.3 s");
}

static void a_lying_worker_is_not_believed(void **state)
{
	static const char *const lies[] = { "claims-more", "lies-rows", "lies-bucket",
					    "lies-segments", "keeps-writable" };
	struct inspect *i = start("honest-table"); /* the same without a lie */
	struct outcome o = {};
	int fd = open_libc();

	(void)state;
	ask_rows(i, fd, &o);
	assert_int_equal(inspect_wait(i, WAIT_NS), 0);
	assert_int_equal(o.err, 0);
	assert_int_equal(o.rows, 1);
	stop(i);
	for (size_t k = 0; k < sizeof(lies) / sizeof(lies[0]); k++) {
		i = start(lies[k]);
		o = (struct outcome){};
		ask_rows(i, fd, &o);
		assert_int_equal(inspect_wait(i, WAIT_NS), 0);
		assert_string_equal(o.cause, "malformed answer of the worker");
		assert_int_equal(o.err, -EBADMSG);
		stop(i);
	}
	close(fd);
	fail_once("other-id", -EBADMSG, "malformed reply");
}

static pid_t only_child(void)
{
	char path[64];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &pid), 1);
	fclose(f);
	return pid;
}

static void a_worker_that_is_killed_between_requests_is_replaced(void **state)
{
	struct inspect *i = start(NULL);
	struct outcome o[3] = {};
	int fd = open_libc();
	struct inspect_stats stats;

	(void)state;
	ask_rows(i, fd, &o[0]);
	assert_int_equal(inspect_wait(i, WAIT_NS), 0);
	assert_true(inspect_fd(i) >= 0);
	/* noticed by asking */
	kill(only_child(), SIGKILL);
	waitid(P_PID, only_child(), &(siginfo_t){}, WEXITED | WNOWAIT);
	ask_rows(i, fd, &o[1]);
	assert_int_equal(inspect_wait(i, WAIT_NS), 0);
	/* noticed by looking: its socket must not stay readable forever */
	kill(only_child(), SIGKILL);
	waitid(P_PID, only_child(), &(siginfo_t){}, WEXITED | WNOWAIT);
	inspect_pump(i);
	assert_int_equal(inspect_fd(i), -1);
	ask_rows(i, fd, &o[2]);
	assert_int_equal(inspect_wait(i, WAIT_NS), 0);
	for (size_t k = 0; k < 3; k++)
		assert_true(o[k].calls == 1 && !o[k].err && o[k].hash == o[0].hash);
	stats = stop(i);
	assert_int_equal(stats.workers, 3);
	assert_int_equal(stats.failed, 0);
	close(fd);
}

static void a_worker_that_cannot_be_executed_is_a_cause(void **state)
{
	char *argv[] = { "/nonexistent/worker", NULL };
	struct outcome o = {};
	int fd = open_libc();
	struct inspect *i;

	(void)state;
	assert_int_equal(inspect_new(argv, &i), 0);
	ask_rows(i, fd, &o);
	assert_int_equal(inspect_wait(i, WAIT_NS), 0);
	assert_string_equal(o.cause, "the worker could not be executed");
	inspect_free(i);
	close(fd);
}

static void expect_refused(struct inspect *i, int fd, int err, const char *cause)
{
	uint64_t address = 0;
	struct outcome rows = {}, names = {}, map = {};

	assert_true(fd >= 0);
	ask_rows(i, fd, &rows);
	assert_int_equal(inspect_names(i, fd, -1, &address, 1, 0, on_names, &names), 0);
	assert_int_equal(inspect_perf_map(i, fd, &address, 1, on_names, &map), 0);
	close(fd);
	assert_int_equal(inspect_wait(i, WAIT_NS), 0);
	assert_string_equal(rows.cause, cause);
	assert_int_equal(rows.err, err);
	assert_int_not_equal(names.err, 0);
	if (err == -EINVAL) {
		assert_string_equal(names.cause, cause);
		assert_string_equal(map.cause, cause);
	}
}

static void what_is_no_regular_elf_file_is_refused_with_its_cause(void **state)
{
	struct inspect *i = start(NULL);
	struct inspect_stats stats;
	char fifo[64];

	(void)state;
	snprintf(fifo, sizeof(fifo), "/tmp/inspect-fifo-%d", getpid());
	assert_int_equal(mkfifo(fifo, 0600), 0);
	expect_refused(i, open(fifo, O_RDONLY | O_NONBLOCK), -EINVAL, "not a regular file");
	unlink(fifo);
	expect_refused(i, open("/tmp", O_RDONLY), -EINVAL, "not a regular file");
	expect_refused(i, open("/dev/zero", O_RDONLY), -EINVAL, "not a regular file");
	expect_refused(i, open("/etc/passwd", O_RDONLY), -ENOEXEC, "not an ELF file");
	expect_refused(i, memfd_create("empty", 0), -ENOEXEC, "not an ELF file");
	assert_int_equal(inspect_rows(i, -1, on_rows, NULL), -EBADF);
	assert_int_equal(inspect_pending(i), 0);
	stats = stop(i);
	assert_int_equal(stats.workers, 1); /* none of them has killed it */
}

static void write_all(int fd, const char *bytes, size_t size)
{
	if (pwrite(fd, bytes, size, 0) != (ssize_t)size)
		abort();
}

static char *read_libc(size_t *ret_size)
{
	int fd = open_libc();
	struct stat st;
	char *bytes;

	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc(st.st_size);
	assert_int_equal(pread(fd, bytes, st.st_size, 0), st.st_size);
	close(fd);
	*ret_size = st.st_size;
	return bytes;
}

/* Makes it short and whole again, all the time. */
static pid_t start_truncating(int fd, const char *bytes, size_t size)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint32_t n = 0;; n = n * 1664525 + 1013904223) {
		if (ftruncate(fd, n % size) < 0)
			_exit(1);
		write_all(fd, bytes, size);
	}
}

static void a_file_that_is_truncated_while_it_is_read_does_not_kill_the_worker(void **state)
{
	struct inspect *i = start(NULL);
	struct outcome o = {};
	size_t size, failed = 0;
	char *bytes = read_libc(&size);
	int fd = memfd_create("copy", 0);
	struct inspect_stats stats;
	pid_t pid;

	(void)state;
	write_all(fd, bytes, size);
	pid = start_truncating(fd, bytes, size);
	for (size_t n = 0; n < TRUNCATIONS; n++) {
		o = (struct outcome){};
		ask_rows(i, fd, &o);
		assert_int_equal(inspect_wait(i, WAIT_NS), 0);
		assert_int_equal(o.calls, 1);
		assert_true(!o.err == !o.cause[0]);
		assert_null(strstr(o.cause, "worker"));
		failed += !!o.err;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(failed > 0);
	write_all(fd, bytes, size);
	free(bytes);
	assert_int_equal(ftruncate(fd, size / 4), 0);
	ask_rows(i, fd, &o);
	assert_int_equal(inspect_wait(i, WAIT_NS), 0);
	assert_string_equal(o.cause, "the file is shorter than its ELF headers say");
	assert_int_equal(o.err, -ENODATA);
	close(fd);
	stats = stop(i);
	assert_int_equal(stats.workers, 1);
}

static void names_and_perf_maps_come_through(void **state)
{
	static const char map[] = "1000 10 first\n2000 20 second function\n";
	struct inspect *i = start(NULL);
	struct outcome elf = {}, none = {}, jit = {};
	void *getpid_at = dlsym(RTLD_DEFAULT, "getppid");
	uint64_t address, addresses[] = { 0x2010, 0x3000 };
	int fd = open_libc(), map_fd = memfd_create("map", 0);
	Dl_info info;

	(void)state;
	assert_int_not_equal(dladdr(getpid_at, &info), 0);
	address = (uintptr_t)getpid_at - (uintptr_t)info.dli_fbase + 2;
	assert_int_equal(pwrite(map_fd, map, strlen(map), 0), (ssize_t)strlen(map));
	assert_int_equal(inspect_names(i, fd, -1, &address, 1, 0, on_names, &elf), 0);
	assert_int_equal(inspect_names(i, fd, -1, NULL, 0, 0, on_names, &none), 0);
	assert_int_equal(inspect_perf_map(i, map_fd, addresses, 2, on_names, &jit), 0);
	assert_int_equal(inspect_wait(i, WAIT_NS), 0);
	assert_string_equal(elf.cause, "");
	assert_string_equal(elf.name, "getppid");
	assert_int_equal(none.err, 0);
	assert_int_equal(none.names, 0);
	assert_string_equal(jit.cause, "");
	assert_string_equal(jit.name, "second function");
	assert_int_equal(jit.names, 2);
	close(fd);
	close(map_fd);
	stop(i);
}

/* Line numbers are libdw's work: it must get by with what the sandbox leaves. */
static void lines_come_through(void **state)
{
	struct inspect *i = start(NULL);
	uintptr_t place = (uintptr_t)own_hash;
	struct outcome o = {};
	int fd = open(self, O_RDONLY | O_CLOEXEC);
	uint64_t address;
	Dl_info info;

	(void)state;
	assert_int_not_equal(dladdr((void *)place, &info), 0);
	address = place - (uintptr_t)info.dli_fbase;
	assert_int_equal(inspect_names(i, fd, -1, &address, 1, INSPECT_LINES, on_names, &o), 0);
	assert_int_equal(inspect_wait(i, WAIT_NS), 0);
	assert_string_equal(o.cause, "");
	assert_string_equal(o.name, "own_hash");
	assert_string_equal(o.file, "inspect_worker_test.c");
	assert_true(o.line > 0 && o.line < __LINE__);
	close(fd);
	stop(i);
}

static void build_id_and_debug_link_are_what_libdw_says(void **state)
{
	struct inspect *i = start(NULL);
	int fd = open_libc(), wrong = memfd_create("empty", 0);
	uint8_t id[INSPECT_BUILD_ID_MAX];
	char link[PROTOCOL_LINK_BYTES];
	const char *wanted_link;
	const void *wanted;
	struct outcome o = {};
	uint32_t id_bytes;
	GElf_Word crc;
	Elf *elf;

	(void)state;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	ask_rows(i, fd, &o); /* stands before it */
	assert_int_equal(inspect_debug_link(i, fd, id, &id_bytes, link, sizeof(link)), 0);
	assert_true(id_bytes > 0);
	assert_int_equal(dwelf_elf_gnu_build_id(elf, &wanted), id_bytes);
	assert_memory_equal(id, wanted, id_bytes);
	wanted_link = dwelf_elf_gnu_debuglink(elf, &crc);
	assert_string_equal(link, wanted_link ? wanted_link : "");
	assert_int_equal(inspect_debug_link(i, wrong, id, &id_bytes, link, sizeof(link)), -ENOEXEC);
	assert_int_equal(inspect_wait(i, WAIT_NS), 0);
	assert_int_equal(o.calls, 1);
	elf_end(elf);
	close(fd);
	close(wrong);
	stop(i);
}

static void what_is_pending_is_forgotten_by_free(void **state)
{
	struct inspect *i = start("stuck");
	struct outcome o[3] = {};
	int fd = open_libc();

	(void)state;
	for (size_t k = 0; k < 3; k++)
		ask_rows(i, fd, &o[k]);
	assert_int_equal(inspect_wait(i, 20 * NS_PER_MS), -ETIMEDOUT);
	assert_int_equal(inspect_pending(i), 3);
	stop(i);
	for (size_t k = 0; k < 3; k++)
		assert_int_equal(o[k].calls, 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and the worker is gone */
	assert_int_equal(errno, ECHILD);
	inspect_free(NULL);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_libc_from_the_worker_are_those_of_cfi_build),
		cmocka_unit_test(requests_are_answered_in_order_by_one_worker),
		cmocka_unit_test(a_worker_that_dies_fails_its_request_alone),
		cmocka_unit_test(
		    a_request_past_its_deadline_costs_the_worker_its_life_and_no_other_request),
		cmocka_unit_test(a_lying_worker_is_not_believed),
		cmocka_unit_test(a_worker_that_is_killed_between_requests_is_replaced),
		cmocka_unit_test(a_worker_that_cannot_be_executed_is_a_cause),
		cmocka_unit_test(what_is_no_regular_elf_file_is_refused_with_its_cause),
		cmocka_unit_test(
		    a_file_that_is_truncated_while_it_is_read_does_not_kill_the_worker),
		cmocka_unit_test(names_and_perf_maps_come_through),
		cmocka_unit_test(lines_come_through),
		cmocka_unit_test(build_id_and_debug_link_are_what_libdw_says),
		cmocka_unit_test(what_is_pending_is_forgotten_by_free),
	};

	snprintf(flag, sizeof(flag), "/tmp/inspect-test-%d", argc > 1 ? getppid() : getpid());
	if (argc > 1)
		play_worker(argv[1]);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
