// SPDX-License-Identifier: BSD-2-Clause
/* How a session with a VMware host begins: who is there, what it can do, what is used of it. */
#include "base/bits.h"
#include "base/err.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

static const uint32_t failures[] = {1, 2, 3, 4,   5,          6,
                                    7, 8, 9, 100, 0x03000001, 0x80000000};

/* Golden trace 1; R-W-02, R-W-03. */
static void classic_starts_with_protocol_2(void **state)
{
    (void)state;
    vmware_rig_init_classic(&r, 4096);
    assert_int_equal(vmware_rig_attach(&r), 0);
    assert_trace(&r, "START 2 =0; GUEST_ID 1 =0;");
    assert_int_equal(vmware_rig_size(&r), 0);
    assert_int_equal(vmware_rig_status(&r).count.timer, 0);
    vmware_host_mark(&r.host);
    uint64_t before = r.hal.now_ns;
    vmware_rig_cycle(&r);
    assert_true(r.hal.now_ns - before < NS_PER_MS); /* without delay */
    assert_trace(&r, "GET_TARGET 4096 =0/0;");
    struct vmware_balloon_status s = vmware_rig_status(&r);
    assert_int_equal(s.rate_alloc, 2048);
    assert_int_equal(s.rate_free, 16384);
    assert_int_equal(s.slow_cycles, 0);
    assert_int_equal(s.level, VMWARE_LEVEL_BASIC);
    assert_int_equal(s.state, VMWARE_BALLOON_LIVE);
    vmware_rig_end(&r);
}

/* Golden trace 7; R-L-02. */
static void modern_asks_for_everything(void **state)
{
    (void)state;
    vmware_rig_init(&r, 0x2E, 4096);
    vmware_host_target(&r.host, 1500);
    life_start(&r);
    assert_trace(&r, "START 3e =3000000/2e; GUEST_ID 1 =0; GET_TARGET 4096 =0/1500; "
                     "2M_LOCK x3 =0;");
    assert_int_equal(vmware_rig_size(&r), 1536);
    assert_int_equal(vmware_rig_status(&r).huge_frames, 1536);
    assert_int_equal(vmware_rig_status(&r).wished_caps, 0x3E);
    assert_int_equal(vmware_rig_status(&r).caps, 0x2E);
    vmware_rig_end(&r);
}

/* The bell is set after START and before GUEST_ID, R-L-02. */
static void the_doorbell_is_announced(void **state)
{
    (void)state;
    vmware_rig_init(&r, VH_CAPS_ALL, 4096);
    life_start(&r);
    assert_trace(&r, "START 3e =3000000/3e; DOORBELL_SET 1234 =0; GUEST_ID 1 =0; "
                     "GET_TARGET 4096 =0/0;");
    assert_true(vmware_rig_status(&r).has_doorbell);
    assert_int_equal(r.host.doorbell_context, VMWARE_RIG_BELL);
    assert_int_equal(r.host.doorbell_resource, 1024);
    vmware_rig_end(&r);
    /* Nobody asks for a bell where there is none to make. */
    vmware_rig_init(&r, VH_CAPS_ALL, 4096);
    r.opts.doorbell = NULL;
    life_start(&r);
    assert_trace(&r, "START 2e =3000000/2e; GUEST_ID 1 =0; GET_TARGET 4096 =0/0;");
    vmware_rig_end(&r);
}

static void the_guest_says_what_it_is(void **state)
{
    (void)state;
    vmware_rig_init(&r, VH_CAPS_ALL, 4096);
    r.opts.guest = VMWARE_GUEST_SOLARIS;
    life_start(&r);
    assert_int_equal(r.host.guest_type, 5);
    assert_int_equal(r.host.limit, 4096);
    assert_int_equal(vmware_rig_status(&r).limit_frames, 4096);
    vmware_rig_end(&r);
}

