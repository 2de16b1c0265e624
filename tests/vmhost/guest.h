// SPDX-License-Identifier: BSD-2-Clause
/*
 * The one guest: its processor state and how it is set up and run. Everything here runs on the boot CPU
 * with GIF clear, so nothing interrupts and nothing is locked.
 */
#pragma once

#include "tests/vmhost/vmcb.h"

#include <stdbool.h>

extern struct vmcb guest_vmcb;
extern struct guest_regs guest_regs;

/* The lowest and the first byte behind the highest address of the monitor itself. */
extern char image_start[], image_end[];

/* SVM on, intercepts set, nested paging as npt_init() left it. Ends the run when the CPU has no SVM. */
void guest_init(void);

/* As PVH starts a kernel: 32-bit flat, no paging, RBX = start info. */
void guest_enter_pvh(uint32_t entry, uint32_t start_info);

/* As firmware wakes a system: real mode at vector >> 4 : vector & 15. */
void guest_enter_real(uint32_t vector);

/* The guest's nested translations change: flush before it runs again. */
void guest_flush(void);

/* Exit on every access to these ports. */
void guest_intercept_ports(uint16_t first, unsigned count);

/* #UD at the guest's present instruction. */
void guest_inject_ud(void);

/* The physical address behind the linear one, by the guest's own tables: long mode or no paging.
 * False when it is not mapped. */
bool guest_translate(uint64_t linear, uint64_t *out);

/* Run for ever; end_run() is the way out. */
_Noreturn void guest_run(void);
