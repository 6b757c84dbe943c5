# SPDX-License-Identifier: Apache-2.0
"""The parts of bench/run that measure recording and the .vmt format.

Four programs work on input that is made here by a rule, each for a second or more when nobody
watches; a recording is compared with such a native run, wall clock against wall clock, in turn.
The traces that come out are then the input of the part `format`.
"""

import filecmp
import re
import shutil
import statistics
import tempfile
from pathlib import Path

# Of each program: size of its input at full length and in a quick run.
TEXT_BYTES = {"gzip": (36_000_000, 3_000_000), "sort": (90_000_000, 8_000_000)}
SQL_ROWS = (1_500_000, 100_000)
PYTHON_STEPS = (8_000_000, 500_000)
GZIP_ALONE = (6_000_000, 1_500_000)
FULL_REFERENCES = "300M"

SQL = """CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c INT);
WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
INSERT INTO t SELECT i, hex(i * 7919 % 1000007), i * 31 % 99991 FROM n;
CREATE INDEX tc ON t (c);
SELECT count(*), sum(length(t.b)) FROM t JOIN t u ON t.c = u.a WHERE t.b > '5';
"""

PYTHON = """
words = [str(i * 7919 % 1000003) for i in range({steps} // 12)]
index = {{}}
for place, word in enumerate(words):
    index.setdefault(word[:3], []).append(place)
print(sum(len(sorted(places, key=words.__getitem__)) for places in index.values()))
total = 0
for i in range({steps}):
    total += i * i % 7
print(total)
"""


def write_text(path, size):
    """Lines of eight words, drawn by a linear congruence from five thousand."""
    words = [("%x" % (i * 2654435761 % 2**32))[:3 + i % 6] for i in range(5000)]
    x = 1
    written = 0
    with open(path, "w", encoding="ascii") as out:
        while written < size:
            line = []
            for _ in range(8):
                x = (x * 1103515245 + 12345) % 2147483648
                line.append(words[(x >> 16) % 5000])
            written += out.write(" ".join(line) + "\n")
    return path


