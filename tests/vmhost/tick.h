// SPDX-License-Identifier: BSD-2-Clause
/*
 * The monitor's own heartbeat, so that a doorbell rings while the guest is idle: HPET timer 2 sends an NMI
 * by message every 10 ms, which only the monitor sees. Needs `-global hpet.msi=on`, and a guest that leaves
 * that timer alone.
 */
#pragma once

void tick_start(void);

/* The guest stopped for an NMI. */
void tick_handle(void);
