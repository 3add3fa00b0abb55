/* query.c - see query.h */
#include "inspect/query.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "bpf/unwind.h"
#include "inspect/cfi.h"
#include "inspect/names.h"
#include "inspect/python.h"
#include "lib/cleanup.h"

#define MALFORMED "malformed answer of the worker"

int query_new(enum request_kind kind, int file, int debug, struct query **ret)
{
	struct query *q = calloc(1, sizeof(*q));
	int err;

	if (!q)
		return -ENOMEM;
	q->request.kind = kind;
	q->answer = q->debug = -1;
	q->file = fcntl(file, F_DUPFD_CLOEXEC, 0);
	if (q->file >= 0 && debug >= 0)
		q->debug = fcntl(debug, F_DUPFD_CLOEXEC, 0);
	if (q->file < 0 || (debug >= 0 && q->debug < 0)) {
		err = -errno;
		query_free(q);
		return err;
	}
	*ret = q;
	return 0;
}

void query_free(struct query *q)
{
	if (!q)
		return;
	cleanup_close(&q->file);
	cleanup_close(&q->debug);
	cleanup_close(&q->answer);
	free(q->addresses);
	free(q);
}

int query_addresses(struct query *q, const uint64_t *addresses, size_t count)
{
	if (count > PROTOCOL_ADDRESSES_MAX)
		return -EINVAL;
	q->addresses = malloc(count * sizeof(*addresses) + 1);
	if (!q->addresses)
		return -ENOMEM;
	if (count)
		memcpy(q->addresses, addresses, count * sizeof(*addresses));
	q->request.count = count;
	return 0;
}

static int memory_file(const void *bytes, size_t size)
{
	_cleanup_close_ int fd = memfd_create("inspect", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < size) {
		ssize_t n = pwrite(fd, (const char *)bytes + done, size - done, done);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += n;
	}
	return take_fd(&fd);
}

