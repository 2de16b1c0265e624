// SPDX-License-Identifier: BSD-2-Clause
/*
 * One virtio balloon on PCI: open, attach, interrupt or polling, the task, and the events that tell
 * what it does. The driver itself knows none of this.
 */
#include "kernel/balloon.h"

#include "kernel/clock.h"
#include "kernel/config.h"
#include "kernel/event.h"
#include "kernel/format.h"
#include "kernel/hal.h"
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/timer.h"

#include "base/err.h"
#include "drivers/virtio/balloon.h"
#include "drivers/virtio/transport/pci_modern.h"

#define EVENT_GAP_NS (50 * NS_PER_MS) /* between progress events: 20 a second */
/* a second, with those of new targets and of rest: a host may flap */
#define EVENTS_MAX 40

/* Owned by the balloon's task; `vb` is read by the ISR, and set before its line is opened. */
static struct {
    bool is_known; /* there is a device */
    struct pci_dev pci;
    struct pci_modern modern;
    struct hal_client client;
    struct virtio_balloon *vb;         /* NULL: not attached */
    bool is_detaching;                 /* close it even if it dies on the way */
    int irq_line;                      /* -1: polled */
    struct virtio_balloon_status told; /* what the last events said */
    uint64_t told_ns;
    struct timer tell_again; /* for what was held back */
    uint64_t window_ns;      /* the second that told_count counts in */
    unsigned told_count;
} device = {.irq_line = -1};

bool balloon_device_match(const struct pci_dev *dev)
{
    return dev->vendor == PCI_VENDOR_VIRTIO && (dev->device == VIRTIO_BALLOON_PCI_OLD ||
                                                dev->device == VIRTIO_BALLOON_PCI_NEW);
}

