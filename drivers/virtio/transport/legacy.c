// SPDX-License-Identifier: BSD-2-Clause
/* What the two legacy transports share, by legacy.h. */
#include "drivers/virtio/transport/legacy.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/err.h"

#define DESC_BYTES 16u

bool legacy_status_set(struct legacy_status *s, uint8_t *status)
{
    s->features_ok = (*status & VIRTIO_STATUS_FEATURES_OK) != 0;
    *status &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
    if (*status == s->written)
        return false;
    s->written = *status;
    return true;
}

uint8_t legacy_status_get(const struct legacy_status *s, uint8_t raw)
{
    return (uint8_t)(raw | (s->features_ok ? VIRTIO_STATUS_FEATURES_OK : 0));
}

int legacy_queue_pfn(const struct virtio_queue_areas *areas, uint32_t *out)
{
    uint64_t pfn = areas->desc_addr / LEGACY_ALIGN;
    uint64_t driver_at = (uint64_t)areas->size * DESC_BYTES;

    /* Ours: the ring was laid out for this transport (ring_align). */
    assert(areas->desc_addr % LEGACY_ALIGN == 0 &&
           areas->driver_addr == areas->desc_addr + driver_at &&
           areas->device_addr ==
               areas->desc_addr +
                   align_up(driver_at + 6 + 2 * areas->size, LEGACY_ALIGN));
    if (pfn > UINT32_MAX)
        return -EPROTO;
    *out = (uint32_t)pfn;
    return 0;
}
