#!/usr/bin/env python3
"""python_shares.py RUN SAID NAME: how far the parts of schedule.py are from what it has measured itself: a row of a table."""
import json
import re
import sys


def main():
    run, said, name = sys.argv[1:]
    profile = json.load(open(run + "/manifest.json", encoding="utf-8"))["diagnostics"]["profile"]
    truth = {line.split()[1]: int(line.split()[2]) for line in open(said, encoding="utf-8") if line.startswith("part ")}
    ours = dict.fromkeys(truth, 0)
    with open(run + "/profile.folded", errors="surrogateescape", encoding="utf-8") as file:
        for line in file:
            text, us = line.rsplit(" ", 1)
            for part in truth:
                if re.search(rf";{part} \(", text):
                    ours[part] += int(us) * 1000
    whole = sum(truth.values())
    off = {part: 100 * (ours[part] - truth[part]) / whole for part in truth}
    worst = max(off, key=lambda part: abs(off[part]))
    walks = {k: v for k, v in profile["stacks"].items()
             if k not in ("none", "with_guessed_frames", "overflowed", "read_from_outside")}
    print(f"| {name} | {worst} {off[worst]:+.2f} | {sum(walks.values())} | {sum(walks.values()) - walks['complete']} |"
          f" {profile['python']['gone']} |", flush=True)


main()
