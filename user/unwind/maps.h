/* maps.h - reads /proc/PID/maps, executable mappings only, a slice at a time: a process may have
 * 65,530 mappings, and a reader that stays for all of them misses its samples.
 *
 *	7f0c5a000000-7f0c5a155000 r-xp 00026000 fe:01 1234    /usr/lib/x86_64-linux-gnu/libc.so.6
 */
#ifndef TASKDIAG_MAPS_H
#define TASKDIAG_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the kernel tells of an executable mapping, here or in the side-band. */
struct region {
	uint64_t start, length; /* bytes, not 0; the end does not overflow */
	uint64_t offset;	/* bytes */
	uint64_t device, inode; /* as makedev() has them; inode 0: no file */
	const char *path;	/* "" has none; hostile; valid only while it is told */
};

/**
 * One line, without its newline; @line is changed, @length bytes and a NUL. 1: *ret is an
 * executable mapping; 0: it is not executable, or not of user space; -EBADMSG: not such a line.
 */
int maps_parse(char *line, size_t length, struct region *ret);

typedef void (*maps_fn)(void *context, const struct region *region);

struct maps_reader;

/** 0; -ESRCH: no such process any more. */
int maps_open(pid_t pid, struct maps_reader **ret);
void maps_close(struct maps_reader *m); /* NULL is fine */

/** Reads at most @bytes (and to the end of a line). 1: there is more; 0: that was all; -errno,
 * -EBADMSG when a line cannot be understood. A process that has ended has no lines. */
int maps_read(struct maps_reader *m, size_t bytes, maps_fn found, void *context);

#endif
