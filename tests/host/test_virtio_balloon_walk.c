// SPDX-License-Identifier: BSD-2-Clause
/* The virtio balloon through everything at once: random targets, memory pressure, resets, silence,
 * slow answers, detaching; and every allocation failing once. Each frame has one owner throughout. */
#include "base/err.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct balloon_rig r;

static const uint64_t ring_bits = BIT64(VIRTIO_F_INDIRECT_DESC) |
                                  BIT64(VIRTIO_F_EVENT_IDX) |
                                  BIT64(VIRTIO_F_RING_PACKED) | BIT64(VIRTIO_F_IN_ORDER);

/* The balloon's usual device on a ring of that mix; with IN_ORDER it completes in batches. */
static void init_on(enum rig_kind kind, unsigned mix, uint64_t features, uint64_t frames)
{
    print_message("transport %u, %s\n", (unsigned)kind, rig_mix_name(mix));
    balloon_rig_init_on(
        &r, kind, (BALLOON_FEATURES & ~ring_bits) | rig_mix(mix) | features, frames);
    r.v.model.batches = true;
}

static uint32_t random_below(uint32_t limit)
{
    return (uint32_t)rand() % limit;
}

static void random_targets(enum rig_kind kind, unsigned mix, unsigned count)
{
    bool is_legacy = kind == RIG_PCI_LEGACY || kind == RIG_MMIO_LEGACY;
    uint64_t expected = is_legacy ? rig_mix(mix) & UINT32_MAX : rig_mix(mix);

    init_on(kind, mix, 0, 16384);
    assert_int_equal(balloon_rig_attach(&r), 0);
    assert_true((balloon_rig_status(&r).features & ring_bits) == expected);
    for (unsigned i = 0; i < count; i++) {
        uint32_t target = random_below(16384);

        balloon_rig_target(&r, target);
        balloon_rig_settle(&r);
        balloon_rig_check(&r);
        assert_int_equal(r.host.actual, target);
        assert_int_equal(r.guest.free + target, 16384);
    }
    assert_int_equal(balloon_rig_status(&r).ring_errors, 0);
    balloon_rig_end(&r);
}

/* Every transport with every ring it can have: a legacy device has no packed one and no IN_ORDER. */
static void random_targets_are_met_exactly(void **state)
{
    (void)state;
    random_seed();
    for (enum rig_kind kind = 0; kind < RIG_KINDS; kind++)
        for (unsigned mix = 0; mix < RIG_MIXES; mix++)
            random_targets(kind, mix, mix == 3 ? 50 : 10);
}

static void one_random_event(void)
{
    switch (random_below(14)) {
    case 0:
        guest_use(&r.guest, random_below(4000));
        break;
    case 1:
        guest_unuse(&r.guest, random_below(6000));
        virtio_balloon_memory_freed(r.vb);
        break;
    case 2:
        virtio_balloon_oom(r.vb, 1 + random_below(1000));
        break;
    case 3:
        r.host.is_slow = !r.host.is_slow;
        break;
    case 4:
        for (unsigned n = random_below(40); n > 0; n--)
            balloon_rig_answer_any(&r, random_below(1000)); /* in any order */
        break;
    case 5:
        if (r.host.has_stats)
            balloon_rig_ask_stats(&r);
        break;
    case 6:
        if (random_below(8) == 0)
            virtio_model_need_reset(&r.v.model);
        break;
    case 7:
        if (random_below(8) == 0) {
            virtio_model_status_write(&r.v.model, 0);
            balloon_rig_run(&r, 2 * NS_PER_S);
            r.v.model.misuse = 0; /* doorbells before the driver noticed are no fault */
        }
        break;
    case 8:
        virtio_model_set_config(&r.v.model, 8, random_below(5));
        break;
    case 9:
    case 10:
        virtio_balloon_empty(
            r.vb,
            pfn_of(r.guest.base + random_below((uint32_t)(r.guest.count >> BLOCK_ORDER)) *
                                      BLOCK_FRAMES));
        break;
    default:
        balloon_rig_target(&r, random_below(20000));
        break;
    }
}

/* Any way to work with a host: the ring but for `without`, how much may be open, in which shape, reports,
 * early return. */
static void begin_random_life(uint64_t frames, uint64_t without)
{
    uint64_t features = 0;
    unsigned mix;

    if (random_below(4))
        features |= BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM);
    if (random_below(2))
        features |= BIT64(VIRTIO_BALLOON_F_FREE_PAGE_HINT);
    if (random_below(3))
        features |= BIT64(VIRTIO_BALLOON_F_REPORTING);
    if (random_below(4) == 0)
        features |= BIT64(VIRTIO_BALLOON_F_MUST_TELL_HOST);
    do
        mix = random_below(RIG_MIXES);
    while (rig_mix(mix) & without);
    init_on(random_below(RIG_KINDS), mix, features, frames);
    r.opts.early_return = random_below(3);
    r.opts.inflight = 1 + random_below(8);
    r.opts.wide = random_below(3);
    r.host.request_ns = random_below(300) * NS_PER_US;
    r.irq_works = random_below(6);
    print_message("features 0x%llx, early %d, inflight %u, wide %d\n",
                  (unsigned long long)features, r.opts.early_return, r.opts.inflight,
                  r.opts.wide);
}

