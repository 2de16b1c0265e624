// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio console's life as a device of this kernel, and what goes in and out of its channels. The
 * driver itself knows of bytes only; that a line is an event is known here.
 */
#include "kernel/virtio_console.h"
#include "kernel/clock.h"
#include "kernel/config.h"
#include "kernel/console.h"
#include "kernel/event.h"
#include "kernel/hal.h"
#include "kernel/log.h"
#include "kernel/string.h"

#include "base/err.h"
#include "drivers/virtio/console.h"

#define EVENT_LINE_MAX 512 /* event.c's lines are not longer */
#define READ_MAX       512 /* bytes of input for one run of the task, of each channel */
#define ROOM_NS        (10 * NS_PER_MS)
#define LAST_WORDS_NS  (200 * NS_PER_MS) /* of a kernel that ends, all together */
#define GOODBYE_NS     (20 * NS_PER_MS)  /* before an orderly end */
#define DROPPED_GAP_NS NS_PER_S

typedef unsigned long long ull;

static const char *const channel_names[VIRTIO_CONSOLE_CHANNELS] = {"text", "events"};

/* Owned by the console's task; `vc` is read by the ISR, set before interrupts start. */
static struct {
    struct virtio_port *port; /* NULL: there is no device */
    struct hal_client client;
    struct virtio_console *vc;    /* NULL: not attached */
    bool is_leaving;              /* forget the port once it is closed */
    bool is_asleep;               /* resume() attaches it again */
    bool has_output;              /* the console writes to it */
    size_t written;               /* console output up to here was before it went away */
    uint64_t last_words_until_ns; /* 0: none yet */

    char event[EVENT_LINE_MAX]; /* the beginning of the line that is being written */
    size_t event_len;
    struct console_typist typists[VIRTIO_CONSOLE_CHANNELS];

    uint64_t stuck_at[VIRTIO_CONSOLE_CHANNELS]; /* bytes out when waiting was in vain */
    uint64_t told_dropped[VIRTIO_CONSOLE_CHANNELS];
    uint64_t told_ns;
} device;

/* ---- out ---- */

static struct virtio_console_channel_status look(enum virtio_console_channel channel)
{
    struct virtio_console_status now;

    virtio_console_get_status(device.vc, &now);
    return now.channels[channel];
}

static bool fits(const struct virtio_console_channel_status *ch, size_t len)
{
    return ch->waiting_bytes + len <= VIRTIO_CONSOLE_RING;
}

/* The UART's rule: wait a moment for room, once; while nothing has moved since then, do not. */
static void send(enum virtio_console_channel channel, const char *bytes, size_t len)
{
    struct virtio_console_channel_status ch = look(channel);

    if (!fits(&ch, len) && ch.is_open && ch.out_bytes != device.stuck_at[channel]) {
        virtio_console_flush(device.vc, ROOM_NS);
        ch = look(channel);
        device.stuck_at[channel] = fits(&ch, len) ? UINT64_MAX : ch.out_bytes;
    }
    virtio_console_write(device.vc, channel, bytes, len);
}

/* One write for a whole line, so that it is sent or dropped as a whole. */
static void write_text(const char *text, size_t len)
{
    char out[EVENT_LINE_MAX + 128];
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        if (at + 2 > sizeof(out)) {
            send(VIRTIO_CONSOLE_TEXT, out, at);
            at = 0;
        }
        if (text[i] == '\n')
            out[at++] = '\r';
        out[at++] = text[i];
    }
    send(VIRTIO_CONSOLE_TEXT, out, at);
}

static void end_event(void)
{
    if (device.event_len > 0 && device.event[0] == '@') {
        device.event[device.event_len++] = '\n';
        send(VIRTIO_CONSOLE_EVENTS, device.event, device.event_len);
    }
    device.event_len = 0;
}

