// SPDX-License-Identifier: BSD-2-Clause
/* Who gives memory back, in which order. */
#include "mm/reclaim.h"

#include "base/err.h"
#include "mm/appmem_internal.h"
#include "mm/compact.h"

/* A host that gives memory back by drops must not hold the guest up for longer: about as long as one call of
 * the balloon may wait. */
#define ASK_FOR_NS (5 * NS_PER_S)

/* What is missing to `frames`. */
static uint64_t short_of(uint64_t frames, uint64_t has)
{
    return has < frames ? frames - has : 0;
}

/* Whether anything came. What the balloon does not hold it is not asked for: a request for more than there is
 * must not empty it in vain. */
static bool ask_balloon(struct appmem *mem, uint64_t frames)
{
    const struct appmem_config *config = &mem->config;

    if (config->ballooned && config->ballooned(config->ctx) < frames)
        return false;
    if (appmem_now(mem) - mem->reclaim_ns >= ASK_FOR_NS)
        return false;
    config->pressure->oom_calls++;
    return config->oom(config->ctx, frames) > 0;
}

/* One stall, whatever has to be done for an allocation. The block of a half-done join is nobody's need. */
static void begin(struct appmem *mem)
{
    mem->reclaim_ns = appmem_now(mem);
    pressure_stall_begin(mem->config.pressure, mem->reclaim_ns);
    appmem_join_stop(mem);
}

static int end(struct appmem *mem, bool has_enough)
{
    pressure_stall_end(mem->config.pressure, appmem_now(mem));
    if (has_enough)
        return 0;
    mem->config.pressure->refusals++;
    return -ENOMEM;
}

int reclaim_promise(struct appmem *mem, uint64_t frames)
{
    uint64_t missing;

    if (appmem_spare(mem) >= frames)
        return 0;
    begin(mem);
    do {
        missing = short_of(frames, appmem_spare(mem));
    } while (missing > 0 && ask_balloon(mem, missing));
    return end(mem, missing == 0);
}

int reclaim_free(struct appmem *mem, uint64_t frames)
{
    uint64_t missing;

    if (appmem_free_frames(mem) >= frames)
        return 0;
    begin(mem);
    do {
        missing = short_of(frames, appmem_free_frames(mem));
    } while (missing > 0 && (appmem_purge_oldest(mem) > 0 || ask_balloon(mem, missing)));
    return end(mem, missing == 0);
}

/* More free memory, for compaction to work with. */
static bool drop_or_ask(struct appmem *mem, bool *has_asked)
{
    if (appmem_purge_oldest(mem) > 0)
        return true;
    if (*has_asked)
        return false;
    *has_asked = true; /* once: what the balloon holds may be in pieces as well */
    return ask_balloon(mem, BLOCK_FRAMES);
}

int reclaim_blocks(struct appmem *mem, uint64_t count)
{
    bool has_any, has_asked = false;

    begin(mem);
    do {
        has_any = compact_for_blocks(mem, count);
    } while (!has_any && drop_or_ask(mem, &has_asked));
    return end(mem, has_any);
}

/* What stays free whatever the balloon wants. */
static uint64_t kept_frames(struct appmem *mem)
{
    return max_u64(pmm_reserve_frames(mem->config.pmm), appmem_min_frames(mem));
}

uint64_t reclaim_spare_for_balloon(struct appmem *mem)
{
    uint64_t free = appmem_free_frames(mem), kept = kept_frames(mem);
    uint64_t has = free + mem->stats.volatile_frames;

    /* What is promised may be served from what can be dropped. */
    if (free < kept || has < kept + appmem_promised(mem))
        return 0;
    return min_u64(free - kept, has - kept - appmem_promised(mem));
}

bool reclaim_for_balloon(struct appmem *mem, uint64_t frames)
{
    uint64_t has = appmem_free_frames(mem) + mem->stats.volatile_frames;
    uint64_t wanted = kept_frames(mem) + frames;

    if (has < wanted + appmem_promised(mem))
        return false;
    while (appmem_free_frames(mem) < wanted && appmem_purge_oldest(mem) > 0)
        ;
    return appmem_free_frames(mem) >= wanted;
}
