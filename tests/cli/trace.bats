#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vmm trace: each verb, what a conversion keeps and loses, and what is refused. events.vmt is what
# make_events.c writes.
# shellcheck disable=SC2154,SC2317

load common
setup() {
    start
    make_events events.vmt
    events=events.vmt
}

# json EXPRESSION FILE: a value of a JSON file.
json() { python3 -c 'import json, sys; print(eval(sys.argv[1], json.load(open(sys.argv[2]))))' "$1" "$2"; }

# example PART: 300,000 references of a real program with their full addresses, as part1.lackey.
example() {
    xz -dc "$root/tests/golden/traces/lackey_sort.txt.xz" |
        awk -v part="${1#part}" -v OFS= 'NR > part * 300000 { exit }
            NR > (part - 1) * 300000 {
                print $2 == "I" ? "I  " : $2 == "R" ? " L " : " S ", substr($3, 3), ",", $4
            }' >"$1.lackey"
}

# exact: references of all kinds to any address, of any size: exact.trace.
exact() {
    python3 - <<'END'
import random
random.seed(11)
with open("exact.trace", "w") as trace:
    for _ in range(50000):
        who = random.choice(("7", "7/9", "8/8", "4294967295/4294967295"))
        op = random.choice(("R", "W", "I", "R", "KR", "KW"))
        address = random.choice((0x400000, 0x7ffe00000000, 0xffffffffffff0000)) + random.randrange(65536)
        trace.write(f"{who} {op} 0x{address:x} {random.choice((1, 2, 4, 8, 8, 64, 5000))}\n")
END
}

# quietly ARGUMENT...: vmm ARGUMENT... --quiet, whose losses are not the matter of the test.
quietly() { vmm "$@" --quiet; }

# same_report TRACE TRACE ARGUMENT...: both give the same report, but for the trace's own name.
same_report() {
    local a=$1 b=$2
    shift 2
    vmm -t "$a" "$@" --no-timing -q -o a.json >/dev/null
    vmm -t "$b" "$@" --no-timing -q -o b.json >/dev/null
    python3 - <<'END'
import json
a, b = (json.load(open(name)) for name in ("a.json", "b.json"))
del a["trace"], b["trace"]
for report in a, b:  # page runs know the page of an address
    invalid = report["first_invalid"] or {"address": "0"}
    report["first_invalid"] = int(invalid["address"], 0) >> 12, invalid.get("reference")
different = {key: (a[key], b.get(key)) for key in a if a[key] != b.get(key)}
assert not different and a.keys() == b.keys(), different
END
}

# refused STATUS TEXT ARGUMENT...: `vmm trace ARGUMENT...` fails so, and writes no file `out*`.
refused() {
    local status=$1 text=$2
    shift 2
    fails "$status" "$text" vmm trace "$@"
    [ -z "$output" ]
    run ! compgen -G 'out*'
}

# ---- Help ----------------------------------------------------------------------------------------
@test "vmm trace lists its verbs" {
    vmm trace >verbs
    for verb in info convert head cat cut merge verify reduce; do
        grep -q "^  $verb " verbs
        works help trace "$verb"
        [[ $output == "Usage: vmm trace $verb "* ]]
        works trace "$verb" --help
    done
    works trace --help
    works help trace
}
@test "an unknown verb" {
    refused 1 "there is no 'vmm trace inf'; did you mean 'vmm trace info'?" inf
    refused 1 "there is no 'vmm trace xyzzy'" xyzzy
    fails 1 "left-over word 'xyzzy'" vmm help trace xyzzy
}

