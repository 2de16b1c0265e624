// SPDX-License-Identifier: BSD-2-Clause
/* The balloon's `@` lines, and how often they may come. */
#include "kernel/balloon_report.h"
#include "kernel/clock.h"
#include "kernel/event.h"
#include "kernel/format.h"
#include "kernel/log.h"
#include "kernel/timer.h"

#define EVENT_GAP_NS (50 * NS_PER_MS) /* between progress events: 20 a second */
/* a second, with those of new targets and of rest: a host may flap */
#define EVENTS_MAX   40
#define FEATURE_TEXT 200      /* all names and a blank before each */
#define FREED_GAP_NS NS_PER_S /* between events about free memory that was reported */

/* Owned by the balloon's task. */
static struct {
    struct virtio_balloon_status told; /* what the last events said */
    uint64_t told_ns;
    struct timer tell_again; /* for what was held back */
    uint64_t window_ns;      /* the second that told_count counts in */
    unsigned told_count;
    uint64_t moved;    /* frames, by the last event about them */
    uint64_t freed_ns; /* when free memory that was reported was last told of */
} tell;

static const char *irq_name(const struct virtio_balloon_status *now,
                            const struct virtio_port *port)
{
    return now->is_polled ? "poll" : virtio_port_irq_name(port);
}

static void describe_queues(const struct virtio_balloon_status *now, char *text,
                            size_t size)
{
    static const char *const names[VIRTIO_BALLOON_QUEUES] = {"inflate", "deflate",
                                                             "stats", "hint", "report"};
    size_t len = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < VIRTIO_BALLOON_QUEUES; i++)
        if (now->queues[i] != VIRTIO_BALLOON_NO_QUEUE && len < size)
            len += (size_t)format_s(text + len, size - len, "%s%s:%u", len ? "," : "",
                                    names[i], now->queues[i]);
}

/* Names of all bits that are ever accepted. */
static const struct {
    unsigned bit;
    const char *name;
} feature_names[] = {
    {VIRTIO_BALLOON_F_MUST_TELL_HOST, "must-tell-host"},
    {VIRTIO_BALLOON_F_STATS_VQ, "stats-vq"},
    {VIRTIO_BALLOON_F_DEFLATE_ON_OOM, "deflate-on-oom"},
    {VIRTIO_BALLOON_F_FREE_PAGE_HINT, "free-page-hint"},
    {VIRTIO_BALLOON_F_PAGE_POISON, "page-poison"},
    {VIRTIO_BALLOON_F_REPORTING, "page-reporting"},
    {VIRTIO_F_ANY_LAYOUT, "any-layout"},
    {VIRTIO_F_INDIRECT_DESC, "indirect-desc"},
    {VIRTIO_F_EVENT_IDX, "event-idx"},
    {VIRTIO_F_VERSION_1, "version-1"},
    {VIRTIO_F_ACCESS_PLATFORM, "access-platform"},
    {VIRTIO_F_RING_PACKED, "ring-packed"},
    {VIRTIO_F_IN_ORDER, "in-order"},
};

static void print_features(uint64_t features)
{
    char text[FEATURE_TEXT] = "";
    size_t len = 0;

    for (unsigned i = 0; i < ARRAY_LEN(feature_names); i++)
        if (features & BIT64(feature_names[i].bit) && len < sizeof(text))
            len += (size_t)format_s(text + len, sizeof(text) - len, " %s",
                                    feature_names[i].name);
    log_info("balloon: features:%s", len ? text : " none");
}

static void tell_attached(const struct virtio_balloon_status *now,
                          const struct virtio_port *port)
{
    char queues[80];

    print_features(now->features);
    describe_queues(now, queues, sizeof(queues));
    event_emit(
        "balloon=virtio event=attached features=0x%llx offered=0x%llx queues=%s at=\"%s\" "
        "transport=%s irq=%s",
        (unsigned long long)now->features, (unsigned long long)now->offered, queues,
        port->name, port->transport.name, irq_name(now, port));
}

