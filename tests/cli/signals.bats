#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Runs that are interrupted, and the progress line.
# shellcheck disable=SC2154

load common
setup() { start; }

# interrupted SIGNAL AFTER: a run reads data from a pipe, -D tells on standard error when it has
# simulated them, and then SIGNAL comes. AFTER is what the pipe does then: stay silent, or end.
# Leaves out, err and int.json; the exit status is that of the run.
interrupted() {
    mkfifo pipe
    VMM=$bin/vmm SIGNAL=$1 AFTER=$2 python3 - <<'END'
import os, signal, subprocess, sys
run = subprocess.Popen([os.environ["VMM"], "-t", "pipe", "--format", "native", "-D", "-o",
                        "int.json"], stdout=open("out", "wb"), stderr=subprocess.PIPE)
pipe = open("pipe", "wb", buffering=0)
# Whole batches, so that the run simulates something and then waits for more.
pipe.write(b"0 R 0x1000\n" * 300000)
with open("err", "wb") as err:
    line = run.stderr.readline()      # it has begun
    err.write(line)
    if os.environ["AFTER"] == "end":  # the signal stands before the end is read
        os.kill(run.pid, signal.SIGSTOP)
    run.send_signal(getattr(signal, os.environ["SIGNAL"]))
    if os.environ["AFTER"] == "end":
        pipe.close()
        os.kill(run.pid, signal.SIGCONT)
    for line in run.stderr:           # ends with the run, though the pipe may be open
        err.write(line)
status = run.wait(timeout=300)
sys.exit(status if status >= 0 else 128 - status)
END
}
# partial: the report says that it covers a part, and that it does.
partial() {
    grep -q 'SIMULATION SUMMARY' out
    grep -q 'interrupted: the numbers above cover only' out
    run ! grep -q successfully out
    [ "$(counter end int.json)" = stopped ]
    [ "$(counter accesses int.json)" -gt 0 ]
}
