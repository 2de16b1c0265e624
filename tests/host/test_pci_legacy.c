// SPDX-License-Identifier: BSD-2-Clause
/* The legacy PCI transport (R-T-04, R-T-19) on a model of BAR 0 that obeys and on one that lies.
 * test_transports.c has what all transports do alike. */
#include "drivers/bus/msix.h"
#include "drivers/virtio/queue/vq_format.h"
#include "tests/host/virtio_life.h"

static void begin(struct virtio_rig *r)
{
    rig_init_on(r, RIG_PCI_LEGACY, RIG_FEATURES | BIT64(24) | BIT64(27) | BIT64(30));
    r->model.process = echo;
}

/* ---- as it should be ---- */

static void a_legacy_device_goes_live(void **state)
{
    struct virtio_rig r;

    (void)state;
    begin(&r);
    pci_model_set(&r.pci.fn, PCI_COMMAND, 2, PCI_CMD_INTX_DISABLE); /* R-T-10 */
    assert_int_equal(rig_open(&r), 0);
    assert_string_equal(r.ops->name, "pci-legacy");
    assert_int_equal(pci_model_get(&r.pci.fn, PCI_COMMAND, 2), PCI_CMD_IO);
    go_live(&r);
    assert_int_equal(r.model.status, 7); /* no FEATURES_OK, R-T-04 */
    assert_true(r.model.accepted == (WANTED | BIT64(27)));
    assert_int_equal(virtio_poll_status(&r.dev), 0);
    assert_true(pci_model_get(&r.pci.fn, PCI_COMMAND, 2) & PCI_CMD_BUS_MASTER);
    finish(&r);
    assert_false(pci_model_get(&r.pci.fn, PCI_COMMAND, 2) & PCI_CMD_BUS_MASTER);
}

static void a_transitional_device_has_both_interfaces(void **state)
{
    struct pci_modern modern;
    struct virtio_rig r;

    (void)state;
    begin(&r);
    pci_model_set(&r.pci.fn, PCI_CAP_POINTER, 1, VPM_CAP_WINDOW);
    assert_int_equal(rig_open(&r), 0);
    go_live(&r);
    assert_int_equal(virtio_reset(&r.dev), 0);
    virtio_queues_free(&r.dev);
    assert_int_equal(pci_modern_open(&modern, &r.pci_dev), 0);
    pci_modern_close(&modern);
    finish(&r);
}

/* R-T-19: bytes = up4096(18q + 6) + up4096(8q + 6), and no size of ours. */
static void rings_have_the_size_of_the_device(void **state)
{
    static const struct virtio_queue_opts small = {.max_size = 16};
    static const struct {
        uint16_t size;
        uint32_t used_at, bytes;
    } rings[] = {{4, 4096, 8192},
                 {128, 4096, 8192},
                 {1024, 20480, 32768},
                 {32768, 593920, 593920 + 266240}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rings); i++) {
        struct virtio_queue_areas areas;
        struct virtio_rig r;
        struct vq *q;

        begin(&r);
        r.model.queues[0].max = rings[i].size;
        assert_int_equal(rig_open(&r), 0);
        assert_int_equal(rig_negotiate(&r, WANTED, 0, &plain), 0);
        assert_int_equal(virtio_queue_create(&r.dev, 0, &small, &q), 0);
        assert_int_equal(vq_size(q), rings[i].size);
        q->ops->areas(q, &areas);
        assert_true(areas.desc_addr % 4096 == 0);
        assert_true(areas.device_addr - areas.desc_addr == rings[i].used_at);
        assert_true(r.model.queues[0].device == areas.device_addr);
        assert_non_null(hal_model_dma(&r.hal, areas.desc_addr, rings[i].bytes));
        assert_null(hal_model_dma(&r.hal, areas.desc_addr, rings[i].bytes + 1));
        finish(&r);
    }
}

