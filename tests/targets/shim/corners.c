/* corners.c - what programs do to an allocator, one at a time.
 *
 *	corners dlopen NAME	opened and closed 200 times; found by RUNPATH
 *	corners destructors	threads whose destructors free and allocate
 *	corners killed		10 blocks of 1,022 bytes, then SIGKILL
 *	corners strict		seccomp's strict mode: no rdtsc, no system call
 *	corners maps		mmap, mremap, munmap: 5 pages stay
 *	corners huge		sizes that cannot be had, then 3 blocks of 1,022 bytes
 *	corners wait SECONDS	3 blocks of 1,022 bytes, then sleeps
 *	corners pair COUNT	so many pairs of malloc and free; prints ns of CPU a pair
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL

static pthread_key_t key;

static int keep(int n)
{
	for (int i = 0; i < n; i++)
		if (!malloc(1022))
			return 1;
	return 0;
}

static int open_and_close(const char *name)
{
	for (int i = 0; i < 200; i++) {
		void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
		void *(*make)(void);

		if (!library)
			return fprintf(stderr, "%s\n", dlerror()), 1;
		make = (void *(*)(void))dlsym(library, "make");
		free(make());
		if (dlclose(library) || dlopen("no-such-library.so", RTLD_NOW))
			return 2;
	}
	return 0;
}

static void at_end(void *p)
{
	free(p);
	free(malloc(2031));
}

static void *briefly(void *unused)
{
	(void)unused;
	pthread_setspecific(key, malloc(1022));
	for (int i = 0; i < 50; i++)
		free(malloc(3040));
	return malloc(4049);
}

static int destructors(void)
{
	pthread_key_create(&key, at_end);
	for (int round = 0; round < 100; round++) {
		pthread_t threads[8];
		void *p;

		for (int i = 0; i < 8; i++)
			if (pthread_create(&threads[i], NULL, briefly, NULL))
				return 1;
		for (int i = 0; i < 8; i++) {
			pthread_join(threads[i], &p);
			free(p);
		}
	}
	return 0;
}

static int strict(void)
{
	free(malloc(100000)); /* the heap has room from now on */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0))
		return 1;
	for (int i = 0; i < 20000; i++)
		free(malloc(1022));
	keep(4);
	syscall(SYS_exit, 0);
	return 2;
}

static int maps(void)
{
	char *p = mmap(NULL, 8 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || munmap(p + 2 * PAGE, 2 * PAGE)) /* 2 and 4 pages are left */
		return 1;
	p = mremap(p + 4 * PAGE, 4 * PAGE, 7 * PAGE, MREMAP_MAYMOVE); /* 2 and 7 */
	if (p == MAP_FAILED || munmap(p, 4 * PAGE))		      /* 2 and 3 */
		return 2;
	if (munmap((void *)1, PAGE) == 0 || mremap((void *)PAGE, PAGE, PAGE, 0) != MAP_FAILED)
		return 3;
	return 0;
}

static int huge(void)
{
	volatile size_t most = SIZE_MAX;
	void *p = malloc(10);

	for (int shift = 0; shift < 3; shift++)
		if (malloc(most >> shift) || calloc(most, 3) || realloc(p, most - 100) ||
		    errno != ENOMEM || reallocarray(p, most, 2) || malloc((most >> shift) - 4096))
			return 1;
	free(p);
	errno = 77;
	free(malloc(0));
	return errno != 77 || keep(3);
}

static int pair(long count)
{
	struct timespec a, b;

	free(malloc(100));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	for (long i = 0; i < count; i++) {
		void *volatile p = malloc(100);

		free(p);
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	printf("%.2f\n", (double)((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec) /
			     (double)count);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *more = argc > 2 ? argv[2] : "";

	if (!strcmp(what, "dlopen"))
		return open_and_close(more);
	if (!strcmp(what, "destructors"))
		return destructors();
	if (!strcmp(what, "killed"))
		return keep(10) || kill(getpid(), SIGKILL);
	if (!strcmp(what, "strict"))
		return strict();
	if (!strcmp(what, "maps"))
		return maps();
	if (!strcmp(what, "huge"))
		return huge();
	if (!strcmp(what, "wait"))
		return keep(3) || (sleep((unsigned)atoi(more)), 0);
	if (!strcmp(what, "pair"))
		return pair(atol(more));
	return 64;
}
