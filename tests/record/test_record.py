#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vmm record on small programs whose references and events are known exactly.

The programs stand beside this file. A recording is read as native text, which shows every reference
and every event; addresses that the test must know the program has printed.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/property"))

from tap import Tap, equal  # noqa: E402

BIN = Path(os.environ.get("VMM_BIN_DIR", ROOT / "bin")).resolve()
VMM = str(BIN / "vmm")
PAGE = 4096
LONG = "print(sum(i for i in range(1000)))\nx = [str(i) for i in range(20000)]"
WANTED = sys.argv[1:]  # names of tests; none: all
EVENT = re.compile(r"^@ (\w+) (\d+)/(\d+) ?(.*)$")
FIELD = re.compile(r'(\w+)=("[^"]*"|\S+)')
REFERENCE = re.compile(r"^(\d+)/(\d+) (K?)([RWI]) 0x([0-9a-f]+) (\d+)$")


def wording(event, text):
    """The fields of an event as the tests name them: "0x4000-0x6000 rw- private anonymous"."""
    field = dict(FIELD.findall(text))
    start, length, target, moved, value = (
        int(field.get(name, "0"), 0) for name in
        ("start", "length", "target", "new_length", "status" if event == "exit" else "mark"))
    flags = field.get("flags", "").split(",")
    words = [f"0x{start:x}-0x{start + length:x}"] if length else []
    if event == "remap":
        words.append(f"to 0x{target:x}-0x{target + moved:x}")
    if event in ("map", "protect"):
        words.append(field.get("prot", "---"))
    if event == "map":
        words.append("shared" if "shared" in flags else "private")
    words += [f"{name} {field.get(name, '0')}" for of, name in
              (("start", "parent"), ("fork", "child"), ("advise", "advice")) if event == of]
    if event == "exit":
        words.append(f"signal {value & 127}" if value & 127 else f"status {value >> 8}")
    if event == "mark":
        words.append(str(value))
    if event == "thread_start":
        words.append(field["thread"])
    words += [flag for flag in flags if flag not in ("", "shared")]
    words += [field["path"]] if "path" in field else []
    words += [f"offset {field.get('offset', '0x0')}"] if event == "map" and "path" in field else []
    return " ".join(words)


class Trace:
    """A recording: `lines` in order, each ("R" or the event's name, pid, tid, what follows)."""

    def __init__(self, text):
        self.lines = []
        for line in text.splitlines():
            event, reference = EVENT.match(line), REFERENCE.match(line)
            if event:
                self.lines.append((event[1], int(event[2]), int(event[3]),
                                   wording(event[1], event[4])))
            elif reference:
                self.lines.append((reference[4] + reference[3].lower(), int(reference[1]),
                                   int(reference[2]), (int(reference[5], 16), int(reference[6]))))
            elif line and line != "@ mappings complete":
                raise AssertionError(f"a line that is neither reference nor event: {line}")

    def events(self, *names):
        return [line for line in self.lines if line[0] in names]

    def between(self, first, last):
        """What stands between two marks."""
        marks = [i for i, line in enumerate(self.lines) if line[0] == "mark"]
        start, = [i for i in marks if self.lines[i][3] == str(first)]
        end, = [i for i in marks if self.lines[i][3] == str(last)]
        return Trace.of(self.lines[start + 1:end])

    @staticmethod
    def of(lines):
        trace = Trace("")
        trace.lines = lines
        return trace

    def since(self, address):
        """What follows the last mapping that begins at this address: it was used before, perhaps."""
        last = max(i for i, line in enumerate(self.lines)
                   if line[0] == "map" and line[3].startswith(f"0x{address:x}-"))
        return Trace.of(self.lines[last + 1:])

    def touched(self, start, length, kinds="RWI"):
        """References inside of [start, start + length): (kind, offset, size)."""
        return [(kind, rest[0] - start, rest[1]) for kind, _, _, rest in self.lines
                if kind.rstrip("k") in kinds and isinstance(rest, tuple)
                and start <= rest[0] < start + length]


class Run:
    """One program under vmm record."""

    def __init__(self, options, words, to="native", folder=None):
        self.folder = folder or FOLDER
        self.file = self.folder / "t.out"
        self.file.unlink(missing_ok=True)  # of another format, perhaps
        done = subprocess.run([VMM, "record", "--to", to, "-o", self.file, *options, "--", *words],
                              capture_output=True, cwd=self.folder, timeout=120, check=False,
                              stdin=subprocess.DEVNULL)
        self.status, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()
        self.said = self.out.split()

    def trace(self):
        return Trace(self.file.read_text())


def act(*words, options=("-q",)):
    """Records an action: the trace, and the addresses that it printed."""
    run = Run(options, [ACTIONS, *words])
    equal(run.err, "", "standard error")
    equal(run.status, 0, "exit status")
    return run.trace(), [int(word, 16) for word in run.said if word.startswith("0x")]


# ---- References ----------------------------------------------------------------------------------

def pages():
    run = Run(["-q", "--fetches", "none"], [PAGES, "5"])
    equal(run.status, 0, "exit status")
    trace, memory = run.trace(), int(run.said[0], 16)
    equal(trace.between(1, 2).touched(memory, 5 * PAGE),
          [("W", page * PAGE, 1) for page in range(5)], "stores")
    equal(trace.between(2, 3).touched(memory, 5 * PAGE),
          [("R", page * PAGE + 8, 4) for page in (4, 3, 2, 1, 0)], "loads")
    equal(trace.between(3, 4).touched(memory, 5 * PAGE), [("R", 4092, 8)], "crossing load")
    equal(trace.touched(0, 1 << 47, "I"), [], "fetches")


def straight_lines():
    """No load is lost because nobody uses its result, no store because a later one faults."""
    run = Run(["-q", "--fetches", "none"], [STRAIGHT])
    equal(run.status, 0, "exit status")
    trace, memory = run.trace(), int(run.said[0], 16)
    equal(trace.between(1, 2).touched(memory, 8 * PAGE),
          [("R", page * PAGE, 1) for page in range(4)], "loads into one register")
    equal(trace.between(2, 3).touched(memory, 8 * PAGE),
          [("W", page * PAGE, 1) for page in (0, 1, 1, 2, 3, 3, 4)], "stores, two of them again")


def events_of_a_mapping():
    trace = Run(["-q"], [PAGES, "5"]).trace()
    memory = int(Run(["-q"], [PAGES, "5"]).said[0], 16)
    found = [(name, rest) for name, _, _, rest in
             trace.between(4, 5).events("protect", "advise", "unmap", "map")]
    equal(found, [("protect", f"0x{memory:x}-0x{memory + PAGE:x} r--"),
                  ("advise", f"0x{memory + PAGE:x}-0x{memory + 2 * PAGE:x} advice 4"),
                  ("unmap", f"0x{memory:x}-0x{memory + 5 * PAGE:x}")], "events")
    before = [rest for _, _, _, rest in trace.events("map")
              if rest.startswith(f"0x{memory:x}-")]
    equal(before[-1:], [f"0x{memory:x}-0x{memory + 5 * PAGE:x} rw- private anonymous"], "mapping")


