// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pixels. Owns the mapping of the framebuffer and what is on it; what to show is status_page.c's, how a
 * character looks glyphs.c's. Only cells that changed are drawn. The geometry is firmware input: a mode
 * that does not fit its own memory is not used.
 */
#include "kernel/framebuffer.h"

#include "base/bits.h"
#include "boot/boot_info.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/glyphs.h"
#include "kernel/log.h"
#include "kernel/memory.h"
#include "kernel/status_page.h"
#include "kernel/timer.h"
#include "kernel/x86/mmio.h"

#define SIDE_MAX          16384 /* pixels; no screen is larger */
#define DRAW_PERIOD_NS    (50 * NS_PER_MS)
#define REFRESH_PERIOD_NS NS_PER_S

/* Ink and paper of the title, the head and the list; grey or symmetric, so red and blue may swap. */
#define TITLE_INK   0x101010
#define TITLE_PAPER 0x50C0A0
#define HEAD_INK    0xF0F0F0
#define LIST_INK    0xB0B0B0
#define PAPER       0x101010

/* Written at boot level and then by the draw task only, but for the page, which console output feeds. */
static struct {
    struct boot_framebuffer mode;
    uint32_t *pixels; /* NULL: not mapped now */
    bool is_used;
    bool is_deferred; /* the task draws */
    unsigned left, top;
    struct status_page page;
    char shown[PAGE_ROWS_MAX][PAGE_COLS_MAX]; /* what is on the screen; 0: unknown */
} screen;

static struct task draw_task;
static struct timer draw_timer;

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

static void draw_cell(unsigned row, unsigned col, char c)
{
    uint32_t ink = colour(row == 0               ? TITLE_INK
                          : row < PAGE_HEAD_ROWS ? HEAD_INK
                                                 : LIST_INK);
    uint32_t paper = colour(row == 0 ? TITLE_PAPER : PAPER);
    const uint8_t *glyph = glyph_of(c);
    uint32_t *line =
        screen.pixels +
        (uint64_t)(screen.top + row * GLYPH_ROWS) * screen.mode.stride_pixels +
        screen.left + col * GLYPH_COLS;

    for (unsigned y = 0; y < GLYPH_ROWS; y++, line += screen.mode.stride_pixels) {
        for (unsigned x = 0; x < GLYPH_COLS; x++)
            line[x] = glyph[y] & (0x80u >> x) ? ink : paper;
    }
}

static void flush(void)
{
    if (!screen.pixels)
        return;
    for (unsigned row = 0; row < screen.page.rows; row++) {
        for (unsigned col = 0; col < screen.page.cols; col++) {
            char c = screen.page.cells[row][col];

            if (c == screen.shown[row][col])
                continue;
            draw_cell(row, col, c);
            screen.shown[row][col] = c;
        }
    }
}

static void take_text(const char *text, size_t len)
{
    if (!screen.is_used)
        return;
    status_page_feed(&screen.page, text, len);
    if (screen.is_deferred)
        task_wake(&draw_task);
    else if (len > 0 && text[len - 1] == '\n')
        flush();
}

/* At most once a period: a wake in between arms the timer, which wakes again. When nothing is printed,
 * once a second for the time and the free memory. */
static void draw_step(void *ctx)
{
    static uint64_t drawn_ns; /* this task's own */
    uint64_t now = clock_ns();
    struct pmm_stats stats;

    (void)ctx;
    if (now - drawn_ns < DRAW_PERIOD_NS) {
        timer_set(&draw_timer, drawn_ns + DRAW_PERIOD_NS);
        return;
    }
    drawn_ns = now;
    timer_set(&draw_timer, now + REFRESH_PERIOD_NS);
    pmm_stats(memory_pmm(), &stats);
    status_page_set_state(&screen.page, now, memory_total_bytes(),
                          stats.free_frames * FRAME_SIZE);
    flush();
}

static const struct console_output output = {.write = take_text};

void framebuffer_init(const struct boot_info *info)
{
    const struct boot_framebuffer *mode = &info->framebuffer;

    if (mode->width == 0)
        return;
    if (!is_mode_sound(mode)) {
        log_warn(
            "framebuffer: %u x %u with %u pixels a line at 0x%llx is not sound, not used",
            mode->width, mode->height, mode->stride_pixels,
            (unsigned long long)mode->addr);
        return;
    }
    screen.mode = *mode;
    screen.is_used = true;
    status_page_init(&screen.page, mode->width / GLYPH_COLS, mode->height / GLYPH_ROWS);
    screen.left = (mode->width - screen.page.cols * GLYPH_COLS) / 2;
    screen.top = (mode->height - screen.page.rows * GLYPH_ROWS) / 2;
    if (mode->addr + used_bytes() <= 4 * GIB) {
        screen.pixels = (uint32_t *)(uintptr_t)(DIRECT_MAP_BASE + mode->addr);
        fill(colour(PAPER));
    }
    console_add_output(&output, 0);
    flush();
}

void framebuffer_select(bool is_wanted)
{
    if (!is_wanted)
        screen.is_used = false;
}

void framebuffer_suspend(void)
{
    screen.pixels = NULL;
}

void framebuffer_resume(void)
{
    if (!screen.is_used)
        return;
    screen.pixels = mmio_map_memory(screen.mode.addr, used_bytes());
    if (!screen.pixels) {
        log_warn("framebuffer: no room to map it");
        return;
    }
    flush();
}

void framebuffer_start(void)
{
    if (!screen.is_used)
        return;
    draw_task.run = draw_step;
    draw_task.name = "screen";
    task_add(&draw_task);
    timer_init(&draw_timer, &draw_task);
    screen.is_deferred = true;
    task_wake(&draw_task);
}

void framebuffer_draw_at_once(void)
{
    screen.is_deferred = false;
}

void framebuffer_lose(void)
{
    if (!screen.is_used)
        return;
    screen.is_used = false;
    screen.pixels = NULL;
    timer_set(&draw_timer, TIMER_NEVER);
    log_info("framebuffer: its mode was lost in the sleep, not used any more");
}
