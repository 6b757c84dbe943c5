#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Examples worked out by hand, so that the reference model itself can be trusted.

The counts that other people's programs gave are checked by
`python3 tests/golden/run_goldens.py --model`, which takes a few minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "property"))

from config import Config, parse_duration, parse_size  # noqa: E402
from machine import Machine, simulate  # noqa: E402
from page_table import make_page_table  # noqa: E402
from splitmix import SplitMix64, fnv1a  # noqa: E402
from tap import Tap, equal  # noqa: E402
from traces import Reference, Trace  # noqa: E402


def ops(text: str) -> Trace:
    """'W0 R1 2': operations on pages of 4 KiB by process 0; a bare number reads."""
    words = [word if word[0] in "RWI" else "R" + word for word in text.split()]
    return Trace([Reference(0, word[0], int(word[1:]) * 4096, 1) for word in words], True)


def run(text: str, **options: str) -> Machine:
    """Simulates ops(text)."""
    return simulate(ops(text), {name.replace("_", "-"): value for name, value in options.items()})


def resident(machine: Machine) -> list[int]:
    """The pages in memory."""
    return sorted(vpn for pool in machine.pools for _, vpn in pool.frame_of)


def check(machine: Machine, **expected: int) -> None:
    """Compares counters."""
    counters = machine.counters() | {"fault_" + name: n for name, n in machine.faults.items()}
    equal({name: counters[name] for name in expected}, expected)


def random_numbers() -> None:
    """Published first outputs of SplitMix64 from state 0, and of 64-bit FNV-1a."""
    stream = SplitMix64(0, "")
    stream.state = 0
    equal([stream.next() for _ in range(2)], [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4])
    equal([fnv1a(""), fnv1a("a")], [0xCBF29CE484222325, 0xAF63DC4C8601EC8C])


def units() -> None:
    """Sizes and durations."""
    equal([parse_size("64M"), parse_size("3", 1 << 20), parse_size("4K"), parse_size("2GiB")],
          [64 << 20, 3 << 20, 4096, 2 << 30])
    equal([parse_duration(text) for text in ("5", "5ps", "2us", "1ms")],
          [5000, 5, 2 * 10**6, 10**9])


def crossing() -> None:
    """A reference looks up each page that it overlaps; size 0 is 1."""
    trace = Trace([Reference(0, "R", 4094, 4), Reference(0, "W", 4095, 0),
                   Reference(0, "R", 4096, 4097)], True)
    check(simulate(trace, {}), accesses=3, page_references=5, misses=3, distinct_pages=3)


def invalid() -> None:
    """Beyond the limit: a TLB miss, no walk read, a fault that is neither minor nor major; later pages are left alone."""
    trace = Trace([Reference(0, "R", 2**48 - 2, 3 * 4096), Reference(0, "W", 2**64 - 1, 8)], True)
    machine = simulate(trace, {"pt-type": "FOUR_LEVEL"})
    check(machine, accesses=2, page_references=3, fault_invalid=2, fault_zero_fill=1, misses=1,
          tlb_misses=3, walks=3, walk_reads=1, minor_faults=1, distinct_pages=1)
    check(simulate(trace, {"pt-type": "FIVE_LEVEL"}), fault_invalid=1, page_references=5)
    check(run("0 1 2 3", vspace="8K"), fault_invalid=2, misses=2)


def page_tables() -> None:
    """Index bits, reads of walks, bytes."""
    four = make_page_table(4, 36)
    equal(four.bits, [9, 9, 9, 9])
    equal((four.tables, four.bytes, four.walk(5)), (1, 4096, 1), "an empty table")
    four.map(5)
    equal((four.tables, four.bytes), (4, 4 * 4096), "one page mapped")
    equal([four.walk(vpn) for vpn in (5, 6, 512, 1 << 18, 1 << 27)], [4, 4, 3, 2, 1])
    equal(make_page_table(3, 34).bits, [12, 11, 11])
    equal(make_page_table(5, 45).bits, [9, 9, 9, 9, 9])
    equal(make_page_table(2, 36).bytes, 8 << 18)
    single = make_page_table(1, 36)
    equal((single.tables, single.bytes, single.walk(9)), (0, 0, 1))
    for vpn in (0, 511, 512, 1 << 30):
        single.map(vpn)
    equal((single.tables, single.bytes), (3, 3 * 4096))


def tables_stay() -> None:
    """Tables outlive the eviction of their pages."""
    machine = run("0 1 0", policy="fifo", frames="1", pt_type="TWO_LEVEL")
    check(machine, walk_reads=1 + 2 + 2, page_tables=2, tlb_invalidations=2)


