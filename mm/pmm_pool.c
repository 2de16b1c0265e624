// SPDX-License-Identifier: BSD-2-Clause
/*
 * The pool of frame maps. Its memory is chunks of a frame: 63 maps and a header. The boot metadata
 * holds the first; more are taken as fixed frames before the last maps are used, and quite empty ones
 * are given back by pmm_refill().
 */
#include "mm/pmm_internal.h"

#include "mm/mmu.h"

static struct pmm_chunk *chunk_of(paddr_t map)
{
    return mmu_phys_to_virt(align_down(map, FRAME_SIZE));
}

/* Make pool memory of the frame at `addr`; bit i of `slots` says that its i-th 64 bytes are ours. */
void pmm_chunk_add(struct pmm *pmm, paddr_t addr, uint64_t slots, bool is_carved)
{
    struct pmm_chunk *chunk = chunk_of(addr);

    chunk->addr = addr;
    chunk->slots = slots;
    chunk->free = slots;
    chunk->is_carved = is_carved;
    list_push_back(&pmm->chunks, &chunk->link);
    pmm->maps_free += pmm_count_bits(slots);
    if (!is_carved)
        pmm->stats.metadata_bytes += FRAME_SIZE;
}

paddr_t pmm_map_take(struct pmm *pmm)
{
    assert(!list_is_empty(&pmm->chunks));
    struct pmm_chunk *chunk = LIST_ENTRY(pmm->chunks.next, struct pmm_chunk, link);
    unsigned slot = (unsigned)__builtin_ctzll(chunk->free);

    chunk->free &= ~BIT64(slot);
    pmm->maps_free--;
    if (chunk->free == 0)
        list_remove(&chunk->link);
    return chunk->addr + slot * PMM_MAP_BYTES;
}

void pmm_map_give(struct pmm *pmm, paddr_t map)
{
    struct pmm_chunk *chunk = chunk_of(map);
    uint64_t bit = BIT64((map % FRAME_SIZE) / PMM_MAP_BYTES);

    assert((chunk->slots & bit) && !(chunk->free & bit));
    if (chunk->free == 0)
        list_push_front(&pmm->chunks, &chunk->link);
    chunk->free |= bit;
    pmm->maps_free++;
    if (chunk->free == chunk->slots && !chunk->is_carved) {
        list_remove(&chunk->link);
        list_push_back(&pmm->chunks, &chunk->link);
    }
}

/* One chunk more. Not bound by the reserve: the pool is what keeps giving memory back possible. */
int pmm_pool_grow(struct pmm *pmm)
{
    const struct pmm_want want = {.order = 0, .class = PMM_FIXED};
    struct pmm_run run;

    assert(!pmm->is_growing);
    pmm->is_growing = true;
    int err = pmm_frame_take(pmm, &want, UINT64_MAX, &run);
    pmm->is_growing = false;
    if (err)
        return err;
    pmm_chunk_add(pmm, pfn_to_paddr(run.pfn), PMM_CHUNK_SLOTS, false);
    return 0;
}

/* Give back a chunk that holds no map, if the pool stays full without it. */
static bool pool_shrink(struct pmm *pmm)
{
    if (list_is_empty(&pmm->chunks))
        return false;
    struct pmm_chunk *last = LIST_ENTRY(pmm->chunks.prev, struct pmm_chunk, link);
    uint64_t maps = pmm_count_bits(last->slots);

    if (last->free != last->slots || last->is_carved ||
        pmm->maps_free < PMM_MAPS_FULL + maps)
        return false;
    list_remove(&last->link);
    pmm->maps_free -= maps;
    pmm->stats.metadata_bytes -= FRAME_SIZE;
    pfn_t pfn = pfn_from_paddr(last->addr);
    pmm_wipe(pmm, pfn, 1); /* `last` is gone with it */
    pmm_frame_give(pmm, pfn, RUN_TOUCHED);
    return true;
}

int pmm_refill(struct pmm *pmm)
{
    while (pool_shrink(pmm))
        ;
    while (pmm->maps_free < PMM_MAPS_FULL) {
        int err = pmm_pool_grow(pmm);

        if (err)
            return err;
    }
    return 0;
}
