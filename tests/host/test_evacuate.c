// SPDX-License-Identifier: BSD-2-Clause
/*
 * Blocks regained from a scattered balloon: the frame allocator, an app, the driver and its host, in whose
 * balloon no frame is missing while its frames move.
 */
#include "mm/evacuate.h"
#include "tests/host/appmem_balloon.h"

#include <time.h>

#define RAM     (64 * MIB)
#define RESERVE (2 * MIB)
#define BALLOON 4000u /* frames */
#define STEP_NS (100 * NS_PER_US)
#define MANY    UINT64_MAX

static unsigned wakes;

static void seed(void)
{
    const char *text = getenv("TEST_SEED");
    unsigned value = text ? (unsigned)strtoul(text, NULL, 0) : (unsigned)time(NULL);

    print_message("TEST_SEED=%u\n", value);
    srand(value);
}

static void wake(void *ctx)
{
    (void)ctx;
    wakes++;
}

static void inflate_to(uint32_t pages)
{
    balloon_rig_target(&device, pages);
    balloon_rig_settle(&device);
    assert_int_equal(device.host.actual, pages);
}

struct pages {
    uint64_t start, size;
};

/* The app fills memory and releases half of it at random; the balloon takes of the gaps. */
static struct rig *scattered(struct pages *pages)
{
    struct rig *rig = rig_begin(RAM, RESERVE);

    device_attach(rig, false);
    rig->mem.config.evacuate = wake;
    wakes = 0;
    pages->size = appmem_available(&rig->mem) / 100 * 95 * FRAME_SIZE;
    pages->start = rig_map(rig, pages->size, APPMEM_FRAMES);
    rig_fill(rig, pages->start, pages->size);
    for (uint64_t at = pages->start; at < pages->start + pages->size; at += FRAME_SIZE)
        if (rand() % 2)
            assert_int_equal(appmem_release(&rig->mem, at, FRAME_SIZE), 0);
    inflate_to(BALLOON);
    return rig;
}

static void release_all(struct rig *rig, struct pages pages, unsigned share)
{
    for (uint64_t at = pages.start; at < pages.start + pages.size; at += FRAME_SIZE)
        if ((unsigned)rand() % 100 < share)
            assert_int_equal(appmem_release(&rig->mem, at, FRAME_SIZE), 0);
    rig_check(rig);
}

/* What the balloon's task does, as kernel/balloon.c. False: nothing is left to do. */
static bool task(struct rig *rig)
{
    pfn_t block;
    int next = evacuate_next(&rig->mem, STEP_NS, &block);

    if (next > 0) {
        assert_int_equal(virtio_balloon_empty(device.vb, block), 0);
        balloon_rig_settle(&device);
        assert_false(balloon_rig_status(&device).is_emptying);
    }
    return next != 0;
}

static void work(struct rig *rig)
{
    while (task(rig))
        ;
    assert_int_equal(rig->mem.evacuation.wanted, 0);
    assert_false(rig->mem.compact.is_open);
}

static void expect_intact(struct rig *rig, struct pages pages)
{
    for (uint64_t at = pages.start; at < pages.start + pages.size; at += FRAME_SIZE)
        if (rig_is_there(rig, at))
            assert_int_equal(rig_read(rig, at + 8), at ^ 0x5EED);
    rig_check(rig);
    balloon_rig_check(&device);
}

static void finish(struct rig *rig)
{
    device_detach();
    rig_finish(rig);
}

/* Whole blocks that free memory could make at the best. */
static uint64_t best(const struct rig *rig)
{
    return rig_free(rig) / BLOCK_FRAMES;
}

static void blocks_come_back_when_the_app_has_gone(void **state)
{
    struct pages pages;

    (void)state;
    seed();
    struct rig *rig = scattered(&pages);
    release_all(rig, pages, 100);
    while (compact_step(&rig->mem, NS_PER_S))
        ;
    uint64_t before = rig_free_blocks(rig), free = rig_free(rig);
    unsigned writes = device.host.actual_writes;

    evacuate_want(&rig->mem, MANY);
    assert_int_equal(wakes, 1);
    work(rig);
    print_message("%u whole blocks before, %u after, %u at the best; %u frames moved\n",
                  (unsigned)before, (unsigned)rig_free_blocks(rig), (unsigned)best(rig),
                  (unsigned)balloon_rig_status(&device).core.moved);
    assert_true(before + 5 <= best(rig));
    assert_true(rig_free_blocks(rig) + 2 >= best(rig));
    /* But for maps of the page set and of blocks in pieces. */
    assert_true(rig_free(rig) + 40 >= free && rig_free(rig) <= free + 40);
    assert_int_equal(device.host.actual, BALLOON);
    assert_int_equal(device.host.actual_writes, writes);
    assert_int_equal(rig->mem.evacuation.blocks_before, before);
    assert_int_equal(rig->mem.evacuation.blocks_after, rig_free_blocks(rig));
    expect_intact(rig, pages);
    finish(rig);
}

