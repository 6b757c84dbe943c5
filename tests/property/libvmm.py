# SPDX-License-Identifier: Apache-2.0
"""The library through ctypes, as far as the tests need it.

The struct layouts repeat include/vmm/*.h; counters and their places come from vmm_stat_at().
"""

from __future__ import annotations

import ctypes
import os
from ctypes import (CFUNCTYPE, POINTER, Structure, byref, c_char, c_char_p, c_double, c_int,
                    c_int32, c_long, c_size_t, c_uint16, c_uint32, c_uint64, c_uint8, c_void_p)
from pathlib import Path
from typing import Callable, Iterable

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("VMM_BIN_DIR", ROOT / "bin"))

ERROR_TEXT_BYTES = 512
CONFIG_ROOM = 64 * 1024
OPS = {"R": 0, "W": 1, "I": 2, "r": 0, "w": 1, "i": 2}  # small letters: by the kernel
E_NEEDS_FUTURE = -12
E_CONFIG = -4
E_OUT_OF_MEMORY = -13
E_INVALID_ADDRESS = -14
REPORT_JSON = 4
REPORT_NO_TIMING = 1
FAULT_NAMES = ("invalid", "swap_in", "file_read", "swap_cached", "file_cached", "shared_attach",
               "zero_fill", "zero_map", "cow", "reuse", "write_notify")
NO_FAULT = len(FAULT_NAMES)
EVENTS = {"U": 1, "X": 2, "M": 4, "P": 5, "V": 6, "A": 7, "F": 8, "E": 9, "K": 12, "L": 13,
          "O": 12, "N": 14}
MAP_SHARED, MAP_ANONYMOUS, MAP_FIXED, MAP_GROWSDOWN, FORK_VFORK = 1, 2, 4, 64, 4096
MAP_SYSV = 2048
MAP_LOCKED, MAP_POPULATE = 1024, 256
MADV_DONTNEED = 4
NEEDS_ACCESSED_BIT, NEEDS_FUTURE = 1, 3


class Ref(Structure):
    """VMMRef."""
    _fields_ = [("addr", c_uint64), ("pid", c_uint32), ("size", c_uint32), ("tid", c_uint32),
                ("core", c_uint16), ("op", c_uint8), ("flags", c_uint8)]


def reference(pid: int, op: str, addr: int, size: int) -> Ref:
    """A VMMRef."""
    return Ref(addr, pid, size, 0, 0, OPS[op], int(op.islower()))


class StatInfo(Structure):
    """VMMStatInfo."""
    _fields_ = [("name", c_char_p), ("unit", c_char_p), ("help", c_char_p), ("offset", c_size_t)]


class PolicyParameter(Structure):
    """VMMPolicyParameter."""
    _fields_ = [("name", c_char_p), ("default", c_uint64), ("min", c_uint64), ("max", c_uint64),
                ("help", c_char_p), ("choices", c_char_p)]


class PolicyInfo(Structure):
    """VMMPolicyInfo."""
    _fields_ = [("name", c_char_p), ("label", c_char_p), ("summary", c_char_p),
                ("source", c_char_p), ("needs", c_int), ("parameters", POINTER(PolicyParameter)),
                ("variable_space", c_uint32), ("reserved", c_uint32), ("alias", c_char_p)]


class ProcessStats(Structure):
    """VMMProcessStats."""
    _fields_ = [(name, c_uint64) for name in (
        "struct_size", "pid", "accesses", "reads", "writes", "fetches", "page_references",
        "tlb_hits", "tlb_misses", "page_faults", "major_faults", "minor_faults", "misses",
        "page_table_bytes", "kernel_references", "page_table_bytes_peak",
        "rss", "rss_anonymous", "rss_file", "rss_shared", "rss_peak", "uss", "pss", "swap",
        "swap_pss", "cow_faults", "reuse_faults")]


class TraceOptions(Structure):
    """VMMTraceOptions."""
    _fields_ = [("struct_size", c_uint32), ("skip_bad_records", c_uint32),
                ("page_size", c_uint64), ("format", c_char_p), ("threads", c_uint32),
                ("check", c_uint32)]