static void causes_are_read_once(void **state)
{
    struct virtio_rig r;

    (void)state;
    begin(&r);
    assert_int_equal(rig_open(&r), 0);
    go_live(&r);
    virtio_model_set_config(&r.model, 0, 1);
    r.model.isr |= VIRTIO_ISR_QUEUE;
    assert_int_equal(virtio_irq_ack(&r.dev), 3);
    assert_int_equal(virtio_irq_ack(&r.dev), 0);
    finish(&r);
}

/* ---- configuration and vectors ---- */

static void configuration_moves_with_msix(void **state)
{
    static const struct virtio_vectors vectors = {.is_msix = true, .queues = 1};
    uint32_t words[2];
    struct virtio_rig r;

    (void)state;
    begin(&r);
    virtio_pci_model_add_msix(&r.pci, 2);
    assert_int_equal(rig_open(&r), 0);
    for (unsigned msix = 0; msix < 3; msix++) {
        if (msix & 1) {
            rig_enable_msix(&r);
            virtio_use_vectors(&r.dev, vectors);
        } else {
            msix_disable(&r.pci_dev);
            virtio_use_vectors(&r.dev, (struct virtio_vectors){0});
        }
        go_live(&r);
        assert_int_equal(r.model.config_vector, msix & 1 ? 0 : VIRTIO_NO_VECTOR);
        assert_int_equal(r.model.queues[2].vector, msix & 1 ? 1 : VIRTIO_NO_VECTOR);
        virtio_model_set_config(&r.model, 0, 0x12345678 + msix);
        virtio_config_write32(&r.dev, 4, 0x9ABCDEF0 + msix);
        assert_int_equal(virtio_config_read(&r.dev, 0, words, 2), 0);
        assert_int_equal(words[0], 0x12345678 + msix);
        assert_int_equal(words[1], 0x9ABCDEF0 + msix);
        assert_int_equal(r.ops->config_read(r.ops->ctx, 60, 4), UINT32_MAX);
        r.ops->config_write(r.ops->ctx, UINT32_MAX, 4, 1);
        assert_int_equal(virtio_reset(&r.dev), 0);
        virtio_queues_free(&r.dev);
    }
    finish(&r);
}

static void vectors_may_be_refused(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 4; n++) {
        struct virtio_rig r;

        begin(&r);
        virtio_pci_model_add_msix(&r.pci, 2);
        assert_int_equal(rig_open(&r), 0);
        rig_enable_msix(&r);
        virtio_use_vectors(&r.dev, (struct virtio_vectors){.is_msix = true, .queues = 1});
        r.model.lies.vector_fails = n;
        assert_int_equal(rig_negotiate(&r, WANTED, 3, &plain), -ENOSPC);
        assert_int_equal(r.dev.errors.vector_refused, 1);
        finish(&r);
    }
}

/* ---- lies ---- */

static void bent_functions_are_refused(void **state)
{
    static const struct {
        unsigned at, width;
        uint32_t value;
        uint64_t bar_size;
        int err;
        size_t counter; /* in struct pci_legacy_errors; SIZE_MAX: none */
    } bends[] = {
        {0x02, 2, 0x1045, 64, -ENODEV, SIZE_MAX}, /* modern only */
        {0x02, 2, 0x0FFF, 64, -ENODEV, SIZE_MAX},
        {0x00, 2, 0x1234, 64, -ENODEV, SIZE_MAX},
        {0x10, 4, 1, 64, -ENODEV, offsetof(struct pci_legacy_errors, bar_missing)},
        {0x10, 4, 0, 0, -ENODEV, offsetof(struct pci_legacy_errors, bar_missing)},
        {0x10, 4, 0xFEBC0000, 64, -EPROTO, offsetof(struct pci_legacy_errors, bar_kind)},
        {0x10, 4, 0xC001, 16, -EPROTO, offsetof(struct pci_legacy_errors, bar_short)},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(bends); i++) {
        struct pci_legacy pl;
        struct virtio_rig r;

        begin(&r);
        assert_int_equal(rig_open(&r), 0);
        pci_model_set(&r.pci.fn, bends[i].at, bends[i].width, bends[i].value);
        r.pci.fn.bar_size[0] = bends[i].bar_size;
        r.pci_dev.vendor = (uint16_t)pci_model_get(&r.pci.fn, 0, 2);
        r.pci_dev.device = (uint16_t)pci_model_get(&r.pci.fn, 2, 2);
        assert_int_equal(pci_legacy_open(&pl, &r.pci_dev), bends[i].err);
        if (bends[i].counter != SIZE_MAX)
            assert_int_equal(*(uint64_t *)((char *)&pl.errors + bends[i].counter), 1);
        assert_int_equal(r.bus.live_maps, 2); /* ECAM and the first one's ports */
        finish(&r);
    }
}

