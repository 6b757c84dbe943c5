# SPDX-License-Identifier: Apache-2.0
"""The part of bench/run that measures fork, mappings and the end of processes."""

import statistics

from failure import Failure

FORK_PAGES = (1_000, 10_000, 100_000, 1_000_000)


class ProcessParts:
    """Mixed into Bench, which runs and shows."""

    def processes(self, *words, name):
        """The median of a number that the program prints, of runs one after the other."""
        usages = [self.run(self.work / "processes", *words) for _ in range(self.repeat)]
        return statistics.median(usage.number(name) for usage in usages)

    def part_processes(self):
        self.fork_by_size()
        self.server_with_events()
        self.mappings_by_order()
        self.many_children()
        self.sparse_mapping()

    def fork_by_size(self):
        sizes = FORK_PAGES[:3] if self.quick else FORK_PAGES
        self.title("processes: fork and exit of a process with all its pages in memory")
        costs = {size: {name: self.processes("fork", size, max(2, 100_000 // size), name=name)
                        for name in ("fork_ns", "exit_ns")} for size in sizes}
        for name, title in (("fork_ns", "fork"), ("exit_ns", "exit")):
            for size in sizes:
                self.row(f"{title}, {size} pages", costs[size][name], "ns for each page")
            self.row(f"{title}, for each page, {sizes[-1]} pages against {sizes[0]}",
                     costs[sizes[-1]][name] / costs[sizes[0]][name], "times", high=3)

    def server_with_events(self):
        references, forks, events = ((10_000_000, 1_000, 10_000) if self.quick else
                                     (100_000_000, 10_000, 100_000))
        self.title(f"processes: a server, {references / 1e6:g} M references, {forks} forks and "
                   f"exits,\n   {events} changes of mappings, decoded in memory, against the same "
                   "references without events")
        for size, pages, frames, bound in (("1 MiB, all in memory", 256, 1 << 22, 1.5),
                                           ("1 MiB, 10000 frames", 256, 10_000, 1.5),
                                           ("4 MiB, all in memory", 1024, 1 << 22, None)):
            options = ("policy=lru", f"frames={frames}")
            usages = self.interleaved({
                count: [self.work / "processes", "server", pages, references, forks, count,
                        *options] for count in (0, events)}, 3)
            self.same_references(usages, events + 2 * forks)
            without, told = (statistics.median(usage.number("seconds") for usage in usages[count])
                             for count in (0, events))
            self.row(size, told / without, "times", high=bound)

    @staticmethod
    def same_references(usages, events):
        """A ratio is worth nothing if the two do not do the same."""
        without, told = (found[0] for found in usages.values())
        if without.number("accesses") != told.number("accesses") or without.number("events") != 0:
            raise Failure("the references with events and without differ")
        if told.number("events") != events + 1:  # the server's own mapping
            raise Failure(f"{told.number('events'):g} events, expected {events + 1}")

    def mappings_by_order(self):
        counts = (10_000, 40_000) if self.quick else (10_000, 100_000)
        self.title("processes: mappings of one page each, with gaps between them")
        for order in ("up", "down", "between"):
            few, many = (self.processes("maps", order, count, name="map_ns") for count in counts)
            title = {"up": "at rising addresses", "down": "at falling addresses",
                     "between": "every other between two that are there"}[order]
            self.row(title, many, "ns for each")
            self.row(f"{title}, for each, {counts[1]} against {counts[0]}", many / few, "times",
                     high=None if order == "between" else 2)

    def many_children(self):
        counts = (100, 1_000) if self.quick else (1_000, 32_000)
        self.title("processes: children of a server of 1 MiB that live at the same time")
        few, many = (self.processes("children", count, name="child_ns") for count in counts)
        self.row(f"fork, eight pages written, exit; {counts[1]} children", many / 1e3,
                 "us for each")
        self.row(f"for each, {counts[1]} children against {counts[0]}", many / few, "times", high=2)

    def sparse_mapping(self):
        self.title("processes: a mapping of 4 GiB of which a few pages are touched, unmapped again")
        few, many = (self.processes("sparse", count, name="page_ns") for count in (100, 10_000))
        self.row("10000 pages", many, "ns for each page")
        self.row("for each page, 100 pages against 10000", few / many, "times", high=3)
