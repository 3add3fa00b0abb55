"""What the checks of the allocations' files share: what is in allocations.folded, and what make_allocations has told."""
import os
import re

import folded


def stacks(directory):
    """[(frames, bytes)] at the peak."""
    return folded.lines(os.path.join(directory, "allocations.folded"))


def told(directory):
    """{key: number} of make_allocations; {} of a run of the program itself."""
    path = os.path.join(directory, "told")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="ascii") as file:
        return {key: int(value) for key, value in (line.split("=") for line in file)}


def expect_told(directory, key, shown):
    if key in told(directory):
        folded.expect(key, shown, told(directory)[key])


def functions(lines):
    """{name: [flat, cum]} without processes and threads."""
    return folded.totals([(frames[2:], value) for frames, value in lines], folded.function)


def expect_functions(what, shown, wanted):
    """@shown, @wanted: {name: [flat, cum]}."""
    folded.expect_same_names(what, shown, wanted)
    for name, values in wanted.items():
        if list(shown[name]) != list(values):
            folded.fail(f"{what}: {name!r}: flat and cum {shown[name]}, allocations.folded has {values}")


def number(text):
    """12,345 -> 12345"""
    return int(re.sub("[,_]", "", text))