def page_runs_count_alike():
    """Runs and full addresses of the same program: the same counts from the simulator."""
    counts = []
    for codec in ("runs", "full"):
        run = Run(["-q", "--codec", codec], [PAGES, "50"], to="vmt")
        report = subprocess.run([VMM, "-t", run.file, "--frames", "40", "--no-timing"],
                                capture_output=True, text=True, check=True, timeout=60)
        counts.append(re.findall(r"(?:Reads|Writes|Fetches|Page faults|TLB hits): +(\d+)",
                                 report.stdout))
    equal(counts[0], counts[1], "counts of page runs and of full addresses")


def fetches():
    every = Run(["-q", "--fetches", "all"], [PAGES, "5"]).trace()
    by_page = Run(["-q", "--fetches", "page"], [PAGES, "5"]).trace()
    all_fetches = every.touched(0, 1 << 47, "I")
    some = by_page.touched(0, 1 << 47, "I")
    assert len(all_fetches) > 3 * len(some) > 0, (len(all_fetches), len(some))
    equal({address // PAGE for _, address, _ in some} - {address // PAGE
                                                        for _, address, _ in all_fetches},
          set(), "pages of code that only the page mode met")


def lackey_agrees():
    """Counts of a static program against Valgrind's own tracing tool: within 1 %."""
    lackey = subprocess.run(["valgrind", "--tool=lackey", "--trace-mem=yes", "--log-fd=1", "-q",
                             STATIC, "work"], capture_output=True, text=True, check=True,
                            timeout=300)
    theirs = {"I": 0, " L": 0, " S": 0, " M": 0}
    for line in lackey.stdout.splitlines():
        if line[:2].rstrip() in ("I",):
            theirs["I"] += 1
        elif line[:2] in theirs:
            theirs[line[:2]] += 1
    ours = Run(["-q", "--fetches", "all"], [STATIC, "work"]).trace()
    for kind, expected in (("R", theirs[" L"] + theirs[" M"]), ("W", theirs[" S"] + theirs[" M"]),
                           ("I", theirs["I"])):
        found = sum(1 for line in ours.lines if line[0] == kind)
        assert abs(found - expected) <= expected / 100, f"{kind}: Lackey {expected}, found {found}"


def kernel():
    trace, (memory,) = act("kernel", str(FOLDER / "kernel.file"))
    equal(trace.between(1, 2).touched(memory, 4 * PAGE),
          [("Rk", 0, 5000), ("Wk", 3 * PAGE, 3)], "touches of the kernel")


def kernel_partly():
    """Calls that take or give a part of the buffer touch only that."""
    trace, (memory,) = act("partly")
    equal(trace.between(1, 2).touched(memory, 64 * PAGE),
          [("Wk", 0, 1), ("Wk", 2 * PAGE, 10), ("Rk", 3 * PAGE, 65536)], "what came and what went")
    equal(trace.between(3, 4).touched(memory, 64 * PAGE), [], "a call that fails")


def messages():
    """sendmsg(2) reads what it takes of its buffers; msync(2) reads nothing."""
    trace, (memory, shared, taken) = act("message")
    equal(trace.between(1, 2).touched(memory, 1024 * PAGE),
          [("Rk", 0, 10), ("Rk", 2 * PAGE, taken - 10)], "what was sent")
    equal(trace.between(3, 4).touched(memory, 1024 * PAGE), [], "a message that fails")
    equal(trace.between(4, 5).touched(shared, PAGE), [], "memory that is synchronised")


def atomics():
    """Atomic instructions are a load and a store each."""
    trace, (memory,) = act("atomic")
    equal(trace.between(1, 2).touched(memory, 6 * PAGE, "RW"),
          [(kind, page * PAGE, size) for page, size in enumerate((4, 4, 4, 4, 16, 8))
           for kind in "RW"], "references")


def masked():
    """Of a masked access only what the mask lets through."""
    run = Run(["-q"], [ACTIONS, "masked"])
    if run.status == 55:  # no such instructions here
        return
    memory = int(run.said[0], 16)
    equal(run.trace().between(1, 2).touched(memory, 2 * PAGE),
          [("R", 0, 4), ("R", 8, 4), ("W", PAGE, 4), ("W", PAGE + 8, 4)], "references")


def code_that_crosses():
    """An instruction that reaches into the next page fetches it: nothing else there has to."""
    trace, (memory,) = act("code")
    equal(trace.between(1, 2).touched(memory, 3 * PAGE, "I"),
          [("I", PAGE - 4, 1), ("I", PAGE - 3, 5), ("I", 2 * PAGE - 2, 5)], "fetches")


def stack():
    trace, _ = act("stack")
    top, = [rest for _, _, _, rest in trace.events("map") if "stack" in rest]
    start, end = (int(word, 16) for word in top.split()[0].split("-"))
    written = {(address + start) // PAGE for kind, address, _ in
               trace.touched(start, end - start, "W")}
    assert len(written) > 300, f"{len(written)} pages of the stack"
    assert max(written) < end // PAGE


# ---- Events --------------------------------------------------------------------------------------

