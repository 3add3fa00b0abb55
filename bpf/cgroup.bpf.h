/* cgroup.bpf.h - the cgroup that a run observes (config.cgroup_id): who is in it, what it uses.
 *
 * A cgroup is known by its hierarchy and the number of its directory. Helpers that compare cgroups
 * know v2 only, and answer 1 for a task of a v1 hierarchy: so the kernel's own structures are read.
 */
#ifndef TASKDIAG_CGROUP_BPF_H
#define TASKDIAG_CGROUP_BPF_H

#include "task.bpf.h"

#define CGROUP_LEVELS 64 /* of the observed cgroup: those in it may be any deeper */

enum cgroup_subsys_id {
	memory_cgrp_id,
};

struct cgroup___ids { /* up to 6.0 */
	u64 ancestor_ids[0];
} __attribute__((preserve_access_index));

/* Address of its struct mem_cgroup, once a process of it was seen; 0: none, or it was removed. */
__u64 cgroup_memory __weak = 0;

static __always_inline __u64 css_at(const void *subsys)
{
	__u64 css = 0;

	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		bpf_probe_read_kernel(&css, sizeof(css),
				      subsys + 8 * core_constant(bpf_core_enum_value(
						       enum cgroup_subsys_id, memory_cgrp_id)));
	return css;
}

/* The cgroup of a process in the hierarchy that is observed; 0: none. */
static __always_inline __u64 cgroup_of(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, group_leader, cgroups);

	if (!config.cgroup_hierarchy)
		return (__u64)BPF_CORE_READ(set, dfl_cgrp);
	return (__u64)BPF_CORE_READ(
	    (struct cgroup_subsys_state *)css_at((void *)set +
						 bpf_core_field_offset(struct css_set, subsys)),
	    cgroup);
}

static __always_inline __u64 ancestor_id(__u64 cgroup, __u32 level)
{
	__u64 value = 0;

	if (bpf_core_field_exists(((struct cgroup *)0)->ancestors)) {
		bpf_probe_read_kernel(
		    &value, sizeof(value),
		    (void *)cgroup +
			core_constant(bpf_core_field_offset(struct cgroup, ancestors)) + 8 * level);
		return BPF_CORE_READ((struct cgroup *)value, kn, id);
	}
	bpf_probe_read_kernel(
	    &value, sizeof(value),
	    (void *)cgroup +
		core_constant(bpf_core_field_offset(struct cgroup___ids, ancestor_ids)) +
		8 * level);
	return value;
}

/* Whether @cgroup is the observed one or below it. From the root down: that is near, however deep
 * @cgroup is. */
static __noinline int cgroup_is_in(__u64 cgroup)
{
	__u32 level = BPF_CORE_READ((struct cgroup *)cgroup, level);

	if (!cgroup ||
	    BPF_CORE_READ((struct cgroup *)cgroup, root, hierarchy_id) != config.cgroup_hierarchy)
		return 0;
	for (__u32 i = 0; i < CGROUP_LEVELS && i <= level; i++)
		if (ancestor_id(cgroup, i) == config.cgroup_id)
			return 1;
	return 0;
}

/* From a cgroup that is in it: where the kernel counts the memory of the observed one. */
static __always_inline void cgroup_memory_find(__u64 cgroup)
{
	if (cgroup_memory)
		return;
	for (__u32 i = 0; i < CGROUP_LEVELS && cgroup; i++) {
		__u64 parent;

		if (BPF_CORE_READ((struct cgroup *)cgroup, kn, id) == config.cgroup_id) {
			cgroup_memory =
			    css_at((void *)cgroup + bpf_core_field_offset(struct cgroup, subsys));
			return;
		}
		parent = (__u64)BPF_CORE_READ((struct cgroup *)cgroup, self.parent);
		if (!parent)
			return;
		cgroup = (__u64)BPF_CORE_READ((struct cgroup_subsys_state *)parent, cgroup);
	}
}

/* Whether a process belongs to the task by its cgroup. */
static __always_inline bool cgroup_has(struct task_struct *task)
{
	__u64 cgroup = cgroup_of(task);

	if (!cgroup_is_in(cgroup))
		return false;
	cgroup_memory_find(cgroup);
	return true;
}

/* The kernel's own highest usage, in pages: its files are gone with the cgroup, this stays. */
__u64 cgroup_watermark __weak = 0;

static __always_inline void cgroup_watermark_see(void)
{
	struct mem_cgroup *memory = (struct mem_cgroup *)cgroup_memory;
	__u64 pages = memory ? BPF_CORE_READ(memory, memory.watermark) : 0;

	if (pages > cgroup_watermark)
		cgroup_watermark = pages;
}

/* Pages that the cgroup has in use; 0: not known. */
static __always_inline __u64 cgroup_usage(void)
{
	struct mem_cgroup *memory = (struct mem_cgroup *)cgroup_memory;

	return memory ? BPF_CORE_READ(memory, memory.usage.counter) : 0;
}

#endif
