// SPDX-License-Identifier: BSD-2-Clause
/* printf formatting without floating point: one output cursor, one number routine, one parser. */
#include "kernel/format.h"

#include <stdbool.h>
#include <stdint.h>

struct out {
    char *buf;
    size_t size;
    size_t len; /* what it would have been */
};

struct spec {
    bool left, zero, plus, space, alt;
    int width;
    int precision;      /* -1: none */
    unsigned int_bytes; /* of an integer argument */
    char conv;
};

static void put(struct out *out, char c)
{
    if (out->len + 1 < out->size)
        out->buf[out->len] = c;
    out->len++;
}

static void pad(struct out *out, char c, int count)
{
    for (; count > 0; count--)
        put(out, c);
}

static void put_padded(struct out *out, const struct spec *spec, const char *text,
                       int len)
{
    if (!spec->left)
        pad(out, ' ', spec->width - len);
    for (int i = 0; i < len; i++)
        put(out, text[i]);
    if (spec->left)
        pad(out, ' ', spec->width - len);
}

static void put_string(struct out *out, const struct spec *spec, const char *text)
{
    int len = 0;

    if (!text)
        text = "(null)";
    while ((spec->precision < 0 || len < spec->precision) && text[len])
        len++;
    put_padded(out, spec, text, len);
}

/* Sign or 0x, then zeros up to the precision or, with the flag 0, to the width, then digits. */
static void put_number(struct out *out, const struct spec *spec, uint64_t value,
                       unsigned base, const char *prefix, int prefix_len)
{
    const char *digits = spec->conv == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[24];
    int len = 0, zeros;

    for (uint64_t rest = value; rest; rest /= base)
        text[len++] = digits[rest % base];
    if (len == 0 && spec->precision != 0)
        text[len++] = '0';

    zeros = spec->precision - len;
    if (spec->zero && !spec->left && spec->precision < 0)
        zeros = spec->width - prefix_len - len;
    if (zeros < 0)
        zeros = 0;

    int fill = spec->width - prefix_len - zeros - len;
    if (!spec->left)
        pad(out, ' ', fill);
    for (int i = 0; i < prefix_len; i++)
        put(out, prefix[i]);
    pad(out, '0', zeros);
    while (len > 0)
        put(out, text[--len]);
    if (spec->left)
        pad(out, ' ', fill);
}

static void put_signed(struct out *out, const struct spec *spec, int64_t value)
{
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char sign = value < 0 ? '-' : spec->plus ? '+' : ' ';

    put_number(out, spec, magnitude, 10, &sign, value < 0 || spec->plus || spec->space);
}

static const char *parse_int(const char *fmt, int *out)
{
    int value = 0;

    for (; *fmt >= '0' && *fmt <= '9'; fmt++) {
        if (value < 10000)
            value = value * 10 + (*fmt - '0');
    }
    *out = value;
    return fmt;
}

static const char *parse_flags(const char *fmt, struct spec *spec)
{
    for (;; fmt++) {
        if (*fmt == '-')
            spec->left = true;
        else if (*fmt == '0')
            spec->zero = true;
        else if (*fmt == '+')
            spec->plus = true;
        else if (*fmt == ' ')
            spec->space = true;
        else if (*fmt == '#')
            spec->alt = true;
        else
            return fmt;
    }
}

static const char *parse_length(const char *fmt, struct spec *spec)
{
    spec->int_bytes = sizeof(int);
    switch (*fmt) {
    case 'h':
        spec->int_bytes = fmt[1] == 'h' ? sizeof(char) : sizeof(short);
        return fmt + (fmt[1] == 'h' ? 2 : 1);
    case 'l':
        spec->int_bytes = sizeof(long);
        return fmt + (fmt[1] == 'l' ? 2 : 1);
    case 'z':
    case 'j':
    case 't':
        spec->int_bytes = sizeof(size_t);
        return fmt + 1;
    default:
        return fmt;
    }
}

static uint64_t cut(uint64_t value, unsigned bytes)
{
    return bytes >= 8 ? value : value & ((UINT64_C(1) << (8 * bytes)) - 1);
}

static int64_t sign_extend(uint64_t value, unsigned bytes)
{
    unsigned shift = 64 - 8 * bytes;

    return (int64_t)(value << shift) >> shift;
}

/* A va_list in a struct, so that helpers advance the caller's one on every ABI. */
struct args {
    va_list list;
};

static uint64_t next_int(struct args *args, unsigned bytes)
{
    return bytes == 8 ? va_arg(args->list, uint64_t) : va_arg(args->list, unsigned);
}

static const char *parse_spec(const char *fmt, struct spec *spec, struct args *args)
{
    *spec = (struct spec){.precision = -1};
    fmt = parse_flags(fmt, spec);
    if (*fmt == '*') {
        spec->width = va_arg(args->list, int);
        fmt++;
    } else {
        fmt = parse_int(fmt, &spec->width);
    }
    if (spec->width < 0) {
        spec->left = true;
        spec->width = -spec->width;
    }
    if (*fmt == '.' && fmt[1] == '*') {
        spec->precision = va_arg(args->list, int);
        fmt += 2;
    } else if (*fmt == '.') {
        fmt = parse_int(fmt + 1, &spec->precision);
    }
    fmt = parse_length(fmt, spec);
    spec->conv = *fmt;
    return *fmt ? fmt + 1 : fmt;
}

static void convert(struct out *out, const struct spec *spec, struct args *args)
{
    uint64_t value;
    char c;

    switch (spec->conv) {
    case 'd':
    case 'i':
        value = next_int(args, spec->int_bytes);
        put_signed(out, spec, sign_extend(value, spec->int_bytes));
        break;
    case 'u':
        value = next_int(args, spec->int_bytes);
        put_number(out, spec, cut(value, spec->int_bytes), 10, "", 0);
        break;
    case 'x':
    case 'X':
        value = cut(next_int(args, spec->int_bytes), spec->int_bytes);
        put_number(out, spec, value, 16, spec->conv == 'x' ? "0x" : "0X",
                   spec->alt && value ? 2 : 0);
        break;
    case 'p':
        put_number(out, spec, (uintptr_t)va_arg(args->list, void *), 16, "0x", 2);
        break;
    case 's':
        put_string(out, spec, va_arg(args->list, const char *));
        break;
    case 'c':
        c = (char)va_arg(args->list, int);
        put_padded(out, spec, &c, 1);
        break;
    default: /* %% and what we do not know */
        put(out, spec->conv ? spec->conv : '%');
    }
}

int format_v(char *buf, size_t size, const char *fmt, va_list list)
{
    struct out out = {.buf = buf, .size = size};
    struct args args;

    va_copy(args.list, list);
    while (*fmt) {
        struct spec spec;

        if (*fmt != '%') {
            put(&out, *fmt++);
            continue;
        }
        fmt = parse_spec(fmt + 1, &spec, &args);
        convert(&out, &spec, &args);
    }
    va_end(args.list);
    if (size > 0)
        buf[out.len < size ? out.len : size - 1] = '\0';
    return (int)out.len;
}

int format_s(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int len = format_v(buf, size, fmt, args);
    va_end(args);
    return len;
}
