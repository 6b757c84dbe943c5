/* SPDX-License-Identifier: Apache-2.0 */
/* Counters times costs. */
#include "cost.h"

static uint64_t cost_saturated(unsigned __int128 picoseconds) {
    return picoseconds > UINT64_MAX ? UINT64_MAX : (uint64_t)picoseconds;
}

static unsigned __int128 cost_of(uint64_t events, uint64_t picoseconds) {
    return (unsigned __int128)events * picoseconds;
}

void cost_fill(VMMStats *stats, const Settings *settings) {
    unsigned __int128 writes =
        cost_of(stats->swap_outs - stats->cleanings, settings->cost_swap_write) +
        cost_of(stats->file_writes - stats->file_cleanings, settings->cost_file_write);
    unsigned __int128 beside = cost_of(stats->background_swap_outs, settings->cost_swap_write) +
                               cost_of(stats->background_file_writes, settings->cost_file_write);
    writes -= beside;
    unsigned __int128 ahead = beside + cost_of(stats->cleanings, settings->cost_swap_write) +
                              cost_of(stats->file_cleanings, settings->cost_file_write);
    uint64_t file_pages_ahead = stats->pages_read_ahead - stats->swap_ins_ahead;
    ahead += cost_of(stats->swap_ins_ahead, settings->cost_swap_read);
    ahead += cost_of(stats->read_ahead_requests, settings->cost_store_read);
    ahead += cost_of(file_pages_ahead - stats->read_ahead_requests, settings->cost_read_ahead);
    unsigned __int128 stall = cost_of(stats->accesses, settings->cost_memory);
    stall += cost_of(stats->page_references, settings->tlb != 0 ? settings->cost_tlb : 0);
    stall += cost_of(stats->walk_reads, settings->cost_walk_read);
    stall += cost_of(stats->page_faults, settings->cost_fault);
    stall += cost_of(stats->faults[VMM_FAULT_zero_fill], settings->cost_zero_fill);
    stall += cost_of(stats->faults[VMM_FAULT_cow], settings->cost_copy);
    stall += cost_of(stats->faults[VMM_FAULT_file_read], settings->cost_store_read);
    stall += cost_of(stats->swap_ins - stats->swap_ins_ahead, settings->cost_swap_read);
    bool stalls = settings->swap_write == SWAP_WRITE_STALL;
    stats->stall_time_ps = cost_saturated(stalls ? stall + writes : stall);
    stats->background_time_ps = cost_saturated(stalls ? ahead : ahead + writes);
}
