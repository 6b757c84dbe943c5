# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of the programs share. VMM_BIN_DIR names the folder of the programs.

bats_require_minimum_version 1.5.0

root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
bin=$(cd "${VMM_BIN_DIR:-$root/bin}" && pwd)

# Every test starts in an empty folder of its own that holds one good trace.
start() {
    cd "$BATS_TEST_TMPDIR" || return 1
    printf '0 R 0x1000\n0 W 0x2000\n0 R 0x1000\n' >good.trace
}

vmm() { "$bin/vmm" "$@"; }

# make_events FILE: a small .vmt with events.
make_events() {
    local maker=$bin/make_events
    [ -x "$maker" ] || maker=$root/build/make_events
    "$maker" >"$1"
}

# trace NAME LINE...
trace() {
    local name=$1
    shift
    printf '%s\n' "$@" >"$name"
}

# pages NAME K P...: reads by process 0 of pages that are 1/K of a MiB, so that -r 1 is K frames.
pages() {
    local name=$1 size=$((1048576 / $2)) page
    shift 2
    for page in "$@"; do
        printf '0 R 0x%x\n' $((page * size))
    done >"$name"
}

# fails STATUS TEXT PROGRAM ARGUMENT...: the exit status, and a message that contains TEXT and names
# the program, on standard error alone; and it does not claim success.
fails() {
    local expected=$1 text=$2
    shift 2
    run --separate-stderr "$@"
    # shellcheck disable=SC2154
    printf 'status %s, expected %s\nstandard error: %s\n' "$status" "$expected" "$stderr"
    [ "$status" -eq "$expected" ]
    [[ $stderr == *"$text"* ]]
    [[ $stderr == *"error:"* ]]
    [[ $stderr != *Sanitizer* ]]
    [[ $output != *successfully* ]]
}

# misuse TEXT ARGUMENT...: `vmm -t good.trace ARGUMENT...` is a usage error.
misuse() {
    local text=$1
    shift
    fails 1 "$text" vmm -t good.trace "$@"
    [[ $stderr == *"Try 'vmm help"* ]]
    [ -z "$output" ]
}

# refuses TEXT CONTENT: a trace of that content (printf escapes) is bad input.
refuses() {
    # shellcheck disable=SC2059
    printf "$2" >bad.trace
    fails 2 "$1" vmm -t bad.trace
    [ -z "$output" ]
}

# works ARGUMENT...: `vmm ARGUMENT...` succeeds without a word on standard error.
works() {
    run --separate-stderr vmm "$@"
    printf 'status %s\nstandard error: %s\n' "$status" "$stderr"
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
}

# counter NAME FILE: a number at the top level of a JSON report.
counter() {
    python3 -c 'import json, sys; print(json.load(open(sys.argv[2]))[sys.argv[1]])' "$1" "$2"
}

# faults ARGUMENT...: the page faults of a run.
faults() {
    vmm "$@" -o faults.json >/dev/null && counter page_faults faults.json
}
