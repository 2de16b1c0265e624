// SPDX-License-Identifier: BSD-2-Clause
/* drivers/bus/hotplug_pcie: which ports have a slot, the way of a device out and in, ports that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/err.h"
#include "drivers/bus/hotplug_pcie.h"
#include "tests/model/hal_model.h"
#include "tests/model/hotplug_port.h"

#define INDICATOR(control) ((control) >> 8 & 3)
#define ON                 1u
#define BLINKS             2u
#define OFF                3u

struct rig {
    struct hal_model hal;
    struct pci_model bus;
    struct port_model model;
    struct pci_host host;
    struct pci_dev port;
    struct pcie_slot slot;
    uint64_t now;
};

static void rig_init(struct rig *r, bool has_device)
{
    bool multi;

    memset(r, 0, sizeof(*r));
    hal_model_init(&r->hal);
    pci_model_init(&r->bus, false, true);
    port_model_init(&r->model, &r->bus, 1, 1, has_device);
    assert_int_equal(
        pci_host_init(&r->host, &(struct pci_host_config){.space = &r->bus.space,
                                                          .use_ports = true,
                                                          .log = r->hal.hal.log}),
        0);
    r->port = (struct pci_dev){.host = &r->host, .slot = 1};
    assert_true(pci_identify(&r->port, &multi));
}

static void rig_open(struct rig *r, bool has_device)
{
    rig_init(r, has_device);
    assert_int_equal(pcie_slot_open(&r->slot, &r->port), 0);
    assert_int_equal(r->slot.state, has_device ? PCIE_SLOT_USED : PCIE_SLOT_EMPTY);
}

static enum pcie_slot_event step(struct rig *r)
{
    r->now += 200 * NS_PER_MS;
    return pcie_slot_step(&r->slot, r->now);
}

static void rig_end(struct rig *r)
{
    pci_host_fini(&r->host);
    assert_int_equal(hal_model_end(&r->hal), 0);
}

static unsigned indicator(const struct rig *r)
{
    return INDICATOR(port_model_get(&r->model, 0x18, 2));
}

/* ---- which ports ---- */

static void ports_without_a_slot_are_left_alone(void **state)
{
    static const struct {
        unsigned at, width;
        uint32_t value;
        int err;
    } changes[] = {
        {0x0E, 1, 0, -ENODEV},                     /* no bridge */
        {PORT_MODEL_CAP, 1, 0x11, -ENODEV},        /* not PCI Express */
        {PORT_MODEL_CAP + 2, 2, 0x42, -ENODEV},    /* no slot */
        {PORT_MODEL_CAP + 2, 2, 0x152, -ENODEV},   /* an upstream port */
        {PORT_MODEL_CAP + 0x14, 4, 0x3B, -ENODEV}, /* not hot-pluggable */
        {0x19, 1, 0, -ENODEV},                     /* firmware gave it no bus */
        {0x34, 1, 0xF4, -ENODEV},             /* the capability would leave the space */
        {PORT_MODEL_CAP, 2, 0x5405, -EPROTO}, /* a loop */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(changes); i++) {
        struct rig r;
        bool multi;

        rig_init(&r, true);
        pci_model_set(&r.model.port, 0xF4, 4, 0x01420010);
        pci_model_set(&r.model.port, changes[i].at, changes[i].width, changes[i].value);
        assert_true(pci_identify(&r.port, &multi));
        assert_int_equal(pcie_slot_open(&r.slot, &r.port), changes[i].err);
        rig_end(&r);
    }
}

static void a_port_of_a_switch_has_a_slot_too(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, true);
    pci_model_set(&r.model.port, PORT_MODEL_CAP + 2, 2, 0x162); /* downstream */
    assert_int_equal(pcie_slot_open(&r.slot, &r.port), 0);
    assert_int_equal(r.slot.state, PCIE_SLOT_USED);
    rig_end(&r);
}

/* ---- out and in ---- */