def tlb_policies() -> None:
    """Two entries, one set: which one goes."""
    pages = "0 1 0 2 0"
    check(run(pages, tlb_size="2"), tlb_hits=2, tlb_evictions=1)
    check(run(pages, tlb_size="2", tlb_policy="FIFO"), tlb_hits=1, tlb_evictions=2)
    # LFU: 0 has two uses, 1 one: 1 goes for 2; then 2 has one use and goes for 1.
    check(run("0 1 0 2 1 0", tlb_size="2", tlb_policy="LFU"), tlb_hits=2, tlb_evictions=2)
    # A tie goes to the lowest way, which holds 0.
    check(run("0 1 2 1", tlb_size="2", tlb_policy="LFU"), tlb_hits=1, tlb_evictions=1)
    # Sets by page number: 0, 2, 4 meet in one way, 1 is alone.
    check(run("0 1 2 1 4 1 0", tlb_size="2", tlb_ways="1"), tlb_hits=2, tlb_evictions=3)
    check(run("0 0", tlb="off"), tlb_hits=0, tlb_misses=2, walks=2)


def tlb_writebacks() -> None:
    """A replaced entry through which the page was written, by its fill or later."""
    check(run("W0 1 2", tlb_size="2"), tlb_evictions=1, tlb_writebacks=1)
    check(run("0 W0 1 2 3", tlb_size="2"), tlb_evictions=2, tlb_writebacks=1)
    check(run("W0 1 0 2 3", tlb_size="1"), tlb_evictions=4, tlb_writebacks=1)


def switches() -> None:
    """Tagged entries outlive a switch of process, flushed ones do not."""
    trace = Trace([Reference(pid, "R", 0, 1) for pid in (1, 1, 2, 1, 2)], True)
    check(simulate(trace, {}), context_switches=3, tlb_flushes=0, tlb_hits=3, processes=2)
    check(simulate(trace, {"tlb-switch": "flush"}), context_switches=3, tlb_flushes=3, tlb_hits=1)


def textbook_strings() -> None:
    """Belady's string of 1969 and others."""
    belady = "1 2 3 4 1 2 5 1 2 3 4 5"
    for policy, three, four in (("fifo", 9, 10), ("lru", 10, 8), ("opt", 7, 6), ("clock", 9, 10)):
        check(run(belady, policy=policy, frames="3"), misses=three)
        check(run(belady, policy=policy, frames="4"), misses=four)


def clock() -> None:
    """The sweep: bits fall one by one, the hand stands behind the victim's place."""
    # All bits set: the hand clears 1 2 3, comes round, evicts 1; then 2 has bit 0 and goes.
    equal(resident(run("1 2 3 4 5", policy="clock", frames="3")), [3, 4, 5])
    equal(resident(run("1 2 3 4 2 5", policy="clock", frames="3")), [2, 4, 5])
    # With enter=0 an unused page goes at once.
    equal(resident(run("1 2 3 1 4", policy="clock:enter=0", frames="3")), [1, 3, 4])
    # Two bits: 1 was used three times, 2 twice, 3 once after loading with 0.
    equal(resident(run("1 2 3 1 1 1 2 2 3 4", policy="clock:bits=2,enter=0", frames="3")),
          [1, 2, 4])


def lfu() -> None:
    """Lowest frequency; among equals the first that reached it; forgotten on eviction."""
    equal(resident(run("1 1 2 3", policy="lfu", frames="2")), [1, 3])
    equal(resident(run("1 2 2 1 3", policy="lfu", frames="2")), [1, 3])
    equal(resident(run("1 1 2 3 2 4", policy="lfu", frames="2")), [1, 4])


def mru() -> None:
    """The most recently referenced resident page goes."""
    equal(resident(run("1 2 3 1 4", policy="mru", frames="3")), [2, 3, 4])


def aging() -> None:
    """Counters shift after every period; ties go round the frames from the hand."""
    # Tick after 3 references; 1 was hit, so 128 -> 64 | 128; 2 and 3 fall to 64.
    text = "1 1 2 3"
    equal(resident(run(text + " 4", policy="approxlru:period=3", frames="3")), [1, 3, 4])
    # Entering with 0: no use since, all equal: the hand goes round like FIFO.
    equal(resident(run("1 2 3 1 4 5", policy="approxlru:enter=0", frames="3")), [3, 4, 5])
    # The use before the tick counts, the use after it not yet.
    equal(resident(run("1 2 2 1 3", policy="approxlru:period=3,enter=0", frames="2")), [2, 3])


