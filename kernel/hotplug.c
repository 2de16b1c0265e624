// SPDX-License-Identifier: BSD-2-Clause
/*
 * Looks at all slots in turn. Requests to unplug wait in a mask for each bus, and one slot at a time is
 * released, function by function, and then let go: nothing can overflow, however much is asked.
 */
#include "kernel/hotplug.h"

#include "kernel/acpi.h"
#include "kernel/clock.h"
#include "kernel/drivers.h"
#include "kernel/event.h"
#include "kernel/log.h"
#include "kernel/power_parse.h"
#include "kernel/suspend.h"
#include "kernel/timer.h"

#include "base/bits.h"
#include "base/err.h"
#include "drivers/bus/hotplug_acpi.h"
#include "drivers/bus/hotplug_pcie.h"

#define LOOK_NS     (200 * NS_PER_MS)
#define STEPS_MAX   4 /* events, and slots let go, in one look: drivers want their turn */
#define MORE_NS     (10 * NS_PER_MS) /* to the next look when there may be more */
#define STUCK_NS    (10 * NS_PER_S)  /* what does not go is not asked again for so long */
#define NATIVE_MAX  16
#define BUSES_MAX   (NATIVE_MAX + HOTPLUG_ACPI_BUSES)
#define TABLE_BYTES 36 /* the header of a definition block */
/* Ports of the chipset that no BAR tells of lie below (SeaBIOS and OVMF begin here). */
#define ROOT_IO_FIRST 0xC000

/* A bus that things are plugged into: below a native slot, or one of the ACPI block. */
struct plug_bus {
    struct pcie_slot *native; /* or */
    const struct hotplug_acpi_bus *acpi;
    uint8_t number;
    const struct pci_dev *bridge; /* NULL: a root bus */
    struct pci_lines lines;
    uint32_t present; /* slots with something in them (ACPI) */
    uint32_t asked;   /* slots that shall be released */
    uint32_t stuck;   /* slots that did not go, nor have since */
    uint64_t stuck_until_ns;
};

/* Owned by the task. */
static struct {
    struct task task;
    struct timer timer;
    struct pci_host *host;
    unsigned native_count, bus_count;
    struct pcie_slot native[NATIVE_MAX];
    struct hotplug_acpi_desc tables;
    struct hotplug_acpi acpi;
    struct plug_bus bus[BUSES_MAX];
    struct {                  /* the slot that is being released */
        struct plug_bus *bus; /* NULL: none */
        uint8_t slot;
        unsigned fn;     /* the next */
        bool is_waiting; /* for its driver */
        bool is_lost;    /* it was torn out meanwhile */
    } leaving;
    unsigned steps; /* done in this look */
    bool has_slept; /* or is falling asleep: look() then takes a closer look */
    uint64_t plugged, unplugged, surprises, empty_requests;
} hp;

static struct pci_dev function(const struct plug_bus *bus, uint8_t slot, unsigned fn)
{
    return (struct pci_dev){
        .host = hp.host, .bus = bus->number, .slot = slot, .fn = (uint8_t)fn};
}

static bool is_there(const struct plug_bus *bus, uint8_t slot)
{
    struct pci_dev dev = function(bus, slot, 0);
    uint32_t id = pci_cfg_read(&dev, PCI_VENDOR_ID, 4);

    return id != UINT32_MAX && id != 0;
}

/* ---- something came ---- */

static void find_space(const struct plug_bus *bus, struct pci_space *space)
{
    if (bus->bridge) {
        pci_space_of_bridge(bus->bridge, space);
        pci_enable(bus->bridge, PCI_CMD_IO | PCI_CMD_MEMORY | PCI_CMD_BUS_MASTER);
    } else {
        pci_space_init(space);
        space->window[PCI_WINDOW_MEM] = hp.tables.root_mem;
        space->window[PCI_WINDOW_IO] = hp.tables.root_io;
        space->window[PCI_WINDOW_IO].first =
            max_u64(hp.tables.root_io.first, ROOT_IO_FIRST);
    }
}

