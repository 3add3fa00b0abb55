/* python_layout_test.c - where things are in interpreters; oracle: the interpreters of this machine
 * themselves. With our offsets, they walk their own memory, and find there what their own
 * functions say: objects, frames, the instruction of each, and which frames C code has called. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "python/layout.h"
#include "tests/unit/python_interpreters.h"

#define BIAS 0x7f0000000000

static const char version_script[] =
    "import ctypes, sys\n"
    "runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, '_PyRuntime'))\n"
    "print('%x' % sys.hexversion, ctypes.string_at(runtime, 1024).hex())\n";

/* Prints "right" when all is as the offsets in its argument, a dict, say. */
static const char walk_script[] =
    "import ast, ctypes, os, sys, threading\n"
    "l = ast.literal_eval(sys.argv[1])\n"
    "EACH, FLAG, SHIM = 0, 1, 2\n"
    "api = ctypes.pythonapi\n"
    "def u64(at): return ctypes.c_uint64.from_address(at).value\n"
    "def u32(at): return ctypes.c_uint32.from_address(at).value\n"
    "def u8(at): return ctypes.c_uint8.from_address(at).value\n"
    "def same(what, is_, should):\n"
    "    if is_ == should: return\n"
    "    os.write(2, b'%s: %r, should be %r\\n' % (what.encode(), is_, should))\n"
    "    os._exit(1)\n"
    "def code_fields(code):\n"
    "    at, new = id(code), sys.version_info >= (3, 11)\n"
    "    table = code.co_linetable if sys.version_info >= (3, 10) else code.co_lnotab\n"
    "    same('type', u64(at + 8), id(type(code)))\n"
    "    same('file', u64(at + l['code_file']), id(code.co_filename))\n"
    "    name = code.co_qualname if new else code.co_name\n"
    "    same('name', u64(at + l['code_name']), id(name))\n"
    "    same('lines', u64(at + l['code_lines']), id(table))\n"
    "    same('line', u32(at + l['code_first_line']), code.co_firstlineno)\n"
    "    same('flags', u32(at + l['code_flags']), code.co_flags)\n"
    "    same('bytes', ctypes.string_at(id(table) + 32, u64(id(table) + 16)), table)\n"
    "    if new:\n"
    "        there = ctypes.string_at(at + l['code_bytecode'], len(code.co_code))\n"
    "        same('bytecode', there, code._co_code_adaptive)\n"
    "class Outer:\n"
    "    def method(self):\n"
    "        'a'\n"
    "        return self\n"
    "code_fields(Outer.method.__code__)\n"
    "code_fields(same.__code__)\n"
    "same('ascii', sys.getsizeof('a') - 2, l['unicode_ascii'])\n"
    "same('compact', sys.getsizeof('\\u0101') - 4, l['unicode_compact'])\n"
    "def state():\n"
    "    api.PyThreadState_Get.restype = ctypes.c_void_p\n"
    "    state = api.PyThreadState_Get()\n"
    "    runtime = ctypes.addressof(ctypes.c_char.in_dll(api, '_PyRuntime'))\n"
    "    get = ctypes.CDLL(None).pthread_getspecific\n"
    "    get.restype = ctypes.c_void_p\n"
    "    same('tss', get(u32(runtime + l['tss_key'])), state)\n"
    "    same('tss is made', u32(runtime + l['tss_key'] - 4), 1)\n"
    "    if l['tss_holder']:\n"
    "        same('holder', u64(runtime + l['tss_holder']), state)\n"
    "    same('thread', u64(state + l['thread_id']), threading.get_ident())\n"
    "    return state\n"
    "def instruction(frame, code):\n"
    "    if l['instruction'] == 0: return u32(frame + l['frame_instruction'])\n"
    "    if l['instruction'] == 1: return u32(frame + l['frame_instruction']) * 2\n"
    "    return u64(frame + l['frame_instruction']) - code - l['code_bytecode']\n"
    "def walk():\n"
    "    word, at = ctypes.c_uint64.from_address, state() + l['thread_frame']\n"
    "    found, frame = [], word(at).value # not by u64(), whose own frame it would be\n"
    "    if l['thread_indirect']: frame = word(frame + l['cframe_frame']).value\n"
    "    while frame:\n"
    "        code = u64(frame + l['frame_code']) & ~l['code_tag_mask']\n"
    "        mark = u8(frame + l['frame_entry'])\n"
    "        if l['entry'] == SHIM and mark >= l['entry_value']:\n"
    "            found[-1][2] = True\n"
    "        else:\n"
    "            entry = l['entry'] == EACH or l['entry'] == FLAG and mark != 0\n"
    "            found.append([code, instruction(frame, code), entry])\n"
    "        frame = u64(frame + l['frame_previous'])\n"
    "    return found\n"
    "def truth():\n"
    "    frame, chain = sys._getframe(1), []\n"
    "    while frame:\n"
    "        chain.append([id(frame.f_code), frame.f_lasti, frame.f_code.co_name])\n"
    "        frame = frame.f_back\n"
    "    return chain\n"
    "def compare():\n"
    "    found, should = walk(), truth()\n"
    "    same('depth', len(found) - 1, len(should))\n"
    "    same('codes', [f[0] for f in found[1:]], [s[0] for s in should])\n"
    "    same('instructions', [f[1] for f in found[2:]], [s[1] for s in should[1:]])\n"
    "    from_c = ['inner', 'generate', '<module>', '_bootstrap']\n"
    "    if sys.version_info >= (3, 14): from_c.append('run') # by Context.run()\n"
    "    for f, s in zip(found[1:], should):\n"
    "        same('entry of ' + s[2], f[2], l['entry'] == EACH or s[2] in from_c)\n"
    "    return len(found)\n"
    "def probe(n): return compare() if n == 0 else probe(n - 1)\n"
    "def inner(n): return probe(n)\n"
    "def generate(n): yield from map(inner, [n])\n"
    "def outer(n): return next(generate(n))\n"
    "depths = [outer(3)]\n"
    "class Thread(threading.Thread):\n"
    "    def run(self): depths.append(outer(5))\n"
    "thread = Thread()\n"
    "thread.start()\n"
    "thread.join()\n"
    "same('walks', len(depths), 2)\n"
    "print('right')\n";