def nru() -> None:
    """Classes by R and M."""
    # All referenced: clean pages before dirty ones, in order of entry to the class.
    equal(resident(run("W1 2 W3 4", policy="nru", frames="3")), [1, 3, 4])
    # Period 3: after the tick 1 is (0,1), 2 and 3 (0,0); reading 2 makes it (1,0): 3 goes.
    equal(resident(run("W1 2 3 2 4", policy="nru:period=3", frames="3")), [1, 2, 4])
    # A dirty unreferenced page goes before a clean referenced one.
    equal(resident(run("W1 2 3 2 3 4", policy="nru:period=3", frames="3")), [2, 3, 4])


def tlb_fill_bits() -> None:
    """With accessed-bit = tlb-fill a hit in the TLB sets no bit."""
    # 1 is hit in the TLB only: it keeps counter 0 and goes first.
    options = {"policy": "clock:enter=0", "frames": "2"}
    equal(resident(run("1 2 1 3", **options)), [1, 3])
    equal(resident(run("1 2 1 3", accessed_bit="tlb-fill", **options)), [2, 3])
    # Without room in the TLB the walk sets it.
    equal(resident(run("1 2 1 3", accessed_bit="tlb-fill", tlb_size="1", **options)), [1, 3])


def future() -> None:
    """OPT and UNOPT, dead pages by the time of their last use."""
    equal(resident(run("1 2 3 4 1 2", policy="opt", frames="3")), [1, 2, 4])
    equal(resident(run("1 2 1 3 4", policy="opt", frames="2")), [3, 4])
    equal(resident(run("1 2 1 3", policy="opt", frames="2")), [1, 3])
    check(run("1 2 3 1 2", policy="unopt", frames="2"), misses=5)


def swap_cache() -> None:
    """A page keeps its slot while clean, so reading it back again needs no second write."""
    check(run("W0 1 0 1 0", frames="1"), swap_outs=1, swap_ins=2, fault_zero_fill=3,
          clean_evictions=3, replacements=4, swap_slots_used=1, major_faults=2)
    check(run("W0 1 W0 1 0", frames="1"), swap_outs=2, swap_ins=2, swap_slots_peak=1)
    check(run("W0 1 W0", frames="1"), swap_slots_used=0, swap_slots_peak=1)


def out_of_memory() -> None:
    """The run ends at the reference that needs a slot when none is free."""
    machine = run("W0 W1 W2 W3", frames="1", swap="4K")
    check(machine, oom_events=1, accesses=3, page_references=3, misses=3, fault_zero_fill=3,
          swap_outs=1, replacements=1, frames_used=1, distinct_pages=3)
    equal(resident(machine), [1])
    check(run("W0 R1 R0 R1 R2", frames="1", swap="4K"), oom_events=0)


def store() -> None:
    """Pages that begin in a store are read from it as long as they were never written."""
    check(run("0 1 0 W1 0 1", frames="1", initial="store"), fault_file_read=5, fault_swap_in=1)
    pages = simulate(Trace(ops("0 1").references, False), {})
    check(pages, fault_file_read=2, major_faults=2)


def pools() -> None:
    """scope = process: a pool of its own for each process."""
    trace = Trace([Reference(pid, "R", page * 4096, 1) for page in (0, 1, 0, 1)
                   for pid in (5, 6)], True)
    check(simulate(trace, {"frames": "2", "policy": "lru"}), misses=8, frames=2)
    check(simulate(trace, {"frames": "2", "policy": "lru", "scope": "process"}), misses=4,
          frames=4, frames_used=4)


def filters() -> None:
    """refs and max-accesses."""
    check(run("R0 W1 I2 I3 R4", refs="data"), accesses=3, filtered=2, distinct_pages=3)
    check(run("R0 W1 I2 I3 R4", refs="fetch", max_accesses="1"), accesses=1, filtered=2)


def time() -> None:
    """Every event has its cost."""
    machine = run("W0 1 0 0", frames="1", pt_type="FOUR_LEVEL", tlb_size="1")
    # Three walks of 1, 4, 4 reads; three faults: two zero fills, one swap-in; one swap-out.
    expected = (4 * 1 + 4 * 100 + 9 * 100 + 3 * 1000 + 2 * 400 + 2 * 1000000) * 1000
    check(machine, stall_time_ps=expected, background_time_ps=0)
    machine = run("W0 1 0 0", frames="1", pt_type="FOUR_LEVEL", swap_write="background")
    check(machine, stall_time_ps=expected - 10**9, background_time_ps=10**9)
    check(run("0", tlb="off", cost_memory="5ps"), stall_time_ps=5 + 1500000)


