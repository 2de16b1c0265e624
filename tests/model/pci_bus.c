// SPDX-License-Identifier: BSD-2-Clause
/* The PCI bus behind struct reg_space. */
#include "tests/model/pci_bus.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

#define COMMAND    0x04u
#define HEADER     0x0Eu
#define BAR0       0x10u
#define BAR_END    0x28u
#define BAR_END_1  0x18u /* of a bridge */
#define SECONDARY  0x19u
#define CMD_IO     1u
#define CMD_MEMORY 2u
#define ECAM_BYTES (UINT64_C(256) << 20)
#define PORT_FIRST 0xCF8
#define PORT_DATA  4u

/* One mapped window: either a piece of ECAM or a piece of a BAR. */
struct window {
    struct pci_model *model;
    struct pci_model_fn *fn; /* NULL: ECAM */
    unsigned bar;
    uint64_t base; /* offset in ECAM or in the BAR */
    uint64_t size_bytes;
};

static uint32_t ones(unsigned width)
{
    return UINT32_MAX >> (32 - 8 * width);
}

void pci_model_set(struct pci_model_fn *fn, unsigned offset, unsigned width,
                   uint32_t value)
{
    for (unsigned i = 0; i < width; i++)
        fn->cfg[(offset + i) % sizeof(fn->cfg)] = (uint8_t)(value >> 8 * i);
}

uint32_t pci_model_get(const struct pci_model_fn *fn, unsigned offset, unsigned width)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < width; i++)
        value |= (uint32_t)fn->cfg[(offset + i) % sizeof(fn->cfg)] << 8 * i;
    return value;
}

void pci_model_identity(struct pci_model_fn *fn, uint16_t vendor, uint16_t device,
                        uint8_t header)
{
    pci_model_set(fn, 0x00, 2, vendor);
    pci_model_set(fn, 0x02, 2, device);
    pci_model_set(fn, 0x0E, 1, header);
}

/* ---- configuration space ---- */

static bool is_bridge(const struct pci_model_fn *fn)
{
    return (fn->cfg[HEADER] & 0x7F) == 1;
}

static bool is_reached(const struct pci_model *m, unsigned bus)
{
    if (bus == 0 || !m->needs_bridges)
        return true;
    for (unsigned i = 0; i < m->count; i++)
        if (is_bridge(m->fns[i]) && m->fns[i]->cfg[SECONDARY] == bus &&
            m->fns[i]->bus < bus && is_reached(m, m->fns[i]->bus))
            return true;
    return false;
}

static struct pci_model_fn *find(struct pci_model *m, unsigned bus, unsigned slot,
                                 unsigned fn)
{
    if (!is_reached(m, bus))
        return NULL;
    for (unsigned i = 0; i < m->count; i++)
        if (m->fns[i]->bus == bus && m->fns[i]->slot == slot && m->fns[i]->fn == fn)
            return m->fns[i]->is_absent ? NULL : m->fns[i];
    return NULL;
}

static uint32_t cfg_read(struct pci_model_fn *fn, unsigned offset, unsigned width)
{
    uint32_t value;

    if (!fn || offset + width > sizeof(fn->cfg))
        return ones(width);
    value = pci_model_get(fn, offset, width);
    return fn->cfg_twist ? fn->cfg_twist(fn->ctx, offset, width, value) & ones(width)
                         : value;
}

static bool bar_is_64(const struct pci_model_fn *fn, unsigned bar)
{
    return (pci_model_get(fn, BAR0 + 4 * bar, 1) & 7) == 4;
}