/* A machine without the port: QEMU's vmport and many others. */
static void nobody_listens(void **state)
{
    (void)state;
    for (unsigned policy = 0; policy < 2; policy++) {
        vmware_rig_init(&r, VH_CAPS_ALL, 4096);
        r.opts.policy = policy ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
        r.host.is_deaf = true;
        assert_int_equal(vmware_rig_attach(&r), -ENODEV);
        assert_null(r.vb);
        assert_int_equal(life_calls(&r), 1);
        assert_int_equal(life_log_lines(&r), 0); /* the caller says it */
        vmware_rig_end(&r);
    }
}

/* R-W-04. */
static void classic_does_not_attach_when_START_fails(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(failures); i++) {
        vmware_rig_init_classic(&r, 4096);
        life_fault(&r, VH_START, 0, VH_EVERY, failures[i]);
        assert_int_equal(vmware_rig_attach(&r), -EIO);
        assert_int_equal(life_calls(&r), 1);
        assert_int_equal(r.hal.log_lines[LOG_ERROR], 1);
        vmware_rig_end(&r);
    }
}

/* The protocol of 2 has no capabilities to grant: R-W-30. */
static void classic_takes_no_capabilities(void **state)
{
    (void)state;
    vmware_rig_init_classic(&r, 4096);
    life_caps(&r, 0x3E);
    assert_int_equal(vmware_rig_attach(&r), -EIO);
    vmware_rig_end(&r);
}

/* R-W-05; the session does not stay open, as R-W-06 wants it for statistics. */
static void classic_does_not_attach_when_GUEST_ID_fails(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= ARRAY_LEN(failures); i++) {
        uint32_t status = i < ARRAY_LEN(failures) ? failures[i] : VH_ALL_ONES;

        vmware_rig_init_classic(&r, 4096);
        life_fault(&r, VH_GUEST_ID, 0, VH_EVERY, status);
        assert_int_equal(vmware_rig_attach(&r), -EIO);
        assert_int_equal(r.host.calls[VH_GUEST_ID], 1);
        assert_int_equal(life_calls(&r), r.host.calls[VH_START] + 1);
        assert_int_equal(r.host.calls[VH_START], 2);
        assert_int_equal(r.hal.log_lines[LOG_ERROR], 1);
        assert_last_line(&r, "GUEST_ID fails");
        vmware_rig_end(&r);
    }
}

/* R-L-01: in modern, START is tried again each second, and nothing else is sent. */
static void modern_tries_START_each_second(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(failures); i++) {
        vmware_rig_init(&r, VH_CAPS_ALL, 4096);
        vmware_host_target(&r.host, 1000);
        life_fault(&r, VH_START, 0, VH_EVERY, failures[i]);
        assert_int_equal(vmware_rig_attach(&r), 0);
        vmware_rig_run(&r, 10 * NS_PER_S + 500 * NS_PER_MS);
        assert_int_equal(vmware_rig_status(&r).state, VMWARE_BALLOON_RESETTING);
        assert_int_equal(vmware_rig_status(&r).last_start, failures[i]);
        assert_int_equal(life_calls(&r), r.host.calls[VH_START]);
        assert_in_range(r.host.calls[VH_START], 10, 12);
        assert_in_range(life_log_lines(&r), 1, 4); /* no flood */
        vmware_host_no_faults(&r.host);
        vmware_rig_run(&r, 1100 * NS_PER_MS);
        assert_int_equal(vmware_rig_status(&r).state, VMWARE_BALLOON_LIVE);
        assert_int_equal(vmware_rig_size(&r), 1024);
        vmware_rig_end(&r);
    }
}

static void modern_goes_on_when_GUEST_ID_fails(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(failures); i++) {
        if (failures[i] == VH_RESET)
            continue; /* test_vmware_reset.c */
        vmware_rig_init(&r, VH_CAPS_ALL, 4096);
        life_fault(&r, VH_GUEST_ID, 0, VH_EVERY, failures[i]);
        vmware_host_target(&r.host, 1024);
        life_start(&r);
        assert_int_equal(vmware_rig_size(&r), 1024);
        vmware_rig_end(&r);
    }
}

