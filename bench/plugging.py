# SPDX-License-Identifier: Apache-2.0
"""The part of bench/run that measures policies of the user's against the same built in."""

import statistics
import subprocess
import time
from pathlib import Path

from failure import Failure

POLICIES = Path(__file__).resolve().parents[1] / "src/mm/policy"


class PluginParts:
    """Mixed into Bench, which runs and shows."""

    def part_plugin(self):
        for name in ("lru", "clock"):
            self.libraries(name)
        for title, trace, frames in self.plugin_traces():
            for name in ("lru", "clock"):
                self.title(f"plugin: {name} on {title}, {frames} frames, references in memory")
                self.plugin_speed(name, trace, frames)
        self.title("plugin: what compiling costs, wall clock")
        self.plugin_start()

    def libraries(self, name):
        """The policy's own source, compiled as a user's is, with its loop and without."""
        source = POLICIES / f"{name}.c"
        for flags, folder in (((), "looped"), (("--plain",), "plain")):
            (self.work / folder).mkdir(exist_ok=True)
            self.run(self.bin / "vmm", "policy", "build", *flags, source, "-o",
                     self.work / folder / f"{name}.so")

    def plugin_traces(self):
        real = max(self.examples.glob("*.vmt"), key=lambda path: path.stat().st_size)
        text = self.work / "plugin.trace"
        with open(text, "wb") as out:
            subprocess.run([self.work / "to_native", "1", "1", real], stdout=out, check=True)
        yield real.name, text, 200
        references = 1_000_000 if self.quick else 8_000_000
        yield "zipf", self.trace_gen(self.work / "plugin_zipf.trace", "zipf:alpha=0.9,pages=100k",
                                     references, "-p", 1), 20000

    def plugin_speed(self, name, trace, frames):
        ways = {"built in": name, "plug-in": self.work / "looped" / f"{name}.so",
                "plain": self.work / "plain" / f"{name}.so"}
        usages = self.interleaved({way: [self.work / "feed", trace, f"policy={policy}",
                                         f"frames={frames}"] for way, policy in ways.items()},
                                  repeat=2 * self.repeat + 1)
        for counter in ("tlb_hits", "misses", "replacements"):
            found = {runs[0].number(counter) for runs in usages.values()}
            if len(found) != 1:
                raise Failure(f"{name}: built in and compiled disagree in {counter}: {found}")
        seconds = {way: statistics.median(usage.number("seconds") for usage in runs)
                   for way, runs in usages.items()}
        self.row("speed of the plug-in over that of the policy built in",
                 seconds["built in"] / seconds["plug-in"], "times", low=0.95)
        self.row("compiled plainly, without a loop of its own",
                 seconds["built in"] / seconds["plain"], "times")

    def plugin_start(self):
        """A run of nearly nothing: compiled, and out of the cache."""
        trace = self.trace_gen(self.work / "tiny.trace", "random", 10)
        source = self.work / "tiny.c"
        source.write_text((POLICIES / "clock.c").read_text().replace("clock", "tiny").replace(
            '"policy.h"', f'"{POLICIES}/policy.h"'))
        command = [self.bin / "vmm", "-q", "-t", trace, "-a", source, "--frames", 5]
        for name in ("the first run compiles", "the second finds the result"):
            begun = time.monotonic()
            self.run("env", f"XDG_CACHE_HOME={self.work}/cache", *command)
            self.row(name, time.monotonic() - begun, "s")
