// SPDX-License-Identifier: BSD-2-Clause
/* The commands of both doors, one call each. */
#include "drivers/vmware/backdoor.h"

#include <stddef.h>

enum general_command {
    GET_VERSION = 10,
    GET_HZ = 45,
};

#define UNTOLD \
    (UINT64_C(0xFFFF) << 16) /* still there: the host did not name its product */

uint32_t vmware_balloon_call(const struct vmware_backdoor *door, enum vmware_command cmd,
                             uint64_t arg1, uint64_t arg2, uint64_t *data)
{
    struct vmware_regs regs = {.ax = VMWARE_BALLOON_MAGIC,
                               .bx = arg1,
                               .cx = cmd,
                               .dx = VMWARE_BALLOON_PORT,
                               .si = arg2};

    door->in(door->ctx, &regs);
    /* Some hosts leave rubbish in the upper half. */
    uint32_t status = (uint32_t)regs.ax;
    bool is_success =
        status == VMWARE_SUCCESS ||
        (cmd == VMWARE_CMD_START && status == VMWARE_SUCCESS_WITH_CAPABILITIES);

    if (data && is_success)
        *data = cmd == VMWARE_CMD_START ? (uint32_t)regs.cx : regs.bx;
    return status;
}

/* `bx` says whether anybody answered: it is changed then. */
static void call_general(const struct vmware_backdoor *door, enum general_command cmd,
                         struct vmware_regs *regs)
{
    regs->ax = VMWARE_MAGIC;
    regs->cx |= cmd;
    regs->dx = VMWARE_PORT;
    door->in(door->ctx, regs);
}

bool vmware_get_version(const struct vmware_backdoor *door, struct vmware_version *out)
{
    struct vmware_regs regs = {.bx = (uint32_t)~VMWARE_MAGIC, .cx = UNTOLD};

    call_general(door, GET_VERSION, &regs);
    if ((uint32_t)regs.ax == UINT32_MAX || (uint32_t)regs.bx != VMWARE_MAGIC)
        return false;
    out->version = (uint32_t)regs.ax;
    out->product =
        (regs.cx & UNTOLD) == UNTOLD ? VMWARE_PRODUCT_UNKNOWN : (uint32_t)regs.cx;
    return true;
}

bool vmware_get_tsc_hz(const struct vmware_backdoor *door, uint64_t *hz)
{
    struct vmware_regs regs = {.bx = UINT32_MAX};

    call_general(door, GET_HZ, &regs);
    if ((uint32_t)regs.bx == UINT32_MAX)
        return false;
    *hz = regs.bx << 32 | (uint32_t)regs.ax;
    return true;
}
