#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Defects that a simulator of this kind once had: none of them may come back.

Every test names the wrong answer that was once given, so that it is clear what it guards. Pages
are read by process 0 unless a test says otherwise; memory is given as it was then: `-r` in MiB
and a page size that divides it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Callable, NamedTuple

import libvmm
from compare import Config, report
from machine import simulate
from tap import Tap, equal
from traces import read_trace

VMM = str(libvmm.BIN / "vmm")
TRACE_GEN = str(libvmm.BIN / "trace_gen")
MEBIBYTE = 1 << 20
BELADY = (1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5)
CYCLE_OF_5 = tuple(i % 5 for i in range(20))
CYCLE_OF_300 = tuple(i % 300 for i in range(20000))


class Run(NamedTuple):
    """What a run of the program gave."""

    status: int
    report: dict
    output: str
    errors: str
    text: str  # the JSON as it was written


class Bench:
    """Runs programs in a scratch folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def vmm(self, trace: str, *flags: str) -> Run:
        """Writes a trace and runs the program over it."""
        path, output = self.folder / "trace", self.folder / "report.json"
        path.write_text(trace)
        output.unlink(missing_ok=True)
        done = self.program(VMM, "-t", str(path), "-o", str(output), "--no-timing", *flags)
        text = output.read_text() if output.exists() else "{}"
        return Run(done.returncode, json.loads(text), done.stdout, done.stderr, text)

    def program(self, *command: str) -> subprocess.CompletedProcess:
        """Runs any command."""
        return subprocess.run(command, capture_output=True, text=True, check=False,
                              cwd=self.folder)

    def good(self, trace: str, *flags: str) -> dict:
        """A run that has to succeed; its report."""
        run = self.vmm(trace, *flags)
        equal(run.status, 0, f"exit status ({run.errors.strip()})")
        return run.report


def frames(count: int) -> tuple[str, ...]:
    """The flags for a memory of so many frames, a power of two."""
    return "-r", "1", "-p", str(MEBIBYTE // count)


def pages(numbers: object, count: int) -> str:
    """Reads of pages by process 0, on a memory of `count` frames of 1 MiB together."""
    return "".join(f"0 R {number * (MEBIBYTE // count):#x}\n" for number in numbers)


def ops(text: str) -> str:
    """'W0 R1': operations on pages of 1 MiB."""
    return "".join(f"0 {word[0]} {int(word[1:]) * MEBIBYTE:#x}\n" for word in text.split())


def zipf(processes: int, count: int, span: int) -> str:
    """A skewed trace of several processes."""
    rng = Random(2024)
    return "".join(
        f"{rng.randrange(processes)} {rng.choice('RRW')} "
        f"{int(span * rng.random() ** 4) * 4096 + rng.randrange(4096):#x}\n"
        for _ in range(count))


# ---- Numbers: defect, what, trace, flags, expected counters, what was given once ---------------

NUMBERS: tuple[tuple[int, str, str, tuple[str, ...], dict[str, int], str], ...] = (
    (3, "TWO_LEVEL page tables work", "0 R 0x1000\n", ("--pt-type", "TWO_LEVEL"),
     {"page_faults": 1, "total_accesses": 1}, "0 faults, invalid address"),
    (4, "TWO_LEVEL: pages 4 GiB apart are not aliases", "0 R 0x1000\n0 R 0x100001000\n",
     ("--pt-type", "TWO_LEVEL"), {"page_faults": 2, "distinct_pages": 2}, "1 fault"),
    (4, "TWO_LEVEL in 1 GiB of address space", "0 R 0x1000\n0 R 0x3ffff000\n0 R 0x20000000\n",
     ("--pt-type", "TWO_LEVEL", "-v", "1024"), {"page_faults": 3, "distinct_pages": 3},
     "table overflow"),
    (5, "FIFO, 4 frames, cycle of 5", pages(CYCLE_OF_5, 4), ("-a", "FIFO", *frames(4)),
     {"page_faults": 20}, "heap overflow"),
    (5, "FIFO, 256 frames, cycle of 300", pages(CYCLE_OF_300, 256),
     ("-a", "FIFO", "-r", "1"), {"page_faults": 20000}, "heap overflow"),
    (6, "FIFO, 2048 frames", pages(((7 * i) % 3000 for i in range(60000)), 256),
     ("-a", "FIFO", "-r", "8"), {"page_faults": 60000}, "21178"),
    (7, "LRU, 4 frames, cycle of 5", pages(CYCLE_OF_5, 4), ("-a", "LRU", *frames(4)),
     {"page_faults": 20}, "11"),
    (7, "LRU, 256 frames, cycle of 300", pages(CYCLE_OF_300, 256), ("-a", "LRU", "-r", "1"),
     {"page_faults": 20000}, "3226"),
    (8, "LRU, 4 frames, Belady's string", pages(BELADY, 4), ("-a", "LRU", *frames(4)),
     {"page_faults": 8}, "7"),
    (9, "LRU, 2 frames", pages((0, 1, 2, 3, 0, 1, 0, 1, 2, 3, 0, 1), 2),
     ("-a", "LRU", *frames(2)), {"page_faults": 10}, "8"),
    (11, "APPROX_LRU: a page's age does not come from the victim", pages(CYCLE_OF_5, 4),
     ("-a", "APPROX_LRU", *frames(4)), {"page_faults": 20}, "11"),
    (12, "CLOCK, 4 frames, Belady's string", pages(BELADY, 4), ("-a", "CLOCK", *frames(4)),
     {"page_faults": 10}, "7"),
    (12, "CLOCK, 4 frames, cycle of 5", pages(CYCLE_OF_5, 4), ("-a", "CLOCK", *frames(4)),
     {"page_faults": 20}, "14"),
    (13, "OPT, 4 frames of 256 KiB, Belady's string", pages(BELADY, 4),
     ("-a", "OPT", *frames(4)), {"page_faults": 6}, "7"),
    (13, "OPT, 4 frames of 256 KiB, cycle of 5", pages(CYCLE_OF_5, 4),
     ("-a", "OPT", *frames(4)), {"page_faults": 8}, "11"),
    (15, "a page read back from swap is not lost", ops("W0 R1 R0 R1 R0"),
     ("-a", "CLOCK", *frames(1)), {"major_faults": 2, "swap_ins": 2, "swap_outs": 1}, "1 major"),
    (16, "swap slot 0 holds a page too", ops("W0 R1 R0"), ("-a", "CLOCK", "-s", "1", *frames(1)),
     {"swap_ins": 1, "swap_outs": 1}, "0 swap-ins"),
    (18, "reads of new pages need no swap", ops("R0 R1 R2 R3"), ("-a", "CLOCK", *frames(1)),
     {"swap_ins": 0, "swap_outs": 0, "page_faults": 4}, "the same time as with swap"),
    (18, "written pages come and go through swap", ops("W0 W1 R0 R1"),
     ("-a", "CLOCK", *frames(1)), {"swap_ins": 2, "swap_outs": 2, "page_faults": 4},
     "the same time as without swap"),
    (19, "addresses beyond 4 GiB", "0 R 0x7fff00001000\n", (),
     {"total_accesses": 1, "page_faults": 1, "distinct_pages": 1}, "the access failed"),
    (20, "failed accesses are accesses and faults", "0 R 0x1000\n0 R 0xffff000000000000\n", (),
     {"total_accesses": 2, "page_faults": 2, "tlb_misses": 2, "distinct_pages": 1},
     "counted in the total, not as faults"),
    (21, "seventeen processes", "".join(f"{pid} R 0x1000\n" for pid in range(17)), (),
     {"total_accesses": 17, "page_faults": 17, "processes": 17}, "the 17th was left out"),
    (22, "0X5000 is 0x5000", "0 R 0x5000\n0 R 0X5000\n0 R 0\n", (), {"page_faults": 2},
     "address 0"),
    (26, "4 GiB of memory", "0 R 0x1000\n", ("-r", "4096"),
     {"page_faults": 1, "frames": 1 << 20}, "no frames"),
    (27, "5000 MiB of memory", "0 R 0x1000\n", ("-r", "5000"), {"frames": 5000 * 256},
     "904 MiB"),
    (29, "4 GiB of swap", ops("W0 R1 R0"), ("-s", "4096", *frames(1)), {"swap_ins": 1},
     "no slots"),
    (29, "16 TiB of address space", "0 R 0x1000\n0 R 0xffffffff000\n", ("-v", "16777216"),
     {"page_faults": 2, "distinct_pages": 2}, "no pages"),
    (40, "page tables of 16 sparse processes",
     "".join(f"{pid} R 0x7fff00001000\n" for pid in range(16)), ("--pt-type", "SINGLE"),
     {"page_table_bytes": 16 * 4096}, "256 MiB"),
)

# ---- Refused: defect, trace or flags, exit status ------------------------------------------------

BAD_RECORDS = (
    (22, "0 R 0xZZ"), (22, "0 R 0x"), (22, "0 R 0x12345678901234567890"),
    (23, "-1 R 0x1000"), (23, "99999999999 R 0x1000"),
    (24, "0 X 0x1000"), (24, "0 ? 0x1000"), (24, "0 READ 0x1000"), (24, "0,R,0x1000"),
)

BAD_FLAGS = (
    (26, ("-r", "0")), (26, ("-r", "abc")), (27, ("-r", "-1")),
    (28, ("-p", "0")), (28, ("-p", "1")), (28, ("-p", "1073741824")),
    (29, ("-T", "-1")), (29, ("-T", "0")), (29, ("-s", "-1")), (29, ("-v", "-1")),
    (31, ("-o", "results/x.json")),
)

BAD_GENERATION = (
    ("-p", "0"), ("-a", "0"), ("-a", "99999999999999999999"), ("-p", "-1", "-t", "working_set"),
    ("-n", "abc"),
)


def numbers(tap: Tap, bench: Bench) -> None:
    """The table of counts."""
    for defect, what, trace, flags, expected, once in NUMBERS:

        def test() -> None:
            found = bench.good(trace, *flags)
            equal({name: found[name] for name in expected}, expected, f"once: {once}; counters")
        tap.run(f"defect {defect}: {what}", test)


def refusals(tap: Tap, bench: Bench) -> None:
    """Bad records, bad flags: a message and the right exit status, no silent success."""
    for defect, line in BAD_RECORDS:

        def bad_record() -> None:
            run = bench.vmm(f"0 R 0x1000\n{line}\n0 R 0x2000\n")
            equal(run.status, 2, "exit status")
            assert "2" in run.errors, f"the message names no line: {run.errors}"
            run = bench.vmm(f"0 R 0x1000\n{line}\n0 R 0x2000\n", "--skip-bad-records")
            equal((run.status, run.report["total_accesses"]), (0, 2), "status, accesses, skipped")
        tap.run(f"defect {defect}: the record '{line}' is bad", bad_record)
    for defect, flags in BAD_FLAGS:

        def bad_flag() -> None:
            (bench.folder / "trace").write_text("0 R 0x1000\n")
            done = bench.program(VMM, "-t", "trace", *flags)
            equal(done.returncode, 1, "exit status")
            assert done.stderr.strip(), "no message"
        tap.run(f"defect {defect}: {' '.join(flags)} is refused", bad_flag)
    for flags in BAD_GENERATION:

        def bad_generation() -> None:
            done = bench.program(TRACE_GEN, "-o", "made", "-n", "10", *flags)
            equal(done.returncode, 1, "exit status")
            assert done.stderr.strip(), "no message"
        tap.run(f"defect 32: trace_gen {' '.join(flags)} is refused", bad_generation)


# ---- Defects that need more than a table ---------------------------------------------------------

def full_report(bench: Bench) -> None:
    """1: the shipped build crashed at exit; a piped report was lost."""
    run = bench.vmm("0 R 0x1000\n")
    equal(run.status, 0, "exit status")
    equal(run.output.rstrip().splitlines()[-1], "Simulation completed successfully.", "last line")


def same_bytes(bench: Bench) -> None:
    """10: LRU decided by the wall clock; twelve runs gave two answers, both wrong."""
    trace = zipf(3, 30000, 5000)
    runs = [bench.vmm(trace, "-a", "LRU", "-r", "1") for _ in range(4)]
    equal(len({run.text for run in runs}), 1, "different reports")
    equal(len({run.output for run in runs}), 1, "different outputs")
    equal(runs[0].report["page_faults"], by_model(bench, {"policy": "lru", "ram": "1"}), "faults")


def by_model(bench: Bench, options: dict[str, str]) -> int:
    """The reference model's faults for the last trace."""
    content = read_trace(str(bench.folder / "trace"), Config(options).page_size)
    return report(simulate(content, options))["page_faults"]


