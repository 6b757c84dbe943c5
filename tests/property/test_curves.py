#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Curves against runs at every size, against the reference model, and against their definitions.

    python3 tests/property/test_curves.py                 the fixed set, as every test run does
    python3 tests/property/test_curves.py --seed 5000 --cases 20000     a long run elsewhere

    curve = run      the LRU and the OPT curve are what vmm_run() counts at every size (of large
                     traces at many): random ones with events, several processes, page runs; and
                     real ones
    curve = model    what the reference model counts at every size
    definition       the curves of Working Set and VMIN, window by window
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from random import Random
from typing import Callable

import libvmm
from cases import Case, random_options, random_trace, address_limit, options_for_events, vmt_mode, with_events
from compare import SCRATCH, Config, Model, Reference, run_model, shrink
from tap import Tap

SEED = 1
CASES = 80
MODEL_CASES = 25
MOST_SHOWN = 3
STACK_KINDS = ("lru", "opt")
IRRELEVANT = ("swap", "policy", "frames", "accessed-bit", "young-flush")
EXAMPLES = libvmm.ROOT / "examples/traces"


def random_case(seed: int, plain: bool = False) -> Case:
    """A trace, mostly with events, and what of the options matters to a curve.

    plain: no page is shared by processes, so that it is clear whose it is.
    """
    rng = Random(seed)
    options = {name: value for name, value in random_options(rng).items()
               if name not in IRRELEVANT}
    if options.get("invalid") == "stop":
        del options["invalid"]  # the run ends with an error, and there is no curve
    options["page-size"] = str(rng.choice((512, 4096, 4096, 65536)))
    page_size = int(options["page-size"])
    if "vspace" in options and int(options["vspace"].removesuffix("K")) * 1024 < page_size:
        del options["vspace"]  # it was chosen for another page size
    trace = random_trace(rng, page_size, address_limit(options))[:3000]
    mode = rng.choice(("run", "runs", "runs", "full"))
    if mode != "run":
        options["scope"] = options.get("scope", "global")
        mode, trace = vmt_mode(rng, mode, options, trace)
        if rng.random() < 0.7:
            plain = plain or options["scope"] == "process"
            trace = with_events(rng, trace, page_size, plain)
            if not plain:
                options_for_events(rng, options)
                for name in ("fault-around", "fault-around-shift", "read-ahead"):
                    options.pop(name, None)  # it takes frames for pages nobody asked for
        options.pop("policy", None)
    return Case({**options, "frames": "1"}, trace, mode)


def open_trace(case: Case) -> libvmm.Trace:
    """The case's trace."""
    page_size = Config(case.options).page_size
    if case.is_vmt():
        codec, _, bytes_of_page = case.mode.partition(":")
        libvmm.write_vmt(str(SCRATCH.path), case.references, codec, int(bytes_of_page))
        return libvmm.Trace(str(SCRATCH.path), page_size, "vmt", len(case.references) % 3)
    return libvmm.Trace(SCRATCH.write(case), page_size, "native")


# ---- Curve = run ---------------------------------------------------------------------------

def run_at(case: Case, policy: str, frames: int) -> tuple[dict, list[dict]]:
    """The counters of a run with so many frames, and those of its processes."""
    with libvmm.Machine({**case.options, "policy": policy, "frames": str(frames)}) as machine, \
            open_trace(case) as trace:
        code = libvmm.run([machine], trace)
        if code:
            raise libvmm.VmmError(code, machine.error_text())
        return machine.counters(), machine.processes()


def point_problems(point: libvmm.CurvePoint, counters: dict, where: str) -> list[str]:
    """How a point differs from a run."""
    expected = (counters["misses"], counters["swap_outs"] + counters["file_writes"])
    found = (point.misses, point.writebacks)
    if expected != found:
        return [f"{where}: misses and write-backs of the run {expected}, of the curve {found}"]
    ratio = counters["misses"] / counters["page_references"] if counters["page_references"] else 0
    return [] if point.miss_ratio == ratio else [f"{where}: miss ratio {point.miss_ratio}"]


def process_problems(curves: dict[bool, libvmm.Curve], processes: list[dict],
                     frames: int) -> list[str]:
    """How the series of processes differ from the processes of a run."""
    lines = []
    for number, stats in enumerate(processes, 1):
        series = curves[True].series()[number]
        point = curves[True].at(frames, number)
        expected = (stats["pid"], stats["page_references"], stats["misses"])
        if (series.pid, series.page_references, point.misses) != expected:
            lines.append(f"{frames} frames, process {stats['pid']}: pid, page references and "
                         f"misses of the run {expected}, of the curve "
                         f"{(series.pid, series.page_references, point.misses)}")
    writebacks = sum(curves[True].at(frames, number).writebacks
                     for number in range(1, len(processes) + 1))
    if writebacks != curves[True].at(frames).writebacks:
        lines.append(f"{frames} frames: the write-backs of processes do not sum up")
    return lines


