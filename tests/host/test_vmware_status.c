// SPDX-License-Identifier: BSD-2-Clause
/* kernel/vmware_status.c: a balloon's level on the status page, and its figures on that of details, each under its name. */
#include "base/bits.h"
#include "base/units.h"
#include "kernel/glyphs.h"
#include "kernel/status_page.h"
#include "kernel/vmware_status.h"
#include "tests/host/vmware_life.h"

#define BATCHED (VH_CAP_BASIC | VH_CAP_BATCH)

static struct status_sheet sheet;

static void put(const struct vmware_balloon_status *now)
{
    sheet_clear(&sheet);
    vmware_status_put(&sheet, now);
}

/* What stands beside a name; NULL: nothing does. */
static const char *value(const char *name)
{
    const char *text = NULL;

    for (unsigned i = 0; i < sheet.count; i++) {
        if (strcmp(sheet.rows[i].name, name) == 0) {
            assert_null(text);
            text = sheet.rows[i].text;
        }
    }
    return text;
}

/* Every name that is shown, with a value of its own. */
static const struct vmware_balloon_status some = {
    .wish_frames = 256,
    .target_frames = 512,
    .size_frames = 768,
    .huge_frames = 1024,
    .refused_frames = 1,
    .count = {.timer = 2,
              .doorbells = 3,
              .resets = 4,
              .split_groups = 5,
              .moved = 6,
              .shrinks = 7,
              .wrong_entries = 8,
              .command = {[VMWARE_CMD_START] = {10, 11},
                          [VMWARE_CMD_GET_TARGET] = {12, 13},
                          [VMWARE_CMD_LOCK] = {14, 15},
                          [VMWARE_CMD_UNLOCK] = {16, 17},
                          [VMWARE_CMD_BATCHED_LOCK] = {18, 19},
                          [VMWARE_CMD_BATCHED_UNLOCK] = {20, 21},
                          [VMWARE_CMD_BATCHED_2M_LOCK] = {22, 23},
                          [VMWARE_CMD_BATCHED_2M_UNLOCK] = {24, 25}}},
};

static const struct {
    const char *name, *text;
} shown[] = {
    {"", "VMware balloon"},
    {"target", "1.0 MiB"},
    {"of it possible", "2.0 MiB"},
    {"actual", "3.0 MiB"},
    {"in groups of 2 MiB", "4.0 MiB"},
    {"refused, kept", "1"},
    {"cycles", "2"},
    {"START", "10, 11 failed"},
    {"GET_TARGET", "12, 13 failed"},
    {"LOCK", "14, 15 failed"},
    {"UNLOCK", "16, 17 failed"},
    {"BATCHED_LOCK", "18, 19 failed"},
    {"BATCHED_UNLOCK", "20, 21 failed"},
    {"BATCHED_2M_LOCK", "22, 23 failed"},
    {"BATCHED_2M_UNLOCK", "24, 25 failed"},
    {"doorbells", "3"},
    {"resets", "4"},
    {"groups split", "5"},
    {"frames moved", "6"},
    {"out of memory", "7"},
    {"lies of the host", "8"},
};

static void each_figure_has_its_name(void **state)
{
    (void)state;
    put(&some);
    assert_int_equal(sheet.count, ARRAY_LEN(shown));
    for (unsigned i = 0; i < ARRAY_LEN(shown); i++) {
        assert_string_equal(sheet.rows[i].name, shown[i].name);
        assert_string_equal(sheet.rows[i].text, shown[i].text);
    }
}

/* Pixels from column `col` on are those of the text, glyph for glyph. */
static void assert_pixels(const struct page_grid *grid, unsigned row, unsigned col,
                          const char *text)
{
    for (; *text; text++, col++) {
        uint8_t bits[GLYPH_ROWS];

        assert_true(col < grid->cols);
        page_cell_bits(grid->cells[row][col], bits);
        assert_memory_equal(bits, glyph_of(*text), GLYPH_ROWS);
    }
}

