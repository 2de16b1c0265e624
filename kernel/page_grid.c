// SPDX-License-Identifier: BSD-2-Clause
/* Cells and their looks. Pure. */
#include "kernel/page_grid.h"
#include "kernel/glyphs.h"

#define PAPER 0x10151D

static const struct page_colours colours[STYLES] = {
    [STYLE_PLAIN] = {0xDCE3EC, PAPER},      [STYLE_DIM] = {0x7A8798, PAPER},
    [STYLE_NAME] = {0x3FD0B6, PAPER},       [STYLE_BAD] = {0xFF7A68, PAPER},
    [STYLE_KEY] = {PAPER, 0x9AA7B8},        [STYLE_TARGET] = {0xFFC857, PAPER},
    [STYLE_BALLOON] = {0x3FD0B6, PAPER},    [STYLE_USED] = {0x9AA7B8, PAPER},
    [STYLE_FREE] = {0x7DB4F5, PAPER},       [STYLE_BALLOON_PAPER] = {PAPER, 0x2BA48F},
    [STYLE_USED_PAPER] = {PAPER, 0x5A6779}, [STYLE_FREE_PAPER] = {PAPER, 0x1F3350},
};

static unsigned bounded(unsigned n, unsigned low, unsigned high)
{
    return n < low ? low : n > high ? high : n;
}

void page_grid_init(struct page_grid *grid, unsigned cols, unsigned rows)
{
    grid->cols = bounded(cols, PAGE_COLS_MIN, PAGE_COLS_MAX);
    grid->rows = bounded(rows, PAGE_ROWS_MIN, PAGE_ROWS_MAX);
    page_grid_clear(grid);
}

static void put(struct page_grid *grid, unsigned row, unsigned col, struct page_cell cell)
{
    if (row < grid->rows && col < grid->cols)
        grid->cells[row][col] = cell;
}

static struct page_cell cell_of(char c, enum page_style style, enum page_part part)
{
    return (struct page_cell){.c = c, .style = style & 31, .part = part & 7};
}

void page_grid_clear(struct page_grid *grid)
{
    page_grid_fill(grid, 0, 0, grid->cols, STYLE_PLAIN);
    for (unsigned row = 1; row < grid->rows; row++)
        __builtin_memcpy(grid->cells[row], grid->cells[0], sizeof(grid->cells[0]));
}

unsigned page_grid_put(struct page_grid *grid, unsigned row, unsigned col,
                       enum page_style style, const char *text)
{
    for (; *text; text++)
        put(grid, row, col++, cell_of(*text, style, PART_ALL));
    return col;
}

unsigned page_grid_put_large(struct page_grid *grid, unsigned row, unsigned col,
                             enum page_style style, const char *text)
{
    for (; *text; text++, col += 2) {
        put(grid, row, col, cell_of(*text, style, PART_TOP_LEFT));
        put(grid, row, col + 1, cell_of(*text, style, PART_TOP_RIGHT));
        put(grid, row + 1, col, cell_of(*text, style, PART_BOTTOM_LEFT));
        put(grid, row + 1, col + 1, cell_of(*text, style, PART_BOTTOM_RIGHT));
    }
    return col;
}

void page_grid_put_right(struct page_grid *grid, unsigned row, unsigned end,
                         enum page_style style, const char *text)
{
    size_t len = __builtin_strlen(text);

    page_grid_put(grid, row, len < end ? end - (unsigned)len : 0, style, text);
}

void page_grid_fill(struct page_grid *grid, unsigned row, unsigned from, unsigned end,
                    enum page_style style)
{
    for (unsigned col = from; col < end; col++)
        put(grid, row, col, cell_of(' ', style, PART_ALL));
}

void page_grid_rule(struct page_grid *grid, unsigned row, unsigned from, unsigned end)
{
    for (unsigned col = from; col < end; col++)
        put(grid, row, col, cell_of(' ', STYLE_DIM, PART_RULE));
}

/* The four lowest pixels as eight. */
static uint8_t widened(unsigned pixels)
{
    unsigned out = 0;

    for (unsigned i = 0; i < 4; i++) {
        if (pixels & 1u << i)
            out |= 3u << (2 * i);
    }
    return (uint8_t)out;
}

void page_cell_bits(struct page_cell cell, uint8_t bits[16])
{
    const uint8_t *glyph = glyph_of(cell.c);
    unsigned first =
        cell.part == PART_BOTTOM_LEFT || cell.part == PART_BOTTOM_RIGHT ? 8 : 0;
    unsigned shift = cell.part == PART_TOP_LEFT || cell.part == PART_BOTTOM_LEFT ? 4 : 0;

    for (unsigned y = 0; y < GLYPH_ROWS; y++) {
        if (cell.part == PART_ALL)
            bits[y] = glyph[y];
        else if (cell.part == PART_RULE)
            bits[y] = y == GLYPH_ROWS / 2 ? 0xFF : 0;
        else
            bits[y] = widened((unsigned)glyph[first + y / 2] >> shift);
    }
}

struct page_colours page_style_colours(enum page_style style)
{
    return colours[style];
}
