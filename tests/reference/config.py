# SPDX-License-Identifier: Apache-2.0
"""The model's configuration: the options of the program, by name, with their defaults.

Values are given as text, as on the command line: sizes take K, M, G, T (times 1024), durations
take ps, ns, us, ms, s (a bare number counts nanoseconds), counts take nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

DEFAULTS = {
    "ram": "64M",
    "frames": "auto",
    "page-size": "4K",
    "swap": "unlimited",
    "vspace": "unlimited",
    "scope": "global",
    "initial": "auto",
    "policy": "clock",
    "accessed-bit": "every-reference",
    "young-flush": "off",
    "seed": "42",
    "pt-type": "SINGLE",
    "tlb": "on",
    "tlb-size": "64",
    "tlb-ways": "full",
    "tlb-policy": "LRU",
    "tlb-switch": "tagged",
    "refs": "all",
    "max-accesses": "all",
    "cost-tlb": "1ns",
    "cost-memory": "100ns",
    "cost-walk-read": "100ns",
    "cost-fault": "1us",
    "cost-zero-fill": "400ns",
    "cost-swap-read": "1ms",
    "cost-swap-write": "1ms",
    "cost-store-read": "1ms",
    "swap-write": "stall",
    "mappings": "auto",
    "invalid": "count",
    "zero-page": "off",
    "file-cache": "cold",
    "fault-around": "off",
    "fault-around-shift": "0",
    "read-ahead": "off",
    "stack-limit": "8M",
    "cost-copy": "400ns",
    "cost-file-write": "1ms",
    "resident-limit": "unlimited",
    "groups": "none",
    "free-low": "off",
    "free-high": "auto",
    "cost-read-ahead": "20us",
}

LINUX_READ_AHEAD = 128 << 10  # VM_READAHEAD_PAGES

# Options whose bare number counts MiB.
IN_MEBIBYTES = {"ram", "swap", "vspace", "stack-limit", "resident-limit", "free-low", "free-high"}

SIZE_UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
# Words that stand for "no number", which is 0.
NO_NUMBER = {"auto", "unlimited", "full", "all", "off"}

COUNT_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9,
               "KI": 1 << 10, "MI": 1 << 20, "GI": 1 << 30}
PICOSECONDS = {"": 1000, "ps": 1, "ns": 10**3, "us": 10**6, "ms": 10**9, "s": 10**12}

LEVELS = {"SINGLE": 1, "TWO_LEVEL": 2, "THREE_LEVEL": 3, "FOUR_LEVEL": 4, "FIVE_LEVEL": 5}


def split_unit(text: str) -> tuple[int, str]:
    """Splits '64M' into 64 and 'M'; a word instead of a number is 0."""
    if text in NO_NUMBER:
        return 0, ""
    digits = 0
    while digits < len(text) and text[digits].isdigit():
        digits += 1
    return int(text[:digits]), text[digits:]


def parse_size(text: str, unit_of_bare_number: int = 1) -> int:
    """Bytes."""
    number, unit = split_unit(text)
    if not unit:
        return number * unit_of_bare_number
    unit = unit.upper().removesuffix("IB") or "B"
    return number * SIZE_UNITS[unit]


def parse_duration(text: str) -> int:
    """Picoseconds."""
    number, unit = split_unit(text)
    return number * PICOSECONDS[unit]


def parse_count(text: str) -> int:
    """A plain number."""
    number, unit = split_unit(text)
    return number * COUNT_UNITS[unit.upper()]


def plain(name: str) -> str:
    """A policy's name without case, '-' and '_'."""
    return name.lower().replace("-", "").replace("_", "")


def parse_policy(text: str) -> tuple[str, dict[str, int | str]]:
    """Splits 'clock:bits=2,enter=0' into its name and its parameters."""
    name, _, rest = text.partition(":")
    parameters: dict[str, int | str] = {}
    for part in rest.split(",") if rest else []:
        key, _, value = part.partition("=")
        parameters[key.strip()] = int(value) if value.strip().isdigit() else value.strip()
    return plain(name), parameters


