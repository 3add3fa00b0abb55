/* heap_survival.c - what a process does to itself that an allocator's shim has to live through.
 *
 *	heap_survival CASE		see cases[]
 *
 * Truth: what is printed, and the exit status. Of the blocks that a function has allocated
 * `held FUNCTION BYTES` are live at the peak, `left FUNCTION BYTES` when their process ends, summed
 * over all processes. Every case keeps at least 100 blocks of 1,022 bytes, made in keep().
 *
 * Timer cases allocate in signal handlers that may break into malloc itself, which glibc's does not
 * bear: they want tests/targets/shim/bump.c behind the shim (LD_PRELOAD).
 */
#include "heap_survival.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#define STORM_US 100
#define STORM_SIGNALS 500

static volatile long handled;
static volatile sig_atomic_t may_jump;
static sigjmp_buf out;

/* ---- threads */

static void *go_on_alone(void *leader)
{
	pthread_join(*(pthread_t *)leader, NULL);
	keep(100);
	churn(20000);
	say_kept("keep", 100);
	exit(7);
}

static int main_thread_gone(void)
{
	static pthread_t leader;
	pthread_t thread;

	leader = pthread_self();
	if (pthread_create(&thread, NULL, go_on_alone, &leader))
		return TARGET_FAILED;
	pthread_exit(NULL);
}

#define HANDS 4
#define PASSED 20000
static void *passed[HANDS][64];

/* Takes what another thread has left in a place, frees it, leaves one of its own. */
static void *pass_on(void *arg)
{
	long me = (long)arg;

	for (long i = 0; i < PASSED; i++) {
		void **place = &passed[(me + i) % HANDS][i % 64];
		void *p = malloc(100 + (unsigned long)i % 900);

		free(__atomic_exchange_n(place, p, __ATOMIC_ACQ_REL));
	}
	return NULL;
}

static int each_others_blocks(void)
{
	pthread_t threads[HANDS];

	keep(100);
	for (long i = 0; i < HANDS; i++)
		if (pthread_create(&threads[i], NULL, pass_on, (void *)i))
			return TARGET_FAILED;
	for (long i = 0; i < HANDS; i++)
		pthread_join(threads[i], NULL);
	for (long i = 0; i < HANDS; i++)
		for (long k = 0; k < 64; k++)
			free(passed[i][k]);
	say_kept("keep", 100);
	say("left", "pass_on", 0);
	return 0;
}

/* ---- the stack */

static NOINLINE void dive(long depth)
{
	if (depth)
		dive(depth - 1);
	else
		churn(20);
	KEEP_FRAME();
}

static NOINLINE void dive_and_keep(long depth, long blocks)
{
	if (depth)
		dive_and_keep(depth - 1, blocks);
	else
		keep(blocks);
	KEEP_FRAME();
}

static int deep(void)
{
	for (long i = 0; i < 100; i++)
		dive(i % 2 ? 10000 : i);
	dive_and_keep(10000, 100);
	say_kept("keep", 100);
	return 3;
}

static NOINLINE void dive_and_jump(long depth, void **made)
{
	*made = realloc(*made, 100 + (size_t)depth);
	if (!depth)
		siglongjmp(out, 1);
	dive_and_jump(depth - 1, made);
	KEEP_FRAME();
}

static int jumps(void)
{
	static void *made;

	keep(100);
	for (volatile long i = 0; i < 2000; i++) {
		if (!sigsetjmp(out, i & 1))
			dive_and_jump(i % 50, &made);
		free(made);
		made = NULL;
	}
	say_kept("keep", 100);
	say("left", "dive_and_jump", 0);
	return 5;
}

/* ---- signals */

static void allocates(int number)
{
	void *p = malloc(2031);

	(void)number;
	p = realloc(p, 3040);
	free(p);
	handled++;
}

static void jumps_out(int number)
{
	void *p = malloc(2031);

	(void)number;
	free(p);
	handled++;
	if (may_jump)
		siglongjmp(out, 1);
}

