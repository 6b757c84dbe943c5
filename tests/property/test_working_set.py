#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The working set over time against its definition, on sets of pages, window by window.

    python3 tests/property/test_working_set.py [--seed N] [--cases N]

Random traces with events and several processes, in references and in page runs; and phases that are
plain to see.
"""

from __future__ import annotations

import argparse
import sys

import libvmm
from cases import Case
from compare import Config, shrink
from tap import Tap, equal
from test_curves import open_trace, page_references, random_case

WINDOWS = (1, 2, 7, 50, 333, 10000)
FIELDS = ("first", "length", "pages", "shared", "new_pages", "distance", "phase")


def by_definition(stream: list, length: int, threshold: float) -> list[tuple]:
    """Each window as its set of pages; a page that was given up is one that never was."""
    result: list[tuple] = []
    before: set = set()
    seen: set = set()
    number: dict[tuple, int] = {}  # how often a page was given up: it then is another one
    window: list = []
    place = 0

    def close() -> None:
        nonlocal before, window, place
        pages = {one for one in window if one is not None}
        either = pages | before
        distance = 0.0
        phase = 1
        if result:
            distance = 1.0 - len(pages & before) / len(either) if either else 0.0
            whole = len(window) == length
            phase = result[-1][6] + (whole and distance > threshold)
        result.append((place, len(window), len(pages), len(pages & before), len(pages - seen),
                       distance, phase))
        place += len(window)
        seen.update(pages)
        before, window = pages, []

    for one in stream:
        if callable(one):
            for page in {page[:2] for page in [*seen, *window] if page and one(page[:2])}:
                number[page] = number.get(page, 0) + 1
            continue
        window.append(None if one[1] is None else (*one, number.get(one, 0)))
        if len(window) == length:
            close()
    if window:
        close()
    return result


def problem(case: Case, threshold: float = 0.0) -> str | None:
    """How the windows differ from the definition."""
    stream = page_references(case)
    for length in WINDOWS:
        expected = by_definition(stream, length, threshold or 0.5)
        with open_trace(case) as trace:
            found = [tuple(getattr(one, name) for name in FIELDS)
                     for one in libvmm.working_set(case.options, trace, length, threshold)]
        for number, (one, other) in enumerate(zip(expected, found)):
            if one != other:
                return (f"window {number} of {length}: {FIELDS} by definition {one}, "
                        f"found {other}")
        if len(expected) != len(found):
            return f"{len(found)} windows of {length}, expected {len(expected)}"
    return None


def fails(case: Case) -> str | None:
    """The problem of a case that is being made smaller: one that cannot be run has none."""
    try:
        return problem(case)
    except libvmm.VmmError:
        return None


def random_cases(seed: int, count: int) -> None:
    """The definition on many cases."""
    for number in range(seed, seed + count):
        case = random_case(number, plain=True)
        if "vspace" in case.options and Config(case.options).page_size > 4096:
            del case.options["vspace"]  # it may be less than a page
        why = problem(case, (0.0, 0.25, 1.0)[number % 3])
        if why is not None:
            case = shrink(case, fails)
            shown = "\n".join(map(str, case.references[:40]))
            raise AssertionError(f"seed {number}\n{case.mode}: {case.command()}\n{shown}\n{why}")


def plain_phases() -> None:
    """Two loops in turn: phases are where they change, and nowhere else."""
    loops = [0] * 300 + [1] * 200 + [0] * 100
    references = [(0, "R", (loop * 1000 + place % 10) * 4096, 1)
                  for place, loop in enumerate(loops)]
    case = Case({"frames": "1", "page-size": "4096"}, references, "run")
    with open_trace(case) as trace:
        windows = libvmm.working_set(case.options, trace, 50)
    equal([window.phase for window in windows], [1] * 6 + [2] * 4 + [3] * 2, "phases")
    equal({window.pages for window in windows}, {10}, "working sets")
    equal([window.new_pages for window in windows], [10] + [0] * 5 + [10] + [0] * 5, "new pages")


def wrong_options() -> None:
    """What cannot be is refused with a sentence."""
    case = Case({"frames": "1", "page-size": "4096"}, [(0, "R", 4096, 1)], "run")
    for window, threshold, text in ((0, 0.0, "window is 0"), (1, -0.1, "threshold"),
                                    (1, 1.5, "threshold"), (1, float("nan"), "threshold")):
        with open_trace(case) as trace:
            try:
                libvmm.working_set(case.options, trace, window, threshold)
            except libvmm.VmmError as error:
                assert text in str(error), error
            else:
                raise AssertionError(f"window {window}, threshold {threshold} were taken")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="the working set against its definition")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=150)
    arguments = parser.parse_args()
    tap = Tap()
    tap.run("working set: plain phases", plain_phases)
    tap.run("working set: wrong options", wrong_options)
    tap.run(f"working set = definition, {arguments.cases} random cases",
            lambda: random_cases(arguments.seed, arguments.cases))
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
