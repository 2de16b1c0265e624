// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the screen shows, as cells and a graph: what the machine is, how the balloon stands with its host, four
 * figures, a bar, the graph, the last lines printed; and in its place, when asked for, the details. A small
 * screen gets the figures as text and no graph. Pure: status.c fills it, framebuffer.c draws it.
 *
 *     status_page_init(&page, cols, rows);
 *     status_page_feed(&page, text, len);      // whatever goes to the console
 *     status_page_set(&page, &figures);        // and page.facts, page.sheet
 *     status_page_draw(&page);                 // page.grid and page.graph_area are new
 */
#pragma once

#include "kernel/status_graph.h"
#include "kernel/status_sheet.h"

#define PAGE_TEXT_MAX     120
#define PAGE_BALLOONS_MAX 2
#define PAGE_LINES        PAGE_ROWS_MAX

/* What changes rarely. */
struct status_facts {
    char machine[PAGE_TEXT_MAX];
    char hypervisor[PAGE_TEXT_MAX];
    unsigned balloons;
    char balloon[PAGE_BALLOONS_MAX]
                [PAGE_TEXT_MAX]; /* what each is, and what was agreed upon */
};

/* What changes all the time; sizes in bytes. */
struct status_figures {
    uint64_t time_ns, total, free, target, balloon;
};

/* Cells that the graph lies on; rows 0: there is none. */
struct graph_area {
    unsigned row, col, rows, cols;
};

struct status_page {
    struct page_grid grid;
    struct graph_area graph_area;
    struct status_graph graph;

    struct status_facts facts;
    struct status_sheet sheet;
    bool shows_sheet; /* instead of figures and lines */
    bool has_keys;    /* tell which keys there are */

    struct status_figures now;
    uint64_t rate_since_ns,
        rate_since_balloon; /* where the present rate is counted from */
    int64_t rate;           /* bytes per second, positive: the balloon grows */

    char line[256]; /* the line that is being received, cut when longer */
    size_t line_len;
    /* The last lines, as they are listed: line n is in lines[n % PAGE_LINES]. */
    struct page_line {
        char time[16]; /* "12.345" or "" */
        char text[PAGE_COLS_MAX + 1];
        enum page_style style;
    } lines[PAGE_LINES];
    unsigned line_count; /* ever listed */
};

/* An empty page of so many cells, see page_grid_init(). */
void status_page_init(struct status_page *page, unsigned cols, unsigned rows);

/* Text as it goes to a console. Whole lines count, when their newline arrives; those that only tell how the
 * balloon moves do not: the figures show that. */
void status_page_feed(struct status_page *page, const char *text, size_t len);

void status_page_set(struct status_page *page, const struct status_figures *now);

/* Lay it out anew. */
void status_page_draw(struct status_page *page);
