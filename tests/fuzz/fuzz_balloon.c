// SPDX-License-Identifier: BSD-2-Clause
/*
 * The whole balloon driver between a guest that lives its life and a host that does what the input says.
 * The first bytes choose the host (transport, ring, features, or one of the known hosts) and how the driver
 * works with it; then each byte is an event: targets, slow answers, statistics, hints, reports of freed
 * memory; wrong ids, scribbled rings, registers that lie, resets out of nowhere, silence; memory that runs
 * out; sleep, detach, removal, a new device.
 *
 * No frame is ever given back twice or without having been taken, and the guest's count of what the driver
 * has is the driver's. A host that has not lied finds every rule kept. When it behaves again the driver
 * serves again, and a detach ends with everything returned, unless the device is dead.
 */
#include "tests/fuzz/balloon_events.h"
#include "tests/model/profiles.h"

#define FRAMES    4096u
#define TARGET    (FRAMES / 8) /* of an honest host in the end */
#define STEPS_MAX 4000u        /* of the driver, in one input */

static struct balloon_rig r;
static struct virtio_model honest; /* what it offers when it does not lie */
static bool has_lied;

static enum virtio_balloon_state state(void)
{
    return balloon_rig_status(&r).state;
}

/* ---- the guest ---- */

/* The device is pulled out and another put in. */
static void swap_device(void)
{
    virtio_balloon_remove(r.vb);
    virtio_model_status_write(&r.v.model, 0);
    has_lied = true; /* the host was not told of what went back */
}

/* False: no driver is left. */
static bool attach_again(void)
{
    if (state() != VIRTIO_BALLOON_OFF)
        return true;
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    return balloon_rig_attach(&r) == 0;
}

static bool owner_event(unsigned what)
{
    switch (what) {
    case 0:
        virtio_balloon_use_polling(r.vb);
        return true;
    case 1:
        virtio_balloon_detach(r.vb);
        return true;
    case 2:
        if (state() != VIRTIO_BALLOON_DEAD)
            swap_device();
        return true;
    default:
        return attach_again();
    }
}

/* The upper bit: a block is to be emptied; else what becomes of the device. */
static bool block_or_owner_event(unsigned what)
{
    if (!(what & 0x80))
        return owner_event(what & 3);
    virtio_balloon_empty(r.vb, pfn_of(r.guest.base + (what & 7) * BLOCK_FRAMES));
    return true;
}

static bool guest_event(struct stream *in, unsigned what)
{
    switch (what) {
    case 0:
        guest_use(&r.guest, take16(in) % FRAMES);
        break;
    case 1:
        guest_unuse(&r.guest, take16(in) % FRAMES);
        virtio_balloon_memory_freed(r.vb);
        break;
    case 2:
        virtio_balloon_oom(r.vb, take16(in));
        break;
    case 3:
        r.v.hal.fail_at = r.v.hal.allocs + 1 + take8(in) % 16;
        break;
    case 4:
        r.guest.take_fail_at = r.guest.takes + 1 + take8(in) % 16;
        break;
    case 5:
        virtio_balloon_recall_hinted(r.vb, take16(in));
        break;
    case 6:
        if (state() == VIRTIO_BALLOON_ASLEEP)
            virtio_balloon_resume(r.vb, r.opts.vectors);
        else
            virtio_balloon_quiesce(r.vb);
        break;
    default:
        return block_or_owner_event(take8(in));
    }
    return true;
}

/* ---- promises ---- */

static void check(void)
{
    struct virtio_balloon_status status = balloon_rig_status(&r);

    model_equal(r.guest.returned_twice, 0);
    if (status.state == VIRTIO_BALLOON_DEAD)
        return;
    model_equal(status.held_frames + status.in_flight_frames + status.hinted_frames,
                r.guest.driver);
    model_equal(status.size_pages,
                status.held_frames + status.owed_frames + status.deflating_frames);
    if (!has_lied)
        balloon_rig_check(&r);
}

static bool live(struct stream *in)
{
    while (in->left > 0 && r.steps < STEPS_MAX) {
        uint8_t event = take8(in);
        bool has_driver = true;

        if (event & 0x80) {
            balloon_rig_run(&r, (event & 0x7F) * 10 * NS_PER_MS);
            r.v.model.lies.config_spins = false; /* work for every step of the driver */
        } else if (event & 0x40) {
            host_event(&r, in, event & 15);
        } else if (event & 0x20) {
            has_lied = true;
            lie(&r, in, event & 15);
        } else {
            has_driver = guest_event(in, event & 7);
        }
        if (!has_driver)
            return false;
        check();
    }
    return true;
}

/* The host behaves from here on; one that does not even reset stays dead. */
static void behave(void)
{
    struct virtio_model *m = &r.v.model;

    m->lies = (struct virtio_lies){.reset_hangs = m->lies.reset_hangs};
    r.v.mmio.lies = (struct virtio_mmio_lies){0};
    r.v.pci.msix_flip[3] = 0;
    m->offered = honest.offered;
    for (unsigned i = 0; i < VIRTIO_MODEL_QUEUES; i++)
        m->queues[i].max = honest.queues[i].max;
    r.host.is_slow = r.host.is_hint_slow = false;
    r.host.request_ns = 0;
    r.v.hal.fail_at = 0;
    r.guest.take_fail_at = 0;
    balloon_rig_answer(&r);
}

