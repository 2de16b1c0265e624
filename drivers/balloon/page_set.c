// SPDX-License-Identifier: BSD-2-Clause
/*
 * The balloon's page set: chunks of 1 GiB found by binary search; in each two words of bits per 64
 * blocks (whole, in parts) and one page of frame maps per 64 blocks, there only when one of them is
 * in parts. Physical memory may be sparse over the whole 44 bits a balloon can name.
 */
#include "drivers/balloon/page_set.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/err.h"

#define CHUNK_SHIFT  18 /* frames per chunk: 1 GiB */
#define CHUNK_BLOCKS 512
#define GROUPS       (CHUNK_BLOCKS / 64)
#define MAP_WORDS    (BLOCK_FRAMES / 64)
#define MAPS_BYTES   (64 * MAP_WORDS * sizeof(uint64_t))

struct page_chunk {
    uint64_t number;        /* pfn >> CHUNK_SHIFT */
    uint64_t whole[GROUPS]; /* a bit per block: all 512 frames are in the set */
    uint64_t parts[GROUPS]; /* a bit per block: some are, see its map */
    uint64_t *maps[GROUPS]; /* 64 maps of 512 bits each, or NULL */
};

/* Where a block's bits are. */
struct place {
    struct page_chunk *chunk;
    unsigned group;
    unsigned index; /* of the block in its group */
};

static void *set_alloc(struct page_set *set, size_t size_bytes)
{
    void *mem = set->hal->mem_alloc(set->hal->ctx, size_bytes);

    if (mem)
        set->bytes += size_bytes;
    return mem;
}

static void set_free(struct page_set *set, void *mem, size_t size_bytes)
{
    if (!mem)
        return;
    set->bytes -= size_bytes;
    set->hal->mem_free(set->hal->ctx, mem, size_bytes);
}

/* The index of the chunk with this number, or of the first one above it. */
static size_t chunk_lower(const struct page_set *set, uint64_t number)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (set->chunks[mid]->number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct page_chunk *chunk_find(const struct page_set *set, pfn_t pfn)
{
    uint64_t number = pfn.n >> CHUNK_SHIFT;
    size_t i = chunk_lower(set, number);

    return i < set->count && set->chunks[i]->number == number ? set->chunks[i] : NULL;
}

static int chunks_grow(struct page_set *set)
{
    size_t capacity = set->capacity ? set->capacity * 2 : 8;
    struct page_chunk **bigger = set_alloc(set, capacity * sizeof(struct page_chunk *));

    if (!bigger)
        return -ENOMEM;
    for (size_t i = 0; i < set->count; i++)
        bigger[i] = set->chunks[i];
    set_free(set, set->chunks, set->capacity * sizeof(struct page_chunk *));
    set->chunks = bigger;
    set->capacity = capacity;
    return 0;
}

static struct page_chunk *chunk_get(struct page_set *set, pfn_t pfn)
{
    struct page_chunk *chunk = chunk_find(set, pfn);

    if (chunk)
        return chunk;
    if (set->count == set->capacity && chunks_grow(set))
        return NULL;
    chunk = set_alloc(set, sizeof(*chunk));
    if (!chunk)
        return NULL;
    chunk->number = pfn.n >> CHUNK_SHIFT;
    size_t at = chunk_lower(set, chunk->number);
    for (size_t i = set->count; i > at; i--)
        set->chunks[i] = set->chunks[i - 1];
    set->chunks[at] = chunk;
    set->count++;
    return chunk;
}

static struct place place_of(struct page_chunk *chunk, pfn_t pfn)
{
    unsigned block = (unsigned)(pfn.n >> BLOCK_ORDER) % CHUNK_BLOCKS;

    return (struct place){.chunk = chunk, .group = block / 64, .index = block % 64};
}

static uint64_t *place_map(struct place at)
{
    return at.chunk->maps[at.group] + at.index * MAP_WORDS;
}

static pfn_t place_pfn(struct place at)
{
    uint64_t block = at.chunk->number * CHUNK_BLOCKS + at.group * 64 + at.index;

    return pfn_of(block << BLOCK_ORDER);
}

static unsigned frame_in_block(pfn_t pfn)
{
    return (unsigned)(pfn.n % BLOCK_FRAMES);
}

static bool same_block(pfn_t a, pfn_t b)
{
    return a.n >> BLOCK_ORDER == b.n >> BLOCK_ORDER;
}

void page_set_init(struct page_set *set, const struct balloon_hal *hal)
{
    *set = (struct page_set){.hal = hal};
}

void page_set_fini(struct page_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        for (unsigned g = 0; g < GROUPS; g++)
            set_free(set, set->chunks[i]->maps[g], MAPS_BYTES);
        set_free(set, set->chunks[i], sizeof(struct page_chunk));
    }
    set_free(set, set->chunks, set->capacity * sizeof(struct page_chunk *));
    while (set->spare_count)
        set_free(set, set->spares[--set->spare_count], MAPS_BYTES);
    assert(set->bytes == 0);
    page_set_init(set, set->hal);
}

