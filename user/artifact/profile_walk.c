/* profile_walk.c - see profile_walk.h */
#include "artifact/profile_walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"

struct node {
	uint32_t parent, label;
	uint32_t depth; /* not part of the key */
};

static const char *const entities[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };
static const char plain[] = "&<>\"'";

/* Undoes the quoting of escape_xml(), not what it has made visible: every & of the text itself is
 * an entity by now, so nothing else can be taken for one. */
static void unquote(char *s)
{
	char *to = s;

	while (*s) {
		size_t i = 0, n = 1;

		while (*s == '&' && i < sizeof(entities) / sizeof(entities[0]) &&
		       strncmp(s, entities[i], strlen(entities[i])))
			i++;
		if (*s == '&' && i < sizeof(entities) / sizeof(entities[0])) {
			n = strlen(entities[i]);
			*to++ = plain[i];
		} else {
			*to++ = *s;
		}
		s += n;
	}
	*to = '\0';
}

/* Ends @s with an ellipsis in time, between two characters. */
static void cut(char *s)
{
	size_t at = PROFILE_NAME_BYTES - strlen("…");

	if (strlen(s) <= PROFILE_NAME_BYTES)
		return;
	for (int i = 0; i < 3 && ((unsigned char)s[at] & 0xc0) == 0x80; i++)
		at--; /* no character is longer than 4 bytes */
	strcpy(s + at, "…");
}

char *profile_safe_name(const char *s)
{
	/* of a longer one nothing more is read: every byte is at least one byte of the result */
	_cleanup_free_ char *head = strndup(s, PROFILE_NAME_BYTES + 4);
	_cleanup_free_ char *utf8 = NULL;
	char *safe;

	if (!head)
		return NULL;
	if (strlen(head) > PROFILE_NAME_BYTES) /* a character cut in two is not an invalid one */
		cut(head);
	utf8 = escape_utf8(head);
	safe = utf8 ? escape_xml(utf8) : NULL;
	if (!safe)
		return NULL;
	unquote(safe);
	cut(safe);
	return safe;
}

char *profile_name_with_id(const char *name, uint32_t id)
{
	_cleanup_free_ char *safe = profile_safe_name(name);
	char suffix[16];
	size_t length, n = (size_t)snprintf(suffix, sizeof(suffix), "-%u", id);
	char *text = NULL;

	if (!safe)
		return NULL;
	length = strlen(safe);
	if (length > n && !strcmp(safe + length - n, suffix))
		return take_ptr(safe);
	return asprintf(&text, "%s%s", safe, suffix) < 0 ? NULL : text;
}

static uint32_t *numbers(size_t count)
{
	return calloc(count + 1, sizeof(uint32_t)); /* never of size 0 */
}

static uint32_t label_of(struct profile_walk *w, const struct profile_shown *shown)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int err;

	if (!f)
		return INTERN_NONE;
	err = w->show(f, shown);
	return fclose(f) || err ? INTERN_NONE : strings_add(&w->labels, text);
}

static uint32_t label_of_frame(struct profile_walk *w, const struct profile_frame *f)
{
	_cleanup_free_ char *name = profile_safe_name(*f->name ? f->name : "?");
	_cleanup_free_ char *file = f->file ? profile_safe_name(f->file) : NULL;
	_cleanup_free_ char *module = NULL;
	struct profile_shown shown = { .kind = SHOWN_FRAME,
				       .line = f->line,
				       .first_line = f->first_line,
				       .python = f->python,
				       .name = name };

	if (f->mapping != PROFILE_NONE)
		module = profile_safe_name(profile_mapping_at(w->profile, f->mapping)->path);
	if (!name || (f->file && !file) || (f->mapping != PROFILE_NONE && !module))
		return INTERN_NONE;
	shown.file = file && *file ? file : NULL;
	shown.module = module && *module ? module : NULL;
	return label_of(w, &shown);
}

static uint32_t node_of(struct profile_walk *w, uint32_t parent, uint32_t label)
{
	struct node key = { .parent = parent, .label = label }, *n;
	uint32_t i = label == INTERN_NONE ? INTERN_NONE : intern_add(&w->nodes, &key);

	if (i == INTERN_NONE)
		return INTERN_NONE;
	n = intern_at(&w->nodes, i);
	if (!n->depth)
		n->depth = parent == INTERN_NONE ? 1 : profile_walk_depth(w, parent) + 1;
	return i;
}

