// SPDX-License-Identifier: BSD-2-Clause
/* drivers/bus/hotplug_acpi: which buses the tables name, events and ejects, blocks that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/err.h"
#include "drivers/bus/hotplug_acpi.h"
#include "tests/model/aml_text.h"
#include "tests/model/hal_model.h"
#include "tests/model/hotplug_block.h"

struct rig {
    struct hal_model hal;
    struct pci_model bus;
    struct block_model block;
    struct pci_host host;
    struct pci_model_fn fns[6];
    struct aml_text aml;
    struct hotplug_acpi_desc desc;
    struct hotplug_acpi hp;
};

static struct pci_model_fn *add(struct rig *r, uint8_t bus, uint8_t slot,
                                uint8_t leads_to)
{
    struct pci_model_fn *f = &r->fns[r->bus.count];

    f->bus = bus;
    f->slot = slot;
    pci_model_identity(f, 0x1AF4, 0x1045, leads_to != 0);
    pci_model_set(f, PCI_SECONDARY_BUS, 1, leads_to);
    pci_model_add(&r->bus, f);
    return f;
}

static void put_regions(struct aml_text *t)
{
    aml_text_region(t, "PCST", 1, BLOCK_MODEL_BASE, 8);
    aml_text_region(t, "SEJ_", 1, BLOCK_MODEL_BASE + 8, 4);
    aml_text_region(t, "BNMR", 1, BLOCK_MODEL_BASE + 16, 8);
}

/* The windows of pc with 64 MiB: bus numbers, ports, the display's old place, the hole, high memory. */
static const uint8_t crs[] = {
    0x88, 13,   0,    2,    0x0C, 0,    0,    0,    0,    0,  0xFF, 0,    0,    0, 0, 1,
    0x47, 1,    0xF8, 0x0C, 0xF8, 0x0C, 1,    8,    0x88, 13, 0,    1,    0x0C, 3, 0, 0,
    0,    0,    0xF7, 0x0C, 0,    0,    0xF8, 0x0C, 0x88, 13, 0,    1,    0x0C, 3, 0, 0,
    0,    0x0D, 0xFF, 0xFF, 0,    0,    0,    0xF3, 0x87, 23, 0,    0,    0x0C, 3, 0, 0,
    0,    0,    0,    0,    0x0A, 0,    0xFF, 0xFF, 0x0B, 0,  0,    0,    0,    0, 0, 0,
    2,    0,    0x87, 23,   0,    0,    0x0C, 1,    0,    0,  0,    0,    0,    0, 0, 4,
    0xFF, 0xFF, 0xBF, 0xFE, 0,    0,    0,    0,    0,    0,  0xC0, 0xFA, 0x79, 0,
};

/* Bus 0 by select 0, bus 1 (bridge in slot 2) by 2, bus 2 (behind it, slot 0) by 1. */
static void put_pc(struct aml_text *t)
{
    size_t regions = aml_text_open(t, false, "\x2E_SB_PCI0");

    put_regions(t);
    aml_text_close(t, regions);

    size_t windows = aml_text_open(t, false, "\\\x2E_SB_PCI0");

    aml_text_buffer(t, "_CRS", crs, sizeof(crs));
    aml_text_close(t, windows);

    size_t sb = aml_text_open(t, false, "\\_SB_"), pci = aml_text_open(t, false, "PCI0");

    aml_text_name(t, "BSEL", 0);
    size_t bridge = aml_text_open(t, true, "S10_");
    aml_text_name(t, "_ADR", 0x20000);
    aml_text_name(t, "BSEL", 2);
    size_t inner = aml_text_open(t, true, "S00_");
    aml_text_name(t, "_ADR", 0);
    aml_text_name(t, "BSEL", 1);
    aml_text_close(t, inner);
    aml_text_close(t, bridge);
    aml_text_close(t, pci);
    aml_text_close(t, sb);
}

static void rig_init(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    hal_model_init(&r->hal);
    pci_model_init(&r->bus, false, true);
    block_model_init(&r->block, &r->bus);
    r->block.bus[2].number = 1;
    r->block.bus[1].number = 2;
    add(r, 0, 2, 1);
    add(r, 1, 0, 2);
    assert_int_equal(
        pci_host_init(&r->host, &(struct pci_host_config){.space = &r->bus.space,
                                                          .use_ports = true,
                                                          .log = r->hal.hal.log}),
        0);
    put_pc(&r->aml);
}

static int open_block(struct rig *r)
{
    r->desc = (struct hotplug_acpi_desc){0};
    hotplug_acpi_parse(r->aml.bytes, r->aml.len, &r->desc);
    return hotplug_acpi_open(&r->hp, &r->host, &r->desc, BLOCK_MODEL_GPE);
}

