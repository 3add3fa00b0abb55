/* memray_installed.h - which memray will read memray.bin here. */
#ifndef TASKDIAG_MEMRAY_INSTALLED_H
#define TASKDIAG_MEMRAY_INSTALLED_H

#include "lib/identity.h"

/** Format that the installed memray reads (see memray_readers()): of the virtual environment, of
 * the user, of the system, in this order. 0: none is found, or not known. @root: "" but for tests.
 */
unsigned memray_installed(const char *root, const char *environment, const struct identity *user);

#endif
