# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For checks written in shell: result NAME COMMAND... is one test, finish prints the plan.

tests_run=0
tests_failed=0

# What the command says is shown if it fails.
result() {
    local name=$1 output
    shift
    tests_run=$((tests_run + 1))
    if output=$("$@" 2>&1); then
        echo "ok $tests_run - $name"
    else
        tests_failed=1
        echo "not ok $tests_run - $name"
        printf '%s\n' "$output" | sed 's/^/# /'
    fi
}

finish() {
    echo "1..$tests_run"
    exit "$tests_failed"
}