def frames() -> None:
    """Frames from the size of memory."""
    equal([Config({}).frames, Config({"ram": "4G"}).frames, Config({"frames": "7"}).frames,
           Config({"ram": "1", "page-size": "256K"}).frames], [16384, 1 << 20, 7, 4])


def script(text: str, **options: str) -> Machine:
    """'M0+4:prot=3 W1 F:child=7 7.R1': references and events on pages of 4 KiB, by process 1.

    A range is first page + pages; another process stands before a dot.
    """
    trace = []
    for word in text.split():
        pid, _, rest = word.rpartition(".")
        place, _, told = rest[1:].partition(":")
        first, _, pages = place.partition("+")
        op = rest[0] + (":" + told if told else "")
        trace.append(Reference(int(pid or 1), op, int(first or 0) * 4096,
                               int(pages) * 4096 if pages else 1))
    return simulate(Trace(trace, True),
                    {name.replace("_", "-"): value for name, value in options.items()})


def fork_copies() -> None:
    """fork(2): the first write of each side copies, the last owner takes the page over."""
    check(script("M0+4:prot=3 W0 W1 F:child=7 7.R0 7.W0 W0 R1"), fault_zero_fill=2, fault_cow=1,
          fault_reuse=1, page_faults=4, copied_entries=2)
    check(script("M0+4:prot=3 W0 F:child=7 X W0 7.W0"), fault_cow=0, fault_reuse=1,
          fault_zero_fill=2)
    # A grandchild: three owners, so two copies.
    check(script("M0+1:prot=3 W0 F:child=7 7.F:child=8 W0 7.W0 8.W0"), fault_cow=2,
          fault_reuse=1, fault_zero_fill=1, copied_entries=2)


def fork_and_eviction() -> None:
    """One frame: what a fork shares is in one swap slot, and the page comes in once for both."""
    machine = script("M0+4:prot=3 W0 F:child=7 W1 7.R0 R0", frames="1")
    check(machine, fault_zero_fill=2, fault_swap_in=1, fault_swap_cached=1, swap_outs=2,
          copied_entries=1, page_faults=4)
    # A copy of what is on swap is read from there.
    check(script("M0+4:prot=3 W0 F:child=7 W1 7.W0", frames="1"), fault_zero_fill=2,
          fault_swap_in=1, fault_cow=0, page_faults=3)


def advice_on_fork() -> None:
    """What a child does not get, or not the content of; its parent goes on without a fault."""
    strict = {"mappings": "complete"}
    check(script("M0+2:prot=3 W0 W1 A0+1:advice=10 F:child=7 W0 7.R0 7.R1", **strict),
          fault_zero_fill=2, fault_invalid=1, copied_entries=1, fault_cow=0, fault_reuse=0)
    check(script("M0+2:prot=3 W0 A0+1:advice=10 A0+1:advice=11 F:child=7 7.R0", **strict),
          fault_zero_fill=1, fault_invalid=0, copied_entries=1)
    check(script("M0+2:prot=3 W0 W1 A0+1:advice=18 F:child=7 W0 7.R0 7.R1", **strict),
          fault_zero_fill=3, fault_invalid=0, copied_entries=1, fault_cow=0, fault_reuse=0)
    # It is so for the child's children, too, until it is taken back; not for files.
    check(script("M0+1:prot=3 A0+1:advice=18 F:child=7 7.W0 7.F:child=8 8.R0", **strict),
          fault_zero_fill=2)
    check(script("M0+1:prot=3 W0 A0+1:advice=18 A0+1:advice=19 F:child=7 7.R0", **strict),
          fault_zero_fill=1, copied_entries=1)
    check(script("M0+1:prot=3,file=1 W0 A0+1:advice=18 F:child=7 7.R0", **strict),
          page_faults=1, copied_entries=1)
    # A segment that no mapping of a child holds goes with that of its parent.
    check(script("M0+1:prot=3,shared W0 A0+1:advice=10 F:child=7 X", **strict), discards=1)


