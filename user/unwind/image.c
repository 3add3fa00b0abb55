/* image.c - see image.h */
#include "unwind/image.h"

#include <errno.h>
#include <stdlib.h>

#include "unwind/layout.h"

/* An image is not written more often than its size allows: ranges rest for a second, and the array
 * has 65,536 entries for all. 300 mappings: every 30 ms. */
#define NS_PER_MAPPING 100000ULL
#define RETRY_NS 100000000ULL

struct image *image_new(const struct areas_watch *watch)
{
	struct image *image = calloc(1, sizeof(*image));

	if (!image)
		return NULL;
	image->areas.watch = watch;
	image->refs = 1;
	image->dirty = true;
	return image;
}

void image_put(struct image *image, struct mappings *mappings, uint64_t now_ns)
{
	if (!image || --image->refs)
		return;
	mappings_give(mappings, image->first, image->count, now_ns);
	pythons_give(mappings_pythons(mappings), image->python);
	areas_clear(&image->areas);
	free(image);
}

int image_own(struct image **image, struct mappings *mappings, uint64_t now_ns)
{
	struct image *own;

	if ((*image)->refs == 1)
		return 0;
	own = image_new((*image)->areas.watch);
	if (!own || areas_copy(&(*image)->areas, &own->areas)) {
		image_put(own, mappings, now_ns);
		return -ENOMEM;
	}
	image_put(*image, mappings, now_ns);
	*image = own;
	return 0;
}

bool image_is_stale(const struct image *image, const struct files *files)
{
	for (size_t i = 0; i < image->areas.count; i++)
		if (files_changed(files, image->areas.list[i].file))
			return true;
	return false;
}

/* Neighbours that are the same to a walk become one. */
static uint32_t append(struct mapping *list, uint32_t count, const struct mapping *m)
{
	struct mapping *last = count ? &list[count - 1] : NULL;

	if (last && last->start + last->length == m->start && last->kind == m->kind &&
	    last->kind != MAPPING_ROWS && last->file == m->file && last->bias == m->bias) {
		last->length += m->length;
		return count;
	}
	list[count] = *m;
	return count + 1;
}

static uint32_t image_lay_out(struct image *image, const struct files *files, struct mapping *list)
{
	struct mapping some[AREA_MAPPINGS_MAX];
	uint32_t count = 0;

	image->refused = 0;
	for (size_t i = 0; i < image->areas.count; i++) {
		const struct area *area = &image->areas.list[i];
		size_t n = layout_area(area, files_get(files, area->file), some);

		if (count + n > PROCESS_MAPPINGS_MAX) {
			image->refused = image->areas.count - i;
			break;
		}
		for (size_t k = 0; k < n; k++)
			count = append(list, count, &some[k]);
	}
	return count;
}

/* The first interpreter counts: of two in one process the walk could follow only one. */
static uint32_t image_python(const struct image *image, const struct files *files,
			     struct pythons *pythons)
{
	for (size_t i = 0; i < image->areas.count; i++) {
		const struct area *area = &image->areas.list[i];
		const struct file *file = files_get(files, area->file);
		uint64_t bias;

		if (file && file->python_problem)
			pythons_unknown(pythons, file->python_problem);
		if (file && file->python && layout_bias(area, file, &bias))
			return pythons_take(pythons, area->file, file->python, bias);
	}
	return 0;
}

int image_write(struct image *image, const struct files *files, struct mappings *mappings,
		uint64_t now_ns)
{
	static struct mapping list[PROCESS_MAPPINGS_MAX]; /* 128 KiB; one thread */
	struct pythons *pythons = mappings_pythons(mappings);
	uint32_t count, first, python;
	int err;

	if (!image->dirty)
		return 0;
	if (now_ns < image->next_ns)
		return -EAGAIN;
	count = image_lay_out(image, files, list);
	err = mappings_write(mappings, list, count, &first);
	image->next_ns = now_ns + (err ? RETRY_NS : count * NS_PER_MAPPING);
	if (err)
		return err;
	mappings_give(mappings, image->first, image->count, now_ns);
	image->first = first;
	image->count = count;
	python = image_python(image, files, pythons);
	pythons_give(pythons, image->python); /* after it was taken, if it is the same */
	image->python = python;
	image->dirty = false;
	return 0;
}
