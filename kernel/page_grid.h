// SPDX-License-Identifier: BSD-2-Clause
/*
 * A screen as cells of 8x16 pixels: a character, its style, and which part of the character the cell shows.
 * Text of double size takes two by two cells. Who draws asks for the styles' colours here. Pure: also
 * built for the host.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PAGE_COLS_MIN 40
#define PAGE_ROWS_MIN 8
#define PAGE_COLS_MAX 160
#define PAGE_ROWS_MAX 64

enum page_style {
    STYLE_PLAIN,
    STYLE_DIM, /* labels, log lines */
    STYLE_NAME,
    STYLE_BAD, /* errors */
    STYLE_KEY, /* a key to press: ink and paper swapped */
    /* The four figures: in the head, the bar and the graph. */
    STYLE_TARGET,
    STYLE_BALLOON,
    STYLE_USED,
    STYLE_FREE,
    /* The same as papers. */
    STYLE_BALLOON_PAPER,
    STYLE_USED_PAPER,
    STYLE_FREE_PAPER,
    STYLES,
};

/* What of its character a cell shows. */
enum page_part {
    PART_ALL,
    PART_TOP_LEFT, /* of double size */
    PART_TOP_RIGHT,
    PART_BOTTOM_LEFT,
    PART_BOTTOM_RIGHT,
    PART_RULE, /* no character: a thin line across the cell */
};

struct page_cell {
    char c; /* 0: unknown, no cell of a page */
    uint8_t style : 5;
    uint8_t part  : 3;
};

struct page_grid {
    unsigned cols, rows;
    struct page_cell cells[PAGE_ROWS_MAX][PAGE_COLS_MAX];
};

/* All blank; the numbers are brought into PAGE_*_MIN..MAX. */
void page_grid_init(struct page_grid *grid, unsigned cols, unsigned rows);
void page_grid_clear(struct page_grid *grid);

/* Write text; what lies beyond the right or the lower edge is cut. The column behind it. */
unsigned page_grid_put(struct page_grid *grid, unsigned row, unsigned col,
                       enum page_style style, const char *text);

/* The same in double size, on rows `row` and row + 1. */
unsigned page_grid_put_large(struct page_grid *grid, unsigned row, unsigned col,
                             enum page_style style, const char *text);

/* Text whose last character is in column `end` - 1. */
void page_grid_put_right(struct page_grid *grid, unsigned row, unsigned end,
                         enum page_style style, const char *text);

/* Columns from..end: blanks of a style, or a line across. */
void page_grid_fill(struct page_grid *grid, unsigned row, unsigned from, unsigned end,
                    enum page_style style);
void page_grid_rule(struct page_grid *grid, unsigned row, unsigned from, unsigned end);

/* 16 rows of pixels of a cell, bit 7 leftmost; a set bit is ink. */
void page_cell_bits(struct page_cell cell, uint8_t bits[16]);

struct page_colours {
    uint32_t ink, paper; /* 0xRRGGBB */
};
struct page_colours page_style_colours(enum page_style style);