static char *as_dict(const struct python_layout *l)
{
	char *text;

#define FIELD(f) "'" #f "': %u, "
	assert_true(
	    asprintf(&text,
		     "{" FIELD(tss_key) FIELD(tss_holder) FIELD(thread_id) FIELD(thread_frame)
			 FIELD(thread_indirect) FIELD(cframe_frame) FIELD(frame_previous)
			     FIELD(frame_code) FIELD(frame_instruction) FIELD(frame_entry)
				 FIELD(code_flags) FIELD(code_first_line) FIELD(code_file) FIELD(
				     code_name) FIELD(code_lines) FIELD(code_bytecode) FIELD(entry)
				     FIELD(entry_value) FIELD(instruction) FIELD(code_tag_mask)
					 FIELD(unicode_ascii) FIELD(unicode_compact) "}",
		     l->tss_key, l->tss_holder, l->thread_id, l->thread_frame, l->thread_indirect,
		     l->cframe_frame, l->frame_previous, l->frame_code, l->frame_instruction,
		     l->frame_entry, l->code_flags, l->code_first_line, l->code_file, l->code_name,
		     l->code_lines, l->code_bytecode, l->entry, l->entry_value, l->instruction,
		     l->code_tag_mask, l->unicode_ascii, l->unicode_compact) > 0);
#undef FIELD
	return text;
}

/* An interpreter as the inspector would describe it, at made-up addresses. */
static struct inspect_python described(uint32_t version)
{
	return (struct inspect_python){
		.version = version,
		.runtime = 0x900000,
		.runtime_bytes = 0x50000,
		.code_type = 0x800000,
		.eval_count = 2,
		.eval = { { 0x400000, 0x410000 }, { 0x200000, 0x200100 } },
	};
}

static void describe(const char *path, struct inspect_python *ret)
{
	_cleanup_free_ char *line = NULL;
	_cleanup_free_ uint8_t *debug = NULL;
	char *save;
	size_t room = 0, bytes;
	pid_t child;
	FILE *output = interpreter_run(path, version_script, NULL, &child);

	assert_true(getline(&line, &room, output) > 0);
	interpreter_end(output, child);
	*ret = described(strtoul(strtok_r(line, " \n", &save), NULL, 16));
	debug = unhex(strtok_r(NULL, " \n", &save), &bytes);
	assert_int_equal(bytes, sizeof(ret->debug));
	memcpy(ret->debug, debug, bytes);
	ret->debug_bytes = bytes;
}

static void interpreters_find_their_own_frames_with_our_offsets(void **state)
{
	struct interpreters all = { 0 };

	(void)state;
	interpreters_find(&all);
	for (size_t i = 0; i < all.count; i++) {
		_cleanup_free_ char *line = NULL, *argument = NULL;
		struct inspect_python p;
		struct python_layout l;
		char cause[128] = "";
		size_t room = 0;
		pid_t child;
		FILE *output;

		describe(all.paths[i], &p);
		print_message("%s: %x\n", all.paths[i], p.version);
		assert_int_equal(python_layout(&p, BIAS, &l, cause, sizeof(cause)), 0);
		assert_int_equal(l.minor, p.version >> 16 & 0xff);
		argument = as_dict(&l);
		output = interpreter_run(all.paths[i], walk_script, argument, &child);
		assert_true(getline(&line, &room, output) > 0);
		assert_string_equal(line, "right\n");
		interpreter_end(output, child);
	}
	interpreters_free(&all);
}

