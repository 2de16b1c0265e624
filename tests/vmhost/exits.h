// SPDX-License-Identifier: BSD-2-Clause
/* Why the guest stopped, and what is done about it. */
#pragma once

#include <stdbool.h>

/* Handle the exit that the VMCB tells of, so that the guest can run on. */
void exits_handle(void);

/* On a touch of a locked frame: end the run (default), or give the frame back, forget all locks as a host
 * does that pops the balloon, and go on. */
void exits_heal_touches(bool on);
