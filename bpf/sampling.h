/* sampling.h - which pages stand for their groups; shared by bpf/ and user/.
 *
 * Of each aligned group of 2^shift pages exactly one is sampled. A group of level k is made of two
 * groups of level k - 1: a bit of a hash of its number says which of these gives it its sample. So
 * the samples of a level are among those of the level below.
 */
#ifndef TASKDIAG_SAMPLING_H
#define TASKDIAG_SAMPLING_H

#include <linux/types.h>

#define SAMPLING_SHIFT_MAX 10

static inline __attribute__((always_inline)) __u64 sampling_bit(__u64 group, __u32 level)
{
	__u64 h = (group + level * 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL;

	h = (h ^ h >> 32) * 0x94d049bb133111ebULL; /* a stride of pages must not meet a pattern */
	return h >> 63;
}

/* Half of all pages are told by the first level, a quarter by the second. */
static inline __attribute__((always_inline)) int page_sampled(__u64 page, __u32 shift)
{
	for (__u32 level = 1; level <= SAMPLING_SHIFT_MAX; level++) {
		if (level > shift)
			break;
		if ((page >> (level - 1) & 1) != sampling_bit(page >> level, level))
			return 0;
	}
	return 1;
}

/* The sampled page of group number @group: its pages begin at group << shift. */
static inline __attribute__((always_inline)) __u64 group_sample(__u64 group, __u32 shift)
{
	for (__u32 level = SAMPLING_SHIFT_MAX; level > 0; level--)
		if (level <= shift)
			group = group << 1 | sampling_bit(group, level);
	return group;
}

#endif