static void a_device_goes_and_comes_back(void **state)
{
    struct rig r;

    (void)state;
    rig_open(&r, true);
    for (unsigned cycle = 0; cycle < 5; cycle++) {
        r.model.in_use = true;
        assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
        port_model_ask(&r.model);
        assert_int_equal(step(&r), PCIE_SLOT_GOES);
        assert_int_equal(indicator(&r), BLINKS);
        assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
        port_model_ask(&r.model); /* impatience */
        assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
        assert_int_equal(r.model.ejects, cycle);

        r.model.in_use = false;
        pcie_slot_eject(&r.slot);
        assert_int_equal(r.model.ejects, cycle + 1);
        assert_int_equal(r.model.early_ejects, 0);
        assert_true(r.model.device.is_absent);
        assert_int_equal(indicator(&r), OFF);
        assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
        assert_int_equal(step(&r), PCIE_SLOT_NOTHING);

        port_model_plug(&r.model);
        assert_true(r.model.device.is_absent); /* no power */
        assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
        assert_int_equal(indicator(&r), BLINKS);
        assert_int_equal(step(&r), PCIE_SLOT_CAME);
        assert_int_equal(indicator(&r), ON);
        assert_int_equal(r.slot.bus, 1);
    }
    assert_int_equal(r.slot.errors.no_answer + r.slot.errors.exchanged, 0);
    rig_end(&r);
}

static void plugged_at_once_behind_the_eject(void **state)
{
    struct rig r;

    (void)state;
    rig_open(&r, true);
    port_model_ask(&r.model);
    assert_int_equal(step(&r), PCIE_SLOT_GOES);
    pcie_slot_eject(&r.slot);
    port_model_plug(&r.model); /* before we look again */
    assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
    assert_int_equal(step(&r), PCIE_SLOT_CAME);
    rig_end(&r);
}

static void a_wish_from_before_we_came_holds(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, true);
    port_model_ask(&r.model);
    assert_int_equal(pcie_slot_open(&r.slot, &r.port), 0);
    assert_int_equal(step(&r), PCIE_SLOT_GOES);
    rig_end(&r);

    rig_init(&r, false);
    port_model_plug(&r.model);
    assert_int_equal(pcie_slot_open(&r.slot, &r.port), 0);
    assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
    assert_int_equal(step(&r), PCIE_SLOT_CAME);
    rig_end(&r);
}

static void a_card_that_stays_is_not_turned_on_again(void **state)
{
    struct rig r;

    (void)state;
    rig_open(&r, true);
    r.model.stays = true;
    port_model_ask(&r.model);
    assert_int_equal(step(&r), PCIE_SLOT_GOES);
    pcie_slot_eject(&r.slot);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
    assert_true(r.model.device.is_absent); /* powered off */
    port_model_ask(&r.model);              /* its button */
    assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
    assert_int_equal(step(&r), PCIE_SLOT_CAME);
    rig_end(&r);
}

static void a_slot_without_power_control(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, true);
    pci_model_set(&r.model.port, PORT_MODEL_CAP + 0x14, 4, 0xA0079);
    r.model.no_power_control = true;
    assert_int_equal(pcie_slot_open(&r.slot, &r.port), 0);
    port_model_ask(&r.model);
    assert_int_equal(step(&r), PCIE_SLOT_GOES);
    pcie_slot_eject(&r.slot);
    assert_int_equal(r.slot.state, PCIE_SLOT_EMPTY);
    assert_int_equal(port_model_get(&r.model, 0x18, 2) & BIT32(10), 0); /* not ours */
    rig_end(&r);
}

/* ---- surprises ---- */

static void torn_out_in_any_state(void **state)
{
    struct rig r;

    (void)state;
    for (unsigned is_leaving = 0; is_leaving < 2; is_leaving++) {
        rig_open(&r, true);
        if (is_leaving) {
            port_model_ask(&r.model);
            assert_int_equal(step(&r), PCIE_SLOT_GOES);
        }
        port_model_tear(&r.model);
        assert_int_equal(step(&r), PCIE_SLOT_LOST);
        assert_int_equal(r.slot.state, PCIE_SLOT_EMPTY);
        assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
        pcie_slot_eject(&r.slot); /* comes late: nothing happens */
        assert_int_equal(r.model.ejects, 0);
        port_model_plug(&r.model);
        assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
        assert_int_equal(step(&r), PCIE_SLOT_CAME);
        rig_end(&r);
    }
}

static void torn_out_before_it_answered(void **state)
{
    struct rig r;

    (void)state;
    rig_open(&r, false);
    port_model_plug(&r.model);
    assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
    port_model_tear(&r.model);
    assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
    assert_int_equal(r.slot.state, PCIE_SLOT_EMPTY);
    rig_end(&r);
}

static void exchanged_between_two_looks(void **state)
{
    struct rig r;

    (void)state;
    rig_open(&r, true);
    port_model_tear(&r.model);
    port_model_plug(&r.model);
    assert_int_equal(step(&r), PCIE_SLOT_LOST);
    assert_int_equal(r.slot.errors.exchanged, 1);
    assert_int_equal(step(&r), PCIE_SLOT_CAME);
    rig_end(&r);
}

