#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Mistakes that simulators of this kind have made, each with an input that shows it. Memory of k
# frames is -r 1 with pages of 1/k MiB.
# shellcheck disable=SC2154

load common
setup() { start; }

# k_faults K POLICY ARGUMENT...: page faults of t.trace with K frames.
k_faults() {
    local k=$1 policy=$2
    shift 2
    faults -t t.trace -r 1 -p $((1048576 / k)) -a "$policy" "$@"
}

cyclic() { # K N COUNT: pages 0 .. N-1 round and round, COUNT references
    # shellcheck disable=SC2046
    pages t.trace "$1" $(awk -v n="$2" -v c="$3" 'BEGIN { for (i = 0; i < c; i++) print i % n }')
}

belady() { pages t.trace "$1" 1 2 3 4 1 2 5 1 2 3 4 5; }

@test "1: a run ends well, and a piped report is whole" {
    trace t.trace '0 R 0x1000'
    [ "$(vmm -t t.trace | tail -1)" = 'Simulation completed successfully.' ]
}
@test "3: TWO_LEVEL faults once on one page" {
    trace t.trace '0 R 0x1000'
    [ "$(faults -t t.trace --pt-type TWO_LEVEL)" -eq 1 ]
}
@test "4: TWO_LEVEL keeps far addresses apart" {
    trace t.trace '0 R 0x1000' '0 R 0x100001000' '0 R 0x1000' '0 R 0x100001000'
    [ "$(faults -t t.trace --pt-type TWO_LEVEL)" -eq 2 ]
}
@test "5: fifo, 4 frames, 5 pages round and round" {
    cyclic 4 5 20
    [ "$(k_faults 4 fifo)" -eq 20 ]
}
@test "6: fifo with more than 1024 frames" {
    awk 'BEGIN { for (i = 0; i < 60000; i++) printf "0 R 0x%x000\n", (7 * i) % 3000 }' >t.trace
    [ "$(faults -t t.trace -r 8 -a fifo)" -eq 60000 ]
}
@test "7: lru, 4 frames, 5 pages round and round" {
    cyclic 4 5 20
    [ "$(k_faults 4 lru)" -eq 20 ]
}
@test "8: lru, 4 frames, the string of Belady" {
    belady 4
    [ "$(k_faults 4 lru)" -eq 8 ]
}
@test "9: lru, 2 frames" {
    pages t.trace 2 0 1 2 3 0 1 0 1 2 3 0 1
    [ "$(k_faults 2 lru)" -eq 10 ]
}
@test "11: approxlru, 4 frames, 5 pages round and round: ages begin anew" {
    cyclic 4 5 20
    [ "$(k_faults 4 APPROX_LRU)" -eq 20 ]
}
@test "12: clock, 4 frames, the string of Belady and a cycle; the variants differ by name" {
    belady 4
    [ "$(k_faults 4 clock)" -eq 10 ]
    cyclic 4 5 20
    [ "$(k_faults 4 clock)" -eq 20 ]
    [ "$(k_faults 4 clock:enter=0)" -le 20 ]
}
@test "13: opt with pages of 256 KiB" {
    belady 4
    [ "$(k_faults 4 opt)" -eq 6 ]
    cyclic 4 5 20
    [ "$(k_faults 4 opt)" -eq 8 ]
}
@test "15: a page that was swapped in keeps its slot" {
    trace t.trace '0 W 0x0' '0 R 0x100000' '0 R 0x0' '0 R 0x100000' '0 R 0x0'
    vmm -t t.trace -r 1 -p 1M -o r.json >/dev/null
    [ "$(counter major_faults r.json)" -eq 2 ]
    [ "$(counter swap_outs r.json)" -eq 1 ]
}
@test "16: swap slot 0 is a slot" {
    trace t.trace '0 W 0x0' '0 R 0x100000' '0 R 0x0'
    vmm -t t.trace -r 1 -p 1M -s 1 -o r.json >/dev/null
    [ "$(counter swap_ins r.json)" -eq 1 ]
}
@test "17: a full swap is an error, counted, and no page is lost in silence" {
    for op in W R; do
        for page in 0 1 2 3 4; do
            printf '0 %s 0x%x\n' $op $((page << 20))
        done
    done >t.trace
    run --separate-stderr vmm -t t.trace -r 1 -p 1M -s 1 -o r.json
    [ "$status" -eq 1 ]
    [[ $stderr == *'swap is full'* ]]
    [ "$(counter oom_events r.json)" -eq 1 ]
}
@test "18: swapping costs time" {
    pages clean.trace 1 0 1 2 3
    trace dirty.trace '0 W 0x0' '0 W 0x100000' '0 R 0x0' '0 R 0x100000'
    vmm -t clean.trace -r 1 -p 1M -o clean.json >/dev/null
    vmm -t dirty.trace -r 1 -p 1M -o dirty.json >/dev/null
    [ "$(counter swap_ins dirty.json)" -eq 2 ]
    [ "$(counter swap_outs dirty.json)" -eq 2 ]
    [ "$(counter stall_time_ps dirty.json)" -gt "$(counter stall_time_ps clean.json)" ]
}
@test "19: addresses of 64-bit programs" {
    trace t.trace '0 R 0x7fff00001000' '0 R 0x7fff00001008'
    vmm -t t.trace -o r.json >/dev/null
    [ "$(counter page_faults r.json)" -eq 1 ]
    python3 -c 'import json; assert json.load(open("r.json"))["fault_classes"]["invalid"] == 0'
}
@test "20: a reference that fails counts as a fault of its own class" {
    trace t.trace '0 R 0x1000' '0 R 0xffffffffffff0000' '0 R 0x1000'
    vmm -t t.trace -o r.json >report
    [ "$(counter total_accesses r.json)" -eq 3 ]
    [ "$(counter page_faults r.json)" -eq 2 ]
    grep -q -E 'invalid: +1 ' report
}
@test "21: 17 processes and more" {
    local pid
    for pid in $(seq 100 140); do echo "$pid R 0x1000"; done >t.trace
    vmm -t t.trace -o r.json >/dev/null
    [ "$(counter processes r.json)" -eq 41 ]
    [ "$(counter page_faults r.json)" -eq 41 ]
    python3 -c 'import json; assert len(json.load(open("r.json"))["per_process"]) == 41'
}
@test "22: 0X is a prefix too; addresses that are none are bad" {
    trace t.trace '0 R 0X5000' '0 R 0x5000'
    [ "$(faults -t t.trace)" -eq 1 ]
    refuses 'bad.trace:2' '0 R 0x1\n0 R 0xZZ\n'
    refuses 'bad.trace:3' '0 R 0x1\n0 W 0x2\n0 R 0x\n'
    refuses 'bad.trace:3' '0 R 0x1\n0 W 0x2\n0 R 0x12345678901234567890\n'
}
@test "23: pids out of range are bad records" {
    refuses 'bad.trace:2' '0 R 0x1000\n-1 R 0x1000\n'
    refuses 'bad.trace:2' '0 R 0x1000\n99999999999 R 0x1000\n'
}
@test "24: other operations and separators are bad records, counted" {
    trace t.trace '0 R 0x1000' '0 W 0x1000' '0 X 0x1000' '0 ? 0x1000' '0 READ 0x1000' '0,R,0x1000'
    fails 2 't.trace:3' vmm -t t.trace
    run --separate-stderr vmm -t t.trace --skip-bad-records
    [[ $stderr == *'4 bad records were left out'* ]]
}
@test "25: one long line is one reference" {
    python3 -c 'print("0 R 0x1000 " + "x" * 244 + "0 R 0x2000")' >t.trace
    vmm -t t.trace -o r.json >/dev/null
    [ "$(counter total_accesses r.json)" -eq 1 ]
}
@test "26: memory of 4 GiB works" {
    vmm -t good.trace -r 4096 -a clock -o r.json >/dev/null
    [ "$(counter frames r.json)" -eq 1048576 ]
    [ "$(counter page_faults r.json)" -eq 2 ]
    misuse 'out of range' -r 0
    misuse 'found "abc"' -r abc
}
@test "27: memory beyond 4 GiB is not cut" {
    vmm -t good.trace -r 5000 -o r.json >/dev/null
    [ "$(counter frames r.json)" -eq 1280000 ]
    misuse 'found "-1"' -r -1
}
@test "28: page sizes are checked before they are used" {
    misuse 'out of range' -p 0
    misuse 'out of range' -p 1
    misuse 'makes no frame' -p 1073741824
}
@test "29: swap, address space and TLB are validated" {
    misuse 'out of range' -s 0
    misuse 'out of range' -v 0
    misuse 'found "-1"' -T -1
    works -t good.trace -s 4096 -v 16777216
}
@test "30: a folder and an empty file are errors" {
    fails 1 'directory' vmm -t .
    : >empty.trace
    fails 2 'empty' vmm -t empty.trace
}
@test "31: an output that cannot be written is an error" {
    fails 1 'results/x.json' vmm -t good.trace -o results/x.json
}
@test "32: trace_gen refuses what cannot be" {
    local arguments
    for arguments in '-p 0' '-a 0' '-a 99999999999999999999' '-p -1 -t working_set' '-n abc' '-n -1'; do
        # shellcheck disable=SC2086
        run --separate-stderr "$bin/trace_gen" $arguments -o t.trace
        [ "$status" -eq 1 ]
        [ -n "$stderr" ]
        [ ! -s t.trace ]
    done
}
