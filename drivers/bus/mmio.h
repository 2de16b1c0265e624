// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where virtio-mmio devices are (R-T-23): nothing enumerates this bus, so the addresses come from text
 * that the VMM appends to the command line, from ACPI, or from the slots that a microvm machine has at
 * fixed places. All three are pure functions over text, bytes and numbers; none looks at a device.
 * drivers/virtio/transport/mmio.h tells what is behind an address.
 *
 * All input is untrusted: what is not understood is refused with a reason, and nothing is read outside
 * of what was passed. Any context.
 */
#pragma once

#include "base/units.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One place where a device may be. */
struct mmio_dev {
    paddr_t addr;
    uint64_t size_bytes;
    uint32_t irq; /* a GSI */
    /* as ACPI says it; false where nobody says */
    bool is_edge, is_active_low;
};

/* ---- the command line ---- */

/* "<size>@<base>:<irq>[:<id>]", the value of virtio_mmio.device=: decimal or 0x hexadecimal, the size
 * with K, M or G behind it if need be. 0 and *out, or -EINVAL and in *why a few words on what is wrong,
 * to print beside the text. */
int mmio_parse(const char *text, struct mmio_dev *out, const char **why);

/* ---- ACPI ---- */

/* Devices that were found and refused: one counter per reason. */
struct mmio_acpi_errors {
    uint64_t no_device; /* the id stands in no Device package whose length makes sense */
    uint64_t no_crs;    /* the device has no resources by name */
    uint64_t crs_kind;  /* they are no plain buffer: a method, say */
    uint64_t
        crs_length; /* a length runs past what it is in, or the end tag is not at the end */
    uint64_t descriptor; /* a resource of a kind or shape that is not understood */
    uint64_t no_memory;  /* no memory range, an empty one, or two of them */
    uint64_t no_irq;     /* no interrupt, or two of them */
};

/* Find the devices with _HID "LNRO0005" in the definition block `aml` (a DSDT or SSDT, with or without
 * its header) and what memory and interrupt each has. The code in the block is not run: the device's
 * bytes are searched for a constant _CRS buffer. Start with *pos = 0 and go on until -ENODEV: no more.
 * 0: *out; -EPROTO: one was found and refused, the reason is counted, there may be more. A call takes time
 * in proportion to the block, so bound their number. */
int mmio_acpi_next(const uint8_t *aml, size_t size_bytes, size_t *pos,
                   struct mmio_dev *out, struct mmio_acpi_errors *errors);

/* A few words on the first reason that is counted, to print beside the place; NULL: none is. */
const char *mmio_acpi_why(const struct mmio_acpi_errors *errors);

/* ---- microvm slots ---- */

#define MMIO_SLOTS_ADDR UINT64_C(0xFEB00000)
#define MMIO_SLOT_BYTES UINT64_C(0x200)

/* QEMU's microvm machine (R-T-22) has 24 slots with ACPI and 8 without, most of them empty; devices fill
 * them from the highest one down. On another machine these addresses belong to somebody else: look
 * there only when nothing else was found. */
unsigned mmio_slot_count(bool has_acpi);
struct mmio_dev mmio_slot(unsigned slot, bool has_acpi);
