/* unicode.h - the first bytes of a str object of CPython ──► UTF-8.
 *
 * Include/cpython/unicodeobject.h. Only compact ones, as the interpreter makes them itself: those
 * have their characters behind the head. Hostile.
 */
#ifndef TASKDIAG_PYTHON_UNICODE_H
#define TASKDIAG_PYTHON_UNICODE_H

#include <stddef.h>
#include <stdint.h>

/**
 * Where the characters begin, CPython 3.@minor. @ascii: of a string that is ASCII only.
 */
size_t python_unicode_head(uint8_t minor, int ascii);

/**
 * @object: its first @bytes. Characters that are no text (surrogates, NUL) become U+FFFD; when not
 * all are there, "…" follows. *ret is to be freed. 0; -EBADMSG: not such a string; -ENOMEM.
 */
int python_unicode(const uint8_t *object, size_t bytes, uint8_t minor, char **ret);

#endif
