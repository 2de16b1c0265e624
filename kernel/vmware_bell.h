// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VMware balloon's doorbell in this kernel: finds the VMCI device, gives it an interrupt, wakes the
 * balloon's task by it. Used by kernel/vmware.c alone; its task's context.
 */
#pragma once

#include "kernel/task.h"

#include "drivers/vmware/balloon.h"

/* What to hand the balloon; NULL: no device, or no interrupt can be had. Both outlive it. */
const struct vmware_doorbell *vmware_bell_open(const struct balloon_hal *hal,
                                               struct task *task);

/* It has been rung since the last call. */
bool vmware_bell_take(void);

/* Close: the device is reset and silent while no balloon uses it. */
void vmware_bell_close(void);

/* It forgets everything in a sleep: closed before, and open again after it if it was; the balloon links it
 * again. What fails then is tried again after the next. */
void vmware_bell_suspend(void);
void vmware_bell_resume(void);

/* "msix", "msi", "intx" or "none". */
const char *vmware_bell_irq(void);