/* `err`: why it cannot have addresses, or 0. */
static void add_function(const struct plug_bus *bus, const struct pci_dev *dev,
                         struct pci_space *space, int err)
{
    if (!err)
        err = pci_assign(dev, space);
    if (!err) {
        pci_lines_give(dev, &bus->lines);
        err = drivers_add(dev);
    }
    event_emit("event=plugged place=%02x:%02x.%u vendor=0x%04x device=0x%04x result=%s",
               dev->bus, dev->slot, dev->fn, dev->vendor, dev->device, err_name(err));
}

static void come(struct plug_bus *bus, uint8_t slot)
{
    static struct pci_space space; /* too large for a stack */
    unsigned functions = 1;

    find_space(bus, &space);
    int err = pci_space_use_bus(&space, hp.host, bus->number);

    for (unsigned fn = 0; fn < functions; fn++) {
        struct pci_dev dev = function(bus, slot, fn);
        bool multi;

        if (!pci_identify(&dev, &multi))
            continue;
        if (fn == 0 && multi)
            functions = PCI_FUNCTIONS;
        add_function(bus, &dev, &space, err);
    }
    bus->present |= BIT32(slot);
    bus->stuck &= ~BIT32(slot);
    hp.plugged++;
}

/* ---- something is gone ---- */

/* What answers all the same is another function, or the same that had an accident: it may not write to
 * memory that is no longer its own. */
static void lose(struct plug_bus *bus, uint8_t slot)
{
    for (unsigned fn = 0; fn < PCI_FUNCTIONS; fn++) {
        struct pci_dev dev = function(bus, slot, fn);
        bool multi;

        if (pci_identify(&dev, &multi))
            pci_disable(&dev, PCI_CMD_IO | PCI_CMD_MEMORY | PCI_CMD_BUS_MASTER);
        drivers_lost(&dev);
    }
    bus->present &= ~BIT32(slot);
    bus->asked &= ~BIT32(slot);
    bus->stuck &= ~BIT32(slot);
    if (hp.leaving.bus == bus && hp.leaving.slot == slot)
        hp.leaving.is_lost = true;
    hp.surprises++;
    event_emit("event=removed place=%02x:%02x surprise=1", bus->number, slot);
}

/* ---- something shall go ---- */

static void ask(struct plug_bus *bus, uint8_t slot)
{
    if (bus->asked & BIT32(slot))
        return; /* under way */
    if (bus->stuck & BIT32(slot) && clock_ns() < bus->stuck_until_ns)
        return;
    if (!bus->native && !is_there(bus, slot)) {
        hp.empty_requests++;
        return;
    }
    bus->asked |= BIT32(slot);
    event_emit("event=unplug_request place=%02x:%02x", bus->number, slot);
}

static void released(void *ctx)
{
    (void)ctx;
    hp.leaving.is_waiting = false;
    task_wake(&hp.task);
}

static bool pick_next(void)
{
    for (unsigned i = 0; i < hp.bus_count; i++) {
        struct plug_bus *bus = &hp.bus[i];

        if (!bus->asked)
            continue;
        hp.leaving.bus = bus;
        hp.leaving.slot = (uint8_t)__builtin_ctz(bus->asked);
        hp.leaving.fn = 0;
        hp.leaving.is_lost = false;
        return true;
    }
    return false;
}

/* False when none is left. */
static bool release_function(void)
{
    while (hp.leaving.fn < PCI_FUNCTIONS && !hp.leaving.is_lost) {
        struct pci_dev dev = function(hp.leaving.bus, hp.leaving.slot, hp.leaving.fn++);
        bool multi;

        if (!pci_identify(&dev, &multi))
            continue;
        hp.leaving.is_waiting = true;
        drivers_release(&dev, released, NULL);
        return true;
    }
    return false;
}

/* Its request may stand for ever. */
static void note_stuck(struct plug_bus *bus, uint8_t slot, int err)
{
    if (!(bus->stuck & BIT32(slot)))
        log_warn("hotplug: %02x:%02x does not go: %s", bus->number, slot, err_name(err));
    bus->stuck |= BIT32(slot);
    bus->stuck_until_ns = clock_ns() + STUCK_NS;
}

