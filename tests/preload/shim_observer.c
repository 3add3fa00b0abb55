/* shim_observer.c - plays the observer of the malloc shim, without any BPF: it finds the regions of
 *a command and its descendants by their maps, answers, reads the rings and says what it was told.
 *
 *	shim_observer [-m MODE] [-g GAP] [-f US] [-s EVENTS] [-e ENV] [-p US] [-acOku] SHIM --
 *COMMAND … -m exact, sampled, off or silent   -g gap in bytes      -f how long a full ring is
 *waited for -s stop reading after so many events                     -e value of TASKDIAG_SHIM -p
 *pause between two readings -a answer what is asked: 20 words that never change; the stack is the
 *place of the call -O always trap, and check the memo   -c count instead of the TSC   -k count
 *events, keep none -u trace the sites with uprobes that count
 *
 * One line for each region: key=value …; the last: exit=CODE.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "observer.h"
#include "sites.h"

struct options options = { .mode = "exact",
			   .environment = "listen,wait=60000,child=60000",
			   .gap = 4096,
			   .full_wait_us = 2000000 };

static int by_stamp(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->stamp != y->stamp)
		return x->stamp < y->stamp ? -1 : 1;
	return x->position < y->position ? -1 : x->position > y->position;
}

static void replay_region(struct seen *s, struct replay *to, const uint64_t *until)
{
	struct region *r = s->r;

	for (size_t i = 0; r->reason == REGION_FORK && i < region_count; i++)
		if (regions[i]->r->id == r->parent_id && regions[i] != s)
			replay_region(regions[i], to, r->parent_heads);
	if (!s->sorted)
		qsort(s->events, s->count, sizeof(*s->events), by_stamp);
	s->sorted = true;
	for (size_t i = 0; i < s->count; i++)
		if (!until || s->events[i].position < until[s->events[i].ring])
			replay_event(to, &s->events[i], r->wish.mode == REGION_SAMPLED);
}

static void report(struct seen *s)
{
	uint64_t offered = 0, lost = 0, hits = 0, traps = 0, used = 0;
	struct region *r = s->r;
	struct replay p;

	for (uint32_t i = 0; i < REGION_RINGS; i++) {
		struct region_ring *ring = ring_of(r, i);

		offered += ring->offered;
		lost += ring->lost;
		hits += ring->hits;
		traps += ring->traps;
		used += ring->claims > 0;
	}
	replay_init(&p);
	replay_region(s, &p, NULL);
	printf("region pid=%u reason=%s ready=%u rings=%lu offered=%lu read=%lu lost=%lu late=%lu "
	       "unknown=%lu duplicates=%lu undone=%lu allocs=%lu frees=%lu live=%lu peak=%lu "
	       "tagged_allocs=%lu tagged_live=%lu tagged_peak=%lu maps=%lu mapped_live=%lu "
	       "mapped_peak=%lu hits=%lu traps=%lu checks=%lu mismatches=%lu answers=%lu "
	       "refused=%lu nested=%lu no_ring=%lu early=%lu samples=%lu sample_frees=%lu "
	       "lost_set=%lu estimate=%.0f tagged_estimate=%.0f clock=%u\n",
	       r->pid, r->reason == REGION_FORK ? "fork" : "exec", r->ready, used, offered, s->read,
	       lost, s->late, p.unknown, p.duplicates, p.undone, p.all.allocations, p.frees,
	       p.all.live, p.all.peak, p.tagged.allocations, p.tagged.live, p.tagged.peak,
	       p.mapped.allocations, p.mapped.live, p.mapped.peak, hits, traps, s->checks,
	       s->mismatches, s->answers, r->refused_answers, r->nested, r->lost_no_ring,
	       r->lost_early, r->samples, r->sample_frees, r->lost_set, p.estimate,
	       p.tagged_estimate, r->clock);
	replay_drop(&p);
}

static int start_command(char **argv, const char *shim)
{
	int pid = fork();

	if (pid)
		return pid;
	setenv("LD_PRELOAD", shim, 1);
	setenv("TASKDIAG_SHIM", options.environment, 1);
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

/* Until the last descendant is gone. */
static int observe(int command)
{
	int status, code = -1, pid, rounds = 0;

	for (;;) {
		bool any;

		if (!region_count || rounds++ % 8 == 0)
			look_below(getpid(), 0);
		any = options.stop_after && total_read >= options.stop_after ? false : drain();
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == command)
				code = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
							   : WEXITSTATUS(status);
		if (pid < 0 && errno == ECHILD)
			return code;
		if (!any || options.pause_us)
			usleep(options.pause_us ? options.pause_us : 50);
	}
}

static char **parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "+m:g:f:s:e:p:acOku")) != -1) {
		if (c == 'm')
			options.mode = optarg;
		else if (c == 'g')
			options.gap = strtoull(optarg, NULL, 10);
		else if (c == 'f')
			options.full_wait_us = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 's')
			options.stop_after = strtoull(optarg, NULL, 10);
		else if (c == 'p')
			options.pause_us = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'e')
			options.environment = optarg;
		else if (c == 'a')
			options.answers = true;
		else if (c == 'c')
			options.counter = true;
		else if (c == 'O')
			options.oracle = options.answers = true;
		else if (c == 'u')
			options.trace = true;
		else if (c == 'k')
			options.count_only = true;
		else
			exit(125);
	}
	if (argc - optind < 3 || strcmp(argv[optind + 1], "--") != 0) {
		fprintf(stderr, "usage: shim_observer [OPTION…] SHIM -- COMMAND …\n");
		exit(125);
	}
	return argv + optind;
}

int main(int argc, char **argv)
{
	char **rest = parse(argc, argv);
	int code;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (options.trace)
		sites_trace(rest[0]);
	code = observe(start_command(rest + 2, rest[0]));
	options.stop_after = 0;
	drain();
	for (size_t i = 0; i < region_count; i++)
		report(regions[i]);
	sites_report();
	printf("exit=%d\n", code);
	return 0;
}
