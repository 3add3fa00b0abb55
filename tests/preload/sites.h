/* sites.h - traces the sites of the shim with plain uprobes that only count: the kernel changes the
 * sites' instructions as it does for the real observer. */
#ifndef TEST_PRELOAD_SITES_H
#define TEST_PRELOAD_SITES_H

/** Every process that maps the library at @path. Exits when it cannot. */
void sites_trace(const char *path);
/** Prints "sites taskdiag_hello=N …", if they are traced. */
void sites_report(void);

#endif
