#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vmm sim: its reports and its ways of reading.
# shellcheck disable=SC2154

load common
setup() { start; }

belady() { pages belady.trace 4 1 2 3 4 1 2 5 1 2 3 4 5; }

# ---- The report for people -----------------------------------------------------------------------
@test "the report has the classic sections and labels in the classic order" {
    works -t good.trace -r 64 -a lru -s 16 -v 4096 --pt-type two_level
    printf '%s\n' "${lines[@]}" >report
    grep -n -F -e '==================== VMM SIMULATOR ====================' \
        -e 'VMM Configuration:' -e 'RAM:' -e 'Page size:' -e 'Virtual space:' -e 'TLB:' \
        -e 'Page table:' -e 'Replacement:' -e 'Swap:' -e 'Max processes:' -e 'Trace file:' \
        -e '==================== SIMULATION SUMMARY ====================' \
        -e 'Memory Accesses:' -e 'Total:' -e 'Reads:' -e 'Writes:' -e 'Page Faults:' -e 'Major:' \
        -e 'Minor:' -e 'Fault Rate:' -e 'TLB Performance:' -e 'Hits:' -e 'Misses:' -e 'Hit Rate:' \
        -e 'Swap I/O:' -e 'Swap-ins:' -e 'Swap-outs:' -e 'Replacements:' \
        -e 'Average Memory Access Time:' -e 'AMT:' -e 'Slowdown:' -e 'Simulation Time:' \
        -e 'Wall time:' -e 'Throughput:' -e 'Page Walks:' -e 'Fault Classes:' -e 'Swap Slots:' \
        -e 'Page Tables:' -e 'Simulated Time:' -e 'Simulation completed successfully.' report |
        sed 's/^[0-9]*: *//; s/:.*/:/' | uniq >labels
    diff labels - <<'END'
==================== VMM SIMULATOR ====================
VMM Configuration:
RAM:
Page size:
Virtual space:
TLB:
Page table:
Replacement:
Swap:
Max processes:
Trace file:
==================== SIMULATION SUMMARY ====================
Memory Accesses:
Total:
Reads:
Writes:
Page Faults:
Total:
Major:
Minor:
Fault Rate:
TLB Performance:
Hits:
Misses:
Hit Rate:
Swap I/O:
Swap-ins:
Swap-outs:
Replacements:
Average Memory Access Time:
AMT:
Slowdown:
Simulation Time:
Wall time:
Throughput:
Page Walks:
Fault Classes:
Misses:
Swap Slots:
Page Tables:
Simulated Time:
Simulation completed successfully.
END
    [[ $output == *'RAM:'*'64 MB (16384 frames)'* ]]
    [[ $output == *'TLB:'*'64 entries (LRU)'* ]]
    [[ $output == *'Page table:'*'Two-level'* ]]
    [[ $output == *'Swap:'*'16 MB'* ]]
    [[ $output == *'Virtual space:'*'4096 MB'* ]]
    [ "${lines[-1]}" = 'Simulation completed successfully.' ]
}
@test "labels of the policies and page tables" {
    local pair
    for pair in fifo:FIFO lru:LRU APPROX_LRU:Approx-LRU Clock:Clock opt:OPT; do
        run vmm -t good.trace -a "${pair%:*}"
        [[ $output =~ Replacement:\ +${pair#*:}($'\n'|\ ) ]]
    done
    run vmm -t good.trace --pt-type single
    [[ $output == *'Page table:'*'Single-level'* ]]
}
@test "the numbers of a run by hand" {
    # 0 R 1, 0 W 2, 0 R 1: two zero-fills, one TLB hit; 3 * 101 + 2 * (100 + 1000 + 400) ns.
    run vmm -t good.trace
    [[ $output =~ Total:\ +3$'\n' ]]
    [[ $output == *'2 (66.7%)'*'1 (33.3%)'* ]]
    [[ $output =~ Minor:\ +2\ \(no\ I/O\) ]]
    [[ $output =~ Major:\ +0\ \(required\ swap-in\) ]]
    [[ $output == *'66.6667%'* ]]
    [[ $output =~ Hit\ Rate:\ +33.33% ]]
    [[ $output == *'AMT:'*'1101.00 ns'* ]]
    [[ $output == *'10.90x (vs TLB hit)'* ]]
    [[ $output == *'zero_fill:'*'2 (a frame was filled with zeros)'* ]]
    [[ $output != *'swap_in:'* ]]
}
@test "exact memory, parameters and other options are told" {
    run vmm -t good.trace --frames 3 -a clock:bits=2,enter=0 --seed 7 --tlb-ways 4
    [[ $output == *'RAM:'*'12 KB (3 frames)'* ]]
    [[ $output == *'Replacement:'*'Clock (bits=2,enter=0)'* ]]
    [[ $output == *'64 entries, 4 ways (LRU)'* ]]
    [[ $output == *'seed = 7'* ]]
    run vmm -t good.trace --tlb off
    [[ $output =~ TLB:\ +off$'\n' ]]
}
@test "the report names neither engine" {
    vmm -t good.trace --no-timing --engine fast -V -o fast.json --csv fast.csv >fast
    vmm -t good.trace --no-timing --engine generic -V -o generic.json --csv generic.csv >generic
    cmp fast generic
    cmp fast.json generic.json
    cmp fast.csv generic.csv
    run grep -i engine fast fast.json fast.csv
    [ "$status" -eq 1 ]
}
@test "-V adds the table of processes" {
    trace two.trace '3 R 0x1000' '1 W 0x1000' '3 R 0x1000'
    run --separate-stderr vmm -t two.trace -V
    [[ $output == *'PER-PROCESS METRICS'* ]]
    [[ $output == *'PID |     Accesses |        Reads |       Writes |       Faults |     TLB Hits |   TLB Misses'* ]]
    [[ $output =~ \ 3\ \|\ +2\ \|\ +2\ \|\ +0\ \|\ +1\ \|\ +1\ \|\ +1$'\n' ]]
    [[ $output =~ \ 1\ \|\ +1\ \|\ +0\ \|\ +1\ \|\ +1\ \|\ +0\ \|\ +1$'\n' ]]
    [ "${lines[-1]}" = 'Simulation completed successfully.' ]
    [[ $stderr == *'info: two.trace: format native'* ]]
    run vmm -t two.trace
    [[ $output != *'PER-PROCESS'* ]]
}
@test "-q leaves the report, and nothing on standard error" {
    run --separate-stderr vmm -t good.trace -q -V
    [ -z "$stderr" ]
    [[ $output == *'SIMULATION SUMMARY'* ]]
}
@test "no colours away from a terminal" {
    run vmm -t good.trace -V -D
    [[ $output != *$'\033'* ]]
    [[ $output != *$'\r'* ]]
}
@test "a reference that crosses a page boundary is one access and two page references" {
    # Pages 1 and 2, 1, 2, 3: 4 accesses, 5 page references, 3 faults and misses of the TLB. Time:
    # 5 * 1 + 4 * 100 + 3 * (100 + 1000 + 400) ns = 4905 ns; a TLB hit takes 101 ns.
    trace cross.trace '0 R 0x1ffc 8' '0 W 0x1000' '0 R 0x2000' '0 R 0x3000'
    works -t cross.trace --no-timing
    grep -A100 'SIMULATION SUMMARY' <<<"$output" | grep -v '^=' | sed 's/  */ /g' |
        diff - <(sed 's/^    //' <<'END'
    
    Memory Accesses:
     Total: 4
     Reads: 3 (75.0%)
     Writes: 1 (25.0%)
     Fetches: 0 (0.0%)
    
    Page Faults:
     Total: 3
     Major: 0 (required swap-in)
     Minor: 3 (no I/O)
     Fault Rate: 75.0000%
    
    TLB Performance:
     Hits: 2
     Misses: 3
     Hit Rate: 40.00%
    
    Swap I/O:
     Swap-ins: 0
     Swap-outs: 0
     Replacements: 0
    
    Average Memory Access Time:
     AMT: 1226.25 ns
     Slowdown: 12.14x (vs TLB hit)
    
    Simulation Time:
     Wall time: 0.000 ms
     Throughput: 0.0 accesses/ms
    
    Page Walks:
     Walks: 3
     Entries read: 3
     Reads per walk: 1.00
    
    Fault Classes:
     zero_fill: 3 (a frame was filled with zeros)
    
    Residence:
     Misses: 3 (60.0%)
     Page references: 5
     Distinct pages: 3
     Frames used: 3 of 16384
     Peak frames: 3
     Clean evictions: 0
    
    Swap Slots:
     In use: 0
     Peak: 0
    
    Page Tables:
     Tables: 1
     Bytes: 4096
     Peak tables: 1
     Peak bytes: 4096
     Processes: 1
    
    Simulated Time:
     Stall: 0.005 ms
     Background: 0.000 ms
    
    Simulation completed successfully.
END
        )
}
@test "addresses beyond the address space: a class of their own, and one warning" {
    trace far.trace '0 R 0x1000' '0 R 0xffff800000000000' '0 W 0xffffffffffff0000'
    run --separate-stderr vmm -t far.trace
    [ "$status" -eq 0 ]
    [[ $output =~ Page\ Faults:$'\n'\ +Total:\ +3$'\n'\ +Major:\ +0\ .*Minor:\ +1\ .*Invalid:\ +2\  ]]
    [ "$stderr" = "vmm: warning: 2 page references are invalid, the first: reference 2: process 0 reads 0xffff800000000000, beyond the address space; --pt-type FIVE_LEVEL translates 57 bits" ]
    run --separate-stderr vmm -t far.trace --pt-type FIVE_LEVEL
    [ "$stderr" = "vmm: warning: 2 page references are invalid, the first: reference 2: process 0 reads 0xffff800000000000, beyond the address space" ]
    run --separate-stderr vmm -t good.trace --vspace 8K
    [[ $stderr == *"warning: 1 page reference is invalid, the first: "*"; give a larger --vspace if"* ]]
    run --separate-stderr vmm -t far.trace -q
    [ -z "$stderr" ]
    run --separate-stderr vmm compare -t far.trace --frames 1,2
    [ "$(grep -c 'warning: 2 page references are invalid: beyond the 48-bit' <<<"$stderr")" -eq 1 ]
    run --separate-stderr vmm -t far.trace -D
    [[ $stderr == *'| fault invalid'$'\n'* ]]
    run vmm -t good.trace
    [[ $output != *Invalid:* ]]
}
@test "a line break in a file name makes no line in the report" {
    cp good.trace $'a\n  Total: 7'
    run vmm -t $'a\n  Total: 7'
    [[ $output == *'Trace file: a\x0a  Total: 7 (native)'* ]]
    run vmm compare -t $'a\n  Total: 7' -a lru
    [[ ${lines[0]} == *'a\x0a  Total: 7: 3 references'* ]]
}

# ---- Following each reference --------------------------------------------------------------------
@test "-D writes a line for each page reference" {
    trace d.trace '5 W 0x1234' '5 R 0x2ffe 4' '5 R 0x1000' '5 R 0x1000'
    run --separate-stderr vmm -t d.trace -D --frames 1 -a fifo --pt-type four_level
    grep -v '^vmm: info' <<<"$stderr" >steps
    diff steps - <<'END'
1: pid 5 write 0x1234 | page 0x1 [0x0 0x0 0x0 0x1]+0x234 | TLB miss, walk 1 read | fault zero_fill (minor) | frame 0
2: pid 5 read 0x2ffe (4 bytes) | page 0x2 [0x0 0x0 0x0 0x2]+0xffe | TLB miss, walk 4 reads | fault zero_fill (minor) | frame 0 | evicts page 0x1 of pid 5 from frame 0, written to swap slot 0: longest in memory
2: pid 5 read 0x2ffe (4 bytes) | page 0x3 [0x0 0x0 0x0 0x3]+0x0 | TLB miss, walk 4 reads | fault zero_fill (minor) | frame 0 | evicts page 0x2 of pid 5 from frame 0, dropped: longest in memory
3: pid 5 read 0x1000 | page 0x1 [0x0 0x0 0x0 0x1]+0x0 | TLB miss, walk 4 reads | fault swap_in (major) | frame 0 | evicts page 0x3 of pid 5 from frame 0, dropped: longest in memory
4: pid 5 read 0x1000 | page 0x1 [0x0 0x0 0x0 0x1]+0x0 | TLB hit | frame 0
END
}
@test "-D splits an address as x86-64 does" {
    trace d.trace '0 R 0x7fffdeadbeef'
    run --separate-stderr vmm -t d.trace -D --pt-type four_level
    [[ $stderr == *'[0xff 0x1ff 0xf5 0xdb]+0xeef'* ]]
    run --separate-stderr vmm -t d.trace -D --pt-type single
    [[ $stderr == *'[0x7fffdeadb]+0xeef'* ]]
    run --separate-stderr vmm -t d.trace -D --pt-type two_level
    [[ $stderr == *'[0x1ffff 0x1eadb]+0xeef'* ]]
    # 32 bits of page number: 10 for each of the lower levels, the rest for the top.
    run --separate-stderr vmm -t d.trace -D --pt-type three_level -p 64K
    [[ $stderr == *'[0x7ff 0x3f7 0x2ad]+0xbeef'* ]]
    run --separate-stderr vmm -t d.trace -D --pt-type five_level
    [[ $stderr == *'[0x0 0xff 0x1ff 0xf5 0xdb]+0xeef'* ]]
}
@test "-D does not change the report" {
    vmm -t good.trace --no-timing >plain
    vmm -t good.trace --no-timing -D >followed 2>/dev/null
    cmp plain followed
}

# ---- JSON ----------------------------------------------------------------------------------------
@test "JSON is valid, with the classic keys first and in order" {
    works -t good.trace -o report.json
    python3 -m json.tool report.json >/dev/null
    python3 - <<'END'
import json
report = json.load(open("report.json"))
classic = ("total_accesses reads writes page_faults major_faults minor_faults page_fault_rate "
           "tlb_hits tlb_misses tlb_hit_rate swap_ins swap_outs replacements "
           "avg_memory_access_time_ns simulation_time_ms per_process").split()
assert list(report)[:16] == classic, list(report)
assert list(report)[16:22] == ["version", "end", "config", "trace", "first_invalid",
                                "fault_classes"], list(report)
assert list(report["per_process"][0])[:7] == ["pid", "accesses", "reads", "writes",
                                              "page_faults", "tlb_hits", "tlb_misses"]
assert sum(report["fault_classes"].values()) == report["page_faults"] == 2
assert report["config"]["policy"] == "clock" and "engine" not in report["config"]
assert report["config"]["ram"] == "64M" and report["config"]["seed"] == 42
assert report["trace"]["path"] == "good.trace" and report["trace"]["format"] == "native"
assert len(report["trace"]["fingerprint"]) == 16
assert report["accesses"] == report["total_accesses"] == 3
assert report["end"] == "complete"
END
    grep -q '"page_fault_rate": 0.666667,' report.json
    grep -q '"tlb_hit_rate": 0.3333,' report.json
    grep -q '"avg_memory_access_time_ns": 1101.00,' report.json
    grep -q -E '"simulation_time_ms": [0-9]+\.[0-9]{3},' report.json
}
@test "JSON has every counter and every option by name" {
    vmm -t good.trace -o report.json >/dev/null
    vmm list counters --json >counters.json
    vmm list options --json >options.json
    python3 - <<'END'
import json
report = json.load(open("report.json"))
for counter in json.load(open("counters.json")):
    name = counter["name"]
    if name.startswith("fault_"):
        assert name[6:] in report["fault_classes"], name
    else:
        assert isinstance(report[name], int), name
names = {option["name"] for option in json.load(open("options.json"))}
assert names - set(report["config"]) == {"engine"}, names
END
}
@test "JSON is valid for any file name" {
    local name=$'odd "name"\\ \t\x01\xff\xc3\xa9 {}.trace'
    cp good.trace "$name"
    vmm -t "$name" -o report.json >/dev/null
    python3 - <<'END'
import json
path = json.load(open("report.json", encoding="utf-8"))["trace"]["path"]
assert path == 'odd "name"\\ \t\x01\ufffd\u00e9 {}.trace', repr(path)
END
}
@test "-o - writes JSON alone to standard output" {
    vmm -t good.trace -o - | python3 -m json.tool >/dev/null
}

# ---- CSV -----------------------------------------------------------------------------------------
@test "CSV has the 14 classic columns first, and every counter" {
    works -t good.trace --csv report.csv
    [ "$(wc -l <report.csv)" -eq 2 ]
    [ "$(head -1 report.csv | cut -d, -f1-14)" = "config,total_accesses,reads,writes,page_faults,pf_rate,tlb_hits,tlb_misses,tlb_hit_rate,swap_ins,swap_outs,replacements,amt_ns,runtime_ms" ]
    [[ $(sed -n 2p report.csv) =~ ^default,3,2,1,2,0\.666667,1,2,0\.3333,0,0,0,1101\.00,[0-9]+\.[0-9]{3}, ]]
    vmm list counters --json >counters.json
    python3 - <<'END'
import csv, json
row, = csv.DictReader(open("report.csv"))
for counter in json.load(open("counters.json")):
    int(row[counter["name"]])
assert row["config.policy"] == "clock" and row["trace.path"] == "good.trace"
END
}
@test "CSV is overwritten, and appended to with --csv-append" {
    vmm -t good.trace --csv all.csv >/dev/null
    vmm -t good.trace --csv all.csv --config-name first >/dev/null
    [ "$(wc -l <all.csv)" -eq 2 ]
    vmm -t good.trace --csv all.csv --csv-append --config-name second >/dev/null
    [ "$(cut -d, -f1 all.csv | paste -sd' ')" = 'config first second' ]
    vmm -t good.trace --csv new.csv --csv-append >/dev/null
    : >empty.csv
    vmm -t good.trace --csv empty.csv --csv-append >/dev/null
    [ "$(wc -l <new.csv)" -eq 2 ]
    [ "$(wc -l <empty.csv)" -eq 2 ]
}
@test "runs that append at the same time write one header" {
    local name
    for name in a b c d e f; do
        vmm -t good.trace --csv all.csv --csv-append --config-name $name >/dev/null &
    done
    wait
    [ "$(wc -l <all.csv)" -eq 7 ]
    [ "$(grep -c '^config,' all.csv)" -eq 1 ]
}
@test "names in CSV are quoted where they must be" {
    vmm -t good.trace --csv report.csv --config-name 'a, "b"' >/dev/null
    [[ $(sed -n 2p report.csv) == '"a, ""b""",3,'* ]]
    python3 -c 'import csv; assert next(csv.DictReader(open("report.csv")))["config"] == "a, \"b\""'
}

# ---- Reading -------------------------------------------------------------------------------------
@test "standard input, compressed or not, gives the numbers of the file" {
    local tool
    gzip -k good.trace
    xz -k good.trace
    zstd -q good.trace
    vmm -t good.trace --no-timing | grep -v '^Trace file' >expected
    for tool in cat 'gzip -c' 'xz -c' 'zstd -qc'; do
        $tool <good.trace | vmm -t - --no-timing | grep -v '^Trace file' | diff - expected
    done
    for tool in gz xz zst; do
        vmm -t good.trace.$tool --no-timing | grep -v '^Trace file' | diff - expected
    done
}
@test "the fingerprint of a trace does not depend on format and compression" {
    printf '0 R 0x1000 4\n0 W 0x2000 4\n' >a.native
    printf ' L 1000,4\n S 2000,4\n' | gzip >a.lackey.gz
    vmm -t a.native -o native.json >/dev/null
    vmm -t a.lackey.gz -o lackey.json >/dev/null
    diff <(grep fingerprint native.json) <(grep fingerprint lackey.json)
}
@test "every format is recognised" {
    printf '0 R 0x1000\n' >a.native
    printf ' L 1000,4\nI  2000,4\n' >a.lackey
    printf '0 1000\n2 400\n1 1000\n' >a.din
    printf '12\n13\n0x0e\n' >a.pages
    printf '0041f7a0 R\n13f5e2c0 W\n' >a.addrop
    local format
    for format in native lackey din pages addrop; do
        vmm -t a.$format -o report.json >/dev/null
        python3 -c 'import json, sys
assert json.load(open("report.json"))["trace"]["format"] == sys.argv[1]' $format
        vmm -t a.$format --format $format >/dev/null
    done
}
@test "a trace of page numbers counts pages of the configured size" {
    printf '1\n2\n1\n' >p
    [ "$(faults -t p --format pages -p 64K)" -eq 2 ]
    [ "$(faults -t p --format pages -p 512)" -eq 2 ]
}
@test "equal runs give equal bytes" {
    local policy
    python3 - <<'END'
import random
random.seed(1)
with open("random.trace", "w") as out:
    for _ in range(20000):
        out.write(f"{random.randrange(3)} {random.choice('RW')} 0x{random.randrange(400) << 12:x}\n")
END
    for policy in lru clock random approxlru opt; do
        vmm -t random.trace -r 1 -a $policy --no-timing -V -o a.json --csv a.csv >a
        vmm -t random.trace -r 1 -a $policy --no-timing -V -o b.json --csv b.csv >b
        cmp a b
        cmp a.json b.json
        cmp a.csv b.csv
    done
}
@test "--no-timing writes 0 where wall-clock time would stand" {
    run vmm -t good.trace --no-timing
    [[ $output == *'Wall time:'*' 0.000 ms'* ]]
    [[ $output == *'Throughput:'*' 0.0 accesses/ms'* ]]
}
@test "paths with blanks, and another working directory" {
    mkdir 'a folder'
    cp good.trace 'a folder/a trace'
    works -t 'a folder/a trace' -o 'a folder/out put.json' --csv 'a folder/out put.csv'
    [ -s 'a folder/out put.json' ]
    cd /
    works -t "$BATS_TEST_TMPDIR/a folder/a trace"
}

# ---- Flags ---------------------------------------------------------------------------------------
@test "values stand behind a blank, an equals sign, or the letter" {
    belady
    local expected
    expected=$(faults -t belady.trace -r 1 -p 262144 -a fifo)
    [ "$expected" -eq 10 ]
    [ "$(faults -tbelady.trace -r1 -p262144 -afifo)" -eq "$expected" ]
    [ "$(faults --trace=belady.trace --ram=1 --page-size=256K --algorithm=fifo)" -eq "$expected" ]
    [ "$(faults --trace belady.trace --ram 1M --page_size 256K --policy FIFO)" -eq "$expected" ]
    [ "$(faults sim -t belady.trace --frames 4 -p 256K -a FIFO)" -eq "$expected" ]
}
@test "switches may stand together, and a value behind them" {
    run vmm -Vqt good.trace
    [[ $output == *'PER-PROCESS'* ]]
}
@test "the last one of repeated flags counts" {
    belady
    [ "$(faults -t belady.trace --frames 9 -p 256K -a opt -a fifo --frames 4)" -eq 10 ]
}
@test "-- ends the flags" { works -t good.trace --; }
@test "flags win over the configuration file, wherever they stand" {
    belady
    printf '# a machine\nframes = 9  # large\npage_size = 256K\npolicy=fifo\n' >vmm.conf
    [ "$(faults -t belady.trace --config vmm.conf)" -eq 5 ]
    [ "$(faults -t belady.trace --frames 4 --config vmm.conf)" -eq 10 ]
}
@test "-n stops after so many references" {
    [ "$(faults -t good.trace -n 1)" -eq 1 ]
    vmm -t good.trace -n 2 -o n.json >/dev/null
    [ "$(counter total_accesses n.json)" -eq 2 ]
}
@test "--refs takes data or instructions" {
    printf 'I  400000,4\n L 1000,8\n S 2000,8\nI  400004,4\n' >mixed.lackey
    vmm -t mixed.lackey --refs data -o data.json >/dev/null
    vmm -t mixed.lackey --refs fetch -o fetch.json >/dev/null
    [ "$(counter accesses data.json)" -eq 2 ]
    [ "$(counter filtered data.json)" -eq 2 ]
    [ "$(counter fetches fetch.json)" -eq 2 ]
    run --separate-stderr vmm -t good.trace --refs fetch
    [ "$status" -eq 0 ]
    [[ $stderr == *'warning: --refs left out all 3 references'* ]]
}

invalid_trace() {
    trace invalid.trace '@ mappings complete' '@ map 7 0x4000+8K r-- file=/lib/x offset=4K' \
        '@ map 7 0x100000+64K rw- private' '@ fork 7 child=8' '7 R 0x4010 4' '7 W 0x100000 8' \
        '8 W 0x4010 4' '8 R 0x100000 4' '7 R 0x4000 4' '@ fork 8 child=10' '10 R 0x100000 1' \
        '7 R 0x6ff0'
    first='reference 3: process 8 writes to 0x4010, which its mapping forbids: 0x4000-0x6000 r--, private, file /lib/x from 0x1000 on'
}

@test "--invalid count: the first invalid reference is told, and the run goes on" {
    invalid_trace
    run --separate-stderr vmm -t invalid.trace -o invalid.json
    [ "$status" -eq 0 ]
    [ "$stderr" = "vmm: warning: 2 page references are invalid, the first: $first" ]
    [[ $output == *"Invalid References:"*"First:           $first"* ]]
    [[ $output != *Killed:* ]]
    grep -qF "\"text\": \"$first\"" invalid.json
    grep -q '"end": "complete"' invalid.json
}

@test "--invalid stop: the run ends with the first invalid reference, and exit status 2" {
    invalid_trace
    local policy
    for policy in clock opt vmin; do
        run --separate-stderr vmm -t invalid.trace --invalid stop -a "$policy" -o invalid.json
        [ "$status" -eq 2 ]
        [ "$stderr" = "vmm: error: $first" ]
        [[ $output =~ Total:\ +3$'\n' ]]
        [[ $output == *"Simulation ended early: a reference is invalid"* ]]
        grep -q '"end": "invalid"' invalid.json
    done
    for command in mrc compare; do
        run --separate-stderr vmm "$command" -t invalid.trace --invalid stop
        [ "$status" -eq 2 ]
        [ "$stderr" = "vmm: error: $first" ]
    done
}

@test "--invalid kill: the process is killed, and what it does later is dropped" {
    invalid_trace
    run --separate-stderr vmm -t invalid.trace --invalid kill
    [ "$status" -eq 0 ]
    [ "${stderr_lines[0]}" = "vmm: warning: 2 page references are invalid, the first: $first" ]
    [ "${stderr_lines[1]}" = "vmm: warning: 2 processes were killed for that, and 2 later references were dropped" ]
    [[ $output =~ Killed:\ +2\ .*Dropped:\ +2\  ]]
    run --separate-stderr vmm mrc -t invalid.trace --invalid kill --sample-rate 0.5
    [ "$status" -eq 1 ]
    [[ $stderr == *"a sample does not see every invalid reference, so that invalid can only be count"* ]]
}

# ---- Limits and pressure -------------------------------------------------------------------------

# Process 1 reads six pages, process 2 three.
two_processes() {
    trace two.trace '1 R 0x1000' '1 R 0x2000' '1 R 0x3000' '1 R 0x4000' '1 R 0x5000' '1 R 0x6000' \
        '2 R 0x1000' '2 R 0x2000' '2 R 0x3000'
}

@test "a group that is at its limit gives up its own pages, and both reports tell of it" {
    two_processes
    works -t two.trace --frames 100 -a lru --groups small=16K:1,9+large=1M:2 -o out.json
    printf '%s\n' "${lines[@]}" >report
    grep -q '^Limits and Pressure:' report
    grep -qE '^  At limits: +2 ' report
    grep -qE '^  small: +4 of 4 pages, at most 4; 2 left at the limit, 0 when memory' report
    grep -qE '^  large: +3 of 100 pages, at most 3; 0 left' report
    grep -q '"name": "small", "limit": 4, "processes": 1, "resident": 4' out.json
    grep -q '"limit_reclaims": 2,$' out.json
}

@test "--resident-limit is for each process, and config files take it" {
    two_processes
    echo 'resident-limit = 8K' >small.conf
    works -t two.trace --frames 100 -a fifo --config small.conf -o out.json
    grep -q '"frames_used": 4,' out.json
    grep -q '"limit_reclaims": 5,' out.json
    grep -q '"groups": \[\]' out.json
}

@test "--free-low evicts in the background, at no stall" {
    two_processes
    works -t two.trace --frames 6 -a fifo --free-low 8K --free-high 8K -o out.json
    printf '%s\n' "${lines[@]}" >report
    grep -qE '^  Woken: +5 ' report
    grep -qE '^  Background: +5 ' report
    grep -q '"background_reclaims": 5,' out.json
    grep -q '"frames_used": 4,' out.json
}

@test "when swap is full, the message and both reports name the process that a kernel would kill" {
    trace full.trace '1 W 0x1000' '2 W 0x1000' '2 W 0x2000' '2 W 0x3000' '1 W 0x2000'
    run --separate-stderr vmm -t full.trace --frames 2 -a fifo -s 8K -o out.json
    [ "$status" -eq 1 ]
    [[ $stderr == *"swap is full; a kernel would kill process 2 (pages: 2 in memory, 1 in swap, 1 of page tables); give more swap or memory"* ]]
    [[ $output =~ Victim:\ +process\ 2,\ which\ a\ kernel\ would\ kill ]]
    grep -q '"oom_victim": {"pid": 2, "resident": 2, "swapped": 1, "page_table": 1}' out.json
    works -t good.trace -o out.json
    grep -q '"oom_victim": null' out.json
}

@test "locked pages come in at once and stay; when all frames are locked, memory is out" {
    trace locked.trace '@ map 1 0x1000+8K rw- private' '@ lock 1 0x1000+8K' '1 R 0x1000' \
        '@ map 1 0x10000+64K rw- private' '1 W 0x10000 64K' '1 R 0x2000'
    local policy
    for policy in lru mru opt unopt ws vmin clock; do
        run --separate-stderr vmm -t locked.trace --frames 3 -a "$policy"
        [ "$status" -eq 0 ]
        [[ $output == *"By the kernel:   2 "* ]]
        [[ $output == *"Misses:          18 "* ]]
        [[ $output == *"Locked frames:   2"* ]]
    done
    run --separate-stderr vmm -t locked.trace --frames 2
    [ "$status" -eq 1 ]
    [ "$stderr" = "vmm: error: out of memory in the simulated machine: a page must come in, and all frames hold locked ones; give more memory, or lock less" ]
}
@test "populated mappings come in at once, and their faults count" {
    trace populated.trace '@ mappings complete' '@ map 1 0x10000+16K rw- private populate' \
        '@ map 1 0x20000+8K --- private populate' '1 R 0x10000'
    vmm -t populated.trace --frames 8 -q -o out.json >/dev/null
    [ "$(counter frames_used_peak out.json)" -eq 4 ]
    [ "$(counter page_faults out.json)" -eq 4 ]
    [ "$(counter kernel_references out.json)" -eq 4 ]
    [ "$(counter accesses out.json)" -eq 1 ]
}
