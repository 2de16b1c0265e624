// SPDX-License-Identifier: BSD-2-Clause
/*
 * Whatever an operation needs runs out at the n-th step of it: frames, tables, the kernel heap. It fails
 * with -ENOMEM or works; nothing gets lost, all figures hold, and when memory is back it works.
 */
#include "tests/host/appmem_rig.h"

#define RAM     (16 * MIB)
#define RESERVE (1 * MIB)

/* What the operations work on: the lower half of each of these. */
struct scene {
    uint64_t whole;  /* 2 MiB, a block mapping */
    uint64_t pages;  /* 1 MiB of frames */
    uint64_t fresh;  /* 2 MiB of which nothing was touched */
    uint64_t sparse; /* 8 MiB, nothing promised */
    uint64_t cache;  /* 256 KiB, volatile */
    uint64_t lost;   /* the same, dropped */
};

typedef int operation(struct rig *rig, const struct scene *scene);

static int map_a_region(struct rig *rig, const struct scene *scene)
{
    uint64_t start;

    (void)scene;
    return appmem_map(&rig->mem, 100 * FRAME_SIZE, 0, &start);
}

static int map_blocks(struct rig *rig, const struct scene *scene)
{
    uint64_t start;

    (void)scene;
    return appmem_map(&rig->mem, 4 * MIB, APPMEM_BLOCKS, &start);
}

static int map_at(struct rig *rig, const struct scene *scene)
{
    (void)scene;
    return appmem_map_at(&rig->mem, RIG_WINDOW - 1 * GIB + 509 * FRAME_SIZE,
                         6 * FRAME_SIZE);
}

static int unmap_part_of_a_block(struct rig *rig, const struct scene *scene)
{
    return appmem_unmap(&rig->mem, scene->whole + 3 * FRAME_SIZE, 9 * FRAME_SIZE);
}

static int unmap_pages(struct rig *rig, const struct scene *scene)
{
    return appmem_unmap(&rig->mem, scene->pages + 3 * FRAME_SIZE, 9 * FRAME_SIZE);
}

static int release_part_of_a_block(struct rig *rig, const struct scene *scene)
{
    return appmem_release(&rig->mem, scene->whole + 3 * FRAME_SIZE, FRAME_SIZE);
}

static int cut_a_block(struct rig *rig, const struct scene *scene)
{
    return appmem_cut(&rig->mem, scene->whole + 7 * FRAME_SIZE, FRAME_SIZE);
}

static int reserve(struct rig *rig, const struct scene *scene)
{
    return appmem_reserve(&rig->mem, scene->sparse, 2 * MIB);
}

static int touch_a_promise(struct rig *rig, const struct scene *scene)
{
    return appmem_fault(&rig->mem, scene->fresh + 5 * FRAME_SIZE);
}

static int touch_without_a_promise(struct rig *rig, const struct scene *scene)
{
    return appmem_fault(&rig->mem, scene->sparse + 3 * MIB);
}

static int need_what_was_lost(struct rig *rig, const struct scene *scene)
{
    int result = appmem_set_needed(&rig->mem, scene->lost);

    return result > 0 ? 0 : result;
}

static int need_what_may_be_there(struct rig *rig, const struct scene *scene)
{
    int result = appmem_set_needed(&rig->mem, scene->cache);

    return result > 0 ? 0 : result;
}

static int copy_to_a_new_page(struct rig *rig, const struct scene *scene)
{
    return appmem_copy_out(&rig->mem, scene->fresh + 1 * MIB - 4, "across", 7);
}

static int compact_and_join(struct rig *rig, const struct scene *scene)
{
    (void)scene;
    while (compact_step(&rig->mem, NS_PER_S))
        ;
    while (appmem_join_step(&rig->mem))
        ;
    return 0;
}

static const struct {
    operation *run;
    const char *name;
} operations[] = {
    {map_a_region, "map a region"},
    {map_blocks, "map blocks"},
    {map_at, "map at an address"},
    {unmap_part_of_a_block, "unmap part of a block"},
    {unmap_pages, "unmap pages"},
    {release_part_of_a_block, "release part of a block"},
    {cut_a_block, "cut a block"},
    {reserve, "reserve"},
    {touch_a_promise, "touch a promise"},
    {touch_without_a_promise, "touch without a promise"},
    {need_what_was_lost, "need what was lost"},
    {need_what_may_be_there, "need what may be there"},
    {copy_to_a_new_page, "copy to a new page"},
    {compact_and_join, "compact and join"},
};

static struct rig *begin(struct scene *scene)
{
    struct rig *rig = rig_begin(RAM, RESERVE);

