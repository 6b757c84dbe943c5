# SPDX-License-Identifier: Apache-2.0
"""The policies of the textbooks: FIFO, LRU, MRU, Clock, Random, LFU, aging, NRU, OPT, UNOPT."""

from __future__ import annotations

from policy import Page, Policy


class Fifo(Policy):
    """First in, first out."""

    def start(self) -> None:
        self.queue: list[Page] = []

    def loaded(self, page: Page, is_write: bool) -> None:
        self.queue.append(page)

    def evicted(self, page: Page) -> None:
        self.queue.remove(page)

    def victim(self) -> Page:
        return self.queue[0]


class Lru(Policy):
    """Least recently used: a stack of pages, the most recent one last."""

    def start(self) -> None:
        self.stack: list[Page] = []

    def loaded(self, page: Page, is_write: bool) -> None:
        self.stack.append(page)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.stack.remove(page)
        self.stack.append(page)

    def evicted(self, page: Page) -> None:
        self.stack.remove(page)

    def victim(self) -> Page:
        return self.stack[0]


class Mru(Lru):
    """Most recently used: the other end of the stack."""

    def victim(self) -> Page:
        return self.stack[-1]


class Clock(Policy):
    """A hand goes round the frames; a counter of `bits` bits gives a page further chances."""

    uses_accessed_bit = True
    defaults = {"bits": 1, "enter": 1}

    def start(self) -> None:
        self.most = (1 << self.parameters["bits"]) - 1
        self.enter = min(self.parameters["enter"], self.most)
        self.counter: dict[Page, int] = {}
        self.hand = 0

    def loaded(self, page: Page, is_write: bool) -> None:
        self.counter[page] = self.enter

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        if accessed:
            self.counter[page] = min(self.counter[page] + 1, self.most)

    def evicted(self, page: Page) -> None:
        del self.counter[page]

    def victim(self) -> Page:
        while True:
            page = self.frames[self.hand]
            self.hand = (self.hand + 1) % len(self.frames)
            if page is None:
                continue  # a page is to leave before all frames hold one
            if self.counter[page] == 0:
                return page
            self.counter[page] -= 1
            self.cleared.append(page)


class Random(Policy):
    """Any frame."""

    def victim(self) -> Page:
        return self.frames[self.random.below(len(self.frames))]


class Lfu(Policy):
    """Least frequently used; among equals the one that reached its frequency first."""

    def start(self) -> None:
        self.frequency: dict[Page, int] = {}
        self.reached: dict[Page, int] = {}
        self.events = 0

    def count(self, page: Page, frequency: int) -> None:
        """Gives a page a frequency and notes when it reached it."""
        self.events += 1
        self.frequency[page] = frequency
        self.reached[page] = self.events

    def loaded(self, page: Page, is_write: bool) -> None:
        self.count(page, 1)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.count(page, self.frequency[page] + 1)

    def evicted(self, page: Page) -> None:
        del self.frequency[page], self.reached[page]

    def victim(self) -> Page:
        return min(self.frequency, key=lambda page: (self.frequency[page], self.reached[page]))


class ApproxLru(Policy):
    """Aging: an R bit, shifted into a counter once a period from the left."""

    uses_accessed_bit = True
    defaults = {"period": 1000, "bits": 8, "enter": 1}

    def start(self) -> None:
        self.top = 1 << (self.parameters["bits"] - 1)
        self.age: dict[Page, int] = {}
        self.accessed: dict[Page, bool] = {}
        self.references = 0
        self.hand = 0

    def loaded(self, page: Page, is_write: bool) -> None:
        self.age[page] = self.top if self.parameters["enter"] else 0
        self.accessed[page] = False

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.accessed[page] = self.accessed[page] or accessed

    def evicted(self, page: Page) -> None:
        del self.age[page], self.accessed[page]

    def completed(self) -> None:
        self.references += 1
        if self.references % self.parameters["period"] == 0:
            for page, accessed in self.accessed.items():
                self.age[page] = (self.age[page] >> 1) | (self.top if accessed else 0)
                self.accessed[page] = False
                if accessed:
                    self.cleared.append(page)

    def victim(self) -> Page:
        count = len(self.frames)
        order = [(self.hand + step) % count for step in range(count)]
        frame = min(order, key=lambda frame: self.age[self.frames[frame]])
        self.hand = (frame + 1) % count
        return self.frames[frame]


class Nru(Policy):
    """Not recently used: four classes by the R and M bits, each in order of entry."""

    uses_accessed_bit = True
    defaults = {"period": 1000}

    def start(self) -> None:
        # classes[2 * R + M] lists the pages with these bits.
        self.classes: list[list[Page]] = [[], [], [], []]
        self.references = 0

    def class_of(self, page: Page) -> int:
        """The number of the class that holds a page."""
        return next(n for n, pages in enumerate(self.classes) if page in pages)

    def loaded(self, page: Page, is_write: bool) -> None:
        self.classes[3 if is_write else 2].append(page)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        old = self.class_of(page)
        new = old | (2 if accessed else 0) | (1 if is_write else 0)
        if new != old:
            self.classes[old].remove(page)
            self.classes[new].append(page)

    def cleaned(self, page: Page) -> None:
        old = self.class_of(page)
        self.classes[old].remove(page)
        self.classes[old & 2].append(page)

    def evicted(self, page: Page) -> None:
        self.classes[self.class_of(page)].remove(page)

    def completed(self) -> None:
        self.references += 1
        if self.references % self.parameters["period"] == 0:
            clean, dirty, used_clean, used_dirty = self.classes
            self.cleared += used_clean + used_dirty
            self.classes = [clean + used_clean, dirty + used_dirty, [], []]

    def victim(self) -> Page:
        return next(pages[0] for pages in self.classes if pages)


class Opt(Policy):
    """Belady's optimum: the page whose next use is farthest goes, dead pages before all others.

    Among dead pages (never used again) the one that has been dead longest goes first.
    """

    needs_future = True

    def start(self) -> None:
        self.next_use: dict[Page, int | None] = {}
        self.last_use: dict[Page, int] = {}

    def look_ahead(self, page: Page) -> None:
        """Notes this use of a page and the one after it."""
        self.last_use[page] = self.now
        self.next_use[page] = self.future.next_use(page, self.now)

    def loaded(self, page: Page, is_write: bool) -> None:
        self.look_ahead(page)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.look_ahead(page)

    def evicted(self, page: Page) -> None:
        del self.next_use[page], self.last_use[page]

    def longest_dead(self) -> Page | None:
        """Of the pages that are never used again, the one whose last use is earliest."""
        dead = [page for page, use in self.next_use.items() if use is None]
        return min(dead, key=self.last_use.__getitem__, default=None)

    def living(self) -> list[Page]:
        """The pages that will be used again."""
        return [page for page, use in self.next_use.items() if use is not None]

    def victim(self) -> Page:
        return self.longest_dead() or max(self.living(), key=self.next_use.__getitem__)


class Unopt(Opt):
    """The worst choice: the page that is needed next; dead pages only when all are dead."""

    def victim(self) -> Page:
        return (min(self.living(), key=self.next_use.__getitem__, default=None)
                or self.longest_dead())
