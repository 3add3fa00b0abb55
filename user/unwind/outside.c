/* outside.c - see outside.h */
#include "unwind/outside.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct unwind_state;
static const __u64 *unwind_chunk(struct unwind_state *s, __u32 chunk);
static const struct mapping *unwind_mapping(struct unwind_state *s, __u32 i);
static long unwind_read(struct unwind_state *s, void *to, __u32 bytes, __u64 address);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* "unroll" is clang's */
#include "bpf/unwind_step.h"
#pragma GCC diagnostic pop

#define STACK_BYTES PEEK_BYTES

/* A system call costs as much as 20 frames: the top of the stack is read at once. */
struct outside {
	struct unwind_state state; /* first: the step knows only this */
	struct space *space;
	const struct mappings *mappings;
	struct peek *peek;
	pid_t pid;
	uint64_t stack_at;
	size_t stack_bytes;
	uint8_t stack[STACK_BYTES];
};

static const __u64 *unwind_chunk(struct unwind_state *s, __u32 chunk)
{
	return (const __u64 *)space_chunk(((struct outside *)s)->space, chunk);
}

static const struct mapping *unwind_mapping(struct unwind_state *s, __u32 i)
{
	return mappings_at(((struct outside *)s)->mappings, i);
}

static long unwind_read(struct unwind_state *s, void *to, __u32 bytes, __u64 address)
{
	struct outside *o = (struct outside *)s;
	uint64_t into = address - o->stack_at;

	if (into < o->stack_bytes && o->stack_bytes - into >= bytes) {
		memcpy(to, o->stack + into, bytes);
		return 0;
	}
	return peek_read(o->peek, o->pid, to, bytes, address) == bytes ? 0 : -EFAULT;
}

enum unwind_outcome outside_walk(struct space *space, const struct mappings *mappings,
				 uint32_t first, uint32_t count, struct peek *peek, pid_t pid,
				 const struct unwind_registers *registers, uint64_t *frames,
				 size_t *ret_count)
{
	static struct outside o; /* 20 KiB; one thread */
	int outcome = UNWIND_RUNNING;

	o.space = space;
	o.mappings = mappings;
	o.peek = peek;
	o.pid = pid;
	o.stack_at = registers->sp;
	o.stack_bytes = peek_read(peek, pid, o.stack, sizeof(o.stack), registers->sp);
	unwind_begin(&o.state, registers->pc, registers->sp, registers->bp, registers->bx);
	o.state.first = first;
	o.state.count = count;
	for (int i = 0; i < FRAMES_MAX && outcome == UNWIND_RUNNING; i++)
		outcome = unwind_advance(&o.state);
	memcpy(frames, o.state.frames, o.state.frame_count * sizeof(*frames));
	*ret_count = o.state.frame_count;
	return outcome ? outcome : UNWIND_DEPTH;
}
