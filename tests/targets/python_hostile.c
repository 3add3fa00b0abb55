/* python_hostile.c - looks like CPython 3.11 to an observer, and lies in what it holds.
 *
 *	python_hostile KIND [--ms CPU]
 *
 *	fine	two frames, `inner` and `outer`, in hostile.py: what the others are beside
 *	loop	a frame that is its own caller
 *	unmapped, kernel	a frame that points there
 *	type	frames whose code is no code object
 *	name	a name of 100 MB, and a file without an end of its mapping
 *	lines	a line table of random bytes, 4 GiB long by its own word
 *	thread	a thread state that names another thread
 *
 * Truth: main → _PyEval_EvalFrameDefault, which burns the CPU time. It prints `ready` when it
 *begins, and `cpu_ns NS` at the end. Offsets are those of user/python/layout.c for 3.11.
 */
#include "profile_clock.h"

#include <pthread.h>
#include <sys/mman.h>

#define WORD(base, offset) (*(uint64_t *)((char *)(base) + (offset)))
#define HALF(base, offset) (*(uint32_t *)((char *)(base) + (offset)))

__attribute__((visibility("default"))) char _PyRuntime[4096] = { 1 };
__attribute__((visibility("default"))) char PyCode_Type[512] = { 1 };
__attribute__((visibility("default"))) const unsigned long Py_Version = 0x030b02f0;

static char state[512], cframe[64], frames[2][128], codes[2][256], texts[3][512], lines[256];

/* An ASCII, compact unicode object. */
static void text(char *at, const char *value)
{
	WORD(at, 16) = strlen(value);
	WORD(at, 24) = (uint64_t)(uintptr_t)value;
	HALF(at, 32) = 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7;
	strcpy(at + 48, value);
}

static void code(char *at, char *name, char *file)
{
	WORD(at, 8) = (uintptr_t)PyCode_Type;
	HALF(at, 72) = 1;
	WORD(at, 112) = (uintptr_t)file;
	WORD(at, 120) = WORD(at, 128) = (uintptr_t)name;
	WORD(at, 136) = (uintptr_t)lines;
}

static void frame(int i, uintptr_t previous)
{
	WORD(frames[i], 32) = (uintptr_t)codes[i];
	WORD(frames[i], 48) = previous;
	WORD(frames[i], 56) = (uintptr_t)codes[i] + 184;
}

static void build(void)
{
	pthread_key_t key;

	if (pthread_key_create(&key, NULL) || pthread_setspecific(key, state))
		errx(TARGET_FAILED, "no thread-specific data");
	HALF(_PyRuntime, 596) = key;
	WORD(state, 152) = pthread_self();
	WORD(state, 56) = (uintptr_t)cframe;
	WORD(cframe, 8) = (uintptr_t)frames[0];
	text(texts[0], "inner");
	text(texts[1], "outer");
	text(texts[2], "/hostile.py");
	code(codes[0], texts[0], texts[2]);
	code(codes[1], texts[1], texts[2]);
	frame(0, (uintptr_t)frames[1]);
	frame(1, 0);
	frames[1][68] = 1; /* is_entry */
}

static void lie(const char *kind)
{
	char *end = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (end == MAP_FAILED || munmap(end + 4096, 4096))
		err(TARGET_FAILED, "mmap");
	if (!strcmp(kind, "loop")) {
		WORD(frames[1], 48) = (uintptr_t)frames[0];
		frames[1][68] = 0;
	} else if (!strcmp(kind, "unmapped")) {
		WORD(frames[0], 48) = (uintptr_t)end + 4096;
	} else if (!strcmp(kind, "kernel")) {
		WORD(frames[0], 48) = 0xffffffff81000000;
		WORD(codes[1], 136) = 0xffffffff81000000;
	} else if (!strcmp(kind, "type")) {
		WORD(codes[0], 8) = WORD(codes[1], 8) = (uintptr_t)state;
	} else if (!strcmp(kind, "name")) {
		WORD(texts[0], 16) = 100000000;
		WORD(codes[1], 112) = (uintptr_t)end + 4096 - 40;
	} else if (!strcmp(kind, "lines")) {
		for (size_t i = 0; i < sizeof(lines); i++)
			lines[i] = (i * 7919) >> 3;
		WORD(lines, 16) = 0xffffffff;
	} else if (!strcmp(kind, "thread")) {
		WORD(state, 152) = (uintptr_t)state;
	}
}

__attribute__((visibility("default"))) NOINLINE void _PyEval_EvalFrameDefault(int64_t ns)
{
	burn_cpu_ns(ns);
	KEEP_FRAME();
}

int main(int argc, char **argv)
{
	int64_t ns = option_number(argc, argv, "ms", 400) * 1000000LL;

	build();
	lie(argc > 1 ? argv[1] : "fine");
	printf("ready\n");
	fflush(stdout);
	_PyEval_EvalFrameDefault(ns);
	printf("cpu_ns %lld\n", (long long)cpu_ns());
	return 0;
}
