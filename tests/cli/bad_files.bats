#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A table of bad traces and of files that cannot be read or written: a message that names the file
# and, where there is one, the line; exit status 2 for bad input and 1 for what cannot be opened,
# read or written.
# shellcheck disable=SC2154

load common
setup() { start; }

# ---- Traces of no known format -------------------------------------------------------------------
@test "an empty trace" { refuses 'bad.trace is empty' ''; }
@test "a trace of comments and blank lines" { refuses 'bad.trace holds only comments' '\n# x\n\n'; }
@test "random bytes" { refuses 'bad.trace:1' '\001\002\003\377\000\n'; }
@test "prose" { refuses 'hello world' 'hello world\n'; }
@test "an address that is no number" { refuses 'bad.trace:1' '0 R 0xZZ\n'; }
@test "an address without digits" { refuses 'bad.trace:1' '0 R 0x\n'; }
@test "an address of 20 hexadecimal digits" { refuses 'bad.trace:1' '0 R 0x12345678901234567890\n'; }
@test "a negative address" { refuses 'bad.trace:1' '0 R -5\n'; }
@test "an unknown operation" { refuses 'bad.trace:1' '0 X 0x1000\n'; }
@test "an operation that is a question mark" { refuses 'bad.trace:1' '0 ? 0x1000\n'; }
@test "an operation of several letters" { refuses 'bad.trace:1' '0 READ 0x1000\n'; }
@test "fields separated by commas" { refuses 'bad.trace:1' '0,R,0x1000\n'; }
@test "a size of 0" { refuses 'bad.trace:1' '0 R 0x1000 0\n'; }
@test "standard input that is empty" { fails 2 'standard input' vmm -t - </dev/null; }
@test "/dev/null" { fails 2 '/dev/null is empty' vmm -t /dev/null; }

# ---- Bad records in a known format ---------------------------------------------------------------
@test "native: a negative pid" { refuses 'bad.trace:2' '0 R 0x1000\n-1 R 0x1000\n'; }
@test "native: a huge pid" { refuses '99999999999' '0 R 0x1000\n99999999999 R 0x1000\n'; }
@test "native: an unknown operation later on" { refuses 'bad.trace:3' '0 R 0x1\n1 W 0x2\n0 X 0x3\n'; }
@test "native: an address that overflows" { refuses 'bad.trace:2' '0 R 0x1\n0 R 0x11112222333344445\n'; }
@test "native: a line that is cut off" { refuses 'bad.trace:3' '0 R 0x1\n0 W 0x2\n0 R'; }
@test "native: a bad line after a million good ones" {
    python3 -c 'print("7 R 0x1000\n" * 1000000 + "7 R zz")' >long.trace
    fails 2 'long.trace:1000001' vmm -t long.trace
}
@test "lackey: no number" { refuses 'bad.trace:2' ' L 04222c4,8\n L zz,8\n'; }
@test "lackey: no size" { refuses 'bad.trace:2' ' L 04222c4,8\n S 1000\n'; }
@test "din: an unknown label" { refuses 'bad.trace:3' '0 1000\n2 400\n9 1000\n'; }
@test "din: no number" { refuses 'bad.trace:2' '0 1000\n0 xyz\n'; }
@test "pages: a word" { refuses 'bad.trace:3' '12\n13\nabc\n'; }
@test "pages: a negative number" { refuses 'bad.trace:2' '12\n-3\n'; }
@test "addrop: an unknown operation" { refuses 'bad.trace:2' '1000 R\n1001 Q\n'; }
@test "a named format that does not fit" { fails 2 'good.trace:1' vmm -t good.trace --format din; }
@test "compare: a bad record" {
    printf '0 R 0x1000\n0 X 0x1000\n' >bad.trace
    fails 2 'bad.trace:2' vmm compare -t bad.trace --format native
    [ -z "$output" ]
}
@test "opt: a bad record is found in the first pass" {
    printf '0 R 0x1000\n0 W 0x2000\n0 X 0x1000\n' >bad.trace
    fails 2 'bad.trace:3' vmm -t bad.trace -a opt
}

