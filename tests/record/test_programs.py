#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vmm record on programs of the system: what their traces hold.

That the programs themselves notice nothing is tested beside this. Here each trace is verified, and
compared with what is known of the program: its processes and how they ended, its threads, its files
and its events. Of some every single reference is looked at.
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
sys.path.insert(0, str(ROOT / "tests/reference"))

import vmt  # noqa: E402
from tap import Tap, equal  # noqa: E402

BIN = Path(os.environ.get("VMM_BIN_DIR", ROOT / "bin")).resolve()
VMM = str(BIN / "vmm")
PAGE = 4096

# One writes behind a fork, one maps a file shared, one ends by a signal.
SOURCE = r"""
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 50, PAGE = 4096 };

static char *memory(int flags, int fd) {
    char *at = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (at == MAP_FAILED) {
        _exit(9);
    }
    return at;
}

static void write_all(char *at, char value) {
    for (int page = 0; page < PAGES; page++) {
        ((volatile char *)at)[page * PAGE] = value;
    }
}

int main(int argc, char **argv) {
    char *at;
    if (argc == 3) { /* shared FILE */
        at = memory(MAP_SHARED, open(argv[2], O_RDWR));
        write_all(at, 7);
    } else if (strcmp(argv[1], "fork") == 0) {
        at = memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);
        write_all(at, 1);
        if (fork() == 0) {
            write_all(at, 2);
            _exit(5);
        }
        wait(NULL);
    } else {
        raise(atoi(argv[1]));
    }
    return 0;
}
"""


def run(words, **more):
    return subprocess.run(words, capture_output=True, cwd=FOLDER, timeout=300, check=False,
                          stdin=subprocess.DEVNULL, **more)


class Recording:
    """A program under vmm record: its trace, verified, and what vmm trace info tells of it."""

    def __init__(self, words, status=0, options=()):
        self.file = FOLDER / "t.vmt"
        done = run([VMM, "record", "-q", "-o", self.file, *options, "--", *words])
        equal((done.returncode, done.stderr), (status, b""), "exit status and messages")
        verified = run([VMM, "trace", "verify", self.file])
        equal(verified.returncode, 0, f"vmm trace verify: {verified.stderr.decode()}")
        self.info = json.loads(run([VMM, "trace", "info", "--json", self.file]).stdout)
        self.processes = self.info["processes"]
        self.events = self.info["events"]
        self.lives()

    def lives(self):
        """What holds for every program."""
        first = self.processes[0]
        began = self.events.get("start", 0) + self.events.get("fork", 0)
        equal(began, len(self.processes), "processes that began")
        equal(self.events["exit"], len(self.processes), "processes that ended")
        equal(len({process["pid"] for process in self.processes}), len(self.processes), "pids")
        equal((self.info["complete"], self.info["lost_references"]), (True, 0), "whole")
        assert first["reads"] > 1000 and first["writes"] > 100 and first["fetches"] > 1000, first
        assert self.info["kernel_references"] > 0, "touches of the kernel"
        equal(sum(process[kind] for process in self.processes
                  for kind in ("reads", "writes", "fetches", "kernel_references")),
              self.info["references"], "references of all processes")
        for process in self.processes:
            assert process["reads"] > 0 and process["pages"] > 0, process
            self.maps(process["program"])

    def maps(self, path):
        """A file is mapped, by its path."""
        assert path in [file["path"] for file in self.info["files"]], f"{path} is not mapped"

    def programs(self):
        return sorted(Path(process["program"]).name for process in self.processes)

    def ends(self):
        return [process["status"] for process in self.processes]

    def is_alone(self, name, end=0, execs=1):
        """One process, one thread, one program."""
        program, = self.processes
        equal(program["program"], str(Path(shutil.which(name)).resolve()), "program")
        equal((program["threads"], program["status"]), (1, end), "threads, and how it ended")
        equal((self.events.get("start"), self.events.get("exec")), (1, execs), "start and exec")


def ls():
    Recording(["ls", "-l", str(ROOT / "include")]).is_alone("ls")


