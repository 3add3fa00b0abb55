/* python_embed.c - a C program with an interpreter within.
 *
 *	python_embed LIBPYTHON [--ms CPU]
 *
 * Truth: main → embed_outer → embed_inner → the interpreter of the shared library LIBPYTHON →
 *<module> → embedded, a Python function that burns the CPU time. Prints `ready` when embedded is
 *about to be called. The few functions that are needed are declared here: it builds without
 *Python's headers.
 */
#include "profile_clock.h"

#include <dlfcn.h>

/* Of CPython's stable interface (PyRun_SimpleString is not, but it is as old). */
struct interpreter {
	void (*initialize)(void);
	int (*run)(const char *text);
	int (*finalize)(void);
};

static const char program[] = "import time\n"
			      "def embedded(ns):\n"
			      "    end = time.thread_time_ns() + ns\n"
			      "    while time.thread_time_ns() < end:\n"
			      "        pass\n"
			      "print('ready', flush=True)\n"
			      "embedded(%lld)\n";

static void *symbol(void *library, const char *name)
{
	void *address = dlsym(library, name);

	if (!address)
		errx(TARGET_FAILED, "%s", dlerror());
	return address;
}

static struct interpreter load(const char *path)
{
	/* global: the extension modules of some builds look for the interpreter's symbols there */
	void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);

	if (!library)
		errx(TARGET_FAILED, "%s", dlerror());
	return (struct interpreter){
		.initialize = (void (*)(void))symbol(library, "Py_Initialize"),
		.run = (int (*)(const char *))symbol(library, "PyRun_SimpleString"),
		.finalize = (int (*)(void))symbol(library, "Py_FinalizeEx"),
	};
}

static NOINLINE int embed_inner(const struct interpreter *python, const char *text)
{
	int failed = python->run(text);

	KEEP_FRAME();
	return failed;
}

static NOINLINE int embed_outer(const struct interpreter *python, const char *text)
{
	int failed = embed_inner(python, text);

	KEEP_FRAME();
	return failed;
}

int main(int argc, char **argv)
{
	long long ns = option_number(argc, argv, "ms", 500) * 1000000LL;
	struct interpreter python;
	char text[512];

	if (argc < 2)
		errx(TARGET_FAILED, "which interpreter? use: python_embed LIBPYTHON [--ms CPU]");
	python = load(argv[1]);
	snprintf(text, sizeof(text), program, ns);
	python.initialize();
	if (embed_outer(&python, text))
		errx(TARGET_FAILED, "%s: the Python text failed", argv[1]);
	return python.finalize() < 0 ? TARGET_FAILED : 0;
}
