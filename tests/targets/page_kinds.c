/* page_kinds.c - pages that come and go in every way there is, each by a function of its own.
 *
 *	page_kinds [--mib N] [--before-ms N] [--hold-ms N]
 *
 * First it prints `begins` and waits --before-ms. Truth: `holds FUNCTION bytes` for each, at the
 *moment of `ready`; all of it is resident then, and it is the peak. The working directory gets a
 *file of N MiB, which is removed again.
 */
#include "profile_clock.h"

#include <sys/wait.h>

static size_t size;
static int file;

static void touch(char *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += TOUCH_STEP)
		at[i] = 1;
}

static char *map(size_t bytes, int protection, int flags, int fd)
{
	char *at = mmap(NULL, bytes, protection, flags, fd, 0);

	if (at == MAP_FAILED)
		err(TARGET_FAILED, "mmap");
	return at;
}

static char *anonymous(size_t bytes)
{
	char *at = map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	madvise(at, bytes, MADV_NOHUGEPAGE);
	return at;
}

static void said(const char *name, size_t bytes)
{
	printf("holds %s %zu\n", name, bytes);
}

static NOINLINE void kind_anonymous(void)
{
	touch(anonymous(size), size);
	said(__func__, size);
}

static NOINLINE void kind_huge(void)
{
	char *at = map(size + (4 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *aligned = (char *)(((uintptr_t)at + (2 << 20) - 1) & ~(uintptr_t)((2 << 20) - 1));
	size_t whole = size & ~(size_t)((2 << 20) - 1);

	madvise(aligned, whole, MADV_HUGEPAGE);
	touch(aligned, whole);
	said(__func__, whole);
}

static NOINLINE void kind_populate(void)
{
	map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);
	said(__func__, size);
}

/* The kernel touches them, for read(2). */
static NOINLINE void kind_read(void)
{
	char *at = anonymous(size);

	for (size_t got = 0; got < size;) {
		ssize_t n = pread(file, at + got, size - got, got);

		if (n <= 0)
			err(TARGET_FAILED, "read");
		got += n;
	}
	said(__func__, size);
}

static NOINLINE void kind_file(void)
{
	volatile char *at = map(size, PROT_READ, MAP_SHARED, file);

	for (size_t i = 0; i < size; i += TOUCH_STEP)
		(void)at[i];
	said(__func__, size);
}

/* A private copy of each page of the file. */
static NOINLINE void kind_file_written(void)
{
	touch(map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file), size);
	said(__func__, size);
}

/* Read first: all of it is the one page of zeros, which does not count; then half is written. */
static NOINLINE void kind_zero(void)
{
	char *at = anonymous(size);

	for (size_t i = 0; i < size; i += TOUCH_STEP)
		(void)((volatile char *)at)[i];
	touch(at, size / 2);
	said(__func__, size / 2);
}

static NOINLINE void kind_shared(void)
{
	touch(map(size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1), size);
	said(__func__, size);
}

static NOINLINE void kind_moved(void)
{
	char *at = anonymous(size), *to = map(2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	touch(at, size);
	if (mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED)
		err(TARGET_FAILED, "mremap");
	said(__func__, size);
}

static NOINLINE void kind_given_back(void)
{
	char *at = anonymous(size);

	touch(at, size);
	madvise(at, size / 2, MADV_DONTNEED);
	munmap(at + size - size / 4, size / 4);
	said(__func__, 2 * (size / 4)); /* the child, too */
}

static NOINLINE void kind_brk(void)
{
	char *at = sbrk(size);

	if (at == (void *)-1)
		err(TARGET_FAILED, "brk");
	touch(at, size);
	sbrk(-(intptr_t)(size / 2));
	said(__func__, 2 * (size / 2));
}

/* A copy for the child: a page that it writes to is another one then, and still whose it was. */
static NOINLINE char *kind_forked(void)
{
	char *at = anonymous(size);

	touch(at, size);
	said(__func__, 2 * size);
	return at;
}

int main(int argc, char **argv)
{
	long hold_ms = option_number(argc, argv, "hold-ms", 300);
	int ready[2], go[2];
	char *parents, byte;
	pid_t child;

	size = option_number(argc, argv, "mib", 16) * MIB;
	file = open(".", O_TMPFILE | O_RDWR, 0600);
	if (file < 0 || ftruncate(file, size) || pipe(ready) || pipe(go))
		err(TARGET_FAILED, "file of the working directory");
	for (size_t i = 0; i < size; i += TOUCH_STEP)
		if (pwrite(file, "x", 1, i) != 1)
			err(TARGET_FAILED, "write");
	printf("begins\n");
	fflush(stdout);
	target_sleep_ms(option_number(argc, argv, "before-ms", 0));
	kind_given_back(); /* first, so that the peak is at the end */
	kind_brk();
	parents = kind_forked();
	fflush(stdout);
	child = fork();
	if (!child) {
		close(go[1]);
		touch(parents, size / 2);
		if (write(ready[1], "x", 1) != 1)
			_exit(TARGET_FAILED);
		_exit(read(go[0], &byte, 1) != 0);
	}
	if (read(ready[0], &byte, 1) != 1)
		err(TARGET_FAILED, "child");
	kind_anonymous();
	kind_huge();
	kind_populate();
	kind_read();
	kind_file();
	kind_file_written();
	kind_zero();
	kind_shared();
	kind_moved();
	printf("ready\n");
	fflush(stdout);
	target_sleep_ms(hold_ms);
	close(go[1]);
	close(go[0]);
	waitpid(child, NULL, 0);
	return 0;
}
