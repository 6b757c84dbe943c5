/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole trace through any number of consumers, machines or analyses: decoded once, interned once,
 * taken batch by batch by each.
 *
 * Policies that need the future (OPT) make a first pass necessary. It writes the page ids of the
 * run to a temporary file; a walk back through that file, block by block, then replaces each id by
 * the distance to the page's next reference, 4 bytes a page reference. The second pass reads the
 * distances along. Memory does not depend on the length of the trace. All is told by the elements
 * of batches: page references, or in traces of page runs several to one page at a time. Pages that
 * events take away are noted in a second file, so that the walk knows that their references end.
 * Where a policy asks for distances in virtual time (VMIN), a third file tells how many page
 * references of which process each element is, and the walk turns that into those distances.
 */
#ifndef VMM_ENGINE_RUN_H
#define VMM_ENGINE_RUN_H

#include "../../include/vmm/sim.h"
#include "engine.h"

/* Distances to the next reference of the same page, for all elements of a run. */
typedef struct Outlook {
    int file;       /* uint32_t in order, 0: never again; -1: not collected */
    int notes;      /* of the pages that events took; -1: none did */
    int times;      /* distances in virtual time, as in `file`; -1: not collected */
    bool timed;     /* they are wanted */
    uint64_t count; /* elements */
    uint64_t note_count;
    uint64_t fingerprint; /* of the trace as the first pass saw it, */
    uint64_t references;  /* and how many references it gave */
} Outlook;

/* Who is told how far a run has come. */
typedef struct RunWatch {
    VMMProgressCallback *callback; /* may be NULL */
    void *user;
    VMMProgress progress;
    uint64_t next_call; /* references at which to call again */
    uint64_t every;     /* and at each multiple of so many references; 0: not */
} RunWatch;

/*
 * One that takes a pass: its batches, and between two of them the events that resolver_counts(),
 * when the resolver has applied them. Either returns VMM_OK, or why this consumer takes no more.
 */
typedef struct RunConsumer {
    void *self;
    int (*batch)(void *self, const Batch *batch);
    int (*event)(void *self, const VMMEvent *event, const Resolver *resolver);
    int status; /* VMM_OK as long as it takes more */
} RunConsumer;

/* A machine that is attached to the stream's directory. */
RunConsumer run_machine(Machine *machine);

/* Page references in a batch: small for one consumer, so that batch and consumer share the caches;
   large for several, so that each has its own state in the caches for a while. */
enum { RUN_BATCH_ALONE = 4096, RUN_BATCH_SHARED = 1 << 18 };

/* Whether the trace tells addresses well enough for pages of the configured size: VMM_OK, or
   VMM_E_CONFIG with the sentence. */
int run_check_page_size(const Settings *settings, const VMMTrace *trace, Error *error);

/*
 * The first pass, through a stream of its own that is thrown away; the trace is rewound. VMM_OK, or
 * an error of the trace, of the temporary file or of memory.
 */
int run_look_ahead(const Settings *settings, unsigned address_bits, const Memory *memory,
                   VMMTrace *trace, RunWatch *watch, Outlook *outlook, Error *error);
void run_free_outlook(Outlook *outlook);

/*
 * The pass that simulates. Returns the status of the trace or of the watch; a consumer that stops
 * keeps its own status, and the run ends early when none is left.
 */
int run_simulate(RunConsumer *consumers, size_t count, Stream *stream, Outlook *outlook,
                 VMMTrace *trace, RunWatch *watch, Error *error);

#endif
