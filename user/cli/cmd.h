/* cmd.h - the verbs: options in, exit status out. Only they, and the session's status line, print
 * to a person. */
#ifndef TASKDIAG_CMD_H
#define TASKDIAG_CMD_H

#include "cli/options.h"

#define EXIT_REPORT 1 /* exit_rows in options.c tells what each means */
#define EXIT_USAGE 2
#define EXIT_OVER 3
#define EXIT_UNMEASURABLE 4
#define EXIT_OBSERVER 125

extern const struct verb_row verb_rows[]; /* ends with a NULL name; in main.c */

int cmd_run(int argc, char **argv); /* no verb: observe */
int cmd_summary(int argc, char **argv);
int cmd_plot(int argc, char **argv);
int cmd_html(int argc, char **argv);
int cmd_tree(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_flamegraph(int argc, char **argv);
int cmd_table(int argc, char **argv);
int cmd_leaks(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_ci(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_cleanup(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_man(int argc, char **argv);
int cmd_completion(int argc, char **argv);

void help_print(FILE *out);

/** "taskdiag-bpf: <problem>" on stderr, made safe for a terminal. Returns @status. */
int complain(const struct problem *problem, int status);

#endif