class RecordingParts:
    """Mixed into Bench: recording, and reading what was recorded."""

    def record(self, trace, program, *options):
        return [self.bin / "vmm", "record", "-q", "-o", trace, *options, "--", *program]

    def into_file(self, path, command):
        """The command with its standard output in a file."""
        return ["sh", "-c", 'LC_ALL=C exec "$@" >"$0"', path, *command]

    def programs(self, place):
        """{name: command}, with their input in `place`."""
        short = 1 if self.quick else 0
        sql = place / "work.sql"
        sql.write_text(SQL.format(rows=SQL_ROWS[short]))
        script = place / "work.py"
        script.write_text(PYTHON.format(steps=PYTHON_STEPS[short]))
        text = {name: write_text(place / name, size[short]) for name, size in TEXT_BYTES.items()}
        python = next(path for path in ("/usr/bin/python3", shutil.which("python3"))
                      if path and Path(path).exists())
        return {
            "gzip": ["gzip", "-c", text["gzip"]],
            "sort": ["sort", "--parallel=1", text["sort"]],
            "sqlite3": ["sqlite3", ":memory:", f".read {sql}"],
            "python3": [python, "-I", "-S", script],
        }

    def slow_down(self, native, trace, *options, repeat):
        """How many times as long the recording takes; medians of runs in turn."""
        commands = {"native": native, "record": self.record(trace, native, *options)}
        printed = {name: self.work / f"{name}.out" for name in commands}
        usages = self.interleaved({name: self.into_file(printed[name], command)
                                   for name, command in commands.items()}, repeat)
        if not filecmp.cmp(printed["native"], printed["record"], shallow=False):
            raise RuntimeError(f"{native[0]} printed something else when it was recorded")
        wall = {name: statistics.median(usage.wall for usage in runs)
                for name, runs in usages.items()}
        return wall["record"] / wall["native"], wall["native"]

    def trace_totals(self, trace):
        """(references, bytes) of a trace, by the program's own account."""
        info = self.json_of("trace", "info", "--quick", "--json", trace)
        return info["index_references"], trace.stat().st_size

    def part_recording(self):
        with tempfile.TemporaryDirectory(prefix="vmm-recording-", dir=self.work) as name:
            place = Path(name)
            self.recording_alone(place)
            self.recording_set(place)

    def recording_alone(self, place):
        size = GZIP_ALONE[1 if self.quick else 0]
        self.title(f"recording: gzip of {size / 1e6:g} MB, and the start of a program")
        text = write_text(place / "alone", size)
        trace = place / "alone.vmt"
        ratio, native = self.slow_down(["gzip", "-c", text], trace, repeat=self.repeat)
        self.row("gzip recorded against native, wall clock", ratio, "times", high=15)
        self.row("gzip native", native, "s")
        self.decoding("gzip", trace, 3)
        starts = [self.run(*self.record(trace, ["true"])).wall for _ in range(self.repeat)]
        self.row("recording `true`: what every program that is started costs",
                 statistics.median(starts), "s")

    def recording_set(self, place):
        self.title("recording: page runs, wall clock against native; size of the traces")
        logarithms = 1.0
        references = size = 0
        programs = self.programs(place)
        for name, native in programs.items():
            trace = place / f"{name}.vmt"
            ratio, seconds = self.slow_down(native, trace, repeat=min(self.repeat, 3))
            count, length = self.trace_totals(trace)
            self.row(f"{name}, {seconds:.2f} s native, {count / 1e6:.0f} M references", ratio,
                     "times")
            self.row(f"{name}, size", length / count, "bytes/reference")
            logarithms *= ratio
            references += count
            size += length
            self.decoding(name, trace, 1)
            trace.unlink()
        self.row("geometric mean", logarithms ** (1 / len(programs)), "times", high=31)
        self.row("size of all, page runs", size / references, "bytes/reference", high=0.15)
        self.recording_full(place, programs)

    def recording_full(self, place, programs):
        self.title(f"recording: full addresses, of the first {FULL_REFERENCES} references")
        references = size = 0
        for name, native in programs.items():
            trace = place / f"{name}.vmt"
            self.run(*self.into_file("/dev/null",
                                     self.record(trace, native, "--codec", "full",
                                                 "--stop-after", FULL_REFERENCES)))
            count, length = self.trace_totals(trace)
            self.row(f"{name}, size", length / count, "bytes/reference")
            references += count
            size += length
            trace.unlink()
        self.row("size of all, full addresses", size / references, "bytes/reference", high=0.5)

    def decoding(self, name, trace, repeat):
        """Decoding a trace alone; with several rounds also with threads that decode ahead."""
        ways = (0, 2) if repeat > 1 else (0,)
        usages = self.interleaved({threads: [self.work / "decode", trace, threads]
                                   for threads in ways}, repeat)
        references = usages[0][0].number("references")
        cpu = statistics.median(usage.cpu for usage in usages[0])
        self.row(f"{name}, decoding page runs, one core", references / cpu / 1e6,
                 "M references/s", low=400)
        if repeat > 1:
            wall = {threads: statistics.median(usage.number("seconds") for usage in runs)
                    for threads, runs in usages.items()}
            self.row(f"{name}, two threads that decode ahead against none, wall clock",
                     wall[0] / wall[2], "times")

    def part_vmt(self):
        """The whole simulation from .vmt against a bare fscanf loop over the same references."""
        for name, native in self.real_traces():
            trace = self.examples / name
            self.run(*self.vmm(trace, "lru", 1 << 20))
            frames = max(1, self.report()["distinct_pages"] // 4)
            count = self.report()["accesses"]
            self.title(f"vmt: {name}, {count / 1e6:.1f} M references, LRU with {frames} frames")
            usages = self.interleaved({"fscanf": [self.work / "fscanf_loop", native],
                                       "vmm": self.vmm(trace, "lru", frames)})
            cpu = {key: statistics.median(usage.cpu for usage in runs)
                   for key, runs in usages.items()}
            self.row("whole simulation from .vmt against the fscanf loop",
                     cpu["fscanf"] / cpu["vmm"], "times", low=10)
            self.row("whole simulation from .vmt", count / cpu["vmm"] / 1e6, "M references/s")
