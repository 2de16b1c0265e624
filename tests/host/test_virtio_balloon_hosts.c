// SPDX-License-Identifier: BSD-2-Clause
/* Negotiation and queue numbers of the hosts there are: QEMU, Firecracker, Cloud Hypervisor, crosvm old
 * and new, and some that make no sense (R-V-03..06, R-V-15, R-V-16). */
#include "base/err.h"
#include "drivers/virtio/balloon_internal.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NO       VIRTIO_BALLOON_NO_QUEUE
#define STATS    BIT64(VIRTIO_BALLOON_F_STATS_VQ)
#define HINT     BIT64(VIRTIO_BALLOON_F_FREE_PAGE_HINT)
#define REPORT   BIT64(VIRTIO_BALLOON_F_REPORTING)
#define WS       BIT64(VIRTIO_BALLOON_F_CROSVM_WS)
#define V1       BIT64(VIRTIO_F_VERSION_1)
#define POISON   BIT64(VIRTIO_BALLOON_F_PAGE_POISON)
#define QUEUES   (STATS | HINT | REPORT)
#define PLATFORM BIT64(VIRTIO_F_ACCESS_PLATFORM)

static struct balloon_rig r;

static const struct profile {
    const char *name;
    uint64_t offered;
    uint16_t sizes[VIRTIO_MAX_QUEUES];      /* what the device has, by index */
    uint16_t number[VIRTIO_BALLOON_QUEUES]; /* where each is */
    uint64_t dropped;
} profiles[] = {
    {"QEMU", STATS, {128, 128, 128}, {0, 1, 2, NO, NO}, 0},
    {"QEMU, reporting", STATS | REPORT, {128, 128, 128, 32}, {0, 1, 2, NO, 3}, 0},
    {"QEMU, both", STATS | HINT | REPORT, {128, 128, 128, 1024, 32}, {0, 1, 2, 3, 4}, 0},
    {"Firecracker, reporting", REPORT, {256, 256, 256}, {0, 1, NO, NO, 2}, 0},
    {"Firecracker, hint and reporting",
     HINT | REPORT,
     {256, 256, 256, 256},
     {0, 1, NO, 2, 3},
     0},
    {"Cloud Hypervisor", REPORT, {128, 128, 32}, {0, 1, NO, NO, 2}, 0},
    {"crosvm, dense", STATS | REPORT, {128, 128, 128, 128}, {0, 1, 2, NO, 3}, 0},
    {"crosvm, dense, working set",
     STATS | REPORT | WS,
     {128, 128, 128, 128, 128, 128},
     {0, 1, 2, NO, 3},
     0},
    {"crosvm, by the letter",
     STATS | REPORT,
     {128, 128, 128, 0, 128},
     {0, 1, 2, NO, 4},
     0},
    {"by the letter, all queues",
     REPORT,
     {128, 128, 128, 128, 128},
     {0, 1, NO, NO, 4},
     0},
    {"nothing optional", 0, {16, 16}, {0, 1, NO, NO, NO}, 0},
    {"reporting without a queue",
     STATS | REPORT,
     {128, 128, 128},
     {0, 1, 2, NO, NO},
     REPORT},
    {"everything without queues",
     STATS | HINT | REPORT,
     {128, 128},
     {0, 1, NO, NO, NO},
     STATS | HINT | REPORT},
};

static void queues_are_found_where_each_host_has_them(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(profiles); i++) {
        const struct profile *p = &profiles[i];
        uint16_t index[VIRTIO_BALLOON_QUEUES];
        uint64_t accepted = p->offered & ~WS;

        print_message("%s\n", p->name);
        assert_int_equal(vb_number_queues(p->offered, accepted, p->sizes, index),
                         p->dropped);
        for (unsigned q = 0; q < VIRTIO_BALLOON_QUEUES; q++)
            assert_int_equal(index[q], p->number[q]);
    }
}

static void attach_to(const struct profile *p)
{
    balloon_rig_init(&r, p->offered | V1, 4096);
    balloon_rig_queues(&r, p->number);
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        r.v.model.queues[i].max = r.v.model.queues[i].size = p->sizes[i];
        if (p->sizes[i])
            r.v.model.num_queues = (uint16_t)(i + 1);
    }
    assert_int_equal(balloon_rig_attach(&r), 0);
}

static void every_profile_moves_and_enables_exactly_its_queues(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(profiles); i++) {
        const struct profile *p = &profiles[i];

        attach_to(p);
        for (unsigned q = 0; q < VIRTIO_MAX_QUEUES; q++) {
            bool is_wanted = false;

            for (unsigned n = 0; n < VIRTIO_BALLOON_QUEUES; n++)
                is_wanted |= p->number[n] == q;
            assert_int_equal(r.v.model.queues[q].enabled, is_wanted); /* R-V-05 */
        }
        assert_int_equal(r.v.model.accepted & (STATS | HINT | REPORT),
                         p->offered & (STATS | HINT | REPORT) & ~p->dropped);
        balloon_rig_target(&r, 777);
        balloon_rig_settle(&r);
        assert_int_equal(r.host.actual, 777);
        balloon_rig_end(&r);
    }
}

