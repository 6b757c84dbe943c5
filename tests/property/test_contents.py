#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A read sees what was written: the reference model against memory that shares nothing.

    python3 tests/property/test_contents.py                 the fixed set, as every test run does
    python3 tests/property/test_contents.py --seed 5000 --cases 20000     a long run elsewhere

Every write puts a number of its own into its page. One side, `Contents`, keeps them where the
model's mappings, forks and copy-on-write lead. The other, `PlainMemory`, knows no pages that are
shared until they are written: fork copies everything at once. Both have to tell the same number
at each reference. That the library leads where the model does is what test_random.py looks at.
"""

from __future__ import annotations

import argparse
import sys
from random import Random
from typing import NamedTuple

from cases import Reference, random_trace, with_events
from compare import Config
from address_space import (DOFORK, DONTFORK, DONTNEED, KEEPONFORK, WIPEONFORK, AddressSpaces,
                           Effect, ObjectPage, parameters)
from tap import Tap
from traces import Reference as ModelReference

SEED = 1
CASES = 1500
FIRST_SEGMENT = 100  # numbers of files from here on are segments of shared memory, in a trace
READ_OPS, WRITE_OPS = "RIr", "Ww"

Content = object  # 0: zeros; ("file", index, ...): what a file begins with; else a write's number
Place = tuple[object, int]  # a file or a segment, and the page in it


class View(NamedTuple):
    """What a page of an address space shows, if it is mapped."""

    backing: object  # the file's or segment's name, or None
    index: int       # of the page in it
    shared: bool
    mapping: int     # which call of mmap() made it
    on_fork: tuple[bool, bool] = (False, False)  # madvise(2): a child does not get it; it is wiped

    def advised(self, advice: int) -> "View":
        """The view after an advice; only private memory without a file is wiped."""
        absent, wiped = self.on_fork
        absent = advice == DONTFORK if advice in (DONTFORK, DOFORK) else absent
        if self.backing is None and advice in (WIPEONFORK, KEEPONFORK):
            wiped = advice == WIPEONFORK
        return self._replace(on_fork=(absent, wiped))

    def moved(self, pages: int) -> "View":
        """The view so many pages further on."""
        return self._replace(index=self.index + pages)


class PlainSpace:
    """An address space; the processes that run in it have references to it, and nobody else."""

    def __init__(self) -> None:
        self.own: dict[int, Content] = {}  # private pages
        self.views: dict[int, View] = {}

    def copy(self) -> "PlainSpace":
        """fork(2), the naive way."""
        other = PlainSpace()
        other.own.update(self.own)
        other.views.update(self.views)
        for page, view in self.views.items():
            absent, wiped = view.on_fork
            if absent or wiped:
                other.own.pop(page, None)
            if absent:
                del other.views[page]
        return other

    def clear(self, pages: range) -> None:
        """Nothing is left of a range."""
        for page in pages:
            self.own.pop(page, None)
            self.views.pop(page, None)


class PlainMemory:
    """Address spaces as dictionaries of pages; nothing is put off."""

    def __init__(self, page_size: int, by_hand: bool) -> None:
        self.page_size, self.by_hand = page_size, by_hand
        self.spaces: dict[int, PlainSpace] = {}  # of a process; after a vfork several have one
        self.common: dict[Place, Content] = {}   # of files and segments
        self.calls = 0

    def space_of(self, pid: int) -> PlainSpace:
        """What a process runs in."""
        return self.spaces.setdefault(pid, PlainSpace())

    def read(self, pid: int, page: int) -> Content:
        """What a process sees."""
        own, view = self.space_of(pid).own, self.space_of(pid).views.get(page)
        if page in own:
            return own[page]
        if view is None:  # memory of which the trace told nothing; from now on it is in use
            return own.setdefault(page, 0)
        if view.backing is None:
            return 0
        place = (view.backing, view.index)
        return self.common.get(place, place if self.is_file(view.backing) else 0)

    def write(self, pid: int, page: int, content: Content) -> None:
        """A process fills a page."""
        own, view = self.space_of(pid).own, self.space_of(pid).views.get(page)
        if view and view.shared and view.backing is not None:
            self.common[view.backing, view.index] = content
        else:
            own[page] = content

    def is_file(self, backing: object) -> bool:
        """Its content was there before, and stays."""
        return isinstance(backing, int) and (self.by_hand or backing < FIRST_SEGMENT)

    def refuses(self, event: Reference) -> bool:
        """A remap that no kernel carries out, so that no trace has it."""
        pid, op, addr, size = event
        if op[0] != "V":
            return False
        told = parameters(ModelReference(*event))
        views, own = self.space_of(pid).views, self.space_of(pid).own
        first, pages = addr // self.page_size, size // self.page_size
        wanted, target = told["bytes"] // self.page_size, told["target"] // self.page_size
        if pages == 0:  # mapped a second time: only what is shared, and beside itself
            is_shared = first in views and views[first].shared
            return not is_shared or target <= first < target + wanted
        shown = [views.get(first + i) for i in range(pages)]
        if any(shown) and any(view is None or view != shown[0].moved(i)
                              for i, view in enumerate(shown)):
            return True  # not one mapping
        grown = range(first + pages, first + wanted)
        return target == first and any(page in views or page in own for page in grown)

    def apply(self, event: Reference) -> None:
        """An event."""
        pid, op, addr, size = event
        told = parameters(ModelReference(*event))
        space = self.space_of(pid)
        pages = range(addr // self.page_size, (addr + size) // self.page_size)
        if op[0] in "UM":
            space.clear(pages)
            if op[0] == "M":
                self.map(space, pages, told)
        elif op[0] == "A" and told.get("advice", DONTNEED) == DONTNEED:
            for page in pages:
                space.own.pop(page, None)
        elif op[0] == "A":
            for page in [one for one in pages if one in space.views]:
                space.views[page] = space.views[page].advised(told["advice"])
        elif op[0] == "V":
            self.remap(space, pages, told["target"] // self.page_size,
                       told["bytes"] // self.page_size)
        elif op[0] == "F" and told["child"] != pid:
            self.spaces[told["child"]] = space if "vfork" in told else space.copy()
        elif op[0] in "XE":
            self.spaces[pid] = PlainSpace()
        self.forget_segments()

    def map(self, space: PlainSpace, pages: range, told: dict[str, int]) -> None:
        """mmap(2). Shared memory without a file is a segment that has no other name."""
        self.calls += 1
        backing: object = told.get("file")
        if backing is None and "shared" in told:
            backing = ("segment", self.calls)
        first = View(backing, told.get("offset", 0) // self.page_size, "shared" in told,
                     self.calls)
        for place, page in enumerate(pages):
            space.views[page] = first.moved(place)

    @staticmethod
    def remap(space: PlainSpace, pages: range, target: int, wanted: int) -> None:
        """mremap(2); of no pages, what is shown there is shown a second time."""
        if target != pages.start and target < pages.stop and pages.start < target + wanted:
            return  # onto itself
        first = space.views.get(pages.start)
        kept = {place: space.own[page] for place, page in enumerate(pages)
                if page in space.own and place < wanted}
        space.clear(pages)
        space.clear(range(target, target + wanted))
        for place in range(wanted if first else 0):
            space.views[target + place] = first.moved(place)
        space.own.update({target + place: content for place, content in kept.items()})

    def forget_segments(self) -> None:
        """Shared memory goes with its last mapping; files keep what was written."""
        shown = {view.backing for space in self.spaces.values() for view in space.views.values()}
        for place in [one for one in self.common if not self.is_file(one[0])]:
            if place[0] not in shown:
                del self.common[place]


class Contents:
    """What is in the pages that the model leads to."""

    def __init__(self, config: Config, by_hand: bool) -> None:
        self.spaces = AddressSpaces(config, by_hand)
        self.of: dict[ObjectPage, Content] = {}

    def refer(self, pid: int, page: int, content: Content | None) -> Content | None:
        """A read, or a write of a content: what was there before; None if it is forbidden."""
        translation = (self.spaces.space_of(pid), page)
        found = self.spaces.refer(translation, content is not None)
        if found.how == "forbidden":
            return None
        before = self.content(found.source if found.how == "copy" else found.page)
        self.of[found.page] = before if content is None else content
        return before

    def content(self, page: ObjectPage) -> Content:
        """Of a page: a file's is there from the beginning."""
        if page not in self.of and page.kind == "file":
            for number, file in self.spaces.files.items():
                for index, other in file.pages.items():
                    if other == page:
                        return (number, index)
        return self.of.get(page, 0)

    def apply(self, event: Reference) -> None:
        """An event."""
        effects: list[Effect] = self.spaces.apply(ModelReference(*event))
        for effect in effects:
            if effect.what == "drop":
                self.of.pop(effect.page, None)


