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

@test "events behind the last reference have a point of their own" {
    printf '%s\n' '1 W 0x1000 8K' '@ fork 1 child=2' '2 W 0x1000' '@ exit 2' >end.trace
    works -t end.trace --frames 8 --memory m.csv --memory-every 1
    [ "$(grep ',all,' m.csv | cut -d, -f 1,3,7,11-)" = $'1,2,2,0,2,6\n2,4,2,1,3,5\n2,2,2,0,2,6' ]
}

# Pages by hand: 4 of process 1; shared by 2 processes; process 2 copies one; process 2 ends.
drawn() {
    printf '%s\n' '1 W 0x10000 16K' '@ fork 1 child=2' '2 R 0x10000' '2 W 0x10000' '@ exit 2' '1 R 0x10000' >drawn.trace
}

@test "--memory-plot - draws with characters below the report" {
    drawn
    works -t drawn.trace --frames 8 --memory-plot - --memory-every 1
    grep -q 'Simulation completed' <<<"$output"
    sed -n '/^Memory over time/,$p' <<<"$output" >found.txt
    diff found.txt - <<'END'
Memory over time, in pages

RSS: pages in memory that the process has entries for:

       4 |               ****************o*o*o*o*o*o*o*o*o*o*o*o*o*o*o*o**
       3 |
       2 |
       1 |
       0 |
         +----------------------------------------------------------------
          0                                                         4 references
          * pid 1   o pid 2

PSS: the same, a page that n entries lead to counted 1/n:

       4 |               ****************                                *
       3 |
       2 |                               o*o*o*o*o*o*o*o*o*o*o*o*o*o*o*o*
       1 |
       0 |
         +----------------------------------------------------------------
          0                                                         4 references
          * pid 1   o pid 2

USS: pages in memory that it alone has:

       4 |               ****************                                *
       3 |
       2 |
       1 |                                               o*o*o*o*o*o*o*o*
       0 |                               o*o*o*o*o*o*o*o*
         +----------------------------------------------------------------
          0                                                         4 references
          * pid 1   o pid 2

Frames of the machine:

       5 |                                               ****************
       4 |               ****************o*o*o*o*o*o*o*o*                *
       3 |                                               oooooooooooooooo
       2 |
       1 |
       0 |               oooooooooooooooo                                o
         +----------------------------------------------------------------
          0                                                         4 references
          * in use   o shared
END
}

@test "--memory-plot draws a picture with gnuplot" {
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    drawn
    works -t drawn.trace --frames 8 --memory-plot m.svg --memory-every 1 --memory m.csv
    python3 - <<'END'
import xml.etree.ElementTree as xml
text = " ".join(xml.parse("m.svg").getroot().itertext())
for word in ("RSS: ", "PSS: ", "USS: ", "Frames of the machine", "pid 1", "pid 2", "in use",
             "shared", "references", "drawn.trace: memory over time"):
    assert word in text, (word, text)
assert "Swap: " not in text, "nothing was in swap"
END
    works -t drawn.trace --frames 3 --memory-plot s.svg --memory-every 1
    grep -q 'Swap: ' s.svg
    run --separate-stderr vmm -t drawn.trace --memory-plot m.png
    [ "$status" -eq 0 ] && [ -s m.png ]
    [[ $stderr == *"single point"*"smaller N"* ]]
    for pid in $(seq 1 12); do echo "$pid W 0x1000"; done >many.trace
    works -t many.trace --memory-plot m.svg --memory-every 1
    grep -q 'the 8 largest of 12 processes' m.svg
}

@test "--memory-plot and what it cannot be" {
    fails 1 "--memory-plot: 'x.gif' does not end in .svg" vmm -t good.trace --memory-plot x.gif
    fails 1 'stands below the text report' vmm -t good.trace --memory-plot - -o -
    fails 1 'stands below the text report' vmm -t good.trace --memory-plot - --csv -
    mkdir empty
    fails 1 'memory-plot needs the program gnuplot' env "PATH=$PWD/empty" "$bin/vmm" -t good.trace --memory-plot x.svg
    [ ! -e x.svg ]
    command -v gnuplot >/dev/null || skip "gnuplot is not installed"
    fails 1 'are the same file' vmm -t good.trace --memory x.svg --memory-plot x.svg
}

@test "--memory-every wants a number and a file" {
    fails 1 'expected a number of references, 1 or more' vmm -t good.trace --memory m.csv --memory-every 0
    fails 1 'expected a number of references, 1 or more' vmm -t good.trace --memory m.csv --memory-every x
    fails 1 'needs --memory FILE' vmm -t good.trace --memory-every 5
    fails 1 'are the same file' vmm -t good.trace --memory good.trace
    [ ! -e m.csv ]
}
