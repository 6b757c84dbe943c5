#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden results: counts that other people's programs gave, and our own for regressions.

    python3 tests/golden/run_goldens.py              bin/vmm against all of them
    python3 tests/golden/run_goldens.py --model      the reference model against the former
    python3 tests/golden/run_goldens.py --refresh    writes the regression results anew

The directory holds
    policies.<trace>.tsv              misses of policies at sizes, with the source of each count
    bands.<trace>.tsv                 of policies that draw: misses with three seeds of their own
    tlb.<trace>.tsv                   hits, misses, replacements and write-backs of TLBs
    steps.<trace>.<policy>-f<n>.tsv   hit or miss and the replaced page, reference by reference
    regression/<trace>.<configuration>.json   the program's whole report
    traces/                           their inputs
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests" / "property"), str(ROOT / "tests" / "reference")]

from tap import Tap, equal  # noqa: E402

VMM = Path(os.environ.get("VMM_BIN_DIR", ROOT / "bin")) / "vmm"
TRACES = HERE / "traces"
ENGINES = ("fast", "generic")

# Regression cases: a trace and options; together they make the file's name.
REGRESSIONS: list[tuple[str, dict[str, str]]] = [
    ("mixed_pids", {"policy": "lru", "frames": "32", "page-size": "4K",
                    "pt-type": "FOUR_LEVEL"}),
    ("mixed_pids", {"policy": "clock:bits=2,enter=0", "frames": "24", "page-size": "4K",
                    "pt-type": "TWO_LEVEL", "tlb-size": "16", "tlb-ways": "4"}),
    ("mixed_pids", {"policy": "fifo", "frames": "8", "page-size": "4K", "scope": "process",
                    "tlb-switch": "flush", "tlb-policy": "FIFO"}),
    ("mixed_pids", {"policy": "opt", "frames": "16", "page-size": "512",
                    "pt-type": "FIVE_LEVEL"}),
    ("mixed_pids", {"policy": "approxlru:period=50,bits=16", "frames": "20", "page-size": "4K",
                    "accessed-bit": "tlb-fill", "tlb-size": "8"}),
    ("mixed_pids", {"policy": "nru:period=64", "frames": "20", "page-size": "16K",
                    "pt-type": "THREE_LEVEL", "swap-write": "background"}),
    ("mixed_pids", {"policy": "random", "frames": "20", "page-size": "4K", "seed": "7",
                    "tlb-policy": "RANDOM", "tlb-size": "8"}),
    ("mixed_pids", {"policy": "lfu", "frames": "20", "page-size": "4K", "refs": "data",
                    "initial": "store", "tlb-policy": "LFU", "tlb-size": "8"}),
    ("mixed_pids", {"policy": "mru", "frames": "20", "page-size": "4K", "tlb": "off",
                    "max-accesses": "1500"}),
    ("mixed_pids", {"policy": "clock", "frames": "20", "page-size": "4K", "swap": "80K"}),
    ("ostep_seed0", {"policy": "unopt", "frames": "4", "page-size": "4K"}),
    ("ostep_seed0", {"policy": "lru", "frames": "3", "page-size": "4K"}),
]

# How an option is written in a file name: a prefix for its value.
SHORT = {"policy": "", "frames": "f", "page-size": "p"}


def regression_name(trace: str, options: dict[str, str]) -> str:
    """mixed_pids.lru-f32-p4K-pt_type=FOUR_LEVEL"""
    parts = [SHORT[name] + value if name in SHORT else f"{name.replace('-', '_')}={value}"
             for name, value in options.items()]
    return f"{trace}." + "-".join(part.replace(":", "_").replace(",", "_") for part in parts)


def find_trace(name: str) -> Path:
    """The file of a trace, compressed or not."""
    return next(TRACES.glob(name + ".txt*"))


