// SPDX-License-Identifier: BSD-2-Clause
/*
 * mm/vmm.c: leaf sizes, splits, errors that change nothing, a source that fails at every place, frames
 * that balance. test_vmm_leaf.c has the rest, test_vmm_random.c compares all of it with an array.
 */
#include "tests/host/vmm_rig.h"

static void ranges_take_the_largest_leaves(void **state)
{
    struct rig rig;
    unsigned flags = VMM_WRITE | VMM_GLOBAL;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX | VMM_CPU_1G);
    assert_int_equal(
        vmm_map(&rig.vmm, UPPER + GIB - 4096, GIB - 4096, GIB + BLOCK_SIZE + 8192, flags),
        0);
    expect_leaf(&rig, UPPER + GIB - 1,
                (struct vmm_leaf){UPPER + GIB - 4096, GIB - 4096, 4096, flags});
    expect_leaf(&rig, UPPER + GIB + 77, (struct vmm_leaf){UPPER + GIB, GIB, GIB, flags});
    expect_leaf(&rig, UPPER + 2 * GIB,
                (struct vmm_leaf){UPPER + 2 * GIB, 2 * GIB, BLOCK_SIZE, flags});
    expect_leaf(&rig, UPPER + 2 * GIB + BLOCK_SIZE,
                (struct vmm_leaf){UPPER + 2 * GIB + BLOCK_SIZE, 2 * GIB + BLOCK_SIZE,
                                  4096, flags});
    expect_none(&rig, UPPER + GIB - 4097);
    expect_none(&rig, UPPER + 2 * GIB + BLOCK_SIZE + 4096);
    assert_int_equal(vmm_unmap(&rig.vmm, UPPER, 3 * GIB), 0);
    assert_int_equal(rig.taken, 1);
    rig_end(&rig);
}

static void no_huge_leaf_unless_allowed_or_aligned(void **state)
{
    struct rig rig;
    struct vmm_leaf leaf;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX);
    assert_int_equal(vmm_map(&rig.vmm, GIB, GIB, GIB, 0), 0);
    assert_true(vmm_lookup(&rig.vmm, GIB, &leaf));
    assert_int_equal(leaf.size_bytes, BLOCK_SIZE);
    assert_int_equal(vmm_map(&rig.vmm, 4 * GIB, GIB + 4096, BLOCK_SIZE, VMM_EXEC), 0);
    assert_true(vmm_lookup(&rig.vmm, 4 * GIB, &leaf));
    assert_int_equal(leaf.size_bytes, 4096);
    assert_int_equal(leaf.flags, VMM_EXEC);
    rig_end(&rig);
}

static void invalid_ranges_are_refused(void **state)
{
    static const struct {
        uint64_t virt, phys, size_bytes;
    } bad[] = {
        {1, 0, 4096},
        {0, 1, 4096},
        {0, 0, 1},
        {4096, 0, 0},
        {BIT64(47), 0, 4096},         /* not canonical */
        {BIT64(47) - 4096, 0, 8192},  /* ... at its end */
        {UPPER - 4096, 0, 4096},      /* ... below the upper half */
        {UINT64_MAX - 4095, 0, 8192}, /* wraps */
        {4096, 0, UINT64_MAX - 4095}, /* wraps to itself */
        {0, 0, UINT64_MAX - 4095},    /* both halves */
        {0, BIT64(52) - 4096, 8192},  /* past 52 bits */
        {0, BIT64(52), 4096},
    };
    struct rig rig;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t size = bad[i].size_bytes;

        assert_int_equal(vmm_map(&rig.vmm, bad[i].virt, bad[i].phys, size, 0), -EINVAL);
        if (bad[i].phys != 0)
            continue;
        assert_int_equal(vmm_unmap(&rig.vmm, bad[i].virt, size), -EINVAL);
    }
    assert_int_equal(rig.taken, 1);
    rig_end(&rig);
}

static void the_last_page_of_all_can_be_mapped(void **state)
{
    struct rig rig;
    uint64_t top = UINT64_MAX - BLOCK_SIZE + 1;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX);
    assert_int_equal(
        vmm_map(&rig.vmm, top, BIT64(52) - BLOCK_SIZE, BLOCK_SIZE, VMM_WRITE), 0);
    expect_leaf(&rig, UINT64_MAX,
                (struct vmm_leaf){top, BIT64(52) - BLOCK_SIZE, BLOCK_SIZE, VMM_WRITE});
    assert_int_equal(vmm_unmap(&rig.vmm, UINT64_MAX - 4095, 4096), 0);
    expect_none(&rig, UINT64_MAX);
    expect_leaf(&rig, UINT64_MAX - 4096,
                (struct vmm_leaf){UINT64_MAX - 8191, BIT64(52) - 8192, 4096, VMM_WRITE});
    assert_int_equal(vmm_unmap(&rig.vmm, top, BLOCK_SIZE), 0);
    assert_int_equal(rig.taken, 1);
    rig_end(&rig);
}

