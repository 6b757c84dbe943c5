#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A table of wrong command lines: each is refused with a message that helps, and exit status 1.
# shellcheck disable=SC2154

load common
setup() { start; }

# ---- Numbers -------------------------------------------------------------------------------------
@test "-r 0" { misuse '"0" is out of range' -r 0; }
@test "-r abc" { misuse 'found "abc", expected a size' -r abc; }
@test "-r -1" { misuse 'found "-1"' -r -1; }
@test "--ram=-1" { misuse 'found "-1"' --ram=-1; }
@test "-r with an unknown unit" { misuse 'found "64X"' -r 64X; }
@test "-r in scientific notation" { misuse 'found "1e3"' -r 1e3; }
@test "-r empty" { misuse 'ram: found ""' -r ''; }
@test "-r with a blank" { misuse 'ram: found "6 4"' -r '6 4'; }
@test "-r that overflows 64 bits" { misuse 'out of range' -r 99999999999999999999; }
@test "-r that overflows with its unit" { misuse 'out of range' -r 99999999999T; }
@test "-p 0" { misuse 'page-size: "0" is out of range' -p 0; }
@test "-p 1" { misuse 'page-size: "1" is out of range' -p 1; }
@test "-p no power of two" { misuse 'not a power of two' -p 3000; }
@test "-p -4096" { misuse 'found "-4096"' -p -4096; }
@test "-p 2G" { misuse 'out of range' -p 2G; }
@test "a page larger than the memory" { misuse 'makes no frame' -p 1073741824; }
@test "-s 0" { misuse 'swap: "0" is out of range' -s 0; }
@test "-s -1" { misuse 'swap: found "-1"' -s -1; }
@test "-s smaller than a page" { misuse 'smaller than one page' -s 1K; }
@test "-v 0" { misuse 'vspace: "0" is out of range' -v 0; }
@test "-v beyond 57 bits" { misuse 'out of range' -v 9999999999999; }
@test "-v smaller than a page" { misuse 'smaller than one page' -v 1K; }
@test "-T 0 names --tlb off" { misuse '--tlb off' -T 0; }
@test "-T -1" { misuse 'found "-1"' -T -1; }
@test "-T 65536" { misuse 'out of range' -T 65536; }
@test "--tlb-ways that do not divide" { misuse 'does not divide' -T 4 --tlb-ways 3; }
@test "--tlb-ways 0" { misuse 'out of range' --tlb-ways 0; }
@test "-n 0" { misuse 'out of range' -n 0; }
@test "-n -5" { misuse 'found "-5"' -n -5; }
@test "--threads abc" { misuse '--threads is "abc", expected a number from 0 to 64' --threads abc; }
@test "--threads 65" { misuse '--threads is "65"' --threads 65; }
@test "-n abc" { misuse 'found "abc"' -n abc; }
@test "-n that overflows" { misuse 'out of range' -n 18446744073709551616; }
@test "--seed -1" { misuse 'found "-1"' --seed -1; }
@test "--seed that overflows" { misuse 'out of range' --seed 18446744073709551616; }
@test "--frames 0" { misuse 'out of range' --frames 0; }
@test "--frames 1.5" { misuse 'found "1.5"' --frames 1.5; }
@test "--frames 4294967295" { misuse 'out of range' --frames 4294967295; }
@test "--cost-fault of an unknown unit" { misuse 'expected a duration' --cost-fault 5parsecs; }
@test "--cost-tlb -1ns" { misuse 'found "-1ns"' --cost-tlb -1ns; }

