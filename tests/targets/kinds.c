/* kinds.c - every kind of resident memory, each with a known size.
 *
 *	kinds [--anon N] [--file N] [--shmem N] [--cow N] [--ms M] [--dir DIR]
 *
 *	Sizes are MiB, 16 each.
 *	--anon	private anonymous, written		counted as anonymous
 *	--file	a file of DIR (/var/tmp), read		counted as file
 *	--shmem	MAP_SHARED | MAP_ANONYMOUS, written	counted as shared memory
 *	--cow	a private mapping of a file, written	counted as anonymous: every page is a copy
 *
 * Truth: it prints `known_anon_kB`, `known_file_kB`, `known_shmem_kB`: what its mappings add;
 * then `RssAnon_kB`, `RssFile_kB`, `RssShmem_kB`, `VmRSS_kB` as the kernel had them during the
 * hold of M ms, which are the same and what any program has. DIR must not be a tmpfs: there a
 * file is shared memory.
 */
#include "target.h"

#include <linux/magic.h>
#include <sys/vfs.h>

static const char *dir = "/var/tmp";

/* A file without a name, full of data, its pages in the page cache. */
static int make_file(long mib)
{
	static char block[MIB];
	struct statfs fs;
	int fd;

	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || fstatfs(fd, &fs) < 0)
		err(TARGET_FAILED, "%s: make a file", dir);
	if (fs.f_type == TMPFS_MAGIC)
		errx(TARGET_FAILED, "%s: is a tmpfs: its pages are shared memory; use --dir", dir);
	for (long i = 0; i < mib; i++) {
		if (write(fd, block, sizeof(block)) != sizeof(block))
			err(TARGET_FAILED, "%s: write %ld MiB", dir, mib);
	}
	return fd;
}

static void read_pages(const char *map, size_t bytes)
{
	const volatile char *page = map;

	for (size_t at = 0; at < bytes; at += TOUCH_STEP)
		(void)page[at];
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "anon", required_argument, NULL, 'a' },
		{ "file", required_argument, NULL, 'f' },
		{ "shmem", required_argument, NULL, 's' },
		{ "cow", required_argument, NULL, 'c' },
		{ "ms", required_argument, NULL, 't' },
		{ "dir", required_argument, NULL, 'd' },
		{},
	};
	static const char *const names[] = { "RssAnon", "RssFile", "RssShmem", "VmRSS" };
	long anon = 16, file = 16, shmem = 16, cow = 16, ms = 200, held_kb[4];
	char *map;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'a')
			anon = target_number(optarg, "MiB");
		else if (option == 'f')
			file = target_number(optarg, "MiB");
		else if (option == 's')
			shmem = target_number(optarg, "MiB");
		else if (option == 'c')
			cow = target_number(optarg, "MiB");
		else if (option == 't')
			ms = target_number(optarg, "milliseconds");
		else if (option == 'd')
			dir = optarg;
		else
			return TARGET_FAILED;
	}
	target_anon(anon);
	if (file) {
		map = target_map(file * MIB, MAP_SHARED, make_file(file));
		read_pages(map, file * MIB);
	}
	if (cow) {
		map = target_map(cow * MIB, MAP_PRIVATE, make_file(cow));
		target_touch(map, cow * MIB);
	}
	map = target_map(shmem * MIB, MAP_SHARED | MAP_ANONYMOUS, -1);
	target_touch(map, shmem * MIB);

	for (int i = 0; i < 4; i++)
		held_kb[i] = target_status_kb(0, names[i]);
	target_note_hwm();
	target_sleep_ms(ms);
	printf("known_anon_kB %ld\nknown_file_kB %ld\nknown_shmem_kB %ld\n", (anon + cow) * 1024,
	       file * 1024, shmem * 1024);
	for (int i = 0; i < 4; i++)
		printf("%s_kB %ld\n", names[i], held_kb[i]);
	target_say_hwm();
	return 0;
}