static void the_window_may_fail(void **state)
{
    struct virtio_rig r;

    (void)state;
    begin(&r);
    r.bus.fail_map_at = 2; /* the first one is ECAM */
    assert_int_equal(rig_open(&r), -ENOMEM);
    assert_int_equal(r.bus.live_maps, 1);
    finish(&r);
}

static void a_queue_with_an_address_is_left_alone(void **state)
{
    struct virtio_queue_areas areas;
    struct virtio_rig r;

    (void)state;
    begin(&r);
    assert_int_equal(rig_open(&r), 0);
    assert_int_equal(rig_negotiate(&r, WANTED, 1, &plain), 0);
    r.dev.queues[0]->ops->areas(r.dev.queues[0], &areas);
    assert_int_equal(r.ops->queue_setup(r.ops->ctx, 0, &areas), -EBUSY);
    assert_int_equal(r.legacy.errors.queue_busy, 1);
    assert_int_equal(r.ops->queue_setup(r.ops->ctx, 8, &areas), -EPROTO);
    finish(&r);
}

static void a_queue_that_takes_no_address(void **state)
{
    struct virtio_rig r;
    struct vq *q;

    (void)state;
    begin(&r);
    assert_int_equal(rig_open(&r), 0);
    assert_int_equal(rig_negotiate(&r, WANTED, 0, &plain), 0);
    r.model.lies.enable_drops = true;
    assert_int_equal(virtio_queue_create(&r.dev, 0, &plain, &q), -EPROTO);
    assert_int_equal(r.legacy.errors.queue_refused, 1);
    assert_int_equal(r.dev.state, VIRTIO_BROKEN);
    finish(&r);
}

static void a_size_that_changes_between_two_reads(void **state)
{
    struct virtio_queue_areas areas;
    struct virtio_rig r;

    (void)state;
    begin(&r);
    assert_int_equal(rig_open(&r), 0);
    assert_int_equal(rig_negotiate(&r, WANTED, 1, &plain), 0);
    r.dev.queues[0]->ops->areas(r.dev.queues[0], &areas);
    r.model.lies.queue_size_raw = 64;
    assert_int_equal(r.ops->queue_setup(r.ops->ctx, 1, &areas), -EPROTO);
    assert_int_equal(r.legacy.errors.queue_size, 1);
    finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_legacy_device_goes_live),
        cmocka_unit_test(a_transitional_device_has_both_interfaces),
        cmocka_unit_test(rings_have_the_size_of_the_device),
        cmocka_unit_test(causes_are_read_once),
        cmocka_unit_test(configuration_moves_with_msix),
        cmocka_unit_test(vectors_may_be_refused),
        cmocka_unit_test(bent_functions_are_refused),
        cmocka_unit_test(the_window_may_fail),
        cmocka_unit_test(a_queue_with_an_address_is_left_alone),
        cmocka_unit_test(a_queue_that_takes_no_address),
        cmocka_unit_test(a_size_that_changes_between_two_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
