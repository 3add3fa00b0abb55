#!/usr/bin/python3
"""A metadata import, as a package server does it: a real program, many processes, uneven memory.

    metadata_import.py [--packages N] [--quiet]

It makes the metadata of a package repository (primary.xml of an rpm repository; the same for the
same N), then imports it:

    make     60,000 packages as gzip-compressed XML, in a directory of its own
    parse    xml.etree over the decompressed stream, every package kept as an object: memory grows
    hash     three worker processes, started before the memory grew: sha256 and zlib of each package
    index    sqlite3, in memory, with indexes on names and on what packages provide
    export   the index written out by section: four gzip processes, and one lzma stream beside them
    release  the objects go: memory falls, the index stays
    check    queries the index, compares with what was made

The truth it embodies: memory rises to some hundreds of MB from `parse` to `index`, is highest
before `release`, and falls there to about half, while processes come and go. Standard library only.
Progress goes to stdout; it exits with 1 when the import differs from what was made.
"""

import argparse
import gc
import gzip
import hashlib
import lzma
import multiprocessing
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
import zlib

COMMON = "http://linux.duke.edu/metadata/common"
RPM = "http://linux.duke.edu/metadata/rpm"
SECTIONS = ("devel", "libs", "net", "text")
WORKERS = 3

WORDS = (
    "access agent archive audio backup base bind block boot bridge buffer cache calendar "
    "client cloud cluster codec color common compat config console core crypto daemon data "
    "desktop device dict disk driver editor engine event export extra fast file filter font "
    "format frame fuse game graph grid group guest hash help host image index input java "
    "kernel key lang layer ldap legacy light link list loader local lock log mail manager map "
    "math media menu meta mirror mobile module monitor mount name network node object office "
    "open page parser path perl plugin policy port print proxy python queue random record "
    "remote render report resource ruby schema screen search secure server session shell "
    "signal simple socket sound source stack static storage stream sync system table task tcl "
    "test text theme thread time tool trace tree tunnel type update user utils vector video "
    "view virtual web widget window wire write yaml zone "
).split()


class Package:
    """One package, as the server keeps it while it imports."""

    __slots__ = ("name", "arch", "version", "section", "size", "summary", "description", "requires",
                 "provides", "files", "digest", "packed_size")

    def text(self):
        return "\n".join((self.name, self.arch, self.version, self.section, self.summary,
                          self.description, *self.requires, *self.provides, *self.files))


def phrase(rng, words):
    return " ".join(rng.choices(WORDS, k=words))


def package_name(rng, number):
    return f"{rng.choice(WORDS)}-{rng.choice(WORDS)}-{number}"


def package_xml(rng, number):
    name = package_name(rng, number)
    version = f"{rng.randrange(20)}.{rng.randrange(40)}.{rng.randrange(9)}"
    requires = "".join(f'<rpm:entry name="lib{word}.so.{rng.randrange(9)}()(64bit)" flags="GE"/>'
                       for word in rng.choices(WORDS, k=rng.randrange(4, 16)))
    provides = "".join(f'<rpm:entry name="{name}({word})" flags="EQ" epoch="0" ver="{version}"/>'
                       for word in rng.choices(WORDS, k=rng.randrange(2, 8)))
    files = "".join(f"<file>/usr/share/{name}/{first}/{second}.conf</file>" for first, second in
                    zip(rng.choices(WORDS, k=12), rng.choices(WORDS, k=rng.randrange(4, 12))))
    return (f'<package type="rpm"><name>{name}</name><arch>x86_64</arch>'
            f'<version epoch="0" ver="{version}" rel="1"/>'
            f'<summary>{phrase(rng, 6)}</summary><description>{phrase(rng, 30)}</description>'
            f'<size package="{rng.randrange(1 << 24)}"/>'
            f'<format><rpm:group>{rng.choice(SECTIONS)}</rpm:group>'
            f'<rpm:provides>{provides}</rpm:provides><rpm:requires>{requires}</rpm:requires>'
            f'{files}</format></package>\n')


def make_repository(path, count):
    rng = random.Random(20240229)
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as out:
        out.write(f'<?xml version="1.0" encoding="UTF-8"?>\n'
                  f'<metadata xmlns="{COMMON}" xmlns:rpm="{RPM}" packages="{count}">\n')
        for number in range(count):
            out.write(package_xml(rng, number))
        out.write("</metadata>\n")