/* All of it is legible: names and values fit their columns, and a page of 48 rows. */
static void it_fits_the_page(void **state)
{
    static struct page_grid grid;

    (void)state;
    put(&some);
    page_grid_init(&grid, 128, 48);
    sheet_draw(&sheet, &grid, 5, 46);
    for (unsigned i = 0; i < ARRAY_LEN(shown); i++) {
        assert_pixels(&grid, 5 + i, 2, shown[i].name);
        assert_pixels(&grid, 5 + i, i ? 2 + 20 : 2, shown[i].text);
    }
}

/* A session at each level, as a screen of 1024 pixels shows its line behind the longest name of the host. */
static void each_level_is_legible(void **state)
{
    static const struct {
        uint32_t offers;
        bool is_classic;
        const char *line;
    } cases[] = {
        {VH_CAP_BASIC, true,
         "balloon classic, level basic, capabilities 0x2 of 0x2, doorbell off"},
        {VH_CAP_BASIC, false,
         "balloon modern, level basic, capabilities 0x2 of 0x3e, doorbell off"},
        {BATCHED, false,
         "balloon modern, level batched, capabilities 0x6 of 0x3e, doorbell off"},
        {BATCHED | VH_CAP_BATCH_2M, false,
         "balloon modern, level batched-2m, capabilities 0xe of 0x3e, doorbell off"},
        {VH_CAPS_ALL, false,
         "balloon modern, level batched-2m, capabilities 0x3e of 0x3e, doorbell on"},
    };
    static const char host[] = "VMware by smbios, product workstation; ";
    static struct vmware_rig r;
    static struct status_page page;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        if (cases[i].is_classic)
            life_classic(&r, 8192);
        else
            life_modern(&r, cases[i].offers, 8192);
        struct vmware_balloon_status now = vmware_rig_status(&r);
        status_page_init(&page, 1024 / GLYPH_COLS, 768 / GLYPH_ROWS);
        page.facts.balloons = 1;
        strcpy(page.facts.balloon[0], host);
        vmware_status_describe(&now, page.facts.balloon[0] + strlen(host),
                               PAGE_TEXT_MAX - strlen(host));
        status_page_draw(&page);
        assert_pixels(&page.grid, 6, 2, "balloon");
        assert_pixels(&page.grid, 6, 15, host);
        assert_pixels(&page.grid, 6, 15 + (unsigned)strlen(host), cases[i].line);
        vmware_rig_end(&r);
    }
}

/* Of a balloon that lives: commands that were never sent are not listed. */
static void a_balloon_that_lives(void **state)
{
    static struct vmware_rig r;

    (void)state;
    life_modern(&r, BATCHED, 8192);
    life_cycle_to(&r, 1024);
    struct vmware_balloon_status now = vmware_rig_status(&r);
    put(&now);
    assert_string_equal(value("target"), "4.0 MiB");
    assert_string_equal(value("actual"), "4.0 MiB");
    assert_string_equal(value("in groups of 2 MiB"), "0.0 MiB");
    assert_string_equal(value("BATCHED_LOCK"), "2, 0 failed");
    assert_null(value("LOCK"));
    assert_null(value("BATCHED_UNLOCK"));
    vmware_rig_end(&r);
}

/* A target of 2^52 frames and one is not shown as one frame. */
static void a_target_beyond_all_bytes(void **state)
{
    struct vmware_balloon_status now = some;

    (void)state;
    now.wish_frames = (UINT64_C(1) << 52) + 1;
    put(&now);
    assert_string_equal(value("target"), "17179869183.9 GiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_figure_has_its_name),
        cmocka_unit_test(it_fits_the_page),
        cmocka_unit_test(each_level_is_legible),
        cmocka_unit_test(a_balloon_that_lives),
        cmocka_unit_test(a_target_beyond_all_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
