/* vmlinux.h - the kernel types that we read, reduced to the fields that we read; CO-RE finds their offsets.
 *
 * Made by scripts/gen-vmlinux from vmlinux/types.list and the BTF of Linux 6.18.44; not edited by hand.
 */
#ifndef TASKDIAG_VMLINUX_H
#define TASKDIAG_VMLINUX_H

#include <linux/types.h>

typedef __s32 s32;
typedef __s64 s64;
typedef __u32 u32;
typedef __u64 u64;
typedef int pid_t;
typedef unsigned short umode_t;
typedef _Bool bool;
enum { false, true };
typedef struct { int counter; } atomic_t;
typedef struct { s64 counter; } atomic_long_t;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct percpu_counter;
struct mm_struct;
struct inode;
struct file;
struct fdtable;
struct files_struct;
struct sched_info;
struct sched_entity;
struct upid;
struct pid;
struct signal_struct;
struct thread_info;
struct thread_struct;
struct task_struct;
struct bpf_iter_meta;
struct bpf_iter__task;
struct bpf_array;
struct cgroup_root;
struct kernfs_node;
struct cgroup_subsys_state;
struct cgroup;
struct css_set;
struct page_counter;
struct mem_cgroup;

struct percpu_counter {
	s64 count;
	s32 *counters;
};

struct mm_struct {
	long unsigned int exec_vm;
	long unsigned int brk;
	struct percpu_counter rss_stat[4];
};

struct inode {
	umode_t i_mode;
};

struct file {
	struct inode *f_inode;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct sched_info {
	long long unsigned int run_delay;
};

struct sched_entity {
	u64 sum_exec_runtime;
};

struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[0];
};

struct signal_struct {
	atomic_t live;
	int nr_threads;
	int group_exit_code;
	unsigned int flags;
	long unsigned int min_flt;
	long unsigned int maj_flt;
};

struct thread_info {
	u32 cpu;
};

struct thread_struct {
	long unsigned int fsbase;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	void *stack;
	unsigned int flags;
	int on_cpu;
	struct sched_entity se;
	bool throttled;
	struct sched_info sched_info;
	struct mm_struct *mm;
	int exit_code;
	unsigned int in_iowait: 1;
	unsigned int in_memstall: 1;
	pid_t pid;
	pid_t tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	long unsigned int nvcsw;
	long unsigned int nivcsw;
	u64 start_boottime;
	long unsigned int min_flt;
	long unsigned int maj_flt;
	char comm[16];
	struct files_struct *files;
	struct signal_struct *signal;
	struct css_set *cgroups;
	int pagefault_disabled;
	struct thread_struct thread;
};

struct bpf_iter_meta {
	struct seq_file *seq;
	u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_array {
	void *pptrs[0];
};

struct cgroup_root {
	int hierarchy_id;
};

struct kernfs_node {
	u64 id;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	int level;
	struct kernfs_node *kn;
	struct cgroup_subsys_state *subsys[12];
	struct cgroup_root *root;
	struct cgroup *ancestors[0];
};

struct css_set {
	struct cgroup_subsys_state *subsys[12];
	struct cgroup *dfl_cgrp;
};

struct page_counter {
	atomic_long_t usage;
	long unsigned int watermark;
	long unsigned int max;
};

struct mem_cgroup {
	struct page_counter memory;
};

#pragma clang attribute pop

#endif
