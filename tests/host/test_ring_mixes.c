// SPDX-License-Identifier: BSD-2-Clause
/*
 * All mixes of split or packed, INDIRECT, EVENT_IDX and IN_ORDER against a device that obeys: the same
 * random script of adds, kicks, completions, pops and event wishes must give the same log on each, no
 * doorbell and no interrupt that was needed may be missing.
 */
#include "tests/host/ring.h"
#include "tests/model/balloon_host.h" /* random_seed() */

#include <stdlib.h>

#define STEPS   3000u
#define RUNS    20u
#define WAITING 16u

enum op {
    OP_ADD,
    OP_KICK,
    OP_DEVICE,
    OP_POP,
    OP_SLEEP, /* the driver: until the next interrupt */
    OP_EVENTS_OFF,
    OP_COUNT,
};

struct step {
    uint8_t op, a, b;
};

struct player {
    struct ring ring;
    uint64_t log;  /* hash of all that was seen */
    unsigned used; /* ring entries in flight, as if every piece took one */
    unsigned pieces[64];
    bool out[64];
    /* the device: took these, completed none yet */
    struct virtio_chain waiting[WAITING];
    unsigned n;
    bool device_sleeps,
        is_kick_due; /* it found nothing last time; something was added since */
    unsigned kicks;
    bool driver_sleeps;
    unsigned interrupts;
};

static void note(struct player *p, uint64_t value)
{
    p->log = (p->log ^ value) * UINT64_C(0x100000001B3);
}

static void do_add(struct player *p, struct step s)
{
    unsigned id = s.a % 64, n_out = 1 + s.b % 2, n_in = s.b / 2 % 4, n = n_out + n_in;

    if (p->out[id] || p->used + n > SIZE - 1) /* one size smaller is played, too */
        return;
    assert_int_equal(add(&p->ring, id, n_out, n_in), 0);
    p->out[id] = true;
    p->pieces[id] = n;
    p->used += n;
    p->is_kick_due = true;
}

static void do_kick(struct player *p)
{
    unsigned kicks;

    vq_kick(p->ring.q);
    kicks = p->ring.rig.model.queues[0].kicks;
    assert_true(kicks - p->kicks <= 1);
    if (p->device_sleeps && p->is_kick_due)
        assert_int_equal(kicks, p->kicks + 1);
    if (kicks > p->kicks)
        p->device_sleeps = false;
    p->kicks = kicks;
    p->is_kick_due = false;
}

static uint32_t room_of(const struct virtio_chain *chain)
{
    return 16 * (chain->n - chain->n_out);
}

static void complete(struct player *p, unsigned at, unsigned n)
{
    struct virtio_model *m = &p->ring.rig.model;

    virtio_model_push_batch(m, 0, &p->waiting[at], n, room_of(&p->waiting[at + n - 1]));
    p->n -= n;
    memmove(&p->waiting[at], &p->waiting[at + n], (p->n - at) * sizeof(p->waiting[0]));
    if (p->driver_sleeps)
        assert_true(m->queues[0].interrupts > p->interrupts);
    p->driver_sleeps = false;
    p->interrupts = m->queues[0].interrupts;
}

/* Takes some, completes some: as a batch, or one by one, in order or not. */
static void do_device(struct player *p, struct step s, bool is_ordered)
{
    struct virtio_model *m = &p->ring.rig.model;
    bool batches = (m->accepted & IN_ORDER) != 0 && s.b & 0x80;
    unsigned n;

    for (unsigned i = s.a % 8; i > 0 && p->n < WAITING; i--) {
        struct virtio_chain *chain = &p->waiting[p->n];

        if (!virtio_model_pop(m, 0, chain)) {
            p->device_sleeps = true;
            p->is_kick_due = false;
            break;
        }
        p->n++;
        note(p, chain->n << 8 | chain->n_out);
        for (unsigned k = 0; k < chain->n; k++)
            assert_true(chain->segs[k].addr == p->ring.buf.addr + 16 * k);
    }
    n = s.b % 8 < p->n ? s.b % 8 : p->n;
    if (n > 0 && batches)
        complete(p, 0, n);
    else
        for (; n > 0; n--)
            complete(p, is_ordered ? 0 : s.a / 8 % p->n, 1);
}

static bool do_pop(struct player *p)
{
    uint32_t written;
    bool is_there = vq_has_used(p->ring.q);
    unsigned id = 0;
    int err = pop(&p->ring, &id, &written);

    assert_int_equal(err, is_there ? 0 : -EAGAIN);
    if (err)
        return false;
    assert_true(p->out[id]);
    p->out[id] = false;
    p->used -= p->pieces[id];
    note(p, (uint64_t)id << 32 | written);
    note(p, vq_in_flight(p->ring.q));
    return true;
}

static void do_sleep(struct player *p)
{
    while (vq_enable_events(p->ring.q) || vq_has_used(p->ring.q))
        while (do_pop(p))
            ;
    p->driver_sleeps = true;
}

static void do_step(struct player *p, struct step s, bool is_ordered)
{
    switch (s.op % OP_COUNT) {
    case OP_ADD:
        do_add(p, s);
        break;
    case OP_KICK:
        do_kick(p);
        break;
    case OP_DEVICE:
        do_device(p, s, is_ordered);
        break;
    case OP_POP:
        do_pop(p);
        break;
    case OP_SLEEP:
        do_sleep(p);
        break;
    default:
        vq_disable_events(p->ring.q);
        p->driver_sleeps = false;
        break;
    }
}