static void tell_state(const struct virtio_balloon_status *now,
                       const struct virtio_port *port)
{
    bool was_up = tell.told.state == VIRTIO_BALLOON_LIVE;

    if (now->broken != tell.told.broken)
        event_emit(
            "balloon=virtio event=broken count=%llu silences=%llu ring_errors=%llu",
            (unsigned long long)now->broken, (unsigned long long)now->silences,
            (unsigned long long)now->ring_errors);
    if (now->state == VIRTIO_BALLOON_LIVE && (!was_up || now->resets != tell.told.resets))
        tell_attached(now, port);
    if (now->state == VIRTIO_BALLOON_DEAD && tell.told.state != VIRTIO_BALLOON_DEAD)
        event_emit("balloon=virtio event=dead quarantined=%llu",
                   (unsigned long long)now->quarantined_frames);
    if (now->returns != tell.told.returns)
        event_emit("balloon=virtio event=return first_ns=%llu all_ns=%llu frames=%llu",
                   (unsigned long long)now->return_first_ns,
                   (unsigned long long)now->return_all_ns,
                   (unsigned long long)now->return_frames);
    if (now->is_polled && !tell.told.is_polled && was_up)
        event_emit("balloon=virtio event=polled missed_irqs=%llu",
                   (unsigned long long)now->missed_irqs);
}

/* Not before `when_ns`; the report that is held back follows then. */
static bool may_tell(uint64_t when_ns)
{
    if (clock_ns() >= when_ns)
        return true;
    timer_set(&tell.tell_again, when_ns);
    return false;
}

/* Progress: at once when the target changes or the work comes to rest, else 20 times a second. */
static bool is_worth_telling(const struct virtio_balloon_status *now)
{
    const struct virtio_balloon_status *told = &tell.told;

    if (now->wish_pages != told->wish_pages || (told->is_moving && !now->is_moving))
        return tell.told_count < EVENTS_MAX || may_tell(tell.window_ns + NS_PER_S);
    if (now->size_pages == told->size_pages &&
        now->core.oom_deflated == told->core.oom_deflated)
        return false;
    return may_tell(tell.told_ns + EVENT_GAP_NS);
}

static void tell_size(const struct virtio_balloon_status *now)
{
    const struct virtio_balloon_status *told = &tell.told;
    bool has_stopped =
        !now->is_moving && (told->is_moving || now->wish_pages != told->wish_pages);

    event_emit("balloon=virtio target=%llu actual=%llu",
               (unsigned long long)now->wish_pages, (unsigned long long)now->size_pages);
    if (now->core.oom_deflated != told->core.oom_deflated)
        event_emit(
            "balloon=virtio event=oom_deflate frames=%llu",
            (unsigned long long)(now->core.oom_deflated - told->core.oom_deflated));
    if (has_stopped && now->state == VIRTIO_BALLOON_LIVE &&
        now->size_pages < now->wish_pages)
        event_emit("balloon=virtio event=shortfall target=%llu actual=%llu limit=%llu",
                   (unsigned long long)now->wish_pages,
                   (unsigned long long)now->size_pages,
                   (unsigned long long)now->target_pages);
    tell.told_ns = clock_ns();
    if (tell.told_ns >= tell.window_ns + NS_PER_S) {
        tell.window_ns = tell.told_ns;
        tell.told_count = 0;
    }
    tell.told_count++;
}

/* Free memory that left: once a second, and never more than is new. */
static void tell_freed(struct virtio_balloon_status *now)
{
    struct virtio_balloon_status *told = &tell.told;

    if (now->freed_reports == told->freed_reports)
        return;
    if (!may_tell(tell.freed_ns + FREED_GAP_NS)) {
        now->freed_reports = told->freed_reports;
        now->freed_frames = told->freed_frames;
        return;
    }
    tell.freed_ns = clock_ns();
    event_emit("balloon=virtio event=reported frames=%llu reports=%llu",
               (unsigned long long)(now->freed_frames - told->freed_frames),
               (unsigned long long)(now->freed_reports - told->freed_reports));
}

void balloon_report_init(struct task *task)
{
    timer_init(&tell.tell_again, task);
}

void balloon_report(const struct virtio_balloon *vb, const struct virtio_port *port)
{
    struct virtio_balloon_status now;

    virtio_balloon_get_status(vb, &now);
    if (now.is_returning)
        return; /* the guest waits for its memory: first that, then words about it */
    tell_state(&now, port);
    tell_freed(&now);
    if (is_worth_telling(&now)) {
        tell_size(&now);
    } else {
        now.size_pages = tell.told.size_pages;
        now.wish_pages = tell.told.wish_pages;
        now.core.oom_deflated = tell.told.core.oom_deflated;
        now.is_moving |= tell.told.is_moving;
    }
    tell.told = now;
}

void balloon_report_moved(const struct virtio_balloon *vb, uint64_t blocks_before,
                          uint64_t blocks_after)
{
    struct virtio_balloon_status now;

    virtio_balloon_get_status(vb, &now);
    if (now.core.moved == tell.moved)
        return;
    event_emit(
        "balloon=virtio event=moved frames=%llu blocks_before=%llu blocks_after=%llu",
        (unsigned long long)(now.core.moved - tell.moved),
        (unsigned long long)blocks_before, (unsigned long long)blocks_after);
    tell.moved = now.core.moved;
}

