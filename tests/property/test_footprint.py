#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Laws of the memory of processes, over random references, mappings, forks and exits.

USS <= PSS <= RSS <= the peak; the PSS of all processes sum to the frames that have an entry; faults
by kind of memory sum to all; both engines give the same. Memory is tiny, so that shared frames are
evicted all the time.
"""

from __future__ import annotations

import ctypes
import random
import sys

import libvmm
from tap import Tap

CASES = 60
STEPS = 300
PAGE = 4096
WHOLE = 2 ** 32
FORK, EXIT, UNMAP, MAP = 8, 2, 1, 4
SHARED, ANONYMOUS = 1, 2
PLACES = 24  # pages of the addresses in use

Action = tuple[str, tuple]


def random_actions(seed: int) -> list[Action]:
    """References, and now and then an event of a process that is alive."""
    rng = random.Random(seed)
    alive, next_pid = [1], 2
    actions: list[Action] = [("ref", (1, "W", 0))]
    for _ in range(STEPS):
        pid = rng.choice(alive)
        draw = rng.random()
        if draw < 0.05 and len(alive) < 6:
            actions.append(("event", (FORK, pid, 0, 0, next_pid, 0, 0)))
            alive.append(next_pid)
            next_pid += 1
        elif draw < 0.08 and len(alive) > 1:
            actions.append(("event", (EXIT, pid, 0, 0, 0, 0, 0)))
            alive.remove(pid)
        elif draw < 0.15:
            start, length = rng.randrange(PLACES), rng.randrange(1, 6)
            flags, file = rng.choice(((0, 1), (SHARED, 1), (SHARED, 2), (ANONYMOUS, 0),
                                      (SHARED | ANONYMOUS, 0)))
            actions.append(("event", (MAP, pid, start * PAGE, length * PAGE, 0, flags, file)))
        elif draw < 0.18:
            start, length = rng.randrange(PLACES), rng.randrange(1, 4)
            actions.append(("event", (UNMAP, pid, start * PAGE, length * PAGE, 0, 0, 0)))
        else:
            actions.append(("ref", (pid, rng.choice("RRW"), rng.randrange(PLACES) * PAGE)))
    return actions


def act(machine: libvmm.Machine, action: Action) -> None:
    """One reference or event."""
    kind, what = action
    if kind == "ref":
        pid, op, addr = what
        machine.feed([(pid, op, addr, 1)], 1)
        return
    event_type, pid, start, length, value, flags, file = what
    event = libvmm.Event(struct_size=ctypes.sizeof(libvmm.Event), type=event_type, pid=pid,
                         start=start, length=length, value=value, flags=flags, file=file, prot=3)
    libvmm.LIB.vmm_apply(machine.handle, event)


def problems(machine: libvmm.Machine) -> list[str]:
    """Laws that do not hold now."""
    counters, processes = machine.counters(), machine.processes()
    lines = []
    for one in processes:
        if not one["uss"] * WHOLE <= one["pss"] <= one["rss"] * WHOLE:
            lines.append(f"uss <= pss <= rss: {one}")
        if one["rss"] > one["rss_peak"] or one["swap_pss"] > one["swap"] * WHOLE:
            lines.append(f"peak, swap: {one}")
        if one["rss"] != one["rss_anonymous"] + one["rss_file"] + one["rss_shared"]:
            lines.append(f"parts of rss: {one}")
    rss = sum(one["rss"] for one in processes)
    uss = sum(one["uss"] for one in processes)
    pss = sum(one["pss"] for one in processes)
    mapped = -(-pss // WHOLE)  # the rounding of fewer than 2^32 entries
    if mapped * WHOLE - pss > rss or mapped != uss + counters["frames_shared"]:
        lines.append(f"sum of pss {pss / WHOLE}, uss {uss}, shared {counters['frames_shared']}")
    if mapped > counters["frames_used"] or counters["frames_shared_peak"] < counters[
            "frames_shared"]:
        lines.append(f"{mapped} frames mapped of {counters['frames_used']}")
    kinds = ("anonymous_faults", "file_faults", "shared_faults", "fault_invalid")
    if sum(counters[kind] for kind in kinds) != counters["page_faults"]:
        lines.append("faults by kind")
    if counters["page_cache_hits"] > counters["file_faults"]:
        lines.append("page cache hits")
    if counters["copies_avoided"] > counters["copied_entries"]:
        lines.append("copies avoided")
    return lines


def check(seed: int, options: dict[str, str]) -> list[str]:
    """One case: laws after each step of the generic engine, the other one at the end."""
    actions = random_actions(seed)
    with libvmm.Machine({**options, "engine": "generic"}) as machine, \
            libvmm.Machine({**options, "engine": "fast"}) as fast:
        for place, action in enumerate(actions):
            act(machine, action)
            act(fast, action)
            found = problems(machine)
            if found:
                return [f"seed {seed} {options} step {place} {action}", *found]
        if machine.json() != fast.json():
            return [f"seed {seed} {options}: engines differ"]
    return []


def main() -> int:
    """The tests."""
    tap = Tap()
    for policy in ("lru", "clock", "fifo"):
        for scope in ("global", "process"):
            lines: list[str] = []
            for seed in range(CASES):
                options = {"frames": str(1 + seed % 12), "policy": policy, "scope": scope,
                           "zero-page": ("on", "off")[seed % 2], "page-size": str(PAGE),
                           "fault-around": ("off", "16K")[seed // 2 % 2],
                           "file-cache": ("cold", "warm")[seed // 4 % 2]}
                lines += check(seed, options)
            tap.result(f"laws of memory: {policy}, {scope}, {CASES} cases",
                       "\n".join(lines[:20]) or None)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