struct grant {
    uint32_t ecx, level;
    uint64_t size; /* for a target of 600 */
    unsigned cmd;  /* the first that moves pages */
};

static const struct grant grants[] = {
    {0x00, VMWARE_LEVEL_NONE, 0, 0},
    {0x02, VMWARE_LEVEL_BASIC, 600, VH_LOCK},
    {0x04, VMWARE_LEVEL_BATCHED, 600, VH_BATCH_LOCK},
    {0x06, VMWARE_LEVEL_BATCHED, 600, VH_BATCH_LOCK},
    {0x08, VMWARE_LEVEL_NONE, 0, 0},
    {0x0A, VMWARE_LEVEL_BASIC, 600, VH_LOCK},
    {0x0C, VMWARE_LEVEL_BATCHED_2M, 1024, VH_BATCH_2M_LOCK},
    {0x0E, VMWARE_LEVEL_BATCHED_2M, 1024, VH_BATCH_2M_LOCK},
    {0x30, VMWARE_LEVEL_NONE, 0, 0},
    {0xFFFFFFFF, VMWARE_LEVEL_BATCHED_2M, 1024, VH_BATCH_2M_LOCK},
};

static void what_is_granted_is_what_is_used(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(grants); i++) {
        const struct grant *g = &grants[i];

        vmware_rig_init(&r, VH_CAPS_ALL, 4096);
        life_caps(&r, g->ecx);
        vmware_host_target(&r.host, 600);
        life_start(&r);
        vmware_rig_cycles(&r, 3);
        struct vmware_balloon_status s = vmware_rig_status(&r);
        assert_int_equal(s.caps, g->ecx & VH_CAPS_ALL);
        assert_int_equal(s.level, g->level);
        assert_int_equal(s.size_frames, g->size);
        assert_true(r.host.calls[VH_GET_TARGET] >= 4); /* polled at any level */
        assert_true(g->cmd == 0 || r.host.calls[g->cmd] > 0);
        vmware_rig_end(&r);
    }
}

static void what_was_not_asked_for_is_not_used(void **state)
{
    (void)state;
    vmware_rig_init(&r, VH_CAPS_ALL, 4096);
    r.opts.caps = VMWARE_CAP_BASIC | VMWARE_CAP_BATCHED;
    life_caps(&r, 0xFFFFFFFF);
    vmware_host_target(&r.host, 600);
    life_start(&r);
    assert_int_equal(r.host.trace[0].arg1, 0x06);
    assert_int_equal(vmware_rig_status(&r).caps, 0x06);
    assert_int_equal(vmware_rig_size(&r), 600);
    assert_int_equal(r.host.calls[VH_DOORBELL_SET], 0);
    vmware_rig_end(&r);
}

/* A host of protocol 2 answers plain SUCCESS; what is in ECX then is its protocol, no capability. */
static void an_old_host_gives_a_basic_session(void **state)
{
    (void)state;
    vmware_rig_init(&r, VH_CAP_BASIC, 4096);
    vmware_host_target(&r.host, 100);
    life_start(&r);
    assert_int_equal(vmware_rig_status(&r).caps, VH_CAP_BASIC);
    assert_int_equal(vmware_rig_status(&r).level, VMWARE_LEVEL_BASIC);
    assert_int_equal(r.host.calls[VH_LOCK], 100);
    vmware_rig_end(&r);
}

/* As the settings have them; kernel events and the log quote them. */
static void policies_and_levels_have_names(void **state)
{
    (void)state;
    assert_string_equal(vmware_policy_name(VMWARE_POLICY_MODERN), "modern");
    assert_string_equal(vmware_policy_name(VMWARE_POLICY_CLASSIC), "classic");
    assert_string_equal(vmware_level_name(VMWARE_LEVEL_NONE), "none");
    assert_string_equal(vmware_level_name(VMWARE_LEVEL_BASIC), "basic");
    assert_string_equal(vmware_level_name(VMWARE_LEVEL_BATCHED), "batched");
    assert_string_equal(vmware_level_name(VMWARE_LEVEL_BATCHED_2M), "batched-2m");
}

