// SPDX-License-Identifier: BSD-2-Clause
/* Batches of 4 KiB frames: what stands in the page, each status of an entry and of the whole, and pages
 * that the host will not have. */
#include "base/bits.h"
#include "base/err.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

#define BATCHED (VH_CAP_BASIC | VH_CAP_BATCH)

static struct vmware_counters counters(void)
{
    return vmware_rig_status(&r).count;
}

/* Golden trace 8. */
static void one_bad_entry(void **state)
{
    (void)state;
    life_modern(&r, BATCHED, 4096);
    r.host.pinned[511] = true;
    vmware_host_mark(&r.host);
    life_cycle_to(&r, 512);
    assert_trace(&r, "GET_TARGET 4096 =0/512; B_LOCK x512 =0; B_LOCK x1 =0;");
    assert_int_equal(counters().refused[0], 1);
    assert_int_equal(counters().refused_free[0], 1);
    assert_int_equal(vmware_rig_size(&r), 512);
    vmware_rig_end(&r);
}

/* Every status that fits an entry, D-O-04: only that page is refused. */
static void each_status_of_one_entry(void **state)
{
    (void)state;
    for (uint32_t status = 1; status < 32; status++) {
        if (status == VH_RESET || status == VH_PPN_NOTNEEDED)
            continue;
        life_modern(&r, BATCHED, 4096);
        life_entry(&r, VH_BATCH_LOCK, status, 1, status);
        life_cycle_to(&r, 700);
        assert_int_equal(vmware_rig_size(&r), 700);
        assert_int_equal(counters().refused[0], 1);
        assert_int_equal(counters().refused_free[0], 1);
        assert_int_equal(counters().command[VMWARE_CMD_BATCHED_LOCK].failed, 0);
        vmware_rig_end(&r);
    }
}

/* All 512 of a batch: far more than 16, so the cycle is over. */
static void each_status_of_all_entries(void **state)
{
    (void)state;
    for (uint32_t status = 1; status < 32; status++) {
        if (status == VH_RESET || status == VH_PPN_NOTNEEDED || status == VH_PPN_LOCKED)
            continue;
        life_modern(&r, BATCHED, 4096);
        life_entry(&r, VH_BATCH_LOCK, VH_EACH, 1, status);
        life_cycle_to(&r, 700);
        assert_int_equal(vmware_rig_size(&r), 0);
        assert_int_equal(counters().refused[0], 512);
        assert_int_equal(counters().refused_free[0], 512);
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_size(&r), 700);
        vmware_rig_end(&r);
    }
}

static void NOTNEEDED_ends_the_cycle(void **state)
{
    (void)state;
    life_modern(&r, BATCHED, 4096);
    life_entry(&r, VH_BATCH_LOCK, 17, 1, VH_PPN_NOTNEEDED);
    life_cycle_to(&r, 700);
    assert_int_equal(vmware_rig_size(&r), 511);
    assert_int_equal(r.host.calls[VH_BATCH_LOCK], 1);
    assert_int_equal(counters().refused[0], 1);
    assert_int_equal(counters().refused_free[0], 0);
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 700);
    vmware_rig_end(&r);
    /* The whole batch. */
    life_modern(&r, BATCHED, 4096);
    life_fault(&r, VH_BATCH_LOCK, 0, 1, VH_PPN_NOTNEEDED);
    life_cycle_to(&r, 700);
    assert_int_equal(vmware_rig_size(&r), 0);
    assert_int_equal(r.host.calls[VH_BATCH_LOCK], 1);
    assert_int_equal(counters().refused_free[0], 0);
    vmware_rig_end(&r);
    /* And as a host does that takes no more than it wants. */
    life_modern(&r, BATCHED, 4096);
    r.host.takes_no_surplus = true;
    life_cycle_to(&r, 700);
    assert_int_equal(vmware_rig_size(&r), 700);
    vmware_rig_end(&r);
}

/* RESET in an entry counts as for the batch. */
static void RESET_in_an_entry(void **state)
{
    static const unsigned cmds[] = {VH_BATCH_LOCK, VH_BATCH_UNLOCK};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cmds); i++) {
        life_modern(&r, BATCHED, 4096);
        life_cycle_to(&r, 2000);
        life_entry(&r, (uint16_t)cmds[i], 5, 1, VH_RESET);
        life_cycle_to(&r, cmds[i] == VH_BATCH_LOCK ? 3000 : 900);
        assert_true(vmware_rig_status(&r).is_reset_due);
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_size(&r), cmds[i] == VH_BATCH_LOCK ? 3000 : 900);
        vmware_rig_end(&r);
    }
}

