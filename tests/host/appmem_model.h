// SPDX-License-Identifier: BSD-2-Clause
/*
 * What an app may expect of its memory, page by page: is it part of a region, is it there, was it promised,
 * which word is in it. Each operation of mm/appmem.h is done and then noted here; where the two differ the
 * test fails. Refusals must be borne out by the figures, and a touch of what was promised is never refused.
 */
#pragma once

#include "tests/host/appmem_rig.h"

#include "mm/appmem_internal.h"

#define MODEL_WINDOW  (256 * MIB)
#define MODEL_PAGES   (MODEL_WINDOW / FRAME_SIZE)
#define MODEL_REGIONS 64

/* The state of a page. */
enum model_page {
    PAGE_REGION = 1,
    PAGE_THERE = 2,
    PAGE_PROMISED = 4,
    PAGE_VOLATILE = 8,
    PAGE_KNOWN = 16, /* its word is, or will be when it is touched */
};

struct model_region {
    uint64_t start, size;
    unsigned flags; /* as mapped; SPARSE too once a part was released */
    bool is_volatile, is_purged;
    uint64_t mark; /* order of the marks */
};

struct model {
    struct rig *rig;
    uint8_t state[MODEL_PAGES];
    uint64_t word[MODEL_PAGES];
    struct model_region regions[MODEL_REGIONS];
    unsigned count;
    uint64_t resident, promised, volatile_frames, purged; /* pages */
    uint64_t marks, words;
    uint64_t lost; /* touches of what was dropped */
    uint64_t top;  /* no page from here on was ever used */
};

static inline uint64_t model_page(uint64_t addr)
{
    uint64_t page = (addr - RIG_WINDOW) / FRAME_SIZE;

    assert_true(addr >= RIG_WINDOW && page < MODEL_PAGES);
    return page;
}

/* Where the word of a page lies that is looked at. */
static inline uint64_t model_word_at(uint64_t page)
{
    return RIG_WINDOW + page * FRAME_SIZE + page * 37 % 512 * 8;
}

static inline void model_count(struct model *m, unsigned state, uint64_t by)
{
    if (state & PAGE_THERE) {
        m->resident += by;
        m->volatile_frames += state & PAGE_VOLATILE ? by : 0;
    } else if ((state & PAGE_PROMISED) && !(state & PAGE_VOLATILE)) {
        m->promised += by;
    }
}

static inline void model_set(struct model *m, uint64_t page, unsigned state)
{
    model_count(m, m->state[page], UINT64_MAX);
    m->state[page] = (uint8_t)state;
    model_count(m, state, 1);
}

/* Every page of a range loses some flags and gets others. */
static inline void model_change(struct model *m, uint64_t start, uint64_t size,
                                unsigned without, unsigned with)
{
    uint64_t first = model_page(start);

    for (uint64_t page = first; page < first + size / FRAME_SIZE; page++)
        model_set(m, page, (m->state[page] & ~without) | with);
}

/* The pages of a range are not there any more, or not yet: what will they hold? */
static inline void model_empty(struct model *m, uint64_t start, uint64_t size,
                               unsigned flags)
{
    model_change(m, start, size, PAGE_THERE | PAGE_KNOWN,
                 flags & APPMEM_DIRTY ? 0 : PAGE_KNOWN);
    memset(&m->word[model_page(start)], 0, size / FRAME_SIZE * sizeof(uint64_t));
}

static inline struct model_region *model_find(struct model *m, uint64_t addr)
{
    for (unsigned i = 0; i < m->count; i++)
        if (addr - m->regions[i].start < m->regions[i].size)
            return &m->regions[i];
    return NULL;
}

/* ---- refusals ---- */

/* A promise of so many frames was refused, and all that the balloon holds would not have been enough. */
static inline void model_expect_short(const struct rig *rig, uint64_t frames)
{
    uint64_t held = rig->lent + rig->balloon.count;

    assert_true(appmem_available(&rig->mem) < frames);
    if (rig->may_deflate && !rig->is_silent && held > 0)
        assert_true(appmem_spare(&rig->mem) + held < appmem_with_tables(frames));
}

/* ---- what others did: regions were dropped ---- */

static inline bool model_is_dropped(const struct model *m, const struct model_region *r)
{
    const struct appmem_region *region =
        appmem_region_find(&m->rig->mem.regions, r->start);

    assert_non_null(region);
    assert_int_equal(region->start, r->start);
    assert_int_equal(region->end - region->start, r->size);
    assert_int_equal(!!(region->flags & APPMEM_VOLATILE), r->is_volatile);
    return region->flags & APPMEM_PURGED;
}

static inline void model_note_drop(struct model *m, struct model_region *r)
{
    uint64_t before = m->resident;

    r->is_purged = true;
    model_empty(m, r->start, r->size, r->flags);
    m->purged += before - m->resident;
}

