// SPDX-License-Identifier: BSD-2-Clause
/* History in, columns of pixels out. Pure. */
#include "kernel/status_graph.h"

#include "base/bits.h"
#include "base/units.h"

#define GRID_LINES 4 /* quarters of all RAM */
#define GRID_STEP  6 /* pixels from dot to dot */
#define GRID_DOT   0x3A4656
#define EMPTY      0x151B25 /* nothing is known */

static uint16_t part_of(uint64_t bytes, uint64_t total)
{
    return (uint16_t)(min_u64(bytes, total) / FRAME_SIZE * GRAPH_ALL /
                      (total / FRAME_SIZE));
}

static void push(struct status_graph *graph)
{
    graph->points[graph->head] = graph->now;
    graph->head = (graph->head + 1) % GRAPH_POINTS_MAX;
    if (graph->count < GRAPH_POINTS_MAX)
        graph->count++;
}

void status_graph_set(struct status_graph *graph, uint64_t now_ns, uint64_t total,
                      uint64_t target, uint64_t balloon, uint64_t free)
{
    uint64_t points;

    if (total < FRAME_SIZE)
        return;
    if (graph->next_ns == 0)
        graph->next_ns = now_ns + GRAPH_POINT_NS;
    points = now_ns < graph->next_ns ? 0 : (now_ns - graph->next_ns) / GRAPH_POINT_NS + 1;
    graph->next_ns += points * GRAPH_POINT_NS;
    for (uint64_t i = 0; i < min_u64(points, GRAPH_POINTS_MAX); i++)
        push(graph);
    graph->now = (struct graph_point){.target = part_of(target, total),
                                      .balloon = part_of(balloon, total),
                                      .free = part_of(free, total)};
}

/* The point that is `age` old; 0 is the present. NULL: too long ago. */
static const struct graph_point *point_at(const struct status_graph *graph, unsigned age)
{
    if (age == 0)
        return graph->next_ns ? &graph->now : NULL;
    if (age > graph->count)
        return NULL;
    return &graph->points[(graph->head + GRAPH_POINTS_MAX - age) % GRAPH_POINTS_MAX];
}

static uint16_t scaled(unsigned part, unsigned height)
{
    return (uint16_t)((part * height + GRAPH_ALL / 2) / GRAPH_ALL);
}

struct graph_column status_graph_column(const struct status_graph *graph, unsigned x,
                                        unsigned width, unsigned height)
{
    unsigned age = (width - 1 - x) / GRAPH_PIXELS;
    bool is_first = (width - 1 - x) % GRAPH_PIXELS == GRAPH_PIXELS - 1;
    const struct graph_point *point = point_at(graph, age);
    const struct graph_point *before = is_first ? point_at(graph, age + 1) : point;
    uint16_t level, level_before;

    if (!point)
        return (struct graph_column){.is_used = false};
    level = scaled(point->target, height - 1);
    level_before = before ? scaled(before->target, height - 1) : level;
    return (struct graph_column){
        .is_used = true,
        .balloon = scaled(point->balloon, height),
        .free = (uint16_t)(height - scaled(point->free, height)),
        .line_low = level < level_before ? level : level_before,
        .line_high = level < level_before ? level_before : level,
    };
}

static bool is_grid(unsigned x, unsigned y, unsigned height)
{
    if (x % GRID_STEP != 0)
        return false;
    for (unsigned i = 1; i < GRID_LINES; i++) {
        if (y == height * i / GRID_LINES)
            return true;
    }
    return false;
}

uint32_t status_graph_colour(const struct graph_column *column, unsigned x, unsigned y,
                             unsigned height)
{
    /* Two pixels high, so that a level line is seen. */
    if (column->is_used && y >= column->line_low && y <= column->line_high + 1u)
        return page_style_colours(STYLE_TARGET).ink;
    if (column->is_used && y < column->balloon)
        return page_style_colours(STYLE_BALLOON_PAPER).paper;
    if (is_grid(x, y, height))
        return GRID_DOT;
    if (!column->is_used)
        return EMPTY;
    return page_style_colours(y < column->free ? STYLE_USED_PAPER : STYLE_FREE_PAPER)
        .paper;
}
