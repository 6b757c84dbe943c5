#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Records the traces of this folder anew, with Valgrind's tool Lackey, which prints one line for
# each instruction fetch (I), load (L), store (S) and modify (M: a load and a store) of a program.
#
#     examples/traces/record.sh [FOLDER]        FOLDER: where the traces go, this one by default
#
# The programs work on input that is made here by a rule, in an empty environment and without
# address space randomisation, so that a second recording on the same system gives nearly the same
# trace. Other versions of the programs give others; README.md names those that were used.
set -euo pipefail
folder=$(readlink -f "${1:-$(dirname "$0")}")

for program in valgrind setarch sort gzip sqlite3 python3 xz; do
    command -v "$program" >/dev/null || {
        echo "$program is missing; on Debian: apt-get install valgrind util-linux sqlite3 python3 xz-utils" >&2
        exit 1
    }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# record NAME LINES PROGRAM ARGUMENT...: keeps the last LINES lines of the trace, 0 means all.
record() {
    local name=$1 lines=$2
    shift 2
    env -i PATH=/usr/bin:/bin LC_ALL=C setarch -R \
        valgrind --tool=lackey --trace-mem=yes --log-file=log "$@" >/dev/null 2>&1
    grep -E '^(I| [LSM])' log >"$name.lackey"
    if [ "$lines" -gt 0 ]; then
        tail -n "$lines" "$name.lackey" >log
        mv log "$name.lackey"
    fi
    xz -6 -c "$name.lackey" >"$folder/$name.lackey.xz"
    printf '%-10s %9d lines, %7d bytes compressed\n' "$name" "$(wc -l <"$name.lackey")" \
        "$(stat -c %s "$folder/$name.lackey.xz")"
}

# 1500 lines of four words each, from a linear congruence.
LC_ALL=C awk 'BEGIN {
    x = 1
    for (i = 0; i < 1500; i++) {
        line = ""
        for (j = 0; j < 4; j++) {
            x = (x * 1103515245 + 12345) % 2147483648
            line = line " w" int(x / 65536) % 5000
        }
        print substr(line, 2)
    }
}' >words

record sort 0 /usr/bin/sort --parallel=1 words

head -c 8000 words >text
record gzip 0 /usr/bin/gzip -c text

record sqlite3 0 /usr/bin/sqlite3 :memory: "
    CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c INT);
    WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100)
        INSERT INTO t SELECT i, hex(i * 7919 % 10007), i * 31 % 97 FROM n;
    CREATE INDEX tc ON t (c);
    SELECT count(*), sum(length(t.b)) FROM t JOIN t u ON t.c = u.a WHERE t.b > '5';"

# Most of what a small Python program does is starting Python: the end shows the program at work.
record python3 3000000 /usr/bin/python3 -I -S -c '
words = [str(i * 7919 % 10007) for i in range(3000)]
index = {}
for place, word in enumerate(words):
    index.setdefault(word[:2], []).append(place)
print(sum(len(sorted(places, key=words.__getitem__)) for places in index.values()))'
