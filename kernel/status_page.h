// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the screen shows, as characters: a head with the balloon's target, size and rate and the free
 * memory, a bar, and below it the last lines printed. The page lives on the console's own text: the
 * `@` lines that report the balloon's progress move the head and are not listed. Pure: framebuffer.c
 * draws the cells; also built for the host.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_COLS_MIN  40
#define PAGE_ROWS_MIN  8
#define PAGE_COLS_MAX  160
#define PAGE_ROWS_MAX  64
#define PAGE_HEAD_ROWS 6

struct status_page {
    unsigned cols, rows;
    char cells[PAGE_ROWS_MAX][PAGE_COLS_MAX];

    char line[256]; /* the line that is being received, cut when longer */
    size_t line_len;

    /* From the last events; sizes in bytes. */
    bool has_balloon, has_memory;
    uint64_t time_ns, event_ns, target, actual, total, free;
    uint64_t rate_since_ns,
        rate_since_actual; /* where the present rate is counted from */
    int64_t rate;          /* bytes per second, positive: the balloon grows */
};

/* An empty page; the numbers are clamped to PAGE_*_MAX and at least PAGE_*_MIN. */
void status_page_init(struct status_page *page, unsigned cols, unsigned rows);

/* Text as it goes to a console. Whole lines appear when their newline arrives. */
void status_page_feed(struct status_page *page, const char *text, size_t len);

/* What the kernel knows without being told by a line: time and memory. */
void status_page_set_state(struct status_page *page, uint64_t time_ns, uint64_t total,
                           uint64_t free);
