// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio balloon's life as a device of this kernel: attach, interrupt or polling, the task, and its
 * ends. What it does is told by balloon_report.c; the driver itself knows none of this.
 */
#include "kernel/balloon.h"
#include "kernel/app_memory.h"
#include "kernel/balloon_report.h"
#include "kernel/config.h"
#include "kernel/evacuation.h"
#include "kernel/hal.h"
#include "kernel/log.h"
#include "kernel/x86/confidential.h"

#include "base/err.h"

/* Owned by the balloon's task; `vb` is read by the ISR, and set before interrupts start. */
static struct {
    struct virtio_port *port; /* NULL: there is no device */
    struct hal_client client;
    struct virtio_balloon *vb; /* NULL: not attached */
    bool is_detaching;         /* close it even if it dies on the way */
    bool is_leaving;           /* and forget the port then */
    bool is_asleep;            /* resume() starts it again */
    uint64_t lost_frames;      /* with dead devices for ever, R-H-10 */
} device;

static bool on_interrupt(void *ctx, uint8_t causes)
{
    (void)ctx;
    if (causes)
        virtio_balloon_irq(device.vb, causes);
    else if (!virtio_balloon_isr(device.vb))
        return false;
    task_wake(&device.client.task);
    return true;
}

/* The port is closed, and nothing of the driver is left. */
static void finish(void)
{
    const struct virtio_port *port = device.port;

    if (device.is_leaving) {
        device.port = NULL;
        device.is_leaving = device.is_asleep = false;
    }
    drivers_stopped(port);
}

static void close_device(void)
{
    struct virtio_balloon_status now;

    virtio_balloon_get_status(device.vb, &now);
    device.lost_frames += now.quarantined_frames;
    virtio_port_close(device.port);
    virtio_balloon_destroy(device.vb);
    device.vb = NULL;
    device.is_detaching = false;
    balloon_report_detached();
    finish();
}

/* It sleeps: all that is left of it is what the driver knows. */
static void close_port(void)
{
    virtio_port_close(device.port);
    balloon_report_detached();
    finish();
}

/* Where freed memory is to be zero and the host has not agreed to that, what comes back must be filled. */
static void heed_poison(const struct virtio_balloon_status *now)
{
    device.client.gives_anything = config_is("balloon.poison", "zero") &&
                                   !(now->features & BIT64(VIRTIO_BALLOON_F_PAGE_POISON));
}

static void run(void *ctx)
{
    struct virtio_balloon_status now;

    (void)ctx;
    if (!device.vb)
        return;
    virtio_balloon_step(device.vb);
    balloon_report(device.vb, device.port);
    virtio_balloon_get_status(device.vb, &now);
    heed_poison(&now); /* a new start may have other features */
    evacuation_poke();
    if (now.state == VIRTIO_BALLOON_OFF ||
        (now.state == VIRTIO_BALLOON_DEAD && (device.is_detaching || device.is_asleep)))
        close_device();
    else if (now.state == VIRTIO_BALLOON_ASLEEP && device.port->way)
        close_port();
}

static int attach_driver(struct virtio_port *port)
{
    struct virtio_balloon_opts opts = {
        .accept_oom = config_bool("balloon.oom"),
        .classic_stats = config_is("balloon.stats", "classic"),
        .hint = config_bool("balloon.hint"),
        .frees_zeroed = config_is("balloon.poison", "zero"),
        .is_confidential = cpu_is_confidential(),
        .poll_interval_ns = config_u64("poll_interval"),
        .early_return = config_bool("balloon.early_return"),
        .wide = config_is("balloon.wide", "on")    ? VIRTIO_BALLOON_WIDE_ON
                : config_is("balloon.wide", "off") ? VIRTIO_BALLOON_WIDE_OFF
                                                   : VIRTIO_BALLOON_WIDE_AUTO,
        .inflight = (unsigned)config_u64("balloon.inflight"),
        .report_delay_ns = config_u64("report.delay"),
        .report_batch = (unsigned)config_u64("report.batch"),
        .report_order = (unsigned)config_u64("report.order"),
        .reset_limit = (unsigned)config_u64("virtio.reset_limit"),
        .vectors = port->vectors,
    };

    if (opts.report_delay_ns == CONFIG_AUTO)
        opts.report_delay_ns = 0;
    return virtio_balloon_attach(&port->transport, &device.client.hal, &opts, &device.vb);
}

static int wake_driver(struct virtio_port *port)
{
    virtio_balloon_resume(device.vb, port->vectors);
    return 0;
}

static int start(virtio_port_attach_fn *attach_or_wake)
{
    int err = virtio_port_start(device.port, on_interrupt, attach_or_wake);

    if (!err && device.port->irq == VIRTIO_PORT_POLL)
        virtio_balloon_use_polling(device.vb);
    return err;
}

