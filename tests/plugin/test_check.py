#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vmm policy check: policies that break one rule each are caught, with the rule named."""

import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/property"))

from plugins import VMM, is_release, run as vmm  # noqa: E402
from tap import Tap  # noqa: E402

TOUCH = "    state->chances[frame] = state->most;\n"
COUNT = "    state->chances[frame] += state->chances[frame] < 200;\n"
LOST = "            return frame;\n"
PASS = "        state->chances[frame]--;\n"
CREATE = "    ((State *)policy)->most = (uint8_t)params[0];\n"
RESERVE = """    if (grown == NULL) {
        return false;
    }
"""
FREE = "    vmm_policy_free(policy, state->chances, state->reserved, 1);\n"
VICTIM = """    for (;;) {
        uint32_t frame = state->hand;"""
SIZE = "    .state_size = sizeof(State),\n"
ORDER = """static uint32_t P_order(VMMPolicy *policy, uint32_t *frames) {
    for (uint32_t i = 0; i < policy->capacity; i++) {
        frames[i] = i;
    }
    return policy->capacity;
}

const VMMPolicyType"""
LEAST_USED = """    uint32_t least = 0;
    for (uint32_t i = 1; i < policy->capacity; i++) {
        least = state->chances[i] < state->chances[least] ? i : least;
    }
    state->chances[least] = 0;
    return least;
    for (;;) {
        uint32_t frame = state->hand;"""
BY_PAGE = "    state->chances[frame] = ++((uint8_t *)policy->page_state)[policy->page_of[frame]] % 7;\n"

GLOBAL_VICTIM = """static uint32_t P_next(VMMPolicy *policy) {
    uint32_t frame = P_hand % policy->capacity;
    P_hand = frame + 1;
    return frame;
}

"""
FIRST = """static void P_first(VMMPolicy *policy, uint32_t frame) {
    ((State *)policy)->chances[frame] = 1;
}

"""
WHY = """static void P_why(const VMMPolicy *policy, uint32_t victim, char *text, size_t size) {
    (void)policy;
    (void)victim;
    for (size_t i = 0; i <= size; i++) {
        text[i] = '.';
    }
}

"""

# Name, what is changed in the file that vmm policy new writes, and what the check must say. Hooks
# are called P_...
BROKEN = (
    ("names_none", [(LOST, "            return frame + policy->capacity;\n")],
     r"FAIL  gives up only.*\n.*victim names frame \d+, which holds no page"),
    ("names_parted", [(TOUCH, TOUCH + "    vmm_policy_part_with(policy, frame);\n" * 2)],
     r"FAIL  gives up only.*\n.*parts with frame 0, which holds no page"),
    ("writes_none", [(TOUCH, TOUCH + "    vmm_policy_write_back(policy, frame + 100000);\n")],
     r"the policy writes frame 1\d+ back, which is none"),
    ("behind", [(TOUCH, "    state->chances[frame + state->reserved] = 1;\n")],
     r"FAIL  gives up only.*\n.*insert touches memory before, behind or after the life of a block"),
    ("before", [(TOUCH, TOUCH + "    *(state->chances - 1) = 1;\n")],
     r"FAIL  stays within its memory at the lower border too\n.*insert touches memory before"),
    ("after_life", [("    state->chances = grown;\n",
                     "    state->chances = state->chances != NULL ? state->chances : grown;\n")],
     r"(insert|victim|touch|reserve) (touches memory|grows memory that it does not have)"),
    ("writes_page_of", [(TOUCH, TOUCH + "    ((uint32_t *)(uintptr_t)policy->page_of)[frame] = 9;\n")],
     r"insert touches page_of, outside of it or writing"),
    ("writes_dirty", [(TOUCH, TOUCH + "    ((uint8_t *)(uintptr_t)policy->dirty)[frame] = 0;\n")],
     r"insert touches dirty, outside of it or writing"),
    ("changes_capacity", [(LOST, "            policy->capacity = 1;\n" + LOST)],
     r"victim changes policy->capacity, which is not its own"),
    ("null", [(CREATE, CREATE + "    *(volatile int *)(uintptr_t)policy->host = 1;\n"
                                "    *(volatile int *)(uintptr_t)params[3] = 1;\n")],
     r"create touches through a null pointer|create: .*runtime error"),
    ("globals", [(TOUCH, "    static uint8_t calls;\n    state->chances[frame] = calls++ % 5;\n")],
     r"FAIL  decides the same when it runs again\n.*state outside of the policy's own struct"),
    ("undefined_memory", [("    .insert = P_touch,\n", "")],
     r"FAIL  decides the same when it runs again"),
    ("endless", [(PASS, "")], r"victim does not come to an end"),
    ("leaks", [(FREE, "    (void)state;\n")], r"destroy leaves 1 block of memory behind"),
    ("wrong_size", [(FREE, FREE.replace("reserved", "reserved + 1"))],
     r"destroy gives memory back with another size than it asked for"),
    ("deaf", [(RESERVE, "")],
     r"FAIL  says so when there is no memory, and gives all back\n.*null pointer"),
    ("gives_up", [(CREATE, "    (void)policy;\n    (void)params;\n    return VMM_E_NO_MEMORY;\n")],
     r"create fails, and there is memory"),
    ("scans", [(VICTIM, LEAST_USED), (TOUCH, COUNT.replace("+=", "= (uint8_t)(") .replace(
        "state->chances[frame] <", "state->chances[frame] + (state->chances[frame] <").replace(
            "200;", "200));")), ("touch_once = true", "touch_once = false")],
     r"FAIL  does bounded work\n.*the work grows with memory"),
    ("counts_once", [(TOUCH, COUNT)], r"FAIL  touches in a row, told at once, change nothing"),
    ("counts_last", [(TOUCH, COUNT), ("touch_once = true", "touch_last = true")],
     r"touch_last is wrong"),
    ("remembers", [(TOUCH, BY_PAGE), (SIZE, SIZE + "    .page_state_size = 1,\n"),
                   ("touch_once = true", "touch_once = false")],
     r"FAIL  forgets pages that ended"),
    ("orders_all", [("const VMMPolicyType", ORDER), (SIZE, SIZE + "    .order = P_order,\n")],
     r"order names \d+ frames, and \d+ hold pages"),
    ("divides", [(CREATE, CREATE + "    ((State *)policy)->hand = 5 / (uint32_t)policy->clock;\n")],
     r"create.*(division by zero|Floating point)"),
    ("shifts", [(CREATE, CREATE + "    ((State *)policy)->hand = (uint32_t)(0 * (1 << (40 + "
                                  "(int)params[0])));\n")],
     r"create: .*shifts\.c:\d+:\d+: runtime error: shift exponent"),
    ("aborts", [(TOUCH, "    (void)state;\n    (void)frame;\n    __builtin_trap();\n")],
     r"insert ends the program|insert: .*runtime error"),
    ("shared_hand", [("const VMMPolicyType", GLOBAL_VICTIM + "const VMMPolicyType"),
                     (CREATE, CREATE + "    P_hand = 0;\n"),
                     ("#include <vmm/policy.h>\n",
                      "#include <vmm/policy.h>\n\nstatic uint32_t P_hand;\n"),
                     (".victim = P_victim", ".victim = P_next")],
     r"FAIL  is not disturbed by another instance\n.*static or global variable"),
    ("parts_from_touch", [("    .insert = P_touch,\n", "    .insert = P_first,\n"),
                          ("const VMMPolicyType", FIRST + "const VMMPolicyType"),
                          (TOUCH, TOUCH + "    vmm_policy_part_with(policy, frame);\n")],
     r"touch calls vmm_policy_part_with\(\), which is not for it unless the type says"),
    ("parts_from_victim", [(LOST, "            vmm_policy_part_with(policy, frame);\n" + LOST)],
     r"victim calls vmm_policy_part_with\(\), which is not for it"),
    ("fails", [(TOUCH, TOUCH + "    policy->failed = true;\n")],
     r"insert sets policy->failed, and there is memory"),
    ("changes_distance", [(TOUCH, TOUCH + "    policy->distance = 1;\n")],
     r"insert changes policy->distance, which is not its own"),
    ("explains_too_much", [("const VMMPolicyType", WHY + "const VMMPolicyType"),
                           (SIZE, SIZE + "    .why = P_why,\n")],
     r"why touches memory before, behind or after the life of a block"),
    ("asks_who_runs", [("#include <vmm/policy.h>\n",
                        "#include <unistd.h>\n#include <vmm/policy.h>\n"),
                       (TOUCH, "    uint32_t noise = ((uint32_t)getpid() + frame) * 2654435761u;\n"
                                "    state->chances[frame] = (uint8_t)(noise >> 24);\n")],
     r"FAIL  decides the same when it runs again\n.*in another process it decides otherwise"),
    ("no_tick", [(CREATE, CREATE + "    policy->period = 10;\n")],
     r"policy->period is 10, and there is no tick"),
)


