/* help.c - --help, the man page and the completion, from the tables in options.c and main.c. */
#include <string.h>

#include "cli/cmd.h"
#include "collect/collector.h"
#include "lib/cleanup.h"
#include "lib/escape.h"

static const char purpose[] =
    "see from outside what a task does to memory, and where its time goes";

int complain(const struct problem *problem, int status)
{
	_cleanup_free_ char *line = escape_terminal(problem->text, true, 0);

	fprintf(stderr, "taskdiag-bpf: %s\n", line ? line : problem->text);
	return status;
}

static void option_text(const struct option_row *row, char *ret, size_t size)
{
	char letter[8] = "    ";

	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	snprintf(ret, size, "%s--%s%s%s", letter, row->name, row->argument ? " " : "",
		 row->argument ? row->argument : "");
}

void help_print(FILE *out)
{
	fprintf(out, "taskdiag-bpf %s - %s\n\n", TASKDIAG_VERSION, purpose);
	fputs("  sudo taskdiag-bpf [OPTIONS] --pid PID\n"
	      "  sudo taskdiag-bpf [OPTIONS] -- COMMAND [ARG...]\n",
	      out);
	for (const struct verb_row *verb = verb_rows; verb->name; verb++)
		fprintf(out, "  taskdiag-bpf %s%s%s\n", verb->name, verb->argument ? " " : "",
			verb->argument ? verb->argument : "");
	fputs("\nOptions:\n", out);
	for (size_t i = 0; i < OPT_COUNT; i++) {
		char text[64];

		option_text(&option_rows[i], text, sizeof(text));
		fprintf(out, "  %-24s %s\n", text, option_rows[i].help);
	}
	fputs("\nVerbs:\n", out);
	for (const struct verb_row *verb = verb_rows; verb->name; verb++)
		fprintf(out, "  %-24s %s\n", verb->name, verb->help);
	fputs("\nExit status:\n", out);
	for (const struct exit_row *row = exit_rows; row->status; row++)
		fprintf(out, "  %-24s %s\n", row->status, row->meaning);
	fputs("\nExamples:\n", out);
	for (const struct example_row *row = example_rows; row->what; row++)
		fprintf(out, "  # %s\n  %s\n", row->what, row->command);
}

/* troff: '-' is a hyphen unless escaped, a line must not begin with '.' or a quote. */
static void troff(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++) {
		if (*text == '-' || *text == '\\')
			putchar('\\');
		putchar(*text);
		if (*text == '\\')
			putchar('e');
	}
}

static void man_item(const char *left, const char *right)
{
	fputs(".TP\n.B ", stdout);
	troff(left);
	fputs("\n", stdout);
	troff(right);
	fputs("\n", stdout);
}

static void man_options(void)
{
	puts(".SH OPTIONS");
	for (size_t i = 0; i < OPT_COUNT; i++) {
		const struct option_row *row = &option_rows[i];

		fputs(".TP\n", stdout);
		if (row->letter)
			printf(".BR \\-%c \", \" ", row->letter);
		else
			fputs(".BR ", stdout);
		fputs("\\-\\-", stdout);
		troff(row->name);
		if (row->argument)
			printf(" \" \\fI%s\\fR\"", row->argument);
		putchar('\n');
		troff(row->help);
		putchar('\n');
	}
}

