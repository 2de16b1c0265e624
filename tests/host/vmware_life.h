// SPDX-License-Identifier: BSD-2-Clause
/* What the tests of the VMware balloon say often: traces as text, faults in one line, counts. */
#pragma once

#include "tests/model/vmware_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The commands since vmware_host_mark(). */
#define assert_trace(r, expected)                           \
    do {                                                    \
        char text_[8192];                                   \
        vmware_host_text(&(r)->host, text_, sizeof(text_)); \
        assert_string_equal(text_, expected);               \
    } while (0)

/* Let `skip` commands through, then answer `times` of them with `status`. */
static inline void life_fault(struct vmware_rig *r, uint16_t cmd, uint32_t skip,
                              uint32_t times, uint32_t status)
{
    vmware_host_fault(&r->host, (struct vh_fault){.cmd = cmd,
                                                  .skip = skip,
                                                  .times = times,
                                                  .status = status,
                                                  .entry = VH_WHOLE});
}

/* The same for one entry of a batch, or VH_EACH. */
static inline void life_entry(struct vmware_rig *r, uint16_t cmd, uint32_t entry,
                              uint32_t times, uint32_t status)
{
    vmware_host_fault(
        &r->host,
        (struct vh_fault){.cmd = cmd, .times = times, .status = status, .entry = entry});
}

/* START is answered with these capabilities from now on, whatever was asked. */
static inline void life_caps(struct vmware_rig *r, uint32_t caps)
{
    vmware_host_fault(&r->host, (struct vh_fault){.cmd = VH_START,
                                                  .times = VH_EVERY,
                                                  .entry = VH_WHOLE,
                                                  .has_caps = true,
                                                  .caps = caps});
}

static inline uint64_t life_calls(const struct vmware_rig *r)
{
    return r->host.trace_count;
}

static inline uint64_t life_log_lines(const struct vmware_rig *r)
{
    return r->hal.log_lines[LOG_ERROR] + r->hal.log_lines[LOG_WARN] +
           r->hal.log_lines[LOG_INFO];
}

/* The last line of the log, behind the module's name. */
#define assert_last_line(r, text) \
    assert_string_equal((r)->hal.last_line, "vmware-balloon: " text)

/* Attached, first cycle over. */
static inline void life_start(struct vmware_rig *r)
{
    assert_int_equal(vmware_rig_attach(r), 0);
    vmware_rig_cycle(r);
}

/* Every kind of session: classic, and modern on hosts that offer these. */
static const uint32_t life_levels[] = {
    0,
    VH_CAP_BASIC,
    VH_CAP_BASIC | VH_CAP_BATCH,
    VH_CAP_BASIC | VH_CAP_BATCH | VH_CAP_BATCH_2M,
    VH_CAPS_ALL,
};

/* Level: an index of life_levels. */
static inline void life_init_at(struct vmware_rig *r, unsigned level, uint64_t frames)
{
    if (life_levels[level] == 0)
        vmware_rig_init_classic(r, frames);
    else
        vmware_rig_init(r, life_levels[level], frames);
}

static inline void life_start_at(struct vmware_rig *r, unsigned level, uint64_t frames)
{
    life_init_at(r, level, frames);
    life_start(r);
}

/* Modern on a host with these capabilities, target not met yet. */
static inline void life_modern(struct vmware_rig *r, uint32_t offers, uint64_t frames)
{
    vmware_rig_init(r, offers, frames);
    life_start(r);
}

static inline void life_classic(struct vmware_rig *r, uint64_t frames)
{
    vmware_rig_init_classic(r, frames);
    life_start(r);
}

/* A new target and one cycle. */
static inline void life_cycle_to(struct vmware_rig *r, uint64_t target)
{
    vmware_host_target(&r->host, target);
    vmware_rig_cycle(r);
}

/* Sizes after one cycle each, the target as it is. */
static inline void life_expect_sizes(struct vmware_rig *r, const uint64_t *sizes,
                                     unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        vmware_rig_cycle(r);
        assert_int_equal(vmware_rig_size(r), sizes[i]);
    }
}

/* All free memory but `free` frames becomes the guest's; it can do without it (a cache), or not. */
static inline void life_leave(struct vmware_rig *r, uint64_t free, bool is_cache)
{
    uint64_t count = guest_use(&r->guest, r->guest.free - free);

    r->guest.cache = is_cache ? r->guest.cache + count : 0;
}

/* All of the guest's own is free again. */
static inline void life_relax(struct vmware_rig *r)
{
    guest_unuse(&r->guest, r->guest.count);
    r->guest.cache = 0;
}
