/* pagemap.c - see pagemap.h */
#include "collect/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"

#define ENTRY_PRESENT (1ULL << 63)
#define ENTRY_FILE (1ULL << 61)
#define ENTRY_NUMBER ((1ULL << 55) - 1)
#define ENTRIES 8192 /* read at once */

/* include/uapi/linux/fs.h since 6.7 */
#define SCAN_FILE (1 << 2)
#define SCAN_PRESENT (1 << 3)
#define SCAN_ZERO_PAGE (1 << 5)
#define SCAN_REGIONS 4096
#define ADDRESS_END 0x7ffffffff000ULL

struct scan_region {
	__u64 start, end, categories;
};

struct scan_argument {
	__u64 size, flags, start, end, walk_end;
	struct scan_region *regions;
	__u64 region_count, max_pages;
	__u64 inverted, mask, any_of, wanted;
};
#define PAGEMAP_SCAN_IOCTL _IOWR('f', 16, struct scan_argument)

struct mapping {
	uint64_t first, end; /* in pages */
	char *name;
	bool empty; /* nothing of it is resident */
};

struct scan {
	pagemap_fn fn;
	void *context;
	struct mapping *mappings; /* in the order of addresses */
	size_t count, at;	  /* the last one looked up: requests go upwards */
	uint64_t end_ns;
	unsigned page_shift;
	int fd; /* of pagemap */
};

static enum page_kind kind_of(const char *mapping, bool file)
{
	static const char *const shared[] = { "/dev/shm/", "/memfd:", "/SYSV", "/dev/zero" };

	for (size_t i = 0; file && i < sizeof(shared) / sizeof(shared[0]); i++)
		if (!strncmp(mapping, shared[i], strlen(shared[i])))
			return PAGE_SHMEM;
	return file ? PAGE_FILE : PAGE_ANON;
}

/* Tells [first, end), mapping by mapping. */
static void tell(struct scan *s, uint64_t first, uint64_t end, bool file)
{
	while (s->at < s->count && s->mappings[s->at].end <= first)
		s->at++;
	for (size_t i = s->at; i < s->count && s->mappings[i].first < end; i++) {
		const struct mapping *m = &s->mappings[i];
		uint64_t from = first > m->first ? first : m->first,
			 to = end < m->end ? end : m->end;
		struct pagemap_area area = { .first = from,
					     .count = to - from,
					     .kind = kind_of(m->name, file),
					     .mapping = m->name };

		if (to > from)
			s->fn(s->context, &area);
	}
}

static bool is_late(const struct scan *s)
{
	return clock_monotonic_ns() >= s->end_ns;
}

/* -ENOTTY: this kernel cannot. */
static int scan_regions(struct scan *s)
{
	_cleanup_free_ struct scan_region *regions = calloc(SCAN_REGIONS, sizeof(*regions));
	struct scan_argument a = { .size = sizeof(a),
				   .end = ADDRESS_END,
				   .regions = regions,
				   .region_count = SCAN_REGIONS,
				   .mask = SCAN_PRESENT,
				   .wanted = SCAN_PRESENT | SCAN_FILE | SCAN_ZERO_PAGE };

	if (!regions)
		return -ENOMEM;
	for (;;) {
		int n = ioctl(s->fd, PAGEMAP_SCAN_IOCTL, &a);

		if (n < 0)
			return errno == EINVAL ? -ENOTTY : -errno;
		for (int i = 0; i < n; i++)
			if (!(regions[i].categories & SCAN_ZERO_PAGE))
				tell(s, regions[i].start >> s->page_shift,
				     regions[i].end >> s->page_shift,
				     regions[i].categories & SCAN_FILE);
		if (a.walk_end >= a.end || a.walk_end <= a.start)
			return 0;
		a.start = a.walk_end;
		if (is_late(s))
			return -ETIME;
	}
}

/* Number of the page that all untouched memory is read from; 0: not known. */
static uint64_t zero_page(unsigned page_shift)
{
	_cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t bytes = 1UL << page_shift;
	volatile char *page = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t entry = 0;

	if (page == MAP_FAILED)
		return 0;
	(void)page[0];
	if (fd < 0 || pread(fd, &entry, sizeof(entry),
			    ((uintptr_t)page >> page_shift) * sizeof(entry)) != sizeof(entry))
		entry = 0;
	munmap((void *)page, bytes);
	return entry & ENTRY_NUMBER;
}

