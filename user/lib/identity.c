/* identity.c - see identity.h */
#include "lib/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

static int id_parse(const char *text, uint32_t *ret, const char **ret_end)
{
	unsigned long long value;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || value >= UINT32_MAX)
		return -EINVAL;
	*ret = value;
	*ret_end = end;
	return 0;
}

static void fill_from_passwd(struct identity *id, const struct passwd *pw)
{
	if (!pw)
		return;
	id->gid = pw->pw_gid;
	snprintf(id->name, sizeof(id->name), "%s", pw->pw_name);
	snprintf(id->home, sizeof(id->home), "%s", pw->pw_dir);
}

int identity_invoking(struct identity *ret, struct problem *problem)
{
	const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID"), *end = "";
	struct identity id = { .uid = geteuid(), .gid = getegid() };
	bool sudo = geteuid() == 0 && uid && gid;
	gid_t gid_of_sudo = 0;

	if (sudo) {
		if (id_parse(uid, &id.uid, &end) || *end || id_parse(gid, &gid_of_sudo, &end) ||
		    *end)
			return problem_set(problem, -EINVAL,
					   "SUDO_UID=%.32s SUDO_GID=%.32s: not numbers; unset them",
					   uid, gid);
	}
	fill_from_passwd(&id, getpwuid(id.uid));
	if (sudo)
		id.gid = gid_of_sudo;
	*ret = id;
	return 0;
}

int identity_named(const char *user, struct identity *ret, struct problem *problem)
{
	struct passwd *pw = getpwnam(user);
	struct identity id = {};
	const char *end = "";

	if (!pw && !id_parse(user, &id.uid, &end)) {
		id.gid = id.uid;
		pw = getpwuid(id.uid);
		fill_from_passwd(&id, pw);
		if (*end == ':' && id_parse(end + 1, &id.gid, &end))
			end = "?";
		if (*end)
			pw = NULL;
		else
			goto found;
	}
	if (!pw)
		return problem_set(problem, -ENOENT,
				   "--user %.64s: no such user; give a login name, UID or UID:GID",
				   user);
	id.uid = pw->pw_uid;
	fill_from_passwd(&id, pw);
found:
	*ret = id;
	return 0;
}

int identity_become(const struct identity *id)
{
	if (id->uid == geteuid() && id->gid == getegid())
		return 0;
	if (id->name[0] ? initgroups(id->name, id->gid) : setgroups(0, NULL))
		return -errno;
	if (setgid(id->gid) || setuid(id->uid))
		return -errno;
	if (id->name[0]) {
		setenv("USER", id->name, 1);
		setenv("LOGNAME", id->name, 1);
		setenv("HOME", id->home, 1);
	}
	return 0;
}

void identity_files_begin(const struct identity *id)
{
	if (geteuid() != 0 || id->uid == 0)
		return;
	setfsgid(id->gid);
	setfsuid(id->uid);
}

void identity_files_end(void)
{
	setfsuid(geteuid());
	setfsgid(getegid());
}
