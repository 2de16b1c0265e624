// SPDX-License-Identifier: BSD-2-Clause
/* The page array: fill, thin out, verify. */
#include "pages.h"

#include <guest.h>
#include <stdlib.h>

#include "workload/fill.h"

static size_t regions_of(size_t pages)
{
    return (pages + FRAG_REGION_PAGES - 1) / FRAG_REGION_PAGES;
}

/* Of the region that begins at this page, when there are so many pages in all. */
static size_t pages_from(size_t first, size_t count)
{
    return count - first < FRAG_REGION_PAGES ? count - first : FRAG_REGION_PAGES;
}

static void *page_at(const struct frag_pages *pages, size_t page)
{
    return pages->regions[page / FRAG_REGION_PAGES] +
           page % FRAG_REGION_PAGES * GUEST_PAGE_BYTES;
}

int frag_init(struct frag_pages *pages, size_t room, uint64_t seed)
{
    *pages = (struct frag_pages){.room = room, .seed = seed};
    pages->regions = calloc(regions_of(room), sizeof(pages->regions[0]));
    pages->is_kept = calloc(room, sizeof(pages->is_kept[0]));
    if (pages->regions && pages->is_kept)
        return 0;
    frag_fini(pages);
    return -1;
}

size_t frag_fill(struct frag_pages *pages)
{
    while (pages->count < pages->room) {
        size_t first = pages->count;
        size_t more = pages_from(first, pages->room);
        unsigned char *region = guest_map(more * GUEST_PAGE_BYTES, GUEST_MAP_FRAMES);

        if (!region)
            break;
        pages->regions[first / FRAG_REGION_PAGES] = region;
        pages->count += more;
        for (size_t page = first; page < pages->count; page++) {
            pages->is_kept[page] = true;
            fill_write(page_at(pages, page), GUEST_PAGE_BYTES,
                       fill_tag(pages->seed, page, 0));
        }
    }
    return pages->count;
}

static void release(struct frag_pages *pages, size_t page)
{
    pages->is_kept[page] = false;
    guest_release(page_at(pages, page), GUEST_PAGE_BYTES);
}

size_t frag_release_half(struct frag_pages *pages, size_t run, struct rng *rng)
{
    size_t runs = pages->count / run, wanted = runs / 2;

    for (size_t i = 0, left = wanted; i < runs; i++) {
        /* `left` of the runs from here on must go. */
        if (rng_below(rng, runs - i) >= left)
            continue;
        for (size_t page = i * run; page < (i + 1) * run; page++)
            release(pages, page);
        left--;
    }
    return wanted * run;
}

size_t frag_verify(const struct frag_pages *pages)
{
    for (size_t page = 0; page < pages->count; page++)
        if (pages->is_kept[page] &&
            fill_check(page_at(pages, page), GUEST_PAGE_BYTES,
                       fill_tag(pages->seed, page, 0)) != GUEST_PAGE_BYTES)
            return page;
    return pages->count;
}

void frag_fini(struct frag_pages *pages)
{
    for (size_t first = 0; first < pages->count; first += FRAG_REGION_PAGES)
        guest_unmap(pages->regions[first / FRAG_REGION_PAGES],
                    pages_from(first, pages->count) * GUEST_PAGE_BYTES);
    free(pages->regions);
    free(pages->is_kept);
    *pages = (struct frag_pages){0};
}
