/* syscalls.h - system calls as the shim makes them: by hand, so that errno stays as it is and no
 * function is called that the task may have replaced. A negative result is -errno. */
#ifndef TASKDIAG_PRELOAD_SYSCALLS_H
#define TASKDIAG_PRELOAD_SYSCALLS_H

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef __x86_64__
#error "the malloc shim is written for x86-64"
#endif

static inline long syscall6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static inline long syscall3(long number, long a, long b, long c)
{
	return syscall6(number, a, b, c, 0, 0, 0);
}

/** Waits for another value of @word than @seen, for at most @us. malloc itself waits by futex: a
 * sandbox that lets a program with threads allocate allows it. */
static inline void sleep_on(uint32_t *word, uint32_t seen, long us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	syscall6(SYS_futex, (long)word, FUTEX_WAIT, seen, (long)&t, 0, 0);
}

static inline uint64_t monotonic_us(void)
{
	struct timespec t = { 0, 0 };

	syscall3(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&t, 0);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

#endif
