// SPDX-License-Identifier: BSD-2-Clause
/* drivers/bus/pci_assign: windows, new BARs beside old ones, functions that lie. */
#include "tests/host/pci_assign_rig.h"

static void windows_of_a_bridge(void **state)
{
    struct rig r;
    struct pci_dev bridge;

    (void)state;
    rig_init(&r);
    struct pci_model_fn *f = add_bridge(&r, 1);
    bridge = dev_of(&r, f);
    pci_space_of_bridge(&bridge, &r.space);
    assert_true(r.space.window[PCI_WINDOW_IO].first > r.space.window[PCI_WINDOW_IO].last);
    assert_int_equal(r.space.window[PCI_WINDOW_MEM].first, 0xFE600000);
    assert_int_equal(r.space.window[PCI_WINDOW_MEM].last, 0xFE7FFFFF);
    assert_int_equal(r.space.window[PCI_WINDOW_PREF].first, 0xFEA00000);
    assert_int_equal(r.space.window[PCI_WINDOW_PREF].last, 0xFEBFFFFF);
    pci_model_set(f, PCI_IO_BASE, 2, 0xC1C1);
    pci_model_set(f, PCI_PREF_BASE_HIGH, 4, 0x80);
    pci_model_set(f, PCI_PREF_LIMIT_HIGH, 4, 0x81);
    pci_space_of_bridge(&bridge, &r.space);
    assert_int_equal(r.space.window[PCI_WINDOW_IO].first, 0xC000);
    assert_int_equal(r.space.window[PCI_WINDOW_IO].last, 0xCFFF);
    assert_int_equal(r.space.window[PCI_WINDOW_PREF].first, UINT64_C(0x80FEA00000));
    assert_int_equal(r.space.window[PCI_WINDOW_PREF].last, UINT64_C(0x81FEBFFFFF));
    rig_end(&r);
}

static void bars_get_places_of_their_kind(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    struct pci_dev bridge = dev_of(&r, add_bridge(&r, 1));
    struct pci_model_fn *f = add(&r, 1, 0, 0);
    struct pci_dev dev = dev_of(&r, f);

    want(f, 0, 1, 64);       /* I/O: there is no window */
    want(f, 1, 0, 0x1000);   /* 32 bits */
    want(f, 2, 8, 0x20000);  /* 32 bits, prefetchable */
    want(f, 4, 0xC, 0x4000); /* 64 bits, prefetchable */
    pci_enable(&dev, PCI_CMD_IO | PCI_CMD_MEMORY | PCI_CMD_BUS_MASTER);
    pci_space_of_bridge(&bridge, &r.space);
    assert_int_equal(pci_assign(&dev, &r.space), 0);
    assert_int_equal(bar_at(f, 0), 0);
    assert_int_equal(bar_at(f, 1), 0xFE7FF000);
    assert_int_equal(bar_at(f, 2), 0xFEBE0000);
    assert_int_equal(bar_at(f, 4), 0xFEBDC000); /* below the larger one */
    assert_int_equal(r.space.used_count, 3);
    assert_int_equal(pci_model_get(f, PCI_COMMAND, 2) & 3,
                     0); /* decoding is the driver's */

    /* It can be opened as any other now. */
    struct pci_bar bar;
    assert_int_equal(pci_bar_read(&dev, 4, &bar), 0);
    assert_true(bar.addr == 0xFEBDC000 && bar.size_bytes == 0x4000 &&
                bar.is_prefetchable);
    rig_end(&r);
}

static void memory_of_64_bits_goes_above_4_gib_only_if_it_can(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    struct pci_model_fn *f = add(&r, 0, 4, 0);
    struct pci_dev dev = dev_of(&r, f);

    r.space.window[PCI_WINDOW_MEM] =
        (struct pci_range){0xC0000000, UINT64_C(0x8FFFFFFFFF)};
    want(f, 0, 0, 0x1000);
    want(f, 2, 4, 0x1000);
    assert_int_equal(pci_assign(&dev, &r.space), 0);
    assert_int_equal(bar_at(f, 0), 0xFFFFF000);
    assert_int_equal(bar_at(f, 2), UINT64_C(0x8FFFFFF000));
    rig_end(&r);
}

