/* minidebug.h - .gnu_debugdata: an ELF file with local symbols, in xz, within a stripped one. */
#ifndef TASKDIAG_MINIDEBUG_H
#define TASKDIAG_MINIDEBUG_H

#include <stddef.h>
#include <stdint.h>

#define MINIDEBUG_BYTES_MAX (256u << 20)
#define MINIDEBUG_MEMORY_MAX (128u << 20) /* of the decoder: xz -9 takes 65 MiB */

/** A new image, to be freed. 0; -EBADMSG malformed; -EFBIG over a limit; -ENOMEM. */
int minidebug_unpack(const void *xz, size_t size, uint8_t **ret, size_t *ret_size);

#endif
