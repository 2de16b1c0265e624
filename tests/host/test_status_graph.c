// SPDX-License-Identifier: BSD-2-Clause
/* kernel/status_graph.c and page_grid.c: pixels of the status page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "kernel/glyphs.h"
#include "kernel/status_graph.h"

#define WIDTH  100
#define HEIGHT 96
#define POINT  GRAPH_POINT_NS

static struct status_graph graph;

static int start(void **state)
{
    (void)state;
    memset(&graph, 0, sizeof(graph));
    return 0;
}

static struct graph_column column(unsigned x)
{
    return status_graph_column(&graph, x, WIDTH, HEIGHT);
}

static uint32_t colour(unsigned x, unsigned y)
{
    struct graph_column shown = column(x);

    return status_graph_colour(&shown, x, y, HEIGHT);
}

static uint32_t paper(enum page_style style)
{
    return page_style_colours(style).paper;
}

static void an_empty_graph_knows_nothing(void **state)
{
    (void)state;
    for (unsigned x = 0; x < WIDTH; x++)
        assert_false(column(x).is_used);
    status_graph_set(&graph, POINT, 0, 1, 1, 1); /* all RAM is nothing: no part of it */
    assert_false(column(WIDTH - 1).is_used);
}

static void the_areas_are_shares_of_all_ram(void **state)
{
    (void)state;
    status_graph_set(&graph, POINT, GIB, GIB / 2, GIB / 4, GIB / 3);
    assert_true(column(WIDTH - 1).is_used && column(WIDTH - 2).is_used);
    assert_false(column(WIDTH - 3).is_used);
    assert_int_equal(column(WIDTH - 1).balloon, HEIGHT / 4);
    assert_int_equal(column(WIDTH - 1).free, HEIGHT - HEIGHT / 3);
    assert_in_range(column(WIDTH - 1).line_low, HEIGHT / 2 - 1, HEIGHT / 2);
    assert_int_equal(colour(WIDTH - 1, 0), paper(STYLE_BALLOON_PAPER));
    assert_int_equal(colour(WIDTH - 1, HEIGHT / 4 - 1), paper(STYLE_BALLOON_PAPER));
    assert_int_equal(colour(WIDTH - 1, HEIGHT / 4 + 1), paper(STYLE_USED_PAPER));
    assert_int_equal(colour(WIDTH - 1, HEIGHT - 1), paper(STYLE_FREE_PAPER));
    assert_int_equal(colour(WIDTH - 1, column(WIDTH - 1).line_low),
                     page_style_colours(STYLE_TARGET).ink);
}

static void too_much_is_all(void **state)
{
    (void)state;
    status_graph_set(&graph, POINT, 3 * GIB + 5, UINT64_MAX, UINT64_MAX, UINT64_MAX);
    assert_int_equal(column(WIDTH - 1).balloon, HEIGHT);
    assert_int_equal(column(WIDTH - 1).free, 0);
    assert_int_equal(column(WIDTH - 1).line_high, HEIGHT - 1);
    status_graph_set(&graph, POINT, UINT64_C(1) << 52, UINT64_C(1) << 51, 0, 0);
    assert_in_range(column(WIDTH - 1).line_low, HEIGHT / 2 - 1, HEIGHT / 2);
}

static void it_moves_with_time(void **state)
{
    (void)state;
    status_graph_set(&graph, POINT, GIB, 0, GIB / 2, 0);
    status_graph_set(&graph, 2 * POINT - 1, GIB, 0, 0, 0); /* not yet over */
    assert_int_equal(column(WIDTH - 1).balloon, 0);
    assert_false(column(WIDTH - 3).is_used);
    status_graph_set(&graph, 2 * POINT, GIB, 0, GIB / 4, 0);
    assert_int_equal(column(WIDTH - 1).balloon, HEIGHT / 4);
    assert_int_equal(column(WIDTH - 3).balloon, 0);
    status_graph_set(&graph, 12 * POINT, GIB, 0, 0, 0);
    assert_int_equal(column(WIDTH - 1).balloon, 0);
    for (unsigned x = WIDTH - 22; x < WIDTH - 2; x++) /* as it was all the time since */
        assert_int_equal(column(x).balloon, HEIGHT / 4);
    assert_int_equal(column(WIDTH - 23).balloon, 0);
    status_graph_set(&graph, 11 * POINT, GIB, 0, GIB, 0); /* time that steps back */
    assert_int_equal(column(WIDTH - 22).balloon, HEIGHT / 4);
}

