// SPDX-License-Identifier: BSD-2-Clause
/*
 * Owns the mapping of the framebuffer and what is on it. Cells are compared with those drawn before; of the
 * graph every pixel is, so that moving it on costs little where it is level. The geometry is firmware
 * input: a mode that does not fit its own memory is not used.
 */
#include "kernel/framebuffer.h"

#include "base/bits.h"
#include "base/units.h"
#include "boot/boot_info.h"
#include "kernel/clock.h"
#include "kernel/glyphs.h"
#include "kernel/log.h"
#include "kernel/timer.h"
#include "kernel/x86/mmio.h"

#define SIDE_MAX        16384 /* pixels; no screen is larger */
#define COLUMNS_AT_ONCE 16    /* of the graph, between two looks at the clock */

static struct {
    struct boot_framebuffer mode;
    uint32_t *pixels; /* NULL: not mapped now */
    unsigned left, top;
    /* What is on the screen. */
    struct page_cell cells[PAGE_ROWS_MAX][PAGE_COLS_MAX];
    struct graph_area area;
    struct graph_column columns[GRAPH_WIDTH_MAX];
    unsigned columns_known; /* of the graph's: from the left, these were drawn */
    unsigned row, column;   /* where framebuffer_show() goes on */
} screen;

static bool is_mode_sound(const struct boot_framebuffer *mode)
{
    uint64_t end;

    return mode->width >= PAGE_COLS_MIN * GLYPH_COLS && mode->width <= SIDE_MAX &&
           mode->height >= PAGE_ROWS_MIN * GLYPH_ROWS && mode->height <= SIDE_MAX &&
           mode->stride_pixels >= mode->width && mode->stride_pixels <= SIDE_MAX &&
           (uint64_t)mode->stride_pixels * mode->height * 4 <= mode->size_bytes &&
           mode->addr % 4 == 0 &&
           !__builtin_add_overflow(mode->addr, mode->size_bytes, &end);
}

static uint64_t used_bytes(void)
{
    return (uint64_t)screen.mode.stride_pixels * screen.mode.height * 4;
}

static uint32_t colour(uint32_t rgb)
{
    if (!screen.mode.is_rgb)
        return rgb; /* blue lowest */
    return (rgb & 0xFF) << 16 | (rgb & 0xFF00) | rgb >> 16;
}

static void fill(uint32_t value)
{
    for (uint32_t y = 0; y < screen.mode.height; y++) {
        for (uint32_t x = 0; x < screen.mode.width; x++)
            screen.pixels[(uint64_t)y * screen.mode.stride_pixels + x] = value;
    }
}

/* The first pixel of a cell. */
static uint32_t *cell_pixels(unsigned row, unsigned col)
{
    return screen.pixels +
           (uint64_t)(screen.top + row * GLYPH_ROWS) * screen.mode.stride_pixels +
           screen.left + col * GLYPH_COLS;
}

static void draw_cell(unsigned row, unsigned col, struct page_cell cell)
{
    struct page_colours colours = page_style_colours(cell.style);
    uint32_t ink = colour(colours.ink), paper = colour(colours.paper);
    uint32_t *line = cell_pixels(row, col);
    uint8_t bits[GLYPH_ROWS];

    page_cell_bits(cell, bits);
    for (unsigned y = 0; y < GLYPH_ROWS; y++, line += screen.mode.stride_pixels) {
        for (unsigned x = 0; x < GLYPH_COLS; x++)
            line[x] = bits[y] & (0x80u >> x) ? ink : paper;
    }
}

static bool is_in_area(unsigned row, unsigned col)
{
    const struct graph_area *area = &screen.area;

    return row >= area->row && row < area->row + area->rows && col >= area->col &&
           col < area->col + area->cols;
}

static void show_row(const struct page_grid *grid, unsigned row)
{
    if (__builtin_memcmp(grid->cells[row], screen.cells[row], sizeof(grid->cells[row])) ==
        0)
        return;
    for (unsigned col = 0; col < grid->cols; col++) {
        struct page_cell cell = grid->cells[row][col];
        struct page_cell *shown = &screen.cells[row][col];

        if (cell.c == shown->c && cell.style == shown->style && cell.part == shown->part)
            continue;
        if (!is_in_area(row, col))
            draw_cell(row, col, cell);
        *shown = cell;
    }
}