def sort():
    recording = Recording(["sort", "--parallel=1", LINES])
    recording.is_alone("sort")
    assert recording.info["pages"] > 50, recording.info["pages"]


def gzip():
    recording = Recording(["gzip", "-c", LINES])
    recording.is_alone("gzip")
    size = Path(LINES).stat().st_size
    assert recording.info["reads"] > size, f"{recording.info['reads']} loads for {size} bytes"


def sqlite3():
    recording = Recording(["sqlite3", ":memory:", "create table t(a); insert into t values (3), "
                           "(1); select * from t order by a"])
    recording.is_alone("sqlite3")
    assert any("sqlite3" in file["path"] for file in recording.info["files"])


def python3():
    executable = str(Path(sys.executable).resolve())
    recording = Recording([executable, "-S", "-c", "print(sum(range(100)))"])
    program, = recording.processes
    equal((program["program"], program["status"]), (executable, 0), "program, and how it ended")


def xz():
    """How many threads there are depends on how fast the first one is."""
    recording = Recording(["xz", "-T2", "--block-size=8192", "-0", "-c", LINES])
    has_threads(recording, ended=0)  # the end of the process ends them


def zstd():
    """Jobs of zstd are half a MiB at the least."""
    (FOLDER / "big.txt").write_text("".join(f"{i * 7919 % 100003}\n" for i in range(150000)))
    recording = Recording(["zstd", "-T2", "-1", "-B512K", "-q", "-c", "big.txt"])
    has_threads(recording, ended=recording.info["threads"] - 1)


def has_threads(recording, ended):
    program, = recording.processes
    started = recording.events.get("thread_start", 0)
    assert program["threads"] >= 2, program
    equal(recording.info["threads"], program["threads"], "threads of all processes")
    equal(started, program["threads"] - 1, "threads that were started")
    equal(recording.events.get("thread_exit", 0), ended, "threads that ended by themselves")


def gcc():
    (FOLDER / "hello.c").write_text("int puts(const char *);\nint main(void) "
                                    "{ return puts(\"hello\") < 0; }\n")
    recording = Recording(["gcc", "-c", "-o", "hello.o", "hello.c"])
    programs = recording.programs()
    equal(len(programs), 3, f"processes of gcc, cc1 and as: {programs}")
    assert "cc1" in programs and any(name.endswith("as") for name in programs), programs
    equal((recording.events["start"], recording.events["exec"]), (1, 3), "start and exec")
    equal(recording.ends(), [0, 0, 0], "how they ended")
    driver = recording.processes[0]["pid"]
    equal([process["parent"] for process in recording.processes[1:]], [driver] * 2, "parents")


def pipeline():
    recording = Recording(["sh", "-c", f"cat {LINES} | sort -r | head -n 3; exit 4"], status=4)
    programs = recording.programs()
    equal([name for name in programs if name in ("cat", "sort", "head")], ["cat", "head", "sort"],
          "programs of the pipeline")
    equal((len(programs), recording.events["fork"], recording.events["exec"]), (4, 3, 4),
          "processes, fork and exec")
    equal(recording.processes[0]["status"], 4 << 8, "how the shell ended")


def forks_and_writes():
    recording = Recording([SMALL, "fork"])
    parent, child = recording.processes
    equal((child["parent"], child["status"], child["program"]), (parent["pid"], 5 << 8, SMALL),
          "the child")
    equal((recording.events["fork"], recording.events["exec"]), (1, 1), "fork and exec")
    for process in (parent, child):
        assert process["writes"] >= 50 and process["pages"] >= 50, process


def shares_a_file():
    file = FOLDER / "shared.file"
    file.write_bytes(bytes(50 * PAGE))
    recording = Recording([SMALL, "shared", str(file)])
    equal([(mapped["mappings"], mapped["bytes"]) for mapped in recording.info["files"]
           if mapped["path"] == str(file)], [(1, 50 * PAGE)], "mappings of the file")
    equal(file.read_bytes()[::PAGE], b"\x07" * 50, "what the program wrote")


def killed():
    for number in (9, 11, 15):
        recording = Recording([SMALL, str(number)], status=-number)
        equal(recording.ends(), [number], f"how it ended by signal {number}")


