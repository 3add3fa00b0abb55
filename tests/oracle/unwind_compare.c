/* unwind_compare.c - are our frames those of libdw, on the same registers and the same stack bytes?
 *
 *	unwind_compare [-F HZ] [-n SAMPLES] [-a] (--pid PID | -- COMMAND [ARG…])
 *
 * Samples one process by the CPU clock until it ends or SAMPLES (10,000) are there, and walks each
 * snapshot twice (see oracle.h). Prints `NAME NUMBER` lines:
 *
 *	samples		snapshots that both walked
 *	same		equal frame by frame
 *	ours_longer, ours_shorter	one is the beginning of the other
 *	differ		a frame is another
 *	complete	ours reached the outermost frame
 *	libdw_complete	libdw did
 *	cut		the copy of the stack (64,000 bytes) was too short for a walk
 *	below		ours needed what is below the stack pointer (a register that an epilogue
 *			has popped): read later, from the live process, it is often another
 *	unknown		snapshots without readable mappings: in the midst of exec
 *	lost		the perf ring was full
 *
 * and then one line for each distinct difference: how often, kind, last frame in common, what came
 * next in ours and in libdw's, how each ended. -a: also where walks of ours that are not complete
 * ended. Exits with 0 whatever it found; 2 when it could not look.
 */
#include "oracle.h"

#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILED 2
#define DIFFERENCES_MAX 1024
#define DIFFERENCES_SHOWN 40
#define LIVE_WORDS 16384
#define STACK_REACH (8ULL << 20)
#define BELOW_REACH 4096
enum kind { SAME, LONGER, SHORTER, DIFFER, INCOMPLETE, KINDS };

static const char *const kind_name[KINDS] = { "same", "ours_longer", "ours_shorter", "differ",
					      "incomplete" };

struct difference {
	char text[480];
	unsigned long count;
};

static pid_t target;
static unsigned long wanted = 10000, samples, tally[KINDS], complete, libdw_complete, cut, below,
		     unknown;
static bool show_incomplete, stale = true;
static int memory_fd = -1;
static struct difference differences[DIFFERENCES_MAX];
static size_t difference_count;
static unsigned long differences_untold;

/* ---- memory of a snapshot */

static struct {
	uint64_t address, word;
	uint32_t turn;
	bool readable;
} live[LIVE_WORDS];
static uint32_t turn;

void snapshot_begin(struct snapshot *s)
{
	turn++;
	s->cut = false;
	s->below = false;
}

static bool live_word(uint64_t address, uint64_t *ret)
{
	size_t at = address * 0x9e3779b97f4a7c15ULL >> 50;

	for (size_t i = 0; i < 64; i++, at = (at + 1) % LIVE_WORDS) {
		if (live[at].turn != turn) {
			live[at].turn = turn;
			live[at].address = address;
			live[at].readable =
			    pread(memory_fd, &live[at].word, 8, (off_t)address) == 8;
		}
		if (live[at].address == address) {
			*ret = live[at].word;
			return live[at].readable;
		}
	}
	return false;
}

bool snapshot_word(struct snapshot *s, uint64_t address, uint64_t *ret)
{
	uint64_t into = address - s->stack_at;

	if (into <= s->stack_bytes && s->stack_bytes - into >= 8) {
		memcpy(ret, s->stack + into, 8);
		return true;
	}
	if (into < STACK_REACH && s->stack_bytes >= SNAPSHOT_STACK_BYTES - 8) {
		s->cut = true;
		return false;
	}
	s->below |= s->stack_at - address <= BELOW_REACH;
	return live_word(address, ret);
}

/* ---- the comparison */

static void note(const char *text)
{
	for (size_t i = 0; i < difference_count; i++) {
		if (!strcmp(differences[i].text, text)) {
			differences[i].count++;
			return;
		}
	}
	if (difference_count == DIFFERENCES_MAX) {
		differences_untold++;
		return;
	}
	snprintf(differences[difference_count].text, sizeof(differences[0].text), "%s", text);
	differences[difference_count++].count = 1;
}

static const char *place(const struct walk *w, size_t i)
{
	return i < w->count ? ours_place(w->pc[i]) : "-";
}

