// SPDX-License-Identifier: BSD-2-Clause
/* MSI-X (R-T-16): entries, the switch, and tables that cannot be (R-H-08). */
#include "drivers/bus/msix.h"
#include "tests/host/virtio_life.h"

#define ADDRESS UINT64_C(0x1FEE01000)

static void begin(struct virtio_rig *r, unsigned entries)
{
    rig_init(r, RIG_FEATURES);
    virtio_pci_model_add_msix(&r->pci, entries);
    assert_int_equal(rig_open(r), 0);
}

static void entries_are_filled_and_fire(void **state)
{
    struct virtio_rig r;
    struct msix mx;

    (void)state;
    begin(&r, 3);
    pci_model_set(&r.pci.fn, PCI_COMMAND, 2, 0);
    assert_int_equal(msix_open(&mx, &r.pci_dev), 0);
    assert_int_equal(mx.entries, 3);
    assert_false(msix_is_enabled(&r.pci_dev));
    assert_int_equal(msix_set(&mx, 1, ADDRESS, 0x4031), 0);
    assert_int_equal(msix_set(&mx, 3, ADDRESS, 1), -EINVAL);
    assert_int_equal(msix_set(&mx, 0, ADDRESS + 2, 1), -EINVAL);
    assert_int_equal(msix_enable(&mx), 0);
    assert_true(msix_is_enabled(&r.pci_dev));
    assert_true(pci_model_get(&r.pci.fn, PCI_COMMAND, 2) & PCI_CMD_INTX_DISABLE);
    assert_int_equal(r.pci.msix[1].word[0], (uint32_t)ADDRESS);
    assert_int_equal(r.pci.msix[1].word[1], 1);
    assert_int_equal(r.pci.msix[1].word[2], 0x4031);
    assert_int_equal(r.pci.msix[1].word[3], 0);
    assert_int_equal(r.pci.msix[0].word[3], 1); /* not set: masked */

    virtio_use_vectors(&r.dev, (struct virtio_vectors){.is_msix = true, .config = 1});
    go_live(&r);
    virtio_model_set_config(&r.model, 0, 1);
    assert_int_equal(r.pci.fired, BIT64(1));
    msix_mask(&mx, 3); /* there is none */
    msix_mask(&mx, 1);
    r.pci.fired = 0;
    virtio_model_set_config(&r.model, 0, 2);
    assert_int_equal(r.pci.fired, 0);
    assert_int_equal(msix_set(&mx, 1, ADDRESS, 0x4032), 0);
    assert_int_equal(r.pci.fired, BIT64(1)); /* what was pending */

    assert_int_equal(virtio_reset(&r.dev), 0);
    msix_close(&mx);
    assert_false(msix_is_enabled(&r.pci_dev));
    assert_int_equal(r.pci.msix[1].word[3], 1);
    assert_false(pci_model_get(&r.pci.fn, PCI_COMMAND, 2) & PCI_CMD_INTX_DISABLE);
    msix_close(&mx); /* once more does nothing */
    finish(&r);
}

static void a_function_without_it(void **state)
{
    struct virtio_rig r;
    struct msix mx;

    (void)state;
    rig_init(&r, RIG_FEATURES);
    assert_int_equal(rig_open(&r), 0);
    assert_int_equal(msix_open(&mx, &r.pci_dev), -ENODEV);
    assert_false(msix_is_enabled(&r.pci_dev));
    msix_disable(&r.pci_dev);
    msix_close(&mx);
    finish(&r);
}

static void a_large_table_is_used_in_part(void **state)
{
    struct virtio_rig r;
    struct msix mx;

    (void)state;
    begin(&r, VPM_MSIX_ENTRIES);
    assert_int_equal(msix_open(&mx, &r.pci_dev), 0);
    assert_int_equal(mx.entries, MSIX_ENTRIES);
    assert_int_equal(mx.table.size_bytes, MSIX_ENTRIES * 16);
    msix_close(&mx);
    finish(&r);
}

/* The pending bits may lie before the table. */
static void a_table_behind_the_pending_bits(void **state)
{
    struct virtio_rig r;
    struct msix mx;

    (void)state;
    begin(&r, 4);
    r.pci.msix_at = 0x100;
    pci_model_set(&r.pci.fn, VPM_CAP_MSIX + 4, 4, 0x100 | 1);
    pci_model_set(&r.pci.fn, VPM_CAP_MSIX + 8, 4, 0 | 1);
    assert_int_equal(msix_open(&mx, &r.pci_dev), 0);
    assert_int_equal(mx.entries, 4);
    msix_close(&mx);
    finish(&r);
}

