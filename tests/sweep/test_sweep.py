#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vmm sweep against vmm sim, killed and gone on with, and as a database."""

import csv
import itertools
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/property"))

from tap import Tap  # noqa: E402

BIN = Path(os.environ.get("VMM_BIN_DIR", ROOT / "bin")).resolve()
VMM = BIN / "vmm"
PRELOAD = {"LD_PRELOAD": ""}  # the sanitizers' library is for Python


def vmm(*words, expected=0):
    done = subprocess.run([VMM, *map(str, words)], capture_output=True, text=True, check=False,
                          env={**os.environ, **PRELOAD})
    assert done.returncode == expected, (words, done.returncode, done.stderr)
    return done


def start(*words, **more):
    """A run that is not waited for; signals do what they do by default, whatever they do here."""
    return subprocess.Popen([VMM, *map(str, words)], env={**os.environ, **PRELOAD},
                            stdout=subprocess.DEVNULL, preexec_fn=default_signals, **more)


def default_signals():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_lines(name, process, count):
    """Until the file has so many lines, or the program ended by itself."""
    while process.poll() is None and (
            not Path(name).exists() or Path(name).read_bytes().count(b"\n") < count):
        time.sleep(0.002)


def write_traces(references=30000):
    """Two traces of two processes: pages of a skewed distribution, and a loop that moves."""
    rng = random.Random(4)
    with open("skewed.trace", "w", encoding="ascii") as out:
        for _ in range(references):
            page = int(rng.paretovariate(0.7)) % 600
            out.write(f"{rng.randrange(2)} {rng.choice('RRWI')} 0x{page * 4096 + 8:x}\n")
    with open("loop.trace", "w", encoding="ascii") as out:
        for i in range(references // 2):
            out.write(f"0 {'RW'[i % 7 == 0]} 0x{(i % 90 + i // 5000 * 40) * 4096:x}\n")


TRACES = ["skewed.trace", "loop.trace"]
AXES = {
    "page-size": ["4K", "16K"],
    "pt-type": ["SINGLE", "FIVE_LEVEL", "FOUR_LEVEL"],
    "policy": ["lru", "clock:bits=2,enter=0", "opt", "unopt"],
    "frames": ["7", "40", "100"],
    "swap": ["256K", "unlimited"],
}


def flags_of(axes):
    return [word for name, values in axes.items() for word in ("--" + name, ",".join(values))]


def combinations():
    """The rows of the product, in the order that the manual promises."""
    for trace, *values in itertools.product(TRACES, *AXES.values()):
        yield trace, dict(zip(AXES, values))


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def rows_are_single_runs():
    vmm("sweep", *TRACES, *flags_of(AXES), "--csv", "all.csv", "-q", "--jobs", 2, "--block", 5)
    rows = rows_of("all.csv")
    wanted = list(combinations())
    assert len(rows) == len(wanted)
    chosen = random.Random(1).sample(range(len(rows)), 40)
    full = 0
    for number, (row, (trace, options)) in enumerate(zip(rows, wanted)):
        assert row["trace.path"] == trace
        assert {name: row["config." + name] for name in AXES} == options, number
        if number not in chosen:
            continue
        words = [word for name, value in options.items() for word in ("--" + name, value)]
        failed = row["end"] == "out_of_memory"
        full += failed
        done = vmm("-t", trace, *words, "-o", "one.json", "--no-timing", "-q", expected=int(failed))
        with open("one.json", encoding="utf-8") as file:
            report = json.load(file)
        compared = 0
        for name, value in row.items():
            if name.startswith("fault_"):
                found = report["fault_classes"][name.removeprefix("fault_")]
            elif name in report:
                found = report[name]
            else:
                continue
            compared += 1
            if isinstance(found, str):
                assert value == found, (number, name, value, found)
                continue
            assert float(value) == float(found), (number, name, value, found)
        assert compared > 35, compared
        assert (row["error"] != "") == failed
        assert row["error"] in done.stderr
    assert 0 < full < 40, full


def jobs_make_no_difference():
    files = {}
    for jobs, block in ((1, 16), (2, 3), (4, 1), (3, 256)):
        name = f"jobs{jobs}.csv"
        vmm("sweep", *TRACES, *flags_of(AXES), "--csv", name, "-q", "-j", jobs, "--block", block)
        files[jobs] = Path(name).read_bytes()
    out = vmm("sweep", *TRACES, *flags_of(AXES), "-j", 2, "-q").stdout
    assert len(set(files.values())) == 1
    assert out.encode() == files[1]


def killed_at_any_moment():
    rng = random.Random(int(os.environ.get("VMM_SEED", "11")))
    words = ["sweep", *TRACES, *flags_of(AXES), "-q", "--block", "2"]
    vmm(*words, "--csv", "whole.csv", "-j", 1)
    whole = Path("whole.csv").read_bytes()
    for attempt in range(9):
        name = f"killed{attempt}.csv"
        for _ in range(rng.randrange(1, 4)):
            process = start(*words, "--csv", name, "-j", rng.choice((1, 2)))
            wait_for_lines(name, process, rng.randrange(whole.count(b"\n")))
            process.kill()
            process.wait()
        if attempt % 3 == 0 and Path(name).exists() and Path(name).stat().st_size > 10:
            with open(name, "r+b") as file:  # as if the write itself had been cut off
                file.truncate(rng.randrange(1, Path(name).stat().st_size))
        vmm(*words, "--csv", name, "-j", 2)
        assert Path(name).read_bytes() == whole, attempt
    assert not [path for path in os.listdir(".") if path.startswith(".vmm-")]


def every_cut_is_repaired():
    words = ["sweep", "loop.trace", "-a", "lru,fifo", "--frames", "5,50", "-q"]
    vmm(*words, "--csv", "whole.csv", "--restart")
    whole = Path("whole.csv").read_bytes()
    for length in random.Random(3).sample(range(len(whole)), 40):
        Path("cut.csv").write_bytes(whole[:length])
        vmm(*words, "--csv", "cut.csv")
        assert Path("cut.csv").read_bytes() == whole, length


def kept_rows_are_not_run_again():
    """A row with numbers of ours stays: so it was not made again."""
    words = ["sweep", "loop.trace", "-a", "lru,fifo", "--frames", "5,50", "-q"]
    vmm(*words, "--csv", "kept.csv")
    lines = Path("kept.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    marked = lines[2].replace(",complete,", ",complete,kept")
    Path("kept.csv").write_text(lines[0] + marked + lines[4], encoding="utf-8")
    vmm(*words, "--csv", "kept.csv")
    assert Path("kept.csv").read_text(encoding="utf-8").splitlines(keepends=True) == [
        lines[0], lines[1], marked, lines[3], lines[4]]


def longer_lists_run_what_is_missing():
    few = ["sweep", "loop.trace", "-q", "-a", "lru", "--frames", "50,10"]
    more = ["sweep", "loop.trace", "-q", "-a", "fifo,lru", "--frames", "10,20,50"]
    vmm(*few, "--csv", "grown.csv")
    said = vmm(*more, "--csv", "grown.csv").stdout
    assert "6 configurations in grown.csv: 4 run, 2 kept" in said, said
    vmm(*more, "--csv", "fresh.csv")
    assert Path("grown.csv").read_bytes() == Path("fresh.csv").read_bytes()
    vmm(*few, "--csv", "grown.csv", expected=1)  # fewer: rows would be lost
    assert Path("grown.csv").read_bytes() == Path("fresh.csv").read_bytes()


def sqlite_holds_what_the_csv_holds():
    words = ["sweep", *TRACES, *flags_of(AXES), "-q"]
    vmm(*words, "--csv", "all.csv", "--restart")
    vmm(*words, "--sqlite", "all.sqlite", "-j", 1)
    vmm(*words, "--sqlite", "two.sqlite", "-j", 2, "--block", 3)
    assert Path("all.sqlite").read_bytes() == Path("two.sqlite").read_bytes()
    assert not Path("all.sqlite.partial").exists()
    rows = rows_of("all.csv")
    with sqlite3.connect("all.sqlite") as database:
        cursor = database.execute("SELECT * FROM sweep ORDER BY rowid")
        names = [column[0] for column in cursor.description]
        assert names == [name.replace(".", "_").replace("-", "_") for name in rows[0]]
        found = cursor.fetchall()
        kinds = database.execute("SELECT typeof(misses), typeof(config_frames), "
                                 "typeof(avg_memory_access_time_ns) FROM sweep").fetchone()
    assert kinds == ("integer", "integer", "real"), kinds
    assert len(found) == len(rows)
    for row, values in zip(rows, found):
        for name, text, value in zip(names, row.values(), values):
            if text == "":
                assert value is None, name
            elif isinstance(value, str):
                assert text == value, name
            else:
                assert float(text) == float(value), name


def sqlite_is_gone_on_with():
    few = ["sweep", "loop.trace", "-q", "-a", "lru,opt", "--frames", "10,20", "-s", "8K,1M"]
    more = ["sweep", "loop.trace", "-q", "-a", "lru,fifo,opt", "--frames", "10,20", "-s", "8K,1M"]
    vmm(*few, "--sqlite", "grown.sqlite")
    assert "4 run, 8 kept" in vmm(*more, "--sqlite", "grown.sqlite").stdout
    vmm(*more, "--sqlite", "fresh.sqlite")
    assert Path("grown.sqlite").read_bytes() == Path("fresh.sqlite").read_bytes()
    vmm(*more, "--csv", "of_sqlite.csv")
    lines = Path("of_sqlite.csv").read_bytes().splitlines(keepends=True)
    Path("killed.sqlite.partial").write_bytes(b"".join(lines[:5]) + lines[6][:30])
    assert "8 run, 4 kept" in vmm(*more, "--sqlite", "killed.sqlite").stdout
    assert Path("killed.sqlite").read_bytes() == Path("fresh.sqlite").read_bytes()


def interrupted():
    write_traces(300000)
    words = ["sweep", *TRACES, *flags_of(AXES), "--block", "1", "-j", "2", "--csv", "ctrl.csv"]
    process = start(*words, stderr=subprocess.PIPE, text=True)
    wait_for_lines("ctrl.csv", process, 2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, process.returncode
    assert "interrupted: " in said and "the same command goes on from there" in said, said
    content = Path("ctrl.csv").read_bytes()
    assert content.endswith(b"\n") and content.count(b"\n") > 1
    write_traces()


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_traces()
        for test in (rows_are_single_runs, jobs_make_no_difference, killed_at_any_moment,
                     every_cut_is_repaired, kept_rows_are_not_run_again,
                     longer_lists_run_what_is_missing, sqlite_holds_what_the_csv_holds,
                     sqlite_is_gone_on_with, interrupted):
            name = "sweep: " + test.__name__.replace("_", " ")
            if "sqlite" in test.__name__ and "sqlite" not in vmm("--version").stdout:
                tap.skip(name, "this build is without SQLite")
            else:
                tap.run(name, test)
        os.chdir(ROOT)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