/* A BAR keeps its flags and the address bits above its size. */
static void bar_cfg_write(struct pci_model *m, struct pci_model_fn *fn, unsigned bar,
                          uint32_t value)
{
    bool upper = bar > 0 && fn->bar_size[bar] == 0 && fn->bar_size[bar - 1] != 0 &&
                 bar_is_64(fn, bar - 1);
    uint64_t size = fn->bar_size[upper ? bar - 1 : bar];
    uint32_t flags = upper ? 0 : pci_model_get(fn, BAR0 + 4 * bar, 1) & 0xF;
    uint64_t mask = ~(size - 1);

    if (size == 0)
        return;
    if (flags & 1)
        flags &= 3;
    if (value == UINT32_MAX &&
        (pci_model_get(fn, COMMAND, 2) & (flags & 1 ? CMD_IO : CMD_MEMORY)))
        m->probes_decoding++;
    value &= (uint32_t)(upper ? mask >> 32 : mask);
    pci_model_set(fn, BAR0 + 4 * bar, 4, value | flags);
}

/* Of the header: cache line, latency, interrupt line; all that a bridge has behind its BARs. */
static bool is_writable(const struct pci_model_fn *fn, unsigned offset)
{
    return offset >= 0x40 || offset == 0x0C || offset == 0x0D || offset == 0x3C ||
           (is_bridge(fn) && offset >= BAR_END_1 && offset != 0x1E);
}

static void cfg_write(struct pci_model *m, struct pci_model_fn *fn, unsigned offset,
                      unsigned width, uint32_t value)
{
    if (!fn || offset + width > sizeof(fn->cfg))
        return;
    if (offset >= BAR0 && offset < (is_bridge(fn) ? BAR_END_1 : BAR_END)) {
        if (width == 4 && offset % 4 == 0)
            bar_cfg_write(m, fn, (offset - BAR0) / 4, value);
    } else if (offset == COMMAND && width == 2) {
        pci_model_set(fn, COMMAND, 2, value & 0x0407);
    } else if (is_writable(fn, offset)) {
        if (offset < 0x40 || !fn->cfg_write ||
            !fn->cfg_write(fn->ctx, offset, width, value))
            pci_model_set(fn, offset, width, value);
    }
}

/* ---- windows ---- */

static bool is_io(const struct pci_model_fn *fn, unsigned bar)
{
    return (pci_model_get(fn, BAR0 + 4 * bar, 1) & 1) != 0;
}

static bool decodes(const struct window *w)
{
    uint32_t bit = is_io(w->fn, w->bar) ? CMD_IO : CMD_MEMORY;

    return (pci_model_get(w->fn, COMMAND, 2) & bit) != 0;
}

static struct pci_model_fn *ecam_target(const struct window *w, uint64_t offset,
                                        unsigned *reg)
{
    uint64_t at = w->base + offset;

    *reg = (unsigned)(at & 0xFFF);
    return find(w->model, (unsigned)(at >> 20), at >> 15 & 31, at >> 12 & 7);
}

static uint32_t window_read(void *ctx, uint64_t offset, unsigned width)
{
    struct window *w = ctx;
    unsigned reg;

    if (offset + width > w->size_bytes)
        abort(); /* the driver left its window */
    if (!w->fn) {
        struct pci_model_fn *fn = ecam_target(w, offset, &reg);

        return cfg_read(fn, reg, width);
    }
    return decodes(w) ? w->fn->bar_read(w->fn->ctx, w->bar, w->base + offset, width)
                      : ones(width);
}

static void window_write(void *ctx, uint64_t offset, unsigned width, uint32_t value)
{
    struct window *w = ctx;
    unsigned reg;

    if (offset + width > w->size_bytes)
        abort();
    if (!w->fn) {
        struct pci_model_fn *fn = ecam_target(w, offset, &reg);

        cfg_write(w->model, fn, reg, width, value);
    } else if (decodes(w)) {
        w->fn->bar_write(w->fn->ctx, w->bar, w->base + offset, width, value);
    }
}

static uint64_t bar_address(const struct pci_model_fn *fn, unsigned bar)
{
    uint64_t addr =
        pci_model_get(fn, BAR0 + 4 * bar, 4) & ~(is_io(fn, bar) ? 0x3u : 0xFu);

    if (bar_is_64(fn, bar))
        addr |= (uint64_t)pci_model_get(fn, BAR0 + 4 * bar + 4, 4) << 32;
    return addr;
}

