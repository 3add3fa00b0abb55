# shellcheck shell=bash
# shellcheck disable=SC2154 # tool, targets and work are scripts/bench's
# cgroup.bash - cgroups under stress: OOM kills, and many processes that fork.

# bench_group NAME: $group, a new cgroup that counts memory; $limit_file of it
bench_group() {
	if [ -d /sys/fs/cgroup/memory ]; then
		group=/sys/fs/cgroup/memory/taskdiag-bench-$$-$1 limit_file=memory.limit_in_bytes
	else
		echo +memory >/sys/fs/cgroup/cgroup.subtree_control
		group=/sys/fs/cgroup/taskdiag-bench-$$-$1 limit_file=memory.max
	fi
	mkdir "$group"
}

bench_group_end() {
	until rmdir "$group" 2>/dev/null; do sleep 0.02; done
}

# KILLS=100 OOM kills under a limit of 100 MB, in C and Python by turns: is each run directory whole, the peak the limit within
# 2 %, the ledger a sum, and the top stack that of the function that grew?
bench_oom_cgroup() {
	local i kills=${KILLS:-100} whole=0 peak=0 sum=0 named=0 command
	cat >"$work/grow.py" <<-'END'
		def grow():
		    rows = []
		    while True:
		        rows.append(bytearray(1 << 20))
		grow()
	END
	for ((i = 0; i < kills; i++)); do
		bench_group oom
		echo $((100 << 20)) >"$group/$limit_file"
		rm -rf "$work/run"
		command=("$targets/toucher" --mib 400)
		((i % 2)) || command=(/usr/bin/python3 "$work/grow.py")
		"$tool" -q -d memory,allocations -o "$work/run" --cgroup "$group" &
		observer=$!
		until grep -qs '^clockid: 7$' /proc/$observer/fdinfo/*; do sleep 0.02; done
		sh -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$group" "${command[@]}" >/dev/null 2>&1 || true
		bench_group_end
		wait $observer || true
		jq -e '.task.end == "oom" and (.task.oom_kills | length) == 1' "$work/run/manifest.json" >/dev/null 2>&1 && whole=$((whole + 1))
		jq -e '.diagnostics.memory.cgroup.peak_bytes | . > 102760448 and . < 106954752' "$work/run/manifest.json" >/dev/null 2>&1 && peak=$((peak + 1))
		jq -e '.diagnostics.memory.cgroup | ([.ledger[].bytes] | add) as $s | ($s - .peak_bytes | fabs) < .peak_bytes / 200' "$work/run/manifest.json" >/dev/null 2>&1 && sum=$((sum + 1))
		jq -e '.diagnostics as $d | $d.allocations.held[$d.memory.cgroup.ledger_moment] | max_by(.bytes).stacks[0].stack | any(test("^(touch_rounds|grow)"))' \
			"$work/run/manifest.json" >/dev/null 2>&1 && named=$((named + 1))
	done
	echo "OOM kills: $kills; whole runs: $whole; peak within 2 % of the limit: $peak; ledger adds up: $sum; top stack names the function: $named"
}

# PROCESSES=500 in a cgroup that together fork 1,000 times a second: what the observer takes, and whether a child is missing.
bench_forks_cgroup() {
	local processes=${PROCESSES:-500} seconds=${SECONDS_OF_FORKS:-20} i rate
	bench_group forks
	cat >"$work/forker.c" <<-'END'
		#include <stdio.h>
		#include <stdlib.h>
		#include <sys/wait.h>
		#include <time.h>
		#include <unistd.h>
		/* forker SECONDS PROCESSES: each of PROCESSES forks twice a second; prints how often in all */
		int main(int argc, char **argv)
		{
			int processes = atoi(argv[2]), seconds = atoi(argv[1]), tells[2];
			long all = 0, mine;
			(void)argc;
			if (pipe(tells)) return 1;
			for (int i = 0; i < processes; i++) {
				if (fork()) continue;
				struct timespec half = { 0, 500000000 }, first = { 0, (long)i * 1000000 % 500000000 };
				long n = 0;
				nanosleep(&first, NULL);
				for (int k = 0; k < 2 * seconds; k++) {
					pid_t pid = fork();
					if (!pid) _exit(0);
					n += pid > 0;
					waitpid(pid, NULL, 0);
					nanosleep(&half, NULL);
				}
				if (write(tells[1], &n, sizeof(n)) != sizeof(n)) return 1;
				_exit(0);
			}
			close(tells[1]);
			while (read(tells[0], &mine, sizeof(mine)) == sizeof(mine)) all += mine + 1;
			while (wait(NULL) > 0) ;
			printf("%ld\n", all + 1);
			return 0;
		}
	END
	gcc -O1 -o "$work/forker" "$work/forker.c"
	rm -rf "$work/run"
	"$tool" -q -d memory -o "$work/run" --cgroup "$group" &
	observer=$!
	until grep -qs '^clockid: 7$' /proc/$observer/fdinfo/*; do sleep 0.02; done
	sh -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$group" "$work/forker" "$seconds" "$processes" >"$work/said"
	bench_group_end
	wait $observer || true
	rate=$(jq -r '(.task.processes_seen / .task.duration_s | floor)' "$work/run/manifest.json")
	jq -r --arg said "$(cat "$work/said")" --arg rate "$rate" '"processes made: \($said), seen: \(.task.processes_seen) (\($rate) a second); observer: \(.observer.cpu_s / .task.duration_s * 1000 | round / 10) % of a core, RSS \(.observer.rss_peak_bytes / 1048576 | round) MB; lost: \([.ledger.lost[]] | add), offered - recorded: \(.ledger.offered - .ledger.recorded), exits forgotten: \(.ledger.notes.exits_forgotten)"' \
		"$work/run/manifest.json"
}
