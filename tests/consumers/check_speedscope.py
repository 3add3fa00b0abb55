#!/usr/bin/env python3
"""check_speedscope.py DIR: does speedscope's own page show what is in DIR/profile.folded?

The page (npm: speedscope, by digest, in the cache) opens DIR/profile.speedscope.json and DIR/profile.folded in headless
Chromium, the way its command line program does. Read from the page: the weight of each thread in its list of profiles,
as text, and for the folded file total and self of every symbol, exactly. Needs chromium. The registry is the one that
npm has, or npm_config_registry, or npm's public one; npm itself is not needed.
"""
import base64
import hashlib
import html
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request

sys.dont_write_bytecode = True  # nothing appears beside the sources
import folded  # noqa: E402

VERSION = "1.25.0"
DIGEST = "2831f1e0d26df914b477e522d78b8485511495a6af81a0b88158f8b48f9e0d03"
ARCHIVE_BYTES_MAX = 16 << 20


def registry():
    """Where this machine has npm's packages from."""
    npm, told = shutil.which("npm"), os.environ.get("npm_config_registry", "")
    if npm and not told:
        told = subprocess.run([npm, "config", "get", "registry"], capture_output=True, text=True, check=False,
                              timeout=folded.PATIENCE_S, stdin=subprocess.DEVNULL).stdout.strip()
    return (told if told.startswith(("https://", "http://")) else "https://registry.npmjs.org").rstrip("/")


def fetch():
    address = f"{registry()}/speedscope/-/speedscope-{VERSION}.tgz"
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.read(ARCHIVE_BYTES_MAX)
    except (OSError, http.client.HTTPException) as error:
        return folded.skip(f"speedscope {VERSION} is not to be had: {error}")


def install():
    """The archive that has the page."""
    archive = os.path.join(folded.cache_dir("consumers"), f"speedscope-{VERSION}.tgz")
    if not os.path.exists(archive):
        content = fetch()
        with open(archive + ".part", "wb") as file:
            file.write(content)
        os.rename(archive + ".part", archive)
    with open(archive, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    if digest != DIGEST:
        os.unlink(archive)
        folded.fail(f"speedscope {VERSION}: not the file we know: {digest}")
    return archive


def dump(archive, profile):
    """The page that has opened @profile, in the sandwich view."""
    chromium = shutil.which("chromium") or folded.skip("no chromium")
    with tempfile.TemporaryDirectory() as scratch, open(profile, "rb") as file:
        with tarfile.open(archive) as tar:
            tar.extractall(scratch)
        loader = os.path.join(scratch, "load.js")
        with open(loader, "w", encoding="ascii") as js:
            content = base64.b64encode(file.read()).decode()
            js.write(f"speedscope.loadFileFromBase64({json.dumps(os.path.basename(profile))}, {json.dumps(content)})")
        return folded.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                           f"--user-data-dir={scratch}/browser", "--window-size=1600,8000",
                           "--virtual-time-budget=30000", "--dump-dom",
                           f"file://{scratch}/package/dist/release/index.html"
                           f"#localProfilePath={loader}&view=sandwich"],
                          env=dict(os.environ, HOME=scratch))


def show(archive, profile, heading):
    """The texts of the page, one per element, from those after @heading on. A dump may come before the table is
    drawn, on a busy machine again and again: then another is taken."""
    for _ in range(20):
        body = re.sub(r"<(style|script)\b.*?</\1>", "", dump(archive, profile), flags=re.S)
        texts = [html.unescape(text) for text in re.split(r"<[^>]*>", body) if text.strip()]
        if heading in texts and len(texts) > texts.index(heading) + 3:
            return texts[texts.index(heading) + 1:]
    folded.fail(f"the page shows nothing of {profile}: {texts[:40]!r}")


def duration(ns):
    """As speedscope writes a time."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns / size >= 1:
            if unit == "s" and ns / 1e9 >= 60:
                minutes = int(ns / 60e9)
                return f"{minutes}:{ns / 1e9 - minutes * 60:02.0f}"
            return f"{ns / size:.2f}{unit}"
    return f"{ns:.2f}ns"


def check_speedscope(archive, directory, stacks):
    path = os.path.join(directory, "profile.speedscope.json")
    with open(path, encoding="utf-8") as file:
        profiles = json.load(file)["profiles"]
    folded.expect("total", (sum(sum(p["weights"]) for p in profiles) + 500) // 1000, sum(v for _, v in stacks))
    for profile in profiles:
        folded.expect(f"endValue of {profile['name']}", profile["endValue"], sum(profile["weights"]))
    threads = folded.totals([([" / ".join(frames[:2])], value) for frames, value in stacks])
    if len(threads) < 2:
        return 0  # the page has a list of profiles only when there are several
    texts = show(archive, path, "Total Weight")
    rows = [texts[3 * i:3 * i + 3] for i in range(len(profiles))]
    for row, profile in zip(rows, profiles):
        name = row[1].replace(";", ":")
        if row[1] != profile["name"] or name not in threads:
            folded.fail(f"list of profiles: {row!r} for {profile['name']!r}")
        if row[2] != duration(sum(profile["weights"])):
            folded.fail(f"the page shows {row[2]} for {name}, its weights say {duration(sum(profile['weights']))}")
        folded.expect(f"weights of {name}", sum(profile["weights"]) / 1000, threads[name][0], len(stacks) + 1)
    folded.expect("threads", len(rows), len(threads))
    return len(rows)


def check_folded(archive, directory, stacks):
    path = os.path.join(directory, "profile.folded")
    texts = show(archive, path, "Symbol Name")
    shown = {}
    for i in range(0, len(texts) - 2, 3):
        total, self_time = (re.fullmatch(r"([\d,]+) \(.*%\)", text) for text in texts[i:i + 2])
        if not total or not self_time:
            folded.fail(f"symbols of the folded file: {texts[i:i + 3]!r}")
        shown[texts[i + 2]] = [int(self_time[1].replace(",", "")), int(total[1].replace(",", ""))]
    wanted = folded.totals(stacks)
    if len(wanted) > 300:  # the page has only the rows in sight
        wanted = {name: wanted[name] for name in shown if name in wanted}
    folded.expect_same_names("symbols of the folded file", shown, wanted)
    for name, values in wanted.items():
        if shown[name] != values:
            folded.fail(f"{name!r}: self and total {shown[name]}, profile.folded has {values}")
    return len(wanted)


def main():
    directory = sys.argv[1]
    stacks = folded.lines(os.path.join(directory, "profile.folded"))
    archive = install()
    threads = check_speedscope(archive, directory, stacks)
    symbols = check_folded(archive, directory, stacks) if stacks else 0
    print(f"speedscope {VERSION}: {threads} threads and {symbols} symbols agree")


main()
