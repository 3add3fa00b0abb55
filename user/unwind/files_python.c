/* files_python.c - which files are interpreters of Python; see files.h */
#include "unwind/files_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_named_python(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	return !strncmp(base, "python", strlen("python")) ||
	       !strncmp(base, "libpython", strlen("libpython"));
}

/* What is not known to be one stays a file like any other: an answer that fails is no loss of rows.
 * Of one that could not be read only its name says that it should have been one. */
static void python_done(void *context, int err, const char *cause,
			const struct inspect_python *python)
{
	struct entry *e = context;
	bool unread = err && err != -ENOENT && is_named_python(e->file.shown.path);

	e->files->pythons_asked--;
	if ((err == -ENOTSUP || unread) && !e->file.python_problem) {
		e->file.python_problem = strdup(cause ?: "unknown");
		e->changed = e->files->changed = true;
	}
	if (err)
		return;
	e->file.python = malloc(sizeof(*e->file.python));
	if (!e->file.python)
		return;
	memcpy(e->file.python, python, sizeof(*e->file.python));
	e->file.shown.python = true;
	e->changed = e->files->changed = true;
}

void files_python_want(struct entry *e)
{
	if (e->python_asked || e->file.vdso || !e->number)
		return;
	e->python_asked = true;
	if (!inspect_python(e->files->inspect, e->file.shown.fd, python_done, e))
		e->files->pythons_asked++;
}
