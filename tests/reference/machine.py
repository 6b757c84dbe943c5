# SPDX-License-Identifier: Apache-2.0
"""The whole simulated machine, one page reference at a time.

What one page reference does, in this order:

    switch of process -> TLB lookup -> page walk -> fault (victim, load) -> TLB fill
    -> the policy hears of it -> a write makes the page dirty

Everything is a plain dict, list or set. A page is a pair (pid, vpn).
"""

from __future__ import annotations

from config import Config
from page_table import RadixPageTable, SinglePageTable, make_page_table
from policies import POLICIES
from policy import Future, Page, Policy
from splitmix import SplitMix64
from tlb import Tlb
from traces import Reference, Trace

FAULT_CLASSES = ("invalid", "swap_in", "file_read", "swap_cached", "file_cached", "shared_attach",
                 "zero_fill", "zero_map", "cow", "reuse", "write_notify")
MAJOR = {"swap_in", "file_read"}

COUNTERS = (
    "accesses", "reads", "writes", "fetches", "kernel_references", "page_references", "filtered",
    "events",
    "tlb_hits", "tlb_misses", "tlb_evictions", "tlb_writebacks", "tlb_invalidations",
    "tlb_flushes", "context_switches", "walks", "walk_reads",
    "misses", "page_faults", "major_faults", "minor_faults", "anonymous_faults", "file_faults",
    "shared_faults", "page_cache_hits", "replacements", "clean_evictions",
    "clean_file_evictions", "dirty_file_evictions", "discards",
    "rmap_steps", "copied_entries", "copies", "copies_avoided", "mapped_around", "swap_ins", "swap_outs", "cleanings", "file_writes", "file_cleanings",
    "swap_slots_used", "swap_slots_peak", "oom_events",
    "frames", "frames_used", "frames_used_peak", "frames_shared", "frames_shared_peak",
    "space_time",
    "distinct_pages", "processes",
    "page_tables", "page_table_bytes", "page_tables_peak", "page_table_bytes_peak",
    "stall_time_ps", "background_time_ps",
)

PROCESS_COUNTERS = (
    "accesses", "reads", "writes", "fetches", "page_references", "tlb_hits", "tlb_misses",
    "page_faults", "major_faults", "minor_faults", "misses", "kernel_references",
)

SHARE_OF_PAGE = 2 ** 32  # proportional sizes are counts of such parts of a page

KIND = {"R": "reads", "W": "writes", "I": "fetches"}
# Small letters are touches by the kernel, which are data whatever they do.
WANTED = {"all": "RWIrwi", "data": "RWrwi", "fetch": "I"}

# Events in place of a reference; addr and size give the range, where there is one.
EVENTS_OF_RANGES = {
    "U": "unmap",
    "A": "advise, MADV_DONTNEED",
    "M": "map with FIXED",
    "V": "remap to another place",
}
EVENTS_OF_PROCESSES = {"X": "exit", "E": "exec"}
OTHER_EVENTS = {"O": "one that changes an address space and takes nothing", "N": "any other"}


class SwapFull(Exception):
    """An eviction needs a swap slot and none is free: the run ends."""


class Pool:
    """Frames and the policy that rules over them."""

    def __init__(self, config: Config, number: int, future: Future | None) -> None:
        kind = POLICIES[config.policy]
        # Pool 0 draws from the seed itself, the others from streams of their own.
        seed = config.seed if number == 0 else SplitMix64(config.seed, f"pool.{number}").state
        frames = 0 if kind.variable_space else config.frames
        self.policy: Policy = kind(frames, config.policy_parameters, seed, future)
        self.frame_of: dict[Page, int] = {}
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