# ---- info ----------------------------------------------------------------------------------------
@test "info tells what a .vmt says of itself and what is in it" {
    works trace info "$events"
    for text in "Command:       prog 'a b'" 'Host:          test host' 'made, not recorded' \
        '2023-11-14T22:13:20Z' 'mappings complete' 'References:    100' 'reads        54 (54.0 %)' \
        'writes       35 (35.0 %)' 'fetches      10 (10.0 %)' 'by the kernel 1, 1 of them writes' \
        'Pages:         6 of 4096 bytes: a footprint of 24.0 KiB' 'Processes:     2' \
        'Threads:       3' 'Events:        13: 1 unmap, 2 exit, 2 start, 2 map' 'signal 9' \
        'exit 3' '/bin/prog \x1b[31m'; do
        [[ $output == *"$text"* ]] || { echo "missing: $text" && return 1; }
    done
    [[ $output != *$'\e'* ]]
}
@test "info --json" {
    works trace info --json "$events"
    printf '%s\n' "$output" >info.json
    [ "$(json references info.json)" -eq 100 ]
    [ "$(json kernel_references info.json)" -eq 1 ]
    [ "$(json pages info.json)" -eq 6 ]
    [ "$(json 'events["map"]' info.json)" -eq 2 ]
    [ "$(json 'processes[0]["threads"]' info.json)" -eq 2 ]
    [ "$(json 'processes[1]["parent"]' info.json)" -eq 100 ]
    [ "$(json 'files[0]["path"]' info.json)" = $'/bin/prog \e[31m' ]
    [ "$(json 'sum(windows["new_pages"])' info.json)" -eq 6 ]
    [ "$(json command info.json)" = "prog 'a b'" ]
}
@test "info --quick does not read the references" {
    head -c 1000 "$events" >cut.vmt
    works trace info --quick "$events"
    [[ $output == *'Index:         100 references'* ]]
    [[ $output != *'Processes'* ]]
    works trace info --quick --json cut.vmt
    printf '%s\n' "$output" >info.json
    [ "$(json index_references info.json)" -eq 0 ]
    refused 1 'is no .vmt' info --quick good.trace
}
@test "info of any format, and of standard input" {
    printf '0 R 0x1ffc 8\n0 W 0x2000 8\n1 I 0x2000 1\n' | vmm trace info --json - >info.json
    [ "$(json format info.json)" = native ]
    [ "$(json 'pages, pages_written, pages_fetched, crossing_references' info.json)" = '(3, 1, 1, 1)' ]
    printf '0 R 0x1ffc 8\n0 W 0x2000 8\n' | vmm trace info --json --page-size 16K - >info.json
    [ "$(json 'pages, page_size' info.json)" = '(1, 16384)' ]
}
@test "info: pages of windows are counted exactly, however long the trace is" {
    python3 - <<'END'
import random
random.seed(7)
refs = [random.randrange(1 + i // 40) for i in range(20000)]
open("long.trace", "w").writelines(f"0 R {page * 4096}\n" for page in refs)
END
    vmm trace info --json long.trace >info.json
    python3 - <<'END'
import json
info = json.load(open("info.json"))
refs = [int(line.split()[2]) // 4096 for line in open("long.trace")]
size = info["windows"]["references"]
windows = [refs[i:i + size] for i in range(0, len(refs), size)]
seen = set()
assert 32 < len(windows) <= 64, len(windows)
assert info["windows"]["pages"] == [len(set(window)) for window in windows]
for window, new in zip(windows, info["windows"]["new_pages"]):
    assert new == len(set(window) - seen)
    seen |= set(window)
assert info["pages"] == len(seen)
END
}
# alike TRACE: page runs of the trace are counted as its references are.
alike() {
    quietly trace convert "$1" runs.vmt
    vmm trace info --json runs.vmt >runs.json
    vmm trace info --json "$1" >references.json
    python3 - <<'END'
import json
runs, references = (json.load(open(name)) for name in ("runs.json", "references.json"))
alike = ("references", "reads", "writes", "fetches", "kernel_references", "kernel_writes",
         "crossing_references", "pages", "pages_written", "pages_fetched", "threads", "processes",
         "windows")
different = {key: (runs[key], references[key]) for key in alike if runs[key] != references[key]}
assert not different, different
assert runs["crossing_references"] >= 60 and len(runs["windows"]["pages"]) > 30
END
}

@test "info counts page runs as it counts references" {
    exact
    sed -i 's/0xffffffffffff0/0xfffffffff0/' exact.trace # where a run of many pages has room
    alike exact.trace
    # Stretches of many lengths on one page after the other, each with a reference into the next.
    awk 'BEGIN { for (page = 1; page <= 400; page++) {
        for (i = page * page % 997; i > 0; i--) print "1 R " page * 4096
        print "1 W " page * 4096 + 4090 " " 2 + page % 9 } }' >steps.trace
    alike steps.trace
    # The last reference of each window reaches into the page of the next one.
    awk 'BEGIN { for (page = 1; page <= 60; page++) {
        for (i = 0; i < 15; i++) print "1 R " page * 4096
        print "1 R " page * 4096 + 4090 " 8" } }' >windows.trace
    alike windows.trace
}