def check(policy, status, pattern):
    done = vmm("policy", "check", policy)
    assert done.returncode == status, (policy, done.returncode, done.stdout, done.stderr)
    assert re.search(pattern, done.stdout), f"expected /{pattern}/, found:\n{done.stdout}"
    return done.stdout


def broken(base, name, changes, pattern):
    text = base
    for old, new in changes:
        assert old.replace("P_", "base_") in text, f"{name}: {old} is not in the file"
        text = text.replace(old.replace("P_", "base_"), new.replace("P_", "base_"))
    Path(f"{name}.c").write_text(text.replace("base_", f"{name}_"), encoding="utf-8")
    check(f"./{name}.c", 2, pattern)


def keeps_the_contract():
    found = check("./base.c", 0, r"^\./base\.c keeps the contract$|keeps the contract")
    assert "FAIL" not in found and found.count("ok  ") == 10, found
    check("./base.c:chances=7", 0, "keeps the contract")
    built = vmm("policy", "build", "base.c")
    assert built.returncode == 0, built.stderr
    check("./base.so", 0, "keeps the contract")
    check("lru", 0, "keeps the contract")


def ends_by_a_closed_pipe():
    """The reader is gone before the first line: the program dies by SIGPIPE, without its folder."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([VMM, "policy", "check", "./base.c"], stdout=writer,
                          stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.returncode == -signal.SIGPIPE and done.stderr == "", (done.returncode, done.stderr)
    leaves_nothing_behind()


def leaves_nothing_behind():
    assert not [name for name in os.listdir(tempfile.gettempdir())
                if name.startswith("vmm-check-")], "folders of checks are left"


def main():
    tap = Tap()
    chosen = BROKEN if is_release() else BROKEN[::5]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["TMPDIR"] = folder
        tempfile.tempdir = folder
        assert vmm("policy", "new", "base").returncode == 0
        base = Path("base.c").read_text(encoding="utf-8")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            futures = {name: pool.submit(broken, base, name, changes, pattern)
                       for name, changes, pattern in chosen}
        tap.run("a policy that keeps the contract passes, from source and compiled",
                keeps_the_contract)
        for name, future in futures.items():
            tap.run(f"caught: {name}", future.result)
        tap.run("a closed pipe ends it, and nothing is left behind", ends_by_a_closed_pipe)
        tap.run("nothing is left behind", leaves_nothing_behind)
        os.chdir(ROOT)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
