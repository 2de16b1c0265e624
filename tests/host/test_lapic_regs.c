// SPDX-License-Identifier: BSD-2-Clause
/* kernel/x86/lapic_regs.c: the same writes by memory and by MSR. The MSR way cannot be tried on QEMU's
 * TCG, which has no x2APIC: this is its test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/x86/lapic_regs.h"

#define REGS 0x400

/* One register file behind both ways; indexed by the xAPIC offset. */
static uint32_t regs[REGS / 4];
static unsigned accesses[2]; /* mmio, msr */

static uint32_t mmio_read(void *ctx, uint64_t offset, unsigned width)
{
    (void)ctx;
    assert_int_equal(width, 4);
    assert_int_equal(offset % 16, 0);
    accesses[0]++;
    return regs[offset / 4];
}

static void mmio_write(void *ctx, uint64_t offset, unsigned width, uint32_t value)
{
    (void)ctx;
    assert_int_equal(width, 4);
    assert_int_equal(offset % 16, 0);
    accesses[0]++;
    regs[offset / 4] = value;
}

static uint64_t msr_read(uint32_t index)
{
    assert_in_range(index, 0x800, 0x83F);
    accesses[1]++;
    return regs[(index - 0x800) * 4];
}

static void msr_write(uint32_t index, uint64_t value)
{
    assert_in_range(index, 0x800, 0x83F);
    accesses[1]++;
    regs[(index - 0x800) * 4] = (uint32_t)value;
}

static struct lapic lapic_by(bool is_x2apic)
{
    memset(regs, 0, sizeof(regs));
    accesses[0] = accesses[1] = 0;
    return (struct lapic){
        .is_x2apic = is_x2apic,
        .mmio = {.size_bytes = REGS, .read = mmio_read, .write = mmio_write},
        .msr_read = msr_read,
        .msr_write = msr_write,
    };
}

static void set_up_is_the_same_by_both_ways(void **state)
{
    uint32_t first[REGS / 4];

    (void)state;
    struct lapic lapic = lapic_by(false);
    lapic_regs_setup(&lapic, (struct lapic_vectors){0x50, 0x5F});
    memcpy(first, regs, sizeof(regs));
    assert_int_equal(accesses[1], 0);

    lapic = lapic_by(true);
    lapic_regs_setup(&lapic, (struct lapic_vectors){0x50, 0x5F});
    assert_int_equal(accesses[0], 0);
    assert_memory_equal(first, regs, sizeof(regs));
}

static void set_up_enables_and_masks(void **state)
{
    struct lapic lapic = lapic_by(true);

    (void)state;
    lapic_regs_setup(&lapic, (struct lapic_vectors){0x50, 0x5F});
    assert_int_equal(regs[0xF0 / 4], 0x15F);    /* enabled, spurious vector */
    assert_int_equal(regs[0x320 / 4], 0x50);    /* one-shot, not masked */
    assert_int_equal(regs[0x3E0 / 4], 0xB);     /* divided by 1 */
    assert_int_equal(regs[0x350 / 4], 0x10000); /* LINT0: the 8259s */
    assert_int_equal(regs[0x360 / 4], 0x400);   /* LINT1: NMI */
}

static void id_has_its_own_place_in_each(void **state)
{
    struct lapic lapic = lapic_by(false);

    (void)state;
    regs[0x20 / 4] = 0x03000000;
    assert_int_equal(lapic_regs_id(&lapic), 3);
    lapic = lapic_by(true);
    regs[0x20 / 4] = 0x1234567;
    assert_int_equal(lapic_regs_id(&lapic), 0x1234567);
}

static void timer_and_eoi_by_both_ways(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct lapic lapic = lapic_by(way);

        regs[0xB0 / 4] = 99;
        lapic_regs_eoi(&lapic);
        assert_int_equal(regs[0xB0 / 4], 0);
        lapic_regs_timer_start(&lapic, 1234);
        assert_int_equal(regs[0x380 / 4], 1234);
        regs[0x390 / 4] = 77;
        assert_int_equal(lapic_regs_timer_left(&lapic), 77);
        lapic_regs_self_nmi(&lapic);
        assert_int_equal(regs[0x300 / 4], 0x44400); /* self, assert, NMI */
        lapic_regs_self_interrupt(&lapic, 0x35);
        assert_int_equal(regs[0x300 / 4], 0x44035);
        assert_int_equal(accesses[!way], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_up_is_the_same_by_both_ways),
        cmocka_unit_test(set_up_enables_and_masks),
        cmocka_unit_test(id_has_its_own_place_in_each),
        cmocka_unit_test(timer_and_eoi_by_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
