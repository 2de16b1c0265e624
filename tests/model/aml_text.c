// SPDX-License-Identifier: BSD-2-Clause
/* The few encodings of ACPI 6.4, 20.2, that the tests need. */
#include "tests/model/aml_text.h"

#include <stdlib.h>
#include <string.h>

void aml_text_bytes(struct aml_text *t, const void *bytes, size_t count)
{
    if (count > sizeof(t->bytes) - t->len)
        abort();
    memcpy(t->bytes + t->len, bytes, count);
    t->len += count;
}

static void put(struct aml_text *t, uint8_t byte)
{
    aml_text_bytes(t, &byte, 1);
}

void aml_text_number(struct aml_text *t, uint64_t number)
{
    static const struct {
        uint64_t below;
        uint8_t op, width;
    } forms[] = {{1 << 8, 0x0A, 1}, {1 << 16, 0x0B, 2}, {UINT64_C(1) << 32, 0x0C, 4}};
    unsigned i = 0;

    if (number <= 1) {
        put(t, (uint8_t)number);
        return;
    }
    while (i < 3 && number >= forms[i].below)
        i++;
    put(t, i < 3 ? forms[i].op : 0x0E);
    aml_text_bytes(t, &number, i < 3 ? forms[i].width : 8);
}

void aml_text_name(struct aml_text *t, const char *name, uint64_t number)
{
    put(t, 0x08);
    aml_text_bytes(t, name, 4);
    aml_text_number(t, number);
}

void aml_text_region(struct aml_text *t, const char *name, uint8_t space, uint64_t offset,
                     uint64_t length)
{
    aml_text_bytes(t, "\x5B\x80", 2);
    aml_text_bytes(t, name, 4);
    put(t, space);
    aml_text_number(t, offset);
    aml_text_number(t, length);
}

void aml_text_buffer(struct aml_text *t, const char *name, const void *bytes,
                     uint8_t count)
{
    uint8_t length = (uint8_t)(count + 4);

    put(t, 0x08);
    aml_text_bytes(t, name, 4);
    put(t, 0x11);
    put(t, (uint8_t)(0x40 | (length & 0x0F)));
    put(t, length >> 4);
    put(t, 0x0A);
    put(t, count);
    aml_text_bytes(t, bytes, count);
}

size_t aml_text_open(struct aml_text *t, bool is_device, const char *name)
{
    size_t mark;

    aml_text_bytes(t, is_device ? "\x5B\x82" : "\x10", is_device ? 2 : 1);
    mark = t->len;
    aml_text_bytes(t, "\0\0", 2); /* the length, when it is known */
    aml_text_bytes(t, name, strlen(name));
    return mark;
}

void aml_text_close(struct aml_text *t, size_t mark)
{
    size_t length = t->len - mark;

    t->bytes[mark] = (uint8_t)(0x40 | (length & 0x0F));
    t->bytes[mark + 1] = (uint8_t)(length >> 4);
}
