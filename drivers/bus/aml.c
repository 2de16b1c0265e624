// SPDX-License-Identifier: BSD-2-Clause
/* Walks the terms of a definition block; a stack of packages instead of recursion. */
#include "drivers/bus/aml.h"

enum aml_op {
    AML_ZERO = 0x00,
    AML_ONE = 0x01,
    AML_ALIAS = 0x06,
    AML_NAME = 0x08,
    AML_BYTE = 0x0A,
    AML_WORD = 0x0B,
    AML_DWORD = 0x0C,
    AML_STRING = 0x0D,
    AML_QWORD = 0x0E,
    AML_SCOPE = 0x10,
    AML_BUFFER = 0x11,
    AML_PACKAGE = 0x12,
    AML_METHOD = 0x14,
    AML_EXTERNAL = 0x15,
    AML_EXTENDED = 0x5B, /* the next byte says what */
    AML_IF = 0xA0,
    AML_ELSE = 0xA1,
    AML_WHILE = 0xA2,
    AML_ONES = 0xFF,
};

enum aml_extended_op {
    AML_MUTEX = 0x01,
    AML_EVENT = 0x02,
    AML_REGION = 0x80,
    AML_FIELD = 0x81,
    AML_DEVICE = 0x82,
    AML_PROCESSOR = 0x83,
    AML_POWER = 0x84,
    AML_THERMAL = 0x85,
    AML_INDEX_FIELD = 0x86,
    AML_BANK_FIELD = 0x87,
};

#define NAME_ROOT   '\\'
#define NAME_PARENT '^'
#define NAME_NULL   0x00
#define NAME_DUAL   0x2E
#define NAME_MULTI  0x2F

/* `at` never passes `end`, which is that of the innermost package. */
struct walk {
    const uint8_t *bytes;
    size_t at, end, len;
    struct aml_path path;
    const struct aml_visitor *visitor;
    unsigned refused;
};

static bool take8(struct walk *w, uint8_t *out)
{
    if (w->at >= w->end)
        return false;
    *out = w->bytes[w->at++];
    return true;
}

static bool skip(struct walk *w, uint64_t bytes)
{
    if (bytes > w->end - w->at)
        return false;
    w->at += bytes;
    return true;
}

/* 20.2.4: the two high bits of the first byte count the further ones. *end: behind the package. */
static bool take_length(struct walk *w, size_t *end)
{
    size_t start = w->at, length;
    uint8_t lead, next;

    if (!take8(w, &lead))
        return false;
    length = lead >> 6 ? lead & 0x0F : lead & 0x3F;
    for (unsigned i = 0; i < lead >> 6; i++) {
        if (!take8(w, &next))
            return false;
        length |= (size_t)next << (4 + 8 * i);
    }
    if (length < w->at - start || length > w->end - start)
        return false;
    *end = start + length;
    return true;
}

static bool skip_package(struct walk *w)
{
    size_t end;

    if (!take_length(w, &end))
        return false;
    w->at = end;
    return true;
}

static bool is_name_byte(uint8_t byte, bool is_first)
{
    return (byte >= 'A' && byte <= 'Z') || byte == '_' ||
           (!is_first && byte >= '0' && byte <= '9');
}

static bool take_segment(struct walk *w, char name[4])
{
    for (unsigned i = 0; i < 4; i++) {
        uint8_t byte;

        if (!take8(w, &byte) || !is_name_byte(byte, i == 0))
            return false;
        name[i] = (char)byte;
    }
    return true;
}

/* 20.2.2; of a path the last segment is kept, of the empty one blanks. */
static bool take_name(struct walk *w, char name[4])
{
    uint8_t byte, segments = 1;

    __builtin_memcpy(name, "    ", 4);
    do {
        if (!take8(w, &byte))
            return false;
    } while (byte == NAME_ROOT || byte == NAME_PARENT);
    if (byte == NAME_NULL)
        return true;
    if (byte == NAME_DUAL)
        segments = 2;
    else if (byte != NAME_MULTI)
        w->at--;
    else if (!take8(w, &segments) || segments == 0)
        return false;
    for (unsigned i = 0; i < segments; i++) {
        if (!take_segment(w, name))
            return false;
    }
    return true;
}

static bool take_number(struct walk *w, uint64_t *out)
{
    unsigned width = 0;
    uint8_t op, byte;

    if (!take8(w, &op))
        return false;
    *out = 0;
    switch (op) {
    case AML_ZERO:
        return true;
    case AML_ONE:
        *out = 1;
        return true;
    case AML_ONES:
        *out = UINT64_MAX;
        return true;
    case AML_BYTE:
        width = 1;
        break;
    case AML_WORD:
        width = 2;
        break;
    case AML_DWORD:
        width = 4;
        break;
    case AML_QWORD:
        width = 8;
        break;
    default:
        return false;
    }
    for (unsigned i = 0; i < width; i++) {
        if (!take8(w, &byte))
            return false;
        *out |= (uint64_t)byte << 8 * i;
    }
    return true;
}

