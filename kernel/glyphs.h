// SPDX-License-Identifier: BSD-2-Clause
/*
 * The font: 8x16 bitmaps of printable ASCII. The bitmaps are converted at build time by tools/font2c
 * (mk/font.mk says from what). Pure: also built for the host.
 */
#pragma once

#include <stdint.h>

#define GLYPH_COLS  8
#define GLYPH_ROWS  16
#define GLYPH_FIRST 0x20
#define GLYPH_LAST  0x7E
#define GLYPH_COUNT (GLYPH_LAST - GLYPH_FIRST + 1)

extern const uint8_t glyph_bitmaps[GLYPH_COUNT][GLYPH_ROWS];

/* GLYPH_ROWS bytes, bit 7 leftmost. What is not printable ASCII looks like '?'. Any context. */
const uint8_t *glyph_of(char c);
