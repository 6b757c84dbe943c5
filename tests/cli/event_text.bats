#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Events written by hand: each short form means what the long one does, and mistakes are named.
# shellcheck disable=SC2154

load common
setup() { start; }

# means SHORT LONG: the line by hand is the line that the program writes.
means() {
    printf '@ %s\n1 R 0x1000\n' "$1" >hand.trace
    vmm trace cat hand.trace >found.trace
    printf '@ %s\n1 R 0x1000 1\n' "$2" | diff - found.trace
    vmm trace cat found.trace | diff found.trace - # and again
    vmm trace convert -q --codec full hand.trace hand.vmt
    vmm trace cat hand.vmt | diff found.trace -
}

@test "ranges, sizes, protections and flags by hand" {
    means 'map 1 0x10000+64K rw- private' 'map 1 start=0x10000 length=0x10000 prot=rw-'
    means 'map 1/2 0x1000+2M r-x fixed shared' \
        'map 1/2 start=0x1000 length=0x200000 prot=r-x flags=shared,fixed'
    means 'protect 1 start=1G length=4K ---' 'protect 1 start=0x40000000 length=0x1000'
    means 'remap 1 0x1000+4K target=1T new_length=8K' \
        'remap 1 new_length=8192 start=0x1000 length=0x1000 target=0x10000000000'
    means 'fork 1 child=2 vfork' 'fork 1 child=2 flags=vfork'
    means 'advise 1 0+4K advice=dontneed' 'advise 1 advice=4 length=0x1000'
    means 'advise 1 0+4K advice=wipeonfork' 'advise 1 advice=18 length=0x1000'
    means 'advise 1 0+4K advice=8' 'advise 1 advice=8 length=0x1000'
}

@test "files and segments of shared memory by name" {
    means 'map 1 0x1000+4K r-- file=lib/a.so offset=8K' \
        'map 1 start=0x1000 length=0x1000 offset=0x2000 prot=r-- device=0 inode=0 path="lib/a.so"'
    means 'map 1 0x1000+4K rw- file="a b"' \
        'map 1 start=0x1000 length=0x1000 prot=rw- device=0 inode=0 path="a b"'
    means 'map 1 0x1000+4K rw- segment=ring' \
        'map 1 start=0x1000 length=0x1000 prot=rw- flags=shared device=0 inode=0 path="/dev/shm/ring"'
}

@test "comments behind events, and sizes of references" {
    means 'unmap 1 0x1000+4K   # gone' 'unmap 1 start=0x1000 length=0x1000'
    printf '1 W 0x1000 64K\n1 R 0 2M words\n' | vmm trace cat --format native - |
        diff - <(printf '1 W 0x1000 65536\n1 R 0x0 2097152\n')
    printf '1 R 0x1000\n1 R 0x1000 4096M\n' >big.trace
    run -2 vmm trace cat big.trace
    [[ $output == *big.trace:2:*"size is not a number"* ]]
}

# wrong LINE WORDS: the second line of a trace, and what is said of it.
wrong() {
    printf '1 R 0x1000\n@ %s\n' "$1" >wrong.trace
    run -2 vmm -t wrong.trace
    [[ $output == *"wrong.trace:2: "*"$2"* ]] || { echo "$output" && return 1; }
}

@test "mistakes are told with the line, the word and what it may have been" {
    wrong 'frok 1 child=2' '"frok" is no event; did you mean "fork"?'
    wrong 'fork 1 chld=2' '"chld" is nothing that this event has; did you mean "child"?'
    wrong 'map 1 0x1000+4K rw- shred' '"shred" is nothing that this event has; did you mean "shared"?'
    wrong 'map 1 0x1000+4K flags=fixd' '"fixd" is no word of flags; did you mean "fixed"?'
    wrong 'map 1 0x1000 rw-' 'a range is not as in 0x4000+8K'
    wrong 'map 1 0x1000+99999999999999G' 'a number is too large'
    wrong 'advise 1 0+4K advice=dontned' \
        '"dontned" is no advice of madvise(2); did you mean "dontneed"?'
    wrong 'map 1 0+4K file=' 'the name of the file is missing'
    wrong 'fork' "the process is missing behind the event's name"
    wrong 'fork 1' 'the child is missing, as in child=2'
    wrong 'map 1 rw- private' 'the range is missing, as in 0x4000+8K'
    wrong 'unmap 1 start=0x4000' 'the range is missing, as in 0x4000+8K'
    wrong 'map 1 0+4K file=a segment=b' 'one file or segment, and this names two'
    wrong 'fork 1 child=2K' 'fields are not separated by blanks'
}

@test "a line about the whole trace behind others is told with its place" {
    printf '1 R 0x1000\n@ mappings complete\n' >behind.trace
    fails 2 'behind.trace:2: found a line about the whole trace' vmm -t behind.trace
}
