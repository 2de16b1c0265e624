// SPDX-License-Identifier: BSD-2-Clause
/* The one table of drivers, the devices they have, and the scan that finds them. */
#include "kernel/drivers.h"

#include "kernel/acpi.h"
#include "kernel/balloon.h"
#include "kernel/config.h"
#include "kernel/driver.h"
#include "kernel/evacuation.h"
#include "kernel/hal.h"
#include "kernel/log.h"
#include "kernel/mcfg.h"
#include "kernel/memory.h"
#include "kernel/virtio_console.h"
#include "kernel/vmware.h"
#include "kernel/x86/mmio.h"

#include "base/bits.h"
#include "base/err.h"

#define DEVICES_MAX 4 /* a driver has one at most */

static const struct driver *const drivers[] = {
    &balloon_driver,
    &virtio_console_driver,
};

/* What a driver has, whether it runs or not. */
static struct device {
    const struct driver *driver; /* NULL: free */
    struct virtio_port port;
    bool is_leaving;        /* release() or lost() was called */
    bool is_falling_asleep; /* suspend() was called */
    drivers_done_fn *done;  /* for a release */
    void *done_ctx;
} devices[DEVICES_MAX];

static struct {
    drivers_done_fn *done; /* NULL: not under way */
    void *ctx;
} suspend;

/* Lives as long as the devices found through it. */
static struct pci_host host;
static bool has_pci;

struct pci_host *drivers_pci_host(void)
{
    return has_pci ? &host : NULL;
}

static const struct driver *driver_for(const struct virtio_place *place)
{
    for (unsigned i = 0; i < ARRAY_LEN(drivers); i++) {
        if (place->device_id == drivers[i]->device_id)
            return drivers[i];
    }
    return NULL;
}

static struct device *free_device(void)
{
    for (unsigned i = 0; i < DEVICES_MAX; i++) {
        if (!devices[i].driver)
            return &devices[i];
    }
    return NULL;
}

/* R-V-02: a driver has one device. Another is reset, by opening it, and left alone. */
static int leave_alone(const struct virtio_place *place, const struct driver *driver)
{
    struct virtio_port port;

    virtio_port_init(&port, place);
    log_warn("%s: a second device at %s is left alone", driver->name, port.name);
    int err = virtio_port_open(&port);
    if (err)
        log_warn("%s: %s is not reset: %s", driver->name, port.name, err_name(err));
    virtio_port_close(&port);
    return -EBUSY;
}

static bool has_device(const struct driver *driver)
{
    for (unsigned i = 0; i < DEVICES_MAX; i++) {
        if (devices[i].driver == driver)
            return true;
    }
    return false;
}

static struct device *find_pci(const struct pci_dev *dev)
{
    for (unsigned i = 0; i < DEVICES_MAX; i++) {
        const struct virtio_place *place = &devices[i].port.place;
        const struct pci_dev *pci = &place->pci;

        if (devices[i].driver && !place->is_mmio && pci->bus == dev->bus &&
            pci->slot == dev->slot && pci->fn == dev->fn)
            return &devices[i];
    }
    return NULL;
}

static int add(const struct virtio_place *place)
{
    const struct driver *driver = driver_for(place);
    struct device *device = free_device();

    if (!driver)
        return -ENODEV;
    if (!driver->is_enabled()) {
        log_info("%s: found, but %s leaves it out", driver->name, driver->enabled_by);
        return -ENODEV;
    }
    if (has_device(driver))
        return leave_alone(place, driver);
    if (!device)
        return -ENOSPC;
    *device = (struct device){.driver = driver};
    virtio_port_init(&device->port, place);
    log_info("%s: at %s", driver->name, device->port.name);
    int err = driver->attach(&device->port);
    if (err)
        log_error("%s: does not attach: %s", driver->name, err_name(err));
    return err;
}

int drivers_add(const struct pci_dev *dev)
{
    struct virtio_place place;

    if (!virtio_place_of_pci(dev, &place))
        return -ENODEV;
    return find_pci(dev) ? -EBUSY : add(&place);
}

void drivers_release(const struct pci_dev *dev, drivers_done_fn *done, void *ctx)
{
    struct device *device = find_pci(dev);

    if (!device) {
        done(ctx);
        return;
    }
    device->is_leaving = true;
    device->done = done;
    device->done_ctx = ctx;
    device->driver->release();
}

void drivers_lost(const struct pci_dev *dev)
{
    struct device *device = find_pci(dev);

    if (!device)
        return;
    device->is_leaving = true;
    virtio_port_lose(&device->port);
    device->driver->lost();
}

static void note_asleep(void)
{
    drivers_done_fn *done = suspend.done;

    for (unsigned i = 0; i < DEVICES_MAX; i++) {
        if (devices[i].driver && devices[i].is_falling_asleep)
            return;
    }
    suspend.done = NULL;
    if (done)
        done(suspend.ctx);
}

