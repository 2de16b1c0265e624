// SPDX-License-Identifier: BSD-2-Clause
/*
 * Out of a sleep in which the CPU and part of the image are lost, and back: like setjmp, over a power cycle.
 *
 *     if (wake_prepare())
 *         ... no memory for it ...
 *     bool has_slept = wake_sleep(enter);   // enter() puts the machine to sleep, firmware enters wake_vector()
 *     wake_forget();
 *
 * What RAM holds survives a sleep, with exceptions: where the VMM itself loaded the image (`-kernel`) it may
 * load it again at the wake, and firmware may work in memory that it called free. What is at risk is copied to
 * other frames, and the stub in the low page (wake.asm) copies it back before anything else.
 *
 * Context: task level.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* NULL when there is a low page to wake in, else what is missing. Static text. */
const char *wake_missing(void);

/* Take what the wake needs: frames, page tables. 0; -ENOMEM: nothing was taken. */
int wake_prepare(void);

/* Where firmware must go. */
uint32_t wake_vector(void);

/* Keep the CPU's state and what is at risk, and call enter(), which writes no memory. False when that
 * returned; true when the machine was woken: descriptor tables, paging and control registers are as before,
 * devices are not. Interrupts off, also at the end. */
bool wake_sleep(void (*enter)(void));

/* Give back what wake_prepare() took. */
void wake_forget(void);