def shared_memory() -> None:
    """Memory that is shared is never copied; a child finds it by faults of its own."""
    check(script("M0+4:prot=3,shared W0 F:child=7 7.R0 7.W0 W0"), fault_zero_fill=1,
          fault_shared_attach=1, page_faults=2, copied_entries=0)
    # Two views of a segment: one page.
    check(script("M0+1:prot=3,shared,file=100 2.M8+1:prot=3,shared,file=100 W0 2.R8"),
          fault_zero_fill=1, fault_shared_attach=1, misses=1)
    # DONTNEED takes the entry, not the page.
    check(script("M0+1:prot=3,shared W0 A0+1:advice=4 R0"), fault_zero_fill=1,
          fault_shared_attach=1, discards=0)


def files() -> None:
    """Files: read once, copied by private writes, told of shared ones, written back in place."""
    check(script("M0+2:prot=1,file=1 2.M0+2:prot=1,file=1 R0 2.R0 R0"), fault_file_read=1,
          fault_file_cached=1, page_faults=2)
    check(script("M0+2:prot=3,file=1 R0 W0 W0 R0"), fault_file_read=1, fault_cow=1,
          page_faults=2)
    check(script("M0+2:prot=3,file=1,shared R0 W0 W0"), fault_file_read=1,
          fault_write_notify=1, page_faults=2, file_writes=0)
    check(script("M0+2:prot=3,file=1,shared W0 R1 R0", frames="1"), fault_file_read=3,
          fault_write_notify=0, file_writes=1, swap_outs=0)
    check(script("M0+2:prot=1,file=1 R0", file_cache="warm"), fault_file_cached=1,
          major_faults=0)
    # The page cache outlives the mapping; the offset says which page it is.
    check(script("M0+1:prot=1,file=1,offset=4096 R0 U0+1 M4+2:prot=1,file=1 R5"),
          fault_file_read=1, fault_file_cached=1, discards=0)


def zeros() -> None:
    """The page of zeros: mapped by reads, left by the first write."""
    check(script("M0+4:prot=3 R0 R1 R0 W0", zero_page="on"), fault_zero_map=2,
          fault_zero_fill=1, fault_cow=0, page_faults=3)
    check(script("M0+4:prot=3 R0 R1 R0 W0"), fault_zero_map=0, fault_zero_fill=2, page_faults=2)


def vforks() -> None:
    """vfork(2): the child runs in its parent's space until it executes another program."""
    check(script("M0+4:prot=3 W0 F:child=7,vfork 7.R0 7.W0 7.W1 W1"), fault_zero_fill=2,
          page_faults=2, copied_entries=0)
    check(script("M0+4:prot=3 W0 F:child=7,vfork 7.E 7.R0 W0"), fault_zero_fill=2,
          page_faults=2, discards=0)


def remaps() -> None:
    """mremap(2): pages move with their content; what is cut off is gone."""
    check(script("M0+2:prot=3 W0 W1 V0+2:target=32768,bytes=8192 R8 R9"), fault_zero_fill=2,
          page_faults=2, discards=0, copied_entries=0)
    check(script("M0+2:prot=3 W0 W1 V0+2:target=0,bytes=4096 R0"), fault_zero_fill=2,
          page_faults=2, discards=1)
    check(script("M0+2:prot=3 W0 V0+2:target=32768,bytes=8192 R0", mappings="complete"),
          fault_zero_fill=1, fault_invalid=1)
    # Of 0 bytes: shared pages are mapped a second time, private ones are not.
    check(script("M0+2:prot=3,shared W1 V1+0:target=32768,bytes=4096 W8 R1", mappings="complete"),
          fault_zero_fill=1, fault_shared_attach=1, page_faults=2, fault_invalid=0)
    check(script("M0+2:prot=3 W1 V1+0:target=32768,bytes=4096 W8", mappings="complete"),
          fault_zero_fill=1, fault_invalid=1)


def forbidden() -> None:
    """With all mappings known, what is outside of them or against their protection is invalid."""
    check(script("M0+2:prot=1 R0 W0 R5 P0+1:prot=0 R0 P0+1:prot=3 W0", mappings="complete"),
          fault_invalid=3, fault_zero_fill=1, page_faults=4)
    check(script("M0+2:prot=1 R0 W0 R5"), fault_invalid=0, fault_zero_fill=2)


