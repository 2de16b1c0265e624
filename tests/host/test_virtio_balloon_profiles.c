// SPDX-License-Identifier: BSD-2-Clause
/*
 * The driver on every host there is, with the options it has by default: attach, random work, statistics,
 * hints, reports, out of memory, detach, attach again; nothing a host does not stand. And the numbers of
 * queues for every offer and both ways of numbering (R-V-03..05).
 */
#include "drivers/virtio/balloon_internal.h"
#include "tests/model/profiles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NO     VIRTIO_BALLOON_NO_QUEUE
#define STATS  BIT64(VIRTIO_BALLOON_F_STATS_VQ)
#define HINT   BIT64(VIRTIO_BALLOON_F_FREE_PAGE_HINT)
#define REPORT BIT64(VIRTIO_BALLOON_F_REPORTING)
#define OOM    BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM)
#define WS     BIT64(VIRTIO_BALLOON_F_CROSVM_WS)
#define FRAMES (24 * BLOCK_FRAMES)
#define DONE   1

static struct balloon_rig r;

static bool offers(uint64_t bit)
{
    return (r.host.profile->features & bit) != 0;
}

static void start(const struct host_profile *profile)
{
    print_message("%s\n", profile->name);
    profile_init(&r, profile, FRAMES);
    assert_int_equal(profile_attach(&r), 0);
    balloon_rig_settle(&r);
    balloon_rig_check(&r);
}

static void for_each_profile(void (*test)(void))
{
    for (unsigned i = 0; i < HOST_PROFILES; i++) {
        start(&host_profiles[i]);
        test();
        balloon_rig_check(&r);
        assert_int_equal(balloon_rig_status(&r).broken, 0);
        assert_int_equal(balloon_rig_status(&r).ring_errors, 0);
        balloon_rig_end(&r);
    }
}

static void check_bits_and_queues(void)
{
    const struct host_profile *profile = r.host.profile;
    uint64_t unknown =
        BIT64(4) | BIT64(6) | BIT64(7) | WS | BIT64(33) | BIT64(40) | BIT64(42);

    assert_int_equal(r.v.model.accepted, profile->features & ~unknown);
    for (unsigned i = 0; i < VIRTIO_BALLOON_QUEUES; i++) {
        assert_int_equal(balloon_rig_status(&r).queues[i], profile->number[i]);
        if (profile->number[i] != NO)
            assert_true(r.v.model.queues[profile->number[i]].enabled);
    }
    for (unsigned i = 0; i < profile->private_queues; i++)
        assert_false(r.v.model.queues[r.v.model.num_queues - 1 - i].enabled);
}

static void every_host_is_attached_to_by_its_numbers(void **state)
{
    (void)state;
    for_each_profile(check_bits_and_queues);
}

static void take_one_step(void)
{
    switch (rand() % 8) {
    case 0:
        guest_use(&r.guest, (uint64_t)rand() % 3000);
        break;
    case 1:
        guest_unuse(&r.guest, (uint64_t)rand() % 4000);
        virtio_balloon_memory_freed(r.vb);
        break;
    case 2:
        virtio_balloon_oom(r.vb, 1 + (uint64_t)rand() % 600);
        break;
    case 3:
        if (offers(HINT))
            balloon_rig_ask_hints(&r, 2 + (uint32_t)rand() % 1000);
        break;
    case 4:
        if (offers(HINT))
            balloon_rig_ask_hints(&r, DONE);
        break;
    case 5:
        if (offers(STATS) && r.host.has_stats)
            balloon_rig_ask_stats(&r);
        break;
    default:
        balloon_rig_target(&r, (uint32_t)rand() % (FRAMES + 100));
        break;
    }
}

static void walk(void)
{
    for (unsigned i = 0; i < 300; i++) {
        take_one_step();
        balloon_rig_run(&r, (uint64_t)rand() % (30 * NS_PER_MS));
        balloon_rig_check(&r);
    }
    guest_unuse(&r.guest, FRAMES);
    virtio_balloon_memory_freed(r.vb);
    balloon_rig_target(&r, 3001);
    balloon_rig_run(&r, 70 * NS_PER_S); /* pauses after out-of-memory end */
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 3001);
}

