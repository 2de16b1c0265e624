// SPDX-License-Identifier: BSD-2-Clause
/*
 * What vq_add() and vq_pop() cost on this host, in ns per buffer, for each format and kind of buffer. The
 * model device completes between the timed parts; medians of many rounds of 64 buffers.
 */
#include "tests/model/virtio_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BUFFERS 64u
#define ROUNDS  2001u

struct bench {
    struct virtio_rig rig;
    struct vq *q;
    struct vq_seg segs[32];
    double add_ns[ROUNDS], pop_ns[ROUNDS];
};

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void check(bool is_true)
{
    if (!is_true)
        abort();
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof(values[0]), by_value);
    return values[ROUNDS / 2];
}

static void start(struct bench *b, unsigned mix)
{
    static const struct virtio_queue_opts opts = {
        .max_size = 128, .indirect_max = 32, .tables = BUFFERS};
    uint64_t features = BIT64(VIRTIO_F_VERSION_1) | rig_mix(mix);
    struct dma_mem buf;

    rig_init(&b->rig, features);
    check(rig_open(&b->rig) == 0);
    check(rig_negotiate(&b->rig, features, 1, &opts) == 0);
    check(virtio_driver_ok(&b->rig.dev) == 0);
    check(b->rig.hal.hal.dma_alloc(&b->rig.hal, 4096, &buf) == 0);
    b->q = b->rig.dev.queues[0];
    for (unsigned i = 0; i < ARRAY_LEN(b->segs); i++)
        b->segs[i] = (struct vq_seg){.addr = buf.addr, .len = 64};
}

static void complete_all(struct bench *b)
{
    struct virtio_chain chain;

    while (virtio_model_pop(&b->rig.model, 0, &chain))
        virtio_model_push(&b->rig.model, 0, chain.head, 0);
}

static void measure(struct bench *b, unsigned mix, unsigned segs, unsigned buffers)
{
    start(b, mix);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t begin = now_ns();
        uint32_t written;
        void *token;

        for (unsigned i = 0; i < buffers; i++)
            check(vq_add(b->q, b->segs, segs, 0, b) == 0);
        b->add_ns[round] = (double)(now_ns() - begin) / buffers;
        complete_all(b);
        begin = now_ns();
        for (unsigned i = 0; i < buffers; i++)
            check(vq_pop(b->q, &token, &written) == 0);
        b->pop_ns[round] = (double)(now_ns() - begin) / buffers;
    }
    printf("%-34s %2u segments  add %6.1f  pop %6.1f ns\n", rig_mix_name(mix), segs,
           median(b->add_ns), median(b->pop_ns));
    virtio_reset(&b->rig.dev);
    rig_end(&b->rig);
}

int main(void)
{
    static const unsigned mixes[] = {1, 3, 5, 7, 9, 13}; /* all with EVENT_IDX */
    static const unsigned segs[] = {1, 2, 32};
    static struct bench b;

    for (unsigned s = 0; s < ARRAY_LEN(segs); s++)
        for (unsigned m = 0; m < ARRAY_LEN(mixes); m++) {
            unsigned room = mixes[m] & 2 ? 128 : 128 / segs[s];

            measure(&b, mixes[m], segs[s], room < BUFFERS ? room : BUFFERS);
        }
    return 0;
}
