// SPDX-License-Identifier: BSD-2-Clause
/* The host forgets: RESET from any command, again and again, at other levels than before; silence. */
#include "base/bits.h"
#include "base/err.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

#define BATCHED (VH_CAP_BASIC | VH_CAP_BATCH)

/* The next command after RESET is START, then the balloon grows again; nothing is lost on the way. The
 * host checks the order and that no frame is free too early. */
static void reset_from(unsigned level, unsigned cmd, unsigned skip)
{
    life_init_at(&r, level, 8192);
    life_start(&r);
    life_cycle_to(&r, 3072);
    life_fault(&r, (uint16_t)cmd, skip, 1, VH_RESET);
    life_cycle_to(&r, 5120);
    life_cycle_to(&r, 2048);
    vmware_rig_reach(&r, 4096);
    assert_int_equal(vmware_rig_size(&r), 4096);
    if (r.host.hits > 0 && cmd != VH_START) {
        assert_true(r.host.calls[VH_START] >= 2);
        assert_true(vmware_rig_status(&r).count.resets >= 1);
    }
    vmware_rig_end(&r);
}

static void RESET_from_every_command(void **state)
{
    static const unsigned skips[] = {0, 1, 7, 100, 511};

    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++)
        for (unsigned cmd = 0; cmd < VH_CMDS; cmd++)
            for (unsigned i = 0; cmd != VH_NEVER && i < ARRAY_LEN(skips); i++)
                reset_from(level, cmd, skips[i]);
}

/* What the steps of a reset are, on the wire. */
static void the_order_of_a_reset(void **state)
{
    (void)state;
    life_modern(&r, VH_CAPS_ALL, 4096);
    life_cycle_to(&r, 1024);
    vmware_host_reset(&r.host);
    vmware_host_mark(&r.host);
    vmware_rig_cycle(&r);
    assert_trace(&r, "GET_TARGET 4096 =7;");
    assert_int_equal(vmware_rig_status(&r).is_reset_due, true);
    vmware_host_mark(&r.host);
    vmware_rig_cycle(&r);
    assert_trace(&r, "START 3e =3000000/3e; DOORBELL_SET 1234 =0; GUEST_ID 1 =0; "
                     "GET_TARGET 4096 =0/1024; 2M_LOCK x2 =0;");
    assert_int_equal(vmware_rig_status(&r).count.resets, 1);
    assert_int_equal(vmware_rig_status(&r).count.popped_frames, 1024);
    assert_int_equal(r.host.doorbell_resource, 1025); /* a new bell */
    vmware_rig_end(&r);
}

/* R-W-10: RESET to GUEST_ID, or to the first GET_TARGET, repeats it a cycle later; a hundred times. */
static void RESET_right_after_a_reset(void **state)
{
    static const unsigned cmds[] = {VH_GUEST_ID, VH_GET_TARGET, VH_DOORBELL_SET};

    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++)
        for (unsigned i = 0; i < ARRAY_LEN(cmds); i++) {
            uint64_t starts, cycles, lines;

            if (cmds[i] == VH_DOORBELL_SET && life_levels[level] != VH_CAPS_ALL)
                continue;
            life_init_at(&r, level, 4096);
            life_start(&r);
            life_cycle_to(&r, 1024);
            starts = r.host.calls[VH_START];
            cycles = vmware_rig_status(&r).count.timer;
            lines = life_log_lines(&r);
            vmware_host_reset(&r.host);
            life_fault(&r, (uint16_t)cmds[i], 0, 100, VH_RESET);
            for (unsigned k = 0; k < 100; k++)
                vmware_rig_cycle(&r);
            starts = r.host.calls[VH_START] - starts;
            assert_in_range(starts, 98, 101); /* one a cycle */
            assert_int_equal(vmware_rig_status(&r).count.timer - cycles, 100);
            assert_true(life_log_lines(&r) - lines <= 20); /* no flood */
            vmware_host_no_faults(&r.host);
            vmware_rig_reach(&r, 1024);
            assert_int_equal(vmware_rig_size(&r), 1024);
            vmware_rig_end(&r);
        }
}

/* Every command between two of which the host may lose its memory. */
static uint64_t lose_at;

static void lose(void *ctx)
{
    struct vmware_rig *rig = ctx;

    if (rig->host.trace_count == lose_at)
        vmware_host_reset(&rig->host);
}

