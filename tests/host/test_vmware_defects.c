// SPDX-License-Identifier: BSD-2-Clause
/* What other drivers of this balloon have been seen to do wrong, one test each; docs/vmware-driver.md lists
 * them by these numbers. D-W-05 and D-W-06 belong to the classic policy (test_vmware_classic.c). */
#include "base/bits.h"
#include "base/err.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

#define BATCHED (VH_CAP_BASIC | VH_CAP_BATCH)
#define HUGE    (BATCHED | VH_CAP_BATCH_2M)

static int (*run_take_of_model)(void *ctx, unsigned order, struct run_want want,
                                pfn_t *out, enum run_state *state);

static int run_take_anywhere(void *ctx, unsigned order, struct run_want want, pfn_t *out,
                             enum run_state *state)
{
    want.pfn_limit = UINT64_MAX;
    return run_take_of_model(ctx, order, want, out, state);
}

/* A page whose number does not fit is lost, and the loop goes on until memory is gone. Guest memory
 * above 16 TiB: in single commands nothing is locked, nothing is lost. */
static void D_W_01_frame_numbers_above_32_bits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        vmware_rig_init_at(&r, VH_CAP_BASIC, UINT64_C(0x100000000), 2048);
        r.opts.policy = i & 1 ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
        life_start(&r);
        if (i >= 2) { /* the OS forgets the limit */
            run_take_of_model = r.hal.hal.run_take;
            r.hal.hal.run_take = run_take_anywhere;
        }
        vmware_host_target(&r.host, 1000);
        unsigned warnings = r.hal.log_lines[LOG_WARN];
        for (unsigned k = 0; k < 10; k++) {
            vmware_rig_cycle(&r);
            assert_int_equal(vmware_rig_size(&r), 0);
            assert_int_equal(r.guest.free, 2048);
        }
        assert_int_equal(r.host.calls[VH_LOCK], 0);
        assert_int_equal(r.hal.log_lines[LOG_WARN], warnings + 1); /* why, once */
        assert_last_line(&r,
                         "frame numbers above 32 bits do not fit this host's commands, "
                         "those frames stay");
        struct vmware_counters c = vmware_rig_status(&r).count;
        assert_int_equal(c.refused[0], i < 2 ? 0 : 160); /* R-W-16: as PPN_INVALID */
        assert_int_equal(c.refused_free[0], c.refused[0]);
        vmware_rig_end(&r);
    }
}

/* START fails in a reset, and commands follow all the same. */
static void D_W_02_nothing_follows_a_START_that_failed(void **state)
{
    static const uint32_t offers[] = {VH_CAP_BASIC, BATCHED, VH_CAPS_ALL};

    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_LEN(offers); i++) {
        vmware_rig_init(&r, offers[i / 2], 4096);
        r.opts.policy = i == 0 ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
        life_start(&r);
        life_cycle_to(&r, 1024);
        life_fault(&r, VH_START, 0, 5, i & 1 ? VH_BUSY : VH_ALL_ONES);
        vmware_host_reset(&r.host);
        vmware_rig_cycle(&r);
        vmware_host_mark(&r.host);
        vmware_rig_cycles(&r, 5);
        assert_int_equal(r.host.trace_count - r.host.trace_from, 5);
        assert_int_equal(r.host.calls[VH_START], 6);
        vmware_rig_reach(&r, 1024);
        assert_int_equal(vmware_rig_size(&r), 1024);
        vmware_rig_end(&r);
    }
}

/* Init fails after START, and the session stays open. Here what can fail then is GUEST_ID in classic, and memory. */
static void D_W_03_a_start_that_fails_closes_the_session(void **state)
{
    (void)state;
    for (unsigned policy = 0; policy < 2; policy++)
        for (unsigned n = 1; n < 10; n++) {
            vmware_rig_init(&r, BATCHED, 4096);
            r.opts.policy = policy ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
            r.hal.fail_at = n;
            if (vmware_rig_attach(&r)) { /* for lack of memory only before START */
                assert_null(r.vb);
                assert_int_equal(r.host.trace_count, 0);
            }
            vmware_rig_end(&r);
        }
    static const uint32_t refusals[] = {VH_CMD_INVALID, VH_RESET, VH_BUSY, VH_ALL_ONES};
    static const char *const traces[] = {
        "START 2 =0; GUEST_ID 1 =1; START 2 =0;",
        "START 2 =0; GUEST_ID 1 =7; START 2 =0;",
        "START 2 =0; GUEST_ID 1 =8; START 2 =0;",
        "START 2 =0; GUEST_ID 1 =ffffffff; START 2 =0;",
    };
    for (unsigned i = 0; i < ARRAY_LEN(refusals); i++) {
        vmware_rig_init_classic(&r, 4096);
        life_fault(&r, VH_GUEST_ID, 0, VH_EVERY, refusals[i]);
        assert_int_equal(vmware_rig_attach(&r), -EIO);
        assert_trace(&r, traces[i]);
        vmware_rig_end(&r);
    }
}

