// SPDX-License-Identifier: BSD-2-Clause
/*
 * VMware's VMCI device as the input makes it up: its window, its capabilities, the results of messages, causes of
 * interrupts, bytes in the page of notifications; and an MSI capability whose registers may read back as anything.
 * What the driver sends is well formed all the same and names no page but its own; a bell that is refused leaves no
 * trace; the last word is a reset, and every window and page comes back.
 */
#include "tests/fuzz/stream.h"
#include "tests/model/hal_model.h"
#include "tests/model/pci_bus.h"

#include "base/bits.h"
#include "base/units.h"
#include "drivers/bus/msi.h"
#include "drivers/vmware/vmci.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES  24u
#define MESSAGE_MAX   64u
#define FIRST_FREE_ID 1024u /* resources below are reserved */
#define MSI_CAP       0x50u
#define MSI_ADDRESS   UINT64_C(0xFEE01000)

enum resource {
    QUERY,
    CONTEXT_ID,
    SET_BITMAP,
    LINK,
    UNLINK,
    RESOURCES,
};

struct fuzz {
    struct stream in;
    struct hal_model hal;
    struct pci_model bus;
    struct pci_model_fn fn;
    struct pci_host host;
    struct pci_dev dev;
    struct vmci vmci;
    uint8_t message[MESSAGE_MAX];
    unsigned used;
    bool is_honest; /* results are those of a device that agrees */
    bool is_reset;  /* and nothing sent since */
    bool is_fickle; /* configuration reads change */
    uint32_t result, caps, cause, context;
};

static void must(bool promise)
{
    if (!promise)
        abort();
}

static uint32_t word(const struct fuzz *f, unsigned at)
{
    uint32_t value;

    memcpy(&value, f->message + at, sizeof(value));
    return value;
}

static uint32_t honest_result(const struct fuzz *f, uint32_t to)
{
    return to == QUERY ? 1 : to == CONTEXT_ID ? f->context : 0;
}

/* To the hypervisor, of a length and with values that it may have. */
static void run_message(struct fuzz *f)
{
    static const unsigned bytes[RESOURCES] = {12, 0, 8, 16, 8};
    uint32_t to = word(f, 4);

    must(word(f, 0) == 0 && to < RESOURCES);
    must(word(f, 8) == UINT32_MAX && word(f, 12) == UINT32_MAX);
    must(f->used == HEADER_BYTES + bytes[to]);
    if (to == SET_BITMAP)
        must(word(f, 24) == (uint32_t)(f->hal.dma[0].addr >> FRAME_SHIFT));
    if (to == LINK || to == UNLINK)
        must(word(f, 24) == f->context && word(f, 28) >= FIRST_FREE_ID);
    f->result = f->is_honest ? honest_result(f, to) : take32(&f->in);
    if (to == CONTEXT_ID)
        f->context = f->result;
    f->used = 0;
}

static uint32_t bar_read(void *ctx, unsigned bar, uint64_t offset, unsigned width)
{
    struct fuzz *f = ctx;

    must(bar == 0 && width == 4);
    switch (offset) {
    case 0x18:
        return f->caps;
    case 0x1C:
        return f->result;
    default:
        must(offset == 0x08 ||
             f->is_fickle); /* a cause; or the BAR's address read wrongly */
        return f->cause = take32(&f->in);
    }
}

static void bar_write(void *ctx, unsigned bar, uint64_t offset, unsigned width,
                      uint32_t value)
{
    struct fuzz *f = ctx;

    must(bar == 0 && (f->is_fickle || width == (offset == 0x10 ? 1 : 4)));
    f->is_reset = offset == 0x04 && value & 1;
    if (offset == 0x18)
        must((value & ~f->caps) == 0);
    if (offset != 0x10)
        return;
    must(f->used < MESSAGE_MAX);
    f->message[f->used++] = (uint8_t)value;
    if (f->used >= HEADER_BYTES && f->used == HEADER_BYTES + word(f, 16))
        run_message(f);
}

static uint32_t cfg_twist(void *ctx, unsigned offset, unsigned width, uint32_t honest)
{
    struct fuzz *f = ctx;

    (void)offset;
    (void)width;
    if (!f->is_fickle || (take8(&f->in) & 7) != 0)
        return honest;
    return honest ^ take32(&f->in);
}

static int on_function(void *ctx, const struct pci_dev *dev)
{
    ((struct fuzz *)ctx)->dev = *dev;
    return 1;
}

/* A bell, or an error and nothing said. */
static void link_bell(struct fuzz *f)
{
    uint32_t context = 0x1111, resource = 0x2222;
    int err = f->vmci.bell.link(f->vmci.bell.ctx, &context, &resource);

    must(err == 0 || (context == 0x1111 && resource == 0x2222));
    must(err != 0 ||
         (f->vmci.is_open && context == f->context && resource >= FIRST_FREE_ID));
    must(f->vmci.is_linked == (err == 0));
}