static void show_column(const struct status_graph *graph, unsigned x)
{
    unsigned width = screen.area.cols * GLYPH_COLS;
    unsigned height = screen.area.rows * GLYPH_ROWS;
    struct graph_column column = status_graph_column(graph, x, width, height);
    bool is_known = x < screen.columns_known;
    uint32_t *bottom =
        cell_pixels(screen.area.row + screen.area.rows, screen.area.col) + x;

    if (is_known && __builtin_memcmp(&column, &screen.columns[x], sizeof(column)) == 0)
        return;
    for (unsigned y = 0; y < height; y++) {
        uint32_t rgb = status_graph_colour(&column, x, y, height);

        if (!is_known || rgb != status_graph_colour(&screen.columns[x], x, y, height))
            *(bottom - (uint64_t)(y + 1) * screen.mode.stride_pixels) = colour(rgb);
    }
    screen.columns[x] = column;
    if (!is_known)
        screen.columns_known = x + 1;
}

/* The graph came, went or moved: where it was, cells are to be drawn. */
static void take_area(const struct graph_area *area)
{
    const struct graph_area *old = &screen.area;

    if (__builtin_memcmp(area, old, sizeof(*area)) == 0)
        return;
    for (unsigned row = old->row; row < old->row + old->rows; row++) {
        for (unsigned col = old->col; col < old->col + old->cols; col++)
            screen.cells[row][col].c = 0;
    }
    screen.area = *area;
    screen.columns_known = 0;
}

static bool is_late(uint64_t until_ns)
{
    return until_ns != TIMER_NEVER && clock_ns() >= until_ns;
}

bool framebuffer_show(const struct status_page *page, uint64_t until_ns)
{
    if (!screen.pixels)
        return true;
    if (until_ns == TIMER_NEVER)
        screen.row = screen.column = 0; /* whatever was left over is old by now */
    take_area(&page->graph_area);
    while (screen.row < page->grid.rows) {
        show_row(&page->grid, screen.row++);
        if (is_late(until_ns))
            return false;
    }
    while (screen.area.rows > 0 && screen.column < screen.area.cols * GLYPH_COLS) {
        show_column(&page->graph, screen.column++);
        if (screen.column % COLUMNS_AT_ONCE == 0 && is_late(until_ns))
            return false;
    }
    screen.row = screen.column = 0;
    return true;
}

bool framebuffer_init(const struct boot_info *info, unsigned *cols, unsigned *rows)
{
    const struct boot_framebuffer *mode = &info->framebuffer;

    if (mode->width == 0)
        return false;
    if (!is_mode_sound(mode)) {
        log_warn(
            "framebuffer: %u x %u with %u pixels a line at 0x%llx is not sound, not used",
            mode->width, mode->height, mode->stride_pixels,
            (unsigned long long)mode->addr);
        return false;
    }
    screen.mode = *mode;
    *cols = (unsigned)min_u64(mode->width / GLYPH_COLS, PAGE_COLS_MAX);
    *rows = (unsigned)min_u64(mode->height / GLYPH_ROWS, PAGE_ROWS_MAX);
    screen.left = (mode->width - *cols * GLYPH_COLS) / 2;
    screen.top = (mode->height - *rows * GLYPH_ROWS) / 2;
    if (mode->addr + used_bytes() <= 4 * GIB) {
        screen.pixels = (uint32_t *)(uintptr_t)(DIRECT_MAP_BASE + mode->addr);
        fill(colour(page_style_colours(STYLE_PLAIN).paper));
    }
    return true;
}

void framebuffer_suspend(void)
{
    screen.pixels = NULL;
}

bool framebuffer_resume(void)
{
    screen.pixels = mmio_map_memory(screen.mode.addr, used_bytes());
    if (!screen.pixels)
        log_warn("framebuffer: no room to map it");
    return screen.pixels != NULL;
}
