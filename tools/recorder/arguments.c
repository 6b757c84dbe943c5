/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arguments and environment of a program, as they were meant.
 *
 * Valgrind adds VALGRIND_LIB to the environment, and a library of its own to LD_PRELOAD; and a
 * program that is started by a recorded one finds its path as argv[0], whatever it was called.
 * Programs print their names and environments, so both are put back on the new stack before the
 * first instruction:
 *
 *     argc | argv ... 0 | environment ... 0 | auxiliary vector ... 0 0 |    ... strings ...
 *
 * The name goes through the process's slot in the channel, which it keeps over exec.
 */
#include "recorder.h"

/* A string of the program into `kept`; one that is too long, or none, gives an empty one. */
static void arguments_keep(HChar *kept, SizeT room, Addr string) {
    SizeT length = recorder_string_length(string);
    if (length == 0 || length > room) {
        kept[0] = '\0';
        return;
    }
    VG_(memcpy)(kept, (const void *)string, length);
    kept[length - 1] = '\0';
}

/* Is it the link to the executable of this very process? */
static Bool arguments_is_self(const HChar *path) {
    HChar own[64];
    VG_(sprintf)(own, "/proc/%d/exe", VG_(getpid)());
    return VG_(strcmp)(path, "/proc/self/exe") == 0 ||
           VG_(strcmp)(path, "/proc/thread-self/exe") == 0 || VG_(strcmp)(path, own) == 0;
}

void recorder_keep_exec(Addr path, Addr argv) {
    HChar *name = recorder_slot.exec_name;
    HChar *kept = recorder_slot.exec_path;
    name[0] = '\0';
    if (VG_(am_is_valid_for_client)(argv, sizeof(Addr), VKI_PROT_READ)) {
        arguments_keep(name, sizeof recorder_slot.exec_name, *(const Addr *)argv);
    }
    arguments_keep(kept, sizeof recorder_slot.exec_path, path);
    Bool is_self = arguments_is_self(kept);
    kept[0] = '\0';
    if (is_self) {
        recorder_executable(kept, sizeof recorder_slot.exec_path);
    }
}

/* Removes the word at `at` of the vectors that end at `end`. */
static void arguments_remove_word(UWord *at, UWord *end) {
    for (; at + 1 < end; at++) {
        at[0] = at[1];
    }
}

/* Behind the last pair of the auxiliary vector, which follows the environment. */
static UWord *arguments_end(UWord *environment) {
    UWord *at = environment;
    while (*at != 0) {
        at++;
    }
    for (at++; at[0] != 0; at += 2) {}
    return at + 2;
}

/* Takes Valgrind's libraries off the front of LD_PRELOAD's value; True: nothing else is left. */
static Bool arguments_strip_preload(HChar *value) {
    HChar *rest = value;
    while (*rest != '\0') {
        HChar *end = rest;
        HChar *name = rest;
        for (; *end != '\0' && *end != ':'; end++) {
            name = *end == '/' ? end : name;
        }
        if (end != rest && VG_(strncmp)(name, "/vgpreload_", 11) != 0) {
            break;
        }
        rest = *end == ':' ? end + 1 : end;
    }
    VG_(memmove)(value, rest, VG_(strlen)(rest) + 1);
    return *value == '\0';
}

static Bool arguments_is_valgrinds(HChar *variable) {
    return VG_(strncmp)(variable, "VALGRIND_LIB=", 13) == 0 ||
           (VG_(strncmp)(variable, "LD_PRELOAD=", 11) == 0 &&
            arguments_strip_preload(variable + 11));
}

/* The name that exec was given takes the place of the path, or that of a removed variable. */
static void arguments_restore_name(UWord *place, HChar *removed, SizeT room_there) {
    HChar *name = recorder_slot.exec_name;
    SizeT length = VG_(strlen)(name);
    HChar *room = (HChar *)*place;
    if (length == 0 || room == NULL) {
        return;
    }
    if (VG_(strlen)(room) < length) {
        room = room_there < length ? NULL : removed;
    }
    if (room != NULL) {
        VG_(memcpy)(room, name, length + 1);
        *place = (UWord)room;
    }
    name[0] = '\0';
}

void recorder_restore_arguments(ThreadId tid) {
    UWord *stack = (UWord *)VG_(get_SP)(tid);
    UWord *environment = stack + 1 + stack[0] + 1;
    UWord *end = arguments_end(environment);
    HChar *removed = NULL;
    SizeT room = 0;
    while (*environment != 0) {
        HChar *variable = (HChar *)*environment;
        SizeT length = VG_(strlen)(variable);
        if (!arguments_is_valgrinds(variable)) {
            environment++;
            continue;
        }
        if (length > room) {
            removed = variable;
            room = length;
        }
        arguments_remove_word(environment, end);
        end--;
    }
    arguments_restore_name(&stack[1], removed, room);
}
