// SPDX-License-Identifier: BSD-2-Clause
/*
 * The guest's sleep. A real S3 would wipe the monitor, so it is played: the processor starts again at the
 * waking vector, all memory survives, and so do the devices, which a guest must not rely on.
 */
#pragma once

#include <stdint.h>

/* Watch PM1a. Nothing to do on a machine that has none. */
void sleep_init(uint64_t rsdp);
