// SPDX-License-Identifier: BSD-2-Clause
/* What every transport does alike, however its registers look: buffers, resets slow and endless, vectors that
 * are not there, rings out of reach (R-T-02, R-T-04, R-T-20). */
#include "drivers/virtio/queue/vq_format.h"
#include "tests/host/virtio_life.h"

static void begin(struct virtio_rig *r, enum rig_kind kind)
{
    rig_init_on(r, kind, RIG_FEATURES | BIT64(27) | BIT64(30));
    r->model.process = echo;
    assert_int_equal(rig_open(r), 0);
    print_message("%s\n", r->ops->name);
}

static void buffers_go_round(void **state)
{
    struct virtio_rig r;
    uint32_t written;
    void *token;

    (void)state;
    for (enum rig_kind kind = 0; kind < RIG_KINDS; kind++) {
        begin(&r, kind);
        for (unsigned life = 0; life < 3; life++) {
            go_live(&r);
            for (unsigned i = 0; i < 300; i++) {
                struct vq *q = r.dev.queues[i % 3];
                struct vq_seg seg = {.addr = r.model.queues[0].desc, .len = 8};

                assert_int_equal(vq_add(q, &seg, 1, 0, &r), 0);
                assert_true(vq_kick(q));
                assert_int_equal(vq_pop(q, &token, &written), 0);
            }
            assert_int_equal(virtio_reset(&r.dev), 0);
            r.ops->notify(r.ops->ctx, 0); /* forgotten by the reset */
            virtio_queues_free(&r.dev);
        }
        assert_int_equal(r.model.queues[0].kicks, 300);
        finish(&r);
    }
}

/* Without MSI-X; on PCI its registers are then configuration: not touched. */
static void vectors_without_msix_are_refused(void **state)
{
    struct virtio_rig r;

    (void)state;
    for (enum rig_kind kind = 0; kind < RIG_KINDS; kind++) {
        begin(&r, kind);
        virtio_use_vectors(&r.dev, (struct virtio_vectors){.is_msix = true});
        assert_int_equal(rig_negotiate(&r, WANTED, 3, &plain), -ENOSPC);
        assert_int_equal(r.ops->queue_vector(r.ops->ctx, 0, 1), VIRTIO_NO_VECTOR);
        assert_int_equal(r.ops->queue_vector(r.ops->ctx, 0, 0), VIRTIO_NO_VECTOR);
        assert_int_equal(virtio_model_config(&r.model, 0), 0);
        finish(&r);
    }
}

/* The page number of a legacy device has 32 bits. */
static void a_ring_that_the_device_cannot_reach(void **state)
{
    static const enum rig_kind kinds[] = {RIG_PCI_LEGACY, RIG_MMIO_LEGACY};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
        struct virtio_rig r;
        struct vq *q;

        begin(&r, kinds[i]);
        assert_int_equal(rig_negotiate(&r, WANTED, 0, &plain), 0);
        r.hal.next_addr = BIT64(44);
        assert_int_equal(virtio_queue_create(&r.dev, 0, &plain, &q), -EPROTO);
        assert_int_equal(
            r.legacy.errors.queue_address + r.mmio_transport.errors.queue_address, 1);
        assert_false(r.model.queues[0].enabled);
        finish(&r);
    }
}

static void resets_may_be_slow_or_never_end(void **state)
{
    struct virtio_rig r;

    (void)state;
    for (enum rig_kind kind = 0; kind < RIG_KINDS; kind++) {
        begin(&r, kind);
        go_live(&r);
        r.model.lies.reset_polls = 5;
        assert_int_equal(virtio_reset(&r.dev), 0);
        virtio_queues_free(&r.dev);
        r.model.lies.reset_hangs = true;
        assert_int_equal(virtio_reset(&r.dev), -ETIMEDOUT);
        finish(&r);
    }
}

static void a_device_that_resets_itself_is_noticed(void **state)
{
    struct virtio_rig r;

    (void)state;
    for (enum rig_kind kind = 0; kind < RIG_KINDS; kind++) {
        begin(&r, kind);
        go_live(&r);
        virtio_model_status_write(&r.model, 0);
        assert_int_equal(virtio_poll_status(&r.dev), -EPROTO);
        assert_int_equal(r.dev.errors.status_lost, 1);
        assert_int_equal(virtio_reset(&r.dev), 0);
        virtio_queues_free(&r.dev);
        go_live(&r);
        virtio_model_need_reset(&r.model);
        assert_int_equal(virtio_poll_status(&r.dev), -EPROTO);
        assert_int_equal(r.dev.errors.needs_reset, 1);
        finish(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_go_round),
        cmocka_unit_test(vectors_without_msix_are_refused),
        cmocka_unit_test(a_ring_that_the_device_cannot_reach),
        cmocka_unit_test(resets_may_be_slow_or_never_end),
        cmocka_unit_test(a_device_that_resets_itself_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
