// SPDX-License-Identifier: BSD-2-Clause
/*
 * From a reset device to a running one: features, where the queues are, the start in the order of
 * R-V-15. Devices disagree on the numbers of the later queues; vb_number_queues() settles it.
 */
#include "drivers/virtio/balloon_internal.h"

#include "base/err.h"

/* Queue-bearing features in the order of their queues. */
static const struct {
    unsigned bit;
    enum virtio_balloon_queue queue;
} optional_queues[] = {
    {VIRTIO_BALLOON_F_STATS_VQ, VIRTIO_BALLOON_STATS},
    {VIRTIO_BALLOON_F_FREE_PAGE_HINT, VIRTIO_BALLOON_HINT},
    {VIRTIO_BALLOON_F_REPORTING, VIRTIO_BALLOON_REPORT},
};

#define CROSVM_QUEUES 2
_Static_assert(2 + ARRAY_LEN(optional_queues) + CROSVM_QUEUES < VIRTIO_MAX_QUEUES,
               "one more number than any host has queues can be looked at");

/* Dense numbering: every queue the offer implies is there, and nothing behind them. */
static bool is_dense(uint64_t offered, const uint16_t max[VIRTIO_MAX_QUEUES])
{
    unsigned count = 2;

    for (unsigned i = 0; i < ARRAY_LEN(optional_queues); i++)
        if (offered & BIT64(optional_queues[i].bit))
            count++;
    for (unsigned i = 0; i < count; i++)
        if (!max[i])
            return false;
    if (max[count] && offered & BIT64(VIRTIO_BALLOON_F_CROSVM_WS))
        count += CROSVM_QUEUES;
    return !max[count];
}

uint64_t vb_number_queues(uint64_t offered, uint64_t accepted,
                          const uint16_t max[VIRTIO_MAX_QUEUES],
                          uint16_t index[VIRTIO_BALLOON_QUEUES])
{
    bool dense = is_dense(offered, max);
    uint64_t drop = 0;
    uint16_t next = 2;

    index[VIRTIO_BALLOON_INFLATE] = 0;
    index[VIRTIO_BALLOON_DEFLATE] = 1;
    for (unsigned i = 0; i < ARRAY_LEN(optional_queues); i++) {
        uint64_t bit = BIT64(optional_queues[i].bit);
        uint16_t *at = &index[optional_queues[i].queue];
        uint16_t number = dense ? next : (uint16_t)optional_queues[i].queue;

        if (offered & bit)
            next++;
        *at = VIRTIO_BALLOON_NO_QUEUE;
        if (accepted & bit && !max[number])
            drop |= bit;
        else if (accepted & bit)
            *at = number;
    }
    return drop;
}

/* R-V-06: our own table; what is not here is never accepted, bits 6, 7, 8 and 42 among it. */
static uint64_t supported_features(const struct virtio_balloon *vb)
{
    uint64_t bits =
        BIT64(VIRTIO_BALLOON_F_MUST_TELL_HOST) | BIT64(VIRTIO_BALLOON_F_STATS_VQ) |
        BIT64(VIRTIO_BALLOON_F_FREE_PAGE_HINT) | BIT64(VIRTIO_BALLOON_F_REPORTING) |
        BIT64(VIRTIO_F_INDIRECT_DESC) | BIT64(VIRTIO_F_EVENT_IDX) |
        BIT64(VIRTIO_F_RING_PACKED) | BIT64(VIRTIO_F_IN_ORDER);

    if (vb->opts.accept_oom)
        bits |= BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM);
    if (vb->opts.frees_zeroed) /* R-V-57: a promise, so only who keeps it */
        bits |= BIT64(VIRTIO_BALLOON_F_PAGE_POISON);
    return bits & ~vb->dropped_features;
}

/* R-V-58: frame numbers are never translated, so bit 33 is left out at first; but a device that may sit
 * behind an IOMMU insists on it. There is none that we programmed: addresses are what they are. */
static bool accept_translation(void *ctx, unsigned attempt, uint64_t offered,
                               uint64_t *features)
{
    (void)ctx;
    if (attempt > 1 || !(offered & BIT64(VIRTIO_F_ACCESS_PLATFORM)))
        return false;
    *features |= BIT64(VIRTIO_F_ACCESS_PLATFORM);
    return true;
}

