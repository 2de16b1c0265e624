// SPDX-License-Identifier: BSD-2-Clause
/*
 * What tells where virtio-mmio devices are: a text of the command line, or the bytes of an ACPI definition
 * block. Nothing is read past the end (the input is an exact copy), each refusal has its reason, and what
 * is found makes sense.
 */
#include "tests/fuzz/stream.h"

#include "base/err.h"
#include "drivers/bus/mmio.h"

#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 300

static void must(bool promise)
{
    if (!promise)
        abort();
}

static void fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    const char *why = NULL;
    struct mmio_dev dev;
    int err;

    must(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    err = mmio_parse(text, &dev, &why);
    must(err == 0 ? !why : err == -EINVAL && why && *why);
    if (err == 0)
        must(dev.size_bytes > 0 && dev.addr + dev.size_bytes > dev.addr &&
             dev.irq < 0x10000);
    free(text);
}

static uint64_t sum(const struct mmio_acpi_errors *e)
{
    return e->no_device + e->no_crs + e->crs_kind + e->crs_length + e->descriptor +
           e->no_memory + e->no_irq;
}

static void fuzz_aml(const uint8_t *data, size_t size)
{
    uint8_t *aml = malloc(size + !size);
    struct mmio_acpi_errors errors = {0};
    size_t pos = 0;
    int err = 0;

    must(aml != NULL);
    memcpy(aml, data, size);
    for (unsigned calls = 0; err != -ENODEV; calls++) {
        uint64_t refused = sum(&errors);
        size_t before = pos;
        struct mmio_dev dev;

        err = mmio_acpi_next(aml, size, &pos, &dev, &errors);
        must(calls < CALLS_MAX && pos <= size);
        must(sum(&errors) == refused + (err == -EPROTO));
        must(err == -ENODEV || pos > before);
        if (err == 0)
            must(dev.size_bytes > 0 && dev.addr <= UINT32_MAX);
    }
    free(aml);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream in = {.data = data, .left = size};

    if (take8(&in) & 1)
        fuzz_text(in.data, in.left);
    else
        fuzz_aml(in.data, in.left);
    return 0;
}
