#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A reduced trace with events has the faults and write-backs of the whole one, for LRU.

Random traces of processes that fork, map, share and unmap, reduced by the program for k frames,
and both simulated with k frames and more. References that no mapping allows are not promised, so
all addresses are anonymous memory where nothing else is said, and what is mapped may be used.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random

import libvmm
from cases import Reference, with_events
from tap import Tap

CASES = 100
PAGE = 4096
COMPARED = ("swap_ins", "swap_outs", "fault_file_read", "fault_cow", "fault_reuse",
            "fault_zero_fill", "fault_zero_map", "page_faults", "replacements")
PROGRAM = Path(os.environ.get("VMM_BIN_DIR", "bin")) / "vmm"


def random_trace(rng: Random) -> list[Reference]:
    """Some processes near each other's addresses, and what happens to them."""
    pages, pids = rng.choice((4, 12, 40)), rng.choice(((1,), (1, 2)))
    trace, center = [], 0
    for _ in range(rng.choice((60, 400))):
        if rng.random() < 0.1:
            center = rng.randrange(pages)
        page = (center + rng.choice((0, 0, 1, 2, rng.randrange(pages)))) % pages
        trace.append((rng.choice(pids), rng.choice("RRW"), page * PAGE, 1))
    events = with_events(rng, trace, PAGE)
    return [(pid, op.replace("prot=1", "prot=3").replace("prot=0", "prot=3")
             .replace("prot=7", "prot=3"), addr, size) for pid, op, addr, size in events]


def random_options(rng: Random, frames: int) -> dict[str, str]:
    """A machine with LRU."""
    options = {"policy": "lru", "frames": str(frames), "tlb": "off", "mappings": "partial"}
    for name, value in (("zero-page", "on"), ("file-cache", "warm"), ("initial", "store"),
                        ("fault-around", str(PAGE * rng.choice((2, 4, 16))))):
        if rng.random() < 0.4:
            options[name] = value
    return options


def counted(path: Path, options: dict[str, str]) -> dict[str, int]:
    """What is promised to be equal."""
    with libvmm.Machine(options) as machine, libvmm.Trace(str(path)) as trace:
        code = libvmm.run([machine], trace)
        assert code == 0, machine.error_text()
        counters = machine.counters()
    return {name: counters[name] for name in COMPARED}


def check(seed: int, folder: Path) -> None:
    """One random trace."""
    rng = Random(seed)
    whole, reduced, k = folder / "whole.vmt", folder / "reduced.vmt", rng.choice((1, 2, 3, 5, 9))
    libvmm.write_vmt(str(whole), random_trace(rng), "full", PAGE)
    done = subprocess.run([PROGRAM, "trace", "reduce", "-k", str(k), whole, "-o", reduced],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for frames in (k, k + 1, 2 * k, 4 * k + 3):
        options = random_options(rng, frames)
        expected, found = counted(whole, options), counted(reduced, options)
        assert expected == found, f"seed {seed}, k {k}, {options}:\n{expected}\n{found}"


def check_all(first: int, folder: Path) -> None:
    """Many of them."""
    for seed in range(first, first + CASES):
        check(seed, folder)


def main() -> int:
    """All tests."""
    tap = Tap()
    first = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    with tempfile.TemporaryDirectory() as folder:
        tap.run("reduced traces with events have the faults of LRU",
                lambda: check_all(first, Path(folder)))
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
