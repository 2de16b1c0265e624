// SPDX-License-Identifier: BSD-2-Clause
/* One instruction. The host may change all six registers, and memory. */
#include "kernel/x86/backdoor.h"

static void in(void *ctx, struct vmware_regs *regs)
{
    (void)ctx;
    __asm__ volatile("inl %%dx, %%eax"
                     : "+a"(regs->ax), "+b"(regs->bx), "+c"(regs->cx), "+d"(regs->dx),
                       "+S"(regs->si), "+D"(regs->di)
                     :
                     : "memory");
}

const struct vmware_backdoor machine_backdoor = {.in = in};
