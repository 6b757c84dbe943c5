/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of vmm mrc. A CSV file holds one series:
 *
 *     frames,misses,miss_ratio,writebacks            and of a sample miss_ratio_low,miss_ratio_high
 *     window,mean_resident,misses,miss_ratio         of Working Set and VMIN
 *
 * One series goes to the file that is named; of several each goes to one of its own, named after
 * policy and process: curve.csv becomes curve.lru.csv, curve.opt.csv, curve.opt.pid7.csv.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mrc.h"

/* ---- CSV ------------------------------------------------------------------------------------ */

static const char *mrc_columns(const MrcPolicy *policy) {
    if (mrc_is_window(policy)) {
        return "window,mean_resident,misses,miss_ratio";
    }
    return policy->how == MRC_SAMPLED
               ? "frames,misses,miss_ratio,writebacks,miss_ratio_low,miss_ratio_high"
               : "frames,misses,miss_ratio,writebacks";
}

/* One row, its numbers separated by commas. */
static void mrc_print_row(FILE *file, const MrcPolicy *policy, const VMMCurvePoint *point) {
    if (mrc_is_window(policy)) {
        fprintf(file, "%" PRIu64 ",%.12g,%" PRIu64 ",%.12g", point->size, point->mean_resident,
                point->misses, point->miss_ratio);
        return;
    }
    fprintf(file, "%" PRIu64 ",%" PRIu64 ",%.12g,%" PRIu64, point->size, point->misses,
            point->miss_ratio, point->writebacks);
    if (policy->how == MRC_SAMPLED) {
        fprintf(file, ",%.12g,%.12g", point->low, point->high);
    }
}

char *mrc_file_name(const char *path, const char *policy, const MrcRows *rows) {
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash != NULL ? slash : path, '.');
    size_t stem = dot != NULL && dot != path ? (size_t)(dot - path) : strlen(path);
    char *of = policy != NULL ? cli_format(".%s", policy) : cli_format("%s", "");
    for (char *at = of; *at != '\0'; at++) {
        *at = strchr(":,=/ ", *at) != NULL ? '-' : *at;
    }
    char *name = rows->whole ? cli_format("%.*s%s%s", (int)stem, path, of, path + stem)
                             : cli_format("%.*s%s.pid%" PRIu32 "%s", (int)stem, path, of,
                                          rows->about.pid, path + stem);
    free(of);
    return name;
}

static int mrc_write_rows(CliOutput *output, const MrcRows *rows) {
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    if (file == NULL) {
        cli_error("out of memory");
        return CLI_FAILURE;
    }
    fprintf(file, "%s\n", mrc_columns(rows->policy));
    for (size_t i = 0; i < rows->count; i++) {
        mrc_print_row(file, rows->policy, &rows->points[i]);
        fputc('\n', file);
    }
    fclose(file);
    int status = cli_output_write(output, text, length);
    free(text);
    return status;
}

/* One series to a file of its own. */
static int mrc_write_own(const Mrc *mrc, const MrcRows *rows) {
    CliOutput output = {.fd = -1};
    char *name = mrc_file_name(mrc->flags.csv, rows->policy->name, rows);
    int status = cli_output_open(&output, name, false);
    if (status == CLI_OK) {
        status = mrc_write_rows(&output, rows);
    }
    free(name);
    return status;
}

int mrc_write_csv(Mrc *mrc) {
    bool single = mrc->names.count == 1 && !mrc->flags.per_process;
    int status = CLI_OK;
    if (mrc->csv.path == NULL && !(mrc->flags.csv != NULL && !single)) {
        return CLI_OK;
    }
    for (size_t i = 0; i < mrc->names.count; i++) {
        for (size_t series = 0; series < mrc_series_count(&mrc->policies[i]); series++) {
            MrcRows rows = mrc_read(mrc, &mrc->policies[i], series);
            int written = single ? mrc_write_rows(&mrc->csv, &rows) : mrc_write_own(mrc, &rows);
            status = written != CLI_OK ? written : status;
            mrc_free_rows(&rows);
        }
    }
    return status;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/* "frames,misses" as "frames", "misses". */
static void mrc_print_json_columns(FILE *file, const char *columns) {
    fputs("[\"", file);
    for (; *columns != '\0'; columns++) {
        if (*columns == ',') {
            fputs("\", \"", file);
        } else {
            fputc(*columns, file);
        }
    }
    fputs("\"]", file);
}

static void mrc_print_json_series(FILE *file, const MrcRows *rows) {
    static const char *const how[] = {
        [MRC_CURVE] = "exact", [MRC_SAMPLED] = "sampled", [MRC_RUNS] = "simulated"};
    fputs("    {\n      \"policy\": ", file);
    cli_print_json_string(file, rows->policy->name);
    fprintf(file, ",\n      \"method\": \"%s\"", how[rows->policy->how]);
    if (!rows->whole) {
        fprintf(file, ",\n      \"pid\": %" PRIu32, rows->about.pid);
    }
    fprintf(file,
            ",\n      \"page_references\": %" PRIu64 ",\n      \"sampled_references\": %" PRIu64
            ",\n      \"cold_misses\": %" PRIu64 ",\n      \"knees\": [",
            rows->about.page_references, rows->about.sampled, rows->about.cold_misses);
    for (size_t i = 0; i < rows->knee_count; i++) {
        fprintf(file, "%s%" PRIu64, i == 0 ? "" : ", ", rows->knees[i]);
    }
    fputs("],\n      \"columns\": ", file);
    mrc_print_json_columns(file, mrc_columns(rows->policy));
    fputs(",\n      \"points\": [", file);
    for (size_t i = 0; i < rows->count; i++) {
        fputs(i == 0 ? "\n        [" : ",\n        [", file);
        mrc_print_row(file, rows->policy, &rows->points[i]);
        fputc(']', file);
    }
    fputs("\n      ]\n    }", file);
}

int mrc_write_json(Mrc *mrc) {
    char *text = NULL;
    size_t length = 0;
    if (mrc->json.path == NULL) {
        return CLI_OK;
    }
    FILE *file = open_memstream(&text, &length);
    if (file == NULL) {
        cli_error("out of memory");
        return CLI_FAILURE;
    }
    fputs("{\n  \"trace\": ", file);
    cli_print_json_string(file, mrc->flags.trace);
    fprintf(file, ",\n  \"page_size\": %" PRIu64 ",\n  \"complete\": %s,\n  \"curves\": [",
            cli_config_bytes(&mrc->config, "page-size"), mrc->error == VMM_OK ? "true" : "false");
    const char *separator = "\n";
    for (size_t i = 0; i < mrc->names.count; i++) {
        for (size_t series = 0; series < mrc_series_count(&mrc->policies[i]); series++) {
            MrcRows rows = mrc_read(mrc, &mrc->policies[i], series);
            fputs(separator, file);
            mrc_print_json_series(file, &rows);
            mrc_free_rows(&rows);
            separator = ",\n";
        }
    }
    fputs("\n  ]\n}\n", file);
    fclose(file);
    int status = cli_output_write(&mrc->json, text, length);
    free(text);
    return status;
}
