// SPDX-License-Identifier: BSD-2-Clause
/* The VMware balloon's `@` lines, and how often they may come. Its figures are in vmware_figures.c. */
#include "kernel/vmware_report.h"
#include "kernel/clock.h"
#include "kernel/event.h"
#include "kernel/timer.h"

#define EVENT_GAP_NS (50 * NS_PER_MS) /* of progress: 20 a second */
#define EVENTS_MAX   40 /* a second, with new targets and rest: a host may flap */

/* Owned by the balloon's task. */
static struct {
    struct vmware_balloon_status told; /* what the last events said */
    uint64_t told_ns, session_ns;
    uint64_t window_ns; /* the second that told_count counts in */
    unsigned told_count;
    bool is_shortfall_told;
    struct timer tell_again; /* for what was held back */
} tell;

typedef unsigned long long ull;

static bool may_tell(uint64_t when_ns)
{
    if (clock_ns() >= when_ns)
        return true;
    timer_set(&tell.tell_again, when_ns);
    return false;
}

/* A session was opened: the first, or another after a reset. */
static void tell_session(const struct vmware_balloon_status *now)
{
    bool is_first = tell.told.state != VMWARE_BALLOON_LIVE;

    if (now->state != VMWARE_BALLOON_LIVE ||
        (!is_first && now->count.resets == tell.told.count.resets) ||
        !may_tell(tell.session_ns + EVENT_GAP_NS))
        return;
    event_emit("balloon=vmware event=session resets=%llu level=%s caps=0x%x doorbell=%u",
               (ull)now->count.resets, vmware_level_name(now->level), now->caps,
               now->has_doorbell);
    tell.session_ns = clock_ns();
    tell.told.state = VMWARE_BALLOON_LIVE;
    tell.told.count.resets = now->count.resets;
}

/* It rests short of its target, a cycle more has not changed that, and it has not been said. */
static bool is_short(const struct vmware_balloon_status *now)
{
    return now->state == VMWARE_BALLOON_LIVE && !now->is_moving &&
           now->size_frames < now->wish_frames && !tell.is_shortfall_told &&
           now->size_frames == tell.told.size_frames &&
           now->count.timer > tell.told.count.timer;
}

/* Progress: at once when the target changes or the work comes to rest, else 20 times a second. */
static bool has_news(const struct vmware_balloon_status *now)
{
    bool has_changed = now->wish_frames != tell.told.wish_frames ||
                       now->size_frames != tell.told.size_frames || is_short(now);

    if (!has_changed)
        return false;
    if (now->wish_frames != tell.told.wish_frames || !now->is_moving)
        return tell.told_count < EVENTS_MAX || may_tell(tell.window_ns + NS_PER_S);
    return may_tell(tell.told_ns + EVENT_GAP_NS);
}

static void count_telling(void)
{
    tell.told_ns = clock_ns();
    if (tell.told_ns - tell.window_ns >= NS_PER_S) {
        tell.window_ns = tell.told_ns;
        tell.told_count = 0;
    }
    tell.told_count++;
}

static void tell_size(const struct vmware_balloon_status *now)
{
    bool is_same = now->wish_frames == tell.told.wish_frames &&
                   now->size_frames == tell.told.size_frames;

    if (!is_same)
        event_emit("balloon=vmware target=%llu actual=%llu", (ull)now->wish_frames,
                   (ull)now->size_frames);
    tell.is_shortfall_told = tell.is_shortfall_told && is_same;
    if (is_short(now)) {
        event_emit("balloon=vmware event=shortfall target=%llu actual=%llu limit=%llu",
                   (ull)now->wish_frames, (ull)now->size_frames, (ull)now->target_frames);
        tell.is_shortfall_told = true;
    }
    count_telling();
    tell.told.wish_frames = now->wish_frames;
    tell.told.size_frames = now->size_frames;
    tell.told.count.timer = now->count.timer;
}

void vmware_report_init(struct task *task)
{
    timer_init(&tell.tell_again, task);
}

void vmware_report(const struct vmware_balloon *vb)
{
    struct vmware_balloon_status now;

    vmware_balloon_get_status(vb, &now);
    tell_session(&now);
    if (now.count.shrink_frames != tell.told.count.shrink_frames)
        event_emit("balloon=vmware event=oom_deflate frames=%llu",
                   (ull)(now.count.shrink_frames - tell.told.count.shrink_frames));
    tell.told.count.shrink_frames = now.count.shrink_frames;
    if (has_news(&now))
        tell_size(&now);
}

void vmware_report_attached(const struct vmware_balloon *vb,
                            const struct vmware_found *found)
{
    struct vmware_balloon_status now;

    vmware_balloon_get_status(vb, &now);
    tell.told = (struct vmware_balloon_status){.state = VMWARE_BALLOON_OFF};
    tell.is_shortfall_told = false;
    event_emit("balloon=vmware event=attached policy=%s wished=0x%x start=0x%x "
               "detected=%s version=%u product=%s",
               vmware_policy_name(now.policy), now.wished_caps, now.last_start,
               vmware_way_name(found->way),
               found->has_version ? found->version.version : 0,
               vmware_product_name(found));
    vmware_report(vb);
}

void vmware_report_refused(const char *reason)
{
    event_emit("balloon=vmware event=refused reason=\"%s\"", reason);
}

void vmware_report_moved(const struct vmware_balloon *vb, uint64_t blocks_before,
                         uint64_t blocks_after)
{
    struct vmware_balloon_status now;

    vmware_balloon_get_status(vb, &now);
    if (now.count.moved == tell.told.count.moved)
        return;
    event_emit(
        "balloon=vmware event=moved frames=%llu blocks_before=%llu blocks_after=%llu",
        (ull)(now.count.moved - tell.told.count.moved), (ull)blocks_before,
        (ull)blocks_after);
    tell.told.count.moved = now.count.moved;
}

void vmware_report_detached(void)
{
    event_emit("balloon=vmware event=detached");
}

void vmware_report_map(const struct vmware_balloon *vb)
{
    uint64_t ranges = 0, total = 0, frames;
    pfn_t first = pfn_of(0);

    while (vmware_balloon_next_range(vb, first, &first, &frames)) {
        event_emit("balloon=vmware map=0x%llx+%llu", (ull)first.n, (ull)frames);
        first = pfn_add(first, frames);
        ranges++;
        total += frames;
    }
    event_emit("balloon=vmware event=map_end ranges=%llu frames=%llu", (ull)ranges,
               (ull)total);
}
