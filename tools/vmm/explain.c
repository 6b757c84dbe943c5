/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm explain: a short string of page numbers, step by step, as on the blackboard.
 *
 *     Access: 4   MISS  LRU -> [2, 3, 4] <- MRU  Replaced: 1  [Hits: 0 Misses: 4]
 *
 * The list shows the pages in memory in the order in which the policy would give them up, if it
 * has one, else by frame; a policy with a hand has it marked, [2, >3, 4]: after an eviction it
 * stands behind the frame of the victim. A policy that needs the future gets the string as a trace
 * in a temporary file, for only a trace has a future, and its pages are shown in the order of
 * loading.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

typedef struct ExplainFlags {
    const char *config_file, *file;
    bool help;
} ExplainFlags;

static const CliFlag explaincmd_flags[] = {
    {"file", NULL, 0, "FILE", NULL, "Input",
     "read the page numbers from FILE, separated by blanks, commas or lines; - reads standard "
     "input",
     offsetof(ExplainFlags, file)},
    {"config", NULL, 0, "FILE", NULL, "Configuration",
     "read options from FILE, lines 'name = value'; flags win over the file",
     offsetof(ExplainFlags, config_file)},
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(ExplainFlags, help)},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL, 0},
};

typedef struct Explain {
    const CliCommand *command;
    ExplainFlags flags;
    CliArguments arguments;
    VMMConfig config;
    uint64_t page_size;
    VMMRef *refs;
    size_t ref_count;
    bool writes; /* some reference writes */
    const VMMPolicyInfo *policy;
    const char *left, *right; /* names of the ends of the list */
    const char *legend;       /* how to read the list; NULL: its ends tell */
    bool has_hand;
    uint64_t hand; /* a frame */
    VMM *vmm;
    VMMResident *pages; /* those in memory, as they are shown */
    size_t page_count;
    size_t page_capacity;
    int number_width; /* of the widest page number */
    int list_width;
    uint64_t hits, misses;
} Explain;

/* ---- Reading the string --------------------------------------------------------------------- */

static int explaincmd_bad_word(const Explain *explain, const char *word, size_t length) {
    char *found = cli_excerpt(word, length);
    int status = cli_usage_error(explain->command->name,
                                 "'%s' is no page number; expected numbers such as 7 or 0x1f, "
                                 "with w before or behind for a write (w7, 7w)",
                                 found);
    free(found);
    return status;
}

/* One page number with an optional w (write) or r (read) at either end. */
static int explaincmd_add(Explain *explain, const char *word, size_t length) {
    char *text = cli_copy(word, length);
    char *start = text, *end = text + length;
    bool write = false;
    bool marked_front = strchr("wWrR", *start) != NULL;
    bool marked_back = !marked_front && strchr("wWrR", end[-1]) != NULL;
    if (marked_front) {
        write = *start == 'w' || *start == 'W', start++;
    }
    if (marked_back) {
        write = end[-1] == 'w' || end[-1] == 'W', *--end = '\0';
    }
    char *stop;
    errno = 0;
    uint64_t page = strtoull(start, &stop, start[0] == '0' && (start[1] | 32) == 'x' ? 16 : 10);
    bool good = *start >= '0' && *start <= '9' && *stop == '\0' && errno == 0 &&
                page <= UINT64_MAX / explain->page_size;
    free(text);
    if (!good) {
        return explaincmd_bad_word(explain, word, length);
    }
    explain->refs = cli_realloc(explain->refs, explain->ref_count + 1, sizeof *explain->refs);
    explain->refs[explain->ref_count++] =
        (VMMRef){.addr = page * explain->page_size, .op = write ? VMM_OP_WRITE : VMM_OP_READ};
    explain->writes = explain->writes || write;
    return CLI_OK;
}

static int explaincmd_split(Explain *explain, const char *text) {
    static const char separators[] = ", \t\r\n";
    int status = CLI_OK;
    for (text += strspn(text, separators); *text != '\0' && status == CLI_OK;
         text += strspn(text, separators)) {
        size_t length = strcspn(text, separators);
        status = explaincmd_add(explain, text, length);
        text += length;
    }
    return status;
}

