// SPDX-License-Identifier: BSD-2-Clause
/* APM volume 2, 15.7 to 15.25 and appendix C. TCG gives neither the next RIP nor decode assists, so the
 * lengths of the few instructions that exit are known here. */
#include "tests/vmhost/exits.h"

#include "base/bits.h"
#include "tests/vmhost/audit.h"
#include "tests/vmhost/balloon_host.h"
#include "tests/vmhost/cpuid.h"
#include "tests/vmhost/end.h"
#include "tests/vmhost/frames.h"
#include "tests/vmhost/guest.h"
#include "tests/vmhost/log.h"
#include "tests/vmhost/ports.h"
#include "tests/vmhost/tick.h"

#define CPUID_BYTES 2
#define MSR_BYTES   2
#define EFER_LMA    BIT64(10)
#define EFER_SVME   BIT64(12)

/* EXITINFO1 of a nested fault. */
#define FAULT_WRITE BIT64(1)
#define FAULT_FETCH BIT64(4)
#define FAULT_WALK  BIT64(33)

/* EXITINTINFO: what was being delivered. */
#define EVENT_VALID     BIT64(31)
#define EVENT_TYPE(x)   ((x) >> 8 & 7)
#define EVENT_VECTOR(x) ((x)&0xff)
enum event_type {
    EVENT_INTERRUPT = 0,
    EVENT_EXCEPTION = 3,
    EVENT_SOFTWARE = 4,
};

static bool heals_touches;

void exits_heal_touches(bool on)
{
    heals_touches = on;
}

/* An event whose delivery was cut off begins again. TCG calls an external interrupt an exception, which a
 * VMRUN would refuse; of INT n nothing is to be repeated, for RIP still points at it. */
static void repeat_delivery(void)
{
    uint64_t event = guest_vmcb.int_info;

    if (!(event & EVENT_VALID) || EVENT_TYPE(event) == EVENT_SOFTWARE)
        return;
    if (EVENT_TYPE(event) == EVENT_EXCEPTION && EVENT_VECTOR(event) >= 32)
        event &= ~UINT64_C(0x700);
    guest_vmcb.inject = event;
}

static const char *touch_kind(uint64_t info)
{
    if (guest_vmcb.int_info & EVENT_VALID)
        return "touch-delivery";
    if (info & FAULT_WALK)
        return "touch-walk";
    if (info & FAULT_FETCH)
        return "touch-fetch";
    return info & FAULT_WRITE ? "touch-write" : "touch-read";
}

static void handle_nested_fault(void)
{
    uint64_t addr = guest_vmcb.info2;

    if (!frames_is_locked(pfn_from_paddr(addr).n)) {
        audit_violation("touch-monitor", addr);
        end_run("stray", END_VIOLATION);
    }
    audit_violation(touch_kind(guest_vmcb.info1), addr);
    if (!heals_touches)
        end_run("touch", END_VIOLATION);
    frames_heal(addr);
    balloon_reset();
    repeat_delivery();
}

/* EFER is the one register watched: the guest must neither see nor clear SVME. */
static void handle_efer(void)
{
    bool is_write = guest_vmcb.info1 & 1;
    uint64_t value = (uint32_t)guest_vmcb.rax | guest_regs.rdx << 32;

    if (is_write) {
        guest_vmcb.efer = (value & ~EFER_LMA) | (guest_vmcb.efer & EFER_LMA) | EFER_SVME;
        guest_flush();
    } else {
        guest_vmcb.rax = (uint32_t)(guest_vmcb.efer & ~EFER_SVME);
        guest_regs.rdx = 0;
    }
    guest_vmcb.rip += MSR_BYTES;
}

static void handle_cpuid(void)
{
    struct cpuid out =
        cpuid_for_guest((uint32_t)guest_vmcb.rax, (uint32_t)guest_regs.rcx);

    guest_vmcb.rax = out.eax;
    guest_regs.rbx = out.ebx;
    guest_regs.rcx = out.ecx;
    guest_regs.rdx = out.edx;
    guest_vmcb.rip += CPUID_BYTES;
}

void exits_handle(void)
{
    uint32_t code = (uint32_t)guest_vmcb.exit_code;

    switch (code) {
    case EXIT_NMI:
        tick_handle();
        break;
    case EXIT_CPUID:
        handle_cpuid();
        break;
    case EXIT_IO:
        ports_handle();
        break;
    case EXIT_MSR:
        handle_efer();
        break;
    case EXIT_NESTED_FAULT:
        handle_nested_fault();
        break;
    case EXIT_SHUTDOWN:
        log_say("shutdown rip=%lx", guest_vmcb.rip);
        end_run("shutdown", END_SHUTDOWN);
    case EXIT_INVALID:
        end_unable("VMRUN refused the guest's state");
    default:
        if (code != EXIT_INVLPGA && (code < EXIT_VMRUN || code > EXIT_SKINIT)) {
            log_say("exit code=%x rip=%lx", code, guest_vmcb.rip);
            end_unable("an exit nobody asked for");
        }
        guest_inject_ud();
    }
}