/* ---- the two doors themselves ---- */

static void the_general_door(void **state)
{
    (void)state;
    struct vmware_version version = {0};
    uint64_t hz = 0;

    vmware_rig_init(&r, 0, 512);
    assert_true(vmware_get_version(&r.port, &version));
    assert_int_equal(version.version, 6);
    assert_int_equal(version.product, VMWARE_PRODUCT_ESX);
    assert_false(vmware_get_tsc_hz(&r.port, &hz));
    r.host.tsc_hz = UINT64_C(5123456789);
    r.host.hides_product = true;
    assert_true(vmware_get_tsc_hz(&r.port, &hz));
    assert_int_equal(hz, UINT64_C(5123456789));
    assert_true(vmware_get_version(&r.port, &version));
    assert_int_equal(version.product, VMWARE_PRODUCT_UNKNOWN);
    r.host.version = 0;
    version.version = 77;
    hz = 77;
    assert_false(vmware_get_version(&r.port, &version));
    assert_false(vmware_get_tsc_hz(&r.port, &hz));
    assert_int_equal(version.version, 77);
    assert_int_equal(hz, 77);
}

/* A port that is something else's: it answers, and leaves EBX alone. */
static void answer_something(void *ctx, struct vmware_regs *regs)
{
    (void)ctx;
    regs->ax = 6;
}

static void a_general_door_that_is_none(void **state)
{
    const struct vmware_backdoor door = {.in = answer_something};
    struct vmware_version version = {77, 77};

    (void)state;
    assert_false(vmware_get_version(&door, &version));
    assert_int_equal(version.version, 77);
}

/* Data counts after a success only, and the status has 32 bits. */
static void one_call_of_the_balloons_door(void **state)
{
    (void)state;
    uint64_t data = 99;

    vmware_rig_init(&r, VH_CAPS_ALL, 512);
    r.host.target = UINT64_C(0x123456789A);
    assert_int_equal(vmware_balloon_call(&r.port, VMWARE_CMD_START, 0x3E, 0, &data),
                     VMWARE_SUCCESS_WITH_CAPABILITIES);
    assert_int_equal(data, 0x3E);
    assert_int_equal(vmware_balloon_call(&r.port, VMWARE_CMD_GUEST_ID, 1, 0, NULL), 0);
    assert_int_equal(vmware_balloon_call(&r.port, VMWARE_CMD_GET_TARGET, 512, 0, &data),
                     0);
    assert_int_equal(data, UINT64_C(0x123456789A));
    life_fault(&r, VH_GET_TARGET, 0, 1, VH_BUSY);
    data = 99;
    assert_int_equal(vmware_balloon_call(&r.port, VMWARE_CMD_GET_TARGET, 512, 0, &data),
                     VMWARE_BUSY);
    assert_int_equal(data, 99);
    r.host.is_deaf = true;
    assert_int_equal(vmware_balloon_call(&r.port, VMWARE_CMD_GET_TARGET, 512, 0, &data),
                     VMWARE_FAILURE);
    assert_int_equal(data, 99);
}

/* ---- the doorbell ---- */

static void a_ring_starts_a_cycle_at_once(void **state)
{
    (void)state;
    life_modern(&r, VH_CAPS_ALL, 4096);
    uint64_t before = r.hal.now_ns;
    vmware_host_target(&r.host, 1024); /* rings */
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 1024);
    assert_true(r.hal.now_ns - before < NS_PER_MS);
    assert_int_equal(vmware_rig_status(&r).count.doorbells, 1);
    vmware_rig_end(&r);
}

static void many_rings_are_one(void **state)
{
    (void)state;
    life_modern(&r, VH_CAPS_ALL, 4096);
    uint64_t cycles = vmware_rig_status(&r).count.timer;
    for (unsigned i = 0; i < 1000; i++)
        vmware_balloon_ring(r.vb);
    vmware_rig_run(&r, 10 * NS_PER_MS);
    assert_in_range(vmware_rig_status(&r).count.timer, cycles + 1, cycles + 2);
    assert_int_equal(vmware_rig_status(&r).count.doorbells, 1000);
    /* And the poll stays. */
    vmware_rig_run(&r, NS_PER_S);
    assert_true(vmware_rig_status(&r).count.timer >= cycles + 9);
    vmware_rig_end(&r);
}

