// SPDX-License-Identifier: BSD-2-Clause
/* drivers/virtio/device.c on a model that obeys: status, features, queues, configuration, lives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/host/virtio_life.h"

/* ---- a device that obeys ---- */

static void status_goes_in_order(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, RIG_FEATURES);
    go_live(&r);
    assert_int_equal(r.model.status, 15);
    assert_int_equal(r.dev.state, VIRTIO_LIVE);
    assert_true(r.model.queues[2].enabled);
    assert_int_equal(virtio_poll_status(&r.dev), 0);
    finish(&r);
}

static void only_known_bits_are_accepted(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, RIG_FEATURES | BIT64(6) | BIT64(63));
    assert_int_equal(rig_negotiate(&r, WANTED | BIT64(5), 0, &plain),
                     0); /* 5 is not offered */
    assert_true(r.model.accepted == (WANTED | BIT64(VIRTIO_F_VERSION_1)));
    assert_true(r.dev.features == r.model.accepted);
    assert_true(virtio_has_feature(&r.dev, VIRTIO_F_EVENT_IDX));
    assert_false(virtio_has_feature(&r.dev, 40));
    finish(&r);
}

/* Before there are features and after a reset nothing is asked of the status. */
static void the_status_is_watched_from_features_to_reset(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, RIG_FEATURES);
    r.model.status = VIRTIO_STATUS_NEEDS_RESET;
    assert_int_equal(virtio_poll_status(&r.dev), 0);
    assert_int_equal(rig_negotiate(&r, 0, 0, &plain), 0);
    assert_int_equal(virtio_poll_status(&r.dev), 0);
    r.model.status |= VIRTIO_STATUS_NEEDS_RESET;
    assert_int_equal(virtio_poll_status(&r.dev), -EPROTO);
    assert_int_equal(virtio_reset(&r.dev), 0);
    assert_int_equal(virtio_poll_status(&r.dev), 0);
    finish(&r);
}

/* What a transport is asked about a queue that cannot be. */
static void queues_beyond_all_are_left_alone(void **state)
{
    (void)state;
    for (enum rig_kind kind = 0; kind < RIG_KINDS; kind++) {
        struct virtio_rig r;

        rig_init_on(&r, kind, RIG_FEATURES);
        assert_int_equal(rig_open(&r), 0);
        const struct virtio_transport *t = r.dev.transport;
        const struct virtio_queue_areas areas = {/* laid out as a legacy one asks */
                                                 .size = 8,
                                                 .desc_addr = 0x1000,
                                                 .driver_addr = 0x1080,
                                                 .device_addr = 0x2000};

        assert_int_equal(t->queue_setup(t->ctx, 200, &areas), -EPROTO);
        t->queue_disable(t->ctx, 200);
        t->notify(t->ctx, 200);
        assert_int_equal(r.model.misuse, 0);
        finish(&r);
    }
}

static void both_feature_words_are_written(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, RIG_FEATURES);
    assert_int_equal(rig_negotiate(&r, 0, 0, &plain), 0);
    assert_true(r.model.accepted == BIT64(VIRTIO_F_VERSION_1));
    assert_int_equal(r.model.feature_words, 3); /* the low one too, though it is 0 */
    finish(&r);
}

static void slow_reset_is_waited_for(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, RIG_FEATURES);
    r.model.lies.reset_polls = 50;
    go_live(&r);
    assert_int_equal(r.dev.errors.reset_timeout, 0);
    finish(&r);
}

static void reset_in_steps(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, RIG_FEATURES);
    go_live(&r);
    r.model.lies.reset_polls = 2;
    virtio_reset_start(&r.dev);
    assert_int_equal(virtio_reset_poll(&r.dev), -EAGAIN);
    assert_int_equal(r.dev.state, VIRTIO_RESETTING);
    assert_int_equal(virtio_reset_poll(&r.dev), -EAGAIN);
    assert_int_equal(virtio_reset_poll(&r.dev), 0);
    assert_int_equal(r.dev.state, VIRTIO_RESET);
    assert_int_equal(virtio_reset_poll(&r.dev), 0);
    finish(&r);
}

/* A queue with one buffer added and kicked before DRIVER_OK. */
static void add_early(struct virtio_rig *r, struct dma_mem *buf)
{
    start(r, RIG_FEATURES);
    assert_int_equal(rig_negotiate(r, WANTED, 1, &plain), 0);
    assert_int_equal(r->hal.hal.dma_alloc(&r->hal, 64, buf), 0);
    assert_int_equal(vq_add(r->dev.queues[0], &(struct vq_seg){buf->addr, 64}, 1, 0, buf),
                     0);
    assert_false(vq_kick(r->dev.queues[0]));
    assert_int_equal(r->model.queues[0].kicks, 0);
}

static void doorbell_waits_for_driver_ok(void **state)
{
    struct virtio_rig r;
    struct dma_mem buf;
    uint32_t written;
    void *token;

    (void)state;
    add_early(&r, &buf);
    assert_int_equal(virtio_driver_ok(&r.dev), 0);
    assert_int_equal(r.model.queues[0].kicks, 1);
    assert_int_equal(vq_pop(r.dev.queues[0], &token, &written), 0);
    assert_ptr_equal(token, &buf);
    r.hal.hal.dma_free(&r.hal, &buf);
    finish(&r);
}

static void reset_silences_the_queues(void **state)
{
    struct virtio_rig r;
    uint32_t written;
    void *token;

    (void)state;
    start(&r, RIG_FEATURES);
    go_live(&r);
    assert_int_equal(vq_add(r.dev.queues[0], &(struct vq_seg){4096, 64}, 1, 0, &r), 0);
    virtio_model_push(&r.model, 0, 0, 0);
    virtio_reset_start(&r.dev);
    assert_int_equal(vq_pop(r.dev.queues[0], &token, &written), -EAGAIN);
    assert_false(vq_kick(r.dev.queues[0]));
    assert_int_equal(r.model.queues[0].kicks, 0);
    finish(&r);
}