def killed() -> None:
    """invalid=kill: the process gives its memory up, what it does later is dropped; its number can be used again."""
    strict = {"mappings": "complete", "invalid": "kill"}
    check(script("M0+2:prot=1 R0 R1 W0 R0 M8+1:prot=3 W8", **strict), fault_invalid=1, kills=1,
          dropped=2, discards=2, events=1, accesses=3, frames_used=0)
    # Its children are not there; another process goes on; one that gets the number is alive.
    check(script("M0+2:prot=3 F:child=7 W5 F:child=8 8.W0 7.W0 7.F:child=1 W0", **strict),
          fault_invalid=1, kills=1, dropped=1, events=3, accesses=3, fault_cow=1,
          fault_zero_fill=1)
    check(script("M0+1:prot=3 W5 X M0+1:prot=3 W0", **strict), kills=1, dropped=0, events=2,
          fault_zero_fill=1)
    # The kernel's touch of a bad buffer fails, and that is all. What a reference crosses into is
    # not looked up any more.
    trace = Trace([Reference(0, "M:prot=1", 0, 8192), Reference(0, "w", 0, 1),
                   Reference(0, "W", 4090, 16), Reference(0, "R", 0, 1)], True)
    check(simulate(trace, strict), fault_invalid=2, page_references=2, kills=1, dropped=1)
    check(run("0 W1 R0", vspace="4K", invalid="kill"), kills=1, dropped=1, discards=1)


def stopped() -> None:
    """invalid=stop: the run ends behind the reference."""
    machine = script("M0+1:prot=1 R0 W0 R0", mappings="complete", invalid="stop")
    equal(machine.stopped, True)
    check(machine, accesses=2, fault_invalid=1, frames_used=1, kills=0)


def locks() -> None:
    """mlock: the range comes in at once and stays; a policy that names a locked page sees it return."""
    check(script("M0+4:prot=3 K0+2 R0 R1", frames="4"), kernel_references=2, fault_zero_fill=2,
          page_faults=2, frames_locked=2)
    # LRU: 0 and 1 are the oldest, but 2 goes for 3.
    machine = script("M0+4:prot=3 K0+2 R2 R3", policy="lru", frames="3")
    check(machine, replacements=1, misses=4, frames_locked=2)
    equal(resident(machine), [0, 1, 3])
    # MRU names nothing but locked pages and the new one: the page with the lowest address goes.
    machine = script("M0+8:prot=3 K1+1 R5 R4 R1 R6", policy="mru", frames="3")
    check(machine, replacements=1)
    equal(resident(machine), [1, 5, 6])
    equal(resident(script("M0+4:prot=3 K0+2 L0+1 R2 R3", policy="lru", frames="3")), [1, 2, 3])
    # All frames are locked: out of memory.
    check(script("M0+4:prot=3 K0+2 R2", frames="2"), oom_events=1, replacements=0)
    # Exit and unmap unlock; a map may be locked from the beginning.
    check(script("M0+2:prot=3,locked X M0+2:prot=3 R0 R1", frames="2"), discards=2,
          kernel_references=2, frames_locked=0)
    check(script("M0+2:prot=3,locked U0+1 R1", frames="2"), frames_locked=1, discards=1)
    # A child has no lock, but its parent's holds the page; a copy leaves the lock behind.
    machine = script("M0+1:prot=3 K0+1 F:child=7 7.R0 7.R8 7.R9", policy="lru", frames="2")
    check(machine, frames_locked=1, replacements=1)
    check(script("M0+1:prot=3 K0+1 F:child=7 W0 7.R8 7.R9", policy="lru", frames="2",
                 mappings="partial"), frames_locked=1, copies=1, replacements=2, swap_outs=1)
    # MADV_DONTNEED is refused; what moves stays locked.
    check(script("M0+1:prot=3 K0+1 A0+1 R0"), discards=0, misses=1)
    check(script("M0+1:prot=3 K0+1 V0+1:target=32768,bytes=8192"), frames_locked=2,
          kernel_references=2)
    # Read-only memory is read in, shared memory too; what cannot be used is left alone.
    check(script("M0+1:prot=1 M1+1:prot=3,shared M2+1:prot=0 K0+3", zero_page="on"),
          fault_zero_map=1, fault_zero_fill=1, kernel_references=2)


def main() -> int:
    """The command."""
    tap = Tap()
    for test in (random_numbers, units, crossing, invalid, page_tables, tables_stay, tlb_policies,
                 tlb_writebacks, switches, textbook_strings, clock, lfu, mru, aging, nru,
                 tlb_fill_bits, future, swap_cache, out_of_memory, store, pools, filters, time,
                 frames, fork_copies, fork_and_eviction, advice_on_fork, shared_memory, files,
                 zeros, vforks, remaps, forbidden, killed, stopped, locks):
        tap.run("model: " + (test.__doc__ or test.__name__).split("\n")[0], test)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
