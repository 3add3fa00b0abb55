/* sites.c - see sites.h. */
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sites.h"

#define SITES 5
#define CPUS 64

static struct {
	char name[64];
	int fds[CPUS];
} sites[SITES];
static int site_count, cpu_count;

static uint32_t uprobe_type(void)
{
	uint32_t type = 0;
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "re");

	if (!f || fscanf(f, "%u", &type) != 1)
		exit(125);
	fclose(f);
	return type;
}

static void trace(const char *path, const char *name, uint64_t offset)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .type = uprobe_type() };

	attr.config1 = (uintptr_t)path;
	attr.config2 = offset; /* the text of the shim lies in its file as it lies in memory */
	snprintf(sites[site_count].name, sizeof(sites[0].name), "%s", name);
	for (int cpu = 0; cpu < cpu_count; cpu++) {
		int fd =
		    (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

		if (fd < 0) {
			perror(name);
			exit(125);
		}
		sites[site_count].fds[cpu] = fd;
	}
	site_count++;
}

void sites_trace(const char *path)
{
	char command[4200], line[256], name[64];
	unsigned long offset;
	FILE *f;

	cpu_count = (int)sysconf(_SC_NPROCESSORS_ONLN);
	cpu_count = cpu_count > CPUS ? CPUS : cpu_count;
	snprintf(command, sizeof(command), "nm -D '%s'", path);
	f = popen(command, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx T %63s", &offset, name) == 2 && site_count < SITES &&
		    strncmp(name, "taskdiag_", 9) == 0)
			trace(path, name, offset);
	if (!f || pclose(f) || site_count != SITES) {
		fprintf(stderr, "shim_observer: %s: no sites\n", path);
		exit(125);
	}
}

void sites_report(void)
{
	if (!site_count)
		return;
	printf("sites");
	for (int i = 0; i < site_count; i++) {
		uint64_t sum = 0, n;

		for (int cpu = 0; cpu < cpu_count; cpu++)
			sum += read(sites[i].fds[cpu], &n, 8) == 8 ? n : 0;
		printf(" %s=%lu", sites[i].name, sum);
	}
	printf("\n");
}
