// SPDX-License-Identifier: BSD-2-Clause
/*
 * The MMIO transport. Most registers are the same in both versions; what differs is how a queue is handed
 * over, how many feature words there are, and the status. Two tables of operations say which is which.
 */
#include "drivers/virtio/transport/mmio.h"

#include "base/bits.h"
#include "base/err.h"
#include "drivers/virtio/device.h"

#define MAGIC UINT32_C(0x74726976) /* "virt" */

/* virtio 1.3, 4.2.2 and 4.2.4. */
enum mmio_reg {
    REG_MAGIC = 0x000,
    REG_VERSION = 0x004,
    REG_DEVICE_ID = 0x008,
    REG_VENDOR_ID = 0x00C,
    REG_DEVICE_FEATURES = 0x010,
    REG_DEVICE_FEATURES_SEL = 0x014,
    REG_DRIVER_FEATURES = 0x020,
    REG_DRIVER_FEATURES_SEL = 0x024,
    REG_GUEST_PAGE_SIZE = 0x028, /* legacy */
    REG_QUEUE_SEL = 0x030,
    REG_QUEUE_SIZE_MAX = 0x034,
    REG_QUEUE_SIZE = 0x038,
    REG_QUEUE_ALIGN = 0x03C, /* legacy */
    REG_QUEUE_PFN = 0x040,   /* legacy */
    REG_QUEUE_READY = 0x044,
    REG_QUEUE_NOTIFY = 0x050,
    REG_INTERRUPT_STATUS = 0x060,
    REG_INTERRUPT_ACK = 0x064,
    REG_STATUS = 0x070,
    REG_QUEUE_DESC = 0x080,
    REG_QUEUE_DRIVER = 0x090,
    REG_QUEUE_DEVICE = 0x0A0,
    REG_CONFIG_GENERATION = 0x0FC,
    REG_CONFIG = 0x100,
};

#define WINDOW_MAX UINT64_C(0x1000) /* we never touch more of it */

static uint32_t get(const struct virtio_mmio *vm, uint64_t reg)
{
    return reg_read32(&vm->regs, reg);
}

static void set(const struct virtio_mmio *vm, uint64_t reg, uint32_t value)
{
    reg_write32(&vm->regs, reg, value);
}

/* ---- both versions ---- */

static bool config_has(const struct virtio_mmio *vm, uint32_t offset, unsigned width)
{
    return (uint64_t)REG_CONFIG + offset + width <= vm->regs.size_bytes;
}

static uint32_t op_config_read(void *ctx, uint32_t offset, unsigned width)
{
    struct virtio_mmio *vm = ctx;

    if (!config_has(vm, offset, width))
        return UINT32_MAX >> (32 - 8 * width);
    return vm->regs.read(vm->regs.ctx, (uint64_t)REG_CONFIG + offset, width);
}

static void op_config_write(void *ctx, uint32_t offset, unsigned width, uint32_t value)
{
    struct virtio_mmio *vm = ctx;

    if (config_has(vm, offset, width))
        vm->regs.write(vm->regs.ctx, (uint64_t)REG_CONFIG + offset, width, value);
}

static uint32_t op_queue_max(void *ctx, uint16_t index)
{
    struct virtio_mmio *vm = ctx;

    set(vm, REG_QUEUE_SEL, index);
    return get(vm, REG_QUEUE_SIZE_MAX);
}

static void op_queue_disable(void *ctx, uint16_t index)
{
    struct virtio_mmio *vm = ctx;

    if (index < VIRTIO_MAX_QUEUES)
        vm->queues_on &= ~BIT32(index);
}

static void op_notify(void *ctx, uint16_t index)
{
    struct virtio_mmio *vm = ctx;

    if (index < VIRTIO_MAX_QUEUES && (vm->queues_on & BIT32(index)) != 0)
        set(vm, REG_QUEUE_NOTIFY, index);
}

/* There are no messages on this bus. */
static uint16_t op_config_vector(void *ctx, uint16_t vector)
{
    (void)ctx;
    (void)vector;
    return VIRTIO_NO_VECTOR;
}

static uint16_t op_queue_vector(void *ctx, uint16_t index, uint16_t vector)
{
    (void)index;
    return op_config_vector(ctx, vector);
}

