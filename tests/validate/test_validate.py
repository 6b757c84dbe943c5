#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The kernel as judge: simulated page faults against those that it counts, on real programs.

Each program runs twenty times by itself and once recorded. The minor faults simulated must be
within 2 %, 5 faults or the kernel's own spread of the run in the middle, whichever is most; for
each of its processes within 10 %, or 10 faults.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/property"))

from tap import Tap, equal  # noqa: E402

BIN = Path(os.environ.get("VMM_BIN_DIR", ROOT / "bin")).resolve()
VMM = str(BIN / "vmm")
RUNS = 20
SQL = ("create table t(a); with recursive c(x) as (select 1 union all select x+1 from c "
       "where x<20000) insert into t select x from c; select sum(a) from t;")


def programs(own, file, source, lines):
    """Name, command, what it needs."""
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    return (
        ("true", ["true"], "true"),
        ("sort", ["sort", lines], "sort"),
        ("gzip", ["gzip", "-c", file], "gzip"),
        ("sqlite3", ["sqlite3", ":memory:", SQL], "sqlite3"),
        ("python3", [python, "-c", "import json; json.dumps(list(range(1000)))"], python),
        ("gcc -c and its children", ["gcc", "-c", source, "-o", "/dev/null"], "gcc"),
        ("a pipeline", ["sh", "-c", f"ls -l / | sort | gzip | wc -c; sort {lines} | head -3"],
         "gzip"),
        ("fork and write", [own, "fork"], own),
        ("a shared file", [own, "shared", file], own),
        ("threads", [own, "threads"], own),
        ("maps in pieces", [own, "map"], own),
    )


def validate(words, options=()):
    done = subprocess.run(
        [VMM, "validate", "-o", "-", "--runs", str(RUNS), *options, "--", *words],
        capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL)
    equal((done.returncode, done.stderr), (0, ""), f"vmm validate {words[0]}")
    return json.loads(done.stdout)


def is_within(kernel, model, share, least):
    return abs(kernel - model) <= max(kernel * share, least)


def agrees(words):
    found = validate(words)
    kernel, model = found["kernel"], found["simulated"]
    told = (f"kernel {kernel['minor_faults']} ({found['minor_faults_least']} to "
            f"{found['minor_faults_most']}), simulated {model['minor_faults']}")
    spread = found["minor_faults_most"] - found["minor_faults_least"]
    assert is_within(kernel["minor_faults"], model["minor_faults"], 0.02, max(5, spread)), told
    equal(model["major_faults"], 0, "files are in the page cache")
    equal(found["simulated_classes"]["invalid"], 0, "invalid references")
    equal(len(model["processes"]), len(kernel["processes"]), "processes")
    for ours, theirs in zip(model["processes"], kernel["processes"]):
        if ours["name"] == theirs["name"]:
            assert is_within(theirs["minor_faults"], ours["minor_faults"], 0.10, 10), (
                f"{ours['name']}: kernel {theirs['minor_faults']}, "
                f"simulated {ours['minor_faults']}; all: {told}")
    equal(sum(process["minor_faults"] for process in model["processes"]), model["minor_faults"],
          "minor faults of all processes")


def other_rules_are_seen():
    """Without fault-around, or the page of zeros, the model is far from the kernel."""
    found = validate(["sort", "--version"], ["--fault-around", "off"])
    assert found["difference"] > found["allowed"], found["difference"]


def can_follow():
    """Some containers forbid ptrace, and without Valgrind there is no recorder."""
    done = subprocess.run([VMM, "validate", "--runs", "1", "-o", "-", "--", "true"],
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode == 0, done.stderr


def write_by_page(path, content):
    """Written at once, the page cache may hold large folios, which a write fault maps as a whole."""
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(content), 4096):
            file.write(content[start:start + 4096])


def main():
    tap = Tap()
    possible, why = can_follow()
    if not possible and ("cannot follow" in why or "no recorder" in why):
        tap.skip("the kernel as judge", why.strip())
        return tap.finish()
    with tempfile.TemporaryDirectory() as folder:
        own, file = f"{folder}/programs", f"{folder}/file"
        lines, source = f"{folder}/lines", f"{folder}/source.c"
        subprocess.run(["cc", "-O1", "-pthread", "-o", own,
                        str(ROOT / "tests/validate/programs.c")], check=True)
        write_by_page(Path(file), bytes(i * i % 251 for i in range(1 << 20)))
        Path(lines).write_text("".join(f"{i * 7919 % 5000}\n" for i in range(5000)),
                               encoding="ascii")
        Path(source).write_text('#include <stdio.h>\nint main(void) { return puts("hi"); }\n',
                                encoding="ascii")
        for name, words, needs in programs(own, file, source, lines):
            if shutil.which(needs) is None:
                tap.skip(name, f"{needs} is not there")
            else:
                tap.run(name, lambda words=words: agrees(words))
        tap.run("other rules are seen", other_rules_are_seen)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
