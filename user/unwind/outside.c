/* outside.c - see outside.h */
#include "unwind/outside.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct unwind_state;
static const __u64 *unwind_chunk(struct unwind_state *s, __u32 chunk);
static const struct mapping *unwind_mapping(struct unwind_state *s, __u32 i);
static long unwind_read(struct unwind_state *s, void *to, __u32 bytes, __u64 address);
static long unwind_hijacked(struct unwind_state *s, __u64 address, __u64 *ret);
struct python_layout;
static const struct python_layout *python_layout_at(struct unwind_state *s, __u32 i);
static void python_count(struct unwind_state *s, const struct python_layout *layout, __u32 which);
static void python_met(struct unwind_state *s, const struct python_layout *layout);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* "unroll" is clang's */
#include "bpf/python_code.h"
#pragma GCC diagnostic pop

#define STACK_BYTES PEEK_BYTES
#define CODES_TOLD 4096 /* as the kernel's codes_seen: a power of two */

/* A system call costs as much as 20 frames: the top of the stack is read at once. */
struct outside {
	struct unwind_state state; /* first: the step knows only this */
	const struct outside_tables *tables;
	pid_t pid;
	unwind_code_fn *code;
	void *context;
	uint64_t stack_at;
	size_t stack_bytes;
	uint8_t stack[STACK_BYTES];
};

/* Nobody can be asked from outside. */
static long unwind_hijacked(struct unwind_state *s, __u64 address, __u64 *ret)
{
	(void)s;
	(void)address;
	(void)ret;
	return -1;
}

static const __u64 *unwind_chunk(struct unwind_state *s, __u32 chunk)
{
	return (const __u64 *)space_chunk(((struct outside *)s)->tables->space, chunk);
}

static const struct mapping *unwind_mapping(struct unwind_state *s, __u32 i)
{
	return mappings_at(((struct outside *)s)->tables->mappings, i);
}

static long unwind_read(struct unwind_state *s, void *to, __u32 bytes, __u64 address)
{
	struct outside *o = (struct outside *)s;
	uint64_t into = address - o->stack_at;

	if (into < o->stack_bytes && o->stack_bytes - into >= bytes) {
		memcpy(to, o->stack + into, bytes);
		return 0;
	}
	return peek_read(o->tables->peek, o->pid, to, bytes, address) == bytes ? 0 : -EFAULT;
}

static const struct python_layout *python_layout_at(struct unwind_state *s, __u32 i)
{
	return pythons_at(mappings_pythons(((struct outside *)s)->tables->mappings), i);
}

static void python_count(struct unwind_state *s, const struct python_layout *layout, __u32 which)
{
	(void)layout;
	pythons_count(mappings_pythons(((struct outside *)s)->tables->mappings), which);
}

static void python_met(struct unwind_state *s, const struct python_layout *layout)
{
	static uint64_t told[CODES_TOLD];
	static struct code_record record;
	struct outside *o = (struct outside *)s;
	uint64_t *at = &told[s->python.code_id & (CODES_TOLD - 1)];
	size_t bytes;

	if (*at == s->python.code_id)
		return;
	*at = s->python.code_id;
	bytes = python_code_read(s, layout, &record);
	record.event.h = (struct event_header){ .type = EV_CODE, .size = bytes, .pid = o->pid };
	o->code(o->context, &record.event, bytes);
}

/* As in the kernel, see unwind.bpf.h. */
static int walk_advance(struct unwind_state *s)
{
	const struct python_layout *layout =
	    s->python.frame ? python_layout_at(s, s->python.layout) : NULL;
	int outcome;

	if (layout && python_is_here(s, layout))
		return python_advance(s, layout);
	s->python.told = 0;
	if (s->python.alone)
		return s->python.alone;
	outcome = unwind_advance(s);
	if (outcome <= UNWIND_COMPLETE || !s->python.frame)
		return outcome;
	s->python.alone = outcome;
	return UNWIND_RUNNING;
}

enum unwind_outcome outside_walk(const struct outside_tables *tables,
				 const struct unwind_process *process, pid_t pid,
				 const struct unwind_registers *registers, unwind_code_fn *code,
				 void *context, uint64_t *frames, size_t *ret_count)
{
	static struct outside o; /* 20 KiB; one thread */
	int outcome = UNWIND_RUNNING;

	o.tables = tables;
	o.pid = pid;
	o.code = code;
	o.context = context;
	o.stack_at = registers->sp;
	o.stack_bytes = peek_read(tables->peek, pid, o.stack, sizeof(o.stack), registers->sp);
	unwind_begin(&o.state, registers->pc, registers->sp, registers->bp, registers->bx);
	o.state.first = process->first;
	o.state.count = process->count;
	python_begin(&o.state, process->python, registers->thread_pointer);
	for (int i = 0; i < FRAMES_MAX && outcome == UNWIND_RUNNING; i++)
		outcome = walk_advance(&o.state);
	memcpy(frames, o.state.frames, o.state.frame_count * sizeof(*frames));
	*ret_count = o.state.frame_count;
	return outcome ? outcome : UNWIND_DEPTH;
}
