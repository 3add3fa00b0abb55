/* cache.bpf.c - page cache that is charged to the observed cgroup, by file.
 *
 *   page added ──► whose is it? ──► cached_files[device, inode] += pages ──► read at a look
 *   page removed ─────────────────────────────────────────── -= pages
 *   first page of a file ──► EV_FILE: its names, from the file up to the root of its file system
 *
 * A page is charged before it is added and until after it was removed. Pages of tmpfs do not come
 * this way; the kernel counts them apart (shmem).
 */
#include "cgroup.bpf.h"

#define MEMCG_DATA_FLAGS 7 /* low bits of memcg_data; bit 0 and 1: no page of the page cache */

struct address_space___c {
	struct inode___c *host;
} __attribute__((preserve_access_index));

struct folio___c {
	struct address_space___c *mapping;
	unsigned long memcg_data;
	unsigned long _flags_1; /* its low byte: order */
} __attribute__((preserve_access_index));

struct page___c { /* before 5.18 */
	struct address_space___c *mapping;
	unsigned long memcg_data;
	void *mem_cgroup; /* before 5.11 */
} __attribute__((preserve_access_index));

struct obj_cgroup___c { /* since 7.x between a page and its memcg; is_root came with that */
	void *memcg;
	bool is_root;
} __attribute__((preserve_access_index));

struct hlist_head___c {
	void *first;
} __attribute__((preserve_access_index));

struct super_block___c {
	__u32 s_dev;
} __attribute__((preserve_access_index));

struct inode___c {
	unsigned long i_ino;
	struct super_block___c *i_sb;
	struct hlist_head___c i_dentry;
} __attribute__((preserve_access_index));

struct qstr___c {
	const unsigned char *name;
} __attribute__((preserve_access_index));

struct dentry___c {
	struct dentry___c *d_parent;
	struct qstr___c d_name;
	union {
		void *d_alias;
	} d_u;
} __attribute__((preserve_access_index));

struct hlist_node___c {
	void *next;
} __attribute__((preserve_access_index));

struct dentry___flat { /* 7.x: of a union without a name */
	struct hlist_node___c d_alias;
} __attribute__((preserve_access_index));

enum pageflags {
	PG_head,
};

/* (device, inode) → pages. Written here; read by session. 16,384 files; what finds no room is in
 * cached_others. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_CACHED_FILES);
	__type(key, struct cached_file);
	__type(value, __s64);
} cached_files SEC(".maps");

__s64 cached_others = 0; /* pages of files that found no room */

/* The last answer on each CPU: pages come in rows. */
struct {
	__u64 memory;
	__u64 is_in;
	__u64 line[6];
} cache_here[MAX_CPUS] = {};

static __always_inline __u64 charge_of(__u64 page)
{
	if (bpf_core_field_exists(((struct folio___c *)0)->memcg_data))
		return BPF_CORE_READ((struct folio___c *)page, memcg_data);
	if (bpf_core_field_exists(((struct page___c *)0)->memcg_data))
		return BPF_CORE_READ((struct page___c *)page, memcg_data);
	if (bpf_core_field_exists(((struct page___c *)0)->mem_cgroup))
		return (__u64)BPF_CORE_READ((struct page___c *)page, mem_cgroup);
	return 0;
}

/* Address of the struct mem_cgroup that a page is charged to; 0: none. */
static __always_inline __u64 memory_of(__u64 page)
{
	__u64 charge = charge_of(page);

	if (charge & MEMCG_DATA_FLAGS)
		return 0;
	if (charge && bpf_core_field_exists(((struct obj_cgroup___c *)0)->is_root))
		return (__u64)BPF_CORE_READ((struct obj_cgroup___c *)charge, memcg);
	return charge;
}

/* Whether a page is charged to the cgroup, or to one below it. */
static __always_inline bool is_charged(__u64 page)
{
	__u64 memory = memory_of(page), cgroup;
	__u32 cpu = bpf_get_smp_processor_id();

	if (!memory || cpu >= MAX_CPUS)
		return false;
	if (memory == cgroup_memory)
		return true;
	if (cache_here[cpu].memory == memory)
		return cache_here[cpu].is_in;
	cgroup = (__u64)BPF_CORE_READ((struct cgroup_subsys_state *)memory, cgroup);
	cache_here[cpu].is_in = cgroup_is_in(cgroup);
	cache_here[cpu].memory = memory;
	return cache_here[cpu].is_in;
}

