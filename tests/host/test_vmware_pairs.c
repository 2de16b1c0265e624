// SPDX-License-Identifier: BSD-2-Clause
/* Every command answered with every status, early, in the middle and in bursts, at every level: whatever the
 * host says, no frame is lost or has two owners, rules hold, and when it behaves again the target is met. */
#include "base/bits.h"
#include "base/err.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

#define FRAMES 2048u

static const uint32_t statuses[] = {0x03000000, 1, 2, 3,   4,          5,          6,
                                    7,          8, 9, 100, 0x03000001, 0x80000000, ~0u};

static void init_at(unsigned level)
{
    life_init_at(&r, level, FRAMES);
    r.guest.reserve = 16;
}

/* Up, down and up again, with pages of each size both ways, under the faults as they are, and new sessions in
 * between; false: it did not attach. */
static bool live(void)
{
    static const uint64_t targets[] = {1500, 100, 1900, 0, 1900, 0, 1900, 0, 700};

    vmware_host_target(&r.host, 1500);
    if (vmware_rig_attach(&r)) {
        assert_null(r.vb);
        vmware_rig_end(&r);
        return false;
    }
    vmware_rig_cycle(&r);
    for (unsigned i = 0; i < ARRAY_LEN(targets); i++)
        life_cycle_to(&r, targets[i]);
    for (unsigned i = 0; i < 3; i++) {
        vmware_host_reset(&r.host);
        vmware_rig_cycles(&r, 2);
    }
    return true;
}

/* The host behaves again; a new session, because some answers are believed until there is one. */
static void recover(void)
{
    vmware_host_no_faults(&r.host);
    r.host.is_deaf = false;
    vmware_host_reset(&r.host);
    vmware_rig_cycles(&r, 3);
    vmware_rig_reach(&r, 1024);
    assert_int_equal(vmware_rig_size(&r), 1024);
    vmware_rig_reach(&r, 0);
    assert_int_equal(vmware_rig_size(&r), 0);
    assert_int_equal(r.guest.free, FRAMES);
    vmware_rig_end(&r);
}

/* Whether the host was asked so that it could answer like that. */
static bool pair(unsigned level, struct vh_fault fault)
{
    init_at(level);
    vmware_host_fault(&r.host, fault);
    bool is_attached = live();
    uint64_t hits = r.host.hits;

    if (is_attached)
        recover();
    return hits > 0;
}

/* A session of this level sends it. */
static bool has_command(unsigned level, unsigned cmd)
{
    bool is_single = !(life_levels[level] & VH_CAP_BATCH);

    switch (cmd) {
    case VH_LOCK:
    case VH_UNLOCK:
        return is_single;
    case VH_BATCH_LOCK:
    case VH_BATCH_UNLOCK:
        return !is_single;
    case VH_BATCH_2M_LOCK:
    case VH_BATCH_2M_UNLOCK:
        return life_levels[level] & VH_CAP_BATCH_2M;
    case VH_DOORBELL_SET:
        return life_levels[level] & VH_CAP_DOORBELL;
    default:
        return cmd != VH_NEVER;
    }
}

/* The first, the second, one in the middle, many, and all but some. */
static void every_time(unsigned level, uint16_t cmd, uint32_t status)
{
    const struct {
        uint32_t skip, times;
    } when[] = {{0, 1},
                {1, 1},
                {cmd == VH_LOCK || cmd == VH_UNLOCK ? 40 : 2, 1},
                {0, 20},
                {2, VH_EVERY}};

    for (unsigned i = 0; i < ARRAY_LEN(when); i++)
        assert_true(pair(level, (struct vh_fault){.cmd = cmd,
                                                  .skip = when[i].skip,
                                                  .times = when[i].times,
                                                  .status = status,
                                                  .entry = VH_WHOLE}));
}

static void every_status_of_every_command(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++)
        for (unsigned cmd = 0; cmd < VH_CMDS; cmd++)
            for (unsigned s = 0; has_command(level, cmd) && s < ARRAY_LEN(statuses); s++)
                every_time(level, (uint16_t)cmd, statuses[s]);
}

static void every_status_of_everything(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++)
        for (unsigned s = 0; s < ARRAY_LEN(statuses); s++)
            for (uint32_t skip = 1; skip < 12; skip++)
                assert_true(pair(level, (struct vh_fault){.cmd = VH_ANY,
                                                          .skip = skip,
                                                          .times = VH_EVERY,
                                                          .status = statuses[s],
                                                          .entry = VH_WHOLE}));
}

static void every_status_of_every_entry(void **state)
{
    /* of small pages, and of the three groups that there are */
    static const uint32_t entries[][4] = {{0, 1, 255, VH_EACH}, {0, 1, 2, VH_EACH}};

    (void)state;
    for (unsigned level = 2; level < 4; level++)
        for (unsigned cmd = VH_BATCH_LOCK; cmd <= VH_BATCH_2M_UNLOCK; cmd++)
            for (uint32_t status = 0; has_command(level, cmd) && status < 32; status++)
                for (unsigned i = 0; i < 2 * ARRAY_LEN(entries[0]); i++)
                    assert_true(
                        pair(level, (struct vh_fault){
                                        .cmd = (uint16_t)cmd,
                                        .times = i & 1 ? VH_EVERY : 1,
                                        .status = status,
                                        .entry = entries[cmd >= VH_BATCH_2M_LOCK][i / 2],
                                        .moves_pfn = status % 2}));
}

/* START grants anything at all, again and again something else. */
static void every_set_of_capabilities(void **state)
{
    (void)state;
    for (uint32_t caps = 0; caps < 64; caps++) {
        init_at(4);
        vmware_host_fault(&r.host, (struct vh_fault){.cmd = VH_START,
                                                     .times = 1,
                                                     .entry = VH_WHOLE,
                                                     .has_caps = true,
                                                     .caps = caps});
        vmware_host_fault(&r.host, (struct vh_fault){.cmd = VH_START,
                                                     .times = 1,
                                                     .entry = VH_WHOLE,
                                                     .has_caps = true,
                                                     .caps = ~caps});
        assert_true(live());
        vmware_host_reset(&r.host);
        vmware_rig_cycles(&r, 2);
        life_cycle_to(&r, 1500);
        recover();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_of_every_command),
        cmocka_unit_test(every_status_of_everything),
        cmocka_unit_test(every_status_of_every_entry),
        cmocka_unit_test(every_set_of_capabilities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
