# SPDX-License-Identifier: Apache-2.0
"""Policies of virtual memory proper: of variable space, and those of operating systems."""

from __future__ import annotations

from policy import Page, Policy


class Timed(Policy):
    """Knows which process referenced each resident page last, and at which virtual time of it."""

    uses_clock = True

    def start(self) -> None:
        self.last: dict[Page, int] = {}
        self.user: dict[Page, int] = {}

    def loaded(self, page: Page, is_write: bool) -> None:
        self.last[page] = self.times[self.pid]
        self.user[page] = self.pid

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.loaded(page, is_write)

    def evicted(self, page: Page) -> None:
        del self.last[page], self.user[page]


class Ws(Timed):
    """Working Set (Denning 1968): what a process referenced in its last `window` references."""

    variable_space = True
    defaults = {"window": 10000}

    def completed(self) -> None:
        for page, time in self.last.items():
            idle = self.times[self.pid] - time
            if self.user[page] == self.pid and idle >= self.parameters["window"]:
                self.parting.append(page)


class Vmin(Policy):
    """VMIN (Prieve and Fabry 1976): a page stays if it is needed within `window`."""

    needs_future = True
    uses_clock = True
    variable_space = True
    defaults = {"window": 10000}

    def start(self) -> None:
        self.unneeded: Page | None = None  # the page of the last reference, if it is to leave
        self.leaving: Page | None = None

    def tell_time(self, pid: int) -> None:
        super().tell_time(pid)
        self.leaving, self.unneeded = self.unneeded, None

    def loaded(self, page: Page, is_write: bool) -> None:
        use = self.future.next_use(page, self.now)
        times = self.future.times
        if use is None or times[use] - times[self.now] > self.parameters["window"]:
            self.unneeded = page

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.loaded(page, is_write)

    def evicted(self, page: Page) -> None:
        if page == self.unneeded:
            self.unneeded = None

    def completed(self) -> None:
        if self.leaving:
            self.parting.append(self.leaving)
            self.leaving = None


class Pff(Policy):
    """Page fault frequency (Chu and Opderbeck 1972)."""

    uses_accessed_bit = True
    uses_clock = True
    variable_space = True
    defaults = {"threshold": 1000}

    def start(self) -> None:
        self.used: dict[Page, bool] = {}  # R bits, in the order in which they were set last
        self.user: dict[Page, int] = {}  # whose set a page is in: the last process that used it
        self.last_fault: dict[int, int] = {}

    def loaded(self, page: Page, is_write: bool) -> None:
        pid, now = self.pid, self.times[self.pid]
        mine = [other for other in self.used if self.user[other] == pid]
        if now - self.last_fault.get(pid, 0) > self.parameters["threshold"]:
            self.parting += [other for other in mine if not self.used[other]]
        for other in mine:
            if self.used[other]:
                self.cleared.append(other)
            self.used[other] = False
        self.used[page] = True
        self.user[page] = pid
        self.last_fault[pid] = now

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        if accessed and not (self.used[page] and self.user[page] == self.pid):
            del self.used[page]
            self.used[page] = True
            self.user[page] = self.pid

    def evicted(self, page: Page) -> None:
        del self.used[page], self.user[page]


class WsClock(Policy):
    """WSClock (Carr and Hennessy 1981) with a sweep of bounded length."""

    uses_accessed_bit = True
    uses_clock = True
    defaults = {"tau": 10000, "queue": 32, "sweep": 128}

    def start(self) -> None:
        self.used: dict[Page, bool] = {}
        self.last: dict[Page, int] = {}
        self.user: dict[Page, int] = {}  # the process that loaded it, whose time counts
        self.dirty: set[Page] = set()
        self.hand = 0

    def loaded(self, page: Page, is_write: bool) -> None:
        self.user[page] = self.pid
        self.last[page] = self.times[self.pid]
        self.referenced(page, True, is_write)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.used[page] = self.used.get(page, False) or accessed
        if is_write:
            self.dirty.add(page)

    def cleaned(self, page: Page) -> None:
        self.dirty.remove(page)

    def evicted(self, page: Page) -> None:
        del self.used[page], self.last[page], self.user[page]
        self.dirty.discard(page)

    def idle(self, page: Page) -> int:
        """References of its process since it was seen to be used."""
        return self.times[self.user[page]] - self.last[page]

    def victim(self) -> Page:
        passed = []
        for _ in range(min(self.parameters["sweep"], len(self.frames))):
            page = self.frames[self.hand]
            self.hand = (self.hand + 1) % len(self.frames)
            if self.used[page]:
                self.used[page] = False
                self.last[page] = self.times[self.user[page]]
                self.cleared.append(page)
            is_old = self.idle(page) > self.parameters["tau"]
            if is_old and page not in self.dirty:
                return page
            if is_old and len(self.writing) < self.parameters["queue"]:
                self.writing.append(page)
            passed.append(page)
        old = [page for page in passed if self.idle(page) > self.parameters["tau"]]
        clean = [page for page in passed if page not in self.dirty]
        return old[0] if old else max(clean or passed, key=self.idle)


