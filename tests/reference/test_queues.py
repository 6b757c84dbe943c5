#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Policies of queues on strings worked out by hand, so that their models can be trusted."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "property"))

from machine import Machine, simulate  # noqa: E402
from tap import Tap, equal  # noqa: E402
from traces import Reference, Trace  # noqa: E402


def run(text: str, policy: str, frames: int) -> Machine:
    """Simulates operations on pages of 4 KiB; a bare number reads, W1 writes."""
    words = [word if word[0] in "RW" else "R" + word for word in text.split()]
    trace = Trace([Reference(0, word[0], int(word[1:]) * 4096, 1) for word in words], True)
    return simulate(trace, {"policy": policy, "frames": str(frames)})


def resident(text: str, policy: str, frames: int) -> list[int]:
    """The pages that are in memory afterwards."""
    machine = run(text, policy, frames)
    return sorted(vpn for pool in machine.pools for _, vpn in pool.frame_of)


def misses(text: str, policy: str, frames: int) -> int:
    """How many references missed."""
    return run(text, policy, frames).count["misses"]


def sieve() -> None:
    """SIEVE: survivors keep their places, the hand goes on from where it was."""
    # 1* 2 3: 4 passes 1, takes 2. Hand at 3. 5 takes 3, then 6 takes 4; 1 is still there.
    equal(resident("1 2 3 1 4", "sieve", 3), [1, 3, 4])
    equal(resident("1 2 3 1 4 5", "sieve", 3), [1, 4, 5])
    equal(resident("1 2 3 1 4 5 6", "sieve", 3), [1, 5, 6])
    # The hand stands at the young end: it starts again at the oldest, whose bit is now clear.
    equal(resident("1 2 3 1 2 3 4 5", "sieve", 3), [3, 4, 5])


def s3fifo() -> None:
    """S3-FIFO: two hits lead to main, one does not; a ghost comes back into main."""
    # small holds 2 of 10. 1 was hit twice and moves to main; 2 is then the first to go.
    pages = " ".join(str(page) for page in range(1, 11))
    equal(resident(f"{pages} 1 1 2 11", "s3fifo:small=20", 10), [1, *range(3, 12)])
    equal(resident(f"{pages} 1 11", "s3fifo:small=20", 10), [*range(2, 12)])
    # 1 left, came back as a ghost into main and outlives the small queue.
    equal(resident(f"{pages} 11 1 12 13 14", "s3fifo:small=20", 10), [1, *range(6, 15)])


def two_queues() -> None:
    """2Q: hits in A1in do not count, a page back from A1out stays."""
    # Kin = 1, Kout = 2 of 4 frames. 1 is hit, and leaves first all the same.
    equal(resident("1 2 3 4 1 5", "twoq", 4), [2, 3, 4, 5])
    # It comes back into Am. A1in pays for the next pages, 3 and 4.
    equal(resident("1 2 3 4 1 5 1 6 7", "twoq", 4), [1, 5, 6, 7])
    # Three pages have left since 1 did: A1out has forgotten it, so it is new.
    equal(resident("1 2 3 4 5 6 7 1 8 9 10 11", "twoq", 4), [8, 9, 10, 11])


def slru() -> None:
    """SLRU: a page hit once outlives a scan; the protected segment gives back its oldest."""
    equal(resident("1 1 2 3 4 5 6 7", "slru", 4), [1, 5, 6, 7])
    # 1, 2, 3 are hit; only two can be protected: 1 is back on probation and goes.
    equal(resident("1 2 3 1 2 3 4 5", "slru", 4), [2, 3, 4, 5])
    equal(misses("1 2 3 4 1 2 5 1 2 3 4 5", "slru:segments=1", 3), 10)  # LRU
    # libCacheSim, two segments of 2 in 5 frames: 5 finds no room and makes the lowest 1 2 5. The
    # hit of 2 demotes 3: the lowest is 1 5 3 and 1 leaves. 4 is then the next to be demoted.
    peer = "slru:segments=2,variant=libcachesim"
    equal(resident("1 2 3 4 5", peer, 5), [1, 2, 3, 4, 5])
    equal(resident("1 2 3 4 5 2", peer, 5), [2, 3, 4, 5])
    equal(resident("1 2 3 4 5 2 5", peer, 5), [2, 3, 4, 5])
    equal(resident("1 2 3 4 5 2 1 5", peer, 5), [1, 2, 4, 5])
    # Of 2 frames no segment of 3 has one: no page is kept.
    equal(misses("1 1 2 1", "slru:segments=3,variant=libcachesim", 2), 4)


