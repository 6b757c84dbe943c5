#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Policies of virtual memory on strings worked out by hand, so that their models can be trusted."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "property"))

from machine import Machine, simulate  # noqa: E402
from tap import Tap, equal  # noqa: E402
from traces import Reference, Trace  # noqa: E402


def run(text: str, policy: str, frames: int = 4) -> Machine:
    """Simulates operations on pages: a bare number reads, W1 writes; b1 is a read by process 1."""
    references = []
    for word in text.split():
        pid, word = (1, word[1:]) if word[0] == "b" else (0, word)
        op, page = ("W", word[1:]) if word[0] == "W" else ("R", word)
        references.append(Reference(pid, op, int(page) * 4096, 1))
    return simulate(Trace(references, True), {"policy": policy, "frames": str(frames)})


def resident(text: str, policy: str, frames: int = 4) -> list[int]:
    """The pages that are in memory afterwards."""
    machine = run(text, policy, frames)
    return sorted(vpn for pool in machine.pools for _, vpn in pool.frame_of)


def numbers(text: str, policy: str) -> list[int]:
    """Misses and space-time."""
    count = run(text, policy).count
    return [count["misses"], count["space_time"]]


def working_set() -> None:
    """Working Set: a page stays for window references of its process."""
    # a, ab, ab, abc, abc, bc: 1 2 2 3 3 2 pages; 2 is a hit at distance 3, then again at 1.
    equal(numbers("1 2 1 3 2 2", "ws:window=3"), [3, 13])
    equal(resident("1 2 1 3 2 2", "ws:window=3"), [2, 3])
    # Distance 4 is a miss with window 3, a hit with window 4.
    equal(numbers("1 2 2 2 1", "ws:window=3")[0], 3)
    equal(numbers("1 2 2 2 1", "ws:window=4")[0], 2)
    # Process 1 runs for long; the time of process 0 stands still.
    equal(numbers("1 b2 b2 b2 b2 b2 1", "ws:window=2")[0], 2)


def vmin() -> None:
    """VMIN: only what is needed within the window stays."""
    # a, ab, ab, bc, b, b: 1 leaves behind its last use, 3 too, 2 is needed at distance 3.
    equal(numbers("1 2 1 3 2 2", "vmin:window=3"), [3, 9])
    equal(numbers("1 2 2 2 1", "vmin:window=3"), [3, 5])
    equal(numbers("1 2 2 2 1", "vmin:window=4"), [2, 8])
    equal(numbers("1 b2 b2 b2 1", "vmin:window=1")[0], 2)


def page_fault_frequency() -> None:
    """PFF: a late fault sends away what was not used since the one before."""
    # Faults at 1, 2, 3 follow closely. 1 and 3 are used again; the fault at 8 drops 2.
    equal(resident("1 2 3 1 1 3 1 4", "pff:threshold=4"), [1, 3, 4])
    equal(resident("1 2 3 1 1 3 1 4", "pff:threshold=5"), [1, 2, 3, 4])


def wsclock() -> None:
    """WSClock: old and clean leaves, old and dirty is written, time is the process's own."""
    # At the fault for 4 all bits are cleared, none is old: 1, the first of equals, leaves. At that
    # for 5, 2 was idle for 4 references.
    equal(resident("1 2 3 2 3 4 3 3 3 5", "wsclock:tau=2", 3), [3, 4, 5])
    # 2 leaves for 5, since 1 is dirty. For 6 the hand finds 1, old and dirty: written, it stays; 5,
    # used; 3, old and clean.
    equal(resident("W1 2 3 4 5 4 4 4 6", "wsclock:tau=2", 4), [1, 4, 5, 6])
    equal(run("W1 2 3 4 5 4 4 4 6", "wsclock:tau=2", 4).count["cleanings"], 1)
    # A sweep of one frame has no choice: it is FIFO.
    equal(resident("W1 2 3 4 5 4 4 4 6", "wsclock:tau=2,sweep=1", 4), [3, 4, 5, 6])
    # The pages of process 1 do not age while process 0 runs.
    equal(resident("b1 b2 3 4 4 4 4 4 5", "wsclock:tau=3", 3)[:1], [2])


def two_lists() -> None:
    """Two lists: a page has to be found used twice; a quick refault is active."""
    # All are used once and go round once: then the oldest leaves.
    equal(resident("1 2 3 4", "twolist", 3), [2, 3, 4])
    # 2 is used again before the next fault and survives it.
    equal(resident("1 2 3 4 2 5", "twolist", 3), [2, 4, 5])


def two_hands() -> None:
    """Two-handed clock: what is not used between the hands leaves."""
    # The back hand passes 0 and 1, the front hand clears 2 and 3, which the back hand then finds.
    equal(resident("1 2 3 4 5", "twohand:spread=50", 4), [1, 2, 4, 5])
    # With the whole lap between them it is the clock of one hand.
    equal(resident("1 2 3 4 5", "twohand:spread=100", 4), [2, 3, 4, 5])


def clean_first() -> None:
    """CFLRU: of the older half a clean page leaves before a dirty one."""
    equal(resident("W1 2 3 4 5", "cflru:window=50", 4), [1, 3, 4, 5])
    equal(resident("W1 W2 3 4 5", "cflru:window=50", 4), [2, 3, 4, 5])
    equal(resident("W1 2 3 4 5", "cflru:window=0", 4), [2, 3, 4, 5])


def generations() -> None:
    """MGLRU: what was not used since it aged leaves first."""
    # The fault for 4 ages: all go to the second generation; 1 is used after that.
    equal(resident("1 2 3 4 1 5", "mglru", 3), [1, 4, 5])


def page_queues() -> None:
    """FreeBSD: counts decide who becomes inactive; dirty pages go by the laundry."""
    # Counts of 9 after the first look fall alike: the oldest leaves.
    equal(resident("1 2 3 4", "freebsd", 3), [2, 3, 4])
    equal(resident("W1 2 3 4", "freebsd", 3), [1, 3, 4])
    # 1 leaves from the laundry, dirty; what is left there, 2 and 3, is washed one at a fault.
    equal(run("W1 W2 W3 4", "freebsd:launder=1,inactive=100", 3).count["cleanings"], 1)


def main() -> int:
    """The command."""
    tap = Tap()
    for test in (working_set, vmin, page_fault_frequency, wsclock, two_lists, two_hands,
                 clean_first, generations, page_queues):
        tap.run("model: " + (test.__doc__ or test.__name__).split("\n")[0], test)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
