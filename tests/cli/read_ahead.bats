#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vmm sim --read-ahead: pages of files that come in before they are asked for.
# shellcheck disable=SC2154

load common
setup() { start; }

# A file of 64 pages, read from its beginning to its end; what is told of it before.
walk() {
    printf '@ map 1 0x100000+256K r-- file=data.db\n' >walk.trace
    printf '%s\n' "$@" >>walk.trace
    for page in $(seq 0 63); do
        printf '1 R 0x%x\n' $((0x100000 + 4096 * page)) >>walk.trace
    done
}

counters() {
    python3 -c 'import json, sys; r = json.load(open("r.json")); print(*(r[n] for n in sys.argv[1:]))' "$@"
}

@test "a file that is read in order is read in windows, and without read-ahead page by page" {
    walk
    works -t walk.trace --frames 100 -a lru -o r.json
    [ "$(counters major_faults pages_read_ahead)" = "64 0" ]
    # 0 to 31 with the first fault, marked at 24; from there 32 to 63.
    works -t walk.trace --frames 100 -a lru -o r.json --read-ahead linux
    [ "$(counters major_faults pages_read_ahead read_ahead_requests read_ahead_hits)" = "1 63 1 63" ]
    works -t walk.trace --frames 100 -a lru -o r.json --read-ahead 128K
    [ "$(counters major_faults pages_read_ahead read_ahead_requests read_ahead_hits)" = "1 63 1 63" ]
}

@test "madvise chooses the windows, and WILLNEED reads all of them" {
    walk '@ advise 1 0x100000+256K advice=sequential'
    works -t walk.trace --frames 100 -a lru -o r.json --read-ahead linux
    [ "$(counters major_faults pages_read_ahead)" = "1 63" ]
    walk '@ advise 1 0x100000+256K advice=random'
    works -t walk.trace --frames 100 -a lru -o r.json --read-ahead linux
    [ "$(counters major_faults pages_read_ahead)" = "64 0" ]
    walk '@ advise 1 0x100000+256K advice=willneed'
    works -t walk.trace --frames 100 -a lru -o r.json --read-ahead linux
    [ "$(counters major_faults pages_read_ahead read_ahead_requests)" = "0 64 1" ]
}

@test "policies that see the future or have no frames of their own get nothing ahead" {
    walk
    for policy in opt ws; do
        run --separate-stderr vmm -t walk.trace --frames 100 -a "$policy" -o r.json --read-ahead linux
        [ "$status" -eq 0 ]
        [ "$stderr" = "vmm: warning: nothing is read ahead: $policy takes pages only when they are referenced" ]
        [ "$(counters major_faults pages_read_ahead)" = "64 0" ]
    done
}

@test "--read-ahead says what it takes" {
    walk
    fails 1 'read-ahead: found "windows", expected a size such as 4096, 4K or 2M' \
        vmm -t walk.trace --read-ahead windows
    fails 1 'read-ahead: "1G" is out of range, expected' vmm -t walk.trace --read-ahead 1G
}

@test "where nothing is read ahead, or nothing is known of it, that is told" {
    printf '@ map 1 0x10000+64K r-- file=data\n1 R 0x10000\n' >ahead.trace
    run --separate-stderr vmm -t ahead.trace -a opt --frames 8 --read-ahead linux
    [ "$status" -eq 0 ]
    [[ $stderr == 'vmm: warning: nothing is read ahead: opt takes pages only when they are referenced' ]]
    run --separate-stderr vmm -t ahead.trace -a lru --frames 8 --read-ahead linux
    [ -z "$stderr" ]
    run --separate-stderr vmm mrc -t ahead.trace --read-ahead linux --groups a=64K:1
    [ "$status" -eq 0 ]
    [[ $stderr == *'--groups is unknown to exact curves'*'--read-ahead is unknown to exact curves'* ]]
    run --separate-stderr vmm mrc -t ahead.trace
    [ -z "$stderr" ]
}
