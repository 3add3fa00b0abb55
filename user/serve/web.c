/* web.c - see web.h */
#include "serve/web.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "serve/privilege.h"

#define SNAPSHOT_MS 20000
#define INDEX_TRIES 100 /* of 50 ms: the collector makes it first */

struct asker {
	int socket;
	pthread_mutex_t lock; /* one question at a time */
};

static int ask_snapshot(void *context, const char *id)
{
	struct web_question question = {};
	struct asker *a = context;
	struct pollfd answer = { .fd = a->socket, .events = POLLIN };
	int32_t err = -ETIMEDOUT;

	snprintf(question.id, sizeof(question.id), "%s", id);
	if (pthread_mutex_trylock(&a->lock))
		return -EAGAIN;
	while (recv(a->socket, &err, sizeof(err), MSG_DONTWAIT) > 0)
		; /* answers that nobody waited for */
	err = -ETIMEDOUT;
	if (send(a->socket, &question, sizeof(question), MSG_NOSIGNAL) < 0)
		err = -errno;
	else if (poll(&answer, 1, SNAPSHOT_MS) == 1 &&
		 recv(a->socket, &err, sizeof(err), 0) != sizeof(err))
		err = -EIO;
	pthread_mutex_unlock(&a->lock);
	return err;
}

static int open_index(const struct store *store, struct index **ret, struct problem *problem)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	int err = -EAGAIN;

	for (int i = 0; err == -EAGAIN && i < INDEX_TRIES; i++) {
		err = index_open_reader(store, ret, problem);
		if (err == -EAGAIN)
			nanosleep(&pause, NULL);
	}
	return err;
}

static int begin(const struct web_config *config, struct asker *asker, struct problem *problem)
{
	struct store *store;
	int err = store_open_at(store_fd(config->store), &store, problem);

	if (!err)
		err = privilege_web(config->user, store_fd(store), problem);
	for (size_t i = 0; !err && i < WEB_LISTENERS; i++) {
		struct index *index;
		struct http *http;

		if (config->listeners[i] < 0)
			continue;
		err = open_index(store, &index, problem);
		if (!err)
			err = http_new(&config->http[i], config->listeners[i], store, index,
				       &config->key, ask_snapshot, asker, &http, problem);
	}
	return err;
}

void web_run(const struct web_config *config)
{
	static struct asker asker = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct problem problem = {};
	sigset_t all;
	int err;

	prctl(PR_SET_NAME, "taskdiag-web");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	asker.socket = config->asks;
	err = begin(config, &asker, &problem);
	if (err) {
		fprintf(stderr, "taskdiag-bpf: web: %s\n",
			problem.text[0] ? problem.text : strerror(-err));
		_exit(1);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* the change of uid has taken it back */
	for (;;)
		pause();
}
