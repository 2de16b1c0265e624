// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VMware balloon between a guest that lives its life and a host that answers what the input says: any
 * status to any command or entry, any capabilities, other frame numbers, targets of any size, lost
 * sessions, silence; and memory that runs out. The model of the host checks every command for order and
 * ownership; the driver comes to rest, and its end returns every frame.
 */
#include "tests/fuzz/stream.h"
#include "tests/model/vmware_rig.h"

#include "base/bits.h"

#define FRAMES 4096u

static struct vmware_rig r;

static void any_fault(struct stream *in)
{
    uint8_t what = take8(in), how = take8(in);
    struct vh_fault fault = {
        .cmd = (what & 15) < VH_CMDS ? what & 15 : VH_ANY,
        .skip = what >> 4,
        .times = how & 1 ? 1 + take8(in) : 1,
        .status = how & 2 ? take32(in) : take8(in) % 10,
        .entry = how & 4   ? take16(in) % 512
                 : how & 8 ? VH_EACH
                           : VH_WHOLE,
        .has_caps = how & 16,
        .moves_pfn = how & 32,
    };

    if (fault.has_caps)
        fault.caps = take8(in);
    if (r.host.faults[VH_FAULTS - 1].times)
        vmware_host_no_faults(&r.host);
    vmware_host_fault(&r.host, fault);
}

/* The rates of the modern policy, and how far its cycles are apart. */
static void any_pace(struct stream *in)
{
    uint8_t pace = take8(in);

    r.opts.rates = pace & 1;
    r.opts.period_ns = (pace >> 1) * 10 * NS_PER_MS; /* 0: the default */
}

static void host_event(struct stream *in, unsigned what)
{
    switch (what) {
    case 0:
        vmware_host_target(&r.host, take16(in) % (2 * FRAMES));
        break;
    case 1:
        vmware_host_target(&r.host, take64(in));
        break;
    case 2:
        vmware_host_reset(&r.host);
        break;
    case 3:
        r.host.offers = take8(in) & VH_CAPS_ALL;
        break;
    case 4:
        r.host.pinned[take16(in) % FRAMES] ^= true;
        break;
    case 5:
        r.host.pinned_group[take8(in) % (FRAMES / BLOCK_FRAMES)] ^= true;
        break;
    case 6:
        r.host.is_deaf = take8(in) % 4 == 0;
        r.host.takes_no_surplus = take8(in) % 4 == 0;
        break;
    default:
        any_fault(in);
        break;
    }
}

static void guest_event(struct stream *in, unsigned what)
{
    switch (what) {
    case 0:
        guest_use(&r.guest, take16(in) % FRAMES);
        break;
    case 1:
        guest_unuse(&r.guest, take16(in) % FRAMES);
        break;
    case 2:
        r.host.is_lenient = true; /* from here on: below the target on purpose */
        vmware_balloon_oom(r.vb, take16(in));
        break;
    case 3:
        r.hal.fail_at = r.hal.allocs + 1 + take8(in) % 16;
        break;
    case 4:
        vmware_balloon_suspend(r.vb);
        break;
    case 5:
        vmware_balloon_resume(r.vb);
        break;
    case 6:
        vmware_balloon_ring(r.vb);
        break;
    default:
        r.bell_fails = take8(in) % 4 == 0;
        break;
    }
}

/* From then on the balloon may be one short at any time. */
static void empty(unsigned block)
{
    r.host.is_lenient = true;
    vmware_balloon_empty(r.vb, pfn_of(r.guest.base + block * BLOCK_FRAMES));
}

static void live(struct stream *in)
{
    while (in->left > 0) {
        uint8_t event = take8(in);

        if (event & 0x80)
            vmware_rig_run(&r, (event & 0x7F) * 10 * NS_PER_MS);
        else if (event & 0x40)
            host_event(in, event & 7);
        else if (event & 0x20)
            empty(event & 7);
        else
            guest_event(in, event & 7);
        vmware_rig_check(&r);
    }
}

/* The host behaves from here on: what it asks for, it gets. */
static void recover(void)
{
    vmware_host_no_faults(&r.host);
    r.host.is_deaf = r.host.takes_no_surplus = false;
    r.hal.fail_at = 0;
    vmware_host_target(&r.host, 0);
    vmware_balloon_resume(r.vb);
    vmware_host_reset(&r.host);
    vmware_rig_run(&r, 8 * NS_PER_S);
    vmware_rig_check(&r);
    model_equal(vmware_rig_size(&r), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream in = {.data = data, .left = size};
    uint8_t bits = take8(&in), more = take8(&in);

    vmware_rig_init(&r, bits & VH_CAPS_ALL, FRAMES);
    r.opts.policy = bits & 0x80 ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
    r.opts.caps = (more & VH_CAPS_ALL) | VH_CAP_BASIC;
    r.opts.shrink = more & 0x40;
    r.opts.doorbell = more & 0x80 ? NULL : &r.doorbell;
    r.guest.reserve = bits & 0x40 ? 64 : 0;
    if (more & 1)
        any_pace(&in);
    if (bits & 1)
        any_fault(&in); /* as early as it gets */
    if (!vmware_rig_attach(&r)) {
        live(&in);
        if (take8(&in) % 2 == 0)
            recover();
    }
    vmware_rig_end(&r);
    return 0;
}
