// SPDX-License-Identifier: BSD-2-Clause
/*
 * Small objects. A span is 64 KiB of objects of one class; which are free is in bits apart from it.
 * The span that serves a class is one of its fullest, so that others become empty; those go back at
 * once.
 *
 * Classes are steps of 16 bytes up to 4 KiB, and then what divides a span into 15, 14, ... 4
 * objects.
 */
#include "lib/newlib/heap_internal.h"

#define STEP_CLASSES   48u
#define STEP_MAX       ((size_t)4096)
#define FEWEST_OBJECTS 4u
#define MOST_OBJECTS   15u /* of the classes above STEP_MAX */
_Static_assert(HEAP_SIZE_CLASSES == STEP_CLASSES + MOST_OBJECTS - FEWEST_OBJECTS + 1,
               "all of them");

/* Level of a span without room, on no list. */
#define LEVEL_FULL HEAP_SPAN_LEVELS

static unsigned class_size(unsigned size_class)
{
    if (size_class < STEP_CLASSES)
        return heap_step_units(size_class) * (unsigned)APP_HEAP_ALIGN;
    unsigned objects = MOST_OBJECTS - (size_class - STEP_CLASSES);
    return (unsigned)(HEAP_SPAN / objects / APP_HEAP_ALIGN * APP_HEAP_ALIGN);
}

static unsigned class_of(size_t size)
{
    unsigned units = ((unsigned)size + 15) / 16;

    if (size <= STEP_MAX)
        return heap_step_of(units);
    return STEP_CLASSES + MOST_OBJECTS - (unsigned)HEAP_SPAN / (units * 16);
}

unsigned heap_span_class(size_t size, size_t align)
{
    unsigned size_class = class_of(size > align ? size : align);

    /* Spans are aligned to more than `align`: a class of multiples will do, at last a power of
     * two. */
    while (align > APP_HEAP_ALIGN && class_size(size_class) % align != 0)
        size_class++;
    return size_class;
}

/* Where the bits of a span are. NULL: no memory for them. */
static uint64_t *free_bits(struct app_heap *heap, struct heap_chunk *chunk,
                           struct heap_span *span)
{
    size_t index = (size_t)(span - chunk->spans), per_page, bytes;
    unsigned page;

    if (span->capacity <= 64)
        return &span->word;
    bytes = span->capacity <= 1024 ? 1024 / 8 : HEAP_SPAN / APP_HEAP_ALIGN / 8;
    per_page = HEAP_PAGE / bytes;
    page = span->capacity <= 1024 ? 1 : 2;
    page += (unsigned)(index / per_page);
    char *bits = heap_chunk_slot_page(heap, chunk, page);
    return bits ? (uint64_t *)(void *)(bits + index % per_page * bytes) : NULL;
}

/* On the list of its level, while it has room; and the number of objects at which that changes. */
static void list_span(struct app_heap *heap, struct heap_span *span)
{
    unsigned level = (unsigned)span->used * HEAP_SPAN_LEVELS / span->capacity;

    heap_link_remove(&span->link);
    if (level != LEVEL_FULL)
        heap_link_insert(&heap->spans[span->size_class][level], &span->link);
    span->low =
        (uint16_t)((level * span->capacity + HEAP_SPAN_LEVELS - 1) / HEAP_SPAN_LEVELS);
    span->high = (uint16_t)(((level + 1) * span->capacity + HEAP_SPAN_LEVELS - 1) /
                            HEAP_SPAN_LEVELS);
}

static void set_all_free(struct heap_span *span)
{
    unsigned words = (span->capacity + 63u) / 64, rest = span->capacity % 64;

    for (unsigned word = 0; word < words; word++)
        span->free[word] = UINT64_MAX;
    if (rest != 0)
        span->free[words - 1] = UINT64_MAX >> (64 - rest);
    span->words_free = UINT64_MAX >> (64 - words);
}