def run_program(trace: str, options: dict[str, str]) -> dict:
    """The report of bin/vmm, whose exit status must be 0, or 1 if swap became full."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "report.json"
        path = find_trace(trace).relative_to(HERE)
        command = [str(VMM), "-t", str(path), "-q", "--no-timing", "-o", str(output)]
        for name, value in options.items():
            command += ["--" + name, value]
        done = subprocess.run(command, cwd=HERE, text=True, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if not output.exists():
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr}")
        report = json.loads(output.read_text())
        equal(done.returncode, 1 if report["oom_events"] else 0, "exit status")
        return report


class ModelRunner:
    """Runs the reference model; keeps the last trace, since reading one takes a while."""

    def __init__(self) -> None:
        self.key: tuple[str, int] | None = None
        self.trace: object = None

    def __call__(self, trace: str, options: dict[str, str]) -> dict:
        from config import Config
        from machine import simulate
        from model import report
        from traces import read_trace
        key = (trace, Config(options).page_size)
        if key != self.key:
            self.trace, self.key = read_trace(str(find_trace(trace)), key[1]), key
        return report(simulate(self.trace, options))


def rows(path: Path) -> list[dict[str, str]]:
    """A tab-separated table."""
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def check_policies(tap: Tap, judge: object, extra: list[dict[str, str]]) -> None:
    """Misses of policies on page lists."""
    for path in sorted(HERE.glob("policies.*.tsv")):
        trace = path.name.split(".")[1]
        for row in rows(path):
            for engine in extra:
                options = {"policy": row["policy"], "frames": row["frames"], **engine}

                def test() -> None:
                    equal(judge(trace, options)["misses"], int(row["misses"]),
                          f"misses ({row['source']})")
                tap.run(label(trace, options), test)


def check_bands(tap: Tap) -> None:
    """Policies that draw: the mean of three seeds lies near the mean of other people's three."""
    for path in sorted(HERE.glob("bands.*.tsv")):
        trace = path.name.split(".")[1]
        for row in rows(path):
            options = {"policy": row["policy"], "frames": row["frames"]}

            def test() -> None:
                theirs = sum(map(int, row["misses"].split())) / 3
                ours = sum(run_program(trace, {**options, "seed": str(seed)})["misses"]
                           for seed in (1, 2, 3)) / 3
                near = abs(ours - theirs) <= theirs * float(row["per_cent"]) / 100
                assert near, f"{row['source']} has {theirs:.0f} misses, we have {ours:.0f}"
            tap.run(label(trace, options), test)


def check_tlbs(tap: Tap, judge: object, extra: list[dict[str, str]]) -> None:
    """TLB counts on the recorded trace, with memory enough for everything."""
    for path in sorted(HERE.glob("tlb.*.tsv")):
        trace = path.name.split(".")[1]
        for row in rows(path):
            for engine in extra:
                options = {"refs": row["refs"], "page-size": row["page_size"],
                           "tlb-size": row["entries"], "tlb-ways": row["ways"],
                           "tlb-policy": row["policy"], "frames": "1000", **engine}

                def test() -> None:
                    report = judge(trace, options)
                    for name in ("tlb_hits", "tlb_misses", "tlb_evictions", "tlb_writebacks",
                                 "distinct_pages"):
                        if row[name] != "-":
                            equal(report[name], int(row[name]), f"{name} ({row['source']})")
                tap.run(f"{row['source']}: {label(trace, options)}", test)


def label(trace: str, options: dict[str, str]) -> str:
    """A test's name."""
    return trace + " " + " ".join(f"{name}={value}" for name, value in options.items())


# ---- Step by step --------------------------------------------------------------------------

def steps_of_model(trace: str, policy: str, frames: int) -> list[tuple[str, str]]:
    """Outcome and replaced page of every reference, by the model."""
    from config import Config
    from machine import Machine
    from traces import read_trace
    content = read_trace(str(find_trace(trace)), 4096)
    machine = Machine(Config({"policy": policy, "frames": str(frames)}), False)
    steps: list[tuple[str, str]] = []
    plain_reference, plain_room = machine.reference, machine.make_room

    def make_room(pool: object) -> int:
        before = set(pool.frame_of)
        frame = plain_room(pool)
        steps.append(("miss", str((before - set(pool.frame_of)).pop()[1])))
        return frame

    def reference(item: object) -> None:
        done, misses = len(steps), machine.count["misses"]
        plain_reference(item)
        if len(steps) == done:
            steps.append(("miss" if machine.count["misses"] > misses else "hit", "-"))

    machine.make_room, machine.reference = make_room, reference
    machine.run(content.references)
    return steps