static uint64_t play(const struct step *script, unsigned mix, uint16_t size,
                     bool is_ordered)
{
    static struct player p;

    memset(&p, 0, sizeof(p));
    ring_start_sized(&p.ring, WITHOUT_EVENT | rig_mix(mix), size);
    p.kicks = p.ring.rig.model.queues[0].kicks;
    for (unsigned i = 0; i < STEPS; i++)
        do_step(&p, script[i], is_ordered);
    /* All comes back in the end. */
    while (vq_in_flight(p.ring.q) > 0) {
        do_device(&p, (struct step){.a = 7, .b = 7}, is_ordered);
        while (do_pop(&p))
            ;
    }
    assert_int_equal(vq_free_entries(p.ring.q), size);
    assert_int_equal(vq_lies(p.ring.q), 0);
    note(&p, vq_stats(p.ring.q)->popped);
    ring_end(&p.ring);
    return p.log;
}

static void random_script(struct step *script)
{
    for (unsigned i = 0; i < STEPS; i++)
        script[i] = (struct step){.op = (uint8_t)(rand() >> 4),
                                  .a = (uint8_t)(rand() >> 4),
                                  .b = (uint8_t)(rand() >> 4)};
}

static void same_script_same_log(bool is_ordered)
{
    static struct step script[STEPS];

    random_seed();
    for (unsigned run = 0; run < RUNS; run++) {
        uint64_t log = 0;

        random_script(script);
        for (unsigned mix = 0; mix < RIG_MIXES; mix++) {
            bool is_packed = (rig_mix(mix) & PACKED) != 0;

            if (!is_ordered && rig_mix(mix) & IN_ORDER)
                continue;
            for (uint16_t size = is_packed ? SIZE - 1 : SIZE; size <= SIZE; size++) {
                uint64_t got = play(script, mix, size, is_ordered);

                if (mix == 0)
                    log = got;
                if (got != log)
                    print_message("%s, %u entries\n", rig_mix_name(mix), (unsigned)size);
                assert_true(got == log);
            }
        }
    }
}

static void all_mixes_do_the_same_in_order(void **state)
{
    (void)state;
    same_script_same_log(true);
}

static void mixes_without_in_order_do_the_same_in_any_order(void **state)
{
    (void)state;
    same_script_same_log(false);
}

/* 32 pieces as a report has them, and 2 as a wide request: one entry with a table, else one each. */
static void long_buffers(void **state)
{
    static const struct virtio_queue_opts opts = {
        .max_size = 64, .indirect_max = 32, .tables = 4};

    (void)state;
    for (unsigned mix = 0; mix < RIG_MIXES; mix++) {
        uint64_t features = WITHOUT_EVENT | rig_mix(mix);
        bool has_tables = (features & BIT64(VIRTIO_F_INDIRECT_DESC)) != 0;
        struct virtio_chain chain;
        struct ring t = {0};
        uint32_t written;
        unsigned id;

        rig_init(&t.rig, features);
        assert_int_equal(rig_open(&t.rig), 0);
        assert_int_equal(rig_negotiate(&t.rig, features, 1, &opts), 0);
        assert_int_equal(virtio_driver_ok(&t.rig.dev), 0);
        assert_int_equal(t.rig.hal.hal.dma_alloc(&t.rig.hal, BUF, &t.buf), 0);
        t.q = t.rig.dev.queues[0];
        for (unsigned round = 0; round < 50; round++) {
            assert_int_equal(add(&t, 0, 0, 32), 0);
            assert_int_equal(add(&t, 1, 2, 0), 0);
            assert_int_equal(vq_free_entries(t.q), has_tables ? 62 : 30);
            assert_true(virtio_model_pop(&t.rig.model, 0, &chain));
            assert_int_equal(chain.n, 32);
            assert_true(chain.segs[31].addr == t.buf.addr + 16 * 31);
            virtio_model_push(&t.rig.model, 0, chain.head, 0);
            assert_true(virtio_model_pop(&t.rig.model, 0, &chain));
            assert_int_equal(chain.n, 2);
            virtio_model_push(&t.rig.model, 0, chain.head, 0);
            for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(pop(&t, &id, &written), 0);
                assert_int_equal(id, i);
            }
        }
        ring_end(&t);
    }
}

/* Each allocation of a queue fails once, in both formats. */
static void any_allocation_may_fail(void **state)
{
    static const struct virtio_queue_opts opts = {
        .max_size = SIZE, .indirect_max = 4, .tables = 2};

    (void)state;
    for (unsigned mix = 0; mix < RIG_MIXES; mix++) {
        uint64_t features = WITHOUT_EVENT | rig_mix(mix);
        unsigned failures = 0;

        for (unsigned n = 1; n < 6; n++) {
            struct virtio_rig r;
            int err;

            rig_init(&r, features);
            assert_int_equal(rig_open(&r), 0);
            r.hal.fail_at = r.hal.allocs + n;
            err = rig_negotiate(&r, features, 1, &opts);
            failures += err == -ENOMEM;
            assert_true(err == 0 || err == -ENOMEM);
            if (err)
                assert_int_equal(rig_negotiate(&r, features, 1, &opts), 0);
            assert_int_equal(rig_end(&r), 0);
        }
        assert_int_equal(failures, rig_mix(mix) & WITH_INDIRECT ? 3 : 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_mixes_do_the_same_in_order),
        cmocka_unit_test(mixes_without_in_order_do_the_same_in_any_order),
        cmocka_unit_test(long_buffers),
        cmocka_unit_test(any_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
