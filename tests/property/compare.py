# SPDX-License-Identifier: Apache-2.0
"""Runs a case by the reference model and by the library, and tells how they differ."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Callable

import libvmm
from cases import Case

sys.path.insert(0, str(libvmm.ROOT / "tests" / "reference"))

from machine import Machine as Model  # noqa: E402
from config import Config  # noqa: E402
from model import report  # noqa: E402
from traces import Reference  # noqa: E402

ENGINES = ("fast", "generic")

Result = tuple[dict[str, int], list[dict[str, int]]]  # counters, processes


def run_model(case: Case) -> Model:
    """The model after the case."""
    by_hand = case.mode in ("feed", "access")
    model = Model(Config(case.options), not case.page_list, by_hand)
    model.run([Reference(*reference) for reference in case.references])
    return model


def model_result(model: Model) -> Result:
    """Its numbers under the library's names."""
    counters = model.counters()
    counters |= {"fault_" + name: count for name, count in model.faults.items()}
    return counters, model.process_statistics()


class Scratch:
    """One file, written again for every trace."""

    def __init__(self) -> None:
        folder = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self.folder = tempfile.TemporaryDirectory(dir=folder)
        self.path = Path(self.folder.name) / "case.trace"

    def write(self, case: Case) -> str:
        """Writes the case's trace; its path."""
        self.path.write_text(case.trace_text(Config(case.options).page_size))
        return str(self.path)


SCRATCH = Scratch()


def run_library(case: Case) -> list[tuple[str, Result, str, int]]:
    """Both engines: name, numbers, JSON report and error code."""
    machines = [libvmm.Machine({**case.options, "engine": engine}) for engine in ENGINES]
    try:
        codes = drive(case, machines)
        return [(engine, (machine.counters(), machine.processes()), machine.json(), code)
                for engine, machine, code in zip(ENGINES, machines, codes)]
    finally:
        for machine in machines:
            machine.__exit__()


def drive(case: Case, machines: list[libvmm.Machine]) -> list[int]:
    """Gives the references to the machines in the case's way; their error codes."""
    if case.mode == "feed":
        batch = 1 + sum(size for _, _, _, size in case.references) % 100
        return [machine.feed(case.references, batch) for machine in machines]
    if case.mode == "access":
        return [one_by_one(machine, case) for machine in machines]
    page_size = Config(case.options).page_size
    if case.is_vmt():
        path, fmt = str(SCRATCH.path), "vmt"
        codec, _, bytes_of_page = case.mode.partition(":")
        libvmm.write_vmt(path, case.references, codec, int(bytes_of_page))
    else:
        path, fmt = SCRATCH.write(case), "pages" if case.page_list else "native"
    groups = [machines] if case.mode == "pair" else [[machine] for machine in machines]
    for group in groups:
        with libvmm.Trace(path, page_size, fmt, len(case.references) % 3) as trace:
            code = libvmm.run(group, trace)
            if code not in (0, libvmm.E_OUT_OF_MEMORY, libvmm.E_INVALID_ADDRESS):
                return [code] * len(machines)
    return [machine.last_error() for machine in machines]


def one_by_one(machine: libvmm.Machine, case: Case) -> int:
    """Through vmm_access_outcome(); the first error."""
    for pid, op, addr, size in case.references:
        ref = libvmm.reference(pid, op, addr, size)
        outcome = libvmm.Outcome()
        code = libvmm.LIB.vmm_access_outcome(machine.handle, ref, outcome)
        if code:
            return code
    return 0


def differences(expected: dict, found: dict, where: str) -> list[str]:
    """One line for each number that differs."""
    return [f"{where}{name}: model {expected.get(name)}, library {found.get(name)}"
            for name in {**expected, **found} if expected.get(name) != found.get(name)]


def compare_json(model: Model, text: str) -> list[str]:
    """The report's numbers against the model's, as far as both have them."""
    found = json.loads(text)
    lines = []
    for name, value in report(model).items():
        if name == "per_process":
            for one, other in zip(value, found[name]):
                lines += differences({key: one[key] for key in other if key in one},
                                     {key: other[key] for key in other if key in one},
                                     f"JSON process {one['pid']} ")
        elif isinstance(value, float):
            if abs(found[name] - value) > 0.011:
                lines.append(f"JSON {name}: model {value}, library {found[name]}")
        elif found.get(name) != value:
            lines.append(f"JSON {name}: model {value}, library {found.get(name)}")
    return lines