static int explaincmd_read_file(Explain *explain) {
    const char *path = explain->flags.file;
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "r");
    char *text = NULL;
    size_t capacity = 0;
    if (file == NULL) {
        cli_error("cannot open '%s': %s", path, strerror(errno));
        return CLI_FAILURE;
    }
    errno = 0;
    ssize_t length = getdelim(&text, &capacity, '\0', file);
    int error = ferror(file) ? errno : 0;
    int status = error != 0 ? CLI_FAILURE : CLI_OK;
    if (error != 0) {
        cli_error("cannot read '%s': %s", path, strerror(error));
    } else if (length > 0) {
        status = explaincmd_split(explain, text);
    }
    if (!standard) {
        fclose(file);
    }
    free(text);
    return status;
}

static int explaincmd_read(Explain *explain) {
    const CliArguments *arguments = &explain->arguments;
    int status = CLI_OK;
    if (explain->flags.file != NULL && arguments->word_count > 0) {
        return cli_usage_error(explain->command->name,
                               "page numbers are given twice, by --file and as words");
    }
    if (explain->flags.file != NULL) {
        status = explaincmd_read_file(explain);
    }
    for (size_t i = 0; i < arguments->word_count && status == CLI_OK; i++) {
        status = explaincmd_split(explain, arguments->words[i]);
    }
    if (status == CLI_OK && explain->ref_count == 0) {
        return cli_usage_error(explain->command->name,
                               "no page numbers; say, for example, 1,2,3,4,1,2,5");
    }
    return status;
}

/* ---- The machine ---------------------------------------------------------------------------- */

static bool explaincmd_needs_future(const Explain *explain) {
    return explain->policy->needs == VMM_NEEDS_FUTURE;
}

/* What the ends of the list are called, and how to read it. */
static void explaincmd_name_ends(Explain *explain) {
    static const char clock[] = "pages by frame; > is the hand: the search for a victim begins "
                                "there";
    static const char aging[] = "pages by frame; > is the hand: among equal counters the first "
                                "page from there on goes";
    static const struct {
        const char *policy, *left, *right, *legend;
        bool has_hand;
    } ends[] = {
        {"fifo", "First in", "Last in", NULL, false}, {"lru", "LRU", "MRU", NULL, false},
        {"mru", "MRU", "LRU", NULL, false},           {"lfu", "LFU", "MFU", NULL, false},
        {"nru", "Next out", "Last out", NULL, false}, {"clock", "Left", "Right", clock, true},
        {"approxlru", "Left", "Right", aging, true},
    };
    explain->left = "Left";
    explain->right = "Right";
    explain->legend = explaincmd_needs_future(explain)
                          ? "pages in the order of loading, which is not that of leaving"
                          : "pages by frame, which is not the order of leaving";
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (strcmp(ends[i].policy, explain->policy->name) == 0) {
            explain->left = ends[i].left;
            explain->right = ends[i].right;
            explain->legend = ends[i].legend;
            explain->has_hand = ends[i].has_hand;
        }
    }
}

static int explaincmd_configure(Explain *explain) {
    VMMConfig *config = &explain->config;
    int status =
        cli_configure(explain->command, &explain->arguments, explain->flags.config_file, config);
    if (status != CLI_OK) {
        return status;
    }
    if (!vmm_config_is_set(config, "frames") && !vmm_config_is_set(config, "ram")) {
        vmm_config_set(config, "frames", "3", NULL);
    }
    explain->page_size = cli_config_bytes(config, "page-size");
    return CLI_OK;
}

static int explaincmd_create(Explain *explain) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    if (!vmm_config_is_set(&explain->config, "initial")) {
        vmm_config_set(&explain->config, "initial", explain->writes ? "zero" : "store", NULL);
    }
    int code = vmm_create_with(&explain->config, NULL, &explain->vmm, error);
    if (code != VMM_OK) {
        return cli_config_error(explain->command->name, code, error);
    }
    explain->policy = vmm_policy_of(explain->vmm);
    explaincmd_name_ends(explain);
    return CLI_OK;
}