def every_address_is_mapped():
    """The mappings are complete: no reference lies outside of them."""
    for words in (["thread"], ["remap"], ["heap"], ["stack"], ["fork"]):
        trace, _ = act(*words)
        spaces = {}
        for kind, pid, _, rest in trace.lines:
            mapped = spaces.setdefault(pid, set())
            if kind in ("map", "unmap", "remap"):
                start, end = (int(word, 16) for word in rest.split()[0].split("-"))
                own = set(range(start // PAGE, end // PAGE))
                if kind == "map":
                    mapped |= own
                else:
                    mapped -= own
                if kind == "remap":
                    start, end = (int(word, 16) for word in
                                  re.search(r"0x\w+-0x\w+$", rest).group().split("-"))
                    mapped |= set(range(start // PAGE, end // PAGE))
            elif kind == "exec":
                mapped.clear()
            elif kind == "fork":
                spaces[int(rest.split()[1])] = set(mapped)
            elif isinstance(rest, tuple):
                for page in range(rest[0] // PAGE, (rest[0] + rest[1] - 1) // PAGE + 1):
                    assert page in mapped, f"{words}: {kind} of 0x{rest[0]:x} outside of mappings"


def heap():
    trace, (_, start) = act("heap")
    equal(start % PAGE, 0, "the end of the heap in its page")
    found = [(name, rest) for name, _, _, rest in trace.between(1, 2).events("map", "unmap")]
    equal(found, [("map", f"0x{start:x}-0x{start + 5 * PAGE:x} rw- private anonymous heap"),
                  ("unmap", f"0x{start + 2 * PAGE:x}-0x{start + 5 * PAGE:x} anonymous heap")],
          "events")


def remap():
    trace, (memory, target) = act("remap")
    found = [rest for _, _, _, rest in trace.between(1, 2).events("remap")]
    equal(len(found), 1, "events")
    for address in (memory, memory + 2 * PAGE, target, target + 4 * PAGE):
        assert f"0x{address:x}" in found[0], found


def mapped_again():
    """mremap of 0 bytes: the program gets its mappings; the trace tells whose pages they are."""
    trace, (memory, second, own) = act("again")
    found = [(name, rest) for name, _, _, rest in trace.between(1, 2).events("map", "remap")]
    equal(found, [("remap", f"to 0x{second:x}-0x{second + PAGE:x}"),
                  ("remap", f"to 0x{own:x}-0x{own + PAGE:x}")], "events")
    run = record("-q", "-o", "again.vmt", "--", ACTIONS, "again")
    equal(run.returncode, 0, "exit status")
    counts = simulated("again.vmt")
    equal(counts["invalid"], 0, "references outside of mappings")
    assert counts["shared_attach"] >= 2, f"pages found at a second address: {counts}"
    assert memory + PAGE not in (second, own), "places"


def renamed_file():
    """A file is the same under another name, and without one."""
    file = FOLDER / "renamed.file"
    file.write_bytes(bytes(3 * PAGE))
    trace, memory = act("renamed", str(file))
    equal(len(set(memory)), 3, "places")
    equal([rest.split(" ", 1)[1] for _, _, _, rest in trace.events("map") if str(file) in rest],
          [f'rw- shared "{file}" offset 0x0'] * 3, "mappings")


def simulated(trace):
    """Faults of a simulation, by class."""
    subprocess.run([VMM, "-t", trace, "-r", "64M", "-a", "lru", "-o", "counts.json"],
                   cwd=FOLDER, check=True, capture_output=True, timeout=60)
    return json.loads((FOLDER / "counts.json").read_text())["fault_classes"]


def clones():
    """Valgrind carries out clone() for threads, in the old way too, and for fork and vfork."""
    trace, (memory,) = act("clone", hex(0x200 | 0x400))  # CLONE_FS, CLONE_FILES
    equal(trace.since(memory).touched(memory + PAGE, 1, "W"), [("W", 0, 1)], "stores")
    equal(len(trace.events("thread_start")), 1, "threads")
    run = Run(["-q"], [ACTIONS, "clone", "0"])
    equal(run.status, 1, "exit status")
    assert "clone() that Valgrind cannot carry out" in run.err, run.err
    equal([rest for _, _, _, rest in run.trace().events("exit")], ["status 1"], "event")


def wild_pointers():
    """Addresses that no program has: their upper bits are not taken for something else."""
    for address in (2**64 - 16, 2**47, 0x1800000000001000, 0x0800000000002000,
                    0x7fffffffffff0000):
        run = Run(["-q"], [ACTIONS, "crash", hex(address)])
        equal((run.status, run.err), (-11, ""), f"{address:x}: exit status and messages")
        reads = [rest for kind, _, _, rest in run.trace().lines if kind == "R"]
        equal(reads[-1], (address % 2**47, 4), f"{address:x}: the last load")


def shared_file():
    file = FOLDER / "shared.file"
    file.write_bytes(bytes(4 * PAGE))
    trace, (memory,) = act("shared", str(file))
    found = [rest for _, _, _, rest in trace.events("map") if str(file) in rest]
    equal(found, [f'0x{memory:x}-0x{memory + 2 * PAGE:x} rw- shared "{file}" offset 0x1000'],
          "mapping")
    equal(trace.since(memory).touched(memory, 2 * PAGE), [("W", PAGE, 1)], "references")


def sysv():
    trace, (memory,) = act("sysv")
    found = [(name, rest) for name, _, _, rest in trace.between(1, 2).events("map", "unmap")
             if "sysv" in rest]
    equal([name for name, _ in found], ["map", "unmap"], "events")
    for _, rest in found:
        assert rest.startswith(f"0x{memory:x}-0x{memory + 3 * PAGE:x}"), rest
    assert '"/SYSV00000000"' in found[0][1], found


def threads():
    trace, (memory,) = act("thread")
    (_, pid, tid, other), = trace.events("thread_start")
    equal(pid, tid, "who made the thread")
    other = int(other.split()[-1])
    equal([line[2] for line in trace.events("thread_exit")], [other], "who ended")
    stores = [(line[2], line[3][0] - memory) for line in trace.lines
              if line[0] == "W" and memory <= line[3][0] < memory + 2 * PAGE]
    equal(stores, [(other, PAGE), (pid, 0)], "stores by thread")


def fork():
    trace, (memory,) = act("fork")
    (_, parent, _, child), = trace.events("fork")
    child = int(child.split()[1])
    told = [(name, pid) for name, pid, _, _ in trace.events("start", "fork", "exec", "exit")]
    equal(told, [("start", parent), ("exec", parent), ("fork", parent), ("exit", child),
                 ("exit", parent)], "order of events")
    equal(trace.events("exit")[0][3], "status 3", "how the child ended")
    stores = [(line[1] == child, line[3][0] - memory) for line in trace.lines
              if line[0] == "W" and memory <= line[3][0] < memory + 3 * PAGE]
    equal(stores, [(False, 0), (True, 0), (True, PAGE), (False, 2 * PAGE)], "stores")


def turns():
    """One order over processes: what a message makes known comes before what it causes."""
    trace, (memory,) = act("turns", "200")
    stores = [(line[1], line[3][0] - memory) for line in trace.since(memory).lines
              if line[0] == "W" and memory <= line[3][0] < memory + 2 * PAGE]
    equal([offset for _, offset in stores], [0, PAGE] * 200, "stores in turn")
    equal(len(set(stores)), 2, "processes and pages")


def killed_child():
    """What a child did before a SIGKILL is not lost."""
    trace, (memory,) = act("kill", options=["-q", "--fetches", "none"])
    child = int(trace.events("fork")[0][3].split()[1])
    equal([(pid, rest) for _, pid, _, rest in trace.events("exit") if pid == child],
          [(child, "signal 9")], "its end")
    own = [line for line in trace.lines if line[1] == child and line[0] == "W"
           and memory <= line[3][0] < memory + 2 * PAGE]
    equal([line[3][0] - memory for line in own], [PAGE] + [0] * 2000, "its stores")


def executes():
    run = Run(["-q"], [ACTIONS, "exec", "7"])
    equal(run.status, 7, "exit status")
    told = [(name, rest) for name, _, _, rest in run.trace().events("start", "exec", "exit")]
    equal(told, [("start", "parent 0"), ("exec", f'"{ACTIONS}"'), ("exec", f'"{ACTIONS}"'),
                 ("exit", "status 7")], "events")


def in_order(trace):
    """Each process but the first is told once, by its parent, before anything of its own."""
    known = []
    for name, pid, _, rest in trace.lines:
        if name == "start":
            equal(known, [], "processes before the first one")
            known.append(pid)
        elif name == "fork":
            child = int(rest.split()[1])
            assert child not in known, f"process {child} is told twice"
            known.append(child)
        assert pid in known, f"{name} of process {pid}, of which nothing was told"
    equal(len(trace.events("exit")), len(known), "processes that ended")


def spawned():
    """A parent that sleeps until its child calls exec: posix_spawn(3), and system(3) by it."""
    for words, image in ((["spawn", "7"], ACTIONS), (["system", "exit 7"], None)):
        run = Run(["-q"], [ACTIONS, *words])
        equal((run.status, run.err), (7, ""), f"{words}: exit status and messages")
        trace = run.trace()
        in_order(trace)
        told = [(name, rest) for name, _, _, rest in trace.events("fork", "exec")]
        equal([name for name, _ in told], ["exec", "fork", "exec"], f"{words}: events")
        assert told[1][1].endswith(" vfork"), told[1]
        if image:
            equal(told[2][1], f'"{image}"', "the image")


def executes_itself():
    """/proc/self/exe is the program's own executable, not Valgrind."""
    run = Run(["-q"], [ACTIONS, "self", "7"])
    equal((run.status, run.err), (7, ""), "exit status and messages")
    equal([rest for _, _, _, rest in run.trace().events("exec")], [f'"{ACTIONS}"'] * 2, "events")


def deaths():
    for words, status, end in ((["signal", "15"], -15, "signal 15"), (["crash"], -11, "signal 11"),
                               (["signal", "9"], -9, "signal 9"), (["exit", "42"], 42, "status 42"),
                               (["exit", "0"], 0, "status 0")):
        run = Run(["-q"], [ACTIONS, *words])
        equal(run.status, status, f"{words}: exit status")
        equal([rest for _, _, _, rest in run.trace().events("exit")], [end], f"{words}: event")


def pauses():
    trace, (memory,) = act("pause")
    stores = [offset for _, offset, _ in trace.since(memory).touched(memory, 5 * PAGE)]
    equal(stores, [0, 2 * PAGE, 4 * PAGE], "stores")
    names = [name for name, _, _, _ in trace.events("pause", "resume", "unmap")]
    equal([name for name in names if name != "unmap"], ["pause", "resume"] * 2, "events")
    assert "unmap" in names[names.index("pause"):names.index("resume")], names


def pause_of_a_child():
    """A pause is told with the process that asked for it."""
    trace, _ = act("pause_child")
    (_, parent, _, child), = trace.events("fork")
    equal([(name, pid) for name, pid, _, _ in trace.events("pause", "resume")],
          [("pause", int(re.search(r"\d+", child)[0])), ("resume", parent)], "who asked")


def pauses_are_told():
    """A simulation of a recording with holes says so."""
    run = Run(["-q"], [ACTIONS, "pause"], to="vmt")
    text = FOLDER / "pause.trace"
    subprocess.run([VMM, "trace", "convert", "-q", run.file, text], check=True, timeout=60)
    for trace in (run.file, text):
        done = subprocess.run([VMM, "-t", trace, "--frames", "100"], capture_output=True, text=True,
                              timeout=60, check=True)
        assert "recording paused 2 times" in done.stderr, f"{trace}: {done.stderr}"


def references_of(run):
    """Told at the end: references and touches that were taken, and references left out."""
    taken = re.search(r": (\d+) references? and (\d+) touch", run.err)
    left_out = re.search(r"(\d+) references? left out", run.err)
    return int(taken[1]) + int(taken[2]), int(left_out[1]) if left_out else 0


def passed_over():
    """What is left out is counted, wherever it is left out."""
    all_of_them, none = references_of(Run([], [STATIC, "work"]))
    equal(none, 0, "left out of a whole recording")
    for options in (["--paused"], ["--start-after", "5000"]):
        taken, left_out = references_of(Run(options, [STATIC, "work"]))
        assert left_out >= 5000, f"{options}: {left_out} left out"
        equal(taken + left_out, all_of_them, f"{options}: references in all")


def long_command_line():
    """Longer than any buffer: the header holds it all, and the trace is whole."""
    words = [f"word{i}" for i in range(14000)]
    run = Run([], [ACTIONS, "print", *words], to="vmt")
    equal((run.status, run.out), (0, ACTIONS + "\n"), f"the program; {run.err}")
    done = subprocess.run([VMM, "trace", "info", "--json", run.file], capture_output=True,
                          text=True, timeout=60, check=False)
    equal(done.returncode, 0, f"vmm trace info: {done.stderr}")
    equal(json.loads(done.stdout)["command"], " ".join([ACTIONS, "print", *words]), "command line")


def begins_paused():
    run = Run(["-q", "--paused"], [PAGES, "5"])
    equal(sum(1 for line in run.trace().lines if isinstance(line[3], tuple)), 0, "references")
    assert run.trace().events("map") and run.trace().events("mark"), "events go on"
    run = Run(["--paused"], [PAGES, "5"], to="vmt")
    done = subprocess.run([VMM, "trace", "verify", run.file], capture_output=True, text=True,
                          timeout=60, check=False)
    equal((done.returncode, done.stderr), (0, ""), f"vmm trace verify: {done.stdout}")
    done = subprocess.run([VMM, "trace", "info", run.file], capture_output=True, text=True,
                          timeout=60, check=False)
    assert "cut off" not in done.stdout, done.stdout


def limits():
    whole = Run(["-q"], [PAGES, "5"]).trace()
    references = [line for line in whole.lines if isinstance(line[3], tuple)]
    part = Run(["-q", "--start-after", "1000", "--stop-after", "500"], [PAGES, "5"])
    equal(part.status, 0, "exit status")
    found = [line for line in part.trace().lines if isinstance(line[3], tuple)]
    equal([(line[0], line[3]) for line in found],
          [(line[0], line[3]) for line in references[1000:1500]], "references 1001 to 1500")


# ---- The program does not notice -----------------------------------------------------------------

def programs():
    text = FOLDER / "lines.txt"
    text.write_text("".join(f"line {i * 7919 % 10007}\n" for i in range(1500)))
    (FOLDER / "hello.c").write_text("int puts(const char *);\nint main(void) "
                                    "{ return puts(\"hello\") < 0; }\n")
    yield "ls", ["ls", "-l", str(ROOT / "include")]
    yield "ls of what is not there", ["ls", "/no such file"]
    yield "sort", ["sort", str(text)]
    yield "gzip", ["gzip", "-c", str(text)]
    yield "python3", [sys.executable, "-S", "-c", "print(sum({i: i * i for i in range(300)}.values()))"]
    yield "xz with threads", ["xz", "-T2", "--block-size=8192", "-0", "-c", str(text)]
    yield "gcc", ["gcc", "-c", "-o", "hello.o", "hello.c"]
    yield "a pipeline", ["sh", "-c", f"cat {text} | sort -r | head -n 3; echo $?"]
    yield "environment", ["env"]
    yield "names of programs", ["sh", "-c", "ls /nowhere; sort -z --nonsense; exec cat /nowhere"]
    yield "many writers", ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do (echo $i > out.$i) & done; wait; cat out.*"]
    (FOLDER / "Makefile").write_text("all: one two\none:\n\techo first\ntwo:\n\t@echo second; exit 3\n")
    yield "make", ["make"]
    yield "subprocess of python3", [sys.executable, "-S", "-c", "import subprocess as s\n"
                                    "print(s.run(['echo', 'x'], stdout=s.PIPE).stdout)"]
    yield "os.system of python3", [sys.executable, "-S", "-c", "import os\n"
                                   "os._exit(os.system('echo x; exit 5') >> 8)"]
    yield "system of awk", ["awk", "BEGIN { s = system(\"echo x; exit 4\"); print s; exit s }"]
    if shutil.which("sqlite3"):
        yield "sqlite3", ["sqlite3", ":memory:", "create table t(a); insert into t values (3), (1);"
                          "select * from t order by a"]


def natively(words):
    done = subprocess.run(words, capture_output=True, cwd=FOLDER, timeout=60, check=False,
                          stdin=subprocess.DEVNULL)
    made = (FOLDER / "hello.o").read_bytes() if words[0] == "gcc" else b""
    return done.stdout, done.stderr, done.returncode, made


def unnoticed(words):
    expected = natively(words)
    done = subprocess.run([VMM, "record", "-q", "-o", FOLDER / "t.vmt", "--", *words],
                          capture_output=True, cwd=FOLDER, timeout=200, check=False,
                          stdin=subprocess.DEVNULL)
    made = (FOLDER / "hello.o").read_bytes() if words[0] == "gcc" else b""
    equal((done.stdout, done.stderr, done.returncode, made), expected, "what the program did")
    verified = subprocess.run([VMM, "trace", "verify", FOLDER / "t.vmt"], capture_output=True,
                              text=True, timeout=200, check=False)
    equal(verified.returncode, 0, f"vmm trace verify: {verified.stderr}")
    told = subprocess.run([VMM, "trace", "info", "--json", FOLDER / "t.vmt"], capture_output=True,
                          text=True, timeout=200, check=True)
    events = json.loads(told.stdout)["events"]
    equal(events.get("start", 0) + events.get("fork", 0), events["exit"],
          "processes that began and that ended")


def name_is_kept():
    for name in ("short", "a name that is longer than the path of the program itself"):
        run = Run(["-q"], [ACTIONS, "name", name])
        equal(run.out, name + "\n", "what the program was called")


def descriptors():
    listed = Run(["-q"], ["sh", "-c", "ls /proc/self/fd"]).out.split()
    low = [word for word in listed if int(word) < 200]
    expected = subprocess.run(["sh", "-c", "ls /proc/self/fd"], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=True).stdout.split()
    equal(low, expected, "descriptors")


# ---- Ends ----------------------------------------------------------------------------------------

def started(options, words):
    command = [VMM, "record", "-o", FOLDER / "s.vmt", *options, "--", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            cwd=FOLDER, start_new_session=True)


def readable():
    done = subprocess.run([VMM, "trace", "verify", FOLDER / "s.vmt"], capture_output=True,
                          text=True, timeout=60, check=False)
    equal(done.returncode, 0, f"vmm trace verify: {done.stderr}")


def interrupted():
    """Ctrl-C goes to the whole group: the program ends, and the trace is whole."""
    process = started([], ["sh", "-c", "echo ready; while :; do :; done"])
    equal(process.stdout.readline(), "ready\n", "the program")
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    equal(process.returncode, -signal.SIGINT, f"exit status; {err}")
    readable()


def passed_on():
    """SIGTERM to vmm alone reaches the program, which may handle it."""
    process = started(["-q"], ["sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do :; done"])
    equal(process.stdout.readline(), "ready\n", "the program")
    os.kill(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    equal((process.returncode, err), (9, ""), "exit status and messages")
    readable()


def all_passed_on():
    """Signals that would end vmm go to the program, with the value that they carry."""
    for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGUSR2, signal.SIGPIPE,
                   signal.SIGRTMIN + 3):
        process = started(["-q"], [sys.executable, "-S", "-c",
                                   "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, "
                                   f"[{int(number)}])\nprint('ready', flush=True)\n"
                                   f"print(int(signal.sigwait([{int(number)}])), flush=True)"])
        equal(process.stdout.readline(), "ready\n", "the program")
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=60)
        equal((process.returncode, out, err), (0, f"{int(number)}\n", ""), f"signal {number}")
        readable()
    script = f"{VMM} record -q -o s.vmt -- {ACTIONS} signal 15; exit $?"
    equal(record(script=script).returncode, 143, "what a shell shows")


def killed_itself():
    """What was recorded before a SIGKILL of vmm can be read, all but the last second."""
    (FOLDER / "go").unlink(missing_ok=True)
    process = started(["-q"], ["sh", "-c", "echo ready; while [ ! -e go ]; do sleep 0.1; done"])
    equal(process.stdout.readline(), "ready\n", "the program")
    deadline = time.monotonic() + 60
    while (FOLDER / "s.vmt").stat().st_size < 10000 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    (FOLDER / "go").touch()
    process.communicate(timeout=60)
    (FOLDER / "go").unlink()
    done = subprocess.run([VMM, "trace", "verify", FOLDER / "s.vmt"], capture_output=True,
                          text=True, timeout=60, check=False)
    found = re.search(r"(\d+) references are readable", done.stdout)
    assert found and int(found[1]) > 10000, done.stdout + done.stderr


def natively_compared():
    """The run alone has the same input from the same place; pipes and other ends are told."""
    (FOLDER / "lines.txt").write_text("one\ntwo\n")
    code = "read rest; echo \"$rest\" >> seen.txt"
    (FOLDER / "seen.txt").unlink(missing_ok=True)
    run = record(script=f"(read first; {VMM} record --compare-native -o s.vmt -- sh -c '{code}') "
                        "< lines.txt")
    equal(run.returncode, 0, f"exit status; {run.stderr}")
    equal((FOLDER / "seen.txt").read_text(), "two\ntwo\n", "what both read")
    assert "times as long" in run.stderr, run.stderr
    run = record(script=f"echo x | {VMM} record --compare-native -o s.vmt -- cat")
    equal((run.returncode, run.stdout), (1, ""), "a pipe")
    assert "cannot be read twice" in run.stderr, run.stderr
    run = record("--compare-native", "-o", "s.vmt", "--", "sh", "-c",
                 "test -e once && exit 3; touch once")
    equal(run.returncode, 0, "exit status")
    assert "unrecorded it ended with status 3, recorded with status 0" in run.stderr, run.stderr
    assert "times as long" not in run.stderr, run.stderr
    run = record("-o", "s.vmt", "--", ACTIONS, "print")
    for text in (" pages, ", "of processor time", "--compare-native"):
        assert text in run.stderr, run.stderr


def left_behind():
    """Processes that outlive the program are waited for, until Ctrl-C; they run on."""
    process = started([], ["sh", "-c", "(echo $$; sleep 2; echo later > later.txt) & exit 6"])
    process.stdout.readline()
    for line in process.stderr:
        if "left behind" in line:
            break
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    equal(process.returncode, 6, f"exit status; {err}")
    assert "run on unrecorded" in err, err
    readable()
    deadline = time.monotonic() + 60
    while not (FOLDER / "later.txt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    equal((FOLDER / "later.txt").exists(), True, "what the process did later")
    process = started(["-q"], ["sh", "-c", "(sleep 0.3; ls /) & exit 6"])
    out, err = process.communicate(timeout=60)
    equal((process.returncode, err), (6, ""), "exit status and messages")
    assert "bin" in out, "the process is waited for"
    readable()
    (FOLDER / "go").unlink(missing_ok=True)
    run = subprocess.run([VMM, "record", "--left-behind", "leave", "-o", FOLDER / "s.vmt", "--",
                          "sh", "-c", "while [ ! -e go ]; do sleep 0.1; done >/dev/null 2>&1 &"],
                         capture_output=True, text=True, cwd=FOLDER, timeout=60, check=False)
    (FOLDER / "go").touch()
    equal(run.returncode, 0, f"exit status; {run.stderr}")
    assert "run on unrecorded" in run.stderr, run.stderr
    readable()


def toggled():
    """SIGUSR1 begins, and pauses again."""
    process = started(["-q", "--paused"], ["sh", "-c", "echo ready; read line; exit 0"])
    process.stdin = None
    equal(process.stdout.readline(), "ready\n", "the program")
    process.communicate(timeout=60)
    process = started(["-q", "--paused"], ["sh", "-c", "echo ready; while [ ! -e go ]; do :; done"])
    (FOLDER / "go").unlink(missing_ok=True)
    equal(process.stdout.readline(), "ready\n", "the program")
    os.kill(process.pid, signal.SIGUSR1)
    while (FOLDER / "s.vmt").stat().st_size < 2000:
        time.sleep(0.05)
    (FOLDER / "go").touch()
    process.communicate(timeout=60)
    equal(process.returncode, 0, "exit status")
    readable()
    (FOLDER / "go").unlink()


def written_until(limit, mounted):
    """Records onto a disk, or into a file, that takes `limit` KiB; None: nobody may mount here."""
    small = FOLDER / "small"
    shutil.rmtree(small, ignore_errors=True)
    small.mkdir()
    command = (f"{VMM} record --codec full -o s.vmt -- {sys.executable} -S -c '{LONG}'; "
               f"status=$?; cp s.vmt {FOLDER}; exit $status")
    if mounted:
        words = ["unshare", "-rm", "sh", "-c", f"mount -t tmpfs -o size={limit}k none {small} || "
                 f"exit 99; cd {small} && {command}"]
    else:
        words = ["bash", "-c", f"cd {small} && ulimit -S -f {limit} && {command}"]
    run = subprocess.run(words, capture_output=True, text=True, timeout=200, check=False)
    return None if run.returncode == 99 or "unshare" in run.stderr else run


def full_disk():
    """A clear error, the program undisturbed, the trace whole as far as it goes."""
    for mounted, message in ((True, "No space left on device"), (False, "File too large")):
        run = written_until(128, mounted)
        if run is None:
            continue
        equal(run.stdout, "499500\n", f"the program's output; {run.stderr}")
        equal(run.returncode, 1, "exit status")
        assert "error:" in run.stderr and message in run.stderr, run.stderr
        told = re.search(r"the first (\d+) references can be read", run.stderr)
        assert told and int(told[1]) > 10000, run.stderr
        verified = subprocess.run([VMM, "trace", "verify", FOLDER / "s.vmt"], capture_output=True,
                                  text=True, timeout=60, check=False)
        equal(verified.returncode, 0, f"vmm trace verify: {verified.stdout}{verified.stderr}")
        assert "references were lost when it was made" in verified.stdout, verified.stdout
        assert f" {told[1]} references" in verified.stdout, verified.stdout
        done = subprocess.run([VMM, "-t", FOLDER / "s.vmt", "--frames", "100", "--no-timing"],
                              capture_output=True, text=True, timeout=60, check=False)
        equal(done.returncode, 0, f"vmm -t: {done.stderr}")


def no_place():
    """Names that cannot be written, and devices that are full."""
    run = Run([], [ACTIONS, "exit", "0"], folder=FOLDER)
    for path, message in (("/nonexistent/t.vmt", "No such file or directory"),
                          (str(FOLDER), "Is a directory"), ("-", "standard output is the program's")):
        run = subprocess.run([VMM, "record", "-o", path, "--", ACTIONS, "print"], timeout=60,
                             capture_output=True, text=True, check=False)
        equal((run.returncode, run.stdout), (1, ""), f"{path}: status, and what the program said")
        assert message in run.stderr, run.stderr
    run = subprocess.run([VMM, "record", "-o", "/dev/full", "--", ACTIONS, "print"], timeout=60,
                         capture_output=True, text=True, check=False)
    equal((run.returncode, run.stdout), (1, ACTIONS + "\n"), "/dev/full")
    assert "No space left on device" in run.stderr, run.stderr
    assert "a reference" not in run.stderr, run.stderr
    own = subprocess.run(["sh", "-c", f"{VMM} record -o o.txt -- {ACTIONS} print > o.txt"],
                         cwd=FOLDER, timeout=60, capture_output=True, text=True, check=False)
    equal(own.returncode, 1, "the trace where the program writes to")
    assert "standard stream" in own.stderr, own.stderr


def record(*words, script=None):
    command = [VMM, "record", *words] if script is None else ["sh", "-c", script]
    return subprocess.run(command, cwd=FOLDER, timeout=60, capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL)


def destroys_nothing():
    """The trace takes the place of no file that is not a trace, and of none the program uses."""
    (FOLDER / "input.txt").write_text("input\n")
    copy = FOLDER / "copy"
    shutil.copy(ACTIONS, copy)
    (FOLDER / "link.txt").symlink_to("input.txt")
    record("-q", "-o", "trace.vmt", "--", ACTIONS, "print")
    before = (FOLDER / "trace.vmt").read_bytes()
    assert before.startswith(b"\x89VMT"), before[:8]
    for output, words, message in (
            ("input.txt", ["cat", "input.txt"], "would overwrite what the program is given"),
            ("link.txt", ["cat", "input.txt"], "would overwrite what the program is given"),
            ("copy", ["./copy", "print"], "would overwrite the program"),
            ("input.txt", ["dd", f"if={FOLDER}/input.txt"], "is no trace that vmm record would"),
            ("input.txt", ["head", "--file=input.txt"], "would overwrite what the program is given"),
            ("input.txt", [ACTIONS, "print"], "is no trace that vmm record would overwrite"),
            ("trace.vmt", ["cat", "trace.vmt"], "would overwrite what the program is given")):
        run = record("-o", output, "--", *words)
        equal((run.returncode, run.stdout), (1, ""), f"{output}: {run.stderr}")
        assert message in run.stderr and "-o" in run.stderr, run.stderr
    equal((FOLDER / "input.txt").read_text(), "input\n", "the input")
    equal(copy.read_bytes(), Path(ACTIONS).read_bytes(), "the program")
    equal((FOLDER / "trace.vmt").read_bytes(), before, "the trace that is the program's input")
    for name in ("trace.vmt", "again.txt", "again.txt"):
        run = record("-q", "-o", name, "--", ACTIONS, "print")
        equal((run.returncode, run.stderr), (0, ""), f"{name}: a trace is overwritten")
    for redirection in ("< input.txt", "2> input.txt"):
        (FOLDER / "input.txt").write_text("input\n")
        run = record(script=f"{VMM} record -o input.txt -- {ACTIONS} print {redirection}")
        equal(run.returncode, 1, f"{redirection}: exit status")


def two_at_once():
    """One name, two recordings: the second one is refused, the first one is whole."""
    process = started(["-q"], ["sh", "-c", "echo ready; while [ ! -e go ]; do :; done"])
    (FOLDER / "go").unlink(missing_ok=True)
    equal(process.stdout.readline(), "ready\n", "the program")
    run = record("-o", "s.vmt", "--", ACTIONS, "print")
    (FOLDER / "go").touch()
    _, err = process.communicate(timeout=60)
    (FOLDER / "go").unlink()
    equal((run.returncode, run.stdout), (1, ""), "exit status of the second one")
    assert "being written by another recording" in run.stderr, run.stderr
    equal((process.returncode, err), (0, ""), "the first one")
    readable()


def closed_streams():
    """No file of ours gets the number of a stream that is closed; the program finds it closed."""
    for closed, fd in (("<&-", 0), (">&-", 1), ("2>&-", 2), ("<&- >&- 2>&-", 2)):
        script = (f"{VMM} record -q -o s.vmt -- sh -c 'echo text; echo error >&2; "
                  f"test -e /proc/self/fd/{fd} && exit 3; exit 4' {closed}")
        equal(record(script=script).returncode, 4, f"{closed}: exit status")
        readable()
    run = record(script=f"{VMM} list >&-")
    equal(run.returncode, 1, "output that goes nowhere is an error")


def names_and_formats():
    """The ending of the name tells the format; flags that could not apply are refused."""
    equal(record("-q", "-o", "f.din", "--fetches", "none", "--", ACTIONS, "print").returncode, 0,
          "exit status")
    assert re.match(r"[01] [0-9a-f]+\n", (FOLDER / "f.din").read_text()), "Dinero"
    equal(record("-q", "--to", "native", "--", ACTIONS, "print").returncode, 0, "exit status")
    assert (FOLDER / "actions.trace").exists(), "a name for the format"
    for flags, message in (
            (["-o", "x.gz"], "packed"), (["-o", "x.din", "--codec", "full"], "--codec is for .vmt"),
            (["--to", "native", "--level", "3"], "--level is for .vmt"),
            (["--fast", "--fetches", "all"], "loads and stores only"),
            (["--recorder", "lackey", "--paused"], "cannot be paused"),
            (["--fetches", "foo"], "expected none, page or all"),
            (["--recorder", "foo"], "expected auto, valgrind, lackey or fast"),
            (["--level", "abc"], "a number from 1 to 22"), (["--level", "0"], "from 1 to 22"),
            (["--level", "23"], "from 1 to 22"), (["--max-size", "10Q"], "such as 64K, 10MiB"),
            (["--stop-after", "0"], "above 0")):
        run = record(*flags, "--", ACTIONS, "print")
        equal((run.returncode, run.stdout), (1, ""), f"{flags}: {run.stderr}")
        assert message in run.stderr and "Try 'vmm help record'" in run.stderr, run.stderr
    for flags in (["--max-size", "10MiB"], ["--max-size", "10M"], ["--max-size", "1000KB"],
                  ["--max-size", "1000000"], ["--start-after", "0"], ["--level", "19"]):
        run = record("-q", "-o", "x.vmt", *flags, "--", ACTIONS, "print")
        equal((run.returncode, run.stderr), (0, ""), f"{flags}")


def losses_are_told():
    """What a format does not hold is told as vmm trace convert tells it."""
    run = record("-o", "l.din", "--", ACTIONS, "print")
    equal(run.returncode, 0, "exit status")
    record("-q", "-o", "l.vmt", "--codec", "full", "--", ACTIONS, "print")
    convert = subprocess.run([VMM, "trace", "convert", FOLDER / "l.vmt", "c.din"], cwd=FOLDER,
                             capture_output=True, text=True, timeout=60, check=True)
    told = [[re.sub(r"\d+", "N", line.split(": ", 3)[-1]) for line in text.splitlines()
             if "warning" in line] for text in (run.stderr, convert.stderr)]
    equal(told[0], told[1], "warnings")
    assert len(told[0]) >= 3, told
    run = record("-o", "two.din", "--", "sh", "-c", f"{ACTIONS} print; true")
    equal(run.returncode, 1, "processes in a format without any")
    assert "the trace is not whole; a .vmt holds all" in run.stderr, run.stderr
    run = record("--fast", "-o", "c.vmt", "--", "cc", "--version")
    equal((run.returncode, run.stdout), (1, ""), "a compiler, and flags of a recording")
    assert "-o is for a recording" in run.stderr, run.stderr
    helped = subprocess.run([VMM, "help", "record"], capture_output=True, text=True, check=True)
    equal(helped.stdout.count("What is recorded:"), 1, "headings")


def inside_one_another():
    """Valgrind, and a recording within a recording, run unrecorded, and well."""
    if b"__asan_init" in Path(VMM).read_bytes():
        return  # a program with AddressSanitizer cannot run within Valgrind
    run = record("-o", "outer.vmt", "--", VMM, "record", "-q", "-o", "inner.vmt", "--", ACTIONS,
                 "print")
    equal((run.returncode, run.stdout), (0, ACTIONS + "\n"), f"a recording in one; {run.stderr}")
    assert "1 program ran unrecorded" in run.stderr, run.stderr
    for trace in ("outer.vmt", "inner.vmt"):
        subprocess.run([VMM, "trace", "verify", "-q", FOLDER / trace], check=True, timeout=60,
                       capture_output=True)
    run = record("-o", "v.vmt", "--", "valgrind", "-q", ACTIONS, "exit", "4")
    equal(run.returncode, 4, f"Valgrind; {run.stderr}")
    assert "nothing was recorded" in run.stderr, run.stderr


def no_program():
    plain = FOLDER / "plain.txt"
    plain.write_text("text")
    for words, status, message in ((["nonexistent"], 127, "not found"),
                                   (["./nonexistent"], 127, "No such file"),
                                   ([str(plain)], 126, "Permission denied"),
                                   ([str(FOLDER)], 126, "Is a directory"),
                                   ([], 1, "no program to record")):
        run = subprocess.run([VMM, "record", "-o", "n.vmt", "--", *words], cwd=FOLDER, timeout=60,
                             capture_output=True, text=True, check=False)
        equal(run.returncode, status, f"{words}: exit status; {run.stderr}")
        assert message in run.stderr, run.stderr
        assert not (FOLDER / "n.vmt").exists(), "a trace of nothing"
    for flags in (["--fetches", "some"], ["--recorder", "best"], ["--stop-after", "0"],
                  ["--max-size", "big"], ["--codec", "none"], ["--level", "x"],
                  ["--recorder", "lackey", "--fast"]):
        run = subprocess.run([VMM, "record", "-o", "n.vmt", *flags, ACTIONS, "print"], cwd=FOLDER,
                             timeout=60, capture_output=True, text=True, check=False)
        equal((run.returncode, run.stdout), (1, ""), f"{flags}: exit status; {run.stderr}")
        assert "Try 'vmm help record'" in run.stderr, run.stderr
        assert not (FOLDER / "n.vmt").exists(), f"{flags}: a trace of nothing"
    kept = FOLDER / "kept.vmt"
    kept.write_text("an older trace")
    for words in (["--codec", "none", ACTIONS], ["./nonexistent"]):
        subprocess.run([VMM, "record", "-o", kept, *words], cwd=FOLDER, timeout=60,
                       capture_output=True, check=False)
        equal(kept.read_text(), "an older trace", f"{words}: what the file held before")


def size_limit():
    for codec in ("runs", "full"):
        run = Run(["--max-size", "64Ki", "--codec", codec],
                  [sys.executable, "-S", "-c", LONG], to="vmt")
        equal((run.status, run.out), (0, "499500\n"), "the program")
        assert "--max-size" in run.err, run.err
        assert 48 * 1024 < run.file.stat().st_size <= 64 * 1024, run.file.stat().st_size


def progress():
    """On a terminal, and by --progress: the line is drawn, and erased."""
    if subprocess.run(["script", "-qec", "true", "/dev/null"], stdin=subprocess.DEVNULL,
                      capture_output=True, check=False).returncode != 0:
        return  # no terminal can be made here
    for flags, expected in (([], False), (["--progress", "always"], True),
                            (["--progress", "always", "-q"], False)):
        words = " ".join([VMM, "record", *flags, "-o", "p.vmt", "--", ACTIONS, "print"])
        run = subprocess.run(["script", "-qec", words, "/dev/null"], cwd=FOLDER, timeout=60,
                             capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                             env=dict(os.environ, VMM_PROGRESS_DELAY="0"))
        equal(run.returncode, 0, f"{flags}: {run.stdout}")
        equal("M references" in run.stdout, expected, f"{flags}: progress in {run.stdout!r}")


def foreign():
    """A program of another architecture runs, unrecorded; the others are recorded."""
    source = FOLDER / "foreign.c"
    source.write_text("""void _start(void) {
        static const char text[] = "foreign\\n";
        int result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(4), "b"(1), "c"(text), "d"(8) : "memory");
        __asm__ volatile("int $0x80" : : "a"(1), "b"(7));
    }
    """)
    built = subprocess.run(["gcc", "-m32", "-O1", "-fno-pie", "-no-pie", "-static", "-nostdlib",
                            "-fno-stack-protector", "-o", FOLDER / "foreign", source],
                           capture_output=True, check=False)
    if built.returncode != 0 or subprocess.run([FOLDER / "foreign"], capture_output=True,
                                               check=False).returncode != 7:
        return  # neither this compiler nor this kernel knows another one
    run = Run(["-q"], ["sh", "-c", "./foreign; echo $?"])
    equal((run.status, run.out), (0, "foreign\n7\n"), "what it did")
    ends = [rest for _, _, _, rest in run.trace().events("exit")]
    equal(ends, ["status 0", "status 0"], "processes that ended")


def elsewhere():
    """Where the channel is out of reach a program runs unrecorded, and vmm says so."""
    jail = FOLDER / "jail"
    jail.mkdir()
    shutil.copy(STATIC, jail / "static")
    for words in (["chroot", str(jail), "/static", "exit", "5"],
                  ["unshare", "-pf", "--mount-proc", "sh", "-c", "echo $$; exit 4"],
                  ["setpriv", "--reuid", "65534", "--clear-groups", "sh", "-c", "id; exit 3"]):
        native = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False) \
            if shutil.which(words[0]) else None
        if native is None or native.returncode not in (3, 4, 5):
            continue  # not for this user
        run = Run([], words)
        equal((run.status, run.out), (native.returncode, native.stdout), f"{words}: what it did")
        assert "1 program ran unrecorded" in run.err, run.err


def pid_namespace():
    """Processes that have other numbers inside than outside."""
    words = ["unshare", "-pf", "sh", "-c", "echo $$; echo x | cat; exit 4"]
    native = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    if native.returncode != 4:
        return  # not for this user
    run = Run(["-q"], words)
    equal((run.status, run.out), (4, native.stdout), "what it did")
    in_order(run.trace())
    equal([rest for _, _, _, rest in run.trace().events("exit") if "signal" in rest], [], "kills")


def no_temporary_folder():
    """$TMPDIR is the program's alone."""
    run = subprocess.run([VMM, "record", "-q", "-o", FOLDER / "t.vmt", "--", "sh", "-c",
                          "echo $TMPDIR"], capture_output=True, text=True, timeout=60, check=False,
                         env=dict(os.environ, TMPDIR="/nonexistent"))
    equal((run.returncode, run.stdout, run.stderr), (0, "/nonexistent\n", ""), "what it did")


def process_name():
    equal(Run(["-q"], ["cat", "/proc/self/comm"]).out, "cat\n", "the name of the process")


def fallback():
    """Without our tool: a plain warning, and Lackey."""
    environment = dict(os.environ, VMM_RECORDER="/nonexistent")
    run = subprocess.run([VMM, "record", "--to", "native", "-o", FOLDER / "l.txt", "--", STATIC,
                          "exit", "3"], capture_output=True, text=True, env=environment,
                         cwd=FOLDER, timeout=300, check=False)
    equal(run.returncode, 3, f"exit status; {run.stderr}")
    assert "Lackey" in run.stderr and "warning" in run.stderr, run.stderr
    trace = Trace((FOLDER / "l.txt").read_text())
    assert sum(1 for line in trace.lines if line[0] == "W") > 1000
    assert "thousand times slower" in run.stderr, run.stderr
    run = subprocess.run([VMM, "record", "--paused", "--", STATIC, "exit", "3"],
                         capture_output=True, text=True, env=environment, cwd=FOLDER, timeout=60,
                         check=False)
    equal(run.returncode, 1, "exit status of a pause that Lackey has not")
    assert "cannot be paused" in run.stderr, run.stderr
    missing = dict(environment, PATH="/nonexistent")
    run = subprocess.run([VMM, "record", "--", STATIC, "exit", "3"], capture_output=True,
                         text=True, env=missing, cwd=FOLDER, timeout=60, check=False)
    equal(run.returncode, 1, "exit status without any Valgrind")
    assert "apt-get install valgrind" in run.stderr, run.stderr


TESTS = [pages, straight_lines, events_of_a_mapping, page_runs_count_alike, fetches, lackey_agrees,
         kernel, kernel_partly, messages, atomics, masked, code_that_crosses, passed_over,
         long_command_line, stack, every_address_is_mapped, heap, remap, mapped_again,
         renamed_file, clones, wild_pointers, shared_file, sysv,
         threads, fork, turns, killed_child, executes, spawned, executes_itself, deaths, pauses,
         pause_of_a_child, pauses_are_told, begins_paused, losses_are_told, inside_one_another, limits, name_is_kept, descriptors, interrupted, passed_on, left_behind,
         toggled, full_disk, size_limit, no_place, destroys_nothing, two_at_once, all_passed_on,
         killed_itself, natively_compared, progress, closed_streams, names_and_formats, no_program,
         foreign, elsewhere, pid_namespace, no_temporary_folder, process_name, fallback]


def main():
    tap = Tap()
    for source, name, flags in (("actions", ACTIONS, ["-pthread"]), ("pages", PAGES, []),
                                ("straight", STRAIGHT, []),
                                ("actions", STATIC, ["-pthread", "-static"])):
        subprocess.run(["gcc", "-O1", "-D_GNU_SOURCE", "-o", name,
                        ROOT / f"tests/record/{source}.c", *flags], check=True)
    for test in TESTS if not WANTED else [test for test in TESTS if test.__name__ in WANTED]:
        tap.run(test.__name__.replace("_", " "), test)
    for name, words in programs() if not WANTED else []:
        if shutil.which(words[0]):
            tap.run(f"the program does not notice: {name}", lambda words=words: unnoticed(words))
    return tap.finish()


if __name__ == "__main__":
    if not (BIN / "vmmrec").exists():
        print("1..1\nok 1 - vmm record # SKIP the recorder was not built: no Valgrind")
        sys.exit(0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1):
        if signal.getsignal(number) == signal.SIG_IGN:  # as behind nohup; programs inherit it
            signal.signal(number, signal.SIG_DFL)
    os.environ.pop("LD_PRELOAD", None)  # the sanitizers' library is not for recorded programs
    with tempfile.TemporaryDirectory() as name:
        FOLDER = Path(name).resolve()
        ACTIONS, PAGES, STATIC, STRAIGHT = (
            str(FOLDER / word) for word in ("actions", "pages", "static", "straight"))
        sys.exit(main())
