// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where everything stands. Lines are listed as they come: the time in front, without what only tools need.
 * Text is cut at the right edge, never wrapped: the head stays where it is. Pure.
 */
#include "kernel/status_page.h"
#include "kernel/format.h"
#include "kernel/status_lines.h"

#include "base/bits.h"
#include "base/units.h"

#define RATE_WINDOW_NS (NS_PER_S / 2)
#define BYTES_MAX      (UINT64_C(1) << 52)

/* From here on there is room for large figures and the graph. */
#define LARGE_COLS 100
#define LARGE_ROWS 34

#define MARGIN         2
#define FIGURES        4
#define GRAPH_ROWS_MIN 6
#define GRAPH_ROWS_MAX 12

enum large_row {
    ROW_NAME = 1, /* two rows */
    ROW_NAME_RULE = 3,
    ROW_FACTS = 4, /* machine, hypervisor, a row for each balloon */
    ROW_LABELS = 9,
    ROW_FIGURES = 10, /* two rows */
    ROW_BAR = 13,
    ROW_GRAPH = 15,
};

enum small_row {
    SMALL_TITLE = 0,
    SMALL_FACTS = 1,
    SMALL_BALLOON = 2,
    SMALL_MEMORY = 3,
    SMALL_BAR = 4,
    SMALL_LINES = 6,
};

struct figure_texts {
    char target[SIZE_TEXT_MAX], balloon[SIZE_TEXT_MAX], free[SIZE_TEXT_MAX];
    char total[SIZE_TEXT_MAX], rate[SIZE_TEXT_MAX + 4];
};

static void format_figures(const struct status_page *page, struct figure_texts *out)
{
    char rate[SIZE_TEXT_MAX];

    sheet_format_size(out->target, sizeof(out->target), page->now.target);
    sheet_format_size(out->balloon, sizeof(out->balloon), page->now.balloon);
    sheet_format_size(out->free, sizeof(out->free), page->now.free);
    sheet_format_size(out->total, sizeof(out->total), page->now.total);
    sheet_format_size(rate, sizeof(rate),
                      (uint64_t)(page->rate < 0 ? -page->rate : page->rate));
    format_s(out->rate, sizeof(out->rate), "%s%s/s",
             page->rate < 0   ? "-"
             : page->rate > 0 ? "+"
                              : "",
             rate);
}

static void draw_uptime(struct status_page *page, unsigned row)
{
    unsigned long long seconds = page->now.time_ns / NS_PER_S;
    char text[32];

    format_s(text, sizeof(text), "up %llu:%02llu:%02llu", seconds / 3600,
             seconds / 60 % 60, seconds % 60);
    page_grid_put_right(&page->grid, row, page->grid.cols - MARGIN, STYLE_PLAIN, text);
}

/* Columns from..end: ballooned, used, free; a cell is a share of all RAM. */
static void draw_bar(struct status_page *page, unsigned row, unsigned from, unsigned end)
{
    const struct status_figures *now = &page->now;
    uint64_t frames = now->total / FRAME_SIZE, width = end - from;
    uint64_t balloon, free;

    if (frames == 0)
        return;
    balloon = min_u64(now->balloon / FRAME_SIZE, frames) * width / frames;
    free = min_u64(now->free / FRAME_SIZE, frames) * width / frames;
    page_grid_fill(&page->grid, row, from, end, STYLE_USED_PAPER);
    page_grid_fill(&page->grid, row, end - (unsigned)free, end, STYLE_FREE_PAPER);
    page_grid_fill(&page->grid, row, from, from + (unsigned)balloon, STYLE_BALLOON_PAPER);
}

/* A row of the list: from column 0, its time in the first 12. */
static void draw_line(struct status_page *page, unsigned row,
                      const struct page_line *line)
{
    page_grid_put_right(&page->grid, row, 12, STYLE_DIM, line->time);
    page_grid_put(&page->grid, row, line->time[0] ? 14 : MARGIN, line->style, line->text);
}

/* The last lines, the newest on row `end` - 1. */
static void draw_lines(struct status_page *page, unsigned first, unsigned end)
{
    unsigned count = page->line_count < PAGE_LINES ? page->line_count : PAGE_LINES;

    if (end < first)
        return;
    if (count > end - first)
        count = end - first;
    for (unsigned i = 0; i < count; i++)
        draw_line(page, end - 1 - i,
                  &page->lines[(page->line_count - 1 - i) % PAGE_LINES]);
}

static unsigned draw_key(struct page_grid *grid, unsigned row, unsigned col,
                         const char *key, const char *meaning)
{
    col = page_grid_put(grid, row, col, STYLE_KEY, key);
    return page_grid_put(grid, row, col + 1, STYLE_DIM, meaning) + 3;
}

