/* daemon.c - see daemon.h */
#include "watch/daemon.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "serve/privilege.h"
#include "serve/retention.h"
#include "serve/web.h"
#include "watch/listen.h"

#define NOBODY 65534
#define RETENTION_NS (60 * NS_PER_S)
#define WEB_AGAIN_NS NS_PER_S	  /* a web process that ends is started again, not at once */
#define GOODBYE_NS (4 * NS_PER_S) /* SIGTERM: running tasks are saved meanwhile */

struct kept { /* configurations that running tasks may still refer to */
	struct kept *next;
	struct serve_config config;
};

struct daemon {
	const struct daemon_options *options;
	struct kept *configs; /* the first is the one that counts */
	struct store *store;
	struct index *index;
	struct watch *watch; /* NULL: nothing is collected */
	struct listeners listeners;
	struct web_config web;
	struct identity user;
	int signals, asks;
	pid_t web_pid;
	uint64_t web_ns, retention_ns;
	char asked[TASK_ID_MAX + 1]; /* a snapshot that the web process waits for; "" none */
	bool stopping;
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line for the journal, which knows the time. */
static void say(const char *format, ...)
{
	va_list args;

	fputs("taskdiag-bpf: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static int read_config(struct daemon *d, struct problem *problem)
{
	struct kept *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return -ENOMEM;
	err = serve_config_read(d->options->config, d->options->environment, &k->config, problem);
	if (err) {
		free(k);
		return err;
	}
	k->next = d->configs;
	d->configs = k;
	return 0;
}

static const struct serve_config *config(const struct daemon *d)
{
	return &d->configs->config;
}

static int open_store(struct daemon *d, struct problem *problem)
{
	bool anew = false;
	int err = store_open(config(d)->state, true, &d->store, problem), changed;

	if (!err && !geteuid()) {
		err = store_share(d->store, d->web.user ? d->web.user->gid : NOBODY);
		if (err)
			problem_set(problem, err, "state %.300s: %s", config(d)->state,
				    strerror(-err));
	}
	if (!err)
		err = index_open_writer(d->store, &d->index, &anew, problem);
	if (err)
		return err;
	changed = retention_recover(d->store, d->index, clock_utc_ns() / NS_PER_MS);
	if (changed < 0)
		return problem_set(problem, changed, "index of %s: %s", config(d)->state,
				   strerror(-changed));
	if (changed)
		say("%d rows of the index were put right", changed);
	return 0;
}

static int open_key(struct daemon *d, struct problem *problem)
{
	char path[4096];

	if (config(d)->key_file)
		return sign_key_read(config(d)->key_file, false, &d->web.key, problem);
	if (snprintf(path, sizeof(path), "%s/url.key", config(d)->state) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return sign_key_read(path, true, &d->web.key, problem);
}

static int open_signals(struct daemon *d)
{
	static const int wanted[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		sigaddset(&set, wanted[i]);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return d->signals < 0 ? -errno : 0;
}

static int web_begin(struct daemon *d)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	d->web.asks = pair[1];
	d->web.store = d->store;
	d->web_ns = clock_boot_ns();
	d->web_pid = fork();
	if (d->web_pid == 0) {
		close(pair[0]);
		close(d->signals);
		web_run(&d->web);
	}
	close(pair[1]);
	if (d->asks >= 0)
		close(d->asks);
	d->asks = pair[0];
	d->asked[0] = 0;
	return d->web_pid < 0 ? -errno : 0;
}

static int watch_begin(struct daemon *d, struct problem *problem)
{
	const struct watch_config watch = {
		.serve = config(d),
		.store = d->store,
		.index = d->index,
		.page = d->options->page,
		.verbose = d->options->verbose,
	};
	int err = watch_new(&watch, &d->watch, problem);

	if (err != -ENOENT)
		return err;
	say("nothing is collected: %s", config(d)->diagnostics[0]
					    ? "no [rule …] says what a task is"
					    : "TASK_DIAGNOSTICS is empty");
	return 0;
}

static int begin(struct daemon *d, struct problem *problem)
{
	struct problem ignored = {};
	int err = read_config(d, problem);

	if (!err)
		err = open_signals(d);
	if (!err) /* where the package has not made that user, nobody serves */
		d->web.user = identity_named(config(d)->user, &d->user, &ignored) ? NULL : &d->user;
	if (!err)
		err = open_store(d, problem);
	if (!err)
		err = open_key(d, problem);
	if (!err)
		err = listeners_open(config(d), &d->listeners, &d->web, problem);
	if (!err)
		err = web_begin(d);
	if (!err)
		err = watch_begin(d, problem);
	if (!err)
		err = privilege_collector(problem);
	return err;
}

static void removed(void *context, const struct retention_removed *r)
{
	static const char *const causes[] = { "its time was over", "all had no room",
					      "it was too large" };

	(void)context;
	if (r->err)
		say("task %s stays: %s", r->id, strerror(-r->err));
	else
		say("task %s was removed: %s", r->id, causes[r->cause]);
}

static void clean_up(struct daemon *d)
{
	const struct retention rules = {
		.protection_s = config(d)->protection_s,
		.total_bytes = config(d)->total_bytes,
		.task_bytes = config(d)->task_bytes,
	};
	int n = retention_round(d->store, d->index, &rules, clock_utc_ns() / NS_PER_MS, false,
				removed, d);

	if (n < 0)
		say("cleanup: %s", strerror(-n));
	d->retention_ns = clock_boot_ns();
}

static void reload(struct daemon *d)
{
	struct problem problem = {};
	int err = read_config(d, &problem);

	if (err) {
		say("reload: %s: goes on as before",
		    problem.text[0] ? problem.text : strerror(-err));
		return;
	}
	if (d->watch)
		err = watch_reload(d->watch, config(d), &problem);
	else
		err = watch_begin(d, &problem);
	if (err)
		say("reload: %s", problem.text[0] ? problem.text : strerror(-err));
	else
		say("configuration was read anew");
}

static void on_signals(struct daemon *d)
{
	struct signalfd_siginfo info;

	while (read(d->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			d->stopping = true;
		else if (info.ssi_signo == SIGHUP)
			reload(d);
	}
}

static void answer(struct daemon *d, int32_t err)
{
	send(d->asks, &err, sizeof(err), MSG_NOSIGNAL | MSG_DONTWAIT);
	d->asked[0] = 0;
}

static void on_question(struct daemon *d)
{
	struct web_question question;
	int err;

	if (recv(d->asks, &question, sizeof(question), MSG_DONTWAIT) != sizeof(question))
		return;
	question.id[sizeof(question.id) - 1] = 0;
	err = d->watch ? watch_snapshot(d->watch, question.id) : -ENOENT;
	if (err)
		answer(d, err);
	else
		strcpy(d->asked, question.id);
}

static void look_after(struct daemon *d)
{
	uint64_t now = clock_boot_ns();
	int status;

	if (d->web_pid > 0 && waitpid(d->web_pid, &status, WNOHANG) == d->web_pid) {
		say("the web process has ended (status %d): started again", status);
		d->web_pid = 0;
	}
	if (!d->web_pid && now - d->web_ns > WEB_AGAIN_NS)
		web_begin(d);
	if (d->asked[0] && !watch_is_snapshotting(d->watch, d->asked))
		answer(d, 0);
	if (now - d->retention_ns > RETENTION_NS)
		clean_up(d);
}

static void loop(struct daemon *d)
{
	struct pollfd fds[] = {
		{ .fd = d->signals, .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
	};

	clean_up(d);
	while (!d->stopping) {
		fds[1].fd = d->asks;
		fds[2].fd = d->watch ? watch_fd(d->watch) : -1;
		poll(fds, 3, d->asked[0] ? 20 : 500);
		on_signals(d);
		if (fds[1].revents)
			on_question(d);
		if (d->watch)
			watch_pump(d->watch);
		look_after(d);
	}
}

static void end(struct daemon *d)
{
	struct kept *k, *next;

	watch_free(d->watch, GOODBYE_NS);
	if (d->web_pid > 0) {
		kill(d->web_pid, SIGTERM);
		waitpid(d->web_pid, NULL, 0);
	}
	listeners_close(&d->listeners);
	index_free(d->index);
	store_free(d->store);
	if (d->asks >= 0)
		close(d->asks);
	if (d->signals >= 0)
		close(d->signals);
	for (k = d->configs; k; k = next) {
		next = k->next;
		serve_config_release(&k->config);
		free(k);
	}
}

int daemon_run(const struct daemon_options *options, struct problem *problem)
{
	struct daemon d = { .options = options, .signals = -1, .asks = -1 };
	int err;

	listeners_none(&d.listeners, &d.web);
	err = begin(&d, problem);
	if (!err) {
		say("started: %s", config(&d)->state);
		loop(&d);
		say("ends");
	}
	end(&d);
	return err;
}
