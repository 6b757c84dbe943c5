# SPDX-License-Identifier: Apache-2.0
"""The part of bench/run that measures sweeps against single runs."""

import csv
import statistics
import subprocess

from failure import Failure

CONFIGURATIONS = 16


class SweepParts:
    """Mixed into Bench, which runs and shows."""

    def part_sweep(self):
        for name, trace, least in self.sweep_traces():
            self.run(*self.vmm(trace, "clock", 1 << 20))
            report = self.report()
            pages = report["distinct_pages"]
            frames = [max(1, pages * (i + 1) // (CONFIGURATIONS + 1))
                      for i in range(CONFIGURATIONS)]
            self.title(f"sweep: {name}, {report['accesses'] / 1e6:.1f} M references, {pages} "
                       f"pages, Clock at {CONFIGURATIONS} sizes, one job")
            single, swept = [], []
            for _ in range(self.repeat):
                single.append(sum(self.single_run(trace, size) for size in frames))
                swept.append(self.swept(trace, frames))
            self.same_misses(trace, frames[3])
            self.row(f"{CONFIGURATIONS} runs against one sweep, processor time",
                     statistics.median(single) / statistics.median(swept), "times", low=least)
            self.row("the sweep",
                     CONFIGURATIONS * report["accesses"] / statistics.median(swept) / 1e6,
                     "M references/s")

    def sweep_traces(self):
        """Traces in which reading and simulating have different shares, and the least ratio.

        Random references that miss the TLB and fault all the time leave reading no share worth
        sharing: what a sweep gains there is the processor's caches, and it is only told.
        """
        real = max(self.examples.glob("*.vmt"), key=lambda path: path.stat().st_size)
        yield real.name, real, 2
        text = self.work / "real.trace"
        with open(text, "wb") as out:
            subprocess.run([self.work / "to_native", "1", "1", real], stdout=out, check=True)
        yield f"{real.name} as text", text, 2
        references = 1_000_000 if self.quick else 8_000_000
        made = self.trace_gen(self.work / "sweep.trace", "zipf:alpha=0.9,pages=100k", references,
                              "-p", 1)
        packed = self.work / "sweep.vmt"
        self.run(self.bin / "vmm", "trace", "convert", "-q", made, packed)
        yield "zipf as .vmt", packed, 2
        yield "zipf as text", made, None

    def single_run(self, trace, frames):
        return self.run(self.bin / "vmm", "-q", "-t", trace, "-a", "clock", "--frames", frames).cpu

    def swept(self, trace, frames):
        return self.run(self.bin / "vmm", "sweep", "-q", "-t", trace, "-a", "clock", "--frames",
                        ",".join(map(str, frames)), "-j", 1, "--restart", "--csv",
                        self.work / "sweep.csv").cpu

    def same_misses(self, trace, frames):
        """A speed is worth nothing if the counts are wrong."""
        with open(self.work / "sweep.csv", encoding="utf-8", newline="") as rows:
            found = {row["config.frames"]: row["misses"] for row in csv.DictReader(rows)}
        self.run(self.bin / "vmm", "-q", "-t", trace, "-a", "clock", "--frames", frames, "-o",
                 self.work / "report.json")
        if int(found[str(frames)]) != self.report()["misses"]:
            raise Failure(f"{trace}: the sweep and a run with {frames} frames disagree")