@dataclass(frozen=True)
class Group:
    """Processes that share a limit of resident pages."""

    name: str
    limit: int  # in pages
    pids: frozenset[int]


def parse_groups(text: str, page_size: int) -> list[Group]:
    """Reads 'db=64M:100,101+web=32M:7'."""
    groups = []
    for part in text.split("+") if text != "none" else []:
        name, _, rest = part.partition("=")
        size, _, pids = rest.partition(":")
        groups.append(Group(name, parse_size(size, 1 << 20) // page_size,
                            frozenset(int(pid) for pid in pids.split(","))))
    return groups


@dataclass
class Config:
    """All options as numbers and words."""

    options: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The text of an option: as given, else the default."""
        return self.options.get(name, DEFAULTS[name])

    def __post_init__(self) -> None:
        for name in self.options:
            if name not in DEFAULTS:
                raise ValueError(f"the model knows no option '{name}'")
        self.page_size = parse_size(self.text("page-size"))
        self.swap_is_limited = self.text("swap") != "unlimited"
        self.swap_slots = parse_size(self.text("swap"), 1 << 20) // self.page_size
        self.scope_is_process = self.text("scope") == "process"
        self.initial = self.text("initial")
        self.policy, self.policy_parameters = parse_policy(self.text("policy"))
        self.sees_every_reference = self.text("accessed-bit") == "every-reference"
        self.young_flush = self.text("young-flush") == "on"
        self.seed = parse_count(self.text("seed"))
        self.levels = LEVELS[self.text("pt-type").upper()]
        self.has_tlb = self.text("tlb") == "on"
        self.tlb_entries = parse_count(self.text("tlb-size"))
        self.tlb_ways = parse_count(self.text("tlb-ways")) or self.tlb_entries
        self.tlb_policy = self.text("tlb-policy").upper()
        self.tlb_flush_on_switch = self.text("tlb-switch") == "flush"
        self.refs = self.text("refs")
        self.max_accesses = parse_count(self.text("max-accesses"))
        self.swap_write_stalls = self.text("swap-write") == "stall"
        self.cost = {name: parse_duration(self.text("cost-" + name))
                     for name in ("tlb", "memory", "walk-read", "fault", "zero-fill",
                                  "swap-read", "swap-write", "store-read", "copy", "file-write",
                                  "read-ahead")}
        self.mappings_complete = self.text("mappings") == "complete"
        self.invalid = self.text("invalid")
        self.zero_page = self.text("zero-page") == "on"
        self.file_cache_is_warm = self.text("file-cache") == "warm"
        self.fault_around = parse_size(self.text("fault-around"))
        self.fault_around_shift = int(self.text("fault-around-shift"))
        self.read_ahead = LINUX_READ_AHEAD if self.text("read-ahead") == "linux" else parse_size(
            self.text("read-ahead"))
        self.stack_limit = parse_size(self.text("stack-limit"), 1 << 20)

        self.frames = parse_count(self.text("frames"))
        if self.frames == 0:
            self.frames = parse_size(self.text("ram"), 1 << 20) // self.page_size
        self.resident_limit = parse_size(self.text("resident-limit"), 1 << 20) // self.page_size
        self.groups = parse_groups(self.text("groups"), self.page_size)
        self.has_limits = bool(self.groups or self.resident_limit)
        self.free_low = parse_size(self.text("free-low"), 1 << 20) // self.page_size
        high = parse_size(self.text("free-high"), 1 << 20) // self.page_size
        self.free_high = high or -(-self.free_low * 6 // 5)  # a fifth more, rounded up
        self.address_bits = 57 if self.levels == 5 else 48
        self.address_limit_of_tables = 1 << self.address_bits
        self.address_limit = self.address_limit_of_tables
        vspace = parse_size(self.text("vspace"), 1 << 20)
        if vspace:
            self.address_limit = min(self.address_limit, vspace)
