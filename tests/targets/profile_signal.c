/* profile_signal.c - signal handlers that burn CPU, on the stack that they interrupt and on their
 *own.
 *
 *	profile_signal [--ms CPU]
 *
 * Truth: a timer interrupts `interrupted_function` at any instruction. handler_on_stack burns its
 *time on the same stack; then handler_on_altstack on a stack from sigaltstack(2). Both do so in
 * `burn_in_handler`, below whose frames the interrupted function has to be found. Prints
 * `handler_cpu_ns on_stack NS`, `handler_cpu_ns on_altstack NS`, `cpu_ns NS`.
 */
#include "profile_clock.h"

#include <signal.h>
#include <sys/time.h>

#define HANDLER_NS 3000000

static volatile int64_t spent;

static NOINLINE void burn_in_handler(void)
{
	int64_t start = cpu_ns();

	burn_cpu_ns(HANDLER_NS);
	spent += cpu_ns() - start;
	KEEP_FRAME();
}

static NOINLINE void handler_on_stack(int number)
{
	(void)number;
	burn_in_handler();
	KEEP_FRAME();
}

static NOINLINE void handler_on_altstack(int number)
{
	(void)number;
	burn_in_handler();
	KEEP_FRAME();
}

static NOINLINE void interrupted_function(int64_t ns)
{
	while (spent < ns)
		spin_a_little();
	KEEP_FRAME();
}

static void run(const char *name, void (*handler)(int), int flags, int64_t ns)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags | SA_RESTART };
	struct itimerval every = { { 0, 5000 }, { 0, 5000 } }, never = {};

	spent = 0;
	if (sigaction(SIGPROF, &action, NULL) < 0 || setitimer(ITIMER_PROF, &every, NULL) < 0)
		err(TARGET_FAILED, "signal");
	interrupted_function(ns);
	setitimer(ITIMER_PROF, &never, NULL);
	printf("handler_cpu_ns %s %lld\n", name, (long long)spent);
}

int main(int argc, char **argv)
{
	int64_t ns = option_number(argc, argv, "ms", 500) * 1000000LL;
	stack_t stack = { .ss_size = 256 * 1024 };

	stack.ss_sp = malloc(stack.ss_size);
	if (!stack.ss_sp || sigaltstack(&stack, NULL) < 0)
		err(TARGET_FAILED, "sigaltstack");
	run("on_stack", handler_on_stack, 0, ns);
	run("on_altstack", handler_on_altstack, SA_ONSTACK, ns);
	printf("cpu_ns %lld\n", (long long)cpu_ns());
	return 0;
}
