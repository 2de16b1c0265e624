// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmhost/text.h"

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);

/* The compiler calls these two by itself. */
void *memcpy(void *to, const void *from, size_t bytes)
{
    void *at = to;

    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(bytes) : : "memory");
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    void *at = to;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(value) : "memory");
    return to;
}

bool text_equal(const char *a, const char *b)
{
    const char *rest = text_after(a, b);

    return rest && *rest == '\0';
}

const char *text_after(const char *text, const char *prefix)
{
    while (*prefix && *text == *prefix)
        text++, prefix++;
    return *prefix ? NULL : text;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return 16;
}

bool text_number(const char **text, uint64_t *out)
{
    const char *at = *text, *hex = text_after(at, "0x");
    int base = hex ? 16 : 10;
    uint64_t value = 0;

    at = hex ? hex : at;
    if (digit(*at) >= base)
        return false;
    while (digit(*at) < base)
        value = value * (uint64_t)base + (uint64_t)digit(*at++);
    *text = at;
    *out = value;
    return true;
}

bool text_is_number(const char *text, uint64_t *out)
{
    return text_number(&text, out) && *text == '\0';
}
