#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The fast recorder: programs built by `vmm cc` and `vmm c++` record exactly what they do, behave as
ever, and lose nothing at fork, exec and their end. listen.c stands in for `vmm record`."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/property"))

from tap import Tap, equal  # noqa: E402

BIN = Path(os.environ.get("VMM_BIN_DIR", ROOT / "bin"))
PAGE = 4096
MANY = 100000
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if name not in ("LD_PRELOAD", "VMM_CC", "VMM_CXX", "CC", "CXX")}


class Record:
    """One line of listen's output."""

    def __init__(self, line):
        words = line.split(maxsplit=3)
        self.pid, self.tid, self.what = int(words[0]), int(words[1]), words[2]
        rest = words[3] if len(words) > 3 else ""
        if self.what in "RW":
            address, size = rest.split()
            self.address, self.size = int(address, 16), int(size)
        elif self.what in ("stop", "resume"):
            pass
        elif self.what == "image":
            self.path = rest.split(maxsplit=1)[1]
        else:
            words = rest.split(maxsplit=7)
            self.start, self.length, self.target = (int(word, 16) for word in words[:3])
            self.value = int(words[3])
            self.prot, self.flags, self.offset = (int(word, 16) for word in words[4:7])
            self.path = words[7] if len(words) > 7 else ""

    @property
    def is_reference(self):
        return self.what in "RW"


class Run:
    """What a recorded program printed, how it ended, and what it sent."""

    def __init__(self, place, words, **environment):
        self.out = place / "records"
        done = subprocess.run([place / "listen", self.out, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120, check=False, text=True,
                              env=dict(ENVIRONMENT, **environment))
        self.status, self.output, self.errors = done.returncode, done.stdout, done.stderr
        self.records = [Record(line) for line in self.out.read_text().splitlines()]
        found = re.search(r"area (0x[0-9a-f]+) pid (\d+)", self.output)
        self.area, self.pid = (int(found[1], 16), int(found[2])) if found else (0, 0)

    def in_area(self, pages=32):
        return [record for record in self.records if record.is_reference
                and self.area <= record.address < self.area + pages * PAGE]

    def accesses(self):
        """(what, place in the area, size) of all in the area, in order."""
        return [(record.what, record.address - self.area, record.size)
                for record in self.in_area()]

    def events(self, *names):
        return [record for record in self.records if record.what in names]


def run_native(words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                          check=False, text=True, env=ENVIRONMENT)
    return done.returncode, done.stdout, done.stderr


def command(*words):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, check=False, text=True,
                          env=ENVIRONMENT)
    assert done.returncode == 0, f"{' '.join(map(str, words))}:\n{done.stdout}{done.stderr}"
    return done


def without_addresses(text):
    return re.sub(r"0x[0-9a-f]+|(pid|child|tids) \d+( \d+)?", "", text)


def lines_of(start, length):
    """The (place, size) of each line of 64 bytes that a range touches."""
    parts = []
    while length > 0:
        size = min(length, 64 - start % 64)
        parts.append((start, size))
        start += size
        length -= size
    return parts


