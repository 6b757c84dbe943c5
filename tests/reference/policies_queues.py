# SPDX-License-Identifier: Apache-2.0
"""Policies made of queues: SIEVE, S3-FIFO, QD-LP-FIFO, 2Q, SLRU and their kin.

Queues are Python lists, oldest page first. What a page's departure means is decided in evicted():
`self.chosen` is the page that victim() named, others leave because they are discarded.
"""

from __future__ import annotations

from policy import Page, Policy
from splitmix import SplitMix64, mix


def share(frames: int, percent: int | str) -> int:
    """A percentage of memory, rounded down."""
    return frames * int(percent) // 100


def remember(ghosts: list[Page], page: Page, limit: int) -> None:
    """Adds a page to a ghost list that holds the last `limit` pages."""
    ghosts.append(page)
    while len(ghosts) > limit:
        ghosts.pop(0)


def recall(ghosts: list[Page], page: Page) -> bool:
    """Takes a page off a ghost list, if it is there."""
    if page not in ghosts:
        return False
    ghosts.remove(page)
    return True


class Sieve(Policy):
    """A queue, a bit for each page, and a hand that moves from the oldest to the youngest."""

    uses_accessed_bit = True

    def start(self) -> None:
        self.queue: list[Page] = []
        self.visited: dict[Page, bool] = {}
        self.hand: Page | None = None

    def loaded(self, page: Page, is_write: bool) -> None:
        self.queue.append(page)
        self.visited[page] = False

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.visited[page] = self.visited[page] or accessed

    def after(self, page: Page) -> Page | None:
        """The neighbour towards the young end."""
        place = self.queue.index(page) + 1
        return self.queue[place] if place < len(self.queue) else None

    def victim(self) -> Page:
        page = self.hand or self.queue[0]
        while self.visited[page]:
            self.visited[page] = False
            self.cleared.append(page)
            page = self.after(page) or self.queue[0]
        self.hand = page
        return page

    def evicted(self, page: Page) -> None:
        if page == self.hand:
            self.hand = self.after(page)
        self.queue.remove(page)
        del self.visited[page]


class S3Fifo(Policy):
    """A small queue, a main queue, ghosts of those that the small one gave up."""

    uses_accessed_bit = True
    defaults = {"small": 10, "ghosts": 90, "threshold": 2, "variant": "paper"}

    def start(self) -> None:
        self.small: list[Page] = []
        self.main: list[Page] = []
        self.ghosts: list[Page] = []
        self.freq: dict[Page, int] = {}
        self.small_size = share(len(self.frames), self.parameters["small"])
        self.main_size = len(self.frames) - self.small_size
        self.ghost_size = share(len(self.frames), self.parameters["ghosts"])
        self.was_ghost = False
        self.has_evicted = False
        self.chosen: Page | None = None

    def missed(self, page: Page) -> None:
        self.was_ghost = recall(self.ghosts, page)

    def loaded(self, page: Page, is_write: bool) -> None:
        overflow = (self.parameters["variant"] == "libcachesim" and not self.has_evicted
                    and len(self.small) >= self.small_size)
        (self.main if self.was_ghost or overflow else self.small).append(page)
        self.freq[page] = 0

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        if accessed:
            self.freq[page] = min(self.freq[page] + 1, 3)

    def victim(self) -> Page:
        self.has_evicted = True
        if len(self.main) <= self.main_size:
            while self.small:
                page = self.small[0]
                if self.freq[page] < self.parameters["threshold"]:
                    self.chosen = page
                    return page
                self.main.append(self.small.pop(0))
                self.freq[page] = 0
                self.cleared.append(page)
        while self.freq[self.main[0]] > 0:
            page = self.main.pop(0)
            self.freq[page] -= 1
            self.cleared.append(page)
            self.main.append(page)
        return self.main[0]

    def evicted(self, page: Page) -> None:
        del self.freq[page]
        if page in self.main:
            self.main.remove(page)
            return
        self.small.remove(page)
        if page == self.chosen:
            remember(self.ghosts, page, self.ghost_size)
            self.chosen = None

    def forgotten(self, page: Page) -> None:
        recall(self.ghosts, page)