class TwoList(Policy):
    """Active and inactive list with refault distance (Linux before 6.1)."""

    uses_accessed_bit = True
    defaults = {"ratio": 0, "batch": 32}

    def start(self) -> None:
        self.active: list[Page] = []  # the oldest first
        self.inactive: list[Page] = []
        self.used: dict[Page, bool] = {}
        self.seen: set[Page] = set()
        self.age = 0
        self.shadows: dict[Page, int] = {}

    def activate(self, page: Page) -> None:
        """Puts a page at the young end of the active list."""
        self.age += 1
        self.active.append(page)

    def loaded(self, page: Page, is_write: bool) -> None:
        self.used[page] = True
        if page in self.shadows and self.age - self.shadows.pop(page) <= len(self.active):
            self.activate(page)
        else:
            self.inactive.append(page)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.used[page] |= accessed

    def harvest(self, page: Page) -> bool:
        """Clears the R bit; whether it was set."""
        if self.used[page]:
            self.cleared.append(page)
        was_used, self.used[page] = self.used[page], False
        return was_used

    def ratio(self) -> int:
        """Active pages for each inactive one."""
        gigabytes = len(self.frames) * 4096 // 2**30
        return self.parameters["ratio"] or max(1, int((10 * gigabytes) ** 0.5))

    def victim(self) -> Page:
        while True:
            if len(self.active) > self.ratio() * len(self.inactive):
                for page in self.active[:self.parameters["batch"]]:
                    self.harvest(page)
                    self.inactive.append(page)
                del self.active[:self.parameters["batch"]]
            page = self.inactive[0]
            if not self.harvest(page):
                self.shadows[page] = self.age
                self.age += 1
                return page
            del self.inactive[0]
            if page in self.seen:
                self.seen.remove(page)
                self.activate(page)
            else:
                self.seen.add(page)
                self.inactive.append(page)

    def evicted(self, page: Page) -> None:
        (self.active if page in self.active else self.inactive).remove(page)
        self.seen.discard(page)
        del self.used[page]

    def forgotten(self, page: Page) -> None:
        self.shadows.pop(page, None)