/* _Py_DebugOffsets as 3.13 and 3.14 have them, as far as they are read. */
static void set_words(struct inspect_python *p, const uint64_t (*words)[2], size_t count)
{
	const uint64_t version = p->version;

	memset(p->debug, 0, sizeof(p->debug));
	p->debug_bytes = sizeof(p->debug);
	memcpy(p->debug, "xdebugpy", 8);
	memcpy(p->debug + 8, &version, 8);
	for (size_t i = 0; i < count; i++)
		memcpy(p->debug + words[i][0] * 8, &words[i][1], 8);
}

static const uint64_t words_13[][2] = { { 23, 72 }, { 24, 152 }, { 29, 8 },   { 31, 56 },
					{ 33, 70 }, { 35, 112 }, { 37, 128 }, { 38, 136 },
					{ 39, 68 }, { 43, 200 }, { 45, 8 },   { 65, 16 },
					{ 66, 32 }, { 68, 32 },	 { 69, 16 },  { 70, 40 } };
static const uint64_t words_14[][2] = { { 26, 72 }, { 27, 152 }, { 32, 8 },   { 34, 56 },
					{ 36, 74 }, { 40, 112 }, { 42, 128 }, { 43, 136 },
					{ 44, 68 }, { 48, 208 }, { 51, 8 },   { 75, 16 },
					{ 76, 32 }, { 78, 32 },	 { 79, 16 },  { 80, 40 } };
#define WORDS (sizeof(words_13) / sizeof(words_13[0]))

static struct inspect_python described_with_words(unsigned minor)
{
	struct inspect_python p = described(0x030000f0 | minor << 16);

	if (minor >= 13)
		set_words(&p, minor == 13 ? words_13 : words_14, WORDS);
	return p;
}

static int layout_of(const struct inspect_python *p, char cause[128])
{
	struct python_layout l;
	int err;

	cause[0] = '\0';
	err = python_layout(p, BIAS, &l, cause, 128);
	assert_int_equal(!!err, !!cause[0]);
	if (err)
		assert_int_equal(l.serial | l.minor | l.runtime | l.eval[0].start, 0);
	return err;
}

static void addresses_are_those_of_the_process(void **state)
{
	(void)state;
	for (unsigned minor = 8; minor <= 14; minor++) {
		struct inspect_python p = described_with_words(minor);
		struct python_layout l;
		char cause[128] = "";

		assert_int_equal(python_layout(&p, BIAS, &l, cause, sizeof(cause)), 0);
		assert_int_equal(l.minor, minor);
		assert_int_equal(l.serial, 0);
		assert_int_equal(l.runtime, BIAS + 0x900000);
		assert_int_equal(l.runtime_end, BIAS + 0x950000);
		assert_int_equal(l.code_type, BIAS + 0x800000);
		assert_int_equal(l.eval[0].start, BIAS + 0x400000);
		assert_int_equal(l.eval[0].end, BIAS + 0x410000);
		assert_int_equal(l.eval[1].start, BIAS + 0x200000);
		assert_int_equal(l.eval[1].end, BIAS + 0x200100);
		assert_int_equal(l.eval[2].end, 0);
		/* saving registers and making room takes this much in any build */
		assert_in_range(l.eval_linked, l.eval[0].start + 32, l.eval[0].start + 256);
		assert_true(l.frame_bytes <= PYTHON_FRAME_BYTES_MAX);
		assert_int_equal(l.frame_bytes % 8, 0);
		/* a library at its own addresses, and a bias that goes around */
		assert_int_equal(python_layout(&p, 0, &l, cause, sizeof(cause)), 0);
		assert_int_equal(l.runtime, 0x900000);
		assert_int_equal(python_layout(&p, -0x100000ull, &l, cause, sizeof(cause)), 0);
		assert_int_equal(l.runtime, 0x800000);
	}
}

