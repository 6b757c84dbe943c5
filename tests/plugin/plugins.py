# SPDX-License-Identifier: Apache-2.0
"""What the tests of the user's policies share."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("VMM_BIN_DIR", ROOT / "bin")).resolve()
VMM = BIN / "vmm"


def environment(**more):
    """A cache of its own; the sanitizers' library is for Python."""
    return {**os.environ, "LD_PRELOAD": "", "XDG_CACHE_HOME": os.path.abspath("cache"), **more}


def run(*words, **more):
    return subprocess.run([VMM, *map(str, words)], capture_output=True, text=True, check=False,
                          env=environment(**more))


def is_release():
    """Not the sanitized build, nor the checking one: there a few policies are enough."""
    return b"libasan" not in VMM.read_bytes() and "checking" not in run("version").stdout
