#!/usr/bin/env python3
"""How long the Profile tab of report.html takes to show what a user asks for, with 20,000 distinct stacks.

    page_redraw.py TASKDIAG WORK TIMES

Each action is done TIMES times in headless Chromium; what counts is the time from the action to the first frame
painted after it. Prints a table in Markdown: median and highest.
"""
import os
import statistics
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests/e2e"))
from browser import Browser  # noqa: E402

PAINTED = ("new Promise(done => {{ const begin = performance.now(); {action};"
           " requestAnimationFrame(() => setTimeout(() => done(performance.now() - begin))) }})")
BUTTON = "[...document.querySelectorAll('.choice button')].find(b => b.textContent === '{}').click()"
CANVAS = "document.querySelector('.flame canvas')"
MOUSE = (CANVAS + ".dispatchEvent(new MouseEvent('{kind}', {{bubbles: true, clientX: {box}.left + {box}.width * {x},"
         " clientY: {box}.top + {y}}}))")
BOX = CANVAS + ".getBoundingClientRect()"
ACTIONS = (
    ("the pointer moves over the graph", [MOUSE.format(kind="mousemove", box=BOX, x=x / 20, y=210) for x in range(20)]),
    ("search, letter by letter", ["(s => { s.value = '%s'; s.dispatchEvent(new Event('input', {bubbles: true})) })"
                                  "(document.querySelector('input[type=search]'))" % "leaf"[:n] for n in (1, 2, 3, 4, 0)]),
    ("zoom in, zoom out", ["document.querySelector('.flame').scrollTop = 0; " + MOUSE.format(kind="click", box=BOX, x=0.5, y=70),
                           "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}))"]),
    ("callers, callees (20,000 stacks anew)", [BUTTON.format("Callers"), BUTTON.format("Functions")]),
    ("a cause off, and on again (20,000 stacks anew)", ["document.querySelector('.chip').click()"] * 2),
)


def main():
    tool, work, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
    run, page_file = os.path.join(work, "run"), os.path.join(work, "page.html")
    subprocess.run([sys.executable, os.path.join(ROOT, "tests/e2e/make_profile.py"), run, "--stacks", "20000"], check=True)
    subprocess.run([tool, "html", run, "-o", page_file], check=True)
    print("| action | median, ms | highest, ms | times |\n|---|---|---|---|")
    with Browser(os.path.join(work, "chromium")) as page:
        page.open(page_file + "#profile", "document.querySelector('.shown') && document.querySelector('.shown').textContent")
        for name, actions in ACTIONS:
            took = []
            for i in range(times):
                action = actions[i % len(actions)]
                took.append(page.value(PAINTED.format(action=action)))
            print(f"| {name} | {statistics.median(took):.1f} | {max(took):.1f} | {times} |", flush=True)
        assert not page.console, page.console


main()
