// SPDX-License-Identifier: BSD-2-Clause
/* drivers/bus: configuration access by ECAM and ports, the scan, capabilities, bad claims. */
#include "tests/host/pci_rig.h"

/* ---- the scan ---- */

static void scan_finds_functions_behind_bridges(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 3; way++) { /* ECAM, ports, both */
        struct rig r;

        rig_init(&r, way != 1, way != 0);
        add(&r, 0, 0, 0, 0);
        add_bridge(&r, 0, 2, 1);
        add_bridge(&r, 1, 31, 7);
        add(&r, 7, 5, 0, 0x80);
        add(&r, 7, 5, 6, 0);
        add(&r, 0, 9, 3, 0); /* no function 0: the slot is empty */
        add(&r, 0, 31, 0, 0);
        add(&r, 0, 31, 1, 0); /* not announced as multi-function */
        assert_int_equal(open_host(&r, way != 1 ? PCI_MODEL_ECAM : 0, true), 0);
        assert_int_equal(r.host.has_ecam, way != 1);
        assert_int_equal(r.host.has_ports, way != 0);
        scan(&r);
        assert_int_equal(r.count, 6);
        assert_int_equal(r.found[4].bus, 7);
        assert_int_equal(r.found[4].device, 0x103);
        assert_int_equal(r.found[4].header_type, 0);
        assert_int_equal(r.found[5].fn, 6);
        assert_int_equal(r.host.errors.bus_loops, 0);
        rig_end(&r);
    }
}

static void scan_ends_where_the_visitor_says(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, true, false);
    for (uint8_t i = 0; i < 5; i++)
        add(&r, 0, i, 0, 0);
    assert_int_equal(open_host(&r, PCI_MODEL_ECAM, false), 0);
    r.stop_at = 3;
    assert_int_equal(pci_scan(&r.host, visit, &r), 42);
    assert_int_equal(r.count, 3);
    rig_end(&r);
}

static void bus_loops_end(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, true, false);
    add_bridge(&r, 0, 1, 1);
    add_bridge(&r, 0, 2, 1); /* the same bus again */
    add_bridge(&r, 1, 1, 1); /* itself */
    add_bridge(&r, 1, 2, 0); /* not set up: no lie */
    add_bridge(&r, 1, 3, 2);
    add_bridge(&r, 2, 0, 1); /* upwards */
    add_bridge(&r, 0, 3, 5);
    add_bridge(&r, 5, 0, 4); /* upwards, to a bus not seen yet */
    assert_int_equal(open_host(&r, PCI_MODEL_ECAM, false), 0);
    scan(&r);
    assert_int_equal(r.count, 8);
    assert_int_equal(r.host.errors.bus_loops, 4);
    rig_end(&r);
}

static int no_port(void *ctx, uint16_t first, uint16_t count, struct reg_io *out)
{
    (void)ctx;
    (void)first;
    (void)count;
    (void)out;
    return -ENOMEM;
}

static void no_pci_at_all(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, false, false);
    assert_int_equal(open_host(&r, 0, true), -ENODEV);
    assert_int_equal(open_host(&r, PCI_MODEL_ECAM, true), -ENODEV);
    rig_end(&r);
    rig_init(&r, false, true);
    r.bus.space.port = no_port; /* they cannot be had */
    assert_int_equal(open_host(&r, 0, true), -ENODEV);
    rig_end(&r);
}

static void ports_serve_where_ecam_does_not_answer(void **state)
{
    struct rig r;

    (void)state;
    for (unsigned way = 0; way < 2; way++) {
        rig_init(&r, way == 0, true);
        if (way == 0)
            r.bus.fail_map_at = 1; /* no room for the window */
        add(&r, 0, 3, 0, 0);
        assert_int_equal(open_host(&r, PCI_MODEL_ECAM, true), 0);
        assert_false(r.host.has_ecam);
        scan(&r);
        assert_int_equal(r.count, 1);
        rig_end(&r);
    }
}