static void the_host_forgets_between_any_two_commands(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++)
        for (lose_at = 1; lose_at < 60; lose_at++) {
            life_init_at(&r, level, 2048);
            r.host.before = lose;
            if (level == 0 && lose_at == 1) { /* GUEST_ID at init */
                assert_int_equal(vmware_rig_attach(&r), -EIO);
                vmware_rig_end(&r);
                continue;
            }
            life_start(&r);
            life_cycle_to(&r, 20);
            life_cycle_to(&r, 0);
            life_cycle_to(&r, 1024);
            vmware_rig_reach(&r, 1024);
            assert_int_equal(vmware_rig_size(&r), 1024);
            vmware_rig_end(&r);
        }
}

/* D-L-01: nothing is lost by a reset, at any level. */
static void a_thousand_resets(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++) {
        unsigned dma, mem;

        life_init_at(&r, level, 2048);
        life_start(&r);
        life_cycle_to(&r, 600);
        dma = r.hal.dma_live;
        mem = r.hal.mem_live;
        for (unsigned i = 0; i < 1000; i++) {
            vmware_host_reset(&r.host);
            vmware_rig_cycles(&r, 2);
            assert_true(vmware_rig_size(&r) >= 600);
        }
        assert_int_equal(r.hal.dma_live, dma);
        assert_in_range(r.hal.mem_live, 1, mem + 2);
        assert_int_equal(vmware_rig_status(&r).count.resets, 1000);
        vmware_rig_end(&r);
    }
}

/* 2.3: to whatever the host can do now, in both directions. */
static void other_capabilities_after_a_reset(void **state)
{
    static const struct {
        uint32_t offers, level;
    } hosts[] = {
        {0x3E, VMWARE_LEVEL_BATCHED_2M}, {0x02, VMWARE_LEVEL_BASIC},
        {0x3E, VMWARE_LEVEL_BATCHED_2M}, {0x06, VMWARE_LEVEL_BATCHED},
        {0x0A, VMWARE_LEVEL_BASIC},      {0x0E, VMWARE_LEVEL_BATCHED_2M},
        {0x20, VMWARE_LEVEL_NONE},       {0x16, VMWARE_LEVEL_BATCHED},
    };

    (void)state;
    life_modern(&r, 0x3E, 8192);
    for (unsigned i = 0; i < 10 * ARRAY_LEN(hosts); i++) {
        uint32_t level = hosts[i % ARRAY_LEN(hosts)].level;

        vmware_rig_reach(&r, 3000);
        r.host.offers = hosts[i % ARRAY_LEN(hosts)].offers;
        vmware_host_reset(&r.host);
        vmware_rig_cycles(&r, 3);
        struct vmware_balloon_status s = vmware_rig_status(&r);
        assert_int_equal(s.level, level);
        assert_int_equal(s.has_doorbell, (r.host.offers & VH_CAP_DOORBELL) != 0);
        if (level == VMWARE_LEVEL_NONE)
            assert_int_equal(s.size_frames, 0);
        else
            assert_in_range(s.size_frames, 3000, 3072);
        assert_true(r.hal.dma_live <= 1);
    }
    vmware_rig_end(&r);
}

/* R-L-02: the batch page cannot be had at a reset. */
static int no_dma(void *ctx, size_t size_bytes, struct dma_mem *out)
{
    (void)ctx;
    (void)size_bytes;
    (void)out;
    return -ENOMEM;
}

static int (*dma_of_model)(void *ctx, size_t size_bytes, struct dma_mem *out);

static void no_memory_for_a_batch_page_after_a_reset(void **state)
{
    (void)state;
    life_modern(&r, VH_CAP_BASIC, 8192); /* has none yet */
    life_cycle_to(&r, 1000);
    dma_of_model = r.hal.hal.dma_alloc;
    r.hal.hal.dma_alloc = no_dma;
    r.host.offers = BATCHED;
    vmware_host_reset(&r.host);
    vmware_rig_run(&r, 5 * NS_PER_S);
    assert_true(vmware_rig_status(&r).is_reset_due);
    assert_int_equal(r.host.phase, VH_CLOSED);
    assert_int_equal(r.host.trace[(r.host.trace_count - 1) % VH_TRACE].arg1, 0);
    assert_in_range(r.host.calls[VH_START], 1 + 2 * 4, 1 + 2 * 6);
    r.hal.hal.dma_alloc = dma_of_model;
    vmware_rig_run(&r, 1200 * NS_PER_MS);
    assert_int_equal(vmware_rig_size(&r), 1000);
    vmware_rig_end(&r);
}

