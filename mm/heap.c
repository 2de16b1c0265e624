// SPDX-License-Identifier: BSD-2-Clause
/*
 * A frame of small objects (a slab) starts with a header, and so does a run of frames that is one large
 * object: the header of any object is at the start of the frame that its pointer lies in.
 */
#include "mm/heap.h"

#include "base/assert.h"
#include "mm/mmu.h"

#define SLAB_MAGIC  UINT32_C(0x51AB51AB)
#define LARGE_MAGIC UINT32_C(0x1A46E0B1)

struct slab {
    uint32_t magic;
    uint16_t class;  /* index of its object size */
    uint16_t used;   /* objects taken */
    uint64_t frames; /* 1, or those of the large object */
    pfn_t pfn;
    struct list link;           /* on heap->partial[class] while there is room */
    uint64_t taken[4];          /* a bit per object */
} __attribute__((aligned(16))); /* so that the objects behind it are */

#define SLAB_ROOM (FRAME_SIZE - sizeof(struct slab))
_Static_assert(SLAB_ROOM / 16 <= 256, "a bit for each of the smallest objects");

/* Multiples of 16, the larger ones such that they fill a slab. */
static const uint16_t class_bytes[HEAP_CLASSES] = {16,  32,  48,  64,  96,  128,  192,
                                                   256, 400, 496, 656, 992, 1328, 2000};

static unsigned class_length(unsigned class)
{
    return (unsigned)(SLAB_ROOM / class_bytes[class]);
}

/* HEAP_CLASSES: too large for a slab. */
static unsigned class_of(size_t size_bytes)
{
    unsigned class = 0;

    while (class < HEAP_CLASSES && class_bytes[class] < size_bytes)
        class ++;
    return class;
}

static void *object_at(struct slab *slab, unsigned i)
{
    return (char *)(slab + 1) + (size_t)i * class_bytes[slab->class];
}

/* A new header at the start of `frames` frames. */
static struct slab *slab_take(struct heap *heap, uint64_t frames, uint32_t magic)
{
    pfn_t pfn;

    if (pmm_take_run(heap->pmm, frames, 1, 0, &pfn) != 0)
        return NULL;
    struct slab *slab = mmu_phys_to_virt(pfn_to_paddr(pfn));
    *slab = (struct slab){.magic = magic, .frames = frames, .pfn = pfn};
    list_init(&slab->link);
    heap->stats.frames += frames;
    return slab;
}

static void slab_give(struct heap *heap, struct slab *slab)
{
    heap->stats.frames -= slab->frames;
    list_remove(&slab->link);
    slab->magic = 0;
    pmm_give_run(heap->pmm, slab->pfn, slab->frames);
}

void heap_init(struct heap *heap, struct pmm *pmm)
{
    *heap = (struct heap){.pmm = pmm};
    for (unsigned i = 0; i < HEAP_CLASSES; i++)
        list_init(&heap->partial[i]);
}

static void *alloc_small(struct heap *heap, unsigned class)
{
    struct list *partial = &heap->partial[class];

    if (list_is_empty(partial)) {
        struct slab *fresh = slab_take(heap, 1, SLAB_MAGIC);

        if (!fresh)
            return NULL;
        fresh->class = (uint16_t) class;
        list_push_front(partial, &fresh->link);
    }
    struct slab *slab = LIST_ENTRY(partial->next, struct slab, link);
    unsigned i = 0;

    while (slab->taken[i / 64] == UINT64_MAX)
        i += 64;
    i += (unsigned)__builtin_ctzll(~slab->taken[i / 64]);
    slab->taken[i / 64] |= BIT64(i % 64);
    if (++slab->used == class_length(class))
        list_remove(&slab->link);
    heap->stats.used_bytes += class_bytes[class];
    return __builtin_memset(object_at(slab, i), 0, class_bytes[class]);
}

static void *alloc_large(struct heap *heap, size_t size_bytes)
{
    if (size_bytes > UINT64_MAX - 2 * FRAME_SIZE)
        return NULL;
    uint64_t bytes = align_up(size_bytes + sizeof(struct slab), FRAME_SIZE);
    struct slab *slab = slab_take(heap, bytes >> FRAME_SHIFT, LARGE_MAGIC);

    if (!slab)
        return NULL;
    slab->used = 1;
    heap->stats.used_bytes += bytes;
    return __builtin_memset(slab + 1, 0, size_bytes);
}

void *heap_alloc(struct heap *heap, size_t size_bytes)
{
    unsigned class = class_of(size_bytes);
    void *ptr = NULL;

    if (size_bytes == 0)
        return NULL;
    ptr = class < HEAP_CLASSES ? alloc_small(heap, class) : alloc_large(heap, size_bytes);
    if (ptr) {
        heap->stats.allocs++;
        heap->stats.used_objects++;
    } else {
        heap->stats.failures++;
    }
    return ptr;
}

static void free_small(struct heap *heap, struct slab *slab, uint64_t offset)
{
    unsigned class = slab->class;
    unsigned i = (unsigned)(offset / class_bytes[class]);
    struct list *partial = &heap->partial[class];

    assert(offset % class_bytes[class] == 0 && i < class_length(class));
    assert(slab->taken[i / 64] & BIT64(i % 64)); /* else: a double free */
    slab->taken[i / 64] &= ~BIT64(i % 64);
    if (slab->used-- == class_length(class))
        list_push_front(partial, &slab->link);
    heap->stats.used_bytes -= class_bytes[class];
    /* An empty slab stays if it is the only one with room: no frame per alloc and free in turn. */
    if (slab->used == 0 && partial->next != partial->prev)
        slab_give(heap, slab);
}

void heap_free(struct heap *heap, void *ptr)
{
    if (!ptr)
        return;

    uint64_t offset = (uintptr_t)ptr % FRAME_SIZE;
    struct slab *slab = (struct slab *)((char *)ptr - offset);

    assert(offset >= sizeof(struct slab));
    assert(slab->magic == SLAB_MAGIC || slab->magic == LARGE_MAGIC);
    heap->stats.frees++;
    heap->stats.used_objects--;
    if (slab->magic == SLAB_MAGIC) {
        free_small(heap, slab, offset - sizeof(struct slab));
        return;
    }
    assert(offset == sizeof(struct slab));
    heap->stats.used_bytes -= slab->frames << FRAME_SHIFT;
    slab_give(heap, slab);
}