class WriterOptions(Structure):
    """VMMTraceWriterOptions."""
    _fields_ = [("struct_size", c_uint32), ("mappings_complete", c_uint32), ("format", c_char_p),
                ("codec", c_char_p), ("page_size", c_uint64), ("level", c_int32),
                ("reserved", c_uint32), ("command", c_char_p), ("host", c_char_p),
                ("recorder", c_char_p), ("note", c_char_p), ("start_time_ns", c_uint64),
                ("reduction", c_uint64), ("original_references", c_uint64),
                ("known_page_size", c_uint64)]


class ReportContext(Structure):
    """VMMReportContext."""
    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32), ("trace", c_void_p),
                ("config_name", c_char_p), ("wall_time_ms", c_double)]


class Eviction(Structure):
    """VMMEviction."""
    _fields_ = [("pid", c_uint32), ("frame", c_uint32), ("vpn", c_uint64),
                ("swap_slot", c_uint64), ("dirty", c_uint32), ("why", c_char * 100)]


class Step(Structure):
    """VMMStep."""
    _fields_ = [("index", c_uint64), ("ref", Ref), ("vpn", c_uint64), ("tlb_hit", c_uint32),
                ("walk_reads", c_uint32), ("fault", c_int), ("frame", c_uint32),
                ("used_frames", c_uint32), ("eviction_count", c_uint32),
                ("evictions", POINTER(Eviction))]


class WorkingSetOptions(Structure):
    """VMMWorkingSetOptions."""
    _fields_ = [("struct_size", c_uint32), ("reserved", c_uint32), ("window", c_uint64),
                ("threshold", ctypes.c_double)]


class Window(Structure):
    """VMMWindow."""
    _fields_ = [("first", c_uint64), ("length", c_uint64), ("pages", c_uint64),
                ("shared", c_uint64), ("new_pages", c_uint64), ("distance", ctypes.c_double),
                ("phase", c_uint64)]


class Outcome(Structure):
    """VMMOutcome."""
    _fields_ = [("tlb_hit", c_uint32), ("walk_reads", c_uint32), ("fault", c_int),
                ("frame", c_uint32)]


class Event(Structure):
    """VMMEvent."""
    _fields_ = [("struct_size", c_uint32), ("type", c_uint32), ("pid", c_uint32),
                ("tid", c_uint32), ("start", c_uint64), ("length", c_uint64),
                ("target", c_uint64), ("value", c_uint64), ("offset", c_uint64),
                ("time_ns", c_uint64), ("prot", c_uint32), ("flags", c_uint32),
                ("file", c_uint32), ("reserved", c_uint32)]


def event(pid: int, op: str, start: int, length: int) -> Event:
    """A VMMEvent, by the letter that the reference model gives it, and what is behind a colon."""
    made = Event(struct_size=ctypes.sizeof(Event), type=EVENTS[op[0]], pid=pid, start=start,
                 length=0 if op == "O" else length)
    told = dict(part.partition("=")[::2] for part in op[2:].split(",") if part)
    made.prot = int(told.get("prot", 0))
    if op[0] == "M":
        made.flags = (MAP_FIXED | MAP_SHARED * ("shared" in told)
                      | MAP_ANONYMOUS * ("file" not in told) | MAP_GROWSDOWN * ("down" in told)
                      | MAP_SYSV * ("sysv" in told) | MAP_LOCKED * ("locked" in told)
                      | MAP_POPULATE * ("populate" in told))
        made.file, made.offset = int(told.get("file", 0)), int(told.get("offset", 0))
    elif op[0] == "A":
        made.value = int(told.get("advice", MADV_DONTNEED))
    elif op[0] == "V":
        made.target = int(told.get("target", start + 2**40))
        made.value = int(told.get("bytes", length))
    elif op[0] == "F":
        made.value, made.flags = int(told["child"]), FORK_VFORK * ("vfork" in told)
    return made


class TraceFile(Structure):
    """VMMTraceFile."""
    _fields_ = [("device", c_uint64), ("inode", c_uint64), ("path", c_char_p)]


class CurveOptions(Structure):
    """VMMCurveOptions."""
    _fields_ = [("struct_size", c_uint32), ("kind", c_uint32), ("per_process", c_uint32),
                ("reserved", c_uint32), ("sample_rate", c_double), ("sample_pages", c_uint64)]


