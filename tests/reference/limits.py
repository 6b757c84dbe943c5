# SPDX-License-Identifier: Apache-2.0
"""Limits and pressure: who must give pages up, and when.

Groups of processes, or single processes, have pools with a limit of their own; all pools together
have no more pages than the machine has frames:

    the pool has as many pages as it may have    it gives one up itself
    all frames of the machine are in use         anybody gives one up, in proportion to what he has
    fewer than free-low would stay free          before that, pages leave in the background, until
                                                 free-high would stay free
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from machine import Machine, Pool

GOLDEN = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: its multiples spread evenly over any range


class Pressure:
    """Which pool a process is in, and which pool gives pages up."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.turns = 0  # pages that anybody had to give up so far
        self.group_of: dict[int, int] = {}  # by process: the number of its group
        self.victim: dict[str, int] | None = None  # whom a kernel would kill when swap was full
        self.common: Pool | None = None     # of the processes without a limit

    def pool_for(self, pid: int, forked_by: int | None) -> Pool:
        """The pool of a new process: of its group, else of its parent's, else its own or all's."""
        config, pools = self.machine.config, self.machine.pools
        self.make_groups()
        named = [number for number, group in enumerate(config.groups) if pid in group.pids]
        number = named[0] if named else self.group_of.get(forked_by)
        if number is not None:
            self.group_of[pid] = number
            return pools[number]
        if config.resident_limit:
            return self.machine.add_pool(config.resident_limit)
        self.common = self.common or self.machine.add_pool()
        return self.common

    def make_groups(self) -> None:
        """Their pools come first."""
        if not self.machine.pools:
            for group in self.machine.config.groups:
                self.machine.add_pool(group.limit)

    def resident(self) -> int:
        """Pages in memory."""
        return sum(len(pool.frame_of) for pool in self.machine.pools)

    def memory_is_full(self) -> bool:
        """All frames of the machine are in use, whoever has them."""
        config = self.machine.config
        return config.has_limits and self.resident() == config.frames

    def has_free_frame(self, pool: Pool) -> bool:
        """A page can come in without another one leaving."""
        config = self.machine.config
        if config.free_low and self.left_free() < config.free_low:
            return False  # something would leave for it in the background
        return not pool.is_full and not self.memory_is_full()

    def giver(self) -> Pool:
        """Whose turn it is to give a page up: turns are shared out by the pages that each has."""
        self.turns += 1
        place = (self.turns * GOLDEN % 2**64) * self.resident() >> 64
        for pool in self.machine.pools:
            if place < len(pool.frame_of):
                return pool
            place -= len(pool.frame_of)
        raise AssertionError("no pool has a page")

    def take_from_anybody(self) -> None:
        """A page leaves to make room for one of any other pool."""
        pool = self.giver()
        pool.give_back(self.machine.evict(pool, self.machine.victim_of(pool)))
        pool.given_up += 1

    def before_frame_is_taken(self) -> None:
        """What runs in the background when few frames are left."""
        config, count = self.machine.config, self.machine.count
        if not config.free_low or self.left_free() >= config.free_low:
            return
        count["reclaim_wakeups"] += 1
        before = count["swap_outs"], count["file_writes"]
        while self.left_free() < config.free_high and self.resident() and self.take_quietly():
            count["background_reclaims"] += 1
        count["background_swap_outs"] += count["swap_outs"] - before[0]
        count["background_file_writes"] += count["file_writes"] - before[1]

    def left_free(self) -> int:
        """Frames that stay free when one more is taken."""
        return self.machine.config.frames - self.resident() - 1

    def take_quietly(self) -> bool:
        """A page leaves, unless there is no place for it: then it stays, and nothing is amiss."""
        pool = self.giver()
        victim = self.machine.victim_of(pool)
        if victim in self.machine.dirty and not self.machine.can_write(victim):
            return False
        pool.give_back(self.machine.evict(pool, victim))
        pool.given_up += 1
        return True

    def note_victim(self, pool: Pool) -> None:
        """Whom a kernel would kill: the process with the most pages, of equals the first.

        When a group is at its limit and the machine is not full, it is one of the group.
        """
        machine = self.machine
        is_of_group = machine.config.has_limits and not self.memory_is_full()
        worst = 0
        for process in machine.processes.values():
            memory = machine.memory_of(process)
            score = {"pid": process.pid, "resident": memory["rss"], "swapped": memory["swap"],
                     "page_table": process.table_bytes() // machine.config.page_size}
            pages = score["resident"] + score["swapped"] + score["page_table"]
            has_pages = score["resident"] + score["swapped"] > 0
            if has_pages and pages > worst and (process.pool is pool or not is_of_group):
                worst, self.victim = pages, score

    def group_statistics(self) -> list[dict[str, int | str]]:
        """The groups by name."""
        machine = self.machine
        self.make_groups()
        met = list(machine.processes)[:machine.referencing]
        return [{"name": group.name, "limit": min(group.limit, machine.config.frames),
                 "processes": sum(self.group_of.get(pid) == number for pid in met),
                 "resident": len(pool.frame_of), "resident_peak": pool.peak,
                 "limit_reclaims": pool.reclaimed, "given_up": pool.given_up}
                for number, (group, pool) in enumerate(zip(machine.config.groups, machine.pools))]