class Qdlp(Policy):
    """A probationary queue, a 2-bit clock behind it, ghosts of those that were not hit there."""

    uses_accessed_bit = True
    defaults = {"probation": 10, "ghosts": 90}

    def start(self) -> None:
        self.probation: list[Page] = []
        self.main: list[Page] = []
        self.ghosts: list[Page] = []
        self.freq: dict[Page, int] = {}
        self.main_size = len(self.frames) - share(len(self.frames), self.parameters["probation"])
        self.ghost_size = share(len(self.frames), self.parameters["ghosts"])
        self.was_ghost = False
        self.chosen: Page | None = None

    def missed(self, page: Page) -> None:
        self.was_ghost = recall(self.ghosts, page)

    def sweep(self) -> Page:
        """The page that the clock gives up."""
        while self.freq[self.main[0]] > 0:
            page = self.main.pop(0)
            self.freq[page] -= 1
            self.cleared.append(page)
            self.main.append(page)
        return self.main[0]

    def loaded(self, page: Page, is_write: bool) -> None:
        if self.was_ghost:
            if len(self.main) >= self.main_size:
                self.parting.append(self.sweep())
            self.main.append(page)
        else:
            self.probation.append(page)
        self.freq[page] = 0

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        if accessed:
            self.freq[page] = min(self.freq[page] + 1, 3)

    def victim(self) -> Page:
        while self.probation:
            page = self.probation[0]
            if self.freq[page] == 0:
                self.chosen = page
                return page
            leaves = self.sweep() if len(self.main) >= self.main_size else None
            self.main.append(self.probation.pop(0))
            self.freq[page] = 0
            self.cleared.append(page)
            if leaves is not None:
                return leaves
        return self.sweep()

    def evicted(self, page: Page) -> None:
        del self.freq[page]
        (self.main if page in self.main else self.probation).remove(page)
        if page == self.chosen:
            remember(self.ghosts, page, self.ghost_size)
            self.chosen = None

    def forgotten(self, page: Page) -> None:
        recall(self.ghosts, page)


class TwoQ(Policy):
    """A1in, a FIFO; A1out, its ghosts; Am, LRU for the ghosts that come back."""

    defaults = {"kin": 25, "kout": 50}

    def start(self) -> None:
        self.a1in: list[Page] = []
        self.a1out: list[Page] = []
        self.am: list[Page] = []
        self.k_in = share(len(self.frames), self.parameters["kin"])
        self.k_out = share(len(self.frames), self.parameters["kout"])
        self.was_ghost = False
        self.chosen: Page | None = None

    def missed(self, page: Page) -> None:
        self.was_ghost = recall(self.a1out, page)

    def loaded(self, page: Page, is_write: bool) -> None:
        (self.am if self.was_ghost else self.a1in).append(page)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        if page in self.am:
            self.am.remove(page)
            self.am.append(page)

    def victim(self) -> Page:
        from_in = len(self.a1in) > self.k_in or not self.am
        self.chosen = (self.a1in if from_in else self.am)[0]
        return self.chosen

    def evicted(self, page: Page) -> None:
        if page in self.am:
            self.am.remove(page)
            return
        self.a1in.remove(page)
        if page == self.chosen:
            remember(self.a1out, page, self.k_out)
            self.chosen = None

    def forgotten(self, page: Page) -> None:
        recall(self.a1out, page)


