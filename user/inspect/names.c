/* names.c - symbols, lines and perf maps become one answer. */
#include "inspect/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/answer.h"
#include "inspect/demangle.h"
#include "inspect/lines.h"
#include "inspect/minidebug.h"
#include "inspect/perf_map.h"
#include "inspect/sections.h"
#include "inspect/symbols.h"
#include "lib/cleanup.h"

/* What is known of a file while its addresses are named. */
struct names {
	uint64_t bytes_left;
	struct elf_view file, debug, mini;
	uint8_t *mini_image;
	struct symbols *symbols;
	struct lines *lines;
	struct answer_builder answer;
	const struct symbol *last; /* its name is at last_name: neighbours mostly share it */
	uint32_t last_name;
	const char *note; /* of something that was left out */
};

static void note(struct names *n, const char *text)
{
	if (!n->note)
		n->note = text;
}

static void open_debug(struct names *n, int fd)
{
	if (elf_view_open(&n->debug, fd, &n->bytes_left)) {
		note(n, "the debug file is not a usable ELF file: ignored");
	} else if (!elf_view_match(&n->file, &n->debug)) {
		note(n, "the debug file belongs to another build: ignored");
		elf_view_close(&n->debug);
	}
}

static void open_minidebug(struct names *n)
{
	Elf_Data *xz = elf_view_data(&n->file, elf_view_find(&n->file, ".gnu_debugdata", NULL));
	size_t size;

	if (!xz)
		return;
	if (minidebug_unpack(xz->d_buf, xz->d_size, &n->mini_image, &size) ||
	    elf_view_memory(&n->mini, n->mini_image, size, &n->bytes_left))
		note(n, "malformed or too large .gnu_debugdata: ignored");
}

static int load_symbols(struct names *n)
{
	struct elf_view *views[] = { &n->file, &n->debug, &n->mini };
	int err = 0, added;

	n->symbols = symbols_new();
	if (!n->symbols)
		return -ENOMEM;
	for (size_t i = 0; !err && i < 3; i++) {
		if (!views[i]->elf)
			continue;
		added = symbols_add(n->symbols, views[i]);
		if (added == -EFBIG)
			note(n, "more than 4 million symbols: the rest is ignored");
		else
			err = added;
	}
	if (!err && symbols_add_plt(n->symbols, &n->file) == -ENOMEM)
		err = -ENOMEM;
	symbols_sort(n->symbols);
	return err;
}

/* Lines are an extra: without them there still are symbols. */
static void load_lines(struct names *n)
{
	int err = -ENODATA;

	if (n->debug.elf)
		err = lines_new(&n->debug, &n->lines);
	if (err == -ENODATA)
		err = lines_new(&n->file, &n->lines);
	switch (-err) {
	case 0:
		return;
	case ENODATA:
		note(n, "no DWARF: no lines");
		return;
	case EFBIG:
		note(n, "DWARF larger than 512 MiB: no lines");
		return;
	case ENOTSUP:
		note(n, "DWARF compressed other than with zlib: no lines");
		return;
	default:
		note(n, "malformed DWARF: no lines");
	}
}

static uint32_t put_name(struct names *n, const char *name)
{
	char readable[DEMANGLE_OUTPUT_MAX];

	return answer_string(&n->answer, demangle(name, readable) ? readable : name);
}

static uint32_t put_symbol_name(struct names *n, const struct symbol *symbol)
{
	char name[SYMBOL_NAME_MAX], readable[SYMBOL_NAME_MAX + sizeof("@plt")];

	if (symbol == n->last)
		return n->last_name;
	symbols_name(n->symbols, symbol, name);
	if (!demangle(name, readable))
		strcpy(readable, name);
	if (symbol->plt)
		strcat(readable, "@plt");
	n->last = symbol;
	n->last_name = answer_string(&n->answer, readable);
	return n->last_name;
}

static int put_frames(struct names *n, size_t index, const struct symbol *symbol,
		      const struct line_frame *frames, size_t count)
{
	int err = 0;

	for (size_t i = 0; !err && i < count; i++) {
		struct answer_name name = { .address = (uint32_t)index, .line = frames[i].line };
		bool inlined = i + 1 < count;

		name.inlined = inlined;
		name.start = !inlined && symbol ? symbol->start : frames[i].start;
		if (!inlined && symbol)
			name.name = put_symbol_name(n, symbol);
		else if (frames[i].name)
			name.name = put_name(n, frames[i].name);
		else if (inlined) /* its name is in a file that dwz has made, which is not here */
			name.name = answer_string(&n->answer, "[inlined]");
		if (frames[i].file)
			name.file = answer_string(&n->answer, frames[i].file);
		err = answer_add(&n->answer, &name);
	}
	return err;
}

