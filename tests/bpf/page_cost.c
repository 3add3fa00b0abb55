/* page_cost.c - what a page costs with the rss_stat probe: the link goes on and off between rounds
 *of 16 MB in one process that observes itself, so that nothing but the probe differs.
 *
 *	page_cost PAIRS [EMPTY_OBJECT]		medians over PAIRS pairs of rounds, order
 *alternating
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bpf/events.h"
#include "bpf/state.h"
#include "taskdiag.skel.h"

#define ROUND_BYTES (16u << 20)
#define PAGE_BYTES 4096u

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* CPU time of the first touch of a page, nanoseconds. */
static double touch(void)
{
	char *p =
	    mmap(NULL, ROUND_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	double begin, end;

	if (p == MAP_FAILED || madvise(p, ROUND_BYTES, MADV_NOHUGEPAGE))
		exit(2);
	begin = cpu_ns();
	for (size_t i = 0; i < ROUND_BYTES; i += PAGE_BYTES)
		p[i] = 1;
	end = cpu_ns();
	munmap(p, ROUND_BYTES);
	return (end - begin) / (ROUND_BYTES / PAGE_BYTES);
}

static double touch_observed(struct bpf_program *program)
{
	struct bpf_link *link = bpf_program__attach(program);
	double ns;

	if (!link)
		exit(2);
	ns = touch();
	bpf_link__destroy(link);
	return ns;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(const char *name, struct bpf_program *program, int pairs)
{
	double *ratios = calloc(pairs, sizeof(*ratios)), *bases = calloc(pairs, sizeof(*bases));

	if (!ratios || !bases)
		exit(2);
	for (int i = 0; i < pairs; i++) {
		double with = i % 2 ? touch_observed(program) : 0;

		bases[i] = touch();
		ratios[i] = (i % 2 ? with : touch_observed(program)) / bases[i];
	}
	qsort(ratios, pairs, sizeof(*ratios), by_value);
	qsort(bases, pairs, sizeof(*bases), by_value);
	printf("%-34s %.3f = +%.0f ns  (base %.0f ns; quartiles %.3f-%.3f)\n", name,
	       ratios[pairs / 2], (ratios[pairs / 2] - 1) * bases[pairs / 2], bases[pairs / 2],
	       ratios[pairs / 4], ratios[3 * pairs / 4]);
	free(ratios);
	free(bases);
}

static void drain(struct bpf_program *iterator)
{
	struct bpf_link *link = bpf_program__attach_iter(iterator, NULL);
	int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	char bytes[4096];

	if (fd < 0)
		exit(2);
	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
	close(fd);
	bpf_link__destroy(link);
}

static struct taskdiag_bpf *observe_self(void)
{
	struct taskdiag_bpf *skel = taskdiag_bpf__open();
	struct root self = { .pid = getpid() };
	int cpus = libbpf_num_possible_cpus();
	__u32 index = 0;

	if (!skel)
		exit(2);
	skel->rodata->config.nr_cpus = cpus;
	skel->rodata->config.ring_wake_bytes = RING_BYTES_DEFAULT;
	bpf_map__set_value_size(skel->maps.images, image_bytes(cpus));
	bpf_map__set_value_size(skel->maps.image_zero, image_bytes(cpus));
	bpf_map__set_value_size(skel->maps.tasks, task_state_bytes(cpus));
	if (taskdiag_bpf__load(skel) ||
	    bpf_map_update_elem(bpf_map__fd(skel->maps.roots), &index, &self, BPF_ANY))
		exit(2);
	drain(skel->progs.lifecycle_adopt);
	return skel;
}

int main(int argc, char **argv)
{
	int pairs = argc > 1 ? atoi(argv[1]) : 200;
	struct taskdiag_bpf *skel = observe_self();
	struct bpf_object *empty = argc > 2 ? bpf_object__open_file(argv[2], NULL) : NULL;

	if (pairs < 4)
		return 2;
	for (int i = 0; i < 20; i++)
		touch();
	if (empty && !bpf_object__load(empty))
		measure("a page, program that returns 0",
			bpf_object__find_program_by_name(empty, "empty"), pairs);
	measure("a page, ours", skel->progs.memory_rss_stat, pairs);
	bpf_object__close(empty);
	taskdiag_bpf__destroy(skel);
	return 0;
}
