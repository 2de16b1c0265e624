// SPDX-License-Identifier: BSD-2-Clause
/* A page set on a model of memory: what its tests start from. */
#pragma once

#include "drivers/balloon/page_set.h"

#include "base/bits.h"
#include "base/err.h"
#include "tests/model/balloon_host.h"
#include "tests/model/seams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct rig {
    struct hal_model hal;
    struct page_set set;
};

static inline void rig_start(struct rig *r)
{
    hal_model_init(&r->hal);
    page_set_init(&r->set, &r->hal.hal);
}

static inline void rig_stop(struct rig *r)
{
    page_set_fini(&r->set);
    assert_int_equal(hal_model_end(&r->hal), 0);
}

static inline struct page_run run_at(uint64_t pfn, uint32_t frames)
{
    return (struct page_run){pfn_of(pfn), frames};
}

static inline void put(struct rig *r, uint64_t pfn, uint32_t frames)
{
    unsigned order = frames > 1 ? BLOCK_ORDER : 0;

    assert_int_equal(page_set_reserve(&r->set, pfn_of(pfn), order), 0);
    page_set_add(&r->set, run_at(pfn, frames));
}