static bool skip_string(struct walk *w)
{
    uint8_t byte;

    do {
        if (!take8(w, &byte))
            return false;
    } while (byte != 0);
    return true;
}

/* Its size may exceed what is given: the rest is zeros, which nobody asks for. */
static bool take_buffer(struct walk *w, struct aml_value *out)
{
    size_t outer = w->end, end;
    uint64_t size;

    if (!take_length(w, &end))
        return false;
    w->end = end;
    bool ok = take_number(w, &size);
    w->end = outer;
    if (!ok)
        return false;
    out->is_buffer = true;
    out->bytes = w->bytes + w->at;
    out->length = end - w->at < size ? end - w->at : (size_t)size;
    w->at = end;
    return true;
}

/* *is_told: it is a constant of the kinds that are told. */
static bool take_value(struct walk *w, struct aml_value *out, bool *is_told)
{
    *out = (struct aml_value){0};
    *is_told = false;
    if (w->at >= w->end)
        return false;
    switch (w->bytes[w->at]) {
    case AML_STRING:
        w->at++;
        return skip_string(w);
    case AML_PACKAGE:
        w->at++;
        return skip_package(w);
    case AML_BUFFER:
        w->at++;
        *is_told = true;
        return take_buffer(w, out);
    default:
        *is_told = true;
        return take_number(w, &out->number);
    }
}

static bool walk_name(struct walk *w)
{
    struct aml_level *inner =
        w->path.depth > 0 ? &w->path.level[w->path.depth - 1] : NULL;
    struct aml_value value;
    bool is_told;
    char name[4];

    if (!take_name(w, name) || !take_value(w, &value, &is_told))
        return false;
    if (inner && is_told && !value.is_buffer && aml_name_is(name, "_ADR")) {
        inner->has_adr = true;
        inner->adr = value.number;
    }
    if (is_told)
        w->visitor->on_name(w->visitor->ctx, &w->path, name, &value);
    return true;
}

static bool walk_region(struct walk *w)
{
    struct aml_region region;

    if (!take_name(w, region.name) || !take8(w, &region.space) ||
        !take_number(w, &region.offset) || !take_number(w, &region.length))
        return false;
    w->visitor->on_region(w->visitor->ctx, &w->path, &region);
    return true;
}

/* Go inside a scope or a device. */
static bool enter(struct walk *w, bool is_device)
{
    struct aml_level level = {.is_device = is_device};
    size_t outer = w->end;

    if (w->path.depth == AML_DEPTH_MAX || !take_length(w, &level.end))
        return false;
    w->end = level.end;
    if (!take_name(w, level.name)) {
        w->end = outer;
        return false;
    }
    w->path.level[w->path.depth++] = level;
    return true;
}

static bool walk_extended(struct walk *w)
{
    char name[4];
    uint8_t op;

    if (!take8(w, &op))
        return false;
    switch (op) {
    case AML_DEVICE:
        return enter(w, true);
    case AML_REGION:
        return walk_region(w);
    case AML_MUTEX:
        return take_name(w, name) && skip(w, 1);
    case AML_EVENT:
        return take_name(w, name);
    case AML_FIELD:
    case AML_INDEX_FIELD:
    case AML_BANK_FIELD:
    case AML_PROCESSOR:
    case AML_POWER:
    case AML_THERMAL:
        return skip_package(w);
    default:
        return false;
    }
}

/* There is at least one byte before `end`: leave() sees to it. */
static bool walk_term(struct walk *w)
{
    char name[4];

    switch (w->bytes[w->at++]) {
    case AML_SCOPE:
        return enter(w, false);
    case AML_NAME:
        return walk_name(w);
    case AML_EXTENDED:
        return walk_extended(w);
    case AML_ALIAS:
        return take_name(w, name) && take_name(w, name);
    case AML_EXTERNAL:
        return take_name(w, name) && skip(w, 2);
    case AML_METHOD:
    case AML_IF:
    case AML_ELSE:
    case AML_WHILE:
        return skip_package(w);
    default:
        return false;
    }
}

/* Leave the packages that end here. */
static void leave(struct walk *w)
{
    while (w->path.depth > 0 && w->at >= w->path.level[w->path.depth - 1].end)
        w->path.depth--;
    w->end = w->path.depth > 0 ? w->path.level[w->path.depth - 1].end : w->len;
}

unsigned aml_walk(const uint8_t *bytes, size_t len, const struct aml_visitor *visitor)
{
    struct walk w = {.bytes = bytes, .len = len, .end = len, .visitor = visitor};

    while (w.at < len) {
        if (!walk_term(&w)) {
            w.refused++;
            w.at = w.end;
        }
        leave(&w);
    }
    return w.refused;
}
