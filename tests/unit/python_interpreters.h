/* python_interpreters.h - the interpreters of this machine, to be asked what is true of them.
 *
 * Debian's own must be there; those of pyenv may be; more are in TASKDIAG_TEST_PYTHONS (paths with
 * ':' between them). For tests only.
 */
#ifndef TASKDIAG_TEST_PYTHON_INTERPRETERS_H
#define TASKDIAG_TEST_PYTHON_INTERPRETERS_H

#include <glob.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define INTERPRETERS_MAX 32

struct interpreters {
	size_t count;
	char *paths[INTERPRETERS_MAX];
};

static inline void interpreters_add(struct interpreters *i, const char *path)
{
	if (i->count < INTERPRETERS_MAX && !access(path, X_OK))
		i->paths[i->count++] = strdup(path);
	else
		print_message("%s: not there\n", path);
}

static inline void interpreters_find(struct interpreters *i)
{
	const char *home = getenv("HOME") ?: "/root", *more = getenv("TASKDIAG_TEST_PYTHONS");
	_cleanup_free_ char *list = strdup(more ?: "");
	char pattern[512], *save = NULL;
	glob_t found;

	interpreters_add(i, "/usr/bin/python3");
	assert_int_equal(i->count, 1);
	for (int minor = 8; minor <= 14; minor++) {
		snprintf(pattern, sizeof(pattern), "%s/.pyenv/versions/3.%d.*/bin/python3.%d", home,
			 minor, minor);
		if (glob(pattern, 0, NULL, &found)) {
			print_message("%s: not there\n", pattern);
			continue;
		}
		for (size_t n = 0; n < found.gl_pathc; n++)
			interpreters_add(i, found.gl_pathv[n]);
		globfree(&found);
	}
	for (char *path = strtok_r(list, ":", &save); path; path = strtok_r(NULL, ":", &save))
		interpreters_add(i, path);
}

static inline void interpreters_free(struct interpreters *i)
{
	while (i->count)
		free(i->paths[--i->count]);
}

/* What @script prints, to be read until its end. @argument may be NULL. */
static inline FILE *interpreter_run(const char *path, const char *script, const char *argument,
				    pid_t *ret_child)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	*ret_child = fork();
	assert_true(*ret_child >= 0);
	if (!*ret_child) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl(path, path, "-I", "-B", "-c", script, argument, NULL);
		_exit(127);
	}
	close(ends[1]);
	return fdopen(ends[0], "r");
}

static inline void interpreter_end(FILE *output, pid_t child)
{
	int status;

	fclose(output);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* "-": none. Returns the bytes, to be freed. */
static inline uint8_t *unhex(const char *text, size_t *ret_bytes)
{
	size_t length = strcmp(text, "-") ? strlen(text) : 0;
	uint8_t *bytes = malloc(length / 2 + 1);

	assert_non_null(bytes);
	for (size_t n = 0; n < length / 2; n++)
		assert_int_equal(sscanf(text + n * 2, "%2hhx", &bytes[n]), 1);
	bytes[length / 2] = 0;
	*ret_bytes = length / 2;
	return bytes;
}

#endif