static void rig_end(struct rig *r)
{
    pci_host_fini(&r->host);
    assert_int_equal(hal_model_end(&r->hal), 0);
}

static bool next(struct rig *r, bool is_plug, uint8_t bus, uint8_t slot)
{
    struct hotplug_acpi_event event;

    return hotplug_acpi_next(&r->hp, &event) && event.is_plug == is_plug &&
           event.bus->number == bus && event.slot == slot;
}

static bool is_quiet(struct rig *r)
{
    struct hotplug_acpi_event event;

    return !hotplug_acpi_next(&r->hp, &event);
}

/* ---- the tables ---- */

static void buses_are_found_through_their_bridges(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    assert_int_equal(open_block(&r), 0);
    assert_int_equal(r.desc.refused, 0);
    assert_int_equal(r.desc.block, BLOCK_MODEL_BASE);
    assert_int_equal(r.desc.root_mem.first, 0x04000000);
    assert_int_equal(r.desc.root_mem.last, 0xFEBFFFFF);
    assert_int_equal(r.desc.root_io.first, 0x0D00);
    assert_int_equal(r.desc.root_io.last, 0xFFFF);
    assert_int_equal(r.hp.bus_count, 3);
    assert_int_equal(r.hp.bus[0].number, 0);
    assert_false(r.hp.bus[0].has_bridge);
    assert_int_equal(r.hp.bus[1].number, 1);
    assert_int_equal(r.hp.bus[1].select, 2);
    assert_int_equal(r.hp.bus[1].bridge.slot, 2);
    assert_int_equal(r.hp.bus[2].number, 2);
    assert_int_equal(r.hp.bus[2].select, 1);
    assert_int_equal(r.hp.bus[2].bridge.bus, 1);
    rig_end(&r);
}

static void selects_of_unknown_places_are_refused(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    struct aml_text *t = &r.aml;
    size_t pci = aml_text_open(t, false, "PCI0"), dev = aml_text_open(t, true, "S18_");
    aml_text_name(t, "BSEL", 3); /* before its address is known */
    aml_text_name(t, "_ADR", 0x30000);
    aml_text_close(t, dev);
    dev = aml_text_open(t, false, "S20_"); /* a scope has none */
    aml_text_name(t, "BSEL", 3);
    aml_text_close(t, dev);
    dev = aml_text_open(t, true, "S28_");
    aml_text_name(t, "_ADR", UINT64_C(1) << 40);
    aml_text_name(t, "BSEL", 3);
    aml_text_close(t, dev);
    aml_text_close(t, pci);
    pci = aml_text_open(t, false, "PCI0");
    size_t deep[HOTPLUG_ACPI_DEPTH + 1];
    for (unsigned i = 0; i <= HOTPLUG_ACPI_DEPTH; i++) {
        deep[i] = aml_text_open(t, true, "DEEP");
        aml_text_name(t, "_ADR", 0x20000);
    }
    aml_text_name(t, "BSEL", 3); /* behind more bridges than we go through */
    for (unsigned i = HOTPLUG_ACPI_DEPTH + 1; i-- > 0;)
        aml_text_close(t, deep[i]);
    aml_text_close(t, pci);
    pci = aml_text_open(t, false, "PC80"); /* another root */
    aml_text_name(t, "BSEL", 3);
    aml_text_close(t, pci);
    aml_text_name(t, "BSEL", 3);
    assert_int_equal(open_block(&r), 0);
    assert_int_equal(r.desc.refused, 6);
    assert_int_equal(r.hp.bus_count, 3);
    rig_end(&r);
}

/* A device of PCI0 that claims a bus behind it: none is taken up. */
static void expect_no_bus_of(struct rig *r, const char *name, uint32_t adr,
                             uint32_t select)
{
    size_t pci = aml_text_open(&r->aml, false, "PCI0");
    size_t dev = aml_text_open(&r->aml, true, name);

    aml_text_name(&r->aml, "_ADR", adr);
    aml_text_name(&r->aml, "BSEL", select);
    aml_text_close(&r->aml, dev);
    aml_text_close(&r->aml, pci);
    assert_int_equal(open_block(r), 0);
    assert_int_equal(r->hp.bus_count, 3);
    assert_int_equal(r->hp.errors.bus_missing, 1);
    rig_end(r);
}

static void buses_that_do_not_exist_are_left_out(void **state)
{
    static const uint32_t wrong[] = {
        0x30000,  /* nobody there */
        0x200000, /* slot 32 */
        0x20009,  /* function 9 */
        0x2FFFF,  /* all functions */
        0x20000,  /* a bus that is known already */
        0x40000,  /* no bridge */
        0x50000,  /* a bridge that leads upwards */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
        struct rig r;

        rig_init(&r);
        add(&r, 0, 4, 0);
        pci_model_set(add(&r, 0, 5, 1), PCI_SECONDARY_BUS, 1, 0);
        expect_no_bus_of(&r, "S18_", wrong[i], 3);
    }
}