/* One page at the head that is not given back holds up all others. */
static void D_W_04_one_page_does_not_block_the_rest(void **state)
{
    (void)state;
    for (unsigned policy = 0; policy < 2; policy++) {
        vmware_rig_init(&r, VH_CAP_BASIC, 4096);
        r.opts.policy = policy ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
        life_start(&r);
        life_cycle_to(&r, 2000);
        r.host.keeps[1999] = r.host.keeps[0] = r.host.keeps[1000] = true;
        vmware_host_target(&r.host, 0);
        vmware_rig_cycles(&r, 60);
        assert_int_equal(vmware_rig_size(&r), 3);
        memset(r.host.keeps, 0, sizeof(r.host.keeps));
        vmware_rig_cycles(&r, 4);
        assert_int_equal(vmware_rig_size(&r), 0);
        vmware_rig_end(&r);
    }
}

/* A batch page per reset, and the last at the end. */
static void D_L_01_batch_pages_are_not_lost(void **state)
{
    (void)state;
    life_modern(&r, VH_CAPS_ALL, 4096);
    life_cycle_to(&r, 1024);
    assert_int_equal(r.hal.dma_live, 1);
    for (unsigned i = 0; i < 1000; i++) {
        vmware_host_reset(&r.host);
        vmware_rig_cycles(&r, 2);
    }
    assert_int_equal(r.hal.dma_live, 1);
    vmware_rig_end(&r); /* nothing is left */
}

/* errFree counts pages, not calls. */
static void D_L_02_pages_are_counted_not_calls(void **state)
{
    (void)state;
    life_modern(&r, BATCHED, 4096);
    for (unsigned i = 0; i < 12; i++)
        r.host.pinned[10 * i] = true;
    life_cycle_to(&r, 1000);
    assert_int_equal(vmware_rig_status(&r).count.refused[0], 12);
    assert_int_equal(vmware_rig_status(&r).count.refused_free[0], 12);
    vmware_rig_end(&r);
}

/* All groups refused, and it stays with groups. */
static void D_L_03_frames_after_too_many_refused_groups(void **state)
{
    (void)state;
    life_modern(&r, HUGE, 16384);
    life_entry(&r, VH_BATCH_2M_LOCK, VH_EACH, VH_EVERY, VH_PPN_PINNED);
    life_cycle_to(&r, 12288);
    assert_int_equal(vmware_rig_size(&r), 12288);
    assert_true(r.host.calls[VH_BATCH_LOCK] > 0);
    vmware_rig_end(&r);
}

/* The model of the host fails the test when a doorbell is unset that was never set. */
static void D_L_04_no_doorbell_is_unset_that_was_not_set(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        vmware_rig_init(&r, VH_CAPS_ALL, 4096);
        r.bell_fails = i == 1;
        if (i == 2)
            life_fault(&r, VH_DOORBELL_SET, 0, VH_EVERY, VH_BUSY);
        if (i == 3)
            r.opts.doorbell = NULL;
        life_start(&r);
        assert_int_equal(r.host.trace[0].cmd, VH_START);
        for (unsigned k = 0; k < 5; k++) {
            vmware_host_reset(&r.host);
            vmware_rig_cycles(&r, 2);
        }
        vmware_rig_end(&r);
    }
}

/* 64-bit frame numbers in batches; no groups without batches; the doorbell's status is looked at. */
static void D_L_05_batches_of_64_bits(void **state)
{
    (void)state;
    vmware_rig_init_at(&r, HUGE | VH_CAP_64, UINT64_C(0x3FFFFFE00), 2048);
    life_start(&r);
    life_cycle_to(&r, 1500);
    assert_int_equal(vmware_rig_size(&r), 1536);
    life_cycle_to(&r, 0);
    assert_int_equal(vmware_rig_size(&r), 0);
    vmware_rig_end(&r);

    vmware_rig_init(&r, VH_CAPS_ALL, 4096);
    life_caps(&r, VH_CAP_BASIC | VH_CAP_BATCH_2M);
    life_start(&r);
    life_cycle_to(&r, 600);
    assert_int_equal(r.host.calls[VH_LOCK], 600);
    vmware_rig_end(&r);

    vmware_rig_init(&r, VH_CAPS_ALL, 4096);
    life_fault(&r, VH_DOORBELL_SET, 0, VH_EVERY, VH_CMD_INVALID);
    life_start(&r);
    assert_false(vmware_rig_status(&r).has_doorbell);
    vmware_rig_end(&r);
}