static void ring_each_step(struct vmware_rig *rig)
{
    vmware_balloon_ring(rig->vb);
    if (rig->steps > 200)
        rig->each_step = NULL;
}

static void rings_in_a_cycle_do_not_stop_it(void **state)
{
    (void)state;
    life_modern(&r, VH_CAP_BASIC | VH_CAP_DOORBELL, 4096);
    assert_int_equal(vmware_rig_status(&r).level, VMWARE_LEVEL_BASIC);
    r.each_step = ring_each_step;
    vmware_host_target(&r.host, 3000);
    vmware_rig_run(&r, 50 * NS_PER_MS);
    assert_int_equal(vmware_rig_size(&r), 3000);
    assert_null(r.each_step); /* it rested while they came and after */
    vmware_rig_end(&r);
}

static void a_doorbell_that_is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(failures); i++) {
        if (failures[i] == VH_RESET)
            continue;
        vmware_rig_init(&r, VH_CAPS_ALL, 4096);
        life_fault(&r, VH_DOORBELL_SET, 0, VH_EVERY, failures[i]);
        life_start(&r);
        assert_false(vmware_rig_status(&r).has_doorbell);
        assert_int_equal(vmware_rig_status(&r).state, VMWARE_BALLOON_LIVE);
        life_cycle_to(&r, 1024);
        assert_int_equal(vmware_rig_size(&r), 1024);
        vmware_rig_end(&r); /* and none is unset */
        assert_int_equal(r.host.calls[VH_DOORBELL_SET], 1);
    }
}

static void a_doorbell_that_cannot_be_made(void **state)
{
    (void)state;
    vmware_rig_init(&r, VH_CAPS_ALL, 4096);
    r.bell_fails = true;
    life_start(&r);
    assert_false(vmware_rig_status(&r).has_doorbell);
    assert_int_equal(r.host.calls[VH_DOORBELL_SET], 0);
    assert_int_equal(r.hal.log_lines[LOG_WARN], 1); /* and why, once */
    life_cycle_to(&r, 1024);
    assert_int_equal(vmware_rig_size(&r), 1024);
    vmware_host_reset(&r.host);
    vmware_rig_cycles(&r, 3);
    assert_int_equal(r.hal.log_lines[LOG_WARN], 1);
    vmware_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classic_starts_with_protocol_2),
        cmocka_unit_test(modern_asks_for_everything),
        cmocka_unit_test(the_doorbell_is_announced),
        cmocka_unit_test(the_guest_says_what_it_is),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(classic_does_not_attach_when_START_fails),
        cmocka_unit_test(classic_takes_no_capabilities),
        cmocka_unit_test(classic_does_not_attach_when_GUEST_ID_fails),
        cmocka_unit_test(modern_tries_START_each_second),
        cmocka_unit_test(modern_goes_on_when_GUEST_ID_fails),
        cmocka_unit_test(what_is_granted_is_what_is_used),
        cmocka_unit_test(what_was_not_asked_for_is_not_used),
        cmocka_unit_test(an_old_host_gives_a_basic_session),
        cmocka_unit_test(policies_and_levels_have_names),
        cmocka_unit_test(the_general_door),
        cmocka_unit_test(a_general_door_that_is_none),
        cmocka_unit_test(one_call_of_the_balloons_door),
        cmocka_unit_test(a_ring_starts_a_cycle_at_once),
        cmocka_unit_test(many_rings_are_one),
        cmocka_unit_test(rings_in_a_cycle_do_not_stop_it),
        cmocka_unit_test(a_doorbell_that_is_refused),
        cmocka_unit_test(a_doorbell_that_cannot_be_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