static void unknown_and_contested_bits_are_never_accepted(void **state)
{
    (void)state;
    balloon_rig_init(&r, UINT64_MAX & ~(HINT | REPORT), 4096);
    assert_int_equal(balloon_rig_attach(&r), 0);
    assert_int_equal(r.v.model.accepted,
                     STATS | V1 | BIT64(VIRTIO_BALLOON_F_MUST_TELL_HOST) |
                         BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM) |
                         BIT64(VIRTIO_F_INDIRECT_DESC) | BIT64(VIRTIO_F_EVENT_IDX) |
                         BIT64(VIRTIO_F_RING_PACKED) | BIT64(VIRTIO_F_IN_ORDER));
    balloon_rig_end(&r);
}

/* Whatever is offered, whatever the owner wants: nothing but what there is a use for. */
static void a_lottery_of_features(void **state)
{
    const uint64_t may = STATS | HINT | REPORT | V1 | PLATFORM | POISON |
                         BIT64(VIRTIO_BALLOON_F_MUST_TELL_HOST) |
                         BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM) |
                         BIT64(VIRTIO_F_INDIRECT_DESC) | BIT64(VIRTIO_F_EVENT_IDX) |
                         BIT64(VIRTIO_F_RING_PACKED) | BIT64(VIRTIO_F_IN_ORDER);

    (void)state;
    random_seed();
    for (unsigned i = 0; i < 300; i++) {
        uint64_t offered =
            (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();

        balloon_rig_init(&r, offered | V1 | STATS, 2048); /* as QEMU numbers */
        r.v.model.insists = rand() % 4 ? 0 : offered & PLATFORM;
        r.opts.accept_oom = rand() % 2;
        r.opts.frees_zeroed = rand() % 2;
        assert_int_equal(balloon_rig_attach(&r), 0);
        uint64_t accepted = r.v.model.accepted;
        assert_int_equal(accepted & ~(may & (offered | V1 | STATS)), 0);
        assert_int_equal(accepted & PLATFORM, r.v.model.insists);
        assert_int_equal(accepted & POISON, r.opts.frees_zeroed ? offered & POISON : 0);
        assert_int_equal(accepted & QUEUES, (offered | STATS) & QUEUES); /* R-V-03 */
        balloon_rig_target(&r, (uint32_t)rand() % 2000);
        balloon_rig_settle(&r);
        balloon_rig_end(&r);
    }
}

/* ---- R-V-58 ---- */

static void bit_33_is_accepted_by_who_insists_on_it_alone(void **state)
{
    (void)state;
    for (unsigned insists = 0; insists < 2; insists++) {
        balloon_rig_init(&r, BALLOON_FEATURES | PLATFORM, 4096);
        r.v.model.insists = insists ? PLATFORM : 0;
        assert_int_equal(balloon_rig_attach(&r), 0);
        assert_int_equal(r.v.model.accepted & PLATFORM, insists ? PLATFORM : 0);
        balloon_rig_target(&r, 1000);
        balloon_rig_settle(&r);
        assert_int_equal(r.host.actual, 1000);
        balloon_rig_end(&r);
    }
}

static void a_host_that_insists_on_more_is_refused(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES | PLATFORM | BIT64(6), 4096);
    r.v.model.insists = PLATFORM | BIT64(6);
    assert_int_equal(balloon_rig_attach(&r), -ENOTSUP);
    assert_int_equal(r.v.model.status, 0); /* left reset */
    r.vb = NULL;
    balloon_rig_end(&r);
}

static void a_confidential_guest_has_no_balloon(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES | PLATFORM, 4096);
    r.opts.is_confidential = true;
    assert_int_equal(balloon_rig_attach(&r), -ENOTSUP);
    assert_int_equal(r.v.model.status, 0);
    assert_int_equal(r.v.hal.log_lines[LOG_WARN], 1);
    r.vb = NULL;
    balloon_rig_end(&r);
}

/* ---- R-V-57 ---- */

static void poison_is_accepted_by_who_zeroes_what_it_frees(void **state)
{
    const uint32_t unset = 0xAAAAAAAA;

    (void)state;
    for (unsigned zeroes = 0; zeroes < 2; zeroes++) {
        balloon_rig_init(&r, BALLOON_FEATURES | REPORT | POISON, 4096);
        memcpy(&r.v.model.config[12], &unset, 4);
        r.opts.frees_zeroed = zeroes;
        assert_int_equal(balloon_rig_attach(&r), 0);
        assert_int_equal(r.v.model.accepted & POISON, zeroes ? POISON : 0);
        assert_int_equal(virtio_model_config(&r.v.model, 12), zeroes ? 0 : unset);
        assert_true(vb_may_report(r.vb));
        balloon_rig_end(&r);
    }
}

/* A report would lose the filling, and the host has not promised another. */
static void without_the_bit_who_zeroes_does_not_report(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES | REPORT, 8192);
    memset(r.guest.touched, 1, 8192);
    r.opts.frees_zeroed = true;
    assert_int_equal(balloon_rig_attach(&r), 0);
    assert_int_equal(r.v.model.accepted & REPORT, REPORT); /* R-V-03 all the same */
    assert_false(vb_may_report(r.vb));
    balloon_rig_target(&r, 5000);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 5000);
    assert_int_equal(r.v.model.queues[3].kicks, 0);
    balloon_rig_end(&r);
}

