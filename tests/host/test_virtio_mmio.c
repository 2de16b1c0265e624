// SPDX-License-Identifier: BSD-2-Clause
/* The MMIO transport, both versions (R-T-20..22), on a model that obeys and on one that lies.
 * test_transports.c has what all transports do alike. */
#include "drivers/virtio/queue/vq_format.h"
#include "tests/host/virtio_life.h"

static void begin(struct virtio_rig *r, enum rig_kind kind)
{
    rig_init_on(r, kind, RIG_FEATURES | BIT64(27) | BIT64(30));
    r->model.process = echo;
    assert_int_equal(rig_open(r), 0);
}

/* ---- as it should be ---- */

static void both_versions_open(void **state)
{
    struct virtio_rig r;

    (void)state;
    for (enum rig_kind kind = RIG_MMIO; kind <= RIG_MMIO_LEGACY; kind++) {
        begin(&r, kind);
        assert_string_equal(r.ops->name, kind == RIG_MMIO ? "mmio" : "mmio-legacy");
        assert_int_equal(r.mmio_transport.id.device, 5);
        assert_int_equal(r.mmio_transport.id.version, kind == RIG_MMIO ? 2 : 1);
        assert_int_equal(r.model.resets, 1);
        assert_int_equal(r.mmio.live_maps, 1);
        finish(&r);
    }
}

static void features_are_what_the_version_has(void **state)
{
    struct virtio_rig r;

    (void)state;
    begin(&r, RIG_MMIO);
    go_live(&r);
    assert_int_equal(r.model.feature_words, 3);
    assert_true(r.model.accepted == (WANTED | BIT64(VIRTIO_F_VERSION_1)));
    finish(&r);

    /* ANY_LAYOUT is accepted, bit 30 never, and there is no word 1. */
    begin(&r, RIG_MMIO_LEGACY);
    go_live(&r);
    assert_int_equal(r.model.feature_words, 1);
    assert_true(r.model.accepted == (WANTED | BIT64(27)));
    assert_true(r.dev.features == (WANTED | BIT64(27)));
    assert_int_equal(r.model.status, 7); /* the device saw no FEATURES_OK, R-T-04 */
    assert_int_equal(virtio_poll_status(&r.dev), 0);
    finish(&r);
}

static void a_legacy_ring_is_one_block(void **state)
{
    struct virtio_rig r;

    (void)state;
    begin(&r, RIG_MMIO_LEGACY);
    go_live(&r);
    for (unsigned i = 0; i < 3; i++) {
        struct virtio_queue_areas areas;

        r.dev.queues[i]->ops->areas(r.dev.queues[i], &areas);
        assert_int_equal(areas.size, 128);
        assert_true(areas.desc_addr % 4096 == 0);
        assert_true(areas.device_addr - areas.desc_addr == 4096);
        assert_true(r.model.queues[i].device == areas.device_addr);
        assert_non_null(hal_model_dma(&r.hal, areas.desc_addr, 8192));
    }
    finish(&r);
}

static void causes_are_acknowledged(void **state)
{
    struct virtio_rig r;

    (void)state;
    for (enum rig_kind kind = RIG_MMIO; kind <= RIG_MMIO_LEGACY; kind++) {
        begin(&r, kind);
        go_live(&r);
        assert_int_equal(virtio_irq_ack(&r.dev), 0);
        virtio_model_set_config(&r.model, 0, 7);
        assert_int_equal(virtio_irq_ack(&r.dev), VIRTIO_ISR_CONFIG);
        assert_int_equal(r.model.isr, 0);
        /* What means nothing is taken back too, or the line stays up. */
        r.mmio.lies.extra_irq = 0x100;
        assert_int_equal(virtio_irq_ack(&r.dev), 0);
        finish(&r);
    }
}

static void configuration_is_read_in_words(void **state)
{
    uint32_t words[2];
    struct virtio_rig r;

    (void)state;
    for (enum rig_kind kind = RIG_MMIO; kind <= RIG_MMIO_LEGACY; kind++) {
        begin(&r, kind);
        go_live(&r);
        virtio_model_set_config(&r.model, 0, 0x12345678);
        virtio_config_write32(&r.dev, 4, 0x9ABCDEF0);
        assert_int_equal(virtio_config_read(&r.dev, 0, words, 2), 0);
        assert_int_equal(words[0], 0x12345678);
        assert_int_equal(words[1], 0x9ABCDEF0);
        /* Outside of the window. */
        assert_int_equal(r.ops->config_read(r.ops->ctx, 0x100, 4), UINT32_MAX);
        assert_int_equal(r.ops->config_read(r.ops->ctx, 0xFF, 2), 0xFFFF);
        r.ops->config_write(r.ops->ctx, UINT32_MAX, 4, 1);
        finish(&r);
    }
}

static void a_smaller_ring_is_taken(void **state)
{
    static const struct virtio_queue_opts small = {.max_size = 16};
    struct virtio_rig r;

    (void)state;
    for (enum rig_kind kind = RIG_MMIO; kind <= RIG_MMIO_LEGACY; kind++) {
        begin(&r, kind);
        assert_int_equal(rig_negotiate(&r, WANTED, 3, &small), 0);
        assert_int_equal(r.model.queues[2].size, 16);
        finish(&r);
    }
}

/* ---- what is behind the window ---- */