/* ---- Pages in memory ------------------------------------------------------------------------ */

static void explaincmd_drop_page(Explain *explain, uint64_t vpn) {
    for (size_t i = 0; i < explain->page_count; i++) {
        if (explain->pages[i].vpn != vpn) {
            continue;
        }
        explain->page_count--;
        memmove(&explain->pages[i], &explain->pages[i + 1],
                (explain->page_count - i) * sizeof explain->pages[0]);
        return;
    }
}

static void explaincmd_reserve(Explain *explain, size_t count) {
    if (count <= explain->page_capacity) {
        return;
    }
    explain->page_capacity = count * 2;
    explain->pages = cli_realloc(explain->pages, explain->page_capacity, sizeof explain->pages[0]);
}

/* The order of loading, followed from the steps themselves. */
static void explaincmd_follow_pages(Explain *explain, const VMMStep *step) {
    for (uint32_t i = 0; i < step->eviction_count; i++) {
        explaincmd_drop_page(explain, step->evictions[i].vpn);
    }
    size_t place = 0;
    while (place < explain->page_count && explain->pages[place].vpn != step->vpn) {
        place++;
    }
    if (place == explain->page_count && step->frame != VMM_NO_FRAME) {
        explaincmd_reserve(explain, ++explain->page_count);
        explain->pages[place] = (VMMResident){.vpn = step->vpn, .frame = step->frame};
    }
    if (place < explain->page_count && step->ref.op == VMM_OP_WRITE) {
        explain->pages[place].dirty = 1;
    }
}

/* The policy's own order. */
static void explaincmd_ask_pages(Explain *explain) {
    size_t count = vmm_resident_pages(explain->vmm, NULL, 0);
    explaincmd_reserve(explain, count);
    explain->page_count = vmm_resident_pages(explain->vmm, explain->pages, count);
}

/* ---- Printing ------------------------------------------------------------------------------- */

/* "[2, 3*, >4]", a star for a page that is dirty, > for the hand. */
static char *explaincmd_list_text(const Explain *explain) {
    char *text = NULL;
    size_t length = 0;
    FILE *list = open_memstream(&text, &length);
    if (list == NULL) {
        return cli_format("[...]");
    }
    fputc('[', list);
    for (size_t i = 0; i < explain->page_count; i++) {
        bool at_hand = explain->has_hand && explain->pages[i].frame == explain->hand;
        fprintf(list, "%s%s%" PRIu64 "%s", i == 0 ? "" : ", ", at_hand ? ">" : "",
                explain->pages[i].vpn, explain->pages[i].dirty ? "*" : "");
    }
    fputc(']', list);
    fclose(list);
    return text;
}

static void explaincmd_print_replaced(const Explain *explain, const VMMStep *step) {
    int width = explain->number_width;
    if (step->eviction_count == 0) {
        printf("  Replaced: %-*s", width, "-");
    }
    for (uint32_t i = 0; i < step->eviction_count; i++) {
        printf("%s%-*" PRIu64, i == 0 ? "  Replaced: " : ",", width, step->evictions[i].vpn);
    }
}

static const char *explaincmd_outcome(const VMMStep *step) {
    bool invalid = step->fault != VMM_FAULT_NONE &&
                   strcmp(vmm_fault_class_name((int)step->fault), "invalid") == 0;
    return invalid ? "INVALID" : step->fault == VMM_FAULT_NONE ? "HIT" : "MISS";
}

static void explaincmd_print_reasons(const VMMStep *step) {
    for (uint32_t i = 0; i < step->eviction_count; i++) {
        const VMMEviction *eviction = &step->evictions[i];
        if (eviction->why[0] != '\0') {
            printf("  %s", eviction->why);
        }
        if (eviction->dirty && eviction->swap_slot != VMM_NO_SLOT) {
            printf("%s to swap slot %" PRIu64, eviction->why[0] != '\0' ? ";" : " ",
                   eviction->swap_slot);
        }
    }
}

