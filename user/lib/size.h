/* size.h - bytes as a person writes them. */
#ifndef TASKDIAG_SIZE_H
#define TASKDIAG_SIZE_H

#include <stdint.h>

/** "4096", "512K", "1M", "2G"; also KiB and so on: all are powers of 1,024. 0; -EINVAL: no size;
 * -ERANGE: 2^63 or more. */
int size_parse(const char *text, uint64_t *ret_bytes);

#endif
