/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pressure: who must give pages up, and when. Groups of processes, or single processes, have pools
 * whose capacity is their limit; all pools together have no more pages than the machine has frames.
 *
 *     pools[0 .. groups - 1]   the groups that the option names
 *     then                     one that all other processes share, or with resident-limit one for
 *                              each of them
 *
 *     a pool is full           it gives up a page of its own
 *     all frames are in use    anybody gives one up, in proportion to what he has
 *     less than `low` free     before a frame is taken pages leave in the background, until `high`
 *                              would stay free
 *
 * Without groups and limits there is the one pool, which is full when the memory is. Linux walks
 * over the groups with a share of each one's pages at a time (shrink_node_memcgs()); here the turns
 * are multiples of the golden ratio, which spread evenly, so that any stretch of turns is shared
 * out by size, and no number is drawn at random.
 */
#ifndef VMM_MM_PRESSURE_H
#define VMM_MM_PRESSURE_H

#include "machine.h"

/* Whether the policy can serve what the settings ask for: VMM_OK, or VMM_E_CONFIG with the
   sentence. */
int pressure_check(const Settings *settings, const PolicyType *type, Error *error);

/* Reads limits and watermarks; makes the pools of groups and the common one. */
int pressure_begin(Machine *machine, Error *error);

/* The pool of a new process, made if need be. */
int pressure_place(Machine *machine, uint32_t space, Error *error);

/* Before a pool that is not full takes a frame: what has to leave leaves. False: the machine must
   stop. */
bool pressure_make_room(Machine *machine);

/* A written page of the pool must leave, and swap is full: the machine stops, and its sentence
   names the process that a kernel would kill. */
VMM_NOINLINE void pressure_out_of_memory(Machine *machine, const Pool *pool);

/* Whether a page can come into the pool without another one leaving. */
bool pressure_has_free_frame(const Machine *machine, const Pool *pool);

#endif
