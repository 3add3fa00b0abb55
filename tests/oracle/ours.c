/* ours.c - our own walk over a snapshot: the step that the kernel runs, with rows made by the
 * product's own reader (inspect/elf_file.h). */
#include "oracle.h"

#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/elf_file.h"
#include "lib/cleanup.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#include "bpf/unwind.h"

#define FILES_MAX 4096
#define PAGE 4096ULL

struct unwind_state;
static const __u64 *unwind_chunk(struct unwind_state *s, __u32 chunk);
static const struct mapping *unwind_mapping(struct unwind_state *s, __u32 i);
static long unwind_read(struct unwind_state *s, void *to, __u32 bytes, __u64 address);
static long unwind_hijacked(struct unwind_state *s, __u64 address, __u64 *ret);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* clang's unroll */
#include "bpf/unwind_step.h"
#pragma GCC diagnostic pop

/* A file that was mapped, with its place in the table space. */
struct file {
	dev_t device;
	ino_t inode;
	struct timespec changed;
	char name[64];
	size_t segment_count;
	struct {
		uint64_t offset, address, bytes;
	} segments[16];
	uint64_t first, end; /* addresses that the buckets cover */
	uint32_t buckets;    /* word of the first */
	bool rows;
};

static struct file files[FILES_MAX];
static size_t file_count;
static uint64_t *space[CHUNKS_MAX];
static uint32_t space_used;
static struct mapping mappings[PROCESS_MAPPINGS_MAX];
static uint32_t mapping_count;
static struct snapshot *current;

static const __u64 *unwind_chunk(struct unwind_state *s, __u32 chunk)
{
	(void)s;
	return chunk < CHUNKS_MAX ? (const __u64 *)space[chunk] : NULL;
}

static const struct mapping *unwind_mapping(struct unwind_state *s, __u32 i)
{
	(void)s;
	return i < PROCESS_MAPPINGS_MAX ? &mappings[i] : NULL;
}

/* Nobody can be asked from outside. */
static long unwind_hijacked(struct unwind_state *s, __u64 address, __u64 *ret)
{
	(void)s;
	(void)address;
	(void)ret;
	return -1;
}

static long unwind_read(struct unwind_state *s, void *to, __u32 bytes, __u64 address)
{
	uint64_t *word = to;
	bool cut = current->cut;

	(void)s;
	for (__u32 i = 0; i < bytes / 8; i++) {
		if (!snapshot_word(current, address + i * 8, &word[i])) {
			if (bytes > 8)
				current->cut = cut; /* the window was too wide: it asks again */
			return -EFAULT;
		}
	}
	return 0;
}

/* ---- rows → table space */

static uint64_t *word_at(uint32_t at)
{
	uint32_t chunk = at >> CHUNK_SHIFT;

	if (chunk >= CHUNKS_MAX)
		errx(2, "the table space is full");
	if (!space[chunk])
		space[chunk] = calloc(CHUNK_WORDS, 8);
	if (!space[chunk])
		err(2, "table space");
	return &space[chunk][at & CHUNK_MASK];
}

/* The row before a bucket and its own rows are in one chunk: at the end of a chunk the row before
 * is written again into the next one. */
static void place_table(struct file *f, const struct cfi_table *t)
{
	uint32_t *last_row = calloc(t->bucket_count ? t->bucket_count : 1, sizeof(*last_row));
	uint32_t at = space_used, last = UINT32_MAX;

	if (!last_row)
		err(2, "table space");
	for (size_t i = 0; i < t->bucket_count; i++) {
		uint32_t before = (uint32_t)t->buckets[i], rows = (uint32_t)(t->buckets[i] >> 32);

		if (last == UINT32_MAX || last >> CHUNK_SHIFT != (at + rows) >> CHUNK_SHIFT) {
			if ((at & CHUNK_MASK) + rows + 2 >= CHUNK_WORDS)
				at = (at | CHUNK_MASK) + 1;
			*word_at(at) = t->rows[before];
			last = at++;
		}
		last_row[i] = last;
		for (uint32_t k = 1; k <= rows; k++) {
			*word_at(at) = t->rows[before + k];
			last = at++;
		}
	}
	f->buckets = at;
	for (size_t i = 0; i < t->bucket_count; i++)
		*word_at(at++) = BUCKET(last_row[i], t->buckets[i] >> 32);
	space_used = at;
	free(last_row);
}