static void what_cannot_be_read_is_said(void **state)
{
	static const struct {
		uint32_t version;
		const char *cause;
	} versions[] = {
		{ 0x030712f0, "CPython 3.7 is not known to this version of taskdiag-bpf" },
		{ 0x030f00f0, "CPython 3.15 is not known to this version of taskdiag-bpf" },
		{ 0x020712f0, "CPython 2.7 is not known to this version of taskdiag-bpf" },
		{ 0x040900f0, "CPython 4.9 is not known to this version of taskdiag-bpf" },
		{ 0, "CPython 0.0 is not known to this version of taskdiag-bpf" },
		{ 0xffffffff, "CPython 255.255 is not known to this version of taskdiag-bpf" },
		{ 0x030e00a7,
		  "CPython 3.14 is a version from before its release, which are all different" },
		{ 0x030d00b1,
		  "CPython 3.13 is a version from before its release, which are all different" },
	};
	struct inspect_python p;
	char cause[128];

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		p = described(versions[i].version);
		assert_int_equal(layout_of(&p, cause), -ENOTSUP);
		assert_string_equal(cause, versions[i].cause);
	}
	p = described_with_words(13);
	p.free_threaded = true;
	assert_int_equal(layout_of(&p, cause), -ENOTSUP);
	assert_string_equal(cause,
			    "CPython 3.13 is built without the GIL, whose frames are not read");
	p = described_with_words(14);
	p.debug[16] = 1; /* it says so itself */
	assert_int_equal(layout_of(&p, cause), -ENOTSUP);
	assert_string_equal(cause,
			    "CPython 3.14 is built without the GIL, whose frames are not read");
	p = described(0x030b02f0);
	p.musl = true;
	assert_int_equal(layout_of(&p, cause), -ENOTSUP);
	assert_string_equal(cause, "CPython 3.11 is linked with musl, whose threads are not read");
	/* major and minor alone, as where it stood as text */
	p = described(0x030b0000);
	assert_int_equal(layout_of(&p, cause), 0);
}

static void offsets_of_its_own_that_make_no_sense_are_refused(void **state)
{
	static const uint64_t values[] = {
		1, 7, 3000, 4096, 65544, 1ull << 32, 0x8000000000000000, UINT64_MAX
	};
	char cause[128];

	(void)state;
	for (unsigned minor = 13; minor <= 14; minor++) {
		const uint64_t(*words)[2] = minor == 13 ? words_13 : words_14;
		struct inspect_python p;

		for (size_t i = 0; i < WORDS; i++)
			for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
				/* of these any number, or any even one, may be right */
				bool owner = i == 4 && v < 2, adaptive = i == 9 && v == 2;
				bool thread = i < 2 && v == 2;

				p = described_with_words(minor);
				memcpy(p.debug + words[i][0] * 8, &values[v], 8);
				assert_int_equal(layout_of(&p, cause),
						 owner || adaptive || thread ? 0 : -EBADMSG);
			}
		p = described_with_words(minor);
		p.debug_bytes = (words[WORDS - 1][0] + 1) * 8;
		assert_int_equal(layout_of(&p, cause), 0);
		p.debug_bytes--;
		assert_int_equal(layout_of(&p, cause), -EBADMSG);
		p.debug_bytes = 0;
		assert_int_equal(layout_of(&p, cause), -EBADMSG);
		p.debug_bytes = sizeof(p.debug) + 1;
		assert_int_equal(layout_of(&p, cause), -EBADMSG);
		p = described_with_words(minor);
		p.debug[0] = 'y';
		assert_int_equal(layout_of(&p, cause), -EBADMSG);
		p = described_with_words(minor);
		p.debug[10]++; /* another minor version */
		assert_int_equal(layout_of(&p, cause), -EBADMSG);
		assert_non_null(strstr(cause, "makes no sense"));
	}
}

static void ranges_that_make_no_sense_are_refused(void **state)
{
	struct inspect_python p;
	char cause[128];

	(void)state;
#define REFUSED(change)                                           \
	do {                                                      \
		p = described_with_words(12);                     \
		assert_int_equal(layout_of(&p, cause), 0);        \
		p.change;                                         \
		assert_int_equal(layout_of(&p, cause), -EBADMSG); \
	} while (0)
	REFUSED(eval_count = 0);
	REFUSED(eval_count = INSPECT_EVAL_MAX + 1);
	REFUSED(eval_count = UINT32_MAX);
	REFUSED(eval[0].end = p.eval[0].start);
	REFUSED(eval[1].end = 0);
	REFUSED(eval[0].end = 1ull << 63);
	REFUSED(runtime_bytes = 1551); /* the key's last byte is behind it */
	REFUSED(runtime_bytes = UINT64_MAX);
	REFUSED(runtime = 1ull << 63);
	REFUSED(code_type = 0);
#undef REFUSED
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interpreters_find_their_own_frames_with_our_offsets),
		cmocka_unit_test(addresses_are_those_of_the_process),
		cmocka_unit_test(what_cannot_be_read_is_said),
		cmocka_unit_test(offsets_of_its_own_that_make_no_sense_are_refused),
		cmocka_unit_test(ranges_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
