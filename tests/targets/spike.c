/* spike.c - a peak that is shorter than the interval between two ticks.
 *
 *	spike --mib N --ms M [--before-ms X] [--after-ms Y]
 *
 * Truth: N MiB are resident for M ms, and nearly nothing before and after. It prints `VmRSS_kB`
 * as it was while the memory was held, and `VmHWM_kB`, the kernel's own peak.
 */
#include "target.h"

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mib", required_argument, NULL, 'm' },
		{ "ms", required_argument, NULL, 't' },
		{ "before-ms", required_argument, NULL, 'b' },
		{ "after-ms", required_argument, NULL, 'a' },
		{},
	};
	long mib = 64, ms = 50, before_ms = 0, after_ms = 0, held_kb;
	char *memory;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'm')
			mib = target_number(optarg, "MiB");
		else if (option == 't')
			ms = target_number(optarg, "milliseconds");
		else if (option == 'b')
			before_ms = target_number(optarg, "milliseconds");
		else if (option == 'a')
			after_ms = target_number(optarg, "milliseconds");
		else
			return TARGET_FAILED;
	}
	target_sleep_ms(before_ms);
	memory = target_anon(mib);
	held_kb = target_status_kb(0, "VmRSS");
	target_note_hwm();
	target_sleep_ms(ms);
	target_unmap(memory, mib * MIB);
	target_sleep_ms(after_ms);
	printf("VmRSS_kB %ld\n", held_kb);
	target_say_hwm();
	return 0;
}
