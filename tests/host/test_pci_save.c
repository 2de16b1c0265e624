// SPDX-License-Identifier: BSD-2-Clause
/* drivers/bus/pci_save: what a sleep wipes comes back, from the root down, and nothing else is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/err.h"
#include "drivers/bus/pci_save.h"
#include "tests/model/hal_model.h"
#include "tests/model/pci_bus.h"

#define EXPRESS 0x50 /* where the models have that capability */

enum fn {
    HOST,
    LPC,
    PORT,   /* a root port to bus 1 */
    SWITCH, /* a bridge there, to bus 2 */
    DEVICE, /* behind it */
    FNS,
};

struct rig {
    struct hal_model hal;
    struct pci_model bus;
    struct pci_host host;
    struct pci_model_fn fns[FNS], before[FNS];
    struct pci_saved_fn storage[FNS];
    struct pci_saved saved;
};

static void add(struct rig *r, enum fn index, uint8_t bus, uint8_t slot, uint32_t id)
{
    struct pci_model_fn *f = &r->fns[index];

    f->bus = bus;
    f->slot = slot;
    pci_model_identity(f, (uint16_t)id, (uint16_t)(id >> 16),
                       index == PORT || index == SWITCH);
    pci_model_set(f, PCI_COMMAND, 2, PCI_CMD_MEMORY | PCI_CMD_BUS_MASTER);
    pci_model_set(f, PCI_INTERRUPT_LINE, 1, 10 + index);
    pci_model_add(&r->bus, f);
}

static void add_bridge(struct rig *r, enum fn index, uint8_t bus, uint8_t slot,
                       uint8_t to)
{
    struct pci_model_fn *f = &r->fns[index];

    add(r, index, bus, slot, 0x000C1B36);
    pci_model_set(f, 0x18, 1, bus);
    pci_model_set(f, 0x19, 1, to);
    pci_model_set(f, 0x1A, 1, 2);
    pci_model_set(f, 0x1C, 2, 0xC1C1);
    pci_model_set(f, 0x1E, 2, 0x2000); /* secondary status */
    pci_model_set(f, 0x20, 4, 0xFE80FE60u + to);
    pci_model_set(f, 0x24, 4, 0x00110001);
    pci_model_set(f, 0x28, 4, 0x80);
    pci_model_set(f, 0x2C, 4, 0x81);
    pci_model_set(f, 0x3E, 2, 0x0003);
}

