// SPDX-License-Identifier: BSD-2-Clause
/*
 * QEMU's fw_cfg device by its ports 0x510/0x511: items named opt/org.aerostat/KEY are settings. The
 * directory is input from outside and bounded. docs/options.md shows how to pass one.
 */
#pragma once

#include <stddef.h>

/* bytes of a value; longer ones are handed on cut, and refused there */
#define FWCFG_OPTION_MAX 256

/* Called for each option; `key` is NUL-terminated, `value` is not. Both are gone afterwards. */
typedef void fwcfg_option_fn(void *ctx, const char *key, const char *value, size_t len);

/* Every option there is; none when the device does not answer. Boot context. */
void fwcfg_each_option(fwcfg_option_fn *fn, void *ctx);
