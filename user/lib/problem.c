/* problem.c - see problem.h */
#include "lib/problem.h"

#include <stdarg.h>
#include <stdio.h>

int problem_set(struct problem *problem, int err, const char *format, ...)
{
	va_list args;

	if (problem->text[0])
		return err;
	va_start(args, format);
	vsnprintf(problem->text, sizeof(problem->text), format, args);
	va_end(args);
	return err;
}
