/* payload.h - what report.html knows about a run, as JSON that is safe inside <script>. */
#ifndef TASKDIAG_REPORT_PAYLOAD_H
#define TASKDIAG_REPORT_PAYLOAD_H

#include <stdio.h>

#include "report/run.h"

/**
 * {"facts":{…}, "ends":[…], "manifest":{…}, "columns":[…], "rows":[[event, …], …]}: the sentences
 * of facts.h (and of profile_facts.h), how each of diagnostics.memory.processes[] ended, the
 * manifest as it is, memory.csv (null: not measured). Returns 0 or -ENOMEM; errors of @out are
 * found by ferror().
 */
int payload_write(const struct run *r, FILE *out);

#endif