static void tell_entries(struct scan *s, const uint64_t *entries, size_t n, uint64_t first,
			 uint64_t zero)
{
	const uint64_t bits = ENTRY_PRESENT | ENTRY_FILE;
	size_t begin = 0;

	while (begin < n) {
		size_t i = begin;

		while (i < n && (entries[i] & bits) == (entries[begin] & bits) &&
		       !(zero && (entries[i] & ENTRY_NUMBER) == zero))
			i++;
		if (i > begin && entries[begin] & ENTRY_PRESENT)
			tell(s, first + begin, first + i, entries[begin] & ENTRY_FILE);
		begin = i > begin ? i : begin + 1;
	}
}

static int scan_entries(struct scan *s)
{
	_cleanup_free_ uint64_t *entries = calloc(ENTRIES, sizeof(*entries));
	uint64_t zero = zero_page(s->page_shift);

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < s->count; i++) {
		const struct mapping *m = &s->mappings[i];

		for (uint64_t at = m->first; !m->empty && at < m->end; at += ENTRIES) {
			size_t wanted = m->end - at < ENTRIES ? m->end - at : ENTRIES;
			ssize_t n =
			    pread(s->fd, entries, wanted * sizeof(*entries), at * sizeof(*entries));

			if (n <= 0)
				break;
			tell_entries(s, entries, n / sizeof(*entries), at, zero);
			if (is_late(s))
				return -ETIME;
		}
	}
	return 0;
}

static int mapping_add(struct scan *s, const struct mapping *m)
{
	struct mapping *grown;

	if (!(s->count & (s->count - 1))) {
		grown =
		    reallocarray(s->mappings, s->count ? s->count * 2 : 1, sizeof(*s->mappings));
		if (!grown)
			return -ENOMEM;
		s->mappings = grown;
	}
	s->mappings[s->count] = *m;
	s->mappings[s->count].name = strdup(m->name);
	if (!s->mappings[s->count].name)
		return -ENOMEM;
	s->count++;
	return 0;
}

/* A line of maps or smaps: a mapping, or a number of the last one. */
static int line_take(struct scan *s, char *line)
{
	uint64_t start, end, kilobytes;
	struct mapping m = {};
	int name = 0;

	line[strcspn(line, "\n")] = 0;
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %*s %n", &start, &end, &name) >= 2 &&
	    name) {
		m.first = start >> s->page_shift;
		m.end = end >> s->page_shift;
		m.name = line[name] ? line + name : "[anonymous]";
		return mapping_add(s, &m);
	}
	if (s->count && sscanf(line, "Rss: %" SCNu64 " kB", &kilobytes) == 1)
		s->mappings[s->count - 1].empty = !kilobytes;
	return 0;
}

static void mappings_clear(struct scan *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->mappings[i].name);
	free(s->mappings);
	s->mappings = NULL;
	s->count = s->at = 0;
}

static int mappings_read(struct scan *s, uint32_t pid, const char *file)
{
	_cleanup_fclose_ FILE *maps = NULL;
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	char path[64];
	int err = 0;

	mappings_clear(s);
	snprintf(path, sizeof(path), "/proc/%u/%s", pid, file);
	maps = fopen(path, "re");
	if (!maps)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!err && getline(&line, &room, maps) > 0)
		err = line_take(s, line);
	return err;
}

int pagemap_scan(uint32_t pid, uint64_t budget_ns, pagemap_fn fn, void *context)
{
	_cleanup_close_ int fd = -1;
	struct scan s = { .fn = fn, .context = context };
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/proc/%u/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	s.fd = fd;
	s.end_ns = clock_monotonic_ns() + budget_ns;
	s.page_shift = __builtin_ctzl(sysconf(_SC_PAGESIZE));
	err = mappings_read(&s, pid, "maps");
	if (!err)
		err = scan_regions(&s);
	if (err == -ENOTTY) {
		err = mappings_read(&s, pid, "smaps");
		if (!err)
			err = scan_entries(&s);
	}
	mappings_clear(&s);
	return err;
}
