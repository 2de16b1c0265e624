// SPDX-License-Identifier: BSD-2-Clause
/*
 * Hosts there are, as far as their balloon device is known: what each offers, where it has its queues, and
 * what it does not stand. Built on the host of balloon_host.h, which is as strict as the strictest of them in
 * all that they agree on.
 *
 *     profile_init(&r, &host_profiles[i], frames);   // bend things now
 *     assert_int_equal(profile_attach(&r), 0);
 */
#pragma once

#include "tests/model/balloon_host.h"

struct host_profile {
    const char *name;
    enum rig_kind kind;
    uint64_t features; /* offered */
    uint16_t number
        [VIRTIO_BALLOON_QUEUES]; /* where each queue is, or VIRTIO_BALLOON_NO_QUEUE */
    uint16_t size[VIRTIO_BALLOON_QUEUES];
    unsigned private_queues; /* of no feature we know, behind the last one */
    bool has_msix;
    bool
        needs_every_queue; /* DRIVER_OK fails unless all its queues are enabled, R-V-05 */
    bool
        refuses_other_queues; /* ... or if one of a feature that was not accepted is, R-V-05 */
    bool is_narrow;           /* reads one descriptor of a request, R-V-29 */
    bool has_stale_stats; /* does not count what is in the first statistics buffer */
    bool keeps_hint_id;   /* the register goes on showing the id of a round */
    bool done_on_stop;    /* answers our STOP with DONE */
};

#define HOST_PROFILES 9
extern const struct host_profile host_profiles[HOST_PROFILES];

/* A rig of that host; its options are ours by default. */
void profile_init(struct balloon_rig *r, const struct host_profile *profile,
                  uint64_t frames);
int profile_attach(struct balloon_rig *r);
