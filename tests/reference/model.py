#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The slow, independent model of the simulated machine.

    python3 tests/reference/model.py -t TRACE [the options of `vmm`]

It prints JSON with the keys of the program's report for everything that is counted. It exists to
be compared with the program: it was written from textbooks and from the counting rules, in the
plainest way, and shares no code with it.

Reading order: machine.py (one page reference), policies.py, tlb.py, page_table.py, config.py,
traces.py, splitmix.py.
"""

from __future__ import annotations

import argparse
import json
import sys

from config import Config, DEFAULTS
from machine import SHARE_OF_PAGE, Machine, simulate
from traces import read_trace

LETTERS = {"ram": "-r", "page-size": "-p", "swap": "-s", "vspace": "-v", "policy": "-a",
           "tlb-size": "-T", "max-accesses": "-n"}
ALIASES = {"policy": "--algorithm", "pt-type": "--page-table", "tlb-size": "--tlb-entries"}


def in_pages(process: dict[str, int]) -> dict:
    """The numbers of a process with its shares in pages."""
    shares = {name: round(process[name] / SHARE_OF_PAGE, 3) for name in ("pss", "swap_pss")}
    return process | shares


def report(machine: Machine) -> dict:
    """All numbers, the classic keys first."""
    counters = machine.counters()
    accesses, looked_up = counters["accesses"], counters["page_references"]
    stall = counters["stall_time_ps"]
    return {
        "total_accesses": accesses,
        "reads": counters["reads"],
        "writes": counters["writes"],
        "page_faults": counters["page_faults"],
        "major_faults": counters["major_faults"],
        "minor_faults": counters["minor_faults"],
        "page_fault_rate": round(counters["page_faults"] / accesses, 6) if accesses else 0,
        "tlb_hits": counters["tlb_hits"],
        "tlb_misses": counters["tlb_misses"],
        "tlb_hit_rate": round(counters["tlb_hits"] / looked_up, 4) if looked_up else 0,
        "swap_ins": counters["swap_ins"],
        "swap_outs": counters["swap_outs"],
        "replacements": counters["replacements"],
        "avg_memory_access_time_ns": round(stall / accesses / 1000, 2) if accesses else 0,
        "per_process": [in_pages(process) for process in machine.process_statistics()],
        "groups": machine.pressure.group_statistics(),
        "oom_victim": machine.pressure.victim,
        "fault_classes": machine.faults,
        **counters,
    }


def parse_arguments(arguments: list[str]) -> tuple[str, dict[str, str]]:
    """The trace's path and the options by name."""
    parser = argparse.ArgumentParser(description="reference model of the simulated machine")
    parser.add_argument("-t", "--trace", required=True)
    for name in DEFAULTS:
        flags = ["--" + name]
        flags += [table[name] for table in (LETTERS, ALIASES) if name in table]
        parser.add_argument(*flags, dest=name)
    given = vars(parser.parse_args(arguments))
    path = given.pop("trace")
    return path, {name: value for name, value in given.items() if value is not None}


def main() -> int:
    """The command."""
    path, options = parse_arguments(sys.argv[1:])
    trace = read_trace(path, Config(options).page_size)
    machine = simulate(trace, options)
    json.dump(report(machine), sys.stdout, indent=2)
    print()
    return 1 if machine.count["oom_events"] else 0


if __name__ == "__main__":
    sys.exit(main())
