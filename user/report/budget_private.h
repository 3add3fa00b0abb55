/* budget_private.h - between budget.c (limits) and budget_file.c (the file). */
#ifndef TASKDIAG_REPORT_BUDGET_PRIVATE_H
#define TASKDIAG_REPORT_BUDGET_PRIVATE_H

#include "report/budget.h"

/** An amount of @unit. 0, -EINVAL, -ERANGE. */
int budget_amount(enum measure_unit unit, const char *text, double *ret);
/** "a size such as 512M". */
const char *budget_unit_example(enum measure_unit unit);
/** A new empty limit at the end; NULL without memory. */
struct budget_limit *budget_new_limit(struct budget *b);

#endif