class Suite:
    """The tests for one compiler; `place` holds what it built."""

    def __init__(self, place, compiler, cxx):
        self.place, self.compiler, self.cxx = place, compiler, cxx
        self.program = place / f"program-{compiler}"

    def build(self, source, target, *options, front="cc"):
        compiler = self.cxx if front == "c++" else self.compiler
        return command(BIN / "vmm", front, f"--compiler={compiler}", "-Wall", "-Wextra", "-o",
                       target, HERE / source, *options)

    def run(self, *words):
        return Run(self.place, [self.program, *words])

    def build_all(self):
        self.build("program.c", self.program, "-O1")

    def pattern(self):
        for level in ("-O0", "-O2"):
            program = self.place / f"pattern{level}-{self.compiler}"
            self.build("program.c", program, level)
            run = Run(self.place, [program, "pattern"])
            expected = [("W", page * PAGE, 1) for page in range(32)]
            expected += [("R", page * PAGE, 8) for page in range(4)]
            expected += [("W", 64, 2), ("R", 64, 2), ("W", 66, 2)]
            equal(run.accesses(), expected, level)

    def blocks(self):
        run = self.run("blocks")
        reads = Counter((record.address - run.area) // 64 for record in run.in_area()
                        if record.what == "R")
        writes = Counter((record.address - run.area - PAGE) // 64 for record in run.in_area()
                         if record.what == "W")
        equal(set(reads), {0, 1, 2, 3}, "lines read")
        equal(set(writes), {0, 1, 2, 3}, "lines written")

    def copies(self):
        for length in (1, 63, 64, 200, 5000):
            run = self.run("copies", str(length))
            equal(run.status, 0)
            expected = [("W", *part) for part in lines_of(0, length)]
            expected += [("R", *part) for part in lines_of(0, length)]
            expected += [("W", *part) for part in lines_of(PAGE, length)]
            expected += [("R", *part) for part in lines_of(PAGE, length)]
            expected += [("W", *part) for part in lines_of(PAGE + 8, length)]
            expected += [("R", 0, 1), ("R", PAGE + length, 1)]
            found = run.accesses()
            # Evaluated in any order.
            equal(found[:-2] + sorted(found[-2:]), expected, f"{length} bytes")

    def threads(self):
        run = self.run("threads")
        tids = [int(word) for word in re.search(r"tids (\d+) (\d+)", run.output).groups()]
        for number, tid in enumerate(tids):
            mine = [record for record in run.records if record.tid == tid]
            equal([mine[0].what, mine[-1].what], ["thread_start", "thread_exit"])
            page = [record.address - run.area - number * PAGE for record in mine
                    if record.is_reference and record.what == "W" and record.size == 1]
            equal(page, [i % PAGE for i in range(MANY)], f"references of thread {number}")
        pages = [(record.address - run.area) // PAGE for record in run.in_area()]
        equal(len(pages), 2 * MANY + 2)
        equal((pages[0], pages[-1]), (2, 3), "what was done before the threads, and after them")

    def fork(self):
        run = self.run("fork")
        child = int(re.search(r"child (\d+) 3", run.output)[1])
        order = [(record.pid, record.what) for record in run.records if not record.is_reference
                 and record.what in ("fork", "exit")]
        equal(order, [(run.pid, "fork"), (child, "exit"), (run.pid, "exit")])
        equal(run.events("fork")[0].value, child)
        equal([record.value for record in run.events("exit")], [3 << 8, 0])
        fork = run.records.index(run.events("fork")[0])
        equal(min(i for i, record in enumerate(run.records) if record.pid == child) > fork, True)
        parent = [record.address - run.area for record in run.in_area() if record.pid == run.pid]
        equal(parent, [i % PAGE for i in range(MANY)] + [2 * PAGE, 3 * PAGE], "the parent's")
        own = [record.address - run.area for record in run.in_area() if record.pid == child]
        equal(own, [PAGE + i % PAGE for i in range(MANY)], "the child's")

    def clone(self):
        run = self.run("clone")
        child = int(re.search(r"child (\d+) 4", run.output)[1])
        own = [record for record in run.in_area() if record.pid == child]
        lost = run.events("lost")
        equal([record.pid for record in lost], [child])
        equal(len(own) + lost[0].value >= 2 * MANY, True, "recorded, or told to be lost")
        equal({record.address // PAGE * PAGE - run.area for record in own}, {PAGE})
        equal([record.value for record in run.events("exit")], [4 << 8, 0])

    def exec_ways(self):
        run = self.run("exec", "abcdef")
        equal(run.status, 0, run.output)
        equal(run.output.splitlines()[-3:], ["done unseen", "vfork 0", "spawn 0"])
        areas = re.findall(r"area (0x[0-9a-f]+) pid (\d+)", run.output)
        equal(len(areas), 7)
        images = run.events("image")
        equal([image.pid for image in images], [int(pid) for _, pid in areas])
        for way, (area, pid) in enumerate(areas[:6]):
            place = int(area, 16) + way * PAGE
            found = [record for record in run.records if record.is_reference
                     and record.address == place and record.pid == int(pid)]
            equal(len(found), 1, f"the reference before exec {way}")

    def mappings(self):
        run = self.run("mappings")
        places = [int(word, 16) for word in re.findall(r"0x[0-9a-f]+", run.output)][1:]
        plain, mapped, moved = places
        first = run.records.index(next(r for r in run.records if r.is_reference))
        told = [(record.what, record.start, record.length, record.target, record.value)
                for record in run.records[first:] if not record.is_reference
                and {record.start, record.start - PAGE, record.start - 4 * PAGE} & set(places)]
        equal(told, [
            ("map", plain, 8 * PAGE, 0, 0), ("map", mapped, PAGE, 0, 0),
            ("protect", plain + PAGE, PAGE, 0, 0), ("advise", plain, 2 * PAGE, 0, 4),
            ("remap", plain + 4 * PAGE, 4 * PAGE, moved, 16 * PAGE),
            ("unmap", moved, 16 * PAGE, 0, 0), ("unmap", mapped, PAGE, 0, 0)])
        maps = {record.start: record for record in run.events("map")}
        equal((maps[plain].prot, maps[plain].flags), (3, 2))
        equal((maps[mapped].prot, maps[mapped].flags, maps[mapped].offset, maps[mapped].path),
              (1, 0, PAGE, str(self.program)))
        equal([record.address for record in run.records if record.is_reference
               and record.address in (plain, moved + 9 * PAGE)], [plain, moved + 9 * PAGE])
        start = [record for record in run.events("map") if record.flags & 32]
        equal(any(record.path == str(self.program) and record.prot == 5 for record in start), True,
              "the program's text is told")
        equal(sum(1 for record in start if record.flags & 8), 1, "stacks")

    def heap(self):
        run = self.run("heap")
        end = int(run.output.splitlines()[1], 16)
        told = [record for record in run.events("map") if record.flags & 16]
        equal(told[-1].start + told[-1].length, end, "the heap's end")

    def parts(self):
        run = self.run("parts")
        equal([record.what for record in run.events("mark", "stop", "resume")],
              ["mark", "stop", "resume", "stop", "resume"])
        equal(run.events("mark")[0].value, 41)
        equal(run.accesses(), [("W", 0, 1), ("W", PAGE, 1), ("W", 2 * PAGE, 1), ("W", PAGE, 1)])

    def signals(self):
        run = self.run("signals")
        equal(run.output.splitlines()[1], "10 1 1")
        places = Counter((record.address - run.area) // PAGE for record in run.in_area()
                         if record.what == "W")
        equal(places, {0: 10, 1: 10 * MANY, 2: 20, 3: 1})
        # What came before a signal is told before what its handler did.
        first = [(record.address - run.area) // PAGE for record in run.in_area()]
        equal(first[0], 0)
        equal(first[MANY + 1], 0, "behind the first handler")

    def ends(self):
        for how, status, told in (("segv", 139, 11), ("abort", 134, 6), ("term", 143, 15),
                                  ("quick", 5, 5 << 8), ("_exit", 6, 6 << 8),
                                  ("exit", 7, 7 << 8), ("thread", 0, 0)):
            run = self.run("end", how)
            equal(run.status, status, how)
            equal(run.accesses(), [("W", 0, 1), ("W", PAGE, 1), ("W", 2 * PAGE, 1)], how)
            equal([record.value for record in run.events("exit")], [told], how)
            equal(run.records[-1].what, "exit", how)

    def library(self):
        library = self.place / f"library-{self.compiler}.so"
        self.build("library.c", library, "-O1", "-shared", "-fPIC", "-Wl,--no-undefined")
        run = self.run("library", library)
        equal(run.status, 0, run.output)
        equal(run.accesses(), [("W", PAGE, 1), ("W", 2 * PAGE, 1), ("W", 3 * PAGE, 64)])

    def as_native(self):
        native = self.place / f"native-{self.compiler}"
        command(self.compiler, "-O1", "-o", native, HERE / "program.c")
        for words in (["pattern"], ["copies", "5000"], ["threads"], ["fork"], ["signals"],
                      ["exec", "abcdef"], ["end", "exit"]):
            plain = run_native([native, *words])
            alone = run_native([self.program, *words])
            recorded = self.run(*words)
            expected = (plain[0], without_addresses(plain[1]), "")
            equal((alone[0], without_addresses(alone[1]), alone[2]), expected, f"{words}, alone")
            equal((recorded.status, without_addresses(recorded.output), recorded.errors), expected,
                  f"{words}, recorded")

    def atomics(self):
        native, own = self.place / "atomics", self.place / f"atomics-{self.compiler}"
        command("gcc", "-O1", "-mcx16", "-o", native, HERE / "atomics.c", "-latomic")
        options = ["-O1", "-mcx16"]
        self.build("atomics.c", own, *options)
        run = Run(self.place, [own])
        equal(without_addresses(run.output), without_addresses(run_native([native])[1]))
        for line in run.output.splitlines()[:-1]:
            name, place = line.split()[0], int(line.split()[-1], 16)
            size = {"one": 1, "two": 2, "four": 4, "eight": 8, "sixteen": 16}[name]
            found = [(record.what, record.size) for record in run.records if record.is_reference
                     and record.address == place][:20]
            both = [("R", size), ("W", size)]
            equal(found, [("W", size), *both * 9, ("R", size)], name)

    def objects(self):
        native, own = self.place / "objects", self.place / f"objects-{self.compiler}"
        command(self.cxx, "-O1", "-o", native, HERE / "objects.cc")
        self.build("objects.cc", own, "-O1", front="c++")
        run = Run(self.place, [own])
        equal((run.status, run.output), run_native([native])[:2])
        equal(len([record for record in run.records if record.is_reference]) > 1000, True)
        equal(len(run.events("thread_start")), 1)

    def allocator(self):
        program = self.place / f"allocator-{self.compiler}"
        self.build("allocator.c", program, "-O1", "-fno-builtin")
        run = Run(self.place, [program])
        equal((run.status, run.output), (0, "done\n"))
        equal(len(run.events("thread_start")), 40)
        equal(len(run.events("thread_exit")), 40)
        equal(len([record for record in run.records if record.is_reference
                   and record.what == "W" and record.size == 1]), 2000, "first bytes of blocks")

    def deaf(self):
        """Nobody wants anything, or there is no channel: the program runs on."""
        run = Run(self.place, [self.program, "threads"], LISTEN_DEAF="1")
        equal((run.status, run.records), (0, []))
        for channel in ("/dev/null", "/nowhere", "", str(HERE / "program.c")):
            done = subprocess.run([self.program, "threads"], stdout=subprocess.PIPE, timeout=60,
                                  check=False, env=dict(ENVIRONMENT, VMM_RECORD_CHANNEL=channel))
            equal(done.returncode, 0, f"channel {channel!r}")

    TESTS = {
        "builds a program": build_all,
        "every load and store, in order, with its size": pattern,
        "structures are copied line by line": blocks,
        "memset, memcpy and memmove": copies,
        "two threads, each under its number": threads,
        "fork: who did what, and the fork before the child": fork,
        "clone(2): what is lost is told": clone,
        "exec in six ways, nothing lost, all followed": exec_ways,
        "mappings are told": mappings,
        "the heap is told": heap,
        "parts that the program asks for": parts,
        "signal handlers, also those that do not return": signals,
        "ends of every kind, with their status": ends,
        "a shared library": library,
        "prints and ends as a native run": as_native,
        "atomic operations": atomics,
        "a C++ program": objects,
        "a program with a malloc of its own": allocator,
        "runs on when nobody listens": deaf,
    }


# ---- The wrapper itself ---------------------------------------------------------------------------

def wrapper_refuses(place):
    def refused(text, *words):
        status, out, err = run_native([BIN / "vmm", *words])
        equal((status, out), (1, ""), " ".join(map(str, words)))
        assert text in err, f"expected {text!r} in {err!r}"

    refused("nothing to compile", "cc")
    refused("cannot run the compiler 'no-such-cc'", "cc", "--compiler=no-such-cc", "-c", "x.c")
    refused("neither gcc nor clang", "cc", "--compiler=true", "-c", "x.c")
    refused("without -static", "cc", "-static", HERE / "program.c")
    refused("name is empty", "c++", "--compiler=", "x.cc")


def wrapper_passes_on(place):
    """Questions and single steps are answered as by the compiler; its status is passed on."""
    for words in (["--version"], ["-dumpmachine"], ["-print-file-name=libc.so"]):
        equal(run_native([BIN / "vmm", "cc", "--compiler=gcc", *words]), run_native(["gcc", *words]))
    command(BIN / "vmm", "cc", "--compiler=gcc", "-O1", "-c", HERE / "program.c", "-o",
            place / "part.o")
    command(BIN / "vmm", "cc", "--compiler=gcc", place / "part.o", "-o", place / "parts")
    equal(len(Run(place, [place / "parts", "pattern"]).in_area()), 39)
    made = command(BIN / "vmm", "cc", "--compiler=gcc", "-E", HERE / "library.c").stdout
    assert "library_touch" in made, made
    equal(run_native([BIN / "vmm", "cc", "-c", place / "missing.c"])[0], 1)
    environment = dict(ENVIRONMENT, VMM_CC="gcc", CC="vmm cc")
    done = subprocess.run([BIN / "vmm", "cc", "-dumpmachine"], env=environment, check=False,
                          stdout=subprocess.PIPE, text=True)
    equal(done.stdout, run_native(["gcc", "-dumpmachine"])[1])


def through_record(place):
    """`vmm record --fast` with a compiler is `vmm cc`, with a program of it a trace."""
    vmm, program, trace = BIN / "vmm", place / "recorded", place / "recorded.vmt"
    command(vmm, "record", "--fast", "--", "gcc", "-O1", "-o", program, HERE / "program.c")
    done = command(vmm, "record", "--fast", "-q", "--codec", "full", "-o", trace, "--", program,
                   "pattern")
    equal(done.stderr, "")
    area = int(re.search(r"area (0x[0-9a-f]+)", done.stdout)[1], 16)
    text = command(vmm, "trace", "cat", trace).stdout
    found = [(what, int(address, 16) - area, int(size)) for what, address, size
             in re.findall(r"^\d+/\d+ ([RWF]) (0x[0-9a-f]+) (\d+)$", text, re.M)]
    inside = [reference for reference in found if 0 <= reference[1] < 32 * PAGE]
    equal(len(inside), 39)
    equal(inside[-3:], [("W", 64, 2), ("R", 64, 2), ("W", 66, 2)])
    told = command(vmm, "trace", "info", trace).stdout
    assert "mappings partly known" in told, told
    equal(run_native([vmm, "record", "--fast", "-q", "-o", trace, "--", program, "end", "exit"])[0],
          7)
    equal(run_native([vmm, "record", "--fast", "-q", "-o", trace, "--", program, "end", "term"])[0],
          -15)
    status, _, err = run_native([vmm, "record", "--fast", "-o", trace, "--", "true"])
    equal(status, 0)
    assert "not compiled by vmm cc" in err, err
    status, _, err = run_native([vmm, "record", "--fast", "--recorder=lackey", "--", "true"])
    equal(status, 1)
    assert "exclude each other" in err, err


def plain_flags(place):
    """The flags that the documentation gives, without the wrapper."""
    text = (ROOT / "docs/reference/record-fast.md").read_text()
    flags = re.search(r"^LDFLAGS='([^']+)'", text, re.M)[1]
    flags = flags.replace("/usr/local/lib/vmm/fast", str(BIN / "fast"))
    cflags = re.search(r"^CFLAGS='([^']+)'", text, re.M)[1]
    command("gcc", *cflags.split(), "-c", HERE / "program.c", "-o", place / "plain.o")
    command("gcc", place / "plain.o", *flags.split(), "-o", place / "plain")
    equal(len(Run(place, [place / "plain", "pattern"]).in_area()), 39)


def runtime_calls_nothing_recorded(place):
    """The runtime must not call what it records, nor leave names of its own in a program."""
    symbols = command("nm", BIN / "fast/libvmm_fast.a").stdout
    wanted = set(re.findall(r" [Uw] (\w+)", symbols))
    equal(wanted & {"memcpy", "memmove", "memset", "memcmp", "strlen", "malloc", "free"}, set())
    equal({name for name in re.findall(r" [TDBR] (\w+)", symbols) if name.startswith("fast_")},
          set())


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="vmm-fast-") as name:
        place = Path(name)
        command("cc", "-O1", "-o", place / "listen", HERE / "listen.c")
        for compiler, cxx in (("gcc", "g++"), ("clang", "clang++")):
            if not (shutil.which(compiler) and shutil.which(cxx)):
                tap.result(f"{compiler} # SKIP it is not there", None)
                continue
            suite = Suite(place, compiler, cxx)
            for title, test in Suite.TESTS.items():
                tap.run(f"{compiler}: {title}", lambda test=test, suite=suite: test(suite))
        for title, test in {
                "vmm cc says what is wrong": wrapper_refuses,
                "vmm cc passes on what it is given": wrapper_passes_on,
                "vmm record --fast": through_record,
                "the flags in the documentation": plain_flags,
                "the runtime calls nothing that it records": runtime_calls_nothing_recorded,
        }.items():
            tap.run(title, lambda test=test: test(place))
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
