// SPDX-License-Identifier: BSD-2-Clause
/* What guest.h promises, a function for each part of it, and how they look at memory. */
#pragma once

#include <guest.h>

#include <stdbool.h>

void check_regions(void);
void check_blocks(void);
void check_joins(void);
void check_promises(void);
void check_purgeable(void);
void check_pressure(void);
void check_events(void);
void check_compaction(void);
void check_heap(void);

/* look.c */
#define PAGE  GUEST_PAGE_BYTES
#define BLOCK GUEST_BLOCK_BYTES

struct guest_memory look(void);

/* Whether nothing is mapped there; nothing is printed unless something is. */
bool is_gap(const void *at);

bool is_zero(const char *at, size_t bytes);

/* A word of its own in each page. */
void mark_pages(char *at, size_t bytes, uint64_t seed);
bool are_marked(const char *at, size_t bytes, uint64_t seed);