/* R-T-21. Whatever is set is acknowledged, or an unknown bit would hold the line for ever. */
static uint8_t op_isr_ack(void *ctx)
{
    struct virtio_mmio *vm = ctx;
    uint32_t raw = get(vm, REG_INTERRUPT_STATUS);

    if (raw != 0)
        set(vm, REG_INTERRUPT_ACK, raw);
    return raw & (VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG);
}

/* Select a queue and see that it is off, R-T-20. `reg` says so. */
static int select_free(struct virtio_mmio *vm, uint16_t index, uint64_t reg)
{
    if (index >= VIRTIO_MAX_QUEUES)
        return -EPROTO;
    set(vm, REG_QUEUE_SEL, index);
    if (get(vm, reg) == 0)
        return 0;
    vm->errors.queue_busy++;
    return -EBUSY;
}

/* The queue was handed over: `reg` must hold what it was given. */
static int confirm(struct virtio_mmio *vm, uint16_t index, uint64_t reg, uint32_t value)
{
    set(vm, reg, value);
    if (get(vm, reg) != value) {
        vm->errors.queue_refused++;
        return -EPROTO;
    }
    vm->queues_on |= BIT32(index);
    return 0;
}

/* ---- version 2 ---- */

static void op_reset(void *ctx)
{
    set(ctx, REG_STATUS, 0);
}

static uint8_t op_status_get(void *ctx)
{
    return (uint8_t)get(ctx, REG_STATUS);
}

static void op_status_set(void *ctx, uint8_t status)
{
    set(ctx, REG_STATUS, status);
}

static uint64_t op_features_get(void *ctx)
{
    uint64_t low;

    set(ctx, REG_DEVICE_FEATURES_SEL, 0);
    low = get(ctx, REG_DEVICE_FEATURES);
    set(ctx, REG_DEVICE_FEATURES_SEL, 1);
    return low | (uint64_t)get(ctx, REG_DEVICE_FEATURES) << 32;
}

