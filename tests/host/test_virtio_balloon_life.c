// SPDX-License-Identifier: BSD-2-Clause
/* The ends of a virtio balloon that are none: sleep and waking, removal without a word, and how often a
 * device that breaks is started again. */
#include "base/err.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct balloon_rig r;

static void start(uint64_t features)
{
    balloon_rig_init(&r, BALLOON_FEATURES | features, 16384);
    r.opts.inflight = 4;
    r.opts.early_return = true;
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
}

static void go_to(uint32_t pages)
{
    balloon_rig_target(&r, pages);
    balloon_rig_settle(&r);
    balloon_rig_check(&r);
    assert_int_equal(r.host.actual, pages);
}

static enum virtio_balloon_state state_now(void)
{
    return balloon_rig_status(&r).state;
}

static void sleep_returns_everything_and_waking_meets_the_target_again(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_REPORTING));
    go_to(5000);
    uint64_t inflated = balloon_rig_status(&r).core.inflated;
    virtio_balloon_quiesce(r.vb);
    balloon_rig_settle(&r);
    assert_int_equal(state_now(), VIRTIO_BALLOON_ASLEEP);
    assert_int_equal(r.host.pages[HOST_DEFLATE], 5000); /* told, not just reset */
    assert_int_equal(r.host.actual, 0);
    assert_int_equal(r.guest.free, 16384);
    assert_int_equal(r.v.model.status, 0);
    /* Nothing wakes it but us. */
    balloon_rig_run(&r, 100 * NS_PER_S);
    assert_int_equal(state_now(), VIRTIO_BALLOON_ASLEEP);
    assert_int_equal(r.v.model.status, 0);
    virtio_balloon_resume(r.vb, r.opts.vectors);
    balloon_rig_settle(&r);
    balloon_rig_check(&r);
    assert_int_equal(state_now(), VIRTIO_BALLOON_LIVE);
    assert_int_equal(r.host.actual, 5000);
    assert_int_equal(balloon_rig_status(&r).core.inflated, inflated + 5000);
    balloon_rig_end(&r);
}

static void sleep_in_the_middle_of_everything(void **state)
{
    (void)state;
    random_seed();
    for (unsigned n = 0; n < 60; n++) {
        start(n & 1 ? BIT64(VIRTIO_BALLOON_F_REPORTING) : 0);
        guest_unuse(&r.guest, guest_use(&r.guest, 10000));
        r.host.is_slow = true;
        balloon_rig_target(&r, (uint32_t)rand() % 16000);
        for (int i = rand() % 12; i > 0; i--) {
            balloon_rig_run(&r, 2 * NS_PER_MS);
            balloon_rig_answer_any(&r, (unsigned)rand());
        }
        if (rand() % 2)
            balloon_rig_target(&r, (uint32_t)rand() % 16000);
        balloon_rig_run(&r, (uint64_t)rand() % (4 * NS_PER_MS));
        virtio_balloon_quiesce(r.vb);
        balloon_rig_answer(&r);
        r.host.is_slow = false;
        balloon_rig_settle(&r);
        assert_int_equal(state_now(), VIRTIO_BALLOON_ASLEEP);
        assert_int_equal(r.guest.free, 16384);
        assert_int_equal(r.guest.owed, 0);
        balloon_rig_check(&r);
        virtio_balloon_resume(r.vb, r.opts.vectors);
        go_to(4242);
        balloon_rig_end(&r);
    }
}

static void a_sleeper_may_be_detached_or_destroyed(void **state)
{
    (void)state;
    start(0);
    go_to(1000);
    virtio_balloon_quiesce(r.vb);
    balloon_rig_settle(&r);
    virtio_balloon_detach(r.vb);
    assert_int_equal(state_now(), VIRTIO_BALLOON_OFF);
    virtio_balloon_resume(r.vb, r.opts.vectors); /* no effect */
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(state_now(), VIRTIO_BALLOON_OFF);
    balloon_rig_end(&r);

    start(0);
    go_to(1000);
    virtio_balloon_detach(r.vb);
    virtio_balloon_quiesce(r.vb); /* too late to sleep */
    balloon_rig_settle(&r);
    assert_int_equal(state_now(), VIRTIO_BALLOON_OFF);
    balloon_rig_end(&r);

    start(0);
    virtio_balloon_quiesce(r.vb);
    balloon_rig_settle(&r);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    balloon_rig_end(&r);
}

/* Any touch of a register from here on is a bug. */
static uint32_t no_read(void *ctx, uint32_t offset, unsigned width)
{
    (void)ctx;
    (void)offset;
    (void)width;
    model_fail("a register of a device that is gone was read", __LINE__);
}

