/* uprobes_try.c - see uprobes_try.h */
#include "session/uprobes_try.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <link.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* Its first instruction is one that the kernel emulates. */
__attribute__((naked, noinline)) void trapped(void)
{
	__asm__ volatile("nop\n\tret");
}

struct place {
	uintptr_t address;
	uint64_t offset;
};

static int find_offset(struct dl_phdr_info *info, size_t size, void *context)
{
	struct place *p = context;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + h->p_vaddr;

		if (h->p_type == PT_LOAD && p->address - start < h->p_filesz)
			p->offset = h->p_offset + (p->address - start);
	}
	return 1; /* the program itself is first */
}

uint64_t trapped_offset(void)
{
	struct place p = { .address = (uintptr_t)trapped };

	dl_iterate_phdr(find_offset, &p);
	return p.offset;
}

int link_create(const struct link_create *create)
{
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, create, sizeof(*create));

	return fd < 0 ? -errno : (int)fd;
}

static int trivial_load(void)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options,
		    .expected_attach_type = (enum bpf_attach_type)ATTACH_UPROBE_MULTI);

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "taskdiag_try", "GPL", code,
			     sizeof(code) / sizeof(code[0]), &options);
}

/* What it says to a directory, which nobody can attach to. Nothing is attached, as taking that away
 * would last a grace period. */
static int answer(int program, uint32_t pid)
{
	uint64_t offset = 0;
	_cleanup_close_ int link = link_create(&(struct link_create){
	    .program = (uint32_t)program,
	    .attach_type = ATTACH_UPROBE_MULTI,
	    .uprobe_multi = {
		.path = (uintptr_t) "/", .offsets = (uintptr_t)&offset, .count = 1, .pid = pid } });

	return link < 0 ? link : 0;
}

bool uprobes_try_multi(void)
{
	_cleanup_close_ int program = trivial_load();

	/* a negative pid is looked at since the same release that sees threads */
	return program >= 0 && answer(program, 0) == -EBADF && answer(program, -1U) == -EINVAL;
}
