/* shim_image.c - embeds the library at build time; -DSHIM_IMAGE='"file"'. The compiler cannot see
 * that it has changed: the Makefile has to name it.
 */
#include "session/shim_image.h"

#ifndef SHIM_IMAGE
#error "define SHIM_IMAGE as a string literal"
#endif

__asm__(".pushsection .rodata,\"a\"\n"
	".hidden shim_image_begin\n"
	".hidden shim_image_end\n"
	".global shim_image_begin\n"
	".global shim_image_end\n"
	"shim_image_begin:\n.incbin \"" SHIM_IMAGE "\"\n"
	"shim_image_end:\n.byte 0\n"
	".popsection\n");
extern const char shim_image_begin[], shim_image_end[];

size_t shim_image(const char **ret)
{
	*ret = shim_image_begin;
	return (size_t)(shim_image_end - shim_image_begin);
}
