// SPDX-License-Identifier: BSD-2-Clause
/*
 * fpu [MS]: do floating-point registers survive interrupts, faults and balloon work? For so many
 * milliseconds (200) the same sums are computed again and again, and known words are kept in all of
 * them while time passes. Each result must be the first one, to the last bit.
 */
#include "tests/apps/check.h"

#include <guest.h>

#include <stdint.h>
#include <stdlib.h>

#define DEFAULT_MS 200
#define ROUNDS     20000 /* of a sum: some 100 us under TCG */
#define KEEP_NS    300000

struct checks checks;

/* A chaotic map: an error in the last bit is everywhere after some rounds. No arrays: they would be in
 * memory. */
static double sum_sse(double start)
{
    double a = start, b = start + 0.01, c = start + 0.02, d = start + 0.03;

    for (int round = 0; round < ROUNDS; round++) {
        a = 3.99 * a * (1 - a);
        b = 3.98 * b * (1 - b);
        c = 3.97 * c * (1 - c);
        d = 3.96 * d * (1 - d);
    }
    return a + b + c + d;
}

static long double sum_x87(long double start)
{
    long double x = start, y = start / 2;

    for (int round = 0; round < ROUNDS; round++) {
        x = 3.99L * x * (1 - x);
        y = 3.98L * y * (1 - y);
    }
    return x + y;
}

/* All sixteen registers hold words of their own until `end`; XOR over what is left of them afterwards, which
 * is 0 when each kept its own. */
static uint64_t keep_xmm(uint64_t end)
{
    uint64_t words[32], left[32], wrong = 0;

    for (unsigned i = 0; i < 32; i++)
        words[i] = UINT64_C(0x9E3779B97F4A7C15) * (i + 1);
#define LOAD(n) "movups " #n "*16(%[words]), %%xmm" #n "\n\t"
#define SAVE(n) "movups %%xmm" #n ", " #n "*16(%[left])\n\t"
#define ALL(what)                                                                   \
    what(0) what(1) what(2) what(3) what(4) what(5) what(6) what(7) what(8) what(9) \
        what(10) what(11) what(12) what(13) what(14) what(15)
    /* Without a call in between, which may use the registers: it counts loops, not time. */
    for (uint64_t now = guest_ns(); now < end; now = guest_ns()) {
        uint64_t loops = 20000;

        __asm__ volatile(ALL(LOAD) "1: pause\n\tdec %[loops]\n\tjnz 1b\n\t" ALL(SAVE)
                         : [loops] "+r"(loops)
                         : [words] "r"(words), [left] "r"(left)
                         : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
                           "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                           "xmm13", "xmm14", "xmm15");
        for (unsigned i = 0; i < 32; i++)
            wrong |= words[i] ^ left[i];
    }
    return wrong;
}

int main(int argc, char **argv)
{
    uint64_t ms = argc > 1 ? strtoull(argv[1], NULL, 10) : DEFAULT_MS;
    uint64_t end = guest_ns() + ms * 1000000, rounds = 0;
    const double first_sse = sum_sse(HIDE(0.3));
    const long double first_x87 = sum_x87(HIDE(0.3L));

    CHECK(first_sse > 0 && first_sse < 4 && first_x87 > 0 && first_x87 < 2);
    do {
        CHECK(sum_sse(HIDE(0.3)) == first_sse);
        CHECK(sum_x87(HIDE(0.3L)) == first_x87);
        CHECK(keep_xmm(guest_ns() + KEEP_NS) == 0);
        rounds++;
    } while (guest_ns() < end && checks.failures == 0);
    guest_event("event=fpu_done rounds=%lu failures=%u", rounds, checks.failures);
    return checks_end("fpu");
}
