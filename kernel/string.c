// SPDX-License-Identifier: BSD-2-Clause
/*
 * mem* and str* for the guest; the compiler may call these by itself. Bulk work uses the string
 * instructions, which need general registers only and are fast on every CPU. By words: under TCG one
 * costs what a byte does.
 */
#include "kernel/string.h"

#include <stdint.h>

void *memcpy(void *dst, const void *src, size_t len)
{
    void *to = dst;
    size_t words = len / 8, rest = len % 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(src), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(rest) : : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t len)
{
    if ((uintptr_t)dst - (uintptr_t)src >= len)
        return memcpy(dst, src, len);

    uint8_t *to = (uint8_t *)dst + len;
    const uint8_t *from = (const uint8_t *)src + len;

    while (to != dst)
        *--to = *--from;
    return dst;
}

void *memset(void *dst, int value, size_t len)
{
    uint8_t *to = dst;
    size_t words = len / 8, rest = len % 8;
    uint64_t fill = (uint8_t)value * UINT64_C(0x0101010101010101);

    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(fill) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(fill) : "memory");
    return dst;
}

static uint64_t load_word(const uint8_t *at)
{
    uint64_t word;

    __builtin_memcpy(&word, at,
                     sizeof(word)); /* one load: x86 has no need of alignment */
    return word;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a, *y = b;
    size_t i = 0;

    while (len - i >= 8 && load_word(x + i) == load_word(y + i))
        i += 8;
    for (; i < len; i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

void *memchr(const void *mem, int value, size_t len)
{
    const uint8_t *at = mem;

    for (size_t i = 0; i < len; i++) {
        if (at[i] == (uint8_t)value)
            return (void *)(uintptr_t)(at + i);
    }
    return NULL;
}

size_t strlen(const char *s)
{
    size_t len = 0;

    while (s[len])
        len++;
    return len;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (a[i] != b[i])
            return (uint8_t)a[i] < (uint8_t)b[i] ? -1 : 1;
        if (!a[i])
            break;
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)(uintptr_t)s;
        if (!*s)
            return NULL;
    }
}