/* The row behind the lines: where the keys are told, if there are any. */
static unsigned draw_keys(struct status_page *page)
{
    unsigned row = page->grid.rows - 1, col = MARGIN;

    if (!page->has_keys)
        return page->grid.rows;
    col = draw_key(&page->grid, row, col, " p ", "power off");
    col = draw_key(&page->grid, row, col, " r ", "reboot");
    draw_key(&page->grid, row, col, " d ", page->shows_sheet ? "back" : "details");
    return row - 1;
}

static void draw_fact(struct status_page *page, unsigned row, const char *name,
                      const char *text)
{
    page_grid_put(&page->grid, row, MARGIN, STYLE_DIM, name);
    page_grid_put(&page->grid, row, MARGIN + 13, STYLE_PLAIN, text);
}

static void draw_name(struct status_page *page)
{
    unsigned col =
        page_grid_put_large(&page->grid, ROW_NAME, MARGIN, STYLE_NAME, "Aerostat");

    page_grid_put(&page->grid, ROW_NAME + 1, col + 2, STYLE_DIM,
                  "a guest whose memory breathes");
    draw_uptime(page, ROW_NAME + 1);
    page_grid_rule(&page->grid, ROW_NAME_RULE, MARGIN, page->grid.cols - MARGIN);
}

static void draw_facts(struct status_page *page)
{
    const struct status_facts *facts = &page->facts;

    draw_fact(page, ROW_FACTS, "machine", facts->machine);
    draw_fact(page, ROW_FACTS + 1, "hypervisor", facts->hypervisor);
    for (unsigned i = 0; i < facts->balloons && i < PAGE_BALLOONS_MAX; i++)
        draw_fact(page, ROW_FACTS + 2 + i, i ? "" : "balloon", facts->balloon[i]);
    if (facts->balloons == 0)
        draw_fact(page, ROW_FACTS + 2, "balloon", "none");
}

static void draw_figures(struct status_page *page)
{
    struct figure_texts texts;
    const struct {
        const char *label, *text;
        enum page_style style;
    } figures[FIGURES] = {
        {"TARGET", texts.target, STYLE_TARGET},
        {"BALLOON", texts.balloon, STYLE_BALLOON},
        {"FREE", texts.free, STYLE_FREE},
        {"RATE", texts.rate, STYLE_PLAIN},
    };
    unsigned width = (page->grid.cols - 2 * MARGIN) / FIGURES;

    format_figures(page, &texts);
    for (unsigned i = 0; i < FIGURES; i++) {
        page_grid_put(&page->grid, ROW_LABELS, MARGIN + i * width, STYLE_DIM,
                      figures[i].label);
        page_grid_put_large(&page->grid, ROW_FIGURES, MARGIN + i * width,
                            figures[i].style, figures[i].text);
    }
}

static unsigned draw_legend_word(struct page_grid *grid, unsigned row, unsigned col,
                                 enum page_style paper, const char *word)
{
    page_grid_fill(grid, row, col, col + 2, paper);
    return page_grid_put(grid, row, col + 3, STYLE_DIM, word) + 3;
}

/* Below the graph: how long it looks back, and what its colours mean. */
static void draw_legend(struct status_page *page, unsigned row)
{
    uint64_t span_ns = page->graph_area.cols * 8 / GRAPH_PIXELS * GRAPH_POINT_NS;
    struct figure_texts texts;
    char text[64];
    unsigned col;

    format_figures(page, &texts);
    format_s(text, sizeof(text), "%llu s ago", (unsigned long long)(span_ns / NS_PER_S));
    page_grid_put(&page->grid, row, MARGIN, STYLE_DIM, text);
    col = page->grid.cols / 2 - 28;
    col = page_grid_put(&page->grid, row, col, STYLE_TARGET, "--");
    col = page_grid_put(&page->grid, row, col + 1, STYLE_DIM, "target") + 3;
    col = draw_legend_word(&page->grid, row, col, STYLE_BALLOON_PAPER, "balloon");
    col = draw_legend_word(&page->grid, row, col, STYLE_USED_PAPER, "used");
    col = draw_legend_word(&page->grid, row, col, STYLE_FREE_PAPER, "free");
    format_s(text, sizeof(text), "of %s", texts.total);
    page_grid_put(&page->grid, row, col, STYLE_DIM, text);
    page_grid_put_right(&page->grid, row, page->grid.cols - MARGIN, STYLE_DIM, "now");
}