static struct heap_span *span_new(struct app_heap *heap, unsigned size_class)
{
    unsigned first, size = class_size(size_class);
    struct heap_chunk *chunk =
        heap_run_take(heap, HEAP_USE_SPANS, HEAP_SPAN_PAGES, HEAP_SPAN_PAGES, &first);

    if (!chunk)
        return NULL;
    struct heap_span *span = &chunk->spans[first / HEAP_SPAN_PAGES];
    span->start = heap_chunk_start(heap, chunk) + first * HEAP_PAGE;
    span->size = (uint16_t)size;
    span->size_class = (uint8_t)size_class;
    span->capacity = (uint16_t)(HEAP_SPAN / size);
    span->used = 0;
    /* Rounded up: offset * reciprocal >> 32 is offset / size for all offsets below 2^16. */
    span->reciprocal = (uint32_t)(UINT32_MAX / size + 1);
    span->free = free_bits(heap, chunk, span);
    if (!span->free) {
        heap_run_give(heap, chunk, first);
        return NULL;
    }
    set_all_free(span);
    list_span(heap, span);
    heap->span_count++;
    return span;
}

static void span_end(struct app_heap *heap, struct heap_chunk *chunk,
                     struct heap_span *span)
{
    heap_link_remove(&span->link);
    heap->span_count--;
    heap_run_give(heap, chunk, (unsigned)(span - chunk->spans) * HEAP_SPAN_PAGES);
}

static struct heap_span *fullest(const struct app_heap *heap, unsigned size_class)
{
    for (unsigned level = HEAP_SPAN_LEVELS; level-- > 0;) {
        struct heap_link *link = heap->spans[size_class][level];

        if (link)
            return (struct heap_span *)(void *)link;
    }
    return NULL;
}
_Static_assert(offsetof(struct heap_span, link) == 0, "a list's links are the spans");

void *heap_span_alloc(struct app_heap *heap, unsigned size_class)
{
    struct heap_span *span = fullest(heap, size_class);

    if (!span)
        span = span_new(heap, size_class);
    if (!span)
        return NULL;

    unsigned word = (unsigned)__builtin_ctzll(span->words_free);
    uint64_t bits = span->free[word];
    unsigned index = word * 64 + (unsigned)__builtin_ctzll(bits);

    bits &= bits - 1;
    span->free[word] = bits;
    if (bits == 0)
        span->words_free &= span->words_free - 1;
    heap->used_bytes += span->size;
    if (++span->used >= span->high)
        list_span(heap, span);
    return span->start + index * span->size;
}

/* Which object starts at ptr. -1: none that is allocated. */
static int object_at(const struct heap_span *span, const void *ptr)
{
    uint64_t offset = (uintptr_t)ptr % HEAP_SPAN;
    unsigned index = (unsigned)(offset * span->reciprocal >> 32);

    if (span->used == 0 || index * span->size != offset || index >= span->capacity)
        return -1;
    return span->free[index / 64] >> (index % 64) & 1 ? -1 : (int)index;
}

static unsigned span_index(const void *ptr)
{
    return (unsigned)((uintptr_t)ptr / HEAP_SPAN % HEAP_CHUNK_SPANS);
}

bool heap_span_free(struct app_heap *heap, struct heap_chunk *chunk, const void *ptr)
{
    struct heap_span *span = &chunk->spans[span_index(ptr)];
    int index = object_at(span, ptr);

    if (index < 0)
        return false;
    heap->used_bytes -= span->size;
    span->free[index / 64] |= UINT64_C(1) << (index % 64);
    span->words_free |= UINT64_C(1) << (index / 64);
    span->used--;
    if (span->used == 0)
        span_end(heap, chunk, span);
    else if (span->used < span->low)
        list_span(heap, span);
    return true;
}

size_t heap_span_usable(const struct heap_chunk *chunk, const void *ptr)
{
    const struct heap_span *span = &chunk->spans[span_index(ptr)];

    return object_at(span, ptr) < 0 ? 0 : span->size;
}
