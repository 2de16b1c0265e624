// SPDX-License-Identifier: BSD-2-Clause
/* A device is torn out: its owner swaps the transport, and the balloon driver gives everything back
 * without touching one register, whatever was under way. */
#include "base/err.h"
#include "drivers/virtio/transport/gone.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct balloon_rig r;
static struct pci_modern kept;

static void start(uint64_t extra_features)
{
    balloon_rig_init(&r, BALLOON_FEATURES | extra_features, 8192);
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
}

/* From here on an access through the old windows is a call of NULL. What the device held went with it. */
static void tear_out(void)
{
    kept = r.v.transport;
    r.v.transport.transport = virtio_transport_gone;
    r.v.transport.common = r.v.transport.notify = (struct reg_io){0};
    r.v.transport.isr = r.v.transport.config = (struct reg_io){0};
    r.v.model.resets++;
}

/* The driver finds out by itself, is detached, and steps until it is OFF; whoever knows that the device is gone
 * says so (virtio_balloon_remove()). */
static void lose(void)
{
    virtio_balloon_irq(r.vb, VIRTIO_ISR_CONFIG);
    virtio_balloon_step(r.vb);
    virtio_balloon_detach(r.vb);
    for (unsigned i = 0; i < 20 && balloon_rig_status(&r).state != VIRTIO_BALLOON_OFF;
         i++) {
        r.v.hal.now_ns += 100 * NS_PER_MS;
        virtio_balloon_step(r.vb);
    }
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_OFF);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    r.v.transport = kept;
    balloon_rig_end(&r); /* no frame, ring or window is left */
}

static void a_full_balloon_comes_back(void **state)
{
    (void)state;
    start(0);
    balloon_rig_target(&r, 3000);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 3000);
    tear_out();
    lose();
    assert_int_equal(r.guest.free, r.guest.count);
}

static void a_request_under_way_comes_back(void **state)
{
    (void)state;
    for (unsigned shrink = 0; shrink < 2; shrink++) {
        start(0);
        balloon_rig_target(&r, shrink ? 2000 : 0);
        balloon_rig_settle(&r);
        r.host.is_slow = true;
        balloon_rig_target(&r, 1000);
        balloon_rig_run(&r, 100 * NS_PER_MS);
        assert_true(balloon_rig_status(&r).in_flight_frames > 0);
        memset(r.host.kept_count, 0, sizeof(r.host.kept_count));
        tear_out();
        lose();
        assert_int_equal(r.guest.free, r.guest.count);
    }
}

/* Detaching already, it does not look at its configuration: the regular look at the status does. */
static void a_detach_under_way_ends(void **state)
{
    (void)state;
    start(0);
    balloon_rig_target(&r, 2000);
    balloon_rig_settle(&r);
    r.host.is_slow = true;
    virtio_balloon_detach(r.vb);
    balloon_rig_run(&r, 100 * NS_PER_MS);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_DETACHING);
    memset(r.host.kept_count, 0, sizeof(r.host.kept_count));
    tear_out();
    lose();
}

/* Whatever is asked of what is not there: reset, empty, no queue, no vector; writes go nowhere. */
static void it_answers_as_an_empty_bus(void **state)
{
    const struct virtio_transport *t = &virtio_transport_gone;

    (void)state;
    t->status_set(NULL, VIRTIO_STATUS_DRIVER);
    t->features_set(NULL, UINT64_MAX);
    t->config_write(NULL, 0, 4, 1);
    t->queue_disable(NULL, 0);
    t->notify(NULL, 0);
    assert_int_equal(t->status_get(NULL), 0);
    assert_int_equal(t->features_get(NULL), 0);
    assert_int_equal(t->config_read(NULL, 0, 4), UINT32_MAX);
    assert_int_equal(t->config_read(NULL, 0, 1), 0xFF);
    assert_int_equal(t->config_generation(NULL), 0);
    assert_int_equal(t->queue_max(NULL, 0), 0);
    assert_int_equal(t->queue_setup(NULL, 0, &(struct virtio_queue_areas){0}), -EPROTO);
    assert_int_equal(t->config_vector(NULL, 1), VIRTIO_NO_VECTOR);
    assert_int_equal(t->queue_vector(NULL, 0, 1), VIRTIO_NO_VECTOR);
}

static void an_attach_to_nothing_is_refused(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 4096);
    assert_int_equal(
        virtio_balloon_attach(&virtio_transport_gone, &r.v.hal.hal, &r.opts, &r.vb),
        -ENOTSUP);
    r.vb = NULL;
    balloon_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_balloon_comes_back),
        cmocka_unit_test(a_request_under_way_comes_back),
        cmocka_unit_test(a_detach_under_way_ends),
        cmocka_unit_test(it_answers_as_an_empty_bus),
        cmocka_unit_test(an_attach_to_nothing_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