class TwoHand(Policy):
    """The two-handed clock of 4.3BSD."""

    uses_accessed_bit = True
    defaults = {"spread": 50}

    def start(self) -> None:
        self.used: dict[Page, bool] = {}
        self.back = 0
        self.distance = max(1, len(self.frames) * self.parameters["spread"] // 100)

    def loaded(self, page: Page, is_write: bool) -> None:
        self.used[page] = True

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.used[page] |= accessed

    def evicted(self, page: Page) -> None:
        del self.used[page]

    def victim(self) -> Page:
        while True:
            page = self.frames[self.back]
            ahead = self.frames[(self.back + self.distance) % len(self.frames)]
            was_used = self.used[page]
            if self.used[ahead]:
                self.used[ahead] = False
                self.cleared.append(ahead)
            self.back = (self.back + 1) % len(self.frames)
            if not was_used:
                return page


class Cflru(Policy):
    """Clean-first LRU (Park et al. 2006)."""

    defaults = {"window": 50}

    def start(self) -> None:
        self.working: list[Page] = []  # the oldest first
        self.region: list[Page] = []
        self.dirty: set[Page] = set()

    def room(self) -> int:
        """Pages in the working region."""
        return max(1, len(self.frames) - len(self.frames) * self.parameters["window"] // 100)

    def loaded(self, page: Page, is_write: bool) -> None:
        self.working.append(page)
        if is_write:
            self.dirty.add(page)
        while len(self.working) > self.room():
            self.region.append(self.working.pop(0))

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        (self.working if page in self.working else self.region).remove(page)
        self.loaded(page, is_write)

    def evicted(self, page: Page) -> None:
        (self.working if page in self.working else self.region).remove(page)
        self.dirty.discard(page)

    def cleaned(self, page: Page) -> None:
        self.dirty.discard(page)

    def victim(self) -> Page:
        clean = [page for page in self.region if page not in self.dirty]
        return (clean or self.region or self.working)[0]


class MgLru(Policy):
    """MGLRU (Linux 6.1), without file descriptors and walks of page tables."""

    uses_accessed_bit = True
    defaults = {"refaults": 64}

    def start(self) -> None:
        self.generations: list[list[Page]] = [[], []]  # the oldest generation first
        self.dropped = 0               # generations before those
        self.used: dict[Page, bool] = {}  # R bits, in the order in which they were set
        self.found: dict[Page, int] = {}
        self.shadows: dict[Page, tuple[int, int]] = {}
        # by tier: refaults, evicted or kept; now and in the past
        self.now_counts = [[0, 0] for _ in range(4)]
        self.past_counts = [[0, 0] for _ in range(4)]

    def tier(self, count: int) -> int:
        """log2(count + 1), rounded up."""
        return count.bit_length()

    def loaded(self, page: Page, is_write: bool) -> None:
        oldest, count = self.shadows.pop(page, (-1, 0))
        self.found[page] = 0
        if oldest == self.dropped:
            self.found[page] = count
            self.now_counts[self.tier(count)][0] += 1
        self.generations[-1].append(page)
        self.used[page] = True

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        if accessed and page not in self.used:
            self.used[page] = True

    def leave(self, page: Page) -> None:
        """Takes a page out of its generation."""
        next(pages for pages in self.generations if page in pages).remove(page)

    def evicted(self, page: Page) -> None:
        self.leave(page)
        self.used.pop(page, None)
        del self.found[page]

    def forgotten(self, page: Page) -> None:
        self.shadows.pop(page, None)

    def promote(self, page: Page) -> None:
        """R was found set."""
        del self.used[page]
        self.cleared.append(page)
        self.found[page] = min(4, self.found[page] + 1)
        self.leave(page)
        self.generations[-1].append(page)

    def must_age(self) -> bool:
        """Whether there are too few generations."""
        if len(self.generations) != 3:
            return len(self.generations) < 3
        total = len(self.frames)
        return 2 * len(self.generations[-1]) > total or 4 * len(self.generations[0]) < total

    def counts(self, tier: int) -> tuple[int, int]:
        """Refaults and total of a tier."""
        now, past = self.now_counts[tier], self.past_counts[tier]
        return now[0] + past[0], now[1] + past[1]

    def limit(self) -> int:
        """The highest tier whose pages are evicted."""
        least = self.parameters["refaults"]
        base_refaults, base_total = self.counts(0)
        for tier in (1, 2, 3):
            refaults, total = self.counts(tier)
            if refaults >= least and \
                    refaults * (base_total + least) > 2 * (base_refaults + 1) * total:
                return tier - 1
        return 3

    def victim(self) -> Page:
        limit = self.limit()
        while True:
            if self.must_age():
                for page in list(self.used):
                    self.promote(page)
                self.generations.append([])
            if not self.generations[0]:
                del self.generations[0]
                self.dropped += 1
                self.past_counts = [[count // 2 for count in self.counts(tier)]
                                    for tier in range(4)]
                self.now_counts = [[0, 0] for _ in range(4)]
                continue
            page = self.generations[0][0]
            tier = self.tier(self.found[page])
            if page in self.used:
                self.promote(page)
                continue
            self.now_counts[tier][1] += 1
            if tier <= limit:
                self.shadows[page] = (self.dropped, self.found[page])
                return page
            self.found[page] = 0
            self.leave(page)
            self.generations[1].append(page)


class FreeBsd(Policy):
    """Active, inactive and laundry queues of FreeBSD."""

    uses_accessed_bit = True
    defaults = {"inactive": 3, "launder": 32}

    def start(self) -> None:
        self.active: list[Page] = []  # the oldest first
        self.inactive: list[Page] = []
        self.laundry: list[Page] = []
        self.act_count: dict[Page, int] = {}
        self.used: dict[Page, bool] = {}
        self.dirty: set[Page] = set()

    def loaded(self, page: Page, is_write: bool) -> None:
        self.active.append(page)
        self.act_count[page] = 5
        self.used[page] = False
        self.referenced(page, True, is_write)

    def referenced(self, page: Page, accessed: bool, is_write: bool) -> None:
        self.used[page] |= accessed
        if is_write:
            self.dirty.add(page)

    def leave(self, page: Page) -> None:
        """Takes a page out of its queue."""
        for queue in (self.active, self.inactive, self.laundry):
            if page in queue:
                queue.remove(page)

    def evicted(self, page: Page) -> None:
        self.leave(page)
        self.dirty.discard(page)
        del self.act_count[page], self.used[page]

    def cleaned(self, page: Page) -> None:
        self.dirty.remove(page)
        if page in self.laundry:
            self.laundry.remove(page)
            self.inactive.insert(0, page)

    def reactivate(self, page: Page) -> bool:
        """If the page was used, makes it active; whether it was."""
        if not self.used[page]:
            return False
        self.used[page] = False
        self.cleared.append(page)
        self.act_count[page] = min(64, self.act_count[page] + 4)
        self.leave(page)
        self.active.append(page)
        return True

    def fill_inactive(self) -> None:
        """Looks at active pages until enough are inactive."""
        target = len(self.frames) * self.parameters["inactive"] // 100 + 1
        while self.active and len(self.inactive) + len(self.laundry) / 3 < target:
            page = self.active[0]
            if self.reactivate(page):
                continue
            self.act_count[page] = max(0, self.act_count[page] - 1)
            del self.active[0]
            if self.act_count[page]:
                self.active.append(page)
            else:
                (self.laundry if page in self.dirty else self.inactive).append(page)

    def victim(self) -> Page:
        while True:
            self.fill_inactive()
            is_inactive = bool(self.inactive)
            page = self.inactive[0] if is_inactive else self.laundry[0]
            if self.reactivate(page):
                continue
            if not is_inactive or page not in self.dirty:
                break
            self.inactive.remove(page)
            self.laundry.append(page)
        washing = [other for other in self.laundry if other != page]
        if len(washing) >= self.parameters["launder"]:
            for other in washing:
                if len(self.writing) < self.parameters["launder"] and not self.reactivate(other):
                    self.writing.append(other)
        return page
