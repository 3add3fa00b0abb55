/* signals.c - a handler that allocates, every 100 µs, whatever the program was at. glibc's malloc
 * does not survive that: bump.c stands behind the shim. Ends with 7 blocks of 1,022 bytes live. */
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

static volatile long handled;

static void handler(int number)
{
	void *p = malloc(2031);

	(void)number;
	p = realloc(p, 3040);
	free(p);
	handled++;
}

int main(void)
{
	struct itimerval timer = { { 0, 100 }, { 0, 100 } };

	signal(SIGALRM, handler);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (long i = 0; i < 300000 || handled < 100; i++)
		free(malloc(5058));
	for (int i = 0; i < 7; i++)
		if (!malloc(1022))
			return 1;
	timer = (struct itimerval){ 0 };
	setitimer(ITIMER_REAL, &timer, NULL);
	return 0;
}
