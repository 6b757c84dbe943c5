# SPDX-License-Identifier: Apache-2.0
"""Reads traces in the native text format and in the page-list format."""

from __future__ import annotations

import gzip
import lzma
from typing import Iterator, NamedTuple


class Reference(NamedTuple):
    """One memory reference; op is 'R', 'W' or 'I' (instruction fetch).

    Small letters are touches by the kernel. Tests put events among the references: see machine.py.
    """

    pid: int
    op: str
    addr: int
    size: int


class Trace(NamedTuple):
    """A whole trace and whether its format tells reads from writes."""

    references: list[Reference]
    marks_writes: bool


def parse_number(text: str) -> int:
    """Decimal, or hexadecimal after 0x."""
    return int(text, 16) if text.lower().startswith("0x") else int(text)


def open_text(path: str) -> Iterator[str]:
    """The lines of a file, which may be compressed."""
    if path.endswith(".gz"):
        opened = gzip.open(path, "rt", encoding="ascii")
    elif path.endswith(".xz"):
        opened = lzma.open(path, "rt", encoding="ascii")
    else:
        opened = open(path, encoding="ascii")
    with opened as lines:
        yield from lines


def read_trace(path: str, page_size: int) -> Trace:
    """Reads a trace; a file whose first record is one number is a page list."""
    references: list[Reference] = []
    marks_writes = True
    for line in open_text(path):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) == 1:
            marks_writes = False
            references.append(Reference(0, "R", parse_number(words[0]) * page_size, 1))
            continue
        pid = int(words[0])
        addr = parse_number(words[2])
        size = max(1, int(words[3])) if len(words) > 3 else 1
        for op in {"M": "RW"}.get(words[1].upper(), words[1].upper()):
            references.append(Reference(pid, op, addr, size))
    return Trace(references, marks_writes)