def clock_variants(bench: Bench) -> None:
    """12: the bit with which a page enters can be chosen."""
    for enter in ("0", "1"):
        policy = f"clock:bits=1,enter={enter}"
        found = bench.good(pages(BELADY, 4), "-a", policy, *frames(4))["page_faults"]
        equal(found, by_model(bench, {"policy": policy, "ram": "1", "page-size": "256K"}), policy)


def opt_at_any_page_size(bench: Bench) -> None:
    """13: OPT looked ahead in pages of 4096 bytes whatever the page size was."""
    trace = zipf(2, 20000, 3000)
    for size in ("8K", "16K"):
        found = bench.good(trace, "-a", "OPT", "-r", "1", "-p", size)["page_faults"]
        equal(found, by_model(bench, {"policy": "opt", "ram": "1", "page-size": size}), size)


def opt_without_future(_: Bench) -> None:
    """14: OPT fed reference by reference took every page as never used again."""
    with libvmm.Machine({"policy": "opt", "frames": "4"}) as machine:
        equal(machine.feed([(0, "R", 0x1000, 1)]), libvmm.E_NEEDS_FUTURE, "error code")


def full_swap(bench: Bench) -> None:
    """17: pages that found no room in swap were dropped in silence."""
    run = bench.vmm(ops("W0 W1 W2 W3 W4 R0 R1 R2 R3 R4"), "-a", "CLOCK", "-s", "1", *frames(1))
    equal(run.status, 1, "exit status")
    assert "swap" in run.errors.lower(), f"no word about swap: {run.errors}"
    expected = {"oom_events": 1, "total_accesses": 3, "swap_outs": 1, "page_faults": 3}
    equal({name: run.report[name] for name in expected}, expected, "counters")