static void no_write(void *ctx, uint32_t offset, unsigned width, uint32_t value)
{
    (void)value;
    no_read(ctx, offset, width);
}

static void no_status_set(void *ctx, uint8_t status)
{
    no_read(ctx, status, 1);
}

static void no_reset(void *ctx)
{
    no_read(ctx, 0, 1);
}

static void no_notify(void *ctx, uint16_t index)
{
    no_read(ctx, index, 2);
}

static uint8_t no_byte(void *ctx)
{
    return (uint8_t)no_read(ctx, 0, 1);
}

static void a_removed_device_is_not_touched_and_all_frames_return(void **state)
{
    (void)state;
    random_seed();
    for (unsigned n = 0; n < 40; n++) {
        start(n & 1 ? BIT64(VIRTIO_BALLOON_F_REPORTING) : 0);
        guest_unuse(&r.guest, guest_use(&r.guest, 10000));
        balloon_rig_target(&r, (uint32_t)rand() % 16000);
        r.host.is_slow = rand() % 2;
        balloon_rig_run(&r, (uint64_t)rand() % (20 * NS_PER_MS));
        balloon_rig_target(&r, (uint32_t)rand() % 16000);
        balloon_rig_run(&r, (uint64_t)rand() % (2 * NS_PER_MS));

        struct virtio_transport *t = &r.v.transport.transport, before = *t;
        t->config_read = no_read;
        t->config_write = no_write;
        t->status_set = no_status_set;
        t->status_get = t->isr_ack = no_byte;
        t->reset = no_reset;
        t->notify = no_notify;
        virtio_balloon_remove(r.vb);
        /* Behind our back the host has nothing any more. */
        memset(r.guest.host_has, 0, sizeof(r.guest.host_has));
        r.guest.told = r.guest.owed = 0;
        assert_int_equal(r.guest.driver, 0);
        assert_int_equal(state_now(), VIRTIO_BALLOON_OFF);
        assert_false(virtio_balloon_isr(r.vb));
        virtio_balloon_step(r.vb);
        assert_int_equal(virtio_balloon_oom(r.vb, 100), 0);
        virtio_balloon_memory_freed(r.vb);
        virtio_balloon_destroy(r.vb);
        r.vb = NULL;
        *t = before;
        r.guest.misuse = 0; /* frames came back before the host model heard of it */
        balloon_rig_end(&r);
    }
}

static unsigned starts_in(uint64_t for_ns)
{
    unsigned before = r.v.model.resets;

    r.v.model.lies.ok_needs_reset = true;
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, for_ns);
    return r.v.model.resets - before;
}

static void the_limit_of_new_starts_can_be_set(void **state)
{
    (void)state;
    for (unsigned limit = 1; limit <= 6; limit++) {
        balloon_rig_init(&r, BALLOON_FEATURES, 4096);
        r.opts.reset_limit = limit;
        assert_int_equal(balloon_rig_attach(&r), 0);
        balloon_rig_settle(&r);
        starts_in(50 * NS_PER_S);
        assert_int_equal(balloon_rig_status(&r).restart_failures, limit);
        r.v.model.lies.ok_needs_reset = false;
        balloon_rig_run(&r, 70 * NS_PER_S);
        balloon_rig_end(&r);
    }
}

static void without_a_limit_a_broken_device_starts_at_once(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 4096);
    r.opts.reset_limit = 0;
    assert_int_equal(balloon_rig_attach(&r), 0);
    go_to(1000);
    for (unsigned i = 0; i < 200; i++) {
        virtio_model_need_reset(&r.v.model);
        balloon_rig_run(&r, 10 * NS_PER_MS);
        assert_int_equal(state_now(), VIRTIO_BALLOON_LIVE);
        assert_int_equal(r.host.actual, 1000);
    }
    assert_int_equal(balloon_rig_status(&r).broken, 200);
    balloon_rig_end(&r);
}

/* R-T-15: what the kernel does when attaching fails, a new start must do by itself. */
static void vectors_that_are_refused_at_a_new_start_are_done_without(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 4096);
    virtio_pci_model_add_msix(&r.v.pci, 2);
    r.opts.vectors = (struct virtio_vectors){.is_msix = true, .queues = 1};
    assert_int_equal(balloon_rig_attach(&r), 0);
    r.irq_works = false;
    r.v.model.lies.vector_fails = 1;
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 5 * NS_PER_S);
    assert_int_equal(state_now(), VIRTIO_BALLOON_LIVE);
    assert_int_equal(balloon_rig_status(&r).restart_failures, 1);
    assert_true(balloon_rig_status(&r).is_polled);
    balloon_rig_target(&r, 1000);
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(r.host.actual, 1000);
    balloon_rig_end(&r);
}