def rows_problems(curve: libvmm.Curve, sizes: int) -> list[str]:
    """Do the rows stand where, and only where, the curve changes?"""
    rows = {point.size: (point.misses, point.writebacks) for point in curve.points(batch=3)}
    value, lines = None, []
    for size in range(1, sizes + 1):
        point = curve.at(size)
        if ((point.misses, point.writebacks) != value) != (size in rows):
            lines.append(f"a row at {size} too many or missing")
        value = (point.misses, point.writebacks)
        if rows.get(size, value) != value:
            lines.append(f"the row at {size} is not the point there")
    if max(rows) > sizes:
        lines.append(f"a row at {max(rows)}, behind all pages")
    return lines


def curve_problem(case: Case, kind: str) -> str | None:
    """How the curve differs from runs at every size."""
    with libvmm.Curve(kind, case.options) as plain, \
            libvmm.Curve(kind, case.options, per_process=True) as split:
        curves = {False: plain, True: split}
        for group in ([plain, split],) if len(case.references) % 2 else ([plain], [split]):
            with open_trace(case) as trace:
                libvmm.run_curves(group, trace)
        counters, _ = run_at(case, kind, 1)
        # An address may have shown several pages, a copy or another mapping's.
        sizes = max(counters["distinct_pages"], plain.series()[0].cold_misses) + 1
        lines = rows_problems(plain, sizes)
        for frames in (*range(1, min(sizes, 40) + 1), *range(41, sizes - 1, 29), sizes - 1, sizes):
            if frames == 0:
                continue
            counters, processes = run_at(case, kind, frames)
            for curve in curves.values():
                lines += point_problems(curve.at(frames), counters, f"{frames} frames")
            lines += process_problems(curves, processes, frames)
    return "\n".join(lines[:10]) or None


# ---- Curve = model -------------------------------------------------------------------------

def model_problem(case: Case, kind: str) -> str | None:
    """How the curve differs from the reference model at every size."""
    lines = []
    with libvmm.Curve(kind, case.options) as curve, open_trace(case) as trace:
        libvmm.run_curves([curve], trace)
        frames, misses = 1, None
        while misses != curve.series()[0].cold_misses and frames < 60:
            machine = run_model(case.with_options({**case.options, "policy": kind,
                                                   "frames": str(frames)}))
            counters = machine.counters()
            misses = counters["misses"]
            lines += point_problems(curve.at(frames), counters, f"{frames} frames")
            left = len(machine.dirty)
            if left != curve.at(frames).dirty_left:
                lines.append(f"{frames} frames: {left} pages left dirty, of the curve "
                             f"{curve.at(frames).dirty_left}")
            frames += 1
    return "\n".join(lines[:10]) or None


# ---- Windows -------------------------------------------------------------------------------

def page_references(case: Case) -> list[tuple[int, int | None] | Callable]:
    """(pid, vpn), vpn None beyond the address space; between them which pages an event takes."""
    model = Model(Config(case.options), not case.page_list)
    result = []
    for reference in model.simulated([Reference(*one) for one in case.references]):
        if model.is_event(reference):
            result.append(lambda page, event=reference: takes(event, page, model.config.page_size))
        elif model.is_wanted(reference):
            result += [(reference.pid, vpn if valid else None)
                       for vpn, valid in model.pages_of(reference)]
    return result


def takes(event: Reference, page: tuple[int, int], page_size: int) -> bool:
    """Whether one of the plain events takes a page: all of it, or nothing happens to it."""
    if event.pid != page[0] or event.op not in "UAMXE":
        return False
    start = page[1] * page_size
    return (event.op in "XE"
            or event.addr <= start and start + page_size <= event.addr + event.size)


def by_definition(stream: list, kind: str, window: int) -> dict[int, list[int]]:
    """Page references, misses and memory held of each process, from the definition alone."""
    now: dict[int, int] = {}
    result: dict[int, list[int]] = {}
    ahead = next_times(stream)
    resident: dict[tuple, int] = {}  # page -> last reference after which it is in memory
    for place, one in enumerate(stream):
        if callable(one):
            for page in [page for page in resident if one(page)]:
                del resident[page]
            continue
        pid, vpn = one
        now[pid] = now.get(pid, 0) + 1
        numbers = result.setdefault(pid, [0, 0, 0])
        numbers[0] += 1
        if vpn is not None:
            numbers[1] += one not in resident or resident[one] + 1 < now[pid]
            needed = ahead[place] - 1 if ahead[place] <= window else 0
            resident[one] = now[pid] + (window - 1 if kind == "ws" else needed)
        numbers[2] += sum(page[0] == pid and until >= now[pid] for page, until in resident.items())
    return result


def next_times(stream: list) -> list[float]:
    """How many references of the process later the page of each is referenced again."""
    ahead: list[float] = [float("inf")] * len(stream)
    now: dict[int, int] = {}
    seen: dict[tuple, tuple[int, int]] = {}
    for place, one in enumerate(stream):
        if callable(one):
            for page in [page for page in seen if one(page)]:
                del seen[page]
            continue
        now[one[0]] = now.get(one[0], 0) + 1
        if one[1] is not None:
            if one in seen:
                ahead[seen[one][0]] = now[one[0]] - seen[one][1]
            seen[one] = (place, now[one[0]])
    return ahead


