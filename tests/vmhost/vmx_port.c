// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmhost/vmx_port.h"

#include "tests/vmhost/guest.h"
#include "tests/vmhost/log.h"

#define MAGIC           UINT32_C(0x564d5868)
#define GET_VERSION     10
#define GET_HZ          45
#define VERSION         6
#define PRODUCT_ESX     2
#define BUS_HZ          UINT32_C(1000000000)
#define NO_SUCH_COMMAND UINT32_MAX

void vmx_port_call(void)
{
    uint16_t command = (uint16_t)guest_regs.rcx;
    uint64_t hz = log_tsc_khz() * 1000;

    if ((uint32_t)guest_vmcb.rax == MAGIC && command == GET_VERSION) {
        guest_vmcb.rax = VERSION;
        guest_regs.rbx = MAGIC;
        guest_regs.rcx = PRODUCT_ESX;
    } else if ((uint32_t)guest_vmcb.rax == MAGIC && command == GET_HZ) {
        guest_vmcb.rax = (uint32_t)hz;
        guest_regs.rbx = hz >> 32;
        guest_regs.rcx = BUS_HZ;
    } else {
        guest_vmcb.rax = NO_SUCH_COMMAND;
    }
}
