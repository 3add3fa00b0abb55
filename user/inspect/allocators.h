/* allocators.h - where an ELF file has functions of an allocator, and the USDT probes of
 * otel_memory: places for uprobes.
 *
 *   .dynsym, .symtab ──► malloc, free, … by name ──► offset of an instruction near the entry
 *   .note.stapsdt    ──► otel_memory:alloc, free ──► offset, semaphore, where arguments are
 *
 * A uprobe on an instruction that the kernel emulates costs one trap, any other costs two: of the
 * first instructions one is taken that it emulates, as long as all before leave arguments and stack
 * as they are. The file is hostile.
 *
 * An operator new that throws has no probe: its return address would be one of the kernel's, which
 * the unwinder of exceptions does not know, and the task would end where it now catches.
 *
 * The probes: alloc(address, bytes, bytes that the sample stands for), free(address), after the
 * design document 00003-memory-profiling of opentelemetry-ebpf-profiler. The notes: systemtap's
 * sys/sdt.h.
 */
#ifndef TASKDIAG_ALLOCATORS_H
#define TASKDIAG_ALLOCATORS_H

#include "inspect/elf_file.h"
#include "inspect/inspect.h"

/** 0, with none too; -ENOEXEC, -EFBIG, errors of elf_file_read_new(). f->cause says which. */
int allocators_read(struct elf_file *f, struct inspect_allocators *ret);

/** Bytes from the entry of a function, whose first @size bytes of code are @code, to the place of
 * its probe. *ret_stepped: the kernel has to execute that instruction apart. */
unsigned allocators_place(const uint8_t *code, size_t size, bool *ret_stepped);

/** The arguments of a USDT probe ("8@%rdi -4@$3 8@-16(%rbp)") as a cookie of heap.h. 0; -EINVAL:
 * fewer than @count, or none that a cookie can hold. */
int usdt_arguments(const char *text, unsigned count, uint64_t *ret_cookie);

#endif