static void prefetchable_memory_may_go_to_the_other_window(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    struct pci_model_fn *f = add(&r, 0, 4, 0);
    struct pci_dev dev = dev_of(&r, f);

    want(f, 0, 8, 0x1000);
    r.space.window[PCI_WINDOW_MEM] = (struct pci_range){0xE0000000, 0xE0FFFFFF};
    assert_int_equal(pci_assign(&dev, &r.space), 0);
    assert_int_equal(bar_at(f, 0), 0xE0FFF000);

    /* ... but not the other way round. */
    want(f, 0, 0, 0x1000);
    r.space.window[PCI_WINDOW_PREF] = r.space.window[PCI_WINDOW_MEM];
    r.space.window[PCI_WINDOW_MEM] = (struct pci_range){1, 0};
    assert_int_equal(pci_assign(&dev, &r.space), -ENOSPC);
    assert_int_equal(bar_at(f, 0), 0);
    rig_end(&r);
}

static void what_others_use_stays_theirs(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    struct pci_model_fn *vga = add(&r, 0, 2, 0), *net = add(&r, 0, 3, 0);
    struct pci_model_fn *f = add(&r, 0, 4, 0);
    struct pci_dev dev = dev_of(&r, f);

    add_bridge(&r, 5);
    pci_model_set(vga, PCI_BAR0, 4, 0xFD000008);
    pci_model_set(net, PCI_BAR0, 4, 0xFEBC0000);
    pci_model_set(net, PCI_BAR0 + 4, 4, 0xC041);
    pci_model_set(net, PCI_BAR0 + 8, 4, 0x0000000C);
    pci_model_set(net, PCI_BAR0 + 12, 4, 0xE0); /* 0xE0_0000_0000 */
    r.space.window[PCI_WINDOW_MEM] = (struct pci_range){0xFC000000, 0xFEBFFFFF};
    r.space.window[PCI_WINDOW_IO] = (struct pci_range){0xC000, 0xC07F};
    assert_int_equal(pci_space_use_bus(&r.space, &r.host, 0), 0);
    want(f, 0, 0, 0x400000);
    want(f, 1, 1, 32);
    want(f, 2, 0, 0x1000);
    assert_int_equal(pci_assign(&dev, &r.space), 0);
    /* Not in fea-feb (the bridge), fe6-fe7 (the bridge), fd (the display). */
    assert_int_equal(bar_at(f, 0), 0xFE000000);
    assert_int_equal(bar_at(f, 1),
                     0xC020); /* c040 is used, for all that its alignment allows */
    assert_int_equal(bar_at(f, 2), 0xFE9FF000);
    rig_end(&r);
}

static void further_functions_use_addresses_too(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    struct pci_model_fn *first = add(&r, 0, 2, 0x80), *last = add(&r, 0, 2, 0);
    struct pci_model_fn *f = add(&r, 0, 4, 0);
    struct pci_dev dev = dev_of(&r, f);

    last->fn = 7;
    pci_model_set(first, PCI_BAR0, 4, 0xFEBFF000);
    pci_model_set(last, PCI_BAR0, 4, 0xFEBFE000);
    r.space.window[PCI_WINDOW_MEM] = (struct pci_range){0xFEBF0000, 0xFEBFFFFF};
    assert_int_equal(pci_space_use_bus(&r.space, &r.host, 0), 0);
    want(f, 0, 0, 0x1000);
    assert_int_equal(pci_assign(&dev, &r.space), 0);
    assert_int_equal(bar_at(f, 0), 0xFEBFD000);
    rig_end(&r);
}

static void a_second_function_finds_what_the_first_left(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    r.space.window[PCI_WINDOW_MEM] = (struct pci_range){0xFE600000, 0xFE7FFFFF};
    for (uint8_t slot = 0; slot < 3; slot++) {
        struct pci_model_fn *f = add(&r, 0, slot, 0);
        struct pci_dev dev = dev_of(&r, f);

        want(f, 0, 0, 0x100000);
        assert_int_equal(pci_assign(&dev, &r.space), slot < 2 ? 0 : -ENOSPC);
        assert_int_equal(bar_at(f, 0), slot == 0   ? 0xFE700000
                                       : slot == 1 ? 0xFE600000
                                                   : 0);
    }
    rig_end(&r);
}

