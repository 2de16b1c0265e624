// SPDX-License-Identifier: BSD-2-Clause
/* drivers/bus: BARs, measured and mapped, and claims that cannot be. */
#include "tests/host/pci_rig.h"

static void set_bar(struct pci_model_fn *f, unsigned bar, uint64_t value, uint64_t size)
{
    pci_model_set(f, PCI_BAR0 + 4 * bar, 4, (uint32_t)value);
    if ((value & 7) == 4 && bar < 5)
        pci_model_set(f, PCI_BAR0 + 4 * bar + 4, 4, (uint32_t)(value >> 32));
    f->bar_size[bar] = size;
}

static void bars_are_measured(void **state)
{
    struct rig r;
    struct pci_model_fn *f = cap_rig(&r);
    struct pci_dev *dev = &r.found[0];
    struct pci_bar bar;

    (void)state;
    set_bar(f, 0, 0xC000 | 1, 64);
    set_bar(f, 1, 0xFEB00000, 4096);
    set_bar(f, 2, UINT64_C(0xE000004000) | 0xC, 0x4000);
    set_bar(f, 4, (UINT64_C(1) << 40) | 4, UINT64_C(1) << 33);
    pci_enable(dev, PCI_CMD_IO | PCI_CMD_MEMORY | PCI_CMD_BUS_MASTER);

    assert_int_equal(pci_bar_read(dev, 0, &bar), 0);
    assert_true(bar.is_io && bar.addr == 0xC000 && bar.size_bytes == 64);
    assert_int_equal(pci_bar_read(dev, 1, &bar), 0);
    assert_true(!bar.is_io && !bar.is_64 && bar.addr == 0xFEB00000 &&
                bar.size_bytes == 4096);
    assert_int_equal(pci_bar_read(dev, 2, &bar), 0);
    assert_true(bar.is_64 && bar.addr == UINT64_C(0xE000004000) &&
                bar.size_bytes == 0x4000);
    assert_int_equal(pci_bar_read(dev, 4, &bar), 0);
    assert_true(bar.addr == UINT64_C(1) << 40 && bar.size_bytes == UINT64_C(1) << 33);

    /* All registers are as before, and decoding was off during each probe (rig_end() checks). */
    assert_int_equal(pci_cfg_read(dev, PCI_COMMAND, 2), 7);
    assert_int_equal(pci_cfg_read(dev, PCI_BAR0 + 8, 4), 0x400C);
    assert_int_equal(pci_cfg_read(dev, PCI_BAR0 + 12, 4), 0xE0);
    rig_end(&r);
}

static void absent_bars(void **state)
{
    struct rig r;
    struct pci_model_fn *f = cap_rig(&r);
    struct pci_bar bar;

    (void)state;
    assert_int_equal(pci_bar_read(&r.found[0], 0, &bar), -ENODEV); /* not implemented */
    set_bar(f, 1, 0, 4096);
    assert_int_equal(pci_bar_read(&r.found[0], 1, &bar), -ENODEV); /* not assigned */
    assert_int_equal(pci_bar_read(&r.found[0], 6, &bar), -ENODEV);
    rig_end(&r);
}

static void absurd_bars(void **state)
{
    struct rig r;
    struct pci_model_fn *f = cap_rig(&r);
    struct pci_dev *dev = &r.found[0];
    struct pci_errors *e = &r.host.errors;
    struct pci_bar bar;

    (void)state;
    set_bar(f, 0, UINT64_C(0xE000004000) | 4, 0x4000);
    assert_int_equal(pci_bar_read(dev, 1, &bar), -EPROTO); /* an upper half */
    set_bar(f, 5, 4, 0x1000);
    assert_int_equal(pci_bar_read(dev, 5, &bar), -EPROTO); /* 64 bits, nothing follows */
    set_bar(f, 2, 0xFEB00006, 0x1000);
    assert_int_equal(pci_bar_read(dev, 2, &bar), -EPROTO); /* reserved type */
    assert_int_equal(e->bar_bad_kind, 3);

    f->bar_size[2] = 0;
    pci_model_set(f, PCI_BAR0 + 8, 4, 0);
    set_bar(f, 2, 0xFEB00800, 0x1000);
    assert_int_equal(pci_bar_read(dev, 2, &bar), -EPROTO); /* not aligned to its size */
    set_bar(f, 0, (UINT64_C(1) << 52) | 4, 0x4000);
    assert_int_equal(pci_bar_read(dev, 0, &bar), -EPROTO); /* beyond 52 bits */
    set_bar(f, 3, 0xFFF1, 0x10);
    assert_int_equal(pci_bar_read(dev, 3, &bar), 0); /* the last ports */
    assert_int_equal(e->bar_bad_address, 2);
    rig_end(&r);
}

/* The size mask has holes: the device is no PCI device. */
static uint32_t holey(void *ctx, unsigned offset, unsigned width, uint32_t honest)
{
    (void)ctx;
    return offset == PCI_BAR0 && width == 4 && honest == 0xFFFFF000 ? 0xFF0FF000 : honest;
}

static void size_mask_with_holes(void **state)
{
    struct rig r;
    struct pci_model_fn *f = cap_rig(&r);
    struct pci_bar bar;

    (void)state;
    set_bar(f, 0, 0xFEB00000, 0x1000);
    f->cfg_twist = holey;
    assert_int_equal(pci_bar_read(&r.found[0], 0, &bar), -EPROTO);
    assert_int_equal(r.host.errors.bar_bad_size, 1);
    rig_end(&r);
}

static void windows_stay_inside_the_bar(void **state)
{
    struct rig r;
    struct pci_model_fn *f = cap_rig(&r);
    struct pci_dev *dev = &r.found[0];
    struct reg_io window;
    struct pci_bar bar;

    (void)state;
    set_bar(f, 0, 0xFEB00000, 0x1000);
    assert_int_equal(pci_bar_read(dev, 0, &bar), 0);
    assert_int_equal(pci_bar_map(dev, &bar, 0, 0, &window), -EINVAL);
    assert_int_equal(pci_bar_map(dev, &bar, 0, 0x1001, &window), -EINVAL);
    assert_int_equal(pci_bar_map(dev, &bar, 0x1000, 1, &window), -EINVAL);
    assert_int_equal(pci_bar_map(dev, &bar, UINT64_MAX, 2, &window), -EINVAL);
    assert_int_equal(pci_bar_map(dev, &bar, 2, UINT64_MAX, &window), -EINVAL);
    assert_int_equal(r.host.errors.bar_no_window, 0);
    assert_int_equal(pci_bar_map(dev, &bar, 0xFFE, 2, &window), 0);
    pci_bar_unmap(dev, &window);
    r.bus.fail_map_at = r.bus.maps + 1;
    assert_int_equal(pci_bar_map(dev, &bar, 0, 16, &window), -ENOMEM);
    assert_int_equal(r.host.errors.bar_no_window, 1);
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bars_are_measured),
        cmocka_unit_test(absent_bars),
        cmocka_unit_test(absurd_bars),
        cmocka_unit_test(size_mask_with_holes),
        cmocka_unit_test(windows_stay_inside_the_bar),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