# ---- Damage --------------------------------------------------------------------------------------
damaged() {
    python3 -c 'for i in range(3000): print(f"0 R 0x{i:x}000")' >"$BATS_TEST_TMPDIR/long.trace"
    "$@" <long.trace | head -c 600 >cut.trace
    fails 2 'damaged' vmm -t cut.trace
    [ -z "$output" ]
}
@test "gzip data that is cut off" { damaged gzip -c; }
@test "xz data that is cut off" { damaged xz -c; }
@test "zstd data that is cut off" { damaged zstd -c; }
@test "gzip data with a changed byte" {
    python3 -c 'for i in range(3000): print(f"0 R 0x{i:x}000")' | gzip >bad.gz
    printf '\377\377\377\377' | dd of=bad.gz bs=1 seek=900 conv=notrunc status=none
    fails 2 'bad.gz' vmm -t bad.gz
}
@test "a gzip file of nothing" {
    gzip </dev/null >empty.gz
    fails 2 'empty' vmm -t empty.gz
}

# ---- Leaving out what is bad ---------------------------------------------------------------------
@test "--skip-bad-records counts what it leaves out and succeeds" {
    trace bad.trace '0 R 0x1000' '0 X 0x1000' '0 W 0x2000' '-1 R 0x1' '0 R 0x1000'
    run --separate-stderr vmm -t bad.trace --skip-bad-records -o report.json
    [ "$status" -eq 0 ]
    [[ $stderr == *"warning: bad.trace: 2 bad records were left out"* ]]
    [ "$(counter total_accesses report.json)" -eq 3 ]
    python3 -c 'import json; assert json.load(open("report.json"))["trace"]["bad_records"] == 2'
}
@test "--skip-bad-records takes what is readable of a cut gzip file" {
    python3 -c 'for i in range(3000): print(f"0 R 0x{i:x}000")' | gzip | head -c 4000 >cut.gz
    run --separate-stderr vmm -t cut.gz --skip-bad-records -o report.json
    [ "$status" -eq 0 ]
    [[ $stderr == *warning*cut.gz* ]]
    [ "$(counter total_accesses report.json)" -gt 100 ]
}
@test "what was left out stands in every report" {
    printf '0 1000\n2 400\n9 1000\nx\n4 0\n1 2000\n' >bad.din
    run --separate-stderr vmm -t bad.din --format din --skip-bad-records -o r.json --csv r.csv
    [ "$status" -eq 0 ]
    [[ $output =~ Input:$'\n'\ +Bad\ records:\ +2$'\n'\ +Ignored\ records:\ +1$'\n'\ +Damaged\ bytes:\ +0$'\n' ]]
    [[ $output == *'completed successfully'* ]]
    [ "$(head -1 r.csv | grep -o ',[^,]*,[^,]*,[^,]*$')" = ,trace.bad_records,trace.ignored_records,trace.damaged_bytes ]
    [ "$(sed -n 2p r.csv | grep -o ',[^,]*,[^,]*,[^,]*$')" = ,2,1,0 ]
    [ "$(counter end r.json)" = complete ]
    run vmm -t good.trace
    [[ $output != *Input:* ]]
}
@test "a run on damaged input does not end like another" {
    python3 -c 'for i in range(3000): print(f"0 R 0x{i:x}000")' | gzip | head -c 4000 >cut.gz
    run --separate-stderr vmm -t cut.gz --skip-bad-records -o r.json --csv r.csv
    [ "$status" -eq 0 ]
    [[ $output == *'Simulation completed on damaged input: '* ]]
    [[ $output != *successfully* ]]
    [ "$(counter end r.json)" = damaged ]
    python3 - <<'END'
import csv, json, re, sys
damaged = json.load(open("r.json"))["trace"]["damaged_bytes"]
row, = csv.DictReader(open("r.csv"))
assert damaged > 0 and row["trace.damaged_bytes"] == str(damaged) and row["end"] == "damaged"
END
    [[ $output =~ Damaged\ bytes:\ +[1-9] ]]
}
@test "--skip-bad-records shows the first five bad lines" {
    trace bad.trace '0 R 0x1000' one '0 R 0x2000' '# comment' two three '0 W 0x3000' four five six
    python3 -c 'print("long" * 2000)' >>bad.trace
    run --separate-stderr vmm -t bad.trace --skip-bad-records --format native
    [ "$status" -eq 0 ]
    diff <(sed 's/ (.*), expected.*//' <<<"$stderr") - <<'END'
vmm: warning: bad.trace:2: found "one"
vmm: warning: bad.trace:5: found "two"
vmm: warning: bad.trace:6: found "three"
vmm: warning: bad.trace:8: found "four"
vmm: warning: bad.trace:9: found "five"
vmm: warning: bad.trace: 7 bad records were left out
END
    [[ $stderr != *--skip-bad-records* ]]
    [[ $output =~ Total:\ +3$'\n' ]]
    # The numbers are those of the good lines alone, with two passes and with lines that are long.
    grep '^0' bad.trace >only.trace
    python3 -c 'print("long" * 2000); print("0 R 0x4000")' | cat - bad.trace >long.trace
    sed -i '1i 0 R 0x4000' only.trace
    vmm -t only.trace -a opt -o only.json >/dev/null
    run --separate-stderr vmm -t long.trace --skip-bad-records --format native -a opt -o long.json
    diff <(grep fingerprint only.json) <(grep fingerprint long.json)
    [[ ${stderr_lines[0]} == *'long.trace:1: found "long'*'longer than 4096 bytes'* ]]
    [[ ${stderr_lines[1]} == *'long.trace:4: found "one"'* ]]
    [[ ${stderr_lines[5]} == *'8 bad records were left out' ]]
}
@test "--skip-bad-records with nothing but bad records" {
    trace bad.trace 'x' 'y'
    fails 2 'bad.trace' vmm -t bad.trace --skip-bad-records --format native
}
@test "a quiet run does not warn" {
    trace bad.trace '0 R 0x1000' '0 X 0x1000' '0 R 0x1000'
    run --separate-stderr vmm -t bad.trace --skip-bad-records -q
    [ "$status" -eq 0 ] && [ -z "$stderr" ] && [[ $output == *"SIMULATION SUMMARY"* ]]
}

