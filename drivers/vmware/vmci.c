// SPDX-License-Identifier: BSD-2-Clause
/* Registers, messages to the host, and the one doorbell. Offsets and numbers are the device's interface. */
#include "drivers/vmware/vmci.h"

#include "base/bits.h"
#include "base/err.h"
#include "base/le.h"

enum vmci_reg {
    REG_CONTROL = 0x04,
    REG_CAUSE = 0x08, /* read acknowledges */
    REG_MASK = 0x0C,
    REG_DATA_OUT = 0x10,
    REG_CAPS = 0x18, /* read: offered; write: accepted */
    REG_RESULT = 0x1C,
    REG_END = 0x24,
};

enum vmci_control {
    CONTROL_RESET = 1 << 0,
    CONTROL_INTERRUPTS_ON = 1 << 1,
    CONTROL_INTERRUPTS_OFF = 1 << 2,
};

enum vmci_cap {
    CAP_DATAGRAM = 1 << 2,
    CAP_NOTIFICATION = 1 << 3,
    CAP_PPN64 = 1 << 4,
};

#define CAUSE_NOTIFICATION (1u << 1)

/* What the hypervisor answers to. */
enum vmci_resource {
    RESOURCE_QUERY = 0,
    RESOURCE_CONTEXT_ID = 1,
    RESOURCE_SET_BITMAP = 2,
    RESOURCE_LINK = 3,
    RESOURCE_UNLINK = 4,
};

#define BELL_RESOURCE 1024 /* the first that is not reserved */
#define BELL_INDEX    0    /* its byte in the page */

/* Every message is to the hypervisor, and no answer is wanted but the result register. */
struct vmci_header {
    le32 to_context, to_resource;
    le32 from_context, from_resource;
    le64 payload_bytes;
};
_Static_assert(sizeof(struct vmci_header) == 24, "the wire's header");

struct vmci_handle {
    le32 context, resource;
};

static void put_bytes(struct vmci *v, const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        reg_write8(&v->regs, REG_DATA_OUT, ((const uint8_t *)bytes)[i]);
}

/* Negative: an error of the device. A device that is gone reads as -1. */
static int32_t send(struct vmci *v, enum vmci_resource to, const void *payload,
                    size_t bytes)
{
    const struct vmci_header header = {
        .to_context = le32_of(0),
        .to_resource = le32_of(to),
        .from_context = le32_of(UINT32_MAX),
        .from_resource = le32_of(UINT32_MAX),
        .payload_bytes = le64_of(bytes),
    };

    put_bytes(v, &header, sizeof(header));
    put_bytes(v, payload, bytes);
    return (int32_t)reg_read32(&v->regs, REG_RESULT);
}

/* Says what the device did not take, and passes the error on. */
static int refused(const struct vmci *v, const char *what, uint32_t answer, int err)
{
    log_to(&v->hal->log, LOG_INFO, "vmci: %s: the device says 0x%x", what,
           (unsigned)answer);
    return err;
}

static int set_bitmap(struct vmci *v, bool is_wide)
{
    uint64_t frame = pfn_from_paddr(v->bitmap.addr).n;
    const le64 payload = le64_of(frame); /* narrow: 32 bits and as many of nothing */

    if (!is_wide && frame > UINT32_MAX)
        return -ENOTSUP;
    int32_t result = send(v, RESOURCE_SET_BITMAP, &payload, sizeof(payload));
    return result == 0 ? 0 : refused(v, "notification page", (uint32_t)result, -EIO);
}

/* Does the hypervisor know the call that tells our context? Exactly one bit of the answer is about it. */
static int query(struct vmci *v)
{
    const struct {
        le32 count, pad, ids[1];
    } payload = {le32_of(1), le32_of(0), {le32_of(RESOURCE_CONTEXT_ID)}};

    int32_t result = send(v, RESOURCE_QUERY, &payload, sizeof(payload));
    return result == 1 ? 0 : refused(v, "known calls", (uint32_t)result, -ENOTSUP);
}

static int agree(struct vmci *v)
{
    const uint32_t needed = CAP_DATAGRAM | CAP_NOTIFICATION;
    uint32_t offered = reg_read32(&v->regs, REG_CAPS);

    if (offered == UINT32_MAX)
        return -ENODEV;
    if ((offered & needed) != needed)
        return refused(v, "capabilities", offered, -ENOTSUP);
    reg_write32(&v->regs, REG_CAPS, offered & (needed | CAP_PPN64));
    int err = set_bitmap(v, offered & CAP_PPN64);
    return err ? err : query(v);
}