static void let_go(void)
{
    struct plug_bus *bus = hp.leaving.bus;
    uint8_t slot = hp.leaving.slot;
    int err = 0;

    hp.leaving.bus = NULL;
    if (hp.leaving.is_lost)
        return;
    bus->asked &= ~BIT32(slot);
    if (bus->native)
        pcie_slot_eject(bus->native);
    else
        err = hotplug_acpi_eject(&hp.acpi, bus->acpi, slot);
    if (err) {
        note_stuck(bus, slot, err);
        return;
    }
    bus->present &= ~BIT32(slot);
    bus->stuck &= ~BIT32(slot);
    hp.unplugged++;
    event_emit("event=unplugged place=%02x:%02x", bus->number, slot);
}

/* True: there may be more to do. */
static bool release_asked(void)
{
    unsigned steps = 0;

    while (steps < STEPS_MAX && !hp.leaving.is_waiting &&
           (hp.leaving.bus || pick_next())) {
        if (release_function())
            continue;
        let_go();
        steps++;
    }
    return steps == STEPS_MAX;
}

/* ---- looking ---- */

static void look_native(struct plug_bus *bus)
{
    bool was_dead = bus->native->state == PCIE_SLOT_DEAD;
    enum pcie_slot_event event = pcie_slot_step(bus->native, clock_ns());

    if (!was_dead && bus->native->state == PCIE_SLOT_DEAD)
        log_warn("hotplug: the port of bus %02x is gone, and left alone", bus->number);
    switch (event) {
    case PCIE_SLOT_GOES:
        ask(bus, 0);
        break;
    case PCIE_SLOT_CAME:
        come(bus, 0);
        break;
    case PCIE_SLOT_LOST:
        lose(bus, 0);
        break;
    case PCIE_SLOT_DOES_NOT_ANSWER:
        log_warn("hotplug: %02x:00 does not answer", bus->number);
        break;
    case PCIE_SLOT_NOTHING:
        break;
    }
}

static struct plug_bus *bus_of(const struct hotplug_acpi_bus *acpi)
{
    for (unsigned i = 0; i < hp.bus_count; i++) {
        if (hp.bus[i].acpi == acpi)
            return &hp.bus[i];
    }
    return NULL;
}

/* Nothing tells that a slot was emptied without a request. */
static void look_for_lost(struct plug_bus *bus)
{
    uint32_t left = bus->present & bus->acpi->removable;

    for (; left && hp.steps < STEPS_MAX; left &= left - 1) {
        uint8_t slot = (uint8_t)__builtin_ctz(left);

        if (is_there(bus, slot))
            continue;
        lose(bus, slot);
        hp.steps++;
    }
}

static void heed(const struct hotplug_acpi_event *event)
{
    struct plug_bus *bus = bus_of(event->bus);

    if (!bus)
        return;
    if (!event->is_plug) {
        ask(bus, event->slot);
    } else if (is_there(bus, event->slot)) {
        if (bus->present & BIT32(event->slot))
            lose(bus, event->slot); /* another one than there was */
        come(bus, event->slot);
    }
}

static void look_acpi(void)
{
    struct hotplug_acpi_event event;

    for (; hp.steps < STEPS_MAX && hotplug_acpi_next(&hp.acpi, &event); hp.steps++)
        heed(&event);
}

/* A sleep empties the block's registers: what they would have told has to be found. */
static void look_after_sleep(void)
{
    for (unsigned i = 0; i < hp.bus_count; i++) {
        struct plug_bus *bus = &hp.bus[i];

        uint32_t free = bus->acpi ? bus->acpi->removable & ~bus->present : 0;

        for (uint8_t slot = 0; slot < PCI_SLOTS; slot++) {
            if (free & BIT32(slot) && is_there(bus, slot))
                come(bus, slot);
        }
    }
    hp.has_slept = false;
}

/* What comes while the drivers end for a sleep would run through it: it is taken in after that. */
static void look(void *ctx)
{
    (void)ctx;
    if (suspend_is_busy()) {
        hp.has_slept = true;
        timer_set(&hp.timer, clock_ns() + LOOK_NS);
        return;
    }
    if (hp.has_slept)
        look_after_sleep();
    hp.steps = 0;
    for (unsigned i = 0; i < hp.bus_count; i++) {
        if (hp.bus[i].native)
            look_native(&hp.bus[i]);
        else
            look_for_lost(&hp.bus[i]);
    }
    look_acpi();
    bool has_more = release_asked() || hp.steps == STEPS_MAX;
    timer_set(&hp.timer, clock_ns() + (has_more ? MORE_NS : LOOK_NS));
}

