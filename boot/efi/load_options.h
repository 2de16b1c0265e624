// SPDX-License-Identifier: BSD-2-Clause
/* The command line as EFI hands it over. Pure: also built for the host. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* LoadOptions is UCS-2 from a shell or a VMM, and anything at all (often nothing, sometimes a GUID)
 * from a boot manager. Text of printable ASCII is written to `out`, NUL-terminated, and its length
 * returned; everything else counts as no options: 0. `bytes` may be read; `capacity` is at least 1. */
size_t load_options_text(const uint8_t *options, size_t bytes, char *out,
                         size_t capacity);
