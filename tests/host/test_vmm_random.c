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

struct seen {
    const struct page *pages;
    uint64_t next; /* the page that the next leaf begins at, or one above */
};

static void see_leaf(void *ctx, const struct vmm_leaf *leaf)
{
    struct seen *seen = ctx;
    uint64_t page = (leaf->virt - WORLD) / FRAME_SIZE;

    for (; seen->next < page; seen->next++)
        assert_int_equal(seen->pages[seen->next].frame, 0);
    assert_int_equal((seen->pages[page].frame - 1) * FRAME_SIZE, leaf->phys);
    seen->next += leaf->size_bytes / FRAME_SIZE;
}

/* Each page that is mapped lies in one leaf of a walk. */
static void compare_walk(const struct rig *rig, const struct page *pages)
{
    struct seen seen = {pages, 0};

    vmm_walk_range(&rig->vmm, WORLD, WORLD_PAGES * FRAME_SIZE, see_leaf, &seen);
    for (; seen.next < WORLD_PAGES; seen.next++)
        assert_int_equal(pages[seen.next].frame, 0);
}

static void compare_world(const struct rig *rig, const struct page *pages)
{
    compare_walk(rig, pages);
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

static bool is_unmapped(const struct page *pages, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++) {
        if (pages[i].frame != 0)
            return false;
    }
    return true;
}

/* As vmm_join() asks for: whether leaves are small, only the tables know. */
static bool is_joinable(const struct rig *rig, const struct page *pages, uint64_t first)
{
    struct vmm_leaf leaf;

    if (first % BLOCK_FRAMES != 0 || pages[first].frame % BLOCK_FRAMES != 1 ||
        !vmm_lookup(&rig->vmm, WORLD + first * FRAME_SIZE, &leaf) ||
        leaf.size_bytes != FRAME_SIZE)
        return false;
    for (uint64_t i = 0; i < BLOCK_FRAMES; i++) {
        if (pages[first + i].frame != pages[first].frame + i ||
            pages[first + i].flags != pages[first].flags)
            return false;
    }
    return true;
}

static int random_map(struct rig *rig, struct page *pages, unsigned *seed)
{
    unsigned flags = (unsigned)rand_r(seed) % 16;
    uint64_t first, count;
    uint64_t frame = (uint64_t)(rand_r(seed) % 2) * (uint64_t)(rand_r(seed) % 5000);

    random_range(seed, &first, &count);
    if (frame == 0)
        frame = (first + 1024) & ~UINT64_C(511);
    bool is_free = is_unmapped(pages, first, count);
    uint64_t virt = WORLD + first * FRAME_SIZE, bytes = count * FRAME_SIZE;

    assert_int_equal(vmm_is_empty(&rig->vmm, virt, bytes), is_free);
    int err = vmm_map(&rig->vmm, virt, frame * FRAME_SIZE, bytes, flags);
    if (err == -ENOMEM)
        return err;
    assert_int_equal(err, is_free ? 0 : -EBUSY);
    for (uint64_t i = 0; err == 0 && i < count; i++)
        pages[first + i] = (struct page){(uint32_t)(frame + i + 1), flags};
    return err;
}

static int random_unmap(struct rig *rig, struct page *pages, unsigned *seed)
{
    uint64_t first, count;

    random_range(seed, &first, &count);
    int err = vmm_unmap(&rig->vmm, WORLD + first * FRAME_SIZE, count * FRAME_SIZE);
    assert_true(err == 0 || err == -ENOMEM);
    for (uint64_t i = 0; err == 0 && i < count; i++)
        pages[first + i].frame = 0;
    return err;
}

/* A border, then a page that moves there and back, or stays where it went. */
static int random_remap(struct rig *rig, struct page *pages, unsigned *seed)
{
    uint64_t page = (uint64_t)rand_r(seed) % WORLD_PAGES;
    uint64_t virt = WORLD + page * FRAME_SIZE;
    uint32_t frame = (uint32_t)rand_r(seed) % 5000;
    struct vmm_leaf leaf;

    int err = vmm_split(&rig->vmm, virt);
    assert_true(err == 0 || err == -ENOMEM);
    if (err)
        return err;
    bool is_there = vmm_lookup(&rig->vmm, virt, &leaf);

    assert_true(!is_there || leaf.virt == virt);
    err = vmm_remap(&rig->vmm, virt, frame * FRAME_SIZE);
    assert_int_equal(err, is_there && leaf.size_bytes == FRAME_SIZE ? 0 : -EINVAL);
    if (err)
        return err;
    if (rand_r(seed) % 4)
        assert_int_equal(vmm_remap(&rig->vmm, virt, leaf.phys), 0);
    else
        pages[page].frame = frame + 1;
    return 0;
}

/* Often of what was one leaf before. */
static int random_join(struct rig *rig, struct page *pages, unsigned *seed)
{
    uint64_t page = (uint64_t)rand_r(seed) % WORLD_PAGES;

    if (rand_r(seed) % 8 != 0)
        page = align_down(page, BLOCK_FRAMES);
    if (rand_r(seed) % 2 && vmm_split(&rig->vmm, WORLD + (page | 1) * FRAME_SIZE) != 0)
        return -ENOMEM;
    uint64_t taken = rig->taken;
    bool is_possible = is_joinable(rig, pages, page);
    int err = vmm_join(&rig->vmm, WORLD + page * FRAME_SIZE);

    assert_int_equal(err, is_possible ? 0 : -EINVAL);
    assert_int_equal(rig->taken, taken - is_possible);
    return err;
}

typedef int random_fn(struct rig *rig, struct page *pages, unsigned *seed);

enum kind { MAP, UNMAP, REMAP, JOIN, KINDS };

static random_fn *const operations[KINDS] = {random_map, random_unmap, random_remap,
                                             random_join};

/* One operation on both sides. With a source that may fail, an error means no change. */
static int random_operation(struct rig *rig, struct page *pages, enum kind kind,
                            unsigned *seed)
{
    rig->fail_at = rand_r(seed) % 8 == 0 ? 1 + (uint64_t)rand_r(seed) % 4 : 0;
    return operations[kind](rig, pages, seed);
}

static void random_changes_equal_an_array(void **state)
{
    const char *given = getenv("TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : 7;
    struct page *pages = calloc(WORLD_PAGES, sizeof(*pages));
    unsigned successes[KINDS] = {0};
    struct rig rig;

    (void)state;
    printf("seed %u (TEST_SEED sets it)\n", seed);
    rig_begin(&rig, VMM_CPU_NX | VMM_CPU_1G);
    for (unsigned i = 0; i < 40000; i++) {
        enum kind kind = (enum kind)(rand_r(&seed) % KINDS);

        successes[kind] += random_operation(&rig, pages, kind, &seed) == 0;
        if (i % 50 == 0)
            compare_world(&rig, pages);
        if (i % 500 != 0)
            continue;
        rig.fail_at = 0;
        assert_int_equal(vmm_unmap(&rig.vmm, WORLD, WORLD_PAGES * FRAME_SIZE), 0);
        assert_int_equal(rig.taken, 1); /* no table outlives its last leaf */
        memset(pages, 0, WORLD_PAGES * sizeof(*pages));
    }
    for (unsigned i = 0; i < KINDS; i++)
        assert_true(successes[i] > 100);
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
