#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Policies of the user's: the same numbers as those built in, the cache, what is refused and how."""

import concurrent.futures
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/property"))

from plugins import BIN, VMM, environment, is_release, run  # noqa: E402
from tap import Tap, equal  # noqa: E402

POLICIES = ROOT / "src/mm/policy"
INCLUDE = ROOT / "include"
TRACE = ROOT / "examples/traces/pipeline.vmt"

# Machines that take different ways through the loops.
MACHINES = (
    ("--frames", "120"),
    ("--frames", "60", "--tlb-size", "16", "--tlb-ways", "4", "--pt-type", "FOUR_LEVEL"),
    ("--frames", "40", "--tlb", "off", "--scope", "process"),
)


def vmm(*words, expected=0, **more):
    done = run(*words, **more)
    assert done.returncode == expected, (words, done.returncode, done.stdout, done.stderr)
    return done


def refused(status, pattern, *words, **more):
    """A run that must fail, and the message that it must give."""
    said = vmm(*words, expected=status, **more).stderr
    assert re.search(pattern, said), f"{words}: expected /{pattern}/, found: {said}"


def sim(policy, *options, trace="small.trace", **more):
    return vmm("sim", "-t", trace, "-a", policy, "--no-timing", "-o", "-", *options,
               **more).stdout


def report(policy, *options, **more):
    """The report as bytes, without the name by which the policy was called."""
    text = sim(policy, *options, **more)
    named = json.dumps(policy)
    assert named in text, f"the report does not name {policy}"
    return text.replace(named, '"P"')


def write(path, text):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")


def starting_file(name="mine"):
    """What vmm policy new writes."""
    if not Path(f"{name}.c").exists():
        vmm("policy", "new", name)
    return Path(f"{name}.c").read_text(encoding="utf-8")


def cc(source, output, *flags):
    subprocess.run(["cc", "-shared", "-fPIC", "-I", INCLUDE, *flags, source, "-o", output],
                   check=True)


def built_in():
    text = (POLICIES / "policies.def").read_text(encoding="utf-8")
    return re.findall(r"\bX\((\w+)\)", text.split("VMM_POLICIES(X)")[1])


# ---- The same numbers ----------------------------------------------------------------------------

def same_numbers(name):
    """Generic, specialised, compiled from source, built, and without a loop: the same bytes."""
    source = POLICIES / f"{name}.c"
    plain = Path("plain", name, f"{name}.so").resolve()
    plain.parent.mkdir(parents=True, exist_ok=True)
    vmm("policy", "build", "--plain", source, "-o", plain)
    ways = {"specialised": (name,), "compiled": (source,), "without a loop": (plain,),
            "compiled, generic": (source, "--engine", "generic")}
    for trace in (TRACE, "small.trace"):
        for machine in MACHINES:
            expected = report(name, "--engine", "generic", *machine, trace=trace)
            for way, (policy, *options) in ways.items():
                found = report(str(policy), *options, *machine, trace=trace)
                assert found == expected, f"{name}, {way}, {trace}, {machine}: another report"


def differential(tap):
    names = built_in()
    assert len(names) >= 10, names
    if not is_release():
        names = ["fifo", "lru", "clock", "opt"]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        futures = {name: pool.submit(same_numbers, name) for name in names}
    for name, future in futures.items():
        tap.run(f"{name}: the same report in every engine, as plug-in and as library",
                future.result)


def library_of_a_build():
    vmm("policy", "build", POLICIES / "lru.c", "-o", "lru.so")
    equal(report("./lru.so", "--frames", "50"), report("lru", "--frames", "50"), "report")
    equal(report("lru.so", "--frames", "50"), report("lru", "--frames", "50"), "report")


# ---- Everywhere a policy is named ----------------------------------------------------------------

def starting_file_works():
    text = starting_file()
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) < 75, f"{len(lines)} lines"
    expected = vmm("sim", "-t", "small.trace", "-a", "clock", "--frames", "50", "--no-timing",
                   "-o", "-").stdout
    found = sim("./mine.c", "--frames", "50").replace('"./mine.c"', '"clock"')
    equal(found, expected, "one chance is what Clock does")
    refused(1, "mine.c exists and is not overwritten", "policy", "new", "mine")
    refused(1, "is no name for a policy", "policy", "new", "Mine")
    refused(1, "is no name for a policy", "policy", "new", "2nd")
    refused(1, "cannot write: No such file", "policy", "new", "nowhere/mine")


