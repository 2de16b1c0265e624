// SPDX-License-Identifier: BSD-2-Clause
/*
 * lib/newlib/heap*.c: random use, in which every object keeps its own pattern, memory runs out,
 * calls of the source fail, and what is kept stays within its bounds. TEST_SEED=n chooses the run,
 * TEST_OPS=n its length.
 */
#include "tests/host/app_heap_check.h"

#define OBJECTS 8000

struct object {
    unsigned char *ptr;
    size_t size;
    uint64_t tag;
};

struct world {
    struct rig *rig;
    uint64_t seed;
    uint64_t tags;
    size_t used_bytes;  /* by what the heap says may be used */
    size_t objects_max; /* how many there may be for now: grows and falls */
    struct object objects[OBJECTS];
};

static uint64_t random_below(struct world *world, uint64_t bound)
{
    /* xorshift64* */
    world->seed ^= world->seed >> 12;
    world->seed ^= world->seed << 25;
    world->seed ^= world->seed >> 27;
    return (world->seed * UINT64_C(0x2545F4914F6CDD1D) >> 16) % bound;
}

/* From 1 byte to 2.5 MiB: any power of two is as likely, small ones more so. */
static size_t random_size(struct world *world)
{
    uint64_t kind = random_below(world, 100);
    unsigned shift = (unsigned)random_below(world, kind < 80 ? 11 : kind < 98 ? 18 : 22);
    size_t size = ((size_t)1 << shift) + random_below(world, (uint64_t)1 << shift);

    return size > 5 * MIB / 2 ? size / 2 : size;
}

static size_t random_align(struct world *world)
{
    if (random_below(world, 8) != 0)
        return APP_HEAP_ALIGN;
    return (size_t)1 << random_below(world, random_below(world, 8) != 0 ? 13 : 22);
}

/* Patterns: all of a small object, of another a word at the start of each KiB and the last byte. */
static size_t stride_of(size_t size)
{
    return size <= 256 ? 1 : 1000;
}

static unsigned char byte_of(uint64_t tag, size_t at)
{
    return (unsigned char)((tag * 31 + at) * 131 >> 3);
}

static void fill(const struct object *object, size_t from)
{
    size_t stride = stride_of(object->size);

    for (size_t at = (from + stride - 1) / stride * stride; at < object->size;
         at += stride)
        object->ptr[at] = byte_of(object->tag, at);
    object->ptr[object->size - 1] = byte_of(object->tag, object->size - 1);
}

static void check_up_to(const struct object *object, size_t size)
{
    size_t stride = stride_of(object->size);

    for (size_t at = 0; at < size; at += stride)
        assert_int_equal(object->ptr[at], byte_of(object->tag, at));
    if (size == object->size)
        assert_int_equal(object->ptr[size - 1], byte_of(object->tag, size - 1));
}

static size_t usable(struct world *world, const struct object *object)
{
    size_t bytes = app_heap_usable(&world->rig->heap, object->ptr);

    assert_true(bytes >= object->size);
    return bytes;
}

/* A refusal is right when the source refused too: it is out of memory, or told to fail. */
static bool is_refused(struct world *world, const void *ptr, uint64_t refusals)
{
    assert_true(ptr || world->rig->refusals > refusals);
    return !ptr;
}

static void alloc_one(struct world *world, struct object *object)
{
    size_t size = random_size(world), align = random_align(world);
    uint64_t refusals = world->rig->refusals;
    unsigned char *ptr = app_heap_alloc(&world->rig->heap, size, align);

    if (is_refused(world, ptr, refusals))
        return;
    assert_int_equal((uintptr_t)ptr % (align < APP_HEAP_ALIGN ? APP_HEAP_ALIGN : align),
                     0);
    *object = (struct object){ptr, size, ++world->tags};
    world->used_bytes += usable(world, object);
    fill(object, 0);
}