static void ring_bell(struct fuzz *f)
{
    uint8_t value = take8(&f->in);
    bool is_open = f->vmci.is_open;

    if (is_open)
        *(uint8_t *)f->vmci.bitmap.ptr = value;
    must(vmci_take_ring(&f->vmci) == (is_open && value & 1));
    must(!vmci_take_ring(&f->vmci));
}

/* Ours when there is a cause; a device that is gone has none. */
static void interrupt(struct fuzz *f)
{
    f->cause = UINT32_MAX; /* when the window does not decode */
    bool is_ours = vmci_isr(&f->vmci);

    must(is_ours == (f->cause != 0 && f->cause != UINT32_MAX));
}

static void set_message(struct fuzz *f)
{
    uint64_t address = MSI_ADDRESS | (uint64_t)take8(&f->in) << 32;
    int err = msi_enable(&f->dev, address, take8(&f->in));

    if (f->is_fickle) /* nobody knows what it holds */
        return;
    bool is_line_off = pci_model_get(&f->fn, PCI_COMMAND, 2) & PCI_CMD_INTX_DISABLE;
    must(is_line_off == (err == 0));
}

static void event(struct fuzz *f, unsigned what)
{
    switch (what) {
    case 0:
        link_bell(f);
        break;
    case 1:
        f->vmci.bell.unlink(f->vmci.bell.ctx);
        must(!f->vmci.is_linked);
        break;
    case 2:
        if (f->vmci.is_open)
            interrupt(f);
        break;
    case 3:
        ring_bell(f);
        break;
    case 4:
        f->is_honest = !f->is_honest;
        break;
    case 5:
        set_message(f);
        break;
    case 6:
        msi_disable(&f->dev);
        break;
    default:
        vmci_close(&f->vmci);
        break;
    }
}

/* After its reset it writes to no page of ours, and cannot. A command register that reads as something else may have
 * kept all that from it. */
static void check_closed(const struct fuzz *f, bool was_open)
{
    bool masters = pci_model_get(&f->fn, PCI_COMMAND, 2) & PCI_CMD_BUS_MASTER;

    must(f->is_fickle || (f->is_reset && !(was_open && masters)));
    must(!f->vmci.is_open && f->hal.dma_live == 0 && f->bus.live_maps == 0);
}

/* One owner of the device after another. */
static void live(struct fuzz *f)
{
    while (f->in.left > 0) {
        uint8_t how = take8(&f->in);

        f->is_honest = how & 1;
        f->caps = how & 2 ? take32(&f->in) : 0x1C;
        f->hal.fail_at = how & 4 ? f->hal.allocs + 1 : 0;
        f->is_reset = true; /* when it is not even mapped */
        bool is_open = vmci_open(&f->vmci, &f->dev, &f->hal.hal) == 0;
        if (is_open) {
            vmci_start(&f->vmci);
            for (unsigned n = how >> 3; n > 0; n--)
                event(f, take8(&f->in) & 7);
        }
        vmci_close(&f->vmci);
        check_closed(f, is_open);
    }
}

/* What a real one shows, but for bytes of the input: the window, and the capability. */
static void make_function(struct fuzz *f, uint8_t flags)
{
    f->fn =
        (struct pci_model_fn){.slot = 7,
                              .bar_size = {flags & 4 ? BIT64(take8(&f->in) & 15) : 0x40},
                              .ctx = f,
                              .bar_read = bar_read,
                              .bar_write = bar_write,
                              .cfg_twist = cfg_twist};
    pci_model_identity(&f->fn, VMCI_PCI_VENDOR, VMCI_PCI_DEVICE, 0);
    pci_model_set(&f->fn, PCI_BAR0, 4, flags & 8 ? take32(&f->in) : 0xC001);
    pci_model_set(&f->fn, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
    pci_model_set(&f->fn, PCI_CAP_POINTER, 1, flags & 16 ? take8(&f->in) : MSI_CAP);
    pci_model_set(&f->fn, MSI_CAP, 2, 0x05);
    pci_model_set(&f->fn, MSI_CAP + 2, 2, take16(&f->in));
    for (unsigned i = 0; flags & 32 && i < 8; i++) /* more capabilities, or a loop */
        f->fn.cfg[take8(&f->in) | MSI_CAP] = take8(&f->in);
    pci_model_add(&f->bus, &f->fn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz *f = calloc(1, sizeof(*f));

    must(f != NULL);
    f->in = (struct stream){.data = data, .left = size};
    hal_model_init(&f->hal);
    pci_model_init(&f->bus, false, true);
    uint8_t flags = take8(&f->in);
    make_function(f, flags);
    must(pci_host_init(&f->host, &(struct pci_host_config){.space = &f->bus.space,
                                                           .use_ports = true,
                                                           .log = f->hal.hal.log}) == 0);
    if (pci_scan(&f->host, on_function, f) == 1) {
        f->is_fickle = flags & 2;
        live(f);
    }
    pci_host_fini(&f->host);
    must(f->bus.live_maps == 0);
    must(hal_model_end(&f->hal) == 0);
    free(f);
    return 0;
}