class Process:
    """An address space: its page table, its counters and, with scope = process, its pool."""

    def __init__(self, config: Config, pid: int, pool: Pool) -> None:
        self.config = config
        self.pid = pid
        self.pool = pool
        self.table: RadixPageTable | SinglePageTable | None = None
        self.table_bytes_peak = 0
        self.rss_peak = 0
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
        self.seen: set[Page] = set()    # distinct pages
        self.dirty: set[Page] = set()   # resident pages written since they came in
        self.slots: set[Page] = set()   # pages with a copy on the swap device

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

    def step(self, reference: Reference) -> None:
        """A reference, unless the option refs leaves it out, or an event."""
        if self.is_event(reference):
            self.event(reference)
        elif self.is_wanted(reference):
            self.reference(reference)
        else:
            self.count["filtered"] += 1

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
        for reference in self.simulated(trace):
            if self.is_event(reference):
                future.give_up(lambda page, event=reference: self.takes(event, page))
            elif self.is_wanted(reference):
                for vpn, is_valid in self.pages_of(reference):
                    future.pass_time(reference.pid)
                    if is_valid:
                        future.add((reference.pid, vpn))
        return future

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

    def process_of(self, pid: int) -> Process:
        """The process, made if it is new."""
        if pid not in self.processes:
            if self.config.scope_is_process or not self.pools:
                self.pools.append(Pool(self.config, len(self.pools), self.future))
            self.processes[pid] = Process(self.config, pid, self.pools[-1])
        self.processes[pid].begin()
        return self.processes[pid]

    def reference(self, reference: Reference) -> None:
        """One memory reference: one or more page references."""
        process = self.process_of(reference.pid)
        if reference.op.islower():
            self.add(process, "kernel_references")
        else:
            self.add(process, "accesses")
            self.add(process, KIND[reference.op])
        for vpn, is_valid in self.pages_of(reference):
            self.page_reference(process, vpn, is_valid, reference.op in "Ww")

    def page_reference(self, process: Process, vpn: int, is_valid: bool, is_write: bool) -> None:
        """One page looked up."""
        page = (process.pid, vpn)
        self.add(process, "page_references")
        self.switch_to(process)
        process.pool.policy.tell_time(process.pid)
        try:
            self.make_page_reference(process, page, is_valid, is_write)
        finally:  # when swap is full as well
            if process.pool.policy.uses_clock:
                self.count["space_time"] += len(process.pool.frame_of)

    def make_page_reference(self, process: Process, page: Page, is_valid: bool,
                            is_write: bool) -> None:
        """The reference and what the policy makes of it."""
        if is_valid:
            self.valid_page_reference(process, page, is_write)
        else:
            self.add(process, "tlb_misses")
            self.add(process, "walks")
            self.fault(process, "invalid")
        self.serve(process.pool)
        process.pool.policy.completed()
        self.serve(process.pool)
        self.flush_young(process.pool.policy)

    def valid_page_reference(self, process: Process, page: Page, is_write: bool) -> None:
        """Translation, residence, and what the reference leaves behind."""
        self.seen.add(page)
        self.position += 1
        policy = process.pool.policy
        policy.now = self.position

        tlb_hit = self.config.has_tlb and self.tlb.lookup(page, is_write)
        self.add(process, "tlb_hits" if tlb_hit else "tlb_misses")
        if not tlb_hit:
            self.add(process, "walks")
            self.add(process, "walk_reads", process.table.walk(page[1]))

        was_resident = page in process.pool.frame_of
        if not was_resident:
            self.page_fault(process, page, is_write)
        if self.config.has_tlb and not tlb_hit:
            self.tlb.fill(page, is_write)
        if was_resident:
            accessed = self.config.sees_every_reference or not tlb_hit
            policy.referenced(page, accessed, is_write)
        if is_write:
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
                self.tlb.invalidations += self.tlb.drop(page)
        policy.cleared.clear()

    # ---- Faults ----------------------------------------------------------------------------

    def fault(self, process: Process, fault_class: str) -> None:
        """Counts a fault."""
        self.faults[fault_class] += 1
        self.count["anonymous_faults"] += fault_class != "invalid"
        self.add(process, "page_faults")
        if fault_class != "invalid":
            self.add(process, "major_faults" if fault_class in MAJOR else "minor_faults")

    def page_fault(self, process: Process, page: Page, is_write: bool) -> None:
        """Brings a page into a frame."""
        pool = process.pool
        self.add(process, "misses")
        pool.policy.missed(page)
        if page in self.slots:
            fault_class = "swap_in"
        elif self.from_store:
            fault_class = "file_read"
        else:
            fault_class = "zero_fill"
        self.fault(process, fault_class)
        self.count["swap_ins"] += fault_class == "swap_in"

        frame = self.make_room(pool) if pool.is_full else pool.free_frame()
        pool.frame_of[page] = frame
        pool.policy.frames[frame] = page
        process.table.map(page[1])
        pool.policy.loaded(page, is_write)
        self.flush_young(pool.policy)
        self.note_peaks()

    def make_room(self, pool: Pool) -> int:
        """Evicts the policy's victim; returns its frame."""
        victim = pool.policy.victim()
        self.flush_young(pool.policy)
        return self.evict(pool, victim)

    def serve(self, pool: Pool) -> None:
        """Evicts the pages the policy parts with, then writes those it wants written."""
        policy = pool.policy
        for page in policy.parting:
            pool.given_back.append(self.evict(pool, page))
        policy.parting.clear()
        for page in policy.writing:
            is_full = self.config.swap_is_limited and len(self.slots) == self.config.swap_slots
            if page in self.dirty and page in pool.frame_of and not is_full:
                self.write_out(page)
                self.count["cleanings"] += 1
                self.tlb.invalidations += self.tlb.drop(page)
                policy.cleaned(page)
        policy.writing.clear()

    def write_out(self, page: Page) -> None:
        """A dirty page gets a copy on the swap device."""
        self.dirty.remove(page)
        self.slots.add(page)
        self.count["swap_outs"] += 1
        self.count["swap_slots_peak"] = max(self.count["swap_slots_peak"], len(self.slots))

    def evict(self, pool: Pool, victim: Page) -> int:
        """Takes a page out of memory, saving it if it must be; returns its frame."""
        if victim in self.dirty:
            if self.config.swap_is_limited and len(self.slots) == self.config.swap_slots:
                raise SwapFull
            self.write_out(victim)
        else:
            self.count["clean_evictions"] += 1
        self.count["replacements"] += 1
        self.tlb.invalidations += self.tlb.drop(victim)
        pool.policy.evicted(victim)
        return pool.frame_of.pop(victim)

    def note_peaks(self) -> None:
        """The sizes that can fall as well as rise, where they are largest."""
        tables = [process.table for process in self.processes.values() if process.table]
        for process in self.processes.values():
            process.note_peak()
            process.rss_peak = max(process.rss_peak, self.resident(process))
        for name, value in (("frames_used", sum(len(pool.frame_of) for pool in self.pools)),
                            ("page_tables", sum(table.tables for table in tables)),
                            ("page_table_bytes", sum(table.bytes for table in tables))):
            self.count[name + "_peak"] = max(self.count[name + "_peak"], value)

    # ---- Events ----------------------------------------------------------------------------

    def event(self, event: Reference) -> None:
        """Something happens to an address space."""
        is_known = event.pid in self.processes
        if self.by_hand and event.op in "UX" and not is_known:
            return
        self.count["events"] += event.op != "N"
        self.note_peaks()
        for page in list(self.seen):
            if self.takes(event, page):
                self.forget(page)
        if event.op in EVENTS_OF_PROCESSES and is_known:
            self.processes[event.pid].table = None

    def takes(self, event: Reference, page: Page) -> bool:
        """True if the event takes the page: all of it, or nothing happens to it."""
        if event.pid != page[0]:
            return False
        if event.op in EVENTS_OF_RANGES:
            start = page[1] * self.config.page_size
            end = start + self.config.page_size
            return event.addr <= start and end <= event.addr + event.size
        return event.op in EVENTS_OF_PROCESSES

    def forget(self, page: Page) -> None:
        """Takes a page out of memory and swap, content and all."""
        pool = self.processes[page[0]].pool
        if page in pool.frame_of:
            self.tlb.invalidations += self.tlb.drop(page)
            pool.policy.evicted(page)
            pool.given_back.append(pool.frame_of.pop(page))
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
            "frames": self.frames(),
            "frames_used": sum(len(pool.frame_of) for pool in self.pools),
            "distinct_pages": len(self.seen),
            "processes": len(self.processes),
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
                 + count["swap_ins"] * cost["swap-read"]
                 + self.faults["file_read"] * cost["store-read"])
        ahead = count["cleanings"] * cost["swap-write"]
        writing = count["swap_outs"] * cost["swap-write"] - ahead
        return ((stall + writing, ahead) if self.config.swap_write_stalls
                else (stall, ahead + writing))

    def process_statistics(self) -> list[dict[str, int]]:
        """The processes in the order of their first reference."""
        return [process.statistics() | self.memory_of(process)
                for process in self.processes.values()]

    @staticmethod
    def resident(process: Process) -> int:
        """Pages of the process in frames."""
        return sum(page[0] == process.pid for page in process.pool.frame_of)

    def memory_of(self, process: Process) -> dict[str, int]:
        """RSS, USS, PSS and swap; nothing is shared, so they are all its own."""
        resident = self.resident(process)
        swapped = sum(page[0] == process.pid and page not in process.pool.frame_of
                      for page in self.slots)
        return {"rss": resident, "rss_anonymous": resident, "rss_file": 0, "rss_shared": 0,
                "rss_peak": process.rss_peak, "uss": resident, "pss": resident * SHARE_OF_PAGE,
                "swap": swapped, "swap_pss": swapped * SHARE_OF_PAGE,
                "cow_faults": 0, "reuse_faults": 0}


def simulate(trace: Trace, options: dict[str, str]) -> Machine:
    """Runs a trace on a machine configured by name."""
    machine = Machine(Config(options), trace.marks_writes)
    machine.run(trace.references)
    return machine
