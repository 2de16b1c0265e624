// SPDX-License-Identifier: BSD-2-Clause
/* The virtio balloon on the status page. */
#include "kernel/balloon.h"
#include "kernel/format.h"

#include "base/bits.h"

static bool describe(char *text, size_t size)
{
    struct virtio_balloon_status now;
    const struct virtio_port *port = balloon_device_status(&now);

    if (!port)
        return false;
    format_s(text, size, "%s, %s at %s, %s, %s rings%s%s",
             now.features & BIT64(VIRTIO_F_VERSION_1) ? "virtio 1" : "virtio legacy",
             port->transport.name, port->name,
             now.is_polled ? "poll" : virtio_port_irq_name(port),
             now.features & BIT64(VIRTIO_F_RING_PACKED) ? "packed" : "split",
             now.is_wide ? ", whole blocks" : "",
             now.is_reporting ? ", free pages reported" : "");
    return true;
}

static void detail_queues(struct status_sheet *sheet,
                          const struct virtio_balloon_status *now)
{
    static const char *const names[VIRTIO_BALLOON_QUEUES] = {
        "queue inflate", "queue deflate", "queue stats", "queue hint", "queue report"};

    for (unsigned i = 0; i < VIRTIO_BALLOON_QUEUES; i++) {
        if (now->queues[i] != VIRTIO_BALLOON_NO_QUEUE)
            sheet_number(sheet, names[i], now->queues[i]);
    }
}

static void detail(struct status_sheet *sheet)
{
    struct virtio_balloon_status now;
    const struct virtio_port *port = balloon_device_status(&now);

    if (!port)
        return;
    sheet_group(sheet, "virtio balloon");
    sheet_put(sheet, "features", "0x%llx", (unsigned long long)now.features);
    detail_queues(sheet, &now);
    sheet_size(sheet, "target", now.wish_pages * FRAME_SIZE);
    sheet_size(sheet, "of it possible", now.target_pages * FRAME_SIZE);
    sheet_size(sheet, "actual", now.size_pages * FRAME_SIZE);
    sheet_size(sheet, "on the way", now.in_flight_pages * FRAME_SIZE);
    sheet_number(sheet, "pages inflated", now.core.inflated);
    sheet_number(sheet, "pages deflated", now.core.deflated);
    sheet_number(sheet, "inflate requests", now.core.inflate_requests);
    sheet_number(sheet, "deflate requests", now.core.deflate_requests);
    sheet_number(sheet, "doorbells", now.kicks);
    sheet_number(sheet, "free reports", now.freed_reports);
    sheet_number(sheet, "statistics sent", now.stats_answers);
    sheet_number(sheet, "target changes", now.core.target_changes);
    sheet_number(sheet, "out of memory", now.core.oom_calls);
    sheet_put(sheet, "last round trip", "%llu us",
              (unsigned long long)(now.round_trip_ns / NS_PER_US));
    sheet_number(sheet, "lies of the host", now.ring_errors);
    sheet_number(sheet, "resets", now.resets);
}

const struct status_source balloon_status_source = {.describe = describe,
                                                    .detail = detail};
