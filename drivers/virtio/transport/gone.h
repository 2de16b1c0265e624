// SPDX-License-Identifier: BSD-2-Clause
/*
 * The transport of a device that was torn out. Its owner puts it in place of the real one: no register
 * is touched any more, the status reads 0 for ever. So a reset is complete at once, which is the truth:
 * what is not there holds nothing of ours and writes nowhere; and a driver that looks at its device
 * finds that it lost its state, and gives everything back.
 */
#pragma once

#include "drivers/virtio/transport/transport.h"

extern const struct virtio_transport virtio_transport_gone;
