/* regions.c - finds the regions of a command and its descendants by their maps, and answers. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "observer.h"

struct seen *regions[REGIONS];
size_t region_count;

static void fill_pairs(struct seen *s, uint64_t stack_end)
{
	for (int i = 0; i < ANSWER_PAIRS; i++) {
		struct region_pair *p = &s->pairs[i];
		struct iovec to = { &p->word, 8 }, from;

		p->address =
		    stack_end - 8 * (i + 2); /* the name of the program, and the environment */
		from = (struct iovec){ (void *)p->address, 8 };
		if (process_vm_readv(s->pid, &to, 1, &from, 1, 0) != 8)
			p->address = REGION_RBP; /* never equal to what is there: no hit */
	}
}

static void answer_hello(struct region *r)
{
	uint32_t waiting = REGION_WAITING;

	r->wish = (struct region_wish){
		.mode = !strcmp(options.mode, "exact")	   ? REGION_EXACT
			: !strcmp(options.mode, "sampled") ? REGION_SAMPLED
							   : REGION_OFF,
		.flags = (options.oracle ? REGION_ORACLE : 0) | REGION_TELL_SAMPLES |
			 (options.answers || options.oracle ? REGION_TELL_ASKS : 0),
		.gap_bytes = options.gap,
		.full_wait_us = options.full_wait_us,
		.clock = options.counter ? REGION_COUNTER : REGION_TSC,
	};
	__atomic_compare_exchange_n(&r->ready, &waiting, REGION_ANSWERED, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_ACQUIRE);
	syscall(SYS_futex, &r->ready, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* A mapping of a process that may be a region: open it as the observer does. */
static void open_region(int pid, uint64_t start, uint64_t end, uint64_t stack_end)
{
	char path[128];
	struct stat st;
	struct seen *s;
	struct region *r;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", pid, start, end);
	fd = open(path, O_RDWR);
	if (fd < 0 || fstat(fd, &st) < 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	r = mmap(NULL, end - start, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (r == MAP_FAILED)
		return;
	if (region_count == REGIONS || !region_sane(r, end - start) || r->ready != REGION_WAITING) {
		munmap(r, end - start);
		return;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		exit(125);
	s->inode = st.st_ino;
	s->pid = pid;
	s->r = r;
	s->bytes = end - start;
	fill_pairs(s, stack_end);
	regions[region_count++] = s;
	answer_hello(r);
}

static bool known_inode(ino_t inode)
{
	for (size_t i = 0; i < region_count; i++)
		if (regions[i]->inode == inode)
			return true;
	return false;
}

static void look_at_process(int pid)
{
	uint64_t start, end, stack_end = 0, inode, found_start = 0, found_end = 0;
	char path[64], line[4096];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %*s %*x %*s %lu", &start, &end, &inode) != 3)
			continue;
		if (strstr(line, "rw-s") && strstr(line, "/dev/zero (deleted)") &&
		    end - start >= region_bytes(4096) && !known_inode(inode)) {
			found_start = start;
			found_end = end;
		}
		if (strstr(line, "[stack]"))
			stack_end = end;
	}
	fclose(f);
	if (found_start && strcmp(options.mode, "silent") != 0)
		open_region(pid, found_start, found_end, stack_end);
}

void look_below(int pid, int depth)
{
	char path[300], line[4096];
	DIR *tasks;
	struct dirent *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = depth < 64 ? opendir(path) : NULL;
	while (tasks && (d = readdir(tasks))) {
		FILE *f;
		int child, n, at = 0;

		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/children", pid, d->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(line, sizeof(line), f))
			for (; sscanf(line + at, "%d%n", &child, &n) == 1; at += n) {
				look_at_process(child);
				look_below(child, depth + 1);
			}
		fclose(f);
	}
	if (tasks)
		closedir(tasks);
}
