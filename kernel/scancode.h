// SPDX-License-Identifier: BSD-2-Clause
/*
 * The keys we heed, from the bytes of scan code set 1, as a keyboard controller that translates gives them.
 * Pure: also built for the host.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct scancode {
    bool is_extended; /* 0xE0 came before */
    uint8_t skip;     /* bytes of the key Pause that are left */
    bool has_ctrl, has_alt;
    uint8_t held; /* the key that is down: the keyboard repeats it */
};

/* One more byte; zeroed at the start. 'p', 'r' or 'd' when that key went down without Ctrl and Alt, which make
 * it the business of somebody else; else 0. */
char scancode_take(struct scancode *state, uint8_t byte);
