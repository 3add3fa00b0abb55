/* gzip.h - a gzip stream onto a FILE. The same bytes in give the same bytes out: no time, no name.
 */
#ifndef TASKDIAG_GZIP_H
#define TASKDIAG_GZIP_H

#include <stddef.h>
#include <stdio.h>
#include <zlib.h>

struct gzip {
	FILE *out;
	z_stream z;
	unsigned char buffer[65536];
};

/** 0 or -ENOMEM. */
int gzip_open(struct gzip *g, FILE *out);
/** 0 or -EIO: @out does not take it. */
int gzip_write(struct gzip *g, const void *data, size_t length);
/** Ends the stream; @out stays open. Called once after every gzip_open() that returned 0, after a
 * failure too. 0 or -EIO. */
int gzip_close(struct gzip *g);

#endif
