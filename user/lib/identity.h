/* identity.h - on whose behalf we act: the user behind sudo owns the files and runs the command. */
#ifndef TASKDIAG_IDENTITY_H
#define TASKDIAG_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/problem.h"

struct identity {
	uid_t uid;
	gid_t gid;
	char name[64]; /* login name; empty when the uid has none */
	char home[256];
};

/** SUDO_UID and SUDO_GID if root was reached by sudo, else who we are. 0, or -EINVAL when those are
 * not numbers. */
int identity_invoking(struct identity *ret, struct problem *problem);

/** By name, or "uid" or "uid:gid" in numbers. 0, -ENOENT. */
int identity_named(const char *user, struct identity *ret, struct problem *problem);

/** For good, with the user's groups, HOME, USER and LOGNAME: for a child before exec.
 * Async-signal-unsafe. 0 or -errno. */
int identity_become(const struct identity *id);

/** For file access only (setfsuid): files get the user's ownership and need the user's permission.
 */
void identity_files_begin(const struct identity *id);
void identity_files_end(void);

#endif