@test "info: what the kernel writes is written" {
    printf '1 R 0x1000\n1 KW 0x5000 8192\n1 KR 0x8000\n' >kernel.trace
    vmm trace info --json kernel.trace >info.json
    [ "$(python3 -c 'import json; print(json.load(open("info.json"))["pages_written"])')" = 2 ]
}

@test "info draws with blocks where the terminal knows them, and with # elsewhere" {
    LC_ALL=C.UTF-8 vmm trace info "$events" | grep -q '█'
    LC_ALL=C vmm trace info "$events" | grep -q '##'
    LC_ALL=C vmm trace info "$events" | run ! grep -q '█'
}

# ---- head, cat -----------------------------------------------------------------------------------
@test "head shows references and events" {
    works trace head -n 1 "$events"
    [ "${lines[0]}" = '@ mappings complete' ]
    [ "${lines[1]}" = '@ start 100/100 parent=1 time_ns=5000000000' ]
    [ "${lines[4]}" = '@ map 100/100 start=0x10000000 length=0x100000 prot=rw- flags=anonymous,heap time_ns=5000000000' ]
    [ "${lines[5]}" = '100/100 I 0x400000 8' ]
    [ "${#lines[@]}" -eq 6 ]
    works trace head "$events"
    [ "$(grep -vc '^@' <<<"$output")" -eq 10 ]
    works trace head good.trace
    [ "${#lines[@]}" -eq 3 ]
    refused 1 'expected at least 1' head -n 0 good.trace
    refused 1 'expected a count' head -n ten good.trace
}
@test "native text keeps events: there and back, and in a simulation" {
    vmm trace convert -q "$events" text.trace
    vmm trace convert -q text.trace back.vmt --codec runs
    vmm trace convert -q "$events" runs.vmt --codec runs
    cmp <(vmm trace cat runs.vmt) <(vmm trace cat back.vmt)
    same_report "$events" text.trace --frames 20 -a clock
    vmm trace cat "$events" | grep -v '^@ unmap' >kept.trace
    run ! same_report "$events" kept.trace --frames 100
    # A recorded program: processes that come and go, files, complete mappings.
    vmm trace cut -q "$root/examples/traces/pipeline.vmt" --refs :300k -o part.vmt
    vmm trace cat part.vmt >part.trace
    [ "$(head -n 1 part.trace)" = '@ mappings complete' ]
    grep -q '^@ fork .* child=' part.trace
    grep -q '^@ map .* path="/' part.trace
    vmm trace convert -q part.trace again.vmt
    cmp part.trace <(vmm trace cat again.vmt)
    same_report part.vmt part.trace --frames 60
    same_report part.vmt again.vmt --frames 60
    vmm trace info --json again.vmt >info.json
    [ "$(json mappings_complete info.json)" = True ]
}
@test "what cat prints simulates like the trace" {
    vmm trace cat "$events" >cat.trace
    grep -q '^100/100 KW 0x10000100 5000$' cat.trace
    grep -q '^@ exit 200/200 status=768 time_ns=5600000000$' cat.trace
    vmm trace convert "$events" again.trace -q
    cmp cat.trace again.trace
    example part1
    quietly trace convert part1.lackey part1.vmt
    vmm trace cat part1.vmt >cat.trace
    same_report part1.vmt cat.trace -a clock --frames 50 --pt-type FOUR_LEVEL
    vmm trace cat part1.vmt | vmm -t - -a clock --frames 50 -q | grep -q 'completed successfully'
}
@test "cat into a pipe that closes" {
    example part1
    run -0 bash -c "'$bin/vmm' trace cat part1.lackey 2>err | head -n 1"
    [ ! -s err ] || { cat err && return 1; }
}

