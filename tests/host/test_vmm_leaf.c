// SPDX-License-Identifier: BSD-2-Clause
/* mm/vmm*.c, leaf by leaf: borders on request, joins, other memory below a leaf; and walks over them. */
#include "tests/host/vmm_rig.h"

#include "mm/vmm_entry.h"
#include "tests/model/seams.h"

static void splits_make_borders(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX | VMM_CPU_1G);
    assert_int_equal(vmm_map(&rig.vmm, GIB, 4 * GIB, GIB, VMM_WRITE), 0);
    uint64_t before = rig.taken;

    assert_int_equal(vmm_split(&rig.vmm, GIB), 0);            /* is one */
    assert_int_equal(vmm_split(&rig.vmm, 5 * GIB + 4096), 0); /* nothing there */
    assert_int_equal(rig.taken, before);
    assert_int_equal(vmm_split(&rig.vmm, GIB + BLOCK_SIZE), 0);
    assert_int_equal(rig.taken, before + 1);
    expect_leaf(&rig, GIB, (struct vmm_leaf){GIB, 4 * GIB, BLOCK_SIZE, VMM_WRITE});
    assert_int_equal(vmm_split(&rig.vmm, GIB + 4096), 0);
    assert_int_equal(rig.taken, before + 2);
    expect_leaf(&rig, GIB + 4096,
                (struct vmm_leaf){GIB + 4096, 4 * GIB + 4096, 4096, VMM_WRITE});
    expect_leaf(
        &rig, GIB + BLOCK_SIZE,
        (struct vmm_leaf){GIB + BLOCK_SIZE, 4 * GIB + BLOCK_SIZE, BLOCK_SIZE, VMM_WRITE});

    assert_int_equal(vmm_split(&rig.vmm, GIB + 1), -EINVAL);
    assert_int_equal(vmm_split(&rig.vmm, BIT64(47)), -EINVAL);
    rig.fail_at = 1;
    assert_int_equal(vmm_split(&rig.vmm, GIB + BLOCK_SIZE + 4096), -ENOMEM);
    expect_leaf(
        &rig, GIB + BLOCK_SIZE,
        (struct vmm_leaf){GIB + BLOCK_SIZE, 4 * GIB + BLOCK_SIZE, BLOCK_SIZE, VMM_WRITE});
    rig_end(&rig);
}

/* The entry of a 4 KiB leaf, where the CPU writes its bits. */
static uint64_t *leaf_entry(const struct rig *rig, uint64_t virt)
{
    uint64_t *table = mmu_phys_to_virt(rig->vmm.root);

    for (unsigned level = VMM_ROOT_LEVEL; level > 0; level--)
        table = entry_table(table[level_index(virt, level)]);
    return &table[level_index(virt, 0)];
}

static void joins_undo_splits(void **state)
{
    struct rig rig;
    unsigned flags = VMM_EXEC | VMM_GLOBAL;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX);
    assert_int_equal(vmm_map(&rig.vmm, GIB, 4 * GIB, 2 * BLOCK_SIZE, flags), 0);
    uint64_t before = rig.taken, flushes = model_full_flushes();

    assert_int_equal(vmm_split(&rig.vmm, GIB + 4096), 0);
    assert_int_equal(rig.taken, before + 1);
    assert_int_equal(vmm_join(&rig.vmm, GIB), 0);
    assert_int_equal(rig.taken, before);
    assert_int_equal(model_full_flushes(), flushes + 1);
    expect_leaf(&rig, GIB + 8192, (struct vmm_leaf){GIB, 4 * GIB, BLOCK_SIZE, flags});
    assert_int_equal(vmm_join(&rig.vmm, GIB), -EINVAL); /* is one leaf */
    assert_int_equal(model_full_flushes(), flushes + 1);
    rig_end(&rig);
}

static void joins_keep_what_the_cpu_noted(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX);
    assert_int_equal(vmm_map(&rig.vmm, 0, 0, BLOCK_SIZE, 0), 0);
    assert_int_equal(vmm_split(&rig.vmm, 4096), 0);
    for (uint64_t i = 0; i < BLOCK_FRAMES; i++)
        *leaf_entry(&rig, i * FRAME_SIZE) &= ~ENTRY_ACCESSED;
    *leaf_entry(&rig, 511 * FRAME_SIZE) |= ENTRY_DIRTY;
    *leaf_entry(&rig, 7 * FRAME_SIZE) |= ENTRY_ACCESSED;
    assert_int_equal(vmm_join(&rig.vmm, 0), 0);
    assert_int_equal(vmm_split(&rig.vmm, 4096), 0);
    for (uint64_t i = 0; i < BLOCK_FRAMES; i++) {
        uint64_t bits = *leaf_entry(&rig, i * FRAME_SIZE);

        assert_int_equal(bits & ENTRY_ACCESSED, ENTRY_ACCESSED);
        assert_int_equal(bits & ENTRY_DIRTY, ENTRY_DIRTY);
    }
    rig_end(&rig);
}