static bool on_interrupt(void *ctx)
{
    (void)ctx;
    if (!virtio_balloon_isr(device.vb))
        return false;
    task_wake(&device.client.task);
    return true;
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

static void tell_attached(const struct virtio_balloon_status *now)
{
    char queues[80];

    describe_queues(now, queues, sizeof(queues));
    event_emit(
        "balloon=virtio event=attached features=0x%llx queues=%s transport=%s irq=%s",
        (unsigned long long)now->features, queues, device.modern.transport.name,
        now->is_polled ? "poll" : "intx");
}

static void tell_state(const struct virtio_balloon_status *now)
{
    bool was_up = device.told.state == VIRTIO_BALLOON_LIVE;

    if (now->broken != device.told.broken)
        event_emit(
            "balloon=virtio event=broken count=%llu silences=%llu ring_errors=%llu",
            (unsigned long long)now->broken, (unsigned long long)now->silences,
            (unsigned long long)now->ring_errors);
    if (now->state == VIRTIO_BALLOON_LIVE && !was_up)
        tell_attached(now);
    if (now->state == VIRTIO_BALLOON_DEAD && device.told.state != VIRTIO_BALLOON_DEAD)
        event_emit("balloon=virtio event=dead quarantined=%llu",
                   (unsigned long long)now->quarantined_frames);
    if (now->is_polled && !device.told.is_polled && was_up)
        event_emit("balloon=virtio event=polled missed_irqs=%llu",
                   (unsigned long long)now->missed_irqs);
}

/* Not before `when_ns`; the report that is held back follows then. */
static bool may_tell(uint64_t when_ns)
{
    if (clock_ns() >= when_ns)
        return true;
    timer_set(&device.tell_again, when_ns);
    return false;
}

/* Progress: at once when the target changes or the work comes to rest, else 20 times a second. */
static bool is_worth_telling(const struct virtio_balloon_status *now)
{
    const struct virtio_balloon_status *told = &device.told;

    if (now->wish_pages != told->wish_pages || (told->is_moving && !now->is_moving))
        return device.told_count < EVENTS_MAX || may_tell(device.window_ns + NS_PER_S);
    if (now->size_pages == told->size_pages &&
        now->core.oom_deflated == told->core.oom_deflated)
        return false;
    return may_tell(device.told_ns + EVENT_GAP_NS);
}

static void tell_size(const struct virtio_balloon_status *now)
{
    const struct virtio_balloon_status *told = &device.told;
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
    device.told_ns = clock_ns();
    if (device.told_ns >= device.window_ns + NS_PER_S) {
        device.window_ns = device.told_ns;
        device.told_count = 0;
    }
    device.told_count++;
}

static void report(void)
{
    struct virtio_balloon_status now;

    virtio_balloon_get_status(device.vb, &now);
    tell_state(&now);
    if (is_worth_telling(&now)) {
        tell_size(&now);
    } else {
        now.size_pages = device.told.size_pages;
        now.wish_pages = device.told.wish_pages;
        now.core.oom_deflated = device.told.core.oom_deflated;
        now.is_moving |= device.told.is_moving;
    }
    device.told = now;
}

static void close_device(void)
{
    if (device.irq_line >= 0)
        irq_detach((uint32_t)device.irq_line, on_interrupt, NULL);
    device.irq_line = -1;
    virtio_balloon_destroy(device.vb);
    device.vb = NULL;
    device.is_detaching = false;
    pci_modern_close(&device.modern);
    event_emit("balloon=virtio event=detached");
}

static void run(void *ctx)
{
    (void)ctx;
    if (!device.vb)
        return;
    virtio_balloon_step(device.vb);
    report();
    if (device.told.state == VIRTIO_BALLOON_OFF ||
        (device.told.state == VIRTIO_BALLOON_DEAD && device.is_detaching))
        close_device();
}

/* An interrupt where the firmware routed one; polling where it did not or where it must be. */
static void open_interrupt(void)
{
    int line = irq_is_polled() ? -ENOTSUP : pci_intx_line(&device.pci);
    int err = line < 0 ? line : irq_attach((uint32_t)line, on_interrupt, NULL);

    if (err) {
        log_info("balloon: no interrupt (%s), polling", err_name(err));
        virtio_balloon_use_polling(device.vb);
        return;
    }
    device.irq_line = line;
}

static int attach(void)
{
    const struct virtio_balloon_opts opts = {
        .accept_oom = config_bool("balloon.oom"),
        .classic_stats = config_is("balloon.stats", "classic"),
        .poll_interval_ns = config_u64("poll_interval"),
    };
    int err = pci_modern_open(&device.modern, &device.pci);

    if (err)
        return err;
    err = virtio_balloon_attach(&device.modern.transport, &device.client.hal, &opts,
                                &device.vb);
    if (err) {
        pci_modern_close(&device.modern);
        return err;
    }
    open_interrupt();
    device.told = (struct virtio_balloon_status){.state = VIRTIO_BALLOON_OFF};
    report();
    return 0;
}

int balloon_device_attach(const struct pci_dev *dev)
{
    if (device.is_known) {
        /* R-V-02: opening it has reset it. */
        struct pci_modern second;

        log_warn("balloon: a second device is left alone");
        if (!pci_modern_open(&second, dev))
            pci_modern_close(&second);
        return -EBUSY;
    }
    device.is_known = true;
    device.pci = *dev;
    hal_client_init(&device.client, "balloon", run, NULL);
    timer_init(&device.tell_again, &device.client.task);
    return attach();
}

int balloon_device_reattach(void)
{
    if (!device.is_known)
        return -ENODEV;
    return device.vb ? -EBUSY : attach();
}

int balloon_device_detach(void)
{
    if (!device.vb)
        return -ENODEV;
    device.is_detaching = true;
    virtio_balloon_detach(device.vb); /* and the task runs, dead or not */
    return 0;
}

int balloon_device_map(void)
{
    uint64_t ranges = 0, total = 0, frames;
    pfn_t first = pfn_of(0);

    if (!device.vb)
        return -ENODEV;
    while (virtio_balloon_next_range(device.vb, first, &first, &frames)) {
        event_emit("balloon=virtio map=0x%llx+%llu", (unsigned long long)first.n,
                   (unsigned long long)frames);
        first = pfn_add(first, frames);
        ranges++;
        total += frames;
    }
    event_emit("balloon=virtio event=map_end ranges=%llu frames=%llu",
               (unsigned long long)ranges, (unsigned long long)total);
    return 0;
}

static void print_core(const struct balloon_counters *core)
{
    event_emit(
        "balloon=virtio event=stats inflated=%llu deflated=%llu inflate_requests=%llu "
        "deflate_requests=%llu take_failures=%llu target_changes=%llu oom_calls=%llu "
        "oom_deflated=%llu",
        (unsigned long long)core->inflated, (unsigned long long)core->deflated,
        (unsigned long long)core->inflate_requests,
        (unsigned long long)core->deflate_requests,
        (unsigned long long)core->take_failures, (unsigned long long)core->target_changes,
        (unsigned long long)core->oom_calls, (unsigned long long)core->oom_deflated);
}

int balloon_device_stats(void)
{
    struct virtio_balloon_status now;

    if (!device.vb)
        return -ENODEV;
    virtio_balloon_get_status(device.vb, &now);
    print_core(&now.core);
    event_emit(
        "balloon=virtio event=stats target=%llu limit=%llu actual=%llu in_flight=%llu "
        "actual_writes=%llu round_trip_ns=%llu stats_answers=%llu hint_rounds=%llu "
        "set_bytes=%llu quarantined=%llu",
        (unsigned long long)now.wish_pages, (unsigned long long)now.target_pages,
        (unsigned long long)now.size_pages, (unsigned long long)now.in_flight_pages,
        (unsigned long long)now.actual_writes, (unsigned long long)now.round_trip_ns,
        (unsigned long long)now.stats_answers, (unsigned long long)now.hint_rounds,
        (unsigned long long)now.set_bytes, (unsigned long long)now.quarantined_frames);
    event_emit(
        "balloon=virtio event=stats features=0x%llx offered=0x%llx irq=%s "
        "missed_irqs=%llu broken=%llu silences=%llu resets=%llu restart_failures=%llu "
        "ring_errors=%llu",
        (unsigned long long)now.features, (unsigned long long)now.offered,
        now.is_polled ? "poll" : "intx", (unsigned long long)now.missed_irqs,
        (unsigned long long)now.broken, (unsigned long long)now.silences,
        (unsigned long long)now.resets, (unsigned long long)now.restart_failures,
        (unsigned long long)now.ring_errors);
    return 0;
}

uint64_t balloon_device_oom(uint64_t frames)
{
    uint64_t got = 0;

    if (device.vb) {
        got = virtio_balloon_oom(device.vb, frames);
        report();
    }
    return got;
}

void balloon_device_memory_freed(void)
{
    if (device.vb)
        virtio_balloon_memory_freed(device.vb);
}

uint64_t balloon_device_frames(void)
{
    struct virtio_balloon_status now;

    if (!device.vb)
        return 0;
    virtio_balloon_get_status(device.vb, &now);
    return now.held_frames + now.in_flight_frames;
}

uint64_t balloon_device_target(void)
{
    struct virtio_balloon_status now;

    if (!device.vb)
        return 0;
    virtio_balloon_get_status(device.vb, &now);
    return now.wish_pages;
}

/* Not what is on its way: a block that holds such frames is then emptied in vain. */
bool balloon_device_has(pfn_t first, uint64_t frames)
{
    pfn_t found;
    uint64_t count;

    return device.vb && virtio_balloon_next_range(device.vb, first, &found, &count) &&
           found.n < first.n + frames;
}

uint64_t balloon_device_bytes(void)
{
    struct virtio_balloon_status now;

    if (!device.vb)
        return 0;
    virtio_balloon_get_status(device.vb, &now);
    return now.set_bytes;
}
