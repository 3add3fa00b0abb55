/* files_python.c - which files are interpreters of Python; see files.h */
#include "unwind/files_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is not known to be one stays a file like any other: an answer that fails is no loss of rows.
 */
static void python_done(void *context, int err, const char *cause,
			const struct inspect_python *python)
{
	struct entry *e = context;

	if (err == -ENOTSUP && !e->file.python_problem) {
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
	if (e->python_asked || e->file.vdso)
		return;
	e->python_asked = true;
	inspect_python(e->files->inspect, e->file.shown.fd, python_done, e);
}
