/* memory_files.h - a series of ticks as the files that other tools read; each format is defined in
 * docs/artifact-format.md.
 *
 * Writers leave errors on @out (ferror). @start_ns is time 0, CLOCK_BOOTTIME.
 */
#ifndef TASKDIAG_MEMORY_FILES_H
#define TASKDIAG_MEMORY_FILES_H

#include <stdio.h>

#include "aggregate/series.h"

/** Pulp's memory log: seconds and MB (MiB), for gnuplot. */
void memory_datum_write(FILE *out, const struct series *s, uint64_t start_ns);

/** Name of extra number i of a point, without the prefix "cgroup_". */
typedef const char *(*memory_extra_fn)(size_t i);

/** Every column. @extra: of the numbers that come with the points, @extras of them; NULL: there are
 * none. */
void memory_csv_write(FILE *out, const struct series *s, uint64_t start_ns, memory_extra_fn extra,
		      size_t extras);

/**
 * memory_profiler's mprofile.dat (its mprof.py, `CMDLINE` and `MEM <MiB> <unix time>` lines).
 * @start_utc_ns: wall-clock time of @start_ns. @command: hostile, written on one line.
 */
void mprof_dat_write(FILE *out, const struct series *s, uint64_t start_ns, uint64_t start_utc_ns,
		     const char *command);

#endif