static int map(struct vmci *v)
{
    struct pci_bar bar;

    /* Until it is reset it may know another's page. */
    pci_disable(&v->pci, PCI_CMD_BUS_MASTER);
    int err = pci_bar_read(&v->pci, 0, &bar);
    if (err)
        return err;
    if (!bar.is_io || bar.size_bytes < REG_END)
        return -ENODEV;
    pci_enable(&v->pci, PCI_CMD_IO);
    return pci_bar_map(&v->pci, &bar, 0, bar.size_bytes, &v->regs);
}

static void unlink_bell(void *ctx)
{
    struct vmci *v = ctx;
    const struct vmci_handle handle = {le32_of(v->context), le32_of(BELL_RESOURCE)};

    if (v->is_open && v->is_linked)
        send(v, RESOURCE_UNLINK, &handle, sizeof(handle)); /* if it fails it is gone */
    v->is_linked = false;
}

/* The context is asked for each time: it changes with a snapshot or a migration. */
static int link_bell(void *ctx, uint32_t *context, uint32_t *resource)
{
    struct vmci *v = ctx;

    if (!v->is_open)
        return -ENODEV;
    unlink_bell(v);
    int32_t id = send(v, RESOURCE_CONTEXT_ID, NULL, 0);
    if (id < 0)
        return refused(v, "our context", (uint32_t)id, -EIO);
    const struct {
        struct vmci_handle handle;
        le64 index;
    } payload = {{le32_of((uint32_t)id), le32_of(BELL_RESOURCE)}, le64_of(BELL_INDEX)};

    int32_t result = send(v, RESOURCE_LINK, &payload, sizeof(payload));
    if (result != 0)
        return refused(v, "link of the bell", (uint32_t)result, -EIO);
    v->context = (uint32_t)id;
    v->is_linked = true;
    *context = v->context;
    *resource = BELL_RESOURCE;
    return 0;
}

int vmci_open(struct vmci *v, const struct pci_dev *dev, const struct balloon_hal *hal)
{
    *v = (struct vmci){.hal = hal, .pci = *dev};
    v->bell =
        (struct vmware_doorbell){.ctx = v, .link = link_bell, .unlink = unlink_bell};
    int err = map(v);
    if (err)
        return err;
    reg_write32(&v->regs, REG_CONTROL, CONTROL_RESET); /* whoever had it before */
    pci_enable(&v->pci, PCI_CMD_BUS_MASTER);
    v->is_open = true;
    err = hal->dma_alloc(hal->ctx, FRAME_SIZE, &v->bitmap);
    if (!err)
        err = agree(v);
    if (err)
        vmci_close(v);
    return err;
}

void vmci_start(struct vmci *v)
{
    reg_write32(&v->regs, REG_MASK, CAUSE_NOTIFICATION);
    reg_write32(&v->regs, REG_CONTROL, CONTROL_INTERRUPTS_ON);
}

/* After the reset it writes to no page any more. */
void vmci_close(struct vmci *v)
{
    if (!v->is_open)
        return;
    unlink_bell(v);
    reg_write32(&v->regs, REG_CONTROL, CONTROL_INTERRUPTS_OFF);
    reg_write32(&v->regs, REG_CONTROL, CONTROL_RESET);
    pci_disable(&v->pci, PCI_CMD_BUS_MASTER);
    pci_bar_unmap(&v->pci, &v->regs);
    if (v->bitmap.ptr)
        v->hal->dma_free(v->hal->ctx, &v->bitmap);
    v->is_open = false;
}

bool vmci_isr(struct vmci *v)
{
    uint32_t cause = reg_read32(&v->regs, REG_CAUSE);

    return cause != 0 && cause != UINT32_MAX;
}

bool vmci_take_ring(struct vmci *v)
{
    uint8_t *bell = v->bitmap.ptr;

    /* The exchange keeps a ring that comes meanwhile. */
    return v->is_open && __atomic_exchange_n(&bell[BELL_INDEX], 0, __ATOMIC_ACQ_REL) & 1;
}
