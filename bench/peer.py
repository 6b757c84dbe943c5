# SPDX-License-Identifier: Apache-2.0
"""The part of the bench that measures replacement policies beside libCacheSim.

libCacheSim is installed from PyPI into a folder of the bench's own; where that is not possible the
part says so and measures nothing. Both sides read the same oracleGeneral file, whose records say
when each page comes next. Three kinds of traces, two sizes of memory; the misses of both sides are
compared: they must be equal for the policies whose rules are the same beyond doubt.

    policy only    bench/policies.c: pages numbered beforehand, hooks alone, against libCacheSim's
                   own loop over the trace (its reader included: it cannot be taken out from Python)
    with reading   the same, and reading the file and numbering its pages
    whole program  vmm, from the file to the report, without a TLB: page tables, walks, swap and all
                   counters beside the policy; shown, nothing is asked of it
"""

import math
import statistics
import subprocess
import sys

from failure import Failure

# The driver of the other side: prints the miss ratio, not rounded, and its processor time.
DRIVER = """
import sys, time
import libcachesim as peer
path, kind, frames = sys.argv[1], sys.argv[2], int(sys.argv[3])
reader = peer.TraceReader(trace=path, trace_type=peer.TraceType.ORACLE_GENERAL_TRACE,
                          reader_init_params=peer.ReaderInitParam(ignore_obj_size=True))
cache = getattr(peer, kind)(cache_size=frames)
begin = time.process_time()
ratio, _ = cache.process_trace(reader)
print("seconds", time.process_time() - begin)
print("ratio", repr(ratio))
"""

# Ours, theirs, whether the misses must be equal, the least ratio of each cell.
POLICIES = (
    ("lru", "LRU", True, 5),
    ("fifo", "FIFO", True, 5),
    ("clock:enter=0", "Clock", True, 5),
    ("sieve", "Sieve", True, 5),
    ("arc", "ARC", False, 5),
    ("twoq", "TwoQ", True, 5),
    ("s3fifo:variant=libcachesim", "S3FIFO", False, 5),
    ("lirs:variant=libcachesim", "LIRS", False, 5),
)
OPT = ("opt", "Belady", True, 3)

TRACES = (
    ("zipf", "zipf:alpha=1,pages=100k"),
    ("scan and hot set", "mix:of=zipf(pages=5k)*3+sequential*1"),
    ("phases", "phases:length=20000,set=4000,order=random"),
)
FRAMES = (1000, 10000)


def geometric_mean(values):
    """Of positive numbers."""
    return math.exp(statistics.fmean(math.log(value) for value in values))


class PeerParts:
    """Mixed into the bench, whose run(), row(), title(), trace_gen() it uses."""

    def peer_python(self):
        """A Python that has libCacheSim, or None."""
        place = self.work / "peer"
        python = place / "bin/python"
        for command in ([sys.executable, "-m", "venv", place],
                        [python, "-m", "pip", "install", "--quiet", "libcachesim"]):
            done = subprocess.run([str(word) for word in command], stderr=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode != 0:
                print(f"   libCacheSim cannot be installed here, so nothing is compared: "
                      f"{(done.stderr or done.stdout).strip().splitlines()[-1:]}")
                return None
        (self.work / "peer.py").write_text(DRIVER)
        return python

    def peer_cell(self, python, trace, policy, frames, title):
        """One policy on one trace with one size: how many times faster it is alone."""
        ours, theirs, must_be_equal, least = policy
        usages = self.interleaved({
            "peer": [python, self.work / "peer.py", trace, theirs, frames],
            "alone": [self.work / "policies", trace, ours, frames],
            "vmm": self.vmm(trace, ours, frames, "--tlb", "off", "--format", "oracleGeneral"),
        }, 3 if self.quick else 5)
        count = usages["alone"][0].number("references")
        peer_misses = round(usages["peer"][0].number("ratio") * count)
        misses = int(usages["alone"][0].number("misses"))
        if misses != self.report()["misses"]:
            raise Failure(f"{ours}: alone {misses} misses, by vmm {self.report()['misses']}")
        if must_be_equal and misses != peer_misses:
            raise Failure(f"{ours}: {misses} misses, libCacheSim {peer_misses}")
        peer = statistics.median(usage.number("seconds") for usage in usages["peer"])
        alone = statistics.median(usage.number("seconds") for usage in usages["alone"])
        loaded = statistics.median(usage.number("load_seconds") + usage.number("seconds")
                                   for usage in usages["alone"])
        whole = statistics.median(usage.cpu for usage in usages["vmm"])
        note = "" if misses == peer_misses else f", misses {misses} to {peer_misses}"
        self.row(f"{ours}, {title}, {frames}{note}", peer / alone, "times", low=least)
        self.row("   reading and numbering included", peer / loaded, "times",
                 low=4 if least == 5 else None)
        self.row("   the whole program, page tables and counters too", peer / whole, "times")
        return peer / alone

    def part_peer(self):
        """Policies alone, and the whole program, against libCacheSim."""
        self.title("peer: replacement policies against libCacheSim, processor time, medians")
        python = self.peer_python()
        if python is None:
            return
        references = 1_000_000 if self.quick else 5_000_000
        ratios = []
        for title, pattern in TRACES:
            pages = self.trace_gen(self.work / "peer.pages", pattern, references, "-p", 1,
                                   "--format", "pages")
            trace = self.work / "peer.oracleGeneral"
            self.run(self.bin / "vmm", "trace", "convert", "-q", pages, trace)
            pages.unlink()
            for frames in FRAMES:
                for policy in POLICIES:
                    ratios.append(self.peer_cell(python, trace, policy, frames, title))
                self.peer_cell(python, trace, OPT, frames, title)
            trace.unlink()
        self.row("geometric mean of the policies but OPT, alone", geometric_mean(ratios), "times",
                 low=10)
