// SPDX-License-Identifier: BSD-2-Clause
/*
 * Thousands of short lives of a small machine: an app that maps, touches, frees, marks and drops, calls
 * malloc and asks for blocks, beside a balloon (driver and host) whose target moves, compaction, joining
 * and a kernel that needs memory too. All of it is held to a model of each page (appmem_model.h).
 *
 * TEST_OPS: how many lives; TEST_SEED: of the first, the others count up from it.
 */
#include "tests/host/appmem_ops.h"

#include <time.h>

#define LIVES      10000
#define OPERATIONS 50

static unsigned last_seed;

/* Each life likes some operations more than others. */
static void choose_weights(unsigned weights[ARRAY_LEN(operations)])
{
    for (unsigned i = 0; i < ARRAY_LEN(operations); i++)
        weights[i] = operations[i].weight * (unsigned)below(4);
    weights[0]++; /* something must happen */
}

static void run_one(const unsigned weights[ARRAY_LEN(operations)])
{
    unsigned sum = 0, i = 0;

    for (unsigned k = 0; k < ARRAY_LEN(operations); k++)
        sum += weights[k];
    for (uint64_t at = below(sum); at >= weights[i]; i++)
        at -= weights[i];
    operations[i].run();
}

/* Some of the pages are looked at after each operation, all of them at the end. */
static void look_around(void)
{
    model_note_drops(&model); /* the balloon may have had some */
    rig_refill(rig);
    model_check(&model);
    for (unsigned i = 0; i < 4 && model.count; i++) {
        const struct model_region *r = &model.regions[below(model.count)];
        uint64_t page = model_page(r->start) + below(r->size / FRAME_SIZE);

        if (model.state[page] & PAGE_THERE)
            model_touch(&model, page, false);
    }
}

static void begin_life(void)
{
    static const uint64_t sizes[] = {8 * MIB, 8 * MIB, 12 * MIB, 16 * MIB, 24 * MIB};
    uint64_t size = sizes[below(ARRAY_LEN(sizes))];

    rig = rig_begin(size, below(4) ? size / 8 : below(2 * MIB));
    device_attach(rig, below(2));
    rig->meanwhile = other_tasks;
    has_slow_host = below(8) == 0;
    device.v.hal.relax_ns = NS_PER_MS; /* what it does while it waits */
    model_begin(&model, rig);
    malloc_begin(&heap, &model);
}

/* What happened in all lives: the rarest events are worth a look. */
static struct appmem_stats events;
static uint64_t oom_calls, held_frames, lost;

static void count_events(void)
{
    const struct appmem_stats *stats = &rig->mem.stats;

    events.minor_faults += stats->minor_faults;
    events.block_faults += stats->block_faults;
    events.splits += stats->splits;
    events.joins += stats->joins;
    events.moved += stats->moved;
    events.purged += stats->purged;
    events.refused += stats->refused;
    oom_calls += rig->pressure.oom_calls;
    held_frames += rig->lent;
    lost += model.lost;
}

/* Lives without them would prove little. */
static void tell_events(unsigned long lives)
{
    print_message(
        "faults %lu, of blocks %lu, splits %lu, joins %lu, moved %lu, purged %lu, lost %lu, "
        "refused %lu, balloon asked %lu, ballooned at the end %lu\n",
        events.minor_faults, events.block_faults, events.splits, events.joins,
        events.moved, events.purged, lost, events.refused, oom_calls, held_frames);
    if (lives >= 1000)
        assert_true(events.block_faults && events.splits && events.joins &&
                    events.moved && events.purged && lost && events.refused &&
                    oom_calls && held_frames);
}

/* The app has ended; the host gets what it asks for, down to the reserve. */
static void let_host_have_all(void)
{
    uint64_t target = below(rig->frames), kept = rig_pmm(rig).reserve_frames;

    device.host.is_slow = false;
    device_answer();
    balloon_rig_target(&device, (uint32_t)target);
    virtio_balloon_memory_freed(device.vb);
    balloon_rig_run(&device, 300 * NS_PER_S); /* longer than any pause */
    balloon_rig_check(&device);
    kept = max_u64(kept, rig_min(rig));
    assert_true(rig->lent == target || (rig->lent < target && rig_free(rig) <= kept));
}

/* What malloc has of its source is what it thinks. */
static void check_heap(void)
{
    struct app_heap_stats stats;
    uint64_t promised = 0;

    app_heap_stats(&heap.heap, &stats);
    for (unsigned i = 0; i < model.count; i++) {
        uint64_t first = model_page(model.regions[i].start);

        for (uint64_t n = model.regions[i].size / FRAME_SIZE; n > 0; n--)
            promised += model.regions[i].flags & APPMEM_DIRTY &&
                        (model.state[first + n - 1] & PAGE_PROMISED);
    }
    assert_int_equal(promised * FRAME_SIZE, stats.reserved_bytes);
}

static void end_life(void)
{
    count_events();
    check_heap();
    model_check_pages(&model);
    rig_check(rig);
    for (unsigned i = 0; i < KERNEL_OBJECTS; i++) {
        heap_free(&rig->heap, kernel_objects[i]);
        kernel_objects[i] = NULL;
    }
    appmem_clear(&rig->mem);
    rig_free_hostages(rig);
    balloon_rig_run(&device, 0);
    balloon_rig_check(&device);
    if (has_slow_host || below(16) == 0)
        let_host_have_all();
    device_detach();
    rig_finish(rig);
}

static void live(unsigned seed)
{
    unsigned weights[ARRAY_LEN(operations)];

    last_seed = seed;
    srand(seed);
    begin_life();
    choose_weights(weights);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        run_one(weights);
        look_around();
    }
    end_life();
}

static void random_lives_agree_with_the_model(void **state)
{
    const char *seed_text = getenv("TEST_SEED"), *ops_text = getenv("TEST_OPS");
    unsigned seed =
        seed_text ? (unsigned)strtoul(seed_text, NULL, 0) : (unsigned)time(NULL);
    unsigned long lives = ops_text ? strtoul(ops_text, NULL, 0) : LIVES;

    (void)state;
    print_message("TEST_SEED=%u TEST_OPS=%lu\n", seed, lives);
    malloc_window();
    device_find();
    for (unsigned long i = 0; i < lives; i++)
        live(seed + (unsigned)i);
    device_lose();
    tell_events(lives);
}

/* Also after a failure. */
static int tell_last(void **state)
{
    (void)state;
    print_message("the last life: TEST_SEED=%u TEST_OPS=1\n", last_seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(random_lives_agree_with_the_model, tell_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