/* Another bridge that claims a select of a known bus. */
static void a_select_belongs_to_one_bus(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    add(&r, 0, 4, 3);
    expect_no_bus_of(&r, "S20_", 0x40000, 2);
}

/* Names and regions as ours, but of another kind, or in another place; and smaller windows. */
static void what_only_looks_like_ours_is_passed_over(void **state)
{
    struct rig r;
    uint8_t half[sizeof(crs)];

    (void)state;
    rig_init(&r);
    struct aml_text *t = &r.aml;
    memcpy(half, crs, sizeof(crs));
    half[92] = 0xBE; /* the hole ends earlier: the larger one of before stays */
    aml_text_buffer(t, "_CRS", crs, sizeof(crs)); /* of no device */
    size_t pci = aml_text_open(t, false, "PCI0");
    aml_text_buffer(t, "_CRS", half, sizeof(half));
    aml_text_name(t, "_CRS", 1);
    aml_text_buffer(t, "BSEL", "1", 1);
    aml_text_region(t, "PCST", 1, 0x10000, 8); /* no port */
    aml_text_region(t, "OTHR", 1, BLOCK_MODEL_BASE + 16, 8);
    aml_text_close(t, pci);
    pci = aml_text_open(t, true, "LNKA");
    aml_text_buffer(t, "_CRS", crs, sizeof(crs));
    aml_text_close(t, pci);
    assert_int_equal(open_block(&r), 0);
    assert_int_equal(r.desc.block, BLOCK_MODEL_BASE);
    assert_true(r.desc.has_select);
    assert_int_equal(r.desc.refused, 0);
    assert_int_equal(r.desc.root_mem.last, 0xFEBFFFFF);
    assert_int_equal(r.hp.bus_count, 3);
    rig_end(&r);
}

static void no_more_buses_than_there_is_room(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    size_t pci = aml_text_open(&r.aml, false, "PCI0");
    for (unsigned i = 0; i < HOTPLUG_ACPI_BUSES; i++)
        aml_text_name(&r.aml, "BSEL", 100 + i);
    aml_text_close(&r.aml, pci);
    assert_int_equal(open_block(&r), 0);
    assert_int_equal(r.desc.bus_count, HOTPLUG_ACPI_BUSES);
    assert_int_equal(r.desc.refused, 3);
    assert_int_equal(r.hp.bus_count, 3);
    rig_end(&r);
}

static void no_block_no_hot_plug(void **state)
{
    struct rig r;

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        rig_init(&r);
        r.aml = (struct aml_text){0};
        size_t pci = aml_text_open(&r.aml, false, "PCI0");
        if (i == 1) {
            aml_text_region(&r.aml, "PCST", 0, BLOCK_MODEL_BASE, 8); /* memory */
        } else if (i == 2) {
            aml_text_region(&r.aml, "PCST", 1, BLOCK_MODEL_BASE, 8);
            aml_text_region(&r.aml, "SEJ_", 1, BLOCK_MODEL_BASE + 4, 4); /* elsewhere */
            aml_text_region(&r.aml, "BNMR", 1, BLOCK_MODEL_BASE + 16, 8);
        } else if (i == 5) {
            aml_text_region(&r.aml, "PCST", 1, BLOCK_MODEL_BASE, 8);
            aml_text_region(&r.aml, "SEJ_", 1, BLOCK_MODEL_BASE + 8, 4); /* no select */
        } else if (i >= 3) {
            put_regions(&r.aml); /* but no bus; or no ports */
        }
        if (i != 3)
            aml_text_name(&r.aml, "BSEL", 0);
        aml_text_close(&r.aml, pci);
        r.block.no_ports = i == 4;
        assert_int_equal(open_block(&r), i == 4 ? -ENOMEM : -ENODEV);
        rig_end(&r);
    }
}

static void windows_that_make_no_sense(void **state)
{
    static const uint8_t texts[][32] = {
        {0x87, 23, 0, 0, 0x0C, 1, 0, 0, 0, 0}, /* the buffer ends inside */
        {0x87, 3, 0, 0, 0x0C, 1, 0x79, 0},     /* too short for its numbers */
        {0x87, 23, 0, 0, 0x0C, 1, 0, 0, 0, 0, 0, 0, 0, 0xF0, 0, 0, 0, 0xE0,
         0}, /* backwards */
        {0x87},
        {0x47},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
        struct rig r;

        rig_init(&r);
        r.aml = (struct aml_text){0};
        size_t pci = aml_text_open(&r.aml, false, "PCI0");
        aml_text_buffer(&r.aml, "_CRS", texts[i],
                        i == 3 || i == 4 ? 1
                        : i == 0         ? 10
                                         : 32);
        put_regions(&r.aml);
        aml_text_name(&r.aml, "BSEL", 0);
        aml_text_close(&r.aml, pci);
        assert_int_equal(open_block(&r), 0);
        assert_int_equal(r.desc.root_mem.last, 0);
        rig_end(&r);
    }
}