def random_case(seed: int) -> tuple[dict[str, str], bool, list[Reference]]:
    """Options, whether files are told by hand, and a trace with events."""
    rng = Random(seed)
    page_size = rng.choice((512, 4096, 65536))
    options = {"page-size": str(page_size), "pt-type": "FIVE_LEVEL",
               "mappings": rng.choice(("partial", "complete")),
               "zero-page": rng.choice(("off", "on")),
               "fault-around": rng.choice(("off", str(4 * page_size)))}
    trace = random_trace(rng, page_size, 2**56)[:400]
    return options, rng.random() < 0.5, [
        # Not known here: what a stack, which a child may not get, has grown to; System V by hand.
        (pid, op.replace(",down", "").replace(",sysv", ""), addr, size)
        for pid, op, addr, size in with_events(rng, trace, page_size)]


def difference(seed: int, seen: dict[str, int]) -> str | None:
    """The first reference of a case at which the two sides see different contents."""
    options, by_hand, trace = random_case(seed)
    config = Config(options)
    contents, plain = Contents(config, by_hand), PlainMemory(config.page_size, by_hand)
    for number, reference in enumerate(trace, 1):
        pid, op, addr, _ = reference
        if op[0] not in READ_OPS + WRITE_OPS or len(op) > 1:
            if not plain.refuses(reference):
                contents.apply(reference)
                plain.apply(reference)
                seen[op[0]] = seen.get(op[0], 0) + 1
            continue
        page = addr // config.page_size
        written = number if op in WRITE_OPS else None
        expected, found = plain.read(pid, page), contents.refer(pid, page, written)
        if found is None:
            continue
        if found != expected:
            return (f"seed {seed}, {options}, reference {number}: {reference}: "
                    f"expected content {expected}, found {found}")
        seen["content"] = seen.get("content", 0) + (expected != 0)
        if written is not None:
            plain.write(pid, page, written)
    return None


def contents_are_kept(seed: int, count: int) -> None:
    """Over many cases; they have to contain what they are about."""
    seen: dict[str, int] = {}
    for number in range(seed, seed + count):
        why = difference(number, seen)
        assert why is None, why
    for what in ("content", *"UMPVAFXE") if count >= CASES else ():
        assert seen.get(what, 0) > count // 10, f"too few of '{what}': {seen}"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--cases", type=int, default=CASES)
    given = parser.parse_args()
    tap = Tap()
    tap.run(f"reads see what was written, {given.cases} random cases",
            lambda: contents_are_kept(given.seed, given.cases))
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
