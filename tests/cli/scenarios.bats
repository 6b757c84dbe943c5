#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The scenarios of examples/: numbers worked out on their pages (tests/docs compares those), here that
# both engines and the trace in binary form have them too.
# shellcheck disable=SC2154

load common
setup() { start; }

# counts NAME COUNTER=NUMBER...
counts() {
    local file=$root/examples/scenarios/$1.trace pair
    shift
    vmm -q -t "$file" --frames 64 --no-timing -o fast.json >/dev/null
    vmm -q -t "$file" --frames 64 --engine generic --no-timing -o generic.json >/dev/null
    vmm trace convert -q "$file" binary.vmt
    vmm -q -t binary.vmt --frames 64 --no-timing -o binary.json >/dev/null
    for pair in "$@"; do
        for report in fast generic binary; do
            echo "$report: $pair, found $(counter "${pair%=*}" $report.json)"
            [ "$(counter "${pair%=*}" $report.json)" -eq "${pair#*=}" ]
        done
    done
}

@test "snapshot" { counts snapshot page_faults=32 copies=4 copied_entries=16; }
@test "server" { counts server page_faults=24 copies=6 copied_entries=48; }
@test "pipeline" { counts pipeline page_faults=14 major_faults=2 copies=0 copied_entries=0; }
@test "ring" { counts ring page_faults=9 minor_faults=8 frames_used=0; }
@test "database" { counts database page_faults=19 major_faults=8 copies=1 frames_used=9; }

@test "the text report tells of fault-around where there is any" {
    printf '%s\n' '@ map 1 0x10000+64K r-- file=a' '@ map 2 0x10000+64K r-- file=a' \
        '1 R 0x10000 64K' '2 R 0x10000' >around.trace
    works -t around.trace --frames 64 --fault-around 64K
    grep -q '^  Mapped around:   15 ' <<<"$output"
    works -t around.trace --frames 64
    ! grep -q 'Mapped around' <<<"$output"
}