static void bent_tables_are_refused(void **state)
{
    static const struct {
        unsigned at, width;
        uint32_t value;
        size_t counter;
    } bends[] = {
        {4, 4, 6, offsetof(struct msix_errors, bar_index)},
        {4, 4, 7, offsetof(struct msix_errors, bar_index)},
        {8, 4, VPM_MSIX_PBA | 7, offsetof(struct msix_errors, bar_index)},
        {4, 4, 0, offsetof(struct msix_errors, bar_kind)}, /* I/O */
        {4, 4, 2, offsetof(struct msix_errors, bar_kind)}, /* not there */
        {8, 4, 5, offsetof(struct msix_errors, bar_kind)}, /* upper half of BAR 4 */
        {4, 4, 0xFF8 | 1, offsetof(struct msix_errors, out_of_bar)},
        {4, 4, 0xFFFFFFF8 | 1, offsetof(struct msix_errors, out_of_bar)},
        {8, 4, 0x1000 | 1, offsetof(struct msix_errors, out_of_bar)},
        {2, 2, 2047, offsetof(struct msix_errors, out_of_bar)}, /* 32 KiB in 4 */
        {8, 4, 8 | 1, offsetof(struct msix_errors, overlap)},
        {8, 4, 1, offsetof(struct msix_errors, overlap)},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(bends); i++) {
        struct virtio_rig r;
        struct msix mx;

        begin(&r, 4);
        pci_model_set(&r.pci.fn, VPM_CAP_MSIX + bends[i].at, bends[i].width,
                      bends[i].value);
        assert_int_equal(msix_open(&mx, &r.pci_dev), -EPROTO);
        assert_int_equal(*(uint64_t *)((char *)&mx.errors + bends[i].counter), 1);
        assert_int_equal(mx.entries, 0);
        assert_int_equal(r.bus.live_maps, 5); /* ECAM and the four virtio windows */
        msix_close(&mx);
        finish(&r);
    }
}

static void a_capability_at_the_very_end(void **state)
{
    struct virtio_rig r;
    struct msix mx;

    (void)state;
    begin(&r, 4);
    pci_model_set(&r.pci.fn, PCI_CAP_POINTER, 1, 0xF8);
    pci_model_set(&r.pci.fn, 0xF8, 2, 0x11);
    assert_int_equal(msix_open(&mx, &r.pci_dev), -EPROTO);
    assert_int_equal(mx.errors.cap_short, 1);
    finish(&r);
}

static void the_window_may_fail(void **state)
{
    struct virtio_rig r;
    struct msix mx;

    (void)state;
    begin(&r, 4);
    r.bus.fail_map_at = r.bus.maps + 1;
    assert_int_equal(msix_open(&mx, &r.pci_dev), -ENOMEM);
    assert_int_equal(mx.entries, 0);
    finish(&r);
}

static void an_entry_that_does_not_keep_its_words(void **state)
{
    struct virtio_rig r;
    struct msix mx;

    (void)state;
    for (unsigned word = 0; word < 4; word++) {
        begin(&r, 4);
        assert_int_equal(msix_open(&mx, &r.pci_dev), 0);
        r.pci.msix_flip[word] = 1;
        assert_int_equal(msix_set(&mx, 2, ADDRESS, 0x31), -EIO);
        assert_int_equal(mx.errors.not_taken, 1);
        assert_int_equal(r.pci.msix[2].word[3], 1);
        msix_close(&mx);
        finish(&r);
    }
}

/* The enable bit never reads back. */
static uint32_t hide_enable(void *ctx, unsigned offset, unsigned width, uint32_t honest)
{
    (void)ctx;
    (void)width;
    return offset == VPM_CAP_MSIX + 2 ? honest & 0x7FFF : honest;
}

static void a_function_that_does_not_switch(void **state)
{
    struct virtio_rig r;
    struct msix mx;

    (void)state;
    begin(&r, 4);
    assert_int_equal(msix_open(&mx, &r.pci_dev), 0);
    r.pci.fn.cfg_twist = hide_enable;
    assert_int_equal(msix_enable(&mx), -EIO);
    assert_int_equal(mx.errors.not_taken, 1);
    assert_false(pci_model_get(&r.pci.fn, PCI_COMMAND, 2) & PCI_CMD_INTX_DISABLE);
    msix_close(&mx);
    finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_filled_and_fire),
        cmocka_unit_test(a_function_without_it),
        cmocka_unit_test(a_large_table_is_used_in_part),
        cmocka_unit_test(a_table_behind_the_pending_bits),
        cmocka_unit_test(bent_tables_are_refused),
        cmocka_unit_test(a_capability_at_the_very_end),
        cmocka_unit_test(the_window_may_fail),
        cmocka_unit_test(an_entry_that_does_not_keep_its_words),
        cmocka_unit_test(a_function_that_does_not_switch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
