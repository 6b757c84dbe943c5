#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vmm sim and compare on .vmt: the same numbers as from text, events, reduced traces, threads.
# shellcheck disable=SC2154

load common
setup() { start; }

# Ten laps over 30 pages with stores and fetches in between, and references that cross.
laps() {
    local i
    for ((i = 0; i < 300; i++)); do
        printf '%d R 0x%x 8\n%d W 0x%x 8\n%d I 0x400%x 4\n' $((i % 2)) $((i % 30 * 4096 + 4092)) \
            $((i % 2)) $((i * 7 % 30 * 4096)) $((i % 2)) $((i % 3000))
    done >laps.trace
    vmm trace convert -q laps.trace laps.vmt
}

# Reports without what names the file.
numbers() { python3 -c 'import json, sys
report = json.load(open(sys.argv[1]))
del report["trace"]
print(json.dumps(report))' "$1"; }

@test "a .vmt gives the numbers of its text, by both engines and any number of threads" {
    laps
    for policy in lru clock:bits=2 approxlru:period=7 lfu opt; do
        vmm -t laps.trace --frames 9 -T 4 -a "$policy" --no-timing -o text.json >/dev/null
        for more in "--threads 0" "--threads 3" "--engine generic"; do
            # shellcheck disable=SC2086
            vmm -t laps.vmt --frames 9 -T 4 -a "$policy" --no-timing -o vmt.json $more >/dev/null
            diff <(numbers text.json) <(numbers vmt.json)
        done
    done
}

@test "a page-size below that of the page runs is refused" {
    laps
    fails 1 'knows addresses by pages of 4096 bytes only' vmm -t laps.vmt -p 1024
    works -t laps.vmt -p 16K
}

@test "the reports say whether mappings are enforced" {
    make_events events.vmt
    run --separate-stderr vmm -t events.vmt -o report.json
    [ "$status" -eq 0 ]
    [[ $stderr == *"recording paused 1 time"* ]]
    [[ $output == *"Mappings:"* ]]
    [ "$(counter events report.json)" -gt 0 ]
    run --separate-stderr vmm -t events.vmt --mappings partial -o report.json
    [[ $output == *"not all mappings are told"* ]]
    grep -q '"mappings_enforced": false' report.json
    run --separate-stderr vmm -t events.vmt --mappings complete -o report.json
    [[ $output == *"outside of the mappings"* ]]
    grep -q '"mappings_enforced": true' report.json
    run --separate-stderr vmm compare -t events.vmt
    [ "$status" -eq 0 ]
    [[ $output == *"events of mappings and processes"* ]]
    laps
    works -t laps.vmt
    [[ $output != *"Mappings:"* ]]
}

@test "a reduced trace serves LRU with enough frames, says so, and nothing else" {
    laps
    vmm trace reduce -q -k 8 laps.trace -o reduced.vmt
    for frames in 8 9 17 100; do
        vmm -t laps.trace --frames $frames -a lru --tlb off -o whole.json >/dev/null
        works -t reduced.vmt --frames $frames -a lru --tlb off -o reduced.json
        [[ $output == *"Reduced Trace:"* ]]
        for name in misses page_faults swap_outs swap_ins replacements; do
            [ "$(counter $name whole.json)" = "$(counter $name reduced.json)" ]
        done
    done
    grep -q '"reduction": 8' reduced.json
    vmm -t laps.trace -p 16K --frames 8 -a lru -o whole.json >/dev/null
    vmm -t reduced.vmt -p 16K --frames 8 -a lru -o reduced.json >/dev/null
    [ "$(counter misses whole.json)" = "$(counter misses reduced.json)" ]
    fails 1 'fewer frames' vmm -t reduced.vmt --frames 7 -a lru
    fails 1 'the policy is not lru' vmm -t reduced.vmt --frames 8
    fails 1 'the TLB is neither' vmm -t reduced.vmt --frames 8 -a lru -T 4
    works compare -t reduced.vmt -a lru --frames 8,12
    [[ $output == *"reduced by SAD"* ]]
}
@test "references that are missing are told, in the report and as a warning" {
    vmm trace convert -q "$root/examples/traces/gzip.vmt" damaged.vmt
    python3 - <<'END'
data = bytearray(open("damaged.vmt", "rb").read())
data[len(data) // 2] ^= 255
open("damaged.vmt", "wb").write(data)
END
    run --separate-stderr vmm -t damaged.vmt --frames 100
    [ "$status" -eq 2 ]
    [[ $stderr == *'--skip-bad-records'* ]]
    run --separate-stderr vmm -t damaged.vmt --frames 100 --skip-bad-records -o report.json
    [ "$status" -eq 0 ]
    [[ $output =~ 'Lost references:'\ +[1-9] ]]
    [[ $stderr =~ at\ least\ [0-9]+\ references\ are\ missing ]]
    python3 -c 'import json; assert json.load(open("report.json"))["trace"]["lost_references"] > 0'
}
