// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the host wants when: words on the command line, the same words one a line on COM2 while the guest
 * runs, and a schedule of targets. README.md lists the words.
 */
#pragma once

#include "tests/vmhost/balloon_host.h"

/* Obey the words of the command line, set COM2 up. Ends the run at a word that means nothing. */
void control_init(const char *options);

/* The guest asks for its target: take what COM2 has, then the schedule its turn. */
void control_poll(void);

/* COM2 only: between polls, and while the guest sleeps. */
void control_read_port(void);

/* Whether the guest should wake now, `slept_ns` after it fell asleep. Asked once per wake. */
bool control_wants_wake(uint64_t slept_ns);

/* START will grant these when the guest asks for them. */
uint32_t control_capabilities(void);