static void op_features_set(void *ctx, uint64_t features)
{
    set(ctx, REG_DRIVER_FEATURES_SEL, 0);
    set(ctx, REG_DRIVER_FEATURES, (uint32_t)features);
    set(ctx, REG_DRIVER_FEATURES_SEL, 1);
    set(ctx, REG_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static uint32_t op_config_generation(void *ctx)
{
    return get(ctx, REG_CONFIG_GENERATION);
}

static void set_address(const struct virtio_mmio *vm, uint64_t reg, uint64_t addr)
{
    set(vm, reg, (uint32_t)addr);
    set(vm, reg + 4, (uint32_t)(addr >> 32));
}

static int op_queue_setup(void *ctx, uint16_t index,
                          const struct virtio_queue_areas *areas)
{
    struct virtio_mmio *vm = ctx;
    int err = select_free(vm, index, REG_QUEUE_READY);

    if (err)
        return err;
    set(vm, REG_QUEUE_SIZE, areas->size);
    set_address(vm, REG_QUEUE_DESC, areas->desc_addr);
    set_address(vm, REG_QUEUE_DRIVER, areas->driver_addr);
    set_address(vm, REG_QUEUE_DEVICE, areas->device_addr);
    return confirm(vm, index, REG_QUEUE_READY, 1);
}

static const struct virtio_transport modern = {
    .name = "mmio",
    .required_features = BIT64(VIRTIO_F_VERSION_1),
    .has_generation = true,
    .reset = op_reset,
    .status_get = op_status_get,
    .status_set = op_status_set,
    .features_get = op_features_get,
    .features_set = op_features_set,
    .config_read = op_config_read,
    .config_write = op_config_write,
    .config_generation = op_config_generation,
    .queue_max = op_queue_max,
    .queue_setup = op_queue_setup,
    .queue_disable = op_queue_disable,
    .notify = op_notify,
    .config_vector = op_config_vector,
    .queue_vector = op_queue_vector,
    .isr_ack = op_isr_ack,
};

/* ---- version 1 ---- */

static void legacy_reset(void *ctx)
{
    struct virtio_mmio *vm = ctx;

    vm->status = (struct legacy_status){0};
    set(vm, REG_STATUS, 0);
}

static uint8_t legacy_get(void *ctx)
{
    struct virtio_mmio *vm = ctx;

    return legacy_status_get(&vm->status, op_status_get(vm));
}

static void legacy_set(void *ctx, uint8_t status)
{
    struct virtio_mmio *vm = ctx;

    if (legacy_status_set(&vm->status, &status))
        set(vm, REG_STATUS, status);
}

/* Only bits 0 to 31 exist, R-T-04. */
static uint64_t legacy_features_get(void *ctx)
{
    set(ctx, REG_DEVICE_FEATURES_SEL, 0);
    return get(ctx, REG_DEVICE_FEATURES);
}

static void legacy_features_set(void *ctx, uint64_t features)
{
    set(ctx, REG_DRIVER_FEATURES_SEL, 0);
    set(ctx, REG_DRIVER_FEATURES, (uint32_t)features);
}

static uint32_t legacy_generation(void *ctx)
{
    (void)ctx;
    return 0;
}

static int legacy_queue_setup(void *ctx, uint16_t index,
                              const struct virtio_queue_areas *areas)
{
    struct virtio_mmio *vm = ctx;
    uint32_t pfn;
    int err = legacy_queue_pfn(areas, &pfn);

    if (err) {
        vm->errors.queue_address++;
        return err;
    }
    set(vm, REG_GUEST_PAGE_SIZE, LEGACY_ALIGN); /* a reset forgets it */
    err = select_free(vm, index, REG_QUEUE_PFN);
    if (err)
        return err;
    set(vm, REG_QUEUE_SIZE, areas->size);
    set(vm, REG_QUEUE_ALIGN, LEGACY_ALIGN);
    return confirm(vm, index, REG_QUEUE_PFN, pfn);
}

static const struct virtio_transport legacy = {
    .name = "mmio-legacy",
    .optional_features = LEGACY_OPTIONAL_FEATURES,
    .ring_align = LEGACY_ALIGN,
    .reset = legacy_reset,
    .status_get = legacy_get,
    .status_set = legacy_set,
    .features_get = legacy_features_get,
    .features_set = legacy_features_set,
    .config_read = op_config_read,
    .config_write = op_config_write,
    .config_generation = legacy_generation,
    .queue_max = op_queue_max,
    .queue_setup = legacy_queue_setup,
    .queue_disable = op_queue_disable,
    .notify = op_notify,
    .config_vector = op_config_vector,
    .queue_vector = op_queue_vector,
    .isr_ack = op_isr_ack,
};

/* ---- opening ---- */

int virtio_mmio_probe(const struct reg_io *regs, struct virtio_mmio_id *out)
{
    if (reg_read32(regs, REG_MAGIC) != MAGIC)
        return -ENODEV;
    out->version = reg_read32(regs, REG_VERSION);
    out->device = reg_read32(regs, REG_DEVICE_ID);
    out->vendor = reg_read32(regs, REG_VENDOR_ID);
    if (out->device == 0)
        return -ENODEV;
    return out->version == 1 || out->version == 2 ? 0 : -ENOTSUP;
}

int virtio_mmio_open(struct virtio_mmio *vm, const struct reg_space *space, paddr_t addr,
                     uint64_t size_bytes)
{
    int err;

    *vm = (struct virtio_mmio){.space = space};
    if (addr % 4 != 0 || size_bytes < VIRTIO_MMIO_MIN_BYTES ||
        addr > UINT64_MAX - size_bytes)
        return -EINVAL;
    err = space->map(space->ctx, addr, min_u64(size_bytes, WINDOW_MAX), &vm->regs);
    if (err)
        return err;
    err = virtio_mmio_probe(&vm->regs, &vm->id);
    if (err) {
        virtio_mmio_close(vm);
        return err;
    }
    vm->transport = vm->id.version == 1 ? legacy : modern;
    vm->transport.config_bytes = (uint32_t)(vm->regs.size_bytes - REG_CONFIG);
    vm->transport.ctx = vm;
    vm->transport.reset(vm);
    return 0;
}

void virtio_mmio_close(struct virtio_mmio *vm)
{
    if (vm->regs.size_bytes)
        vm->space->unmap(vm->space->ctx, &vm->regs);
    vm->regs = (struct reg_io){0};
}
