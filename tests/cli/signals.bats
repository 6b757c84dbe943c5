#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Runs that are interrupted, and the progress line.
# shellcheck disable=SC2154

load common
setup() { start; }

# interrupted SIGNAL IGNORED AFTER ARGUMENT...: vmm ARGUMENT... reads a pipe, SIGNAL comes in the
# middle of the run, and then the pipe goes on, stays silent or ends, as AFTER says. Signals
# IGNORED (or none) are ignored from the start. Leaves out and err; the status is that of the run.
interrupted() {
    mkfifo pipe
    python3 - "$bin/vmm" "$@" <<'END'
import os, signal, subprocess, sys
program, name, ignored, after, *arguments = sys.argv[1:]

def dispositions():  # whatever this test inherited
    for signal_name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, signal_name),
                      signal.SIG_IGN if signal_name == ignored else signal.SIG_DFL)

run = subprocess.Popen([program, *arguments], stdout=open("out", "wb"), stderr=open("err", "wb"),
                       preexec_fn=dispositions)
pipe = open("pipe", "wb", buffering=0)
lines = b"0 R 0x1000\n" * 100000
pipe.write(lines)  # returns only when most of it is read: the run has begun
if after == "end":  # both are there when it wakes up
    run.send_signal(signal.SIGSTOP)
run.send_signal(getattr(signal, name))
if after == "end":
    pipe.close()
    run.send_signal(signal.SIGCONT)
try:
    while after == "go on" and run.poll() is None:
        pipe.write(lines)
except BrokenPipeError:
    pass
status = run.wait(timeout=300)  # the pipe is still open if it is silent
sys.exit(status if status >= 0 else 100)
END
}
# partial: the reports cover a part, and say so.
partial() {
    grep -q 'SIMULATION SUMMARY' out
    grep -q 'interrupted: the numbers above cover only' out
    run ! grep -q successfully out
    [ "$(counter end int.json)" = stopped ]
    [ "$(counter accesses int.json)" -gt 50000 ]
    [ ! -s err ]
}

@test "Ctrl-C prints what was simulated so far, and ends with status 130" {
    run -130 interrupted SIGINT none 'go on' -t pipe --format native -o int.json
    partial
}
@test "Ctrl-C ends the wait for a pipe that is silent" {
    run -130 interrupted SIGINT none silent -t pipe --format native -o int.json
    partial
}
@test "Ctrl-C and the end of the input: not the whole run" {
    run -130 interrupted SIGINT none end -t pipe --format native -o int.json
    partial
}
@test "SIGTERM and SIGHUP are like Ctrl-C" {
    run -143 interrupted SIGTERM none silent -t pipe --format native -o int.json
    partial
    rm pipe int.json
    run -129 interrupted SIGHUP none silent -t pipe --format native -o int.json
    partial
}
@test "what was ignored at the start stays so" {
    run -0 interrupted SIGINT SIGINT end -t pipe --format native -o int.json
    grep -q 'completed successfully' out
    rm pipe
    run -0 interrupted SIGHUP SIGHUP end -t pipe --format native -o int.json
    [ "$(counter accesses int.json)" -eq 100000 ]
}
@test "compare: Ctrl-C shows the table so far" {
    run -130 interrupted SIGINT none silent compare -t pipe --format native -a lru,fifo --frames 1
    grep -q '^lru ' out
    grep -q '^Interrupted:' out
}

@test "mrc: Ctrl-C says of files that they are not the whole" {
    run -130 interrupted SIGINT none silent mrc -t pipe --format native --csv part.csv
    grep -q 'interrupted: what is written covers only' err
    [ -s part.csv ]
}

# ---- The progress line ---------------------------------------------------------------------------
# on_terminal PROGRAM ARGUMENT...: with a terminal of its own, whose output is standard output.
on_terminal() {
    python3 -c 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' \
        "$@" </dev/null
}
@test "progress on a terminal, and none away from it" {
    script -qec true /dev/null </dev/null >/dev/null 2>&1 || skip "no terminal can be made here"
    # Every run is long enough.
    export VMM_PROGRESS_DELAY=0
    run on_terminal "$bin/vmm" -t good.trace
    [ "$status" -eq 0 ]
    [[ $output == *' M references '* ]]
    run on_terminal "$bin/vmm" -t good.trace -q
    [[ $output == *'SIMULATION SUMMARY'* && $output != *' M references '* ]]
    run vmm -t good.trace
    [[ $output == *'SIMULATION SUMMARY'* && $output != *' M references '* && $output != *$'\r'* ]]
    run vmm compare -t good.trace
    [[ $output == *'miss ratio'* && $output != *' M references '* ]]
}