static void completion_before_driver_ok_is_not_seen(void **state)
{
    struct virtio_rig r;
    struct dma_mem buf;
    uint32_t written;
    void *token;

    (void)state;
    add_early(&r, &buf);
    echo(NULL, &r.model, 0);
    assert_int_equal(vq_pop(r.dev.queues[0], &token, &written), -EAGAIN);
    assert_false(vq_has_used(r.dev.queues[0]));
    assert_false(vq_enable_events(r.dev.queues[0]));
    assert_int_equal(virtio_driver_ok(&r.dev), 0);
    assert_true(vq_has_used(r.dev.queues[0]));
    assert_int_equal(vq_pop(r.dev.queues[0], &token, &written), 0);
    r.hal.hal.dma_free(&r.hal, &buf);
    finish(&r);
}

static void causes_before_driver_ok_are_dropped(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, RIG_FEATURES);
    assert_int_equal(rig_negotiate(&r, WANTED, 1, &plain), 0);
    r.model.isr = 3;
    assert_int_equal(virtio_irq_ack(&r.dev), 0);
    assert_int_equal(r.model.isr, 0); /* but the line is down */
    assert_int_equal(r.dev.errors.early_irq, 1);
    assert_int_equal(virtio_driver_ok(&r.dev), 0);
    virtio_model_set_config(&r.model, 0, 77);
    assert_int_equal(virtio_irq_ack(&r.dev), VIRTIO_ISR_CONFIG);
    assert_int_equal(virtio_irq_ack(&r.dev), 0);
    finish(&r);
}

static void queue_sizes_shrink_to_ours(void **state)
{
    struct virtio_rig r;
    struct vq *q;

    (void)state;
    start(&r, RIG_FEATURES);
    assert_int_equal(rig_negotiate(&r, WANTED, 0, &plain), 0);
    assert_int_equal(virtio_queue_max(&r.dev, 0), 128);
    assert_int_equal(virtio_queue_max(&r.dev, 3), 0);
    assert_int_equal(
        virtio_queue_create(&r.dev, 0, &(struct virtio_queue_opts){.max_size = 17}, &q),
        0);
    assert_int_equal(vq_size(q), 16);
    assert_int_equal(r.model.queues[0].size, 16);
    assert_int_equal(virtio_queue_create(&r.dev, 0, &plain, &q), -EINVAL);
    assert_int_equal(virtio_queue_create(&r.dev, 3, &plain, &q), -ENODEV);
    assert_int_equal(virtio_queue_create(&r.dev, VIRTIO_MAX_QUEUES, &plain, &q), -EINVAL);
    finish(&r);
}

static void config_words_are_read_and_written(void **state)
{
    struct virtio_rig r;
    uint32_t words[2];

    (void)state;
    start(&r, RIG_FEATURES);
    go_live(&r);
    virtio_model_set_config(&r.model, 0, 0x12345678);
    virtio_config_write32(&r.dev, 4, 0xCAFE);
    assert_int_equal(virtio_config_read(&r.dev, 0, words, 2), 0);
    assert_int_equal(words[0], 0x12345678);
    assert_int_equal(words[1], 0xCAFE);
    assert_int_equal(virtio_config_read(&r.dev, 0x2000, words, 1), 0);
    assert_int_equal(words[0], UINT32_MAX); /* beyond the window */
    finish(&r);
}

static void second_life_works_as_the_first(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, RIG_FEATURES);
    for (int i = 0; i < 3; i++) {
        go_live(&r);
        assert_int_equal(virtio_reset(&r.dev), 0);
        virtio_queues_free(&r.dev);
        assert_int_equal(r.hal.dma_live + r.hal.mem_live, 0);
    }
    finish(&r);
}

/* ---- failure sweep ---- */

static void every_allocation_may_fail(void **state)
{
    static const struct virtio_queue_opts opts = {.indirect_max = 32, .tables = 2};
    struct virtio_rig r;
    unsigned n = 0;
    int err;

    (void)state;
    start(&r, RIG_FEATURES);
    do {
        r.hal.allocs = 0;
        r.hal.fail_at = ++n;
        err = rig_negotiate(&r, WANTED, 3, &opts);
        assert_true(err == 0 || err == -ENOMEM);
        assert_int_equal(virtio_reset(&r.dev), 0);
        virtio_queues_free(&r.dev);
        assert_int_equal(r.hal.dma_live + r.hal.mem_live, 0);
    } while (err);
    r.hal.fail_at = 0;
    assert_int_equal(n, 3 * 3 + 1); /* private state, ring, tables of three queues */
    go_live(&r);
    finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_goes_in_order),
        cmocka_unit_test(only_known_bits_are_accepted),
        cmocka_unit_test(the_status_is_watched_from_features_to_reset),
        cmocka_unit_test(queues_beyond_all_are_left_alone),
        cmocka_unit_test(both_feature_words_are_written),
        cmocka_unit_test(slow_reset_is_waited_for),
        cmocka_unit_test(reset_in_steps),
        cmocka_unit_test(doorbell_waits_for_driver_ok),
        cmocka_unit_test(reset_silences_the_queues),
        cmocka_unit_test(completion_before_driver_ok_is_not_seen),
        cmocka_unit_test(causes_before_driver_ok_are_dropped),
        cmocka_unit_test(queue_sizes_shrink_to_ours),
        cmocka_unit_test(config_words_are_read_and_written),
        cmocka_unit_test(second_life_works_as_the_first),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
