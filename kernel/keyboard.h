// SPDX-License-Identifier: BSD-2-Clause
/* The PS/2 keyboard behind an 8042 controller, for the few keys of the status page. */
#pragma once

#include <stdbool.h>

typedef void keyboard_fn(char key);

/* Set the controller up, and call `on_key` at task level for each key of scancode.h. False: there is no
 * controller, or it does not answer; that takes 0.1 s at most. Boot context, after the interrupts. */
bool keyboard_start(keyboard_fn *on_key);

/* After a sleep the controller is as after power-on. Interrupts off. */
void keyboard_resume(void);
