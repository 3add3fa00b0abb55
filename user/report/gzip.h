/* gzip.h - bytes in and out of gzip, and base64 for the page. */
#ifndef TASKDIAG_REPORT_GZIP_H
#define TASKDIAG_REPORT_GZIP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/**
 * *ret is the caller's. -EBADMSG: not gzip, damaged or cut; -E2BIG: more than @max bytes inside;
 * -ENOMEM.
 */
int gzip_inflate(const void *data, size_t size, size_t max, uint8_t **ret, size_t *ret_size);

/** *ret is the caller's. -ENOMEM. */
int gzip_deflate(const void *data, size_t size, uint8_t **ret, size_t *ret_size);

/** Errors of @out are found by ferror(). */
void base64_write(FILE *out, const uint8_t *data, size_t size);

#endif
