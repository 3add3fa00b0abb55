/* cmd_doctor.c - what works here, and the remedy for what does not. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "cli/cmd.h"
#include "session/abilities.h"

static const enum option_id allowed[] = { OPT_PID, OPT_JSON, OPT_COLOR, OPT_HELP, OPT_COUNT };

static const char *const state_names[] = {
	[ABILITY_OK] = "ok",
	[ABILITY_LIMITED] = "limited",
	[ABILITY_MISSING] = "missing",
	[ABILITY_INFO] = "info",
};

static const char *const verdicts[] = {
	[ABILITY_OK] = "works",
	[ABILITY_LIMITED] = "works with limits",
	[ABILITY_MISSING] = "refused",
};

static const char *const colours[] = {
	[ABILITY_OK] = "\033[32m",
	[ABILITY_LIMITED] = "\033[33m",
	[ABILITY_MISSING] = "\033[31m",
	[ABILITY_INFO] = "",
};

static const struct {
	const char *name;
	enum ability_of of;
} diagnostics[] = { { "memory", OF_MEMORY },
		    { "profile", OF_PROFILE },
		    { "allocations", OF_ALLOCATIONS } };

static void print_text(const struct ability *abilities, size_t count, const struct utsname *host,
		       bool colour)
{
	printf("taskdiag-bpf %s on Linux %s, %s\n\n", TASKDIAG_VERSION, host->release,
	       host->machine);
	for (size_t i = 0; i < count; i++) {
		const struct ability *a = &abilities[i];

		printf("  %s%-8s%s %-20s %s\n", colour ? colours[a->state] : "",
		       state_names[a->state], colour && *colours[a->state] ? "\033[0m" : "",
		       a->name, a->detail);
		if (a->remedy[0])
			printf("  %-8s %-20s → %s\n", "", "", a->remedy);
	}
	puts("");
	for (size_t i = 0; i < sizeof(diagnostics) / sizeof(diagnostics[0]); i++) {
		enum ability_state verdict = abilities_verdict(abilities, count, diagnostics[i].of);

		printf("%s: %s%s%s\n", diagnostics[i].name, colour ? colours[verdict] : "",
		       verdicts[verdict], colour ? "\033[0m" : "");
	}
}

static json_t *diagnostic_json(const struct ability *abilities, size_t count, enum ability_of of)
{
	json_t *remedies = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct ability *a = &abilities[i];

		if (a->of & of && a->remedy[0] && a->state != ABILITY_INFO)
			json_array_append_new(remedies, json_string(a->remedy));
	}
	return json_pack("{s:s, s:o}", "verdict", verdicts[abilities_verdict(abilities, count, of)],
			 "remedies", remedies);
}

static int print_json(const struct ability *abilities, size_t count, const struct utsname *host)
{
	json_t *root = json_object(), *list = json_array(), *verdict = json_object();
	int err;

	for (size_t i = 0; i < count; i++) {
		const struct ability *a = &abilities[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", a->name,
						      "state", state_names[a->state], "detail",
						      a->detail, "remedy", a->remedy));
	}
	for (size_t i = 0; i < sizeof(diagnostics) / sizeof(diagnostics[0]); i++)
		json_object_set_new(verdict, diagnostics[i].name,
				    diagnostic_json(abilities, count, diagnostics[i].of));
	json_object_set_new(root, "tool_version", json_string(TASKDIAG_VERSION));
	json_object_set_new(root, "kernel", json_string(host->release));
	json_object_set_new(root, "abilities", list);
	json_object_set_new(root, "diagnostics", verdict);
	err = json_dumpf(root, stdout, JSON_INDENT(2)) || puts("") < 0 ? -EIO : 0;
	json_decref(root);
	return err;
}

static int take(const struct options *o, pid_t *ret_pid, bool *ret_colour, struct problem *problem)
{
	char *end = "";

	*ret_pid = 0;
	if (o->rest_count)
		return problem_set(problem, -EINVAL,
				   "doctor: %.64s: takes no operand; see: taskdiag-bpf --help",
				   o->rest[0]);
	if (o->pid_count)
		*ret_pid = strtol(o->pids[0], &end, 10);
	if (o->pid_count > 1 || *end || (o->pid_count && *ret_pid < 1))
		return problem_set(problem, -EINVAL, "doctor: --pid %.64s: not one process id",
				   o->pids[0]);
	return options_colour(o, stdout, ret_colour, problem);
}

int cmd_doctor(int argc, char **argv)
{
	struct ability abilities[ABILITIES_MAX];
	struct problem problem = {};
	struct utsname host = {};
	struct options o;
	bool colour = false;
	size_t count = 0;
	pid_t pid = 0;
	int err = options_parse(argc, argv, allowed, false, &o, &problem);

	if (!err && !o.value[OPT_HELP])
		err = take(&o, &pid, &colour, &problem);
	if (err) {
		options_free(&o);
		return complain(&problem, EXIT_USAGE);
	}
	if (o.value[OPT_HELP]) {
		help_print(stdout);
	} else {
		uname(&host);
		count = abilities_try(pid, abilities);
		if (o.value[OPT_JSON])
			err = print_json(abilities, count, &host);
		else
			print_text(abilities, count, &host, colour);
	}
	options_free(&o);
	return err || abilities_verdict(abilities, count, OF_MEMORY) == ABILITY_MISSING
		   ? EXIT_REPORT
		   : 0;
}
