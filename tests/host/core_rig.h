// SPDX-License-Identifier: BSD-2-Clause
/* The balloon's core without a device, and a host that acknowledges when the test says so. */
#pragma once

#include "base/err.h"
#include "drivers/balloon/pacing.h"
#include "drivers/balloon/stats.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct rig {
    struct hal_model hal;
    struct guest_frames guest;
    struct balloon b;
    struct balloon_batch batch;
    struct balloon_report report;
};

static struct rig r;

static inline void start(uint64_t frames, uint64_t reserve)
{
    const struct balloon_rules rules = {.pfn_limit = BIT64(32)};

    hal_model_init(&r.hal);
    guest_frames_init(&r.guest, &r.hal, 0, frames, reserve);
    balloon_init(&r.b, &r.hal.hal, rules);
}

static inline void stop(void)
{
    balloon_return_all(&r.b);
    guest_check(&r.guest);
    assert_int_equal(r.guest.driver, 0);
    assert_int_equal(r.guest.accounted, 0);
    balloon_fini(&r.b);
    assert_int_equal(hal_model_end(&r.hal), 0);
}

/* One thing to do, with a host that acknowledges at once. False: nothing to do now. */
static inline bool step(void)
{
    struct balloon_plan plan = balloon_plan(&r.b, r.hal.now_ns);

    switch (plan.action) {
    case BALLOON_DEFLATE:
        assert_true(balloon_choose_deflate(&r.b, &r.batch, plan.frames) > 0);
        balloon_deflated(&r.b, &r.batch);
        return true;
    case BALLOON_TELL:
        assert_int_equal(balloon_choose_owed(&r.b, &r.batch), BLOCK_FRAMES);
        balloon_deflated(&r.b, &r.batch);
        return true;
    case BALLOON_RETURN:
        return balloon_return_blocks(&r.b, plan.frames);
    case BALLOON_CANCEL:
        balloon_cancel_blocks(&r.b, plan.frames);
        return true;
    case BALLOON_RELEASE:
        return balloon_release_blocks(&r.b, plan.frames);
    case BALLOON_REPORT:
        if (balloon_choose_report(&r.b, &r.report, 4, plan.frames)) {
            balloon_reported(&r.b, &r.report);
            return true;
        }
        __attribute__((fallthrough));
    case BALLOON_INFLATE:
        if (!balloon_choose_inflate(&r.b, &r.batch, plan.frames, r.hal.now_ns))
            return false;
        balloon_inflated(&r.b, &r.batch);
        return true;
    default:
        return false;
    }
}

static inline void go_to(uint64_t frames)
{
    balloon_set_target(&r.b, frames);
    while (step())
        ;
    balloon_settle(&r.b);
    assert_int_equal(r.guest.driver, balloon_size(&r.b));
}
