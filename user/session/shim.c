/* shim.c - see shim.h */
#include "session/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "session/shim_image.h"

#define NAME "taskdiag-preload.so"

struct shim {
	char directory[64];
	char path[96];
	bool python_allocators;
};

/* Not /run, which is commonly mounted noexec. */
static const char *const places[] = { "/tmp", "/var/tmp", "/dev/shm", "/run" };

static int image_write(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	const char *image;
	size_t size = shim_image(&image);
	void *mapped;

	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, image + done, size - done);

		if (n < 0)
			return -errno;
		done += n;
	}
	if (fchmod(fd, 0755)) /* whatever the umask is */
		return -errno;
	mapped = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (mapped == MAP_FAILED) /* mounted noexec */
		return -errno;
	munmap(mapped, size);
	return 0;
}

static int copy_make(struct shim *s, const char *place)
{
	int err;

	snprintf(s->directory, sizeof(s->directory), "%s/taskdiag-bpf-XXXXXX", place);
	if (!mkdtemp(s->directory)) {
		s->directory[0] = 0;
		return -errno;
	}
	snprintf(s->path, sizeof(s->path), "%s/" NAME, s->directory);
	err = chmod(s->directory, 0755) ? -errno : image_write(s->path);
	if (err) {
		unlink(s->path);
		rmdir(s->directory);
		s->directory[0] = 0;
	}
	return err;
}

int shim_new(bool python_allocators, struct shim **ret, struct problem *problem)
{
	struct shim *s = calloc(1, sizeof(*s));
	int err = -ENOENT;

	if (!s)
		return -ENOMEM;
	s->python_allocators = python_allocators;
	for (size_t i = 0; err && i < sizeof(places) / sizeof(places[0]); i++)
		err = copy_make(s, places[i]);
	if (err) {
		free(s);
		return problem_set(problem, err,
				   "the malloc shim has no place in /tmp, /var/tmp, /dev/shm or "
				   "/run: %s",
				   strerror(-err));
	}
	*ret = s;
	return 0;
}

void shim_free(struct shim *s)
{
	if (!s)
		return;
	unlink(s->path);
	rmdir(s->directory);
	free(s);
}

const char *shim_path(const struct shim *s)
{
	return s->path;
}

/* gcc's AddressSanitizer ends a program in which another library is loaded before it. */
static int tolerate_us(void)
{
	const char *others = getenv("ASAN_OPTIONS");
	_cleanup_free_ char *all = NULL;

	if (asprintf(&all, "%s%sverify_asan_link_order=0", others ?: "",
		     others && *others ? ":" : "") < 0) {
		all = NULL;
		errno = ENOMEM;
		return -1;
	}
	return setenv("ASAN_OPTIONS", all, 1);
}

int shim_environment(const struct shim *s)
{
	const char *others = getenv("LD_PRELOAD");
	_cleanup_free_ char *all = NULL;

	if (asprintf(&all, "%s%s%s", s->path, others && *others ? ":" : "", others ?: "") < 0) {
		all = NULL;
		return -ENOMEM;
	}
	if (s->python_allocators && setenv("PYTHONMALLOC", "malloc", 1))
		return -errno;
	if (tolerate_us())
		return -errno;
	return setenv("LD_PRELOAD", all, 1) ? -errno : 0;
}
