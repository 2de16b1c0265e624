// SPDX-License-Identifier: BSD-2-Clause
/*
 * Lines in, cells out. `@` lines are read by key; everything else, and every event that is no progress
 * report, is listed. Text is cut at the right edge, never wrapped: the head stays where it is. Pure.
 */
#include "kernel/status_page.h"

#include "base/bits.h"
#include "base/units.h"
#include "kernel/format.h"

#define RATE_WINDOW_NS (NS_PER_S / 2)

enum head_row {
    ROW_TITLE = 0,
    ROW_BALLOON = 2,
    ROW_MEMORY = 3,
    ROW_BAR = 4,
};

static void put_row(struct status_page *page, unsigned row, const char *text)
{
    size_t len = __builtin_strlen(text);

    if (len > page->cols)
        len = page->cols;
    __builtin_memset(page->cells[row], ' ', page->cols);
    __builtin_memcpy(page->cells[row], text, len);
}

/* "123.4 MiB" */
static void format_size(char *out, size_t size, uint64_t bytes)
{
    format_s(out, size, "%llu.%llu MiB", (unsigned long long)(bytes / MIB),
             (unsigned long long)(bytes % MIB * 10 / MIB));
}

static void draw_title(struct status_page *page)
{
    char text[64];

    format_s(text, sizeof(text), " Aerostat   up %llu.%llu s",
             (unsigned long long)(page->time_ns / NS_PER_S),
             (unsigned long long)(page->time_ns % NS_PER_S * 10 / NS_PER_S));
    put_row(page, ROW_TITLE, text);
}

static void draw_balloon(struct status_page *page)
{
    char text[128], target[32], actual[32], rate[32];

    if (!page->has_balloon) {
        put_row(page, ROW_BALLOON, " balloon  none yet");
        return;
    }
    format_size(target, sizeof(target), page->target);
    format_size(actual, sizeof(actual), page->actual);
    format_size(rate, sizeof(rate),
                (uint64_t)(page->rate < 0 ? -page->rate : page->rate));
    format_s(text, sizeof(text), " balloon  target %s   actual %s   %s%s/s", target,
             actual, page->rate < 0 ? "-" : "+", rate);
    put_row(page, ROW_BALLOON, text);
}

static void draw_memory(struct status_page *page)
{
    char text[128], total[32], free[32];

    if (!page->has_memory)
        return;
    format_size(total, sizeof(total), page->total);
    format_size(free, sizeof(free), page->free);
    format_s(text, sizeof(text), " memory   total %s   free %s", total, free);
    put_row(page, ROW_MEMORY, text);
}

/* '#' ballooned, '=' used, '.' free; a cell is a share of all RAM. */
static void draw_bar(struct status_page *page)
{
    char *cells = page->cells[ROW_BAR];
    uint64_t width = page->cols - 4, balloon, free;

    if (page->total == 0)
        return;
    balloon = min_u64(page->actual, page->total) / FRAME_SIZE * width /
              (page->total / FRAME_SIZE);
    free = min_u64(page->free, page->total) / FRAME_SIZE * width /
           (page->total / FRAME_SIZE);
    __builtin_memset(cells, ' ', page->cols);
    cells[1] = '[';
    cells[page->cols - 2] = ']';
    for (uint64_t i = 0; i < width; i++)
        cells[2 + i] = i < balloon ? '#' : i < width - min_u64(free, width) ? '=' : '.';
}

static void draw_head(struct status_page *page)
{
    draw_title(page);
    draw_balloon(page);
    draw_memory(page);
    draw_bar(page);
}

void status_page_init(struct status_page *page, unsigned cols, unsigned rows)
{
    __builtin_memset(page, 0, sizeof(*page));
    __builtin_memset(page->cells, ' ', sizeof(page->cells));
    page->cols = cols < PAGE_COLS_MIN   ? PAGE_COLS_MIN
                 : cols > PAGE_COLS_MAX ? PAGE_COLS_MAX
                                        : cols;
    page->rows = rows < PAGE_ROWS_MIN   ? PAGE_ROWS_MIN
                 : rows > PAGE_ROWS_MAX ? PAGE_ROWS_MAX
                                        : rows;
    draw_head(page);
}

/* Over at least RATE_WINDOW_NS, so that two events in a row do not make it jump; asked again when time
 * passes without events, so that it comes to rest. */
static void update_rate(struct status_page *page, uint64_t now_ns)
{
    int64_t moved = (int64_t)(page->actual - page->rate_since_actual);

    if (now_ns < page->rate_since_ns || now_ns - page->rate_since_ns < RATE_WINDOW_NS)
        return;
    page->rate = moved * 1000 / (int64_t)((now_ns - page->rate_since_ns) / NS_PER_MS);
    page->rate_since_ns = now_ns;
    page->rate_since_actual = page->actual;
}

void status_page_set_state(struct status_page *page, uint64_t time_ns, uint64_t total,
                           uint64_t free)
{
    if (time_ns > page->time_ns)
        page->time_ns = time_ns;
    update_rate(page, time_ns);
    page->has_memory = total >= FRAME_SIZE;
    page->total = page->has_memory ? total : 0;
    page->free = free;
    draw_head(page);
}

/* What follows ` key=`, or NULL. */
static const char *find_value(const char *line, const char *key)
{
    size_t key_len = __builtin_strlen(key);

    for (const char *at = line; (at = __builtin_strchr(at, ' ')) != NULL;) {
        at++;
        if (__builtin_strncmp(at, key, key_len) == 0 && at[key_len] == '=')
            return at + key_len + 1;
    }
    return NULL;
}

/* Digits only; too large counts as absent. */
static bool find_number(const char *line, const char *key, uint64_t *out)
{
    const char *digit = find_value(line, key), *first = digit;
    uint64_t value = 0;

    for (; digit && *digit >= '0' && *digit <= '9'; digit++) {
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(*digit - '0'), &value))
            return false;
    }
    if (digit == first)
        return false;
    *out = value;
    return true;
}

/* Read an `@` line. True when it is progress only, to be shown in the head and not in the list. */
static bool read_event(struct status_page *page, const char *line)
{
    uint64_t time, target, actual, total, free;

    /* Times that run backwards and sizes beyond the address space are nonsense: listed, not used. */
    if (!find_number(line, "t", &time) || time < page->event_ns)
        return false;
    page->event_ns = time;
    if (time > page->time_ns)
        page->time_ns = time;
    if (find_number(line, "total", &total) && find_number(line, "free", &free) &&
        total < UINT64_C(1) << 52)
        status_page_set_state(page, time, total, free);
    if (!find_number(line, "target", &target) || !find_number(line, "actual", &actual) ||
        target >= UINT64_C(1) << 40 || actual >= UINT64_C(1) << 40)
        return false;
    page->has_balloon = true;
    page->target = target * FRAME_SIZE;
    page->actual = actual * FRAME_SIZE;
    update_rate(page, time);
    return find_value(line, "event") == NULL;
}

static void list_line(struct status_page *page)
{
    for (unsigned row = PAGE_HEAD_ROWS; row + 1 < page->rows; row++)
        __builtin_memcpy(page->cells[row], page->cells[row + 1], page->cols);
    put_row(page, page->rows - 1, page->line);
}

static void end_line(struct status_page *page)
{
    bool is_event = page->line_len > 1 && page->line[0] == '@' && page->line[1] == ' ';

    page->line[page->line_len] = '\0';
    if (!is_event || !read_event(page, page->line))
        list_line(page);
    if (is_event)
        draw_head(page);
    page->line_len = 0;
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
