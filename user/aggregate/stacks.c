/* stacks.c - see stacks.h */
#include "aggregate/stacks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define ROOM_FIRST 256

struct node {
	uint64_t frame;
	uint32_t parent;
};

struct stack {
	uint64_t id;
	uint32_t node;
};

/* Open addressing: numbers of the things in an array, found by a hash that the caller computes. */
struct index {
	uint32_t *slots; /* NONE: free */
	size_t size;	 /* power of two, at least twice as many as are in it */
};

struct stacks {
	uint64_t overflowed;
	struct node *nodes;
	struct stack *stacks;
	size_t node_count, stack_count;
	size_t node_room, stack_room;
	struct index by_frame, by_id;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ (b * 0x9e3779b97f4a7c15ULL)) * 0xff51afd7ed558ccdULL;

	return h ^ h >> 32;
}

static uint64_t node_hash(const struct node *n)
{
	return mix(n->frame, n->parent);
}

static void index_put(struct index *x, uint64_t hash, uint32_t number)
{
	size_t at = hash & (x->size - 1);

	while (x->slots[at] != NONE)
		at = (at + 1) & (x->size - 1);
	x->slots[at] = number;
}

/* Room for one more of @count things. False: no memory, and nothing has changed. */
static bool index_grow(struct index *x, size_t count,
		       uint64_t (*hash)(const struct stacks *, uint32_t), const struct stacks *s)
{
	struct index grown = { .size = x->size ? x->size * 2 : ROOM_FIRST * 2 };

	if (2 * (count + 1) <= x->size)
		return true;
	grown.slots = malloc(grown.size * sizeof(*grown.slots));
	if (!grown.slots)
		return false;
	memset(grown.slots, 0xff, grown.size * sizeof(*grown.slots));
	for (size_t i = 0; i < count; i++)
		index_put(&grown, hash(s, i), i);
	free(x->slots);
	*x = grown;
	return true;
}

static uint64_t hash_of_node(const struct stacks *s, uint32_t i)
{
	return node_hash(&s->nodes[i]);
}

static uint64_t hash_of_stack(const struct stacks *s, uint32_t i)
{
	return mix(s->stacks[i].id, 0);
}

static bool room(void **array, size_t *room, size_t count, size_t bytes)
{
	size_t more = *room ? *room * 2 : ROOM_FIRST;
	void *grown;

	if (count < *room)
		return true;
	grown = reallocarray(*array, more, bytes);
	if (!grown)
		return false;
	*array = grown;
	*room = more;
	return true;
}

static uint32_t find_node(const struct stacks *s, uint32_t parent, uint64_t frame)
{
	struct node wanted = { .frame = frame, .parent = parent };
	size_t at = node_hash(&wanted) & (s->by_frame.size - 1);

	for (; s->by_frame.slots[at] != NONE; at = (at + 1) & (s->by_frame.size - 1)) {
		const struct node *n = &s->nodes[s->by_frame.slots[at]];

		if (n->frame == frame && n->parent == parent)
			return s->by_frame.slots[at];
	}
	return NONE;
}

static int add_node(struct stacks *s, uint32_t parent, uint64_t frame, uint32_t *ret)
{
	uint32_t known = s->by_frame.size ? find_node(s, parent, frame) : NONE;

	*ret = known;
	if (known != NONE)
		return 0;
	if (s->node_count == STACKS_NODES_MAX)
		return -ENOSPC;
	if (!room((void **)&s->nodes, &s->node_room, s->node_count, sizeof(*s->nodes)) ||
	    !index_grow(&s->by_frame, s->node_count, hash_of_node, s))
		return -ENOMEM;
	s->nodes[s->node_count] = (struct node){ .frame = frame, .parent = parent };
	index_put(&s->by_frame, hash_of_node(s, s->node_count), s->node_count);
	*ret = s->node_count++;
	return 0;
}

struct stacks *stacks_new(void)
{
	struct stacks *s = calloc(1, sizeof(*s));
	uint32_t node;

	if (!s)
		return NULL;
	/* root and overflow are their own parents: no frame finds them */
	for (uint32_t i = STACKS_ROOT; i <= STACKS_OVERFLOW; i++) {
		if (add_node(s, NONE - i, 0, &node)) {
			stacks_free(s);
			errno = ENOMEM;
			return NULL;
		}
	}
	return s;
}

void stacks_free(struct stacks *s)
{
	if (!s)
		return;
	free(s->nodes);
	free(s->stacks);
	free(s->by_frame.slots);
	free(s->by_id.slots);
	free(s);
}

static struct stack *find_stack(const struct stacks *s, uint64_t id)
{
	size_t at = mix(id, 0) & (s->by_id.size - 1);

	if (!s->by_id.size)
		return NULL;
	for (; s->by_id.slots[at] != NONE; at = (at + 1) & (s->by_id.size - 1))
		if (s->stacks[s->by_id.slots[at]].id == id)
			return &s->stacks[s->by_id.slots[at]];
	return NULL;
}

static int set_stack(struct stacks *s, uint64_t id, uint32_t node)
{
	struct stack *known = find_stack(s, id);

	if (known) {
		known->node = node;
		return 0;
	}
	if (s->stack_count == STACKS_IDS_MAX)
		return -ENOSPC;
	if (!room((void **)&s->stacks, &s->stack_room, s->stack_count, sizeof(*s->stacks)) ||
	    !index_grow(&s->by_id, s->stack_count, hash_of_stack, s))
		return -ENOMEM;
	s->stacks[s->stack_count] = (struct stack){ .id = id, .node = node };
	index_put(&s->by_id, hash_of_stack(s, s->stack_count), s->stack_count);
	s->stack_count++;
	return 0;
}

int stacks_add(struct stacks *s, uint64_t id, const uint64_t *frames, size_t count)
{
	uint32_t node = STACKS_ROOT;
	int err = 0;

	for (size_t i = 0; !err && i < count; i++)
		err = add_node(s, node, frames[i], &node);
	if (!err)
		err = set_stack(s, id, node);
	if (err) {
		s->overflowed++;
		/* without room for the id stacks_node() says so */
		set_stack(s, id, STACKS_OVERFLOW);
	}
	return err;
}

uint32_t stacks_node(const struct stacks *s, uint64_t id)
{
	const struct stack *stack = id ? find_stack(s, id) : NULL;

	if (!stack && id && s->stack_count == STACKS_IDS_MAX)
		return STACKS_OVERFLOW;
	return stack ? stack->node : STACKS_ROOT;
}

size_t stacks_count(const struct stacks *s)
{
	return s->node_count;
}

uint32_t stacks_parent(const struct stacks *s, uint32_t node)
{
	return node <= STACKS_OVERFLOW ? STACKS_ROOT : s->nodes[node].parent;
}

uint64_t stacks_frame(const struct stacks *s, uint32_t node)
{
	return s->nodes[node].frame;
}

uint64_t stacks_overflowed(const struct stacks *s)
{
	return s->overflowed;
}
