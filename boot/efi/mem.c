// SPDX-License-Identifier: BSD-2-Clause
/* The memory functions the compiler calls; the loader has no library. As C99 says. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *dst, const void *src, size_t len);
void *memset(void *dst, int value, size_t len);
int memcmp(const void *a, const void *b, size_t len);

void *memcpy(void *dst, const void *src, size_t len)
{
    void *to = dst;

    __asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(len) : : "memory");
    return dst;
}

void *memset(void *dst, int value, size_t len)
{
    void *to = dst;

    __asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(value) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < len; i++) {
        if (x[i] != y[i])
            return x[i] - y[i];
    }
    return 0;
}