def named_everywhere():
    starting_file()
    write("machine.conf", "policy = ./mine.c:chances=2\nframes = 50\n")
    by_file = vmm("sim", "-t", "small.trace", "--config", "machine.conf", "--no-timing", "-o",
                  "-").stdout
    equal(by_file, sim("./mine.c:chances=2", "--frames", "50"), "report")
    table = vmm("compare", "-t", "small.trace", "-a", "lru,./mine.c:chances=3,fifo", "--frames",
                "30,60").stdout
    assert re.search(r"^\./mine\.c:chances=3 +\S+ +\S+", table, re.M), table
    steps = vmm("explain", "1,2,3,4,1,2,5", "-a", "./mine.c").stdout
    assert "./mine.c, 3 frames" in steps, steps
    shown = vmm("policy", "show", "./mine.c:chances=9").stdout
    assert "chances=9  (0 to 255)" in shown, shown
    text = vmm("sim", "-t", "small.trace", "-a", "./mine.c:chances=2").stdout
    assert "./mine.c: mine (chances=2)" in text, text
    assert "mine" not in vmm("list", "policies").stdout


def in_curves_and_sweeps():
    """The source and the library in every command that runs many machines, as the model built in."""
    starting_file()
    vmm("policy", "build", "mine.c", "-o", "mine.so")
    for path in ("mine.c", "./mine.so"):
        curves = [vmm("mrc", "-q", "-t", "small.trace", "-a", policy, "--points", "6", "--csv",
                      "-").stdout for policy in ("clock", path)]
        equal(curves[1].replace(path, "clock"), curves[0], f"curve of {path}")
        write("many.sweep", f"trace = small.trace\npolicy = clock, {path}\nframes = 30, 60\n")
        rows = [line.split(",") for line in vmm("sweep", "-e", "many.sweep").stdout.splitlines()]
        values = [row[3:-1] for row in rows[1:]]
        equal(values[2:], values[:2], f"rows of {path}")
        table = vmm("compare", "-t", "small.trace", "-a", f"clock,{path}", "--frames",
                    "30,60").stdout
        lines = {line.split()[0]: line.split()[1:] for line in table.splitlines() if line.split()}
        equal(lines[path], lines["clock"], f"line of {path}")


def edited_between_sweeps():
    """Rows of one text of a policy are not kept for another text, nor for another header."""
    text = '#include "mine.h"\n' + starting_file()
    edits = {"edited/mine.h": "int mine_more = 1;\n",
             "edited/mine.c": text.replace('"chances", 1, 0', '"chances", 2, 0')}
    for path in ("edited/mine.c", "./edited/mine.so"):
        words = ("sweep", "-t", "small.trace", "-a", f"lru,{path}", "--frames", "30,60", "--csv",
                 "edited.csv")

        def write_and_build(name, content):
            write(name, content)
            vmm("policy", "build", "edited/mine.c", "-o", "edited/mine.so")

        write("edited/mine.h", "")
        write_and_build("edited/mine.c", text)
        vmm(*words, "--restart")
        equal(vmm(*words).stdout, "4 configurations in edited.csv: 0 run, 4 kept\n", path)
        for name, content in edits.items():
            write_and_build(name, content)
            refused(1, "a policy's file", *words)
            equal(vmm(*words, "--restart").stdout,
                  "4 configurations in edited.csv: 4 run, 0 kept\n", f"{path}, {name}")


