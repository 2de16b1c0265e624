// SPDX-License-Identifier: BSD-2-Clause
/* Between the host's side of a balloon (balloon_host.c) and the rig that it is part of (balloon_rig.c). */
#pragma once

#include "tests/model/balloon_host.h"

#define HINT_REGISTER 8 /* in the configuration */

extern const enum virtio_balloon_queue host_kind_queues[HOST_KINDS];

/* Put it behind the model's hooks. */
void host_install(struct balloon_host *host, struct virtio_model *m);
/* A reset ends all: what was told is the guest's again. */
void host_notice_reset(struct balloon_host *host, struct virtio_model *m);
/* Serve one request, which is not answered by that. */
void host_do_request(struct balloon_host *host, const struct virtio_chain *chain,
                     enum host_kind kind);
/* Take and answer up to `max` buffers of the hint queue. */
void host_take_hints(struct balloon_host *host, struct virtio_model *m, uint16_t index,
                     unsigned max);

/* Then nothing is answered before what came before it. */
static inline bool host_is_in_order(const struct virtio_model *m)
{
    return (m->accepted & BIT64(VIRTIO_F_IN_ORDER)) != 0;
}