static int send_with(int socket, const struct request *request, const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(PROTOCOL_FDS_MAX * sizeof(int))];
	} control = {};
	struct iovec part = { (void *)request, sizeof(*request) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int query_send(struct query *q, int socket)
{
	_cleanup_close_ int addresses = -1;
	int fds[PROTOCOL_FDS_MAX];
	size_t count = 0;

	if (q->answer < 0)
		q->answer = memory_file(NULL, 0);
	if (q->answer < 0)
		return q->answer;
	q->request.fds = 0;
	fds[count++] = q->file;
	fds[count++] = q->answer;
	if (q->debug >= 0) {
		q->request.fds |= REQUEST_HAS_DEBUG;
		fds[count++] = q->debug;
	}
	if (q->addresses) {
		addresses = memory_file(q->addresses, q->request.count * sizeof(*q->addresses));
		if (addresses < 0)
			return addresses;
		q->request.fds |= REQUEST_HAS_ADDRESSES;
		fds[count++] = addresses;
	}
	return send_with(socket, &q->request, fds, count);
}

int query_fail(struct query *q, int err, const char *cause)
{
	if (q->rows_done) {
		q->rows_done(q->context, err, cause, NULL);
	} else if (q->names_done) {
		q->names_done(q->context, err, cause, NULL, 0);
	} else if (q->python_done) {
		q->python_done(q->context, err, cause, NULL);
	} else if (q->wait) {
		q->wait->err = err;
		q->wait->done = true;
	}
	return err;
}

static int malformed(struct query *q)
{
	return query_fail(q, -EBADMSG, MALFORMED);
}

/* Numbers first, each against what is left: their sum cannot overflow. */
static bool rows_valid(const struct rows_answer *a, const uint64_t *words, size_t size)
{
	uint64_t left = (size - sizeof(*a)) / sizeof(*words);

	if (a->build_id_bytes > INSPECT_BUILD_ID_MAX || a->segment_count > INSPECT_SEGMENTS_MAX ||
	    a->first & ((1 << BUCKET_SHIFT) - 1) || a->row_count > left ||
	    a->bucket_count != left - a->row_count || size % sizeof(*words))
		return false;
	return cfi_valid(words, a->row_count, words + a->row_count, a->bucket_count);
}

static int answer_rows(struct query *q, const uint8_t *bytes, size_t size)
{
	const uint64_t *words = (const void *)(bytes + sizeof(struct rows_answer));
	struct rows_answer a;
	struct inspect_rows rows;

	_Static_assert(sizeof(a) % sizeof(*words) == 0, "rows are aligned");
	if (size < sizeof(a))
		return malformed(q);
	memcpy(&a, bytes, sizeof(a));
	if (!rows_valid(&a, words, size))
		return malformed(q);
	rows = (struct inspect_rows){ .build_id_bytes = a.build_id_bytes,
				      .segment_count = a.segment_count,
				      .entry = a.entry,
				      .first = a.first,
				      .unsupported = a.unsupported,
				      .rows = words,
				      .buckets = words + a.row_count,
				      .row_count = a.row_count,
				      .bucket_count = a.bucket_count,
				      .debug_frame = a.debug_frame != 0 };
	memcpy(rows.build_id, a.build_id, sizeof(a.build_id));
	memcpy(rows.segments, a.segments, sizeof(a.segments));
	q->rows_done(q->context, 0, NULL, &rows);
	return 0;
}

static int answer_names(struct query *q, const uint8_t *bytes, size_t size)
{
	_cleanup_free_ struct inspect_name *names = NULL;
	size_t count;
	int err = names_decode(bytes, size, q->request.count, &names, &count);

	if (err)
		return query_fail(q, err, err == -ENOMEM ? "no memory" : MALFORMED);
	q->names_done(q->context, 0, NULL, names, count);
	return 0;
}

static int answer_link(struct query *q, const uint8_t *bytes, size_t size)
{
	struct link_answer *a = &q->wait->answer.link;

	if (size != sizeof(*a))
		return malformed(q);
	memcpy(a, bytes, sizeof(*a));
	if (a->build_id_bytes > INSPECT_BUILD_ID_MAX || !memchr(a->link, 0, sizeof(a->link)) ||
	    strchr(a->link, '/'))
		return malformed(q);
	q->wait->done = true;
	return 0;
}

static bool range_valid(uint64_t start, uint64_t end)
{
	return start && start < end && end <= PYTHON_ADDRESS_MAX;
}

static bool python_valid(const struct python_answer *a)
{
	if (a->version >> 24 != 3 || a->free_threaded > 1 || a->musl > 1 || !a->eval_count ||
	    a->eval_count > INSPECT_EVAL_MAX || a->debug_bytes > INSPECT_DEBUG_OFFSETS_BYTES ||
	    a->debug_bytes > a->runtime_bytes || a->runtime_bytes > PYTHON_ADDRESS_MAX ||
	    a->runtime > PYTHON_ADDRESS_MAX ||
	    !range_valid(a->runtime, a->runtime + a->runtime_bytes) || !a->code_type ||
	    a->code_type >= PYTHON_ADDRESS_MAX)
		return false;
	for (uint32_t i = 0; i < a->eval_count; i++)
		if (!range_valid(a->eval[i].start, a->eval[i].end))
			return false;
	return true;
}

static int answer_python(struct query *q, const uint8_t *bytes, size_t size)
{
	struct python_answer a;
	struct inspect_python p;

	if (size != sizeof(a))
		return malformed(q);
	memcpy(&a, bytes, sizeof(a));
	if (!python_valid(&a))
		return malformed(q);
	p = (struct inspect_python){ .version = a.version,
				     .free_threaded = a.free_threaded,
				     .musl = a.musl,
				     .runtime = a.runtime,
				     .runtime_bytes = a.runtime_bytes,
				     .code_type = a.code_type,
				     .eval_count = a.eval_count,
				     .debug_bytes = a.debug_bytes };
	for (uint32_t i = 0; i < a.eval_count; i++) {
		p.eval[i].start = a.eval[i].start;
		p.eval[i].end = a.eval[i].end;
	}
	memcpy(p.debug, a.debug, a.debug_bytes);
	q->python_done(q->context, 0, NULL, &p);
	return 0;
}

static int answer_allocators(struct query *q, const uint8_t *bytes, size_t size)
{
	struct inspect_allocators *a = &q->wait->answer.allocators;

	if (size != sizeof(*a))
		return malformed(q);
	memcpy(a, bytes, sizeof(*a));
	if (a->count > INSPECT_ALLOCATORS_MAX)
		return malformed(q);
	for (uint32_t i = 0; i < a->count; i++)
		if (a->places[i].kind >= INSPECT_PLACE_KINDS)
			return malformed(q);
	q->wait->done = true;
	return 0;
}

/* The worker's text, made fit to print. */
static int fail_as_told(struct query *q, const struct reply *reply)
{
	char cause[PROTOCOL_CAUSE_BYTES];

	snprintf(cause, sizeof(cause), "%.*s", (int)sizeof(reply->cause) - 1, reply->cause);
	for (char *c = cause; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return query_fail(q, reply->err, *cause ? cause : strerror(-reply->err));
}

/* Sealed, it can neither change while it is looked at nor become shorter under our eyes (SIGBUS).
 */
static const uint8_t *answer_map(int fd, uint64_t size)
{
	struct stat st;
	void *bytes;

	if (!size || size > INSPECT_BYTES_MAX ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0 ||
	    fstat(fd, &st) < 0 || (uint64_t)st.st_size < size)
		return NULL;
	bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	return bytes == MAP_FAILED ? NULL : bytes;
}

int query_answer(struct query *q, const struct reply *reply)
{
	static int (*const kinds[REQUEST_KINDS])(struct query * q, const uint8_t *bytes,
						 size_t size) = {
		[REQUEST_ROWS] = answer_rows,	   [REQUEST_NAMES] = answer_names,
		[REQUEST_PERF_MAP] = answer_names, [REQUEST_LINK] = answer_link,
		[REQUEST_PYTHON] = answer_python,  [REQUEST_ALLOCATORS] = answer_allocators,
	};
	const uint8_t *bytes;
	int result;

	if (reply->err)
		return fail_as_told(q, reply);
	if (!reply->bytes)
		return kinds[q->request.kind](q, (const uint8_t *)"", 0);
	bytes = answer_map(q->answer, reply->bytes);
	if (!bytes)
		return malformed(q);
	result = kinds[q->request.kind](q, bytes, reply->bytes);
	munmap((void *)bytes, reply->bytes);
	return result;
}
