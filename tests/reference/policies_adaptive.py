# SPDX-License-Identifier: Apache-2.0
"""Policies that adapt: ARC and its family, LIRS and its family.

Lists have their oldest page first, as in the papers' drawings: pages enter at the end.
"""

from __future__ import annotations

import math

from policy import Page, Policy
from splitmix import MASK, mix


class Arc(Policy):
    """Megiddo and Modha, FAST 2003."""

    def start(self) -> None:
        self.t1: list[Page] = []
        self.t2: list[Page] = []
        self.b1: list[Page] = []
        self.b2: list[Page] = []
        self.p = 0.0
        self.came_from = "nowhere"

    def missed(self, page: Page) -> None:
        c, b1, b2 = len(self.frames), len(self.b1), len(self.b2)
        if page in self.b1:
            self.p = min(c, self.p + max(b2 / b1, 1))
            self.b1.remove(page)
            self.came_from = "b1"
        elif page in self.b2:
            self.p = max(0, self.p - max(b1 / b2, 1))
            self.b2.remove(page)
            self.came_from = "b2"
        else:
            self.came_from = "nowhere"
            if len(self.t1) + b1 >= c:
                self.b1 = self.b1[1:]
            elif len(self.t1) + len(self.t2) + b1 + b2 >= 2 * c:
                self.b2 = self.b2[1:]

    def victim(self) -> Page:
        if self.came_from == "nowhere" and len(self.t1) == len(self.frames):
            return self.t1[0]  # B1 is empty and stays so
        size = len(self.t1)
        if self.t1 and (not self.t2 or size > self.p
                        or (self.came_from == "b2" and size == self.p)):
            self.b1.append(self.t1[0])
            return self.t1[0]
        self.b2.append(self.t2[0])
        return self.t2[0]

    def loaded(self, page: Page, is_write: bool) -> None:
        (self.t1 if self.came_from == "nowhere" else self.t2).append(page)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.evicted(page)
        self.t2.append(page)

    def evicted(self, page: Page) -> None:
        (self.t1 if page in self.t1 else self.t2).remove(page)

    def forgotten(self, page: Page) -> None:
        for history in (self.b1, self.b2):
            if page in history:
                history.remove(page)


class Car(Policy):
    """Bansal and Modha, FAST 2004. The head of a clock is the first of its list."""

    uses_accessed_bit = True
    defaults = {"variant": "paper"}

    def start(self) -> None:
        self.t1: list[Page] = []
        self.t2: list[Page] = []
        self.b1: list[Page] = []
        self.b2: list[Page] = []
        self.used: dict[Page, bool] = {}
        self.p = 0.0
        self.as_peer = self.parameters["variant"] == "libcachesim"
        self.came_from = "nowhere"

    def adapt(self) -> None:
        """A page came back from a history, which still counts it."""
        b1, b2 = len(self.b1), len(self.b2)
        if self.came_from == "b1":
            ratio = b2 // b1 if self.as_peer else b2 / b1
            self.p = min(len(self.frames), self.p + max(1, ratio))
        elif self.came_from == "b2":
            ratio = b1 // b2 if self.as_peer else b1 / b2
            self.p = max(0, self.p - max(1, ratio))

    def missed(self, page: Page) -> None:
        self.came_from = ("b1" if page in self.b1 else "b2" if page in self.b2 else "nowhere")
        if self.as_peer:
            self.adapt()
            self.forgotten(page)

    def victim(self) -> Page:
        while True:
            if len(self.t1) >= max(1, self.p):
                page = self.t1[0]
                if not self.used[page]:
                    self.b1.append(page)
                    left = len(self.t1) - 1
                    break
                self.t2.append(self.t1.pop(0))
            else:
                page = self.t2[0]
                if not self.used[page]:
                    self.b2.append(page)
                    left = len(self.t1)
                    break
                self.t2.append(self.t2.pop(0))
            self.used[page] = False
            self.cleared.append(page)
        if self.as_peer and left + len(self.b1) >= len(self.frames):
            self.b1 = self.b1[1:]
        return page

    def loaded(self, page: Page, is_write: bool) -> None:
        c = len(self.frames)
        if not self.as_peer:
            self.adapt()
            self.forgotten(page)
        if self.came_from == "nowhere" and not self.as_peer:
            if len(self.t1) + len(self.b1) >= c:
                self.b1 = self.b1[1:]
            elif len(self.t1) + len(self.t2) + len(self.b1) + len(self.b2) >= 2 * c:
                self.b2 = self.b2[1:]
        (self.t1 if self.came_from == "nowhere" else self.t2).append(page)
        self.used[page] = False

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.used[page] = self.used[page] or accessed

    def evicted(self, page: Page) -> None:
        (self.t1 if page in self.t1 else self.t2).remove(page)
        del self.used[page]

    forgotten = Arc.forgotten