static void a_function_that_falls_silent_is_lost(void **state)
{
    struct rig r;
    unsigned steps = 0;

    (void)state;
    rig_open(&r, true);
    r.model.device.is_absent = true; /* until the port is written to */
    assert_int_equal(step(&r), PCIE_SLOT_LOST);
    assert_int_equal(step(&r), PCIE_SLOT_CAME);

    r.model.device.is_absent = r.model.is_mute = true;
    assert_int_equal(step(&r), PCIE_SLOT_LOST);
    while (step(&r) == PCIE_SLOT_NOTHING)
        assert_in_range(++steps, 1, 6);
    assert_int_equal(r.slot.errors.no_answer, 1); /* given up a second later */
    assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
    rig_end(&r);
}

static void the_port_vanishes(void **state)
{
    struct rig r;

    (void)state;
    for (unsigned way = 0; way < 3; way++) { /* empty, used, about to be ejected */
        bool has_device = way > 0;

        rig_open(&r, has_device);
        if (way == 2) {
            port_model_ask(&r.model);
            assert_int_equal(step(&r), PCIE_SLOT_GOES);
        }
        r.model.port.is_absent = true;
        assert_int_equal(step(&r), has_device ? PCIE_SLOT_LOST : PCIE_SLOT_NOTHING);
        assert_int_equal(r.slot.errors.port_lost, 1);
        assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
        pcie_slot_eject(&r.slot);
        assert_int_equal(r.slot.state, PCIE_SLOT_DEAD);
        rig_end(&r);
    }
}

static void a_mute_device_is_given_up(void **state)
{
    struct rig r;
    unsigned steps = 0;

    (void)state;
    rig_open(&r, false);
    r.model.is_mute = true;
    port_model_plug(&r.model);
    while (step(&r) == PCIE_SLOT_NOTHING)
        assert_in_range(++steps, 1, 6); /* a second and a bit */
    assert_int_equal(r.slot.errors.no_answer, 1);
    assert_int_equal(r.slot.state, PCIE_SLOT_EMPTY);
    assert_int_equal(indicator(&r), OFF);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(step(&r), PCIE_SLOT_NOTHING);
    rig_end(&r);
}

/* Status bits at random: a step always ends, in a state it may be in, and tells what fits it. */
static uint32_t noise(void *ctx, unsigned offset, unsigned width, uint32_t honest)
{
    struct port_model *p = ctx;

    if (offset != PORT_MODEL_CAP + 0x1A || width != 2)
        return honest;
    p->ejects = p->ejects * 1103515245 + 12345; /* not counted in this test */
    return p->ejects >> 16 & 0x1FF;
}

static void a_port_that_raves(void **state)
{
    struct rig r;

    (void)state;
    rig_open(&r, true);
    r.model.port.cfg_twist = noise;
    for (unsigned i = 0; i < 5000; i++) {
        enum pcie_slot_state before = r.slot.state;
        enum pcie_slot_event event = step(&r);

        if (event == PCIE_SLOT_GOES)
            assert_true(before == PCIE_SLOT_USED && r.slot.state == PCIE_SLOT_LEAVING);
        if (event == PCIE_SLOT_LOST)
            assert_true(before == PCIE_SLOT_USED || before == PCIE_SLOT_LEAVING);
        if (event == PCIE_SLOT_CAME)
            assert_true(before == PCIE_SLOT_POWERING && r.slot.state == PCIE_SLOT_USED);
        assert_true(r.slot.state != PCIE_SLOT_DEAD);
        if (i % 3 == 0)
            pcie_slot_eject(&r.slot);
    }
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_without_a_slot_are_left_alone),
        cmocka_unit_test(a_port_of_a_switch_has_a_slot_too),
        cmocka_unit_test(a_device_goes_and_comes_back),
        cmocka_unit_test(plugged_at_once_behind_the_eject),
        cmocka_unit_test(a_wish_from_before_we_came_holds),
        cmocka_unit_test(a_card_that_stays_is_not_turned_on_again),
        cmocka_unit_test(a_slot_without_power_control),
        cmocka_unit_test(torn_out_in_any_state),
        cmocka_unit_test(torn_out_before_it_answered),
        cmocka_unit_test(exchanged_between_two_looks),
        cmocka_unit_test(a_function_that_falls_silent_is_lost),
        cmocka_unit_test(the_port_vanishes),
        cmocka_unit_test(a_mute_device_is_given_up),
        cmocka_unit_test(a_port_that_raves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