static void every_host_stands_a_random_walk(void **state)
{
    (void)state;
    random_seed();
    for_each_profile(walk);
}

static void ask_for_statistics(void)
{
    if (!offers(STATS)) {
        assert_int_equal(r.host.stats_answers, 0);
        return;
    }
    for (unsigned i = 2; i < 5; i++) {
        balloon_rig_ask_stats(&r);
        balloon_rig_run(&r, 50 * NS_PER_MS);
        assert_int_equal(r.host.stats_answers, i);
        assert_int_equal(r.host.stats_count, BALLOON_STATS_FULL);
        assert_int_equal(balloon_rig_stat(&r, BALLOON_STAT_FREE),
                         r.guest.free << FRAME_SHIFT);
    }
}

static void every_host_gets_statistics(void **state)
{
    (void)state;
    for_each_profile(ask_for_statistics);
}

static void hint_rounds(void)
{
    if (!offers(HINT))
        return;
    for (uint32_t id = 2; id < 6; id++) {
        uint64_t blocks = r.host.hint_blocks;

        balloon_rig_ask_hints(&r, id);
        balloon_rig_run(&r, 300 * NS_PER_MS);
        balloon_rig_check(&r);
        assert_false(r.host.is_hinting);
        if (r.host.done_on_stop || id == 2)
            assert_int_equal(r.host.hint_blocks - blocks, 23);
        assert_int_equal(balloon_rig_status(&r).hinted_frames,
                         r.host.done_on_stop ? 0 : 23 * BLOCK_FRAMES);
    }
    assert_int_equal(r.host.hint_stale, 0);
    balloon_rig_ask_hints(&r, DONE);
    balloon_rig_run(&r, 300 * NS_PER_MS);
    assert_int_equal(balloon_rig_status(&r).hinted_frames, 0);
}

static void every_host_gets_hints(void **state)
{
    (void)state;
    for_each_profile(hint_rounds);
}

/* Touched blocks are reported before they are inflated, where that is offered. */
static void report_first(void)
{
    memset(r.guest.touched, 1, FRAMES);
    balloon_rig_target(&r, 10 * BLOCK_FRAMES);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 10 * BLOCK_FRAMES);
    assert_int_equal(r.host.pages[HOST_REPORT] >= 10 * BLOCK_FRAMES, offers(REPORT));
    assert_true(!r.host.is_narrow || r.host.wide == 0);
}

static void every_host_gets_reports(void **state)
{
    (void)state;
    for_each_profile(report_first);
}

static void run_short(void)
{
    balloon_rig_target(&r, FRAMES - 1000);
    balloon_rig_settle(&r);
    uint64_t got = virtio_balloon_oom(r.vb, 300);
    assert_int_equal(got >= 300, offers(OOM)); /* R-V-42 */
    balloon_rig_run(&r, 50 * NS_PER_MS);       /* what was given back early is told */
    assert_int_equal(r.host.actual, FRAMES - 1000 - got);
}

static void every_host_is_asked_only_if_it_agreed(void **state)
{
    (void)state;
    for_each_profile(run_short);
}

static void go_and_come_back(void)
{
    balloon_rig_target(&r, 2000);
    balloon_rig_settle(&r);
    virtio_balloon_detach(r.vb);
    balloon_rig_settle(&r);
    assert_int_equal(r.guest.driver, 0);
    virtio_balloon_destroy(r.vb);
    assert_int_equal(profile_attach(&r), 0);
    balloon_rig_settle(&r); /* the target is still there */
    assert_int_equal(r.host.actual, 2000);
}

static void every_host_is_left_and_found_again(void **state)
{
    (void)state;
    for_each_profile(go_and_come_back);
}

/* ---- hosts that are not met by what they ask for ---- */