def steps_of_library(trace: str, policy: str, frames: int) -> list[tuple[str, str]]:
    """The same by the library, through an observer."""
    import libvmm
    steps: list[tuple[str, str]] = []

    def seen(step: libvmm.Step) -> None:
        replaced = str(step.evictions[0].vpn) if step.eviction_count else "-"
        steps.append(("hit" if step.fault == libvmm.NO_FAULT else "miss", replaced))

    with libvmm.Machine({"policy": policy, "frames": str(frames)}) as machine:
        machine.watch(seen)
        with libvmm.Trace(str(find_trace(trace))) as opened:
            equal(libvmm.run([machine], opened), 0, "vmm_run")
    return steps


def check_steps(tap: Tap, by_model: bool) -> None:
    """OSTEP's own traces of LRU and OPT, one reference at a time."""
    for path in sorted(HERE.glob("steps.*.tsv")):
        _, trace, name, _ = path.name.split(".")
        policy, _, frames = name.partition("-f")
        expected = rows(path)

        def test() -> None:
            run = steps_of_model if by_model else steps_of_library
            found = run(trace, policy, int(frames))
            equal([step[0] for step in found], [row["outcome"] for row in expected], "outcomes")
            later = [{row["page"] for row in expected[place:]} for place in range(len(expected))]
            for place, (row, step) in enumerate(zip(expected, found)):
                # Which of several pages that are never used again goes is a free choice of OPT.
                if policy != "opt" or row["replaced"] in later[place]:
                    equal(step[1], row["replaced"], f"page replaced by reference {place + 1}")
        tap.run(f"steps of {trace} {policy} {frames} frames", test)


# ---- Our own -------------------------------------------------------------------------------

def comparable(report: dict) -> dict:
    """A report without what changes from version to version."""
    return {name: value for name, value in report.items() if name != "version"}


def check_regressions(tap: Tap) -> None:
    """The whole report, every field, against the stored one, by both engines."""
    for trace, options in REGRESSIONS:
        name = regression_name(trace, options)
        stored = HERE / "regression" / (name + ".json")
        for engine in ENGINES:

            def test() -> None:
                if not stored.exists():
                    raise AssertionError(f"{stored.name} is missing; run with --refresh")
                expected = comparable(json.loads(stored.read_text()))
                found = comparable(run_program(trace, {**options, "engine": engine}))
                wrong = [f"{key}: expected {expected.get(key)}, found {found.get(key)}"
                         for key in {**expected, **found} if expected.get(key) != found.get(key)]
                if wrong:
                    raise AssertionError("\n".join(wrong))
            tap.run(f"regression {name} engine={engine}", test)


def refresh() -> int:
    """Stores new regression results, but only numbers that the reference model confirms."""
    model = ModelRunner()
    folder = HERE / "regression"
    folder.mkdir(exist_ok=True)
    kept = set()
    for trace, options in REGRESSIONS:
        found, confirmed = run_program(trace, options), model(trace, options)
        wrong = [key for key, value in confirmed.items()
                 if key != "per_process" and found.get(key) != value]
        if wrong:
            print(f"{regression_name(trace, options)}: the model disagrees on {', '.join(wrong)}")
            return 1
        path = folder / (regression_name(trace, options) + ".json")
        path.write_text(json.dumps(comparable(found), indent=2) + "\n")
        kept.add(path)
    for path in set(folder.glob("*.json")) - kept:
        path.unlink()
    print(f"{len(kept)} results stored in {folder.relative_to(ROOT)}")
    return 0


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="golden results")
    parser.add_argument("--model", action="store_true", help="judge the reference model")
    parser.add_argument("--refresh", action="store_true", help="store new regression results")
    arguments = parser.parse_args()
    if arguments.refresh:
        return refresh()
    tap = Tap()
    judge = ModelRunner() if arguments.model else run_program
    extra = [{}] if arguments.model else [{"engine": engine} for engine in ENGINES]
    check_steps(tap, arguments.model)
    check_policies(tap, judge, extra)
    check_tlbs(tap, judge, extra)
    if not arguments.model:
        check_bands(tap)
        check_regressions(tap)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
