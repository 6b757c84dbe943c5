#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Read-ahead: the library against the reference model, where files are mapped and read in order.

    python3 tests/property/test_ahead.py                 the fixed set, as every test run does
    python3 tests/property/test_ahead.py --seed 5000 --cases 20000     a long run elsewhere

The cases of test_random.py seldom come to a second window of a file. These go through large
mappings in order, backwards and at random, by several processes, with advice of madvise(2), in
memories that hold a few windows. Beside equality with the model: what is read ahead was used, was
read in vain, or waits; and each kind of it occurs.
"""

from __future__ import annotations

import argparse
import sys
from random import Random

from cases import Case, Reference, random_policy_for_events
from compare import problem, run_model
from tap import Tap

SEED = 1
CASES = 500
MOST_SHOWN = 5
COUNTED = ("pages_read_ahead", "read_ahead_requests", "read_ahead_hits", "read_ahead_wasted",
           "swap_ins_ahead")
NORMAL, RANDOM, SEQUENTIAL, WILLNEED = 0, 1, 2, 3
# Of VMIN it is only defined what it decides of pages that one process uses alone; and LRU-K does not
# say which of several pages leaves that came in at one time.
UNDEFINED = ("vmin", "lruk")
PRIVATE = 2 ** 28  # where private anonymous memory is mapped


class Area:
    """A mapping, and a process that goes through it."""

    def __init__(self, rng: Random, pid: int, start: int, pages: int) -> None:
        self.rng, self.pid, self.start, self.pages = rng, pid, start, pages
        self.place = 0

    def next_page(self) -> int:
        """Mostly the next one."""
        self.place += self.rng.choice((1, 1, 1, 1, 1, 1, 2, -1))
        if self.rng.random() < 0.06:
            self.place = self.rng.randrange(self.pages)
        return self.start + self.place % self.pages


class FileTrace:
    """Makes a trace."""

    def __init__(self, rng: Random, page_size: int) -> None:
        self.rng, self.page_size = rng, page_size
        self.pids = rng.sample((1, 2, 7, 4242), rng.choice((1, 1, 2, 3)))
        self.areas: list[Area] = []
        self.trace: list[Reference] = []
        self.ops = rng.choice(("R", "R", "RRRRRW", "RI"))

    def event(self, pid: int, text: str, start: int, pages: int) -> None:
        """One on a range of pages."""
        self.trace.append((pid, text, start * self.page_size, pages * self.page_size))

    def map(self) -> None:
        """A mapping of a file, or of private memory."""
        rng, pid = self.rng, self.rng.choice(self.pids)
        pages = rng.choice((3, 17, 40, 100, 300))
        if rng.random() < 0.3:
            self.event(pid, "M:prot=3", PRIVATE, pages)
            self.areas.append(Area(rng, pid, PRIVATE, pages))
            return
        words = f"prot=3,file={rng.choice((1, 1, 2))}"
        words += f",offset={rng.choice((0, 0, 0, 3, 50)) * self.page_size}"
        words += rng.choice(("", ",shared"))
        start = rng.choice((0x400, 0x10003, 0x7F000))
        self.event(pid, "M:" + words, start, pages)
        self.areas.append(Area(rng, pid, start, pages))

    def advise(self, area: Area) -> None:
        """madvise(2) on a part of a mapping."""
        rng = self.rng
        first = rng.choice((0, 0, rng.randrange(area.pages)))
        pages = rng.choice((area.pages, rng.randint(1, area.pages)))
        if area.start == PRIVATE:
            first, pages = 0, area.pages
        advice = WILLNEED if area.start == PRIVATE else rng.choice((NORMAL, RANDOM, SEQUENTIAL, SEQUENTIAL, WILLNEED, WILLNEED))
        self.event(area.pid, f"A:advice={advice}", area.start + first, pages)

    def step(self) -> None:
        """Some references of one process, and perhaps an event before them."""
        rng, area = self.rng, self.rng.choice(self.areas)
        chance = rng.random()
        if chance < 0.25:
            self.advise(area)
        elif chance < 0.4:
            self.map()
        elif chance < 0.5:
            child = area.pid + 100
            self.event(area.pid, f"F:child={child}", 0, 0)
            self.areas.append(Area(rng, child, area.start, area.pages))
        elif chance < 0.53:
            self.event(area.pid, rng.choice("UX"), area.start, rng.randint(1, area.pages))
        ops = "RW" if area.start == PRIVATE else self.ops
        for _ in range(rng.choice((1, 5, 40, 120))):
            self.trace.append((area.pid, rng.choice(ops), area.next_page() * self.page_size, 1))


def ahead_policy(rng: Random, future: bool) -> str:
    """A policy of which it is defined what it does."""
    policy = random_policy_for_events(rng, future)
    while policy.startswith(UNDEFINED):
        policy = random_policy_for_events(rng, future)
    return policy


def ahead_case(seed: int) -> Case:
    """The case of a seed."""
    rng = Random(seed)
    page_size = rng.choice((512, 4096, 4096, 8192))
    made = FileTrace(rng, page_size)
    made.map()
    for _ in range(rng.choice((1, 5, 20))):
        made.step()
    future = rng.random() < 0.5
    options = {
        "frames": str(rng.choice((1, 2, 5, 16, 40, 100, 400))),
        "page-size": str(page_size),
        "read-ahead": str(page_size * rng.choice((1, 2, 3, 4, 8, 8, 32, 32))),
        "policy": ahead_policy(rng, future),
        "initial": "zero",
    }
    if rng.random() < 0.3:
        options["file-cache"] = "warm"
    if rng.random() < 0.4:
        options["fault-around"] = str(page_size * rng.choice((4, 16)))
    if rng.random() < 0.2:
        options["swap"] = f"{max(1, page_size * 8 // 1024)}K"
    if rng.random() < 0.3:
        options["mappings"] = "complete"
    mode = rng.choice(("runs", "full")) if future else "feed"
    if mode != "feed":
        mode += f":{page_size}"
        if mode.startswith("runs"):
            options.pop("mappings", None)
    return Case(options, made.trace, mode)


def run(tap: Tap, seed: int, count: int) -> None:
    """Random cases, and what they have come to."""
    failures: list[str] = []
    total = dict.fromkeys(COUNTED, 0)
    for number in range(seed, seed + count):
        case = ahead_case(number)
        why = problem(case)
        if why is not None:
            failures.append(f"seed {number}, {case.mode}: {case.command()}\n{why}")
        model = run_model(case)
        for name in COUNTED:
            total[name] += model.count[name]
        waiting = (model.count["pages_read_ahead"] - model.count["read_ahead_hits"]
                   - model.count["read_ahead_wasted"])
        if waiting != len(model.ahead):
            failures.append(f"seed {number}: {waiting} pages wait, found {len(model.ahead)}")
    tap.result(f"library = model: read-ahead, {count} random cases",
               "\n\n".join(failures[:MOST_SHOWN]) or None)
    never = [name for name, value in total.items() if value < count // 5]
    tap.result("every kind of read-ahead occurs often enough",
               f"seldom: {', '.join(never)} of {total}" if never else None)


def main() -> int:
    """Runs it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--cases", type=int, default=CASES)
    arguments = parser.parse_args()
    tap = Tap()
    run(tap, arguments.seed, arguments.cases)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