/* Buses that the table does not name: by the ports, or nobody is there. */
static void ecam_serves_the_buses_it_was_told_only(void **state)
{
    (void)state;
    for (unsigned has_ports = 0; has_ports < 2; has_ports++) {
        struct rig r;

        rig_init(&r, true, has_ports);
        add(&r, 1, 0, 0, 0);
        add(&r, 0, 0, 0, 0);
        add(&r, 2, 0, 0, 0);
        assert_int_equal(
            pci_host_init(&r.host, &(struct pci_host_config){.space = &r.bus.space,
                                                             .ecam_base = PCI_MODEL_ECAM,
                                                             .ecam_first = 1,
                                                             .ecam_last = 1,
                                                             .use_ports = has_ports,
                                                             .log = r.hal.hal.log}),
            0);
        for (uint8_t bus = 0; bus < 3; bus++) {
            struct pci_dev dev = {.host = &r.host, .bus = bus};
            bool is_there = bus == 1 || has_ports;

            pci_cfg_write(&dev, PCI_INTERRUPT_LINE, 1, 7);
            assert_int_equal(pci_cfg_read(&dev, PCI_VENDOR_ID, 2),
                             is_there ? 0x1234 : 0xFFFF);
            assert_int_equal(pci_cfg_read(&dev, PCI_INTERRUPT_LINE, 1),
                             is_there ? 7 : 0xFF);
        }
        rig_end(&r);
    }
}

static void empty_ecam_is_given_back(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, true, false);
    assert_int_equal(open_host(&r, PCI_MODEL_ECAM, false), -ENODEV);
    assert_int_equal(r.bus.live_maps, 0);
    rig_end(&r);
}

static void lost_window_reads_as_absent(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, true, false);
    add(&r, 0, 0, 0, 0);
    add_bridge(&r, 0, 1, 1);
    add(&r, 1, 0, 0, 0);
    assert_int_equal(open_host(&r, PCI_MODEL_ECAM, false), 0);
    r.bus.fail_map_at = r.bus.maps + 1; /* when bus 1 is shown for the first time */
    scan(&r);
    assert_in_range(r.count, 2, 3);
    scan(&r); /* and the next try works */
    assert_int_equal(r.count, 3);
    rig_end(&r);
}

static void registers_have_their_width(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 2; way++) {
        struct rig r;
        struct pci_dev dev;

        rig_init(&r, way == 0, way == 1);
        pci_model_set(add(&r, 0, 4, 0, 0), 0x50, 4, 0x44332211);
        assert_int_equal(open_host(&r, way == 0 ? PCI_MODEL_ECAM : 0, true), 0);
        scan(&r);
        dev = r.found[0];
        assert_int_equal(pci_cfg_read(&dev, 0x50, 4), 0x44332211);
        assert_int_equal(pci_cfg_read(&dev, 0x52, 2), 0x4433);
        assert_int_equal(pci_cfg_read(&dev, 0x51, 1), 0x22);
        pci_cfg_write(&dev, 0x53, 1, 0x99);
        pci_cfg_write(&dev, 0x50, 2, 0x8877);
        assert_int_equal(pci_cfg_read(&dev, 0x50, 4), 0x99338877);
        dev.slot = 9;
        assert_int_equal(pci_cfg_read(&dev, 0x50, 1), 0xFF);
        assert_int_equal(pci_cfg_read(&dev, 0x50, 4), 0xFFFFFFFF);
        rig_end(&r);
    }
}

/* ---- capabilities ---- */

static void capabilities_are_found_in_order(void **state)
{
    struct rig r;
    struct pci_model_fn *f = cap_rig(&r);
    unsigned steps = 0;

    (void)state;
    pci_model_set(f, PCI_CAP_POINTER, 1, 0x93); /* the low two bits do not count */
    pci_model_set(f, 0x90, 2, 0x4009);
    pci_model_set(f, 0x40, 2, 0xF005);
    pci_model_set(f, 0xF0, 2, 0x0009);
    assert_int_equal(pci_cap_find(&r.found[0], 9, 0, &steps), 0x90);
    assert_int_equal(pci_cap_find(&r.found[0], 9, 0x90, &steps), 0xF0);
    assert_int_equal(pci_cap_find(&r.found[0], 9, 0xF0, &steps), 0);
    steps = 0;
    assert_int_equal(pci_cap_find(&r.found[0], 0x11, 0, &steps), 0);

    pci_model_set(f, PCI_STATUS, 2, 0);
    assert_int_equal(pci_cap_find(&r.found[0], 9, 0, &steps), 0);
    rig_end(&r);
}

