#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Laws that hold for every trace, whatever the numbers are, tested on the library.

They speak of `misses`, with one global pool of base pages and demand paging.
"""

from __future__ import annotations

import sys
from random import Random

import libvmm
from cases import random_trace
from tap import Tap, equal

NEEDS_FUTURE = 3
VARIANTS = ("clock:bits=3,enter=0", "approxlru:period=10", "nru:period=10")
OFFLINE = tuple(name for name, info in libvmm.policy_table().items() if info.needs == NEEDS_FUTURE)
ONLINE = tuple(name for name in libvmm.policy_table() if name not in OFFLINE) + VARIANTS
PAGE_SIZE = 4096
SIZES = (1, 2, 3, 4, 5, 6, 8, 11, 16, 30)
BELADY = (1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5)

Reference = tuple[int, str, int, int]


def reads(pages: list[int] | tuple[int, ...]) -> list[Reference]:
    """A trace that reads pages of process 0."""
    return [(0, "R", page * PAGE_SIZE, 1) for page in pages]


def text(trace: list[Reference]) -> str:
    """A native trace."""
    return "".join(f"{pid} {op} {addr:#x} {max(1, size)}\n" for pid, op, addr, size in trace)


def counters(trace: list[Reference], scratch: object, **options: str) -> dict[str, int]:
    """Runs a trace file; all counters."""
    given = {name.replace("_", "-"): value for name, value in options.items()}
    scratch.path.write_text(text(trace))
    with libvmm.Machine(given) as machine, libvmm.Trace(str(scratch.path)) as opened:
        equal(libvmm.run([machine], opened), 0, "vmm_run")
        return machine.counters()


def traces() -> list[list[Reference]]:
    """Some random traces without invalid addresses."""
    limit = 2**62  # out of the generator's reach below 2^48
    found = []
    seed = 0
    while len(found) < 12:
        seed += 1
        trace = random_trace(Random(seed), PAGE_SIZE, limit)
        if len(trace) >= 60 and all(addr < 2**48 for _, _, addr, _ in trace):
            found.append(trace)
    return found


class Laws:
    """The laws, each a method; one scratch file."""

    def __init__(self) -> None:
        from compare import SCRATCH
        self.scratch = SCRATCH
        self.traces = traces()

    def misses(self, trace: list[Reference], policy: str, frames: int, **more: str) -> int:
        """The count that the laws speak of."""
        return counters(trace, self.scratch, policy=policy, frames=str(frames), **more)["misses"]

    def opt_is_optimal(self) -> None:
        """OPT <= every policy, and UNOPT is a replacement policy too."""
        for trace in self.traces:
            for frames in (1, 3, 8):
                best = self.misses(trace, "opt", frames)
                for policy in ONLINE + ("unopt",):
                    other = self.misses(trace, policy, frames)
                    assert best <= other, f"{frames} frames: opt {best} > {policy} {other}"

    def more_frames_never_hurt(self, policy: str) -> None:
        """Stack policies never gain misses with more frames."""
        for trace in self.traces + [reads(BELADY)]:
            curve = [self.misses(trace, policy, frames) for frames in SIZES]
            assert curve == sorted(curve, reverse=True), f"{policy}: {dict(zip(SIZES, curve))}"

    def belady(self) -> None:
        """FIFO on the textbook string: more memory, more faults."""
        equal([self.misses(reads(BELADY), "fifo", frames) for frames in (3, 4)], [9, 10])
        equal([self.misses(reads(BELADY), "lru", frames) for frames in (3, 4)], [10, 8])
        equal([self.misses(reads(BELADY), "opt", frames) for frames in (3, 4)], [7, 6])

    def cyclic_scan(self) -> None:
        """A loop of one page more than the memory holds defeats LRU wholly, but not OPT, MRU."""
        loop = reads([i % 9 for i in range(180)])
        equal(self.misses(loop, "lru", 8), 180, "lru")
        equal(self.misses(loop, "fifo", 8), 180, "fifo")
        equal(self.misses(loop, "lru", 9), 9, "lru with room for all")
        # OPT keeps 8 of the 9 pages of a lap: one miss in 8 references after the first 8.
        equal(self.misses(loop, "opt", 8), 8 + -(-(180 - 8) // 8), "opt")
        assert self.misses(loop, "mru", 8) < 60

    def room_for_all(self) -> None:
        """With a frame for every page each page misses once, whatever the policy."""
        for trace in self.traces:
            for policy in ONLINE + OFFLINE:
                found = counters(trace, self.scratch, policy=policy, frames="200")
                equal(found["misses"], found["distinct_pages"], policy)
                equal(found["replacements"], 0, policy)

    def sums(self) -> None:
        """Classes sum to faults, kinds to accesses, hits and misses to lookups."""
        for number, trace in enumerate(self.traces):
            for policy in ONLINE + OFFLINE:
                self.check_sums(counters(trace, self.scratch, policy=policy, frames="5",
                                         tlb_size="4", initial=("zero", "store")[number % 2]))

    @staticmethod
    def check_sums(found: dict[str, int]) -> None:
        """The sums of one run."""
        def total(*names: str) -> int:
            return sum(found[name] for name in names)
        classes = [name for name in found if name.startswith("fault_")]
        equal(total(*classes), found["page_faults"], "sum of fault classes")
        equal(total("major_faults", "minor_faults"), found["page_faults"], "major + minor")
        equal(total("fault_swap_in", "fault_file_read"), found["major_faults"], "major classes")
        equal(total("reads", "writes", "fetches"), found["accesses"], "kinds of references")
        equal(total("tlb_hits", "tlb_misses"), found["page_references"], "TLB hits + misses")
        equal(found["misses"] + found["fault_invalid"], found["page_faults"], "demand paging")
        equal(total("swap_outs", "clean_evictions"), found["replacements"], "evictions")
        equal(found["misses"] - found["replacements"], found["frames_used"], "frames in use")
        equal(found["walks"], found["tlb_misses"], "walks")

    def processes_sum(self) -> None:
        """The processes' numbers sum to the machine's."""
        names = ("accesses", "reads", "writes", "fetches", "page_references", "tlb_hits",
                 "tlb_misses", "page_faults", "major_faults", "minor_faults", "misses",
                 "page_table_bytes")
        for trace in self.traces:
            for scope in ("global", "process"):
                options = {"frames": "4", "policy": "lru", "scope": scope,
                           "pt-type": "FOUR_LEVEL"}
                with libvmm.Machine(options) as machine:
                    equal(machine.feed(trace), 0, "vmm_feed")
                    found, processes = machine.counters(), machine.processes()
                equal(len(processes), found["processes"], "processes")
                for name in names:
                    equal(sum(process[name] for process in processes), found[name], name)

    def engines_agree_on_files(self) -> None:
        """Same input and seed, twice and by both engines: the same bytes."""
        for trace in self.traces[:6]:
            for policy in ONLINE + OFFLINE:
                self.scratch.path.write_text(text(trace))
                seen = set()
                for engine in ("fast", "fast", "generic"):
                    options = {"frames": "5", "policy": policy, "engine": engine}
                    with libvmm.Machine(options) as machine, \
                            libvmm.Trace(str(self.scratch.path)) as opened:
                        libvmm.run([machine], opened)
                        seen.add(machine.json())
                equal(len(seen), 1, f"different reports of {policy}")

    def batches_do_not_matter(self) -> None:
        """A machine does not see how references are cut into batches."""
        for trace in self.traces[:6]:
            for policy in ONLINE:
                seen = set()
                for batch in (1, 7, 100000):
                    with libvmm.Machine({"frames": "5", "policy": policy}) as machine:
                        machine.feed(trace, batch)
                        seen.add(machine.json())
                equal(len(seen), 1, f"different reports of {policy}")

    def together_as_alone(self) -> None:
        """Machines that share one decode count what each counts alone."""
        for trace in self.traces[:6]:
            self.scratch.path.write_text(text(trace))
            options = [{"frames": str(frames), "policy": policy, "tlb-size": str(2 * frames)}
                       for frames in (2, 5) for policy in ONLINE + OFFLINE]
            machines = [libvmm.Machine(one) for one in options]
            with libvmm.Trace(str(self.scratch.path)) as opened:
                equal(libvmm.run(machines, opened), 0, "vmm_run")
            for one, machine in zip(options, machines):
                with machine, libvmm.Machine(one) as alone:
                    with libvmm.Trace(str(self.scratch.path)) as opened:
                        libvmm.run([alone], opened)
                    equal(machine.json(), alone.json(), str(one))

    def tlb_reaches_only_resident_pages(self) -> None:
        """A TLB larger than memory holds no page that left: hits <= references to residents."""
        for trace in self.traces:
            found = counters(trace, self.scratch, policy="fifo", frames="3", tlb_size="64")
            equal(found["tlb_hits"], found["page_references"] - found["misses"], "TLB hits")
            equal(found["tlb_invalidations"], found["replacements"], "TLB invalidations")

    def exit_leaves_nothing(self) -> None:
        """After every process ended, no frame, slot or table is left, and all begins anew."""
        for policy in ONLINE:
            for scope in ("global", "process"):
                options = {"policy": policy, "frames": "5", "scope": scope, "tlb-size": "4",
                           "pt-type": "FOUR_LEVEL"}
                trace = [(pid, "RWI"[i % 3], (i * i % 11) * PAGE_SIZE, 1)
                         for i in range(200) for pid in (3, 4)]
                with libvmm.Machine(options) as machine:
                    for _ in range(3):
                        equal(machine.feed(trace), 0, "vmm_feed")
                        assert machine.counters()["swap_slots_used"] > 0
                        equal([machine.exit(3), machine.exit(4)], [0, 0], "vmm_apply")
                        found = machine.counters()
                        for name in ("frames_used", "swap_slots_used", "page_tables",
                                     "page_table_bytes"):
                            equal(found[name], 0, f"{policy}: {name} after the exits")
                    self.check_laps(machine, trace, options)

    @staticmethod
    def check_laps(machine: libvmm.Machine, trace: list[Reference], options: dict) -> None:
        """Three lives of the same processes fault three times as often as one."""
        if options["policy"] not in ("fifo", "lru", "mru", "lfu"):
            return  # hands, periods and streams go on, and frames come in another order
        with libvmm.Machine(options) as once:
            once.feed(trace)
            for name in ("misses", "swap_ins", "swap_outs", "fault_zero_fill"):
                equal(machine.counters()[name], 3 * once.counters()[name],
                      f"{options['policy']}: {name} of three lives")

    def unmap_gives_pages_up(self) -> None:
        """Unmapped pages lose their content, whether in memory or in swap."""
        writes = [(1, "W", page * PAGE_SIZE, 1) for page in range(8)]
        for policy in ONLINE:
            with libvmm.Machine({"policy": policy, "frames": "4"}) as machine:
                machine.feed(writes)
                equal(machine.counters()["swap_slots_used"], 4, "slots after 8 writes")
                equal(machine.unmap(1, 0, 8 * PAGE_SIZE), 0, "vmm_apply")
                found = machine.counters()
                equal((found["frames_used"], found["swap_slots_used"]), (0, 0), "frames, slots")
                machine.feed([(1, "R", page * PAGE_SIZE, 1) for page in range(4)])
                again = machine.counters()
                equal(again["fault_zero_fill"] - found["fault_zero_fill"], 4, "zero fills")
                equal(again["replacements"], found["replacements"], "replacements")

    def unmap_is_checked(self) -> None:
        """Misaligned ranges and unknown processes are errors and change nothing."""
        with libvmm.Machine({"policy": "lru", "frames": "4"}) as machine:
            machine.feed(reads((1, 2, 3)))
            before = machine.json()
            for bad in ((0, 1, PAGE_SIZE), (0, PAGE_SIZE, 100), (0, PAGE_SIZE, 0),
                        (77, PAGE_SIZE, PAGE_SIZE)):
                assert machine.unmap(*bad) != 0, f"accepted: {bad}"
            assert machine.exit(77) != 0, "an unknown process ended"
            equal(machine.json(), before, "the report after refused events")

    def seeds_matter_only_to_random(self) -> None:
        """Another seed changes RANDOM and nothing else."""
        trace = reads([i * i % 37 for i in range(400)])
        for policy in ONLINE:
            seen = {self.misses(trace, policy, 7, seed=str(seed)) for seed in range(6)}
            equal(len(seen) > 1, policy == "random", f"{policy} depends on the seed")


def main() -> int:
    """The command."""
    laws, tap = Laws(), Tap()
    tap.run("OPT <= every policy", laws.opt_is_optimal)
    for policy in ("lru", "opt"):
        tap.run(f"more frames never give {policy} more misses",
                lambda: laws.more_frames_never_hurt(policy))
    tap.run("Belady's anomaly: FIFO has it, LRU and OPT do not", laws.belady)
    tap.run("a cyclic scan defeats LRU", laws.cyclic_scan)
    tap.run("with room for all pages, misses = distinct pages", laws.room_for_all)
    tap.run("parts sum to their totals", laws.sums)
    tap.run("processes sum to the machine", laws.processes_sum)
    tap.run("same input, same bytes, by both engines", laws.engines_agree_on_files)
    tap.run("batches do not matter", laws.batches_do_not_matter)
    tap.run("machines run together count what they count alone", laws.together_as_alone)
    tap.run("the TLB holds resident pages only", laws.tlb_reaches_only_resident_pages)
    tap.run("processes that ended leave nothing", laws.exit_leaves_nothing)
    tap.run("unmapped pages are given up", laws.unmap_gives_pages_up)
    tap.run("wrong events are refused", laws.unmap_is_checked)
    tap.run("the seed matters only to RANDOM", laws.seeds_matter_only_to_random)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
