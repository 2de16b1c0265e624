// SPDX-License-Identifier: BSD-2-Clause
/* Asks each source, keeps what is new, looks what is there. The parsers are drivers/bus/mmio*.c. */
#include "kernel/virtio_find.h"

#include "kernel/acpi.h"
#include "kernel/config.h"
#include "kernel/config_parse.h"
#include "kernel/log.h"
#include "kernel/string.h"
#include "kernel/x86/mmio.h"

#include "base/bits.h"
#include "base/err.h"
#include "drivers/virtio/transport/mmio.h"
#include "drivers/virtio/transport/pci_modern.h"

#define PLACES_MAX 64   /* looked at, of all MMIO sources together */
#define TEXT_MAX   256  /* of a setting, with the NUL */
#define WINDOW_MAX 4096 /* all registers and any configuration lie in it */

typedef unsigned long long ull;

/* virtio 1.3, 4.1.2.1: PCI device numbers of transitional devices. Modern ones are 0x1040 and up. */
static const struct transitional {
    uint16_t pci, virtio;
} transitional[] = {
    {0x1000, 1}, {0x1001, 2}, {0x1002, 5}, {0x1003, 3},
    {0x1004, 8}, {0x1005, 4}, {0x1009, 9},
};

enum pci_modern_id {
    PCI_MODERN_FIRST = 0x1040,
    PCI_MODERN_LAST = 0x107F,
};

bool virtio_place_of_pci(const struct pci_dev *dev, struct virtio_place *out)
{
    uint16_t id = 0;

    if (dev->vendor != PCI_VENDOR_VIRTIO)
        return false;
    if (dev->device > PCI_MODERN_FIRST && dev->device <= PCI_MODERN_LAST)
        id = (uint16_t)(dev->device - PCI_MODERN_FIRST);
    for (unsigned i = 0; i < ARRAY_LEN(transitional); i++) {
        if (transitional[i].pci == dev->device)
            id = transitional[i].virtio;
    }
    *out = (struct virtio_place){.device_id = id, .pci = *dev};
    return id != 0;
}

static int on_function(void *ctx, const struct pci_dev *dev)
{
    virtio_found_fn *const *found = ctx;
    struct virtio_place place;

    if (virtio_place_of_pci(dev, &place))
        (*found)(&place);
    return 0;
}

/* ---- MMIO ---- */

struct mmio_search {
    virtio_found_fn *found;
    unsigned count;
    bool has_more;                    /* than fit */
    struct mmio_dev seen[PLACES_MAX]; /* devices or not */
};

/* Two sources may name one device. */
static bool is_seen(const struct mmio_search *search, const struct mmio_dev *dev)
{
    for (unsigned i = 0; i < search->count; i++) {
        if (search->seen[i].addr == dev->addr)
            return true;
    }
    return false;
}

/* What is at this address? The window is mapped for the look only. */
static int look(const struct mmio_dev *dev, struct virtio_mmio_id *id)
{
    const struct reg_space *space = &machine_reg_space;
    struct reg_io regs;

    if (dev->size_bytes < VIRTIO_MMIO_MIN_BYTES || dev->addr % 4 != 0)
        return -EINVAL;
    int err = space->map(space->ctx, dev->addr, dev->size_bytes, &regs);
    if (err)
        return err;
    err = virtio_mmio_probe(&regs, id);
    space->unmap(space->ctx, &regs);
    return err;
}

static void take(struct mmio_search *search, struct mmio_dev dev)
{
    struct virtio_mmio_id id;

    dev.size_bytes = min_u64(dev.size_bytes, WINDOW_MAX);
    if (is_seen(search, &dev))
        return;
    if (search->count == PLACES_MAX) {
        search->has_more = true;
        return;
    }
    search->seen[search->count++] = dev;
    int err = look(&dev, &id);
    if (err == -ENODEV)
        return; /* an empty slot */
    if (err) {
        log_warn("virtio: mmio 0x%llx+0x%llx: %s", (ull)dev.addr, (ull)dev.size_bytes,
                 err_name(err));
        return;
    }
    search->found(
        &(struct virtio_place){.device_id = id.device, .is_mmio = true, .mmio = dev});
}

static void ask_setting(struct mmio_search *search)
{
    const char *at = config_str("virtio_mmio.device");
    char text[TEXT_MAX];

    while (*at) {
        size_t len = 0;
        struct mmio_dev dev;
        const char *why;

        while (at[len] && at[len] != ',')
            len++;
        memcpy(text, at, len);
        text[len] = '\0';
        if (mmio_parse(text, &dev, &why))
            log_error("config: virtio_mmio.device=\"%s\" (%s): %s", text,
                      config_source_name(config_source_of("virtio_mmio.device")), why);
        else
            take(search, dev);
        at += len + (at[len] == ',');
    }
}

static void ask_block(struct mmio_search *search, const char *kind, const void *aml,
                      size_t len)
{
    struct mmio_dev dev;
    size_t pos = 0;
    int err = 0;

    for (unsigned i = 0; i <= PLACES_MAX && err != -ENODEV; i++) {
        struct mmio_acpi_errors errors = {0};

        err = mmio_acpi_next(aml, len, &pos, &dev, &errors);
        if (err == 0)
            take(search, dev);
        else if (err != -ENODEV)
            log_warn(
                "virtio: the ACPI device LNRO0005 before byte %zu of a %s is left out: %s",
                pos, kind, mmio_acpi_why(&errors));
    }
}

static void ask_acpi(struct mmio_search *search)
{
    static const char *const kinds[] = {"DSDT", "SSDT"};

    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
        unsigned at = 0;
        size_t len;
        const void *aml;

        while ((aml = acpi_next(kinds[i], &at, &len)) != NULL)
            ask_block(search, kinds[i], aml, len);
    }
}

static void ask_slots(struct mmio_search *search)
{
    unsigned count = mmio_slot_count(acpi_is_there());

    for (unsigned i = 0; i < count; i++)
        take(search, mmio_slot(i, acpi_is_there()));
}

void virtio_find(struct pci_host *pci, virtio_found_fn *found)
{
    static struct mmio_search search; /* large */

    if (pci)
        pci_scan(pci, on_function, &found);
    search = (struct mmio_search){.found = found};
    ask_setting(&search);
    ask_acpi(&search);
    /* Elsewhere somebody else may live there. */
    if (!pci && search.count == 0)
        ask_slots(&search);
    if (search.has_more)
        log_warn("virtio: MMIO devices beyond %u places are not looked at", PLACES_MAX);
}
