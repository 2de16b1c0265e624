// SPDX-License-Identifier: BSD-2-Clause
/* Each host's facts, and the checks that only some of them make. */
#include "tests/model/profiles.h"

#define NO        VIRTIO_BALLOON_NO_QUEUE
#define BIT_OF(x) BIT64(VIRTIO_BALLOON_F_##x)
#define V1        BIT64(VIRTIO_F_VERSION_1)
#define QEMU_RING (BIT64(VIRTIO_F_INDIRECT_DESC) | BIT64(VIRTIO_F_EVENT_IDX) | BIT64(40))
#define QEMU      (BIT_OF(STATS_VQ) | BIT_OF(PAGE_POISON) | QEMU_RING | V1)
#define CROSVM                                                            \
    (BIT_OF(MUST_TELL_HOST) | BIT_OF(STATS_VQ) | BIT_OF(DEFLATE_ON_OOM) | \
     BIT64(VIRTIO_F_EVENT_IDX) | V1 | BIT64(42))

const struct host_profile host_profiles[HOST_PROFILES] = {
    {
        .name = "qemu",
        .features = QEMU,
        .number = {0, 1, 2, NO, NO},
        .size = {128, 128, 128},
    },
    {
        .name = "qemu, hint, reporting, deflate-on-oom, packed",
        .features = QEMU | BIT_OF(FREE_PAGE_HINT) | BIT_OF(REPORTING) |
                    BIT_OF(DEFLATE_ON_OOM) | BIT64(VIRTIO_F_RING_PACKED),
        .number = {0, 1, 2, 3, 4},
        .size = {128, 128, 128, 1024, 32},
    },
    {
        /* The text of the specification: a missing queue leaves its number free. */
        .name = "spec-fixed",
        .features = BIT_OF(FREE_PAGE_HINT) | BIT_OF(REPORTING) | QEMU_RING | V1,
        .number = {0, 1, NO, 3, 4},
        .size = {64, 64, 0, 64, 64},
    },
    {
        .name = "firecracker",
        .kind = RIG_MMIO,
        .features = BIT_OF(STATS_VQ) | BIT_OF(DEFLATE_ON_OOM) | BIT_OF(FREE_PAGE_HINT) |
                    BIT_OF(REPORTING) | V1,
        .number = {0, 1, 2, 3, 4},
        .size = {256, 256, 256, 256, 256},
        .needs_every_queue = true,
        .is_narrow = true,
        .keeps_hint_id = true,
        .done_on_stop = true,
    },
    {
        /* No polling interval was set, so there are no statistics. */
        .name = "firecracker, reporting",
        .kind = RIG_MMIO,
        .features = BIT_OF(REPORTING) | V1,
        .number = {0, 1, NO, NO, 2},
        .size = {256, 256, 0, 0, 256},
        .needs_every_queue = true,
        .is_narrow = true,
    },
    {
        .name = "cloud-hypervisor",
        .features = BIT_OF(DEFLATE_ON_OOM) | BIT_OF(REPORTING) |
                    BIT64(VIRTIO_F_ACCESS_PLATFORM) | V1,
        .number = {0, 1, NO, NO, 2},
        .size = {128, 128, 0, 0, 32},
        .has_msix = true,
        .is_narrow = true,
    },
    {
        .name = "crosvm",
        .features = CROSVM | BIT_OF(REPORTING),
        .number = {0, 1, 2, NO, 3},
        .size = {128, 128, 128, 0, 128},
        .has_msix = true,
        .refuses_other_queues = true,
        .is_narrow = true,
        .has_stale_stats = true,
    },
    {
        .name = "crosvm, working set",
        .kind = RIG_MMIO,
        .features = CROSVM | BIT_OF(REPORTING) | BIT_OF(CROSVM_WS),
        .number = {0, 1, 2, NO, 3},
        .size = {128, 128, 128, 0, 128},
        .private_queues = 2,
        .refuses_other_queues = true,
        .is_narrow = true,
        .has_stale_stats = true,
    },
    {
        .name = "libkrun: all is offered",
        .kind = RIG_MMIO,
        .features = BIT_OF(STATS_VQ) | BIT_OF(FREE_PAGE_HINT) | BIT_OF(REPORTING) | V1,
        .number = {0, 1, 2, 3, 4},
        .size = {64, 64, 64, 64, 64},
        .is_narrow = true,
    },
};

/* The features that queues belong to; 0: always there. */
static const uint64_t feature_of[VIRTIO_BALLOON_QUEUES] = {
    [VIRTIO_BALLOON_STATS] = BIT_OF(STATS_VQ),
    [VIRTIO_BALLOON_HINT] = BIT_OF(FREE_PAGE_HINT),
    [VIRTIO_BALLOON_REPORT] = BIT_OF(REPORTING),
};

static bool is_accepted(const struct host_profile *profile, const struct virtio_model *m,
                        unsigned index)
{
    for (unsigned i = 0; i < VIRTIO_BALLOON_QUEUES; i++)
        if (profile->number[i] == index)
            return !feature_of[i] || (m->accepted & feature_of[i]);
    return false;
}

/* DRIVER_OK: are the queues as this host wants them? */
static bool activate(void *ctx, const struct virtio_model *m)
{
    const struct balloon_host *host = ctx;
    const struct host_profile *profile = host->profile;

    for (unsigned i = 0; i < VIRTIO_MODEL_QUEUES; i++) {
        const struct virtio_model_queue *q = &m->queues[i];

        if (profile->needs_every_queue && q->max && !q->enabled)
            return false;
        if (profile->refuses_other_queues && q->enabled && !is_accepted(profile, m, i))
            return false;
    }
    return true;
}

static void lay_out_queues(struct balloon_rig *r, const struct host_profile *profile)
{
    struct virtio_model *m = &r->v.model;
    uint16_t past = 0;

    balloon_rig_queues(r, profile->number);
    for (unsigned i = 0; i < VIRTIO_BALLOON_QUEUES; i++)
        if (profile->number[i] != NO) {
            struct virtio_model_queue *q = &m->queues[profile->number[i]];

            q->max = q->size = profile->size[i];
            past = profile->number[i] >= past ? profile->number[i] + 1 : past;
        }
    for (unsigned i = 0; i < profile->private_queues; i++)
        m->queues[past + i].max = m->queues[past + i].size = 128;
    m->num_queues = (uint16_t)(past + profile->private_queues);
}

void profile_init(struct balloon_rig *r, const struct host_profile *profile,
                  uint64_t frames)
{
    balloon_rig_init_on(r, profile->kind, profile->features, frames);
    lay_out_queues(r, profile);
    r->v.model.activate = activate;
    r->host.profile = profile;
    r->host.has_stale_stats = profile->has_stale_stats;
    r->host.keeps_hint_id = profile->keeps_hint_id;
    r->host.done_on_stop = profile->done_on_stop;
    r->opts.wide = VIRTIO_BALLOON_WIDE_AUTO;
    r->opts.early_return = true;
    r->opts.inflight = 4;
    if (profile->has_msix) {
        virtio_pci_model_add_msix(&r->v.pci, 2);
        r->opts.vectors = (struct virtio_vectors){.is_msix = true, .queues = 1};
    }
}

int profile_attach(struct balloon_rig *r)
{
    int err = balloon_rig_attach(r);

    r->host.is_narrow = r->host.profile->is_narrow;
    return err;
}
