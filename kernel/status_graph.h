// SPDX-License-Identifier: BSD-2-Clause
/*
 * The moving graph of the status page: two columns of pixels for each quarter of a second, the newest on
 * the right. From below: what is in the balloon, what is used, what is free; together they are all RAM. The
 * target is a line above that. Who draws keeps what it drew and writes the pixels that differ.
 * Pure: also built for the host.
 */
#pragma once

#include "kernel/page_grid.h"

#include <stdbool.h>

#define GRAPH_POINT_NS   (UINT64_C(250) * 1000 * 1000)
#define GRAPH_PIXELS     2 /* columns that show one point */
#define GRAPH_WIDTH_MAX  (PAGE_COLS_MAX * 8)
#define GRAPH_POINTS_MAX (GRAPH_WIDTH_MAX / GRAPH_PIXELS)

/* A moment, as parts of all RAM: GRAPH_ALL is all of it. */
#define GRAPH_ALL 65535u
struct graph_point {
    uint16_t target, balloon, free;
};

struct status_graph {
    struct graph_point points[GRAPH_POINTS_MAX];
    unsigned head;  /* where the next one goes */
    unsigned count; /* how many there are */
    struct graph_point now;
    uint64_t next_ns; /* when the present point is over; 0: there is none yet */
};

/* The present value, in bytes; points whose time has passed keep what was true then. Time that steps back is ignored. */
void status_graph_set(struct status_graph *graph, uint64_t now_ns, uint64_t total,
                      uint64_t target, uint64_t balloon, uint64_t free);

/* What a column of pixels shows, in pixels from below. */
struct graph_column {
    uint16_t balloon;             /* filled up to here */
    uint16_t free;                /* filled from here on */
    uint16_t line_low, line_high; /* the target, from here to there */
    bool is_used;                 /* false: nothing is known of that time */
};

/* Column `x` of a graph of that size. */
struct graph_column status_graph_column(const struct status_graph *graph, unsigned x,
                                        unsigned width, unsigned height);

/* The colour of its pixel at (x, y), y from below, 0xRRGGBB. */
uint32_t status_graph_colour(const struct graph_column *column, unsigned x, unsigned y,
                             unsigned height);
