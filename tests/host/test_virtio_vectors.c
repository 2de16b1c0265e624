// SPDX-License-Identifier: BSD-2-Clause
/*
 * MSI-X vectors (R-T-15, R-T-16): mapped at every start, read back, refused; the ISR register is left
 * alone meanwhile (the model complains otherwise). Then the balloon on one and on two vectors.
 */
#include "base/err.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define WANTED (BIT64(1) | BIT64(VIRTIO_F_INDIRECT_DESC) | BIT64(VIRTIO_F_EVENT_IDX))

static const struct virtio_queue_opts plain;
static const struct virtio_vectors apart = {.is_msix = true, .config = 0, .queues = 1};
static const struct virtio_vectors shared = {.is_msix = true};

static struct balloon_rig b;

/* ---- the device ---- */

static void start(struct virtio_rig *r, unsigned entries, struct virtio_vectors vectors)
{
    rig_init(r, RIG_FEATURES);
    virtio_pci_model_add_msix(&r->pci, entries);
    assert_int_equal(rig_open(r), 0);
    rig_enable_msix(r);
    virtio_use_vectors(&r->dev, vectors);
}

static void finish(struct virtio_rig *r)
{
    if (r->model.misuse)
        print_message("misuse: %s\n", r->model.complaint);
    assert_int_equal(r->model.misuse, 0);
    assert_int_equal(rig_end(r), 0);
}

static void every_life_maps_its_vectors(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, 2, apart);
    for (unsigned life = 0; life < 2; life++) {
        assert_int_equal(rig_negotiate(&r, WANTED, 3, &plain), 0);
        assert_int_equal(r.model.config_vector, 0);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(r.model.queues[i].vector, 1);
        assert_int_equal(virtio_driver_ok(&r.dev), 0);
        virtio_model_set_config(&r.model, 0, 1);
        assert_int_equal(r.pci.fired, 1);
        r.pci.fired = 0;
        assert_int_equal(virtio_reset(&r.dev), 0);
        assert_int_equal(r.model.config_vector, VIRTIO_NO_VECTOR);
        virtio_queues_free(&r.dev);
    }
    finish(&r);
}

static void queues_spread_over_the_vectors_there_are(void **state)
{
    struct virtio_rig r;

    (void)state;
    for (uint16_t spread = 1; spread <= 3; spread++) {
        start(&r, 1 + spread,
              (struct virtio_vectors){.is_msix = true, .queues = 1, .spread = spread});
        assert_int_equal(rig_negotiate(&r, WANTED, 3, &plain), 0);
        assert_int_equal(r.model.config_vector, 0);
        for (uint16_t i = 0; i < 3; i++)
            assert_int_equal(r.model.queues[i].vector, 1 + i % spread);
        finish(&r);
    }
}

static void without_vectors_nothing_is_mapped(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, 2, (struct virtio_vectors){0});
    assert_int_equal(rig_negotiate(&r, WANTED, 3, &plain), 0);
    assert_int_equal(r.model.config_vector, VIRTIO_NO_VECTOR);
    assert_int_equal(r.model.queues[0].vector, VIRTIO_NO_VECTOR);
    finish(&r);
}

static void the_isr_register_is_not_read(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, 1, shared);
    assert_int_equal(rig_negotiate(&r, WANTED, 3, &plain), 0);
    assert_int_equal(virtio_irq_filter(&r.dev, VIRTIO_ISR_QUEUE), 0);
    assert_int_equal(r.dev.errors.early_irq, 1);
    assert_int_equal(virtio_driver_ok(&r.dev), 0);
    r.model.isr = 3;
    assert_int_equal(virtio_irq_ack(&r.dev), 0);
    assert_int_equal(r.model.isr, 3);
    assert_int_equal(virtio_irq_filter(&r.dev, VIRTIO_ISR_QUEUE), VIRTIO_ISR_QUEUE);
    finish(&r);
}

/* The n-th mapping does not read back: the call that made it says so, the next life may do without. */
static void each_mapping_may_be_refused(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 4; n++) {
        struct virtio_rig r;

        start(&r, 2, apart);
        r.model.lies.vector_fails = n;
        assert_int_equal(rig_negotiate(&r, WANTED, 3, &plain), -ENOSPC);
        assert_int_equal(r.dev.errors.vector_refused, 1);
        assert_int_equal(r.dev.state, VIRTIO_BROKEN);
        assert_int_equal(virtio_reset(&r.dev), 0);
        virtio_queues_free(&r.dev);
        virtio_use_vectors(&r.dev, (struct virtio_vectors){0});
        assert_int_equal(rig_negotiate(&r, WANTED, 3, &plain), 0);
        finish(&r);
    }
}

static void a_table_that_is_too_short(void **state)
{
    struct virtio_rig r;

    (void)state;
    start(&r, 1, apart);
    assert_int_equal(rig_negotiate(&r, WANTED, 3, &plain), -ENOSPC);
    finish(&r);
}

/* ---- the balloon ---- */

