// SPDX-License-Identifier: BSD-2-Clause
/*
 * mm/vmm*.c: leaf sizes, splits, errors that change nothing, a source that fails at every place, frames
 * that balance, and random changes compared with a plain array of pages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/err.h"
#include "mm/vmm.h"
#include "tests/model/mmu.h"
#include "tests/model/seams.h"

#define TABLES    512 /* frames the source has */
#define TABLES_AT (UINT64_C(1) << 32)
#define UPPER     UINT64_C(0xFFFF800000000000)

/* A source with a fixed number of frames that can be told to fail. */
struct rig {
    struct vmm vmm;
    bool is_taken[TABLES];
    uint64_t taken;
    uint64_t fail_at; /* the n-th take() from now fails; 0: none does */
};

static int rig_take(void *ctx, paddr_t *out)
{
    struct rig *rig = ctx;

    if (rig->fail_at != 0 && --rig->fail_at == 0)
        return -ENOMEM;
    for (uint64_t i = 0; i < TABLES; i++) {
        if (!rig->is_taken[i]) {
            rig->is_taken[i] = true;
            rig->taken++;
            *out = TABLES_AT + i * FRAME_SIZE;
            memset(mmu_phys_to_virt(*out), 0xA5,
                   FRAME_SIZE); /* a source promises no contents */
            return 0;
        }
    }
    return -ENOMEM;
}

static void rig_give(void *ctx, paddr_t frame)
{
    struct rig *rig = ctx;
    uint64_t i = (frame - TABLES_AT) / FRAME_SIZE;

    assert_true(i < TABLES && rig->is_taken[i]);
    rig->is_taken[i] = false;
    rig->taken--;
}

static void rig_begin(struct rig *rig, unsigned cpu)
{
    struct vmm_source source = {rig, rig_take, rig_give};

    memset(rig, 0, sizeof(*rig));
    model_ram_reset();
    model_ram_add(TABLES_AT, TABLES * FRAME_SIZE);
    assert_int_equal(vmm_init(&rig->vmm, source, cpu), 0);
    assert_int_equal(rig->taken, 1);
}

static void rig_end(struct rig *rig)
{
    assert_int_equal(rig->vmm.table_frames, rig->taken);
    vmm_fini(&rig->vmm);
    assert_int_equal(rig->taken, 0);
    assert_int_equal(rig->vmm.table_frames, 0);
}

static void expect_leaf(const struct rig *rig, uint64_t virt, struct vmm_leaf leaf)
{
    struct vmm_leaf got;

    assert_true(vmm_lookup(&rig->vmm, virt, &got));
    assert_int_equal(got.virt, leaf.virt);
    assert_int_equal(got.phys, leaf.phys);
    assert_int_equal(got.size_bytes, leaf.size_bytes);
    assert_int_equal(got.flags, leaf.flags);
}

static void expect_none(const struct rig *rig, uint64_t virt)
{
    struct vmm_leaf got;

    assert_false(vmm_lookup(&rig->vmm, virt, &got));
}

static void ranges_take_the_largest_leaves(void **state)
{
    struct rig rig;
    unsigned flags = VMM_WRITE | VMM_GLOBAL;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX | VMM_CPU_1G);
    assert_int_equal(
        vmm_map(&rig.vmm, UPPER + GIB - 4096, GIB - 4096, GIB + BLOCK_SIZE + 8192, flags),
        0);
    expect_leaf(&rig, UPPER + GIB - 1,
                (struct vmm_leaf){UPPER + GIB - 4096, GIB - 4096, 4096, flags});
    expect_leaf(&rig, UPPER + GIB + 77, (struct vmm_leaf){UPPER + GIB, GIB, GIB, flags});
    expect_leaf(&rig, UPPER + 2 * GIB,
                (struct vmm_leaf){UPPER + 2 * GIB, 2 * GIB, BLOCK_SIZE, flags});
    expect_leaf(&rig, UPPER + 2 * GIB + BLOCK_SIZE,
                (struct vmm_leaf){UPPER + 2 * GIB + BLOCK_SIZE, 2 * GIB + BLOCK_SIZE,
                                  4096, flags});
    expect_none(&rig, UPPER + GIB - 4097);
    expect_none(&rig, UPPER + 2 * GIB + BLOCK_SIZE + 4096);
    assert_int_equal(vmm_unmap(&rig.vmm, UPPER, 3 * GIB), 0);
    assert_int_equal(rig.taken, 1);
    rig_end(&rig);
}

static void no_huge_leaf_unless_allowed_or_aligned(void **state)
{
    struct rig rig;
    struct vmm_leaf leaf;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX);
    assert_int_equal(vmm_map(&rig.vmm, GIB, GIB, GIB, 0), 0);
    assert_true(vmm_lookup(&rig.vmm, GIB, &leaf));
    assert_int_equal(leaf.size_bytes, BLOCK_SIZE);
    assert_int_equal(vmm_map(&rig.vmm, 4 * GIB, GIB + 4096, BLOCK_SIZE, VMM_EXEC), 0);
    assert_true(vmm_lookup(&rig.vmm, 4 * GIB, &leaf));
    assert_int_equal(leaf.size_bytes, 4096);
    assert_int_equal(leaf.flags, VMM_EXEC);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_take_the_largest_leaves),
        cmocka_unit_test(no_huge_leaf_unless_allowed_or_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
