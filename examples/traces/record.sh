#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Records the traces of this folder anew, with vmm record.
#
#     examples/traces/record.sh [FOLDER]        FOLDER: where the traces go, this one by default
#
# The programs work on input that is made here by a rule, in an empty environment and without
# address space randomisation, so that a second recording on the same system gives nearly the same
# trace. Other versions of the programs give others; README.md names those that were used.
set -euo pipefail
folder=$(readlink -f "${1:-$(dirname "$0")}")
vmm=$(readlink -f "$(dirname "$0")")/../../bin/vmm

for program in "$vmm" valgrind setarch sort gzip sqlite3 python3; do
    command -v "$program" >/dev/null || {
        echo "$program is missing: ./dev build makes vmm; on Debian:" \
            "apt-get install valgrind util-linux sqlite3 python3" >&2
        exit 1
    }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# record NAME PROGRAM ARGUMENT...
record() {
    local name=$1
    shift
    env -i PATH=/usr/bin:/bin LC_ALL=C setarch -R \
        "$vmm" record --level 19 -o "$folder/$name.vmt" -- "$@" >/dev/null
}

# 6000 lines of four words each, from a linear congruence.
LC_ALL=C awk 'BEGIN {
    x = 1
    for (i = 0; i < 6000; i++) {
        line = ""
        for (j = 0; j < 4; j++) {
            x = (x * 1103515245 + 12345) % 2147483648
            line = line " w" int(x / 65536) % 5000
        }
        print substr(line, 2)
    }
}' >words

record sort sort --parallel=1 words

head -c 20000 words >text
record gzip gzip -c text

record sqlite3 sqlite3 :memory: "
    CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c INT);
    WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        INSERT INTO t SELECT i, hex(i * 7919 % 10007), i * 31 % 2999 FROM n;
    CREATE INDEX tc ON t (c);
    SELECT count(*), sum(length(t.b)) FROM t JOIN t u ON t.c = u.a WHERE t.b > '5';"

record python3 python3 -I -S -c '
words = [str(i * 7919 % 10007) for i in range(3000)]
index = {}
for place, word in enumerate(words):
    index.setdefault(word[:2], []).append(place)
print(sum(len(sorted(places, key=words.__getitem__)) for places in index.values()))'

# Five processes: a shell, and what it starts.
head -n 1500 words >lines
record pipeline sh -c 'sort lines | uniq -c | sort -rn | head -3'