/* Oldest mark first: none that is older than one that was dropped is still there. */
static inline void model_note_drops(struct model *m)
{
    uint64_t newest_dropped = 0;

    for (unsigned i = 0; i < m->count; i++) {
        struct model_region *r = &m->regions[i];

        if (r->is_volatile && !r->is_purged && model_is_dropped(m, r)) {
            newest_dropped = max_u64(newest_dropped, r->mark);
            model_note_drop(m, r);
        }
    }
    for (unsigned i = 0; i < m->count; i++)
        if (m->regions[i].is_volatile && !m->regions[i].is_purged)
            assert_true(m->regions[i].mark >= newest_dropped);
    assert_int_equal(m->purged, m->rig->mem.stats.purged);
}

/* ---- operations ---- */

static inline struct model_region *model_add(struct model *m, uint64_t start,
                                             uint64_t size, unsigned flags)
{
    struct model_region *r = &m->regions[m->count++];
    uint64_t first = model_page(start), pages = size / FRAME_SIZE;
    unsigned state = PAGE_REGION | (flags & APPMEM_DIRTY ? 0 : PAGE_KNOWN) |
                     (flags & APPMEM_SPARSE ? 0 : PAGE_PROMISED) |
                     (flags & APPMEM_BLOCKS ? PAGE_THERE : 0);

    /* Free pages, with one more on either side. */
    for (uint64_t page = first - 1; page < first + pages + 1; page++)
        assert_true(m->state[page] == 0);
    *r = (struct model_region){.start = start, .size = size, .flags = flags};
    memset(&m->state[first], (int)state, pages);
    memset(&m->word[first], 0, pages * sizeof(uint64_t));
    model_count(m, state, pages);
    m->top = max_u64(m->top, first + pages);
    return r;
}

/* NULL: refused, with reason. */
static inline struct model_region *model_map(struct model *m, uint64_t size,
                                             unsigned flags)
{
    struct rig *rig = m->rig;
    uint64_t start, unit = flags & APPMEM_BLOCKS ? BLOCK_SIZE : FRAME_SIZE;
    int err;

    if (m->count > MODEL_REGIONS - 4) /* each cut makes one more */
        return NULL;
    rig->has_given_up = false;
    err = appmem_map(&rig->mem, size, flags, &start);
    model_note_drops(m);
    size = align_up(size, unit);
    if (!err)
        return model_add(m, start, size, flags);
    assert_int_equal(err, -ENOMEM);
    if ((flags & APPMEM_BLOCKS) && rig->has_given_up)
        return NULL;
    if ((flags & APPMEM_BLOCKS) && rig_free_blocks(rig) < size / BLOCK_SIZE)
        return NULL;
    model_expect_short(rig, size / FRAME_SIZE);
    return NULL;
}

static inline void model_remove(struct model *m, struct model_region *r)
{
    *r = m->regions[--m->count];
}

/* Giving back needs a frame or two for a cut. True: it had none. */
static inline bool model_is_excused(const struct model *m, int err)
{
    if (!err)
        return false;
    assert_int_equal(err, -ENOMEM);
    assert_true(rig_free(m->rig) < 4);
    return true;
}

static inline void model_unmap(struct model *m, struct model_region *r, uint64_t offset,
                               uint64_t size)
{
    uint64_t start = r->start + offset, end = start + size, old_end = r->start + r->size;

    if (model_is_excused(m, appmem_unmap(&m->rig->mem, start, size)))
        return;
    model_change(m, start, size, UINT8_MAX, 0);
    if (end < old_end) {
        m->regions[m->count] = *r;
        m->regions[m->count].start = end;
        m->regions[m->count++].size = old_end - end;
    }
    r->size = offset;
    if (offset == 0)
        model_remove(m, r);
}

static inline void model_release(struct model *m, struct model_region *r, uint64_t offset,
                                 uint64_t size)
{
    int err = appmem_release(&m->rig->mem, r->start + offset, size);

    if (r->flags & APPMEM_PURGEABLE) {
        assert_int_equal(err, -EINVAL);
        return;
    }
    if (model_is_excused(m, err))
        return;
    if (!(r->flags & APPMEM_SPARSE))
        model_change(m, r->start, r->size, PAGE_PROMISED, 0);
    r->flags |= APPMEM_SPARSE;
    model_empty(m, r->start + offset, size, r->flags);
    model_change(m, r->start + offset, size, PAGE_PROMISED, 0);
}

static inline void model_set_volatile(struct model *m, struct model_region *r)
{
    assert_int_equal(appmem_set_volatile(&m->rig->mem, r->start), 0);
    if (r->is_volatile)
        return;
    r->is_volatile = true;
    r->mark = ++m->marks;
    model_change(m, r->start, r->size, 0, PAGE_VOLATILE);
}

