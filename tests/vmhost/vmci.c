// SPDX-License-Identifier: BSD-2-Clause
/*
 * Registers, datagrams to the hypervisor and the notification page. Interrupts are sent by the monitor to
 * the guest's local APIC, so the guest takes and ends them as any other.
 */
#include "tests/vmhost/vmci.h"

#include "base/bits.h"
#include "base/units.h"
#include "tests/vmhost/log.h"
#include "tests/vmhost/npt.h"
#include "tests/vmhost/ports.h"
#include "tests/vmhost/ram.h"
#include "tests/vmhost/tick.h"
#include "tests/vmhost/vmci_config.h"

#define OUR_CONTEXT  0x4242
#define NOT_FOUND    (-20) /* any negative result is an error */
#define DATAGRAM_MAX 256

enum vmci_register {
    REGISTER_STATUS = 0x00,
    REGISTER_CONTROL = 0x04,
    REGISTER_CAUSE = 0x08, /* reading acknowledges */
    REGISTER_MASK = 0x0c,
    REGISTER_DATA_OUT = 0x10,
    REGISTER_CAPS = 0x18,
    REGISTER_RESULT = 0x1c,
    REGISTER_RESULT_HIGH = 0x20,
};
enum vmci_control {
    CONTROL_RESET = 1 << 0,
    CONTROL_INTERRUPTS_ON = 1 << 1,
    CONTROL_INTERRUPTS_OFF = 1 << 2,
};
#define CAUSE_NOTIFICATION BIT32(1)
#define CAPS_DATAGRAM      BIT32(2)
#define CAPS_NOTIFICATION  BIT32(3)
#define CAPS_WIDE_PPN      BIT32(4)
#define CAPS_OFFERED       (CAPS_DATAGRAM | CAPS_NOTIFICATION | CAPS_WIDE_PPN)

enum vmci_resource {
    RESOURCES_QUERY,
    GET_CONTEXT_ID,
    SET_NOTIFY_BITMAP,
    DOORBELL_LINK,
    DOORBELL_UNLINK,
};

struct handle {
    uint32_t context, resource;
};

struct datagram {
    struct handle to, from;
    uint64_t payload_bytes;
    union {
        struct {
            uint32_t count, pad, ids[1];
        } query;
        uint64_t ppn;
        struct {
            struct handle handle;
            uint64_t index;
        } link;
    };
};
#define HEADER_BYTES 24
_Static_assert(offsetof(struct datagram, query) == HEADER_BYTES, "VMCI datagram");

static struct {
    bool is_silent, interrupts_on;
    uint32_t cause, mask, caps;
    int64_t result;
    paddr_t page; /* of notifications; 0: none */
    struct handle linked;
    uint64_t index;
    bool is_linked;
    union {
        uint8_t bytes[DATAGRAM_MAX];
        struct datagram datagram;
    };
    uint32_t used;
} device;
static struct handle doorbell = {UINT32_MAX, UINT32_MAX};

static bool is_same(struct handle a, struct handle b)
{
    return a.context == b.context && a.resource == b.resource;
}

static void reset(void)
{
    device.interrupts_on = device.is_linked = false;
    device.cause = device.mask = device.caps = device.used = 0;
    device.page = 0;
}

static int64_t set_page(uint64_t ppn)
{
    uint64_t pfn = device.caps & CAPS_WIDE_PPN ? ppn : (uint32_t)ppn;

    if (!ram_is_guests(pfn))
        return NOT_FOUND;
    device.page = pfn << FRAME_SHIFT;
    return 0;
}

static int64_t set_link(const struct datagram *datagram)
{
    if (datagram->link.index >= FRAME_SIZE)
        return NOT_FOUND;
    device.linked = datagram->link.handle;
    device.index = datagram->link.index;
    device.is_linked = true;
    return 0;
}

static int64_t run_datagram(const struct datagram *datagram)
{
    if (datagram->to.context != 0)
        return NOT_FOUND;
    switch (datagram->to.resource) {
    case RESOURCES_QUERY:
        return datagram->query.count == 1 && datagram->query.ids[0] == GET_CONTEXT_ID;
    case GET_CONTEXT_ID:
        return OUR_CONTEXT;
    case SET_NOTIFY_BITMAP:
        return set_page(datagram->ppn);
    case DOORBELL_LINK:
        return set_link(datagram);
    case DOORBELL_UNLINK:
        device.is_linked = false;
        return 0;
    default:
        return NOT_FOUND;
    }
}

static void take_byte(uint8_t byte)
{
    if (device.used < DATAGRAM_MAX)
        device.bytes[device.used] = byte;
    device.used++;
    if (device.used < HEADER_BYTES ||
        device.used < HEADER_BYTES + device.datagram.payload_bytes)
        return;
    device.result =
        device.used <= DATAGRAM_MAX ? run_datagram(&device.datagram) : NOT_FOUND;
    log_say("vmci resource=%u failed=%u", device.datagram.to.resource, device.result < 0);
    device.used = 0;
}

static void write_register(uint32_t at, uint32_t value)
{
    switch (at) {
    case REGISTER_CONTROL:
        if (value & CONTROL_RESET)
            reset();
        if (value & CONTROL_INTERRUPTS_ON)
            device.interrupts_on = true;
        if (value & CONTROL_INTERRUPTS_OFF)
            device.interrupts_on = false;
        break;
    case REGISTER_MASK:
        device.mask = value;
        break;
    case REGISTER_CAPS:
        device.caps = value & CAPS_OFFERED;
        break;
    case REGISTER_DATA_OUT:
        take_byte((uint8_t)value);
        break;
    default:
        break;
    }
}

static uint32_t read_register(uint32_t at)
{
    uint32_t cause = device.cause;

    switch (at) {
    case REGISTER_STATUS:
        return device.interrupts_on;
    case REGISTER_CAUSE:
        device.cause = 0;
        return cause;
    case REGISTER_MASK:
        return device.mask;
    case REGISTER_CAPS:
        return CAPS_OFFERED;
    case REGISTER_RESULT:
        return (uint32_t)device.result;
    case REGISTER_RESULT_HIGH:
        return (uint32_t)((uint64_t)device.result >> 32);
    default:
        return 0;
    }
}

static void registers(struct port_access *access)
{
    uint32_t at = (uint32_t)access->port - vmci_config_ports();

    if (at >= VMCI_PORT_COUNT)
        ports_pass(access); /* the guest has moved the device */
    else if (access->is_in)
        access->value = device.is_silent ? UINT32_MAX : read_register(at);
    else if (!device.is_silent)
        write_register(at, access->value);
}

void vmci_init(uint64_t rsdp)
{
    vmci_config_init(rsdp);
    ports_claim(vmci_config_ports(), VMCI_PORT_COUNT, registers);
    tick_start();
}

void vmci_answer(bool answers)
{
    reset();
    device.is_silent = !answers;
}

void vmci_set_doorbell(uint32_t context, uint32_t resource)
{
    struct handle handle = {context, resource};

    if (!is_same(handle, doorbell))
        log_say("doorbell context=%x resource=%x", context, resource);
    doorbell = handle;
}

void vmci_ring(void)
{
    bool is_wanted = device.is_linked && is_same(device.linked, doorbell) &&
                     device.page && !npt_is_absent(device.page);

    if (!is_wanted)
        return;
    ((uint8_t *)device.page)[device.index] |= 1;
    device.cause |= CAUSE_NOTIFICATION;
    log_say("ring index=%lu", device.index);
    vmci_tick();
}

void vmci_tick(void)
{
    if (device.interrupts_on && device.cause & device.mask)
        vmci_config_interrupt();
}
