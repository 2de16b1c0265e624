// SPDX-License-Identifier: BSD-2-Clause
/*
 * Hot-plug on this machine: finds what can be plugged (native slots, QEMU's ACPI block), looks at it a
 * few times a second, and tells kernel/drivers.h what comes, shall go, and is gone. Each is an `@` line
 * (docs/events.md); the ways are described in docs/hotplug.md.
 *
 * Context: task level.
 */
#pragma once

#include <stdint.h>

/* Find the slots and start looking, if there are any. Boot context, after drivers_start(). */
void hotplug_start(void);

struct hotplug_status {
    unsigned slots; /* native */
    unsigned buses; /* of the ACPI block */
    uint64_t plugged, unplugged, surprises;
    uint64_t lies; /* claims of slots, block and tables that cannot be */
};

void hotplug_get_status(struct hotplug_status *out);