# ---- Names ---------------------------------------------------------------------------------------
@test "an unknown policy; the message says where they are listed" { misuse "vmm list policies" -a nosuch; }
@test "a misspelt policy" { misuse 'there is no policy "lur"; did you mean lru?' -a lur; }
@test "a misspelt policy parameter" { misuse 'no parameter "bist"; did you mean bits?' -a clock:bist=2; }
@test "policy check of a misspelt policy or parameter" {
    fails 1 'there is no policy "lur"; did you mean lru?' vmm policy check lur
    fails 1 'no parameter "bist"; did you mean bits?' vmm policy check clock:bist=2
}
@test "a policy parameter out of range" { misuse 'expected 1 to 8' -a clock:bits=99; }
@test "an unknown policy parameter" { misuse 'no parameter "foo"' -a clock:foo=1; }
@test "a policy parameter without a value" { misuse 'expected parameter=value' -a clock:bits; }
@test "a parameter for a policy without any" { misuse 'no parameter "bits"' -a lru:bits=1; }
@test "an unknown page table" { misuse 'FOUR_LEVEL' --pt-type SIX_LEVEL; }
@test "an unknown TLB policy" { misuse 'expected one of LRU|FIFO' --tlb-policy PLRU2; }
@test "--tlb maybe" { misuse 'off|on' --tlb maybe; }
@test "--refs some" { misuse 'all|data|fetch' --refs some; }
@test "--scope mine" { misuse 'global|process' --scope mine; }
@test "--accessed-bit sometimes" { misuse 'tlb-fill' --accessed-bit sometimes; }
@test "--format elf" { fails 1 'lackey' vmm -t good.trace --format elf; }

# ---- Flags ---------------------------------------------------------------------------------------
@test "an unknown long flag; the nearest is suggested" { misuse 'did you mean --policy?' --polcy lru; }
@test "an unknown long flag that is near to none" { misuse 'unknown flag --nonsense' --nonsense 3; }
@test "an unknown long flag of four letters, two edits from another" {
    misuse 'unknown flag --nope' --nope
    [[ $stderr != *'did you mean'* ]]
    misuse 'did you mean --refs?' --ref data
    misuse 'did you mean --trace?' --traec x
}
@test "a long word is cut in messages" {
    local word
    word=$(printf 'x%.0s' {1..5000})
    misuse 'xxx...' "--$word"
    [ "${#stderr}" -lt 200 ]
    misuse 'xxx...' "$word"
    [ "${#stderr}" -lt 200 ]
    fails 1 'xxx...' vmm explain "1,$word"
    [ "${#stderr}" -lt 300 ]
    fails 1 'xxx...' vmm "$word"
    [ "${#stderr}" -lt 200 ]
}
@test "control characters reach no terminal" {
    printf 'ram = \033[31mred\302\233x\n' >vmm.conf
    fails 1 '\x1b[31mred\xc2\x9bx' vmm -t good.trace --config vmm.conf
    [[ $stderr != *$'\033'* ]]
    fails 1 'no\x0asuch\x0d\x1b' vmm -t good.trace --config $'no\nsuch\r\033'
    fails 1 "cannot open" vmm -t $'no\nsuch\r\033'
    [[ $stderr != *$'\033'* && $stderr != *$'\r'* ]]
    fails 1 "unknown command 'é\\x07'" vmm $'é\a'
}
@test "an unknown short flag" { misuse 'unknown flag -Z' -Z; }
@test "an unknown letter behind a switch" { misuse "unknown flag -Z in '-VZ'" -VZ; }
@test "a short flag without its value" { misuse '-r needs a value: -r SIZE' -r; }
@test "a long flag without its value" { misuse '--ram needs a value: --ram SIZE' --ram; }
@test "a switch with a value" { misuse '--verbose takes no value' --verbose=yes; }
@test "a left-over word" { misuse "left-over word 'extra'" extra; }
@test "a left-over word behind --" { misuse "left-over word '-r'" -- -r; }
@test "an empty file name" { fails 1 '-t: the value is empty' vmm -t ''; }
@test "no trace" { fails 1 'no trace is named' vmm -a lru; }
@test "no arguments" { fails 1 'nothing to do' vmm; }
@test "--csv-append without --csv" { misuse 'needs --csv FILE' --csv-append; }
@test "two reports on standard output" { misuse 'only one of' -o - --csv -; }
@test "an unknown command" { fails 1 "unknown command 'frobnicate'" vmm frobnicate; }
@test "a misspelt command" { fails 1 "did you mean 'compare'?" vmm comparee; }
@test "a trace in place of a command" { fails 1 'vmm -t good.trace' vmm good.trace; }