static int no_dma_while_full(void *ctx, size_t size_bytes, struct dma_mem *out)
{
    return r.guest.free < 500 ? -ENOMEM : dma_of_model(ctx, size_bytes, out);
}

/* The same where the balloon is what the page lacks memory for, in a reset of our own wish: the host took
 * START, so the frames are ours before the page is asked for again. */
static void the_balloon_makes_room_for_a_batch_page(void **state)
{
    (void)state;
    life_modern(&r, VH_CAP_BASIC, 4096);
    life_cycle_to(&r, 4000);
    dma_of_model = r.hal.hal.dma_alloc;
    r.hal.hal.dma_alloc = no_dma_while_full;
    r.host.offers = BATCHED;
    for (unsigned i = 0; i < 3; i++) { /* each ends its cycle */
        life_fault(&r, VH_LOCK, 0, 1, VH_ALL_ONES);
        life_cycle_to(&r, 4096);
    }
    assert_true(vmware_rig_status(&r).is_reset_due);
    vmware_rig_run(&r, 4 * NS_PER_S);
    assert_false(vmware_rig_status(&r).is_reset_due);
    assert_int_equal(vmware_rig_status(&r).level, VMWARE_LEVEL_BATCHED);
    assert_int_equal(vmware_rig_size(&r), 4096);
    vmware_rig_end(&r);
}

/* ---- silence ---- */

/* All ones in the middle of a session: keep everything, ask on; there is no other port to go to. */
static void the_port_falls_silent(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++) {
        life_init_at(&r, level, 4096);
        life_start(&r);
        life_cycle_to(&r, 1024);
        uint64_t lines = life_log_lines(&r);
        r.host.is_deaf = true;
        vmware_host_target(&r.host, 2048);
        vmware_rig_run(&r, 60 * NS_PER_S);
        assert_int_equal(vmware_rig_size(&r), 1024);
        assert_int_equal(r.guest.driver, 1024);
        assert_true(life_log_lines(&r) - lines <= 10);
        uint64_t calls = life_calls(&r);
        vmware_rig_run(&r, 10 * NS_PER_S);
        assert_in_range(life_calls(&r) - calls, 9, 105); /* and polls */
        r.host.is_deaf = false;
        vmware_host_reset(&r.host);
        vmware_rig_cycles(&r, 3);
        vmware_rig_reach(&r, 2048);
        assert_int_equal(vmware_rig_size(&r), 2048);
        vmware_rig_end(&r);
    }
}

/* 2.4: three LOCKs in a row answered all ones are taken for a session that is gone. */
static void three_silent_locks_ask_for_a_new_session(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    life_cycle_to(&r, 50);
    life_fault(&r, VH_LOCK, 0, 3, VH_ALL_ONES);
    life_cycle_to(&r, 100);
    /* Nobody said RESET: what the host may still have is kept until it took a new START. */
    life_fault(&r, VH_START, 0, 3, VH_BUSY);
    vmware_host_mark(&r.host);
    vmware_rig_cycles(&r, 3);
    assert_trace(&r, "START 2 =8; START 2 =8; START 2 =8;");
    assert_int_equal(r.guest.driver, 50);
    vmware_rig_cycles(&r, 2);

    assert_int_equal(vmware_rig_size(&r), 100);
    vmware_rig_end(&r);
}

/* Two are refused pages. */
static void two_silent_locks_do_not(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    life_fault(&r, VH_LOCK, 5, 2, VH_ALL_ONES);
    life_cycle_to(&r, 50);
    life_fault(&r, VH_LOCK, 5, 2, VH_ALL_ONES);
    life_cycle_to(&r, 100);
    assert_int_equal(vmware_rig_size(&r), 100);
    assert_int_equal(r.host.calls[VH_START], 1);
    vmware_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RESET_from_every_command),
        cmocka_unit_test(the_order_of_a_reset),
        cmocka_unit_test(RESET_right_after_a_reset),
        cmocka_unit_test(the_host_forgets_between_any_two_commands),
        cmocka_unit_test(a_thousand_resets),
        cmocka_unit_test(other_capabilities_after_a_reset),
        cmocka_unit_test(no_memory_for_a_batch_page_after_a_reset),
        cmocka_unit_test(the_balloon_makes_room_for_a_batch_page),
        cmocka_unit_test(the_port_falls_silent),
        cmocka_unit_test(three_silent_locks_ask_for_a_new_session),
        cmocka_unit_test(two_silent_locks_do_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
