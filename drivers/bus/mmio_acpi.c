// SPDX-License-Identifier: BSD-2-Clause
/*
 * virtio-mmio devices in ACPI tables, by mmio.h. ACPI 6.5: AML is a byte code, 20.2; resource buffers,
 * 6.4. Without an interpreter the way goes backwards: from the id to the innermost Device package around
 * it, and from there to that device's own _CRS.
 */
#include "drivers/bus/mmio.h"

#include "base/bits.h"
#include "base/err.h"

#define AML_NAME        0x08u /* 20.2.5.1 */
#define AML_BYTE        0x0Au /* 20.2.3: constants */
#define AML_WORD        0x0Bu
#define AML_STRING      0x0Du
#define AML_BUFFER      0x11u /* 20.2.5.4 */
#define AML_EXT         0x5Bu
#define AML_DEVICE      0x82u /* behind AML_EXT, 20.2.5.2 */
#define AML_ROOT_CHAR   0x5Cu
#define AML_PARENT_CHAR 0x5Eu
#define NAME_BYTES      4u

#define RES_END       0x79u /* 6.4.2.9, with a checksum */
#define RES_LARGE     0x80u
#define RES_MEMORY32  0x86u /* 6.4.3.4 */
#define RES_INTERRUPT 0x89u /* 6.4.3.6 */

#define IRQ_EDGE       2u /* flags of RES_INTERRUPT */
#define IRQ_ACTIVE_LOW 4u

/* A piece of the block: [at, end). */
struct span {
    const uint8_t *aml;
    size_t at, end;
};

static bool has_bytes(const struct span *s, const uint8_t *bytes, size_t n)
{
    if (s->end - s->at < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (s->aml[s->at + i] != bytes[i])
            return false;
    return true;
}

/* Move s->at to the next place where `bytes` stand. */
static bool seek(struct span *s, const uint8_t *bytes, size_t n)
{
    for (; s->at < s->end; s->at++)
        if (has_bytes(s, bytes, n))
            return true;
    return false;
}

static uint32_t word_at(const struct span *s, size_t at, unsigned width)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < width; i++)
        value |= (uint32_t)s->aml[at + i] << 8 * i;
    return value;
}

/* 20.2.4: a package length counts from its own first byte. Cuts `s` down to the package and moves on
 * behind the length. False: it runs past the end. */
static bool enter_package(struct span *s)
{
    size_t left = s->end - s->at, length;
    unsigned more;

    if (left == 0)
        return false;
    more = s->aml[s->at] >> 6;
    length = s->aml[s->at] & (more ? 0x0F : 0x3F);
    if (left <= more)
        return false;
    if (more)
        length |= (size_t)word_at(s, s->at + 1, more) << 4;
    if (length <= more || length > left)
        return false;
    s->end = s->at + length;
    s->at += 1 + more;
    return true;
}

static bool is_name_char(uint8_t c, bool is_first)
{
    return (c >= 'A' && c <= 'Z') || c == '_' || (!is_first && c >= '0' && c <= '9');
}

/* A name of one segment stands here: what every device of a list of slots has. */
static bool skip_name(struct span *s)
{
    while (s->at < s->end &&
           (s->aml[s->at] == AML_ROOT_CHAR || s->aml[s->at] == AML_PARENT_CHAR))
        s->at++;
    if (s->end - s->at < NAME_BYTES)
        return false;
    for (unsigned i = 0; i < NAME_BYTES; i++)
        if (!is_name_char(s->aml[s->at + i], i == 0))
            return false;
    s->at += NAME_BYTES;
    return true;
}

/* The contents of the Device that begins at `at`; false when none does. */
static bool device_at(const struct span *block, size_t at, struct span *out)
{
    *out = *block;
    out->at = at;
    if (block->end - at < 2 || block->aml[at] != AML_EXT ||
        block->aml[at + 1] != AML_DEVICE)
        return false;
    out->at += 2;
    return enter_package(out) && skip_name(out);
}

/* The innermost Device around `at`: the one that begins last. */
static bool device_around(const struct span *block, size_t at, struct span *out)
{
    for (size_t i = at; i-- > block->at;)
        if (device_at(block, i, out) && out->at <= at && out->end > at)
            return true;
    return false;
}

/* The device's own _CRS: devices inside it are passed over. Leaves crs->at behind the name. */
static bool find_crs(const struct span *device, struct span *crs)
{
    static const uint8_t name[] = {AML_NAME, '_', 'C', 'R', 'S'};
    struct span inner;

    for (*crs = *device; crs->at < crs->end;) {
        if (has_bytes(crs, name, sizeof(name))) {
            crs->at += sizeof(name);
            return true;
        }
        crs->at = device_at(crs, crs->at, &inner) ? inner.end : crs->at + 1;
    }
    return false;
}