def parse_package(element):
    common, rpm = f"{{{COMMON}}}", f"{{{RPM}}}"
    details = element.find(common + "format")
    package = Package()
    package.name = element.findtext(common + "name")
    package.arch = element.findtext(common + "arch")
    package.version = element.find(common + "version").get("ver")
    package.size = int(element.find(common + "size").get("package"))
    package.summary = element.findtext(common + "summary")
    package.description = element.findtext(common + "description")
    package.section = details.findtext(rpm + "group")
    package.requires = [entry.get("name") for entry in details.find(rpm + "requires")]
    package.provides = [entry.get("name") for entry in details.find(rpm + "provides")]
    package.files = [entry.text for entry in details.iterfind(common + "file")]
    return package


def parse_repository(path):
    packages = []
    with gzip.open(path, "rb") as source:
        events = ElementTree.iterparse(source, events=("start", "end"))
        _, root = next(events)
        for event, element in events:
            if event == "end" and element.tag == f"{{{COMMON}}}package":
                packages.append(parse_package(element))
                root.clear()
    return packages


def hash_texts(texts):
    """In a worker: the digest and the compressed size of each text."""
    results = []
    for text in texts:
        data = text.encode()
        results.append((hashlib.sha256(data).hexdigest(), len(zlib.compress(data, 6))))
    return results


def hash_packages(pool, packages, batch=500):
    batches = (packages[at:at + batch] for at in range(0, len(packages), batch))
    texts = ([package.text() for package in part] for part in batches)
    at = 0
    for results in pool.imap(hash_texts, texts):
        for digest, packed_size in results:
            packages[at].digest, packages[at].packed_size = digest, packed_size
            at += 1


def index_packages(packages):
    database = sqlite3.connect(":memory:")
    database.executescript(
        "create table package (id integer primary key, name text, version text, section text,"
        " size integer, packed integer, digest text, summary text);"
        "create table provides (package integer, name text);"
        "create table requires (package integer, name text);")
    database.executemany(
        "insert into package values (?, ?, ?, ?, ?, ?, ?, ?)",
        ((number, p.name, p.version, p.section, p.size, p.packed_size, p.digest, p.summary)
         for number, p in enumerate(packages)))
    for table in ("provides", "requires"):
        database.executemany(
            f"insert into {table} values (?, ?)",
            ((number, name) for number, p in enumerate(packages) for name in getattr(p, table)))
    database.executescript("create index package_name on package (name);"
                           "create index provides_name on provides (name);"
                           "create index requires_name on requires (name);")
    database.commit()
    return database


def export_sections(database, directory):
    """A list for each section, compressed by a gzip process while lzma has all of them here."""
    children = []
    everything = lzma.LZMACompressor(preset=1)
    packed = 0
    for section in SECTIONS:
        path = os.path.join(directory, section)
        rows = database.execute("select name, version, digest, summary from package"
                                " where section = ? order by name", (section,))
        text = "".join("\t".join(row) + "\n" for row in rows).encode()
        with open(path, "wb") as out:
            out.write(text)
        children.append(subprocess.Popen(["gzip", "-9", path]))
        packed += len(everything.compress(text))
    packed += len(everything.flush())
    failed = [child.args for child in children if child.wait() != 0]
    if failed:
        raise RuntimeError(f"{failed[0]} failed")
    return packed


def run(count, say):
    with tempfile.TemporaryDirectory(prefix="metadata-import-") as directory, \
            multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        path = os.path.join(directory, "primary.xml.gz")
        make_repository(path, count)
        say("make", f"{os.path.getsize(path):,} bytes compressed")
        packages = parse_repository(path)
        total_size = sum(package.size for package in packages)
        say("parse", f"{len(packages):,} packages")
        hash_packages(pool, packages)
        say("hash", f"by {WORKERS} processes")
        database = index_packages(packages)
        provides = database.execute("select count(*) from provides").fetchone()[0]
        say("index", f"{provides:,} provides")
        packed = export_sections(database, directory)
        say("export", f"{len(SECTIONS)} sections, {packed:,} bytes by lzma")
        del packages
        gc.collect()
        say("release", "the objects are gone, the index stays")
        time.sleep(1)
        found, size, digests = database.execute(
            "select count(*), sum(size), count(distinct digest) from package").fetchone()
        needed = database.execute("select name, count(*) as users from requires group by name"
                                  " order by users desc, name limit 1").fetchone()
        say("check", f"most required: {needed[0]}, by {needed[1]:,}" if needed else "empty")
    return (found, size or 0, digests) == (count, total_size, count)


def main():
    parser = argparse.ArgumentParser(description="a metadata import, as a package server does it")
    parser.add_argument("--packages", type=int, default=60000, metavar="N", help="default: 60000")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    options = parser.parse_args()
    start = time.monotonic()

    def say(stage, what):
        if not options.quiet:
            print(f"{time.monotonic() - start:6.1f} s  {stage:8} {what}", flush=True)

    if not run(options.packages, say):
        sys.exit("metadata_import.py: the index differs from the packages that were made")


if __name__ == "__main__":
    main()
