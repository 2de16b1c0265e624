// SPDX-License-Identifier: BSD-2-Clause
/* The ports that the guest does not reach by itself. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct port_access {
    uint16_t port;
    uint8_t size; /* bytes: 1, 2 or 4 */
    bool is_in;
    uint32_t value; /* of OUT; for IN to be set */
};

/* Called for each access that begins in [first, first + count). A port of several ranges belongs to the
 * one claimed first. */
typedef void (*port_handler)(struct port_access *access);

void ports_claim(uint16_t first, uint16_t count, port_handler handler);

/* Do what the guest wanted to do. */
void ports_pass(struct port_access *access);

/* The ports every run claims. */
void ports_init(void);

/* The exit is an IN or OUT. */
void ports_handle(void);
