/* shim_image.h - the malloc shim's library (preload/), as it was built along with us. */
#ifndef TASKDIAG_SHIM_IMAGE_H
#define TASKDIAG_SHIM_IMAGE_H

#include <stddef.h>

/** Its bytes; returns how many. */
size_t shim_image(const char **ret);

#endif