static uint32_t node_of_thread(struct profile_walk *w, const struct profile_thread *t)
{
	const struct profile_process *x = profile_process_at(w->profile, t->process);
	_cleanup_free_ char *process = profile_name_with_id(x->name, x->pid);
	_cleanup_free_ char *thread = profile_name_with_id(t->name, t->tid);
	uint32_t root;

	if (!process || !thread)
		return INTERN_NONE;
	root = node_of(w, INTERN_NONE,
		       label_of(w, &(struct profile_shown){ SHOWN_PROCESS, .name = process }));
	if (root == INTERN_NONE)
		return INTERN_NONE;
	return node_of(w, root,
		       label_of(w, &(struct profile_shown){ SHOWN_THREAD, .name = thread }));
}

static int walk_causes(struct profile_walk *w)
{
	for (uint32_t i = 0; i < profile_cause_count(w->profile); i++) {
		const struct profile_cause *c = profile_cause_at(w->profile, i);
		_cleanup_free_ char *name = NULL;

		w->cause_label[i] = INTERN_NONE;
		if (c->running)
			continue;
		name = profile_safe_name(c->name);
		if (name)
			w->cause_label[i] =
			    label_of(w, &(struct profile_shown){ SHOWN_CAUSE, .name = name });
		if (w->cause_label[i] == INTERN_NONE)
			return -ENOMEM;
	}
	return 0;
}

static int walk_stacks(struct profile_walk *w)
{
	const struct profile *p = w->profile;

	for (uint32_t i = 0; i < profile_frame_count(p); i++) {
		w->frame_label[i] = label_of_frame(w, profile_frame_at(p, i));
		if (w->frame_label[i] == INTERN_NONE)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < profile_stack_count(p); i++) {
		uint32_t parent = profile_stack_parent(p, i); /* made before its children */

		w->stack_node[i] =
		    node_of(w, parent == PROFILE_NO_STACK ? INTERN_NONE : w->stack_node[parent],
			    w->frame_label[profile_stack_frame(p, i)]);
		if (w->stack_node[i] == INTERN_NONE)
			return -ENOMEM;
	}
	return 0;
}

int profile_walk_init(struct profile_walk *w, const struct profile *p, profile_show_fn show)
{
	*w = (struct profile_walk){ .profile = p, .show = show };
	strings_init(&w->labels);
	intern_init(&w->nodes, sizeof(struct node), offsetof(struct node, depth));
	intern_init(&w->lines, sizeof(struct profile_line), offsetof(struct profile_line, marks));
	w->stack_node = numbers(profile_stack_count(p));
	w->frame_label = numbers(profile_frame_count(p));
	w->cause_label = numbers(profile_cause_count(p));
	w->no_frames =
	    label_of(w, &(struct profile_shown){ SHOWN_FRAME, .name = PROFILE_NO_FRAMES });
	if (!w->stack_node || !w->frame_label || !w->cause_label || w->no_frames == INTERN_NONE ||
	    walk_causes(w))
		return -ENOMEM;
	return walk_stacks(w);
}

void profile_walk_clear(struct profile_walk *w)
{
	intern_clear(&w->lines);
	intern_clear(&w->nodes);
	strings_clear(&w->labels);
	free(w->stack_node);
	free(w->frame_label);
	free(w->cause_label);
	free(w->thread_root);
	free(w->path);
}

uint32_t profile_walk_stack(struct profile_walk *w, uint32_t stack)
{
	return stack == PROFILE_NO_STACK ? node_of(w, INTERN_NONE, w->no_frames)
					 : w->stack_node[stack];
}

uint32_t profile_walk_root(struct profile_walk *w, const char *name)
{
	struct profile_shown shown = { .kind = SHOWN_FRAME, .name = name };

	return node_of(w, INTERN_NONE, label_of(w, &shown));
}

uint32_t profile_walk_leaf(struct profile_walk *w, const struct profile_sample *s)
{
	uint32_t cause = w->cause_label[s->cause];

	if (cause == INTERN_NONE)
		return profile_walk_stack(w, s->stack);
	return node_of(w, s->stack == PROFILE_NO_STACK ? INTERN_NONE : w->stack_node[s->stack],
		       cause);
}

uint32_t profile_walk_parent(const struct profile_walk *w, uint32_t node)
{
	return ((struct node *)intern_at(&w->nodes, node))->parent;
}

