// SPDX-License-Identifier: BSD-2-Clause
/* The block's five registers and the event bit. */
#include "tests/model/hotplug_block.h"

#include "base/bits.h"
#include "base/err.h"

#include <stdlib.h>

#define EVENT 2u

static void eject(struct block_model *b, unsigned select, uint32_t mask)
{
    b->bus[select].ejected |= mask;
    b->bus[select].goes &= ~mask;
    for (unsigned i = 0; i < b->pci->count && !b->stays; i++) {
        struct pci_model_fn *fn = b->pci->fns[i];

        if (fn->bus == b->bus[select].number && (mask >> fn->slot & 1) != 0)
            fn->is_absent = true;
    }
}

static uint32_t block_read(void *ctx, uint64_t offset, unsigned width)
{
    struct block_model *b = ctx;
    uint32_t came;

    if (width != 4 || offset > 0x10)
        abort(); /* the driver left the block */
    if (offset == 0x10)
        return b->select;
    if (b->select >= BLOCK_MODEL_BUSES)
        return offset == 0x0C ? UINT32_MAX : 0;
    b->looks++;
    switch (offset) {
    case 0x00:
        came = b->bus[b->select].came;
        b->bus[b->select].came = 0;
        return came;
    case 0x04:
        return b->bus[b->select].goes;
    case 0x0C:
        return b->bus[b->select].removable;
    default:
        return 0;
    }
}

static void block_write(void *ctx, uint64_t offset, unsigned width, uint32_t value)
{
    struct block_model *b = ctx;

    if (width != 4 || offset > 0x10)
        abort();
    if (offset == 0x10)
        b->select = value;
    else if (offset == 0x08 && b->select < BLOCK_MODEL_BUSES)
        eject(b, b->select, value);
}

static uint32_t gpe_read(void *ctx, uint64_t offset, unsigned width)
{
    struct block_model *b = ctx;

    if (width != 1 || offset != 0)
        abort();
    return b->gpe;
}

static void gpe_write(void *ctx, uint64_t offset, unsigned width, uint32_t value)
{
    struct block_model *b = ctx;

    if (width != 1 || offset != 0)
        abort();
    b->gpe = (uint8_t)(b->gpe & ~value);
}

static int ports(void *ctx, uint16_t first, uint16_t count, struct reg_io *out)
{
    struct block_model *b = ctx;

    if (b->no_ports)
        return -ENOMEM;
    if (first == BLOCK_MODEL_BASE && count == 0x14)
        *out = (struct reg_io){b, count, block_read, block_write};
    else if (first == BLOCK_MODEL_GPE && count == 1)
        *out = (struct reg_io){b, count, gpe_read, gpe_write};
    else
        return -EINVAL;
    return 0;
}

void block_model_init(struct block_model *b, struct pci_model *pci)
{
    *b = (struct block_model){.pci = pci};
    for (unsigned i = 0; i < BLOCK_MODEL_BUSES; i++)
        b->bus[i].removable = UINT32_MAX;
    pci->other_ports = ports;
    pci->other_ctx = b;
}

void block_model_ask(struct block_model *b, unsigned select, unsigned slot)
{
    b->bus[select].goes |= BIT32(slot);
    b->gpe |= EVENT;
}

void block_model_plug(struct block_model *b, unsigned select, unsigned slot)
{
    for (unsigned i = 0; i < b->pci->count; i++) {
        struct pci_model_fn *fn = b->pci->fns[i];

        if (fn->bus == b->bus[select].number && fn->slot == slot)
            fn->is_absent = false;
    }
    b->bus[select].came |= BIT32(slot);
    b->gpe |= EVENT;
}
