/* libdw.c - the walk of elfutils' libdwfl over a snapshot. */
#include "oracle.h"

#include <elfutils/libdwfl.h>
#include <err.h>
#include <string.h>

static Dwfl *dwfl;
static pid_t process;
static struct snapshot *current;

/* There is one thread: that of the snapshot. */
static pid_t next_thread(Dwfl *d, void *context, void **thread)
{
	(void)d;
	if (*thread)
		return 0;
	*thread = context;
	return process;
}

static bool set_registers(Dwfl_Thread *thread, void *context)
{
	/* DWARF's numbers (System V ABI for x86-64, figure 3.36) in the order of the snapshot */
	static const int order[ORACLE_REGISTERS] = { 0, 3,  2,	1,  4,	5,  6,	7, 8,
						     9, 10, 11, 12, 13, 14, 15, 16 };
	Dwarf_Word registers[ORACLE_REGISTERS];

	(void)context;
	for (int i = 0; i < 8; i++)
		registers[i] = current->registers[order[i]];
	for (int i = 8; i < 16; i++)
		registers[i] = current->registers[i + 1];
	registers[16] = current->registers[REG_IP];
	return dwfl_thread_state_registers(thread, 0, ORACLE_REGISTERS, registers);
}

static bool read_memory(Dwfl *d, Dwarf_Addr address, Dwarf_Word *ret, void *context)
{
	uint64_t word;

	(void)d;
	(void)context;
	if (!snapshot_word(current, address, &word))
		return false;
	*ret = word;
	return true;
}

static int on_frame(Dwfl_Frame *frame, void *context)
{
	struct walk *walk = context;
	Dwarf_Addr pc;

	if (walk->count == ORACLE_FRAMES || !dwfl_frame_pc(frame, &pc, NULL))
		return DWARF_CB_ABORT;
	walk->pc[walk->count++] = pc;
	return DWARF_CB_OK;
}

static int open_module(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr start,
		       void *context)
{
	GElf_Addr bias;

	(void)data;
	(void)name;
	(void)start;
	(void)context;
	dwfl_module_getelf(module, &bias); /* while the process is there */
	return DWARF_CB_OK;
}

bool libdw_mappings_changed(pid_t pid)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_linux_proc_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
	};
	static const Dwfl_Thread_Callbacks threads = {
		.next_thread = next_thread,
		.memory_read = read_memory,
		.set_initial_registers = set_registers,
	};
	Dwfl *fresh = dwfl_begin(&callbacks);

	process = pid;
	if (!fresh)
		errx(2, "libdw: %s", dwfl_errmsg(-1));
	if (dwfl_linux_proc_report(fresh, pid) || dwfl_report_end(fresh, NULL, NULL)) {
		dwfl_end(fresh); /* it has ended: what is known has to do */
		return dwfl;
	}
	dwfl_getmodules(fresh, open_module, NULL, 0);
	if (!dwfl_attach_state(fresh, NULL, pid, &threads, NULL)) {
		dwfl_end(fresh);
		return dwfl;
	}
	dwfl_end(dwfl);
	dwfl = fresh;
	return true;
}

void libdw_walk(struct snapshot *s, struct walk *ret)
{
	int err;

	current = s;
	ret->count = 0;
	err = dwfl_getthread_frames(dwfl, process, on_frame, ret);
	ret->complete = !err;
	ret->outcome = !err ? "complete" : err > 0 ? "depth" : dwfl_errmsg(-1);
	if (!ret->outcome)
		ret->outcome = "error";
}