uint32_t profile_walk_label_of(const struct profile_walk *w, uint32_t node)
{
	return ((struct node *)intern_at(&w->nodes, node))->label;
}

uint32_t profile_walk_depth(const struct profile_walk *w, uint32_t node)
{
	return ((struct node *)intern_at(&w->nodes, node))->depth;
}

const uint32_t *profile_walk_path(struct profile_walk *w, uint32_t node, size_t *ret_length)
{
	size_t depth = profile_walk_depth(w, node);

	if (depth > w->path_room) {
		uint32_t *path = reallocarray(w->path, depth * 2, sizeof(*path));

		if (!path)
			return NULL;
		w->path = path;
		w->path_room = depth * 2;
	}
	*ret_length = depth;
	while (depth--) {
		const struct node *n = intern_at(&w->nodes, node);

		w->path[depth] = n->label;
		node = n->parent;
	}
	return w->path;
}

const char *profile_walk_label(const struct profile_walk *w, uint32_t label)
{
	return strings_at(&w->labels, label);
}

/* Frame by frame from the root: both climb to the node below their nearest common one. */
static int compare_nodes(const struct profile_walk *w, uint32_t a, uint32_t b)
{
	const struct node *x = intern_at(&w->nodes, a), *y = intern_at(&w->nodes, b);
	int shorter = (x->depth > y->depth) - (x->depth < y->depth);

	while (x->depth > y->depth) {
		a = x->parent;
		x = intern_at(&w->nodes, a);
	}
	while (y->depth > x->depth) {
		b = y->parent;
		y = intern_at(&w->nodes, b);
	}
	if (a == b)
		return shorter;
	while (x->parent != y->parent) {
		x = intern_at(&w->nodes, x->parent);
		y = intern_at(&w->nodes, y->parent);
	}
	return strcmp(strings_at(&w->labels, x->label), strings_at(&w->labels, y->label));
}

static int by_text(const void *a, const void *b, void *walk)
{
	const struct profile_line *x = *(const struct profile_line **)a;
	const struct profile_line *y = *(const struct profile_line **)b;
	const struct profile_walk *w = walk;

	return compare_nodes(w, x->root == y->root ? x->node : x->root,
			     x->root == y->root ? y->node : y->root);
}

int profile_walk_threads(struct profile_walk *w)
{
	_cleanup_free_ uint32_t *root = NULL;

	if (w->thread_root)
		return 0;
	root = numbers(profile_thread_count(w->profile));
	for (uint32_t i = 0; root && i < profile_thread_count(w->profile); i++) {
		root[i] = node_of_thread(w, profile_thread_at(w->profile, i));
		if (root[i] == INTERN_NONE)
			return -ENOMEM;
	}
	w->thread_root = take_ptr(root);
	return w->thread_root ? 0 : -ENOMEM;
}

int profile_walk_add(struct profile_walk *w, uint32_t thread, uint32_t node, uint64_t value)
{
	struct profile_line key = { .node = node };
	uint32_t line;

	if (profile_walk_threads(w))
		return -ENOMEM;
	key.root = w->thread_root[thread];
	line = intern_add(&w->lines, &key);
	if (line == INTERN_NONE)
		return -ENOMEM;
	((struct profile_line *)intern_at(&w->lines, line))->marks += value;
	return 0;
}

int profile_walk_sorted(const struct profile_walk *w, const struct profile_line ***ret)
{
	const struct profile_line **sorted =
	    calloc(w->lines.count + (size_t)1, sizeof(struct profile_line *));

	if (!sorted)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->lines.count; i++)
		sorted[i] = intern_at(&w->lines, i);
	qsort_r(sorted, w->lines.count, sizeof(struct profile_line *), by_text, (void *)w);
	*ret = sorted;
	return 0;
}

void profile_walk_restart(struct profile_walk *w)
{
	intern_clear(&w->lines);
}

int profile_walk_lines(struct profile_walk *w, const struct profile_line ***ret)
{
	for (uint32_t i = 0; i < profile_sample_count(w->profile); i++) {
		const struct profile_sample *s = profile_sample_at(w->profile, i);
		uint32_t node = profile_walk_leaf(w, s);

		if (node == INTERN_NONE || profile_walk_add(w, s->thread, node, s->marks))
			return -ENOMEM;
	}
	return profile_walk_sorted(w, ret);
}
