// SPDX-License-Identifier: BSD-2-Clause
/* One device, one interrupt: by message where the device can, by its line otherwise. */
#include "kernel/vmware_bell.h"
#include "kernel/drivers.h"
#include "kernel/irq.h"
#include "kernel/log.h"

#include "base/err.h"
#include "drivers/bus/msix.h"
#include "drivers/vmware/vmci.h"

/* Owned by the balloon's task; the ISR reads what is set before interrupts start. */
static struct {
    bool is_found;
    struct pci_dev pci;
    const struct balloon_hal *hal;
    struct task *task;
    struct vmci vmci;
    struct msix msix;
    struct irq_message message;
    bool has_message;
    int line; /* attached; -1: none */
} bell = {.line = -1};

static bool on_message(void *ctx)
{
    (void)ctx;
    task_wake(bell.task);
    return true;
}

static bool on_line(void *ctx)
{
    if (!vmci_isr(&bell.vmci))
        return false;
    return on_message(ctx);
}

static void close_message(void)
{
    msix_close(&bell.msix);
    if (bell.has_message)
        irq_message_close(&bell.message);
    bell.has_message = false;
}

/* Notifications have their own vector, or share the one there is. */
static int open_message(void)
{
    int err = irq_has_messages() ? msix_open(&bell.msix, &bell.pci) : -ENOTSUP;

    if (err)
        return err;
    unsigned entry = bell.msix.entries > VMCI_VECTOR_NOTIFICATION
                         ? VMCI_VECTOR_NOTIFICATION
                         : VMCI_VECTOR_DATAGRAM;
    err = irq_message_open(on_message, NULL, &bell.message);
    bell.has_message = !err;
    if (!err)
        err = msix_set(&bell.msix, entry, bell.message.addr, bell.message.data);
    if (!err)
        err = msix_enable(&bell.msix);
    if (err)
        close_message();
    return err;
}

static int open_line(void)
{
    int line = pci_intx_line(&bell.pci);
    int err = line < 0 ? line : irq_attach((uint32_t)line, on_line, NULL);

    bell.line = err ? -1 : line;
    return err;
}

static void close_irq(void)
{
    close_message();
    if (bell.line >= 0)
        irq_detach((uint32_t)bell.line, on_line, NULL);
    bell.line = -1;
}

static int open(void)
{
    int err = vmci_open(&bell.vmci, &bell.pci, bell.hal);

    if (err)
        return err;
    err = open_message();
    if (err)
        err = open_line();
    if (err)
        vmci_close(&bell.vmci);
    else
        vmci_start(&bell.vmci);
    return err;
}

static int on_function(void *ctx, const struct pci_dev *dev)
{
    (void)ctx;
    if (dev->vendor != VMCI_PCI_VENDOR || dev->device != VMCI_PCI_DEVICE)
        return 0;
    bell.pci = *dev;
    bell.is_found = true;
    return 1;
}

const struct vmware_doorbell *vmware_bell_open(const struct balloon_hal *hal,
                                               struct task *task)
{
    bell.hal = hal;
    bell.task = task;
    if (bell.vmci.is_open)
        return &bell.vmci.bell;
    if (!drivers_pci_host())
        return NULL;
    pci_scan(drivers_pci_host(), on_function, NULL);
    int err = bell.is_found ? open() : -ENODEV;
    if (err)
        log_info("vmware-balloon: no doorbell (%s), polling", err_name(err));
    else
        log_info("vmware-balloon: doorbell at %02x:%02x.%u by %s", bell.pci.bus,
                 bell.pci.slot, bell.pci.fn, vmware_bell_irq());
    return err ? NULL : &bell.vmci.bell;
}

bool vmware_bell_take(void)
{
    return vmci_take_ring(&bell.vmci);
}

void vmware_bell_close(void)
{
    if (!bell.vmci.is_open)
        return;
    close_irq();
    vmci_close(&bell.vmci);
}

void vmware_bell_resume(void)
{
    int err = bell.is_found ? open() : 0;

    if (err)
        log_warn("vmware-balloon: the doorbell is gone (%s), polling", err_name(err));
}

const char *vmware_bell_irq(void)
{
    if (bell.has_message)
        return "msix";
    return bell.line >= 0 ? "intx" : "none";
}
