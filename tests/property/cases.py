# SPDX-License-Identifier: Apache-2.0
"""Random cases: a small trace, a configuration, and the way the library is driven.

A case is stored as a native trace whose comments carry the rest, so that the program can read
the file as it stands:

    # mode: run
    # option: frames = 3
    0 R 0x1000 4
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import libvmm

Reference = tuple[int, str, int, int]  # pid, op (R W I, r w i by the kernel, or an event), addr, size

# How the library gets the references; the traces of "runs:4096" and "full:4096" are .vmt.
MODES = ("run", "pair", "feed", "feed", "access", "runs", "runs", "runs", "full")
TEXT_OPS = {"r": "KR", "w": "KW"}
LONG = 0.01  # share of long traces
PIDS = (0, 1, 2, 7, 4242, 65536, 2**31, 2**32 - 1)
BASES = (0, 0x400000, 0x10000000, 0x100001000, 0x7FFF00000000, 2**47, 2**48 - 2**20)
# Policies that care which frame a page is in: events free frames in an order of their own.
FRAME_ORDER_POLICIES = {"clock", "wsclock", "twohand", "approxlru", "random", "esc", "sampled",
                        "hyperbolic"}
# Policies that name victims while frames are free, as limits and watermarks need it.
ANY_TIME_POLICIES = {"fifo", "lru", "mru", "clock", "lfu", "nru", "opt", "unopt", "sieve"}
# To this one pages that come in at one time are alike but for their frames, and a locked page that
# returns comes in together with another.
TIED_POLICIES = {"lecar"}
PAGE_SIZES = (512, 1024, 4096, 4096, 4096, 8192, 65536, 2**21, 2**30)


@dataclass(frozen=True)
class Case:
    """One experiment."""

    options: dict[str, str]
    references: list[Reference]
    mode: str = "run"
    page_list: bool = False  # the trace is written as a page list

    def with_references(self, references: list[Reference]) -> "Case":
        """The same with another trace."""
        return replace(self, references=references)

    def without_events(self) -> "Case":
        """The same for the program, whose traces hold references only."""
        return self.with_references([one for one in self.references if one[1] in libvmm.OPS])

    def with_options(self, options: dict[str, str]) -> "Case":
        """The same with other options."""
        return replace(self, options=options)

    def is_vmt(self) -> bool:
        """The references come as a .vmt."""
        return self.mode.startswith(("runs", "full"))

    def command(self) -> str:
        """The options as flags of the program."""
        return " ".join(f"--{name} {value}" for name, value in self.options.items())

    def trace_text(self, page_size: int) -> str:
        """The references as a trace file."""
        if self.page_list:
            return "".join(f"{addr // page_size}\n" for _, _, addr, _ in self.references)
        return "".join(f"{pid} {TEXT_OPS.get(op, op)} {addr:#x} {max(1, size)}\n"
                       for pid, op, addr, size in self.references)

    def save(self, path: Path, why: str) -> None:
        """Writes the case and, as comments, what went wrong."""
        lines = [f"# {line}" for line in why.splitlines()]
        lines += [f"# mode: {self.mode}", f"# page list: {int(self.page_list)}"]
        lines += [f"# option: {name} = {value}" for name, value in self.options.items()]
        lines += [f"{pid} {op} {addr:#x} {size}" for pid, op, addr, size in self.references]
        path.write_text("\n".join(lines) + "\n")


def load(path: Path) -> Case:
    """Reads what save() wrote."""
    options: dict[str, str] = {}
    references: list[Reference] = []
    mode, page_list = "run", False
    for line in path.read_text().splitlines():
        if line.startswith("# option: "):
            name, _, value = line.removeprefix("# option: ").partition(" = ")
            options[name] = value
        elif line.startswith("# mode: "):
            mode = line.removeprefix("# mode: ")
        elif line.startswith("# page list: "):
            page_list = line.endswith("1")
        elif line and not line.startswith("#"):
            pid, op, addr, size = line.split()
            references.append((int(pid), op, int(addr, 16), int(size)))
    return Case(options, references, mode, page_list)


# ---- Traces --------------------------------------------------------------------------------

class Walker:
    """One process of a random trace: some pages, and a habit of going through them."""

    def __init__(self, rng: Random, pid: int, page_size: int, most_pages: int) -> None:
        self.rng, self.pid, self.page_size = rng, pid, page_size
        self.pages: list[int] = []
        for _ in range(rng.randint(1, 3)):
            first = rng.choice(BASES) // page_size
            stride = rng.choice((1, 1, 1, 2, 511, 512, 513, 4096))
            self.pages += [first + stride * i for i in range(rng.randint(1, most_pages))]
        self.place = 0
        self.habit = "uniform"

    def next_page(self) -> int:
        """Goes one step."""
        rng, count = self.rng, len(self.pages)
        if rng.random() < 0.05:
            self.habit = rng.choice(("uniform", "loop", "skewed", "stay", "pointer"))
        if self.habit == "uniform":
            self.place = rng.randrange(count)
        elif self.habit == "loop":
            self.place = (self.place + 1) % count
        elif self.habit == "skewed":
            self.place = rng.randrange(rng.randint(1, count))
        elif self.habit == "pointer":
            self.place = (self.place * 5 + 3) % count
        return self.pages[self.place]


def random_reference(rng: Random, walker: Walker, ops: str, limit: int, wild: float,
                     crossing: float) -> Reference:
    """One reference of a process."""
    page_size = walker.page_size
    op = rng.choice(ops)
    if rng.random() < wild:
        addr = rng.choice((limit, limit - 1, limit + rng.randrange(2**20), 2**63, 2**64 - 1,
                           max(0, limit - page_size)))
        return walker.pid, op, addr, rng.choice((1, 2, 8, page_size, 2 * page_size))
    start = walker.next_page() * page_size
    if rng.random() < crossing:
        offset = page_size - rng.randint(1, 8)
        size = rng.choice((2, 4, 8, 16, min(2 * page_size + 1, 2**31)))
    else:
        offset = rng.randrange(page_size)
        size = rng.choice((0, 1, 1, 2, 4, 8))
        size = min(size, page_size - offset)
    return walker.pid, op, start + offset, size


def random_trace(rng: Random, page_size: int, limit: int) -> list[Reference]:
    """A trace of one or several processes."""
    is_long = rng.random() < LONG  # longer than the library's batches, and wider
    pids = rng.sample(PIDS, rng.choice((1, 1, 2, 3, 4)))
    if is_long and rng.random() < 0.3:
        pids = list(range(1, 40))
    walkers = [Walker(rng, pid, page_size, 600 if is_long else 12) for pid in pids]
    ops = rng.choice(("R", "RW", "RRRW", "RWI", "RRWII", "W", "RRWIrw", "RWrw"))
    wild = rng.choice((0, 0, 0, 0.03, 0.2))
    crossing = rng.choice((0, 0.02, 0.3))
    stay = rng.choice((0.0, 0.5, 0.9))
    length = rng.choice((3, 20, 60, 150, 150, 400, 400, 1200))
    if is_long:
        length = rng.randint(3000, 20000)
    walker = walkers[0]
    trace = []
    for _ in range(length):
        if rng.random() >= stay:
            walker = rng.choice(walkers)
        trace.append(random_reference(rng, walker, ops, limit, wild, crossing))
    return trace


# ---- Configurations ------------------------------------------------------------------------

def random_policy(rng: Random) -> str:
    """A policy, sometimes with parameters."""
    # All of the library's, those with parameters or with a pass of their own twice as often.
    name = rng.choice((*libvmm.policy_table(), "clock", "approxlru", "nru", "opt"))
    if name == "clock" and rng.random() < 0.7:
        return f"clock:bits={rng.randint(1, 8)},enter={rng.choice((0, 1, 2, 3, 255))}"
    if name == "approxlru":
        period, bits = rng.choice((1, 2, 7, 30, 1000)), rng.choice((8, 16, 32))
        return f"approxlru:period={period},bits={bits},enter={rng.randint(0, 1)}"
    return with_random_parameters(rng, name)


def with_random_parameters(rng: Random, name: str) -> str:
    """A policy, most of the time with some of its parameters, whatever they are."""
    chosen = []
    for parameter in libvmm.policy_parameters(name) if rng.random() < 0.8 else ():
        if rng.random() < 0.3:
            continue
        if parameter.choices:
            value = rng.choice(parameter.choices.decode().split("|"))
        else:
            numbers = (parameter.min, parameter.min + 1, parameter.default, parameter.default // 2,
                       2, 3, 7, 20, 100)
            value = rng.choice([n for n in numbers if parameter.min <= n <= parameter.max])
        chosen.append(f"{parameter.name.decode()}={value}")
    return f"{name}:{','.join(chosen)}" if chosen else name


def needs_future(policy: str) -> bool:
    """Only a run over a whole trace can serve it."""
    info = libvmm.policy_table()[policy.partition(":")[0]]
    return bool(info.needs == libvmm.NEEDS_FUTURE)


def random_policy_for_events(rng: Random, future: bool) -> str:
    """A policy to which it is the same which frame a page is in; future: it may look ahead."""
    names = [name for name in libvmm.policy_table()
             if name not in FRAME_ORDER_POLICIES and (future or not needs_future(name))]
    return with_random_parameters(rng, rng.choice(names))


def random_tlb(rng: Random) -> dict[str, str]:
    """A TLB."""
    if rng.random() < 0.1:
        return {"tlb": "off"}
    ways = rng.choice((1, 1, 2, 3, 4, 8))
    sets = rng.choice((1, 1, 2, 3, 4, 16))
    options = {"tlb-size": str(ways * sets), "tlb-ways": str(ways) if sets > 1 else "full"}
    options["tlb-policy"] = rng.choice(("LRU", "LRU", "FIFO", "RANDOM", "LFU"))
    options["tlb-switch"] = rng.choice(("tagged", "flush"))
    return options


def random_costs(rng: Random) -> dict[str, str]:
    """Latencies."""
    names = ("tlb", "memory", "walk-read", "fault", "zero-fill", "swap-read", "swap-write",
             "store-read", "read-ahead")
    values = ("0", "1ps", "7ns", "13", "3us", "2ms", "1s")
    return {"cost-" + name: rng.choice(values) for name in names if rng.random() < 0.5}


def random_options(rng: Random) -> dict[str, str]:
    """A configuration."""
    page_size = rng.choice(PAGE_SIZES)
    options = {
        "frames": str(rng.choice((1, 2, 3, 4, 5, 7, 8, 12, 30, 300))),
        "page-size": str(page_size),
        "policy": random_policy(rng),
        "pt-type": rng.choice(("SINGLE", "TWO_LEVEL", "THREE_LEVEL", "FOUR_LEVEL",
                               "FIVE_LEVEL")),
        **random_tlb(rng),
    }
    sometimes = {
        "seed": (0.3, lambda: str(rng.choice((0, 1, 99, 2**64 - 1)))),
        "scope": (0.25, lambda: "process"),
        "initial": (0.4, lambda: rng.choice(("zero", "store"))),
        "accessed-bit": (0.3, lambda: "tlb-fill"),
        "refs": (0.2, lambda: rng.choice(("data", "fetch"))),
        "invalid": (0.05, lambda: "stop"),
        "swap-write": (0.3, lambda: "background"),
        "max-accesses": (0.1, lambda: str(rng.choice((1, 10, 100, 4096, 5000)))),
        "vspace": (0.1, lambda: f"{max(page_size // 1024, rng.choice((8, 64, 1024, 2**22)))}K"),
        "swap": (0.2, lambda: f"{max(1, page_size // 1024) * rng.choice((1, 2, 4, 8, 20))}K"),
    }
    for name, (chance, value) in sometimes.items():
        if rng.random() < chance:
            options[name] = value()
    if options.get("accessed-bit") and rng.random() < 0.5:
        options["young-flush"] = "on"
    if rng.random() < 0.3:
        options |= random_costs(rng)
    return options


def address_limit(options: dict[str, str]) -> int:
    """The first invalid address, for traces that go beyond it."""
    limit = 2**57 if options["pt-type"] == "FIVE_LEVEL" else 2**48
    if "vspace" in options:
        limit = min(limit, int(options["vspace"].removesuffix("K")) * 1024)
    return limit


class Events:
    """Makes events that go with the references of a trace."""

    def __init__(self, rng: Random, pids: list[int], page_size: int, plain: bool,
                 locks: bool) -> None:
        self.rng, self.pids, self.page_size = rng, pids, page_size
        self.plain = plain or rng.random() < 0.25
        self.locks = locks and rng.random() < 0.4
        self.children = [pid + 1000 for pid in pids if pid < 2**31] + pids

    def length(self) -> int:
        """Bytes of a range: a few pages."""
        return self.rng.choice((1, 1, 2, 3, 8, 8, 30)) * self.page_size

    def mapping(self) -> str:
        """A MAP: private or shared, of a file or not."""
        rng = self.rng
        words = [f"prot={rng.choice((3, 3, 3, 1, 7, 0))}"]
        if rng.random() < 0.5:
            words.append(f"file={rng.choice((1, 1, 2, 100))}")
            words.append(f"offset={rng.choice((0, 0, 1, 5)) * self.page_size}")
        if rng.random() < 0.5:
            words.append("shared")
        if rng.random() < 0.1:
            words.append("sysv")
        if rng.random() < 0.1:
            words.append("down")
        if self.locks and rng.random() < 0.15:
            words.append(rng.choice(("locked", "locked", "populate")))
        return "M:" + ",".join(words)

    def near(self, pid: int, addr: int) -> Reference:
        """One on a range that begins at an address, or before it."""
        rng = self.rng
        start = max(0, addr // self.page_size - rng.choice((0, 0, 1, 3))) * self.page_size
        length = self.length()
        kind = rng.choice("UUAMM" if self.plain else "UAMMMMPPVVAO" + "KKKKLL" * self.locks)
        if kind == "M":
            return (pid, "M" if self.plain else self.mapping(), start, length)
        if kind == "P":
            return (pid, f"P:prot={rng.choice((0, 1, 3, 3))}", start, length)
        if kind == "A" and rng.random() < 0.6:
            advice = rng.choice((8, 8, 0, 1, 2, 3, 3, 10, 10, 11, 18, 18, 19))
            return (pid, f"A:advice={advice}", start, length)
        if kind == "V":
            away = rng.choice((0, 1, 2, 64, 2**28)) * self.page_size
            length = 0 if rng.random() < 0.3 else length  # of 0 bytes: mapped a second time
            return (pid, f"V:target={start + away},bytes={self.length()}", start, length)
        return (pid, kind, start, length)

    def fork(self, pid: int) -> Reference:
        """A process makes another one."""
        word = ",vfork" if self.rng.random() < 0.2 else ""
        return (pid, f"F:child={self.rng.choice(self.children)}{word}", 0, 0)


def is_of_processes(policy: str) -> bool:
    """What it decides is only defined for pages that one process uses alone."""
    return policy.startswith("vmin")


def can_lock(policy: str) -> bool:
    """The model tells what it does where pages are locked."""
    return not needs_future(policy) and policy.partition(":")[0] not in TIED_POLICIES


def with_events(rng: Random, trace: list[Reference], page_size: int,
                plain: bool = False, locks: bool = False) -> list[Reference]:
    """Puts events between the references, and lets some be those of children.

    plain: events that take pages, and nothing else. locks: pages may be locked.
    """
    events = Events(rng, sorted({reference[0] for reference in trace}), page_size, plain, locks)
    mixed: list[Reference] = []
    often = rng.choice((1, 1, 3))
    for reference in trace:
        pid, op, addr, size = reference
        if not events.plain and rng.random() < 0.3:
            reference = (rng.choice(events.children), op, addr, size)
        mixed.append(reference)
        chance = rng.random() / often
        if chance < 0.015:
            mixed.append((reference[0], rng.choice("XXE"), 0, 0))
        elif chance < 0.06 and addr < 2**47:
            mixed.append(events.near(reference[0], addr))
        elif chance < 0.075 and not events.plain:
            mixed.append(events.fork(reference[0]))
        elif chance < 0.085:
            mixed.append((reference[0], rng.choice("ON"), 0, 0))
    if rng.random() < 0.3:
        mixed += [(pid, "X", 0, 0) for pid in sorted({reference[0] for reference in trace})]
    return mixed


def options_for_events(rng: Random, options: dict[str, str]) -> None:
    """What there is to be chosen about address spaces."""
    page_size = int(options["page-size"])
    if rng.random() < 0.4:
        options["mappings"] = rng.choice(("complete", "partial"))
    if rng.random() < 0.3:
        options["invalid"] = rng.choice(("stop", "kill", "kill", "kill"))
    if rng.random() < 0.4 and not is_of_processes(options.get("policy", "")):
        options["zero-page"] = "on"
    if rng.random() < 0.4:
        options["file-cache"] = "warm"
    if rng.random() < 0.4 and page_size <= 2**21:
        options["fault-around"] = str(page_size * rng.choice((1, 2, 4, 16)))
        options["fault-around-shift"] = str(rng.choice((0, 0, 1, 3, 13, 511)))
    ties = options.get("policy", "").startswith("lruk")  # of pages that came in with one reference
    if rng.random() < 0.4 and page_size <= 2**21 and not ties:
        options["read-ahead"] = str(page_size * rng.choice((1, 2, 3, 4, 8, 32)))
    if rng.random() < 0.3:
        options["stack-limit"] = str(max(1, page_size * rng.choice((1, 3, 20)) >> 20))


def vmt_mode(rng: Random, codec: str, options: dict[str, str],
             trace: list[Reference]) -> tuple[str, list[Reference]]:
    """The mode of a case that goes through a .vmt, and its trace, often with events."""
    page_size = int(options["page-size"])
    of_trace = page_size
    if codec == "runs":
        options.pop("young-flush", None)  # with periods it is refused
        if page_size <= 65536:  # else a reference could become millions of runs
            of_trace = max(512, page_size >> rng.choice((0, 0, 0, 1, 3)))
    if "scope" not in options and rng.random() < 0.6:
        options["policy"] = random_policy_for_events(rng, True)
        trace = with_events(rng, trace, page_size, is_of_processes(options["policy"]),
                            can_lock(options["policy"]))
        options_for_events(rng, options)
        if codec == "runs" and options.get("mappings") == "complete":
            # A run does not keep in which order it loads and stores, and what is forbidden fails.
            del options["mappings"]
    return f"{codec}:{of_trace}", trace


def random_groups(rng: Random, pids: list[int], page_size: int) -> str:
    """Groups of some of the processes."""
    rng.shuffle(pids)
    parts = []
    for number in range(rng.choice((1, 1, 2, 3))):
        members = [pids.pop() for _ in range(rng.choice((1, 1, 2))) if pids]
        if members:
            limit = page_size * rng.choice((1, 2, 3, 5, 9, 1000))
            parts.append(f"g{number}={limit}B:{','.join(map(str, members))}")
    return "+".join(parts)


def with_pressure(rng: Random, case: Case) -> Case:
    """Limits of processes and groups, or eviction in the background."""
    page_size = int(case.options["page-size"])
    has_events = any(one[1] not in libvmm.OPS for one in case.references)
    options = dict(case.options)
    if options["policy"].partition(":")[0] not in ANY_TIME_POLICIES:
        names = [name for name in sorted(ANY_TIME_POLICIES) if not needs_future(name)
                 and not (has_events and name in FRAME_ORDER_POLICIES)]
        options["policy"] = with_random_parameters(rng, rng.choice(names))
    kind = rng.choice(("limit", "groups", "groups", "both", "low", "low", "all"))
    if kind in ("limit", "both", "all"):
        options["resident-limit"] = f"{page_size * rng.choice((1, 2, 3, 5, 9))}B"
    if kind in ("groups", "both", "all"):
        options["groups"] = random_groups(rng, sorted({one[0] for one in case.references}),
                                          page_size)
    if kind in ("low", "all"):
        frames = max(2, int(options["frames"]))
        high = rng.randint(1, frames - 1)
        options |= {"frames": str(frames), "free-low": f"{rng.randint(1, high) * page_size}B",
                    "free-high": f"{high * page_size}B"}
    return case.with_options(options)


def random_case(seed: int) -> Case:
    """The case of a seed."""
    rng = Random(seed)
    case = plain_case(rng)
    locks = any(op[0] in "KL" or "locked" in op for _, op, _, _ in case.references)
    if "scope" not in case.options and not case.page_list and not locks and rng.random() < 0.2:
        return with_pressure(rng, case)
    return case


def plain_case(rng: Random) -> Case:
    """A case without limits."""
    options = random_options(rng)
    page_size = int(options["page-size"])
    trace = random_trace(rng, page_size, address_limit(options))
    mode = rng.choice(MODES)
    if needs_future(options["policy"]) or "max-accesses" in options:
        mode = rng.choice(("run", "pair", "runs", "runs", "full"))
    if mode in ("runs", "full"):
        mode, trace = vmt_mode(rng, mode, options, trace)
    page_list = mode in ("run", "pair") and rng.random() < 0.15
    if mode == "feed" and "scope" not in options and rng.random() < 0.7:
        options["policy"] = random_policy_for_events(rng, False)
        trace = with_events(rng, trace, page_size, is_of_processes(options["policy"]),
                            can_lock(options["policy"]))
        options_for_events(rng, options)
    if page_list:
        trace = [(0, "R", addr // page_size * page_size, 1) for _, _, addr, _ in trace]
    return Case(options, trace, mode, page_list)