void balloon_report_attached(const struct virtio_balloon *vb,
                             const struct virtio_port *port)
{
    tell.told = (struct virtio_balloon_status){.state = VIRTIO_BALLOON_OFF};
    tell.moved = 0;
    balloon_report(vb, port);
}

void balloon_report_detached(void)
{
    event_emit("balloon=virtio event=detached");
}

void balloon_report_map(const struct virtio_balloon *vb)
{
    uint64_t ranges = 0, total = 0, frames;
    pfn_t first = pfn_of(0);

    while (virtio_balloon_next_range(vb, first, &first, &frames)) {
        event_emit("balloon=virtio map=0x%llx+%llu", (unsigned long long)first.n,
                   (unsigned long long)frames);
        first = pfn_add(first, frames);
        ranges++;
        total += frames;
    }
    event_emit("balloon=virtio event=map_end ranges=%llu frames=%llu",
               (unsigned long long)ranges, (unsigned long long)total);
}

static unsigned long long ull(uint64_t n)
{
    return n;
}

static void print_core(const struct balloon_counters *core)
{
    event_emit(
        "balloon=virtio event=stats inflated=%llu deflated=%llu inflate_requests=%llu "
        "deflate_requests=%llu take_failures=%llu target_changes=%llu oom_calls=%llu "
        "oom_deflated=%llu returned_early=%llu cancelled=%llu reported=%llu "
        "released=%llu moved=%llu",
        ull(core->inflated), ull(core->deflated), ull(core->inflate_requests),
        ull(core->deflate_requests), ull(core->take_failures), ull(core->target_changes),
        ull(core->oom_calls), ull(core->oom_deflated), ull(core->returned_early),
        ull(core->cancelled), ull(core->reported), ull(core->released), ull(core->moved));
}

/* How it works with this host, and how fast the host is: ns per page by kind of work. */
static void print_speed(const struct virtio_balloon_status *now)
{
    event_emit("balloon=virtio event=stats wide=%u early=%u reporting=%u kicks=%llu "
               "wide_requests=%llu reports=%llu owed=%llu absent=%llu touched_ns=%llu "
               "absent_ns=%llu deflate_ns=%llu report_ns=%llu",
               now->is_wide, now->is_early, now->is_reporting, ull(now->kicks),
               ull(now->wide_requests), ull(now->reports), ull(now->owed_frames),
               ull(now->absent_frames), ull(now->page_ns[0]), ull(now->page_ns[1]),
               ull(now->page_ns[2]), ull(now->page_ns[3]));
}

void balloon_report_stats(const struct virtio_balloon *vb, const struct virtio_port *port)
{
    struct virtio_balloon_status now;

    virtio_balloon_get_status(vb, &now);
    print_core(&now.core);
    print_speed(&now);
    event_emit(
        "balloon=virtio event=stats target=%llu limit=%llu actual=%llu in_flight=%llu "
        "actual_writes=%llu round_trip_ns=%llu stats_answers=%llu stats_tags=%u "
        "set_bytes=%llu quarantined=%llu",
        ull(now.wish_pages), ull(now.target_pages), ull(now.size_pages),
        ull(now.in_flight_pages), ull(now.actual_writes), ull(now.round_trip_ns),
        ull(now.stats_answers), now.stats_tags, ull(now.set_bytes),
        ull(now.quarantined_frames));
    event_emit("balloon=virtio event=stats freed_reports=%llu freed=%llu refaults=%llu "
               "report_delay_ns=%llu",
               ull(now.freed_reports), ull(now.freed_frames), ull(now.refaults),
               ull(now.report_delay_ns));
    event_emit("balloon=virtio event=stats hinted=%llu hint_rounds=%llu hint_bytes=%llu "
               "hint_recalled=%llu",
               ull(now.hinted_frames), ull(now.hint_rounds), ull(now.hint_bytes),
               ull(now.hint_recalled));
    event_emit(
        "balloon=virtio event=stats features=0x%llx offered=0x%llx irq=%s "
        "missed_irqs=%llu broken=%llu silences=%llu resets=%llu restart_failures=%llu "
        "ring_errors=%llu",
        ull(now.features), ull(now.offered), irq_name(&now, port), ull(now.missed_irqs),
        ull(now.broken), ull(now.silences), ull(now.resets), ull(now.restart_failures),
        ull(now.ring_errors));
}
