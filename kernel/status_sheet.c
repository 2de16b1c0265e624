// SPDX-License-Identifier: BSD-2-Clause
/* Names and values in columns. Pure. */
#include "kernel/status_sheet.h"
#include "kernel/format.h"

#include "base/units.h"

#include <stdarg.h>
#include <stdbool.h>

#define MARGIN     2
#define COLUMN     39 /* cells; of these, */
#define NAME_CELLS 20

void sheet_clear(struct status_sheet *sheet)
{
    sheet->count = 0;
}

static struct sheet_row *next_row(struct status_sheet *sheet)
{
    return sheet->count < SHEET_ROWS_MAX ? &sheet->rows[sheet->count++] : NULL;
}

void sheet_group(struct status_sheet *sheet, const char *heading)
{
    struct sheet_row *row = next_row(sheet);

    if (!row)
        return;
    row->name[0] = '\0';
    format_s(row->text, sizeof(row->text), "%s", heading);
}

void sheet_put(struct status_sheet *sheet, const char *name, const char *fmt, ...)
{
    struct sheet_row *row = next_row(sheet);
    va_list args;

    if (!row)
        return;
    format_s(row->name, sizeof(row->name), "%s", name);
    va_start(args, fmt);
    format_v(row->text, sizeof(row->text), fmt, args);
    va_end(args);
}

void sheet_number(struct status_sheet *sheet, const char *name, uint64_t n)
{
    sheet_put(sheet, name, "%llu", (unsigned long long)n);
}

void sheet_format_size(char *out, size_t size, uint64_t bytes)
{
    bool is_large = bytes >= 10 * GIB;
    uint64_t unit = is_large ? GIB : MIB;

    format_s(out, size, "%llu.%llu %s", (unsigned long long)(bytes / unit),
             (unsigned long long)(bytes % unit * 10 / unit), is_large ? "GiB" : "MiB");
}

void sheet_size(struct status_sheet *sheet, const char *name, uint64_t bytes)
{
    char text[SIZE_TEXT_MAX];

    sheet_format_size(text, sizeof(text), bytes);
    sheet_put(sheet, name, "%s", text);
}

static unsigned count_groups(const struct status_sheet *sheet)
{
    unsigned count = 0;

    for (unsigned i = 0; i < sheet->count; i++)
        count += !sheet->rows[i].name[0];
    return count;
}

static void draw_row(const struct sheet_row *row, struct page_grid *grid, unsigned y,
                     unsigned x)
{
    if (!row->name[0]) {
        page_grid_put(grid, y, x, STYLE_NAME, row->text);
        return;
    }
    page_grid_put(grid, y, x, STYLE_DIM, row->name);
    page_grid_put(grid, y, x + NAME_CELLS, STYLE_PLAIN, row->text);
}

void sheet_draw(const struct status_sheet *sheet, struct page_grid *grid, unsigned first,
                unsigned end)
{
    bool has_room = count_groups(sheet) <= grid->cols / COLUMN; /* a column for each */
    unsigned y = first, x = MARGIN;

    for (unsigned i = 0; i < sheet->count && x < grid->cols; i++) {
        const struct sheet_row *row = &sheet->rows[i];

        if (!row->name[0] && y > first)
            y = has_room ? end : y + 1;
        if (y >= end) {
            y = first;
            x += COLUMN;
        }
        draw_row(row, grid, y++, x);
    }
}
