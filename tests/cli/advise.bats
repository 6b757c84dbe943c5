#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vmm advise: the answers against single runs, its files, and what goes wrong.
# shellcheck disable=SC2154

load common
setup() {
    start
    python3 - <<'END'
import random
rng = random.Random(6)
with open("app.trace", "w") as out:
    for i in range(40000):
        hot = rng.randrange(30) + (i // 10000) * 40
        page = hot if rng.random() < 0.99 else rng.randrange(300)
        out.write(f"0 {rng.choice('RRW')} 0x{page * 4096:x}\n")
END
}

@test "the answers are those of single runs" {
    vmm advise app.trace -o advice.json --cost-swap-read 100us --cost-swap-write 50us >/dev/null
    VMM=$bin/vmm python3 - <<'END'
import functools
import json
import os
import subprocess

advice = json.load(open("advice.json"))

@functools.cache
def run(frames):
    subprocess.run([os.environ["VMM"], "-q", "-t", "app.trace", "-a", "lru", "--frames",
                    str(frames), "-o", "run.json"], check=True, stdout=subprocess.DEVNULL)
    report = json.load(open("run.json"))
    return report["misses"], report["swap_outs"]

def waiting(frames):
    misses, writes = run(frames)
    work = 40000 * 100 + first * 1000
    wait = (misses - first) * 101000 + writes * 50000
    return wait / (work + wait), (work + wait) / work

first = run(1000)[0]
questions = {
    "no_page_twice": lambda n: run(n)[0] == first,
    "within_1_percent": lambda n: run(n)[0] <= first * 1.01,
    "within_10_percent": lambda n: run(n)[0] <= first * 1.1,
    "does_not_thrash": lambda n: waiting(n)[0] <= 0.5,
}
assert advice["first_references"] == first
for name, answers in questions.items():
    place = advice["memory"][name]
    frames = place["pages"]
    assert answers(frames) and not answers(frames - 1), (name, place)
    assert (place["misses"], place["writebacks"]) == run(frames), name
    assert abs(place["waiting"] - waiting(frames)[0]) < 1e-5, name
    assert abs(place["times"] - waiting(frames)[1]) < 1e-3, name
assert advice["memory"]["half_of_that"]["pages"] == \
    advice["memory"]["does_not_thrash"]["pages"] // 2
assert advice["needed_pages"] == max(advice["memory"]["within_1_percent"]["pages"],
                                     advice["memory"]["does_not_thrash"]["pages"])
for place in advice["curve"]:
    assert place["misses"] == run(place["pages"])[0]
END
}
@test "windows and phases: a new hot set after each quarter" {
    vmm advise app.trace -w 500 -o advice.json >/dev/null
    python3 - <<'END'
import json
advice = json.load(open("advice.json"))
windows = advice["windows"]
pages = [int(line.split()[2], 16) >> 12 for line in open("app.trace")]
assert len(windows) == 80 and sum(window["length"] for window in windows) == 40000
for number, window in enumerate(windows):
    mine = set(pages[number * 500:number * 500 + 500])
    before = set(pages[number * 500 - 500:number * 500]) if number else set()
    assert window["pages"] == len(mine)
    assert window["shared"] == len(mine & before)
changes = [number for number in range(1, 80)
           if windows[number]["phase"] != windows[number - 1]["phase"]]
assert changes == [20, 40, 60], changes
assert advice["phases"] == 4
END
}
@test "the text says what the JSON says" {
    works advise app.trace -w 500
    [[ ${lines[0]} == "app.trace: 40000 page references, pages of 4K" ]]
    [[ $output == *"4 phases"* ]]
    vmm advise app.trace -o advice.json >/dev/null
    local pages
    pages=$(python3 -c 'import json
print(json.load(open("advice.json"))["memory"]["does_not_thrash"]["pages"])')
    [[ $output == *"With less than $pages pages"* ]]
}
@test "costs, the share and write-backs in the background move the answer" {
    pages() {
        vmm advise app.trace -o - "$@" | python3 -c 'import json, sys
print(json.load(sys.stdin)["memory"]["does_not_thrash"]["pages"])'
    }
    [ "$(pages)" -gt "$(pages --cost-swap-read 1us --cost-swap-write 1us)" ]
    [ "$(pages --thrash 0.9)" -lt "$(pages --thrash 0.1)" ]
    [ "$(pages --swap-write background)" -le "$(pages)" ]
}
@test "five phases are shown and the others counted; a window longer than the trace is told of" {
    works advise app.trace -w 20
    local phases shown
    phases=$(sed -n 's/^\([0-9]*\) phases:.*/\1/p' <<<"$output")
    shown=$(sed -n '/^ *from/,$p' <<<"$output" | grep -c ' % .* % ')
    [[ $shown == 5 && $phases -gt 5 && $output == *"and $((phases - 5)) more"* ]]
    run vmm advise app.trace -w 50000
    [[ $status == 0 && $output == *"all of it is one window"* ]]
}
@test "a pipe, and a trace that never thrashes" {
    [ "$(vmm advise - <app.trace | sed 's/^-:/app.trace:/')" = "$(vmm advise app.trace)" ]
    printf '0 R 0x1000\n0 R 0x1000\n' >calm.trace
    run vmm advise calm.trace
    [[ $output == *"never thrashes"* && $output == *"One phase"* ]]
}
@test "plots" {
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    works advise app.trace --plot sets.svg --plot-curve curve.svg
    grep -q '<svg' sets.svg && grep -q 'working set' sets.svg && grep -q 'a phase begins' sets.svg
    grep -q '<svg' curve.svg && grep -q 'how much memory' curve.svg
}
@test "mistakes" {
    fails 1 'no trace is named' vmm advise
    fails 1 'more than one trace' vmm advise app.trace good.trace
    fails 1 'cannot open' vmm advise nowhere.trace
    fails 1 'memory is what it finds' vmm advise app.trace --frames 10
    fails 1 'memory is what it finds' vmm advise app.trace -a clock
    fails 1 'expected a number from 1' vmm advise app.trace -w 0
    fails 1 'expected a share' vmm advise app.trace --thrash 1
    fails 1 'expected a share' vmm advise app.trace --thrash half
    fails 1 'same file' vmm advise app.trace -o app.trace
    fails 1 'does not end in' vmm advise app.trace --plot sets.gif
    fails 1 'No space left' vmm advise app.trace -o /dev/full
    { cat good.trace && echo nonsense; } >bad.trace
    fails 2 'bad.trace:4' vmm advise bad.trace
    : >empty.trace
    fails 2 'empty.trace' vmm advise empty.trace
    vmm trace reduce -k 2 good.trace -o reduced.vmt
    fails 1 'was reduced' vmm advise reduced.vmt
}
