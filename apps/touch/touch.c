// SPDX-License-Identifier: BSD-2-Clause
/* Pages, their versions, and what a touch does to them. */
#include "touch.h"

#include <guest.h>
#include <stdlib.h>

#include "workload/fill.h"

#define PAGE_WORDS (GUEST_PAGE_BYTES / sizeof(uint64_t))

bool touch_map(struct touch *t, uint64_t bytes, unsigned flags, struct refusals *refusals)
{
    for (t->count = bytes / GUEST_PAGE_BYTES; t->count > 0; t->count /= 2) {
        t->versions = calloc(t->count, 1);
        t->pages = t->versions ? guest_map(t->count * GUEST_PAGE_BYTES, flags) : NULL;
        if (t->pages)
            return true;
        free(t->versions);
        report_refused(refusals, t->count * GUEST_PAGE_BYTES);
    }
    return false;
}

void touch_unmap(struct touch *t)
{
    guest_unmap(t->pages, t->count * GUEST_PAGE_BYTES);
    free(t->versions);
}

uint64_t touch_pick(struct touch *t)
{
    switch (t->pattern) {
    case TOUCH_SEQUENTIAL:
        return t->next++ % t->count;
    case TOUCH_RANDOM:
        return rng_below(&t->rng, t->count);
    case TOUCH_ZIPF:
        return zipf_scatter(zipf_next(&t->zipf, &t->rng), t->count);
    }
    return 0;
}

static uint64_t tag_of(const struct touch *t, uint64_t page)
{
    return fill_tag(t->seed, page, t->versions[page]);
}

static uint64_t expected_word(const struct touch *t, uint64_t page, size_t word)
{
    return t->versions[page] == 0 ? 0 : fill_word(tag_of(t, page), word);
}

static void write_page(struct touch *t, uint64_t page, uint64_t *latency_ns)
{
    uint64_t *words = (uint64_t *)(t->pages + page * GUEST_PAGE_BYTES);
    uint64_t before = guest_ns();

    *(volatile uint64_t *)words = 0;
    *latency_ns = guest_ns() - before;
    t->versions[page] =
        t->versions[page] == UINT8_MAX ? 1 : (uint8_t)(t->versions[page] + 1);
    fill_write(words, GUEST_PAGE_BYTES, tag_of(t, page));
}

static bool read_page(struct touch *t, uint64_t page, uint64_t *latency_ns)
{
    size_t word = rng_below(&t->rng, PAGE_WORDS);
    const volatile uint64_t *words =
        (const uint64_t *)(t->pages + page * GUEST_PAGE_BYTES);
    uint64_t before = guest_ns();
    uint64_t found = words[word];

    *latency_ns = guest_ns() - before;
    return found == expected_word(t, page, word);
}

bool touch_page(struct touch *t, uint64_t page, uint64_t *latency_ns)
{
    if (rng_below(&t->rng, 100) >= t->write_percent)
        return read_page(t, page, latency_ns);
    write_page(t, page, latency_ns);
    return true;
}

uint64_t touch_verify(const struct touch *t)
{
    for (uint64_t page = 0; page < t->count; page++) {
        const uint64_t *words = (const uint64_t *)(t->pages + page * GUEST_PAGE_BYTES);

        for (size_t i = 0; i < PAGE_WORDS; i++)
            if (words[i] != expected_word(t, page, i))
                return page;
    }
    return t->count;
}
