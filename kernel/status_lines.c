// SPDX-License-Identifier: BSD-2-Clause
/* Reads lines as docs/events.md and log.c make them. What is not quite such a line is listed as it is. Pure. */
#include "kernel/status_lines.h"
#include "kernel/format.h"

#include "base/units.h"

static bool starts_with(const char *text, const char *start)
{
    return __builtin_strncmp(text, start, __builtin_strlen(start)) == 0;
}

/* True when ` word` stands in the line. */
static bool has_word(const char *line, const char *word)
{
    for (const char *at = line; (at = __builtin_strchr(at, ' ')) != NULL;) {
        at++;
        if (starts_with(at, word))
            return true;
    }
    return false;
}

/* Digits from *at on; too large counts as none. */
static bool take_number(const char **at, uint64_t *out)
{
    const char *digit = *at;
    uint64_t value = 0;

    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(*digit - '0'), &value))
            return false;
    }
    if (digit == *at)
        return false;
    *at = digit;
    *out = value;
    return true;
}

static void set_time(struct page_line *out, uint64_t ms)
{
    format_s(out->time, sizeof(out->time), "%llu.%03llu", (unsigned long long)(ms / 1000),
             (unsigned long long)(ms % 1000));
}

/* The text behind "@ t=N ", or NULL. */
static const char *read_event(const char *text, struct page_line *out)
{
    const char *at = text + 4;
    uint64_t ns;

    if (!starts_with(text, "@ t=") || !take_number(&at, &ns) || *at != ' ')
        return NULL;
    set_time(out, ns / NS_PER_MS);
    out->style = has_word(at, "event=error") || has_word(at, "event=panic") ? STYLE_BAD
                                                                            : STYLE_PLAIN;
    return at + 1;
}

/* The text behind "[ S.UUUUUU] ", or NULL. */
static const char *read_log(const char *text, struct page_line *out)
{
    const char *at = text + 1;
    uint64_t seconds, us;

    if (text[0] != '[')
        return NULL;
    while (*at == ' ')
        at++;
    if (!take_number(&at, &seconds) || *at++ != '.' || !take_number(&at, &us) ||
        seconds >= UINT64_C(1) << 40 || us > 999999 || !starts_with(at, "] "))
        return NULL;
    at += 2;
    set_time(out, seconds * 1000 + us / 1000);
    out->style = starts_with(at, "error: ") || starts_with(at, "warning: ") ? STYLE_BAD
                                                                            : STYLE_DIM;
    return at;
}

static bool is_progress(const char *text)
{
    return starts_with(text, "@ ") && has_word(text, "balloon=") &&
           has_word(text, "target=") && has_word(text, "actual=") &&
           !has_word(text, "event=");
}

bool status_line_parse(const char *text, struct page_line *out)
{
    const char *rest = read_event(text, out);

    if (rest && is_progress(text))
        return false;
    if (!rest)
        rest = read_log(text, out);
    if (!rest) {
        out->time[0] = '\0';
        out->style = starts_with(text, "panic") ? STYLE_BAD : STYLE_PLAIN;
        rest = text;
    }
    format_s(out->text, sizeof(out->text), "%s", rest);
    return true;
}