static void a_taken_place_is_busy(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX);
    assert_int_equal(vmm_map(&rig.vmm, GIB + 5 * 4096, 0, 4096, VMM_WRITE), 0);
    assert_int_equal(vmm_map(&rig.vmm, 2 * GIB, 0, BLOCK_SIZE, VMM_WRITE), 0);
    uint64_t before = rig.taken;

    assert_int_equal(vmm_map(&rig.vmm, GIB - 3 * BLOCK_SIZE, 0, 4 * BLOCK_SIZE, 0),
                     -EBUSY);
    assert_int_equal(vmm_map(&rig.vmm, GIB - 4096, 4096, 5 * BLOCK_SIZE, 0), -EBUSY);
    assert_int_equal(vmm_map(&rig.vmm, 2 * GIB + 4096, 0, 4096, 0), -EBUSY);
    assert_int_equal(rig.taken, before);
    expect_none(&rig, GIB - 3 * BLOCK_SIZE);
    expect_none(&rig, GIB - 4096);
    expect_none(&rig, GIB + 4 * 4096);
    expect_leaf(&rig, GIB + 5 * 4096,
                (struct vmm_leaf){GIB + 5 * 4096, 0, 4096, VMM_WRITE});
    rig_end(&rig);
}

static void parts_split_leaves(void **state)
{
    struct rig rig;
    unsigned rw = VMM_WRITE | VMM_UNCACHED | VMM_GLOBAL;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX | VMM_CPU_1G);
    assert_int_equal(vmm_map(&rig.vmm, GIB, 4 * GIB, GIB, rw), 0);
    uint64_t before = rig.taken;

    assert_int_equal(vmm_unmap(&rig.vmm, GIB + 5 * BLOCK_SIZE + 4096, 4096), 0);
    assert_int_equal(rig.taken, before + 2);
    assert_true(model_page_flushes() >= 2); /* the split leaves, the page */
    expect_none(&rig, GIB + 5 * BLOCK_SIZE + 4096);
    expect_leaf(&rig, GIB + 5 * BLOCK_SIZE + 8192,
                (struct vmm_leaf){GIB + 5 * BLOCK_SIZE + 8192,
                                  4 * GIB + 5 * BLOCK_SIZE + 8192, 4096, rw});
    expect_leaf(&rig, GIB + 6 * BLOCK_SIZE,
                (struct vmm_leaf){GIB + 6 * BLOCK_SIZE, 4 * GIB + 6 * BLOCK_SIZE,
                                  BLOCK_SIZE, rw});
    rig_end(&rig);
}

static void many_changes_flush_once(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX);
    assert_int_equal(vmm_map(&rig.vmm, GIB, GIB, 100 * 4096, 0), 0);
    assert_int_equal(model_page_flushes() + model_full_flushes(),
                     0); /* nothing was cached */
    assert_int_equal(vmm_unmap(&rig.vmm, GIB, 3 * 4096), 0);
    assert_int_equal(model_page_flushes(), 3);
    assert_int_equal(model_full_flushes(), 0);
    assert_int_equal(vmm_unmap(&rig.vmm, GIB + 3 * 4096, 96 * 4096), 0);
    assert_int_equal(model_full_flushes(), 1);
    assert_int_equal(vmm_unmap(&rig.vmm, GIB + 99 * 4096, 4096), 0);
    assert_int_equal(model_full_flushes(), 2); /* the tables are gone */
    rig_end(&rig);
}

static void without_nx_all_is_executable(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig, 0);
    assert_int_equal(vmm_map(&rig.vmm, GIB, GIB, 4096, VMM_WRITE), 0);
    expect_leaf(&rig, GIB, (struct vmm_leaf){GIB, GIB, 4096, VMM_WRITE | VMM_EXEC});
    rig_end(&rig);
}

/* Each operation with the n-th table frame missing: an error, the same translations as before, no frame
 * lost; then it works. */
static void a_missing_table_frame_changes_nothing(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig, VMM_CPU_NX | VMM_CPU_1G);
    assert_int_equal(vmm_map(&rig.vmm, GIB, GIB, GIB, VMM_WRITE), 0);
    for (unsigned n = 1;; n++) {
        uint64_t before = rig.taken;

        rig.fail_at = n;
        int err =
            vmm_map(&rig.vmm, 4 * GIB - 4096, GIB - 4096, 512 * GIB + 8192, VMM_EXEC);
        if (err == 0) {
            assert_int_equal(n, 1 + rig.taken - before);
            break;
        }
        assert_int_equal(err, -ENOMEM);
        assert_int_equal(rig.taken, before);
        expect_none(&rig, 4 * GIB - 4096);
        expect_none(&rig, 4 * GIB);
    }
    for (unsigned n = 1;; n++) {
        rig.fail_at = n;
        int err = vmm_unmap(&rig.vmm, GIB + 4096, GIB - BLOCK_SIZE - 8192);
        struct vmm_leaf leaf;

        if (err == 0)
            break;
        assert_int_equal(err, -ENOMEM);
        assert_true(vmm_lookup(&rig.vmm, GIB + 4096, &leaf));
        assert_int_equal(leaf.phys - leaf.virt, 0);
        assert_int_equal(leaf.flags, VMM_WRITE);
        assert_true(n < 10);
    }
    expect_none(&rig, GIB + 4096);
    rig.fail_at = 0;
    rig_end(&rig);

    struct vmm none;
    struct vmm_source source = {&rig, rig_take, rig_give};
    rig.fail_at = 1;
    assert_int_equal(vmm_init(&none, source, 0), -ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_take_the_largest_leaves),
        cmocka_unit_test(no_huge_leaf_unless_allowed_or_aligned),
        cmocka_unit_test(invalid_ranges_are_refused),
        cmocka_unit_test(the_last_page_of_all_can_be_mapped),
        cmocka_unit_test(a_taken_place_is_busy),
        cmocka_unit_test(parts_split_leaves),
        cmocka_unit_test(many_changes_flush_once),
        cmocka_unit_test(without_nx_all_is_executable),
        cmocka_unit_test(a_missing_table_frame_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
