// SPDX-License-Identifier: BSD-2-Clause
/*
 * The kernel heap: small objects of a few sizes packed in frames, larger ones as runs of frames. For
 * the kernel's and the drivers' own state; ring memory and page tables come from mm/pmm.h.
 *
 *     struct thing *thing = heap_alloc(&heap, sizeof(*thing));
 *     if (!thing)
 *         return -ENOMEM;
 *     ...
 *     heap_free(&heap, thing);
 *
 * Memory is zeroed and aligned to 16 bytes. A double free or a pointer that is not from here is our own
 * bug: assert. Context: boot or task, one owner at a time.
 */
#pragma once

#include "base/list.h"
#include "mm/pmm.h"

#include <stddef.h>

#define HEAP_CLASSES 14

struct heap_stats {
    uint64_t used_bytes; /* as asked for, rounded up to what serves it */
    uint64_t used_objects;
    uint64_t frames; /* taken from the frame allocator now */
    uint64_t allocs, frees, failures;
};

struct heap {
    struct pmm *pmm;
    struct list partial[HEAP_CLASSES]; /* frames with room, by size class */
    struct heap_stats stats;
};

void heap_init(struct heap *heap, struct pmm *pmm);

/* `size_bytes` of zeroed memory; NULL when there is none, or for size 0. */
void *heap_alloc(struct heap *heap, size_t size_bytes);

/* NULL is ignored. One frame that holds no object is kept for each size. */
void heap_free(struct heap *heap, void *ptr);
