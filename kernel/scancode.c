// SPDX-License-Identifier: BSD-2-Clause
/* Scan code set 1. Pure. */
#include "kernel/scancode.h"

#define EXTENDED 0xE0
#define PAUSE    0xE1 /* and two bytes that look like Ctrl */
#define RELEASED 0x80

#define KEY_CTRL 0x1D /* extended: the right one */
#define KEY_ALT  0x38

static char letter_of(uint8_t key)
{
    switch (key) {
    case 0x19:
        return 'p';
    case 0x13:
        return 'r';
    case 0x20:
        return 'd';
    default:
        return 0;
    }
}

static char take_key(struct scancode *state, uint8_t key, bool is_down)
{
    bool is_repeat = is_down && key == state->held;

    state->held = is_down ? key : 0;
    if (!is_down || is_repeat || state->has_ctrl || state->has_alt)
        return 0;
    return letter_of(key);
}

char scancode_take(struct scancode *state, uint8_t byte)
{
    bool is_down = !(byte & RELEASED), was_extended = state->is_extended;
    uint8_t key = byte & (uint8_t)~RELEASED;

    if (state->skip > 0) {
        state->skip--;
        return 0;
    }
    state->is_extended = byte == EXTENDED;
    if (byte == PAUSE)
        state->skip = 2;
    if (byte == EXTENDED || byte == PAUSE)
        return 0;
    if (key == KEY_CTRL)
        state->has_ctrl = is_down;
    else if (key == KEY_ALT)
        state->has_alt = is_down;
    else if (!was_extended)
        return take_key(state, key, is_down);
    return 0;
}
