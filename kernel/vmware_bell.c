// SPDX-License-Identifier: BSD-2-Clause
/* One device, one interrupt: by message where the device can (MSI-X, else MSI), by its line otherwise. */
#include "kernel/vmware_bell.h"
#include "kernel/drivers.h"
#include "kernel/irq.h"
#include "kernel/log.h"

#include "base/err.h"
#include "drivers/bus/msi.h"
#include "drivers/bus/msix.h"
#include "drivers/vmware/vmci.h"

/* Owned by the balloon's task; the ISR reads what is set before interrupts start. */
static struct {
    bool is_found;
    bool is_asleep; /* closed for a sleep, and not open again since */
    struct pci_dev pci;
    const struct balloon_hal *hal;
    struct task *task;
    struct vmci vmci;
    struct msix msix;
    struct irq_message message;
    const char *sent_by; /* the message; NULL: there is none */
    int line;            /* attached; -1: none */
} bell = {.line = -1};

/* The bell's own message. */
static bool on_ring(void *ctx)
{
    (void)ctx;
    task_wake(bell.task);
    return true;
}

/* What else may have come this way is told by the cause, which has to be read before the device sends again. */
static bool on_any(void *ctx)
{
    return vmci_isr(&bell.vmci) && on_ring(ctx);
}

/* The device is silent by now. */
static void close_message(void)
{
    if (bell.sent_by)
        irq_message_close(&bell.message);
    bell.sent_by = NULL;
}

/* Notifications have their own entry, or share the one there is. */
static int open_msix(void)
{
    int err = msix_open(&bell.msix, &bell.pci);

    if (err)
        return err;
    bool is_alone = bell.msix.entries > VMCI_VECTOR_NOTIFICATION;
    err = irq_message_open(is_alone ? on_ring : on_any, NULL, &bell.message);
    if (!err) {
        bell.sent_by = "msix";
        err = msix_set(&bell.msix,
                       is_alone ? VMCI_VECTOR_NOTIFICATION : VMCI_VECTOR_DATAGRAM,
                       bell.message.addr, bell.message.data);
    }
    if (!err)
        err = msix_enable(&bell.msix);
    if (err) {
        msix_close(&bell.msix);
        close_message();
    }
    return err;
}

static int open_msi(void)
{
    int err = irq_message_open(on_any, NULL, &bell.message);

    if (err)
        return err;
    bell.sent_by = "msi";
    err = msi_enable(&bell.pci, bell.message.addr, bell.message.data);
    if (err)
        close_message();
    return err;
}

static int open_message(void)
{
    if (!irq_has_messages())
        return -ENOTSUP;
    int err = open_msix();

    return err ? open_msi() : 0;
}

/* Firmware may have left messages on: then the line is silent. */
static int open_line(void)
{
    int line = pci_intx_line(&bell.pci);

    msix_disable(&bell.pci);
    msi_disable(&bell.pci);
    int err = line < 0 ? line : irq_attach((uint32_t)line, on_any, NULL);

    bell.line = err ? -1 : line;
    return err;
}

static void close_irq(void)
{
    msix_close(&bell.msix);
    msi_disable(&bell.pci);
    close_message();
    if (bell.line >= 0)
        irq_detach((uint32_t)bell.line, on_any, NULL);
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

static void close(void)
{
    if (!bell.vmci.is_open)
        return;
    close_irq();
    vmci_close(&bell.vmci);
}

void vmware_bell_close(void)
{
    close();
    bell.is_asleep = false;
}

void vmware_bell_suspend(void)
{
    bell.is_asleep |= bell.vmci.is_open;
    close();
}

void vmware_bell_resume(void)
{
    int err = bell.is_asleep ? open() : 0;

    bell.is_asleep = err != 0; /* the next wake tries again */
    if (err)
        log_warn("vmware-balloon: the doorbell is gone (%s), polling", err_name(err));
}

const char *vmware_bell_irq(void)
{
    if (bell.sent_by)
        return bell.sent_by;
    return bell.line >= 0 ? "intx" : "none";
}
