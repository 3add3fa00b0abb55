/* escape.h - makes hostile text (names and commands of the task, contents of artifacts) safe to
 * show.
 *
 * Three targets, one rule: nothing that a name holds may act. Control characters (C0, DEL, C1),
 * characters that reorder or hide text (bidi controls, zero-width and line separators, tags) and
 * bytes that are not UTF-8 become visible: \n, \x1b, \u202e. What remains is then quoted for its
 * target.
 */
#ifndef TASKDIAG_LIB_ESCAPE_H
#define TASKDIAG_LIB_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/**
 * For a terminal. @utf8: keep printable non-ASCII (the caller has set LC_CTYPE, so that wcwidth()
 * knows it); else it is escaped too. @columns: cut to this many columns, the last ones tell so
 * ("..." or an ellipsis); 0 = never cut. Returns a new string, or NULL without memory.
 */
char *escape_terminal(const char *s, bool utf8, size_t columns);

/** Columns that an escape_terminal() result takes. */
size_t escape_columns(const char *s, bool utf8);

/** Valid UTF-8: a byte that is not becomes '?', the rest stays. A new string, or NULL without
 * memory. */
char *escape_utf8(const char *s);

/** For text and quoted attributes of HTML and XML: also & < > " '. Returned as the one above. */
char *escape_xml(const char *s);

/**
 * Writes @s as a JSON string, quotes included, that is also safe inside <script>: also < > & are \u
 * escapes. The value stays what it was, except that an invalid byte becomes U+FFFD. Errors are
 * found by ferror(@out).
 */
void escape_json(FILE *out, const char *s);

#endif
