#!/usr/bin/env python3
"""check_allocations_speedscope.py DIR: does speedscope's own page show what is in DIR/allocations.folded?

The page (npm: speedscope, by digest, in the cache, as check_speedscope.py has it) opens DIR/allocations.speedscope.json
in headless Chromium, the way its command line program does. Read from the page: the profiles of the peak and of the leaks
with their bytes; and the folded file, total and self of every symbol, exactly. Needs chromium.
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
import allocations  # noqa: E402
import folded  # noqa: E402

VERSION = "1.25.0"
DIGEST = "2831f1e0d26df914b477e522d78b8485511495a6af81a0b88158f8b48f9e0d03"
ARCHIVE_BYTES_MAX = 16 << 20


def fetch():
    npm, told = shutil.which("npm"), os.environ.get("npm_config_registry", "")
    if npm and not told:
        told = subprocess.run([npm, "config", "get", "registry"], capture_output=True, text=True, check=False,
                              timeout=folded.PATIENCE_S, stdin=subprocess.DEVNULL).stdout.strip()
    registry = (told if told.startswith(("https://", "http://")) else "https://registry.npmjs.org").rstrip("/")
    try:
        with urllib.request.urlopen(f"{registry}/speedscope/-/speedscope-{VERSION}.tgz", timeout=60) as answer:
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
    drawn: then another is taken, a few times."""
    for _ in range(4):
        body = re.sub(r"<(style|script)\b.*?</\1>", "", dump(archive, profile), flags=re.S)
        texts = [html.unescape(text) for text in re.split(r"<[^>]*>", body) if text.strip()]
        if heading in texts and len(texts) > texts.index(heading) + 3:
            return texts[texts.index(heading) + 1:]
    folded.fail(f"the page shows nothing of {profile}: {texts[:40]!r}")


def amount(value):
    """As speedscope writes bytes."""
    if value < 1024:
        return f"{value:.0f} B"
    for unit in ("KB", "MB"):
        value /= 1024
        if value < 1024:
            return f"{value:.2f} {unit}"
    return f"{value / 1024:.2f} GB"


def check_profiles(archive, directory, stacks):
    path = os.path.join(directory, "allocations.speedscope.json")
    with open(path, encoding="utf-8") as file:
        profiles = json.load(file)["profiles"]
    sums = [sum(profile["weights"]) for profile in profiles]
    folded.expect("bytes at the peak", sums[0], sum(value for _, value in stacks))
    allocations.expect_told(directory, "leaked_bytes", sum(sums[1:]))
    if len(profiles) < 2:
        return 1  # the page has a list of profiles only when there are several
    texts = show(archive, path, "Total Weight")
    for i, name in enumerate(("held at the peak", "left at the end")):
        if texts[3 * i + 1:3 * i + 3] != [name, amount(sums[i])]:
            folded.fail(f"list of profiles: {texts[3 * i:3 * i + 3]!r} for {name!r} of {amount(sums[i])}")
    return 2


def check_folded(archive, directory, stacks):
    texts = show(archive, os.path.join(directory, "allocations.folded"), "Symbol Name")
    shown = {}
    for i in range(0, len(texts) - 2, 3):
        total, self_bytes = (re.fullmatch(r"([\d,]+) \(.*%\)", text) for text in texts[i:i + 2])
        if not total or not self_bytes:
            folded.fail(f"symbols of the folded file: {texts[i:i + 3]!r}")
        shown[texts[i + 2]] = [allocations.number(self_bytes[1]), allocations.number(total[1])]
    allocations.expect_functions("symbols of the folded file", shown, folded.totals(stacks))
    return len(shown)


def main():
    directory = sys.argv[1]
    stacks, archive = allocations.stacks(directory), install()
    profiles = check_profiles(archive, directory, stacks)
    symbols = check_folded(archive, directory, stacks) if stacks else 0
    print(f"speedscope {VERSION}: {profiles} profiles and {symbols} symbols agree")


main()
