/* verdict_words.h - verdicts in words: what the formats share. Strings are new, raw (names are
 * hostile: escape them for where they go), NULL without memory. */
#ifndef TASKDIAG_REPORT_VERDICT_WORDS_H
#define TASKDIAG_REPORT_VERDICT_WORDS_H

#include "report/facts.h"
#include "report/verdict.h"

#define VERDICT_STACKS 5u /* places of a verdict */

extern const char *const verdict_state_words[VERDICT_STATES]; /* "over" */
/** For machines: "not-measurable". */
extern const char *const verdict_state_keys[VERDICT_STATES];

struct fact_text verdict_amount(enum measure_unit unit, double value);
struct fact_text verdict_signed(enum measure_unit unit, double value);

/** "peak RSS", "wall time of parse" */
char *verdict_subject(const struct verdict *v);
/** "612.0 MiB; budget 512.0 MiB: over by 100.0 MiB (+19.5 %)" */
char *verdict_sentence(const struct verdict *v);
/** "median of 5 runs, 600.0 MiB to 620.0 MiB"; "" for one run. */
char *verdict_spread(const struct verdict *v);
/** "+60.0 MiB, 93.1 %: load (load.py:12) ← main" */
char *verdict_place_text(const struct verdict *v, const struct verdict_place *p);
/** "over budget: 1 of 3 limits" */
char *verdict_summary(const struct verdicts *v);

/** No limit, and no number either: not worth a line. */
bool verdict_is_silent(const struct verdict *v);

/** "peak-rss", "parse wall": what a machine may tell verdicts apart by. */
char *verdict_name(const struct verdict *v);

/** Where the verdict is to be shown: its first place that has a file, below the working directory
 * when it is there; else the line of the budget. *ret_file is new, NULL: none. -ENOMEM. */
int verdict_where(const struct verdicts *v, const struct verdict *one, char **ret_file,
		  unsigned *ret_line);

#endif
