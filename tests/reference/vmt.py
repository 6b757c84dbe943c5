# SPDX-License-Identifier: Apache-2.0
"""A reader of .vmt, written from docs/reference/vmt.md and not from the C code.

Slow and plain: it checks what the page says and raises ValueError where a file does not keep to it.
zstd is the program of that name; xxh64 is written out below.
"""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass, field
from itertools import pairwise

MASK = (1 << 64) - 1
FILE_MAGIC, BLOCK_MAGIC = b"\x89VMT\r\n\x1a\n", b"\xb1vmtblk\n"
TRAILER_MAGIC = b"\xb1vmtend\n"
RUNS, FULL, EVENTS, FILES, INDEX = 1, 2, 3, 4, 5
READ, WRITE, FETCH = 0, 1, 2
EVENT_FIELDS = ("", "pid", "tid", "start", "length", "target", "value", "offset", "time_ns", "prot",
                "flags", "file")


# ---- xxh64 ---------------------------------------------------------------------------------------

P1, P2, P3, P4, P5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
                      0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & MASK


def _round(lane: int, word: int) -> int:
    return _rotate((lane + word * P2) & MASK, 31) * P1 & MASK


def xxh64(data: bytes) -> int:
    """The 64-bit hash of xxHash with seed 0."""
    at = 0
    if len(data) >= 32:
        lanes = [(P1 + P2) & MASK, P2, 0, -P1 & MASK]
        for at in range(0, len(data) - 31, 32):
            words = struct.unpack_from("<4Q", data, at)
            lanes = [_round(lane, word) for lane, word in zip(lanes, words)]
        at += 32
        h = sum(_rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18))) & MASK
        for lane in lanes:
            h = ((h ^ _round(0, lane)) * P1 + P4) & MASK
    else:
        h = P5
    h = (h + len(data)) & MASK
    for at in range(at, len(data) - 7, 8):
        h = (_rotate(h ^ _round(0, struct.unpack_from("<Q", data, at)[0]), 27) * P1 + P4) & MASK
    at = len(data) - len(data) % 8
    if len(data) - at >= 4:
        h = (_rotate(h ^ struct.unpack_from("<I", data, at)[0] * P1 & MASK, 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        h = _rotate(h ^ byte * P5 & MASK, 11) * P1 & MASK
    h = (h ^ h >> 33) * P2 & MASK
    h = (h ^ h >> 29) * P3 & MASK
    return h ^ h >> 32


# ---- What a file holds ---------------------------------------------------------------------------

@dataclass(frozen=True)
class Reference:
    """One reference. Of page runs, the address is the first byte of the page."""
    pid: int
    tid: int
    op: int
    addr: int
    size: int
    kernel: bool = False


@dataclass(frozen=True)
class Event:
    """One event: its type, and the fields that are not 0."""
    type: int
    fields: dict[str, int]


@dataclass
class Vmt:
    """A whole file; `stream` has references and events in their order."""
    codec: int = 0
    page_shift: int = 0
    mappings_complete: bool = False
    strings: dict[int, str] = field(default_factory=dict)
    stream: list[Reference | Event] = field(default_factory=list)
    files: dict[int, tuple[int, int, str]] = field(default_factory=dict)
    blocks: int = 0


@dataclass
class Block:
    """The header of a block, its payload, and where it stands."""
    offset: int
    type: int
    compression: int
    raw_bytes: int
    packed: bytes
    entries: int
    pid: int
    tid: int
    counts: tuple[int, ...]  # references, page references, kernel's, reads, writes, fetches
    ordinal: int
    first: int
    time_ns: int
    payload: bytes = b""


def _must(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


class Cursor:
    """Bytes that are read one after the other."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                _must(value <= MASK, "a varint of more than 64 bits")
                return value
            shift += 7

    def zigzag(self) -> int:
        """A difference, modulo 2^64."""
        value = self.varint()
        return (value >> 1 ^ -(value & 1)) & MASK

    def take(self, count: int) -> bytes:
        _must(count <= len(self.data) - self.at, "a length beyond the end")
        self.at += count
        return self.data[self.at - count:self.at]

    def record(self) -> Cursor:
        return Cursor(self.take(self.varint()))

    def index(self, dictionary: int) -> int:
        value = int.from_bytes(self.take(1 if dictionary <= 256 else 2), "little")
        _must(value < dictionary, "an index beyond its dictionary")
        return value

    @property
    def ended(self) -> bool:
        return self.at == len(self.data)


# ---- Headers -------------------------------------------------------------------------------------

def _file_header(data: bytes, vmt: Vmt) -> int:
    magic, version, vmt.codec, vmt.page_shift, length, flags = struct.unpack_from("<8sHBBII", data)
    _must(magic == FILE_MAGIC and version == 1, "not a .vmt version 1")
    _must(xxh64(data[:length - 8]) == struct.unpack_from("<Q", data, length - 8)[0], "header sum")
    vmt.mappings_complete = bool(flags & 1)
    at = 64
    while at < length - 8:
        tag, size = struct.unpack_from("<HI", data, at)
        vmt.strings[tag] = data[at + 6:at + 6 + size].decode()
        at += 6 + size
    _must(at == length - 8, "a field beyond the header")
    return length


def _block(data: bytes, at: int) -> Block:
    (magic, checksum, kind, compression, raw, packed, entries, pid, tid) = struct.unpack_from(
        "<8sQBBxxIIIII", data, at)
    counts = struct.unpack_from("<6I", data, at + 40)
    ordinal, first, time_ns, payload_sum = struct.unpack_from("<4Q", data, at + 64)
    _must(magic == BLOCK_MAGIC, f"no block at {at}")
    _must(checksum == xxh64(data[at + 16:at + 104]), f"header sum of the block at {at}")
    payload = data[at + 104:at + 104 + packed]
    _must(len(payload) == packed and payload_sum == xxh64(payload), f"payload sum at {at}")
    _must(counts[0] == sum(counts[2:]), "references are the kernel's, reads, writes, fetches")
    return Block(at, kind, compression, raw, payload, entries, pid, tid, counts, ordinal, first,
                 time_ns)


def _unpack(blocks: list[Block]) -> None:
    """All payloads at once: zstd frames one after the other unpack to one after the other."""
    packed = [block for block in blocks if block.compression == 1]
    whole = subprocess.run(["zstd", "-dcq"], input=b"".join(block.packed for block in packed),
                           stdout=subprocess.PIPE, check=True).stdout if packed else b""
    cursor = Cursor(whole)
    for block in blocks:
        block.payload = cursor.take(block.raw_bytes) if block.compression == 1 else block.packed
        _must(len(block.payload) == block.raw_bytes, "the size of a payload")
    _must(cursor.ended, "the sizes of all payloads")


# ---- References ----------------------------------------------------------------------------------

@dataclass(frozen=True)
class Run:
    """One run of page references."""
    vpn: int
    count: int
    fetch: bool
    kernel: bool
    continued: bool
    writes: int
    first_write: int


def _shape(cursor: Cursor) -> tuple[int, bool, bool, bool, int, int]:
    word = cursor.varint()
    count, stores = word >> 4, bool(word & 8)
    writes = cursor.varint() if stores else 0
    first_write = cursor.varint() if stores else count
    _must(1 <= count < 1 << 32 and writes + first_write <= count, "a shape")
    return count, bool(word & 1), bool(word & 2), bool(word & 4), writes, first_write


def block_runs(block: Block) -> list[Run]:
    """The runs of a block of page runs."""
    cursor = Cursor(block.payload)
    pages, shapes, kinds = cursor.varint(), cursor.varint(), cursor.varint()
    vpns = [0]
    for _ in range(pages):
        vpns.append((vpns[-1] + cursor.zigzag()) & MASK)
    vpns = vpns[1:]
    shape_list = [_shape(cursor) for _ in range(shapes)]
    kind_list = [(cursor.index(pages), cursor.index(shapes)) for _ in range(kinds)]
    runs = []
    for _ in range(block.entries):
        page, shape = kind_list[cursor.index(kinds)]
        runs.append(Run(vpns[page], *shape_list[shape]))
    _must(cursor.ended, "bytes behind the runs")
    return runs


def _ops(run: Run, crossing_store: bool) -> list[int]:
    """The op of each page reference."""
    others = [WRITE] * (run.writes - 1)
    loads = [READ] * (run.count - run.first_write - run.writes)
    if run.fetch:
        return [FETCH] * run.count
    if run.writes == 0:
        return [READ] * run.count
    return ([READ] * run.first_write + [WRITE] +
            (loads + others if crossing_store else others + loads))


def _must_continue(before: Run, run: Run) -> None:
    """The last page reference of a run and the first one of the run it goes on in are the same."""
    store = run.writes > 0 and run.first_write == 0
    can = (before.writes > 1 or (before.writes == 1 and before.first_write == before.count - 1)
           if store else before.writes == 0 or before.first_write + before.writes < before.count)
    _must(can, "a reference that loads on one page and stores on the next")
    _must((before.fetch, before.kernel) == (run.fetch, run.kernel), "the class of a continued run")


def unfold(block: Block, page_shift: int) -> list[Reference]:
    """The references of a block of page runs."""
    runs = block_runs(block)
    page_size = 1 << page_shift
    refs = []
    for i, run in enumerate(runs):
        reach = 0
        while i + reach + 1 < len(runs) and runs[i + reach + 1].continued:
            reach += 1
            _must(runs[i + reach].vpn == run.vpn + reach, "a continued run on the next page")
            _must_continue(runs[i + reach - 1], runs[i + reach])
            if runs[i + reach].count > 1:
                break
        ops = _ops(run, reach > 0 and runs[i + 1].first_write == 0)
        for k in range(int(run.continued), run.count):
            addr, size = run.vpn << page_shift, 1
            if reach and k == run.count - 1:
                addr, size = addr + page_size - 1, (reach - 1) * page_size + 2
            refs.append(Reference(block.pid, block.tid, ops[k], addr, size, run.kernel))
    return refs


class Guess:
    """What was done in a context the last time."""

    def __init__(self) -> None:
        self.addr = self.stride = self.size = 0
        self.kind: int | None = None

    def learn(self, addr: int, kind: int, size: int) -> None:
        again = (self.kind, self.size) == (kind, size) and kind != FETCH
        self.stride = (addr - self.addr) & MASK if again else 0
        self.addr, self.kind, self.size = addr, kind, size


def full(block: Block) -> list[Reference]:
    """The references of a block of full addresses."""
    cursor = Cursor(block.payload)
    kind_bytes = cursor.varint()
    codes, kinds = cursor.take(block.entries), Cursor(cursor.take(kind_bytes))
    tables: tuple[dict[int, Guess], dict[int, Guess]] = ({}, {})
    fetch = fetch_before = position = 0
    last = [0, 0, 0]
    refs = []
    for code in codes:
        context = fetch * 31 + position
        t = tables[0].setdefault((context * 0x9E3779B97F4A7C15 & MASK) >> 50, Guess())
        path = tables[1].setdefault(
            ((context * 0x2545F491 + fetch_before * 7) * 0x9E3779B97F4A7C15 & MASK) >> 50, Guess())
        guess = t if code in (1, 3, 4) else path
        addr, size, kind = guess.addr, guess.size, guess.kind
        if code in (0, 1):
            addr += guess.stride
        elif code == 4:
            addr += cursor.zigzag()
        elif code == 5:
            kind, size = kinds.varint(), kinds.varint()
            addr = last[kind & 3] + cursor.zigzag()
        _must(kind is not None and code <= 5, "a code")
        addr &= MASK
        for one in (t, path):
            one.learn(addr, kind, size)
        last[kind & 3] = addr
        position += 1
        if kind == FETCH:
            fetch, fetch_before, position = addr, fetch, 0
        refs.append(Reference(block.pid, block.tid, kind & 3, addr, size, kind >= 4))
    _must(cursor.ended and kinds.ended, "bytes behind the references")
    return refs


def _check_counts(block: Block, refs: list[Reference]) -> None:
    own = [ref.op for ref in refs if not ref.kernel]
    found = (len(refs), len(refs) - len(own), *(own.count(op) for op in (READ, WRITE, FETCH)))
    _must(found == (block.counts[0], *block.counts[2:]), f"counts of the block at {block.offset}")


# ---- The rest ------------------------------------------------------------------------------------

def _events(block: Block) -> list[Event]:
    cursor = Cursor(block.payload)
    events = []
    for _ in range(block.entries):
        record = cursor.record()
        event = Event(record.varint(), {})
        while not record.ended:
            number, value = record.varint(), record.varint()
            event.fields[EVENT_FIELDS[number]] = value
        events.append(event)
    _must(cursor.ended, "bytes behind the events")
    return events


def _files(block: Block, vmt: Vmt) -> None:
    cursor = Cursor(block.payload)
    for _ in range(block.entries):
        record = cursor.record()
        number, device, inode = record.varint(), record.varint(), record.varint()
        vmt.files[number] = (device, inode, record.take(record.varint()).decode())


def _check_index(blocks: list[Block], trailer: tuple[int, ...]) -> None:
    """The index tells of every block what its header tells."""
    by_offset = {block.offset: block for block in blocks}
    told, at = [], trailer[0]
    while at:
        cursor = Cursor(by_offset[at].payload)
        entries = by_offset[at].entries
        at = cursor.varint()
        line, lines = [0] * 4, []
        for _ in range(entries):
            offset, kind, references = cursor.varint(), cursor.varint(), cursor.varint()
            differences = [offset, *(cursor.zigzag() for _ in range(3))]
            line = [(a + b) & MASK for a, b in zip(line, differences)]
            lines.append((line[0], kind, references, *line[1:]))
        told = lines + told
        _must(cursor.ended, "bytes behind the index")
    wanted = [(block.offset, block.type, block.counts[0], block.pid, block.tid, block.time_ns)
              for block in blocks if block.type != INDEX]
    _must(told == wanted, "the index")


def read(data: bytes) -> Vmt:
    """A whole, undamaged file."""
    vmt = Vmt()
    at = _file_header(data, vmt)
    blocks = []
    while data[at:at + 8] != TRAILER_MAGIC:
        blocks.append(_block(data, at))
        at += 104 + len(blocks[-1].packed)
    _must(len(data) == at + 48 and
          xxh64(data[at + 16:]) == struct.unpack_from("<Q", data, at + 8)[0], "the trailer")
    trailer = struct.unpack_from("<4Q", data, at + 16)
    _unpack(blocks)
    for block in blocks:
        if block.type in (RUNS, FULL):
            refs = unfold(block, vmt.page_shift) if block.type == RUNS else full(block)
            _check_counts(block, refs)
            vmt.stream += refs
        elif block.type == EVENTS:
            vmt.stream += _events(block)
        elif block.type == FILES:
            _files(block, vmt)
    vmt.blocks = len(blocks)
    references = sum(block.counts[0] for block in blocks)
    events = sum(block.entries for block in blocks if block.type == EVENTS)
    _must([block.ordinal for block in blocks] == list(range(len(blocks))), "the ordinals")
    _must(all(b.first == a.first + a.counts[0] for a, b in pairwise(blocks)), "what is before")
    _must(trailer[1:] == (references, len(blocks), events), "the totals")
    _check_index(blocks, trailer)
    return vmt