def window_points(curve: libvmm.Curve, window: int) -> list[tuple]:
    """What the curve says of the whole and of each process."""
    return [(curve.at(window, number).misses,
             round(curve.at(window, number).mean_resident * series.page_references))
            for number, series in enumerate(curve.series())]


def window_problem(case: Case, kind: str) -> str | None:
    """How the curve differs from the definition, at many windows."""
    lines = []
    with libvmm.Curve(kind, case.options, per_process=True) as curve, \
            libvmm.Curve(kind, case.options) as whole, open_trace(case) as trace:
        libvmm.run_curves([curve, whole], trace)
        stream = page_references(case)
        rows = [point.size for point in curve.points(batch=3)]
        windows = sorted({*range(1, 9), *rows[:20], *rows[-5:], *(row + 1 for row in rows[:20:3])})
        for window in windows:
            numbers = by_definition(stream, kind, window)
            expected = [(misses, held) for _, misses, held in numbers.values()]
            expected.insert(0, (sum(one[0] for one in expected), sum(one[1] for one in expected)))
            found = window_points(curve, window)
            if found != expected:
                lines.append(f"window {window}: misses and memory held by definition {expected}, "
                             f"of the curve {found}")
            if window_points(whole, window)[0] != expected[0]:
                lines.append(f"window {window}: the curve without processes differs")
    return "\n".join(lines[:10]) or None


def window_run_problem(case: Case, kind: str) -> str | None:
    """How the curve differs from runs of the policy, at some windows."""
    case = case.with_options({**case.options, "scope": "global"})
    lines = []
    with libvmm.Curve(kind, case.options) as curve, open_trace(case) as trace:
        libvmm.run_curves([curve], trace)
        rows = [point.size for point in curve.points()]
        for window in sorted({1, 2, 3, *rows[:8], *rows[-3:], rows[-1] + 1}):
            counters, _ = run_at(case, f"{kind}:window={window}", 2**20)
            if counters["misses"] != curve.at(window).misses:
                lines.append(f"window {window}: {counters['misses']} misses of the run, of the "
                             f"curve {curve.at(window).misses}")
            held = round(curve.at(window).mean_resident * counters["page_references"])
            if counters["processes"] == 1 and counters["space_time"] != held:
                lines.append(f"window {window}: memory held by the run {counters['space_time']}, "
                             f"of the curve {held}")
    return "\n".join(lines[:10]) or None


def example_problem(path: Path, kind: str, sizes: list[int]) -> str | None:
    """A recorded trace: the curve against runs at some sizes, all from one decoding."""
    with libvmm.Curve(kind, {}) as curve, libvmm.Trace(str(path)) as trace:
        libvmm.run_curves([curve], trace)
        machines = [libvmm.Machine({"policy": kind, "frames": str(size)}) for size in sizes]
        with libvmm.Trace(str(path)) as again:
            code = libvmm.run(machines, again)
        assert code == 0, f"error {code}"
        lines = []
        for size, machine in zip(sizes, machines):
            lines += point_problems(curve.at(size), machine.counters(), f"{size} frames")
            machine.__exit__()
    return "\n".join(lines) or None


# ---- All of it -----------------------------------------------------------------------------

def fails(problem, case: Case, kind: str) -> str | None:
    """The problem of a case that is being made smaller: one that cannot be run has none."""
    try:
        return problem(case, kind)
    except libvmm.VmmError:
        return None


def random_cases(tap: Tap, seed: int, count: int, kind: str, what: str, problem) -> None:
    """One result for many cases."""
    failures = []
    for number in range(seed, seed + count):
        case = random_case(number, kind not in STACK_KINDS)
        why = problem(case, kind)
        if why is not None:
            if not failures:
                case = shrink(case, lambda one: fails(problem, one, kind))
                why = problem(case, kind)
            shown = "\n".join(map(str, case.references[:40]))
            failures.append(f"seed {number}\n{case.mode}: {case.command()}\n{shown}\n{why}")
    tap.result(f"{kind}: curve = {what}, {count} random cases",
               "\n\n".join(failures[:MOST_SHOWN]) or None)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="curves against runs and definitions")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--cases", type=int, default=CASES)
    arguments = parser.parse_args()
    tap = Tap()
    for kind in STACK_KINDS:
        random_cases(tap, arguments.seed, arguments.cases, kind, "run at every size",
                     curve_problem)
        random_cases(tap, arguments.seed + 10**6, MODEL_CASES, kind, "model at every size",
                     model_problem)
    for kind in ("ws", "vmin"):
        random_cases(tap, arguments.seed + 2 * 10**6, arguments.cases // 4, kind, "definition",
                     window_problem)
        random_cases(tap, arguments.seed + 3 * 10**6, arguments.cases // 4, kind, "run",
                     window_run_problem)
    for name in ("gzip", "pipeline"):
        for kind in STACK_KINDS:
            sizes = [1, 2, 3, 4, 6, 9, 13, 20, 30, 50, 80, 130, 250, 500, 2000]
            tap.result(f"{kind}: curve = run, {name}.vmt",
                       example_problem(EXAMPLES / f"{name}.vmt", kind, sizes))
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
