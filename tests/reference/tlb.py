# SPDX-License-Identifier: Apache-2.0
"""A set-associative translation look-aside buffer, tagged by process.

A page is a pair (pid, vpn). Its set is vpn mod the number of sets. A fill takes the first
invalid way of the set; if there is none, the policy names the entry to replace.
"""

from __future__ import annotations

from dataclasses import dataclass

from splitmix import SplitMix64

Page = tuple[int, int]


@dataclass
class Entry:
    """One translation and what the replacement policies want to know of it."""

    page: Page
    filled_at: int
    used_at: int
    uses: int = 0
    written: bool = False


class Tlb:
    """The entries, as a list of ways for each set."""

    def __init__(self, entries: int, ways: int, policy: str, seed: int) -> None:
        self.sets: list[list[Entry | None]] = [[None] * ways for _ in range(entries // ways)]
        self.policy = policy
        self.random = SplitMix64(seed, "tlb.random")
        self.now = 0
        self.evictions = 0
        self.writebacks = 0
        self.invalidations = 0
        self.flushes = 0

    def ways_of(self, page: Page) -> list[Entry | None]:
        """The set a page belongs to."""
        return self.sets[page[1] % len(self.sets)]

    def find(self, page: Page) -> Entry | None:
        """The page's entry, without using it."""
        for entry in self.ways_of(page):
            if entry is not None and entry.page == page:
                return entry
        return None

    def use(self, entry: Entry, is_write: bool) -> None:
        """A reference goes through an entry."""
        self.now += 1
        entry.used_at = self.now
        entry.uses += 1
        entry.written = entry.written or is_write

    def lookup(self, page: Page, is_write: bool) -> bool:
        """True for a hit, which uses the entry."""
        entry = self.find(page)
        if entry is None:
            return False
        self.use(entry, is_write)
        return True

    def victim(self, ways: list[Entry]) -> int:
        """The way to replace in a full set."""
        places = range(len(ways))
        if self.policy == "RANDOM":
            return self.random.below(len(ways))
        if self.policy == "FIFO":
            return min(places, key=lambda way: ways[way].filled_at)
        if self.policy == "LFU":
            return min(places, key=lambda way: ways[way].uses)
        return min(places, key=lambda way: ways[way].used_at)

    def fill(self, page: Page, is_write: bool) -> None:
        """Takes in the translation of a page after a walk; the same reference uses it."""
        ways = self.ways_of(page)
        if None in ways:
            way = ways.index(None)
        else:
            way = self.victim(ways)
            self.evictions += 1
            self.writebacks += ways[way].written
        self.now += 1
        ways[way] = Entry(page, filled_at=self.now, used_at=self.now)
        self.use(ways[way], is_write)

    def drop(self, page: Page) -> bool:
        """Removes a page's entry; True if there was one."""
        ways = self.ways_of(page)
        for way, entry in enumerate(ways):
            if entry is not None and entry.page == page:
                ways[way] = None
                return True
        return False

    def flush(self) -> None:
        """Drops everything."""
        self.flushes += 1
        for ways in self.sets:
            ways[:] = [None] * len(ways)
