// SPDX-License-Identifier: BSD-2-Clause
/* The modern policy with the rates of the classic one (test_vmware_classic.c has theirs): at every level a cycle
 * moves no more than its rate, rounded up to whole pages. */
#include "base/bits.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

static const uint32_t levels[] = {VH_CAP_BASIC, VH_CAP_BASIC | VH_CAP_BATCH, VH_CAPS_ALL};

static struct vmware_balloon_status status(void)
{
    return vmware_rig_status(&r);
}

static void begin(uint32_t offers, uint64_t frames)
{
    vmware_rig_init(&r, offers, frames);
    r.opts.rates = true;
    life_start(&r);
}

static void a_cycle_each_second_up_to_the_rate(void **state)
{
    static const uint64_t sizes[] = {16384, 32768, 49152, 50176, 50176};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        begin(levels[i], 61440);
        vmware_host_target(&r.host, 50176);
        life_expect_sizes(&r, sizes, ARRAY_LEN(sizes));
        assert_int_equal(status().rate_alloc, 2048);
        assert_int_equal(status().count.cansleep_alloc.total, 0);

        uint64_t cycles = status().count.timer;
        vmware_rig_run(&r, 10 * NS_PER_S);
        assert_in_range(status().count.timer - cycles, 9, 10);
        vmware_rig_end(&r);
    }
}

/* A ring would begin a cycle before its time. */
static void no_doorbell_is_asked_for(void **state)
{
    (void)state;
    begin(VH_CAPS_ALL, 4096);
    assert_int_equal(status().wished_caps, VH_CAPS_ALL & ~VMWARE_CAP_SIGNALLED);
    assert_int_equal(r.bells, 0);
    vmware_rig_end(&r);
}

/* No free memory in the middle of a cycle: it goes on slowly, and so do three more. */
static void memory_that_must_be_made(void **state)
{
    static const uint64_t sizes[] = {4096, 6144, 8192, 24576};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        begin(levels[i], 61440);
        life_leave(&r, 100, true);
        life_cycle_to(&r, 50176);
        assert_int_equal(vmware_rig_size(&r), 2048);
        assert_int_equal(status().slow_cycles, 4);
        assert_int_equal(status().rate_alloc, 2048);
        life_relax(&r);
        life_expect_sizes(&r, sizes, ARRAY_LEN(sizes));
        assert_int_equal(status().slow_cycles, 0);
        vmware_rig_end(&r);
    }
}

static void memory_that_cannot_be_had(void **state)
{
    static const uint32_t rates[] = {1024, 512, 512};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        begin(levels[i], 4096);
        life_leave(&r, 100, false);
        vmware_host_target(&r.host, 4000);
        for (unsigned n = 0; n < ARRAY_LEN(rates); n++) {
            vmware_rig_cycle(&r);
            assert_int_equal(vmware_rig_size(&r), 100);
            assert_int_equal(status().rate_alloc, rates[n]);
        }
        vmware_rig_end(&r);
    }
}

/* Short of free memory when a cycle has moved enough: nothing is made for it. */
static void free_memory_ends_late(void **state)
{
    (void)state;
    begin(VH_CAP_BASIC | VH_CAP_BATCH, 61440);
    life_leave(&r, 5000, true);
    life_cycle_to(&r, 50000);
    assert_int_equal(vmware_rig_size(&r), 5000);
    assert_int_equal(status().slow_cycles, 4);
    assert_int_equal(status().rate_alloc, 2048);
    assert_int_equal(status().count.cansleep_alloc.total, 0);
    vmware_rig_end(&r);
}

/* From the minimum: 16 more for each rate that a cycle took. */
static void full_cycles_raise_the_rate(void **state)
{
    static const uint32_t rates[] = {1024, 1280, 1472, 1648, 1792, 1936, 2048, 2048};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        begin(levels[i], 40960);
        life_leave(&r, 0, false);
        life_cycle_to(&r, 100);
        vmware_rig_cycle(&r);
        life_relax(&r);
        vmware_host_target(&r.host, 0);
        vmware_rig_cycles(&r, 4);
        assert_int_equal(status().rate_alloc, 512);
        for (unsigned n = 0; n < ARRAY_LEN(rates); n++) {
            life_cycle_to(&r, 40000);
            assert_int_equal(vmware_rig_size(&r), 16384);
            assert_int_equal(status().rate_alloc, rates[n]);
            life_cycle_to(&r, 0);
            assert_int_equal(vmware_rig_size(&r), 0);
        }
        vmware_rig_end(&r);
    }
}

/* A cycle that the host ended raises nothing. */
static void an_error_does_not_raise_the_rate(void **state)
{
    (void)state;
    begin(VH_CAP_BASIC | VH_CAP_BATCH, 40960);
    life_leave(&r, 0, false);
    life_cycle_to(&r, 100);
    vmware_rig_cycle(&r);
    life_relax(&r);
    vmware_host_target(&r.host, 0);
    vmware_rig_cycles(&r, 4);
    life_fault(&r, VH_BATCH_LOCK, 8, 1, VH_BUSY);
    life_cycle_to(&r, 40000);
    assert_int_equal(vmware_rig_size(&r), 8 * 512);
    assert_int_equal(status().rate_alloc, 512);
    vmware_rig_end(&r);
}

static void deflating_has_a_rate(void **state)
{
    static const uint64_t sizes[] = {4096, 0};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        begin(levels[i], 40960);
        vmware_host_target(&r.host, 20480);
        vmware_rig_cycles(&r, 2);
        vmware_host_target(&r.host, 0);
        life_expect_sizes(&r, sizes, ARRAY_LEN(sizes));
        assert_int_equal(status().rate_free, 16384);
        vmware_rig_end(&r);
    }
}

/* The page stays and bars no other, as ever in modern; the next cycle may move half. */
static void a_refused_unlock_halves_the_rate(void **state)
{
    static const uint32_t rates[] = {8192, 4096, 2048, 1024, 512, 512};

    (void)state;
    begin(VH_CAP_BASIC | VH_CAP_BATCH, 16384);
    life_cycle_to(&r, 10240);
    vmware_host_target(&r.host, 5120);
    life_fault(&r, VH_BATCH_UNLOCK, 0, ARRAY_LEN(rates), VH_BUSY);
    for (unsigned i = 0; i < ARRAY_LEN(rates); i++) {
        vmware_rig_cycle(&r);
        assert_int_equal(status().rate_free, rates[i]);
        assert_int_equal(vmware_rig_size(&r), 10240);
    }
    life_entry(&r, VH_BATCH_UNLOCK, 3, 1, VH_PPN_PINNED);
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 10240 - 512);
    assert_int_equal(status().rate_free, 512);
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 10240 - 1024);
    assert_int_equal(status().rate_free, 528);
    vmware_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cycle_each_second_up_to_the_rate),
        cmocka_unit_test(no_doorbell_is_asked_for),
        cmocka_unit_test(memory_that_must_be_made),
        cmocka_unit_test(memory_that_cannot_be_had),
        cmocka_unit_test(free_memory_ends_late),
        cmocka_unit_test(full_cycles_raise_the_rate),
        cmocka_unit_test(an_error_does_not_raise_the_rate),
        cmocka_unit_test(deflating_has_a_rate),
        cmocka_unit_test(a_refused_unlock_halves_the_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
