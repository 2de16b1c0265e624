// SPDX-License-Identifier: BSD-2-Clause
/* mm/vmm*.c: random changes, some without table frames, compared with a plain array of pages. */
#include "tests/host/vmm_rig.h"

/* The random test's world: 16 MiB at WORLD, one entry per page: physical frame + 1 and flags. */
#define WORLD       (UPPER + 512 * GIB - 8 * MIB)
#define WORLD_PAGES 4096

struct page {
    uint32_t frame; /* + 1; 0: not mapped */
    unsigned flags;
};

static void compare_world(const struct rig *rig, const struct page *pages)
{
    for (uint64_t i = 0; i < WORLD_PAGES; i++) {
        uint64_t virt = WORLD + i * FRAME_SIZE;
        struct vmm_leaf leaf;
        bool is_mapped = vmm_lookup(&rig->vmm, virt, &leaf);

        assert_int_equal(is_mapped, pages[i].frame != 0);
        if (!is_mapped)
            continue;
        assert_int_equal(leaf.phys + (virt - leaf.virt),
                         (pages[i].frame - 1) * FRAME_SIZE);
        assert_int_equal(leaf.flags, pages[i].flags);
    }
}

/* Runs that often end at block borders. */
static void random_range(unsigned *seed, uint64_t *first, uint64_t *count)
{
    *first = (uint64_t)rand_r(seed) % WORLD_PAGES;
    if (rand_r(seed) % 2)
        *first = align_down(*first, BLOCK_FRAMES);
    *count = 1 + (uint64_t)rand_r(seed) % (rand_r(seed) % 2 ? 8 : 1500);
    if (rand_r(seed) % 2)
        *count = align_up(*count, BLOCK_FRAMES);
    *count = min_u64(*count, WORLD_PAGES - *first);
}

static int expected_map(const struct page *pages, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++) {
        if (pages[i].frame != 0)
            return -EBUSY;
    }
    return 0;
}

/* One operation on both sides. With a source that may fail, an error means no change. */
static void random_operation(struct rig *rig, struct page *pages, unsigned *seed)
{
    unsigned flags = (unsigned)rand_r(seed) % 16;
    uint64_t first, count,
        frame = (uint64_t)(rand_r(seed) % 2) * (uint64_t)(rand_r(seed) % 5000);
    unsigned op = (unsigned)rand_r(seed) % 2;
    int err, expected = 0;

    random_range(seed, &first, &count);
    if (frame == 0)
        frame = (first + 1024) & ~UINT64_C(511);
    uint64_t virt = WORLD + first * FRAME_SIZE, bytes = count * FRAME_SIZE;

    rig->fail_at = rand_r(seed) % 8 == 0 ? 1 + (uint64_t)rand_r(seed) % 4 : 0;
    if (op == 0) {
        err = vmm_map(&rig->vmm, virt, frame * FRAME_SIZE, bytes, flags);
        expected = expected_map(pages, first, count);
    } else {
        err = vmm_unmap(&rig->vmm, virt, bytes);
    }
    assert_true(err == expected || err == -ENOMEM);
    for (uint64_t i = 0; err == 0 && i < count; i++) {
        if (op == 0)
            pages[first + i].frame = (uint32_t)(frame + i + 1);
        if (op == 1)
            pages[first + i].frame = 0;
        else
            pages[first + i].flags = flags;
    }
}

static void random_changes_equal_an_array(void **state)
{
    const char *given = getenv("TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : 7;
    struct page *pages = calloc(WORLD_PAGES, sizeof(*pages));
    struct rig rig;

    (void)state;
    printf("seed %u (TEST_SEED sets it)\n", seed);
    rig_begin(&rig, VMM_CPU_NX | VMM_CPU_1G);
    for (unsigned i = 0; i < 20000; i++) {
        random_operation(&rig, pages, &seed);
        if (i % 50 == 0)
            compare_world(&rig, pages);
        if (i % 500 != 0)
            continue;
        rig.fail_at = 0;
        assert_int_equal(vmm_unmap(&rig.vmm, WORLD, WORLD_PAGES * FRAME_SIZE), 0);
        assert_int_equal(rig.taken, 1); /* no table outlives its last leaf */
        memset(pages, 0, WORLD_PAGES * sizeof(*pages));
    }
    rig.fail_at = 0;
    rig_end(&rig);
    free(pages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_equal_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
