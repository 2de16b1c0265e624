// SPDX-License-Identifier: BSD-2-Clause
/*
 * A ring of any mix of features under a device that writes what it likes into the shared memory at any
 * time. Whatever it does: a token comes back at most once per add, the written length fits the buffer, a broken queue
 * stays broken, and a reset gives everything back.
 */
#include "tests/fuzz/stream.h"
#include "tests/model/virtio_rig.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS 32u
#define STEPS  2000u

struct fuzz {
    struct virtio_rig rig;
    struct stream in;
    struct vq *q;
    struct dma_mem buf;
    struct {
        bool out; /* with the device */
        uint32_t writable;
    } tokens[TOKENS];
    bool was_broken;
};

static void must(bool promise)
{
    if (!promise)
        abort();
}

static void do_add(struct fuzz *f)
{
    unsigned id = take8(&f->in) % TOKENS;
    unsigned n_out = take8(&f->in) % 6, n_in = take8(&f->in) % 6;
    struct vq_seg segs[10];
    int err;

    if (f->tokens[id].out)
        return;
    for (unsigned i = 0; i < n_out + n_in; i++)
        segs[i] = (struct vq_seg){.addr = f->buf.addr + 8 * i, .len = 8};
    err = vq_add(f->q, segs, n_out, n_in, &f->tokens[id]);
    must(err == 0 || err == -ENOSPC || err == -EINVAL || err == -EPROTO);
    must(!f->was_broken || err == -EPROTO);
    if (err == 0) {
        f->tokens[id].out = true;
        f->tokens[id].writable = 8 * n_in;
    }
}

static void do_pop(struct fuzz *f)
{
    uint32_t written;
    void *token;
    int err = vq_pop(f->q, &token, &written);

    must(err == 0 || err == -EAGAIN || err == -EPROTO);
    must(!f->was_broken || err == -EPROTO);
    must(vq_lies(f->q) >= vq_is_broken(f->q));
    f->was_broken = vq_is_broken(f->q);
    must(f->was_broken == (err == -EPROTO));
    if (err)
        return;

    size_t id = (size_t)((char *)token - (char *)f->tokens) / sizeof(f->tokens[0]);

    must(id < TOKENS && f->tokens[id].out && written <= f->tokens[id].writable);
    f->tokens[id].out = false;
}

/* Up to four buffers by one completion. */
static void complete_batch(struct fuzz *f)
{
    struct virtio_model *m = &f->rig.model;
    struct virtio_chain chains[4];
    unsigned n = 0;

    while (n < ARRAY_LEN(chains) && virtio_model_pop(m, 0, &chains[n]))
        n++;
    if (n > 0)
        virtio_model_push_batch(m, 0, chains, n, take32(&f->in));
}

/* The device completes properly, or with any id, or moves its index. */
static void do_device(struct fuzz *f, uint8_t how)
{
    struct virtio_model *m = &f->rig.model;
    struct virtio_chain chain;

    switch (how % 4) {
    case 0:
        if (virtio_model_pop(m, 0, &chain))
            virtio_model_push(m, 0, chain.head, take32(&f->in));
        break;
    case 1:
        complete_batch(f);
        break;
    case 2:
        virtio_model_push(m, 0, take8(&f->in), take32(&f->in));
        break;
    default:
        virtio_model_jump(m, 0, take16(&f->in));
        break;
    }
}

/* The device writes anywhere in the ring's memory, tables of indirect descriptors included. */
static void do_scribble(struct fuzz *f)
{
    struct hal_model_dma *mem = &f->rig.hal.dma[take8(&f->in) % 2];
    uint16_t at = take16(&f->in);

    if (mem->ptr)
        ((uint8_t *)mem->ptr)[at % mem->size_bytes] = take8(&f->in);
}

static void step(struct fuzz *f)
{
    uint8_t op = take8(&f->in);

    switch (op % 8) {
    case 0:
    case 1:
        do_add(f);
        break;
    case 2:
        vq_kick(f->q);
        break;
    case 3:
        do_pop(f);
        break;
    case 4:
    case 5:
        do_device(f, op >> 4);
        break;
    case 6:
        do_scribble(f);
        break;
    default:
        if (op & 0x80)
            vq_enable_events(f->q);
        else
            vq_disable_events(f->q);
        break;
    }
    must(vq_in_flight(f->q) <= vq_size(f->q) && vq_free_entries(f->q) <= vq_size(f->q));
}

/* The first byte chooses the mix and, in its upper half, the queue's size. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct virtio_queue_opts opts = {.indirect_max = 4, .tables = 2};
    struct fuzz *f = calloc(1, sizeof(*f));
    uint64_t features;
    uint8_t mix;

    must(f != NULL);
    f->in = (struct stream){.data = data, .left = size};
    mix = take8(&f->in);
    features = BIT64(VIRTIO_F_VERSION_1) | rig_mix(mix % RIG_MIXES);
    opts.max_size = (uint16_t)(1 + mix / RIG_MIXES);
    rig_init(&f->rig, features);
    must(rig_open(&f->rig) == 0);
    must(rig_negotiate(&f->rig, features, 1, &opts) == 0);
    must(virtio_driver_ok(&f->rig.dev) == 0);
    must(f->rig.hal.hal.dma_alloc(&f->rig.hal, 4096, &f->buf) == 0);
    f->q = f->rig.dev.queues[0];

    for (unsigned i = 0; i < STEPS && f->in.left > 0; i++)
        step(f);

    f->rig.hal.hal.dma_free(&f->rig.hal, &f->buf);
    must(rig_end(&f->rig) == 0);
    free(f);
    return 0;
}
