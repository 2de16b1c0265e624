// SPDX-License-Identifier: BSD-2-Clause
/*
 * A balloon_hal as small as it can be: for firmware that owns one piece of RAM, runs one loop, and has
 * no interrupts. docs/porting-balloon.md walks through it.
 */
#pragma once

#include "hal/balloon_hal.h"

#define RAM_FRAMES 16384u /* 64 MiB, block aligned */

struct firmware {
    struct balloon_hal hal;
    uint8_t *ram;              /* where frame 0 is, as a pointer */
    pfn_t ram_first;           /* and as the device sees it */
    uint8_t taken[RAM_FRAMES]; /* a byte per frame: whoever has it */
    uint64_t free_frames, reserve_frames;
    uint64_t now_ns, wake_at_ns; /* the loop in main.c moves the clock */
    bool is_awake;
};

void firmware_init(struct firmware *fw, uint8_t *ram, pfn_t ram_first);
