// SPDX-License-Identifier: BSD-2-Clause
/*
 * The registers seam: how a driver reaches device registers. On the machine a window of MMIO or
 * ports stands behind it, in host tests a device model. A read has the side effects the device gives
 * it; each access is one bus access of exactly `width` bytes (1, 2 or 4), in program order.
 */
#pragma once

#include "base/units.h"

#include <stdint.h>

struct reg_io {
    void *ctx;           /* passed back untouched */
    uint64_t size_bytes; /* offsets lie below this; the caller checks, see reg_fits() */
    uint32_t (*read)(void *ctx, uint64_t offset, unsigned width);
    void (*write)(void *ctx, uint64_t offset, unsigned width, uint32_t value);
};

static inline uint32_t reg_read8(const struct reg_io *io, uint64_t offset)
{
    return io->read(io->ctx, offset, 1);
}

static inline uint32_t reg_read16(const struct reg_io *io, uint64_t offset)
{
    return io->read(io->ctx, offset, 2);
}

static inline uint32_t reg_read32(const struct reg_io *io, uint64_t offset)
{
    return io->read(io->ctx, offset, 4);
}

static inline void reg_write8(const struct reg_io *io, uint64_t offset, uint32_t value)
{
    io->write(io->ctx, offset, 1, value);
}

static inline void reg_write16(const struct reg_io *io, uint64_t offset, uint32_t value)
{
    io->write(io->ctx, offset, 2, value);
}

static inline void reg_write32(const struct reg_io *io, uint64_t offset, uint32_t value)
{
    io->write(io->ctx, offset, 4, value);
}

/*
 * Where register windows come from: the machine's address spaces. map() makes `size_bytes` at
 * guest-physical `addr` reachable, uncached; port() does so for I/O ports. Both return 0 or -ENOMEM /
 * -EINVAL, and the window lives until unmap() (ports need none, unmap() ignores them). Task context.
 */
struct reg_space {
    void *ctx;
    int (*map)(void *ctx, paddr_t addr, uint64_t size_bytes, struct reg_io *out);
    int (*port)(void *ctx, uint16_t first, uint16_t count, struct reg_io *out);
    void (*unmap)(void *ctx, struct reg_io *io);
};