class CurvePoint(Structure):
    """VMMCurvePoint."""
    _fields_ = [("size", c_uint64), ("misses", c_uint64), ("writebacks", c_uint64),
                ("dirty_left", c_uint64), ("miss_ratio", c_double), ("mean_resident", c_double),
                ("low", c_double), ("high", c_double)]


class CurveSeries(Structure):
    """VMMCurveSeries."""
    _fields_ = [("struct_size", c_uint32), ("pid", c_uint32), ("page_references", c_uint64),
                ("invalid", c_uint64), ("cold_misses", c_uint64), ("sampled", c_uint64)]


CURVE_KINDS = ("lru", "opt", "ws", "vmin")

OBSERVER = CFUNCTYPE(None, c_void_p, POINTER(Step))


class VmmError(Exception):
    """A function of the library failed."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


def load() -> ctypes.CDLL:
    """Loads bin/libvmm.so and declares what is used."""
    lib = ctypes.CDLL(str(BIN / "libvmm.so"))
    signatures: dict[str, tuple] = {
        "vmm_config_init_default": (None, c_void_p),
        "vmm_config_set": (c_int, c_void_p, c_char_p, c_char_p, c_char_p),
        "vmm_create_with": (c_int, c_void_p, c_void_p, POINTER(c_void_p), c_char_p),
        "vmm_destroy": (None, c_void_p),
        "vmm_access_outcome": (c_int, c_void_p, POINTER(Ref), POINTER(Outcome)),
        "vmm_feed": (c_int, c_void_p, POINTER(Ref), c_size_t),
        "vmm_run": (c_int, POINTER(c_void_p), c_size_t, c_void_p, c_void_p, c_void_p),
        "vmm_apply": (c_int, c_void_p, POINTER(Event)),
        "vmm_last_error": (c_int, c_void_p),
        "vmm_error_text": (c_char_p, c_void_p),
        "vmm_stats": (c_int, c_void_p, c_void_p),
        "vmm_stat_count": (c_size_t,),
        "vmm_stat_at": (POINTER(StatInfo), c_size_t),
        "vmm_policy_at": (POINTER(PolicyInfo), c_size_t),
        "vmm_process_count": (c_size_t, c_void_p),
        "vmm_process_stats": (c_int, c_void_p, c_size_t, POINTER(ProcessStats)),
        "vmm_observe": (None, c_void_p, c_void_p, c_void_p),
        "vmm_report": (c_long, c_void_p, c_int, POINTER(ReportContext), c_void_p, c_size_t),
        "vmm_curve_create": (c_int, c_void_p, POINTER(CurveOptions), c_void_p, POINTER(c_void_p),
                             c_char_p),
        "vmm_curve_run": (c_int, POINTER(c_void_p), c_size_t, c_void_p, c_void_p, c_void_p),
        "vmm_curve_error_text": (c_char_p, c_void_p),
        "vmm_curve_series_count": (c_size_t, c_void_p),
        "vmm_curve_series_at": (c_int, c_void_p, c_size_t, POINTER(CurveSeries)),
        "vmm_curve_read": (c_size_t, c_void_p, c_size_t, POINTER(c_uint64), POINTER(CurvePoint),
                           c_size_t),
        "vmm_curve_at": (c_int, c_void_p, c_size_t, c_uint64, POINTER(CurvePoint)),
        "vmm_curve_destroy": (None, c_void_p),
        "vmm_working_set_create": (c_int, c_void_p, POINTER(WorkingSetOptions), c_void_p,
                                   POINTER(c_void_p), c_char_p),
        "vmm_working_set_run": (c_int, c_void_p, c_void_p, c_void_p, c_void_p),
        "vmm_working_set_error_text": (c_char_p, c_void_p),
        "vmm_working_set_read": (c_size_t, c_void_p, c_size_t, POINTER(Window), c_size_t),
        "vmm_working_set_destroy": (None, c_void_p),
        "vmm_trace_open": (c_int, c_char_p, POINTER(TraceOptions), POINTER(c_void_p), c_char_p),
        "vmm_trace_close": (None, c_void_p),
        "vmm_trace_read": (c_long, c_void_p, POINTER(Ref), c_size_t),
        "vmm_trace_error_text": (c_char_p, c_void_p),
        "vmm_trace_writer_open": (c_int, c_int, POINTER(WriterOptions), POINTER(c_void_p),
                                  c_char_p),
        "vmm_trace_write": (c_int, c_void_p, POINTER(Ref), c_size_t),
        "vmm_trace_write_file": (c_uint32, c_void_p, POINTER(TraceFile)),
        "vmm_trace_write_event": (c_int, c_void_p, POINTER(Event)),
        "vmm_trace_writer_error_text": (c_char_p, c_void_p),
        "vmm_trace_writer_finish": (c_int, c_void_p),
        "vmm_trace_writer_close": (None, c_void_p),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype = result
        function.argtypes = arguments
    return lib


LIB = load()


def stat_table() -> list[tuple[str, int]]:
    """Every counter's name and its offset in VMMStats."""
    infos = (LIB.vmm_stat_at(index).contents for index in range(LIB.vmm_stat_count()))
    return [(info.name.decode(), info.offset) for info in infos]