static void only_a_block_in_order_is_joined(void **state)
{
    static const struct {
        uint64_t page, phys; /* page 0 to 511 of the piece; where it is then */
        unsigned flags;
    } odd[] = {
        {511, 9 * GIB, VMM_WRITE},
        {0, 9 * GIB, VMM_WRITE},
        {17, 4 * GIB + 17 * FRAME_SIZE, 0},
        {0, 4 * GIB, VMM_WRITE | VMM_UNCACHED},
        {511, 4 * GIB + 511 * FRAME_SIZE, VMM_WRITE | VMM_EXEC},
    };
    struct rig rig;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX);
    assert_int_equal(vmm_join(&rig.vmm, GIB), -EINVAL); /* no tables */
    assert_int_equal(vmm_map(&rig.vmm, GIB, 4 * GIB, BLOCK_SIZE, VMM_WRITE), 0);
    assert_int_equal(vmm_join(&rig.vmm, GIB + BLOCK_SIZE), -EINVAL); /* nothing there */
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        uint64_t virt = GIB + odd[i].page * FRAME_SIZE;
        uint64_t phys = 4 * GIB + odd[i].page * FRAME_SIZE;

        assert_int_equal(vmm_unmap(&rig.vmm, virt, 4096), 0);
        uint64_t before = rig.taken;
        assert_int_equal(vmm_join(&rig.vmm, GIB), -EINVAL); /* a hole */
        assert_int_equal(vmm_map(&rig.vmm, virt, odd[i].phys, 4096, odd[i].flags), 0);
        assert_int_equal(vmm_join(&rig.vmm, GIB), -EINVAL);
        expect_leaf(&rig, virt, (struct vmm_leaf){virt, odd[i].phys, 4096, odd[i].flags});
        assert_int_equal(rig.taken, before);
        vmm_unmap(&rig.vmm, virt, 4096);
        assert_int_equal(vmm_map(&rig.vmm, virt, phys, 4096, VMM_WRITE), 0);
    }
    assert_int_equal(vmm_join(&rig.vmm, GIB + 4096), -EINVAL);
    assert_int_equal(vmm_join(&rig.vmm, BIT64(47)), -EINVAL);
    assert_int_equal(vmm_join(&rig.vmm, GIB), 0);
    /* In order, but the memory is no block. */
    assert_int_equal(vmm_map(&rig.vmm, 2 * GIB, 4 * GIB + 4096, BLOCK_SIZE, 0), 0);
    assert_int_equal(vmm_join(&rig.vmm, 2 * GIB), -EINVAL);
    rig_end(&rig);
}

static void a_leaf_is_pointed_elsewhere(void **state)
{
    struct rig rig;
    unsigned flags = VMM_WRITE | VMM_EXEC | VMM_GLOBAL;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX);
    assert_int_equal(vmm_map(&rig.vmm, GIB, GIB, 2 * 4096, flags), 0);
    assert_int_equal(vmm_map(&rig.vmm, 2 * GIB, GIB, BLOCK_SIZE, 0), 0);
    uint64_t flushes = model_page_flushes(), bits = *leaf_entry(&rig, GIB);

    assert_int_equal(vmm_remap(&rig.vmm, GIB, BIT64(52) - 4096), 0);
    assert_int_equal(model_page_flushes(), flushes + 1);
    assert_int_equal(*leaf_entry(&rig, GIB), bits - GIB + BIT64(52) - 4096);
    expect_leaf(&rig, GIB, (struct vmm_leaf){GIB, BIT64(52) - 4096, 4096, flags});
    expect_leaf(&rig, GIB + 4096, (struct vmm_leaf){GIB + 4096, GIB + 4096, 4096, flags});

    assert_int_equal(vmm_remap(&rig.vmm, GIB + 1, 0), -EINVAL);
    assert_int_equal(vmm_remap(&rig.vmm, GIB, 1), -EINVAL);
    assert_int_equal(vmm_remap(&rig.vmm, GIB, BIT64(52)), -EINVAL);
    assert_int_equal(vmm_remap(&rig.vmm, BIT64(47), 0), -EINVAL);
    assert_int_equal(vmm_remap(&rig.vmm, GIB + 8192, 0), -EINVAL); /* nothing there */
    assert_int_equal(vmm_remap(&rig.vmm, 3 * GIB, 0), -EINVAL);    /* nor a table */
    assert_int_equal(vmm_remap(&rig.vmm, 2 * GIB, 0), -EINVAL);    /* a larger leaf */
    assert_int_equal(model_page_flushes(), flushes + 1);
    rig_end(&rig);
}

struct sum {
    uint64_t leaves, bytes, last;
    unsigned write_and_exec;
};

static void add_leaf(void *ctx, const struct vmm_leaf *leaf)
{
    struct sum *sum = ctx;

    assert_true(sum->leaves == 0 || leaf->virt > sum->last); /* ascending */
    sum->last = leaf->virt;
    sum->leaves++;
    sum->bytes += leaf->size_bytes;
    sum->write_and_exec += (leaf->flags & VMM_WRITE) && (leaf->flags & VMM_EXEC);
}