def engine_problems(case: Case, model: Model, found: Result, text: str, code: int) -> list[str]:
    """How one engine's run differs from the model's."""
    (counters, processes), (found_counters, found_processes) = model_result(model), found
    if case.mode.startswith("runs") and "max-accesses" in case.options:
        # Behind the first store of a run the order is not kept, and the end may lie there.
        for one in (counters, found_counters, *processes, *found_processes):
            one["data"] = one.pop("reads") + one.pop("writes")
    lines = differences(counters, found_counters, "")
    pids = [stats["pid"] for stats in processes]
    found_pids = [stats["pid"] for stats in found_processes]
    if pids != found_pids:
        lines.append(f"processes: model {pids}, library {found_pids}")
    for one, other in zip(processes, found_processes):
        lines += differences(one, other, f"process {one['pid']} ")
    expected = libvmm.E_OUT_OF_MEMORY if counters["oom_events"] else 0
    expected = libvmm.E_INVALID_ADDRESS if model.stopped else expected
    if code != expected:
        lines.append(f"error code: expected {expected}, found {code}")
    return lines or ([] if "data" in counters else compare_json(model, text))


def problem(case: Case) -> str | None:
    """How model and library differ; None if they agree."""
    model = run_model(case)
    try:
        runs = run_library(case)
    except libvmm.VmmError as failure:
        return f"the library refused: {failure}"
    problems = [engine_problems(case, model, found, text, code) for _, found, text, code in runs]
    if problems[0] == problems[1]:
        lines = problems[0]
    else:
        lines = [f"{engine}: {line}" for engine, part in zip(ENGINES, problems) for line in part]
    if runs[0][2] != runs[1][2]:
        lines.append("the JSON reports of the two engines are not the same bytes")
    return "\n".join(lines) or None


def isolated_problem(case: Case) -> str | None:
    """As problem(), in a process of its own, so that a crash is only one more problem."""
    child = os.fork()
    if child == 0:
        os._exit(1 if problem(case) else 0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"the library crashed with signal {os.WTERMSIG(status)}"
    return "the numbers differ" if os.WEXITSTATUS(status) else None


# ---- Shrinking -----------------------------------------------------------------------------

def shrink(case: Case, fails: Callable[[Case], str | None] = problem) -> Case:
    """A smaller case that still fails: fewer references, fewer options, plainer references."""
    before = None
    while before != case:
        before = case
        case = shrink_trace(case, fails)
        case = shrink_options(case, fails)
        case = shrink_references(case, fails)
    return case


def shrink_trace(case: Case, fails: Callable[[Case], str | None]) -> Case:
    """Leaves out runs of references, long ones first."""
    step = max(1, len(case.references) // 2)
    while step:
        start = 0
        while start < len(case.references):
            rest = case.references[:start] + case.references[start + step:]
            if (any(one[1] in libvmm.OPS for one in rest)
                    and fails(case.with_references(rest))):
                case = case.with_references(rest)
            else:
                start += step
        step //= 2
    return case


def goes_on(found: str | None) -> bool:
    """Still a difference: a configuration that is refused, as options go together, is none."""
    return bool(found) and not found.startswith("the library refused")


def shrink_options(case: Case, fails: Callable[[Case], str | None]) -> Case:
    """Leaves out options; tries fewer frames."""
    for name in list(case.options):
        fewer = {key: value for key, value in case.options.items() if key != name}
        if name not in ("frames", "page-size") and goes_on(fails(case.with_options(fewer))):
            case = case.with_options(fewer)
    for frames in range(1, int(case.options["frames"])):
        fewer = {**case.options, "frames": str(frames)}
        if goes_on(fails(case.with_options(fewer))):
            return case.with_options(fewer)
    return case


def shrink_references(case: Case, fails: Callable[[Case], str | None]) -> Case:
    """Makes single references plainer: process 0, a read, one byte."""
    for place, reference in enumerate(case.references):
        for field, plain in ((0, 0), (1, "R"), (3, 1)):
            changed = list(reference)
            changed[field] = plain
            references = list(case.references)
            references[place] = tuple(changed)
            if changed[field] != reference[field] and fails(case.with_references(references)):
                case = case.with_references(references)
                reference = tuple(changed)
    return case
