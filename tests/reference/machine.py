# SPDX-License-Identifier: Apache-2.0
"""The whole simulated machine, one page reference at a time.

What one page reference does, in this order:

    switch of process -> TLB lookup -> page walk -> fault (victim, load) -> TLB fill
    -> the policy hears of it -> a write makes the page dirty

Everything is a plain dict, list or set. What is looked up is a translation, a pair (pid, vpn); what
is in a frame is the page of an object that it leads to (address_space.py).
"""

from __future__ import annotations

from address_space import (CHANGING, NORMAL, RANDOM, SEQUENTIAL, AddressSpaces, Effect, Found,
                           MemoryObject, ObjectPage, Translation)
from config import Config
from limits import Pressure
from page_table import RadixPageTable, SinglePageTable, make_page_table
from policies import POLICIES
from policy import Future, Policy
from splitmix import SplitMix64, mix
from tlb import Tlb
from traces import Reference, Trace

FAULT_CLASSES = ("invalid", "swap_in", "file_read", "swap_cached", "file_cached", "shared_attach",
                 "zero_fill", "zero_map", "cow", "reuse", "write_notify")
MAJOR = {"swap_in", "file_read"}

COUNTERS = (
    "accesses", "reads", "writes", "fetches", "kernel_references", "page_references", "filtered",
    "events", "kills", "dropped",
    "tlb_hits", "tlb_misses", "tlb_evictions", "tlb_writebacks", "tlb_invalidations",
    "tlb_flushes", "context_switches", "walks", "walk_reads",
    "misses", "page_faults", "major_faults", "minor_faults", "anonymous_faults", "file_faults",
    "shared_faults", "page_cache_hits", "replacements", "limit_reclaims", "reclaim_wakeups",
    "background_reclaims", "background_swap_outs", "background_file_writes", "clean_evictions",
    "clean_file_evictions", "dirty_file_evictions", "discards",
    "rmap_steps", "copied_entries", "copies", "copies_avoided", "mapped_around", "pages_read_ahead",
    "read_ahead_requests", "read_ahead_hits", "read_ahead_wasted", "swap_ins", "swap_ins_ahead",
    "swap_outs", "cleanings", "file_writes", "file_cleanings",
    "swap_slots_used", "swap_slots_peak", "oom_events",
    "frames", "frames_used", "frames_used_peak", "frames_locked", "frames_shared", "frames_shared_peak",
    "space_time",
    "distinct_pages", "processes",
    "page_tables", "page_table_bytes", "page_tables_peak", "page_table_bytes_peak",
    "stall_time_ps", "background_time_ps",
)

PROCESS_COUNTERS = (
    "accesses", "reads", "writes", "fetches", "page_references", "tlb_hits", "tlb_misses",
    "page_faults", "major_faults", "minor_faults", "misses", "kernel_references",
    "cow_faults", "reuse_faults", "rss_peak",
)

KINDS = ("anonymous", "zeros", "shared", "file")
SHARE_OF_PAGE = 2 ** 32  # proportional sizes are counts of such parts of a page

KIND = {"R": "reads", "W": "writes", "I": "fetches"}
# Small letters are touches by the kernel, which are data whatever they do.
WANTED = {"all": "RWIrwi", "data": "RWrwi", "fetch": "I"}

# Events in place of a reference: a letter, and what else is to be said behind a colon; addr and
# size give the range, where there is one.
#     U unmap    M map: shared, file=N (from 100 on a segment), offset=N, prot=N, down
#     P protect: prot=N    A advise: advice=N (MADV_DONTNEED)    V remap: target=N, bytes=N
#     K lock    L unlock; a mapping may be "locked", too
#     F fork: child=N, vfork    X exit    E exec    O one that counts and changes nothing
#     N one that does not even count
UNCOUNTED = "N"


MOST_MISSES = 100   # more than hits, and a file is not read around any more; counted up to ten
                    # times as many


class Readahead:
    """What is remembered of the last window of a file that was read ahead."""

    def __init__(self) -> None:
        self.start = 0    # its first page,
        self.marked = 0   # how many of its pages lie at or behind the marked one,
        self.misses = 0   # and faults that read, less those that found their page in memory


class SwapFull(Exception):
    """An eviction from a pool needs a swap slot and none is free: the run ends."""


class Stopped(Exception):
    """A reference is invalid, and the run ends with it (invalid=stop)."""


class Pool:
    """Frames and the policy that rules over them."""

    def __init__(self, config: Config, number: int, future: Future | None,
                 limit: int = 0) -> None:
        kind = POLICIES[config.policy]
        # Pool 0 draws from the seed itself, the others from streams of their own.
        seed = config.seed if number == 0 else SplitMix64(config.seed, f"pool.{number}").state
        frames = 0 if kind.variable_space else min(limit or config.frames, config.frames)
        self.policy: Policy = kind(frames, config.policy_parameters, seed, future)
        self.frame_of: dict[ObjectPage, int] = {}
        self.peak = 0       # most pages at a time
        self.reclaimed = 0  # pages that left because the pool was at its limit,
        self.given_up = 0   # and because memory as a whole was short
        self.given_back: list[int] = []  # frames that pages left on their own, the last one last

    @property
    def is_full(self) -> bool:
        """True if no frame is free."""
        return (not self.policy.variable_space
                and len(self.frame_of) == len(self.policy.frames))

    def free_frame(self) -> int:
        """The frame given back last, else the lowest that never held a page."""
        if self.given_back:
            return self.given_back.pop()
        used = len(self.frame_of)
        if self.policy.variable_space:
            self.policy.frames.append(None)
        return used

    def give_back(self, frame: int) -> None:
        """A frame that holds no page any more."""
        self.policy.frames[frame] = None
        self.given_back.append(frame)