static void explaincmd_print_step(Explain *explain, const VMMStep *step) {
    const char *outcome = explaincmd_outcome(step);
    explain->hits += strcmp(outcome, "HIT") == 0;
    explain->misses += strcmp(outcome, "MISS") == 0;
    char *list = explaincmd_list_text(explain);
    printf("Access: %*" PRIu64 "%s  %-4s  %s -> %*s <- %s", explain->number_width, step->vpn,
           !explain->writes               ? ""
           : step->ref.op == VMM_OP_WRITE ? "w"
                                          : " ",
           outcome, explain->left, explain->list_width, list, explain->right);
    explaincmd_print_replaced(explain, step);
    printf("  [Hits: %" PRIu64 " Misses: %" PRIu64 "]", explain->hits, explain->misses);
    explaincmd_print_reasons(step);
    putchar('\n');
    free(list);
}

static void explaincmd_observe_step(void *user, const VMMStep *step) {
    Explain *explain = user;
    if (step->eviction_count > 0) {
        explain->hand = ((uint64_t)step->evictions[step->eviction_count - 1].frame + 1) %
                        vmm_config_frames(&explain->config);
    }
    if (explaincmd_needs_future(explain)) {
        explaincmd_follow_pages(explain, step);
    } else {
        explaincmd_ask_pages(explain);
    }
    explaincmd_print_step(explain, step);
}

/* Columns wide enough for the largest number and a full memory, within reason. */
static void explaincmd_measure(Explain *explain) {
    uint64_t largest = 0;
    for (size_t i = 0; i < explain->ref_count; i++) {
        if (explain->refs[i].addr / explain->page_size > largest) {
            largest = explain->refs[i].addr / explain->page_size;
        }
    }
    char *text = cli_format("%" PRIu64, largest);
    explain->number_width = (int)strlen(text);
    free(text);
    uint64_t frames = vmm_config_frames(&explain->config);
    uint64_t shown = frames < explain->ref_count ? frames : explain->ref_count;
    int wide = explain->number_width + 2 + (explain->writes ? 1 : 0);
    explain->list_width =
        shown * (uint64_t)wide > 60 ? 60 : (int)shown * wide + (explain->has_hand ? 1 : 0);
}

static void explaincmd_print_head(const Explain *explain) {
    char policy[CLI_VALUE_BYTES];
    printf("%s, %" PRIu64 " frames\n", cli_config_text(&explain->config, "policy", policy),
           vmm_config_frames(&explain->config));
    if (explain->writes) {
        puts("w: the reference writes; *: the page is dirty");
    }
    if (explain->legend != NULL) {
        puts(explain->legend);
    }
    putchar('\n');
}

static void explaincmd_print_classes(const VMMStats *stats) {
    const char *separator = " (";
    for (int i = 0; i < VMM_FAULT_CLASS_COUNT; i++) {
        if (stats->faults[i] == 0) {
            continue;
        }
        printf("%s%s %" PRIu64, separator, vmm_fault_class_name(i), stats->faults[i]);
        separator = ", ";
    }
    if (stats->page_faults > 0) {
        putchar(')');
    }
}

static void explaincmd_print_end(const Explain *explain) {
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(explain->vmm, &stats);
    uint64_t total = explain->hits + explain->misses;
    double rate = total > 0 ? 100.0 * (double)explain->hits / (double)total : 0.0;
    printf("\nFINALSTATS hits %" PRIu64 "   misses %" PRIu64 "   hitrate %.2f\n", explain->hits,
           explain->misses, rate);
    printf("page faults %" PRIu64, stats.page_faults);
    explaincmd_print_classes(&stats);
    printf("   replacements %" PRIu64 "   swap-ins %" PRIu64 "   swap-outs %" PRIu64 "\n",
           stats.replacements, stats.swap_ins, stats.swap_outs);
}

/* ---- Running -------------------------------------------------------------------------------- */

static int explaincmd_feed(Explain *explain) {
    int code = VMM_OK;
    for (size_t i = 0; i < explain->ref_count && code == VMM_OK; i++) {
        code = vmm_feed(explain->vmm, &explain->refs[i], 1);
    }
    return code;
}