static void a_hint_ring_of_one_entry_is_done_without(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES | HINT, 4096);
    r.v.model.queues[3].max = r.v.model.queues[3].size = 1;
    assert_int_equal(balloon_rig_attach(&r), 0);
    assert_int_equal(r.v.model.accepted & HINT, 0);
    balloon_rig_target(&r, 10);
    balloon_rig_settle(&r);
    balloon_rig_end(&r);
}

/* Each start asks anew. */
static void a_queue_that_is_missing_once_is_used_at_the_next_start(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES | HINT, 4096);
    r.v.model.queues[3].max = 0;
    assert_int_equal(balloon_rig_attach(&r), 0);
    assert_int_equal(r.v.model.accepted & HINT, 0);
    r.v.model.queues[3].max = 128;
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 2 * NS_PER_S);
    assert_int_equal(r.v.model.accepted & HINT, HINT);
    assert_true(r.v.model.queues[3].enabled);
    balloon_rig_end(&r);
}

static void the_target_in_another_unit_of_memory_is_clamped(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 4096);
    assert_int_equal(balloon_rig_attach(&r), 0);
    for (uint32_t bit = 0; bit < 32; bit++) {
        balloon_rig_target(&r, (uint32_t)BIT64(bit) + (uint32_t)rand() % 3);
        balloon_rig_run(&r, 200 * NS_PER_MS);
        balloon_rig_check(&r);
        assert_true(r.host.actual <= 4096);
    }
    assert_int_equal(balloon_rig_status(&r).target_pages, 4096);
    balloon_rig_end(&r);
}

static int (*take_as_asked)(void *ctx, unsigned order, struct run_want want, pfn_t *out,
                            enum run_state *state);

static int take_anything(void *ctx, unsigned order, struct run_want want, pfn_t *out,
                         enum run_state *state)
{
    want.pfn_limit = UINT64_MAX;
    return take_as_asked(ctx, order, want, out, state);
}

static void frames_the_device_cannot_name_are_given_back(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 4096);
    r.guest.base = (UINT64_C(1) << 32) - 1024;
    take_as_asked = r.v.hal.hal.run_take;
    r.v.hal.hal.run_take = take_anything; /* a HAL that forgot */
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_target(&r, 3000);
    balloon_rig_run(&r, NS_PER_S);
    balloon_rig_check(&r);
    assert_int_equal(r.host.actual, 1024);
    r.v.hal.hal.run_take = take_as_asked;
    balloon_rig_end(&r);
}

static void frames_the_device_cannot_name_are_not_chosen(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 4096);
    r.guest.base =
        (UINT64_C(1) << 32) - 1024; /* 1024 frames below 16 TiB, the rest above */
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_target(&r, 3000);
    balloon_rig_run(&r, NS_PER_S);
    balloon_rig_check(&r);
    assert_int_equal(r.host.actual, 1024);
    balloon_rig_end(&r);
}

/* R-V-16: a window that ends before a field of ours would swallow what is written there. */
static void a_configuration_that_is_too_short_is_refused(void **state)
{
    static const struct {
        uint64_t features;
        uint32_t bytes;
        int err;
    } cases[] = {{0, 4, -EPROTO},       {0, 8, 0},      {HINT, 8, -EPROTO}, {HINT, 12, 0},
                 {POISON, 12, -EPROTO}, {POISON, 16, 0}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        balloon_rig_init(&r, BALLOON_FEATURES | cases[i].features, 8192);
        r.opts.frees_zeroed = true; /* takes POISON */
        pci_model_set(&r.v.pci.fn, VPM_CAP_DEVICE + 12, 4, cases[i].bytes);
        assert_int_equal(balloon_rig_attach(&r), cases[i].err);
        balloon_rig_end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_are_found_where_each_host_has_them),
        cmocka_unit_test(every_profile_moves_and_enables_exactly_its_queues),
        cmocka_unit_test(unknown_and_contested_bits_are_never_accepted),
        cmocka_unit_test(a_lottery_of_features),
        cmocka_unit_test(bit_33_is_accepted_by_who_insists_on_it_alone),
        cmocka_unit_test(a_host_that_insists_on_more_is_refused),
        cmocka_unit_test(a_confidential_guest_has_no_balloon),
        cmocka_unit_test(poison_is_accepted_by_who_zeroes_what_it_frees),
        cmocka_unit_test(without_the_bit_who_zeroes_does_not_report),
        cmocka_unit_test(a_hint_ring_of_one_entry_is_done_without),
        cmocka_unit_test(a_queue_that_is_missing_once_is_used_at_the_next_start),
        cmocka_unit_test(the_target_in_another_unit_of_memory_is_clamped),
        cmocka_unit_test(frames_the_device_cannot_name_are_not_chosen),
        cmocka_unit_test(a_configuration_that_is_too_short_is_refused),
        cmocka_unit_test(frames_the_device_cannot_name_are_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
