// SPDX-License-Identifier: BSD-2-Clause
/* drivers/virtio/device.c on a model that refuses or lies: each has its counter and its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/host/virtio_life.h"

/* ---- feature refusals ---- */

static bool add_platform(void *ctx, unsigned attempt, uint64_t offered,
                         uint64_t *features)
{
    unsigned *calls = ctx;

    *calls = attempt;
    *features |= offered & BIT64(VIRTIO_F_ACCESS_PLATFORM);
    return attempt == 1;
}

static void fallback_is_tried_after_a_refusal(void **state)
{
    struct virtio_rig r;
    unsigned calls = 0;
    struct virtio_wanted wanted = {
        .supported = WANTED, .fallback = add_platform, .ctx = &calls};

    (void)state;
    start(&r, RIG_FEATURES | BIT64(VIRTIO_F_ACCESS_PLATFORM));
    r.model.insists = BIT64(VIRTIO_F_ACCESS_PLATFORM);
    assert_int_equal(virtio_negotiate(&r.dev, &wanted), 0);
    assert_int_equal(calls, 1);
    assert_true(virtio_has_feature(&r.dev, VIRTIO_F_ACCESS_PLATFORM));
    assert_int_equal(r.dev.errors.features_refused, 1);
    finish(&r);
}

static void refusal_of_everything_ends_in_failed(void **state)
{
    struct virtio_rig r;
    unsigned calls = 0;
    struct virtio_wanted wanted = {
        .supported = WANTED, .fallback = add_platform, .ctx = &calls};

    (void)state;
    start(&r, RIG_FEATURES);
    r.model.insists = BIT64(50);
    assert_int_equal(virtio_negotiate(&r.dev, &wanted), -ENOTSUP);
    assert_int_equal(calls, 2);
    assert_int_equal(r.dev.errors.features_refused, 2);
    assert_true(r.model.status & VIRTIO_STATUS_FAILED);
    assert_int_equal(r.dev.state, VIRTIO_BROKEN);
    finish(&r);
}

static bool never_content(void *ctx, unsigned attempt, uint64_t offered,
                          uint64_t *features)
{
    (void)ctx;
    (void)attempt;
    *features = offered;
    return true;
}

static void fallbacks_are_bounded(void **state)
{
    struct virtio_rig r;
    struct virtio_wanted wanted = {.fallback = never_content};

    (void)state;
    start(&r, RIG_FEATURES);
    r.model.insists = BIT64(50);
    assert_int_equal(virtio_negotiate(&r.dev, &wanted), -ENOTSUP);
    assert_int_equal(r.dev.errors.features_refused, VIRTIO_MAX_FALLBACKS + 1);
    finish(&r);
}

static void version_1_is_required(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, RIG_FEATURES & ~BIT64(VIRTIO_F_VERSION_1));
    assert_int_equal(rig_negotiate(&r, WANTED, 0, &plain), -ENOTSUP);
    assert_int_equal(r.dev.errors.features_missing, 1);
    finish(&r);
}

/* ---- a device that lies ---- */

static void reset_that_never_completes(void **state)
{
    struct virtio_rig r;
    uint64_t before;

    (void)state;
    start(&r, RIG_FEATURES);
    go_live(&r);
    r.model.lies.reset_hangs = true;
    before = r.hal.now_ns;
    assert_int_equal(virtio_reset(&r.dev), -ETIMEDOUT);
    assert_int_equal(virtio_reset_poll(&r.dev), -ETIMEDOUT); /* for good */
    assert_in_range(r.hal.now_ns - before, VIRTIO_RESET_TIMEOUT,
                    2 * VIRTIO_RESET_TIMEOUT);
    assert_int_equal(r.dev.errors.reset_timeout, 1);
    assert_int_equal(r.dev.state, VIRTIO_DEAD);
    assert_int_equal(virtio_poll_status(&r.dev), -EPROTO);

    /* The device may still write to the rings: they stay, everything private goes. */
    virtio_queues_free(&r.dev);
    assert_int_equal(r.hal.dma_live, 3);
    assert_int_equal(r.hal.mem_live, 0);
    assert_int_equal(rig_end(&r), 3);
}

static void needs_reset_is_noticed_and_cured(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, RIG_FEATURES);
    go_live(&r);
    virtio_model_need_reset(&r.model);
    assert_int_equal(virtio_irq_ack(&r.dev), VIRTIO_ISR_CONFIG);
    assert_int_equal(virtio_poll_status(&r.dev), -EPROTO);
    assert_int_equal(r.dev.errors.needs_reset, 1);
    assert_int_equal(virtio_poll_status(&r.dev), -EPROTO); /* counted once */
    assert_int_equal(r.dev.errors.needs_reset, 1);

    assert_int_equal(virtio_reset(&r.dev), 0);
    virtio_queues_free(&r.dev);
    go_live(&r);
    finish(&r);
}

