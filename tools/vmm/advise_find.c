/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers of vmm advise.
 *
 * The curve tells misses(n) and writebacks(n) of LRU with n frames. First references miss with any
 * memory; what more memory can avoid are the others. So, with the costs of the configuration,
 *
 *     work        = page references x cost-memory + first references x cost-fault
 *     waiting(n)  = (misses(n) - first references) x (cost-fault + cost-swap-read)
 *                 + writebacks(n) x cost-swap-write, unless writes go on in the background
 *
 * and a program thrashes where waiting is more than a share of work + waiting: half of it, unless
 * another share is asked for. Denning (AFIPS 1968) describes thrashing as this collapse of the
 * share of time in which the processor works. Each miss that can be avoided is priced as a reading
 * from swap, although a page that was never written may only be filled with zeros again: what the
 * curve cannot tell is taken for the worse.
 */
#include <stdlib.h>
#include <string.h>

#include "advise.h"

/* ---- Costs ---------------------------------------------------------------------------------- */

/* A duration of the configuration, in picoseconds. */
static double advisefind_cost(const VMMConfig *config, const char *name) {
    static const struct {
        const char *unit;
        double picoseconds;
    } units[] = {{"ps", 1.0}, {"ns", 1e3}, {"us", 1e6}, {"ms", 1e9}, {"s", 1e12}};
    char value[CLI_VALUE_BYTES];
    char *end;
    double number = strtod(cli_config_text(config, name, value), &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) == 0) {
            return number * units[i].picoseconds;
        }
    }
    return number * 1e3;
}

static AdviseCosts advisefind_costs(const VMMConfig *config) {
    char how[CLI_VALUE_BYTES];
    double fault = advisefind_cost(config, "cost-fault");
    bool stalls = cli_name_matches(cli_config_text(config, "swap-write", how), "stall");
    return (AdviseCosts){.memory = advisefind_cost(config, "cost-memory"),
                         .miss = fault + advisefind_cost(config, "cost-swap-read"),
                         .first = fault,
                         .write = stalls ? advisefind_cost(config, "cost-swap-write") : 0.0};
}

/* ---- Places on the curve -------------------------------------------------------------------- */

static AdvisePlace advisefind_place(const Advise *advise, const VMMCurvePoint *point) {
    const VMMCurveSeries *about = &advise->about;
    const AdviseCosts *costs = &advise->costs;
    double work =
        (double)about->page_references * costs->memory + (double)about->cold_misses * costs->first;
    double waiting = (double)(point->misses - about->cold_misses) * costs->miss +
                     (double)point->writebacks * costs->write;
    double time = work + waiting;
    return (AdvisePlace){.frames = point->size,
                         .misses = point->misses,
                         .writebacks = point->writebacks,
                         .miss_ratio = point->miss_ratio,
                         .waiting = time > 0.0 ? waiting / time : 0.0,
                         .times = work > 0.0 ? time / work : 1.0};
}

AdvisePlace advise_place(const Advise *advise, uint64_t frames) {
    VMMCurvePoint point = {0};
    vmm_curve_at(advise->curve, 0, frames, &point);
    return advisefind_place(advise, &point);
}

/* Does the place answer the question? All are answered by more memory, too. */
static bool advisefind_answers(const Advise *advise, size_t question, const AdvisePlace *place) {
    uint64_t least = advise->about.cold_misses;
    uint64_t more = place->misses - least;
    switch (question) {
    case ADVISE_ALL:
        return more == 0;
    case ADVISE_ONE:
        return more <= least / 100;
    case ADVISE_TEN:
        return more <= least / 10;
    default:
        return place->waiting <= advise->thrash;
    }
}

uint64_t advise_needed(const Advise *advise) {
    uint64_t one = advise->places[ADVISE_ONE].frames;
    uint64_t thrash = advise->places[ADVISE_THRASH].frames;
    return one > thrash ? one : thrash;
}

/* The first point of the curve that answers each question. */
static void advisefind_places(Advise *advise) {
    VMMCurvePoint points[256];
    uint64_t cursor = 0;
    size_t count;
    while ((count = vmm_curve_read(advise->curve, 0, &cursor, points,
                                   sizeof points / sizeof points[0])) > 0) {
        for (size_t i = 0; i < count; i++) {
            AdvisePlace place = advisefind_place(advise, &points[i]);
            for (size_t question = 0; question < ADVISE_HALF; question++) {
                if (advise->places[question].frames == 0 &&
                    advisefind_answers(advise, question, &place)) {
                    advise->places[question] = place;
                }
            }
        }
    }
    uint64_t half = advise->places[ADVISE_THRASH].frames / 2;
    advise->places[ADVISE_HALF] = advise_place(advise, half > 0 ? half : 1);
}

static void advisefind_name(Advise *advise) {
    static const struct {
        const char *name, *meaning;
    } names[ADVISE_PLACES] = {{"no_page_twice", "no page is read twice"},
                              {"within_1_percent", "misses within 1 %"},
                              {"within_10_percent", "misses within 10 %"},
                              {"does_not_thrash", "the least without thrashing"},
                              {"half_of_that", "half of that"}};
    for (size_t i = 0; i < ADVISE_PLACES; i++) {
        advise->places[i].name = names[i].name;
        advise->places[i].meaning = names[i].meaning;
    }
}

/* ---- Phases --------------------------------------------------------------------------------- */

static void advisefind_phases(Advise *advise) {
    advise->phases = cli_alloc(advise->window_count + 1, sizeof *advise->phases);
    for (size_t i = 0; i < advise->window_count; i++) {
        const VMMWindow *window = &advise->windows[i];
        if (window->phase > advise->phase_count) {
            advise->phases[advise->phase_count++] = (AdvisePhase){.first = i};
        }
        AdvisePhase *phase = &advise->phases[advise->phase_count - 1];
        phase->most = window->pages > phase->most ? window->pages : phase->most;
        phase->mean += (double)window->pages;
        phase->count++;
    }
    for (size_t i = 0; i < advise->phase_count; i++) {
        advise->phases[i].mean /= (double)advise->phases[i].count;
    }
}

void advise_find(Advise *advise) {
    advise->costs = advisefind_costs(&advise->config);
    advisefind_places(advise);
    advisefind_name(advise);
    advisefind_phases(advise);
}