class Process:
    """An address space: its page table, its counters and, with scope = process, its pool."""

    def __init__(self, config: Config, pid: int, pool: Pool) -> None:
        self.config = config
        self.pid = pid
        self.pool = pool
        self.number = 0  # in the order in which they appear, from 1
        self.table: RadixPageTable | SinglePageTable | None = None
        self.table_bytes_peak = 0
        self.rss = 0  # entries that lead to frames, the page of zeros aside
        self.begin()
        self.count = dict.fromkeys(PROCESS_COUNTERS, 0)

    def begin(self) -> None:
        """An empty page table, at first and after an exit."""
        if self.table is None:
            vpn_bits = self.config.address_bits - (self.config.page_size.bit_length() - 1)
            self.table = make_page_table(self.config.levels, vpn_bits)

    def statistics(self) -> dict[str, int]:
        """The process's numbers by name."""
        self.note_peak()
        return {"pid": self.pid, **self.count, "page_table_bytes": self.table_bytes(),
                "page_table_bytes_peak": self.table_bytes_peak}

    def table_bytes(self) -> int:
        """Modelled memory of the page table; none after an exit."""
        return self.table.bytes if self.table else 0

    def note_peak(self) -> None:
        """The page table where it is largest."""
        self.table_bytes_peak = max(self.table_bytes_peak, self.table_bytes())