static inline void model_set_needed(struct model *m, struct model_region *r)
{
    bool was_purged = r->is_purged, was_volatile = r->is_volatile;
    int result = appmem_set_needed(&m->rig->mem, r->start);

    if (result == -ENOMEM) {
        assert_true(was_volatile);
        assert_true(model_is_dropped(m, r)); /* this one, however old it is */
        if (!r->is_purged)
            model_note_drop(m, r);
        model_expect_short(m->rig, r->size / FRAME_SIZE + 4); /* its tables went too */
        return;
    }
    assert_int_equal(result, was_purged);
    r->is_volatile = r->is_purged = false;
    model_change(m, r->start, r->size, PAGE_VOLATILE, 0);
}

/* A block came in: it was promised, and nothing of it was there. */
static inline void model_note_block(struct model *m, uint64_t addr)
{
    uint64_t first = model_page(align_down(addr, BLOCK_SIZE));

    for (uint64_t page = first; page < first + BLOCK_FRAMES; page++) {
        assert_true((m->state[page] & PAGE_PROMISED) && !(m->state[page] & PAGE_THERE));
        model_set(m, page, m->state[page] | PAGE_THERE);
    }
}

/* The CPU touches a page that is not there. False: that ended the app, and rightly so. */
static inline bool model_fault(struct model *m, uint64_t page)
{
    uint64_t addr = model_word_at(page), blocks = m->rig->mem.stats.block_faults;
    struct model_region *r = model_find(m, addr);
    bool was_purged = r && r->is_purged;
    int err = appmem_fault(&m->rig->mem, addr);

    model_note_drops(m);
    if (!err) {
        assert_true(r && !r->is_purged);
        if (m->rig->mem.stats.block_faults > blocks)
            model_note_block(m, addr);
        else
            model_set(m, page, m->state[page] | PAGE_THERE);
        return true;
    }
    if (!r) {
        assert_int_equal(err, -EINVAL);
    } else if (r->is_purged) { /* before, or for this */
        m->lost++;
        assert_int_equal(err, -EBUSY);
        assert_true(was_purged || !(m->state[page] & PAGE_PROMISED) || r->is_volatile);
    } else {
        assert_int_equal(err, -ENOMEM);
        assert_true(r->is_volatile || !(m->state[page] & PAGE_PROMISED));
        model_expect_short(m->rig, 1);
    }
    return false;
}

/* Compare what the page holds with what it should, then write something new or leave it. */
static inline void model_touch(struct model *m, uint64_t page, bool is_write)
{
    struct vmm_leaf leaf;
    uint64_t addr = model_word_at(page), *word;

    if (!(m->state[page] & PAGE_THERE) && !model_fault(m, page))
        return;
    assert_true(vmm_lookup(&m->rig->vmm, addr, &leaf));
    word = (uint64_t *)((char *)mmu_phys_to_virt(leaf.phys) + (addr - leaf.virt));
    if (m->state[page] & PAGE_KNOWN)
        assert_int_equal(*word, m->word[page]);
    if (!is_write)
        return;
    *word = m->word[page] = ++m->words << 16 | 0xA5A5;
    model_set(m, page, m->state[page] | PAGE_KNOWN);
}

/* ---- checks ---- */

static inline void model_check(const struct model *m)
{
    const struct appmem_stats *stats = &m->rig->mem.stats;

    rig_check_conserved(m->rig);
    assert_int_equal(stats->resident, m->resident);
    assert_int_equal(stats->promised, m->promised);
    assert_int_equal(stats->volatile_frames, m->volatile_frames);
    assert_int_equal(stats->purged, m->purged);
    /* If all that was promised were touched now: it could be had. */
    assert_true(rig_free(m->rig) + m->volatile_frames >= m->promised);
}

/* Every page of every region: there or not, and what is in it. */
static inline void model_check_pages(struct model *m)
{
    struct vmm_leaf leaf;

    for (unsigned i = 0; i < m->count; i++) {
        uint64_t first = model_page(m->regions[i].start);

        for (uint64_t page = first; page < first + m->regions[i].size / FRAME_SIZE;
             page++) {
            if (m->state[page] & PAGE_THERE)
                model_touch(m, page, false);
            else
                assert_false(vmm_lookup(&m->rig->vmm, model_word_at(page), &leaf));
        }
    }
}

static inline void model_begin(struct model *m, struct rig *rig)
{
    memset(m->state, 0, m->top);
    rig->mem.config.last = RIG_WINDOW + MODEL_WINDOW;
    appmem_regions_init(&rig->mem.regions, RIG_WINDOW, RIG_WINDOW + MODEL_WINDOW);
    m->rig = rig;
    m->count = 0;
    m->resident = m->promised = m->volatile_frames = m->purged = 0;
    m->top = m->lost = 0;
}
