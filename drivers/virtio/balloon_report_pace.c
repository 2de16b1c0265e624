// SPDX-License-Identifier: BSD-2-Clause
/*
 * The pace of free page reporting: how long memory must lie free before the host gets it. Two things make
 * that longer than `report_delay_ns`. What the guest wants back soon after it was reported cost a discard
 * and a fault on the host for nothing: where that happens the delay doubles, up to 2 s. A row of reports that
 * are not regretted halves it again, so that a guest whose work does not change pays for one try in many; and so
 * does each second in which nothing is freed. And reports may take 1 % of the time.
 */
#include "drivers/virtio/balloon_internal.h"

/* Of what was reported, the share taken back within SOON_NS that is too much / that does no harm. */
#define REGRET_ONE_IN 8u
#define FINE_ONE_IN   32u
#define FINE_IN_A_ROW 8u
#define SOON_NS       NS_PER_S
#define DELAY_MAX     (2 * NS_PER_S)
#define QUIET_NS      NS_PER_S

/* Where reports have taken so much more than their share, periods are longer. */
#define COST_INVERSE 100u
#define COST_CREDIT  NS_PER_S
#define PERIOD_MAX   NS_PER_S

void vb_pace_start(struct virtio_balloon *vb)
{
    struct vb_pace *pace = &vb->free.pace;

    pace->delay_ns = vb->opts.report_delay_ns;
    pace->lent = pace->judge_at_ns = 0;
    pace->fine = 0;
    pace->quiet_since_ns = vb->now_ns;
}

static void set_delay(struct virtio_balloon *vb, uint64_t delay_ns)
{
    uint64_t least = vb->opts.report_delay_ns;

    vb->free.pace.delay_ns = max_u64(min_u64(delay_ns, DELAY_MAX), least);
}

void vb_pace_charge(struct virtio_balloon *vb, uint64_t cost_ns)
{
    struct vb_pace *pace = &vb->free.pace;
    uint64_t earned_ns = (vb->now_ns - pace->charged_ns) / COST_INVERSE;

    pace->debt_ns = pace->debt_ns - min_u64(pace->debt_ns, earned_ns) + cost_ns;
    pace->charged_ns = vb->now_ns;
}

void vb_pace_reported(struct virtio_balloon *vb, uint64_t frames)
{
    struct vb_pace *pace = &vb->free.pace;

    if (!pace->judge_at_ns) {
        pace->judge_at_ns = vb->now_ns + SOON_NS;
        pace->cold_before = pace->cold_frames;
    }
    pace->lent += frames;
}

/* Untouched memory that was taken since is what was reported: the allocator gives that first. */
void vb_pace_look(struct virtio_balloon *vb, uint64_t cold_frames, uint64_t now_ns)
{
    struct vb_pace *pace = &vb->free.pace;
    uint64_t refaults = min_u64(cold_frames - pace->cold_before, pace->lent);
    bool is_regretted = refaults > pace->lent / REGRET_ONE_IN;

    pace->cold_frames = cold_frames;
    if (!pace->judge_at_ns || (!is_regretted && now_ns < pace->judge_at_ns))
        return;
    if (is_regretted) {
        pace->fine = 0;
        set_delay(vb, pace->delay_ns * 2);
    } else if (refaults < pace->lent / FINE_ONE_IN && ++pace->fine == FINE_IN_A_ROW) {
        pace->fine = 0;
        set_delay(vb, pace->delay_ns / 2);
    }
    vb->count.refaults += refaults;
    pace->lent = pace->judge_at_ns = 0;
}

uint64_t vb_pace_period(struct virtio_balloon *vb, uint64_t now_ns)
{
    struct vb_pace *pace = &vb->free.pace;
    uint64_t quiet = (now_ns - min_u64(now_ns, pace->quiet_since_ns)) / QUIET_NS;

    set_delay(vb, quiet < 64 ? pace->delay_ns >> quiet : 0);
    uint64_t period = pace->debt_ns > COST_CREDIT ? max_u64(pace->delay_ns, PERIOD_MAX)
                                                  : pace->delay_ns;

    pace->quiet_since_ns = now_ns + period;
    return period;
}