static void a_random_life_keeps_every_frame(void **state)
{
    (void)state;
    random_seed();
    for (unsigned life = 0; life < 24; life++) {
        begin_random_life(16384, 0);
        r.guest.reserve = 64;
        assert_int_equal(balloon_rig_attach(&r), 0);
        for (unsigned i = 0; i < 200; i++) {
            one_random_event();
            balloon_rig_run(&r, random_below(20) * NS_PER_MS);
            balloon_rig_check(&r);
        }
        r.host.is_slow = false;
        balloon_rig_answer(&r);
        balloon_rig_run(&r, 130 * NS_PER_S);
        balloon_rig_end(&r);
    }
}

/* A host that answers when it likes and in any order: every target is met in the end. */
static void targets_are_met_whatever_the_order_of_answers(void **state)
{
    (void)state;
    random_seed();
    for (unsigned life = 0; life < 24; life++) {
        begin_random_life(16384, BIT64(VIRTIO_F_IN_ORDER));
        r.irq_works = true;
        r.host.is_slow = true;
        assert_int_equal(balloon_rig_attach(&r), 0);
        for (unsigned i = 0; i < 12; i++) {
            uint32_t target = random_below(16384);

            if (random_below(2))
                guest_unuse(&r.guest, guest_use(&r.guest, r.guest.free));
            balloon_rig_target(&r, target);
            for (unsigned n = random_below(200) + 1; n > 0; n--) {
                balloon_rig_run(&r, 3 * NS_PER_MS);
                balloon_rig_check(&r);
                if (!balloon_rig_answer_any(&r, random_below(1000)))
                    break;
            }
            if (random_below(3))
                continue;
            do
                balloon_rig_run(&r, 3 * NS_PER_MS);
            while (balloon_rig_answer_any(&r, random_below(1000)));
            balloon_rig_settle(&r);
            balloon_rig_check(&r);
            assert_int_equal(r.host.actual, target);
        }
        balloon_rig_end(&r);
    }
}

/* The n-th allocation fails, whatever it is for: attach says so or the balloon works. */
static void any_allocation_may_fail_at_attach(void **state)
{
    bool has_failed = false;

    (void)state;
    for (unsigned n = 1; n < 40; n++) {
        balloon_rig_init(&r,
                         BALLOON_FEATURES | BIT64(VIRTIO_BALLOON_F_REPORTING) |
                             BIT64(VIRTIO_BALLOON_F_FREE_PAGE_HINT),
                         4096);
        r.v.hal.fail_at = n;
        int err = balloon_rig_attach(&r);
        if (err) {
            has_failed = true;
            assert_int_equal(err, -ENOMEM);
            assert_int_equal(r.v.model.status, 0); /* R-V-16: left reset */
            r.v.hal.fail_at = 0;
            assert_int_equal(balloon_rig_attach(&r), 0);
        }
        balloon_rig_target(&r, 1000);
        balloon_rig_settle(&r);
        balloon_rig_run(&r, 2 * NS_PER_S);
        assert_int_equal(r.host.actual, 1000);
        balloon_rig_end(&r);
    }
    assert_true(has_failed);
}

static void any_take_may_fail(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 300; n += 7) {
        init_on(RIG_PCI_MODERN, n % RIG_MIXES, 0, 4096);
        r.guest.take_fail_at = n;
        assert_int_equal(balloon_rig_attach(&r), 0);
        balloon_rig_target(&r, 1300);
        balloon_rig_settle(&r);
        balloon_rig_run(&r, 2 * NS_PER_S);
        assert_int_equal(r.host.actual, 1300);
        balloon_rig_end(&r);
    }
}

static void a_restart_without_memory_tries_again(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 32; n++) {
        init_on(RIG_PCI_MODERN, n % RIG_MIXES, 0, 4096);
        assert_int_equal(balloon_rig_attach(&r), 0);
        balloon_rig_target(&r, 1300);
        balloon_rig_settle(&r);
        r.v.hal.fail_at = r.v.hal.allocs + n;
        virtio_model_need_reset(&r.v.model);
        balloon_rig_run(&r, 100 * NS_PER_S);
        assert_int_equal(r.host.actual, 1300);
        balloon_rig_check(&r);
        balloon_rig_end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_targets_are_met_exactly),
        cmocka_unit_test(a_random_life_keeps_every_frame),
        cmocka_unit_test(targets_are_met_whatever_the_order_of_answers),
        cmocka_unit_test(any_allocation_may_fail_at_attach),
        cmocka_unit_test(any_take_may_fail),
        cmocka_unit_test(a_restart_without_memory_tries_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