static void too_large_leaves_nothing_behind(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    struct pci_model_fn *f = add(&r, 0, 4, 0);
    struct pci_dev dev = dev_of(&r, f);

    r.space.window[PCI_WINDOW_MEM] = (struct pci_range){0xFE600000, 0xFE7FFFFF};
    want(f, 0, 0, 0x100000);
    want(f, 1, 0, 0x200000);
    assert_int_equal(pci_assign(&dev, &r.space), -ENOSPC);
    assert_int_equal(bar_at(f, 0), 0);
    assert_int_equal(bar_at(f, 1), 0);
    assert_int_equal(r.space.used_count, 0);
    want(f, 1, 4, BIT64(63)); /* half of all there is */
    assert_int_equal(pci_assign(&dev, &r.space), -ENOSPC);
    want(f, 1, 0, 0);
    assert_int_equal(pci_assign(&dev, &r.space), 0); /* the next try works */
    rig_end(&r);
}

static void low_addresses_are_never_given(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    struct pci_model_fn *f = add(&r, 0, 4, 0);
    struct pci_dev dev = dev_of(&r, f);

    /* A bridge nobody set up forwards "everything from 0". */
    r.space.window[PCI_WINDOW_MEM] = (struct pci_range){0, 0xFFFFF};
    r.space.window[PCI_WINDOW_IO] = (struct pci_range){0, 0xFFF};
    want(f, 0, 0, 0x1000);
    want(f, 1, 1, 16);
    assert_int_equal(pci_assign(&dev, &r.space), -ENOSPC);
    f->bar_size[0] = 0;
    assert_int_equal(pci_assign(&dev, &r.space), 0);
    assert_int_equal(bar_at(f, 1), 0);
    rig_end(&r);
}

static void a_bridge_is_refused(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    struct pci_dev dev = dev_of(&r, add_bridge(&r, 1));

    assert_int_equal(pci_assign(&dev, &r.space), -ENOTSUP);
    rig_end(&r);
}

/* ---- lies ---- */

static uint32_t holey(void *ctx, unsigned offset, unsigned width, uint32_t honest)
{
    (void)ctx;
    return offset == PCI_BAR0 && width == 4 && honest == 0xFFFFF000 ? 0xFF0FF000 : honest;
}

static uint32_t forgetful(void *ctx, unsigned offset, unsigned width, uint32_t honest)
{
    (void)ctx;
    return offset == PCI_BAR0 && width == 4 && honest != 0xFFFFF000 ? 0xDEAD0000 : honest;
}

static void lies_about_sizes_and_addresses(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    struct pci_model_fn *f = add(&r, 0, 4, 0);
    struct pci_dev dev = dev_of(&r, f);

    r.space.window[PCI_WINDOW_MEM] = (struct pci_range){0xFE600000, 0xFE7FFFFF};
    want(f, 0, 0, 0x1000);
    f->cfg_twist = holey;
    assert_int_equal(pci_assign(&dev, &r.space), -EPROTO);
    assert_int_equal(r.host.errors.bar_bad_size, 1);
    f->cfg_twist = forgetful;
    assert_int_equal(pci_assign(&dev, &r.space), -EPROTO);
    assert_int_equal(r.host.errors.bar_unwilling, 1);
    assert_int_equal(r.space.used_count, 0);
    f->cfg_twist = NULL;
    want(f, 0, 6, 0x1000); /* a reserved type */
    assert_int_equal(pci_assign(&dev, &r.space), -EPROTO);
    want(f, 0, 0, 0);
    want(f, 5, 4, 0x1000); /* 64 bits, nothing follows */
    assert_int_equal(pci_assign(&dev, &r.space), -EPROTO);
    assert_int_equal(r.host.errors.bar_bad_kind, 2);
    rig_end(&r);
}

