/* sign.c - see sign.h */
#include "serve/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

static int make_key(const char *path)
{
	uint8_t bytes[SIGN_KEY_BYTES];
	_cleanup_free_ char *temporary = NULL;
	_cleanup_close_ int fd = -1;
	int err = 0;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	if (asprintf(&temporary, "%s.new", path) < 0)
		return -ENOMEM;
	unlink(temporary); /* of one that was killed */
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes) || fsync(fd))
		err = -EIO;
	else if (link(temporary, path) && errno != EEXIST) /* whole, or absent */
		err = -errno;
	unlink(temporary);
	return err;
}

int sign_key_read(const char *path, bool create, struct sign_key *ret, struct problem *problem)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint8_t more;
	struct stat st;
	int err = 0;

	if (fd < 0 && errno == ENOENT && create) {
		err = make_key(path);
		if (!err)
			fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	if (fd < 0)
		return problem_set(problem, err ? err : -errno, "key %.300s: %s", path,
				   strerror(err ? -err : errno));
	if (fstat(fd, &st) || st.st_mode & 077)
		return problem_set(problem, -EPERM,
				   "key %.300s: others can read it; run: chmod 600 %.100s, or "
				   "remove it: a new one is made",
				   path, path);
	if (read(fd, ret->bytes, sizeof(ret->bytes)) != sizeof(ret->bytes) ||
	    read(fd, &more, 1) != 0)
		return problem_set(problem, -EPERM,
				   "key %.300s: is not %d bytes long; remove it: "
				   "a new one is made",
				   path, SIGN_KEY_BYTES);
	return 0;
}

void sign_url(const struct sign_key *key, const char *id, bool partial, const char *artifact,
	      int64_t expires_s, char ret[SIGN_HEX])
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct hmac_sha256_ctx hmac;
	char text[256];
	int n = snprintf(text, sizeof(text), "%s\n%c\n%s\n%" PRId64, id, partial ? 'p' : '-',
			 artifact, expires_s);

	hmac_sha256_set_key(&hmac, sizeof(key->bytes), key->bytes);
	hmac_sha256_update(&hmac, n < (int)sizeof(text) ? n : (int)sizeof(text) - 1,
			   (const uint8_t *)text);
	hmac_sha256_digest(&hmac, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

enum sign_verdict sign_check(const struct sign_key *key, const char *id, bool partial,
			     const char *artifact, const char *expires, const char *token,
			     int64_t now_s)
{
	char right[SIGN_HEX];
	int64_t at;
	char *end;

	if (!expires || !token || strlen(token) != SIGN_HEX - 1 || expires[0] < '0' ||
	    expires[0] > '9' || strlen(expires) > 18)
		return SIGN_WRONG;
	at = strtoll(expires, &end, 10);
	if (*end)
		return SIGN_WRONG;
	sign_url(key, id, partial, artifact, at, right);
	if (!memeql_sec(right, token, SIGN_HEX - 1))
		return SIGN_WRONG;
	return at < now_s ? SIGN_EXPIRED : SIGN_GOOD;
}
