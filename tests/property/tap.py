# SPDX-License-Identifier: Apache-2.0
"""Runs test functions and prints one line each, in the Test Anything Protocol.

    ok 1 - belady's anomaly: fifo 3 frames
    not ok 2 - ...
    # what was expected and what was found
"""

from __future__ import annotations

import sys
import traceback
from typing import Callable


class Tap:
    """Counts and prints results."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        self.skipped = 0

    def result(self, name: str, problem: str | None) -> bool:
        """One finished test: `problem` is None if it passed."""
        number = self.passed + self.failed + self.skipped + 1
        if problem is None:
            self.passed += 1
            print(f"ok {number} - {name}")
        else:
            self.failed += 1
            print(f"not ok {number} - {name}")
            for line in problem.rstrip().splitlines():
                print(f"# {line}")
        sys.stdout.flush()
        return problem is None

    def run(self, name: str, test: Callable[[], None]) -> bool:
        """Calls a test, which fails by raising."""
        try:
            test()
        except AssertionError as failure:
            return self.result(name, str(failure) or traceback.format_exc())
        except Exception:
            return self.result(name, traceback.format_exc())
        return self.result(name, None)

    def skip(self, name: str, reason: str) -> None:
        """A test for which something is missing."""
        self.skipped += 1
        print(f"ok {self.passed + self.failed + self.skipped} - {name} # SKIP {reason}")

    def finish(self) -> int:
        """Prints the plan; the exit status of the program."""
        total = self.passed + self.failed + self.skipped
        print(f"1..{total}")
        print(f"# {self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not total else 0


def equal(found: object, expected: object, what: str = "value") -> None:
    """Raises unless both are equal."""
    if found != expected:
        raise AssertionError(f"{what}: expected {expected}, found {found}")