static __always_inline __s64 pages_of(__u64 page)
{
	__u64 flags = 0, order;

	if (!bpf_core_field_exists(((struct folio___c *)0)->_flags_1) ||
	    !bpf_core_enum_value_exists(enum pageflags, PG_head))
		return 1;
	bpf_probe_read_kernel(&flags, sizeof(flags), (void *)page); /* its first word */
	if (!(flags >> core_constant(bpf_core_enum_value(enum pageflags, PG_head)) & 1))
		return 1;
	order = BPF_CORE_READ((struct folio___c *)page, _flags_1) & 0xff;
	return order < 20 ? 1LL << order : 1;
}

static __always_inline struct inode___c *inode_of(__u64 page)
{
	if (bpf_core_type_exists(struct folio___c))
		return BPF_CORE_READ((struct folio___c *)page, mapping, host);
	return BPF_CORE_READ((struct page___c *)page, mapping, host);
}

static __always_inline __u64 alias_offset(void)
{
	if (bpf_core_field_exists(((struct dentry___c *)0)->d_u))
		return core_constant(bpf_core_field_offset(struct dentry___c, d_u));
	return core_constant(bpf_core_field_offset(struct dentry___flat, d_alias));
}

/* One of its names, if it has any: a file may be linked several times, or not at all any more. */
static __always_inline void file_tell(struct inode___c *inode, const struct cached_file *key)
{
	__u64 alias = (__u64)BPF_CORE_READ(inode, i_dentry.first);
	struct dentry___c *dentry, *parent;
	struct file_event *e = record_reserve(sizeof(*e));
	__u32 length = 0;

	if (!e)
		return;
	header_fill(&e->h, EV_FILE, sizeof(*e));
	e->h.start_ns = 0;
	e->h.tgid = e->h.pid = e->h.task = 0;
	e->file = *key;
	dentry = alias ? (void *)(alias - alias_offset()) : NULL;
	for (int i = 0; i < FILE_NAMES && dentry; i++) {
		long n;

		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry || length > FILE_PATH_BYTES - FILE_NAME_BYTES)
			break;
		n = bpf_probe_read_kernel_str(e->path + length, FILE_NAME_BYTES,
					      BPF_CORE_READ(dentry, d_name.name));
		if (n <= 0)
			break;
		length += n & (2 * FILE_NAME_BYTES - 1);
		dentry = parent;
	}
	e->bytes = length;
	e->whole = dentry && parent == dentry;
	record_submit(e);
}

static __always_inline int cache_changed(__u64 page, __s64 sign)
{
	struct inode___c *inode;
	struct cached_file key = {};
	__s64 pages, *known;

	if (!cgroup_memory || !is_charged(page))
		return 0;
	inode = inode_of(page);
	key.inode = BPF_CORE_READ(inode, i_ino);
	key.device = BPF_CORE_READ(inode, i_sb, s_dev);
	pages = pages_of(page);
	known = bpf_map_lookup_elem(&cached_files, &key);
	if (known) {
		__sync_fetch_and_add(known, sign * pages);
		return 0;
	}
	if (sign < 0) /* it was there before us */
		return 0;
	if (bpf_map_update_elem(&cached_files, &key, &pages, BPF_NOEXIST)) {
		known = bpf_map_lookup_elem(&cached_files, &key);
		__sync_fetch_and_add(known ? known : &cached_others, pages);
		return 0;
	}
	file_tell(inode, &key);
	return 0;
}

SEC("?tp_btf/mm_filemap_add_to_page_cache")
int cache_added(__u64 *ctx)
{
	return cache_changed(ctx[0], 1);
}

SEC("?tp_btf/mm_filemap_delete_from_page_cache")
int cache_removed(__u64 *ctx)
{
	return cache_changed(ctx[0], -1);
}