/* Popping a group lowers the size by 1. */
static void D_O_01_popping_a_group_counts_its_frames(void **state)
{
    (void)state;
    life_modern(&r, HUGE, 8192);
    life_cycle_to(&r, 4096);
    r.host.target = 0;
    vmware_host_reset(&r.host);
    vmware_rig_cycles(&r, 2);
    assert_int_equal(vmware_rig_size(&r), 0);
    assert_int_equal(vmware_rig_status(&r).count.popped_frames, 4096);
    assert_int_equal(vmware_rig_status(&r).count.freed[1], 8);
    vmware_rig_end(&r);
}

/* The balloon is freed first, and a cycle runs before the timer stops. */
static void D_O_02_no_cycle_after_the_end_began(void **state)
{
    (void)state;
    life_modern(&r, VH_CAP_BASIC, 8192);
    vmware_host_target(&r.host, 8000);
    vmware_rig_run(&r, 101 * NS_PER_MS); /* in the middle of the cycle */
    assert_true(vmware_rig_status(&r).is_moving);
    vmware_rig_detach(&r);
    r.host.is_over = true;
    for (unsigned i = 0; i < 100; i++) {
        vmware_balloon_ring(r.vb);
        vmware_rig_run(&r, 10 * NS_PER_MS);
    }
    assert_int_equal(r.guest.free, 8192);
    vmware_rig_end(&r);
}

/* Statuses of entries that were held to be impossible; the page is lost. */
static void D_O_04_every_status_of_an_entry(void **state)
{
    static const uint16_t cmds[] = {VH_BATCH_LOCK, VH_BATCH_UNLOCK, VH_BATCH_2M_LOCK,
                                    VH_BATCH_2M_UNLOCK};

    (void)state;
    for (unsigned i = 0; i < 32 * ARRAY_LEN(cmds); i++) {
        uint16_t cmd = cmds[i / 32];

        life_modern(&r, cmd >= VH_BATCH_2M_LOCK ? HUGE : BATCHED, 8192);
        life_entry(&r, cmd, 1, 2, i % 32);
        life_cycle_to(&r, 5000);
        life_cycle_to(&r, 0);
        vmware_rig_reach(&r, 4096);
        assert_in_range(vmware_rig_size(&r), 4096, 4607);
        vmware_rig_reach(&r, 0);
        assert_int_equal(vmware_rig_size(&r), 0);
        assert_int_equal(r.guest.free, 8192);
        vmware_rig_end(&r);
    }
}

static void huge_stats(void *ctx, struct mem_stats *out)
{
    (void)ctx;
    *out = (struct mem_stats){.total_bytes = UINT64_C(0x100000001) << FRAME_SHIFT,
                              .free_bytes = r.guest.free << FRAME_SHIFT,
                              .available_bytes = r.guest.free << FRAME_SHIFT};
}

/* A limit of more than 32 bits is cut without a word. */
static void D_O_05_a_limit_above_32_bits(void **state)
{
    (void)state;
    vmware_rig_init(&r, BATCHED, 4096);
    r.hal.hal.mem_stats = huge_stats;
    life_start(&r);
    vmware_rig_cycles(&r, 3);
    assert_int_equal(r.host.calls[VH_GET_TARGET], 0);
    assert_int_equal(r.hal.log_lines[LOG_ERROR], 1); /* why, once */
    assert_last_line(&r,
                     "4294967297 frames of RAM do not fit this host's 32 bits, no target "
                     "is asked for");
    r.host.offers |= VH_CAP_64;
    vmware_host_reset(&r.host);
    vmware_rig_end(&r);

    vmware_rig_init(&r, BATCHED | VH_CAP_64, 4096);
    r.hal.hal.mem_stats = huge_stats;
    life_start(&r);
    assert_int_equal(r.host.limit, UINT64_C(0x100000001));
    vmware_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(D_W_01_frame_numbers_above_32_bits),
        cmocka_unit_test(D_W_02_nothing_follows_a_START_that_failed),
        cmocka_unit_test(D_W_03_a_start_that_fails_closes_the_session),
        cmocka_unit_test(D_W_04_one_page_does_not_block_the_rest),
        cmocka_unit_test(D_L_01_batch_pages_are_not_lost),
        cmocka_unit_test(D_L_02_pages_are_counted_not_calls),
        cmocka_unit_test(D_L_03_frames_after_too_many_refused_groups),
        cmocka_unit_test(D_L_04_no_doorbell_is_unset_that_was_not_set),
        cmocka_unit_test(D_L_05_batches_of_64_bits),
        cmocka_unit_test(D_O_01_popping_a_group_counts_its_frames),
        cmocka_unit_test(D_O_02_no_cycle_after_the_end_began),
        cmocka_unit_test(D_O_04_every_status_of_an_entry),
        cmocka_unit_test(D_O_05_a_limit_above_32_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
