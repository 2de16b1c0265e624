// SPDX-License-Identifier: BSD-2-Clause
/* Page tables with a source of table frames that can be told to fail, and that must balance at the end. */
#pragma once

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

static inline int rig_take(void *ctx, paddr_t *out)
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

static inline void rig_give(void *ctx, paddr_t frame)
{
    struct rig *rig = ctx;
    uint64_t i = (frame - TABLES_AT) / FRAME_SIZE;

    assert_true(i < TABLES && rig->is_taken[i]);
    rig->is_taken[i] = false;
    rig->taken--;
}

static inline void rig_begin(struct rig *rig, unsigned cpu)
{
    struct vmm_source source = {rig, rig_take, rig_give};

    memset(rig, 0, sizeof(*rig));
    model_ram_reset();
    model_ram_add(TABLES_AT, TABLES * FRAME_SIZE);
    assert_int_equal(vmm_init(&rig->vmm, source, cpu), 0);
    assert_int_equal(rig->taken, 1);
}

static inline void rig_end(struct rig *rig)
{
    assert_int_equal(rig->vmm.table_frames, rig->taken);
    assert_int_equal(vmm_unmap(&rig->vmm, 0, BIT64(47)), 0);
    assert_int_equal(vmm_unmap(&rig->vmm, -BIT64(47), BIT64(47)), 0);
    assert_int_equal(rig->taken, 1); /* the root: no table outlives its last leaf */
    assert_int_equal(rig->vmm.table_frames, 1);
}

static inline void expect_leaf(const struct rig *rig, uint64_t virt, struct vmm_leaf leaf)
{
    struct vmm_leaf got;

    assert_true(vmm_lookup(&rig->vmm, virt, &got));
    assert_int_equal(got.virt, leaf.virt);
    assert_int_equal(got.phys, leaf.phys);
    assert_int_equal(got.size_bytes, leaf.size_bytes);
    assert_int_equal(got.flags, leaf.flags);
}

static inline void expect_none(const struct rig *rig, uint64_t virt)
{
    struct vmm_leaf got;

    assert_false(vmm_lookup(&rig->vmm, virt, &got));
}