def policy_table() -> dict[str, PolicyInfo]:
    """Every policy of the library by name."""
    policies: dict[str, PolicyInfo] = {}
    while info := LIB.vmm_policy_at(len(policies)):
        policies[info.contents.name.decode()] = info.contents
    return policies


def policy_parameters(name: str) -> list[PolicyParameter]:
    """What a policy can be told."""
    info = policy_table()[name]
    parameters: list[PolicyParameter] = []
    while info.parameters and info.parameters[len(parameters)].name:
        parameters.append(info.parameters[len(parameters)])
    return parameters


def parameter_defaults(name: str) -> dict[str, int | str]:
    """A policy's parameters and their defaults; of words the first."""
    return {parameter.name.decode(): (parameter.choices.decode().split("|")[0]
                                      if parameter.choices else parameter.default)
            for parameter in policy_parameters(name)}


STATS = stat_table()
STATS_BYTES = max(offset for _, offset in STATS) + 8


class Trace:
    """An open trace."""

    def __init__(self, path: str, page_size: int = 4096, fmt: str | None = None,
                 threads: int = 0) -> None:
        self.handle = c_void_p()
        options = TraceOptions(ctypes.sizeof(TraceOptions), 0, page_size,
                               fmt.encode() if fmt else None, threads)
        error = ctypes.create_string_buffer(ERROR_TEXT_BYTES)
        code = LIB.vmm_trace_open(path.encode(), byref(options), byref(self.handle), error)
        if code:
            raise VmmError(code, error.value.decode())

    def __enter__(self) -> "Trace":
        return self

    def __exit__(self, *_: object) -> None:
        LIB.vmm_trace_close(self.handle)

    def read_all(self, batch: int) -> Iterable[Ref]:
        """The references, so many at a time."""
        refs = (Ref * batch)()
        while True:
            count = LIB.vmm_trace_read(self.handle, refs, batch)
            if count < 0:
                raise VmmError(count, LIB.vmm_trace_error_text(self.handle).decode())
            if count == 0:
                return
            yield from refs[:count]


def write_vmt(path: str, references: Iterable[tuple[int, str, int, int]], codec: str,
              page_size: int, reduction: int = 0) -> None:
    """Writes a .vmt of references and events; codec is "runs" or "full"."""
    handle = c_void_p()
    error = ctypes.create_string_buffer(ERROR_TEXT_BYTES)
    options = WriterOptions(struct_size=ctypes.sizeof(WriterOptions), codec=codec.encode(),
                            page_size=page_size, start_time_ns=1, reduction=reduction)
    with open(path, "wb") as file:
        code = LIB.vmm_trace_writer_open(file.fileno(), byref(options), byref(handle), error)
        if code:
            raise VmmError(code, error.value.decode())
        try:
            for pid, op, addr, size in references:
                if op in OPS:
                    code = LIB.vmm_trace_write(handle, byref(reference(pid, op, addr, size)), 1)
                else:
                    made = event(pid, op, addr, size)
                    if made.file:  # from 100 on a segment of shared memory
                        place = b"/dev/shm/%d" if made.file >= 100 else b"/files/%d"
                        made.file = LIB.vmm_trace_write_file(
                            handle, byref(TraceFile(1, made.file, place % made.file)))
                    code = LIB.vmm_trace_write_event(handle, byref(made))
                if code:
                    break
            code = code or LIB.vmm_trace_writer_finish(handle)
            if code:
                raise VmmError(code, LIB.vmm_trace_writer_error_text(handle).decode())
        finally:
            LIB.vmm_trace_writer_close(handle)


