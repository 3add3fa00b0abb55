/* gzip.c - see gzip.h */
#include "artifact/gzip.h"

#include <errno.h>
#include <limits.h>

/* Profiles shrink to a tenth at any level, and the lowest is several times faster. */
#define LEVEL 1
#define GZIP_WRAPPER \
	16 /* added to the window bits: gzip, not zlib; zlib's header then has mtime 0 */

int gzip_open(struct gzip *g, FILE *out)
{
	g->out = out;
	g->z = (z_stream){ 0 };
	return deflateInit2(&g->z, LEVEL, Z_DEFLATED, MAX_WBITS | GZIP_WRAPPER, MAX_MEM_LEVEL,
			    Z_DEFAULT_STRATEGY) == Z_OK
		   ? 0
		   : -ENOMEM;
}

static int pump(struct gzip *g, int flush)
{
	size_t n;

	do {
		g->z.next_out = g->buffer;
		g->z.avail_out = sizeof(g->buffer);
		if (deflate(&g->z, flush) == Z_STREAM_ERROR)
			return -EIO;
		n = sizeof(g->buffer) - g->z.avail_out;
		if (fwrite(g->buffer, 1, n, g->out) != n)
			return -EIO;
	} while (!g->z.avail_out); /* a full buffer: there may be more */
	return 0;
}

int gzip_write(struct gzip *g, const void *data, size_t length)
{
	const unsigned char *from = data;

	while (length) {
		uInt n = length < UINT_MAX ? (uInt)length : UINT_MAX;
		int err;

		g->z.next_in = (unsigned char *)from;
		g->z.avail_in = n;
		err = pump(g, Z_NO_FLUSH);
		if (err)
			return err;
		from += n;
		length -= n;
	}
	return 0;
}

int gzip_close(struct gzip *g)
{
	int err;

	g->z.avail_in = 0;
	err = pump(g, Z_FINISH);
	deflateEnd(&g->z);
	return err;
}
