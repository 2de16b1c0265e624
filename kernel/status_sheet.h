// SPDX-License-Identifier: BSD-2-Clause
/*
 * The page of details: groups of names and values, a column each or one after the other. Whoever has
 * something to tell puts it in; what does not fit is left out. Pure: also built for the host.
 */
#pragma once

#include "kernel/page_grid.h"

#define SHEET_ROWS_MAX 128
#define SHEET_NAME_MAX 24
#define SHEET_TEXT_MAX 40

struct status_sheet {
    unsigned count;
    struct sheet_row {
        char name[SHEET_NAME_MAX]; /* "" begins a group: the text is its heading */
        char text[SHEET_TEXT_MAX];
    } rows[SHEET_ROWS_MAX];
};

void sheet_clear(struct status_sheet *sheet);
void sheet_group(struct status_sheet *sheet, const char *heading);
__attribute__((format(printf, 3, 4))) void
sheet_put(struct status_sheet *sheet, const char *name, const char *fmt, ...);
void sheet_number(struct status_sheet *sheet, const char *name, uint64_t n);
void sheet_size(struct status_sheet *sheet, const char *name, uint64_t bytes);

/* Rows `first` to `end` of the grid. */
void sheet_draw(const struct status_sheet *sheet, struct page_grid *grid, unsigned first,
                unsigned end);

/* "123.4 MiB", "16.0 GiB"; 20 bytes hold all of them. */
#define SIZE_TEXT_MAX 20
void sheet_format_size(char *out, size_t size, uint64_t bytes);
