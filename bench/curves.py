# SPDX-License-Identifier: Apache-2.0
"""The part of bench/run that measures curves of all memory sizes against single runs."""

import statistics

from failure import Failure


class CurveParts:
    """Mixed into Bench, which runs and shows."""

    def part_curve(self):
        quick = ("gzip.vmt",) if self.quick else ("gzip.vmt", "sqlite3.vmt", "python3.vmt")
        for name in quick:
            path = self.examples / name
            usages = self.interleaved({
                "lru run": self.vmm(path, "lru", 1000),
                **{policy: [self.bin / "vmm", "mrc", "-q", "-t", path, "-a", policy,
                            "--csv", self.work / f"{policy}.csv"]
                   for policy in ("lru", "opt", "ws")}})
            self.run(*self.vmm(path, "lru", 100))
            report, count = self.report(), self.report()["page_references"]
            self.same_curve(report["misses"], report["swap_outs"])
            cpu = {key: statistics.median(usage.cpu for usage in found)
                   for key, found in usages.items()}
            self.title(f"curve: {name}, {count / 1e6:.1f} M page references, whole program")
            self.row("exact LRU curve against one LRU run, time", cpu["lru"] / cpu["lru run"],
                     "times", high=2)
            for policy, title in (("lru", "LRU"), ("opt", "OPT"), ("ws", "Working Set")):
                self.row(f"exact {title} curve", count / cpu[policy] / 1e6, "M references/s")
        pages = 100_000
        self.title(f"curve: references to {pages} pages by Zipf's law, decoded, in memory")
        for kind, share in (("lru", 0), ("shards", 0.01)):
            usages = [self.run(self.work / "curve_feed", kind, share, pages, pages // 10)
                      for _ in range(self.repeat)]
            curve = statistics.median(usage.number("curve_ns") for usage in usages)
            machine = statistics.median(usage.number("machine_ns") for usage in usages)
            title = "exact LRU curve" if kind == "lru" else f"SHARDS, {share:.0%} of the pages"
            self.row(f"{title} against one LRU machine, time", curve / machine, "times",
                     high=2 if kind == "lru" else 0.2)
            self.row(title, 1e3 / curve, "M references/s")
        references = 500_000 if self.quick else 2_000_000
        trace = self.trace_gen(self.work / "curve.trace", f"zipf:alpha=1,pages={pages}", references,
                               "-p", 1)
        self.title(f"curve: {references / 1e6:g} M references of the same kind, whole program from "
                   "file")
        usages = self.interleaved({
            "run": self.vmm(trace, "opt", pages // 10),
            "curve": [self.bin / "vmm", "mrc", "-q", "-t", trace, "-a", "opt"]})
        cpu = {key: statistics.median(usage.cpu for usage in found)
               for key, found in usages.items()}
        self.row("exact OPT curve against one OPT run, time", cpu["curve"] / cpu["run"], "times")
        self.row("exact OPT curve", references / cpu["curve"] / 1e6, "M references/s")
        trace.unlink()

    def same_curve(self, misses, writebacks):
        """A speed is worth nothing if the curve is wrong."""
        row = None
        for line in (self.work / "lru.csv").read_text().splitlines()[1:]:
            frames, *numbers = line.split(",")
            if int(frames) <= 100:
                row = numbers
        if (int(row[0]), int(row[2])) != (misses, writebacks):
            raise Failure(f"curve and run disagree at 100 frames: {row}, {misses}, {writebacks}")
