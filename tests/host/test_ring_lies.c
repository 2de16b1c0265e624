// SPDX-License-Identifier: BSD-2-Clause
/* Rings with a device that lies, as far as it can in both formats: each lie of R-H-01..05 breaks the ring by
 * its own counter. */
#include "tests/host/ring.h"

#include <stdlib.h>

static void lie_in_split(struct ring *t)
{
    if (random() % 200 == 0)
        virtio_model_jump(&t->rig.model, 0, (uint16_t)random());
}

static void lie_in_packed(struct ring *t)
{
    if (random() % 100 == 0)
        virtio_model_jump(&t->rig.model, 0, (uint16_t)(random() % 4));
    if (random() % 100 == 0)
        *virtio_model_used_flags(&t->rig.model, 0) = (uint16_t)random();
    if (random() % 50 == 0)
        virtio_model_set_device_event(&t->rig.model, 0, (uint32_t)random());
}

static const struct format {
    const char *name;
    uint64_t features;
    uint32_t beyond[4]; /* ids that the ring does not have */
    void (*lie)(struct ring *t);
    uint64_t at_random;  /* features of every other pair of random runs */
    bool misunderstands; /* a device that lies does, what follows */
} formats[] = {
    {
        .name = "split",
        .beyond = {SIZE, SIZE + 3, 0x10003, UINT32_MAX},
        .lie = lie_in_split,
    },
    {
        .name = "packed",
        .features = PACKED,
        .beyond = {SIZE, SIZE + 3, 0x8000, 0xFFFF},
        .lie = lie_in_packed,
        .at_random = IN_ORDER,
        .misunderstands = true,
    },
};

/* Run the test on each format. */
static void on_each(void (*test)(const struct format *format))
{
    for (unsigned i = 0; i < ARRAY_LEN(formats); i++) {
        print_message("%s\n", formats[i].name);
        test(&formats[i]);
    }
}

static void beyond_the_ring(const struct format *format)
{
    for (unsigned i = 0; i < ARRAY_LEN(format->beyond); i++) {
        struct ring t;

        ring_with_history(&t, WITH_EVENT | format->features);
        virtio_model_push(&t.rig.model, 0, format->beyond[i], 0);
        expect_broken(&t, &vq_errors(t.q)->id_range);
    }
}

static void id_beyond_the_ring(void **state)
{
    (void)state;
    on_each(beyond_the_ring);
}

static void never_posted(const struct format *format)
{
    struct ring t;

    ring_with_history(&t, WITH_EVENT | format->features);
    virtio_model_push(&t.rig.model, 0, 7, 0);
    expect_broken(&t, &vq_errors(t.q)->id_not_posted);
}

static void id_never_posted(void **state)
{
    (void)state;
    on_each(never_posted);
}

static void completed_before(const struct format *format)
{
    struct ring t;

    ring_with_history(&t, WITH_EVENT | format->features);
    virtio_model_push(&t.rig.model, 0, 0, 0);
    expect_broken(&t, &vq_errors(t.q)->id_replayed);
}

static void id_completed_before(void **state)
{
    (void)state;
    on_each(completed_before);
}

static void completed_twice_at_once(const struct format *format)
{
    struct ring t;
    uint32_t written;
    unsigned id;

    ring_with_history(&t, WITH_EVENT | format->features);
    virtio_model_push(&t.rig.model, 0, 3, 0);
    virtio_model_push(&t.rig.model, 0, 3, 0);
    assert_int_equal(pop(&t, &id, &written), 0);
    expect_broken(&t, &vq_errors(t.q)->id_replayed);
}

static void id_completed_twice_at_once(void **state)
{
    (void)state;
    on_each(completed_twice_at_once);
}

static void untouched_ring(const struct format *format)
{
    struct ring t;

    ring_start(&t, WITHOUT_EVENT | format->features);
    virtio_model_jump(&t.rig.model, 0, 1);
    expect_broken(&t, &vq_errors(t.q)->idx_jump);
}

static void completion_in_an_untouched_ring(void **state)
{
    (void)state;
    on_each(untouched_ring);
}

static void length_is_clamped(const struct format *format)
{
    static const uint32_t lengths[] = {17, 4096, 0x80000000, UINT32_MAX};

    for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
        struct ring t;
        uint32_t written;
        unsigned id;

        ring_with_history(&t, WITH_EVENT | format->features);
        virtio_model_push(&t.rig.model, 0, 2, lengths[i]);
        assert_int_equal(pop(&t, &id, &written), 0);
        assert_int_equal(written, 16); /* the writable piece of 1 + 1 */
        virtio_model_push(&t.rig.model, 0, 3, 4);
        assert_int_equal(pop(&t, &id, &written), 0);
        assert_int_equal(written, 0); /* nothing was writable */
        assert_int_equal(vq_errors(t.q)->len_clamped, 2);
        assert_false(vq_is_broken(t.q));
        ring_end(&t);
    }
}

static void written_length_is_clamped(void **state)
{
    (void)state;
    on_each(length_is_clamped);
}

/* One buffer in, maybe; one out of the device, with any id now and then; one back, maybe. */
static void random_step(struct ring *t, const struct format *format, bool out[64])
{
    struct virtio_chain chain;
    unsigned id = (unsigned)random() % 64;
    uint32_t written;
    int err;

    if (!out[id] && add(t, id, 1 + (unsigned)random() % 2, (unsigned)random() % 3) == 0)
        out[id] = true;
    vq_kick(t->q);
    if (virtio_model_pop(&t->rig.model, 0, &chain))
        virtio_model_push(&t->rig.model, 0,
                          random() % 50 ? chain.head : (uint32_t)random() % (2 * SIZE),
                          (uint32_t)random());
    format->lie(t);
    err = pop(t, &id, &written);
    assert_true(err == 0 || err == -EAGAIN || err == -EPROTO);
    if (err)
        return;
    assert_true(out[id]);
    assert_in_range(written, 0, 32);
    out[id] = false;
}

static void random_truths_and_lies(const struct format *format)
{
    for (unsigned run = 0; run < 300; run++) {
        uint64_t features = run % 2 ? WITH_EVENT | WITH_INDIRECT : WITHOUT_EVENT;
        bool out[64] = {false};
        struct ring t;

        ring_start(&t,
                   features | format->features | (run % 4 > 1 ? format->at_random : 0));
        for (unsigned step = 0; step < 200; step++)
            random_step(&t, format, out);
        assert_true(vq_in_flight(t.q) <= SIZE);
        if (format->misunderstands)
            t.rig.model.misuse = 0;
        ring_end(&t);
    }
}

/* Nothing but 0, -EAGAIN and -EPROTO comes out, and a token comes back once. */
static void random_device(void **state)
{
    unsigned seed = 20261122;
    const char *given = getenv("TEST_SEED");

    (void)state;
    if (given)
        seed = (unsigned)strtoul(given, NULL, 0);
    print_message("TEST_SEED=%u\n", seed);
    srandom(seed);
    on_each(random_truths_and_lies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_beyond_the_ring),
        cmocka_unit_test(id_never_posted),
        cmocka_unit_test(id_completed_before),
        cmocka_unit_test(id_completed_twice_at_once),
        cmocka_unit_test(completion_in_an_untouched_ring),
        cmocka_unit_test(written_length_is_clamped),
        cmocka_unit_test(random_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
