// SPDX-License-Identifier: BSD-2-Clause
/*
 * Many single pages, in regions of frames, of which a random half is released: memory in pieces. Each page
 * knows what it must contain.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "workload/rng.h"

struct frag_pages {
    unsigned char **regions; /* of FRAG_REGION_PAGES each, the last one may be shorter */
    bool *is_kept;           /* a page */
    size_t count, room;      /* pages that there are, that the tables hold */
    uint64_t seed;
};

#define FRAG_REGION_PAGES 1024 /* 4 MiB */

/* Tables for up to `room` pages; no pages yet. 0, or -1: refused. */
int frag_init(struct frag_pages *pages, size_t room, uint64_t seed);

/* Map pages until there are `room`, and fill them. Returns how many there are: fewer if refused. */
size_t frag_fill(struct frag_pages *pages);

/* Release exactly half of the runs of `run` pages, each as likely as any other; a shorter one at the end
 * stays. Returns how many pages. */
size_t frag_release_half(struct frag_pages *pages, size_t run, struct rng *rng);

/* Returns the first kept page with wrong contents, or `count`. */
size_t frag_verify(const struct frag_pages *pages);

void frag_fini(struct frag_pages *pages);
