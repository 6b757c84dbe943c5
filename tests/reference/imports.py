# SPDX-License-Identifier: Apache-2.0
"""Reads the trace formats of other programs, slowly, written from their descriptions.

    read(name, content, page_size) -> list[Imported]

`content` is the bytes of an unpacked trace without bad records; members() unpacks a zip archive.
The formats and what each field means are in docs/reference/formats.md.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from typing import Callable, Iterator, NamedTuple


class Imported(NamedTuple):
    """One memory reference; op is 'R', 'W' or 'I'."""

    op: str
    addr: int
    size: int
    pid: int = 0
    tid: int = 0


def members(archive: bytes) -> bytes:
    """The members of a zip archive, one after the other."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return b"".join(opened.read(name) for name in opened.namelist())


def records(content: bytes, layout: str) -> Iterator[tuple]:
    """Records of a fixed size."""
    return struct.Struct("<" + layout).iter_unpack(content)


def champsim(content: bytes, _page_size: int) -> Iterator[Imported]:
    """64 bytes: ip, two marks, registers, 2 addresses written, 4 read."""
    for ip, *words in records(content, "Q8x2Q4Q"):
        yield Imported("I", ip, 1)
        yield from (Imported("R", addr, 1) for addr in words[2:] if addr)
        yield from (Imported("W", addr, 1) for addr in words[:2] if addr)


def cloudsuite(content: bytes, _page_size: int) -> Iterator[Imported]:
    """96 bytes: the same with 4 addresses written, and the address space."""
    for ip, *words, space in records(content, "Q16x4Q4QH6x"):
        yield Imported("I", ip, 1, space)
        yield from (Imported("R", addr, 1, space) for addr in words[4:] if addr)
        yield from (Imported("W", addr, 1, space) for addr in words[:4] if addr)


FETCHES = {10, 11, 12, 13, 14, 15, 16, 31, 48, 49}


def drmemtrace(content: bytes, _page_size: int) -> Iterator[Imported]:
    """12 bytes: type, size, address; see DynamoRIO's trace_entry.h."""
    pid = tid = last = following = 0
    pids: dict[int, int] = {}
    for kind, size, value in records(content, "HHQ"):
        if kind == 22:
            tid = value
            pid = pids.get(tid, pid)
        elif kind == 24:
            pid = pids[tid] = value
        elif kind in (0, 1):
            yield Imported("RW"[kind], value, max(size, 1), pid, tid)
        elif kind in FETCHES or (kind == 30 and value != last):
            last, following = value, value + size
            yield Imported("I", value, max(size, 1), pid, tid)
        elif kind == 17:
            for length in value.to_bytes(8, "little")[:size]:
                last, following = following, following + length
                yield Imported("I", last, max(length, 1), pid, tid)


def oracle_general(content: bytes, page_size: int) -> Iterator[Imported]:
    """24 bytes: time, object, size, next request."""
    for _, item, _, _ in records(content, "IQIq"):
        yield Imported("R", item * page_size, 1)


def oracle_general_opns(content: bytes, page_size: int) -> Iterator[Imported]:
    """27 bytes: the same with operation and name space."""
    stores = {3, 4, 5, 6, 7, 8, 10, 11, 13, 14}
    for _, item, _, operation, space, _ in records(content, "IQIBHq"):
        if operation != 9:
            yield Imported("W" if operation in stores else "R", item * page_size, 1, space)


SCSI = {0x08: "R", 0x28: "R", 0xA8: "R", 0x88: "R", 0x0A: "W", 0x2A: "W", 0xAA: "W", 0x8A: "W"}


def vscsi1(content: bytes, _page_size: int) -> Iterator[Imported]:
    """32 bytes."""
    for _, length, _, command, _, block, _ in records(content, "IIIHHQQ"):
        if command in SCSI:
            yield Imported(SCSI[command], block * 512, max(length, 1))


def vscsi2(content: bytes, _page_size: int) -> Iterator[Imported]:
    """40 bytes."""
    for command, _, _, length, _, block, _, _ in records(content, "HHIIIQQQ"):
        if command in SCSI:
            yield Imported(SCSI[command], block * 512, max(length, 1))


def drview(content: bytes, _page_size: int) -> Iterator[Imported]:
    """What DynamoRIO's tool view prints."""
    ops = {"ifetch": "I", "read": "R", "write": "W"}
    pattern = re.compile(r"\s*\d+\s+\d+:\s+(?:W\d+\.T)?(\d+)\s+(ifetch|read|write)\s+(\d+) "
                         r"byte\(s\) @ 0x([0-9a-f]+)")
    for line in content.decode().splitlines():
        found = pattern.match(line)
        if found:
            yield Imported(ops[found[2]], int(found[4], 16), int(found[3]), 0, int(found[1]))


def csv(content: bytes, page_size: int) -> Iterator[Imported]:
    """A table with a heading that has the columns lbn or page, op, size, pid."""
    heading, *lines = content.decode().splitlines()
    names = heading.split(",")
    ops = {"2a": "W", "28": "R", "W": "W", "R": "R", "store": "W", "load": "R", "I": "I"}
    for line in lines:
        row = dict(zip(names, line.split(",")))
        place = int(row["lbn"]) * 512 if "lbn" in row else int(row["page"], 0) * page_size
        yield Imported(ops[row.get("op", "R")], place, max(int(row.get("size", "1")), 1),
                       int(row.get("pid", "0")))


READERS: dict[str, Callable[[bytes, int], Iterator[Imported]]] = {
    "champsim": champsim,
    "cloudsuite": cloudsuite,
    "drmemtrace": drmemtrace,
    "oracleGeneral": oracle_general,
    "oracleGeneralOpNS": oracle_general_opns,
    "vscsi1": vscsi1,
    "vscsi2": vscsi2,
    "drview": drview,
    "csv": csv,
}


def read(name: str, content: bytes, page_size: int = 4096) -> list[Imported]:
    """All references of a trace."""
    return list(READERS[name](content, page_size))