static void lost_status_is_noticed(void **state)
{
    struct virtio_rig r;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        start(&r, RIG_FEATURES);
        go_live(&r);
        r.model.status = i == 0 ? 0 : 0xFF; /* reset behind our back; removed */
        assert_int_equal(virtio_poll_status(&r.dev), -EPROTO);
        assert_int_equal(r.dev.errors.status_lost, 1);
        assert_int_equal(r.dev.errors.needs_reset, 0);
        finish(&r);
    }
}

static void driver_ok_that_does_not_stick(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, RIG_FEATURES);
    assert_int_equal(rig_negotiate(&r, WANTED, 3, &plain), 0);
    r.model.lies.ok_needs_reset =
        true; /* as Firecracker when it cannot activate the device */
    assert_int_equal(virtio_driver_ok(&r.dev), -EPROTO);
    assert_int_equal(r.dev.errors.needs_reset, 1);
    assert_int_equal(r.dev.state, VIRTIO_BROKEN);
    finish(&r);
}

static void config_that_never_settles(void **state)
{
    struct virtio_rig r;
    uint32_t word;

    (void)state;
    start(&r, RIG_FEATURES);
    go_live(&r);
    r.model.lies.generation_spins = true;
    assert_int_equal(virtio_config_read(&r.dev, 0, &word, 1), -EIO);
    assert_int_equal(r.dev.errors.config_unstable, 1);
    r.model.lies.generation_spins = false;
    assert_int_equal(virtio_config_read(&r.dev, 0, &word, 1), 0);
    finish(&r);
}

static void absurd_queue_sizes_are_refused(void **state)
{
    static const uint16_t sizes[] = {3, 127, 32769, 65535};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        struct virtio_rig r;
        struct vq *q;

        start(&r, RIG_FEATURES);
        assert_int_equal(rig_negotiate(&r, WANTED, 0, &plain), 0);
        r.model.lies.queue_size_raw = sizes[i];
        assert_int_equal(virtio_queue_max(&r.dev, 0), 0);
        assert_int_equal(virtio_queue_create(&r.dev, 0, &plain, &q), -EPROTO);
        assert_int_equal(r.dev.errors.queue_bad_size, 2);
        assert_int_equal(virtio_queue_create(&r.dev, 3, &plain, &q),
                         -ENODEV); /* whatever its size */
        finish(&r);
    }
}

static void queue_that_is_not_taken(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct virtio_rig r;
        struct vq *q;

        start(&r, RIG_FEATURES);
        assert_int_equal(rig_negotiate(&r, WANTED, 0, &plain), 0);
        r.model.lies.enable_drops = i == 0;
        r.model.lies.size_sticks = i == 1;
        assert_int_equal(virtio_queue_create(
                             &r.dev, 0, &(struct virtio_queue_opts){.max_size = 64}, &q),
                         -EPROTO);
        assert_int_equal(r.dev.errors.queue_refused, 1);
        assert_int_equal(r.dev.state, VIRTIO_BROKEN);
        finish(&r);
    }
}

static void broken_ring_breaks_the_device(void **state)
{
    struct virtio_rig r;
    uint32_t written;
    void *token;

    (void)state;
    start(&r, RIG_FEATURES);
    go_live(&r);
    virtio_model_push(&r.model, 1, 5, 0);
    assert_int_equal(vq_pop(r.dev.queues[1], &token, &written), -EPROTO);
    assert_int_equal(virtio_poll_status(&r.dev), -EPROTO);
    assert_int_equal(r.dev.errors.queue_broken, 1);
    finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fallback_is_tried_after_a_refusal),
        cmocka_unit_test(refusal_of_everything_ends_in_failed),
        cmocka_unit_test(fallbacks_are_bounded),
        cmocka_unit_test(version_1_is_required),
        cmocka_unit_test(reset_that_never_completes),
        cmocka_unit_test(needs_reset_is_noticed_and_cured),
        cmocka_unit_test(lost_status_is_noticed),
        cmocka_unit_test(driver_ok_that_does_not_stick),
        cmocka_unit_test(config_that_never_settles),
        cmocka_unit_test(absurd_queue_sizes_are_refused),
        cmocka_unit_test(queue_that_is_not_taken),
        cmocka_unit_test(broken_ring_breaks_the_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
