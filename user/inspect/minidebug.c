/* minidebug.c - xz to memory, bounded in size and in memory. */
#include "inspect/minidebug.h"

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>

#include "lib/cleanup.h"

#define STEP (1u << 20)

static int grow(uint8_t **image, size_t *capacity)
{
	size_t wanted = *capacity ? *capacity * 2 : STEP;
	uint8_t *larger;

	if (*capacity >= MINIDEBUG_BYTES_MAX)
		return -EFBIG;
	larger = realloc(*image, wanted);
	if (!larger)
		return -ENOMEM;
	*image = larger;
	*capacity = wanted;
	return 0;
}

static int error_of(lzma_ret ret)
{
	return ret == LZMA_MEM_ERROR ? -ENOMEM : ret == LZMA_MEMLIMIT_ERROR ? -EFBIG : -EBADMSG;
}

static int unpack(lzma_stream *z, uint8_t **image, size_t *capacity)
{
	lzma_ret ret;
	int err;

	do {
		if (!z->avail_out) {
			err = grow(image, capacity);
			if (err)
				return err;
			z->next_out = *image + z->total_out;
			z->avail_out = *capacity - z->total_out;
		}
		ret = lzma_code(z, LZMA_FINISH);
	} while (ret == LZMA_OK);
	return ret == LZMA_STREAM_END ? 0 : error_of(ret);
}

int minidebug_unpack(const void *xz, size_t size, uint8_t **ret, size_t *ret_size)
{
	_cleanup_free_ uint8_t *image = NULL;
	lzma_stream z = LZMA_STREAM_INIT;
	size_t capacity = 0;
	lzma_ret started;
	int err;

	started = lzma_stream_decoder(&z, MINIDEBUG_MEMORY_MAX, 0);
	if (started != LZMA_OK)
		return error_of(started);
	z.next_in = xz;
	z.avail_in = size;
	err = unpack(&z, &image, &capacity);
	*ret_size = z.total_out;
	lzma_end(&z);
	if (err)
		return err;
	*ret = take_ptr(image);
	return 0;
}
