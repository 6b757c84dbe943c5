/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the binary format of the processor simulator ChampSim: one record of 64 bytes an
 * instruction, little-endian.
 *
 *     0 u64 ip   8 u8 is_branch   9 u8 taken   10 u8 registers written[2]   12 u8 read[4]
 *     16 u64 stores[2]   32 u64 loads[4]              an address of 0 means none
 *
 * A fetch begins a record; the loads and stores that follow it are its own, as many as fit. A
 * further one, and a load behind a store (a record is read loads first), begins another record
 * with the same ip, which a reader takes for a fetch more: these are counted. So a trace without
 * fetches, whose ip is 0 throughout, keeps its order too.
 *
 * There is one process and there are no sizes, no threads, no kernel and no events. Registers and
 * branches are not known and stay 0. References to address 0 are dropped and counted.
 */
#include <string.h>

#include "writer.h"

enum {
    CHAMPSIM_RECORD_BYTES = 64,
    CHAMPSIM_STORES = 2,
    CHAMPSIM_LOADS = 4,
    CHAMPSIM_STORES_AT = 16,
    CHAMPSIM_LOADS_AT = 32
};

typedef struct ChampsimState {
    uint64_t ip;
    uint64_t stores[CHAMPSIM_STORES];
    uint64_t loads[CHAMPSIM_LOADS];
    unsigned store_count;
    unsigned load_count;
    bool open; /* there is a record that is not written yet */
} ChampsimState;

static void write_champsim_number(char *to, uint64_t value) {
    for (unsigned i = 0; i < 8; i++, value >>= 8) {
        to[i] = (char)(value & 0xff);
    }
}

/* Writes the record, if there is one; the next has the same ip. */
static int write_champsim_end(VMMTraceWriter *writer) {
    ChampsimState *state = writer->state;
    if (!state->open) {
        return VMM_OK;
    }
    char *record = writer_room(writer, CHAMPSIM_RECORD_BYTES);
    if (record == NULL) {
        return writer->error.code;
    }
    memset(record, 0, CHAMPSIM_RECORD_BYTES);
    write_champsim_number(record, state->ip);
    for (size_t i = 0; i < state->store_count; i++) {
        write_champsim_number(record + CHAMPSIM_STORES_AT + 8 * i, state->stores[i]);
    }
    for (size_t i = 0; i < state->load_count; i++) {
        write_champsim_number(record + CHAMPSIM_LOADS_AT + 8 * i, state->loads[i]);
    }
    writer_advance(writer, CHAMPSIM_RECORD_BYTES);
    *state = (ChampsimState){.ip = state->ip};
    return VMM_OK;
}

/* A record that the next load, or store, fits into. */
static int write_champsim_open(VMMTraceWriter *writer, bool store) {
    ChampsimState *state = writer->state;
    bool full = store ? state->store_count == CHAMPSIM_STORES
                      : state->store_count > 0 || state->load_count == CHAMPSIM_LOADS;
    int code = full ? write_champsim_end(writer) : VMM_OK;
    if (!state->open && state->ip != 0) {
        writer->lost[WRITER_ADDED_FETCHES]++;
    }
    state->open = true;
    return code;
}

static int write_champsim_ref(VMMTraceWriter *writer, const VMMRef *ref) {
    ChampsimState *state = writer->state;
    bool store = ref->op == VMM_OP_WRITE;
    if (ref->op == VMM_OP_FETCH) {
        int code = write_champsim_end(writer);
        *state = (ChampsimState){.ip = ref->addr, .open = true};
        return code;
    }
    int code = write_champsim_open(writer, store);
    if (store) {
        state->stores[state->store_count++] = ref->addr;
    } else {
        state->loads[state->load_count++] = ref->addr;
    }
    return code;
}

static int write_champsim_refs(VMMTraceWriter *writer, const VMMRef *refs, size_t count) {
    int code = VMM_OK;
    for (size_t i = 0; i < count && code == VMM_OK; i++) {
        code = writer_one_process(writer, &refs[i]);
        if (code == VMM_OK && refs[i].addr == 0) {
            writer->info.dropped_references++;
        } else if (code == VMM_OK) {
            code = write_champsim_ref(writer, &refs[i]);
            writer_lose_size(writer, &refs[i]);
        }
    }
    return code;
}

static const TraceExport champsim_export = {
    .name = "champsim",
    .help = "binary of the processor simulator ChampSim, 64 bytes an instruction; one process, no "
            "sizes",
    .state_bytes = sizeof(ChampsimState),
    .refs = write_champsim_refs,
    .finish = write_champsim_end,
};