static void a_step_of_the_target_is_one_upright_line(void **state)
{
    unsigned steps = 0;

    (void)state;
    status_graph_set(&graph, POINT, GIB, 0, 0, GIB);
    status_graph_set(&graph, 5 * POINT, GIB, GIB, 0, GIB);
    status_graph_set(&graph, 9 * POINT, GIB, GIB / 2, 0, GIB);
    for (unsigned x = 0; x < WIDTH; x++)
        steps += column(x).line_high > column(x).line_low;
    assert_int_equal(steps, 2);
    assert_int_equal(column(WIDTH - 10).line_low, 0);
    assert_int_equal(column(WIDTH - 10).line_high, HEIGHT - 1);
    assert_int_equal(column(WIDTH - 9).line_low, HEIGHT - 1);
}

static void a_pause_of_years_is_no_work_for_years(void **state)
{
    (void)state;
    status_graph_set(&graph, 1, GIB, 0, GIB / 2, 0);
    status_graph_set(&graph, UINT64_MAX / 2, GIB, 0, 0, 0);
    assert_int_equal(graph.count, GRAPH_POINTS_MAX);
    assert_int_equal(column(0).balloon, HEIGHT / 2);
    assert_int_equal(status_graph_column(&graph, 0, GRAPH_WIDTH_MAX, HEIGHT).balloon,
                     HEIGHT / 2);
}

static void quarters_are_dotted(void **state)
{
    unsigned dots = 0;

    (void)state;
    status_graph_set(&graph, POINT, GIB, 0, 0, GIB);
    status_graph_set(&graph, 1000 * POINT, GIB, 0, 0, GIB);
    for (unsigned y = 3; y < HEIGHT; y++)
        dots += colour(0, y) != paper(STYLE_FREE_PAPER);
    assert_int_equal(dots, 3);
    for (unsigned y = 3; y < HEIGHT; y++)
        assert_int_equal(colour(1, y), paper(STYLE_FREE_PAPER));
}

static void glyphs(void **state)
{
    (void)state;
    for (int row = 0; row < GLYPH_ROWS; row++)
        assert_int_equal(glyph_of(' ')[row], 0);
    assert_ptr_equal(glyph_of('\n'), glyph_of('?'));
    assert_ptr_equal(glyph_of((char)0xFF), glyph_of('?'));
    assert_ptr_equal(glyph_of('~'), glyph_bitmaps[GLYPH_COUNT - 1]);
    for (int c = '!'; c <= '~'; c++) /* every one leaves a mark of its own */
        for (int d = c + 1; d <= '~'; d++)
            assert_memory_not_equal(glyph_of((char)c), glyph_of((char)d), GLYPH_ROWS);
}

static bool has_ink(struct page_cell cell, unsigned x, unsigned y)
{
    uint8_t bits[16];

    page_cell_bits(cell, bits);
    return bits[y] & (0x80u >> x);
}

/* Each pixel of the glyph is four of the large one. */
static void double_size(void **state)
{
    (void)state;
    for (char c = '!'; c <= '~'; c++) {
        for (unsigned y = 0; y < 32; y++) {
            for (unsigned x = 0; x < 16; x++) {
                unsigned part = (unsigned)PART_TOP_LEFT + x / 8 + y / 16 * 2;
                struct page_cell cell = {.c = c, .part = part & 7};
                bool wanted = glyph_of(c)[y / 2] & (0x80u >> x / 2);

                assert_int_equal(has_ink(cell, x % 8, y % 16), wanted);
            }
        }
    }
}

static void styles_differ(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STYLES; i++) {
        struct page_colours colours = page_style_colours((enum page_style)i);

        assert_int_not_equal(colours.ink, colours.paper);
    }
    assert_int_not_equal(paper(STYLE_BALLOON_PAPER), paper(STYLE_USED_PAPER));
    assert_int_not_equal(paper(STYLE_USED_PAPER), paper(STYLE_FREE_PAPER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_graph_knows_nothing, start),
        cmocka_unit_test_setup(the_areas_are_shares_of_all_ram, start),
        cmocka_unit_test_setup(too_much_is_all, start),
        cmocka_unit_test_setup(it_moves_with_time, start),
        cmocka_unit_test_setup(a_step_of_the_target_is_one_upright_line, start),
        cmocka_unit_test_setup(a_pause_of_years_is_no_work_for_years, start),
        cmocka_unit_test_setup(quarters_are_dotted, start),
        cmocka_unit_test(glyphs),
        cmocka_unit_test(double_size),
        cmocka_unit_test(styles_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
