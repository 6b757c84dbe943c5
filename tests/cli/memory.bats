#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vmm sim --memory: the memory of processes over time.
# shellcheck disable=SC2154

load common
setup() { start; }

# Five references of two processes, two frames: what is in memory after 2, 4 and 5 of them.
five() {
    printf '%s\n' '1 W 0x1000' '1 R 0x2000' '2 R 0x1000' '2 W 0x2000' '1 R 0x1000' >five.trace
}

@test "--memory has a point behind each so many references, and one at the end" {
    five
    works -t five.trace --frames 2 -a fifo --pt-type SINGLE --memory m.csv --memory-every 2
    cut -d, -f 1-9,11- m.csv >found.csv
    diff found.csv - <<'END'
references,pid,rss,rss_anonymous,rss_file,rss_shared,uss,pss,swap,frames_shared,frames_used,frames_free
2,1,2,2,0,0,2,2.000,0,,,
2,all,2,2,0,0,2,2.000,0,0,2,0
4,1,0,0,0,0,0,0.000,1,,,
4,2,2,2,0,0,2,2.000,0,,,
4,all,2,2,0,0,2,2.000,1,0,2,0
5,1,1,1,0,0,1,1.000,0,,,
5,2,1,1,0,0,1,1.000,0,,,
5,all,2,2,0,0,2,2.000,0,0,2,0
END
}

@test "--memory changes no result, for policies with two passes too, and both engines write the same" {
    make_events events.vmt
    for policy in lru opt; do
        vmm -q -t events.vmt --frames 3 -a "$policy" --no-timing -o plain.json >/dev/null
        vmm -q -t events.vmt --frames 3 -a "$policy" --no-timing -o series.json \
            --memory m.csv --memory-every 7 >/dev/null
        cmp plain.json series.json
        vmm -q -t events.vmt --frames 3 -a "$policy" --engine generic \
            --memory generic.csv --memory-every 7 >/dev/null
        cmp m.csv generic.csv
        [ "$(wc -l <m.csv)" -gt 20 ]
    done
}

@test "--memory-every wants a number and a file" {
    fails 1 'expected a number of references, 1 or more' vmm -t good.trace --memory m.csv --memory-every 0
    fails 1 'expected a number of references, 1 or more' vmm -t good.trace --memory m.csv --memory-every x
    fails 1 'needs --memory FILE' vmm -t good.trace --memory-every 5
    fails 1 'are the same file' vmm -t good.trace --memory good.trace
    [ ! -e m.csv ]
}