class Slru(Policy):
    """LRU segments; a hit takes a page up by one, overflow takes pages down."""

    defaults = {"segments": 2, "protected": 0, "variant": "paper"}

    def start(self) -> None:
        frames, count = len(self.frames), int(self.parameters["segments"])
        self.segments: list[list[Page]] = [[] for _ in range(count)]
        self.sizes = [frames // count] * count
        if self.parameters["protected"] and count > 1:
            size = share(frames, self.parameters["protected"]) // (count - 1)
            self.sizes = [frames - (count - 1) * size] + [size] * (count - 1)
        self.as_peer = self.parameters["variant"] == "libcachesim"

    def loaded(self, page: Page, is_write: bool) -> None:
        room = [n for n, pages in enumerate(self.segments) if len(pages) < self.sizes[n]]
        self.segments[room[0] if self.as_peer and room else 0].append(page)
        if self.as_peer and not any(self.sizes):
            self.parting.append(page)

    def segment_of(self, page: Page) -> int:
        """The number of the segment that holds a page."""
        return next(n for n, pages in enumerate(self.segments) if page in pages)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        old = self.segment_of(page)
        new = min(old + 1, len(self.segments) - 1)
        self.segments[old].remove(page)
        self.segments[new].append(page)
        while new > 0 and len(self.segments[new]) > self.sizes[new]:
            self.cool(new)

    def cool(self, n: int) -> None:
        """A segment gives its oldest page down; libCacheSim's lowest one, out of memory."""
        self.segments[n - 1].append(self.segments[n].pop(0))
        if n > 1:
            while len(self.segments[n - 1]) > self.sizes[n - 1]:
                self.cool(n - 1)
        elif self.as_peer:
            self.parting += self.segments[0][:max(0, len(self.segments[0]) - self.sizes[0])]

    def victim(self) -> Page:
        return next(pages[0] for pages in self.segments if pages)

    def evicted(self, page: Page) -> None:
        self.segments[self.segment_of(page)].remove(page)


class LruK(Policy):
    """The victim's K-th last uncorrelated reference is the oldest one."""

    uses_clock = True
    defaults = {"k": 2, "crp": 0, "rip": 0}

    def start(self) -> None:
        self.hist: dict[Page, list[int]] = {}  # uses, newest first; kept for pages that left
        self.last: dict[Page, int] = {}
        self.resident: list[Page] = []

    def loaded(self, page: Page, is_write: bool) -> None:
        retained = self.parameters["rip"]
        if retained and page in self.last and self.clock - self.last[page] > retained:
            self.forgotten(page)
        self.hist[page] = [self.clock] + self.hist.get(page, [])
        self.last[page] = self.clock
        self.resident.append(page)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        hist = self.hist[page]
        if self.clock - self.last[page] > self.parameters["crp"]:
            period = self.last[page] - hist[0]
            self.hist[page] = [self.clock] + [time + period for time in hist]
        self.last[page] = self.clock

    def kth(self, page: Page) -> int:
        """The K-th last use; 0 is before all others."""
        k = int(self.parameters["k"])
        return self.hist[page][k - 1] if len(self.hist[page]) >= k else 0

    def victim(self) -> Page:
        over = [page for page in self.resident
                if self.clock - self.last[page] > self.parameters["crp"]]
        if not over:
            return min(self.resident, key=self.last.__getitem__)
        return min(over, key=lambda page: (self.kth(page), self.last[page]))

    def evicted(self, page: Page) -> None:
        self.resident.remove(page)

    def forgotten(self, page: Page) -> None:
        self.hist.pop(page, None)
        self.last.pop(page, None)


class Lfuda(Policy):
    """LFU whose new and newly hit pages are helped by the age of the memory."""

    defaults = {"variant": "paper"}

    def start(self) -> None:
        self.frequency: dict[Page, int] = {}
        self.key: dict[Page, int] = {}
        self.order: list[Page] = []  # by last reference
        self.age = 0
        self.chosen: Page | None = None

    def loaded(self, page: Page, is_write: bool) -> None:
        self.frequency[page] = 1
        self.key[page] = min(1 + self.age, 2**64 - 1)
        self.order.append(page)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.frequency[page] += 1
        if self.parameters["variant"] == "paper":
            self.key[page] = self.frequency[page] + self.age
        else:
            self.key[page] += self.age
        self.key[page] = min(self.key[page], 2**64 - 1)
        self.order.remove(page)
        self.order.append(page)

    def victim(self) -> Page:
        self.chosen = min(self.order, key=self.key.__getitem__)
        return self.chosen

    def evicted(self, page: Page) -> None:
        self.order.remove(page)
        key = self.key.pop(page)
        if page == self.chosen:
            self.chosen = None
            if self.parameters["variant"] == "paper":
                self.age = key
            elif self.key:
                self.age = min(self.key.values())


class SegFifo(Policy):
    """A FIFO resident set, and a free and a modified list from which pages are reclaimed."""

    defaults = {"lists": 25, "modified": 50, "cluster": 16}

    def start(self) -> None:
        self.resident: list[Page] = []
        self.free: list[Page] = []
        self.modified: list[Page] = []
        self.dirty: set[Page] = set()
        lists = share(len(self.frames), self.parameters["lists"])
        self.most_resident = len(self.frames) - lists
        self.most_modified = share(lists, self.parameters["modified"])

    def admit(self, page: Page) -> None:
        """Puts a page into the resident set; its oldest may have to go to a list."""
        self.resident.append(page)
        if len(self.resident) > self.most_resident:
            oldest = self.resident.pop(0)
            self.cleared.append(oldest)  # its translation is taken away
            (self.modified if oldest in self.dirty else self.free).append(oldest)

    def loaded(self, page: Page, is_write: bool) -> None:
        if is_write:
            self.dirty.add(page)
        self.admit(page)
        if len(self.modified) > self.most_modified:
            self.writing += self.modified[:int(self.parameters["cluster"])]

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        for pages in (self.free, self.modified):
            if page in pages:
                pages.remove(page)
                self.admit(page)
        if is_write:
            self.dirty.add(page)

    def cleaned(self, page: Page) -> None:
        self.dirty.discard(page)
        if page in self.modified:
            self.modified.remove(page)
            self.free.append(page)

    def victim(self) -> Page:
        return (self.free or self.modified or self.resident)[0]

    def evicted(self, page: Page) -> None:
        self.dirty.discard(page)
        for pages in (self.resident, self.free, self.modified):
            if page in pages:
                pages.remove(page)


class EnhancedSecondChance(Policy):
    """Turns of a clock hand: R = 0, M = 0 first, then R = 0, M = 1, clearing R on the way."""

    uses_accessed_bit = True

    def start(self) -> None:
        self.accessed: dict[Page, bool] = {}
        self.dirty: set[Page] = set()
        self.hand = 0

    def loaded(self, page: Page, is_write: bool) -> None:
        self.accessed[page] = True
        if is_write:
            self.dirty.add(page)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.accessed[page] = self.accessed[page] or accessed
        if is_write:
            self.dirty.add(page)

    def evicted(self, page: Page) -> None:
        del self.accessed[page]
        self.dirty.discard(page)

    def cleaned(self, page: Page) -> None:
        self.dirty.discard(page)

    def turn(self, dirty: bool) -> Page | None:
        """One turn of the hand, which ends behind the page that it finds."""
        count = len(self.frames)
        start = self.hand
        for frame in ((start + step) % count for step in range(count)):
            page = self.frames[frame]
            if not self.accessed[page] and (page in self.dirty) == dirty:
                self.hand = (frame + 1) % count
                return page
            if dirty and self.accessed[page]:
                self.accessed[page] = False
                self.cleared.append(page)
        return None

    def victim(self) -> Page:
        return self.turn(False) or self.turn(True) or self.turn(False) or self.turn(True)


class Mq(Policy):
    """LRU queues Q0, Q1, ... by log2 of the count; unused heads sink; counts outlive eviction."""

    uses_clock = True
    defaults = {"queues": 8, "life": 0, "history": 400}

    def start(self) -> None:
        self.queues: list[list[Page]] = [[] for _ in range(int(self.parameters["queues"]))]
        self.count: dict[Page, int] = {}  # of pages in memory and in the history
        self.expires: dict[Page, int] = {}
        self.history: list[Page] = []
        self.life = int(self.parameters["life"]) or 4 * len(self.frames)
        self.history_size = share(len(self.frames), self.parameters["history"])
        self.chosen: Page | None = None

    def missed(self, page: Page) -> None:
        recall(self.history, page)

    def use(self, page: Page) -> None:
        """Counts a reference, files the page, and lets heads sink."""
        before = self.clock - 1
        self.count[page] = self.count.get(page, 0) + 1
        queue = min(self.count[page].bit_length() - 1, len(self.queues) - 1)
        self.queues[queue].append(page)
        self.expires[page] = before + self.life
        for number in range(1, len(self.queues)):
            pages = self.queues[number]
            if pages and self.expires[pages[0]] < self.clock:
                head = pages.pop(0)
                self.queues[number - 1].append(head)
                self.expires[head] = self.clock + self.life

    def loaded(self, page: Page, is_write: bool) -> None:
        self.use(page)

    def take_out(self, page: Page) -> None:
        """Takes a page out of its queue."""
        next(pages for pages in self.queues if page in pages).remove(page)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.take_out(page)
        self.use(page)

    def victim(self) -> Page:
        self.chosen = next(pages[0] for pages in self.queues if pages)
        return self.chosen

    def evicted(self, page: Page) -> None:
        self.take_out(page)
        if page == self.chosen:
            self.chosen = None
            self.history.append(page)
            while len(self.history) > self.history_size:
                del self.count[self.history.pop(0)]

    def forgotten(self, page: Page) -> None:
        recall(self.history, page)
        self.count.pop(page, None)


class Fbr(Policy):
    """An LRU stack, most recent page first; its sections are places in it."""

    defaults = {"new": 25, "old": 35, "amax": 100, "cmax": 63}

    def start(self) -> None:
        self.stack: list[Page] = []
        self.count: dict[Page, int] = {}
        frames = len(self.frames)
        old = max(1, share(frames, self.parameters["old"]))
        self.new = min(max(1, share(frames, self.parameters["new"])), frames - old)
        self.young = frames - old  # pages of the new and the middle section

    def loaded(self, page: Page, is_write: bool) -> None:
        self.stack.insert(0, page)
        self.count[page] = 1

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        if self.stack.index(page) >= self.new:
            self.count[page] += 1
        self.stack.remove(page)
        self.stack.insert(0, page)
        if sum(self.count.values()) > self.parameters["amax"] * len(self.count):
            self.count = {page: (count + 1) // 2 for page, count in self.count.items()}

    def victim(self) -> Page:
        old = reversed(self.stack[self.young:])
        return min(old, key=lambda page: min(self.count[page], self.parameters["cmax"]))

    def evicted(self, page: Page) -> None:
        self.stack.remove(page)
        del self.count[page]


class Sampled(Policy):
    """The least recently used of some frames drawn at random."""

    defaults = {"samples": 5}

    def start(self) -> None:
        self.draws = SplitMix64(self.seed, "policy.sampled")
        self.order: list[Page] = []  # by last reference

    def loaded(self, page: Page, is_write: bool) -> None:
        self.order.append(page)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.order.remove(page)
        self.order.append(page)

    def victim(self) -> Page:
        drawn = [self.frames[self.draws.below(len(self.frames))]
                 for _ in range(int(self.parameters["samples"]))]
        return min(drawn, key=self.order.index)

    def evicted(self, page: Page) -> None:
        self.order.remove(page)


class Directory:
    """Which pages a memory would hold, LRU or BIP; oldest first."""

    def __init__(self, size: int, epsilon: int) -> None:
        self.pages: list[Page] = []
        self.size, self.epsilon = size, epsilon
        self.entered = 0

    def refer(self, page: Page) -> int:
        """A reference: 1 for a miss."""
        if page in self.pages:
            self.pages.remove(page)
            self.pages.append(page)
            return 0
        if len(self.pages) == self.size:
            self.pages.pop(0)
        self.enter(page)
        return 1

    def enter(self, page: Page) -> None:
        """Of `epsilon` pages the last enters at the young end."""
        self.entered += 1
        at_young_end = self.entered % self.epsilon == 0
        self.pages.insert(len(self.pages) if at_young_end else 0, page)


class Dip(Policy):
    """An LRU stack; where new pages enter is found out with a sample of the pages."""

    defaults = {"insertion": "dip", "epsilon": 32, "sample": 32}

    def start(self) -> None:
        epsilon, sample = int(self.parameters["epsilon"]), int(self.parameters["sample"])
        size = max(1, len(self.frames) // sample)
        self.memory = Directory(len(self.frames), epsilon)
        self.by_lru, self.by_bip = Directory(size, 1), Directory(size, epsilon)
        self.number: dict[Page, int] = {}  # of a page: in the order of first misses, from 1
        self.numbered = 0
        self.counter = 511  # 10 bits

    def observe(self, page: Page) -> None:
        """A reference of any page; those of the sample move the counter."""
        is_sampled = mix(self.number[page]) % int(self.parameters["sample"]) == 0
        if is_sampled and self.parameters["insertion"] == "dip":
            step = self.by_lru.refer(page) - self.by_bip.refer(page)
            self.counter = min(max(self.counter + step, 0), 1023)

    def missed(self, page: Page) -> None:
        if page not in self.number:
            self.numbered += 1
            self.number[page] = self.numbered
        self.observe(page)

    def loaded(self, page: Page, is_write: bool) -> None:
        insertion = self.parameters["insertion"]
        if insertion == "lip":
            self.memory.pages.insert(0, page)
        elif insertion == "dip" and self.counter < 512:
            self.memory.pages.append(page)
        else:
            self.memory.enter(page)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.memory.refer(page)
        self.observe(page)

    def victim(self) -> Page:
        return self.memory.pages[0]

    def evicted(self, page: Page) -> None:
        self.memory.pages.remove(page)

    def forgotten(self, page: Page) -> None:
        self.number.pop(page, None)
        recall(self.by_lru.pages, page)
        recall(self.by_bip.pages, page)
