// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest's frames, a VMware host and the driver between them, with a clock that jumps from event to
 * event. What most tests of drivers/vmware/ start from:
 *
 *     vmware_rig_init(&r, VH_CAPS_ALL, 4096);     // bend things now
 *     assert_int_equal(vmware_rig_attach(&r), 0);
 *     vmware_host_target(&r.host, 1000);
 *     vmware_rig_cycle(&r);
 *     vmware_rig_end(&r);                         // fails when a rule was broken or a frame is lost
 */
#pragma once

#include "drivers/vmware/balloon.h"
#include "tests/model/vmware_host.h"

#define VMWARE_RIG_BASE UINT64_C(0x40000) /* the guest's first frame: 1 GiB */
#define VMWARE_RIG_BELL 0x1234u           /* VMCI context of the doorbell that is made */

struct vmware_rig {
    struct hal_model hal;
    struct guest_frames guest;
    struct vmware_host host;
    struct vmware_backdoor port;
    struct vmware_doorbell doorbell;
    struct vmware_balloon_opts opts;
    struct vmware_balloon *vb;
    bool bell_fails; /* link() does */
    bool has_bell;   /* linked and not unlinked */
    unsigned bells;  /* made so far; the resource of the next is 1024 more */
    unsigned steps;
    void (*each_step)(struct vmware_rig *r); /* after each of them, or NULL */
};

/* A host that offers these capabilities; the modern policy with everything asked for and a doorbell. */
void vmware_rig_init(struct vmware_rig *r, uint32_t offers, uint64_t frames);
/* The same with the guest's memory elsewhere; `base` is a multiple of a block. */
void vmware_rig_init_at(struct vmware_rig *r, uint32_t offers, uint64_t base,
                        uint64_t frames);
/* The classic policy, on a host of protocol 2. */
void vmware_rig_init_classic(struct vmware_rig *r, uint64_t frames);
int vmware_rig_attach(struct vmware_rig *r);

/* Whatever is due in the next `for_ns`. */
void vmware_rig_run(struct vmware_rig *r, uint64_t for_ns);
/* Up to the end of the next cycle, or of the next `count`; checks both sides after each. */
void vmware_rig_cycle(struct vmware_rig *r);
void vmware_rig_cycles(struct vmware_rig *r, unsigned count);
/* The host wants so much; as many cycles as it takes until nothing moves any more, 100 at most. */
void vmware_rig_reach(struct vmware_rig *r, uint64_t target);

struct vmware_balloon_status vmware_rig_status(const struct vmware_rig *r);
uint64_t vmware_rig_size(const struct vmware_rig *r);
/* I-1 to I-7, I-11, and what the host complained of. Between steps; at the end of a cycle it says more. */
void vmware_rig_check(struct vmware_rig *r);
/* The last START is on its way: whatever its answer, frames are free then. */
void vmware_rig_detach(struct vmware_rig *r);
/* Detach, destroy, balance. */
void vmware_rig_end(struct vmware_rig *r);