static void balloon_start(struct virtio_vectors vectors, unsigned entries,
                          uint64_t features)
{
    balloon_rig_init(&b, BALLOON_FEATURES | features, 16384);
    virtio_pci_model_add_msix(&b.v.pci, entries);
    b.opts.vectors = vectors;
    assert_int_equal(balloon_rig_attach(&b), 0);
    balloon_rig_settle(&b);
}

static void a_balloon_lives_on_vectors(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        balloon_start(i ? shared : apart, 2, 0);
        for (uint32_t target = 16000; target > 10; target /= 3) {
            b.host.is_slow = !b.host.is_slow;
            balloon_rig_target(&b, target);
            for (unsigned n = 0; n < 70; n++) {
                balloon_rig_run(&b, NS_PER_MS);
                balloon_rig_answer(&b);
            }
            balloon_rig_settle(&b);
            assert_int_equal(b.host.actual, target);
            balloon_rig_check(&b);
        }
        balloon_rig_ask_stats(&b);
        balloon_rig_run(&b, 20 * NS_PER_MS);
        assert_true(b.host.has_stats);
        assert_int_equal(balloon_rig_status(&b).missed_irqs, 0);
        assert_false(balloon_rig_status(&b).is_polled);
        assert_int_equal(b.v.model.isr, 0);
        balloon_rig_end(&b);
    }
}

/* No message arrives: targets, hints and statistics are found by looking, without the ISR. */
static void lost_messages_are_noticed(void **state)
{
    (void)state;
    balloon_start(apart, 2, BIT64(VIRTIO_BALLOON_F_FREE_PAGE_HINT));
    b.irq_works = false;
    for (uint32_t i = 1; i < 5; i++) {
        balloon_rig_target(&b, i);
        balloon_rig_run(&b, 2 * NS_PER_S);
        assert_int_equal(b.host.actual, i);
    }
    assert_true(balloon_rig_status(&b).is_polled);
    virtio_model_set_config(&b.v.model, 8, 0x80000001);
    balloon_rig_run(&b, NS_PER_S);
    assert_int_equal(b.host.hint_words[0], 0x80000001);
    balloon_rig_ask_stats(&b);
    balloon_rig_run(&b, NS_PER_S);
    assert_true(b.host.has_stats);
    balloon_rig_end(&b);
}

/* R-V-53: a hint id that no configuration change announced is not looked at. */
static void an_unannounced_hint_id_is_not_read(void **state)
{
    const uint32_t id = 0x80000001;

    (void)state;
    balloon_start(apart, 2, BIT64(VIRTIO_BALLOON_F_FREE_PAGE_HINT));
    for (unsigned i = 0; i < 4; i++)
        b.v.model.config[8 + i] = (uint8_t)(id >> 8 * i);
    balloon_rig_run(&b, 3 * NS_PER_S);
    assert_int_equal(b.host.hint_count, 0);
    balloon_rig_end(&b);
}

static void a_restart_maps_again(void **state)
{
    (void)state;
    balloon_start(apart, 2, 0);
    virtio_model_need_reset(&b.v.model);
    balloon_rig_run(&b, 2 * NS_PER_S);
    assert_int_equal(b.v.model.queues[1].vector, 1);
    balloon_rig_target(&b, 1000);
    balloon_rig_settle(&b);
    assert_int_equal(b.host.actual, 1000);
    balloon_rig_end(&b);
}

/* What the kernel does when the device refuses: the same balloon by the ISR register. */
static void refused_vectors_fall_back_to_the_line(void **state)
{
    (void)state;
    balloon_rig_init(&b, BALLOON_FEATURES, 4096);
    virtio_pci_model_add_msix(&b.v.pci, 2);
    b.opts.vectors = apart;
    b.v.model.lies.vector_fails = 2;
    assert_int_equal(balloon_rig_attach(&b), -ENOSPC);
    assert_int_equal(b.v.model.status, 0);
    pci_model_set(&b.v.pci.fn, VPM_CAP_MSIX + 2, 2, 1);
    b.opts.vectors = (struct virtio_vectors){0};
    assert_int_equal(balloon_rig_attach(&b), 0);
    balloon_rig_target(&b, 1000);
    balloon_rig_settle(&b);
    assert_int_equal(b.host.actual, 1000);
    balloon_rig_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_life_maps_its_vectors),
        cmocka_unit_test(queues_spread_over_the_vectors_there_are),
        cmocka_unit_test(without_vectors_nothing_is_mapped),
        cmocka_unit_test(the_isr_register_is_not_read),
        cmocka_unit_test(each_mapping_may_be_refused),
        cmocka_unit_test(a_table_that_is_too_short),
        cmocka_unit_test(a_balloon_lives_on_vectors),
        cmocka_unit_test(lost_messages_are_noticed),
        cmocka_unit_test(an_unannounced_hint_id_is_not_read),
        cmocka_unit_test(a_restart_maps_again),
        cmocka_unit_test(refused_vectors_fall_back_to_the_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