static int attach(void)
{
    struct virtio_balloon_status now;
    int err = start(attach_driver);

    if (err)
        return err;
    virtio_balloon_get_status(device.vb, &now);
    heed_poison(&now);
    balloon_report_attached(device.vb, device.port);
    return 0;
}

static int take(struct virtio_port *port)
{
    if (!device.client.task.run) {
        hal_client_init(&device.client, "balloon", run, NULL);
        balloon_report_init(&device.client.task);
    }
    device.port = port;
    return attach();
}

static void release(void)
{
    device.is_leaving = true;
    if (balloon_device_detach())
        finish();
}

static void fall_asleep(void)
{
    if (!device.vb)
        finish();
    if (!device.vb || device.is_detaching)
        return; /* what is being detached ends like that */
    device.is_asleep = true;
    virtio_balloon_quiesce(device.vb); /* and the task runs */
}

static int resume(void)
{
    if (!device.is_asleep)
        return 0;
    device.is_asleep = false;
    if (!device.vb)
        return attach(); /* it died on the way */
    int err = start(wake_driver);
    if (err)
        virtio_balloon_detach(device.vb);
    return err;
}

static void lose(void)
{
    device.is_leaving = true;
    if (!device.vb) {
        finish();
        return;
    }
    virtio_balloon_remove(device.vb);
    run(NULL);
}

static bool is_enabled(void)
{
    return config_bool("balloon.enable");
}

const struct driver balloon_driver = {
    .name = "virtio-balloon",
    .device_id = VIRTIO_BALLOON_DEVICE_ID,
    .enabled_by = "balloon.enable",
    .is_enabled = is_enabled,
    .attach = take,
    .release = release,
    .suspend = fall_asleep,
    .resume = resume,
    .lost = lose,
};

int balloon_device_reattach(void)
{
    if (!device.port)
        return -ENODEV;
    return device.vb ? -EBUSY : attach();
}

int balloon_device_detach(void)
{
    if (!device.vb)
        return -ENODEV;
    device.is_detaching = true;
    device.is_asleep = false;
    virtio_balloon_detach(device.vb); /* and the task runs, dead or not */
    return 0;
}

int balloon_device_map(void)
{
    if (!device.vb)
        return -ENODEV;
    balloon_report_map(device.vb);
    return 0;
}

int balloon_device_stats(void)
{
    if (!device.vb || !device.port->way) /* asleep: it counts nothing now */
        return -ENODEV;
    balloon_report_stats(device.vb, device.port);
    return 0;
}

const struct virtio_port *balloon_device_status(struct virtio_balloon_status *out)
{
    if (!device.vb || !device.port->way)
        return NULL;
    virtio_balloon_get_status(device.vb, out);
    return device.port;
}

uint64_t balloon_device_oom(uint64_t frames)
{
    uint64_t got = 0;

    if (device.vb) {
        got = virtio_balloon_oom(device.vb, frames);
        balloon_report(device.vb, device.port);
    }
    return got;
}

void balloon_device_memory_freed(void)
{
    if (device.vb)
        virtio_balloon_memory_freed(device.vb);
}

static struct virtio_balloon_status status(void)
{
    struct virtio_balloon_status now = {.state = VIRTIO_BALLOON_OFF};

    if (device.vb)
        virtio_balloon_get_status(device.vb, &now);
    return now;
}

bool balloon_device_is_live(void)
{
    return status().state == VIRTIO_BALLOON_LIVE;
}

bool balloon_device_is_working(void)
{
    struct virtio_balloon_status now = status();

    return now.state == VIRTIO_BALLOON_LIVE && (now.is_moving || now.is_emptying);
}

int balloon_device_empty(pfn_t block)
{
    return virtio_balloon_empty(device.vb, block);
}

void balloon_device_report_moved(uint64_t blocks_before, uint64_t blocks_after)
{
    balloon_report_moved(device.vb, blocks_before, blocks_after);
}

uint64_t balloon_device_frames(void)
{
    struct virtio_balloon_status now;

    if (!device.vb)
        return device.lost_frames;
    virtio_balloon_get_status(device.vb, &now);
    return device.lost_frames + now.held_frames + now.in_flight_frames;
}

uint64_t balloon_device_hinted(void)
{
    struct virtio_balloon_status now;

    if (!device.vb)
        return 0;
    virtio_balloon_get_status(device.vb, &now);
    return now.hinted_frames;
}

uint64_t balloon_device_lent(void)
{
    return device.vb ? virtio_balloon_hinted_frames(device.vb) : 0;
}

uint64_t balloon_device_recall(uint64_t frames)
{
    return device.vb ? virtio_balloon_recall_hinted(device.vb, frames) : 0;
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
    return device.vb && virtio_balloon_has_any(device.vb, first, frames);
}

uint64_t balloon_device_bytes(void)
{
    struct virtio_balloon_status now;

    if (!device.vb)
        return 0;
    virtio_balloon_get_status(device.vb, &now);
    return now.set_bytes;
}