/* BufferOp, length, size, bytes: cut `s` down to the bytes. */
static uint64_t *enter_buffer(struct span *s, struct mmio_acpi_errors *e)
{
    unsigned width;
    size_t size;

    if (s->at == s->end || s->aml[s->at] != AML_BUFFER)
        return &e->crs_kind;
    s->at++;
    if (!enter_package(s) || s->at == s->end)
        return &e->crs_length;
    width = s->aml[s->at] == AML_BYTE ? 1 : s->aml[s->at] == AML_WORD ? 2 : 0;
    if (width == 0)
        return &e->crs_kind;
    s->at++;
    if (s->end - s->at < width)
        return &e->crs_length;
    size = word_at(s, s->at, width);
    s->at += width;
    if (s->end - s->at != size)
        return &e->crs_length;
    return NULL;
}

/* What was found so far. */
struct resources {
    struct mmio_dev dev;
    unsigned memories, irqs;
};

/* Information, base, size: 32 bits each but the first, which says writable or not. */
static bool take_memory(const struct span *s, size_t at, size_t length,
                        struct resources *r)
{
    if (length != 9)
        return false;
    r->dev.addr = word_at(s, at + 1, 4);
    r->dev.size_bytes = word_at(s, at + 5, 4);
    r->memories++;
    return true;
}

/* Flags, count, numbers. More than one, or one by the name of a source, is not understood. */
static bool take_irq(const struct span *s, size_t at, size_t length, struct resources *r)
{
    if (length != 6 || s->aml[at + 1] != 1)
        return false;
    r->dev.is_edge = (s->aml[at] & IRQ_EDGE) != 0;
    r->dev.is_active_low = (s->aml[at] & IRQ_ACTIVE_LOW) != 0;
    r->dev.irq = word_at(s, at + 2, 4);
    r->irqs++;
    return true;
}

/* One large item; s->at goes behind it. NULL: understood. */
static uint64_t *take_item(struct span *s, struct resources *r,
                           struct mmio_acpi_errors *e)
{
    size_t at = s->at + 3, length;
    uint8_t tag = s->aml[s->at];
    bool is_known;

    if ((tag & RES_LARGE) == 0)
        return &e->descriptor;
    if (s->end - s->at < 3)
        return &e->crs_length;
    length = word_at(s, s->at + 1, 2);
    if (s->end - at < length)
        return &e->crs_length;
    is_known = (tag == RES_MEMORY32 && take_memory(s, at, length, r)) ||
               (tag == RES_INTERRUPT && take_irq(s, at, length, r));
    s->at = at + length;
    return is_known ? NULL : &e->descriptor;
}

static uint64_t *read_resources(struct span *s, struct mmio_dev *out,
                                struct mmio_acpi_errors *e)
{
    struct resources r = {0};

    while (s->at < s->end && s->aml[s->at] != RES_END) {
        uint64_t *fault = take_item(s, &r, e);

        if (fault)
            return fault;
    }
    if (s->end - s->at != 2)
        return &e->crs_length;
    if (r.memories != 1 || r.dev.size_bytes == 0)
        return &e->no_memory;
    if (r.irqs != 1)
        return &e->no_irq;
    *out = r.dev;
    return NULL;
}

static uint64_t *read_device(const struct span *block, size_t id_at, struct mmio_dev *out,
                             struct mmio_acpi_errors *e)
{
    struct span device, crs;
    uint64_t *fault;

    if (!device_around(block, id_at, &device))
        return &e->no_device;
    if (!find_crs(&device, &crs))
        return &e->no_crs;
    fault = enter_buffer(&crs, e);
    return fault ? fault : read_resources(&crs, out, e);
}

int mmio_acpi_next(const uint8_t *aml, size_t size_bytes, size_t *pos,
                   struct mmio_dev *out, struct mmio_acpi_errors *errors)
{
    static const uint8_t id[] = {AML_NAME, '_', 'H', 'I', 'D', AML_STRING, 'L', 'N',
                                 'R',      'O', '0', '0', '0', '5',        '\0'};
    const struct span block = {aml, 0, size_bytes};
    struct span at = {aml, *pos, size_bytes};
    uint64_t *fault;

    if (*pos >= size_bytes || !seek(&at, id, sizeof(id))) {
        *pos = size_bytes;
        return -ENODEV;
    }
    *pos = at.at + sizeof(id);
    fault = read_device(&block, at.at, out, errors);
    if (!fault)
        return 0;
    (*fault)++;
    return -EPROTO;
}

const char *mmio_acpi_why(const struct mmio_acpi_errors *errors)
{
    const struct {
        uint64_t count;
        const char *words;
    } reasons[] = {
        {errors->no_device, "it stands in no device"},
        {errors->no_crs, "it has no _CRS"},
        {errors->crs_kind, "its _CRS is not a plain buffer"},
        {errors->crs_length, "a length of its _CRS runs past the end"},
        {errors->descriptor, "a resource of an unknown kind or shape"},
        {errors->no_memory, "not one memory range"},
        {errors->no_irq, "not one interrupt"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].count)
            return reasons[i].words;
    return NULL;
}
