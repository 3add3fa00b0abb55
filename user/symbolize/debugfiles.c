/* debugfiles.c - the places of debug files. */
#include "symbolize/debugfiles.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "symbolize/open_below.h"

#define HOST_DEBUG "/usr/lib/debug"

static const struct place {
	const char *root; /* NULL: the task's */
	bool by_link;
	const char *before, *between; /* before + directory of the file + between + link */
} places[] = {
	{ NULL, false, HOST_DEBUG, "" }, { HOST_DEBUG, false, "", "" },
	{ NULL, true, "", "/" },	 { NULL, true, "", "/.debug/" },
	{ NULL, true, HOST_DEBUG, "/" }, { HOST_DEBUG, true, "", "/" },
};

void debugfiles_hex(const uint8_t *build_id, uint32_t bytes, char ret[DEBUGFILES_HEX_MAX])
{
	ret[0] = '\0';
	for (uint32_t i = 0; i < bytes && 2 * i + 2 < DEBUGFILES_HEX_MAX; i++)
		sprintf(ret + (size_t)2 * i, "%02x", build_id[i]);
}

static int path_by_id(const struct debugfiles_wanted *w, const struct place *place, char *ret)
{
	char hex[DEBUGFILES_HEX_MAX];

	if (w->build_id_bytes < 2)
		return -ENOENT;
	debugfiles_hex(w->build_id, w->build_id_bytes, hex);
	snprintf(ret, PATH_MAX, "%s/.build-id/%.2s/%s.debug", place->before, hex, hex + 2);
	return 0;
}

/* The link is a name that the task chose: it must be one, and no path. */
static bool link_is_name(const char *link)
{
	return *link && !strchr(link, '/') && strcmp(link, ".") && strcmp(link, "..");
}

static int path_by_link(const struct debugfiles_wanted *w, const struct place *place, char *ret)
{
	const char *slash = w->path && w->path[0] == '/' ? strrchr(w->path, '/') : NULL;
	int size;

	if (!slash || !link_is_name(w->link) || slash - w->path >= PATH_MAX)
		return -ENOENT;
	size = snprintf(ret, PATH_MAX, "%s%.*s%s%s", place->before, (int)(slash - w->path), w->path,
			place->between, w->link);
	return size < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int debugfiles_open(const struct debugfiles_wanted *w, size_t n)
{
	const struct place *place = &places[n];
	char path[PATH_MAX];
	int err;

	if (n >= sizeof(places) / sizeof(*places))
		return -ERANGE;
	err = place->by_link ? path_by_link(w, place, path) : path_by_id(w, place, path);
	if (err)
		return err;
	/* -ERANGE is ours */
	err = open_below(place->root ?: w->root, path, true, NULL);
	return err == -ERANGE ? -EIO : err;
}