static void other_windows_are_refused(void **state)
{
    static const struct {
        uint32_t magic, version, device;
        int err;
    } windows[] = {
        {0x74726976, 2, 0, -ENODEV},  {0x74726976, 1, 0, -ENODEV},
        {0, 2, 5, -ENODEV},           {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, -ENODEV},
        {0x74726976, 0, 5, -ENOTSUP}, {0x74726976, 3, 5, -ENOTSUP},
        {0x74726976, 2, 3, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(windows); i++) {
        struct virtio_rig r;

        rig_init_on(&r, RIG_MMIO, RIG_FEATURES);
        r.mmio.magic = windows[i].magic;
        r.mmio.version = windows[i].version;
        r.mmio.device_id = windows[i].device;
        assert_int_equal(rig_open(&r), windows[i].err);
        assert_int_equal(r.mmio.live_maps, windows[i].err == 0);
        assert_int_equal(r.hal.log_lines[LOG_ERROR] + r.hal.log_lines[LOG_WARN], 0);
        assert_int_equal(r.model.resets, windows[i].err == 0);
        if (windows[i].err == 0)
            assert_int_equal(r.mmio_transport.id.device, windows[i].device);
        finish(&r);
    }
}

static void a_window_must_be_large_enough_and_mappable(void **state)
{
    struct virtio_mmio vm;
    struct virtio_rig r;

    (void)state;
    rig_init_on(&r, RIG_MMIO, RIG_FEATURES);
    assert_int_equal(virtio_mmio_open(&vm, &r.mmio.space, VIRTIO_MMIO_MODEL_ADDR, 0x100),
                     -EINVAL);
    assert_int_equal(
        virtio_mmio_open(&vm, &r.mmio.space, VIRTIO_MMIO_MODEL_ADDR + 2, 0x200), -EINVAL);
    assert_int_equal(virtio_mmio_open(&vm, &r.mmio.space, UINT64_MAX - 3, 0x200),
                     -EINVAL);
    r.mmio.map_fails = true;
    assert_int_equal(rig_open(&r), -ENOMEM);
    r.mmio.map_fails = false;
    assert_int_equal(rig_open(&r), 0);
    finish(&r);
}

/* ---- lies ---- */

static void a_queue_that_is_on_already_is_left_alone(void **state)
{
    struct virtio_rig r;
    struct vq *q;

    (void)state;
    for (enum rig_kind kind = RIG_MMIO; kind <= RIG_MMIO_LEGACY; kind++) {
        begin(&r, kind);
        assert_int_equal(rig_negotiate(&r, WANTED, 0, &plain), 0);
        r.mmio.lies.queue_is_on = true;
        assert_int_equal(virtio_queue_create(&r.dev, 0, &plain, &q), -EPROTO);
        assert_int_equal(r.mmio_transport.errors.queue_busy, 1);
        assert_int_equal(r.dev.state, VIRTIO_BROKEN);
        finish(&r);
    }
}

static void a_queue_that_stays_off(void **state)
{
    struct virtio_rig r;
    struct vq *q;

    (void)state;
    for (enum rig_kind kind = RIG_MMIO; kind <= RIG_MMIO_LEGACY; kind++) {
        begin(&r, kind);
        assert_int_equal(rig_negotiate(&r, WANTED, 0, &plain), 0);
        r.mmio.lies.queue_is_off = true;
        assert_int_equal(virtio_queue_create(&r.dev, 1, &plain, &q), -EPROTO);
        assert_int_equal(r.mmio_transport.errors.queue_refused, 1);
        r.ops->notify(r.ops->ctx, 1); /* it has no doorbell */
        assert_int_equal(r.model.queues[1].kicks, 0);
        finish(&r);
    }
}

static void absurd_sizes_are_refused(void **state)
{
    struct virtio_rig r;
    struct vq *q;

    (void)state;
    for (enum rig_kind kind = RIG_MMIO; kind <= RIG_MMIO_LEGACY; kind++) {
        begin(&r, kind);
        assert_int_equal(rig_negotiate(&r, WANTED, 0, &plain), 0);
        assert_int_equal(virtio_queue_create(&r.dev, 3, &plain, &q), -ENODEV);
        r.model.lies.queue_size_raw = 100;
        assert_int_equal(virtio_queue_create(&r.dev, 0, &plain, &q), -EPROTO);
        assert_int_equal(r.dev.errors.queue_bad_size, 1);
        finish(&r);
    }
}

/* R-T-09: without a generation the words are read twice. */
static void a_configuration_that_never_rests(void **state)
{
    uint32_t words[2];
    struct virtio_rig r;

    (void)state;
    begin(&r, RIG_MMIO_LEGACY);
    go_live(&r);
    r.model.lies.config_spins = true;
    assert_int_equal(virtio_config_read(&r.dev, 0, words, 2), -EIO);
    assert_int_equal(r.dev.errors.config_unstable, 1);
    finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_open),
        cmocka_unit_test(features_are_what_the_version_has),
        cmocka_unit_test(a_legacy_ring_is_one_block),
        cmocka_unit_test(causes_are_acknowledged),
        cmocka_unit_test(configuration_is_read_in_words),
        cmocka_unit_test(a_smaller_ring_is_taken),
        cmocka_unit_test(other_windows_are_refused),
        cmocka_unit_test(a_window_must_be_large_enough_and_mappable),
        cmocka_unit_test(a_queue_that_is_on_already_is_left_alone),
        cmocka_unit_test(a_queue_that_stays_off),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(a_configuration_that_never_rests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
