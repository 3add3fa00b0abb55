/* profile_exceptions.cc - C++ that throws: the C++ runtime walks the same stacks as the observer.
 *
 *	profile_exceptions [--ms CPU]
 *
 * Truth: main → catch_all → throw_deep (several frames of it, each with an object to destroy) →
 *throw. Prints `caught N` and `cpu_ns NS`.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <string>

static long long cpu_ns()
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

__attribute__((noinline)) size_t throw_deep(int left)
{
	std::string kept(static_cast<size_t>(left % 50) + 20, 'x');
	size_t below;

	if (!left)
		throw std::runtime_error("thrown with " + kept);
	below = throw_deep(left - 1);
	return below + kept.size();
}

__attribute__((noinline)) long catch_all(long long until_ns)
{
	long caught = 0;

	while (cpu_ns() < until_ns) {
		try {
			throw_deep(static_cast<int>(caught % 30));
		} catch (const std::exception &e) {
			caught += e.what()[0] == 't';
		}
	}
	return caught;
}

int main(int argc, char **argv)
{
	long long ms = 1000;

	if (argc == 3 && !strcmp(argv[1], "--ms"))
		ms = atoll(argv[2]);
	printf("caught %ld\n", catch_all(ms * 1000000));
	printf("cpu_ns %lld\n", cpu_ns());
	return 0;
}
