// SPDX-License-Identifier: BSD-2-Clause
/*
 * The modern PCI transport on a model in QEMU's layout, then with capabilities that cannot be
 * (R-H-08). Each refusal has its own counter, nothing stays mapped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/model/virtio_rig.h"

static const struct virtio_queue_opts plain;

static void finish(struct virtio_rig *r)
{
    if (r->model.misuse)
        print_message("misuse: %s\n", r->model.complaint);
    assert_int_equal(r->model.misuse, 0);
    assert_int_equal(r->bus.probes_decoding, 0);
    assert_int_equal(rig_end(r), 0);
}

/* ---- as it should be ---- */

static void qemu_layout_opens(void **state)
{
    struct virtio_rig r;

    (void)state;
    rig_init(&r, RIG_FEATURES);
    pci_model_set(&r.pci.fn, PCI_COMMAND, 2,
                  0); /* firmware left everything off, R-T-10 */
    assert_int_equal(rig_open(&r), 0);
    assert_string_equal(r.transport.transport.name, "pci-modern");
    assert_int_equal(r.transport.notify_multiplier, 4);
    assert_true(pci_model_get(&r.pci.fn, PCI_COMMAND, 2) & PCI_CMD_MEMORY);
    assert_int_equal(r.model.resets, 1);
    assert_int_equal(pci_intx_line(&r.pci_dev), 11);
    assert_int_equal(r.transport.transport.queue_max(&r.transport, 2), 128);
    assert_int_equal(r.transport.transport.queue_max(&r.transport, 3), 0);
    finish(&r);
}

static void transitional_id_opens_too(void **state)
{
    struct virtio_rig r;

    (void)state;
    rig_init(&r, RIG_FEATURES);
    pci_model_identity(&r.pci.fn, 0x1AF4, 0x1002, 0);
    assert_int_equal(rig_open(&r), 0);
    assert_int_equal(r.pci_dev.device, 0x1002);
    assert_int_equal(r.pci_dev.subsystem, 5);
    finish(&r);
}

static void doorbell_goes_to_its_place(void **state)
{
    struct virtio_rig r;

    (void)state;
    rig_init(&r, RIG_FEATURES);
    assert_int_equal(rig_open(&r), 0);
    assert_int_equal(rig_negotiate(&r, 0, 3, &plain), 0);
    r.transport.transport.notify(&r.transport, 5); /* never set up: nothing happens */
    r.transport.transport.notify(&r.transport, 200);
    assert_int_equal(virtio_driver_ok(&r.dev), 0);
    r.transport.transport.notify(&r.transport, 2);
    assert_int_equal(r.model.queues[2].kicks, 1);
    assert_int_equal(virtio_reset(&r.dev), 0);
    r.transport.transport.notify(&r.transport, 2); /* forgotten by the reset */
    assert_int_equal(r.model.queues[2].kicks, 1);
    assert_true(pci_model_get(&r.pci.fn, PCI_COMMAND, 2) & PCI_CMD_BUS_MASTER);
    finish(&r);
    assert_false(pci_model_get(&r.pci.fn, PCI_COMMAND, 2) & PCI_CMD_BUS_MASTER);
}