static int put_address(struct names *n, size_t index, uint64_t address)
{
	const struct symbol *symbol = symbols_lookup(n->symbols, address);
	struct line_frame frames[LINES_FRAMES_MAX];
	size_t count = n->lines ? lines_find(n->lines, address, frames) : 0;

	if (!count) {
		frames[0] = (struct line_frame){ 0 };
		count = 1;
	}
	return put_frames(n, index, symbol, frames, count);
}

static int check_addresses(const uint64_t *addresses, size_t count)
{
	if (count > INSPECT_BYTES_MAX / sizeof(struct answer_name))
		return -EFBIG;
	for (size_t i = 1; i < count; i++)
		if (addresses[i] < addresses[i - 1])
			return -EINVAL;
	return 0;
}

static const char *cause_of(int err)
{
	switch (-err) {
	case EINVAL:
		return "not a regular file, or addresses out of order";
	case ENOEXEC:
		return "not an ELF file";
	case EFBIG:
		return "larger than what is read of a file";
	case ENOMEM:
		return "not enough memory";
	default:
		return "cannot be read";
	}
}

static int name_all(struct names *n, int fd, int debug_fd, const uint64_t *addresses, size_t count,
		    unsigned flags)
{
	int err = elf_view_open(&n->file, fd, &n->bytes_left);

	if (err)
		return err;
	if (debug_fd >= 0)
		open_debug(n, debug_fd);
	open_minidebug(n);
	err = load_symbols(n);
	if (!err && (flags & INSPECT_LINES))
		load_lines(n);
	for (size_t i = 0; !err && i < count; i++)
		err = put_address(n, i, addresses[i]);
	if (n->lines && lines_incomplete(n->lines))
		note(n, "not all DWARF was read: some lines and inlined functions are missing");
	return err;
}

int names_elf(int fd, int debug_fd, const uint64_t *addresses, size_t count, unsigned flags,
	      struct names_answer *answer, const char **ret_cause)
{
	struct names n = { .bytes_left = SECTIONS_BYTES_MAX };
	int err = check_addresses(addresses, count);

	if (!err)
		err = name_all(&n, fd, debug_fd, addresses, count, flags);
	if (!err)
		err = answer_finish(&n.answer, answer);
	*ret_cause = err ? cause_of(err) : n.note;
	lines_free(n.lines);
	symbols_free(n.symbols);
	elf_view_close(&n.mini);
	elf_view_close(&n.debug);
	elf_view_close(&n.file);
	free(n.mini_image);
	answer_free(&n.answer);
	return err;
}

/* Names of a perf map come in no order: they are kept by address until all are there. */
struct map_names {
	struct answer_builder *answer;
	struct answer_name *names;
};

static int put_map_name(void *context, size_t index, uint64_t start, const char *name)
{
	struct map_names *m = context;
	char readable[DEMANGLE_OUTPUT_MAX];

	m->names[index].start = start;
	m->names[index].name = answer_string(m->answer, demangle(name, readable) ? readable : name);
	return m->answer->err;
}

int names_perf_map(int fd, const uint64_t *addresses, size_t count, struct names_answer *answer,
		   const char **ret_cause)
{
	_cleanup_free_ struct answer_name *names = calloc(count + 1, sizeof(*names));
	struct answer_builder builder = { 0 };
	struct map_names m = { .answer = &builder, .names = names };
	struct perf_map_stats stats = { 0 };
	int err = names ? check_addresses(addresses, count) : -ENOMEM;

	if (!err)
		err = perf_map_find(fd, addresses, count, put_map_name, &m, &stats);
	for (size_t i = 0; !err && i < count; i++) {
		names[i].address = (uint32_t)i;
		err = answer_add(&builder, &names[i]);
	}
	if (!err)
		err = answer_finish(&builder, answer);
	*ret_cause = err	     ? cause_of(err)
		     : stats.skipped ? "malformed lines in the perf map: ignored"
				     : NULL;
	answer_free(&builder);
	return err;
}
