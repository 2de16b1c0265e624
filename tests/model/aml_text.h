// SPDX-License-Identifier: BSD-2-Clause
/*
 * Writes AML for tests: names with constants, scopes and devices that nest.
 *
 *     struct aml_text t = {0};
 *     size_t scope = aml_text_open(&t, false, "PCI0");
 *     aml_text_name(&t, "BSEL", 0);
 *     aml_text_close(&t, scope);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml_text {
    uint8_t bytes[4096];
    size_t len;
};

void aml_text_bytes(struct aml_text *t, const void *bytes, size_t count);
void aml_text_number(struct aml_text *t, uint64_t number);
void aml_text_name(struct aml_text *t, const char *name, uint64_t number);
void aml_text_region(struct aml_text *t, const char *name, uint8_t space, uint64_t offset,
                     uint64_t length);
void aml_text_buffer(struct aml_text *t, const char *name, const void *bytes,
                     uint8_t count);

/* A scope or device, by a name string as it stands in the bytes; close() writes its length. */
size_t aml_text_open(struct aml_text *t, bool is_device, const char *name);
void aml_text_close(struct aml_text *t, size_t mark);
