/* functions.c - see functions.h */
#include "report/functions.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

const char *const function_kind_names[FUNCTION_KINDS] = {
	[FUNCTION_OWN] = "own code",
	[FUNCTION_PYTHON] = "own Python",
	[FUNCTION_LIBRARY] = "library",
	[FUNCTION_KERNEL] = "kernel",
	[FUNCTION_PYTHON_LIBRARY] = "Python library",
};

const char *const function_kind_sgr[FUNCTION_KINDS] = {
	[FUNCTION_OWN] = "1",	  [FUNCTION_PYTHON] = "1;33",	    [FUNCTION_LIBRARY] = "0",
	[FUNCTION_KERNEL] = "31", [FUNCTION_PYTHON_LIBRARY] = "33",
};

bool function_kind_is_library(enum function_kind k)
{
	return k == FUNCTION_LIBRARY || k == FUNCTION_PYTHON_LIBRARY;
}

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static bool is_python(const char *file)
{
	size_t n = strlen(file);

	return (n > 3 && !strcmp(file + n - 3, ".py")) || starts(file, "<");
}

/* Where Debian, pip and CPython's own build put what is not the user's. */
static bool is_installed_python(const char *file)
{
	return starts(file, "<frozen") || strstr(file, "/site-packages/") ||
	       strstr(file, "/dist-packages/") || strstr(file, "/lib/python");
}

static enum function_kind kind_of_module(const char *path)
{
	const char *base = base_name(path);

	if (!strcmp(path, "[kernel]") || starts(path, "[kernel.") || starts(path, "[guest.kernel"))
		return FUNCTION_KERNEL;
	if (*path == '[' || strstr(base, ".so") || starts(base, "python") ||
	    starts(base, "ld-linux"))
		return FUNCTION_LIBRARY;
	return FUNCTION_OWN;
}

static enum function_kind kind_of(const struct profile_frame *f, const char *path)
{
	if (f->file && (f->python || is_python(f->file)))
		return is_installed_python(f->file) ? FUNCTION_PYTHON_LIBRARY : FUNCTION_PYTHON;
	/* "[no stack]" and its like */
	if (!path && *f->name == '[')
		return FUNCTION_LIBRARY;
	return path ? kind_of_module(path) : FUNCTION_OWN;
}

static int compare(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

struct order {
	struct function_info info;
	uint32_t frame;
};

static int by_function(const void *x, const void *y)
{
	const struct function_info *a = &((const struct order *)x)->info,
				   *b = &((const struct order *)y)->info;
	int d = strcmp(a->name, b->name);

	d = d ? d : compare(a->module, b->module);
	d = d ? d : compare(a->file, b->file);
	return d ? d : (a->first_line > b->first_line) - (a->first_line < b->first_line);
}

static int by_line(const void *x, const void *y)
{
	const struct function_info *a = &((const struct order *)x)->info,
				   *b = &((const struct order *)y)->info;
	int d = by_function(x, y);

	return d ? d : a->line < b->line ? -1 : a->line > b->line;
}

static struct function_info info_of(const struct profile *p, uint32_t frame)
{
	const struct profile_frame *f = profile_frame_at(p, frame);
	const char *path =
	    f->mapping == PROFILE_NONE ? NULL : profile_mapping_at(p, f->mapping)->path;

	return (struct function_info){ .name = f->name,
				       .file = f->file,
				       .module = path && *path ? base_name(path) : NULL,
				       .line = f->line,
				       .first_line = f->first_line,
				       .kind = kind_of(f, path) };
}

int functions_init(struct functions *ret, const struct profile *p, bool each_line)
{
	int (*by)(const void *, const void *) = each_line ? by_line : by_function;
	size_t n = profile_frame_count(p);
	_cleanup_free_ struct order *order = calloc(n + 1, sizeof(*order));

	*ret = (struct functions){ .all = calloc(n + 1, sizeof(*ret->all)),
				   .of_frame = calloc(n + 1, sizeof(*ret->of_frame)) };
	if (!order || !ret->all || !ret->of_frame) {
		functions_done(ret);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		order[i] = (struct order){ info_of(p, (uint32_t)i), (uint32_t)i };
	if (n)
		qsort(order, n, sizeof(*order), by);
	for (size_t i = 0; i < n; i++) {
		if (!i || by(&order[i - 1], &order[i]))
			ret->all[ret->n++] = order[i].info;
		else if (ret->all[ret->n - 1].line != order[i].info.line)
			ret->all[ret->n - 1].line = ret->all[ret->n - 1].first_line;
		ret->of_frame[order[i].frame] = (uint32_t)(ret->n - 1);
	}
	return 0;
}

void functions_done(struct functions *f)
{
	free(f->all);
	free(f->of_frame);
	*f = (struct functions){};
}

char *function_place(const struct function_info *f)
{
	char *text = NULL;

	if (!f->file)
		return strdup(f->module ? f->module : "");
	if (!f->line)
		return strdup(base_name(f->file));
	return asprintf(&text, "%s:%u", base_name(f->file), f->line) < 0 ? NULL : text;
}
