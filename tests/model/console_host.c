// SPDX-License-Identifier: BSD-2-Clause
/* A host that plays a virtio console, virtio 1.3, 5.3, and the driver in front of it. */
#include "tests/model/console_host.h"

#include <string.h>

#define QUEUES 8

enum message_event { READY, ADD, REMOVE, PORT_READY, CONSOLE, RESIZE, OPEN, NAME };

static void complain(struct console_host *h, const char *what)
{
    h->misuse++;
    h->complaint = what;
}

/* ---- queues ---- */

static uint16_t in_queue(unsigned port)
{
    return (uint16_t)(port == 0 ? 0 : 2 + 2 * port);
}

/* The port of a data queue; CONSOLE_PORTS: a control queue. */
static unsigned port_of(uint16_t index)
{
    if (index == 2 || index == 3)
        return CONSOLE_PORTS;
    return index < 2 ? 0 : (index - 2u) / 2;
}

static void take_output(struct console_host *h, unsigned number)
{
    struct console_port *port = &h->ports[number];
    uint16_t index = (uint16_t)(in_queue(number) + 1);
    struct virtio_chain chain;

    while (index < QUEUES && port->is_reading &&
           virtio_model_pop(h->model, index, &chain)) {
        if (chain.n != chain.n_out)
            complain(h, "output with a part to write");
        if (!port->is_open)
            complain(h, "output to a closed end");
        for (unsigned i = 0; i < chain.n_out; i++) {
            if (port->out_len + chain.segs[i].len > CONSOLE_BYTES)
                port->out_len = 0; /* the test has seen it */
            memcpy(port->out + port->out_len, chain.segs[i].ptr, chain.segs[i].len);
            port->out_len += chain.segs[i].len;
        }
        virtio_model_push(h->model, index, chain.head, 0);
    }
}

static void give_input(struct console_host *h, unsigned number)
{
    struct console_port *port = &h->ports[number];
    struct virtio_chain chain;

    while (in_queue(number) < QUEUES && port->in_len > 0 &&
           virtio_model_pop(h->model, in_queue(number), &chain)) {
        uint32_t len =
            chain.segs[0].len < port->in_len ? chain.segs[0].len : (uint32_t)port->in_len;

        if (chain.n_out)
            complain(h, "input with a part to read");
        memcpy(chain.segs[0].ptr, port->in, len);
        memmove(port->in, port->in + len, port->in_len - len);
        port->in_len -= len;
        virtio_model_push(h->model, in_queue(number), chain.head, len);
    }
}

/* ---- control messages ---- */

static void deliver_messages(struct console_host *h)
{
    struct virtio_chain chain;

    while (h->message_count > 0 && virtio_model_pop(h->model, 2, &chain)) {
        size_t len = h->message_len[0];

        if (len > chain.segs[0].len)
            len = chain.segs[0].len;
        memcpy(chain.segs[0].ptr, h->messages[0], len);
        h->message_count--;
        memmove(h->messages, h->messages + 1,
                sizeof(h->messages) - sizeof(h->messages[0]));
        memmove(h->message_len, h->message_len + 1,
                sizeof(h->message_len) - sizeof(h->message_len[0]));
        virtio_model_push(h->model, 2, chain.head, (uint32_t)len);
    }
}

static void send(struct console_host *h, uint32_t port, uint16_t event, uint16_t value,
                 const char *name)
{
    size_t name_len = name ? strlen(name) + h->is_name_ended : 0;

    if (h->message_count == CONSOLE_MESSAGES || 8 + name_len > sizeof(h->messages[0]))
        return;
    char *at = h->messages[h->message_count];
    memcpy(at, &port, 4);
    memcpy(at + 4, &event, 2);
    memcpy(at + 6, &value, 2);
    if (name)
        memcpy(at + 8, name, name_len);
    h->message_len[h->message_count++] = 8 + name_len;
    deliver_messages(h);
}

static void introduce(struct console_host *h, uint32_t number)
{
    struct console_port *port = &h->ports[number];

    port->is_ready = true;
    if (port->is_console)
        send(h, number, CONSOLE, 1, NULL);
    if (port->name)
        send(h, number, NAME, 1, port->name);
    if (port->is_open)
        send(h, number, OPEN, 1, NULL);
}

static void hear(struct console_host *h, uint32_t port, uint16_t event, uint16_t value)
{
    if (event > NAME) {
        complain(h, "an event that is none");
        return;
    }
    h->heard[event]++;
    if (event == READY) {
        for (uint32_t i = 0; i < CONSOLE_PORTS; i++) {
            if (h->ports[i].is_there)
                send(h, i, ADD, 1, NULL);
        }
    } else if (event == PORT_READY && !value) {
        h->refused++;
    } else if (port >= CONSOLE_PORTS || !h->ports[port].is_there) {
        complain(h, "a message about a port that is not there");
    } else if (event == PORT_READY) {
        introduce(h, port);
    } else if (event == OPEN) {
        h->ports[port].is_driver_open = value;
    }
}

static void take_messages(struct console_host *h)
{
    struct virtio_chain chain;

    while (virtio_model_pop(h->model, 3, &chain)) {
        uint32_t port;
        uint16_t event, value;

        if (chain.n != 1 || chain.segs[0].len != 8) {
            complain(h, "a message that is not 8 bytes long");
            continue;
        }
        memcpy(&port, chain.segs[0].ptr, 4);
        memcpy(&event, (char *)chain.segs[0].ptr + 4, 2);
        memcpy(&value, (char *)chain.segs[0].ptr + 6, 2);
        virtio_model_push(h->model, 3, chain.head, 0);
        hear(h, port, event, value);
    }
}

