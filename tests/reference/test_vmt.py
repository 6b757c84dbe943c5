#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the C code writes as .vmt, the reader made from docs/reference/vmt.md reads.

A random program with two processes and three threads: instruction blocks with loads and stores of
their own, strides, crossings, large touches of the kernel, events and files. Both readers, this and
the C code's, must give the same.
"""

from __future__ import annotations

import ctypes
import random
import struct
import subprocess
import sys
import tempfile
from ctypes import POINTER, Structure, byref, c_char_p, c_uint32, c_uint64, c_void_p
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/property"))

import libvmm  # noqa: E402
import vmt  # noqa: E402
from libvmm import LIB  # noqa: E402
from tap import Tap, equal  # noqa: E402
from vmt import FETCH, READ, WRITE, Reference  # noqa: E402

PAGE = 4096
REFERENCES = 60000
EVENT_EVERY = 7000
FILES = [(2049, 11, "/lib/libc.so.6"), (2049, 12, "/srv/größer, länger"), (0, 2**64 - 1, "")]


class TraceFile(Structure):
    """VMMTraceFile."""
    _fields_ = [("device", c_uint64), ("inode", c_uint64), ("path", c_char_p)]


def program(seed: int) -> list[Reference]:
    """References as programs make them: the same instructions again and again."""
    rng = random.Random(seed)
    code = [rng.randrange(1 << 34) for _ in range(60)]
    work = {block: [(rng.choice((READ, READ, WRITE)), rng.choice((1, 4, 8, 8, 16)),
                     rng.randrange(1 << 40), rng.choice((0, 0, 8, 4096, -24)))
                    for _ in range(rng.randrange(6))] for block in code}
    refs: list[Reference] = []
    turn = 0
    while len(refs) < REFERENCES:
        turn += 1
        pid, tid = rng.choice(((5, 5), (5, 5), (5, 6), (9, 9)))
        for _ in range(rng.randrange(1, 400)):
            block = rng.choice(code[:10] if rng.random() < 0.9 else code)
            refs.append(Reference(pid, tid, FETCH, block, 4))
            for op, size, base, stride in work[block]:
                refs.append(Reference(pid, tid, op, (base + turn * stride) % 2**47, size))
        if rng.random() < 0.3:
            refs.append(Reference(pid, tid, rng.choice((READ, WRITE)), rng.randrange(1 << 46),
                                  rng.choice((1, 100, 65536)), True))
    refs.append(Reference(2**32 - 1, 2**32 - 1, WRITE, 2**64 - 1, 1))
    refs.append(Reference(1, 0, READ, 2**64 - 3 * PAGE, 2 * PAGE + 5))
    return refs


def write(path: Path, refs: list[Reference], codec: str) -> None:
    """Through the C writer, with an event and a file now and then."""
    handle = c_void_p()
    options = libvmm.WriterOptions(struct_size=ctypes.sizeof(libvmm.WriterOptions),
                                   codec=codec.encode(), mappings_complete=1, command=b"prog a",
                                   note="größer".encode())
    LIB.vmm_trace_write_file.argtypes = [c_void_p, POINTER(TraceFile)]
    LIB.vmm_trace_write_file.restype = c_uint32
    with path.open("wb") as file:
        equal(LIB.vmm_trace_writer_open(file.fileno(), byref(options), byref(handle), None), 0)
        for start in range(0, len(refs), EVENT_EVERY):
            some = refs[start:start + EVENT_EVERY]
            array = (libvmm.Ref * len(some))(*(
                libvmm.Ref(ref.addr, ref.pid, ref.size, ref.tid, 0, ref.op, int(ref.kernel))
                for ref in some))
            equal(LIB.vmm_trace_write(handle, array, len(some)), 0, "vmm_trace_write")
            number = start // EVENT_EVERY % len(FILES)
            device, inode, name = FILES[number]
            record = TraceFile(device, inode, name.encode())
            made = libvmm.Event(struct_size=ctypes.sizeof(libvmm.Event), type=4, pid=5, tid=6,
                                start=start, length=2**64 - 1, prot=5, flags=2048,
                                time_ns=start + 1,
                                file=LIB.vmm_trace_write_file(handle, byref(record)))
            equal(made.file, number + 1, "number of the file")
            equal(LIB.vmm_trace_write_event(handle, byref(made)), 0, "vmm_trace_write_event")
        equal(LIB.vmm_trace_writer_finish(handle), 0, "vmm_trace_writer_finish")
        LIB.vmm_trace_writer_close(handle)


def check_events(found: vmt.Vmt, refs: list[Reference]) -> None:
    """Events stand where they were written, with all fields."""
    places, before = [], 0
    for item in found.stream:
        if isinstance(item, vmt.Event):
            places.append((before, item.type, item.fields.get("start", 0), item.fields["time_ns"],
                           item.fields["file"]))
        before += isinstance(item, Reference)
    wanted = [(min(start + EVENT_EVERY, len(refs)), 4, start, start + 1,
               start // EVENT_EVERY % len(FILES) + 1)
              for start in range(0, len(refs), EVENT_EVERY)]
    equal(places, wanted, "events")
    equal(found.files, dict(enumerate(FILES, 1)), "files")
    equal((found.strings[1], found.strings[4]), ("prog a", "größer"), "strings")
    equal(found.mappings_complete, True, "mappings complete")


def page_steps(refs: list[Reference]) -> dict[tuple, int]:
    """How often each thread did what to each page: what page runs keep of single references."""
    steps: dict[tuple, int] = {}
    for ref in refs:
        end = min(ref.addr + ref.size - 1, 2**64 - 1)
        for vpn in range(ref.addr // PAGE, end // PAGE + 1):
            key = (ref.pid, ref.tid, vpn, ref.op, ref.kernel)
            steps[key] = steps.get(key, 0) + 1
    return steps


def by_cat(path: Path) -> list[Reference]:
    """What the C reader says, through the native text of `vmm trace cat`."""
    text = subprocess.run([str(libvmm.BIN / "vmm"), "trace", "cat", str(path)], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    refs = []
    for line in text.splitlines():
        if not line.startswith("@"):
            who, op, addr, size = (line.split() + ["1"])[:4]
            pid, _, tid = who.partition("/")
            refs.append(Reference(int(pid), int(tid or 0), "RWI".index(op[-1]), int(addr, 16),
                                  int(size), op[0] == "K"))
    return refs


def round_trip(folder: Path, codec: str) -> None:
    """Writes, reads with both readers, compares."""
    refs = program(len(codec))
    path = folder / f"{codec}.vmt"
    write(path, refs, codec)
    found = vmt.read(path.read_bytes())
    check_events(found, refs)
    got = [item for item in found.stream if isinstance(item, Reference)]
    equal(len(got), len(refs), "references")
    if codec == "full":
        equal(got, refs, "references")
    else:
        equal(page_steps(got), page_steps(refs), "page references")
    equal(by_cat(path), got, "references of the C reader")


def damage_is_seen(folder: Path) -> None:
    """The reader from the page checks what it reads: a flipped bit does not pass."""
    data = (folder / "runs.vmt").read_bytes()
    for at in range(0, len(data), len(data) // 40 + 1):
        hurt = bytearray(data)
        hurt[at] ^= 16
        try:
            vmt.read(bytes(hurt))
        except (ValueError, IndexError, UnicodeDecodeError):
            continue
        raise AssertionError(f"a flipped bit of byte {at} was not seen")


def lies_are_told(folder: Path) -> None:
    """vmm trace verify compares what a file says twice: a trailer with a right checksum may lie."""
    data = bytearray((folder / "runs.vmt").read_bytes())
    path = folder / "lie.vmt"
    for more, status, said in ((0, 0, "good: vmt"), (1, 2, "another number of events")):
        struct.pack_into("<Q", data, len(data) - 8,
                         struct.unpack_from("<Q", data, len(data) - 8)[0] + more)
        struct.pack_into("<Q", data, len(data) - 40, vmt.xxh64(bytes(data[-32:])))
        path.write_bytes(data)
        done = subprocess.run([str(libvmm.BIN / "vmm"), "trace", "verify", str(path)],
                              check=False, stdout=subprocess.PIPE, text=True)
        equal((done.returncode, said in done.stdout), (status, True), done.stdout)


def hashes() -> None:
    """xxh64 against values of the reference implementation."""
    equal(vmt.xxh64(b""), 0xEF46DB3751D8E999)
    equal(vmt.xxh64(b"a"), 0xD24EC4F1A98C6E5B)
    equal(vmt.xxh64(b"abc"), 0x44BC2CF5AD770999)
    equal(vmt.xxh64(b"Nobody inspects the spammish repetition"), 0xFBCEA83C8A378BF1)


def main() -> int:
    """Runs all."""
    tap = Tap()
    tap.run("xxh64", hashes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tap.run("page runs", lambda: round_trip(folder, "runs"))
        tap.run("full addresses", lambda: round_trip(folder, "full"))
        tap.run("damage is seen", lambda: damage_is_seen(folder))
        tap.run("lies are told", lambda: lies_are_told(folder))
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
