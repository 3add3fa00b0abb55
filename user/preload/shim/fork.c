/* fork.c - what a fork child needs before it may touch a site.
 *
 * The kernel (seen on 6.18) turns a traced nop5 into a call of a page that a fork does not copy,
 * and does not put it right in the child: its first hit is a SIGSEGV. Dropping the page brings back
 * the bytes of the file; splitting the mapping's rights makes the kernel look at it anew and insert
 * its breakpoints. Where this is not needed it does no harm.
 */
#include <sys/mman.h>

#include "preload/shim/preload.h"
#include "preload/shim/syscalls.h"

void mend_sites(void)
{
	long page = (long)((uintptr_t)taskdiag_stack & -4096UL);

	syscall3(SYS_madvise, page, 4096, MADV_DONTNEED);
	syscall3(SYS_mprotect, page, 4096, PROT_READ);
	syscall3(SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC);
}
