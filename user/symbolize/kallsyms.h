/* kallsyms.h - kernel addresses → names, from /proc/kallsyms in one pass, without keeping its table
 * (150,000 symbols). kptr_restrict is honoured: hidden addresses are told, not guessed. */
#ifndef TASKDIAG_KALLSYMS_H
#define TASKDIAG_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>

/**
 * @addresses: sorted upwards. ret_names[i] becomes a new string, to be freed by the caller, or NULL
 * when no text symbol covers the address. 0; -EPERM when the kernel hides its addresses
 * (kernel.kptr_restrict); another -errno of @path. All are NULL then.
 */
int kallsyms_names(const char *path, const uint64_t *addresses, size_t count, char **ret_names);

#endif
