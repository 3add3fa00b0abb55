/* uprobe_walk.h - what uprobe_walk.bpf.c and uprobe_walk.c share. */
#ifndef UPROBE_WALK_H
#define UPROBE_WALK_H

#include <linux/types.h>

#define WALK_FRAMES_MAX 64

/* Frames follow, innermost first. As long as the head of a stack record (unwind_step.h). */
struct walk_record {
	__u64 chain;	   /* argument of the probed function */
	__u32 outcome;	   /* enum unwind_outcome */
	__u32 frame_count; /* more than WALK_FRAMES_MAX: the rest is not here */
	__u64 pad[5];
};
_Static_assert(sizeof(struct walk_record) == 56, "frames follow the head");

#endif
