/* embed.h - files that become part of the binary.
 *
 * Paths count from the working directory of the compiler, which cannot see that they changed: the
 * Makefile has to name them.
 */
#ifndef TASKDIAG_REPORT_EMBED_H
#define TASKDIAG_REPORT_EMBED_H

struct embedded {
	const char *begin, *end;
};

#define EMBED(symbol, path)                                        \
	__asm__(".pushsection .rodata,\"a\"\n"                     \
		".hidden asset_" #symbol "_begin\n"                \
		".hidden asset_" #symbol "_end\n"                  \
		".global asset_" #symbol "_begin\n"                \
		".global asset_" #symbol "_end\n"                  \
		"asset_" #symbol "_begin:\n.incbin \"" path "\"\n" \
		"asset_" #symbol "_end:\n.byte 0\n"                \
		".popsection\n");                                  \
	extern const char asset_##symbol##_begin[], asset_##symbol##_end[]

#define ENTRY(symbol) .begin = asset_##symbol##_begin, .end = asset_##symbol##_end

#endif
