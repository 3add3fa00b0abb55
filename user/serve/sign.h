/* sign.h - URLs that open one artifact for an hour without a login, as Pulp's content app makes
 * them: ?expires=<unix s>&validate_token=<64 hex of HMAC-SHA256>.
 *
 * HMAC (RFC 2104) over "<task id>\n<p or ->\n<artifact>\n<expires>" with the store's key. Compared
 * in constant time.
 */
#ifndef TASKDIAG_SERVE_SIGN_H
#define TASKDIAG_SERVE_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "serve/store.h"

#define SIGN_KEY_BYTES 32
#define SIGN_HEX (64 + 1)

struct sign_key {
	uint8_t bytes[SIGN_KEY_BYTES];
};

/** Reads @path, or makes it (0600, random) where @create. A key of another length, or one that
 * others can read, is refused: -EPERM with a problem. */
int sign_key_read(const char *path, bool create, struct sign_key *ret, struct problem *problem);

void sign_url(const struct sign_key *key, const char *id, bool partial, const char *artifact,
	      int64_t expires_s, char ret[SIGN_HEX]);

enum sign_verdict { SIGN_GOOD, SIGN_EXPIRED, SIGN_WRONG };
/** @expires, @token: as in the URL; NULL: missing. */
enum sign_verdict sign_check(const struct sign_key *key, const char *id, bool partial,
			     const char *artifact, const char *expires, const char *token,
			     int64_t now_s);

#endif