static void a_queue_too_few_and_firecracker_refuses(void **state)
{
    (void)state;
    profile_init(&r, &host_profiles[3], FRAMES);
    r.v.model.offered &= ~STATS; /* so that its queue stays without a driver */
    assert_int_not_equal(profile_attach(&r), 0);
    assert_int_equal(r.v.model.status, 0);
    r.vb = NULL;
    balloon_rig_end(&r);
}

/* ---- R-V-04: every offer, both numberings ---- */

static void number_by(bool dense, uint64_t offered,
                      uint16_t expected[VIRTIO_BALLOON_QUEUES],
                      uint16_t max[VIRTIO_MAX_QUEUES])
{
    static const uint64_t bits[] = {STATS, HINT, REPORT};
    uint16_t next = 2;

    memset(max, 0, VIRTIO_MAX_QUEUES * sizeof(*max));
    max[0] = max[1] = 128;
    expected[0] = 0;
    expected[1] = 1;
    for (unsigned i = 0; i < ARRAY_LEN(bits); i++) {
        expected[2 + i] = NO;
        if (!(offered & bits[i]))
            continue;
        expected[2 + i] = dense ? next : (uint16_t)(2 + i);
        max[expected[2 + i]] = 64;
        next++;
    }
}

static void both_numberings_are_told_apart(void **state)
{
    (void)state;
    for (unsigned offer = 0; offer < 16; offer++) {
        uint64_t offered =
            (offer & 1 ? STATS : 0) | (offer & 2 ? HINT : 0) | (offer & 4 ? REPORT : 0);
        uint16_t expected[VIRTIO_BALLOON_QUEUES], found[VIRTIO_BALLOON_QUEUES];
        uint16_t max[VIRTIO_MAX_QUEUES];

        number_by(offer & 8, offered, expected, max);
        assert_int_equal(vb_number_queues(offered, offered, max, found), 0);
        assert_memory_equal(found, expected, sizeof(found));
        if (!(offer & 8))
            continue;
        /* crosvm's two more, behind the last one */
        unsigned past = 0;
        while (max[past])
            past++;
        max[past] = max[past + 1] = 128;
        assert_int_equal(vb_number_queues(offered | WS, offered, max, found), 0);
        assert_memory_equal(found, expected, sizeof(found));
    }
}

/* Any sizes at all: a number that is given out has a queue, and no two are the same. */
static void random_queues_are_never_misread(void **state)
{
    (void)state;
    random_seed();
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t offered = (uint64_t)rand() & (STATS | HINT | REPORT | WS);
        uint64_t accepted = offered & (uint64_t)rand() & ~WS, given = 0;
        uint16_t max[VIRTIO_MAX_QUEUES], found[VIRTIO_BALLOON_QUEUES];

        for (unsigned q = 0; q < VIRTIO_MAX_QUEUES; q++)
            max[q] = rand() % 3 ? 64 : 0;
        uint64_t drop = vb_number_queues(offered, accepted, max, found);
        assert_int_equal(drop & ~accepted, 0);
        for (unsigned q = VIRTIO_BALLOON_STATS; q < VIRTIO_BALLOON_QUEUES; q++) {
            if (found[q] == NO)
                continue;
            assert_true(max[found[q]] && !(given & BIT64(found[q])));
            given |= BIT64(found[q]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_host_is_attached_to_by_its_numbers),
        cmocka_unit_test(every_host_stands_a_random_walk),
        cmocka_unit_test(every_host_gets_statistics),
        cmocka_unit_test(every_host_gets_hints),
        cmocka_unit_test(every_host_gets_reports),
        cmocka_unit_test(every_host_is_asked_only_if_it_agreed),
        cmocka_unit_test(every_host_is_left_and_found_again),
        cmocka_unit_test(a_queue_too_few_and_firecracker_refuses),
        cmocka_unit_test(both_numberings_are_told_apart),
        cmocka_unit_test(random_queues_are_never_misread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