    scene->whole = rig_map(rig, 2 * MIB, 0);
    rig_fill(rig, scene->whole, 2 * MIB);
    scene->pages = rig_map(rig, 1 * MIB, APPMEM_FRAMES);
    rig_fill(rig, scene->pages, 1 * MIB);
    scene->fresh = rig_map(rig, 2 * MIB, 0);
    scene->sparse = rig_map(rig, 8 * MIB, APPMEM_SPARSE);
    scene->lost = rig_map(rig, 256 * KIB, APPMEM_PURGEABLE);
    rig_fill(rig, scene->lost, 256 * KIB);
    assert_int_equal(appmem_set_volatile(&rig->mem, scene->lost), 0);
    assert_int_equal(appmem_purge_oldest(&rig->mem), 64);
    scene->cache = rig_map(rig, 256 * KIB, APPMEM_PURGEABLE);
    rig_fill(rig, scene->cache, 256 * KIB);
    assert_int_equal(appmem_set_volatile(&rig->mem, scene->cache), 0);
    rig->mem.stats.refused = rig->mem.stats.purged = 0;
    return rig;
}

/* What no operation works on. */
static void expect_intact(struct rig *rig, const struct scene *scene)
{
    rig_expect_filled(rig, scene->whole + 1 * MIB, 1 * MIB);
    rig_expect_filled(rig, scene->pages + 512 * KIB, 512 * KIB);
    rig_check(rig);
}

/* It failed: all is as before, but for what was dropped to make room. */
static void expect_unchanged(struct rig *rig, const struct scene *scene,
                             const struct appmem *before)
{
    assert_int_equal(rig->mem.stats.resident + rig->mem.stats.purged,
                     before->stats.resident);
    assert_int_equal(rig->mem.stats.promised, before->stats.promised);
    assert_int_equal(rig->mem.regions.count, before->regions.count);
    rig_expect_filled(rig, scene->whole, 1 * MIB);
    rig_expect_filled(rig, scene->pages, 512 * KIB);
}

/* Run while something is short; make it good; run again. Whether it failed. */
static bool try(operation *run, struct rig *rig, const struct scene *scene)
{
    struct appmem before = rig->mem;
    int err = run(rig, scene);

    expect_intact(rig, scene);
    if (err) {
        assert_int_equal(err, -ENOMEM);
        /* A copy may have brought in the first of its pages. */
        if (run != copy_to_a_new_page)
            expect_unchanged(rig, scene, &before);
    }
    rig_free_hostages(rig);
    rig->table_fail_at = 0;
    rig_refill(rig);
    if (err)
        assert_int_equal(run(rig, scene), 0);
    expect_intact(rig, scene);
    return err != 0;
}

static void frames_run_out(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(operations); i++) {
        unsigned failures = 0, runs = 0;

        for (uint64_t left = 0; left < 3800; left += left < 16 ? 1 : 29) {
            struct scene scene;
            struct rig *rig = begin(&scene);

            if (runs++ % 2) { /* nothing kept, and nothing to drop */
                appmem_purge_oldest(&rig->mem);
                rig->mem.stats.purged = 0;
                rig_keep(rig, 0);
            }
            rig_leave(rig, left / 2);
            failures += try(operations[i].run, rig, &scene);
            rig_finish(rig);
        }
        print_message("%-24s failed %u times of %u\n", operations[i].name, failures,
                      runs);
        assert_true(failures < runs);
    }
}

static void a_table_cannot_be_had(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(operations); i++) {
        for (unsigned n = 1; n < 6; n++) {
            struct scene scene;
            struct rig *rig = begin(&scene);

            rig->table_fail_at = n;
            try(operations[i].run, rig, &scene);
            rig_finish(rig);
        }
    }
}

/* Not one more object of the size of a region, and no frame for another page of them. */
static void the_kernel_heap_is_used_up(void **state)
{
    void **objects = calloc(4096, sizeof(void *));

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(operations); i++) {
        for (uint64_t left = 0; left < 1000; left += 250) {
            struct scene scene;
            struct rig *rig = begin(&scene);
            unsigned count = 0;

            rig_leave(rig, 0);
            while (
                (objects[count] = heap_alloc(&rig->heap, sizeof(struct appmem_region))))
                count++;
            rig_give(rig, &rig->hostages, left, RUN_TOUCHED);
            bool has_failed = try(operations[i].run, rig, &scene);

            if (operations[i].run ==
                unmap_pages) /* the part behind the hole is a region */
                assert_int_equal(has_failed, left == 0);
            while (count > 0)
                heap_free(&rig->heap, objects[--count]);
            rig_finish(rig);
        }
    }
    free(objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_run_out),
        cmocka_unit_test(a_table_cannot_be_had),
        cmocka_unit_test(the_kernel_heap_is_used_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
