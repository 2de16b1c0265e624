// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the two legacy transports share (virtio 1.3, 2.1.2, 2.7.2, 4.2.4): a status without FEATURES_OK
 * (R-T-04), queues of one contiguous block with a page number (R-T-19), and what they ask of the ring
 * and of the driver. They are untrusted like any other: nothing here believes what was read.
 */
#pragma once

#include "base/units.h"
#include "drivers/virtio/transport/transport.h"

/* Where the used ring begins, and what QueueAlign is set to. */
#define LEGACY_ALIGN FRAME_SIZE

/* Accepted wherever it is offered: the devices we drive do not care how buffers are cut. */
#define LEGACY_OPTIONAL_FEATURES (UINT64_C(1) << 27) /* ANY_LAYOUT */

/* FEATURES_OK as the driver sees it; the device never does. */
struct legacy_status {
    uint8_t written;  /* what the device got */
    bool features_ok; /* reads back as written */
};

/* True when the device must be told: *status is then what to write. */
bool legacy_status_set(struct legacy_status *s, uint8_t *status);
/* What the driver shall see of the status that was read. */
uint8_t legacy_status_get(const struct legacy_status *s, uint8_t raw);

/* The page number of a queue whose areas lie as R-T-19 wants them. 0, or -EPROTO when it does not fit
 * 32 bits. */
int legacy_queue_pfn(const struct virtio_queue_areas *areas, uint32_t *out);