def names_of_files():
    """Blanks, colons, hyphens and links in names; parameters behind them."""
    text = starting_file()
    expected = report("./mine.c", "--frames", "50")
    write("a dir: with/b:1.c/mine.c", text)
    for path in ("a dir: with/b:1.c/mine.c", "./a dir: with/b:1.c/mine.c", "mine.c"):
        equal(report(path, "--frames", "50"), expected, path)
    equal(report("a dir: with/b:1.c/mine.c:chances=0", "--frames", "50"),
          report("fifo", "--frames", "50"), "without chances it is FIFO")
    write("my-own.c", text.replace("mine_policy", "my_own_policy"))
    equal(report("./my-own.c", "--frames", "50"), expected, "my-own.c")
    refused(1, "parameter", "sim", "-t", "small.trace", "-a", "mine.c:colour=1")
    refused(1, "chances is 256, expected 0 to 255", "sim", "-t", "small.trace", "-a",
            "mine.c:chances=256")
    refused(1, 'there is no policy "mine"', "sim", "-t", "small.trace", "-a", "mine")


def names_of_types():
    """A user's types may be called as the engine's are."""
    names = ("Policy", "PolicyType", "Pool", "Machine", "Batch", "Run", "Tlb", "Error", "Memory",
             "Rng", "Stream", "Process", "Swap", "Directory", "Settings", "PageTable", "Recency")
    types = "".join(f"typedef struct {name} {{ double {name}; }} {name};\n" for name in names)
    write("own/types.c", types + starting_file().replace("mine", "types"))
    equal(report("own/types.c", "--frames", "50"), report("clock", "--frames", "50"), "report")


# ---- The cache -----------------------------------------------------------------------------------

def counting_compiler():
    """A compiler that notes each time it is called."""
    write("counted", '#!/bin/sh\necho >>"$COUNT"\nexec cc "$@"\n')
    os.chmod("counted", 0o755)
    return {"VMM_CC": os.path.abspath("counted"), "COUNT": os.path.abspath("count")}


def compiled(counted):
    path = Path(counted["COUNT"])
    return len(path.read_text(encoding="ascii").splitlines()) if path.exists() else 0


def results_are_kept():
    counted = counting_compiler()
    write("kept/kept.c", '#include "chances.h"\n' +
          starting_file().replace("mine", "kept").replace('"chances", 1', '"chances", CHANCES'))
    write("kept/chances.h", "#define CHANCES 1\n")
    first = report("kept/kept.c", "--frames", "50", **counted)
    equal(compiled(counted), 1, "compiled")
    equal(report("kept/kept.c", "--frames", "50", **counted), first, "report")
    report("kept/kept.c", "--frames", "20", **counted)
    equal(compiled(counted), 1, "compiled, with the cache")
    write("kept/chances.h", "#define CHANCES 0\n")
    equal(report("kept/kept.c", "--frames", "50", **counted), report("fifo", "--frames", "50"),
          "with another header")
    equal(compiled(counted), 2, "compiled, with another header")
    write("kept/chances.h", "#define CHANCES 1\n")
    equal(report("kept/kept.c", "--frames", "50", **counted), first, "with the first header again")
    equal(compiled(counted), 2, "compiled, when both are known")
    folder = Path("cache/vmm/policies")
    equal(stat.S_IMODE(folder.stat().st_mode), 0o700, "mode of the cache")
    equal([path.name for path in folder.iterdir() if path.name.startswith(".")], [], "left over")


def no_cache():
    """Without a cache that can be trusted it is compiled each time, and nothing stays behind."""
    counted = counting_compiler()
    starting_file()
    before = compiled(counted)
    os.makedirs("open/vmm/policies", exist_ok=True)
    os.chmod("open/vmm/policies", 0o777)
    os.makedirs("temporary", exist_ok=True)
    expected = report("clock", "--frames", "50")
    for times, cache in enumerate(("/proc/none", os.path.abspath("open"), ""), 1):
        more = {**counted, "XDG_CACHE_HOME": cache, "HOME": "/proc/none",
                "TMPDIR": os.path.abspath("temporary")}
        equal(report("./mine.c", "--frames", "50", **more), expected, f"report with {cache}")
        assert compiled(counted) - before >= times, f"{cache} was used"
        equal(os.listdir("temporary"), [], "left over")
    equal(os.listdir("open/vmm/policies"), [], "in a cache that others can write")
    more = {"XDG_CACHE_HOME": "/proc/none", "HOME": "/proc/none", "TMPDIR": "/proc/none"}
    refused(1, "cannot make a folder for a compiled policy", "sim", "-t", "small.trace", "-a",
            "./mine.c", **more)


