#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Traces that others published without a licence, and what is known of them.

    VMM_FOREIGN_TRACES=DIRECTORY python3 tests/golden/run_foreign.py

They cannot be part of this project; tests/golden/README.md says where they come from. What is not
in the directory is skipped.

    drmemtrace.sort/  a trace of DynamoRIO in a zip archive, and the hits and misses that its own
                      TLB simulator counted with 32 fully associative entries a side, LRU
    others            references and distinct pages of 4 KiB
"""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests" / "property"), str(ROOT / "tests" / "reference")]

import imports  # noqa: E402
import libvmm  # noqa: E402
from tap import Tap, equal  # noqa: E402

VMM = Path(os.environ.get("VMM_BIN_DIR", ROOT / "bin")) / "vmm"
FOREIGN = os.environ.get("VMM_FOREIGN_TRACES", "")

# name: format, references, distinct pages
COUNTS = {
    "gcc.trace.gz": ("addrop", 1_000_000, 2_852),
    "bzip.trace.gz": ("addrop", 1_000_000, 317),
    "ls.lackey.gz": ("lackey", None, 242),
    "long.lackey.gz": ("lackey", None, 34),
    "cc1.din": ("din", 9_141, 60),
    "cloudPhysicsIO.oracleGeneral.bin": ("oracleGeneral", 113_872, None),
    "cloudPhysicsIO.vscsi": ("vscsi1", 113_872, None),
    "cloudPhysicsIO.csv": ("csv", 113_872, None),
    "cloudPhysicsIO.txt": ("pages", 113_872, None),
}


def report(path: Path, *options: str) -> dict:
    """The report of bin/vmm with memory enough for everything."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "report.json"
        subprocess.run([VMM, "-q", "-t", path, "-a", "lru", "--frames", "1M", "-o", output,
                        *options], check=True, stdout=subprocess.DEVNULL)
        return json.loads(output.read_text())


def expected_tlb(path: Path, side: str) -> tuple[int, int]:
    """Hits and misses of "L1I" or "L1D"."""
    found = re.search(side + r" stats:\s+Hits:\s+([\d,]+)\s+Misses:\s+([\d,]+)", path.read_text())
    return tuple(int(number.replace(",", "")) for number in found.groups())


def passed_over(content: bytes) -> int:
    """
    Data references of unknown size (0: XSAVE and XRSTOR) at the beginning of a page. DynamoRIO's
    simulator takes the pages from the first byte to the last one, address + size - 1: of these
    there is none. Here a reference is to one byte at least. They are hits, as their page was used
    just before.
    """
    return sum(1 for kind, size, addr in struct.iter_unpack("<HHQ", content)
               if kind in (0, 1) and size == 0 and addr % 4096 == 0)


def check_tlb(tap: Tap, folder: Path) -> None:
    """Both sides of DynamoRIO's TLB, and every reference against the slow reader."""
    archive = next(folder.glob("*.trace.zip"))
    content = imports.members(archive.read_bytes())
    for side, refs, extra in (("L1D", "data", passed_over(content)), ("L1I", "fetch", 0)):
        def test() -> None:
            hits, misses = expected_tlb(folder / "tlb_lru.expected.txt", side)
            found = report(archive, "--refs", refs, "--tlb-size", "32", "--tlb-policy", "LRU")
            equal(found["trace"]["format"], "drmemtrace", "format")
            equal(found["tlb_misses"], misses, "misses")
            equal(found["tlb_hits"], hits + extra, "hits")
        tap.run(f"DynamoRIO's TLB, {side}, 32 entries, LRU", test)

    def references() -> None:
        expected = imports.read("drmemtrace", content)
        with libvmm.Trace(str(archive)) as trace:
            found = [imports.Imported("RWI"[ref.op], ref.addr, ref.size, ref.pid, ref.tid)
                     for ref in trace.read_all(4096)]
        equal(len(found), len(expected), "references")
        equal(found == expected, True, "all references equal")
    tap.run("every reference of the DynamoRIO trace", references)


def main() -> int:
    """The command."""
    tap = Tap()
    folder = Path(FOREIGN) / "drmemtrace.sort"
    if FOREIGN and (folder / "tlb_lru.expected.txt").exists():
        check_tlb(tap, folder)
    else:
        tap.skip("DynamoRIO's TLB", "VMM_FOREIGN_TRACES names no directory with drmemtrace.sort")
    for name, (form, references, pages) in COUNTS.items():
        path = Path(FOREIGN) / name
        if not FOREIGN or not path.exists():
            tap.skip(name, "not in the directory that VMM_FOREIGN_TRACES names")
            continue

        def test() -> None:
            found = report(path)
            equal(found["trace"]["format"], form, "format")
            if references is not None:
                equal(found["accesses"], references, "references")
            if pages is not None:
                equal(found["distinct_pages"], pages, "distinct pages")
        tap.run(name, test)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