/* Of other lines nothing but the beginning is kept, to know them. */
static void write_events(const char *text, size_t len)
{
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t part = end ? (size_t)(end - text) : len;
        size_t room = EVENT_LINE_MAX - 1 - device.event_len;
        size_t kept = part < room ? part : room;

        memcpy(device.event + device.event_len, text, kept);
        device.event_len += kept;
        if (end)
            end_event();
        part += end != NULL;
        text += part;
        len -= part;
    }
}

static void write(const char *text, size_t len)
{
    write_text(text, len);
    write_events(text, len);
}

static void flush(void)
{
    uint64_t now_ns = clock_ns();

    if (device.last_words_until_ns == 0)
        device.last_words_until_ns = now_ns + LAST_WORDS_NS;
    if (now_ns < device.last_words_until_ns)
        virtio_console_flush(device.vc, device.last_words_until_ns - now_ns);
}

static bool is_behind(void)
{
    return look(VIRTIO_CONSOLE_TEXT).waiting_bytes > VIRTIO_CONSOLE_RING / 2;
}

static const struct console_output output = {write, flush, is_behind};

/* Once there is room again: before, the line would be one more that is dropped. */
static void tell_dropped(const struct virtio_console_status *now)
{
    uint64_t now_ns = clock_ns();

    for (unsigned i = 0; i < VIRTIO_CONSOLE_CHANNELS; i++) {
        const struct virtio_console_channel_status *ch = &now->channels[i];

        if (ch->dropped_bytes == device.told_dropped[i] ||
            ch->waiting_bytes > VIRTIO_CONSOLE_RING / 2 ||
            now_ns < device.told_ns + DROPPED_GAP_NS)
            continue;
        event_emit(
            "console=virtio event=console_dropped channel=%s bytes=%llu writes=%llu",
            channel_names[i], (ull)ch->dropped_bytes, (ull)ch->dropped_writes);
        device.told_dropped[i] = ch->dropped_bytes;
        device.told_ns = now_ns;
    }
}

/* ---- in ---- */

/* A command may end the device, but only this task closes it. */
static void read_channel(enum virtio_console_channel channel)
{
    char bytes[READ_MAX];
    size_t len = virtio_console_read(device.vc, channel, bytes, sizeof(bytes));

    for (size_t i = 0; i < len; i++)
        console_type(&device.typists[channel], bytes[i]);
    if (len > 0)
        task_wake(&device.client.task);
}

/* ---- life ---- */

static bool on_interrupt(void *ctx, uint8_t causes)
{
    (void)ctx;
    if (causes)
        virtio_console_irq(device.vc, causes);
    else if (!virtio_console_isr(device.vc))
        return false;
    task_wake(&device.client.task);
    return true;
}

static void finish(void)
{
    const struct virtio_port *port = device.port;

    if (device.is_leaving) {
        device.port = NULL;
        device.is_leaving = device.is_asleep = false;
    }
    drivers_stopped(port);
}

/* What is said from here on is for the next life. */
static void stop_output(void)
{
    if (device.has_output)
        device.written = console_written();
    device.has_output = false;
    console_remove_output(&output);
}

static void close_device(const struct virtio_console_status *now)
{
    stop_output();
    virtio_port_close(device.port);
    virtio_console_destroy(device.vc);
    device.vc = NULL;
    if (now->ended_because)
        event_emit("console=virtio event=broken reason=\"%s\" ring_errors=%llu",
                   now->ended_because, (ull)now->ring_errors);
    event_emit("console=virtio event=%s",
               now->state == VIRTIO_CONSOLE_DEAD ? "dead" : "detached");
    finish();
}

static void run(void *ctx)
{
    struct virtio_console_status now;

    (void)ctx;
    if (!device.vc)
        return;
    virtio_console_step(device.vc);
    for (unsigned i = 0; i < VIRTIO_CONSOLE_CHANNELS; i++)
        read_channel(i);
    virtio_console_get_status(device.vc, &now);
    if (now.state == VIRTIO_CONSOLE_OFF || now.state == VIRTIO_CONSOLE_DEAD)
        close_device(&now);
    else
        tell_dropped(&now);
}