def lru_k() -> None:
    """LRU-2: pages used once go first, by recency; bursts are one use within the period."""
    equal(resident("1 1 2 3 4", "lruk", 3), [1, 3, 4])
    # All twice: 1 at times 1, 6; 2 at 2, 3; 3 at 4, 5. The last but one use of 1 is the oldest.
    equal(resident("1 2 2 3 3 1 4", "lruk", 3), [2, 3, 4])
    # Two references in a row are one use now: only 1 was used twice, and 2 is the least recent.
    equal(resident("1 2 2 3 3 1 4", "lruk:crp=1", 3), [1, 3, 4])
    # 1 left and came back: its use at time 1 is remembered, so it was used twice; 3 was not.
    equal(resident("1 2 3 1 4", "lruk", 2), [1, 4])
    equal(resident("1 2 3 1 4 5", "lruk", 2), [1, 5])
    # It was away for longer than it is remembered.
    equal(resident("1 2 3 1 4 5", "lruk:rip=2", 2), [4, 5])


def lfuda() -> None:
    """LFUDA: what was popular once is overtaken."""
    text = "1 1 1 1 " + " ".join(str(page) for page in range(2, 9))
    equal(resident(text, "lfu", 2), [1, 8])
    # New pages leave with keys 1, 2, 3 and 4; the next one ties with 1 and 1 is older.
    equal(resident(text, "lfuda", 2), [7, 8])


def mq() -> None:
    """MQ: counts decide, life times end, counts are remembered."""
    # 1 has 4 references and is in Q2. It sinks after 3 unused references, twice, then leaves.
    equal(resident("1 1 1 1 2 3 4", "mq:life=3", 2), [1, 4])
    equal(resident("1 1 1 1 2 3 4 5 6 7 8 9 10", "mq:life=3", 2), [9, 10])
    equal(resident("1 1 1 1 2 3 4 5 6 7 8 9 10", "mq:life=100", 2), [1, 10])
    # 3 left once; when it is back it has two references, as 1, which is older and goes.
    equal(resident("1 1 3 2 4 3 5 6", "mq:life=100", 2), [3, 6])
    equal(resident("1 1 3 2 4 3 5 6", "mq:life=100,history=0", 2), [1, 6])


def fbr() -> None:
    """FBR: hits in the new section are no counts; the least counted old page goes."""
    # Of 4 frames 1 is new, 2 are old. 1 is hit while it is new: it still counts 1 and is oldest.
    equal(resident("1 1 1 2 3 4 5", "fbr:old=50", 4), [2, 3, 4, 5])
    # 1 is hit when it is old: it counts 2, and 2 goes.
    equal(resident("1 2 3 4 1 3 4 2 5 6", "fbr:old=50", 4), [2, 4, 5, 6])


def vms() -> None:
    """Segmented FIFO: a page on a list is reclaimed; dirty ones wait until they are written."""
    # 3 resident, 1 on the lists. 1 left the resident set, is reclaimed, and 2 follows it out.
    equal(resident("1 2 3 4 1 5", "segfifo", 4), [1, 3, 4, 5])
    equal(resident("1 2 3 4 5", "segfifo", 4), [2, 3, 4, 5])
    machine = run("W1 W2 3 4 5 6", "segfifo:lists=50,modified=0,cluster=2", 4)
    equal(machine.count["swap_outs"], 2)  # ahead, when they came to the modified list
    equal([machine.count["clean_evictions"], machine.count["cleanings"]], [2, 2])


def macintosh() -> None:
    """Enhanced second chance: unused clean pages before unused dirty ones."""
    # All were used: the turn clears them, and 2 is the first clean one.
    equal(resident("W1 2 3 4", "esc", 3), [1, 3, 4])
    equal(resident("W1 W2 W3 4", "esc", 3), [2, 3, 4])
    # 3 is used again; R = 0 has 1, which is dirty, alone.
    equal(resident("W1 2 3 4 3 5", "esc", 3), [3, 4, 5])


def insertion() -> None:
    """DIP: LIP keeps a part of a loop, BIP with epsilon = 1 is LRU."""
    loop = "1 2 3 4 " * 5
    equal(misses(loop, "lru", 3), 20)
    equal(misses(loop, "dip:insertion=bip,epsilon=1", 3), 20)
    equal(misses(loop, "dip:insertion=lip", 3), 12)  # 1 and 2 stay, 3 and 4 take turns


def main() -> int:
    """The command."""
    tap = Tap()
    for test in (sieve, s3fifo, two_queues, slru, lru_k, lfuda, mq, fbr, vms, macintosh,
                 insertion):
        tap.run("model: " + (test.__doc__ or test.__name__).split("\n")[0], test)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