def configuration(options: dict[str, str]) -> ctypes.Array:
    """A VMMConfig."""
    config = ctypes.create_string_buffer(CONFIG_ROOM)
    error = ctypes.create_string_buffer(ERROR_TEXT_BYTES)
    LIB.vmm_config_init_default(config)
    for name, value in options.items():
        code = LIB.vmm_config_set(config, name.encode(), value.encode(), error)
        if code:
            raise VmmError(code, error.value.decode())
    return config


class Machine:
    """One simulated machine."""

    def __init__(self, options: dict[str, str]) -> None:
        self.handle = c_void_p()
        self.observer: object = None
        config = configuration(options)
        error = ctypes.create_string_buffer(ERROR_TEXT_BYTES)
        code = LIB.vmm_create_with(config, None, byref(self.handle), error)
        if code:
            raise VmmError(code, error.value.decode())

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        LIB.vmm_destroy(self.handle)

    def feed(self, references: Iterable[tuple[int, str, int, int]], batch: int = 4096) -> int:
        """Feeds (pid, op, addr, size) tuples; returns the first error code, 0 if there is none.

        All other ops than those of references are events between batches: see event().
        """
        items: list[Ref] = []
        for pid, op, addr, size in references:
            if op in OPS:
                items.append(reference(pid, op, addr, size))
            if items and (op not in OPS or len(items) == batch):
                code = self.feed_batch(items)
                items = []
                if code:
                    return code
            if op not in OPS:
                LIB.vmm_apply(self.handle, byref(event(pid, op, addr, size)))
        return self.feed_batch(items)

    def feed_batch(self, items: list[Ref]) -> int:
        """vmm_feed()."""
        return LIB.vmm_feed(self.handle, (Ref * len(items))(*items), len(items))

    def unmap(self, pid: int, start: int, length: int) -> int:
        """The process gives up a range of pages; an error code."""
        return LIB.vmm_apply(self.handle, byref(event(pid, "U", start, length)))

    def exit(self, pid: int) -> int:
        """The process ends; an error code."""
        return LIB.vmm_apply(self.handle, byref(event(pid, "X", 0, 0)))

    def watch(self, seen: Callable[[Step], None]) -> None:
        """Calls `seen` after each page reference."""
        self.observer = OBSERVER(lambda _user, step: seen(step.contents))
        LIB.vmm_observe(self.handle, ctypes.cast(self.observer, c_void_p), None)

    def last_error(self) -> int:
        """The code of the machine's last failure."""
        return LIB.vmm_last_error(self.handle)

    def error_text(self) -> str:
        """The sentence of the machine's last failure."""
        return LIB.vmm_error_text(self.handle).decode()

    def counters(self) -> dict[str, int]:
        """Every counter by name; fault classes as fault_<class>."""
        block = ctypes.create_string_buffer(STATS_BYTES)
        c_uint64.from_buffer(block).value = STATS_BYTES
        code = LIB.vmm_stats(self.handle, block)
        if code:
            raise VmmError(code, "vmm_stats")
        return {name: c_uint64.from_buffer(block, offset).value for name, offset in STATS}

    def processes(self) -> list[dict[str, int]]:
        """The statistics of every process."""
        result = []
        for index in range(LIB.vmm_process_count(self.handle)):
            stats = ProcessStats(struct_size=ctypes.sizeof(ProcessStats))
            code = LIB.vmm_process_stats(self.handle, index, byref(stats))
            if code:
                raise VmmError(code, "vmm_process_stats")
            result.append({name: getattr(stats, name) for name, _ in ProcessStats._fields_
                           if name != "struct_size"})
        return result

    def json(self) -> str:
        """The JSON report without wall-clock times."""
        context = ReportContext(ctypes.sizeof(ReportContext), REPORT_NO_TIMING, None, None, 0.0)
        size = LIB.vmm_report(self.handle, REPORT_JSON, byref(context), None, 0)
        if size < 0:
            raise VmmError(size, "vmm_report")
        text = ctypes.create_string_buffer(size + 1)
        LIB.vmm_report(self.handle, REPORT_JSON, byref(context), text, size + 1)
        return text.value.decode()