/* A raw fork: the C library's takes locks. */
static void forks(int number)
{
	int saved = errno, status;
	pid_t pid;

	(void)number;
	if (handled++ % 10 || handled > 200) {
		errno = saved;
		return;
	}
	pid = (pid_t)syscall(SYS_fork);
	if (!pid) {
		keep_in_child(10);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0 || status)
		_exit(TARGET_FAILED);
	errno = saved;
}

static volatile bool is_child;
static volatile int children;

/* The child goes on where its parent was. */
static void forks_and_returns(int number)
{
	int saved = errno;
	pid_t pid;

	(void)number;
	if (is_child || handled++ % 5)
		return;
	pid = (pid_t)syscall(SYS_fork);
	if (pid < 0)
		_exit(TARGET_FAILED);
	is_child = !pid;
	children += !!pid;
	errno = saved;
}

static void storm(void (*handler)(int), int flags, suseconds_t us)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART | flags };
	struct itimerval timer = { { 0, us }, { 0, us } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void calm(void)
{
	struct itimerval never = { 0 };

	may_jump = 0;
	setitimer(ITIMER_REAL, &never, NULL);
	signal(SIGALRM, SIG_IGN);
}

static int handlers(void)
{
	storm(allocates, 0, STORM_US);
	while (handled < STORM_SIGNALS)
		churn(100);
	calm();
	keep(100);
	say_kept("keep", 100);
	return 0;
}

static int jumps_from_handlers(void)
{
	keep(100);
	storm(jumps_out, SA_NODEFER, 5 * STORM_US);
	while (handled < STORM_SIGNALS) {
		if (sigsetjmp(out, 1) == 0) {
			may_jump = 1;
			churn(1000);
		}
		may_jump = 0;
	}
	calm();
	churn(20000);
	say_kept("keep", 100);
	return 6;
}

static int forks_in_handlers(void)
{
	storm(forks, 0, 5 * STORM_US);
	while (handled < 200)
		churn(100);
	calm();
	keep(100);
	say("left", "keep_in_child", 20 * 10);
	return 0;
}

static int children_go_on(void)
{
	int status, bad = 0;

	storm(forks_and_returns, 0, 5 * STORM_US);
	while (handled < STORM_SIGNALS && !is_child)
		churn(100);
	if (is_child) {
		churn(1000);
		_exit(0);
	}
	calm();
	for (int left = children; left; left--)
		bad += wait(&status) < 0 || status;
	keep(100);
	say_kept("keep", 100);
	return bad > 0;
}

static void keeps(int number)
{
	(void)number;
	keep(1);
	churn(20);
}

static int on_another_stack(void)
{
	static char room[16384] __attribute__((aligned(16)));
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };
	struct sigaction action = { .sa_handler = keeps, .sa_flags = SA_ONSTACK };

	if (sigaltstack(&stack, NULL) || sigaction(SIGUSR1, &action, NULL))
		return TARGET_FAILED;
	for (int i = 0; i < 100; i++) {
		churn(20);
		raise(SIGUSR1);
	}
	say_kept("keep", 100);
	return 0;
}

/* ---- a target for debuggers: goes on until its input ends */

static int until_told(void)
{
	char byte;

	keep(100);
	say_kept("keep", 100);
	fcntl(0, F_SETFL, O_NONBLOCK);
	while (read(0, &byte, 1) != 0) {
		churn(100);
		usleep(1000);
	}
	return 4;
}

static const struct survival_case cases[] = {
	{ "leader", main_thread_gone },
	{ "passing", each_others_blocks },
	{ "deep", deep },
	{ "longjmp", jumps },
	{ "handlers", handlers },
	{ "handlers-longjmp", jumps_from_handlers },
	{ "handlers-fork", forks_in_handlers },
	{ "handlers-fork-return", children_go_on },
	{ "sigaltstack", on_another_stack },
	{ "wait", until_told },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return survival_main(cases, argc, argv);
}