static void each_status_on_the_way_back(void **state)
{
    (void)state;
    for (uint32_t status = 1; status < 32; status++) {
        if (status == VH_RESET)
            continue;
        life_modern(&r, BATCHED, 4096);
        life_cycle_to(&r, 512);
        life_entry(&r, VH_BATCH_UNLOCK, 100, 1, status);
        life_cycle_to(&r, 0);
        if (status == VH_PPN_UNLOCKED) {
            assert_int_equal(vmware_rig_size(&r), 0);
            assert_int_equal(counters().unlock_stale, 1);
        } else {
            assert_true(vmware_rig_size(&r) <= 1);
        }
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_size(&r), 0);
        assert_int_equal(counters().freed[0], 512);
        vmware_rig_end(&r);
    }
}

/* Pages that stay locked for good do not keep the others: D-W-04. */
static void some_frames_are_never_given_back(void **state)
{
    (void)state;
    life_modern(&r, BATCHED, 4096);
    life_cycle_to(&r, 2048);
    vmware_host_fault(&r.host, (struct vh_fault){.cmd = VH_BATCH_UNLOCK,
                                                 .times = VH_EVERY,
                                                 .status = VH_PPN_PINNED,
                                                 .entry = 0});
    vmware_host_target(&r.host, 0);
    vmware_rig_cycles(&r, 30);
    assert_true(vmware_rig_size(&r) <= 5);
    vmware_host_no_faults(&r.host);
    vmware_rig_cycles(&r, 3);
    assert_int_equal(vmware_rig_size(&r), 0);
    vmware_rig_end(&r);
}

/* The driver goes by its own copy of what it wrote. */
static void a_host_that_writes_other_frame_numbers(void **state)
{
    static const unsigned cmds[] = {VH_BATCH_LOCK, VH_BATCH_UNLOCK};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cmds); i++) {
        uint64_t lines;

        life_modern(&r, BATCHED, 4096);
        if (i)
            life_cycle_to(&r, 2000);
        lines = life_log_lines(&r);
        vmware_host_fault(&r.host, (struct vh_fault){.cmd = (uint16_t)cmds[i],
                                                     .times = VH_EVERY,
                                                     .status = VH_SUCCESS,
                                                     .entry = VH_EACH,
                                                     .moves_pfn = true});
        life_cycle_to(&r, i ? 0 : 2000);
        assert_int_equal(vmware_rig_size(&r), i ? 0 : 2000);
        assert_in_range(counters().wrong_entries, 1990,
                        2000);                             /* a chance of 2^-52 each */
        assert_in_range(life_log_lines(&r) - lines, 1, 3); /* once */
        vmware_host_no_faults(&r.host);
        vmware_rig_end(&r);
    }
}

/* R-L-07: those without backing are small pages, too, and left for the next one. */
static void refused_frames_with_backing_end_the_cycle(void **state)
{
    (void)state;
    life_modern(&r, BATCHED, 4096);
    guest_use(&r.guest, 1024);
    guest_unuse(&r.guest, 1024);
    for (unsigned i = 0; i < 1024; i++)
        r.host.pinned[i] = true;
    life_cycle_to(&r, 100);
    assert_int_equal(vmware_rig_size(&r), 0);
    assert_int_equal(r.host.entries[VH_BATCH_LOCK], 100);
    for (unsigned i = 0; i < 1024; i++)
        r.host.pinned[i] = false;
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 100);
    vmware_rig_end(&r);
}

/* ---- what the host says of the batch as a whole ---- */

/* The page itself is no good: another one is found. */
static void a_batch_page_that_is_refused_is_replaced(void **state)
{
    static const unsigned cmds[] = {VH_BATCH_LOCK, VH_BATCH_UNLOCK};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cmds); i++) {
        uint64_t page;

        life_modern(&r, BATCHED, 4096);
        life_cycle_to(&r, 1000);
        page = r.host.trace[(r.host.trace_count - 1) % VH_TRACE].arg1;
        life_fault(&r, (uint16_t)cmds[i], 0, 1, VH_PPN_INVALID);
        life_cycle_to(&r, i ? 0 : 2000);
        vmware_rig_cycles(&r, 3);
        assert_int_equal(vmware_rig_size(&r), i ? 0 : 2000);
        life_cycle_to(&r, i ? 2000 : 0);
        assert_int_not_equal(r.host.trace[(r.host.trace_count - 1) % VH_TRACE].arg1,
                             page);
        assert_int_equal(r.hal.dma_live, 1);
        vmware_rig_end(&r);
    }
}