int cmd_man(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf(".TH TASKDIAG\\-BPF 1 \"\" \"taskdiag\\-bpf %s\" \"User Commands\"\n.SH "
	       "NAME\ntaskdiag\\-bpf \\- ",
	       TASKDIAG_VERSION);
	troff(purpose);
	puts("\n.SH SYNOPSIS\n.B taskdiag\\-bpf\n[\\fIOPTIONS\\fR] \\fB\\-\\-pid\\fR "
	     "\\fIPID\\fR\n.br\n.B taskdiag\\-bpf\n"
	     "[\\fIOPTIONS\\fR] \\fB\\-\\-\\fR \\fICOMMAND\\fR [\\fIARG\\fR...]\n.br\n.B "
	     "taskdiag\\-bpf\n\\fIVERB\\fR [\\fIRUN_DIR\\fR]\n"
	     ".SH DESCRIPTION\nObserves a process and its descendants with BPF, from outside and "
	     "without touching them, until they end or\n"
	     "the user stops it, and leaves a run directory. The memory diagnostic tells how the "
	     "task's memory grew, its exact\n"
	     "peak, and who held it; the profile tells in which functions every thread ran, where "
	     "it waited and for what,\n"
	     "by samples of wall time whose sums are compared with what the kernel counts "
	     "exactly; the allocations tell who held\n"
	     "the bytes that were live at the peak, and at the end.\n"
	     "The command runs as the user who called sudo, with its own standard input, output "
	     "and error.\n"
	     "Ctrl\\-C ends an observation by pid, not the process; a second one leaves at once.\n"
	     "What a run says goes to standard error; \\fB\\-\\-json\\fR to standard output.");
	man_options();
	puts(".SH VERBS");
	for (const struct verb_row *verb = verb_rows; verb->name; verb++) {
		char text[64];

		snprintf(text, sizeof(text), "%s%s%s", verb->name, verb->argument ? " " : "",
			 verb->argument ? verb->argument : "");
		man_item(text, verb->help);
	}
	puts(".SH EXIT STATUS");
	for (const struct exit_row *row = exit_rows; row->status; row++)
		man_item(row->status, row->meaning);
	puts(".SH EXAMPLES");
	for (const struct example_row *row = example_rows; row->what; row++)
		man_item(row->command, row->what);
	puts(".SH FILES\nA run directory holds report.html and manifest.json; of the memory "
	     "diagnostic memory.datum, memory.csv and\n"
	     "mprof.dat; of the profile profile.folded, profile.pb.gz, profile.speedscope.json and "
	     "profile.pyisession;\n"
	     "of the allocations allocations.pb.gz, and resident.pb.gz when both the heap and "
	     "resident "
	     "pages were observed;\n"
	     "docs/artifact\\-format.md of the source defines them.\n"
	     "Tables for unwinding are kept in /var/cache/taskdiag\\-bpf, at most 512 MiB; they "
	     "can be removed at any time.\n.SH SEE ALSO\n.BR gnuplot "
	     "(1),\n.BR proc (5),\n.BR bpf (2)");
	return 0;
}

int cmd_completion(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	fputs("# bash completion for taskdiag-bpf; written by `taskdiag-bpf "
	      "completion`\n_taskdiag_bpf()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verbs=\"",
	      stdout);
	for (const struct verb_row *verb = verb_rows; verb->name; verb++)
		printf("%s%s", verb == verb_rows ? "" : " ", verb->name);
	fputs("\"\n\tlocal options=\"", stdout);
	for (size_t i = 0; i < OPT_COUNT; i++)
		printf("%s--%s", i ? " " : "", option_rows[i].name);
	fputs("\"\n\tlocal word i\n\n\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tif [[ ${COMP_WORDS[i]} == -- ]]; then\n\t\t\t_command_offset $((i + 1)) "
	      "2>/dev/null || COMPREPLY=()\n\t\t\treturn\n"
	      "\t\tfi\n\tdone\n\tcase $prev in\n",
	      stdout);
	fputs("\t-p|--pid) COMPREPLY=($(compgen -W \"$(cd /proc && echo [0-9]*)\" -- \"$cur\")); "
	      "return ;;\n"
	      "\t-u|--user) COMPREPLY=($(compgen -u -- \"$cur\")); return ;;\n"
	      "\t-o|--output",
	      stdout);
	for (const struct verb_row *verb = verb_rows; verb->name; verb++)
		if (verb->argument) /* a directory */
			printf("|%s", verb->name);
	fputs(") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
	      "\t--color) COMPREPLY=($(compgen -W \"auto always never\" -- \"$cur\")); return "
	      ";;\n\t-d|--diagnostics) COMPREPLY=($(compgen -W \"",
	      stdout);
	for (const struct collector *c = collectors; c->name; c++)
		printf("%s%s", c == collectors ? "" : " ", c->name);
	fputs("\" -- \"$cur\")); return ;;\n\tesac\n\tword=$options\n\t((COMP_CWORD == 1)) && "
	      "word=\"$verbs $options\"\n"
	      "\tCOMPREPLY=($(compgen -W \"$word\" -- \"$cur\"))\n}\ncomplete -F _taskdiag_bpf "
	      "taskdiag-bpf\n",
	      stdout);
	return 0;
}
