// SPDX-License-Identifier: BSD-2-Clause
/* From a character to its bitmap. Pure. */
#include "kernel/glyphs.h"

const uint8_t *glyph_of(char c)
{
    uint8_t code = (uint8_t)c;

    if (code < GLYPH_FIRST || code > GLYPH_LAST)
        code = '?';
    return glyph_bitmaps[code - GLYPH_FIRST];
}