class Machine:
    """A machine that runs one trace.

    by_hand: events do not come from a trace but one by one; those that would take pages of an
    unknown process are refused and do not count.
    """

    def __init__(self, config: Config, marks_writes: bool = True, by_hand: bool = False) -> None:
        self.config = config
        self.by_hand = by_hand
        self.locked: set[ObjectPage] = set()    # they stay in memory
        self.leaving_lock: ObjectPage | None = None  # with the reference under way
        self.homeless: ObjectPage | None = None  # one that the policy gave up and that stays
        self.stopped = False  # by an invalid reference
        self.from_store = config.initial == "store" or (
            config.initial == "auto" and not marks_writes)
        self.count = dict.fromkeys(COUNTERS, 0)
        self.faults = dict.fromkeys(FAULT_CLASSES, 0)
        self.tlb = Tlb(config.tlb_entries, config.tlb_ways, config.tlb_policy, config.seed)
        self.processes: dict[int, Process] = {}
        self.pools: list[Pool] = []
        self.future: Future | None = None
        self.position = -1              # of the page reference among the valid ones
        self.previous_pid: int | None = None
        self.spaces = AddressSpaces(config, by_hand)
        self.seen: set[Translation] = set()   # referenced
        self.mapped: dict[Translation, ObjectPage] = {}   # with an entry in the page table,
        self.present: dict[Translation, ObjectPage] = {}  # and those that lead to a frame;
        self.mappers: dict[ObjectPage, set[Translation]] = {}  # by the page that is in it
        self.private: set[Translation] = set()  # that have got a private copy
        self.noticed: set[Translation] = set()  # through which a write to a file's page was noticed
        self.loaded: set[ObjectPage] = set()    # were in a frame once, since they were made
        self.dirty: set[ObjectPage] = set()     # resident pages written since they came in
        self.slots: set[ObjectPage] = set()     # pages with a copy on the swap device
        self.killed: set[int] = set()  # for an invalid reference; their numbers are not free yet
        self.ahead: set[ObjectPage] = set()     # read ahead, in a frame, and not used so far
        self.marks: set[ObjectPage] = set()     # whose first fault reads the next window
        self.windows: dict[int, Readahead] = {}  # by file
        self.begins_request = False  # the next page that is needed begins a request
        self.referencing = 0  # processes there are, up to the last one that made a reference
        self.pressure = Pressure(self)

    # ---- A whole trace ---------------------------------------------------------------------

    def run(self, trace: list[Reference]) -> None:
        """Simulates a trace up to its end, to max-accesses, or until swap is full."""
        if POLICIES[self.config.policy].needs_future:
            self.future = self.foresee(trace)
        try:
            for reference in self.simulated(trace):
                self.step(reference)
        except SwapFull:
            self.count["oom_events"] += 1
        except Stopped:
            self.stopped = True

    def step(self, reference: Reference) -> None:
        """A reference, unless it is left out, or an event."""
        if self.is_event(reference):
            self.event(reference)
        elif not self.is_wanted(reference):
            self.count["filtered"] += 1
        elif reference.pid in self.killed:
            self.count["dropped"] += 1
        else:
            self.reference(reference)

    @staticmethod
    def is_event(reference: Reference) -> bool:
        """Not a reference at all."""
        return reference.op not in WANTED["all"]

    def is_wanted(self, reference: Reference) -> bool:
        """The option refs leaves it in."""
        return reference.op in WANTED[self.config.refs]

    def simulated(self, trace: list[Reference]) -> list[Reference]:
        """The trace up to the last reference that max-accesses leaves."""
        if not self.config.max_accesses:
            return trace
        wanted = [place for place, reference in enumerate(trace) if self.is_wanted(reference)]
        if len(wanted) < self.config.max_accesses:
            return trace
        return trace[:wanted[self.config.max_accesses - 1] + 1]

    def foresee(self, trace: list[Reference]) -> Future:
        """All page references to come, and where pages are given up between them."""
        future = Future()
        spaces = AddressSpaces(self.config, self.by_hand)
        known: set[int] = set()
        killed: set[int] = set()
        for reference in self.simulated(trace):
            if self.is_event(reference):
                if self.does_not_happen(reference, killed):
                    continue
                if self.changes(reference, reference.pid in known):
                    known |= {reference.pid} if reference.op[0] in "MF" else set()
                    known |= {self.child_of(reference)} if reference.op[0] == "F" else set()
                    for effect in spaces.apply(reference):
                        if effect.what == "drop":
                            future.give_up(effect.page)
                    for touch in self.touches(spaces, reference):
                        self.foresee_reference(future, spaces, touch)
            elif self.is_wanted(reference) and reference.pid not in killed:
                known.add(reference.pid)
                if not self.foresee_reference(future, spaces, reference):
                    continue
                if self.config.invalid == "stop":
                    break
                if self.kills(reference):
                    killed.add(reference.pid)
                    for effect in spaces.kill(reference.pid):
                        if effect.what == "drop":
                            future.give_up(effect.page)
        return future

    def foresee_reference(self, future: Future, spaces: AddressSpaces,
                          reference: Reference) -> bool:
        """The page references of one reference; whether one is invalid that ends it."""
        for vpn, is_valid in self.pages_of(reference):
            future.pass_time(reference.pid)
            how = "forbidden"
            if is_valid:
                translation = (spaces.space_of(reference.pid), vpn)
                found = spaces.refer(translation, reference.op in "Ww")
                future.add(found.page, reference.pid)
                how = found.how
            if how == "forbidden" and (self.config.invalid == "stop" or self.kills(reference)):
                return True
        return False

    def touches(self, spaces: AddressSpaces, event: Reference) -> list[Reference]:
        """What an event brings into memory at once, the kernel touches."""
        made = [Reference(event.pid, "w" if is_write else "r", addr, 1)
                for addr, is_write in spaces.populated]
        return [touch for touch in made if self.is_wanted(touch)]

    def kills(self, reference: Reference) -> bool:
        """Whether the process would be killed for it: what the kernel touches only fails."""
        return self.config.invalid == "kill" and not reference.op.islower()

    @classmethod
    def does_not_happen(cls, event: Reference, killed: set[int]) -> bool:
        """An event of a killed process. Its end frees the number; its children are not there."""
        if event.pid in killed:
            if event.op[0] == "X":
                killed.discard(event.pid)
            if event.op[0] == "F":
                killed.add(cls.child_of(event))
            return True
        if event.op[0] == "F" and cls.child_of(event) != event.pid:
            killed.discard(cls.child_of(event))
        return False

    @staticmethod
    def changes(event: Reference, is_known: bool) -> bool:
        """Whether an event has something to change: of unknown processes there is nothing."""
        return is_known or event.op[0] in "MF"

    # ---- One reference ---------------------------------------------------------------------

    def pages_of(self, reference: Reference) -> list[tuple[int, bool]]:
        """The pages a reference overlaps, and whether each lies below the limit.

        Pages behind the first invalid one are not looked up and left out.
        """
        page_size = self.config.page_size
        pages = []
        first = reference.addr
        end = reference.addr + max(1, reference.size)
        while first < end:
            is_valid = first < self.config.address_limit
            pages.append((first // page_size, is_valid))
            if not is_valid:
                break
            first = (first // page_size + 1) * page_size
        return pages

    def add(self, process: Process, counter: str, amount: int = 1) -> None:
        """Counts for the machine and for the process."""
        self.count[counter] += amount
        if counter in process.count:
            process.count[counter] += amount

    def add_pool(self, limit: int = 0) -> Pool:
        """Another pool, of all frames or of so many."""
        self.pools.append(Pool(self.config, len(self.pools), self.future, limit))
        return self.pools[-1]

    def process_of(self, pid: int, forked_by: int | None = None) -> Process:
        """The process, made if it is new."""
        if pid not in self.processes:
            if self.config.scope_is_process:
                pool = self.add_pool()
            else:
                pool = self.pressure.pool_for(pid, forked_by)
            self.processes[pid] = Process(self.config, pid, pool)
            if self.position < 0 and len(self.processes) == 1:
                pool.policy.begin(pid)
            self.processes[pid].number = len(self.processes)
        return self.processes[pid]

    def table_of(self, translation: Translation) -> RadixPageTable | SinglePageTable:
        """The page table of an address space, made anew if it was given up."""
        process = self.process_of(translation[0])
        process.begin()
        return process.table

    def reference(self, reference: Reference) -> None:
        """One memory reference: one or more page references."""
        process = self.process_of(reference.pid)
        self.referencing = max(self.referencing, process.number)
        if reference.op.islower():
            self.add(process, "kernel_references")
        else:
            self.add(process, "accesses")
            self.add(process, KIND[reference.op])
        for vpn, is_valid in self.pages_of(reference):
            before = self.faults["invalid"]
            self.page_reference(process, vpn, is_valid, reference.op in "Ww")
            if self.faults["invalid"] == before:
                continue
            if self.config.invalid == "stop":
                raise Stopped
            if self.kills(reference):
                self.kill(process)
                break

    def kill(self, process: Process) -> None:
        """A process is killed for an invalid reference, and gives its memory up."""
        self.count["kills"] += 1
        self.killed.add(process.pid)
        self.note_peaks()
        for effect in self.spaces.kill(process.pid):
            self.carry_out(effect, False)

    def page_reference(self, process: Process, vpn: int, is_valid: bool, is_write: bool) -> None:
        """One page looked up."""
        translation = (self.spaces.space_of(process.pid), vpn)
        self.add(process, "page_references")
        self.switch_to(process)
        pool = self.process_of(translation[0]).pool
        pool.policy.tell_time(process.pid)
        try:
            self.make_page_reference(process, pool, translation, is_valid, is_write)
        finally:  # when swap is full as well
            if pool.policy.uses_clock:
                self.count["space_time"] += len(pool.frame_of)

    def make_page_reference(self, process: Process, pool: Pool, translation: Translation,
                            is_valid: bool, is_write: bool) -> None:
        """The reference and what the policy of the address space's pool makes of it."""
        if is_valid:
            self.valid_page_reference(process, translation, is_write)
        else:
            self.table_of(translation)
            self.add(process, "tlb_misses")
            self.add(process, "walks")
            self.fault(process, "invalid")
        self.serve(pool)
        pool.policy.completed()
        self.serve(pool)
        self.flush_young(pool.policy)
        self.locked.discard(self.leaving_lock)
        self.leaving_lock = None

    def valid_page_reference(self, process: Process, translation: Translation,
                             is_write: bool) -> None:
        """Translation, residence, and what the reference leaves behind."""
        self.position += 1
        found = self.spaces.refer(translation, is_write)
        unlocked = self.spaces.unlocked
        if self.spaces.locked is not None:
            self.locked.add(self.spaces.locked)
        self.refer(process, translation, is_write, found)
        self.leaving_lock = unlocked

    def refer(self, process: Process, translation: Translation, is_write: bool,
              found: Found) -> None:
        """What a reference that leads somewhere does."""
        policy = process.pool.policy
        tlb_hit = self.look_up(process, translation, is_write and found.how != "forbidden")
        if found.how == "forbidden":
            self.fault(process, "invalid")
            return
        self.seen.add(translation)
        policy = self.pool_of(found.page).policy
        policy.now = self.position
        was_resident, faulted = self.find(process, translation, found, is_write)
        if self.config.has_tlb and (not tlb_hit or found.how == "copy"):
            self.tlb.fill(translation, is_write)
        if not is_write and (faulted in ("file_cached", "shared_attach")
                             or faulted == "zero_fill" and found.page.kind == "shared"):
            self.map_around(translation)
        if was_resident:
            accessed = self.config.sees_every_reference or not tlb_hit
            policy.referenced(found.page, accessed, is_write)
        if is_write:
            self.write(process, translation, found.page, faulted)

    def look_up(self, process: Process, translation: Translation, is_write: bool) -> bool:
        """In the TLB, else by a walk."""
        tlb_hit = self.config.has_tlb and self.tlb.lookup(translation, is_write)
        self.add(process, "tlb_hits" if tlb_hit else "tlb_misses")
        if not tlb_hit:
            self.add(process, "walks")
            self.add(process, "walk_reads", self.table_of(translation).walk(translation[1]))
        return tlb_hit

    def find(self, process: Process, translation: Translation, found: Found,
             is_write: bool) -> tuple[bool, str]:
        """The page's frame: whether the page was in memory, and the class of the fault, or ""."""
        page = found.page
        wanted = found.source if found.how == "copy" else page
        is_present = translation in self.present
        if (wanted.kind == "file" and not is_present
                and wanted in self.pool_of(wanted).frame_of):
            self.found_in_cache(self.pool_of(wanted), translation, wanted)
        if wanted in self.ahead:
            self.ahead.remove(wanted)
            self.count["read_ahead_hits"] += 1
        if found.how == "copy":
            return False, self.copy_page(process, translation, found)
        if found.how == "reuse" and is_present:
            self.fault(process, "reuse", page.kind)
            return True, "reuse"
        pool = self.pool_of(page)
        if page not in pool.frame_of:
            fault_class = self.class_of(page)
            self.add(process, "misses")
            self.fault(process, fault_class, page.kind)
            if page.kind == "file" and fault_class == "file_read":
                self.read_around(pool, translation, page, True)
            self.load(pool, page, translation, is_write)
            return False, fault_class
        if not is_present:
            fault_class = {"file": "file_cached", "zeros": "zero_map", "shared": "shared_attach",
                           "anonymous": "swap_cached"}[page.kind]
            self.fault(process, fault_class, page.kind)
            self.enter(translation, page)
            return True, fault_class
        return True, ""

    def write(self, process: Process, translation: Translation, page: ObjectPage,
              faulted: str) -> None:
        """A write has found its page. Of the first one to a file's a kernel wants to know."""
        if page.kind == "file" and translation not in self.noticed:
            self.noticed.add(translation)
            if not faulted:
                self.fault(process, "write_notify", page.kind)
        self.dirty.add(page)
        self.slots.discard(page)

    def switch_to(self, process: Process) -> None:
        """A change of address space since the previous page reference."""
        if self.previous_pid not in (None, process.pid):
            self.count["context_switches"] += 1
            if self.config.has_tlb and self.config.tlb_flush_on_switch:
                self.tlb.flush()
        self.previous_pid = process.pid

    def flush_young(self, policy: Policy) -> None:
        """With young-flush, clearing an accessed bit drops the TLB entry."""
        if self.config.young_flush and not self.config.sees_every_reference:
            for page in policy.cleared:
                for translation in self.mappers.get(page, ()):
                    self.tlb.invalidations += self.tlb.drop(translation)
        policy.cleared.clear()

    # ---- Faults ----------------------------------------------------------------------------

    def fault(self, process: Process, fault_class: str, kind: str = "") -> None:
        """Counts a fault; kind: of the page that was there before it, "" if there is none."""
        self.faults[fault_class] += 1
        self.add(process, "page_faults")
        if fault_class == "invalid":
            return
        self.add(process, "major_faults" if fault_class in MAJOR else "minor_faults")
        self.count[{"file": "file_faults", "shared": "shared_faults"}.get(
            kind, "anonymous_faults")] += 1
        self.count["page_cache_hits"] += (kind == "file"
                                          and fault_class in ("file_cached", "cow"))
        if fault_class in ("cow", "reuse"):
            process.count[fault_class + "_faults"] += 1

    def class_of(self, page: ObjectPage) -> str:
        """Of the fault that brings a page in, by where its content is."""
        if page in self.slots:
            self.count["swap_ins"] += 1
            return "swap_in"
        if page.kind == "file":
            is_cached = self.config.file_cache_is_warm and page not in self.loaded
            return "file_cached" if is_cached else "file_read"
        if page.kind == "zeros":
            return "zero_map"
        if page.kind == "anonymous" and self.from_store:
            return "file_read"
        return "zero_fill"

    def copy_page(self, process: Process, translation: Translation, found: Found) -> str:
        """A write makes a private copy; the source is read from where it is, and does not move."""
        fault_class = "cow"
        if found.source.kind == "zeros":
            fault_class = "zero_fill"
        elif found.source not in self.pool_of(found.source).frame_of:
            fault_class = self.class_of(found.source)
            fault_class = fault_class if fault_class in MAJOR else "cow"
        self.add(process, "misses")
        self.fault(process, fault_class, found.source.kind)
        if found.source.kind == "file" and fault_class == "file_read":
            self.read_around(self.pool_of(found.source), translation, found.source, False)
        self.count["copies"] += 1
        self.count["copies_avoided"] -= found.source.kind == "anonymous"
        self.take_entry(translation)
        self.private.add(translation)
        self.load(self.pool_of(found.page), found.page, translation, True)
        return fault_class

    def load(self, pool: Pool, page: ObjectPage, translation: Translation | None,
             is_write: bool) -> None:
        """Puts a page into a frame."""
        pool.policy.missed(page)
        frame = self.make_room(pool) if pool.is_full else self.free_frame(pool)
        pool.frame_of[page] = frame
        pool.peak = max(pool.peak, len(pool.frame_of))
        pool.policy.frames[frame] = page
        self.loaded.add(page)
        if translation is not None:
            self.enter(translation, page)
        pool.policy.loaded(page, is_write)
        self.flush_young(pool.policy)
        if self.homeless is not None:
            if is_write:  # before the other page makes room for good
                self.dirty.add(page)
                self.slots.discard(page)
            self.rehouse(pool, page)
        self.note_peaks()

    def enter(self, translation: Translation, page: ObjectPage) -> None:
        """An entry in the page table, that leads to a page's frame."""
        self.map_entry(translation, page)
        if translation in self.present:
            return
        self.present[translation] = page
        mappers = self.mappers.setdefault(page, set())
        mappers.add(translation)
        if page.kind != "zeros":
            owner = self.processes[translation[0]]
            owner.rss += 1
            owner.count["rss_peak"] = max(owner.count["rss_peak"], owner.rss)
            self.count["frames_shared"] += len(mappers) == 2
            self.count["frames_shared_peak"] = max(self.count["frames_shared_peak"],
                                                   self.count["frames_shared"])

    def map_entry(self, translation: Translation, page: ObjectPage) -> None:
        """An entry in the page table, for a page that need not be in a frame."""
        self.table_of(translation).map(translation[1])
        self.mapped[translation] = page

    def take_entry(self, translation: Translation) -> None:
        """An entry does not lead to a frame any more."""
        page = self.present.pop(translation, None)
        if page is None:
            return
        self.mappers[page].remove(translation)
        if page.kind != "zeros":
            self.processes[translation[0]].rss -= 1
            self.count["frames_shared"] -= len(self.mappers[page]) == 1
        self.noticed.discard(translation)
        self.tlb.invalidations += self.tlb.drop(translation)

    def entries_of(self, page: ObjectPage) -> list[Translation]:
        """The entries that lead to a page: what a reverse map is for."""
        found = sorted(self.mappers.get(page, ()))
        self.count["rmap_steps"] += len(found) if self.spaces.on else 0
        return found

    def map_around(self, translation: Translation) -> None:
        """Fault-around: the pages of the window that are in memory are mapped as well."""
        around = self.pool_of(self.present[translation])
        mapping, window = self.spaces.window(translation)
        for vpn in window:
            other = (translation[0], vpn)
            page = self.spaces.page_of_object(mapping, other)
            if other in self.present or other in self.private or page in self.marks:
                continue
            pool = self.pool_of(page)
            if (page not in pool.frame_of and self.config.file_cache_is_warm
                    and page.kind == "file"
                    and page not in self.loaded and self.pressure.has_free_frame(pool)
                    and pool is around and self.takes_unasked(pool)):
                self.load(pool, page, None, False)
            if page in pool.frame_of:
                self.enter(other, page)
                self.count["mapped_around"] += 1

    # ---- Read-ahead ------------------------------------------------------------------------

    @staticmethod
    def takes_unasked(pool: Pool) -> bool:
        """Whether pages may come in that no reference asks for."""
        return not pool.policy.needs_future and not pool.policy.variable_space

    def advice_at(self, translation: Translation) -> int:
        """What madvise(2) said of the mapping that a translation lies in."""
        mapping = self.spaces.find_mapping(translation)
        return mapping.advice if mapping else NORMAL

    def window_of(self, backing: MemoryObject) -> Readahead:
        """What is remembered of a file."""
        return self.windows.setdefault(id(backing), Readahead())

    def read_around(self, pool: Pool, translation: Translation, page: ObjectPage,
                    comes_in: bool) -> None:
        """A fault reads a page of a file: what comes with it, as do_sync_mmap_readahead()."""
        most = self.config.read_ahead // self.config.page_size
        backing, index = page.place
        advice = self.advice_at(translation)
        window = self.window_of(backing)
        if not most or not 0 <= index < backing.extent or advice == RANDOM:
            return
        if advice == SEQUENTIAL:
            first, marked = index, 0
            if index == 0:
                marked = most // 2
                window.start, window.marked = 0, marked
        else:
            window.misses = min(window.misses + 1, 10 * MOST_MISSES)
            if window.misses > MOST_MISSES:
                return
            first, marked = max(0, index - most // 2), most // 4
            window.start, window.marked = first, marked
        self.read_window(pool, backing, first, marked, page, comes_in)

    def found_in_cache(self, pool: Pool, translation: Translation, page: ObjectPage) -> None:
        """A fault finds its page of a file in memory, as do_async_mmap_readahead()."""
        most = self.config.read_ahead // self.config.page_size
        backing, index = page.place
        if not most or self.advice_at(translation) == RANDOM:
            return
        window = self.window_of(backing)
        window.misses = max(0, window.misses - 1)
        if page not in self.marks:
            return
        self.marks.remove(page)
        if index == window.start + most - window.marked:
            window.start += most
        else:
            missing = [other for other in range(index + 1, index + 1 + most)
                       if not self.is_cached(backing.pages.get(other))]
            if not missing:
                return
            window.start = missing[0]
        window.marked = most
        self.read_window(pool, backing, window.start, most, None, False)

    def is_cached(self, page: ObjectPage | None) -> bool:
        """Whether a page of a file is in memory; with a warm cache all are at first."""
        return page is not None and (page in self.pool_of(page).frame_of or (
            self.config.file_cache_is_warm and page not in self.loaded))

    def read_window(self, pool: Pool, backing: MemoryObject, first: int, marked: int,
                    wanted: ObjectPage | None, comes_in: bool) -> None:
        """Reads a window of a file, but for the page that is wanted: that one comes last."""
        most = self.config.read_ahead // self.config.page_size
        end = min(first + most, backing.extent)
        mark = end - marked if 0 < marked <= end - first else None
        is_request = wanted is None
        for index in range(first, end):
            page = backing.pages[index]
            if page is wanted:
                if comes_in and index == mark:
                    self.marks.add(page)
                continue
            requested = self.count["pages_read_ahead"]
            if self.read_ahead(pool, page, is_request) and index == mark:
                self.marks.add(page)
            is_request &= requested == self.count["pages_read_ahead"]

    def read_ahead(self, pool: Pool, page: ObjectPage, is_request: bool) -> bool:
        """Reads one page that nobody has asked for yet, unless it is in memory. True: it is now."""
        if (self.is_cached(page) or self.pool_of(page) is not pool
                or not self.takes_unasked(pool)):
            return False
        self.load(pool, page, None, False)
        self.count["pages_read_ahead"] += 1
        if page.kind == "file":
            self.count["read_ahead_requests"] += is_request
        else:
            self.count["swap_ins"] += 1
            self.count["swap_ins_ahead"] += 1
        self.ahead.add(page)
        self.serve(pool)
        return page in pool.frame_of

    def need(self, page: ObjectPage, is_first: bool) -> None:
        """MADV_WILLNEED has come to a page; is_first: of a mapping."""
        pool = self.pool_of(page)
        self.begins_request |= is_first
        if page.kind == "file":
            before = self.count["pages_read_ahead"]
            self.read_ahead(pool, page, self.begins_request)
            self.begins_request &= before == self.count["pages_read_ahead"]
        elif page in self.slots and page not in pool.frame_of and self.takes_unasked(pool):
            self.read_ahead(pool, page, False)

    def forget_ahead(self, page: ObjectPage) -> None:
        """A page leaves memory; if it was not used it was read in vain."""
        self.marks.discard(page)
        if page in self.ahead:
            self.ahead.remove(page)
            self.count["read_ahead_wasted"] += 1

    def make_room(self, pool: Pool) -> int:
        """Evicts the policy's victim; returns its frame."""
        if all(page in self.locked for page in pool.frame_of):
            raise SwapFull
        victim = self.victim_of(pool)
        pool.reclaimed += self.config.has_limits
        return self.displace(pool, victim) if victim in self.locked else self.evict(pool, victim)

    def victim_of(self, pool: Pool) -> ObjectPage:
        """Whom the policy names."""
        victim = pool.policy.victim()
        self.flush_young(pool.policy)
        return victim

    def free_frame(self, pool: Pool) -> int:
        """A frame for a pool that has not as many as it may have; others may have to give one."""
        self.pressure.before_frame_is_taken()
        if self.pressure.memory_is_full():
            self.pressure.take_from_anybody()
        return pool.free_frame()

    # ---- Locked pages ----------------------------------------------------------------------

    def displace(self, pool: Pool, page: ObjectPage) -> int:
        """The policy gives up a page that stays; it has no frame for a moment. Returns its frame."""
        self.homeless = page
        for translation in self.mappers.get(page, ()):
            self.tlb.invalidations += self.tlb.drop(translation)
        pool.policy.evicted(page)
        pool.policy.writing[:] = [one for one in pool.policy.writing if one != page]
        return pool.frame_of.pop(page)

    def place(self, pool: Pool, page: ObjectPage, frame: int) -> None:
        """It comes into another one."""
        pool.frame_of[page] = frame
        pool.policy.frames[frame] = page
        pool.policy.loaded(page, page in self.dirty)
        self.flush_young(pool.policy)

    def rehouse(self, pool: Pool, new: ObjectPage) -> None:
        """The page without a frame returns, to the policy as by a fault; so do others that stay."""
        try:
            for _ in range(sum(page in self.locked for page in (*pool.frame_of, self.homeless)) + 1):
                page = self.homeless
                pool.policy.missed(page)
                victim = pool.policy.victim()
                self.flush_young(pool.policy)
                if victim is not new and victim not in self.locked:
                    self.place(pool, page, self.evict(pool, victim))
                    self.homeless = None
                    return
                self.place(pool, page, self.displace(pool, victim))
            self.force(pool, new)
        except SwapFull:
            for translation in self.entries_of(self.homeless):
                self.take_entry(translation)
            raise

    def force(self, pool: Pool, new: ObjectPage) -> None:
        """The policy names none but pages that stay: that of the lowest address goes."""
        victim = min((page for page in pool.frame_of if page is not new and page not in self.locked),
                     key=self.place_of)
        frame = self.evict(pool, victim)
        pool.policy.forgotten(victim)
        pool.policy.missed(self.homeless)
        self.place(pool, self.homeless, frame)
        self.homeless = None

    def place_of(self, page: ObjectPage) -> tuple[bool, int, int, int]:
        """What pages are ordered by where no policy says: those that nobody maps come first."""
        entries = self.mappers.get(page)
        if not entries:
            return False, page[1] ^ mix(page[0]), 0, KINDS.index(page.kind)
        vpn, pid = min((vpn, pid) for pid, vpn in entries)
        return True, vpn, pid, KINDS.index(page.kind)

    def keep(self, pool: Pool, page: ObjectPage) -> None:
        """A policy of variable space parts with a page that stays."""
        pool.policy.evicted(page)
        pool.policy.missed(page)
        self.place(pool, page, pool.frame_of[page])

    # ---- Writing and evicting --------------------------------------------------------------

    def serve(self, pool: Pool) -> None:
        """Evicts the pages the policy parts with, then writes those it wants written."""
        policy = pool.policy
        for page in list(policy.parting):
            if page in self.locked:
                self.keep(pool, page)
            else:
                pool.give_back(self.evict(pool, page))
        policy.parting.clear()
        for page in policy.writing:
            if page in self.dirty and page in pool.frame_of and self.can_write(page):
                self.write_out(page)
                self.count["file_cleanings" if page.kind == "file" else "cleanings"] += 1
                self.forget_writes(page)
                policy.cleaned(page)
        policy.writing.clear()

    def can_write(self, page: ObjectPage) -> bool:
        """There is a place for the page on its device."""
        return (page.kind == "file" or not self.config.swap_is_limited
                or len(self.slots) < self.config.swap_slots)

    def write_out(self, page: ObjectPage) -> None:
        """A dirty page is written: to its file, or to the swap device, which has a copy then."""
        self.dirty.remove(page)
        if page.kind == "file":
            self.count["file_writes"] += 1
            return
        self.slots.add(page)
        self.count["swap_outs"] += 1
        self.count["swap_slots_peak"] = max(self.count["swap_slots_peak"], len(self.slots))

    def forget_writes(self, page: ObjectPage) -> None:
        """The next write to a page is to be noticed, through whichever entry it comes."""
        for translation in self.entries_of(page):
            self.noticed.discard(translation)
            self.tlb.invalidations += self.tlb.drop(translation)

    def evict(self, pool: Pool, victim: ObjectPage) -> int:
        """Takes a page out of memory, saving it if it must be; returns its frame."""
        if victim in self.dirty:
            if not self.can_write(victim):
                self.pressure.note_victim(pool)
                raise SwapFull
            self.write_out(victim)
            self.count["dirty_file_evictions"] += victim.kind == "file"
        else:
            self.count["clean_evictions"] += 1
            self.count["clean_file_evictions"] += victim.kind == "file"
        self.count["replacements"] += 1
        self.forget_ahead(victim)
        for translation in self.entries_of(victim):
            self.take_entry(translation)
        pool.policy.evicted(victim)
        return pool.frame_of.pop(victim)

    def note_peaks(self) -> None:
        """The sizes that can fall as well as rise, where they are largest."""
        tables = [process.table for process in self.processes.values() if process.table]
        for process in self.processes.values():
            process.note_peak()
        for name, value in (("frames_used", sum(len(pool.frame_of) for pool in self.pools)),
                            ("page_tables", sum(table.tables for table in tables)),
                            ("page_table_bytes", sum(table.bytes for table in tables))):
            self.count[name + "_peak"] = max(self.count[name + "_peak"], value)

    # ---- Events ----------------------------------------------------------------------------

    def event(self, event: Reference) -> None:
        """Something happens to an address space."""
        is_known = event.pid in self.processes
        if self.by_hand and event.op[0] in "UX" and not is_known:
            return
        if self.does_not_happen(event, self.killed):
            return
        self.count["events"] += event.op[0] not in UNCOUNTED
        self.note_peaks()
        if not self.changes(event, is_known):
            return
        if event.op[0] in "MF":
            self.make_processes(event)
        for effect in self.spaces.apply(event):
            self.carry_out(effect, event.op[0] == "F")
        if self.spaces.on:
            self.referencing = len(self.processes)
        if event.op[0] in CHANGING:
            self.touch(event)

    def touch(self, event: Reference) -> None:
        """What an event brings into memory at once, the kernel touches."""
        touches = self.touches(self.spaces, event)
        self.count["filtered"] += len(self.spaces.populated) - len(touches)
        for touch in touches:
            self.reference(touch)

    def make_processes(self, event: Reference) -> None:
        """Those that an event is the first to name."""
        pids = [event.pid] + ([self.child_of(event)] if event.op[0] == "F" else [])
        for pid in pids:
            self.process_of(pid, event.pid)

    @staticmethod
    def child_of(event: Reference) -> int:
        """Of a fork."""
        return int(event.op.partition("child=")[2].partition(",")[0])

    def carry_out(self, effect: Effect, is_fork: bool) -> None:
        """One effect of an event."""
        self.note_peaks()
        translation, page = effect.translation, effect.page
        if effect.what == "unmap":
            self.take_entry(translation)
            self.mapped.pop(translation, None)
            self.private.discard(translation)
        elif effect.what == "protect":
            self.tlb.invalidations += self.tlb.drop(translation)
        elif effect.what == "copy":
            self.copy_entry(translation, effect.to, page, is_fork)
        elif effect.what == "lock":
            self.locked.add(page)
        elif effect.what == "unlock":
            self.locked.discard(page)
        elif effect.what == "clean":
            self.clean(page)
        elif effect.what == "drop":
            self.drop(page)
        elif effect.what in ("need", "need first"):
            self.need(page, effect.what == "need first")
        else:
            self.processes[translation[0]].table = None

    def copy_entry(self, translation: Translation, other: Translation, page: ObjectPage,
                   is_fork: bool) -> None:
        """The entry of a translation, if there is one, for another one."""
        if translation not in self.mapped:
            return
        self.map_entry(other, page)
        if translation in self.present:
            self.enter(other, page)
        if translation in self.private:
            self.private.add(other)
        if is_fork:
            self.count["copied_entries"] += 1
            self.count["copies_avoided"] += page.kind == "anonymous"

    def pool_of(self, page: ObjectPage) -> Pool:
        """The pool of the process that a page is charged to."""
        return self.processes[page.charged].pool

    def clean(self, page: ObjectPage) -> None:
        """MADV_FREE: the content may be lost, so nothing is to be written."""
        self.slots.discard(page)
        if page in self.dirty:
            self.dirty.discard(page)
            self.forget_writes(page)
            self.pool_of(page).policy.cleaned(page)

    def drop(self, page: ObjectPage) -> None:
        """A page is gone, content and all."""
        self.locked.discard(page)
        pool = self.pool_of(page)
        if page in pool.frame_of:
            self.forget_ahead(page)
            pool.policy.evicted(page)
            pool.give_back(pool.frame_of.pop(page))
            self.count["discards"] += 1
        pool.policy.forgotten(page)
        self.dirty.discard(page)
        self.slots.discard(page)

    # ---- Results ---------------------------------------------------------------------------

    def counters(self) -> dict[str, int]:
        """Every counter by name."""
        self.note_peaks()
        tables = [process.table for process in self.processes.values() if process.table]
        stall, background = self.times()
        return self.count | {
            "tlb_evictions": self.tlb.evictions,
            "tlb_writebacks": self.tlb.writebacks,
            "tlb_invalidations": self.tlb.invalidations,
            "tlb_flushes": self.tlb.flushes,
            "swap_slots_used": len(self.slots),
            "limit_reclaims": sum(pool.reclaimed for pool in self.pools),
            "frames": self.frames(),
            "frames_used": sum(len(pool.frame_of) for pool in self.pools),
            "frames_locked": sum(page in self.locked
                                 for pool in self.pools for page in pool.frame_of),
            "distinct_pages": len(self.seen),
            "processes": self.referencing,
            "page_tables": sum(table.tables for table in tables),
            "page_table_bytes": sum(table.bytes for table in tables),
            "stall_time_ps": stall,
            "background_time_ps": background,
        }

    def frames(self) -> int:
        """Frames of all pools; the global pool is there from the beginning."""
        if POLICIES[self.config.policy].variable_space:
            return 0
        pools = len(self.pools) if self.config.scope_is_process else 1
        return self.config.frames * pools

    def times(self) -> tuple[int, int]:
        """Stall and background time in picoseconds."""
        cost, count = self.config.cost, self.count
        stall = (count["page_references"] * (cost["tlb"] if self.config.has_tlb else 0)
                 + count["accesses"] * cost["memory"]
                 + count["walk_reads"] * cost["walk-read"]
                 + count["page_faults"] * cost["fault"]
                 + self.faults["zero_fill"] * cost["zero-fill"]
                 + (count["swap_ins"] - count["swap_ins_ahead"]) * cost["swap-read"]
                 + self.faults["cow"] * cost["copy"]
                 + self.faults["file_read"] * cost["store-read"])
        ahead = (count["cleanings"] * cost["swap-write"]
                 + count["file_cleanings"] * cost["file-write"]
                 + count["swap_ins_ahead"] * cost["swap-read"]
                 + count["read_ahead_requests"] * cost["store-read"]
                 + (count["pages_read_ahead"] - count["swap_ins_ahead"]
                    - count["read_ahead_requests"]) * cost["read-ahead"])
        writing = (count["swap_outs"] * cost["swap-write"]
                   + count["file_writes"] * cost["file-write"]
                   - count["cleanings"] * cost["swap-write"]
                   - count["file_cleanings"] * cost["file-write"])
        kswapd = (count["background_swap_outs"] * cost["swap-write"]
                  + count["background_file_writes"] * cost["file-write"])
        writing -= kswapd
        ahead += kswapd
        return ((stall + writing, ahead) if self.config.swap_write_stalls
                else (stall, ahead + writing))

    def process_statistics(self) -> list[dict[str, int]]:
        """The processes in the order of their first reference."""
        return [process.statistics() | self.memory_of(process)
                for process in self.processes.values()][:self.referencing]

    def memory_of(self, process: Process) -> dict[str, int]:
        """RSS by kind, USS, PSS and swap, from the definitions."""
        found = dict.fromkeys(("rss", "rss_anonymous", "rss_file", "rss_shared", "uss", "pss",
                               "swap", "swap_pss"), 0)
        for translation, page in self.mapped.items():
            if translation[0] != process.pid or page.kind == "zeros":
                continue
            if translation in self.present:
                sharers = len(self.mappers[page])
                found["rss"] += 1
                found["rss_" + page.kind] += 1
                found["uss"] += sharers == 1
                found["pss"] += SHARE_OF_PAGE // sharers
            elif page in self.slots and page not in self.pool_of(page).frame_of:
                sharers = sum(other == page for other in self.mapped.values())
                found["swap"] += 1
                found["swap_pss"] += SHARE_OF_PAGE // sharers
        assert found["rss"] == process.rss
        return found


def simulate(trace: Trace, options: dict[str, str]) -> Machine:
    """Runs a trace on a machine configured by name."""
    machine = Machine(Config(options), trace.marks_writes)
    machine.run(trace.references)
    return machine