static void compare(struct snapshot *s)
{
	static struct walk ours, libdw;
	size_t common = 0;
	char text[480];
	enum kind kind;

	snapshot_begin(s);
	libdw_walk(s, &libdw);
	s->below = false; /* libdw wants all registers */
	ours_walk(s, &ours);
	samples++;
	while (common < ours.count && common < libdw.count && ours.pc[common] == libdw.pc[common])
		common++;
	if (common == ours.count && common == libdw.count)
		kind = SAME;
	else if (common == libdw.count)
		kind = LONGER;
	else
		kind = common == ours.count ? SHORTER : DIFFER;
	tally[kind]++;
	cut += s->cut;
	below += s->below;
	complete += ours.complete;
	libdw_complete += libdw.complete;
	if (kind != SAME) {
		snprintf(text, sizeof(text), "%s after %s: ours %s (%s), libdw %s (%s)",
			 kind_name[kind], common ? place(&ours, common - 1) : "-",
			 place(&ours, common), ours.outcome, place(&libdw, common), libdw.outcome);
		note(text);
	}
	if (show_incomplete && !ours.complete) {
		snprintf(text, sizeof(text), "incomplete at %s, sampled at %s: %s, libdw %s%s%s",
			 place(&ours, ours.count - 1), place(&ours, 0), ours.outcome, libdw.outcome,
			 s->cut ? ", cut" : "", s->below ? ", below" : "");
		note(text);
	}
}

/* ---- the run */

/* After exec, mmap, dlopen. */
static void look_again(void)
{
	char path[64];

	stale = !libdw_mappings_changed(target);
	ours_mappings_changed(target);
	if (memory_fd >= 0)
		close(memory_fd);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)target);
	memory_fd = open(path, O_RDONLY | O_CLOEXEC);
}

/* The command waits for @ret_go to be closed before its exec. */
static pid_t start(char **command, int *ret_go)
{
	int go[2];
	char byte;
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) < 0)
		err(FAILED, "pipe");
	pid = fork();
	if (pid < 0)
		err(FAILED, "fork");
	if (!pid) {
		close(go[1]);
		if (read(go[0], &byte, 1) < 0)
			_exit(FAILED);
		execvp(command[0], command);
		err(FAILED, "%s", command[0]);
	}
	close(go[0]);
	*ret_go = go[1];
	return pid;
}

static void on_mappings(void)
{
	stale = true;
}

static void on_snapshot(struct snapshot *s)
{
	if ((pid_t)s->pid != target || samples >= wanted)
		return; /* a child's */
	if (stale)
		look_again();
	if (stale)
		unknown++;
	else
		compare(s);
}

static bool has_ended(bool child)
{
	int status;

	return child ? waitpid(target, &status, WNOHANG) == target : kill(target, 0) < 0;
}

static void run(bool child)
{
	static const struct sampler_callbacks callbacks = { on_snapshot, on_mappings };
	bool ended = false;

	while (!ended && samples < wanted) {
		ended = has_ended(child);
		sampler_drain(&callbacks);
		usleep(2000);
	}
	if (child && !ended) {
		kill(target, SIGKILL);
		waitpid(target, NULL, 0);
	}
}

static int more_often(const void *a, const void *b)
{
	const struct difference *x = a, *y = b;

	return (x->count < y->count) - (x->count > y->count);
}

static void print(void)
{
	printf("samples %lu\n", samples);
	for (int i = SAME; i <= DIFFER; i++)
		printf("%s %lu\n", kind_name[i], tally[i]);
	printf("complete %lu\nlibdw_complete %lu\ncut %lu\nbelow %lu\nunknown %lu\nlost %lu\n",
	       complete, libdw_complete, cut, below, unknown, sampler_lost());
	qsort(differences, difference_count, sizeof(differences[0]), more_often);
	for (size_t i = 0; i < difference_count && i < DIFFERENCES_SHOWN; i++)
		printf("%6lu %s\n", differences[i].count, differences[i].text);
	if (difference_count > DIFFERENCES_SHOWN || differences_untold)
		printf("and %zu more kinds, %lu samples of others\n",
		       difference_count > DIFFERENCES_SHOWN ? difference_count - DIFFERENCES_SHOWN
							    : 0,
		       differences_untold);
}

static void usage(void)
{
	errx(FAILED,
	     "use: unwind_compare [-F HZ] [-n SAMPLES] [-a] (--pid PID | -- COMMAND [ARG...])");
}

int main(int argc, char **argv)
{
	int hz = 999, at = 1, go = -1;

	for (; at < argc && strcmp(argv[at], "--"); at++) {
		if (!strcmp(argv[at], "-a"))
			show_incomplete = true;
		else if (at + 1 == argc)
			usage();
		else if (!strcmp(argv[at], "-F"))
			hz = atoi(argv[++at]);
		else if (!strcmp(argv[at], "-n"))
			wanted = strtoul(argv[++at], NULL, 10);
		else if (!strcmp(argv[at], "--pid"))
			target = atoi(argv[++at]);
		else
			usage();
	}
	if (hz < 1 || (at < argc - 1) == (target > 0))
		usage();
	unsetenv("DEBUGINFOD_URLS"); /* libdw would ask the network */
	if (at < argc - 1) {
		target = start(argv + at + 1, &go);
		sampler_watch_thread(target, hz, true);
		close(go);
	} else {
		sampler_watch_process(target, hz);
	}
	run(go >= 0);
	print();
	return 0;
}
