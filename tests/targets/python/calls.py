#!/usr/bin/env python3
"""Known chains of calls, of every kind that makes a frame.

    calls.py [--hold-ms CPU] [--rounds N]

Truth: each chain ends in `hold`, which burns the CPU time there and nowhere else. Prints `ready` when
it begins. Before it burns, hold prints the stack as the interpreter itself has it, one line of JSON:
[[name, file, line], ...], the leaf first. The name is the qualified one where the version has it (3.11).
The line of the leaf changes while it burns: it is 0.
"""
import argparse
import asyncio
import functools
import json
import re
import sys
import time

hold_ns = 0


def stack(frame):
    """The frames from here to the root. hold is the first."""
    rows = []
    while frame:
        code = frame.f_code
        line = frame.f_lineno if rows else 0
        rows.append([getattr(code, "co_qualname", code.co_name), code.co_filename, line])
        frame = frame.f_back
    return rows


def hold(value=None):
    print(json.dumps(stack(sys._getframe())), flush=True)
    end = time.thread_time_ns() + hold_ns
    while time.thread_time_ns() < end:
        pass
    return value


def third():
    # the call is not on the first line of its statement
    return [
        0,
        hold(1),
        2,
    ]


def second():
    return third()


def functions():
    return second()


class Base:
    def method(self):
        return self.leaf()

    @classmethod
    def class_method(cls):
        return cls().method()

    @staticmethod
    def static_method():
        return Derived.class_method()

    def leaf(self):
        return hold()


class Derived(Base):
    def method(self):
        return super().method()


def methods():
    return Base.static_method()


class Special:
    def __init__(self):
        self[0]

    def __getitem__(self, key):
        return self.attribute

    @property
    def attribute(self):
        with self:
            return self + 1

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        return False

    def __add__(self, other):
        return self.missing

    def __getattr__(self, name):
        return hold(name)


def special_methods():
    return Special()


def closures():
    free = 1

    def outer():
        def inner():
            return hold(free)

        return inner()

    return outer()


def lambdas():
    return (lambda x: (lambda y: hold(y))(x))(1)


def comprehensions():
    return [{hold(x) for x in range(y)} for y in (1,)]


def generator_expression():
    return sum(hold(x) for x in (1,))


def produce_inner():
    yield hold(1)


def produce_middle():
    yield from produce_inner()


def produce_outer():
    yield from produce_middle()


def generators():
    return list(produce_outer())


async def await_inner():
    await asyncio.sleep(0)
    return hold(1)


async def await_middle():
    return await await_inner()


async def async_produce():
    yield await await_middle()


async def await_outer():
    return [x async for x in async_produce()]


def coroutines():
    return asyncio.run(await_outer())


def by_hand():
    """A coroutine that is resumed without a loop."""
    coroutine = await_middle()
    coroutine.send(None)
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value


def decorate(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


@decorate
@decorate
def decorated():
    return hold()


def sort_key(value):
    return hold(value)


def through_sorted():
    return sorted([1], key=sort_key)


def through_map():
    return list(map(functools.partial(sort_key), [1]))


def substitute(match):
    return hold(match.group())


def through_re():
    return re.sub("a", substitute, "bab")


@functools.lru_cache(maxsize=None)
def cached():
    return functools.reduce(lambda a, b: hold(a + b), [1, 2])


def through_cache():
    return cached()


def class_body():
    class Body:
        value = hold(1)

    return Body


def compiled_text():
    exec("def from_text():\n    return hold(1)\n\nfrom_text()\n", {"hold": hold})


def recursive(depth):
    return hold() if depth == 0 else recursive(depth - 1)


def recursion():
    return recursive(20)


def in_except():
    try:
        raise ValueError
    except ValueError:
        try:
            return hold()
        finally:
            hold()


CHAINS = [
    functions,
    methods,
    special_methods,
    closures,
    lambdas,
    comprehensions,
    generator_expression,
    generators,
    coroutines,
    by_hand,
    decorated,
    through_sorted,
    through_map,
    through_re,
    through_cache,
    class_body,
    compiled_text,
    recursion,
    in_except,
]


def main():
    global hold_ns
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hold-ms", type=float, default=100)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()

    hold_ns = int(options.hold_ms * 1e6)
    print("ready", flush=True)
    for _ in range(options.rounds):
        cached.cache_clear()
        for chain in CHAINS:
            chain()


main()