static unsigned graph_rows(const struct page_grid *grid)
{
    unsigned rows = (grid->rows - 26) / 2;

    return rows < GRAPH_ROWS_MIN   ? GRAPH_ROWS_MIN
           : rows > GRAPH_ROWS_MAX ? GRAPH_ROWS_MAX
                                   : rows;
}

static void draw_large(struct status_page *page)
{
    struct page_grid *grid = &page->grid;
    unsigned end = draw_keys(page);

    draw_name(page);
    if (page->shows_sheet) {
        sheet_draw(&page->sheet, grid, ROW_FACTS + 1, end);
        return;
    }
    unsigned rows = graph_rows(grid), row = ROW_GRAPH + rows;

    page->graph_area = (struct graph_area){
        .row = ROW_GRAPH,
        .col = MARGIN,
        .rows = page->now.total ? rows
                                : 0, /* while nothing is known: many pixels for nothing */
        .cols = grid->cols - 2 * MARGIN,
    };

    draw_facts(page);
    draw_figures(page);
    draw_bar(page, ROW_BAR, MARGIN, grid->cols - MARGIN);
    draw_legend(page, row);
    page_grid_rule(grid, row + 1, MARGIN, grid->cols - MARGIN);
    draw_lines(page, row + 2, end);
}

static void draw_small(struct status_page *page)
{
    struct page_grid *grid = &page->grid;
    unsigned end = draw_keys(page);
    struct figure_texts texts;
    char text[PAGE_COLS_MAX];

    page_grid_put(grid, SMALL_TITLE, MARGIN, STYLE_NAME, "Aerostat");
    draw_uptime(page, SMALL_TITLE);
    if (page->shows_sheet) {
        sheet_draw(&page->sheet, grid, SMALL_TITLE + 2, end);
        return;
    }
    format_figures(page, &texts);
    format_s(text, sizeof(text), "%s; %s", page->facts.hypervisor,
             page->facts.balloons ? page->facts.balloon[0] : "no balloon");
    page_grid_put(grid, SMALL_FACTS, MARGIN, STYLE_DIM, text);
    format_s(text, sizeof(text), "target %s   balloon %s   %s", texts.target,
             texts.balloon, texts.rate);
    page_grid_put(grid, SMALL_BALLOON, MARGIN, STYLE_BALLOON, text);
    format_s(text, sizeof(text), "free %s of %s", texts.free, texts.total);
    page_grid_put(grid, SMALL_MEMORY, MARGIN, STYLE_FREE, text);
    draw_bar(page, SMALL_BAR, MARGIN, grid->cols - MARGIN);
    draw_lines(page, SMALL_LINES, end);
}

void status_page_draw(struct status_page *page)
{
    page_grid_clear(&page->grid);
    page->graph_area.rows = 0;
    if (page->grid.cols >= LARGE_COLS && page->grid.rows >= LARGE_ROWS)
        draw_large(page);
    else
        draw_small(page);
}

void status_page_init(struct status_page *page, unsigned cols, unsigned rows)
{
    __builtin_memset(page, 0, sizeof(*page));
    page_grid_init(&page->grid, cols, rows);
    status_page_draw(page);
}

/* Over at least RATE_WINDOW_NS, so that two calls in a row do not make it jump. */
static void update_rate(struct status_page *page)
{
    const struct status_figures *now = &page->now;
    uint64_t passed_ns = now->time_ns - page->rate_since_ns;
    int64_t moved = (int64_t)(now->balloon - page->rate_since_balloon);

    if (passed_ns < RATE_WINDOW_NS)
        return;
    page->rate = moved * 1000 / (int64_t)(passed_ns / NS_PER_MS);
    page->rate_since_ns = now->time_ns;
    page->rate_since_balloon = now->balloon;
}

void status_page_set(struct status_page *page, const struct status_figures *now)
{
    if (now->time_ns < page->now.time_ns)
        return;
    page->now = *now;
    page->now.balloon = min_u64(now->balloon, BYTES_MAX); /* its rate is reckoned with */
    update_rate(page);
    status_graph_set(&page->graph, now->time_ns, now->total, now->target, now->balloon,
                     now->free);
}

static void end_line(struct status_page *page)
{
    struct page_line *line = &page->lines[page->line_count % PAGE_LINES];

    page->line[page->line_len] = '\0';
    page->line_len = 0;
    if (status_line_parse(page->line, line))
        page->line_count++;
}

void status_page_feed(struct status_page *page, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n')
            end_line(page);
        else if (text[i] >= 0x20 && text[i] <= 0x7E &&
                 page->line_len < sizeof(page->line) - 1)
            page->line[page->line_len++] = text[i];
    }
}
