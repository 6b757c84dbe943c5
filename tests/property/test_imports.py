#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random traces in the formats of other programs: the library reads what the slow readers read.

    python3 tests/property/test_imports.py [--rounds N] [--seed N]

Each trace is read by tests/reference/imports.py and by the library, as a file and packed in a zip
archive, with its format named and guessed; references must be equal in every field.
"""

from __future__ import annotations

import argparse
import io
import random
import struct
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[0] / "reference"))

import libvmm  # noqa: E402
from imports import Imported, read  # noqa: E402
from tap import Tap, equal  # noqa: E402

ENOUGH = 40  # records, from which on a guess is certain


def address(rng: random.Random) -> int:
    """Of the code, the heap or the stack; sometimes none."""
    return rng.choice((0, 0x400000 + rng.randrange(1 << 20),
                       0x7F0000000000 + rng.randrange(1 << 36)))


def make_champsim(rng: random.Random, count: int) -> bytes:
    """Instructions."""
    return b"".join(struct.pack("<QBB6s6Q", 0x400000 + rng.randrange(1 << 20), rng.randrange(2), 0,
                                rng.randbytes(6), *(address(rng) for _ in range(6)))
                    for _ in range(count))


def make_cloudsuite(rng: random.Random, count: int) -> bytes:
    """Instructions of several address spaces."""
    return b"".join(struct.pack("<QBB14s8QH6x", 0x400000 + rng.randrange(1 << 20), 1,
                                rng.randrange(2), rng.randbytes(14),
                                *(address(rng) for _ in range(8)), rng.randrange(3))
                    for _ in range(count))


def make_drmemtrace(rng: random.Random, count: int) -> bytes:
    """Records of all types, of several threads."""
    made = [(25, 0, 7), (22, 4, 7), (24, 4, 5)]
    for _ in range(count):
        kind = rng.choice((*range(0, 22), 22, *range(27, 50)))
        value, size = address(rng), rng.choice((0, 1, 4, 8, 64))
        if kind == 17:
            size, value = rng.randrange(9), rng.randrange(1 << 64)
        if kind == 22:
            made.append((22, 4, rng.randrange(5)))
            kind, size, value = 24, 4, made[-1][2] // 2
        made.append((kind, size, value))
    return b"".join(struct.pack("<HHQ", *record) for record in made)


def make_oracle(rng: random.Random, count: int) -> bytes:
    """Requests; the next one to the same object is right, which detection looks at."""
    items = [rng.randrange(1 << 20) for _ in range(count)]
    later = {item: -1 for item in items}
    following = []
    for place in range(count - 1, -1, -1):
        following.append(later[items[place]])
        later[items[place]] = place + 1
    return b"".join(struct.pack("<IQIq", 1000 + place // 3, item, 4096, after)
                    for place, (item, after) in enumerate(zip(items, reversed(following))))


def make_opns(rng: random.Random, count: int) -> bytes:
    """Requests with operations."""
    return b"".join(struct.pack("<IQIBHq", 1000 + place, rng.randrange(1 << 20), 1 << 20,
                                rng.randrange(16), rng.randrange(3), -1)
                    for place in range(count))


def make_vscsi1(rng: random.Random, count: int) -> bytes:
    """Requests to a disk."""
    return b"".join(struct.pack("<IIIHHQQ", 1, rng.choice((0, 512, 65536)), 1,
                                rng.choice((0x28, 0x2A, 0x88, 0x8A, 0x35)), 0x100,
                                rng.randrange(1 << 40), rng.randrange(1 << 40))
                    for _ in range(count))


def make_vscsi2(rng: random.Random, count: int) -> bytes:
    """Requests to a disk."""
    return b"".join(struct.pack("<HHIIIQQQ", rng.choice((0x28, 0x2A, 0x08, 0x0A, 0x35)), 0x200, 1,
                                rng.choice((0, 512, 65536)), 1, rng.randrange(1 << 40),
                                rng.randrange(1 << 40), 17)
                    for _ in range(count))


def make_drview(rng: random.Random, count: int) -> bytes:
    """Text of view."""
    lines = ["Output format:", "<--record#-> <--instr#->: <---tid---> <record details>", "-" * 60]
    for place in range(count):
        thread = rng.choice(("{:>11} ", "W0.T{:<8} ")).format(70 + place % 3)
        lines.append(f"{place:12} {place:11}: {thread}" + rng.choice((
            f"ifetch       {rng.randrange(1, 16)} byte(s) @ 0x{address(rng):016x} 48 89 e7  mov",
            f"read         8 byte(s) @ 0x{address(rng):016x} by PC 0x{address(rng):016x}",
            f"write        64 byte(s) @ 0x{address(rng):016x} by PC 0x{address(rng):016x}",
            f"<marker: timestamp {place}>", "                        00 ff")))
    lines.append(f"{count:15} : total instructions")
    return ("\n".join(lines) + "\n").encode()


def make_csv(rng: random.Random, count: int) -> bytes:
    """Tables of two kinds."""
    if rng.random() < 0.5:
        lines = ["version,time,op,size,lbn"]
        lines += [f"1,{place},{rng.choice(('2a', '28'))},{rng.choice((0, 512, 4096))},"
                  f"{rng.randrange(1 << 40)}" for place in range(count)]
    else:
        lines = ["page,pid,op"]
        lines += [f"{rng.choice((str, hex))(rng.randrange(1 << 30))},{rng.randrange(9)},"
                  f"{rng.choice(('R', 'W', 'I', 'load', 'store'))}" for _ in range(count)]
    return ("\n".join(lines) + "\n").encode()


MAKERS = {
    "champsim": make_champsim,
    "cloudsuite": make_cloudsuite,
    "drmemtrace": make_drmemtrace,
    "oracleGeneral": make_oracle,
    "oracleGeneralOpNS": make_opns,
    "vscsi1": make_vscsi1,
    "vscsi2": make_vscsi2,
    "drview": make_drview,
    "csv": make_csv,
}


def archive(rng: random.Random, content: bytes) -> bytes:
    """The content in a zip archive of several members, deflated and stored."""
    packed = io.BytesIO()
    cuts = sorted(rng.randrange(len(content) + 1) for _ in range(rng.randrange(4)))
    with zipfile.ZipFile(packed, "w") as opened:
        for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(content)])):
            opened.writestr(f"chunk.{number:08}", content[start:end],
                            rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)))
    return packed.getvalue()


def read_by_library(path: Path, content: bytes, name: str | None, page_size: int,
                    batch: int) -> list[Imported]:
    """All references, by vmm_trace_read()."""
    path.write_bytes(content)
    with libvmm.Trace(str(path), page_size, name) as trace:
        return [Imported("RWI"[ref.op], ref.addr, ref.size, ref.pid, ref.tid)
                for ref in trace.read_all(batch)]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        for name, make in MAKERS.items():
            def test() -> None:
                for number in range(arguments.rounds):
                    rng = random.Random(f"{arguments.seed} {name} {number}")
                    content = make(rng, rng.randrange(ENOUGH, 3000))
                    page_size = rng.choice((4096, 65536))
                    expected = read(name, content, page_size)
                    for packed in (content, archive(rng, content)):
                        for given in (name, None):
                            found = read_by_library(path, packed, given, page_size,
                                                    rng.choice((1, 7, 1000)))
                            for place, (one, other) in enumerate(zip(found, expected)):
                                equal(one, other, f"round {number}, reference {place}")
                            equal(len(found), len(expected), f"references of round {number}")
            tap.run(f"{name}: the library and the slow reader agree", test)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
