# SPDX-License-Identifier: Apache-2.0
"""Replacement policies, as a textbook states them.

A policy rules over one pool of frames. It is told, in this order for one page reference:

    tell_time(pid)        process pid makes a page reference
    missed(page)          the page is absent
    victim()              which page has to leave, if the page is absent and the pool is full
    evicted(page)         that page is gone
    loaded(page, ...)     the page was put into a frame
    referenced(page, ...) instead of loaded(): the page was there already
    completed()           the page reference is over

Pages that it puts on `parting` leave, and dirty ones that it puts on `writing` are written and
stay, when the reference is done, before and after completed(). cleaned(page) tells that a page was
written, or that its content may be lost. forgotten(page): the page is given up for good, and a page
of that name is another one.

A page is a pair (pid, vpn), at least for a policy: what gives it a name. `accessed` says whether
the hardware set the accessed bit at this reference; policies that see every reference ignore it.
"""

from __future__ import annotations

import bisect
from splitmix import SplitMix64

Page = tuple[int, int]


class Future:
    """When each page will be referenced: positions in the order of all page references.

    A page that is given up has no future beyond: what comes then is another page to it.
    """

    def __init__(self) -> None:
        self.positions: dict[Page, list[int]] = {}
        self.given_up: dict[Page, list[int]] = {}  # before the reference at that position
        self.times: list[int] = []  # by position: the virtual time of its process
        self.virtual: dict[int, int] = {}  # by process: page references made
        self.length = 0

    def pass_time(self, pid: int) -> None:
        """A process makes a page reference, valid or not."""
        self.virtual[pid] = self.virtual.get(pid, 0) + 1

    def add(self, page: Page | None, pid: int) -> None:
        """The page reference is one to a page, by process `pid`; None: it fails."""
        if page is not None:
            self.positions.setdefault(page, []).append(self.length)
        self.times.append(self.virtual[pid])
        self.length += 1

    def give_up(self, page: Page) -> None:
        """The page is gone, between two references."""
        self.given_up.setdefault(page, []).append(self.length)

    def next_use(self, page: Page, now: int) -> int | None:
        """The first position after `now`; None if there is none."""
        positions = self.positions[page]
        place = bisect.bisect_right(positions, now)
        if place == len(positions):
            return None
        use = positions[place]
        ends = self.given_up.get(page, [])
        end = bisect.bisect_right(ends, now)
        return None if end < len(ends) and ends[end] <= use else use


class Policy:
    """What policies share: the page in each frame, the pages whose accessed bit was cleared."""

    needs_future = False
    uses_clock = False      # space-time is counted
    variable_space = False  # takes as many frames as it wants; never asked for a victim
    uses_accessed_bit = False
    defaults: dict[str, int | str] = {}

    def __init__(self, frames: int, parameters: dict[str, int | str], seed: int,
                 future: Future | None) -> None:
        unknown = set(parameters) - set(self.defaults)
        if unknown:
            raise ValueError(f"unknown parameter {unknown.pop()}")
        self.frames: list[Page | None] = [None] * frames
        self.parameters = {**self.defaults, **parameters}
        self.seed = seed
        self.random = SplitMix64(seed, "policy.random")
        self.future = future
        self.now = -1  # position of the current page reference in the future
        self.cleared: list[Page] = []
        self.parting: list[Page] = []
        self.writing: list[Page] = []
        self.pid = 0                   # the process that runs
        self.clock = 0                 # page references so far, this one included
        self.times: dict[int, int] = {}  # of them, those that each process made: its virtual time
        self.start()

    def start(self) -> None:
        """Sets up the policy's own data."""

    def begin(self, pid: int) -> None:
        """What an event brings in before the first reference is the first process's."""
        self.pid = pid
        self.times[pid] = 0

    def tell_time(self, pid: int) -> None:
        """A page reference by process `pid` begins."""
        self.pid = pid
        self.clock += 1
        self.times[pid] = self.times.get(pid, 0) + 1

    def missed(self, page: Page) -> None:
        """The page is in no frame and is about to come in."""

    def victim(self) -> Page:
        """The page that has to leave."""
        raise NotImplementedError

    def loaded(self, page: Page, is_write: bool) -> None:
        """A page came in."""

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        """A resident page was referenced."""

    def evicted(self, page: Page) -> None:
        """A page left."""

    def cleaned(self, page: Page) -> None:
        """A page on the list `writing` has been written."""

    def forgotten(self, page: Page) -> None:
        """The page is given up for good."""

    def completed(self) -> None:
        """A page reference is over."""