int page_set_reserve(struct page_set *set, pfn_t first, unsigned order)
{
    struct page_chunk *chunk = chunk_get(set, first);

    if (!chunk)
        return -ENOMEM;
    while (set->spare_count < PAGE_SET_SPARES) {
        void *page = set_alloc(set, MAPS_BYTES);

        if (!page)
            return -ENOMEM;
        set->spares[set->spare_count++] = page;
    }
    /* A block needs no map, or one of the spares when the window is taken meanwhile. */
    if (order == BLOCK_ORDER)
        return 0;
    struct place at = place_of(chunk, first);
    if (!chunk->maps[at.group])
        chunk->maps[at.group] = set_alloc(set, MAPS_BYTES);
    return chunk->maps[at.group] ? 0 : -ENOMEM;
}

static bool map_is_full(const uint64_t *map)
{
    for (unsigned i = 0; i < MAP_WORDS; i++)
        if (map[i] != UINT64_MAX)
            return false;
    return true;
}

static bool map_is_empty(const uint64_t *map)
{
    for (unsigned i = 0; i < MAP_WORDS; i++)
        if (map[i])
            return false;
    return true;
}

static void map_clear(uint64_t *map)
{
    for (unsigned i = 0; i < MAP_WORDS; i++)
        map[i] = 0;
}

/* Put the run into its block's map; a map that becomes full turns into a whole block. */
static void add_to_map(struct page_set *set, struct place at, struct page_run run)
{
    if (!at.chunk->maps[at.group]) {
        assert(set->spare_count > 0);
        at.chunk->maps[at.group] = set->spares[--set->spare_count];
    }
    uint64_t *map = place_map(at);
    uint64_t bit = BIT64(at.index);

    if (!(at.chunk->parts[at.group] & bit)) {
        at.chunk->parts[at.group] |= bit;
        set->in_parts++;
    }
    for (unsigned i = frame_in_block(run.first), n = run.frames; n > 0; i++, n--) {
        assert(!(map[i / 64] & BIT64(i % 64)));
        map[i / 64] |= BIT64(i % 64);
    }
    if (!map_is_full(map))
        return;
    map_clear(map);
    at.chunk->parts[at.group] &= ~bit;
    set->in_parts--;
    at.chunk->whole[at.group] |= bit;
    set->whole++;
}

/* The window grows by a neighbour; full, it becomes a whole block. */
static bool window_extend(struct page_set *set, struct page_run run)
{
    struct page_run *window = &set->window;

    if (run.first.n == window->first.n + window->frames)
        window->frames += run.frames;
    else if (run.first.n + run.frames == window->first.n)
        *window = (struct page_run){run.first, run.frames + window->frames};
    else
        return false;
    return true;
}

void page_set_add(struct page_set *set, struct page_run run)
{
    struct page_chunk *chunk = chunk_find(set, run.first);
    unsigned offset = frame_in_block(run.first);

    assert(chunk && run.frames > 0 && offset + run.frames <= BLOCK_FRAMES);
    struct place at = place_of(chunk, run.first);
    uint64_t bit = BIT64(at.index);
    bool is_window = set->window.frames && same_block(set->window.first, run.first);

    assert(!(chunk->whole[at.group] & bit));
    set->frames += run.frames;
    if (is_window && window_extend(set, run)) {
        run = set->window;
        if (run.frames < BLOCK_FRAMES)
            return;
        set->window.frames = 0;
    } else if (is_window) {
        struct page_run window = set->window;

        set->window.frames = 0;
        add_to_map(set, at, window);
    }
    if (run.frames == BLOCK_FRAMES) {
        chunk->whole[at.group] |= bit;
        set->whole++;
    } else if (!set->window.frames && !(chunk->parts[at.group] & bit)) {
        set->window = run;
    } else {
        add_to_map(set, at, run);
    }
}

/* A block with its bit in the words that `words` selects; the search starts at the last find. */
static bool find_block(struct page_set *set, bool whole, struct place *out)
{
    for (size_t n = 0; n < set->count; n++) {
        size_t i = (set->hint + n) % set->count;
        struct page_chunk *chunk = set->chunks[i];

        for (unsigned g = 0; g < GROUPS; g++) {
            uint64_t word = whole ? chunk->whole[g] : chunk->parts[g];

            if (!word)
                continue;
            set->hint = i;
            *out = (struct place){chunk, g, (unsigned)__builtin_ctzll(word)};
            return true;
        }
    }
    return false;
}

static struct page_run take_from_window(struct page_set *set, uint32_t max)
{
    struct page_run run = {set->window.first, (uint32_t)min_u64(max, set->window.frames)};

    set->window.first = pfn_add(set->window.first, run.frames);
    set->window.frames -= run.frames;
    return run;
}