static void read_segments(const struct elf_file *elf, struct file *f)
{
	for (size_t i = 0; i < elf->segment_count && f->segment_count < 16; i++) {
		const Elf64_Phdr *p = &elf->segments[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		f->segments[f->segment_count].offset = p->p_offset & ~(PAGE - 1);
		f->segments[f->segment_count].address = p->p_vaddr - p->p_offset % PAGE;
		f->segments[f->segment_count++].bytes = p->p_filesz + p->p_offset % PAGE;
	}
}

static void read_file(int fd, struct file *f)
{
	struct cfi_table table;
	struct elf_file elf;
	bool debug_frame;
	int error = elf_file_open(fd, &elf);

	if (!error) {
		read_segments(&elf, f);
		error = elf_file_rows(&elf, &table, &debug_frame);
	}
	if (error) {
		warnx("%s: no rows: %s", f->name, elf.cause);
	} else {
		f->first = table.first;
		f->end = table.first + (table.bucket_count << BUCKET_SHIFT);
		f->rows = true;
		place_table(f, &table);
		cfi_free(&table);
	}
	elf_file_close(&elf);
}

/* ---- mappings */

static struct file *new_file(const char *path, dev_t device, ino_t inode)
{
	const char *slash = strrchr(path, '/');
	struct file *f;

	if (file_count == FILES_MAX)
		errx(2, "more than %d files", FILES_MAX);
	f = &files[file_count++];
	memset(f, 0, sizeof(*f));
	f->device = device;
	f->inode = inode;
	snprintf(f->name, sizeof(f->name), "%.60s", slash ? slash + 1 : path);
	return f;
}

static struct file *find_file(dev_t device, ino_t inode, const struct timespec *changed)
{
	for (size_t i = 0; i < file_count; i++) {
		if (files[i].device == device && files[i].inode == inode &&
		    !memcmp(&files[i].changed, changed, sizeof(*changed)))
			return &files[i];
	}
	return NULL;
}

static struct file *file_of(pid_t pid, const char *path, uint64_t start, uint64_t end)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	struct file *f;
	char link[128];

	/* no leading zeros, as maps has them */
	snprintf(link, sizeof(link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, start,
		 end);
	fd = open(link, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	f = find_file(st.st_dev, st.st_ino, &st.st_ctim);
	if (f)
		return f;
	f = new_file(path, st.st_dev, st.st_ino);
	f->changed = st.st_ctim;
	read_file(fd, f);
	return f;
}

static struct file *vdso(pid_t pid, uint64_t start, size_t bytes)
{
	_cleanup_close_ int memory = -1, copy = -1;
	_cleanup_free_ char *image = NULL;
	const struct timespec never = {};
	struct file *f = find_file(0, 0, &never);
	char path[64];

	if (f)
		return f;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	copy = memfd_create("vdso", MFD_CLOEXEC);
	image = malloc(bytes);
	if (memory < 0 || copy < 0 || !image ||
	    pread(memory, image, bytes, (off_t)start) != (ssize_t)bytes ||
	    write(copy, image, bytes) != (ssize_t)bytes)
		return NULL;
	f = new_file("[vdso]", 0, 0);
	read_file(copy, f);
	return f;
}

/* Where the file's addresses are in the process; false: not in an executable segment of it. */
static bool bias_of(const struct file *f, uint64_t start, uint64_t offset, uint64_t *ret)
{
	for (size_t i = 0; i < f->segment_count; i++) {
		if (offset - f->segments[i].offset >= f->segments[i].bytes)
			continue;
		*ret = start - (f->segments[i].address + offset - f->segments[i].offset);
		return true;
	}
	return false;
}

static void add_mapping(struct file *f, uint64_t start, uint64_t end, uint64_t offset)
{
	struct mapping *m = &mappings[mapping_count];
	uint64_t bias, first;

	if (mapping_count == PROCESS_MAPPINGS_MAX)
		return;
	*m = (struct mapping){ .start = start, .length = end - start, .kind = MAPPING_NONE };
	mapping_count++;
	if (!f || !bias_of(f, start, offset, &bias))
		return;
	m->bias = bias;
	m->file = (__u16)(f - files + 1);
	first = start - bias;
	if (!f->rows || end - bias <= f->first || first >= f->end)
		return;
	if (first < f->first) { /* no code before it */
		m->start = f->first + bias;
		m->length = end - m->start;
		first = f->first;
	}
	m->kind = MAPPING_ROWS;
	m->buckets = f->buckets + (__u32)((first - f->first) >> BUCKET_SHIFT);
	if (m->length > f->end - first)
		m->length = f->end - first;
}

void ours_mappings_changed(pid_t pid)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	/* of a process that has ended it is empty: what is known has to do */
	if (!f || getline(&line, &size, f) <= 0) {
		if (f)
			fclose(f);
		return;
	}
	mapping_count = 0;
	do {
		uint64_t start, end, offset;
		char range[64], mode[8];
		int at = 0;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%63s %7s %" SCNx64 " %*s %*s %n", range, mode, &offset, &at) <
			3 ||
		    sscanf(range, "%" SCNx64 "-%" SCNx64, &start, &end) != 2 || mode[2] != 'x' ||
		    !strcmp(line + at, "[vsyscall]"))
			continue;
		if (!strcmp(line + at, "[vdso]"))
			add_mapping(vdso(pid, start, end - start), start, end, 0);
		else if (line[at] == '/')
			add_mapping(file_of(pid, line + at, start, end), start, end, offset);
		else
			add_mapping(NULL, start, end, 0);
	} while (getline(&line, &size, f) > 0);
	fclose(f);
}

