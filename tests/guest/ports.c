// SPDX-License-Identifier: BSD-2-Clause
/* virtio_port on a real device: transport found, a request done, and its interrupt arrives by the way that
 * was picked. A virtio-rng serves, as QEMU's has MSI-X where its balloon has none. tests/guest/run says
 * what must be picked on which machine. */
#include "kernel/clock.h"
#include "kernel/drivers.h"
#include "kernel/hal.h"
#include "kernel/virtio_port.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/lapic.h"
#include "tests/guest/suite.h"

#include "base/err.h"

#define RNG_ID      4 /* virtio 1.3, 5 */
#define RNG_BYTES   64
#define PATIENCE_NS NS_PER_S
#define SHORT_NS    (3 * NS_PER_MS)

static struct virtio_place place;
static struct virtio_port port;
static struct virtio_device dev;
static struct hal_client client;
static struct dma_mem buffer;
static struct vq *queue;
static volatile unsigned interrupts; /* for the queue */

static void found(const struct virtio_place *it)
{
    if (it->device_id == RNG_ID)
        place = *it;
}

static bool on_interrupt(void *ctx, uint8_t causes)
{
    (void)ctx;
    if (causes == 0)
        causes = virtio_irq_ack(&dev);
    if (causes & VIRTIO_ISR_QUEUE)
        interrupts++;
    return causes != 0;
}

static void never_run(void *ctx)
{
    (void)ctx;
}

static enum suite_result start(void)
{
    const struct virtio_wanted wanted = {0};
    const struct virtio_queue_opts opts = {.max_size = 8};

    CHECK(virtio_port_open(&port) == 0, "%s does not open", port.name);
    virtio_port_irq_open(&port, on_interrupt, NULL);
    virtio_init(&dev, &port.transport, &client.hal, "rng");
    virtio_use_vectors(&dev, port.vectors);
    CHECK(virtio_negotiate(&dev, &wanted) == 0, "no negotiation");
    CHECK(virtio_queue_create(&dev, 0, &opts, &queue) == 0, "no queue");
    CHECK(virtio_driver_ok(&dev) == 0, "not DRIVER_OK");
    return SUITE_PASS;
}

static void stop(void)
{
    virtio_reset(&dev);
    virtio_fini(&dev);
    virtio_port_close(&port);
}

/* The wish for an interrupt stands before there is anything to answer: QEMU looks at each queue of its own accord
 * behind DRIVER_OK, and may serve this one before the doorbell. */
static bool ask(void)
{
    const struct vq_seg seg = {.addr = buffer.addr, .len = RNG_BYTES};

    vq_enable_events(queue);
    bool is_added = vq_add(queue, &seg, 0, 1, &buffer) == 0;
    vq_kick(queue);
    return is_added;
}

static bool answered(void)
{
    uint64_t end = clock_ns() + PATIENCE_NS;
    uint32_t written = 0;
    void *token;

    while (!vq_has_used(queue) && clock_ns() < end)
        cpu_pause();
    return vq_pop(queue, &token, &written) == 0 && written > 0;
}

static bool comes(unsigned count, uint64_t patience_ns)
{
    uint64_t end = clock_ns() + patience_ns;

    while (interrupts < count && clock_ns() < end)
        cpu_pause();
    return interrupts >= count;
}

/* A host that heeds no mask. */
static void send_all_vectors(void)
{
    for (unsigned i = 0; i < VIRTIO_PORT_VECTORS; i++) {
        if (port.vector[i].port)
            lapic_self_interrupt((uint8_t)port.vector[i].message.data);
    }
}

/* What the device sends before interrupts are started waits until then. */
static enum suite_result interrupts_come_once_started(void)
{
    unsigned expected = 0;

    interrupts = 0;
    if (start() == SUITE_FAIL)
        return SUITE_FAIL;
    CHECK(ask() && answered(), "no answer before interrupts");
    send_all_vectors();
    CHECK(!comes(1, SHORT_NS), "the handler is called too early");
    virtio_port_irq_start(&port);
    for (unsigned i = 0; port.irq != VIRTIO_PORT_POLL && i < 3; i++) {
        expected++;
        CHECK(comes(expected, PATIENCE_NS), "interrupt %u does not come", expected);
        CHECK(ask() && answered(), "no answer %u", i);
    }
    CHECK(port.irq != VIRTIO_PORT_POLL || interrupts == 0, "polled, yet interrupted");
    log_answer("test: transport=%s irq=%s", port.transport.name,
               virtio_port_irq_name(&port));
    stop();
    CHECK(!comes(interrupts + 1, SHORT_NS), "interrupts after the end");
    return SUITE_PASS;
}

/* Torn out: no more of anything, and the driver's way to the end is free. */
static enum suite_result a_lost_port_is_quiet(void)
{
    if (start() == SUITE_FAIL)
        return SUITE_FAIL;
    virtio_port_irq_start(&port);
    virtio_port_lose(&port);
    interrupts = 0;
    ask();
    CHECK(!comes(1, SHORT_NS), "a lost device interrupts");
    CHECK(virtio_poll_status(&dev) == -EPROTO, "the loss is not seen");
    stop();
    return SUITE_PASS;
}

/* Again and again: nothing is used up. */
static enum suite_result reopening_costs_nothing(void)
{
    for (unsigned i = 0; i < 8; i++) {
        if (interrupts_come_once_started() == SUITE_FAIL)
            return SUITE_FAIL;
    }
    return SUITE_PASS;
}

static enum suite_result run(void)
{
    virtio_find(drivers_pci_host(), found);
    if (place.device_id != RNG_ID)
        return SUITE_SKIP;
    virtio_port_init(&port, &place);
    hal_client_init(&client, "test", never_run, NULL);
    CHECK(client.hal.dma_alloc(client.hal.ctx, RNG_BYTES, &buffer) == 0, "no memory");

    if (interrupts_come_once_started() == SUITE_FAIL)
        return SUITE_FAIL;
    if (!place.is_mmio && a_lost_port_is_quiet() == SUITE_FAIL)
        return SUITE_FAIL;
    return reopening_costs_nothing();
}

GUEST_SUITE(ports, run);