def damaged_results():
    """What the loader refuses is made anew, and the good one stays."""
    counted = counting_compiler()
    write("hurt.c", starting_file().replace("mine", "hurt"))
    folder = Path("cache/vmm/policies")
    known = set(folder.glob("*.so"))
    expected = report("./hurt.c", "--frames", "50", **counted)
    (library,) = set(folder.glob("*.so")) - known
    for damage in (b"", b"this is no library\n" * 9):
        library.unlink()  # it may be mapped
        library.write_bytes(damage)
        before = compiled(counted)
        for _ in range(2):
            equal(report("./hurt.c", "--frames", "50", **counted), expected, "report")
        equal(compiled(counted) - before, 1, "runs of the compiler")


def runs_at_once():
    write("once/once.c", starting_file().replace("mine", "once"))
    command = [VMM, "sim", "-t", "small.trace", "-a", "once/once.c", "--no-timing", "-o", "-"]
    runs = [subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE)
            for _ in range(6)]
    found = {run.communicate()[0] for run in runs}
    equal([run.returncode for run in runs], [0] * len(runs), "statuses")
    equal(len(found), 1, "different reports")


# ---- What is refused -----------------------------------------------------------------------------

def broken_sources():
    text = starting_file()
    write("no/brackets.c", text.replace("mine", "brackets").replace("state->hand = frame + 1",
                                                                    "state->hnd = frame + 1"))
    pattern = r"no/brackets\.c does not compile: .*/no/brackets\.c:\d+:\d+: error: .*hnd"
    refused(2, pattern, "sim", "-t", "small.trace", "-a", "no/brackets.c", LC_ALL="de_DE.UTF-8")
    refused(2, "vmm policy check FILE", "sim", "-t", "small.trace", "-a", "no/brackets.c")
    refused(2, pattern, "policy", "build", "no/brackets.c")
    refused(2, pattern, "policy", "check", "no/brackets.c")
    for command in ("compare", "mrc", "sweep"):
        refused(2, pattern, command, "-t", "small.trace", "-a", "fifo,no/brackets.c", "--frames",
                "9")
    assert not Path("no/brackets.so").exists()
    write("no/other.c", text)
    refused(2, "does not end with a constant VMMPolicyType other_policy", "sim", "-t",
            "small.trace", "-a", "no/other.c")
    write("no/empty.c", "")
    refused(2, "does not end with a constant VMMPolicyType empty_policy", "policy", "show",
            "no/empty.c")
    write("no/binary.c", "\x01\x02" * 300)
    refused(2, "does not compile", "policy", "show", "no/binary.c")
    write("no/linked.c", text.replace("mine", "linked").replace(
        "state->chances[frame] = state->most", "extern int far(void); (void)far()"))
    refused(2, "undefined reference to `far'", "policy", "show", "no/linked.c")
    write("silent", "#!/bin/sh\nexit 1\n")
    os.chmod("silent", 0o755)
    refused(2, "silent fails and says nothing", "policy", "show", "mine.c", VMM_CC="./silent")
    refused(2, "true fails and says nothing: is it a C compiler", "policy", "build", "mine.c",
            "--compiler", "true", "-o", "no/empty.so")
    assert not Path("no/empty.so").exists()
    write("no/1st.c", text)
    refused(2, "the file of a policy is named as the policy", "policy", "show", "no/1st.c")


def missing_things():
    starting_file()
    refused(1, "none.c: cannot open the policy: No such file", "sim", "-t", "small.trace", "-a",
            "none.c")
    refused(1, "none.so: cannot open the policy: No such file", "sim", "-t", "small.trace", "-a",
            "./none.so")
    os.makedirs("folder.c", exist_ok=True)
    os.mkfifo("pipe.c")
    os.mkfifo("pipe.so")
    refused(1, "folder.c: .*it is a directory, expected a regular file", "policy", "show",
            "./folder.c")
    for name in ("pipe.c", "pipe.so"):
        refused(1, f"{name}: .*it is a pipe, socket or device", "policy", "show", f"./{name}")
    refused(1, "names a file: a policy's ends in .c or .so", "sim", "-t", "small.trace", "-a",
            "./mine")
    refused(1, 'there is no C compiler "nocc" .* VMM_CC', "sim", "-t", "small.trace", "-a",
            "./mine.c", VMM_CC="nocc")
    refused(1, 'there is no C compiler "cc"', "sim", "-t", "small.trace", "-a", "./mine.c",
            PATH="/proc")
    refused(1, "cannot write", "policy", "build", "mine.c", "-o", "nowhere/mine.so")
    refused(1, "is no C file", "policy", "build", "mine.so")
    refused(1, "256|255", "sim", "-t", "small.trace", "-a", "./" + "x" * 300 + ".c")


