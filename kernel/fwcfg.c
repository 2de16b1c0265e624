// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads fw_cfg through its selector and data ports. A device that is not there reads as ones, one
 * that lies is bounded by DIRECTORY_MAX and FWCFG_OPTION_MAX.
 */
#include "kernel/fwcfg.h"

#include "base/bits.h"
#include "base/units.h"
#include "kernel/fwcfg_parse.h"
#include "kernel/log.h"
#include "kernel/x86/io.h"

#define PORT_SELECT 0x510
#define PORT_DATA   0x511

#define ITEM_SIGNATURE 0x0000
#define ITEM_DIRECTORY 0x0019

#define DIRECTORY_MAX 512u /* QEMU has about 50 */
#define OPTIONS_MAX   32   /* of ours; there are fewer keys */

static void read_bytes(void *buf, size_t len)
{
    uint8_t *out = buf;

    for (size_t i = 0; i < len; i++)
        out[i] = io_in8(PORT_DATA);
}

static bool is_present(void)
{
    char signature[4];

    io_out16(PORT_SELECT, ITEM_SIGNATURE);
    read_bytes(signature, sizeof(signature));
    return __builtin_memcmp(signature, "QEMU", 4) == 0;
}

static uint32_t select_directory(void)
{
    uint8_t count[4];

    io_out16(PORT_SELECT, ITEM_DIRECTORY);
    read_bytes(count, sizeof(count));
    return (uint32_t)count[0] << 24 | (uint32_t)count[1] << 16 | (uint32_t)count[2] << 8 |
           count[3];
}

static void hand_out(const struct fwcfg_option *option, fwcfg_option_fn *fn, void *ctx)
{
    char value[FWCFG_OPTION_MAX];
    size_t len = (size_t)min_u64(option->size_bytes, sizeof(value));

    io_out16(PORT_SELECT, option->select);
    read_bytes(value, len);
    fn(ctx, option->key, value, fwcfg_trim(value, len));
}

/* Our entries of the directory, at most `max`. */
static size_t find_options(struct fwcfg_option *options, size_t max)
{
    uint32_t count = select_directory();
    size_t found = 0;

    if (count > DIRECTORY_MAX) {
        log_error("fwcfg: the directory claims %u entries, only %u are read", count,
                  DIRECTORY_MAX);
        count = DIRECTORY_MAX;
    }
    for (uint32_t i = 0; i < count && found < max; i++) {
        struct fwcfg_entry entry;

        read_bytes(&entry, sizeof(entry));
        if (fwcfg_parse_entry(&entry, &options[found]))
            found++;
    }
    return found;
}

void fwcfg_each_option(fwcfg_option_fn *fn, void *ctx)
{
    struct fwcfg_option options[OPTIONS_MAX];
    size_t count;

    if (!is_present())
        return;
    count = find_options(options, OPTIONS_MAX);
    for (size_t i = 0; i < count; i++)
        hand_out(&options[i], fn, ctx);
}
