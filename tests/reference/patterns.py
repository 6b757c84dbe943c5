# SPDX-License-Identifier: Apache-2.0
"""The patterns of made traces, written from docs/reference/patterns.md alone.

Slow and plain. A pattern is a generator function of places: it is sent the process of the next
reference and yields its address. trace() puts processes and operations to it. Fractions are counted
in millionths, as the page says.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from math import isqrt

from splitmix import SplitMix64, mix

Place = Generator[int, int, None]
Made = tuple[int, str, int]

MILLION = 1_000_000
SINGLE_RANKS = 1 << 20

DEFAULTS: dict[str, dict[str, int | str]] = {
    "sequential": {"slice": 100, "writes": 250_000},
    "random": {"slice": 0, "writes": 250_000},
    "working_set": {"slice": 0, "writes": 200_000, "set": 64, "inside": 900_000, "shift": 500,
                    "step": 16},
    "locality": {"slice": 50, "writes": 250_000, "near": 700_000, "span": 65536},
    "thrashing": {"slice": 1, "writes": 0, "factor": 1_500_000},
    "zipf": {"slice": 0, "writes": 250_000, "alpha": MILLION, "pages": 0},
    "stride": {"slice": 100, "writes": 250_000, "stride": 65536},
    "chase": {"slice": 100, "writes": 250_000, "pages": 4096},
    "phases": {"slice": 100, "writes": 250_000, "length": 1000, "set": 256, "order": "alternate"},
}


@dataclass
class Space:
    """What every pattern is given: the letters of the page."""

    processes: int = 4
    pages: int = 262144
    page_size: int = 4096
    memory_pages: int = 2048
    seed: int = 42

    def stream(self, name: str) -> SplitMix64:
        return SplitMix64(self.seed, name)


class RawStream(SplitMix64):
    """A stream whose first state is given."""

    def __init__(self, state: int) -> None:
        self.state = state


def chance(stream: SplitMix64, millionths: int) -> bool:
    return stream.below(MILLION) < millionths


# ---- Places --------------------------------------------------------------------------------------


def own_count(space: Space) -> list[int]:
    """References that each process has made before: the j of the page."""
    return [0] * space.processes


def counted(space: Space, place_of) -> Place:
    """A pattern whose place depends on the process and its count alone."""
    count = own_count(space)
    pid = yield 0
    while True:
        address = place_of(pid, count[pid])
        count[pid] += 1
        pid = yield address


def sequential(space: Space, _: dict) -> Place:
    return counted(space, lambda pid, j: j % space.pages * space.page_size)


def stride(space: Space, given: dict) -> Place:
    size = space.pages * space.page_size
    return counted(space, lambda pid, j: j * given["stride"] % size)


def thrashing(space: Space, given: dict) -> Place:
    whole = max(space.memory_pages * given["factor"] // MILLION, space.memory_pages + 1)
    cycle = -(-whole // space.processes)
    return counted(space, lambda pid, j: j % cycle * space.page_size)


def random(space: Space, _: dict) -> Place:
    stream = space.stream("trace.place")
    return counted(space, lambda pid, j: stream.below(space.pages) * space.page_size)


def working_set(space: Space, given: dict) -> Place:
    stream = space.stream("trace.place")
    size = min(given["set"], space.pages)
    places = space.pages - size + 1
    base = [stream.below(places) for _ in range(space.processes)]

    def place(pid: int, j: int) -> int:
        if given["shift"] > 0 and j > 0 and j % given["shift"] == 0:
            base[pid] = (base[pid] + given["step"] % places) % places
        if chance(stream, given["inside"]):
            return (base[pid] + stream.below(size)) * space.page_size
        return stream.below(space.pages) * space.page_size

    return counted(space, place)


def locality(space: Space, given: dict) -> Place:
    stream = space.stream("trace.place")
    size = space.pages * space.page_size
    last = [stream.below(size) for _ in range(space.processes)]

    def place(pid: int, _: int) -> int:
        if chance(stream, given["near"]):
            last[pid] = (last[pid] + stream.below(given["span"]) - given["span"] // 2) % size
        else:
            last[pid] = stream.below(size)
        return last[pid]

    return counted(space, place)


def permute(keys: list[int], count: int, tweak: int, index: int) -> int:
    bits = (count - 1).bit_length()
    low_bits = bits // 2
    low_size, high_size = 1 << low_bits, 1 << (bits - low_bits)
    low, high = index % low_size, index // low_size
    while True:
        for turn in (0, 2, 4):
            high ^= mix(low ^ keys[turn] ^ tweak) % high_size
            low ^= mix(high ^ keys[turn + 1] ^ tweak) % low_size
        if high * low_size + low < count:
            return high * low_size + low


def pages_given(space: Space, given: dict) -> int:
    return min(given["pages"] or space.pages, space.pages)


def chase(space: Space, given: dict) -> Place:
    stream = space.stream("trace.place")
    keys = [stream.next() for _ in range(6)]
    count = pages_given(space, given)
    return counted(space,
                   lambda pid, j: permute(keys, count, mix(pid), j % count) * space.page_size)


def phases(space: Space, given: dict) -> Place:
    stream = space.stream("trace.place")
    key = space.stream("trace.phases").state
    size = min(given["set"], space.pages)

    def place(pid: int, j: int) -> int:
        phase = j // given["length"]
        base = RawStream(key ^ mix(pid << 40 ^ phase)).below(space.pages - size + 1)
        loops = given["order"] == "loop" or (given["order"] == "alternate" and phase % 2 == 1)
        page = j % given["length"] % size if loops else stream.below(size)
        return (base + page) * space.page_size

    return counted(space, place)


# ---- Zipf ----------------------------------------------------------------------------------------


def roots() -> list[int]:
    """roots[k] = 2^(-2^-k) * 2^64, rounded down at each step; roots[0] is not used."""
    found = [0, isqrt(1 << 127)]
    while len(found) <= 58:
        found.append(isqrt(found[-1] << 64))
    return found


ROOTS = roots()


def log2(rank: int) -> int:
    shift = 64 - rank.bit_length()
    rest, result = rank << shift, 63 - shift
    for _ in range(58):
        square = rest * rest >> 63
        if square >= 1 << 64:
            result, rest = 2 * result + 1, square // 2
        else:
            result, rest = 2 * result, square
    return result


def weight(rank: int, alpha: int) -> float:
    if alpha == MILLION:
        return 1.0 / rank
    exponent = log2(rank) * alpha // MILLION
    product = 1 << 63
    for k in range(1, 59):
        if exponent >> (58 - k) & 1:
            product = product * ROOTS[k] >> 64
    return float(product) * 2.0**-63 * 2.0 ** -(exponent >> 58)


def zipf_cells(count: int) -> list[tuple[int, int]]:
    """(first rank, ranks) of each cell."""
    cells = [(rank, 1) for rank in range(min(count, SINGLE_RANKS))]
    octave = SINGLE_RANKS
    while octave < count:
        width = octave // 1024
        cells += [(first, min(width, count - first))
                  for first in range(octave, min(2 * octave, count), width)]
        octave *= 2
    return cells


def zipf_cdf(cells: list[tuple[int, int]], alpha: int) -> list[float]:
    total, sums = 0.0, []
    for first, ranks in cells:
        # One rank has its own weight, a run of them that of its first for each.
        total += weight(first + 1, alpha) if ranks == 1 else float(ranks) * weight(first + 1, alpha)
        sums.append(total)
    cdf = [value / total for value in sums]
    cdf[-1] = 1.0
    return cdf


def zipf(space: Space, given: dict) -> Place:
    stream = RawStream(space.seed)
    count, alpha = pages_given(space, given), given["alpha"]
    cells = zipf_cells(count)
    cdf = zipf_cdf(cells, alpha)
    page, keys = list(range(count)) if count <= SINGLE_RANKS else [], []
    for i in range(len(page) - 1, 0, -1):
        j = stream.below(i + 1)
        page[i], page[j] = page[j], page[i]
    if not page:
        keys = [stream.next() for _ in range(6)]

    def draw() -> int:
        while True:
            cell = bisect_right(cdf, (stream.next() >> 11) * 2.0**-53)
            if cell < SINGLE_RANKS:
                return cell
            first, ranks = cells[cell]
            rank = first + stream.below(ranks)
            keep = (stream.next() >> 11) * 2.0**-53
            if keep * weight(first + 1, alpha) < weight(rank + 1, alpha):
                return rank

    def place(_pid: int, _j: int) -> int:
        rank = draw()
        number = (page[rank] if page else permute(keys, count, 0, rank)) + 1
        return (0 if number == space.pages else number) * space.page_size

    return counted(space, place)


# ---- References ----------------------------------------------------------------------------------

PLACES = {function.__name__: function for function in
          (sequential, random, working_set, locality, thrashing, zipf, stride, chase, phases)}


def trace(name: str, space: Space, **given: int | str) -> Iterator[Made]:
    """The references of one pattern, for ever."""
    values = {**DEFAULTS[name], **given}
    place = PLACES[name](space, values)
    next(place)
    pids, ops = space.stream("trace.pid"), space.stream("trace.op")
    index = 0
    while True:
        turn = values["slice"]
        pid = index // turn % space.processes if turn else pids.below(space.processes)
        op = "W" if chance(ops, values["writes"]) else "R"
        yield pid, op, place.send(pid)
        index += 1


def mixed(parts: list[tuple[str, dict, int]], space: Space, run: int = 1) -> Iterator[Made]:
    """mix: parts are (pattern, parameters, weight)."""
    sources = []
    for number, (name, given, _) in enumerate(parts):
        own = Space(**{**space.__dict__, "seed": space.stream(f"trace.mix.{number}").state})
        sources.append(trace(name, own, **given))
    stream = space.stream("trace.mix")
    while True:
        drawn = stream.below(sum(part[2] for part in parts))
        chosen = 0
        while drawn >= parts[chosen][2]:
            drawn -= parts[chosen][2]
            chosen += 1
        for _ in range(run):
            yield next(sources[chosen])