# ---- Every reference -----------------------------------------------------------------------------

UNMAP, EXIT, START, MAP, REMAP, FORK, EXEC = 1, 2, 3, 4, 6, 8, 9


def numbers(start, length):
    """The pages of a mapping."""
    equal((start % PAGE, length % PAGE), (0, 0), f"whole pages at 0x{start:x}")
    return range(start // PAGE, (start + length) // PAGE)


class Spaces:
    """What is mapped in each living process, as the events before tell it: pages, by pid."""

    def __init__(self):
        self.pages = {}
        self.references = 0

    def tell(self, kind, pid, start=0, length=0, target=0, value=0, **_):
        if kind == START:
            assert pid not in self.pages, f"process {pid} begins twice"
            self.pages[pid] = set()
            return
        space = self.pages[pid]
        if kind in (UNMAP, REMAP):
            space.difference_update(numbers(start, length))
        if kind == MAP:
            space.update(numbers(start, length))
        elif kind == REMAP:
            space.update(numbers(target, value))
        elif kind == FORK:
            assert value not in self.pages, f"process {value} is made twice"
            self.pages[value] = set(space)
        elif kind == EXEC:
            space.clear()
        elif kind == EXIT:
            del self.pages[pid]

    def meet(self, ref):
        assert ref.pid in self.pages, f"{ref} before its process began, or behind its end"
        for page in range(ref.addr // PAGE, (ref.addr + ref.size - 1) // PAGE + 1):
            assert page in self.pages[ref.pid], f"{ref}: not mapped when reference " \
                                                f"{self.references} came"
        self.references += 1


def every_reference(words, codec):
    """Each lies in a mapping of its process that was told before it; a reader of its own says so."""
    recording = Recording(words, options=["--codec", codec])
    trace = vmt.read(recording.file.read_bytes())
    equal(trace.mappings_complete, True, "the header")
    spaces = Spaces()
    for thing in trace.stream:
        if isinstance(thing, vmt.Event):
            spaces.tell(thing.type, **thing.fields)
        else:
            spaces.meet(thing)
    equal(spaces.references, recording.info["references"], "references")
    equal(spaces.pages, {}, "processes without an end")


def programs_with_every_reference():
    for codec in ("runs", "full"):
        yield f"true, {codec}", [shutil.which("true")], codec
        yield f"a fork, {codec}", [SMALL, "fork"], codec
    (FOLDER / "shared.file").write_bytes(bytes(50 * PAGE))
    yield "a shared file", [SMALL, "shared", str(FOLDER / "shared.file")], "full"
    yield "programs of a shell", ["sh", "-c", "true & /bin/true; wait"], "runs"


TESTS = [ls, sort, gzip, sqlite3, python3, xz, zstd, gcc, pipeline, forks_and_writes,
         shares_a_file, killed]


def main():
    tap = Tap()
    (FOLDER / "small.c").write_text(SOURCE)
    subprocess.run(["gcc", "-O1", "-D_GNU_SOURCE", "-o", SMALL, FOLDER / "small.c"], check=True)
    Path(LINES).write_text("".join(f"line {i * 7919 % 10007}\n" for i in range(1500)))
    for test in TESTS:
        name = test.__name__
        if name in ("sqlite3", "xz", "zstd") and not shutil.which(name):
            tap.skip(name, "it is not installed")
        else:
            tap.run(f"the trace of a program: {name.replace('_', ' ')}", test)
    for name, words, codec in programs_with_every_reference():
        tap.run(f"every reference is mapped: {name}",
                lambda words=words, codec=codec: every_reference(words, codec))
    return tap.finish()


if __name__ == "__main__":
    if not (BIN / "vmmrec").exists():
        print("1..1\nok 1 - vmm record # SKIP the recorder was not built: no Valgrind")
        sys.exit(0)
    os.environ.pop("LD_PRELOAD", None)  # the sanitizers' library is not for recorded programs
    with tempfile.TemporaryDirectory() as name:
        FOLDER = Path(name).resolve()
        SMALL, LINES = str(FOLDER / "small"), str(FOLDER / "lines.txt")
        sys.exit(main())