def run(machines: list[Machine], trace: Trace) -> int:
    """vmm_run(): feeds a whole trace to fresh machines at once."""
    handles = (c_void_p * len(machines))(*[machine.handle for machine in machines])
    return LIB.vmm_run(handles, len(machines), trace.handle, None, None)


class Curve:
    """One curve."""

    def __init__(self, kind: str, options: dict[str, str], per_process: bool = False,
                 rate: float = 0.0, pages: int = 0) -> None:
        self.handle = c_void_p()
        wanted = CurveOptions(ctypes.sizeof(CurveOptions), CURVE_KINDS.index(kind),
                              int(per_process), 0, rate, pages)
        error = ctypes.create_string_buffer(ERROR_TEXT_BYTES)
        code = LIB.vmm_curve_create(configuration(options), byref(wanted), None,
                                    byref(self.handle), error)
        if code:
            raise VmmError(code, error.value.decode())

    def __enter__(self) -> "Curve":
        return self

    def __exit__(self, *_: object) -> None:
        LIB.vmm_curve_destroy(self.handle)

    def series(self) -> list[CurveSeries]:
        """What is known of the whole and of each process."""
        result = []
        for index in range(LIB.vmm_curve_series_count(self.handle)):
            series = CurveSeries(struct_size=ctypes.sizeof(CurveSeries))
            code = LIB.vmm_curve_series_at(self.handle, index, byref(series))
            if code:
                raise VmmError(code, "vmm_curve_series_at")
            result.append(series)
        return result

    def points(self, series: int = 0, batch: int = 1000) -> list[CurvePoint]:
        """All points of a series."""
        result: list[CurvePoint] = []
        cursor = c_uint64(0)
        buffer = (CurvePoint * batch)()
        while count := LIB.vmm_curve_read(self.handle, series, byref(cursor), buffer, batch):
            result += [CurvePoint.from_buffer_copy(point) for point in buffer[:count]]
        return result

    def at(self, size: int, series: int = 0) -> CurvePoint:
        """One point."""
        point = CurvePoint()
        code = LIB.vmm_curve_at(self.handle, series, size, byref(point))
        if code:
            raise VmmError(code, "vmm_curve_at")
        return point


def run_curves(curves: list[Curve], trace: Trace) -> None:
    """vmm_curve_run(): a whole trace through fresh curves at once."""
    handles = (c_void_p * len(curves))(*[curve.handle for curve in curves])
    code = LIB.vmm_curve_run(handles, len(curves), trace.handle, None, None)
    if code:
        raise VmmError(code, LIB.vmm_curve_error_text(curves[0].handle).decode())


def working_set(options: dict[str, str], trace: Trace, window: int, threshold: float = 0.0,
                batch: int = 7) -> list[Window]:
    """The windows of a whole trace."""
    handle = c_void_p()
    wanted = WorkingSetOptions(ctypes.sizeof(WorkingSetOptions), 0, window, threshold)
    error = ctypes.create_string_buffer(ERROR_TEXT_BYTES)
    code = LIB.vmm_working_set_create(configuration(options), byref(wanted), None, byref(handle),
                                      error)
    if code:
        raise VmmError(code, error.value.decode())
    try:
        code = LIB.vmm_working_set_run(handle, trace.handle, None, None)
        if code:
            raise VmmError(code, LIB.vmm_working_set_error_text(handle).decode())
        result: list[Window] = []
        buffer = (Window * batch)()
        while count := LIB.vmm_working_set_read(handle, len(result), buffer, batch):
            result += [Window.from_buffer_copy(one) for one in buffer[:count]]
        return result
    finally:
        LIB.vmm_working_set_destroy(handle)