/* ---- start ---- */

static struct plug_bus *add_bus(uint8_t number, const struct pci_dev *bridge)
{
    struct plug_bus *bus = &hp.bus[hp.bus_count++];

    *bus = (struct plug_bus){.number = number, .bridge = bridge};
    pci_lines_learn(hp.host, number, bridge, &bus->lines);
    return bus;
}

static void find_acpi(void)
{
    struct power_tables power;
    size_t len, fadt_len;
    const uint8_t *dsdt = acpi_find("DSDT", &len);
    const void *fadt = acpi_find("FACP", &fadt_len);

    if (!dsdt || !fadt)
        return;
    power_parse_fadt(fadt, fadt_len, &power);
    hotplug_acpi_parse(dsdt + TABLE_BYTES, len - TABLE_BYTES, &hp.tables);
    int err = hotplug_acpi_open(&hp.acpi, hp.host, &hp.tables,
                                power.gpe0.is_port ? (uint16_t)power.gpe0.addr : 0);
    if (err) {
        if (err != -ENODEV || hp.tables.bus_count > 0)
            log_warn("hotplug: the block at port 0x%x cannot be used: %s",
                     hp.tables.block, err_name(err));
        return;
    }
    for (unsigned i = 0; i < hp.acpi.bus_count; i++) {
        const struct hotplug_acpi_bus *acpi = &hp.acpi.bus[i];
        struct plug_bus *bus =
            add_bus(acpi->number, acpi->has_bridge ? &acpi->bridge : NULL);

        bus->acpi = acpi;
        for (uint8_t slot = 0; slot < PCI_SLOTS; slot++)
            bus->present |= is_there(bus, slot) ? BIT32(slot) : 0;
    }
}

static bool is_known(uint8_t number)
{
    for (unsigned i = 0; i < hp.bus_count; i++) {
        if (hp.bus[i].number == number)
            return true;
    }
    return false;
}

/* A slot that ACPI does not serve. */
static int on_function(void *ctx, const struct pci_dev *dev)
{
    unsigned *left_out = ctx;
    struct pcie_slot slot;

    if (pcie_slot_open(&slot, dev) || is_known(slot.bus))
        return 0;
    if (hp.native_count == NATIVE_MAX) {
        ++*left_out;
        return 0;
    }
    struct pcie_slot *native = &hp.native[hp.native_count++];
    *native = slot;
    add_bus(slot.bus, &native->port)->native = native;
    return 0;
}

void hotplug_start(void)
{
    unsigned left_out = 0;

    hp.host = drivers_pci_host();
    if (!hp.host)
        return;
    find_acpi();
    pci_scan(hp.host, on_function, &left_out);
    if (left_out)
        log_warn("hotplug: %u native slots beyond %u are not looked at", left_out,
                 NATIVE_MAX);
    if (hp.bus_count == 0)
        return;
    log_info("hotplug: %u native slots, %u buses by ACPI", hp.native_count,
             hp.acpi.bus_count);
    hp.task = (struct task){.run = look, .name = "hotplug"};
    task_add(&hp.task);
    timer_init(&hp.timer, &hp.task);
    task_wake(&hp.task);
}

void hotplug_get_status(struct hotplug_status *out)
{
    *out = (struct hotplug_status){
        .slots = hp.native_count,
        .buses = hp.acpi.bus_count,
        .plugged = hp.plugged,
        .unplugged = hp.unplugged,
        .surprises = hp.surprises,
        .lies = hp.empty_requests + hp.acpi.errors.bus_missing +
                hp.acpi.errors.not_removable + hp.acpi.errors.not_ejected,
    };
    for (unsigned i = 0; i < hp.native_count; i++) {
        const struct pcie_slot_errors *errors = &hp.native[i].errors;

        out->lies += errors->port_lost + errors->no_answer;
    }
}
