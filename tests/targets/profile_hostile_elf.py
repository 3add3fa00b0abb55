#!/usr/bin/env python3
"""Makes a program whose description of itself lies; the program runs as before.

    profile_hostile_elf.py KIND FROM TO

FROM is an ELF file for x86-64 (profile_burn). Nothing of what is changed is used to run it. KIND:

    expression-loop  every FDE: the CFA is an expression that jumps back to its own begin for ever
    stuck            every FDE: the CFA is the stack pointer itself, so that no frame is left
    circle           every FDE: the CFA never ends: each word of the stack is a return address
    cie-of-itself    every FDE names itself as its CIE
    lengths          every CIE and FDE says that it is 4 GiB - 16 long
    leb              every FDE: numbers of 10,000 bytes and more (LEB128 without an end)
    noise            .eh_frame is noise, from a fixed seed
    sections         section headers beyond the end of the file, 65,535 of them
    symbols          every symbol: a name beyond its table, a size of 2^64 - 1
    strings          the section and symbol names have no terminator: 0xff to the end
"""
import random
import struct
import sys


def sections(image):
    offset, = struct.unpack_from("<Q", image, 0x28)
    size, count, names = struct.unpack_from("<HHH", image, 0x3A)
    headers = [list(struct.unpack_from("<IIQQQQIIQQ", image, offset + i * size)) for i in range(count)]
    strings = headers[names][4]
    found = {}
    for header in headers:
        start = strings + header[0]
        found[image[start:image.index(0, start)].decode()] = (header[4], header[5])
    return found


def entries(image, offset, size):
    """(offset, length, CIE pointer) of each CIE and FDE"""
    end = offset + size
    while offset + 8 <= end:
        length, pointer = struct.unpack_from("<II", image, offset)
        if not length:
            break
        yield offset, length, pointer
        offset += 4 + length


def replace_programs(image, program):
    offset, size = sections(image)[".eh_frame"]
    for at, length, pointer in list(entries(image, offset, size)):
        if not pointer:
            continue
        first = at + 4 + 4 + 4 + 4 + 1  # length, CIE, begin, range (4 bytes each: pcrel sdata4), no data
        room = at + 4 + length - first
        if room >= len(program):
            image[first:first + room] = program + bytes(room - len(program))


def each_entry(image, change):
    offset, size = sections(image)[".eh_frame"]
    for at, length, pointer in list(entries(image, offset, size)):
        change(at, length, pointer)


def expression_loop(image):
    # DW_CFA_def_cfa_expression, 3 bytes: DW_OP_skip -3
    replace_programs(image, bytes([0x0F, 3, 0x2F, 0xFD, 0xFF]))


def stuck(image):
    replace_programs(image, bytes([0x0C, 7, 0]))  # DW_CFA_def_cfa rsp, 0


def circle(image):
    replace_programs(image, bytes([0x0C, 7, 8]))  # DW_CFA_def_cfa rsp, 8, for the whole function


def cie_of_itself(image):
    def change(at, length, pointer):
        struct.pack_into("<I", image, at + 4, 4 if not pointer else 4 + 4)

    each_entry(image, change)


def lengths(image):
    each_entry(image, lambda at, length, pointer: struct.pack_into("<I", image, at, 0xFFFFFFF0))


def leb(image):
    offset, size = sections(image)[".eh_frame"]
    for at, length, pointer in list(entries(image, offset, size)):
        if pointer:
            first = at + 17
            image[first:at + 4 + length] = (b"\x0c" + b"\xff" * length)[:at + 4 + length - first]


def noise(image):
    offset, size = sections(image)[".eh_frame"]
    image[offset:offset + size] = random.Random(1).randbytes(size)


def hostile_sections(image):
    struct.pack_into("<Q", image, 0x28, 1 << 62)
    struct.pack_into("<H", image, 0x3C, 0xFFFF)


def symbols(image):  # of .symtab: the dynamic linker reads .dynsym
    offset, size = sections(image)[".symtab"]
    for at in range(offset, offset + size - 23, 24):
        struct.pack_into("<I", image, at, 0xFFFFFFF0)
        struct.pack_into("<Q", image, at + 16, 0xFFFFFFFFFFFFFFFF)


def strings(image):
    found = sections(image)
    for name in (".strtab", ".shstrtab"):
        offset, size = found[name]
        image[offset:offset + size] = b"\xff" * size


KINDS = {
    "expression-loop": expression_loop,
    "stuck": stuck,
    "circle": circle,
    "cie-of-itself": cie_of_itself,
    "lengths": lengths,
    "leb": leb,
    "noise": noise,
    "sections": hostile_sections,
    "symbols": symbols,
    "strings": strings,
}

if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in KINDS:
        sys.exit(f"use: profile_hostile_elf.py {{{','.join(KINDS)}}} FROM TO")
    with open(sys.argv[2], "rb") as source:
        content = bytearray(source.read())
    before = bytes(content)
    KINDS[sys.argv[1]](content)
    if bytes(content) == before:
        sys.exit(f"{sys.argv[1]}: nothing was changed")
    with open(sys.argv[3], "wb") as target:
        target.write(content)
