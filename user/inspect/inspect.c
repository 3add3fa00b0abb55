/* inspect.c - see inspect.h
 *
 *   queue ──► current (with the worker) ──► answer (query.c) ──► done()
 */
#include "inspect/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "inspect/query.h"
#include "inspect/worker_process.h"
#include "lib/clock.h"

struct inspect {
	char *const *argv;
	uint64_t deadline_ns; /* of each */
	struct worker_process worker;
	struct query *first, *last; /* those that wait */
	struct query *current;
	uint64_t sent_ns; /* when it was asked */
	int send_err;	  /* it could not be */
	size_t waiting;
	uint64_t ids;
	struct inspect_stats stats;
};

char *const inspect_self[] = { "/proc/self/exe", "inspect-worker", NULL };

int inspect_new(char *const argv[], struct inspect **ret)
{
	struct inspect *i = calloc(1, sizeof(*i));

	if (!i)
		return -ENOMEM;
	i->argv = argv;
	i->deadline_ns = INSPECT_DEADLINE_NS;
	i->worker.socket = -1;
	*ret = i;
	return 0;
}

void inspect_free(struct inspect *i)
{
	struct query *next;

	if (!i)
		return;
	worker_process_free(&i->worker);
	query_free(i->current);
	for (struct query *q = i->first; q; q = next) {
		next = q->next;
		query_free(q);
	}
	free(i);
}

void inspect_set_deadline(struct inspect *i, uint64_t deadline_ns)
{
	i->deadline_ns = deadline_ns;
}

static struct query *queue_take(struct inspect *i)
{
	struct query *q = i->first;

	i->first = q->next;
	if (!i->first)
		i->last = NULL;
	i->waiting--;
	return q;
}

static void queue_add(struct inspect *i, struct query *q, bool in_front)
{
	q->request.id = ++i->ids;
	if (in_front) {
		q->next = i->first;
		i->first = q;
		if (!i->last)
			i->last = q;
	} else {
		if (i->last)
			i->last->next = q;
		else
			i->first = q;
		i->last = q;
	}
	i->waiting++;
	i->stats.asked++;
}

/* A worker that has died since the last answer is noticed here: this request is not to blame. */
static int ask(struct inspect *i, struct query *q)
{
	int err = 0;

	for (int attempt = 0; attempt < 2; attempt++) {
		if (i->worker.socket < 0) {
			err = worker_process_start(&i->worker, i->argv);
			if (err)
				return err;
		}
		err = query_send(q, i->worker.socket);
		if (err != -EPIPE && err != -ECONNRESET)
			return err;
		worker_process_end(&i->worker, NULL);
	}
	return err;
}

/* When it cannot be asked, the next pump says so: done() is never called from here. */
static void ask_next(struct inspect *i)
{
	if (i->current || !i->first)
		return;
	i->current = queue_take(i);
	i->send_err = ask(i, i->current);
	i->sent_ns = clock_monotonic_ns();
}

static void finish(struct inspect *i, const struct reply *reply, int err, const char *cause)
{
	struct query *q = i->current;
	int result;

	i->current = NULL;
	ask_next(i); /* the worker works while done() does */
	if (err)
		result = query_fail(q, err, cause);
	else
		result = query_answer(q, reply);
	/* "no interpreter" is an answer */
	if (result && (err || q->request.kind != REQUEST_PYTHON))
		i->stats.failed++;
	else
		i->stats.answered++;
	query_free(q);
}

static void finish_overdue(struct inspect *i)
{
	char cause[WORKER_CAUSE_BYTES];

	worker_process_kill(&i->worker);
	snprintf(cause, sizeof(cause), "worker killed: took longer than %g s",
		 i->deadline_ns / (double)NS_PER_S);
	finish(i, NULL, -ETIMEDOUT, cause);
}

static void finish_ended(struct inspect *i)
{
	char cause[WORKER_CAUSE_BYTES];

	worker_process_end(&i->worker, cause);
	finish(i, NULL, -ECHILD, cause);
}

static void finish_unasked(struct inspect *i)
{
	char cause[WORKER_CAUSE_BYTES];

	snprintf(cause, sizeof(cause), "the worker could not be asked: %s", strerror(-i->send_err));
	finish(i, NULL, i->send_err, cause);
}

/* The worker has said something that it cannot mean: it is no longer ours. */
static void finish_nonsense(struct inspect *i)
{
	worker_process_kill(&i->worker);
	finish(i, NULL, -EBADMSG, "malformed reply of the worker, which was killed");
}

static bool overdue(const struct inspect *i)
{
	return clock_monotonic_ns() - i->sent_ns >= i->deadline_ns;
}

/* A worker that nobody asks has nothing to say: its end is all that can make the socket readable.
 */
static void look_after_idle(struct inspect *i)
{
	char byte;

	if (i->worker.socket >= 0 && (recv(i->worker.socket, &byte, 1, MSG_DONTWAIT) >= 0 ||
				      (errno != EAGAIN && errno != EINTR)))
		worker_process_end(&i->worker, NULL);
}