def libraries():
    text = starting_file()
    cc("mine.c", "mine.so")
    equal(report("./mine.so", "--frames", "50"), report("clock", "--frames", "50"), "plain cc")
    write("so/old.c", text.replace("mine", "old").replace("= VMM_POLICY_INTERFACE", "= 999"))
    write("so/unset.c", text.replace("mine", "unset").replace(
        "    .interface = VMM_POLICY_INTERFACE,\n", ""))
    write("so/nothing.c", "int nothing;\n")
    write("so/hidden.c", text.replace("mine", "hidden").replace("const VMMPolicyType",
                                                                "static const VMMPolicyType"))
    write("so/later.c", "const unsigned vmm_policy_plugin[64] = {999};\n")
    write("so/stale.c", "#include <vmm/policy.h>\n"
          "const unsigned vmm_policy_plugin[64] = {VMM_POLICY_INTERFACE, 8};\n")
    write("so/novictim.c", text.replace("mine", "novictim").replace(
        "    .victim = novictim_victim,\n", ""))
    for name in ("old", "unset", "nothing", "hidden", "later", "stale", "novictim"):
        cc(f"so/{name}.c", f"so/{name}.so", "-w")
    write("so/text.so", "this is no library\n")
    for name, pattern in {
            "old": "is of interface 0x3e7, this program's is 0x1.*: compile it anew",
            "unset": r"is of interface 0x0, .*set .interface = VMM_POLICY_INTERFACE",
            "nothing": "there is no policy in it: expected a visible constant nothing_policy",
            "hidden": "expected a visible constant hidden_policy",
            "later": "is of interface 0x3e7, this program's is",
            "stale": "compiled for another build of the simulator",
            "novictim": "there is no victim hook",
            "text": "cannot load the policy"}.items():
        refused(2, pattern, "sim", "-t", "small.trace", "-a", f"so/{name}.so")


def declarations():
    text = starting_file()
    for number, (old, new, pattern) in enumerate((
            (".info.name = \"mine\"", ".info.name = \"My Policy\"", "info.name must consist of"),
            ("sizeof(State)", "4", "state_size is smaller than a VMMPolicy"),
            ('"chances", 1, 0', '"chances", 0, 1', "default of a parameter is out of its bounds"),
            ("    .touch = mine_touch,\n", "", "there is no touch hook, but"),
            (".touch_once = true", ".touch_last = true, .dirtied = mine_touch",
             "touch_last cannot have the hook dirtied"),
            (".info.label", ".info.variable_space = 1, .info.label", "must say uses_clock"))):
        assert old in text, old
        write(f"declared/d{number}.c", text.replace(old, new).replace("mine_", f"d{number}_"))
        refused(2, pattern, "policy", "show", f"declared/d{number}.c")


# ---- What stops a run ----------------------------------------------------------------------------

TOUCH = "    state->chances[frame] = state->most;\n"


def frames_without_pages():
    """A policy that names a frame without a page ends the run, in both engines."""
    text = starting_file()
    for number, (old, new, deed) in enumerate((
            ("            return frame;\n", "            return frame + 99;\n", "names as its victim"),
            ("            return frame;\n", "            return UINT32_MAX;\n",
             "names as its victim frame 4294967295"),
            (TOUCH, TOUCH + "    vmm_policy_part_with(policy, frame + 5000);\n", "parts with"),
            (TOUCH, TOUCH + "    vmm_policy_part_with(policy, frame);\n" * 2, "parts with frame 0"),
            (TOUCH, TOUCH + "    vmm_policy_write_back(policy, 1u << 30);\n",
             "writes back frame 1073741824"))):
        assert old in text, old
        write(f"stray/s{number}.c", text.replace(old, new).replace("mine", f"s{number}"))
        for engine in ("fast", "generic"):
            refused(2, f"the policy s{number} {deed}.*which holds no page", "sim", "-t",
                    "small.trace", "-a", f"stray/s{number}.c", "--frames", "20", "--engine", engine)