static void process(void *ctx, struct virtio_model *m, uint16_t index)
{
    struct console_host *h = ctx;
    unsigned port = port_of(index);

    (void)m;
    if (index == 2)
        deliver_messages(h);
    else if (index == 3)
        take_messages(h);
    else if (index == in_queue(port))
        give_input(h, port);
    else
        take_output(h, port);
}

/* ---- the rig ---- */

void console_rig_init_on(struct console_rig *r, enum rig_kind kind, uint64_t features)
{
    memset(r, 0, sizeof(*r));
    rig_init_on(&r->v, kind, features);
    struct virtio_model *m = &r->v.model;
    m->num_queues = QUEUES;
    for (unsigned i = 0; i < QUEUES; i++)
        m->queues[i].max = 128;
    memcpy(m->config + 4, &(uint32_t){31}, 4);
    m->process = process;
    m->process_ctx = &r->host;
    r->host.model = m;
    r->host.ports[0] = (struct console_port){
        .is_there = true, .is_console = true, .is_open = true, .is_reading = true};
    r->host.ports[1] = (struct console_port){.is_there = true,
                                             .name = VIRTIO_CONSOLE_EVENTS_NAME,
                                             .is_open = true,
                                             .is_reading = true};
    r->opts.poll_interval_ns = 100 * NS_PER_MS;
    r->irq_works = r->is_read = true;
}

void console_rig_init(struct console_rig *r, uint64_t features)
{
    console_rig_init_on(r, RIG_PCI_MODERN, features);
}

int console_rig_attach(struct console_rig *r)
{
    int err = r->v.ops ? 0 : rig_open(&r->v);

    if (err)
        return err;
    if (r->opts.vectors.is_msix)
        rig_enable_msix(&r->v);
    r->v.dev.transport = NULL; /* the console brings its own struct virtio_device */
    return virtio_console_attach(r->v.ops, &r->v.hal.hal, &r->opts, &r->vc);
}

/* What the machine's interrupt gates would do. */
static bool deliver_interrupt(struct console_rig *r)
{
    if (!r->irq_works)
        return false;
    if (!r->opts.vectors.is_msix)
        return r->v.model.isr && virtio_console_isr(r->vc);
    uint8_t causes = rig_take_messages(&r->v, &r->opts.vectors);
    virtio_console_irq(r->vc, causes);
    return causes != 0;
}

/* One call, as the kernel makes it: more comes with the next step. */
static void read_channel(struct console_rig *r, enum virtio_console_channel channel)
{
    char bytes[700];
    size_t len = virtio_console_read(r->vc, channel, bytes, sizeof(bytes));

    if (len == 0)
        return;
    if (r->in_len[channel] + len > CONSOLE_BYTES)
        r->in_len[channel] = 0;
    memcpy(r->in[channel] + r->in_len[channel], bytes, len);
    r->in_len[channel] += len;
    r->v.hal.wakes++;
}

static bool run_one(struct console_rig *r, uint64_t until_ns)
{
    struct hal_model *hal = &r->v.hal;
    bool is_due = deliver_interrupt(r);

    is_due |= hal->wakes > 0;
    if (!is_due && hal->wake_at_ns <= until_ns) {
        hal->now_ns = hal->now_ns > hal->wake_at_ns ? hal->now_ns : hal->wake_at_ns;
        hal->wake_at_ns = UINT64_MAX;
        is_due = true;
    }
    if (!is_due)
        return false;
    hal->wakes = 0;
    hal->now_ns += 20 * NS_PER_US;
    r->steps++;
    virtio_console_step(r->vc);
    for (unsigned i = 0; r->is_read && i < VIRTIO_CONSOLE_CHANNELS; i++)
        read_channel(r, i);
    return true;
}

void console_rig_run(struct console_rig *r, uint64_t for_ns)
{
    uint64_t until = r->v.hal.now_ns + for_ns;

    while (r->v.hal.now_ns < until && run_one(r, until))
        continue;
    if (r->v.hal.now_ns < until)
        r->v.hal.now_ns = until;
}

void console_rig_type(struct console_rig *r, unsigned port, const char *bytes, size_t len)
{
    struct console_port *p = &r->host.ports[port];

    if (len > CONSOLE_BYTES - p->in_len)
        len = CONSOLE_BYTES - p->in_len;
    memcpy(p->in + p->in_len, bytes, len);
    p->in_len += len;
    give_input(&r->host, port);
}

void console_rig_reads(struct console_rig *r, unsigned port, bool is_reading)
{
    r->host.ports[port].is_reading = is_reading;
    take_output(&r->host, port);
}

void console_rig_open(struct console_rig *r, unsigned port, bool is_open)
{
    r->host.ports[port].is_open = is_open;
    send(&r->host, port, OPEN, is_open, NULL);
}

void console_rig_send(struct console_rig *r, uint32_t port, uint16_t event,
                      uint16_t value, const char *name)
{
    send(&r->host, port, event, value, name);
}

bool console_rig_write(struct console_rig *r, enum virtio_console_channel channel,
                       const char *text)
{
    return virtio_console_write(r->vc, channel, text, strlen(text));
}

struct virtio_console_status console_rig_status(const struct console_rig *r)
{
    struct virtio_console_status status;

    virtio_console_get_status(r->vc, &status);
    return status;
}

unsigned console_rig_end(struct console_rig *r)
{
    if (r->vc) {
        virtio_console_detach(r->vc);
        console_rig_run(r, 2 * VIRTIO_RESET_TIMEOUT);
        virtio_console_destroy(r->vc);
    }
    return rig_end(&r->v);
}