static void free_one(struct world *world, struct object *object)
{
    check_up_to(object, object->size);
    world->used_bytes -= usable(world, object);
    app_heap_free(&world->rig->heap, object->ptr);
    object->ptr = NULL;
}

static void realloc_one(struct world *world, struct object *object)
{
    size_t size = random_size(world), old_size = object->size,
           old_usable = usable(world, object);
    uint64_t refusals = world->rig->refusals;
    unsigned char *ptr = app_heap_realloc(&world->rig->heap, object->ptr, size);

    if (is_refused(world, ptr, refusals)) {
        assert_true(size > old_size);
        check_up_to(object, old_size);
        return;
    }
    assert_int_equal((uintptr_t)ptr % APP_HEAP_ALIGN, 0);
    object->ptr = ptr;
    check_up_to(object, size < old_size ? size : old_size);
    object->size = size;
    object->tag = ++world->tags;
    fill(object, 0);
    world->used_bytes += usable(world, object) - old_usable;
}

/* The source is mostly willing; now and then a call of the next ones fails. */
static void random_source(struct world *world)
{
    if (world->rig->fail_at == 0 && random_below(world, 100) == 0)
        world->rig->fail_at = 1 + random_below(world, 20);
}

static void one_operation(struct world *world)
{
    struct object *object = &world->objects[random_below(world, OBJECTS)];
    bool may_alloc = (size_t)(object - world->objects) < world->objects_max;

    random_source(world);
    if (!object->ptr && may_alloc)
        alloc_one(world, object);
    else if (object->ptr && may_alloc && random_below(world, 4) == 0)
        realloc_one(world, object);
    else if (object->ptr)
        free_one(world, object);
    if (random_below(world, 20000) == 0)
        app_heap_trim(&world->rig->heap);
}

/* Reserved are the objects, what spans have free, what may be kept, metadata. */
static void check_bounds(struct world *world)
{
    struct app_heap_stats stats = rig_stats(world->rig);
    size_t kept = world->rig->heap.used_pages * HEAP_PAGE / 8;

    assert_int_equal(stats.used_bytes, world->used_bytes);
    assert_true(stats.metadata_bytes <= HEAP_PAGE + stats.chunks * 6 * HEAP_PAGE);
    app_heap_free(&world->rig->heap,
                  app_heap_alloc(&world->rig->heap, HEAP_MEDIUM_MAX, 16));
    stats = rig_stats(world->rig);
    assert_true(stats.idle_bytes <= HEAP_CHUNK + (kept < HEAP_CHUNK ? HEAP_CHUNK : kept));
}

/* More objects or fewer, on a machine with much memory left or none. */
static void next_phase(struct world *world)
{
    world->objects_max = random_below(world, OBJECTS + 1);
    world->rig->limit_bytes = world->rig->promised_bytes +
                              random_below(world, 2) * random_below(world, 128 * MIB);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *given = getenv(name);

    return given ? strtoull(given, NULL, 0) : otherwise;
}

static void random_use(void **state)
{
    uint64_t seed = setting("TEST_SEED", 20260101), ops = setting("TEST_OPS", 400000);
    struct world *world = calloc(1, sizeof(*world));

    (void)state;
    printf("TEST_SEED=%llu TEST_OPS=%llu\n", (unsigned long long)seed,
           (unsigned long long)ops);
    world->seed = seed * 2 + 1;
    world->rig = rig_begin(64 * MIB);
    world->objects_max = OBJECTS;
    for (uint64_t i = 1; i <= ops; i++) {
        one_operation(world);
        if (i % 4096 == 0) {
            world->rig->fail_at = 0;
            rig_check(world->rig);
            check_bounds(world);
        }
        if (i % 16384 == 0)
            next_phase(world);
    }
    for (unsigned i = 0; i < OBJECTS; i++) {
        if (world->objects[i].ptr)
            free_one(world, &world->objects[i]);
    }
    rig_end(world->rig);
    free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
