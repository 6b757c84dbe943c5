#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vmm compare: the table, its files and its pictures.
# shellcheck disable=SC2154

load common
setup() {
    start
    pages belady.trace 256 1 2 3 4 1 2 5 1 2 3 4 5
}

@test "the table, by hand" {
    works compare -t belady.trace -a fifo,lru,clock,opt --frames 3,4,5
    diff - <(printf '%s\n' "$output") <<'END'
misses and miss ratio, belady.trace: 12 references (12 page references) to 5 pages of 4K

policy    3 frames     4 frames    5 frames
fifo     9  75.00%*  10  83.33%   5  41.67%
lru     10  83.33%    8  66.67%*  5  41.67%
clock    9  75.00%*  10  83.33%   5  41.67%
opt      7  58.33%    6  50.00%   5  41.67%

* best of its column; opt knows the future: no policy can miss less
END
}
@test "the cells are those of single runs" {
    local policy frames
    python3 - <<'END'
import random
random.seed(2)
with open("random.trace", "w") as out:
    for _ in range(30000):
        page = int(random.paretovariate(0.6)) % 700
        out.write(f"{random.randrange(2)} {random.choice('RRW')} 0x{page << 12:x}\n")
END
    vmm compare -t random.trace -a fifo,clock:bits=2,enter=0,random,opt --frames 50,100 \
        --csv all.csv >/dev/null
    for policy in fifo clock:bits=2,enter=0 random opt; do
        for frames in 50 100; do
            vmm -t random.trace -a $policy --frames $frames --csv one.csv \
                --config-name "$policy/$frames" --no-timing >/dev/null
            python3 - <<'END'
import csv
one, = csv.DictReader(open("one.csv"))
same = [row for row in csv.DictReader(open("all.csv")) if row["config"] == one["config"]]
assert len(same) == 1, same
one["runtime_ms"] = same[0]["runtime_ms"] = ""
assert one == same[0], {k: (one[k], same[0][k]) for k in one if one[k] != same[0][k]}
END
        done
    done
}
@test "a comma within a policy's parameters is no separator" {
    works compare -t belady.trace -a clock:bits=2,enter=0,lru,approxlru:period=10,bits=16 --frames 3
    [ "${lines[2]%% *}" = clock:bits=2,enter=0 ]
    [ "${lines[3]%% *}" = lru ]
    [ "${lines[4]%% *}" = approxlru:period=10,bits=16 ]
    [ "${#lines[@]}" -le 6 ]
}
@test "sizes of memory, and more machines than fit one chunk" {
    works compare -t belady.trace -a all -r 4K,8K,12K,16K,20K,24K,28K,32K,1M --csv - --no-timing
    [ "${#lines[@]}" -eq $(($(vmm list policies --json | grep -c '"name"') * 9 + 1)) ]
    printf '%s\n' "${lines[@]}" >file.csv
    vmm compare -t - -a all -r 4K,8K,12K,16K,20K,24K,28K,32K,1M --csv - --no-timing \
        <belady.trace | sed 's/,-,native,/,belady.trace,native,/' >pipe.csv
    cmp file.csv pipe.csv
    run vmm compare -t belady.trace -r 16K,1
    [[ ${lines[1]} =~ ^policy\ +16K\ +1M$ ]]
    [[ ${lines[2]} =~ ^fifo\ +10\ +83.33%\ +5\ +41.67%$ ]]
}
@test "the head counts references and page references, of a machine that saw all of them" {
    trace cross.trace '0 W 0x1ffc 8' '0 W 0x3000' '0 W 0x4000' '0 R 0x1000'
    run --separate-stderr vmm compare -t cross.trace -a fifo,lru --frames 1,4 -s 4K
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = 'misses and miss ratio, cross.trace: 4 references (5 page references) to 4 pages of 4K' ]
}
@test "--metric shows any counter" {
    works compare -t belady.trace -a fifo,lru --frames 4 --metric replacements
    [[ ${lines[0]} == replacements,* ]]
    [[ ${lines[2]} =~ ^fifo\ +6$ ]]
    [[ ${lines[3]} =~ ^lru\ +4\*$ ]]
    works compare -t belady.trace -a fifo,lru --frames 4 --metric avg_memory_access_time_ns
    [[ ${lines[3]} =~ ^lru\ +[0-9]+\.[0-9][0-9]\*$ ]]
}
@test "more hits are better, not worse" {
    pages hits.trace 256 1 2 3 1 2 3 4 5 6 1 2 3
    works compare -t hits.trace -a mru,lru --frames 4 --metric tlb_hits
    local mru lru
    mru=$(grep -o '[0-9]*\*\?$' <<<"${lines[2]}")
    lru=$(grep -o '[0-9]*\*\?$' <<<"${lines[3]}")
    [[ $mru == *'*' && ${mru%\*} -gt $lru ]] || [[ $lru == *'*' && ${lru%\*} -gt $mru ]] ||
        [ "$mru" = "$lru" ]
}
@test "-o writes an array of full reports" {
    works compare -t belady.trace -a fifo,lru --frames 3,4 -o all.json
    python3 - <<'END'
import json
reports = json.load(open("all.json"))
cells = [(r["config"]["policy"], r["config"]["frames"], r["misses"]) for r in reports]
assert cells == [("fifo", 3, 9), ("fifo", 4, 10), ("lru", 3, 10), ("lru", 4, 8)], cells
END
    vmm compare -t belady.trace -a fifo -o - | python3 -m json.tool >/dev/null
}
@test "--csv-append adds the rows" {
    vmm -t belady.trace --csv all.csv >/dev/null
    works compare -t belady.trace -a fifo,lru --frames 3,4 --csv all.csv --csv-append
    [ "$(cut -d, -f1 all.csv | paste -sd' ')" = 'config default fifo/3 fifo/4 lru/3 lru/4' ]
}
@test "the policies and sizes of a configuration file serve when no flags give them" {
    printf 'policy = lru\nframes = 4\n' >vmm.conf
    works compare -t belady.trace --config vmm.conf
    [[ ${lines[2]} =~ ^lru\ +8\ +66.67%$ ]]
    works compare -t belady.trace --config vmm.conf -r 20K -a fifo
    [[ ${lines[2]} =~ ^fifo\ +5\ +41.67%$ ]]
}
@test "--plot draws lines for several sizes and bars for one" {
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    works compare -t belady.trace -a fifo,lru,opt --frames 3,4,5 --plot lines.svg
    python3 - <<'END'
import xml.etree.ElementTree as xml
text = " ".join(xml.parse("lines.svg").getroot().itertext())
for word in ("fifo", "lru", "opt", "memory (frames of 4K)", "misses", "belady.trace", "%"):
    assert word in text, word
END
    works compare -t belady.trace -a fifo,clock:bits=2,enter=0 --frames 3 --plot bars.svg
    grep -q 'clock:bits=2,enter=0' bars.svg
    works compare -t belady.trace -a fifo,lru --frames 3,4 --plot lines.png
    [ "$(head -c 4 lines.png | od -An -tx1 | tr -d ' ')" = 89504e47 ]
}
@test "--plot of a trace with an odd name" {
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    cp belady.trace "it's 100% {_}\"odd\".trace"
    works compare -t "it's 100% {_}\"odd\".trace" -a fifo,lru --frames 3,4 --plot "a 'plot'.svg"
    grep -q "it.*s 100% {_}.*odd.*.trace: miss ratio" "a 'plot'.svg"
}
@test "--plot on a full disk" {
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    ln -s /dev/full full.svg
    run --separate-stderr vmm compare -t belady.trace --frames 3 --plot full.svg
    [ "$status" -eq 1 ]
    [[ $stderr == *"full.svg': No space left"* ]]
}

@test "policies of variable space do not compete" {
    works compare -t belady.trace -a fifo,ws:window=3,vmin:window=3 --frames 3,4
    [[ ${lines[2]} =~ ^fifo\ +9\ +75.00%\ +10\ +83.33%$ ]]
    [[ ${lines[3]} =~ ^ws:window=3\ +10\ +83.33%~\ +10\ +83.33%~$ ]]
    [[ ${lines[4]} =~ ^vmin:window=3\ +10\ +83.33%~\ +10\ +83.33%~$ ]]
    [[ $output == *"~ of variable space: as many pages as it wants, whatever the size says; in the mean ws:window=3 2.8, vmin:window=3"* ]]
}
