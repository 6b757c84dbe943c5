#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Policies that adapt on strings worked out by hand, so that their models can be trusted."""

from __future__ import annotations

import sys

from test_vm import resident, run
from tap import Tap, equal


def arc() -> None:
    """ARC: a return from B1 makes room for T1."""
    equal(resident("1 2 1 3", "arc", 2), [1, 3])      # T1 = 2 was seen once: it goes to B1
    equal(resident("1 2 1 3 2", "arc", 2), [2, 3])    # p = 1 = |T1|: T2 gives up 1
    equal(resident("1 2 1 3 2 4", "arc", 2), [3, 4])  # T2 again


def car() -> None:
    """CAR: the hand takes referenced pages of T1 to T2."""
    equal(resident("1 2 1 3", "car", 2), [1, 3])      # 1 has its bit: to T2; 2 to B1
    equal(resident("1 2 1 3 2", "car", 2), [1, 2])    # 3 to B1; p = 1; 2 to T2
    equal(resident("1 2 1 3 2 4", "car", 2), [2, 4])  # T1 is empty


def cart() -> None:
    """CART: what goes round T1 is a long-term page."""
    equal(resident("1 2 1 3", "cart", 2), [1, 3])     # 1 goes round and becomes L
    equal(resident("1 2 1 3 2", "cart", 2), [1, 2])   # 1 to T2, 3 to B1


def lirs() -> None:
    """LIRS: a page that comes back while in the stack takes the place of a LIR page."""
    equal(resident("1 2 3 4", "lirs:hir=34", 3), [1, 2, 4])      # 3 was the HIR page
    equal(resident("1 2 3 4 3", "lirs:hir=34", 3), [1, 2, 3])    # 3 is LIR now, 1 in Q
    equal(resident("1 2 3 4 3 5", "lirs:hir=34", 3), [2, 3, 5])
    # Three pages of a loop over five stay, the other two miss in each of four rounds.
    equal(run("1 2 3 4 5 " * 4, "lirs:hir=25", 4).count["misses"], 5 + 3 * 2)


def clockpro() -> None:
    """CLOCK-Pro: what comes back in its test is hot, if there may be hot pages."""
    equal(resident("1 2 3 1", "clockpro", 2), [1, 3])
    # 1 becomes hot; as all of memory is for cold pages the hand comes by, ends the tests of 2 and
    # 3 and makes 1 cold: 3 is the oldest cold page.
    equal(resident("1 2 3 1 4", "clockpro", 2), [1, 4])
    equal(resident("1 2 3 1 3 4", "clockpro", 2), [3, 4])  # 3 was used: 1 goes


def wtinylfu() -> None:
    """W-TinyLFU: a page is admitted if it is used more than the one that would leave."""
    equal(resident("1 2 3", "wtinylfu", 2), [1, 3])    # a draw: 2 is not admitted
    equal(resident("1 2 2 3", "wtinylfu", 2), [2, 3])
    # libCacheSim, 7 frames: a window of 1, probation of 1 and protected of 4, so 1 too few. 8 moves
    # all but 7 to the main area, 6 to probation beside 1; the hit of 6 demotes 2, and 1 leaves.
    peer = "wtinylfu:window=15,variant=libcachesim"
    equal(resident("1 2 3 4 5 6 7 8", peer, 7), [1, 2, 3, 4, 5, 6, 8])
    equal(resident("1 2 3 4 5 6 7 8 6", peer, 7), [2, 3, 4, 5, 6, 8])


def hyperbolic() -> None:
    """Hyperbolic: two uses in three references are less than one in one."""
    equal(resident("1 1 2 3", "hyperbolic", 2), [2, 3])


def main() -> int:
    """The command."""
    tap = Tap()
    for test in (arc, car, cart, lirs, clockpro, wtinylfu, hyperbolic):
        tap.run(test.__doc__, test)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