static void walks_see_every_leaf(void **state)
{
    struct rig rig;
    struct sum sum = {0};

    (void)state;
    rig_begin(&rig, VMM_CPU_NX | VMM_CPU_1G);
    vmm_walk(&rig.vmm, add_leaf, &sum);
    assert_int_equal(sum.leaves, 0);
    vmm_map(&rig.vmm, 4096, 0, 3 * 4096, VMM_EXEC);
    vmm_map(&rig.vmm, UPPER, 0, 2 * GIB + BLOCK_SIZE, VMM_WRITE);
    vmm_map(&rig.vmm, UINT64_MAX - 4095, 0, 4096, VMM_WRITE | VMM_EXEC);
    vmm_walk(&rig.vmm, add_leaf, &sum);
    assert_int_equal(sum.leaves, 3 + 3 + 1);
    assert_int_equal(sum.bytes, 4 * 4096 + 2 * GIB + BLOCK_SIZE);
    assert_int_equal(sum.write_and_exec, 1);
    assert_int_equal(sum.last, UINT64_MAX - 4095);
    rig_end(&rig);
}

static struct sum sum_of(const struct rig *rig, uint64_t virt, uint64_t size_bytes)
{
    struct sum sum = {0};

    vmm_walk_range(&rig->vmm, virt, size_bytes, add_leaf, &sum);
    return sum;
}

static void range_walks_see_what_begins_there(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX);
    vmm_map(&rig.vmm, GIB - 4096, GIB - 4096, BLOCK_SIZE + 8192, VMM_WRITE);
    assert_int_equal(sum_of(&rig, 0, BIT64(47)).leaves, 3);
    assert_int_equal(sum_of(&rig, -BIT64(47), BIT64(47)).leaves, 0);
    assert_int_equal(sum_of(&rig, GIB - 4096, 4096).bytes, 4096);
    assert_int_equal(sum_of(&rig, GIB - 4096, 8192).leaves, 2); /* ends past the range */
    assert_int_equal(sum_of(&rig, GIB + 4096, BLOCK_SIZE).leaves, 1); /* begins before */
    assert_int_equal(sum_of(&rig, GIB + 4096, 4096).leaves, 0);
    assert_int_equal(sum_of(&rig, GIB + BLOCK_SIZE + 4096, GIB).leaves, 0);
    EXPECT_ASSERT(sum_of(&rig, GIB + 1, 4096));
    EXPECT_ASSERT(sum_of(&rig, GIB, 0));
    rig_end(&rig);
}

static void move_up(void *ctx, const struct vmm_leaf *leaf)
{
    assert_int_equal(vmm_remap(ctx, leaf->virt, leaf->phys + GIB), 0);
}

static void a_walk_may_move_the_leaves(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX);
    vmm_map(&rig.vmm, GIB, GIB + 4096, BLOCK_SIZE, VMM_WRITE);
    vmm_walk_range(&rig.vmm, GIB, BLOCK_SIZE - 4096, move_up, &rig.vmm);
    for (uint64_t i = 0; i < BLOCK_FRAMES; i++) {
        uint64_t at = GIB + i * FRAME_SIZE, moved = i < BLOCK_FRAMES - 1 ? GIB : 0;

        expect_leaf(&rig, at, (struct vmm_leaf){at, at + 4096 + moved, 4096, VMM_WRITE});
    }
    rig_end(&rig);
}

static void emptiness_is_about_the_whole_range(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX);
    assert_true(vmm_is_empty(&rig.vmm, 0, BIT64(47)));
    vmm_map(&rig.vmm, GIB + 4096, 0, 4096, 0);
    vmm_map(&rig.vmm, 2 * GIB, 0, BLOCK_SIZE, 0);
    assert_false(vmm_is_empty(&rig.vmm, 0, BIT64(47)));
    assert_true(vmm_is_empty(&rig.vmm, -BIT64(47), BIT64(47)));
    assert_true(vmm_is_empty(&rig.vmm, GIB, 4096));
    assert_false(vmm_is_empty(&rig.vmm, GIB, 8192));
    assert_false(vmm_is_empty(&rig.vmm, GIB, BLOCK_SIZE));
    assert_true(vmm_is_empty(&rig.vmm, GIB + 8192, BLOCK_SIZE));
    assert_true(vmm_is_empty(&rig.vmm, GIB + 8192, GIB - 8192));
    assert_false(vmm_is_empty(&rig.vmm, 2 * GIB + 4096, 4096)); /* in a large leaf */
    EXPECT_ASSERT(vmm_is_empty(&rig.vmm, GIB, 1));
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_make_borders),
        cmocka_unit_test(joins_undo_splits),
        cmocka_unit_test(joins_keep_what_the_cpu_noted),
        cmocka_unit_test(only_a_block_in_order_is_joined),
        cmocka_unit_test(a_leaf_is_pointed_elsewhere),
        cmocka_unit_test(walks_see_every_leaf),
        cmocka_unit_test(range_walks_see_what_begins_there),
        cmocka_unit_test(a_walk_may_move_the_leaves),
        cmocka_unit_test(emptiness_is_about_the_whole_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
