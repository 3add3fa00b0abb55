/* empty.bpf.c - the bare price of a program on rss_stat: what page_cost compares ours with. */
#include "vmlinux.h"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/rss_stat")
int empty(void *ctx)
{
	return 0;
}
