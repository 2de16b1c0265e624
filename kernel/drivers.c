// SPDX-License-Identifier: BSD-2-Clause
/* The one table of drivers and the scan that feeds it. */
#include "kernel/drivers.h"

#include "kernel/acpi.h"
#include "kernel/balloon.h"
#include "kernel/config.h"
#include "kernel/hal.h"
#include "kernel/log.h"
#include "kernel/mcfg.h"
#include "kernel/x86/mmio.h"

#include "base/bits.h"
#include "base/err.h"
#include "drivers/bus/pci.h"

static const struct driver {
    const char *name;
    const char *enabled_by; /* setting */
    bool (*match)(const struct pci_dev *dev);
    int (*attach)(const struct pci_dev *dev);
} drivers[] = {
    {"virtio-balloon", "balloon.enable", balloon_device_match, balloon_device_attach},
};

/* Lives as long as the devices found through it. */
static struct pci_host host;

static int on_function(void *ctx, const struct pci_dev *dev)
{
    (void)ctx;
    for (unsigned i = 0; i < ARRAY_LEN(drivers); i++) {
        if (!drivers[i].match(dev))
            continue;
        if (!config_bool(drivers[i].enabled_by)) {
            log_info("%s: found, but %s is off", drivers[i].name, drivers[i].enabled_by);
            continue;
        }
        log_info("%s: at %02x:%02x.%u, device 0x%04x", drivers[i].name, dev->bus,
                 dev->slot, dev->fn, dev->device);
        int err = drivers[i].attach(dev);
        if (err)
            log_error("%s: does not attach: %s", drivers[i].name, err_name(err));
    }
    return 0;
}

void drivers_start(void)
{
    struct pci_host_config cfg = {
        .space = &machine_reg_space, .use_ports = true, .log = kernel_log};
    struct mcfg_window window;
    size_t len;
    const void *mcfg = acpi_find("MCFG", &len);

    if (mcfg && !mcfg_parse(mcfg, len, &window)) {
        cfg.ecam_base = window.base;
        cfg.ecam_first = window.first_bus;
        cfg.ecam_last = window.last_bus;
    }
    if (pci_host_init(&host, &cfg)) {
        log_info("drivers: no PCI");
        return;
    }
    pci_scan(&host, on_function, NULL);
}

uint64_t drivers_oom(uint64_t frames)
{
    hal_note_oom();
    return balloon_device_oom(frames);
}

void drivers_memory_freed(void)
{
    balloon_device_memory_freed();
}

uint64_t drivers_ballooned_frames(void)
{
    return balloon_device_frames();
}

bool drivers_is_ballooned(pfn_t first, uint64_t frames)
{
    return balloon_device_has(first, frames);
}

void drivers_balloon_figures(struct balloon_figures *out)
{
    out->target = balloon_device_target();
    out->frames = balloon_device_frames();
}

uint64_t drivers_metadata_bytes(void)
{
    return balloon_device_bytes();
}

int drivers_balloon_attach(void)
{
    return balloon_device_reattach();
}

int drivers_balloon_detach(void)
{
    return balloon_device_detach();
}

int drivers_balloon_map(void)
{
    return balloon_device_map();
}

int drivers_balloon_stats(void)
{
    return balloon_device_stats();
}