/* What a dead device was told stays out of reach; once it is torn out it can discard nothing more. */
static void a_dead_device_that_is_removed_keeps_nothing(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 2; n++) {
        start(n ? BIT64(VIRTIO_BALLOON_F_REPORTING) : 0);
        guest_unuse(&r.guest, guest_use(&r.guest, 12000));
        r.v.model.lies.silent = true;
        balloon_rig_target(&r, 8000);
        balloon_rig_run(&r, NS_PER_MS);
        r.v.model.lies.reset_hangs = true;
        balloon_rig_run(&r, 20 * NS_PER_S);
        assert_int_equal(state_now(), VIRTIO_BALLOON_DEAD);
        assert_true(r.guest.driver > 0);
        assert_int_equal(balloon_rig_status(&r).quarantined_frames, r.guest.driver);
        virtio_balloon_remove(r.vb);
        assert_int_equal(state_now(), VIRTIO_BALLOON_OFF);
        assert_int_equal(r.guest.driver, 0);
        virtio_balloon_destroy(r.vb);
        r.vb = NULL;
        r.v.model.lies.reset_hangs = false;
        assert_true(rig_end(&r.v) > 0); /* its rings stay with it */
    }
}

/* Its slow reset before a new start had begun when the machine fell asleep; the wake begins another one. */
static void sleep_in_the_middle_of_a_reset(void **state)
{
    (void)state;
    start(0);
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 20 * NS_PER_MS);
    assert_int_equal(state_now(), VIRTIO_BALLOON_RESTING);
    r.v.model.lies.reset_polls = 100;
    r.v.hal.now_ns += NS_PER_S;
    virtio_balloon_step(r.vb);
    virtio_balloon_quiesce(r.vb);
    balloon_rig_settle(&r);
    assert_int_equal(state_now(), VIRTIO_BALLOON_ASLEEP);
    balloon_rig_run(&r, 100 * NS_PER_S);
    virtio_balloon_resume(r.vb, r.opts.vectors);
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(state_now(), VIRTIO_BALLOON_LIVE);
    balloon_rig_end(&r);
}

/* The machine that wakes may have other interrupts than the one that fell asleep. */
static void waking_takes_the_interrupts_there_are_now(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 8192);
    virtio_pci_model_add_msix(&r.v.pci, 2);
    r.opts.vectors = (struct virtio_vectors){.is_msix = true, .queues = 1};
    assert_int_equal(balloon_rig_attach(&r), 0);
    go_to(1000);
    virtio_balloon_quiesce(r.vb);
    balloon_rig_settle(&r);
    pci_model_set(&r.v.pci.fn, VPM_CAP_MSIX + 2, 2, 1); /* not enabled again */
    r.opts.vectors = (struct virtio_vectors){0};
    virtio_balloon_resume(r.vb, r.opts.vectors);
    go_to(1000);
    balloon_rig_target(&r, 500);
    assert_true(virtio_balloon_isr(r.vb)); /* reads the cause, and the line falls */
    assert_int_equal(r.v.model.isr, 0);
    go_to(500);
    assert_false(balloon_rig_status(&r).is_polled);
    balloon_rig_end(&r);
}

/* Its rings stay, and so does what was posted in them. */
static bool refuse_and_hang(void *ctx, const struct virtio_model *m)
{
    (void)ctx;
    (void)m;
    r.v.model.lies.reset_hangs = true;
    return false;
}

static void a_device_that_dies_at_its_start_keeps_what_was_posted(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 4096);
    r.v.model.activate = refuse_and_hang;
    assert_int_not_equal(balloon_rig_attach(&r), 0);
    unsigned rings = 3, tables = 2,
             own = 2; /* indirect tables; page numbers, statistics */
    assert_int_equal(r.v.hal.dma_live, rings + tables + own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleep_returns_everything_and_waking_meets_the_target_again),
        cmocka_unit_test(sleep_in_the_middle_of_everything),
        cmocka_unit_test(a_sleeper_may_be_detached_or_destroyed),
        cmocka_unit_test(a_removed_device_is_not_touched_and_all_frames_return),
        cmocka_unit_test(the_limit_of_new_starts_can_be_set),
        cmocka_unit_test(without_a_limit_a_broken_device_starts_at_once),
        cmocka_unit_test(vectors_that_are_refused_at_a_new_start_are_done_without),
        cmocka_unit_test(a_dead_device_that_is_removed_keeps_nothing),
        cmocka_unit_test(sleep_in_the_middle_of_a_reset),
        cmocka_unit_test(waking_takes_the_interrupts_there_are_now),
        cmocka_unit_test(a_device_that_dies_at_its_start_keeps_what_was_posted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