/* It lives again, and is as large as the host wants and the guest can. */
static void check_service(void)
{
    struct virtio_balloon_status status = balloon_rig_status(&r);

    if (status.state == VIRTIO_BALLOON_OFF || status.state == VIRTIO_BALLOON_DEAD)
        return;
    model_equal(status.state, VIRTIO_BALLOON_LIVE);
    model_true(status.size_pages == TARGET ||
               (status.size_pages < TARGET && r.guest.free <= r.guest.reserve));
    model_equal(r.host.actual, status.size_pages);
}

static void end(void)
{
    behave();
    balloon_rig_run(&r, 10 * NS_PER_S); /* it may be about to fall asleep */
    virtio_balloon_resume(r.vb, r.opts.vectors);
    balloon_rig_target(&r, TARGET);
    balloon_rig_run(&r, 200 * NS_PER_S);
    check();
    check_service();
    virtio_balloon_detach(r.vb);
    balloon_rig_run(&r, 200 * NS_PER_S);
    struct virtio_balloon_status status = balloon_rig_status(&r);
    model_true(status.state == VIRTIO_BALLOON_OFF || status.state == VIRTIO_BALLOON_DEAD);
    model_equal(r.guest.driver, status.quarantined_frames);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    model_equal(r.v.hal.mem_live, 0);
    model_equal(r.guest.accounted, 0);
    model_true(r.v.hal.dma_live == 0 || status.state == VIRTIO_BALLOON_DEAD);
}

/* ---- the beginning ---- */

static void init_known_host(unsigned which)
{
    profile_init(&r, &host_profiles[which % HOST_PROFILES], FRAMES);
}

/* In the order of the features that there are. */
static void number_queues(uint64_t features)
{
    static const uint64_t feature_of[VIRTIO_BALLOON_QUEUES] = {
        [VIRTIO_BALLOON_STATS] = BIT64(VIRTIO_BALLOON_F_STATS_VQ),
        [VIRTIO_BALLOON_HINT] = BIT64(VIRTIO_BALLOON_F_FREE_PAGE_HINT),
        [VIRTIO_BALLOON_REPORT] = BIT64(VIRTIO_BALLOON_F_REPORTING),
    };
    uint16_t next = 0, number[VIRTIO_BALLOON_QUEUES];

    for (unsigned i = 0; i < VIRTIO_BALLOON_QUEUES; i++) {
        bool is_there = !feature_of[i] || (features & feature_of[i]);

        number[i] = is_there ? next++ : VIRTIO_BALLOON_NO_QUEUE;
    }
    balloon_rig_queues(&r, number);
}

/* Bits 0 to 5 are the balloon's; with bit 6 the host insists on ACCESS_PLATFORM, with bit 7 the rest is a
 * lottery. */
static void init_any_host(struct stream *in, uint8_t offers, uint8_t place)
{
    uint64_t features =
        BIT64(VIRTIO_F_VERSION_1) | (offers & 0x3F) | rig_mix(place >> 2 & 15);
    uint64_t insists = offers & 0x40 ? BIT64(VIRTIO_F_ACCESS_PLATFORM) : 0;

    if (offers & 0x80)
        features ^= take64(in);
    balloon_rig_init_on(&r, place % RIG_KINDS, features | insists, FRAMES);
    number_queues(features);
    r.v.model.insists = insists;
    if ((place & 0x80) && r.v.kind == RIG_PCI_MODERN) {
        virtio_pci_model_add_msix(&r.v.pci, 2);
        r.opts.vectors = (struct virtio_vectors){.is_msix = true, .queues = 1};
    }
}

static void choose_ways(uint8_t ways, uint8_t wants)
{
    static const uint64_t delays_ns[] = {0, NS_PER_MS, 10 * NS_PER_MS, NS_PER_S};

    r.opts.is_polled = ways & 1;
    r.opts.early_return = ways & 2;
    r.opts.inflight = 1 + (ways >> 2 & 7);
    r.opts.wide = (ways >> 5) % 3;
    r.opts.accept_oom = !(wants & 1);
    r.opts.hint = !(wants & 2);
    r.opts.frees_zeroed = wants & 4;
    r.opts.classic_stats = wants & 8;
    r.opts.report_delay_ns = delays_ns[wants >> 4 & 3];
    r.opts.report_batch = wants & 0x40 ? 3 : 32;
    r.opts.reset_limit = wants & 0x80 ? VIRTIO_BALLOON_RESETS_MAX : 3;
    r.opts.poll_interval_ns = 300 * NS_PER_MS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream in = {.data = data, .left = size};
    uint8_t offers = take8(&in), place = take8(&in);
    uint8_t reserve = take8(&in), ways = take8(&in), wants = take8(&in);

    has_lied = false;
    if (place & 0x40)
        init_known_host(place & 0x3F);
    else
        init_any_host(&in, offers, place);
    honest = r.v.model;
    r.v.model.batches = true;
    r.v.hal.relax_ns = 10 * NS_PER_MS;
    r.v.hal.look_ns = 5 * NS_PER_US; /* or work without an end would end no step */
    r.guest.reserve = reserve;
    choose_ways(ways, wants);
    if (!balloon_rig_attach(&r) && live(&in))
        end();
    rig_end(&r.v);
    return 0;
}