static void add_express(struct rig *r, enum fn index, uint16_t flags)
{
    struct pci_model_fn *f = &r->fns[index];

    pci_model_set(f, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
    pci_model_set(f, PCI_CAP_POINTER, 1, EXPRESS);
    pci_model_set(f, EXPRESS, 2, 0x0010);
    pci_model_set(f, EXPRESS + 2, 2, flags);
    pci_model_set(f, EXPRESS + 0x08, 4, 0x000F2810); /* device control, status */
    pci_model_set(f, EXPRESS + 0x10, 4, 0x00110040);
    pci_model_set(f, EXPRESS + 0x18, 4,
                  0x00410139); /* slot control: power, indicators, causes */
    pci_model_set(f, EXPRESS + 0x1C, 2, 0x0008);
}

static void rig_init(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    hal_model_init(&r->hal);
    pci_model_init(&r->bus, false, true);
    r->bus.needs_bridges = true;
    add(r, HOST, 0, 0, 0x29C08086);
    pci_model_set(&r->fns[HOST], 0x60, 4, 0xB0000001);
    add(r, LPC, 0, 31, 0x29188086);
    pci_model_set(&r->fns[LPC], 0x40, 4, 0x601);
    pci_model_set(&r->fns[LPC], 0x44, 4, 0x80);
    pci_model_set(&r->fns[LPC], 0x60, 4, 0x0A0B0A0B);
    pci_model_set(&r->fns[LPC], 0x68, 4, 0x0B0A0B0A);
    pci_model_set(&r->fns[LPC], 0xF0, 4, 0xFED1C001);
    pci_model_set(&r->fns[LPC], 0x80, 4, 0x1234); /* not one of ours */
    add_bridge(r, PORT, 0, 3, 1);
    add_express(r, PORT, 0x0142); /* root port with a slot */
    add_bridge(r, SWITCH, 1, 0, 2);
    add(r, DEVICE, 2, 5, 0x10451AF4);
    add_express(r, DEVICE, 0x0002); /* an endpoint: its capability is shorter */
    r->fns[DEVICE].bar_size[4] = 0x4000;
    pci_model_set(&r->fns[DEVICE], PCI_BAR0 + 16, 4, 0xC); /* 64 bit */
    pci_model_set(&r->fns[DEVICE], PCI_BAR0 + 16, 4, 0x8000000C);
    pci_model_set(&r->fns[DEVICE], PCI_BAR0 + 20, 4, 0x80);
    memcpy(r->before, r->fns, sizeof(r->before));

    const struct pci_host_config cfg = {
        .space = &r->bus.space, .use_ports = true, .log = r->hal.hal.log};
    assert_int_equal(pci_host_init(&r->host, &cfg), 0);
    r->saved = (struct pci_saved){.fns = r->storage, .capacity = FNS};
}

static void rig_end(struct rig *r)
{
    pci_host_fini(&r->host);
    assert_int_equal(r->bus.probes_decoding, 0);
    assert_int_equal(hal_model_end(&r->hal), 0);
}

/* What a reset leaves: who it is, the shape of its BARs, where capabilities are. */
static void wipe(struct rig *r)
{
    for (unsigned i = 0; i < FNS; i++) {
        struct pci_model_fn *f = &r->fns[i];
        uint8_t bar_flags = f->cfg[PCI_BAR0 + 16] & 0xF;

        memset(f->cfg + PCI_COMMAND, 0, 2);
        memset(f->cfg + PCI_BAR0, 0, 0x24);
        memset(f->cfg + 0x3C, 0, 4);
        memset(f->cfg + EXPRESS + 8, 0, sizeof(f->cfg) - EXPRESS - 8);
        if (i == HOST || i == LPC)
            memset(f->cfg + 0x40, 0, 16);
        if (f->bar_size[4])
            f->cfg[PCI_BAR0 + 16] = bar_flags;
    }
}

static uint32_t now(const struct rig *r, enum fn fn, unsigned offset, unsigned width)
{
    return pci_model_get(&r->fns[fn], offset, width);
}

static uint32_t then(const struct rig *r, enum fn fn, unsigned offset, unsigned width)
{
    return pci_model_get(&r->before[fn], offset, width);
}

#define SAME(fn, offset, width) \
    assert_int_equal(now(&r, fn, offset, width), then(&r, fn, offset, width))

static void all_functions_come_back(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    assert_int_equal(pci_count(&r.host), FNS);
    assert_int_equal(pci_save(&r.host, &r.saved), 0);
    assert_int_equal(r.saved.count, FNS);
    wipe(&r);
    assert_int_equal(pci_count(&r.host), 3); /* bridges lead nowhere */
    assert_int_equal(pci_restore(&r.saved), 0);

    for (unsigned i = 0; i < FNS; i++) {
        SAME(i, PCI_COMMAND, 2);
        SAME(i, PCI_INTERRUPT_LINE, 1);
    }
    for (unsigned bridge = PORT; bridge <= SWITCH; bridge++) {
        for (unsigned at = 0x18; at < 0x34; at++)
            if (at != 0x1E && at != 0x1F)
                SAME(bridge, at, 1);
        SAME(bridge, 0x3E, 2);
        assert_int_equal(now(&r, bridge, 0x1E, 2),
                         0); /* status: writing would clear it */
    }
    SAME(DEVICE, PCI_BAR0 + 16, 4);
    SAME(DEVICE, PCI_BAR0 + 20, 4);
    assert_int_equal(pci_count(&r.host), FNS);
    rig_end(&r);
}

static void the_chipset_comes_back(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    assert_int_equal(pci_save(&r.host, &r.saved), 0);
    wipe(&r);
    assert_int_equal(pci_restore(&r.saved), 0);
    SAME(HOST, 0x60, 4);
    SAME(HOST, 0x64, 4);
    SAME(LPC, 0x40, 4);
    SAME(LPC, 0x44, 4);
    SAME(LPC, 0x60, 4);
    SAME(LPC, 0x68, 4);
    SAME(LPC, 0xF0, 4);
    assert_int_equal(now(&r, LPC, 0x80, 4), 0);
    rig_end(&r);
}

static void control_registers_of_express_only(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    assert_int_equal(pci_save(&r.host, &r.saved), 0);
    wipe(&r);
    assert_int_equal(pci_restore(&r.saved), 0);
    assert_int_equal(now(&r, PORT, EXPRESS + 0x08, 4), 0x2810);
    assert_int_equal(now(&r, PORT, EXPRESS + 0x10, 4), 0x0040);
    assert_int_equal(now(&r, PORT, EXPRESS + 0x18, 4), 0x0139);
    assert_int_equal(now(&r, PORT, EXPRESS + 0x1C, 2), 0x0008);
    assert_int_equal(now(&r, DEVICE, EXPRESS + 0x08, 4), 0x2810);
    assert_int_equal(now(&r, DEVICE, EXPRESS + 0x10, 4),
                     0); /* another capability's, perhaps */
    assert_int_equal(now(&r, DEVICE, EXPRESS + 0x18, 4), 0);
    rig_end(&r);
}

/* A device says so that its registers would lie beyond the space: what is inside comes back. */
static void a_capability_at_the_very_end(void **state)
{
    const unsigned at = 0xF0;
    struct rig r;

    (void)state;
    rig_init(&r);
    struct pci_model_fn *f = &r.fns[PORT];
    pci_model_set(f, PCI_CAP_POINTER, 1, at);
    pci_model_set(f, at, 4, 0x01420010);
    pci_model_set(f, at + 0x08, 2, 0x2810);
    assert_int_equal(pci_save(&r.host, &r.saved), 0);
    pci_model_set(f, at + 0x08, 2, 0);
    assert_int_equal(pci_restore(&r.saved), 0);
    assert_int_equal(now(&r, PORT, at + 0x08, 2), 0x2810);
    rig_end(&r);
}

/* Unplugged, or replaced, while the machine slept: left alone, counted, and the rest comes back. */
static void another_in_its_place(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    assert_int_equal(pci_save(&r.host, &r.saved), 0);
    wipe(&r);
    pci_model_set(&r.fns[DEVICE], PCI_DEVICE_ID, 2, 0x1041);
    assert_int_equal(pci_restore(&r.saved), 1);
    assert_int_equal(now(&r, DEVICE, PCI_COMMAND, 2), 0);
    SAME(SWITCH, 0x18, 4);
    pci_model_set(&r.fns[PORT], PCI_VENDOR_ID, 2, 0xFFFF);
    wipe(&r);
    assert_int_equal(pci_restore(&r.saved), 3); /* with all behind it */
    SAME(LPC, 0x40, 4);
    rig_end(&r);
}

static void no_room(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    r.saved.capacity = FNS - 1;
    assert_int_equal(pci_save(&r.host, &r.saved), -ENOSPC);
    assert_int_equal(r.saved.count, FNS - 1);
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_functions_come_back),
        cmocka_unit_test(the_chipset_comes_back),
        cmocka_unit_test(control_registers_of_express_only),
        cmocka_unit_test(a_capability_at_the_very_end),
        cmocka_unit_test(another_in_its_place),
        cmocka_unit_test(no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