def crashes_are_told():
    """A policy that ends the program: never without a sentence, never with status 0."""
    text = starting_file()
    for name, code, status, pattern in (
            ("crashes", "*(volatile int *)(uintptr_t)policy->incoming = 1;", -signal.SIGSEGV,
             "wrong access to memory, most likely in the code of the policy"),
            ("exits", "exit(0);", 2, r"the code of the policy has called exit\(\)")):
        write(f"{name}.c", "#include <stdlib.h>\n" + text.replace("mine", name).replace(
            TOUCH, f"    {code}\n" + TOUCH))
        refused(status, pattern, "sim", "-t", "small.trace", "-a", f"./{name}.c")
        refused(status, pattern, "compare", "-t", "small.trace", "-a", f"fifo,./{name}.c",
                "--frames", "9")
    write("loads.c", "__attribute__((constructor)) static void hurt(void) {\n"
          "    *(volatile int *)8 = 1;\n}\n" + text.replace("mine", "loads"))
    refused(-signal.SIGSEGV, "most likely in the code of the policy", "policy", "show", "./loads.c")
    refused(2, "loads.c: what runs when it is loaded touches", "policy", "check", "./loads.c")


def second_signal_ends():
    """A policy that does not come to an end: the first signal asks, the next one ends the run."""
    write("endless.c", starting_file().replace("mine", "endless").replace(
        "        state->chances[frame]--;\n",
        "        (void)!write(2, \"x\", 1);\n").replace("#include <vmm/policy.h>\n",
                              "#include <unistd.h>\n#include <vmm/policy.h>\n"))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    with subprocess.Popen([VMM, "sim", "-t", "small.trace", "-a", "./endless.c", "--frames", "20"],
                          env=environment(), stderr=subprocess.PIPE,
                          stdout=subprocess.DEVNULL) as done:
        equal(done.stderr.read(1), b"x", "it runs")
        done.send_signal(signal.SIGINT)
        mask = 1 << (signal.SIGINT - 1)
        while done.stderr.read(1) and mask & caught(done.pid):
            pass
        done.send_signal(signal.SIGTERM)
        while done.stderr.read(65536):
            pass
        equal(done.wait(), -signal.SIGTERM, "status")


def caught(pid):
    """The signals that a process catches: the first one is dealt with when it is no more."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        subprocess.run([BIN / "trace_gen", "-t", "zipf", "-n", "20000", "-o", "small.trace"],
                       check=True, env=environment(), capture_output=True)
        tap.run("the starting file works, and is not overwritten", starting_file_works)
        tap.run("a policy can be named wherever policies are", named_everywhere)
        tap.run("curves, sweeps and comparisons take files", in_curves_and_sweeps)
        tap.run("a sweep does not go on with a policy that was edited", edited_between_sweeps)
        tap.run("a built library gives the same report", library_of_a_build)
        tap.run("names of files may be what they like", names_of_files)
        tap.run("types may be called as the engine's", names_of_types)
        tap.run("results are kept, and made anew when a file changes", results_are_kept)
        tap.run("a damaged result is made anew", damaged_results)
        tap.run("it works without a cache", no_cache)
        tap.run("runs at once do not disturb each other", runs_at_once)
        tap.run("sources that do not compile are explained", broken_sources)
        tap.run("missing files and compilers are explained", missing_things)
        tap.run("libraries that do not fit are refused", libraries)
        tap.run("declarations that contradict themselves are refused", declarations)
        tap.run("a frame without a page ends the run", frames_without_pages)
        tap.run("a policy that ends the program is told", crashes_are_told)
        tap.run("a second signal ends a run at once", second_signal_ends)
        differential(tap)
        os.chdir(ROOT)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