class Cart(Policy):
    """Bansal and Modha, FAST 2004, figure 3, whose line numbers stand at the sides."""

    uses_accessed_bit = True

    def start(self) -> None:
        self.t1: list[Page] = []
        self.t2: list[Page] = []
        self.b1: list[Page] = []
        self.b2: list[Page] = []
        self.used: dict[Page, bool] = {}
        self.short: dict[Page, bool] = {}  # the filter bit
        self.p = self.q = 0.0

    def count(self, short: bool) -> int:
        """nS or nL."""
        return sum(is_short == short for is_short in self.short.values())

    def raise_q(self) -> None:
        """Lines 20 to 22 and 27 to 29."""
        c = len(self.frames)
        if len(self.t2) + len(self.b2) + len(self.t1) - self.count(True) >= c:
            self.q = min(self.q + 1, 2 * c - len(self.t1))

    def turn(self, source: list[Page], target: list[Page]) -> Page:
        """The head of one list goes to the tail of another, its bit cleared."""
        page = source.pop(0)
        target.append(page)
        if self.used[page]:
            self.cleared.append(page)
        self.used[page] = False
        return page

    def victim(self) -> Page:
        while self.t2 and self.used[self.t2[0]]:                                    # 25
            self.turn(self.t2, self.t1)
            self.raise_q()
        while self.t1 and (not self.short[self.t1[0]] or self.used[self.t1[0]]):    # 31
            if self.used[self.t1[0]]:
                page = self.turn(self.t1, self.t1)
                if len(self.t1) >= min(self.p + 1, len(self.b1)):                   # 34
                    self.short[page] = False
            else:
                self.turn(self.t1, self.t2)                                         # 39
                self.q = max(self.q - 1, len(self.frames) - len(self.t1))
        if len(self.t1) >= max(1, self.p):                                          # 44
            self.b1.append(self.t1[0])
            return self.t1[0]
        self.b2.append(self.t2[0])
        return self.t2[0]

    def loaded(self, page: Page, is_write: bool) -> None:
        c, b1, b2 = len(self.frames), len(self.b1), len(self.b2)
        self.used[page] = False
        if page in self.b1:                                                         # 14
            self.p = min(self.p + max(1, self.count(True) / b1), c)
            self.b1.remove(page)
            self.short[page] = False
            self.t1.append(page)
        elif page in self.b2:                                                       # 17
            self.p = max(self.p - max(1, self.count(False) / b2), 0)
            self.b2.remove(page)
            self.short[page] = False
            self.t1.append(page)
            self.raise_q()
        else:
            if b1 + b2 > c:                                                         # 6
                (self.b1 if b1 > max(0, self.q) or not self.b2 else self.b2).pop(0)
            self.short[page] = True
            self.t1.append(page)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.used[page] = self.used[page] or accessed

    def evicted(self, page: Page) -> None:
        (self.t1 if page in self.t1 else self.t2).remove(page)
        del self.used[page], self.short[page]

    forgotten = Arc.forgotten