# ---- Configuration files -------------------------------------------------------------------------
@test "a configuration file that does not exist" {
    fails 1 'nosuch.conf' vmm -t good.trace --config nosuch.conf
}
@test "an unknown name in a configuration file" {
    printf '# comment\n\nram = 4\nspeed = 9\n' >vmm.conf
    fails 1 'vmm.conf:4' vmm -t good.trace --config vmm.conf
    [[ $stderr == *speed* ]]
}
@test "a bad value in a configuration file" {
    echo 'ram = lots' >vmm.conf
    fails 1 'vmm.conf:1: ram: found "lots"' vmm -t good.trace --config vmm.conf
}
@test "a line without '=' in a configuration file" {
    echo 'ram 4' >vmm.conf
    fails 1 'expected "name = value"' vmm -t good.trace --config vmm.conf
}
@test "a folder as configuration file" { fails 1 '.' vmm -t good.trace --config .; }

# ---- Other commands ------------------------------------------------------------------------------
@test "compare without a trace" { fails 1 'no trace is named' vmm compare -a lru; }
@test "compare with an unknown policy" { fails 1 'foo' vmm compare -t good.trace -a lru,foo; }
@test "compare with an empty policy" { fails 1 'policy' vmm compare -t good.trace -a fifo,,lru; }
@test "compare with a bad size" { fails 1 'found "x"' vmm compare -t good.trace --frames 1,x; }
@test "compare with a size of 0" { fails 1 'out of range' vmm compare -t good.trace --frames 1,0; }
@test "compare with no size" { fails 1 'frames' vmm compare -t good.trace --frames ,; }
@test "compare with frames and ram" {
    fails 1 'exclude each other' vmm compare -t good.trace --frames 1 -r 1
}
@test "compare with an unknown metric" {
    fails 1 "did you mean 'misses'?" vmm compare -t good.trace --metric mises
}
@test "compare with a picture of an unknown kind" {
    fails 1 '.svg' vmm compare -t good.trace --plot x.jpg
}
@test "compare with a left-over word" { fails 1 'left-over' vmm compare -t good.trace x; }
@test "compare --plot without gnuplot" {
    mkdir empty
    fails 1 'gnuplot' env "PATH=$PWD/empty" "$bin/vmm" compare -t good.trace --plot x.svg
}
@test "explain without pages" { fails 1 'no page numbers' vmm explain -a lru; }
@test "explain with a word" { fails 1 "'x' is no page number" vmm explain 1,2,x; }
@test "explain with a negative number" { fails 1 'unknown flag -1' vmm explain 1 -1; }
@test "explain with a huge number" { fails 1 'no page number' vmm explain 99999999999999999999; }
@test "explain with a page beyond 64 bits" { fails 1 'no page number' vmm explain 0xffffffffffffffff; }
@test "explain with pages and --file" {
    fails 1 'given twice' vmm explain 1,2 --file good.trace
}
@test "explain with a file that does not exist" {
    fails 1 'nosuch' vmm explain --file nosuch
}
@test "list of something unknown" { fails 1 "did you mean 'policies'?" vmm list polices; }
@test "list with two words" { fails 1 "left-over word 'formats'" vmm list policies formats; }
@test "list in two forms" { fails 1 'exclude each other' vmm list policies --json --markdown; }
@test "help for an unknown command" { fails 1 "no command 'nosuch'" vmm help nosuch; }
@test "help with two words" { fails 1 "left-over word 'extra'" vmm help sim extra; }
@test "version with a word" { fails 1 'left-over' vmm version 2; }

# ---- Limits and pressure -------------------------------------------------------------------------
@test "--resident-limit 0" { misuse 'resident-limit: "0" is out of range' --resident-limit 0; }
@test "--resident-limit below a page" {
    misuse 'resident-limit is smaller than one page' --resident-limit 2K
}
@test "--groups without a size" { misuse 'expected NAME=SIZE:PID,PID' --groups db; }
@test "--groups with a word as process" { misuse 'found "x", expected NAME' --groups db=1M:x; }
@test "--groups with a process twice" { misuse 'process 7 is named twice' --groups a=1M:7+b=1M:7; }
@test "--groups with a name twice" { misuse 'two groups are called "a"' --groups a=1M:7+a=1M:8; }
@test "--groups with --scope process" {
    misuse 'memory of its own' --groups a=1M:7 --scope process
}
@test "--free-high alone" { misuse 'give free-low too' --free-high 1M; }
@test "--free-low of all memory" {
    misuse 'expected free-low <= free-high < the 10 frames' --frames 10 --free-low 40K
}
@test "--free-low with a policy that needs full memory" {
    misuse 'free-low with the policy arc' --free-low 1M -a arc
}