/* Who decodes this range: fills w. `io`: of ports. */
static bool claim(struct pci_model *m, paddr_t addr, uint64_t size, bool io,
                  struct window *w)
{
    if (!io && m->has_ecam && addr >= PCI_MODEL_ECAM &&
        addr + size <= PCI_MODEL_ECAM + ECAM_BYTES) {
        w->base = addr - PCI_MODEL_ECAM;
        return true;
    }
    for (unsigned i = 0; i < m->count; i++) {
        for (unsigned bar = 0; bar < 6; bar++) {
            struct pci_model_fn *fn = m->fns[i];
            uint64_t base = bar_address(fn, bar);

            if (fn->bar_size[bar] == 0 || is_io(fn, bar) != io || addr < base ||
                size > fn->bar_size[bar] || addr - base > fn->bar_size[bar] - size)
                continue;
            w->fn = fn;
            w->bar = bar;
            w->base = addr - base;
            return true;
        }
    }
    return false;
}

static int open_window(struct pci_model *m, paddr_t addr, uint64_t size_bytes, bool io,
                       struct reg_io *out)
{
    struct window *w;

    if (++m->maps == m->fail_map_at)
        return -ENOMEM;
    w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    w->model = m;
    w->size_bytes = size_bytes;
    if (!claim(m, addr, size_bytes, io, w)) {
        free(w);
        return -EINVAL;
    }
    m->live_maps++;
    *out = (struct reg_io){
        .ctx = w, .size_bytes = size_bytes, .read = window_read, .write = window_write};
    return 0;
}

static int space_map(void *ctx, paddr_t addr, uint64_t size_bytes, struct reg_io *out)
{
    return open_window(ctx, addr, size_bytes, false, out);
}

static void space_unmap(void *ctx, struct reg_io *io)
{
    struct pci_model *m = ctx;

    if (io->ctx == m || !io->ctx)
        return; /* those of configuration space */
    m->live_maps--;
    free(io->ctx);
}

/* ---- ports ---- */

static struct pci_model_fn *port_target(struct pci_model *m, uint64_t offset,
                                        unsigned *reg)
{
    uint32_t a = m->port_address;

    *reg = (a & 0xFC) | (unsigned)(offset - PORT_DATA);
    return a >> 31 && (a & 3) == 0 ? find(m, a >> 16 & 0xFF, a >> 11 & 31, a >> 8 & 7)
                                   : NULL;
}

static uint32_t port_read(void *ctx, uint64_t offset, unsigned width)
{
    struct pci_model *m = ctx;
    struct pci_model_fn *fn;
    unsigned reg;

    if (!m->has_ports)
        return ones(width);
    if (offset < PORT_DATA)
        return width == 4 && offset == 0 ? m->port_address : ones(width);
    fn = port_target(m, offset, &reg);
    return cfg_read(fn, reg, width);
}

static void port_write(void *ctx, uint64_t offset, unsigned width, uint32_t value)
{
    struct pci_model *m = ctx;
    struct pci_model_fn *fn;
    unsigned reg;

    if (!m->has_ports)
        return;
    if (offset == 0 && width == 4) {
        m->port_address = value;
    } else if (offset >= PORT_DATA) {
        fn = port_target(m, offset, &reg);
        cfg_write(m, fn, reg, width, value);
    }
}

static int space_port(void *ctx, uint16_t first, uint16_t count, struct reg_io *out)
{
    struct pci_model *m = ctx;

    if (first != PORT_FIRST)
        return m->other_ports ? m->other_ports(m->other_ctx, first, count, out)
                              : open_window(m, first, count, true, out);
    *out = (struct reg_io){
        .ctx = ctx, .size_bytes = count, .read = port_read, .write = port_write};
    return 0;
}

void pci_model_init(struct pci_model *m, bool has_ecam, bool has_ports)
{
    *m = (struct pci_model){.has_ecam = has_ecam, .has_ports = has_ports};
    m->space = (struct reg_space){
        .ctx = m, .map = space_map, .port = space_port, .unmap = space_unmap};
}

void pci_model_add(struct pci_model *m, struct pci_model_fn *fn)
{
    m->fns[m->count++] = fn;
}
