// SPDX-License-Identifier: BSD-2-Clause
/*
 * Contents that prove themselves: memory filled for a tag reads back right only if every byte is where
 * it was put. No two tags agree in any word, so that a page that was lost, zeroed, put in another's
 * place or brought back from the past is found.
 *
 *     uint64_t tag = fill_tag(seed, page, version);
 *
 *     fill_write(start, GUEST_PAGE_BYTES, tag);
 *     ...
 *     if (fill_check(start, GUEST_PAGE_BYTES, tag) != GUEST_PAGE_BYTES)
 *         return WORKLOAD_WRONG;
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A tag for the version-th contents of the thing of that number. */
uint64_t fill_tag(uint64_t seed, uint64_t number, uint64_t version);

/* What the word at that index must be. */
uint64_t fill_word(uint64_t tag, size_t index);

/* `start` is aligned to 8 bytes; any number of bytes. */
void fill_write(void *start, size_t bytes, uint64_t tag);

/* How many bytes from the start on are right: `bytes` when all are. */
size_t fill_check(const void *start, size_t bytes, uint64_t tag);
