#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vmm list, help and version, and the documentation that is made from them.
# shellcheck disable=SC2154

load common
setup() { start; }

@test "list names everything" {
    works list
    local word
    for word in policies: formats: page-tables: options: counters: fault-classes: fifo lackey \
        FOUR_LEVEL tlb-size walk_reads swap_in; do
        [[ $output == *"$word"* ]]
    done
}
@test "every list in every form" {
    local list
    for list in policies formats page-tables options counters fault-classes; do
        works list $list
        [ "${#lines[@]}" -ge 3 ]
        vmm list $list --json | python3 -c '
import json, sys
rows = json.load(sys.stdin)
assert rows and all(row["name"] and list(row.values())[-1] for row in rows), rows'
        works list $list --markdown
        [[ ${lines[0]} == '| name |'* ]]
        [[ ${lines[1]} == '|---|'* ]]
        awk -F'[^\\\\][|]' 'NR == 1 { n = NF } NF != n { exit 1 }' <<<"$output"
    done
}
@test "lines are no wider than a terminal" {
    local command
    for command in sim compare explain list help version; do
        run vmm help $command
        [ "$(grep -v '^  *v[ma]' <<<"$output" | awk '{ print length }' | sort -n | tail -1)" -le 80 ]
    done
    run vmm list policies
    [ "$(awk '{ print length }' <<<"$output" | sort -n | tail -1)" -le 80 ]
}
@test "help of every command, by either way, on standard output" {
    local command
    for command in sim compare explain list help version; do
        works help $command
        [[ ${lines[0]} == 'Usage: vmm '* ]]
        vmm help $command >by-help
        vmm $command --help | cmp - by-help
        vmm $command -h | cmp - by-help
        works help
        [[ $output == *"  $command "* ]]
    done
    vmm help >overview
    vmm --help | cmp - overview
    vmm -h | cmp - overview
}
@test "help of sim shows all options, grouped, with defaults" {
    works help sim
    local word
    while read -r word; do
        [[ $output == *"--$word "* ]]
    done < <(vmm list options --json | sed -n 's/.*"name": "\([^"]*\)".*/\1/p')
    for word in Memory: Replacement: Translation: Input: Time: Results: '(default: 64M)' \
        '-t, --trace FILE' 'Examples:'; do
        [[ $output == *"$word"* ]]
    done
}
@test "help wins over other flags, wherever it stands" {
    works -t nosuch -r 4 --help
    [[ ${lines[0]} == 'Usage: vmm '* ]]
}
@test "every example of the help texts runs" {
    cp good.trace app.trace
    cp good.trace plain
    printf ' L 1000,8\n S 2000,8\n' | gzip >sort.lackey.gz
    make_events server.vmt
    cp server.vmt client.vmt
    vmm trace cut server.vmt --pid 100 -o app.champsim -q
    xz -c app.champsim >app.champsimtrace.xz
    cp sort.lackey.gz app.lackey.gz
    cp good.trace a.trace
    cp good.trace b.trace
    local command line
    for command in sim compare explain list trace 'trace info' 'trace convert' 'trace head' \
        'trace cat' 'trace cut' 'trace merge' 'trace verify' 'trace reduce'; do
        while read -r line; do
            if [[ $line == *--plot* ]] && ! command -v gnuplot >/dev/null; then
                continue
            fi
            cp server.vmt app.vmt
            bash -c "less() { cat; }; vmm() { '$bin/vmm' \"\$@\"; }; valgrind() { cat sort.lackey.gz | gunzip; }; set -e; $line" >/dev/null
        done < <(vmm help $command | sed '1,/^Examples:/d')
    done
}
@test "version and features" {
    works version
    [[ ${lines[0]} =~ ^vmm\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
    [[ ${lines[1]} == 'features: '* ]]
    vmm version >expected
    vmm --version | cmp - expected
}
@test "generated parts of the documentation are up to date" {
    "$root/docs/make_docs.sh" --check "$bin/vmm"
}
@test "the manual page is well formed and names every flag" {
    local page=$root/docs/man/vmm.1 name
    for name in $({ vmm help sim && vmm help sweep && vmm help advise; } | sed -n 's/^ *\(-[a-zA-Z], \)\?--\([a-z-]*\).*/\2/p'); do
        grep -q -F -- "\\-\\-${name//-/\\-}" "$page"
    done
    command -v groff >/dev/null || skip "groff is not installed"
    [ -z "$(groff -man -ww -z "$page" 2>&1)" ]
}
@test "counters of fault classes tell their place in JSON" {
    vmm -t good.trace -o report.json >/dev/null
    vmm list counters --json >counters.json
    python3 - <<'END'
import json, re
report = json.load(open("report.json"))
classes = [counter for counter in json.load(open("counters.json"))
           if counter["name"].startswith("fault_")]
named = [re.search(r"in JSON fault_classes\.(\w+)$", counter["meaning"])[1] for counter in classes]
assert named == list(report["fault_classes"]), named
END
}
