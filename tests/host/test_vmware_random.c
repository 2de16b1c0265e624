// SPDX-License-Identifier: BSD-2-Clause
/* Lives at random: targets, faults, guests that need their memory, sleep, rings and lost sessions, the
 * rules checked throughout; and every allocation failing once. */
#include "base/bits.h"
#include "base/err.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

#define FRAMES 4096u

static uint64_t below(uint64_t n)
{
    return (uint64_t)rand() % n;
}

static void init_at(unsigned level)
{
    life_init_at(&r, level, FRAMES);
    r.guest.reserve = 16;
}

static void any_fault(void)
{
    static const uint32_t statuses[] = {1, 2, 3, 4, 5, 6, 7, 7, 8, 9, 0x03000000, ~0u};
    bool is_entry = below(3) == 0;

    if (r.host.faults[VH_FAULTS - 1].times || below(4) == 0)
        vmware_host_no_faults(&r.host);
    vmware_host_fault(
        &r.host, (struct vh_fault){.cmd = (uint16_t)(below(12) ? below(VH_CMDS) : VH_ANY),
                                   .skip = (uint32_t)below(60),
                                   .times = (uint32_t)(1 + below(below(10) ? 3 : 600)),
                                   .status = statuses[below(ARRAY_LEN(statuses))],
                                   .entry = is_entry   ? (uint32_t)below(300)
                                            : below(8) ? VH_WHOLE
                                                       : VH_EACH,
                                   .moves_pfn = below(10) == 0});
}

static void guest_event(void)
{
    switch (below(6)) {
    case 0:
        guest_use(&r.guest, below(FRAMES / 2));
        break;
    case 1:
        guest_unuse(&r.guest, below(FRAMES));
        break;
    case 2:
        r.host.is_lenient = true;
        vmware_balloon_oom(r.vb, below(1000));
        break;
    case 3:
        vmware_balloon_suspend(r.vb);
        vmware_rig_run(&r, below(3 * NS_PER_S));
        vmware_balloon_resume(r.vb);
        break;
    case 4:
        r.host.is_lenient = true;
        vmware_balloon_empty(
            r.vb, pfn_of(r.guest.base + below(FRAMES) / BLOCK_FRAMES * BLOCK_FRAMES));
        break;
    default:
        r.hal.fail_at = r.hal.allocs + 1 + (unsigned)below(6);
        break;
    }
}

static void host_event(void)
{
    switch (below(8)) {
    case 0:
        vmware_host_reset(&r.host);
        break;
    case 1:
        r.host.offers = below(2) ? VH_CAPS_ALL : (uint32_t)below(64) & ~1u;
        break;
    case 2:
        r.host.takes_no_surplus = !r.host.takes_no_surplus;
        break;
    case 3:
        r.host.is_deaf = below(6) == 0;
        break;
    case 4:
        r.host.pinned[below(FRAMES)] ^= true;
        break;
    case 5:
        r.host.pinned_group[below(FRAMES / BLOCK_FRAMES)] ^= true;
        break;
    case 6:
        vmware_balloon_ring(r.vb);
        break;
    default:
        any_fault();
        break;
    }
}

static void change_on_the_way(void *ctx)
{
    struct vmware_rig *rig = ctx;

    if (below(40) == 0)
        rig->host.target = below(FRAMES + 200);
    if (below(4000) == 0)
        vmware_host_reset(&rig->host);
}

/* Everything behaves: the target is met, to within what pinned frames allow. */
static void recover(void)
{
    vmware_host_no_faults(&r.host);
    r.host.before = NULL;
    r.host.is_deaf = r.host.takes_no_surplus = false;
    r.host.offers = VH_CAPS_ALL;
    r.hal.fail_at = 0;
    guest_unuse(&r.guest, FRAMES);
    memset(r.host.pinned, 0, sizeof(r.host.pinned));
    memset(r.host.pinned_group, 0, sizeof(r.host.pinned_group));
    vmware_host_reset(&r.host);
    vmware_rig_run(&r, 6 * NS_PER_S); /* the pause after out of memory among it */
    vmware_rig_reach(&r, 2048);
    assert_in_range(vmware_rig_size(&r), 2048, 2048 + 511); /* frames, then groups */
    vmware_rig_reach(&r, 0);
    assert_int_equal(vmware_rig_size(&r), 0);
    assert_int_equal(r.guest.free, FRAMES);
    vmware_rig_end(&r);
}

/* A frame on its way to another place is in neither for a moment: I-10 does not count then. */
static void check_step(struct vmware_rig *rig)
{
    rig->host.is_lenient = vmware_rig_status(rig).is_emptying;
    vmware_rig_check(rig);
}

static void lives_at_random(void **state)
{
    (void)state;
    random_seed();
    for (unsigned life = 0; life < 250; life++) {
        init_at(life % ARRAY_LEN(life_levels));
        r.opts.shrink = below(2);
        r.opts.rates = below(4) == 0;
        r.opts.period_ns = below(2) ? 0 : 30 * NS_PER_MS;
        r.each_step = check_step;
        if (vmware_rig_attach(&r)) {
            vmware_rig_end(&r);
            continue;
        }
        if (below(3) == 0)
            r.host.before = change_on_the_way;
        for (unsigned i = 0; i < 60; i++) {
            if (below(3) == 0)
                guest_event();
            if (below(2) == 0)
                host_event();
            if (below(2) == 0)
                vmware_host_target(&r.host, below(FRAMES + FRAMES / 8));
            vmware_rig_run(&r, below(1200) * NS_PER_MS);
        }
        if (below(2) == 0) {
            recover();
        } else {
            r.host.is_deaf = below(4) == 0;
            vmware_rig_end(&r);
        }
    }
}

/* ---- no memory ---- */

/* A whole life with this allocation failing; returns whether it came to it. */
static bool life_without(unsigned level, unsigned n, bool is_take)
{
    init_at(level);
    if (is_take)
        r.guest.take_fail_at = n;
    else
        r.hal.fail_at = n;
    if (vmware_rig_attach(&r)) {
        assert_null(r.vb);
        vmware_rig_end(&r);
        /* The next try works. */
        init_at(level);
        assert_int_equal(vmware_rig_attach(&r), 0);
    }
    vmware_host_target(&r.host, 3000);
    vmware_rig_cycles(&r, 3);
    vmware_host_target(&r.host, 1000);
    vmware_rig_cycles(&r, 3);
    vmware_host_reset(&r.host);
    vmware_rig_run(&r, 4 * NS_PER_S);
    vmware_rig_reach(&r, 2048);
    assert_in_range(vmware_rig_size(&r), 2048, level ? 2559 : 2048);
    bool was_reached = is_take ? r.guest.takes >= n : r.hal.allocs >= n;
    vmware_rig_end(&r);
    return was_reached;
}

static void each_allocation_fails_once(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++) {
        unsigned n = 1;

        while (life_without(level, n, false))
            n++;
        assert_true(n > 3);
    }
}

static void each_frame_is_refused_once(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++) {
        unsigned n = 1;

        while (life_without(level, n, true))
            n += n < 40 ? 1 : 97;
        assert_true(n > 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lives_at_random),
        cmocka_unit_test(each_allocation_fails_once),
        cmocka_unit_test(each_frame_is_refused_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
