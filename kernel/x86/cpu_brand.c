// SPDX-License-Identifier: BSD-2-Clause
/* Reads the brand string, CPUID 0x80000002 to 0x80000004. */
#include "kernel/x86/cpu_brand.h"
#include "kernel/string.h"
#include "kernel/x86/cpu.h"

#define LEAF_EXT_MAX 0x80000000
#define LEAF_BRAND   0x80000002
#define LEAVES       3

void cpu_brand(char out[CPU_BRAND_BYTES])
{
    char raw[LEAVES * sizeof(struct cpuid) + 1] = "unknown";
    const char *at = raw;
    size_t len = 0;

    if (cpuid(LEAF_EXT_MAX, 0).eax >= LEAF_BRAND + LEAVES - 1) {
        for (uint32_t i = 0; i < LEAVES; i++) {
            struct cpuid r = cpuid(LEAF_BRAND + i, 0);

            memcpy(raw + i * sizeof(r), &r, sizeof(r));
        }
    }
    while (*at == ' ')
        at++;
    for (; *at; at++)
        out[len++] = *at < ' ' || *at > '~' || *at == '"' ? '?' : *at;
    while (len > 0 && out[len - 1] == ' ')
        len--;
    out[len] = '\0';
}