static void capability_loops_end(void **state)
{
    static const uint16_t links[][3] = {
        {0x4009, 0x4009, 0x4009}, /* to itself */
        {0x5009, 0x4009, 0x4009}, /* in a circle, all of them wanted */
        {0x5007, 0x6007, 0x4007}, /* in a circle, none of them wanted */
    };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct rig r;
        struct pci_model_fn *f = cap_rig(&r);
        unsigned steps = 0, calls = 0;
        int pos = 0;

        pci_model_set(f, PCI_CAP_POINTER, 1, 0x40);
        for (unsigned j = 0; j < 3; j++)
            pci_model_set(f, 0x40 + 0x10 * j, 2, links[i][j]);
        while ((pos = pci_cap_find(&r.found[0], 9, pos, &steps)) > 0)
            assert_in_range(++calls, 1, 64);
        assert_int_equal(pos, -EPROTO);
        assert_int_equal(r.host.errors.cap_loops, 1);
        rig_end(&r);
    }
}

static void capability_inside_the_header(void **state)
{
    struct rig r;
    struct pci_model_fn *f = cap_rig(&r);
    unsigned steps = 0;

    (void)state;
    pci_model_set(f, PCI_CAP_POINTER, 1, 0x3C);
    assert_int_equal(pci_cap_find(&r.found[0], 9, 0, &steps), -EPROTO);
    assert_int_equal(r.host.errors.cap_bad_pointer, 1);
    rig_end(&r);
}

static void longest_honest_list_is_walked(void **state)
{
    struct rig r;
    struct pci_model_fn *f = cap_rig(&r);
    unsigned steps = 0;

    (void)state;
    pci_model_set(f, PCI_CAP_POINTER, 1, 0x40);
    for (unsigned at = 0x40; at < 0x100; at += 4)
        pci_model_set(f, at, 2,
                      (at == 0xFC ? 0x09 : 0x07) | (at == 0xFC ? 0 : (at + 4) << 8));
    assert_int_equal(pci_cap_find(&r.found[0], 9, 0, &steps), 0xFC);
    assert_int_equal(pci_cap_find(&r.found[0], 9, 0xFC, &steps), 0);
    rig_end(&r);
}

/* ---- the rest ---- */

static void command_bits(void **state)
{
    struct rig r;

    (void)state;
    cap_rig(&r);
    pci_enable(&r.found[0], PCI_CMD_MEMORY | PCI_CMD_BUS_MASTER);
    assert_int_equal(pci_cfg_read(&r.found[0], PCI_COMMAND, 2), 6);
    pci_disable(&r.found[0], PCI_CMD_BUS_MASTER);
    assert_int_equal(pci_cfg_read(&r.found[0], PCI_COMMAND, 2), 2);
    rig_end(&r);
}

static void interrupt_line(void **state)
{
    static const struct {
        uint16_t pin_line;
        int expect;
    } cases[] = {{0x010B, 11},      {0x0401, 1},       {0x000B, -ENODEV},
                 {0x0100, -ENODEV}, {0x01FF, -ENODEV}, {0x050B, -ENODEV},
                 {0xFFFF, -ENODEV}};
    struct rig r;
    struct pci_model_fn *f = cap_rig(&r);

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pci_model_set(f, PCI_INTERRUPT_LINE, 2, cases[i].pin_line);
        assert_int_equal(pci_intx_line(&r.found[0]), cases[i].expect);
    }
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_finds_functions_behind_bridges),
        cmocka_unit_test(scan_ends_where_the_visitor_says),
        cmocka_unit_test(bus_loops_end),
        cmocka_unit_test(no_pci_at_all),
        cmocka_unit_test(ports_serve_where_ecam_does_not_answer),
        cmocka_unit_test(ecam_serves_the_buses_it_was_told_only),
        cmocka_unit_test(empty_ecam_is_given_back),
        cmocka_unit_test(lost_window_reads_as_absent),
        cmocka_unit_test(registers_have_their_width),
        cmocka_unit_test(capabilities_are_found_in_order),
        cmocka_unit_test(capability_loops_end),
        cmocka_unit_test(capability_inside_the_header),
        cmocka_unit_test(longest_honest_list_is_walked),
        cmocka_unit_test(command_bits),
        cmocka_unit_test(interrupt_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
