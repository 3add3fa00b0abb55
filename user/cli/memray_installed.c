/* memray_installed.c - see memray_installed.h */
#include "cli/memray_installed.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

/* From this 1.x on. */
static const struct {
	unsigned minor, format;
} formats[] = { { 20, 13 }, { 19, 12 }, { 11, 11 } };

/* The directory's name is all that is looked at: memray-1.19.1.dist-info. */
static unsigned format_of(const char *path)
{
	const char *name = strrchr(path, '/');
	unsigned major, minor;

	if (!name || sscanf(name, "/memray-%2u.%3u", &major, &minor) != 2)
		return 0;
	if (major > 1)
		return formats[0].format;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (major == 1 && minor >= formats[i].minor)
			return formats[i].format;
	return 0;
}

static unsigned look(const char *root, const char *prefix, const char *below)
{
	unsigned format = 0;
	char pattern[1024];
	glob_t found;

	if (snprintf(pattern, sizeof(pattern), "%s%s/%s/memray-*.dist-info", root, prefix, below) >=
	    (int)sizeof(pattern))
		return 0;
	if (glob(pattern, 0, NULL, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc && !format; i++)
		format = format_of(found.gl_pathv[i]);
	globfree(&found);
	return format;
}

unsigned memray_installed(const char *root, const char *environment, const struct identity *user)
{
	const struct {
		const char *prefix, *below;
	} places[] = {
		{ environment, "lib/python3*/site-packages" },
		{ user->home, ".local/lib/python3*/site-packages" },
		{ user->home, ".local/share/pipx/venvs/memray/lib/python3*/site-packages" },
		{ user->home, ".local/share/uv/tools/memray/lib/python3*/site-packages" },
		{ "/usr/local", "lib/python3*/dist-packages" },
		{ "/usr/local", "lib/python3*/site-packages" },
		{ "/usr", "lib/python3/dist-packages" },
		{ "/usr", "lib/python3*/site-packages" },
	};
	unsigned format = 0;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !format; i++)
		if (places[i].prefix && *places[i].prefix)
			format = look(root, places[i].prefix, places[i].below);
	return format;
}
