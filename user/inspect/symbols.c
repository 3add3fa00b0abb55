/* symbols.c - a sorted table of function symbols and its merge with sorted addresses. */
#include "inspect/symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define TABLES_MAX 16
#define NONE UINT32_MAX

struct symbols {
	struct symbol *all;
	size_t count, capacity;
	const Elf_Data *strings[TABLES_MAX];
	size_t tables;
	size_t next;	 /* lookup: the first that starts behind the last address */
	uint32_t top[2]; /* lookup: innermost label, innermost function; the others by .below */
};

struct range {
	uint64_t end;
	bool code;
};

struct symbols *symbols_new(void)
{
	return calloc(1, sizeof(struct symbols));
}

void symbols_free(struct symbols *s)
{
	if (s)
		free(s->all);
	free(s);
}

size_t symbols_count(const struct symbols *s)
{
	return s->count;
}

static int table_of(struct symbols *s, const Elf_Data *strings)
{
	for (size_t i = s->tables; i-- > 0;)
		if (s->strings[i] == strings)
			return (int)i;
	if (s->tables == TABLES_MAX)
		return -EFBIG;
	s->strings[s->tables] = strings;
	return (int)s->tables++;
}

int symbols_add_one(struct symbols *s, const Elf_Data *strings, struct symbol symbol)
{
	size_t wanted = s->capacity ? s->capacity * 2 : 1024;
	struct symbol *larger;
	int table = table_of(s, strings);

	if (table < 0)
		return table;
	if (s->count == SYMBOLS_MAX)
		return -EFBIG;
	if (s->count == s->capacity) {
		larger = realloc(s->all, wanted * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		s->all = larger;
		s->capacity = wanted;
	}
	symbol.table = (uint8_t)table;
	s->all[s->count++] = symbol;
	return 0;
}

/* Mapping symbols ($x, $d of arm64) and local labels name nothing that a person knows. */
static bool label_is_private(const char *name)
{
	return name[0] == '$' || (name[0] == '.' && name[1] == 'L');
}

static bool take_symbol(const GElf_Sym *sym, const Elf_Data *strings, const struct range *sections,
			size_t section_count, struct symbol *ret)
{
	int type = GELF_ST_TYPE(sym->st_info);
	bool function = type == STT_FUNC || type == STT_GNU_IFUNC;
	const struct range *section = NULL;
	const char *name;

	if ((!function && type != STT_NOTYPE) || !sym->st_value || sym->st_shndx == SHN_UNDEF)
		return false;
	if (sym->st_shndx < section_count)
		section = &sections[sym->st_shndx];
	/* _etext and its like stand at the end of a section, and are no code */
	if (!function && (!section || !section->code || sym->st_value >= section->end))
		return false;
	if (sym->st_name + 2ull > strings->d_size)
		return false;
	name = (const char *)strings->d_buf + sym->st_name;
	if (!*name || (!function && label_is_private(name)))
		return false;
	*ret = (struct symbol){ .start = sym->st_value,
				.end = sym->st_value + sym->st_size,
				.name = (uint32_t)sym->st_name,
				.binding = GELF_ST_BIND(sym->st_info),
				.function = function,
				.sized = sym->st_size > 0 };
	if (!ret->sized)
		ret->end = section ? section->end : ret->start + 1;
	else if (ret->end < ret->start)
		ret->end = UINT64_MAX;
	return true;
}

static int section_ranges(struct elf_view *v, struct range **ret, size_t *ret_count)
{
	Elf_Scn *section = NULL;
	struct range *ranges;
	GElf_Shdr h;
	size_t count;

	if (elf_getshdrnum(v->elf, &count) < 0)
		return -ENOEXEC;
	ranges = calloc(count + 1, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	while ((section = elf_nextscn(v->elf, section))) {
		size_t i = elf_ndxscn(section);

		if (i >= count || !gelf_getshdr(section, &h) || h.sh_addr + h.sh_size < h.sh_addr)
			continue;
		ranges[i] = (struct range){ .end = h.sh_addr + h.sh_size,
					    .code = h.sh_flags & SHF_EXECINSTR };
	}
	*ret = ranges;
	*ret_count = count;
	return 0;
}

static int add_table(struct symbols *s, struct elf_view *v, Elf_Scn *section, const GElf_Shdr *h,
		     const struct range *sections, size_t section_count)
{
	Elf_Data *data, *strings;
	struct symbol symbol;
	GElf_Sym sym;
	int err = 0;

	data = elf_view_data(v, section);
	strings = elf_view_data(v, elf_getscn(v->elf, h->sh_link));
	if (!data || !strings)
		return 0;
	for (int i = 1; !err && gelf_getsym(data, i, &sym); i++)
		if (take_symbol(&sym, strings, sections, section_count, &symbol))
			err = symbols_add_one(s, strings, symbol);
	return err;
}

int symbols_add(struct symbols *s, struct elf_view *v)
{
	_cleanup_free_ struct range *sections = NULL;
	Elf_Scn *section = NULL;
	size_t count = 0;
	GElf_Shdr h;
	int err;

	err = section_ranges(v, &sections, &count);
	while (!err && (section = elf_nextscn(v->elf, section)))
		if (gelf_getshdr(section, &h) &&
		    (h.sh_type == SHT_SYMTAB || h.sh_type == SHT_DYNSYM))
			err = add_table(s, v, section, &h, sections, count);
	return err == -ENOEXEC ? 0 : err;
}

const char *symbols_name(const struct symbols *s, const struct symbol *symbol,
			 char buffer[SYMBOL_NAME_MAX])
{
	const Elf_Data *strings = s->strings[symbol->table];
	const char *name = (const char *)strings->d_buf + symbol->name;
	size_t room = strings->d_size - symbol->name, size;
	const char *version;

	size = strnlen(name, room < SYMBOL_NAME_MAX - 1 ? room : SYMBOL_NAME_MAX - 1);
	version = memchr(name, '@', size);
	if (version && version > name)
		size = (size_t)(version - name);
	memcpy(buffer, name, size);
	buffer[size] = '\0';
	return buffer;
}

static int binding_rank(uint8_t binding)
{
	return binding == STB_GLOBAL || binding == STB_GNU_UNIQUE ? 2 : binding == STB_WEAK;
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* How little a name looks like what a person calls; __GI_ is an alias within glibc. */
static size_t strangeness(const char *name)
{
	return strncmp(name, "__GI_", 5) ? strspn(name, "_") : SYMBOL_NAME_MAX;
}

static int compare_names(const struct symbols *s, const struct symbol *a, const struct symbol *b)
{
	char p[SYMBOL_NAME_MAX], q[SYMBOL_NAME_MAX];

	symbols_name(s, a, p);
	symbols_name(s, b, q);
	return compare(strangeness(q), strangeness(p)) ?: strcmp(q, p);
}

/* By start; of those that start together the best is the last, which is looked at first. */
static int by_start(const void *x, const void *y, void *context)
{
	const struct symbol *a = x, *b = y;
	uint64_t a_size = a->sized ? a->end - a->start : 0,
		 b_size = b->sized ? b->end - b->start : 0;

	if (a->start != b->start)
		return compare(a->start, b->start);
	if (binding_rank(a->binding) != binding_rank(b->binding))
		return binding_rank(a->binding) - binding_rank(b->binding);
	if (a_size != b_size)
		return compare(a_size, b_size);
	if (a->table == b->table && a->name == b->name)
		return 0;
	return compare_names(context, a, b);
}

static void set_end(struct symbol *symbol, uint64_t next)
{
	if (!symbol->sized && symbol->end > next)
		symbol->end = next;
}

/* A function without a size ends where the next one starts, a label at the next of any kind. */
static void close_ends(struct symbols *s)
{
	uint64_t next_any = UINT64_MAX, next_function = UINT64_MAX;

	for (size_t last = s->count; last > 0;) {
		uint64_t start = s->all[last - 1].start;
		bool function = false;

		for (; last > 0 && s->all[last - 1].start == start; last--) {
			struct symbol *symbol = &s->all[last - 1];

			set_end(symbol, symbol->function ? next_function : next_any);
			function |= symbol->function;
		}
		next_any = start;
		if (function)
			next_function = start;
	}
}

void symbols_sort(struct symbols *s)
{
	if (s->count)
		qsort_r(s->all, s->count, sizeof(*s->all), by_start, s);
	close_ends(s);
	s->next = 0;
	s->top[0] = s->top[1] = NONE;
}

const struct symbol *symbols_lookup(struct symbols *s, uint64_t address)
{
	while (s->next < s->count && s->all[s->next].start <= address) {
		uint32_t *top = &s->top[s->all[s->next].function];

		s->all[s->next].below = *top;
		*top = (uint32_t)s->next++;
	}
	for (int function = 1; function >= 0; function--) {
		uint32_t *top = &s->top[function];

		/* addresses only go up: what has ended never covers one again */
		while (*top != NONE && s->all[*top].end <= address)
			*top = s->all[*top].below;
		if (*top != NONE)
			return &s->all[*top];
	}
	return NULL;
}