static int attach_driver(struct virtio_port *port)
{
    const struct virtio_console_opts opts = {
        .vectors = port->vectors, .poll_interval_ns = config_u64("poll_interval")};

    return virtio_console_attach(&port->transport, &device.client.hal, &opts, &device.vc);
}

static void tell_attached(void)
{
    struct virtio_console_status now;

    virtio_console_get_status(device.vc, &now);
    event_emit("console=virtio event=attached features=0x%llx offered=0x%llx at=\"%s\" "
               "transport=%s irq=%s",
               (ull)now.features, (ull)now.offered, device.port->name,
               device.port->transport.name, virtio_port_irq_name(device.port));
}

static int attach(void)
{
    int err = virtio_port_start(device.port, on_interrupt, attach_driver);

    if (err)
        return err;
    if (device.port->irq == VIRTIO_PORT_POLL)
        virtio_console_use_polling(device.vc);
    memset(device.typists, 0, sizeof(device.typists));
    memset(device.stuck_at, 0xFF, sizeof(device.stuck_at));
    memset(device.told_dropped, 0, sizeof(device.told_dropped));
    device.event_len = 0;
    console_add_output(&output, device.written);
    device.has_output = true;
    tell_attached();
    return 0;
}

static int take(struct virtio_port *port)
{
    if (!device.client.task.run)
        hal_client_init(&device.client, "virtio-console", run, NULL);
    device.port = port;
    return attach();
}

/* The task closes it once the device is reset. */
static void end(void)
{
    if (!device.vc) {
        finish();
        return;
    }
    virtio_console_flush(device.vc, GOODBYE_NS);
    stop_output();
    virtio_console_detach(device.vc);
}

static void release(void)
{
    device.is_leaving = true;
    end();
}

static void fall_asleep(void)
{
    device.is_asleep = device.vc != NULL;
    end();
}

static int resume(void)
{
    bool was_awake = !device.is_asleep;

    device.is_asleep = false;
    return was_awake ? 0 : attach();
}

/* The transport that is there now says that it is reset. */
static void lose(void)
{
    device.is_leaving = true;
    if (!device.vc) {
        finish();
        return;
    }
    virtio_console_detach(device.vc);
    run(NULL);
}

static bool is_enabled(void)
{
    return config_has_word("console", "auto") || config_has_word("console", "virtio");
}

const struct driver virtio_console_driver = {
    .name = "virtio-console",
    .device_id = VIRTIO_CONSOLE_DEVICE_ID,
    .enabled_by = "console",
    .is_enabled = is_enabled,
    .attach = take,
    .release = release,
    .suspend = fall_asleep,
    .resume = resume,
    .lost = lose,
};

static const char *irq_name(const struct virtio_console_status *now)
{
    return now->is_polled ? "poll" : virtio_port_irq_name(device.port);
}

void virtio_console_device_stats(void)
{
    struct virtio_console_status now;

    if (!device.vc)
        return;
    virtio_console_get_status(device.vc, &now);
    event_emit(
        "console=virtio event=stats irq=%s irqs=%llu missed_irqs=%llu messages=%llu "
        "bad_messages=%llu ring_errors=%llu",
        irq_name(&now), (ull)now.irqs, (ull)now.missed_irqs, (ull)now.messages,
        (ull)now.bad_messages, (ull)now.ring_errors);
    for (unsigned i = 0; i < VIRTIO_CONSOLE_CHANNELS; i++) {
        const struct virtio_console_channel_status *ch = &now.channels[i];

        if (ch->port == VIRTIO_CONSOLE_NO_PORT)
            continue;
        event_emit("console=virtio event=channel channel=%s port=%u open=%u out=%llu "
                   "requests=%llu in=%llu dropped=%llu waiting=%u",
                   channel_names[i], ch->port, ch->is_open, (ull)ch->out_bytes,
                   (ull)ch->out_requests, (ull)ch->in_bytes, (ull)ch->dropped_bytes,
                   ch->waiting_bytes);
    }
}
