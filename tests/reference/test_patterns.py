#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""trace_gen makes what docs/reference/patterns.md says, reference by reference.

The model is patterns.py; it was written from the page, not from the program.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/property"))

import patterns  # noqa: E402
from patterns import MILLION, Space, mixed, trace  # noqa: E402
from tap import Tap, equal  # noqa: E402

TRACE_GEN = Path(os.environ.get("VMM_BIN_DIR", ROOT / "bin")) / "trace_gen"
COUNT = 20000
SMALL = ["-p", "3", "-s", "7", "-a", "3M", "--page-size", "8K", "--memory", "5"]
SMALL_SPACE = Space(processes=3, pages=384, page_size=8192, memory_pages=640, seed=7)
LARGE = ["-a", "20G"]
LARGE_SPACE = Space(pages=5 << 20)
DEFAULT_MIX = [("zipf", {}, 6), ("sequential", {}, 3), ("random", {}, 1)]


def made(*flags: str) -> list[str]:
    """The lines of a made trace."""
    command = [str(TRACE_GEN), "-o", "-", "-n", str(COUNT), *flags]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          check=True).stdout.splitlines()


def same(expected: Iterator[patterns.Made], *flags: str) -> None:
    found = made(*flags)
    equal(len(found), COUNT, "references")
    for index, (pid, op, addr) in enumerate(islice(expected, COUNT)):
        equal(found[index], f"{pid} {op} {addr:#x}", f"reference {index}")


def variants() -> Iterator[tuple[str, Iterator[patterns.Made], list[str]]]:
    """(pattern with parameters, the model's references, more flags)"""
    for name in patterns.PLACES:
        yield name, trace(name, Space()), []
        if name != "chase":
            yield name, trace(name, SMALL_SPACE), SMALL
    yield "mix", mixed(DEFAULT_MIX, Space()), []
    yield "chase:pages=0", trace("chase", SMALL_SPACE, pages=0), SMALL
    yield ("working_set:set=9,inside=0.5,shift=7,step=1000,slice=3",
           trace("working_set", SMALL_SPACE, set=9, inside=500_000, shift=7, step=1000, slice=3),
           SMALL)
    yield ("locality:near=0.95,span=4097,writes=1",
           trace("locality", SMALL_SPACE, near=950_000, span=4097, writes=MILLION), SMALL)
    yield "stride:stride=4160", trace("stride", Space(), stride=4160), []
    yield "thrashing:factor=1.000001", trace("thrashing", Space(), factor=MILLION + 1), []
    for order in ("random", "loop"):
        yield (f"phases:length=77,set=10,order={order}",
               trace("phases", Space(), length=77, set=10, order=order), [])
    yield ("zipf:alpha=0.8,pages=5000", trace("zipf", Space(), alpha=800_000, pages=5000), [])
    yield "zipf:alpha=0", trace("zipf", SMALL_SPACE, alpha=0), SMALL
    yield "zipf:alpha=2.5", trace("zipf", SMALL_SPACE, alpha=2_500_000), SMALL
    yield "zipf", trace("zipf", LARGE_SPACE), LARGE
    yield ("mix:run=4,of=chase(pages=5)*2+zipf(alpha=0.5)",
           mixed([("chase", {"pages": 5}, 2), ("zipf", {"alpha": 500_000}, 1)], SMALL_SPACE, 4),
           SMALL)


def all_patterns_have_a_model() -> None:
    listed = subprocess.run([str(TRACE_GEN), "--list"], stdout=subprocess.PIPE, text=True,
                            check=True).stdout.splitlines()
    names = {line.split()[0] for line in listed if not line.startswith(" ")}
    equal(names, {*patterns.PLACES, "mix"}, "patterns")


def main() -> int:
    tap = Tap()
    tap.run("every pattern has a model", all_patterns_have_a_model)
    for pattern, expected, flags in variants():
        tap.run(" ".join([pattern, *flags]), lambda: same(expected, "-t", pattern, *flags))
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
