/* report.h - the kinds of reports: a run in, a file or a screen out.
 *
 *	struct run ──► summary │ plot │ png │ html │ tree │ top │ flamegraph ──► FILE
 *	its allocations ──► tree │ table │ leaks │ functions │ flamegraph │ JSON ──► FILE
 *
 * A new kind is one file here and one row in report_kinds.
 */
#ifndef TASKDIAG_REPORT_REPORT_H
#define TASKDIAG_REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "report/alloc_view.h"
#include "report/run.h"

/* How to show a text report; the others ignore it. */
struct report_style {
	unsigned columns; /* of the terminal; 0 = 80. Below 80 it may be wider than told */
	bool utf8;	  /* LC_CTYPE is set and its codeset is UTF-8; else only ASCII is printed */
	bool colour;
	bool full;  /* tree, top: everything, however small */
	bool lines; /* tree, top, flamegraph: each source line on its own */
	/* of allocations */
	enum alloc_kind kind;
	bool resident; /* resident pages, not what the run has as its main source */
};

/**
 * Writes the report of @r to @out and flushes it. Returns 0; -ENOMEM; -EIO or another -errno of the
 * file; what a kind adds is said with it. @out then holds a part: write to a temporary name.
 */
typedef int report_write_fn(const struct run *r, const struct report_style *style, FILE *out);

struct report_kind {
	const char
	    *name; /* the verb; of a second kind of a verb also the option that asks for it */
	const char *default_file; /* in the working directory, without -o; NULL = standard output */
	report_write_fn *write;
};

extern const struct report_kind report_kinds[]; /* ends with a NULL name */

/** NULL when there is no such kind. */
const struct report_kind *report_find(const char *name);

/** One screen of text: at most 24 lines of 80 columns for an ordinary run. */
report_write_fn report_summary;

/** The RSS curve as standalone SVG, no scripts, no styles. */
report_write_fn report_plot;

/**
 * The curve as PNG, by gnuplot from memory.datum. @out must be a real file. -ENOENT: gnuplot is not
 * installed; -ENODATA: the run has no memory.datum; -EIO: gnuplot failed; -ETIME: it took too long.
 */
report_write_fn report_png;

/** One offline page, see html.c. */
report_write_fn report_html;

/** The profile as a tree of calls, per process and thread. -ENODATA: the run has no profile. */
report_write_fn report_tree;

/** Functions, causes and threads by time. -ENODATA: the run has no profile. */
report_write_fn report_top;

/** The profile as standalone SVG with a script of its own, see flamegraph.c. -ENODATA as above. */
report_write_fn report_flamegraph;

/*
 * Of allocations: run_load_allocations() comes before. -ENODATA: the run has none of the source
 * that is asked for.
 */

/** Who held the bytes, as a tree of calls. */
report_write_fn report_alloc_tree;

/** Places by bytes, with allocator and thread. */
report_write_fn report_alloc_table;

/** The stacks that hold most, each as a whole. */
report_write_fn report_alloc_leaks;

/** Functions by the bytes of their own, and with all that they call. */
report_write_fn report_alloc_functions;

/** As report_flamegraph, of bytes. */
report_write_fn report_alloc_flamegraph;

/** All of them for machines, see alloc_json.c. */
report_write_fn report_alloc_json;

/** What grew from @before to @after, by stack and function; @json: for machines. */
int report_alloc_diff(const struct run *before, const struct run *after,
		      const struct report_style *style, bool json, FILE *out);

#endif
