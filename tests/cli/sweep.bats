#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vmm sweep from outside: lists, ranges, files, and what goes wrong. tests/sweep has the numbers.
# shellcheck disable=SC2154

load common
setup() {
    start
    pages belady.trace 256 1 2 3 4 1 2 5 1 2 3 4 5
}

# column NAME FILE: the values of a column, in a line.
column() {
    python3 -c 'import csv, sys
print(*[row[sys.argv[1]] for row in csv.DictReader(open(sys.argv[2]))])' "$1" "$2"
}

@test "the product, by hand" {
    works sweep -t belady.trace -a fifo,lru --frames 3,4,5 --csv out.csv
    [ "$output" = "6 configurations in out.csv: 6 run, 0 kept" ]
    [ "$(column config.policy out.csv)" = "fifo fifo fifo lru lru lru" ]
    [ "$(column config.frames out.csv)" = "3 4 5 3 4 5" ]
    [ "$(column misses out.csv)" = "9 10 5 10 8 5" ]
    works sweep -t belady.trace -a fifo,lru --frames 3,4,5
    diff out.csv - <<<"$output"
}
@test "what cannot share a decoding varies slowest" {
    works sweep -a lru,fifo -p 4K,8K belady.trace good.trace --csv out.csv
    [ "$(column trace.path out.csv | tr ' ' '\n' | uniq | xargs)" = "belady.trace good.trace" ]
    [ "$(column config.page-size out.csv)" = "4K 4K 8K 8K 4K 4K 8K 8K" ]
    [ "$(column config.policy out.csv)" = "lru fifo lru fifo lru fifo lru fifo" ]
}
@test "ranges" {
    works sweep -t belady.trace --frames 2..16*2,5,20..32+5 --csv out.csv
    [ "$(column config.frames out.csv)" = "2 4 8 16 5 20 25 30" ]
    works sweep -t belady.trace -r 8K..32K*2 --csv ram.csv
    [ "$(column config.ram ram.csv)" = "8K 16K 32K" ]
    works sweep -t belady.trace -r 4K..12K+4096B --csv step.csv
    [ "$(column config.ram step.csv)" = "4K 8K 12K" ]
    local range
    for range in 4..2*2 4..8 4..8*1 4..8*0 4..8*x 4..8*; do
        fails 1 "$range" vmm sweep -t belady.trace --frames $range
        [[ $stderr == *"FIRST..LAST"* ]]
    done
    fails 1 'expected a whole number' vmm sweep -t belady.trace --frames x..8*2
    fails 1 'out of range' vmm sweep -t belady.trace --frames 4..8+0
    fails 1 'more than 1000000 configurations' vmm sweep -t belady.trace --frames 1..4000000000+1
}
@test "an experiment file, and flags that replace its lists" {
    cat >tlb.conf <<'END'
# two shapes
trace = belady.trace
trace = good.trace
policy = lru, clock:bits=2,enter=0 # parameters stay with their policy
tlb-size/tlb-ways = 2/2, 4/1, 4/full
frames = 3
END
    works sweep -e tlb.conf --csv out.csv
    [ "$(column config.tlb-size out.csv)" = "2 4 4 2 4 4 2 4 4 2 4 4" ]
    [ "$(column config.tlb-ways out.csv)" = "2 1 full 2 1 full 2 1 full 2 1 full" ]
    works sweep -e tlb.conf --frames 4,5 -a fifo -t good.trace --csv flags.csv
    [ "$(column trace.path flags.csv | tr ' ' '\n' | uniq)" = good.trace ]
    [ "$(column config.policy flags.csv | tr ' ' '\n' | uniq)" = fifo ]
    [ "$(column config.frames flags.csv)" = "4 5 4 5 4 5" ]
    fails 1 'together with other options' vmm sweep -e tlb.conf --tlb-size 8
}
@test "mistakes in an experiment file name the line" {
    experiment() {
        local text=$1
        shift
        printf '%s\n' 'trace = belady.trace' "$@" >bad.conf
        fails 1 "$text" vmm sweep -e bad.conf
        [[ $stderr == *bad.conf:$#* || $stderr == *bad.conf:$(($# + 1))* ]]
    }
    experiment 'no option "polcy"' 'polcy = lru'
    experiment 'the list is empty' 'policy ='
    experiment 'a value is missing between two commas' 'frames = 1,,2'
    experiment 'found "policy lru"' 'policy lru'
    experiment 'found "= lru"' '= lru'
    experiment 'stands twice' 'frames = 4, 5, 4'
    experiment 'has its values already' 'frames = 4' 'frames = 5'
    experiment 'has not 2 parts' 'tlb-size/tlb-ways = 4/4/4'
    experiment 'has not 2 parts' 'tlb-size/tlb-ways = 4'
    experiment 'expected a whole number' 'frames = many'
    experiment 'there is no policy' 'policy = lru, nosuch'
    fails 1 'cannot open the experiment' vmm sweep -e nowhere.conf
}
@test "mistakes on the command line" {
    fails 1 'no trace is named' vmm sweep -a lru
    fails 1 'there is no policy "lur"; did you mean lru?' vmm sweep -t belady.trace -a lur
    fails 1 'no parameter "bist"; did you mean bits?' vmm sweep -t belady.trace -a clock:bist=2
    fails 1 'unknown flag --polcy' vmm sweep -t belady.trace --polcy lru
    fails 1 'the list is empty' vmm sweep -t belady.trace --frames ''
    fails 1 'a value is missing' vmm sweep -t belady.trace -a lru,,fifo
    fails 1 'stands twice' vmm sweep -t belady.trace --frames 4,4
    fails 1 'named twice' vmm sweep belady.trace belady.trace
    fails 1 'exclude each other' vmm sweep -t belady.trace --frames 4 -r 1M
    fails 1 'exclude each other' vmm sweep -t belady.trace --csv a --sqlite b
    fails 1 'from 1 to 256' vmm sweep -t belady.trace --jobs 0
    fails 1 'from 1 to 256' vmm sweep -t belady.trace --block x
    fails 1 'auto, always or never' vmm sweep -t belady.trace --progress perhaps
    fails 1 'standard input' vmm sweep -t - </dev/null
    fails 1 'is no file' vmm sweep -t /dev/null
    fails 1 'cannot open' vmm sweep -t nowhere.trace
    fails 1 'same file' vmm sweep -t belady.trace --csv belady.trace
    fails 1 'does not divide' vmm sweep -t belady.trace --tlb-size 16 --tlb-ways 5,3
    printf 'not a trace\n' >bad.trace
    fails 2 'bad.trace' vmm sweep belady.trace bad.trace --csv out.csv
    [ ! -e out.csv ]
}
@test "many configurations get a warning, too many are refused" {
    fails 1 'more than 1000000' vmm sweep -t belady.trace --seed 1..1000+1 --frames 1..1001+1
    vmm sweep -t belady.trace -n 1 --tlb off --frames 1..10001+1 --block 256 --csv many.csv 2>said
    grep -q 'warning: .*multiply to 10001 configurations' said
    [ "$(wc -l <many.csv)" -eq 10002 ]
}
@test "options that contradict each other have a row that says so" {
    run --separate-stderr vmm sweep -t belady.trace --frames 4 --tlb-size 4,6 --tlb-ways 2,4 \
        --csv out.csv
    [ "$status" -eq 0 ]
    [[ $stderr == *"1 of 4 configurations could not be run"* ]]
    [ "$(column end out.csv)" = "complete complete complete failed" ]
    [ "$(column misses out.csv)" = "10 10 10 " ]
    [[ $(column error out.csv) == *"tlb-ways 4 does not divide"* ]]
    cp out.csv before.csv
    vmm sweep -q -t belady.trace --frames 4 --tlb-size 4,6 --tlb-ways 2,4 --csv out.csv
    cmp out.csv before.csv
}
@test "a full swap has its row, and the sweep goes on" {
    printf '%s\n' '0 W 0x1000' '0 W 0x2000' '0 W 0x3000' '0 W 0x4000' '0 R 0x1000' >w.trace
    run --separate-stderr vmm sweep -t w.trace -a lru,opt --frames 1,2,4 -s 4K,unlimited --csv o.csv
    [ "$status" -eq 0 ]
    [[ $stderr == *"4 of 12 configurations ran out of swap"* ]]
    [ "$(column end o.csv | tr ' ' '\n' | sort | uniq -c | xargs)" = "8 complete 4 out_of_memory" ]
    [[ $(column error o.csv) == *"swap"* ]]
}
@test "what one machine cannot be given leaves the others alone" {
    vmm trace reduce -k 2 good.trace -o reduced.vmt
    run vmm sweep -t reduced.vmt -a lru,fifo --frames 2,3 --tlb off --csv out.csv
    [ "$status" -eq 0 ]
    [ "$(column end out.csv)" = "complete complete failed failed" ]
    [[ $(column error out.csv) == *"the policy is not lru"* ]]
}
@test "a trace that is bad further on: its rows say so, the others are run" {
    { cat belady.trace && echo 'nonsense'; } >late.trace
    run --separate-stderr vmm sweep late.trace good.trace -a lru,opt --csv out.csv
    [ "$status" -eq 2 ]
    [[ $stderr == *"late.trace:13"* ]]
    [ "$(column end out.csv)" = "failed failed complete complete" ]
    run --separate-stderr vmm sweep late.trace good.trace -a lru,opt --csv skip.csv \
        --skip-bad-records
    [ "$status" -eq 0 ]
    [ "$(column end skip.csv)" = "complete complete complete complete" ]
    [[ $stderr == *"1 bad record was left out"* ]]
    # repaired: only what failed is run again
    cp belady.trace late.trace
    run vmm sweep late.trace good.trace -a lru,opt --csv out.csv
    [ "$status" -eq 0 ]
    [[ $output == *"2 run, 2 kept"* ]]
}
@test "a file of another experiment is not touched" {
    vmm sweep -t belady.trace -a lru --frames 3,4 --csv out.csv
    cp out.csv before.csv
    refused() {
        fails 1 "$1" vmm sweep -t belady.trace "${@:2}" --csv out.csv
        [[ $stderr == *--restart* ]]
        cmp out.csv before.csv
    }
    refused 'not the header' --frames 3,4
    refused 'row 1 is of another experiment' -a fifo --frames 3,4
    refused 'row 2 is of another experiment' -a lru --frames 3
    printf 'seed = 7\n' >seed.conf
    refused 'row 1 is of another experiment' -a lru --frames 3,4 --config seed.conf
    echo 'important' >out.csv && cp out.csv before.csv
    refused 'not the header' -a lru --frames 3,4
    printf 'no' >out.csv && cp out.csv before.csv
    refused 'not the header' -a lru --frames 3,4
    works sweep -t belady.trace -a lru --frames 3,4 --csv out.csv --restart
    sed -i '3s/,4,/,5,/' out.csv && cp out.csv before.csv
    refused 'row 2 was changed' -a lru --frames 3,4
    works sweep -t belady.trace -a lru --frames 3,4 --csv out.csv --restart
    sed -n 2p out.csv >>out.csv && cp out.csv before.csv
    refused 'row 3 stands twice' -a lru --frames 3,4
}
@test "files that cannot be written" {
    fails 1 'nowhere/out.csv' vmm sweep -t belady.trace --csv nowhere/out.csv
    fails 1 'No space left' vmm sweep -t belady.trace -a lru,fifo --csv /dev/full
    fails 1 'No space left' bash -c "'$bin/vmm' sweep -t belady.trace -a lru,fifo >/dev/full"
    mkdir folder
    fails 1 'folder' vmm sweep -t belady.trace --csv folder
}
@test "a disk that fills up keeps the rows there are" {
    run --separate-stderr bash -c "ulimit -f 2; exec '$bin/vmm' sweep -t belady.trace -a lru,fifo \
        --frames 2..8+1 --block 2 -j 1 --csv out.csv"
    [ "$status" -eq 1 ]
    [[ $stderr == *"cannot write 'out.csv'"* ]]
    [[ $stderr == *"the same command goes on from there"* ]]
    [ "$(tail -c 1 out.csv | od -An -tx1)" = " 0a" ]
    [ "$(wc -l <out.csv)" -gt 2 ]
    vmm sweep -t belady.trace -a lru,fifo --frames 2..8+1 --csv out.csv
    vmm sweep -t belady.trace -a lru,fifo --frames 2..8+1 --csv whole.csv
    cmp out.csv whole.csv
}
@test "two sweeps do not write to one file" {
    vmm sweep -t belady.trace -a lru --csv out.csv
    exec 8<>out.csv
    flock 8
    fails 1 'another sweep is writing to it' vmm sweep -t belady.trace -a lru --csv out.csv
}
@test "progress in lines, where it is asked for" {
    vmm sweep -t belady.trace -a lru,fifo,opt --block 1 -j 1 --progress always --csv out.csv 2>said
    [ "$(wc -l <said)" -eq 3 ]
    grep -q '^vmm: 2 of 3 configurations, 67 %  [0-9]* s left$' said
}
@test "a name of a trace that needs quotes" {
    cp belady.trace 'a, "b".trace'
    works sweep 'a, "b".trace' -a lru,fifo --csv out.csv
    [ "$(column trace.path out.csv)" = 'a, "b".trace a, "b".trace' ]
    works sweep 'a, "b".trace' -a lru,fifo --csv out.csv
    [ "$output" = "2 configurations in out.csv: 0 run, 2 kept" ]
}
@test "a build without SQLite says so" {
    [[ $(vmm --version) != *sqlite* ]] || skip "this build has SQLite"
    fails 1 'this build is without SQLite' vmm sweep -t belady.trace --sqlite out.db
    [ ! -e out.db ] && [ ! -e out.db.partial ]
}
@test "a database that is something else is not touched" {
    [[ $(vmm --version) == *sqlite* ]] || skip "this build is without SQLite"
    echo 'text' >text.db
    fails 1 'something else' vmm sweep -t belady.trace --sqlite text.db
    [ "$(cat text.db)" = text ]
    python3 -c 'import sqlite3; d = sqlite3.connect("other.db"); d.execute("CREATE TABLE mine (x)")'
    fails 1 'something else' vmm sweep -t belady.trace --sqlite other.db
    vmm sweep -t belady.trace -a lru --sqlite out.db
    fails 1 'columns are not those' vmm sweep -t belady.trace --frames 3 --sqlite out.db
    fails 1 'another experiment' vmm sweep -t belady.trace -a fifo --sqlite out.db
    works sweep -t belady.trace -a fifo --sqlite out.db --restart
    fails 1 'No such file' vmm sweep -t belady.trace --sqlite nowhere/out.db
}
