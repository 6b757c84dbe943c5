#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vmm explain against examples worked by hand. The reasons at the ends of the lines are cut off:
# they are the policies' own.
# shellcheck disable=SC2154

load common
setup() { start; }

# explains ARGUMENT...: the steps, without reasons, must be those on standard input.
explains() {
    works explain "$@"
    grep '^Access' <<<"$output" | sed 's/\].*\[/]  [/; s/\(Misses: [0-9]*\]\).*/\1/' >steps
    grep '^Access' <<<"$output" | sed 's/^.*\(Replaced: [0-9,-]*\).*$/\1/' >replaced
    diff - <(paste -d' ' steps replaced)
}

@test "lru, the string of Belady's anomaly" {
    explains -a lru --frames 3 1,2,3,4,1,2,5,1,2,3,4,5 <<'END'
Access: 1  MISS  LRU ->       [1]  [Hits: 0 Misses: 1] Replaced: -
Access: 2  MISS  LRU ->    [1, 2]  [Hits: 0 Misses: 2] Replaced: -
Access: 3  MISS  LRU -> [1, 2, 3]  [Hits: 0 Misses: 3] Replaced: -
Access: 4  MISS  LRU -> [2, 3, 4]  [Hits: 0 Misses: 4] Replaced: 1
Access: 1  MISS  LRU -> [3, 4, 1]  [Hits: 0 Misses: 5] Replaced: 2
Access: 2  MISS  LRU -> [4, 1, 2]  [Hits: 0 Misses: 6] Replaced: 3
Access: 5  MISS  LRU -> [1, 2, 5]  [Hits: 0 Misses: 7] Replaced: 4
Access: 1  HIT   LRU -> [2, 5, 1]  [Hits: 1 Misses: 7] Replaced: -
Access: 2  HIT   LRU -> [5, 1, 2]  [Hits: 2 Misses: 7] Replaced: -
Access: 3  MISS  LRU -> [1, 2, 3]  [Hits: 2 Misses: 8] Replaced: 5
Access: 4  MISS  LRU -> [2, 3, 4]  [Hits: 2 Misses: 9] Replaced: 1
Access: 5  MISS  LRU -> [3, 4, 5]  [Hits: 2 Misses: 10] Replaced: 2
END
    [[ $output == *'FINALSTATS hits 2   misses 10   hitrate 16.67'* ]]
}
@test "fifo, a hit moves nothing" {
    explains -a fifo 1 2 3 1 4 1 <<'END'
Access: 1  MISS  First in ->       [1]  [Hits: 0 Misses: 1] Replaced: -
Access: 2  MISS  First in ->    [1, 2]  [Hits: 0 Misses: 2] Replaced: -
Access: 3  MISS  First in -> [1, 2, 3]  [Hits: 0 Misses: 3] Replaced: -
Access: 1  HIT   First in -> [1, 2, 3]  [Hits: 1 Misses: 3] Replaced: -
Access: 4  MISS  First in -> [2, 3, 4]  [Hits: 1 Misses: 4] Replaced: 1
Access: 1  MISS  First in -> [3, 4, 1]  [Hits: 1 Misses: 5] Replaced: 2
END
}
@test "opt knows what comes" {
    explains -a opt --frames 3 0,1,2,0,1,3,0,3,1,2,1 <<'END'
Access: 0  MISS  Left ->       [0]  [Hits: 0 Misses: 1] Replaced: -
Access: 1  MISS  Left ->    [0, 1]  [Hits: 0 Misses: 2] Replaced: -
Access: 2  MISS  Left -> [0, 1, 2]  [Hits: 0 Misses: 3] Replaced: -
Access: 0  HIT   Left -> [0, 1, 2]  [Hits: 1 Misses: 3] Replaced: -
Access: 1  HIT   Left -> [0, 1, 2]  [Hits: 2 Misses: 3] Replaced: -
Access: 3  MISS  Left -> [0, 1, 3]  [Hits: 2 Misses: 4] Replaced: 2
Access: 0  HIT   Left -> [0, 1, 3]  [Hits: 3 Misses: 4] Replaced: -
Access: 3  HIT   Left -> [0, 1, 3]  [Hits: 4 Misses: 4] Replaced: -
Access: 1  HIT   Left -> [0, 1, 3]  [Hits: 5 Misses: 4] Replaced: -
Access: 2  MISS  Left -> [1, 3, 2]  [Hits: 5 Misses: 5] Replaced: 0
Access: 1  HIT   Left -> [1, 3, 2]  [Hits: 6 Misses: 5] Replaced: -
END
    [ -z "$(ls "${TMPDIR:-/tmp}"/vmm-explain-* 2>/dev/null)" ]
}
@test "mru gives up what was used last" {
    explains -a mru --frames 2 1,2,1,3 <<'END'
Access: 1  MISS  MRU ->    [1]  [Hits: 0 Misses: 1] Replaced: -
Access: 2  MISS  MRU -> [2, 1]  [Hits: 0 Misses: 2] Replaced: -
Access: 1  HIT   MRU -> [1, 2]  [Hits: 1 Misses: 2] Replaced: -
Access: 3  MISS  MRU -> [3, 2]  [Hits: 1 Misses: 3] Replaced: 1
END
}
@test "clock, unopt and the rest run too" {
    local policy
    for policy in clock unopt lfu random approxlru nru; do
        works explain -a $policy 1,2,3,4,1
        [ "$(grep -c '^Access' <<<"$output")" -eq 5 ]
        grep -q '^FINALSTATS hits' <<<"$output"
    done
}
@test "clock shows pages by frame, with its hand" {
    # 4: all counters are 1; the hand clears them, takes frame 0 and stands at frame 1. A hit on 2
    # sets it again, so 5 passes it and takes frame 2; the hand is round.
    explains -a clock 1,2,3,4,2,5,6 <<'END'
Access: 1  MISS  Left ->       [>1]  [Hits: 0 Misses: 1] Replaced: -
Access: 2  MISS  Left ->    [>1, 2]  [Hits: 0 Misses: 2] Replaced: -
Access: 3  MISS  Left -> [>1, 2, 3]  [Hits: 0 Misses: 3] Replaced: -
Access: 4  MISS  Left -> [4, >2, 3]  [Hits: 0 Misses: 4] Replaced: 1
Access: 2  HIT   Left -> [4, >2, 3]  [Hits: 1 Misses: 4] Replaced: -
Access: 5  MISS  Left -> [>4, 2, 5]  [Hits: 1 Misses: 5] Replaced: 3
Access: 6  MISS  Left -> [4, 6, >5]  [Hits: 1 Misses: 6] Replaced: 2
END
    [[ $output == *'pages by frame; > is the hand'* ]]
    works explain -a lru 1,2
    [[ $output != *'by frame'* ]]
    works explain -a random 1,2
    [[ $output == *'pages by frame'* ]]
    works explain -a opt 1,2
    [[ $output == *'order of loading'* ]]
}
@test "writes, before or behind a number; dirty pages and swap" {
    explains -a fifo --frames 1 w7,8,7r,0x8W <<'END'
Access: 7w  MISS  First in -> [7*]  [Hits: 0 Misses: 1] Replaced: -
Access: 8   MISS  First in ->  [8]  [Hits: 0 Misses: 2] Replaced: 7
Access: 7   MISS  First in ->  [7]  [Hits: 0 Misses: 3] Replaced: 8
Access: 8w  MISS  First in -> [8*]  [Hits: 0 Misses: 4] Replaced: 7
END
    [[ $output == *'to swap slot 0'* ]]
    [[ $output == *'page faults 4 (swap_in 1, zero_fill 3)   replacements 3   swap-ins 1   swap-outs 1'* ]]
}
@test "the reason is told" {
    run vmm explain -a lru 1,2,3,4
    [[ ${lines[-3]} == *'least recently used'* ]]
    run vmm explain -a opt 1,2,3,4,1,2
    [[ $output == *'never referenced again'* ]]
}
@test "commas, blanks, lines and --file are the same" {
    vmm explain -a lru 1,2,3,4,1 >expected
    vmm explain -a lru 1 2 3 4 1 | cmp - expected
    vmm explain -a lru '1, 2, 3' 4,1 | cmp - expected
    printf '1\n2 3,4\n1\n' >refs
    vmm explain -a lru --file refs | cmp - expected
    vmm explain -a lru --file - <refs | cmp - expected
}
# worked POLICY: the golden steps of 200 references: page, outcome, page replaced.
worked() {
    local steps=$root/tests/golden/steps.ostep_seed0.$1-f3.tsv
    tail -n +2 "$steps" >expected
    [ "$(wc -l <expected)" -eq 200 ]
    works explain -a "$1" --frames 3 "$(cut -f1 expected | paste -sd,)"
    sed -n 's/^Access: *\([0-9]*\)  \([A-Z]*\) .*Replaced: \([0-9-]*\) .*/\1\t\L\2\t\E\3/p' \
        <<<"$output" >steps
}
@test "lru is equal to a worked example of 200 references, step for step" {
    worked lru
    diff steps expected
    [[ $output == *'FINALSTATS hits 58   misses 142   hitrate 29.00'* ]]
}
@test "opt is equal to a worked example of 200 references, hit for hit" {
    worked opt
    # Among pages that are never used again any may go, so the victims of the end may differ.
    diff <(cut -f1,2 steps) <(cut -f1,2 expected)
    [[ $output == *'FINALSTATS hits 97   misses 103   hitrate 48.50'* ]]
}
@test "a full swap ends the explanation with status 1" {
    run --separate-stderr vmm explain -a fifo --frames 1 -s 4K w1,w2,w3
    [ "$status" -eq 1 ]
    [[ $stderr == *'swap is full'* ]]
    [[ $output == *FINALSTATS* ]]
}
@test "a page beyond the address space is told" {
    run vmm explain 1,0x1000000000,1
    [[ $output == *INVALID* ]]
    [[ $output == *'invalid 1'* ]]
}