/* Multiplier 0: one doorbell for all queues, told apart by the value. */
static void shared_doorbell(void **state)
{
    struct virtio_rig r;

    (void)state;
    rig_init(&r, RIG_FEATURES);
    pci_model_set(&r.pci.fn, VPM_CAP_NOTIFY + 16, 4, 0);
    assert_int_equal(rig_open(&r), 0);
    assert_int_equal(rig_negotiate(&r, 0, 3, &plain), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_true(r.transport.doorbell[i] == 0);
    finish(&r);
}

static void enabled_queue_is_left_alone(void **state)
{
    struct virtio_queue_areas areas = {.size = 128};
    struct virtio_rig r;

    (void)state;
    rig_init(&r, RIG_FEATURES);
    assert_int_equal(rig_open(&r), 0);
    assert_int_equal(rig_negotiate(&r, 0, 1, &plain), 0);
    assert_int_equal(r.transport.transport.queue_setup(&r.transport, 0, &areas), -EBUSY);
    assert_int_equal(r.transport.transport.queue_setup(&r.transport, 8, &areas), -EPROTO);
    finish(&r);
}

static void ring_addresses_have_both_halves(void **state)
{
    struct virtio_rig r;

    (void)state;
    rig_init(&r, RIG_FEATURES);
    assert_int_equal(rig_open(&r), 0);
    assert_int_equal(rig_negotiate(&r, 0, 1, &plain), 0);
    assert_true(r.model.queues[0].desc >> 32 != 0);
    assert_non_null(hal_model_dma(&r.hal, r.model.queues[0].desc, 16 * 128));
    assert_non_null(hal_model_dma(&r.hal, r.model.queues[0].driver, 6 + 2 * 128));
    assert_non_null(hal_model_dma(&r.hal, r.model.queues[0].device, 6 + 8 * 128));
    assert_true(r.model.queues[0].driver >= r.model.queues[0].desc + 16 * 128);
    assert_true(r.model.queues[0].device >= r.model.queues[0].driver + 6 + 2 * 128);
    finish(&r);
}

static void msix_is_turned_off(void **state)
{
    struct virtio_rig r;

    (void)state;
    rig_init(&r, RIG_FEATURES);
    pci_model_set(&r.pci.fn, VPM_CAP_COMMON + 1, 1, 0xA0);
    pci_model_set(&r.pci.fn, 0xA0, 4, 0x80010011);
    pci_model_set(&r.pci.fn, PCI_COMMAND, 2, PCI_CMD_INTX_DISABLE);
    assert_int_equal(rig_open(&r), 0);
    assert_int_equal(pci_model_get(&r.pci.fn, 0xA2, 2), 0x0001);
    assert_false(pci_model_get(&r.pci.fn, PCI_COMMAND, 2) & PCI_CMD_INTX_DISABLE);
    finish(&r);
}

static void first_acceptable_capability_wins(void **state)
{
    struct virtio_rig r;

    (void)state;
    rig_init(&r, RIG_FEATURES);
    /* In front of the good ones: a common structure beyond the BAR. */
    pci_model_set(&r.pci.fn, PCI_CAP_POINTER, 1, 0xB0);
    pci_model_set(&r.pci.fn, 0xB0, 4, 0x01100009 | VPM_CAP_WINDOW << 8);
    pci_model_set(&r.pci.fn, 0xB4, 4, 4);
    pci_model_set(&r.pci.fn, 0xB8, 4, 0x4000);
    pci_model_set(&r.pci.fn, 0xBC, 4, 0x1000);
    assert_int_equal(rig_open(&r), 0);
    assert_int_equal(r.transport.errors.out_of_bar, 1);
    assert_int_equal(rig_negotiate(&r, 0, 3, &plain), 0);
    finish(&r);
}

/* ---- capabilities that cannot be ---- */

struct bend {
    uint8_t cap; /* a capability of the model */
    uint8_t offset, width;
    uint32_t value;
    size_t counter; /* in struct pci_modern_errors */
};

#define COUNTER(name) offsetof(struct pci_modern_errors, name)

static void bent_capabilities_are_refused(void **state)
{
    static const struct bend bends[] = {
        {VPM_CAP_COMMON, 2, 1, 15, COUNTER(cap_short)},
        {VPM_CAP_COMMON, 2, 1, 0, COUNTER(cap_short)},
        {VPM_CAP_NOTIFY, 2, 1, 16, COUNTER(cap_short)}, /* no room for the multiplier */
        {VPM_CAP_COMMON, 4, 1, 6, COUNTER(bar_index)},
        {VPM_CAP_DEVICE, 4, 1, 255, COUNTER(bar_index)},
        {VPM_CAP_COMMON, 4, 1, 2, COUNTER(bar_missing)},
        {VPM_CAP_COMMON, 4, 1, 5, COUNTER(bar_missing)}, /* upper half of BAR 4 */
        {VPM_CAP_COMMON, 4, 1, 0, COUNTER(bar_kind)},    /* I/O */
        {VPM_CAP_COMMON, 8, 4, 0x4000, COUNTER(out_of_bar)},
        {VPM_CAP_COMMON, 12, 4, 0x4001, COUNTER(out_of_bar)},
        {VPM_CAP_NOTIFY, 8, 4, 0xFFFFFFFE,
         COUNTER(out_of_bar)}, /* the sum passes 32 bits */
        {VPM_CAP_DEVICE, 12, 4, 0xFFFFFFFF, COUNTER(out_of_bar)},
        {VPM_CAP_ISR, 8, 4, 0x4000, COUNTER(out_of_bar)},
        {VPM_CAP_COMMON, 8, 4, 0x2, COUNTER(misaligned)},
        {VPM_CAP_DEVICE, 8, 4, 0x2001, COUNTER(misaligned)},
        {VPM_CAP_NOTIFY, 8, 4, 0x3001, COUNTER(misaligned)},
        {VPM_CAP_COMMON, 12, 4, 55, COUNTER(length_short)},
        {VPM_CAP_NOTIFY, 12, 4, 1, COUNTER(length_short)},
        {VPM_CAP_ISR, 12, 4, 0, COUNTER(length_short)},
        {VPM_CAP_DEVICE, 12, 4, 3, COUNTER(length_short)},
        {VPM_CAP_COMMON, 3, 1, 77,
         COUNTER(cap_missing)}, /* another type: there is no common one */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(bends); i++) {
        const struct bend *b = &bends[i];
        struct virtio_rig r;

        rig_init(&r, RIG_FEATURES);
        pci_model_set(&r.pci.fn, b->cap + b->offset, b->width, b->value);
        assert_int_equal(rig_open(&r), -EPROTO);
        assert_int_equal(*(uint64_t *)((char *)&r.transport.errors + b->counter), 1);
        assert_int_equal(r.transport.errors.cap_missing, 1);
        assert_int_equal(r.bus.live_maps, 1); /* ECAM's */
        finish(&r);
    }
}

static void looping_list_is_refused(void **state)
{
    struct virtio_rig r;

    (void)state;
    rig_init(&r, RIG_FEATURES);
    pci_model_set(&r.pci.fn, VPM_CAP_COMMON + 1, 1, VPM_CAP_NOTIFY);
    assert_int_equal(rig_open(&r), -EPROTO);
    assert_int_equal(r.transport.errors.cap_list, 1);
    assert_int_equal(r.host.errors.cap_loops, 1);
    finish(&r);
}

static void capability_at_the_very_end(void **state)
{
    struct virtio_rig r;

    (void)state;
    rig_init(&r, RIG_FEATURES);
    pci_model_set(&r.pci.fn, VPM_CAP_ISR + 1, 1,
                  0xF8); /* common would run past byte 255 */
    pci_model_set(&r.pci.fn, 0xF8, 4, 0x01100009);
    assert_int_equal(rig_open(&r), -EPROTO);
    assert_int_equal(r.transport.errors.cap_short, 1);
    finish(&r);
}

static void not_a_modern_device(void **state)
{
    struct virtio_rig r;

    (void)state;
    rig_init(&r, RIG_FEATURES);
    pci_model_set(&r.pci.fn, PCI_CAP_POINTER, 1, 0); /* legacy only */
    assert_int_equal(rig_open(&r), -ENODEV);
    finish(&r);
}

static void another_vendor(void **state)
{
    struct pci_modern pm;
    struct pci_dev dev;
    struct virtio_rig r;

    (void)state;
    rig_init(&r, RIG_FEATURES);
    assert_int_equal(rig_open(&r), 0);
    dev = r.pci_dev;
    dev.vendor = 0x1234;
    assert_int_equal(pci_modern_open(&pm, &dev), -ENODEV);
    finish(&r);
}

/* A claim that changes between two reads: only the first, checked one may be used. */
static unsigned length_reads;

static uint32_t change_length(void *ctx, unsigned offset, unsigned width, uint32_t honest)
{
    (void)ctx;
    (void)width;
    if (offset != VPM_CAP_COMMON + 12)
        return honest;
    return length_reads++ == 0 ? honest : 4;
}

static void capability_changes_after_the_check(void **state)
{
    struct virtio_rig r;

    (void)state;
    rig_init(&r, RIG_FEATURES);
    length_reads = 0;
    r.pci.fn.cfg_twist = change_length;
    assert_int_equal(rig_open(&r), 0);
    assert_in_range(r.transport.common.size_bytes, 56, 4096);
    assert_int_equal(rig_negotiate(&r, 0, 3, &plain), 0);
    finish(&r);
}

static void doorbell_beyond_its_window(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct virtio_rig r;
        struct vq *q;

        rig_init(&r, RIG_FEATURES);
        if (i == 2) /* an odd multiplier: the doorbell is not aligned */
            pci_model_set(&r.pci.fn, VPM_CAP_NOTIFY + 16, 4, 3);
        assert_int_equal(rig_open(&r), 0);
        assert_int_equal(rig_negotiate(&r, 0, 0, &plain), 0);
        r.model.lies.notify_off = i == 0 ? 0x400 : i == 1 ? 0xFFFF : 1;
        assert_int_equal(virtio_queue_create(&r.dev, 0, &plain, &q), -EPROTO);
        assert_int_equal(r.transport.errors.doorbell_range, 1);
        assert_int_equal(r.dev.errors.queue_refused, 1);
        finish(&r);
    }
}

