#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program against the reference model, on random small traces and configurations.

    python3 tests/property/test_random.py                 the fixed set, as every test run does
    python3 tests/property/test_random.py --seed 5000 --cases 20000     a long run elsewhere
    python3 tests/property/test_random.py --replay FILE   one stored case, with its differences

Every counter, fault class and per-process number has to be the model's, for the fast and for the
generic engine, and the JSON reports of the two have to be the same bytes. A failing case is made
small and stored in tests/property/cases/, whose cases are run again every time.
"""

from __future__ import annotations

import argparse
import mmap
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable

import libvmm
from cases import Case, load, random_case
from compare import ENGINES, Config, compare_json, isolated_problem, problem, run_model, shrink
from policies import POLICIES
from tap import Tap, equal

STORED = Path(__file__).resolve().parent / "cases"
SEED = 1
CASES = 1500
COMMAND_CASES = 60
COMMAND_SEED = 1_000_000
MOST_STORED = 5  # failing cases that one run shrinks and stores
MOST_SHOWN = 5   # failing cases that one result tells of


def policy_of(case: Case) -> str:
    """The policy's name without its parameters."""
    return case.options["policy"].partition(":")[0]


def store(case: Case, seed: int, fails: Callable[[Case], str | None]) -> str:
    """Shrinks and stores a failing case; says where."""
    small = shrink(case, fails)
    why = fails(small)
    path = STORED / f"{policy_of(small) if 'policy' in small.options else 'clock'}-{seed}.case"
    small.save(path, why)
    lines = [f"{pid} {op} {addr:#x} {size}" for pid, op, addr, size in small.references]
    return (f"seed {seed}, stored as {path.relative_to(libvmm.ROOT)}\n{small.mode}: "
            f"{small.command()}\n" + "\n".join(lines[:30]) + f"\n{why}")


def policies_are_modelled() -> None:
    """A new policy needs a model, else nothing here would try it."""
    for name, info in libvmm.policy_table().items():
        assert name in POLICIES, f"the reference model has no policy '{name}'"
        modelled = POLICIES[name]
        equal(libvmm.parameter_defaults(name), modelled.defaults, f"parameters of {name}")
        equal(info.needs == libvmm.NEEDS_FUTURE, modelled.needs_future, f"{name}: future")
        equal(info.needs == libvmm.NEEDS_ACCESSED_BIT, modelled.uses_accessed_bit,
              f"{name}: accessed bit")
        equal(bool(info.variable_space), modelled.variable_space, f"{name}: variable space")


def replay_stored(tap: Tap) -> None:
    """Runs every stored case."""
    for path in sorted(STORED.glob("*.case")):
        tap.result(f"stored case {path.stem}", problem(load(path)))


def random_cases(tap: Tap, seed: int, count: int, current: mmap.mmap) -> None:
    """Runs random cases through the library; one result for each policy."""
    runs: dict[str, int] = {}
    failures: dict[str, list[str]] = {}
    stored = 0
    for number in range(seed, seed + count):
        current[:8] = number.to_bytes(8, "little")
        case = random_case(number)
        name = policy_of(case)
        runs[name] = runs.get(name, 0) + 1
        why = problem(case)
        if why is not None:
            if stored < MOST_STORED:
                why = store(case, number, problem)
                stored += 1
            failures.setdefault(name, []).append(f"seed {number}\n{why}")
    for name, cases in sorted(runs.items()):
        text = "\n\n".join(failures.get(name, [])[:MOST_SHOWN]) or None
        tap.result(f"library = model: {name}, {cases} random cases", text)


def command_problem(case: Case, folder: Path) -> str | None:
    """As problem(), but through the program bin/vmm."""
    model = run_model(case)
    trace = folder / "case.trace"
    trace.write_text(case.trace_text(Config(case.options).page_size))
    reports, lines = [], []
    for engine in ENGINES:
        output = folder / f"{engine}.json"
        output.unlink(missing_ok=True)
        command = [str(libvmm.BIN / "vmm"), "-t", str(trace), "-V", "--no-timing",
                   "--format", "pages" if case.page_list else "native", "--engine", engine,
                   "-o", str(output)]
        for name, value in case.options.items():
            command += ["--" + name, value]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        expected = 2 if model.stopped else 1 if model.count["oom_events"] else 0
        if done.returncode != expected:
            lines.append(f"{engine}: exit status: expected {expected}, found {done.returncode}: "
                         f"{done.stderr.strip()}")
        if not output.exists():
            return "\n".join(lines + [f"{engine}: no report was written"])
        text = output.read_text()
        lines += [f"{engine}: {line}" for line in compare_json(model, text)]
        reports.append((text, done.stdout.replace(str(output), "REPORT")))
    if reports[0] != reports[1]:
        lines.append("the reports of the two engines are not the same bytes")
    return "\n".join(lines) or None


def command_cases(tap: Tap, seed: int, count: int) -> None:
    """Runs random cases through the program."""
    with tempfile.TemporaryDirectory() as folder:
        failures = []
        for number in range(seed, seed + count):
            case = random_case(number).without_events()
            why = command_problem(case, Path(folder))
            if why is not None:
                failures.append(f"seed {number}: {case.command()}\n{why}")
    tap.result(f"program = model: {count} random cases", "\n\n".join(failures[:MOST_SHOWN]) or None)


def guarded(tests: Callable[[mmap.mmap], int]) -> int:
    """Runs tests in a child process, which notes its seed; tells which case made it crash."""
    current = mmap.mmap(-1, 8)
    child = os.fork()
    if child == 0:
        status = tests(current)
        sys.stdout.flush()
        os._exit(status)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        return os.WEXITSTATUS(status)
    seed = int.from_bytes(current[:8], "little")
    tap = Tap()
    print(f"# signal {os.WTERMSIG(status)} while seed {seed} ran (0: a stored case)")
    case = random_case(seed)
    again = seed and isolated_problem(case)
    tap.result("no case crashes the library",
               store(case, seed, isolated_problem) if again else "a crash")
    return tap.finish()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="random cases against the reference model")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--replay", type=Path)
    arguments = parser.parse_args()

    def tests(current: mmap.mmap) -> int:
        tap = Tap()
        if arguments.replay:
            tap.result(arguments.replay.stem, problem(load(arguments.replay)))
            return tap.finish()
        tap.run("the model knows every policy", policies_are_modelled)
        replay_stored(tap)
        random_cases(tap, arguments.seed, arguments.cases, current)
        command_cases(tap, COMMAND_SEED + arguments.seed, COMMAND_CASES)
        return tap.finish()

    return guarded(tests)


if __name__ == "__main__":
    sys.exit(main())