/* Negotiate, again without what the device has no queue for. */
static int negotiate(struct virtio_balloon *vb)
{
    uint16_t max[VIRTIO_MAX_QUEUES];

    vb->dropped_features = 0; /* what a former start did without may be there now */
    for (unsigned tries = 0; tries <= ARRAY_LEN(optional_queues); tries++) {
        struct virtio_wanted wanted = {.supported = supported_features(vb),
                                       .fallback = accept_translation};
        int err = virtio_negotiate(&vb->dev, &wanted);

        if (err)
            return err;
        for (uint16_t i = 0; i < VIRTIO_MAX_QUEUES; i++)
            max[i] = virtio_queue_max(&vb->dev, i);
        /* R-V-15, step 7: a round of hinting needs two entries at once. */
        uint64_t drop =
            vb_number_queues(vb->dev.offered, vb->dev.features, max, vb->queue_index);
        uint16_t hint = vb->queue_index[VIRTIO_BALLOON_HINT];
        if (hint != VIRTIO_BALLOON_NO_QUEUE && max[hint] < 2)
            drop |= BIT64(VIRTIO_BALLOON_F_FREE_PAGE_HINT);
        if (!drop)
            return 0;
        log_to(&vb->hal->log, LOG_WARN,
               "virtio-balloon: no queue for features 0x%llx, going on without",
               (unsigned long long)drop);
        vb->dropped_features |= drop;
    }
    return -ENOTSUP;
}

/* R-V-05: every queue of an accepted feature, and no other. */
static int create_queues(struct virtio_balloon *vb)
{
    /* Tables: a whole block per request where that is told as one element; a report's ranges. */
    const struct virtio_queue_opts pages = {.max_size = VB_QUEUE_ENTRIES,
                                            .indirect_max = VB_BLOCK_PARTS,
                                            .tables = (uint16_t)vb->opts.inflight};
    const struct virtio_queue_opts words = {.max_size = VB_QUEUE_ENTRIES};
    const struct virtio_queue_opts hints = {.max_size = vb->opts.hint ? VB_HINT_ENTRIES
                                                                      : VB_QUEUE_ENTRIES};
    const struct virtio_queue_opts reports = {
        .max_size = VB_REPORT_ENTRIES, .indirect_max = BALLOON_REPORTS, .tables = 1};
    const struct virtio_queue_opts *const opts[VIRTIO_BALLOON_QUEUES] = {
        &pages, &pages, &words, &hints, &reports};

    for (unsigned i = 0; i < VIRTIO_BALLOON_QUEUES; i++) {
        vb->vqs[i] = NULL;
        if (vb->queue_index[i] == VIRTIO_BALLOON_NO_QUEUE)
            continue;
        int err = virtio_queue_create(&vb->dev, vb->queue_index[i], opts[i], &vb->vqs[i]);
        if (err) {
            log_to(&vb->hal->log, LOG_ERROR, "virtio-balloon: queue %u: %s",
                   vb->queue_index[i], err_name(err));
            return err;
        }
    }
    vb_requests_start(vb);
    return 0;
}

/* R-V-16: where the window ends before a field, writes to it would be lost without a word. */
static int check_config(const struct virtio_balloon *vb)
{
    uint32_t end = VB_CONFIG_ACTUAL + 4, has = vb->dev.transport->config_bytes;

    if (virtio_has_feature(&vb->dev, VIRTIO_BALLOON_F_FREE_PAGE_HINT))
        end = VB_CONFIG_HINT_CMD_ID + 4;
    if (virtio_has_feature(&vb->dev, VIRTIO_BALLOON_F_PAGE_POISON))
        end = VB_CONFIG_POISON_VAL + 4;
    if (has >= end)
        return 0;
    log_to(&vb->hal->log, LOG_ERROR,
           "virtio-balloon: a configuration of %u bytes, needed %u", (unsigned)has,
           (unsigned)end);
    return -EPROTO;
}

static int set_up(struct virtio_balloon *vb)
{
    int err = negotiate(vb);

    if (err)
        return err;
    err = check_config(vb);
    if (err)
        return err;
    err = create_queues(vb);
    if (err)
        return err;
    vb->core.is_reclaimable =
        virtio_has_feature(&vb->dev, VIRTIO_BALLOON_F_DEFLATE_ON_OOM);
    vb->core.report_first = vb_may_report(vb);
    vb->core.early_return =
        vb->opts.early_return &&
        !virtio_has_feature(&vb->dev, VIRTIO_BALLOON_F_MUST_TELL_HOST);
    if (virtio_has_feature(&vb->dev, VIRTIO_BALLOON_F_PAGE_POISON))
        virtio_config_write32(&vb->dev, VB_CONFIG_POISON_VAL, 0);
    vb_free_start(vb);
    err = vb_hint_start(vb);
    if (err)
        return err;
    err = vb_stats_prime(vb);
    if (err)
        return err;
    return virtio_driver_ok(&vb->dev);
}

int vb_start(struct virtio_balloon *vb)
{
    int err = set_up(vb);

    if (err)
        return err;
    vb->state = VIRTIO_BALLOON_LIVE;
    /* R-V-15, steps 13 and 14: a former life's size is wrong, and a target set before boot raises
     * no interrupt. The size starts at 0, whatever the register says. */
    virtio_config_write32(&vb->dev, VB_CONFIG_ACTUAL, 0);
    vb->actual = 0;
    vb->count.actual_writes++;
    vb->is_config_due = true;
    return 0;
}