static void a_bus_that_claims_everything(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    struct pci_model_fn *liar = add(&r, 0, 2, 0), *f = add(&r, 0, 4, 0);
    struct pci_dev dev = dev_of(&r, f);

    pci_model_set(liar, PCI_BAR0, 4, 4);
    pci_model_set(liar, PCI_BAR0 + 4, 4, 0x80000000); /* bit 63: from there to the end */
    pci_model_set(liar, PCI_BAR0 + 8, 4, 0x80000000); /* the upper 2 GiB */
    r.space.window[PCI_WINDOW_MEM] = (struct pci_range){0x80000000, UINT64_MAX};
    assert_int_equal(pci_space_use_bus(&r.space, &r.host, 0), 0);
    want(f, 0, 0, 0x1000);
    assert_int_equal(pci_assign(&dev, &r.space), -ENOSPC);
    want(f, 0, 4, 0x1000);
    assert_int_equal(pci_assign(&dev, &r.space), 0);
    assert_int_equal(bar_at(f, 0), BIT64(52) - 0x1000);

    while (r.space.used_count < PCI_USED_MAX)
        assert_int_equal(pci_space_use(&r.space, (struct pci_range){5, 6}, false), 0);
    assert_int_equal(pci_space_use(&r.space, (struct pci_range){5, 6}, false), -ENOSPC);
    assert_int_equal(pci_space_use(&r.space, (struct pci_range){6, 5}, false), 0);
    assert_int_equal(pci_space_use_bus(&r.space, &r.host, 0), -ENOSPC);
    rig_end(&r);
}

/* ---- many, by chance ---- */

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* There is a place for 128 ranges: a bus with more is not used at all. */
static void a_bus_with_too_many_ranges_is_refused(void **state)
{
    struct rig r;

    (void)state;
    for (unsigned left = 0; left < 2; left++) { /* the bridge has two windows */
        rig_init(&r);
        add_bridge(&r, 5);
        r.space.used_count = PCI_USED_MAX - left;
        assert_int_equal(pci_space_use_bus(&r.space, &r.host, 0), -ENOSPC);
        assert_int_equal(r.space.used_count, PCI_USED_MAX);
        rig_end(&r);
    }
}

static void no_two_bars_overlap(void **state)
{
    const char *given = getenv("TEST_SEED");
    uint64_t start = (given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL)) | 1,
             seed = start;

    (void)state;
    print_message("TEST_SEED=%llu\n", (unsigned long long)start);
    for (unsigned round = 0; round < 200; round++) {
        struct rig r;
        struct pci_range got[12 * 6];
        unsigned count = 0;

        rig_init(&r);
        r.space.window[PCI_WINDOW_MEM] = (struct pci_range){0xFE000000, 0xFE3FFFFF};
        r.space.window[PCI_WINDOW_PREF] = (struct pci_range){0xFE800000, 0xFE8FFFFF};
        for (uint8_t slot = 0; slot < 12; slot++) {
            struct pci_model_fn *f = add(&r, 0, slot, 0);
            struct pci_dev dev = dev_of(&r, f);

            for (unsigned bar = 0; bar < 6; bar++)
                want(f, bar, next_random(&seed) & 1 ? 8 : 0,
                     next_random(&seed) % 3 ? BIT64(12 + next_random(&seed) % 9) : 0);
            if (pci_assign(&dev, &r.space) != 0)
                continue;
            for (unsigned bar = 0; bar < 6; bar++) {
                struct pci_range mine = {bar_at(f, bar),
                                         bar_at(f, bar) + f->bar_size[bar] - 1};

                if (f->bar_size[bar] == 0)
                    continue;
                assert_int_equal(mine.first % f->bar_size[bar], 0);
                assert_true((mine.first >= 0xFE000000 && mine.last <= 0xFE3FFFFF) ||
                            (mine.first >= 0xFE800000 && mine.last <= 0xFE8FFFFF));
                for (unsigned i = 0; i < count; i++)
                    assert_true(mine.last < got[i].first || mine.first > got[i].last);
                got[count++] = mine;
            }
        }
        assert_in_range(count, 1, 72);
        rig_end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_of_a_bridge),
        cmocka_unit_test(bars_get_places_of_their_kind),
        cmocka_unit_test(memory_of_64_bits_goes_above_4_gib_only_if_it_can),
        cmocka_unit_test(prefetchable_memory_may_go_to_the_other_window),
        cmocka_unit_test(what_others_use_stays_theirs),
        cmocka_unit_test(further_functions_use_addresses_too),
        cmocka_unit_test(a_second_function_finds_what_the_first_left),
        cmocka_unit_test(too_large_leaves_nothing_behind),
        cmocka_unit_test(low_addresses_are_never_given),
        cmocka_unit_test(a_bridge_is_refused),
        cmocka_unit_test(lies_about_sizes_and_addresses),
        cmocka_unit_test(a_bus_that_claims_everything),
        cmocka_unit_test(a_bus_with_too_many_ranges_is_refused),
        cmocka_unit_test(no_two_bars_overlap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
