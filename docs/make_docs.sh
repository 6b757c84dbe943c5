#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Writes the parts of the documentation that are made from the tables of the program.
#
#     docs/make_docs.sh [--check] [VMM]
#
# VMM is the program (default: bin/vmm). What stands between a line that holds
# "BEGIN GENERATED: words" and the next one that holds "END GENERATED" is replaced by what
# `vmm words` prints. With --check nothing is written, and the exit status tells whether all is as
# it would be written.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

check=no
if [ "${1:-}" = --check ]; then
    check=yes
    shift
fi
vmm=$(readlink -f "${1:-bin/vmm}")

# The file with its generated parts made anew.
generate() {
    local line words inside=no
    while IFS= read -r line; do
        case $line in
        *'END GENERATED'*) inside=no ;;
        esac
        [ $inside = yes ] || printf '%s\n' "$line"
        case $line in
        *'BEGIN GENERATED: '*)
            words=${line#*BEGIN GENERATED: }
            read -ra words <<<"${words%-->}"
            "$vmm" "${words[@]}"
            inside=yes
            ;;
        esac
    done <"$1"
    [ $inside = no ] || { echo "$1: a generated part has no end" >&2 && return 1; }
}

status=0
while IFS= read -r file; do
    made=$(mktemp)
    generate "$file" >"$made"
    if cmp -s "$made" "$file"; then
        :
    elif [ $check = yes ]; then
        echo "$file is out of date: run docs/make_docs.sh" >&2
        status=1
    else
        cat "$made" >"$file"
        echo "wrote $file"
    fi
    rm -f "$made"
done < <(grep -rl --include='*.md' --include='*.1' 'BEGIN GENERATED: ' docs README.md 2>/dev/null | sort)
exit $status