/* There is no other: the same one is tried again. */
static void a_batch_page_that_cannot_be_replaced(void **state)
{
    (void)state;
    life_modern(&r, BATCHED, 4096);
    life_cycle_to(&r, 1000);
    life_fault(&r, VH_BATCH_UNLOCK, 0, 1, VH_PPN_INVALID);
    r.hal.fail_at = r.hal.allocs + 1;
    life_cycle_to(&r, 0);
    assert_int_equal(r.hal.allocs, r.hal.fail_at);
    assert_int_equal(vmware_rig_size(&r), 1000);
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 0);
    assert_int_equal(r.hal.dma_live, 1);
    vmware_rig_end(&r);
}

/* Batches are not known after all: single commands after the next START. */
static void a_batch_command_that_is_not_known(void **state)
{
    (void)state;
    life_modern(&r, BATCHED, 4096);
    life_fault(&r, VH_BATCH_LOCK, 0, VH_EVERY, VH_CMD_INVALID);
    vmware_host_target(&r.host, 100);
    vmware_rig_cycles(&r, 10);
    assert_in_range(r.host.calls[VH_BATCH_LOCK], 1, 2); /* no endless use */
    vmware_host_reset(&r.host);
    vmware_rig_cycles(&r, 3);
    assert_int_equal(vmware_rig_size(&r), 100);
    assert_in_range(r.host.calls[VH_BATCH_LOCK], 1, 2);
    assert_true(r.host.calls[VH_LOCK] >= 100);
    assert_int_equal(vmware_rig_status(&r).level, VMWARE_LEVEL_BASIC);
    vmware_rig_end(&r);
}

/* R-L-14: 52 bits in an entry. */
static void frames_above_32_bits(void **state)
{
    static const uint64_t bases[] = {UINT64_C(0x100000000) - 512, UINT64_C(1) << 39};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(bases); i++) {
        vmware_rig_init_at(&r, BATCHED | VH_CAP_64, bases[i], 2048);
        life_start(&r);
        life_cycle_to(&r, 2000);
        assert_int_equal(vmware_rig_size(&r), 2000);
        life_cycle_to(&r, 0);
        assert_int_equal(vmware_rig_size(&r), 0);
        vmware_rig_end(&r);
    }
}

/* ---- the page's memory ---- */

static int no_dma(void *ctx, size_t size_bytes, struct dma_mem *out)
{
    (void)ctx;
    (void)size_bytes;
    (void)out;
    return -ENOMEM;
}

/* R-L-02: without it START(0), and another try each second. */
static void no_memory_for_the_batch_page(void **state)
{
    (void)state;
    vmware_rig_init(&r, BATCHED, 4096);
    int (*dma_alloc)(void *, size_t, struct dma_mem *) = r.hal.hal.dma_alloc;
    r.hal.hal.dma_alloc = no_dma;
    vmware_host_target(&r.host, 1000);
    assert_int_equal(vmware_rig_attach(&r), 0);
    vmware_rig_run(&r, 2500 * NS_PER_MS);
    assert_trace(&r, "START 3e =3000000/6; START 0 =3000000/0; "
                     "START 3e =3000000/6; START 0 =3000000/0; "
                     "START 3e =3000000/6; START 0 =3000000/0;");
    assert_int_equal(vmware_rig_status(&r).state, VMWARE_BALLOON_RESETTING);
    r.hal.hal.dma_alloc = dma_alloc;
    vmware_rig_run(&r, 1100 * NS_PER_MS);
    assert_int_equal(vmware_rig_size(&r), 1000);
    vmware_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_bad_entry),
        cmocka_unit_test(each_status_of_one_entry),
        cmocka_unit_test(each_status_of_all_entries),
        cmocka_unit_test(NOTNEEDED_ends_the_cycle),
        cmocka_unit_test(RESET_in_an_entry),
        cmocka_unit_test(each_status_on_the_way_back),
        cmocka_unit_test(some_frames_are_never_given_back),
        cmocka_unit_test(a_host_that_writes_other_frame_numbers),
        cmocka_unit_test(refused_frames_with_backing_end_the_cycle),
        cmocka_unit_test(a_batch_page_that_is_refused_is_replaced),
        cmocka_unit_test(a_batch_page_that_cannot_be_replaced),
        cmocka_unit_test(a_batch_command_that_is_not_known),
        cmocka_unit_test(frames_above_32_bits),
        cmocka_unit_test(no_memory_for_the_batch_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
