/* sites.c - the functions that the observer traces. Each is one instruction and a return, and a
 * real call: nothing of the caller lies in the red zone below rsp, which the call that the kernel
 * puts in place of a nop5 writes to; the arguments are in the registers of a C call. They have a
 * page of their own: after a fork it is dropped (fork.c).
 */
#include "preload/shim/preload.h"

#define NOP 0x90
#define NOP1 "nop"
#define NOP5 ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00"

#define SITE(name, instruction)                    \
	".balign 64\n"                             \
	".globl " #name "\n"                       \
	".protected " #name "\n"                   \
	".type " #name ", @function\n" #name ":\n" \
	".cfi_startproc\n" instruction "\n"        \
	"ret\n"                                    \
	".cfi_endproc\n"                           \
	".size " #name ", . - " #name "\n"

/* clang-format off */
__asm__(".pushsection .text.taskdiag, \"ax\", @progbits\n"
	".balign 4096\n"
	SITE(taskdiag_hello, NOP1)
	SITE(taskdiag_alloc, NOP1)
	SITE(taskdiag_free, NOP1)
	SITE(taskdiag_stack, NOP5)
	SITE(taskdiag_flush, NOP5)
	".balign 4096\n"
	".popsection\n");
/* clang-format on */

bool observer_there(void)
{
	return shim.listen || *(const volatile uint8_t *)taskdiag_hello != NOP;
}
