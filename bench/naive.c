/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The naive model: TLB, page table and LRU memory as one writes them down first, correct and
 * without a thought for speed. The ratios of the bench are taken against it, so that they mean the
 * same on any machine; its counts must equal those of vmm.
 *
 *     naive TRACE FRAMES [TLB_ENTRIES]      native text trace; 64 entries by default
 *
 *     TLB      an array of entries, searched from the first to the last; the least recently used
 *              one by its stamp is replaced
 *     memory   a hash table with chains of malloc'd nodes, one for each page in a frame; the nodes
 *              are also linked in a list, last used first
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_SHIFT = 12, BUCKETS = 1 << 16 };

typedef struct Node {
    uint64_t vpn;
    uint32_t pid;
    int dirty;
    struct Node *chain;         /* next of the same bucket */
    struct Node *newer, *older; /* neighbours in order of use */
} Node;

typedef struct TlbEntry {
    int valid;
    uint32_t pid;
    uint64_t vpn;
    uint64_t stamp;
} TlbEntry;

static Node *buckets[BUCKETS];
static Node *newest, *oldest;
static uint64_t used_frames, frames;
static TlbEntry *tlb;
static int tlb_entries;
static uint64_t now;
static uint64_t accesses, writes, page_references, tlb_hits, misses, replacements, write_backs;

static unsigned bucket_of(uint32_t pid, uint64_t vpn) {
    return (unsigned)((vpn * 31 + pid) % BUCKETS);
}

static TlbEntry *tlb_find(uint32_t pid, uint64_t vpn) {
    for (int i = 0; i < tlb_entries; i++) {
        if (tlb[i].valid && tlb[i].pid == pid && tlb[i].vpn == vpn) {
            return &tlb[i];
        }
    }
    return NULL;
}

static void tlb_fill(uint32_t pid, uint64_t vpn) {
    TlbEntry *victim = &tlb[0];
    for (int i = 0; i < tlb_entries; i++) {
        if (!tlb[i].valid) {
            victim = &tlb[i];
            break;
        }
        if (tlb[i].stamp < victim->stamp) {
            victim = &tlb[i];
        }
    }
    *victim = (TlbEntry){.valid = 1, .pid = pid, .vpn = vpn, .stamp = now};
}

static void unlink_node(Node *node) {
    *(node->newer != NULL ? &node->newer->older : &newest) = node->older;
    *(node->older != NULL ? &node->older->newer : &oldest) = node->newer;
}

static void link_newest(Node *node) {
    node->newer = NULL;
    node->older = newest;
    *(newest != NULL ? &newest->newer : &oldest) = node;
    newest = node;
}

static void evict_oldest(void) {
    Node *victim = oldest;
    unlink_node(victim);
    Node **place = &buckets[bucket_of(victim->pid, victim->vpn)];
    while (*place != victim) {
        place = &(*place)->chain;
    }
    *place = victim->chain;
    TlbEntry *entry = tlb_find(victim->pid, victim->vpn);
    if (entry != NULL) {
        entry->valid = 0;
    }
    replacements++;
    write_backs += (uint64_t)victim->dirty;
    free(victim);
}

static void reference_page(uint32_t pid, uint64_t vpn, int is_write) {
    now++;
    page_references++;
    TlbEntry *entry = tlb_find(pid, vpn);
    if (entry != NULL) {
        tlb_hits++;
        entry->stamp = now;
    }
    unsigned bucket = bucket_of(pid, vpn);
    Node *node = buckets[bucket];
    while (node != NULL && (node->pid != pid || node->vpn != vpn)) {
        node = node->chain;
    }
    if (node != NULL) {
        unlink_node(node);
    } else {
        misses++;
        if (used_frames == frames) {
            evict_oldest();
        } else {
            used_frames++;
        }
        node = malloc(sizeof *node);
        if (node == NULL) {
            exit(1);
        }
        *node = (Node){.vpn = vpn, .pid = pid, .chain = buckets[bucket]};
        buckets[bucket] = node;
    }
    link_newest(node);
    node->dirty |= is_write;
    if (entry == NULL) {
        tlb_fill(pid, vpn);
    }
}

int main(int argc, char **argv) {
    FILE *file = argc >= 3 ? fopen(argv[1], "r") : NULL;
    frames = argc >= 3 ? strtoull(argv[2], NULL, 10) : 0;
    tlb_entries = argc >= 4 ? atoi(argv[3]) : 64;
    tlb = tlb_entries > 0 ? calloc((size_t)tlb_entries, sizeof *tlb) : NULL;
    if (file == NULL || frames == 0 || tlb == NULL) {
        fprintf(stderr, "usage: naive TRACE FRAMES [TLB_ENTRIES]\n");
        return 1;
    }
    char line[256];
    uint32_t pid, size;
    char op;
    uint64_t addr;
    int fields = fgets(line, sizeof line, file) == NULL
                     ? 0
                     : sscanf(line, "%u %c %" SCNx64 " %u", &pid, &op, &addr, &size);
    rewind(file);
    for (;;) {
        size = 1;
        int got = fields == 4 ? fscanf(file, "%u %c %" SCNx64 " %u", &pid, &op, &addr, &size)
                              : fscanf(file, "%u %c %" SCNx64, &pid, &op, &addr);
        if (got != fields) {
            break;
        }
        accesses++;
        writes += op == 'W';
        for (uint64_t vpn = addr >> PAGE_SHIFT; vpn <= (addr + size - 1) >> PAGE_SHIFT; vpn++) {
            reference_page(pid, vpn, op == 'W');
        }
    }
    fclose(file);
    printf("accesses %" PRIu64 "\nwrites %" PRIu64 "\npage_references %" PRIu64
           "\ntlb_hits %" PRIu64 "\nmisses %" PRIu64 "\nreplacements %" PRIu64
           "\nswap_outs_at_least %" PRIu64 "\n",
           accesses, writes, page_references, tlb_hits, misses, replacements, write_backs);
    return 0;
}
