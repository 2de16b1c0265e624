// SPDX-License-Identifier: BSD-2-Clause
/*
 * The OS services of struct balloon_hal as a host program needs them for driver tests: memory for
 * rings with made-up bus addresses, private memory, a clock that only relax() and the test move, a
 * log. The n-th allocation can be made to fail; what is still held at the end is counted. Page
 * services (run_take() ...) are not filled in: a balloon model adds them.
 */
#pragma once

#include "hal/balloon_hal.h"

#define HAL_MODEL_DMA 64

struct hal_model_dma {
    void *ptr; /* NULL: slot is free */
    paddr_t addr;
    size_t size_bytes;
};

struct hal_model {
    struct balloon_hal hal; /* ctx is this object */
    uint64_t now_ns;
    uint64_t relax_ns; /* each relax() moves the clock on by this */
    uint64_t look_ns;  /* and each look at the clock by this */
    unsigned allocs;   /* dma_alloc() and mem_alloc() calls so far */
    unsigned fail_at;  /* the n-th of them fails, from 1; 0: none */
    unsigned dma_live, mem_live;
    unsigned wakes;
    uint64_t wake_at_ns;
    unsigned log_lines[4]; /* per level */
    char last_line[200];
    struct hal_model_dma dma[HAL_MODEL_DMA];
    paddr_t next_addr;
};

void hal_model_init(struct hal_model *m);
/* Free what is left; the number of allocations that were. */
unsigned hal_model_end(struct hal_model *m);

/* The device's view of memory: host pointer for [addr, addr + len), NULL when it is not all inside
 * one live allocation. `ctx` is the hal_model. */
void *hal_model_dma(void *ctx, uint64_t addr, uint64_t len);