# ---- Files that cannot be opened or read ---------------------------------------------------------
@test "a trace that does not exist" { fails 1 'nosuch.trace' vmm -t nosuch.trace; }
@test "a folder as trace" { fails 1 'directory' vmm -t .; }
@test "a trace behind a file" { fails 1 'good.trace/x' vmm -t good.trace/x; }
@test "a trace without the right to read it" {
    [ "$(id -u)" -ne 0 ] || skip "root may read everything"
    chmod 0 good.trace
    fails 1 'Permission denied' vmm -t good.trace
}
@test "opt without room for its temporary file" {
    TMPDIR=$PWD/nosuch fails 1 'nosuch' vmm -t good.trace -a opt
}

# ---- Files that cannot be written ----------------------------------------------------------------
@test "-o in a folder that does not exist: found before the run" {
    fails 1 "results/x.json" vmm -t good.trace -o results/x.json
    [ -z "$output" ]
}
@test "-o a folder" { fails 1 "cannot open for writing '.'" vmm -t good.trace -o .; }
@test "-o in a folder that takes no files" {
    fails 1 '/proc/x.json' vmm -t good.trace -o /proc/x.json
    [ -z "$output" ]
}
@test "--csv in a folder that does not exist" { fails 1 'results' vmm -t good.trace --csv results/x; }
@test "-o on a full disk" {
    run --separate-stderr vmm -t good.trace -o /dev/full
    [ "$status" -eq 1 ] && [[ $stderr == *"/dev/full': No space left"* ]]
}
@test "--csv on a full disk" {
    run --separate-stderr vmm -t good.trace --csv /dev/full
    [ "$status" -eq 1 ] && [[ $stderr == *"/dev/full': No space left"* ]]
}
@test "--csv-append on a full disk" {
    run --separate-stderr vmm -t good.trace --csv /dev/full --csv-append
    [ "$status" -eq 1 ] && [[ $stderr == *"/dev/full': No space left"* ]]
}
@test "compare: -o and --csv on a full disk" {
    run --separate-stderr vmm compare -t good.trace -a lru --csv /dev/full -o /dev/full
    [ "$status" -eq 1 ] && [[ $stderr == *"No space left"*"No space left"* ]]
}
@test "standard output on a full disk" {
    run bash -c '"$0" -t good.trace 2>&1 >/dev/full' "$bin/vmm"
    [ "$status" -eq 1 ] && [[ $output == *"standard output: No space left"* ]]
}
@test "help on a full disk" {
    run bash -c '"$0" help sim 2>&1 >/dev/full' "$bin/vmm"
    [ "$status" -eq 1 ] && [[ $output == *"standard output"* ]]
}
@test "standard output that is closed" {
    run bash -c '"$0" -t good.trace 2>&1 >&-' "$bin/vmm"
    [ "$status" -eq 1 ] && [[ $output == *"standard output"* ]]
}
@test "a pipe that is closed early brings no rubbish" {
    run bash -c '"$0" help sim 2>&1 | head -1; exit "${PIPESTATUS[1]}"' "$bin/vmm"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    run bash -c 'trap "" PIPE; { "$0" help sim; } 2>err | true; cat err' "$bin/vmm"
    [ -z "$output" ]
}
@test "a failed run leaves no empty files behind, and old ones as they were" {
    printf '0 R 0x1000\n0 X 0x1000\n' >bad.trace
    echo old >old.json
    fails 2 'bad.trace:2' vmm -t bad.trace --format native -o old.json --csv new.csv
    [ "$(cat old.json)" = old ]
    [ ! -e new.csv ]
}
@test "--csv-append to a file with another header: found before the run" {
    echo 'a,b,c' >other.csv
    fails 1 "cannot append to 'other.csv'" vmm -t good.trace --csv other.csv --csv-append
    [ "$(cat other.csv)" = a,b,c ]
}
@test "--csv-append to a file whose last line is cut off" {
    vmm -t good.trace --csv all.csv >/dev/null
    truncate -s -5 all.csv
    fails 1 'cut off' vmm -t good.trace --csv all.csv --csv-append
}

# ---- The simulated machine runs out of memory ----------------------------------------------------
@test "a full swap ends the run with its report, a sentence and status 1" {
    trace full.trace '0 W 0x1000' '0 W 0x2000' '0 W 0x3000' '0 W 0x4000'
    run --separate-stderr vmm -t full.trace --frames 1 -s 8K -a fifo -o full.json
    [ "$status" -eq 1 ]
    [[ $stderr == *"swap is full"* ]]
    [[ $output == *"Simulation ended early"* ]]
    [[ $output != *successfully* ]]
    [ "$(counter total_accesses full.json)" -eq 4 ]
    [ "$(counter oom_events full.json)" -eq 1 ]
    [ "$(counter end full.json)" = out_of_memory ]
}
@test "compare marks the machines whose swap was full" {
    trace full.trace '0 W 0x1000' '0 W 0x2000' '0 W 0x3000' '0 W 0x4000'
    run --separate-stderr vmm compare -t full.trace --frames 1,4 -s 8K -a fifo,lru
    [ "$status" -eq 1 ]
    [[ $stderr == *"2 of 4 machines ran out of memory"* ]]
    [[ ${lines[2]} == fifo*'!'*100.00%* ]]
}