/* ---- events ---- */

static void a_request_is_told_and_ejected(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    struct pci_model_fn *f = add(&r, 1, 5, 0);
    assert_int_equal(open_block(&r), 0);
    assert_true(is_quiet(&r));
    assert_true(is_quiet(&r));
    unsigned looks = r.block.looks;
    assert_true(is_quiet(&r));
    assert_int_equal(r.block.looks,
                     looks); /* an idle look is one read of the event bit */

    block_model_ask(&r.block, 2, 5);
    assert_true(next(&r, false, 1, 5));
    assert_true(is_quiet(&r));
    assert_true(is_quiet(&r)); /* told once */
    block_model_ask(&r.block, 0, 7);
    assert_true(next(&r, false, 0, 7)); /* a new look tells it again */
    assert_true(next(&r, false, 1, 5));
    assert_true(is_quiet(&r));
    assert_int_equal(hotplug_acpi_eject(&r.hp, &r.hp.bus[1], 5), 0);
    assert_int_equal(r.block.bus[2].ejected, BIT32(5));
    assert_true(f->is_absent);
    assert_int_equal(r.block.bus[0].ejected | r.block.bus[1].ejected, 0);

    block_model_plug(&r.block, 2, 5);
    assert_true(next(&r, false, 0, 7));
    assert_true(next(&r, true, 1, 5));
    assert_true(is_quiet(&r));
    rig_end(&r);
}

static void what_happened_before_we_looked_is_told(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    block_model_ask(&r.block, 1, 31);
    r.block.gpe = 0; /* and firmware cleared the bit */
    assert_int_equal(open_block(&r), 0);
    assert_true(next(&r, false, 2, 31));
    assert_true(is_quiet(&r));
    rig_end(&r);
}

static void without_an_event_bit_every_look_reads_the_masks(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r);
    hotplug_acpi_parse(r.aml.bytes, r.aml.len, &r.desc);
    assert_int_equal(hotplug_acpi_open(&r.hp, &r.host, &r.desc, 0), 0);
    assert_true(is_quiet(&r));
    r.block.bus[2].came = BIT32(3);
    assert_true(next(&r, true, 1, 3));
    assert_true(is_quiet(&r));
    assert_true(is_quiet(&r));
    rig_end(&r);
}

static void a_block_that_lies_is_bounded(void **state)
{
    struct rig r;
    unsigned events = 0;

    (void)state;
    rig_init(&r);
    struct pci_model_fn *f = add(&r, 1, 5, 0);
    r.block.bus[0].removable = 0xFFFFFFF8;
    assert_int_equal(open_block(&r), 0);
    for (unsigned i = 0; i < BLOCK_MODEL_BUSES; i++)
        r.block.bus[i].came = r.block.bus[i].goes = UINT32_MAX;
    r.block.gpe = 0xFF;
    for (struct hotplug_acpi_event event; hotplug_acpi_next(&r.hp, &event); events++)
        assert_false(event.bus->number == 0 && event.slot < 3);
    assert_int_equal(events, 2 * (32 + 32 + 29));
    assert_int_equal(r.hp.errors.not_removable, 1);

    r.block.stays = true;
    assert_int_equal(hotplug_acpi_eject(&r.hp, &r.hp.bus[1], 5), -EIO);
    assert_false(f->is_absent);
    assert_int_equal(r.hp.errors.not_ejected, 1);
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buses_are_found_through_their_bridges),
        cmocka_unit_test(selects_of_unknown_places_are_refused),
        cmocka_unit_test(buses_that_do_not_exist_are_left_out),
        cmocka_unit_test(a_select_belongs_to_one_bus),
        cmocka_unit_test(what_only_looks_like_ours_is_passed_over),
        cmocka_unit_test(no_more_buses_than_there_is_room),
        cmocka_unit_test(no_block_no_hot_plug),
        cmocka_unit_test(windows_that_make_no_sense),
        cmocka_unit_test(a_request_is_told_and_ejected),
        cmocka_unit_test(what_happened_before_we_looked_is_told),
        cmocka_unit_test(without_an_event_bit_every_look_reads_the_masks),
        cmocka_unit_test(a_block_that_lies_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
