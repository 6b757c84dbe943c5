#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Files that are written: never over an input, never by halves, never at the cost of the old one.
# shellcheck disable=SC2154

load common
# The folder of a test holds files of bats, too.
setup() {
    start
    mkdir files && mv good.trace files
    cd files || return 1
}
# same_names: the folder has the names that it had when `ls -A >../before` was said.
same_names() { ls -A | diff ../before -; }

# ---- One file under two names --------------------------------------------------------------------
# unharmed FLAGS...: refused as the same file, with good.trace and vmm.conf as they were, and
# nothing new.
unharmed() {
    cp good.trace expected.trace
    echo 'ram = 4' >vmm.conf
    ls -A >../before
    fails 1 'are the same file' vmm "$@"
    [ -z "$output" ]
    cmp good.trace expected.trace
    [ "$(cat vmm.conf)" = 'ram = 4' ]
    same_names
}
@test "-o the trace" { unharmed -t good.trace -o good.trace; }
@test "--csv the trace" { unharmed -t good.trace --csv good.trace; }
@test "--csv the trace, appending" { unharmed -t good.trace --csv good.trace --csv-append; }
@test "-o the trace by another path" { unharmed -t good.trace -o "$PWD/../${PWD##*/}/./good.trace"; }
@test "-o a hard link to the trace" {
    ln good.trace hard
    unharmed -t good.trace -o hard
}
@test "-o a symbolic link to the trace" {
    ln -s good.trace soft
    unharmed -t good.trace -o soft
    unharmed -t soft -o good.trace
}
@test "-o the trace that standard input reads" { unharmed -t - -o good.trace <good.trace; }
@test "-o the configuration" { unharmed -t good.trace --config vmm.conf -o vmm.conf; }
@test "--csv the configuration" { unharmed -t good.trace --config vmm.conf --csv vmm.conf; }
@test "-o and --csv of one name that does not exist yet" {
    unharmed -t good.trace -o new --csv new
    unharmed -t good.trace -o new --csv ./new
}
@test "-o and --csv of one name through a link that leads nowhere yet" {
    ln -s new link
    unharmed -t good.trace -o link --csv new
}
@test "-o and --csv of one file that exists" {
    echo old >old
    unharmed -t good.trace -o old --csv old
    [ "$(cat old)" = old ]
}
@test "compare: every pair of files" {
    ln -s good.trace trace.svg
    unharmed compare -t good.trace -o good.trace
    unharmed compare -t good.trace --csv good.trace
    unharmed compare -t good.trace --config vmm.conf -o vmm.conf
    unharmed compare -t good.trace -o new --csv new
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    unharmed compare -t good.trace --plot trace.svg
    unharmed compare -t good.trace --plot new.svg -o new.svg
    unharmed compare -t good.trace --plot new.svg --csv new.svg
}
@test "files of one name in different folders are two files" {
    mkdir a b
    works -t good.trace -o a/x --csv b/x
    [ -s a/x ] && [ -s b/x ]
    works -t good.trace -o /dev/null --csv /dev/null
}

# ---- Whole or not at all -------------------------------------------------------------------------
# limited FLAGS...: vmm with files of at most 1 KiB, which no report fits into.
limited() {
    run --separate-stderr bash -c 'ulimit -f 1 && exec "$0" "$@"' "$bin/vmm" "$@"
    [ "$status" -eq 1 ]
    [[ $stderr == *"cannot write '"*"': File too large"* ]]
}
@test "a report that does not fit leaves the old one, and no other file" {
    echo old | tee old.json >old.csv
    ls -A >../before
    limited -t good.trace -o old.json
    limited -t good.trace --csv old.csv
    limited compare -t good.trace -a all -o old.json
    [ "$(cat old.json old.csv)" = $'old\nold' ]
    same_names
}
@test "a report that does not fit leaves no new file" {
    ls -A >../before
    limited -t good.trace -o new.json
    limited -t good.trace --csv new.csv
    same_names
}
@test "a picture that does not fit leaves the old one" {
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    echo old >old.svg
    limited compare -t good.trace --frames 1,2 --plot old.svg
    [ "$(cat old.svg)" = old ]
}
@test "rows that do not fit are taken back from a file that is appended to" {
    vmm -t good.trace --csv all.csv >/dev/null
    local full=$((1024 * ($(stat -c %s all.csv) / 1024 + 1)))
    while [ "$(stat -c %s all.csv)" -lt $full ]; do
        vmm -t good.trace --csv all.csv --csv-append >/dev/null
    done
    cp all.csv expected.csv
    run --separate-stderr bash -c 'ulimit -f "$1" && exec "$0" "${@:2}"' "$bin/vmm" \
        $(($(stat -c %s all.csv) / 1024 + 1)) compare -t good.trace -a all --csv all.csv --csv-append
    [ "$status" -eq 1 ]
    [[ $stderr == *'File too large'* ]]
    cmp all.csv expected.csv
}
@test "a run that is killed leaves the old files, and no other" {
    mkfifo pipe
    echo old >old.json
    ls -A >../before
    "$bin/vmm" -t pipe --format native -o old.json --csv new.csv >/dev/null &
    local pid=$!
    exec 5>pipe
    # Returns when most of it is read: the run has begun.
    awk 'BEGIN { for (i = 0; i < 100000; i++) print "0 R 0x1000" }' >&5
    kill -KILL $pid
    wait $pid || true
    exec 5>&-
    [ "$(cat old.json)" = old ]
    same_names
}
@test "the new file has the rights of the old one, or those that umask leaves" {
    umask 027
    echo old >old.json
    chmod 604 old.json
    works -t good.trace -o old.json --csv new.csv
    [ "$(stat -c %a old.json)" = 604 ]
    [ "$(stat -c %a new.csv)" = 640 ]
}
@test "a symbolic link stays, and the file it leads to is written" {
    mkdir folder
    echo old >folder/real.json
    ln -s folder/real.json link.json
    ln -s folder/new.csv link.csv
    works -t good.trace -o link.json --csv link.csv
    [ -L link.json ] && [ -L link.csv ]
    [ "$(counter accesses folder/real.json)" -eq 3 ]
    [ "$(wc -l <folder/new.csv)" -eq 2 ]
    [ "$(ls -A folder | sort | paste -sd' ')" = 'new.csv real.json' ]
}
@test "what is no file is written directly: a FIFO, /dev/stdout" {
    mkfifo fifo
    vmm -t good.trace -o fifo >/dev/null &
    python3 -m json.tool fifo >/dev/null
    wait $!
    [ -p fifo ]
    vmm -t good.trace -o /dev/stdout >both
    grep -q 'completed successfully' both
    sed '1,/completed successfully/d' both | python3 -m json.tool >/dev/null
    vmm -t good.trace -o /dev/stdout | sed '1,/completed successfully/d' | python3 -m json.tool >/dev/null
}
