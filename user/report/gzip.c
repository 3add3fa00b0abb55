/* gzip.c - see gzip.h */
#include "report/gzip.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "lib/cleanup.h"

#define GZIP_ONLY (15 + 16) /* window bits; zlib's way to ask for gzip's header */
#define ROOM_FIRST (64u << 10)

static int more_room(uint8_t **buffer, size_t *room, size_t max)
{
	size_t wanted = *room ? *room * 2 : ROOM_FIRST;
	uint8_t *grown;

	/* one byte more than allowed, to tell a full buffer from one too small */
	if (wanted > max + 1)
		wanted = max + 1;
	if (wanted <= *room)
		return -E2BIG;
	grown = realloc(*buffer, wanted);
	if (!grown)
		return -ENOMEM;
	*buffer = grown;
	*room = wanted;
	return 0;
}

static int inflate_all(z_stream *z, size_t max, uint8_t **buffer, size_t *ret_size)
{
	size_t room = 0, used = 0;
	int status = Z_OK, err;

	while (status != Z_STREAM_END) {
		if (used == room) {
			err = more_room(buffer, &room, max);
			if (err)
				return err;
		}
		z->next_out = *buffer + used;
		z->avail_out = room - used < UINT_MAX ? (uInt)(room - used) : UINT_MAX;
		status = inflate(z, Z_NO_FLUSH);
		used = (size_t)(z->next_out - *buffer);
		if (status == Z_MEM_ERROR)
			return -ENOMEM;
		/* Z_BUF_ERROR with room left: the input has ended too early */
		if ((status != Z_OK && status != Z_STREAM_END) ||
		    (status == Z_OK && !z->avail_in && z->avail_out))
			return -EBADMSG;
	}
	*ret_size = used;
	return used > max ? -E2BIG : z->avail_in ? -EBADMSG : 0;
}

int gzip_inflate(const void *data, size_t size, size_t max, uint8_t **ret, size_t *ret_size)
{
	_cleanup_free_ uint8_t *buffer = NULL;
	z_stream z = { .next_in = (Bytef *)data, .avail_in = (uInt)size };
	int err;

	if (size > UINT_MAX)
		return -E2BIG;
	if (inflateInit2(&z, GZIP_ONLY) != Z_OK)
		return -ENOMEM;
	err = inflate_all(&z, max, &buffer, ret_size);
	inflateEnd(&z);
	if (!err)
		*ret = take_ptr(buffer);
	return err;
}

int gzip_deflate(const void *data, size_t size, uint8_t **ret, size_t *ret_size)
{
	z_stream z = { .next_in = (Bytef *)data, .avail_in = (uInt)size };
	size_t bound;
	int status;

	if (size > UINT_MAX / 2)
		return -ENOMEM;
	if (deflateInit2(&z, 9, Z_DEFLATED, GZIP_ONLY, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	bound = deflateBound(&z, size);
	*ret = malloc(bound);
	z.next_out = *ret;
	z.avail_out = (uInt)bound;
	status = *ret ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
	*ret_size = z.total_out;
	deflateEnd(&z);
	if (status == Z_STREAM_END)
		return 0;
	free(*ret);
	*ret = NULL;
	return -ENOMEM;
}

void base64_write(FILE *out, const uint8_t *data, size_t size)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < size; i += 3) {
		uint32_t v = (uint32_t)data[i] << 16;

		v |= i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0;
		v |= i + 2 < size ? data[i + 2] : 0;
		fputc(digits[v >> 18], out);
		fputc(digits[v >> 12 & 63], out);
		fputc(i + 1 < size ? digits[v >> 6 & 63] : '=', out);
		fputc(i + 2 < size ? digits[v & 63] : '=', out);
	}
}