/* ---- failure sweep ---- */

static void every_window_may_fail(void **state)
{
    unsigned n = 1;
    int err;

    (void)state;
    do {
        struct virtio_rig r;

        rig_init(&r, RIG_FEATURES);
        r.bus.fail_map_at = ++n; /* the first one is ECAM */
        err = rig_open(&r);
        assert_true(err == 0 || err == -ENOMEM);
        assert_int_equal(r.transport.errors.unmappable, err != 0);
        assert_int_equal(r.bus.live_maps, err ? 1 : 5);
        r.bus.fail_map_at = 0;
        if (err) {
            assert_int_equal(pci_modern_open(&r.transport, &r.pci_dev), 0);
            virtio_init(&r.dev, &r.transport.transport, &r.hal.hal, "model");
        }
        assert_int_equal(rig_negotiate(&r, 0, 3, &plain), 0);
        finish(&r);
    } while (err);
    assert_int_equal(n, 6); /* four windows, then success */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(qemu_layout_opens),
        cmocka_unit_test(transitional_id_opens_too),
        cmocka_unit_test(doorbell_goes_to_its_place),
        cmocka_unit_test(shared_doorbell),
        cmocka_unit_test(enabled_queue_is_left_alone),
        cmocka_unit_test(ring_addresses_have_both_halves),
        cmocka_unit_test(msix_is_turned_off),
        cmocka_unit_test(first_acceptable_capability_wins),
        cmocka_unit_test(bent_capabilities_are_refused),
        cmocka_unit_test(looping_list_is_refused),
        cmocka_unit_test(capability_at_the_very_end),
        cmocka_unit_test(not_a_modern_device),
        cmocka_unit_test(another_vendor),
        cmocka_unit_test(capability_changes_after_the_check),
        cmocka_unit_test(doorbell_beyond_its_window),
        cmocka_unit_test(every_window_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