static struct page_run take_from_map(struct page_set *set, struct place at, uint32_t max)
{
    uint64_t *map = place_map(at);
    unsigned i = 0;

    while (!map[i / 64])
        i += 64;
    i += (unsigned)__builtin_ctzll(map[i / 64]);
    struct page_run run = {pfn_add(place_pfn(at), i), 0};
    for (; i < BLOCK_FRAMES && run.frames < max && map[i / 64] & BIT64(i % 64); i++) {
        map[i / 64] &= ~BIT64(i % 64);
        run.frames++;
    }
    if (map_is_empty(map)) {
        at.chunk->parts[at.group] &= ~BIT64(at.index);
        set->in_parts--;
    }
    return run;
}

bool page_set_take(struct page_set *set, uint32_t max, struct page_run *out)
{
    struct place at;

    assert(max > 0);
    if (!set->window.frames && set->whole && find_block(set, true, &at)) {
        at.chunk->whole[at.group] &= ~BIT64(at.index);
        set->whole--;
        set->window = (struct page_run){place_pfn(at), BLOCK_FRAMES};
    }
    if (set->window.frames)
        *out = take_from_window(set, max);
    else if (set->in_parts && find_block(set, false, &at))
        *out = take_from_map(set, at, max);
    else
        return false;
    set->frames -= out->frames;
    return true;
}

bool page_set_has(const struct page_set *set, pfn_t pfn)
{
    const struct page_run *window = &set->window;

    if (pfn.n >= window->first.n && pfn.n < window->first.n + window->frames)
        return true;
    struct page_chunk *chunk = chunk_find(set, pfn);
    if (!chunk)
        return false;
    struct place at = place_of(chunk, pfn);
    unsigned i = frame_in_block(pfn);

    if (chunk->whole[at.group] & BIT64(at.index))
        return true;
    return chunk->parts[at.group] & BIT64(at.index) &&
           place_map(at)[i / 64] & BIT64(i % 64);
}

/* Whether the block of `pfn` is in the set whole, not at all, or needs a look at each frame. */
static bool block_is_simple(const struct page_set *set, pfn_t pfn, bool *is_in)
{
    struct page_chunk *chunk = chunk_find(set, pfn);

    *is_in = false;
    if (set->window.frames && same_block(set->window.first, pfn))
        return false;
    if (!chunk)
        return true;
    struct place at = place_of(chunk, pfn);
    *is_in = chunk->whole[at.group] & BIT64(at.index);
    return !(chunk->parts[at.group] & BIT64(at.index));
}

/* The first frame at or above `pfn` whose being in the set is `is_in`, below `end`. */
static pfn_t scan(const struct page_set *set, pfn_t pfn, bool is_in, pfn_t end)
{
    while (pfn.n < end.n) {
        bool block_in;

        if (block_is_simple(set, pfn, &block_in)) {
            if (block_in == is_in)
                return pfn;
            pfn = pfn_of((pfn.n | (BLOCK_FRAMES - 1)) + 1);
        } else if (page_set_has(set, pfn) == is_in) {
            return pfn;
        } else {
            pfn = pfn_add(pfn, 1);
        }
    }
    return end;
}

bool page_set_next(const struct page_set *set, pfn_t from, pfn_t *first, uint64_t *frames)
{
    /* Chunk by chunk, so that the holes between them cost nothing. */
    for (size_t i = chunk_lower(set, from.n >> CHUNK_SHIFT); i < set->count; i++) {
        pfn_t start = pfn_of(set->chunks[i]->number << CHUNK_SHIFT);
        pfn_t end = pfn_add(start, BIT64(CHUNK_SHIFT));
        pfn_t found = scan(set, pfn_of(max_u64(start.n, from.n)), true, end);

        if (found.n == end.n)
            continue;
        *first = found;
        *frames = scan(set, found, false, pfn_of(UINT64_MAX)).n - found.n;
        return true;
    }
    return false;
}

static bool chunk_trim(struct page_set *set, struct page_chunk *chunk)
{
    bool is_empty = true;

    for (unsigned g = 0; g < GROUPS; g++) {
        if (!chunk->parts[g]) {
            set_free(set, chunk->maps[g], MAPS_BYTES);
            chunk->maps[g] = NULL;
        }
        is_empty = is_empty && !chunk->parts[g] && !chunk->whole[g];
    }
    /* Its window may still go back into it. */
    return is_empty &&
           !(set->window.frames && set->window.first.n >> CHUNK_SHIFT == chunk->number);
}

void page_set_trim(struct page_set *set)
{
    size_t kept = 0;

    for (size_t i = 0; i < set->count; i++) {
        struct page_chunk *chunk = set->chunks[i];

        if (chunk_trim(set, chunk))
            set_free(set, chunk, sizeof(*chunk));
        else
            set->chunks[kept++] = chunk;
    }
    set->count = kept;
    set->hint = 0;
}