/* The string as a trace in the native text format. */
static FILE *explaincmd_write_trace(const Explain *explain, char *path) {
    int descriptor = mkstemp(path);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
    if (file == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < explain->ref_count; i++) {
        fprintf(file, "0 %c 0x%" PRIx64 "\n", explain->refs[i].op == VMM_OP_WRITE ? 'W' : 'R',
                explain->refs[i].addr);
    }
    return file;
}

static int explaincmd_run_file(Explain *explain, const char *path) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMTraceOptions options = {.struct_size = sizeof options, .format = "native"};
    VMMTrace *trace = NULL;
    int code = vmm_trace_open(path, &options, &trace, error);
    if (code == VMM_OK) {
        code = vmm_run_trace(explain->vmm, trace);
    } else {
        cli_error("%s", error);
    }
    vmm_trace_close(trace);
    return code;
}

static int explaincmd_run_trace(Explain *explain) {
    const char *folder = getenv("TMPDIR");
    char *path =
        cli_format("%s/vmm-explain-XXXXXX", folder != NULL && *folder != '\0' ? folder : "/tmp");
    int code = VMM_E_WRITE;
    FILE *file = explaincmd_write_trace(explain, path);
    if (file == NULL || fclose(file) != 0) {
        cli_error("cannot write the temporary file '%s': %s", path, strerror(errno));
    } else {
        code = explaincmd_run_file(explain, path);
    }
    if (file != NULL) {
        unlink(path);
    }
    free(path);
    return code;
}

static int explaincmd_simulate(Explain *explain) {
    explaincmd_measure(explain);
    explaincmd_print_head(explain);
    vmm_observe(explain->vmm, explaincmd_observe_step, explain);
    int code =
        explaincmd_needs_future(explain) ? explaincmd_run_trace(explain) : explaincmd_feed(explain);
    if (code != VMM_OK && *vmm_error_text(explain->vmm) != '\0') {
        cli_error("%s", vmm_error_text(explain->vmm));
    }
    explaincmd_print_end(explain);
    return cli_status(code);
}

static int explaincmd_run(const CliCommand *command, int argc, char **argv) {
    Explain explain = {.command = command};
    int status = cli_parse(command, argc, argv, &explain.flags, &explain.arguments);
    if (status == CLI_OK && explain.arguments.help) {
        status = cli_print_help(command);
    } else if (status == CLI_OK) {
        status = explaincmd_configure(&explain);
        if (status == CLI_OK) {
            status = explaincmd_read(&explain);
        }
        if (status == CLI_OK) {
            status = explaincmd_create(&explain);
        }
        if (status == CLI_OK) {
            status = explaincmd_simulate(&explain);
        }
    }
    vmm_destroy(explain.vmm);
    free(explain.refs);
    free(explain.pages);
    cli_arguments_free(&explain.arguments);
    return status;
}

const CliCommand cli_explain_command = {
    .name = "explain",
    .summary = "follow a short string of page numbers step by step",
    .synopsis = "[-a POLICY] [--frames N] [options] PAGES...",
    .story = "Simulates page numbers given on the command line, separated by commas or blanks, "
             "and shows after each one whether it was a hit, what is in memory, and what was "
             "replaced and why. Pages stand in the order in which the policy would give them up "
             "where it has one (fifo, lru, mru, lfu, nru), in the order of loading for opt and "
             "unopt, and else by frame, the hand of clock and approxlru marked with >. A w before "
             "or behind a number makes it a write. Memory has 3 frames unless --frames or --ram "
             "says otherwise.",
    .examples = "vmm explain -a lru --frames 3 1,2,3,4,1,2,5,1,2,3,4,5\n"
                "vmm explain -a fifo --frames 4 1 2 3 4 1 2 5 1 2 3 4 5\n"
                "vmm explain -a opt 1,2,3,w4,1,5,2",
    .flags = explaincmd_flags,
    .takes_options = true,
    .takes_words = true,
    .run = explaincmd_run,
};
