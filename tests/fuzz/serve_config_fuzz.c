/* serve_config_fuzz.c - libFuzzer's door to rules/config.c: whatever a file holds, it is refused
 *with a reason, or its rules can be asked.
 *
 *	clang -fsanitize=fuzzer,address,undefined … serve_config_fuzz.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rules/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct rule_process p = { RULE_AT_CHDIR, "a", "/a", "a b", "p", "/d", "/c/u" };
	int fd = memfd_create("serve.ini", MFD_CLOEXEC);
	struct problem problem = {};
	struct serve_config c;
	char path[64], id[65];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!serve_config_read(path, NULL, &c, &problem)) {
		rules_match(&c.rules, &p);
		for (size_t i = 0; i < c.rules.count; i++)
			if (rule_id(&c.rules.rule[i].id_stderr, "id=1", 4, id) && !id[0])
				abort();
		serve_config_release(&c);
	} else if (!problem.text[0]) {
		abort();
	}
	close(fd);
	return 0;
}
