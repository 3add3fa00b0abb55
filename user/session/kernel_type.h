/* kernel_type.h - whether this kernel's type information (BTF) names something. */
#ifndef TASKDIAG_KERNEL_TYPE_H
#define TASKDIAG_KERNEL_TYPE_H

#include <stdbool.h>

/** Searches /sys/kernel/btf/vmlinux for the string @name: 2 ms and no memory, where libbpf would
 * parse all of it. False when it cannot be read. */
bool kernel_type_exists(const char *name);

#endif
