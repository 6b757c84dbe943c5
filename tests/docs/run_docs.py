#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every command of README and docs, and compares what it prints with what the page says.

A fenced block marked `console` is a session: lines that begin with "$ " are commands, the lines
below are their standard output. A line "..." stands for any number of lines. "[exit N]" is the
exit status, if it is not 0; output of a command that fails is not compared. Each page is one
session in an empty folder with links to what a clone has, so files made by one command are there
for the next.

A block marked `bash` is for the reader's own machine (installing, building); it is checked only
for the existence of the scripts it names.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("VMM_BIN_DIR", ROOT / "bin")).resolve()
LINKS = {"bin": BIN, **{name: ROOT / name for name in ("examples", "include", "docs")}}


def pages() -> list[pathlib.Path]:
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples" / "README.md"]
    found += sorted((ROOT / "examples" / "scenarios").glob("*.md"))
    found += sorted((ROOT / "docs").rglob("*.md"))
    return [page for page in found if page.exists()]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(r"^```" + language + r"\n(.*?)^```", text, re.M | re.S)


def sessions(block: str) -> list[tuple[str, list[str]]]:
    """The commands of a block, each with the lines that should follow."""
    result: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            result.append((line[2:], []))
        elif result:
            result[-1][1].append(line)
    return result


def matches(expected: list[str], actual: list[str]) -> bool:
    if not expected:
        return not actual
    if expected[0] == "...":
        return any(matches(expected[1:], actual[i:]) for i in range(len(actual) + 1))
    return bool(actual) and expected[0].rstrip() == actual[0].rstrip() and matches(
        expected[1:], actual[1:])


def run(command: str, expected: list[str], folder: str) -> str:
    """Empty if the command does what the page says, else what is wrong."""
    status = 0
    if expected and re.fullmatch(r"\[exit \d+\]", expected[-1]):
        status = int(expected[-1][6:-1])
        expected = expected[:-1]
    environment = dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}",
                       XDG_CACHE_HOME=os.path.join(folder, ".cache"))
    if "vmm record" in command:
        environment.pop("LD_PRELOAD", None)  # the sanitizers' library is not for recorded programs
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=folder, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, env=environment,
                          timeout=120, check=False)
    if done.returncode != status:
        return f"exit {done.returncode}, expected {status}: {done.stderr.strip()}"
    if status == 0 and not matches(expected, done.stdout.splitlines()):
        return "printed\n" + done.stdout
    return ""


def missing_scripts(text: str) -> list[str]:
    named = re.findall(r"(?:^|\s)\./([\w./-]+)", "\n".join(blocks(text, "bash")))
    return [name for name in named if not (ROOT / name).exists()]


def unfilled(text: str) -> str:
    """What was left open in a page."""
    found = re.search(r"@@\w+@@", text)
    return f"{found.group()} stands in the text" if found else ""


def main() -> int:
    number = failed = 0
    for page in pages():
        text = page.read_text()
        name = page.relative_to(ROOT)
        results = [(f"{name}: nothing is left open", unfilled(text))]
        results += [(f"{name}: ./{script} exists", "missing") for script in missing_scripts(text)]
        folder = tempfile.mkdtemp()
        for link, target in LINKS.items():
            os.symlink(target, pathlib.Path(folder, link))
        for block in blocks(text, "console"):
            for command, expected in sessions(block):
                results.append((f"{name}: {command}", run(command, expected, folder)))
        shutil.rmtree(folder)
        for title, problem in results:
            number += 1
            failed += problem != ""
            print(f"{'not ok' if problem else 'ok'} {number} - {title}")
            for line in problem.splitlines():
                print(f"# {line}")
    print(f"1..{number}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
