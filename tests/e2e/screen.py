# SPDX-License-Identifier: BSD-2-Clause
"""What is on a guest's screen: pixels, and text by comparing cells with the font that was compiled in."""

import re

CELL = (8, 16)


def read_font(build):
    """Bitmap to character."""
    rows = re.findall(r"\{((?:0x\w\w, ){15}0x\w\w)\}, /\* (0x\w\w) \*/",
                      (build / "gen" / "kernel" / "font.c").read_text())
    assert len(rows) == 95
    return {bytes(int(n, 16) for n in bits.split(", ")): chr(int(code, 16)) for bits, code in rows}


class Screen:
    """A screendump (PPM)."""

    def __init__(self, path, font):
        data = path.read_bytes()
        self.width, self.height = map(int, re.match(rb"P6\n(\d+) (\d+)\n255\n", data).groups())
        self._pixels, self._font = data[-3 * self.width * self.height:], font
        self._known = {}  # pixels of a cell to its character

    def row(self, y, x=0, width=None, step=1):
        """Bytes of a row of pixels, of every `step`th."""
        start = 3 * (y * self.width + x)
        data = self._pixels[start:start + 3 * (width or self.width - x)]
        return data if step == 1 else b"".join(data[i:i + 3] for i in range(0, len(data), 3 * step))

    def pixel(self, x, y):
        """0xRRGGBB"""
        return int.from_bytes(self.row(y, x, 1), "big")

    def _read(self, x, y, scale):
        """The character whose pixels are `scale` wide and high; no glyph reads as NUL."""
        rows = [self.row(y + i * scale, x, 8 * scale, scale) for i in range(16)]
        cell = b"".join(rows)
        if cell not in self._known:
            paper = rows[15][:3]  # no glyph has ink there
            bits = bytes(sum(0x80 >> i for i in range(8) if row[3 * i:3 * i + 3] != paper) for row in rows)
            self._known[cell] = self._font.get(bits, "\0")
        return self._known[cell]

    def line(self, row, scale=1, start=0):
        """Text of a row of cells from column `start`."""
        cells = range(start * CELL[0], self.width - CELL[0] * scale + 1, CELL[0] * scale)
        return "".join(self._read(x, row * CELL[1], scale) for x in cells).rstrip()

    def lines(self):
        return [self.line(row) for row in range(self.height // CELL[1])]

    def column(self, x, top, bottom):
        """Colours of a column of pixels, from below."""
        return [self.pixel(x, y) for y in range(bottom - 1, top - 1, -1)]


def take(guest, folder, font):
    path = folder / "screen.ppm"
    guest.qmp.execute("screendump", filename=str(path))
    return Screen(path, font)