def swap_costs_time(bench: Bench) -> None:
    """18: swapping took no time."""
    plain = bench.good(ops("R0 R1 R2 R3"), *frames(1))["avg_memory_access_time_ns"]
    swapping = bench.good(ops("W0 W1 R0 R1"), *frames(1))["avg_memory_access_time_ns"]
    assert swapping > plain, f"with swap {swapping} ns, without {plain} ns"


def long_line(bench: Bench) -> None:
    """25: a line was cut after 255 characters, its rest taken as another access."""
    run = bench.vmm("0 R 0x1000 " + 244 * "x" + "0 R 0x2000\n0 R 0x1000\n")
    assert run.status == 2 or run.report["total_accesses"] == 2, "the line was cut"


def no_trace(bench: Bench) -> None:
    """30: a directory and an empty file were simulated with success."""
    (bench.folder / "empty").write_text("")
    for path in (str(bench.folder), "empty"):
        done = bench.program(VMM, "-t", path)
        assert done.returncode in (1, 2), f"{path}: exit status {done.returncode}"
        assert done.stderr.strip(), f"{path}: no message"


def generate(bench: Bench, *flags: str) -> list[tuple[int, str, int]]:
    """Makes a trace; its references as pid, op, page."""
    done = bench.program(TRACE_GEN, "-o", "made", *flags)
    equal(done.returncode, 0, f"exit status ({done.stderr.strip()})")
    words = (line.split() for line in (bench.folder / "made").read_text().splitlines()
             if not line.startswith("#"))
    return [(int(word[0]), word[1], int(word[2], 16) // 4096) for word in words]


def random_pattern(bench: Bench) -> None:
    """35: pids ran 1 2 3 0 for ever, one of them wrote, each page came once before any twice."""
    made = generate(bench, "-t", "random", "-n", "300000")
    equal(len(made), 300000, "references")
    for pid in range(4):
        mine = [(op, page) for who, op, page in made if who == pid]
        written = sum(op == "W" for op, _ in mine)
        assert 70000 < len(mine) < 80000, f"process {pid} has {len(mine)} references"
        assert 0.1 * len(mine) < written < 0.5 * len(mine), f"process {pid} wrote {written}"
        assert len({page % 4 for _, page in mine}) == 4, "the page tells the process"
        assert len({page for _, page in mine}) < len(mine), "no page came twice"
    turns = sum(one[0] == (other[0] + 1) % 4 for other, one in zip(made, made[1:]))
    assert turns < 0.3 * len(made), "the processes take turns"


def working_sets(bench: Bench) -> None:
    """36: only one process's working set ever moved."""
    made = generate(bench, "-t", "working_set", "-n", "40000")
    for pid in range(4):
        mine = [page for who, _, page in made if who == pid]
        first, last = often(mine[:len(mine) // 10]), often(mine[-len(mine) // 10:])
        assert first and last, f"process {pid} has no working set"
        assert first != last, f"the working set of process {pid} stands still"


def often(references: list[int]) -> set[int]:
    """The pages that make up a working set: referenced at least three times."""
    count: dict[int, int] = {}
    for page in references:
        count[page] = count.get(page, 0) + 1
    return {page for page, times in count.items() if times >= 3}


def thrashing(bench: Bench) -> None:
    """37: the thrashing pattern fitted into the memory it was meant for."""
    generate(bench, "-t", "thrashing", "-n", "15000")
    found = bench.good((bench.folder / "made").read_text(), "-r", "8")
    assert found["replacements"] > 5000, f"{found['replacements']} replacements"
    assert found["page_fault_rate"] > 0.5, f"fault rate {found['page_fault_rate']}"


SPECIAL: tuple[tuple[int, str, Callable[[Bench], None]], ...] = (
    (1, "exit status 0 and the whole report", full_report),
    (10, "LRU gives the same bytes every time, and the right count", same_bytes),
    (12, "the bit with which CLOCK loads a page can be chosen", clock_variants),
    (13, "OPT at 8 and 16 KiB pages", opt_at_any_page_size),
    (14, "OPT without a trace is an error", opt_without_future),
    (17, "a full swap is told and counted", full_swap),
    (18, "swapping takes time", swap_costs_time),
    (25, "long lines are not cut", long_line),
    (30, "a directory and an empty file are no traces", no_trace),
    (35, "trace_gen random: independent draws", random_pattern),
    (36, "trace_gen working_set: every process's set moves", working_sets),
    (37, "trace_gen thrashing thrashes in 8 MiB", thrashing),
)


def main() -> int:
    """The command."""
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        numbers(tap, bench)
        refusals(tap, bench)
        for defect, what, test in SPECIAL:
            tap.run(f"defect {defect}: {what}", lambda: test(bench))
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
