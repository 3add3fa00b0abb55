/* forward.h - a child that gets the signals which would end us: Ctrl-C reaches both by the
 * terminal, the others are sent on. Private to cli/. */
#ifndef TASKDIAG_FORWARD_H
#define TASKDIAG_FORWARD_H

#include <sys/types.h>

/** As fork(). The child has the dispositions that we had. */
pid_t forward_fork(void);
/** Ours are as before. After the child was waited for. Returns the last signal that came; 0: none.
 */
int forward_end(void);

#endif