const char *ours_place(uint64_t address)
{
	static char buffer[4][128];
	static unsigned int turn;
	char *text = buffer[turn++ % 4];

	for (uint32_t i = 0; i < mapping_count; i++) {
		const struct mapping *m = &mappings[i];

		if (address - m->start >= m->length)
			continue;
		snprintf(text, sizeof(buffer[0]), "%s+0x%" PRIx64,
			 m->file ? files[m->file - 1].name : "[anon]",
			 (uint64_t)(address - (m->file ? m->bias : m->start)));
		return text;
	}
	snprintf(text, sizeof(buffer[0]), "0x%" PRIx64, address);
	return text;
}

/* ---- the walk */

static const char *const outcome_name[UNWIND_OUTCOMES] = {
	[UNWIND_COMPLETE] = "complete",
	[UNWIND_DEPTH] = "depth",
	[UNWIND_NO_PROCESS] = "no process",
	[UNWIND_NO_MAPPING] = "no mapping",
	[UNWIND_PENDING] = "pending",
	[UNWIND_NO_ROW] = "no row",
	[UNWIND_UNSUPPORTED] = "unsupported",
	[UNWIND_REGISTER] = "register",
	[UNWIND_READ] = "read",
	[UNWIND_UNDEFINED] = "undefined",
	[UNWIND_STUCK] = "stuck",
	[UNWIND_ZERO] = "zero",
};

void ours_walk(struct snapshot *s, struct walk *ret)
{
	static struct unwind_state state;
	const uint64_t *r = s->registers;
	int outcome = UNWIND_RUNNING;

	current = s;
	unwind_begin(&state, r[REG_IP], r[REG_SP], r[REG_BP], r[REG_BX]);
	state.first = 0;
	state.count = mapping_count;
	ret->count = 0;
	while (!outcome && ret->count < FRAMES_MAX) {
		ret->pc[ret->count++] = state.pc;
		outcome = unwind_advance(&state);
	}
	if (!outcome)
		outcome = UNWIND_DEPTH;
	ret->complete = outcome == UNWIND_COMPLETE;
	ret->outcome = outcome_name[outcome];
}
