// SPDX-License-Identifier: BSD-2-Clause
/*
 * The skeleton of AML (ACPI 6.4, 20.2): which scopes and devices lie in each other, the names in them
 * that have a constant value, and the register regions they declare. Nothing is interpreted: methods
 * and conditions are skipped. What is not understood ends the package it lies in, and is counted;
 * what comes before and behind that package is still told.
 *
 *     const struct aml_visitor visitor = {.ctx = &mine, .on_name = name, .on_region = region};
 *     unsigned refused = aml_walk(bytes, len, &visitor);
 *
 * Bytes come from firmware: every length is checked. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AML_DEPTH_MAX 16

struct aml_level {
    char name[4];   /* the last segment: "PCI0" */
    bool is_device; /* else a scope */
    bool has_adr;   /* _ADR came before what is told now */
    uint64_t adr;
    size_t end; /* of its package */
};

/* From the outside in; depth 0: outside of all. */
struct aml_path {
    unsigned depth;
    struct aml_level level[AML_DEPTH_MAX];
};

/* A constant: a number, or the bytes of a buffer. Strings and packages are not told. */
struct aml_value {
    bool is_buffer;
    uint64_t number;
    const uint8_t *bytes;
    size_t length;
};

enum aml_region_space {
    AML_SPACE_MEMORY = 0,
    AML_SPACE_IO = 1,
};

struct aml_region {
    char name[4];
    uint8_t space; /* enum aml_region_space, and others */
    uint64_t offset, length;
};

/* What is told; all of it is there. */
struct aml_visitor {
    void *ctx;
    void (*on_name)(void *ctx, const struct aml_path *path, const char name[4],
                    const struct aml_value *value);
    void (*on_region)(void *ctx, const struct aml_path *path,
                      const struct aml_region *region);
};

/* Walk a definition block without its header. Returns how many packages were given up. */
unsigned aml_walk(const uint8_t *bytes, size_t len, const struct aml_visitor *visitor);

/* The four letters are these. */
static inline bool aml_name_is(const char name[4], const char *wanted)
{
    return __builtin_memcmp(name, wanted, 4) == 0;
}