static void under_an_app_that_keeps_its_data(void **state)
{
    struct pages pages;

    (void)state;
    seed();
    struct rig *rig = scattered(&pages);
    release_all(rig, pages, 50);
    uint64_t before = rig_free_blocks(rig);

    evacuate_want(&rig->mem, MANY);
    work(rig);
    print_message("%u whole blocks before, %u after, %u at the best\n", (unsigned)before,
                  (unsigned)rig_free_blocks(rig), (unsigned)best(rig));
    assert_true(rig_free_blocks(rig) + 3 >= best(rig));
    assert_true(rig->mem.stats.moved > 0);
    expect_intact(rig, pages);
    finish(rig);
}

/* What an app was refused it gets when it asks again. */
static void a_refused_request_is_served_the_next_time(void **state)
{
    struct pages pages;
    uint64_t start;

    (void)state;
    seed();
    struct rig *rig = scattered(&pages);
    release_all(rig, pages, 100);
    uint64_t size = (best(rig) - 2) * BLOCK_SIZE;

    assert_int_equal(appmem_map(&rig->mem, size, APPMEM_BLOCKS, &start), -ENOMEM);
    assert_true(wakes > 0);
    assert_int_equal(rig->mem.evacuation.wanted, size / BLOCK_SIZE);
    work(rig);
    assert_true(rig_free_blocks(rig) >= size / BLOCK_SIZE);
    assert_true(rig_free_blocks(rig) <=
                size / BLOCK_SIZE + 1); /* no more than was asked */
    assert_int_equal(appmem_map(&rig->mem, size, APPMEM_BLOCKS, &start), 0);
    expect_intact(rig, pages);
    finish(rig);
}

static void nothing_is_asked_for_nothing(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    pfn_t block;

    (void)state;
    device_attach(rig, false);
    assert_int_equal(evacuate_next(&rig->mem, STEP_NS, &block), 0);
    evacuate_want(&rig->mem, MANY); /* nobody listens */
    assert_int_equal(rig->mem.evacuation.wanted, 0);
    rig->mem.config.evacuate = wake;
    inflate_to(2 * BLOCK_FRAMES); /* whole ones: there is nothing to gain */
    evacuate_want(&rig->mem, MANY);
    assert_int_equal(evacuate_next(&rig->mem, STEP_NS, &block), 0);
    assert_int_equal(rig->mem.evacuation.wanted, 0);
    evacuate_want(&rig->mem, 1); /* there are some */
    assert_int_equal(evacuate_next(&rig->mem, STEP_NS, &block), 0);
    finish(rig);
}

/* The app compacts, takes, gives, ends; the balloon changes; the balloon is detached. */
static void meanwhile(struct rig *rig, struct pages pages)
{
    uint64_t at = pages.start + (uint64_t)rand() % (pages.size / FRAME_SIZE) * FRAME_SIZE;
    uint64_t start;

    switch (rand() % 8) {
    case 0:
        while (compact_step(&rig->mem, NS_PER_S))
            ;
        break;
    case 1:
        compact_step(&rig->mem, 0);
        compact_stop(&rig->mem);
        break;
    case 2:
        if (appmem_map(&rig->mem, 2 * MIB, APPMEM_BLOCKS, &start) == 0)
            assert_int_equal(appmem_unmap(&rig->mem, start, 2 * MIB), 0);
        break;
    case 3:
        balloon_rig_target(&device, BALLOON - 500 + (unsigned)rand() % 1000);
        balloon_rig_settle(&device);
        break;
    case 4:
        evacuate_stop(&rig->mem);
        break;
    default:
        assert_int_equal(appmem_release(&rig->mem, at, FRAME_SIZE), 0);
        rig_try_write(rig, at + 8, at ^ 0x5EED);
        break;
    }
}

static void others_may_do_what_they_like_meanwhile(void **state)
{
    struct pages pages;

    (void)state;
    seed();
    for (unsigned i = 0; i < 6; i++) {
        struct rig *rig = scattered(&pages);

        release_all(rig, pages, 40);
        for (unsigned n = 0; n < 150; n++) {
            if (rand() % 3 == 0)
                evacuate_want(&rig->mem, 1 + (unsigned)rand() % 30);
            task(rig);
            if (rand() % 2)
                meanwhile(rig, pages);
            if (n % 10 == 0)
                expect_intact(rig, pages);
        }
        evacuate_stop(&rig->mem);
        assert_false(rig->mem.compact.is_open);
        expect_intact(rig, pages);
        finish(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_come_back_when_the_app_has_gone),
        cmocka_unit_test(under_an_app_that_keeps_its_data),
        cmocka_unit_test(a_refused_request_is_served_the_next_time),
        cmocka_unit_test(nothing_is_asked_for_nothing),
        cmocka_unit_test(others_may_do_what_they_like_meanwhile),
    };

    device_find();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_lose();
    return failed;
}
