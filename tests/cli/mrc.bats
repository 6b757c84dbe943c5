#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vmm mrc: curves by hand, their files and pictures, and what is refused.
# shellcheck disable=SC2154

load common
setup() {
    start
    pages belady.trace 256 1 2 3 4 1 2 5 1 2 3 4 5
    printf '1 R 0x1000\n1 W 0x2000\n2 R 0x1000\n1 R 0x1000\n1 R 0x2000\n2 R 0x1000\n' >two.trace
}

@test "the LRU and OPT curves of the textbook string" {
    diff - <(vmm mrc -t belady.trace --csv -) <<'END'
frames,misses,miss_ratio,writebacks
1,12,1,0
3,10,0.833333333333,0
4,8,0.666666666667,0
5,5,0.416666666667,0
END
    diff - <(vmm mrc -t belady.trace -a opt --csv -) <<'END'
frames,misses,miss_ratio,writebacks
1,12,1,0
2,9,0.75,0
3,7,0.583333333333,0
4,6,0.5,0
5,5,0.416666666667,0
END
}
@test "the trace may be a word" {
    diff <(vmm mrc belady.trace) <(vmm mrc -t belady.trace)
}
@test "write-backs stand where pages leave" {
    diff - <(vmm mrc -t two.trace --csv -) <<'END'
frames,misses,miss_ratio,writebacks
1,6,1,1
3,3,0.5,0
END
}
@test "windows, by hand" {
    diff - <(vmm mrc -t two.trace -a ws --csv -) <<'END'
window,mean_resident,misses,miss_ratio
1,1,5,0.833333333333
2,1.5,3,0.5
END
    diff - <(vmm mrc -t two.trace -a vmin --csv -) <<'END'
window,mean_resident,misses,miss_ratio
1,1,5,0.833333333333
2,1.33333333333,3,0.5
END
}
@test "the table, knees and the small picture" {
    works mrc -t belady.trace -a lru,opt
    diff - <(printf '%s\n' "$output" | head -n 12) <<'END'
misses and miss ratio by memory size, belady.trace: 12 page references, pages of 4K

      frames                     lru                     opt
           1            12 100.00%              12 100.00%
           2            12 100.00%               9  75.00%
           4             8  66.67%               6  50.00%
           5             5  41.67% <             5  41.67% <

knees of lru: 5 (41.67%)
knees of opt: 5 (41.67%)
< a knee: halving the memory there costs far more than doubling it gains

END
    [[ $output == *'* lru   o opt'* ]]
}
@test "other policies are simulated at the sizes that are asked for" {
    works mrc -t belady.trace -a fifo --frames 4,3,3 --csv fifo.csv
    diff fifo.csv - <<'END'
frames,misses,miss_ratio,writebacks
3,9,0.75,0
4,10,0.833333333333,0
END
    works mrc -t belady.trace -a clock:bits=1,enter=0,lru --points 3 --csv c.csv
    [ "$(cut -d, -f1 c.clock-bits-1-enter-0.csv | tr '\n' ' ')" = "frames 1 2 5 " ]
    [ "$(wc -l <c.lru.csv)" -eq 5 ]
    [ ! -e c.csv ]
}
@test "each process has a file of its own, and they sum up" {
    works mrc -t two.trace --per-process --csv c.csv
    diff - c.lru.pid2.csv <<'END'
frames,misses,miss_ratio,writebacks
1,2,1,0
3,1,0.5,0
END
    [ -e c.lru.pid1.csv ] && [ -e c.lru.csv ]
    works mrc -t two.trace --per-process --scope process --csv p.csv
    diff - p.lru.pid2.csv <<'END'
frames,misses,miss_ratio,writebacks
1,1,0.5,0
END
    [[ $output == *'process 2: 2 page references'* ]]
}
@test "JSON has all curves" {
    works mrc -t belady.trace -a lru,fifo,ws --frames 3 -o -
    printf '%s' "$output" | python3 -c '
import json, sys
report = json.load(sys.stdin)
assert report["complete"] and report["page_size"] == 4096
lru, fifo, ws = report["curves"]
assert (lru["policy"], lru["method"], lru["knees"]) == ("lru", "exact", [5]), lru
assert lru["columns"] == ["frames", "misses", "miss_ratio", "writebacks"]
assert [point[:2] for point in lru["points"]] == [[1, 12], [3, 10], [4, 8], [5, 5]]
assert (fifo["method"], fifo["points"][0][:2]) == ("simulated", [3, 9]), fifo
assert ws["columns"][0] == "window" and ws["cold_misses"] == 5
'
}
@test "a sample: the interval is in the file, and the same seed gives the same bytes" {
    python3 -c '
import random
random.seed(3)
for _ in range(30000): print(int(random.paretovariate(0.4)) % 9000)' >large.pages
    vmm mrc -q -t large.pages --format pages --sample-rate 0.1 --csv a.csv >/dev/null
    vmm mrc -q -t large.pages --format pages --sample-rate 0.1 --csv b.csv --threads 0 >/dev/null
    vmm mrc -q -t large.pages --format pages --sample-rate 0.1 --seed 5 --csv c.csv >/dev/null
    cmp a.csv b.csv
    ! cmp -s a.csv c.csv
    [ "$(head -n 1 a.csv)" = frames,misses,miss_ratio,writebacks,miss_ratio_low,miss_ratio_high ]
    works mrc -t large.pages --format pages --sample-pages 500 --sample-rate 0.5 -a lru,opt
    [[ $output == *'lru (sampled)'* ]]
}
@test "a plot through gnuplot" {
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    works mrc -t belady.trace -a lru,opt,ws --plot "a curve.svg"
    grep -q '</svg>' "a curve.svg"
    grep -q '>opt<' "a curve.svg"
}
@test "events, page runs and text tell the same" {
    make_events e.vmt
    works mrc -q -t e.vmt --csv e.csv
    vmm -q -t e.vmt -a lru --frames 1 --csv run.csv >/dev/null
    python3 -c '
import csv
first = next(csv.DictReader(open("e.csv")))
run, = csv.DictReader(open("run.csv"))
assert (first["misses"], first["writebacks"]) == (run["misses"], run["swap_outs"]), (first, run)'
}
@test "a plot of each process, and the whole alone in the terminal" {
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    works mrc -t two.trace -a lru,opt --per-process --plot p.svg
    grep -q '>lru<' p.svg && grep -q '>lru, process 1<' p.pid1.svg
    grep -q '>opt, process 2<' p.pid2.svg
    [ "$(grep -c '^ *100.00% |' <<<"$output")" = 1 ]
}
@test "options that choose references count" {
    [ "$(vmm mrc -t two.trace -n 2 --csv - | tail -n 1)" = 1,2,1,0 ]
    [ "$(vmm mrc -t two.trace -p 64K --csv - | tail -n 1)" = 2,2,0.333333333333,0 ]
    fails 2 "no references to simulate" vmm mrc -t two.trace --refs fetch
}
@test "a pipe is read twice where that is needed" {
    [ "$(vmm mrc -t - -a opt --csv - <belady.trace | tail -n 1)" = 5,5,0.416666666667,0 ]
    vmm mrc -q -t - -a fifo --csv - <belady.trace | grep -q '^5,5,'
}
@test "sizes that nothing needs are told of, and help shows what counts" {
    run vmm mrc belady.trace --frames 3
    [[ $status == 0 && $output == *"--frames is left aside"* ]]
    run vmm help mrc
    [[ $output != *"--ram"* && $output == *"Machines of simulated policies"*"--tlb-size"* ]]
    run vmm help advise
    [[ $output != *"--ram"* && $output != *"--policy"* && $output != *"--tlb"* ]]
    [[ $output == *"--cost-swap-read"* ]]
}
@test "misuse" {
    fails 1 "no trace is named" vmm mrc
    fails 1 "more than one trace" vmm mrc good.trace -t belady.trace
    fails 1 "the value is empty" vmm mrc -t good.trace -a ""
    fails 1 "there is no policy \"lruu\"; did you mean lru?" vmm mrc -t good.trace -a lruu
    fails 1 "no parameter \"bist\"; did you mean bits?" vmm mrc -t good.trace -a clock:bist=2
    fails 1 "is named twice" vmm mrc -t good.trace -a lru,LRU
    fails 1 "not together with --ram" vmm mrc -t good.trace -r 4
    fails 1 "exclude each other" vmm mrc -t good.trace -a fifo --frames 3 --points 4
    fails 1 "--points is '1', expected 2 to 1000" vmm mrc -t good.trace --points 1
    fails 1 "expected above 0 and below 1" vmm mrc -t good.trace --sample-rate 1
    fails 1 "--sample-pages is 'x'" vmm mrc -t good.trace --sample-pages x
    fails 1 "only the curve of lru" vmm mrc -t good.trace -a opt --sample-rate 0.1
    fails 1 "not together with --per-process" vmm mrc -t good.trace --sample-rate 0.1 --per-process
    fails 1 "fifo has no curve of each process" vmm mrc -t good.trace -a fifo --per-process
    fails 1 "room for one curve only" vmm mrc -t good.trace -a lru,opt --csv -
    fails 1 "only one of -o and --csv" vmm mrc -t good.trace -o - --csv -
    fails 1 "does not end in .svg" vmm mrc -t good.trace --plot x.gif
    fails 1 "not of scope = process" vmm mrc -t good.trace --sample-rate 0.5 --scope process
    printf '0 R 0x1\nnonsense\n' >bad.trace
    fails 2 "bad.trace:2" vmm mrc -t bad.trace --format native
}