class Lirs(Policy):
    """Jiang and Zhang, SIGMETRICS 2002. The bottom of the stack is the first of its list."""

    defaults = {"hir": 1, "variant": "paper"}

    def start(self) -> None:
        frames = len(self.frames)
        self.hir_limit = max(1, frames * self.parameters["hir"] // 100)
        self.lir_limit = frames - self.hir_limit
        self.as_peer = self.parameters["variant"] == "libcachesim"
        self.stack: list[Page] = []
        self.queue: list[Page] = []   # resident HIR pages
        self.lir: set[Page] = set()
        self.absent: list[Page] = []  # of the stack, in order of leaving
        self.known = False

    def prune(self) -> None:
        """A LIR page is at the bottom."""
        while self.stack and self.stack[0] not in self.lir:
            self.unstack(self.stack[0])

    def unstack(self, page: Page) -> None:
        """A page is taken from the stack."""
        for pages in (self.stack, self.absent):
            if page in pages:
                pages.remove(page)

    def push(self, page: Page) -> None:
        """To the top, and what is too much goes."""
        if page in self.stack:
            self.stack.remove(page)
        self.stack.append(page)

    def bound(self) -> None:
        """A stack of limited size."""
        while self.as_peer and len(self.stack) > 2 * len(self.frames) and self.absent:
            self.unstack(self.absent[0])

    def demote(self) -> None:
        """The LIR page at the bottom becomes the last HIR page."""
        page = self.stack.pop(0)
        self.lir.remove(page)
        self.queue.append(page)
        self.prune()

    def make_lir(self, page: Page) -> None:
        """A page that was used again soon, or while there is room."""
        self.lir.add(page)
        self.push(page)
        if len(self.lir) > self.lir_limit:
            self.demote()
        self.prune()
        self.bound()

    def missed(self, page: Page) -> None:
        self.known = page in self.stack
        if self.known:
            self.absent.remove(page)

    def victim(self) -> Page:
        return self.queue[0]

    def loaded(self, page: Page, is_write: bool) -> None:
        if self.known or len(self.lir) < self.lir_limit:
            self.make_lir(page)
        else:
            self.queue.append(page)
            self.push(page)
            self.prune()
            self.bound()

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        if page in self.lir:
            self.push(page)
            self.prune()
        elif page in self.stack:
            self.queue.remove(page)
            self.make_lir(page)
        else:
            self.queue.remove(page)
            self.queue.append(page)
            if self.as_peer and len(self.lir) == self.lir_limit > 0:
                self.demote_all_the_same()
            self.push(page)
            if page in self.parting:
                self.absent.append(page)
            self.prune()
            self.bound()

    def demote_all_the_same(self) -> None:
        """What libCacheSim does when a HIR page is used that is not in the stack."""
        if len(self.queue) == self.hir_limit:
            front = self.queue.pop(0)
            self.parting.append(front)
            if front in self.stack:
                self.absent.append(front)
        self.demote()

    def evicted(self, page: Page) -> None:
        if page in self.lir:
            self.lir.remove(page)
            self.stack.remove(page)
            self.prune()
            return
        if page in self.queue:
            self.queue.remove(page)
        if page in self.stack and page not in self.absent:
            self.absent.append(page)

    def forgotten(self, page: Page) -> None:
        self.unstack(page)


class ClockPro(Policy):
    """Jiang, Chen and Zhang, USENIX ATC 2005: one list, whose end is the head of the drawing.

    The list holds hot pages, resident cold ones, and absent ones in their test, each where it was
    last put at the head. A hand is the first page of its kind.
    """

    uses_accessed_bit = True

    def start(self) -> None:
        self.ring: list[Page] = []
        self.hot: set[Page] = set()
        self.resident: set[Page] = set()
        self.in_test: set[Page] = set()
        self.demoted: set[Page] = set()
        self.used: set[Page] = set()
        self.most = max(1, len(self.frames) * self.share() // 100)
        self.target = self.most  # cold pages
        self.came_back = False
        self.leaving: Page | None = None  # the last victim

    # What CLOCK-Pro+ does otherwise.

    def share(self) -> int:
        """Per cent of memory for cold pages, at most."""
        return 100

    def came_back_in_test(self) -> None:
        """An absent page is used in its test."""
        self.move_target(1)

    def used_in_test(self) -> None:
        """The hand finds that a resident page was used in its test."""
        self.move_target(1)

    def used_when_demoted(self) -> None:
        """The hand finds that a page was used after it had been hot."""

    def test_ended(self, page: Page) -> None:
        """A test is over."""
        if page not in self.used:
            self.move_target(-1)

    def move_target(self, by: int) -> None:
        """At least one page is for the cold ones."""
        self.target = min(self.most, max(1, self.target + by))

    def absent(self) -> list[Page]:
        """The pages that are remembered only."""
        return [page for page in self.ring if page not in self.resident]

    def put_at_head(self, page: Page) -> None:
        """The youngest page now."""
        if page in self.ring:
            self.ring.remove(page)
        self.ring.append(page)

    def leave_test(self, page: Page) -> None:
        """In no test; an absent page is forgotten."""
        self.in_test.discard(page)
        if page in self.ring and page not in self.resident:
            self.ring.remove(page)

    def end_test(self, page: Page) -> None:
        """The page was not used in its test, or not that one knows."""
        self.leave_test(page)
        self.test_ended(page)

    def pass_tests(self) -> None:
        """Tests end that lie before the hand of the hot pages."""
        first_hot = next((n for n, page in enumerate(self.ring) if page in self.hot), 0)
        for page in self.ring[:first_hot]:
            if page in self.in_test:
                self.end_test(page)

    def run_hot_hand(self) -> None:
        """There may be too many hot pages."""
        ran = False
        while len(self.hot) > len(self.frames) - self.target:
            ran = True
            self.pass_tests()
            page = next(page for page in self.ring if page in self.hot)
            if page in self.used:
                self.used.remove(page)
                self.cleared.append(page)
            else:
                self.hot.remove(page)
                self.demoted.add(page)
            self.put_at_head(page)
        if ran:
            self.pass_tests()

    def missed(self, page: Page) -> None:
        self.came_back = page in self.in_test
        if self.came_back:
            self.came_back_in_test()
            self.leave_test(page)

    def victim(self) -> Page:
        while True:
            page = next(page for page in self.ring
                        if page in self.resident and page not in self.hot)
            if page not in self.used:
                self.leaving = page
                return page
            self.used.remove(page)
            self.cleared.append(page)
            if page in self.demoted:
                self.used_when_demoted()
                self.demoted.remove(page)
            self.put_at_head(page)
            if page in self.in_test:
                self.leave_test(page)
                self.used_in_test()
                self.hot.add(page)
                self.run_hot_hand()
            else:
                self.in_test.add(page)

    def loaded(self, page: Page, is_write: bool) -> None:
        self.resident.add(page)
        self.put_at_head(page)
        if self.came_back:
            self.hot.add(page)
            self.run_hot_hand()
        else:
            self.in_test.add(page)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        if accessed:
            self.used.add(page)

    def evicted(self, page: Page) -> None:
        for pages in (self.resident, self.hot, self.used, self.demoted):
            pages.discard(page)
        if page != self.leaving:
            self.leave_test(page)
        self.leaving = None
        if page in self.ring and page not in self.in_test:
            self.ring.remove(page)
        while len(self.absent()) > len(self.frames):
            self.end_test(next(page for page in self.ring if page in self.in_test))

    def forgotten(self, page: Page) -> None:
        self.leave_test(page)


class ClockProPlus(ClockPro):
    """Li, SYSTOR 2019: another target."""

    defaults = {"cold": 50}

    def share(self) -> int:
        return self.parameters["cold"]

    def came_back_in_test(self) -> None:
        self.move_target(max(1, len(self.demoted) // len(self.absent())))

    def used_in_test(self) -> None:
        pass

    def used_when_demoted(self) -> None:
        self.move_target(-max(1, len(self.absent()) // len(self.demoted)))

    def test_ended(self, page: Page) -> None:
        pass


def name_of(page: Page) -> int:
    """What a page is called wherever it is hashed: process 0 leaves its number as it is."""
    return page[1] ^ mix(page[0])


def rotate(word: int, bits: int) -> int:
    """A 64-bit word turned to the left."""
    return ((word << bits) | (word >> (64 - bits))) & MASK


def xxh64(word: int, seed: int) -> int:
    """XXH64 of eight bytes, by the specification's steps."""
    p1, p2, p3, p4, p5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
                          0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
    value = (seed + p5 + 8) & MASK
    value ^= (rotate((word * p2) & MASK, 31) * p1) & MASK
    value = (rotate(value, 27) * p1 + p4) & MASK
    for shift, factor in ((33, p2), (29, p3), (32, 1)):
        value = ((value ^ (value >> shift)) * factor) & MASK
    return value


class WTinyLfu(Policy):
    """Einziger, Friedman and Manes, ACM TOS 13(4), 2017; climbing: Middleware 2018."""

    defaults = {"window": 1, "variant": "paper"}

    def start(self) -> None:
        c = len(self.frames)
        self.as_peer = self.parameters["variant"] == "libcachesim"
        self.climbs = self.parameters["variant"] == "adaptive"
        window = c * self.parameters["window"] // 100
        self.set_window(window if self.as_peer else max(1, window))
        self.window: list[Page] = []
        self.probation: list[Page] = []
        self.protected: list[Page] = []
        self.cells: dict[tuple[int, int], int] = {}  # counters above 0
        self.width = 16
        while self.width < c:
            self.width *= 2
        main = c - self.window_limit
        self.peer_width = max(1, -(-143776 * main // 10000))
        self.period = 32 * main if self.as_peer else 10 * c
        self.counted = 0
        self.outcomes: list[bool] = []  # hits of the sample
        self.last_ratio: float | None = None
        self.step = c / 16
        self.others: list[Page] = []    # that leave with the victim

    def set_window(self, pages: int) -> None:
        """The window's size, and those of the parts of the main area."""
        main = len(self.frames) - pages
        self.window_limit = pages
        self.probation_limit, self.protected_limit = main // 5, main * 4 // 5

    def cells_of(self, page: Page) -> list[tuple[int, int]]:
        """The counters of a page."""
        name = name_of(page)
        if self.as_peer:
            a, b = xxh64(name, 0x12345678), xxh64(name, 0x12344321)
            return [(0, (a + row * b) % 2**32 % self.peer_width) for row in range(10)]
        value = mix(name)
        a, b = value % 2**32, value >> 32
        return [(row, (a + row * b) % 2**32 % self.width) for row in range(4)]

    def estimate(self, page: Page) -> int:
        """How often the page was used lately."""
        return min(self.cells.get(cell, 0) for cell in self.cells_of(page))

    def add(self, page: Page) -> None:
        """A use for the sketch."""
        least = self.estimate(page)
        for cell in self.cells_of(page):
            if self.as_peer or self.cells.get(cell, 0) == least < 15:
                self.cells[cell] = self.cells.get(cell, 0) + 1
        if not self.as_peer:
            self.age(self.period // 2)

    def age(self, rest: int) -> None:
        """The sketch forgets from time to time."""
        self.counted += 1
        if self.counted >= self.period:
            self.cells = {cell: count // 2 for cell, count in self.cells.items()}
            self.counted = rest

    def sample(self, hit: bool) -> None:
        """Hill climbing."""
        if not self.climbs:
            return
        self.outcomes.append(hit)
        c = len(self.frames)
        if len(self.outcomes) < 10 * c:
            return
        ratio = sum(self.outcomes) / len(self.outcomes)
        change = 0.0 if self.last_ratio is None else ratio - self.last_ratio
        direction = 1 if (self.step >= 0) == (change >= 0) else -1
        size = c / 16 if abs(change) >= 0.05 else abs(self.step) * 0.98
        self.set_window(int(max(1, min(c * 0.8, self.window_limit + direction * size))))
        self.step, self.last_ratio, self.outcomes = direction * size, ratio, []

    def main_victim(self) -> Page | None:
        """The next to leave the main area."""
        return (self.probation or self.protected or [None])[0]

    def admit(self) -> None:
        """The oldest page of the window enters the main area."""
        above = (self.as_peer and len(self.probation) >= self.probation_limit
                 and len(self.protected) < self.protected_limit)
        (self.protected if above else self.probation).append(self.window.pop(0))

    def missed(self, page: Page) -> None:
        if not self.as_peer:
            self.add(page)
        self.sample(False)

    def victim(self) -> Page:
        if self.as_peer:
            return self.victim_as_peer()
        rival = self.main_victim()
        if rival is None:
            return self.window[0]
        if len(self.window) < self.window_limit:
            return rival
        candidate = self.window[0]
        return rival if self.estimate(candidate) > self.estimate(rival) else candidate

    def victim_as_peer(self) -> Page:
        """The first of several pages that leave."""
        leaving: list[Page] = []
        while self.window:
            page, rival = self.window[0], self.main_victim()
            main = len(self.probation) + len(self.protected)
            if main >= len(self.frames) - self.window_limit:
                if rival is None or self.estimate(page) <= self.estimate(rival):
                    leaving.append(self.window.pop(0))
                    self.add(page)
                    break
                leaving.append(rival)
                self.evicted(rival)
            self.admit()
            self.add(page)
        else:
            leaving.append(self.main_victim())
            self.evicted(leaving[-1])
        self.others = leaving[1:]
        return leaving[0]

    def loaded(self, page: Page, is_write: bool) -> None:
        self.window.append(page)
        if self.as_peer:
            self.parting += self.others
            self.others = []
            if self.window_limit == 0:
                self.parting.append(page)
            self.add(page)
        else:
            while len(self.window) > self.window_limit:
                self.admit()

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        if page in self.window:
            self.window.remove(page)
            self.window.append(page)
            if not self.as_peer:
                self.add(page)
        else:
            self.evicted(page)
            self.protected.append(page)
            while len(self.protected) > self.protected_limit:
                self.probation.append(self.protected.pop(0))
                if self.as_peer:
                    excess = max(0, len(self.probation) - self.probation_limit)
                    self.parting += self.probation[:excess]
            self.add(page)
            if self.as_peer:
                self.age(0)
        self.sample(True)

    def evicted(self, page: Page) -> None:
        for pages in (self.window, self.probation, self.protected):
            if page in pages:
                pages.remove(page)


class LeCaR(Policy):
    """Vietri and others, HotStorage 2018: experts 0, LRU, and 1, LFU."""

    uses_clock = True
    defaults = {"history": 100}

    def start(self) -> None:
        frames = len(self.frames)
        self.limit = max(1, frames * self.parameters["history"] // 100)
        self.weights = [0.5, 0.5]
        self.histories: list[dict[Page, int]] = [{}, {}]  # when each page left, oldest first
        self.uses: dict[Page, int] = {}
        self.last: dict[Page, int] = {}  # several pages may come in with one reference, so not
        self.touches = 0                 # the clock, but the number of the touch
        self.choice: tuple[Page, int] | None = None

    def missed(self, page: Page) -> None:
        for expert, history in enumerate(self.histories):
            if page in history:
                time = self.clock - history.pop(page)
                regret = 0.005 ** (time / len(self.frames))
                self.weights[1 - expert] *= math.exp(0.45 * regret)
                self.weights = [weight / sum(self.weights) for weight in self.weights]

    def victim(self) -> Page:
        drawn = (self.random.next() >> 11) * 2.0**-53
        expert = 0 if drawn < self.weights[0] else 1
        keys = (lambda page: self.last[page], lambda page: (self.uses[page], self.last[page]))
        self.choice = min(self.uses, key=keys[expert]), expert
        return self.choice[0]

    def loaded(self, page: Page, is_write: bool) -> None:
        self.touches += 1
        self.uses[page], self.last[page] = 1, self.touches

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.touches += 1
        self.uses[page] += 1
        self.last[page] = self.touches

    def evicted(self, page: Page) -> None:
        del self.uses[page], self.last[page]
        if self.choice and self.choice[0] == page:
            history = self.histories[self.choice[1]]
            if len(history) >= self.limit:
                del history[next(iter(history))]
            history[page] = self.clock
        self.choice = None

    def forgotten(self, page: Page) -> None:
        for history in self.histories:
            history.pop(page, None)


class Hyperbolic(Policy):
    """Blankstein, Sen and Freedman, USENIX ATC 2017."""

    uses_clock = True
    defaults = {"sample": 64}

    def start(self) -> None:
        self.uses: dict[Page, int] = {}
        self.since: dict[Page, int] = {}

    def victim(self) -> Page:
        sample = [self.frames[self.random.below(len(self.frames))]
                  for _ in range(self.parameters["sample"])]
        return min(sample, key=self.priority)

    def priority(self, page: Page) -> float:
        """Uses a reference. A page that has just come in, with others, has the highest."""
        age = self.clock - self.since[page]
        return self.uses[page] / age if age else math.inf

    def loaded(self, page: Page, is_write: bool) -> None:
        self.uses[page], self.since[page] = 1, self.clock

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.uses[page] += 1

    def evicted(self, page: Page) -> None:
        del self.uses[page], self.since[page]


ADAPTIVE: dict[str, type[Policy]] = {
    "arc": Arc,
    "car": Car,
    "lirs": Lirs,
    "hyperbolic": Hyperbolic,
    "lecar": LeCaR,
    "wtinylfu": WTinyLfu,
    "cart": Cart,
    "clockproplus": ClockProPlus,
    "clockpro": ClockPro,
}