/* false: there is nothing to do now. */
static bool pump_once(struct inspect *i)
{
	struct reply reply;
	ssize_t n;

	ask_next(i);
	if (!i->current) {
		look_after_idle(i);
		return false;
	}
	if (i->send_err) {
		finish_unasked(i);
		return true;
	}
	n = recv(i->worker.socket, &reply, sizeof(reply), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (!overdue(i))
			return false;
		finish_overdue(i);
	} else if (n <= 0) {
		finish_ended(i);
	} else if (n != sizeof(reply) || reply.id != i->current->request.id || reply.err > 0 ||
		   reply.err < -4095) {
		finish_nonsense(i);
	} else {
		if (reply.retires)
			worker_process_end(&i->worker, NULL);
		finish(i, &reply, 0, NULL);
	}
	return true;
}

void inspect_pump(struct inspect *i)
{
	while (pump_once(i))
		;
}

/* Until something has arrived, the deadline of the request, or at most @limit_ns. */
static void wait_once(const struct inspect *i, uint64_t limit_ns)
{
	struct pollfd p = { .fd = i->worker.socket, .events = POLLIN };
	uint64_t passed = clock_monotonic_ns() - i->sent_ns;
	uint64_t left = passed < i->deadline_ns ? i->deadline_ns - passed : 0;

	if (left > limit_ns)
		left = limit_ns;
	poll(&p, 1, (int)((left + NS_PER_MS - 1) / NS_PER_MS));
}

int inspect_wait(struct inspect *i, uint64_t timeout_ns)
{
	uint64_t from = clock_monotonic_ns();

	for (;;) {
		uint64_t passed;

		inspect_pump(i);
		if (!inspect_pending(i))
			return 0;
		passed = clock_monotonic_ns() - from;
		if (passed >= timeout_ns)
			return -ETIMEDOUT;
		wait_once(i, timeout_ns - passed < NS_PER_S ? timeout_ns - passed : NS_PER_S);
	}
}

size_t inspect_pending(const struct inspect *i)
{
	return i->waiting + !!i->current;
}

int inspect_fd(const struct inspect *i)
{
	return i->worker.socket;
}

void inspect_stats(const struct inspect *i, struct inspect_stats *ret)
{
	*ret = i->stats;
	ret->workers = i->worker.started;
	ret->cpu_ns = i->worker.cpu_ns;
}

static int enqueue(struct inspect *i, struct query *q)
{
	queue_add(i, q, false);
	ask_next(i);
	return 0;
}

int inspect_rows(struct inspect *i, int fd, inspect_rows_fn done, void *context)
{
	struct query *q;
	int err = query_new(REQUEST_ROWS, fd, -1, &q);

	if (err)
		return err;
	q->rows_done = done;
	q->context = context;
	return enqueue(i, q);
}

static int ask_names(struct inspect *i, struct query *q, const uint64_t *addresses, size_t count,
		     inspect_names_fn done, void *context)
{
	int err = query_addresses(q, addresses, count);

	if (err) {
		query_free(q);
		return err;
	}
	q->names_done = done;
	q->context = context;
	return enqueue(i, q);
}

int inspect_names(struct inspect *i, int fd, int debug_fd, const uint64_t *addresses, size_t count,
		  unsigned flags, inspect_names_fn done, void *context)
{
	struct query *q;
	int err = query_new(REQUEST_NAMES, fd, debug_fd, &q);

	if (err)
		return err;
	q->request.flags = flags;
	return ask_names(i, q, addresses, count, done, context);
}

int inspect_perf_map(struct inspect *i, int fd, const uint64_t *addresses, size_t count,
		     inspect_names_fn done, void *context)
{
	struct query *q;
	int err = query_new(REQUEST_PERF_MAP, fd, -1, &q);

	if (err)
		return err;
	return ask_names(i, q, addresses, count, done, context);
}

int inspect_python(struct inspect *i, int fd, inspect_python_fn done, void *context)
{
	struct query *q;
	int err = query_new(REQUEST_PYTHON, fd, -1, &q);

	if (err)
		return err;
	q->python_done = done;
	q->context = context;
	return enqueue(i, q);
}

/* Other answers that come meanwhile are delivered. */
static int ask_and_wait(struct inspect *i, enum request_kind kind, int fd, struct query_wait *wait)
{
	struct query *q;
	int err = query_new(kind, fd, -1, &q);

	if (err)
		return err;
	*wait = (struct query_wait){};
	q->wait = wait;
	queue_add(i, q, true); /* before those that nobody stands still for */
	ask_next(i);
	for (inspect_pump(i); !wait->done; inspect_pump(i))
		wait_once(i, NS_PER_S);
	return wait->err;
}

int inspect_debug_link(struct inspect *i, int fd, uint8_t ret_build_id[INSPECT_BUILD_ID_MAX],
		       uint32_t *ret_build_id_bytes, char *ret_link, size_t link_size)
{
	struct query_wait wait;
	int err = ask_and_wait(i, REQUEST_LINK, fd, &wait);

	if (err)
		return err;
	memcpy(ret_build_id, wait.answer.link.build_id, INSPECT_BUILD_ID_MAX);
	*ret_build_id_bytes = wait.answer.link.build_id_bytes;
	if (link_size)
		snprintf(ret_link, link_size, "%s", wait.answer.link.link);
	return 0;
}

int inspect_allocators(struct inspect *i, int fd, struct inspect_allocators *ret)
{
	struct query_wait wait;
	int err = ask_and_wait(i, REQUEST_ALLOCATORS, fd, &wait);

	if (!err)
		*ret = wait.answer.allocators;
	return err;
}