static struct device *device_of(const struct virtio_port *port)
{
    struct device *device = devices;

    while (port != &device->port)
        device++;
    return device;
}

void drivers_stopped(const struct virtio_port *port)
{
    struct device *device = device_of(port);
    drivers_done_fn *done = device->done;
    void *done_ctx = device->done_ctx;

    device->is_falling_asleep = false;
    if (device->is_leaving) {
        *device = (struct device){0};
        if (done)
            done(done_ctx);
    }
    note_asleep();
}

void drivers_suspend(drivers_done_fn *done, void *ctx)
{
    vmware_device_suspend(); /* at once */
    for (unsigned i = 0; i < DEVICES_MAX; i++)
        devices[i].is_falling_asleep = devices[i].driver != NULL;
    suspend.done = done;
    suspend.ctx = ctx;
    for (unsigned i = 0; i < DEVICES_MAX; i++) {
        if (devices[i].driver && devices[i].is_falling_asleep)
            devices[i].driver->suspend();
    }
    note_asleep();
}

void drivers_resume(void)
{
    for (unsigned i = 0; i < DEVICES_MAX; i++) {
        const struct driver *driver = devices[i].driver;
        int err = driver ? driver->resume() : 0;

        if (err)
            log_error("%s: does not resume: %s", driver->name, err_name(err));
    }
    vmware_device_resume();
}

static void on_device(const struct virtio_place *place)
{
    add(place);
}

static uint64_t lent(void *ctx)
{
    (void)ctx;
    return balloon_device_lent();
}

static uint64_t recall(void *ctx, uint64_t frames)
{
    (void)ctx;
    return drivers_release_hinted(frames);
}

void drivers_start(void)
{
    const struct pmm_lender lender = {.frames = lent, .recall = recall};
    struct pci_host_config cfg = {
        .space = &machine_reg_space, .use_ports = true, .log = kernel_log};
    struct mcfg_window window;
    size_t len;
    const void *mcfg = acpi_find("MCFG", &len);

    pmm_set_lender(memory_pmm(), &lender);
    evacuation_start();
    if (mcfg && !mcfg_parse(mcfg, len, &window)) {
        cfg.ecam_base = window.base;
        cfg.ecam_first = window.first_bus;
        cfg.ecam_last = window.last_bus;
    }
    has_pci = pci_host_init(&host, &cfg) == 0;
    if (!has_pci)
        log_info("drivers: no PCI");
    virtio_find(drivers_pci_host(), on_device);
    vmware_device_start();
}

uint64_t drivers_oom(uint64_t frames)
{
    hal_note_oom();
    uint64_t got = balloon_device_oom(frames);
    return got < frames ? got + vmware_device_oom(frames - got) : got;
}

void drivers_memory_freed(void)
{
    balloon_device_memory_freed();
}

uint64_t drivers_ballooned_frames(void)
{
    return balloon_device_frames() + vmware_device_frames();
}

uint64_t drivers_hinted_frames(void)
{
    return balloon_device_hinted();
}

uint64_t drivers_release_hinted(uint64_t frames)
{
    return balloon_device_recall(frames);
}

bool drivers_is_ballooned(pfn_t first, uint64_t frames)
{
    return balloon_device_has(first, frames) || vmware_device_has(first, frames);
}

void drivers_balloon_figures(struct balloon_figures *out)
{
    uint64_t virtio = balloon_device_target();

    /* As the host said it: anything in 64 bits. */
    out->target = virtio + min_u64(vmware_device_target(), UINT64_MAX - virtio);
    out->frames = balloon_device_frames() + vmware_device_frames();
}

void drivers_evacuate(void)
{
    evacuation_poke();
}

uint64_t drivers_metadata_bytes(void)
{
    return balloon_device_bytes() + vmware_device_bytes();
}

/* A command is for both balloons: it is done when one of them did it, and fails as the one that is there. */
static int both(int virtio, int vmware)
{
    if (virtio == 0 || vmware == 0)
        return 0;
    return virtio == -ENODEV ? vmware : virtio;
}

int drivers_balloon_attach(void)
{
    int virtio = balloon_device_reattach();

    return both(virtio, vmware_device_reattach());
}

int drivers_balloon_detach(void)
{
    int virtio = balloon_device_detach();

    return both(virtio, vmware_device_detach());
}

int drivers_balloon_map(void)
{
    int virtio = balloon_device_map();

    return both(virtio, vmware_device_map());
}

int drivers_balloon_stats(void)
{
    int virtio = balloon_device_stats();

    return both(virtio, vmware_device_stats());
}

int drivers_vmmemctl(void)
{
    return vmware_device_vmmemctl();
}

void drivers_vmware_doctor(void)
{
    vmware_device_doctor();
}