# ---- convert -------------------------------------------------------------------------------------
@test "full addresses: text, .vmt and text again is the same, byte for byte" {
    example part1
    works trace convert part1.lackey a.trace
    works trace convert a.trace a.vmt --codec full
    works trace convert a.vmt b.trace
    cmp a.trace b.trace
    works trace convert a.vmt b.vmt
    works trace convert b.vmt c.trace
    cmp a.trace c.trace
    same_report part1.lackey b.vmt -a lru --frames 40
    vmm trace info --json b.vmt >info.json
    [ "$(json codec info.json)" = full ]
}
@test "references of all kinds, to any address and of any size, survive full addresses" {
    exact
    works trace convert exact.trace a.vmt --codec full
    works trace convert a.vmt b.trace
    cmp exact.trace b.trace
    same_report exact.trace a.vmt -a lru --frames 40
    quietly trace convert exact.trace runs.vmt
    same_report exact.trace runs.vmt -a lru --frames 40
}
@test "threads, touches of the kernel and events survive from .vmt to .vmt" {
    works trace convert "$events" out.vmt
    cmp <(vmm trace cat "$events") <(vmm trace cat out.vmt)
    vmm trace info --json "$events" >a.json
    vmm trace info --json out.vmt >b.json
    for key in command host recorder note start_time_ns mappings_complete events files processes; do
        [ "$(json "$key" a.json)" = "$(json "$key" b.json)" ]
    done
    vmm trace cut "$events" --time 0.5:0.7 -o a.vmt
    vmm trace cut out.vmt --time 0.5:0.7 -o b.vmt
    cmp <(vmm trace cat a.vmt) <(vmm trace cat b.vmt)
}
@test "page runs give the same report as what they were made of" {
    example part2
    quietly trace convert part2.lackey runs.vmt
    vmm trace convert runs.vmt runs.trace -q
    quietly trace convert runs.trace again.vmt
    cmp <(vmm trace cat runs.vmt) <(vmm trace cat again.vmt)
    for policy in lru clock opt; do
        same_report part2.lackey runs.vmt -a $policy --frames 60
        same_report runs.vmt runs.trace -a $policy --frames 60
        same_report runs.vmt again.vmt -a $policy --frames 60 --pt-type FOUR_LEVEL
    done
}
@test "what page runs lose is said" {
    run --separate-stderr vmm trace convert good.trace out.vmt
    [ "$status" -eq 0 ]
    [[ $stderr == *'addresses are kept by the page'*'--codec full'* ]]
    vmm trace info --json out.vmt >info.json
    [ "$(json codec info.json)" = runs ]
    refused 1 'cannot become a .vmt of full addresses' convert out.vmt full.vmt --codec full 2>/dev/null ||
        [[ $stderr == *'cannot become a .vmt of full addresses'* ]]
    [ ! -e full.vmt ]
}
@test "din and back: labels and addresses stay, sizes are told to be lost" {
    printf '3 R 0x1000 8\n3 W 0x2ffc 8\n3 I 0x400000 1\n' >one.trace
    run --separate-stderr vmm trace convert one.trace one.din
    [ "$status" -eq 0 ]
    [[ $stderr == *'loses sizes: 2 references are longer'* ]]
    [[ $stderr == *'loses second pages: 1 references'* ]]
    [ "$(cat one.din)" = $'0 1000\n1 2ffc\n2 400000' ]
    [ "$(vmm trace cat one.din)" = $'0 R 0x1000 1\n0 W 0x2ffc 1\n0 I 0x400000 1' ]
    run --separate-stderr vmm trace cut "$events" --pid 100 -o one.din
    [ "$status" -eq 0 ]
    [[ $stderr == *'1 reference was left out'* ]]
    [[ $stderr == *'13 events were left out'* ]]
}
@test "ChampSim and back: the same pages in the same order" {
    printf '0 I 0x400000\n0 R 0x1000\n0 W 0x2000\n0 I 0x400008\n0 W 0x3000\n0 R 0x4000\n' >one.trace
    run --separate-stderr vmm trace convert one.trace one.champsim
    [ "$status" -eq 0 ]
    [[ $stderr == *'loses instructions: 1 are repeated'* ]]
    [ "$(stat -c %s one.champsim)" -eq 192 ]
    vmm trace cat one.champsim --from champsim | grep -o '[RWI] 0x[0-9a-f]*' >back
    printf '%s\n' 'I 0x400000' 'R 0x1000' 'W 0x2000' 'I 0x400008' 'W 0x3000' 'I 0x400008' \
        'R 0x4000' | cmp - back
    example part1
    quietly trace convert part1.lackey sort.champsim
    quietly trace convert part1.lackey sort.din
    vmm -t sort.din -a lru --frames 40 -q --refs data -o a.json >/dev/null
    vmm -t sort.champsim --format champsim -a lru --frames 40 -q --refs data -o b.json >/dev/null
    [ "$(counter page_faults a.json)" -eq "$(counter page_faults b.json)" ]
    [ "$(counter writes a.json)" -eq "$(counter writes b.json)" ]
}
@test "oracleGeneral and back: the same pages, and the next request of each" {
    printf '5 R 0x1000\n5 W 0x1ffc 8\n5 R 0x9000\n5 R 0x2000\n' >one.trace
    quietly trace convert one.trace one.oracleGeneral
    python3 - <<'END'
import struct
data = open("one.oracleGeneral", "rb").read()
records = list(struct.iter_unpack("<IQIq", data))
assert [(page, size, following) for _, page, size, following in records] == [
    (1, 4096, 2), (1, 4096, -1), (2, 4096, 5), (9, 4096, -1), (2, 4096, -1)], records
END
    example part1
    quietly trace convert part1.lackey sort.oracleGeneral
    quietly trace convert part1.lackey sort.pages
    vmm -t sort.oracleGeneral --format oracleGeneral -a lru --frames 40 -q -o a.json >/dev/null
    vmm -t sort.pages --format pages -a lru --frames 40 -q -o b.json >/dev/null
    vmm -t part1.lackey -a lru --frames 40 -q -o c.json >/dev/null
    [ "$(counter page_faults a.json)" -eq "$(counter page_faults c.json)" ]
    [ "$(counter page_faults b.json)" -eq "$(counter page_faults c.json)" ]
}
@test "standard input and output" {
    sed 's/$/ 1/' good.trace >expected
    vmm trace convert - - --to native <good.trace | cmp - expected
    vmm trace convert -q - - --to vmt <good.trace | vmm trace cat - >back
    [ "$(grep -vc '^@' back)" -eq 3 ]
    gzip -c good.trace | vmm trace convert - - --to din | cmp - <(printf '0 1000\n1 2000\n0 1000\n')
}
@test "an output stays as it was until it is complete" {
    echo old >out.trace
    trace bad.trace '0 R 0x1000' '0 X 0x1000'
    fails 2 'bad.trace:2' vmm trace convert bad.trace out.trace --from native
    [ "$(cat out.trace)" = old ]
    rm -f separate-stderr*
    [ "$(ls -A)" = "$(printf '%s\n' bad.trace events.vmt good.trace out.trace)" ]
    works trace convert good.trace out.trace
    [ "$(wc -l <out.trace)" -eq 3 ]
}
@test "a full disk is an error" {
    [ -w /dev/full ] || skip 'there is no /dev/full'
    for format in vmt native din pages champsim oracleGeneral; do
        fails 1 'cannot write' vmm trace convert good.trace /dev/full --to $format
    done
    echo old >out.trace
    seq 100000 | awk '{print "0 R " $1}' >long.trace
    fails 1 'the file is as it was before' bash -c "ulimit -f 10; '$bin/vmm' trace convert long.trace out.trace"
    [ "$(cat out.trace)" = old ]
}
@test "Ctrl-C leaves no output, and ends with status 130" {
    mkfifo pipe
    run -130 python3 - "$bin/vmm" <<'END'
import signal, subprocess, sys
run = subprocess.Popen([sys.argv[1], "trace", "convert", "pipe", "out.vmt", "--from", "native"],
                       preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
pipe = open("pipe", "wb", buffering=0)
pipe.write(b"0 R 0x1000\n" * 100000)
run.send_signal(signal.SIGINT)
sys.exit(run.wait(timeout=300))
END
    [ "$(ls -A)" = "$(printf '%s\n' events.vmt good.trace pipe)" ]
}
@test "convert refuses what it cannot do" {
    printf '1 R 0x1000\n2 R 0x1000\n' >two.trace
    refused 1 'it has no processes' convert two.trace out.din
    [[ $stderr == *"'vmm trace cut --pid'"* ]]
    refused 1 'it has no processes' convert two.trace out.pages
    refused 1 'it has no processes' convert two.trace out.champsim
    refused 1 "'out.foo' does not tell the format" convert good.trace out.foo
    refused 1 'text is written unpacked' convert good.trace out.trace.gz
    refused 1 "there is no format 'dim' to write; did you mean 'din'?" convert good.trace out --to dim
    refused 1 '--codec is for .vmt' convert good.trace out.din --codec full
    refused 1 'codec' convert good.trace out.vmt --codec fast
    refused 1 'are the same file' convert good.trace ./good.trace
    refused 1 'cannot open' convert nothing.trace out.vmt
    refused 1 'cannot open' convert good.trace none/out.vmt
    refused 1 'expected vmm trace convert IN OUT' convert good.trace
    refused 1 "left-over word 'more'" convert good.trace out.vmt more
    refused 1 'page-size' convert good.trace out.pages --page-size 5000
    refused 2 'good.trace:1' convert good.trace out.vmt --from din
    quietly trace convert good.trace runs.vmt
    refused 1 'knows its addresses by pages of 4096 bytes' convert runs.vmt out.pages -p 1K
}
@test "bad records are left out on request, and counted" {
    trace bad.trace '0 R 0x1000' '0 X 0x1000' '0 W 0x2000'
    run --separate-stderr vmm trace convert bad.trace b.din --skip-bad-records
    [ "$status" -eq 0 ]
    [[ $stderr == *'bad.trace: 1 bad record was left out'* ]]
    [ "$(wc -l <b.din)" -eq 2 ]
}

# ---- cut -----------------------------------------------------------------------------------------
@test "cut takes references by number" {
    seq 0 9999 | awk '{print "0 R " $1 * 4096}' >long.trace
    works trace cut long.trace --refs 10:20 -o part.trace
    sed -n 11,20p long.trace | awk '{printf "0 R 0x%x 1\n", $3}' | cmp - part.trace
    works trace cut long.trace --refs 9990: -o part.trace
    [ "$(wc -l <part.trace)" -eq 10 ]
    works trace cut long.trace --refs :5k -o part.trace
    [ "$(wc -l <part.trace)" -eq 5000 ]
}
@test "cut keeps the mappings in front of it, not marks" {
    works trace cut "$events" --refs 62:70 -o part.vmt
    vmm trace cat part.vmt >part
    grep -q '^@ map 100/100 start=0x400000 length=0x4000 prot=r-x' part
    grep -q '^@ fork 100/100 child=200' part
    run ! grep -q mark part
    run ! grep -q exit part
    [ "$(grep -vc '^@' part)" -eq 8 ]
    grep -q '^200/200 W 0x10001000 8' part
}
@test "cut takes processes" {
    works trace cut "$events" --pid 200 -o part.vmt
    vmm trace info --json part.vmt >info.json
    [ "$(json references info.json)" -eq 15 ]
    works trace cut "$events" --pid 100,200 -o part.vmt
    cmp <(vmm trace cat part.vmt) <(vmm trace cat "$events")
}
@test "cut takes a time" {
    works trace cut "$events" --time 0.3:0.6 -o part.vmt
    vmm trace cat part.vmt >part
    [ "$(grep -vc '^@' part)" -eq 30 ]
    grep -q '^100/101 R 0x10001000 8' part
    grep -q '^@ mark 100/101 mark=7' part
    works trace cut "$events" --time 0.6: -o part.vmt
    [ "$(vmm trace cat part.vmt | grep -vc '^@')" -eq 39 ]
}
@test "cut refuses what it cannot do" {
    refused 1 'say what stays' cut good.trace -o out.trace
    refused 1 'say where the cut goes' cut good.trace --refs 0:1
    refused 1 'expected FROM:TO' cut good.trace -o out.trace --refs 5
    refused 1 'FROM is not below TO' cut good.trace -o out.trace --refs 2:2
    refused 1 'expected a count' cut good.trace -o out.trace --refs a:b
    refused 1 'expected process numbers' cut good.trace -o out.trace --pid 1,x
    refused 1 'expected process numbers' cut good.trace -o out.trace --pid 4294967296
    refused 1 'expected FROM:TO in seconds' cut good.trace -o out.trace --time x
    refused 1 'knows no time' cut good.trace -o out.trace --time 0:1
    refused 1 'there is no reference to write' cut good.trace -o out.trace --pid 77
    refused 1 'there is no reference to write' cut good.trace -o out.trace --refs 100:200
    refused 1 'are the same file' cut good.trace -o good.trace --refs 0:1
    quietly trace convert good.trace untimed.vmt
    refused 1 'does not say when' cut untimed.vmt -o out.vmt --time 0:1
}

# ---- merge ---------------------------------------------------------------------------------------
@test "merge takes a quantum of each in turn where there is no time" {
    for i in 1 2 3 4 5; do echo "1 R 0x${i}000 1"; done >a.trace
    for i in 6 7 8; do echo "2 W 0x${i}000 1"; done >b.trace
    works trace merge a.trace b.trace --quantum 2 -o ab.trace
    printf '%s\n' '1 R 0x1000 1' '1 R 0x2000 1' '2 W 0x6000 1' '2 W 0x7000 1' '1 R 0x3000 1' \
        '1 R 0x4000 1' '2 W 0x8000 1' '1 R 0x5000 1' | cmp - ab.trace
    run --separate-stderr vmm trace merge a.trace b.trace -o ab.trace
    [[ $stderr == *'10000 of each are taken in turn'* ]]
}
@test "merge by time, and processes of one number stay two" {
    vmm trace cut "$events" --time 0:0.3 -o a.vmt
    vmm trace cut "$events" --time 0.3: -o b.vmt
    run --separate-stderr vmm trace merge b.vmt a.vmt -o ab.vmt
    [ "$status" -eq 0 ]
    [[ $stderr == *'process 100 of a.vmt is another one'*'becomes process 1000000'* ]] ||
        [[ $stderr == *'process 100 of b.vmt is another one'*'becomes process 1000000'* ]]
    vmm trace cat ab.vmt | grep -v '^@' | sed 's,^1000000/,100/,' >merged
    vmm trace cat "$events" | grep -v '^@' | cmp - merged
    vmm trace info --json ab.vmt >info.json
    [ "$(json 'len(processes)' info.json)" -eq 3 ]
    [ "$(json 'sorted(p["parent"] for p in processes if p["pid"] == 200)[0] in (100, 1000000)' info.json)" = True ]
}
@test "merge refuses what it cannot do" {
    refused 1 'expected vmm trace merge IN IN... -o OUT' merge good.trace -o out.trace
    refused 1 'say where the merged trace goes' merge good.trace good.trace
    refused 1 'expected at least 1' merge good.trace good.trace -o out.trace --quantum 0
    refused 1 'are the same file' merge good.trace "$events" -o good.trace
    quietly trace reduce -k 2 good.trace -o small.vmt
    refused 1 'reduced trace' merge good.trace small.vmt -o out.vmt
}

# ---- verify --------------------------------------------------------------------------------------
@test "verify: good traces" {
    works trace verify "$events"
    [[ $output == *'good: vmt, 100 references, 13 events' ]]
    works trace verify good.trace
    [[ $output == 'good.trace: good: native, 3 references, 0 events' ]]
    gzip -c "$events" | vmm trace verify - >verified
    [ "$(cat verified)" = '-: good: vmt, 100 references, 13 events' ]
    run bash -c "head -c 1000 '$events' | '$bin/vmm' trace verify -"
    [ "$status" -eq 2 ]
}
@test "verify: what is damaged, and where" {
    example part1
    quietly trace convert part1.lackey part1.vmt
    head -c 20000 part1.vmt >cut.vmt
    run --separate-stderr vmm trace verify cut.vmt
    [ "$status" -eq 2 ]
    [[ $output == *'cut.vmt: damaged .vmt at byte '* ]]
    [[ $output == *'has no index: it was cut off'* ]]
    [[ $output == *'references are readable (--skip-bad-records)' ]]
    cp part1.vmt bad.vmt
    printf 'XXXX' | dd of=bad.vmt bs=1 seek=12000 conv=notrunc status=none
    run --separate-stderr vmm trace verify bad.vmt
    [ "$status" -eq 2 ]
    [[ $output == *'behind reference '*': at least '* ]]
    [[ $output == *'its index tells of '* ]]
    fails 2 'bad.vmt' vmm trace convert bad.vmt out.vmt
    [ ! -e out.vmt ]
    run --separate-stderr vmm trace convert bad.vmt out.vmt --skip-bad-records
    [ "$status" -eq 0 ]
    [[ $stderr == *'bad.vmt: '*'left out'* ]]
    works trace verify out.vmt
    [[ $output == *'good, but references were lost when it was made'* ]]
    printf '0 R 0x1\n0 X 0x1\n' >bad.trace
    run --separate-stderr vmm trace verify bad.trace --from native
    [ "$status" -eq 2 ]
    [[ $output == *'bad.trace:2: found "0 X 0x1"'* ]]
}

# ---- reduce --------------------------------------------------------------------------------------
# equal_lru FULL REDUCED FRAMES: LRU page faults and write-backs.
equal_lru() {
    local name
    for name in "$1" "$2"; do
        vmm -t "$name" -a lru --frames "$3" --tlb off -q -o "$name.json" >/dev/null
    done
    for name in page_faults swap_outs swap_ins; do
        [ "$(counter $name "$1.json")" -eq "$(counter $name "$2.json")" ] || return 1
    done
}
@test "reduce: LRU faults and write-backs stay, for k frames and more" {
    for name in part1 part2 part4; do
        example $name
        for k in 8 32; do
            works trace reduce -k $k $name.lackey -o small.vmt
            [[ $output == *"for LRU memories of at least $k frames of 4096 bytes"* ]]
            for frames in $k $((k + 1)) $((2 * k)) $((4 * k)); do
                equal_lru $name.lackey small.vmt "$frames"
            done
            [ "$(vmm trace cat small.vmt | wc -l)" -lt 120000 ]
        done
    done
    vmm trace info --json small.vmt >info.json
    [ "$(json reduction info.json)" -eq 32 ]
    [ "$(json original_references info.json)" -ge 300000 ]
    [ "$(json original_references info.json)" -eq "$(vmm trace cat part4.lackey | wc -l)" ]
}
@test "reduce: recorded programs, with their events" {
    for name in sort pipeline; do
        cp "$root/examples/traces/$name.vmt" full.vmt
        works trace reduce -k 32 full.vmt -o small.vmt
        for frames in 32 33 64; do
            equal_lru full.vmt small.vmt $frames
        done
        cmp <(vmm trace cat small.vmt | grep '^@' | grep -Ev '^@ (reduced|page-size)') \
            <(vmm trace cat full.vmt | grep '^@' | grep -v '^@ page-size')
    done
}
@test "reduce: references of one kind" {
    example part1
    works trace reduce -k 16 --refs data part1.lackey -o small.vmt
    vmm -t part1.lackey --refs data -a lru --frames 16 --tlb off -q -o a.json >/dev/null
    vmm -t small.vmt -a lru --frames 16 --tlb off -q -o b.json >/dev/null
    [ "$(counter page_faults a.json)" -eq "$(counter page_faults b.json)" ]
    vmm trace info --json small.vmt >info.json
    [ "$(json fetches info.json)" -eq 0 ]
}
@test "what a trace is exact for goes with it as text, and is told where it cannot" {
    local examples=$root/examples/traces
    quietly trace convert "$examples/sort.vmt" runs.trace
    run -1 vmm -t runs.trace -p 1024 --frames 100
    [[ $output == *'by pages of 4096 bytes only'* ]]
    vmm trace reduce -k 64 "$examples/sort.vmt" -o reduced.vmt >/dev/null
    quietly trace convert reduced.vmt reduced.trace
    quietly trace convert reduced.trace again.vmt
    for reduced in reduced.trace again.vmt; do
        run -1 vmm -t $reduced -a fifo --frames 100 --tlb off
        [[ $output == *'reduced for LRU of at least 64 frames, and the policy is not lru'* ]]
    done
    same_report reduced.vmt again.vmt -a lru --frames 100 --tlb off
    for to in out.din out.champsim out.oracleGeneral out.pages; do
        run vmm trace convert reduced.vmt $to
        [[ $output == *'exact for LRU memories of at least 64 frames, which the format'* ]]
    done
    run vmm trace convert "$examples/sort.vmt" out.din
    [[ $output == *'a simulation with smaller pages would be wrong'* ]]
    printf '1 R 0x1000\n@ page-size 4096\n1 R 0x2000\n' >late.trace
    run -2 vmm -t late.trace
    [[ $output == *'expected it before all references and events'* ]]
}

@test "reduce: events stay at their places, and nothing is dropped across them" {
    works trace reduce -k 64 "$events" -o small.vmt
    cmp <(vmm trace cat small.vmt | grep '^@' | grep -Ev '^@ (reduced|page-size)') <(vmm trace cat "$events" | grep '^@')
    for frames in 64 65 128; do
        cp "$events" full.vmt
        equal_lru full.vmt small.vmt "$frames"
    done
}
@test "reduce refuses what it cannot do" {
    refused 1 'say for which memories' reduce good.trace -o out.vmt
    refused 1 'say where the reduced trace goes' reduce -k 5 good.trace
    refused 1 'expected 1 to 268435456' reduce -k 0 good.trace -o out.vmt
    refused 1 'expected a count' reduce -k many good.trace -o out.vmt
    refused 1 'expected all, data or fetch' reduce -k 5 --refs some good.trace -o out.vmt
    refused 1 'only a .vmt can hold' reduce -k 5 good.trace -o out.din
    quietly trace reduce -k 5 good.trace -o small.vmt
    refused 1 'is a reduced trace' cut small.vmt --refs 0:1 -o out.vmt
}
