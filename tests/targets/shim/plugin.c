/* plugin.c - a library for "corners dlopen": it allocates when it is loaded, called, and unloaded.
 */
#include <stdlib.h>

static void *held;

void *make(void);
void *make(void)
{
	return malloc(1022);
}

__attribute__((constructor)) static void loaded(void)
{
	held = malloc(2031);
}

__attribute__((destructor)) static void unloaded(void)
{
	free(held);
}
