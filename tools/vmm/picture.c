/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures made of characters, for a terminal: a mark for each series in each column.
 *
 *     100.00% |****
 *      50.00% |    ****o*o*
 *       0.00% |            o*o*      where series meet they take turns
 *             +----------------
 *               1      16 pages
 *               * lru   o opt
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char picture_marks[CLI_PICTURE_MARKS + 1] = "*o+x#%@&";

static double picture_y(const CliPicture *picture, size_t series, size_t column) {
    return picture->y[series * CLI_PICTURE_COLUMNS + column];
}

/* The line of a picture that a value is on; picture->lines: on none. */
static size_t picture_line(const CliPicture *picture, double y) {
    size_t line = (size_t)((1.0 - y / picture->top) * (double)(picture->lines - 1) + 0.5);
    return y >= 0.0 && line < picture->lines ? line : picture->lines;
}

/* Series that meet in a place take turns, from column to column, so that each can be seen. */
static char picture_mark(const CliPicture *picture, size_t line, size_t column) {
    size_t meeting = 0;
    for (size_t i = 0; i < picture->series_count; i++) {
        meeting += picture_line(picture, picture_y(picture, i, column)) == line;
    }
    size_t turn = meeting > 0 ? column % meeting : 0;
    for (size_t i = 0; meeting > 0 && i < picture->series_count; i++) {
        if (picture_line(picture, picture_y(picture, i, column)) == line && turn-- == 0) {
            return picture_marks[i % CLI_PICTURE_MARKS];
        }
    }
    return ' ';
}

static void picture_print_line(const CliPicture *picture, size_t line) {
    char marks[CLI_PICTURE_COLUMNS];
    int length = 0;
    double share = (double)(picture->lines - 1 - line) / (double)(picture->lines - 1);
    for (size_t column = 0; column < CLI_PICTURE_COLUMNS; column++) {
        marks[column] = picture_mark(picture, line, column);
        length = marks[column] != ' ' ? (int)column + 1 : length;
    }
    if (picture->percent) {
        printf("%7.2f%% |%.*s\n", 100.0 * picture->top * share, length, marks);
    } else {
        printf("%8.8g |%.*s\n", picture->top * share, length, marks);
    }
}

/* Which mark is what, in lines of at most 80 columns. */
static void picture_print_legend(const CliPicture *picture) {
    int column = 0;
    for (size_t i = 0; i < picture->series_count; i++) {
        int width = 2 + (int)strlen(picture->series[i]);
        bool begins = column == 0 || column + 3 + width > 80;
        printf("%s%s%c %s", begins && column > 0 ? "\n" : "", begins ? "          " : "   ",
               picture_marks[i % CLI_PICTURE_MARKS], picture->series[i]);
        column = (begins ? 10 : column + 3) + width;
    }
    putchar('\n');
}

void cli_picture_print(const CliPicture *picture) {
    for (size_t line = 0; line < picture->lines; line++) {
        picture_print_line(picture, line);
    }
    printf("%9s+", "");
    for (size_t column = 0; column < CLI_PICTURE_COLUMNS; column++) {
        putchar('-');
    }
    int left = 10 + (int)strlen(picture->left);
    printf("\n%*s%*s\n", left, picture->left,
           10 + CLI_PICTURE_COLUMNS - left + (int)strlen(" pages"), picture->right);
    picture_print_legend(picture);
}
