// SPDX-License-Identifier: BSD-2-Clause
/* The life of a real device behind the table of drivers: it is released, added, put to sleep, woken and
 * lost, and what the driver had comes back each time. */
#include "kernel/drivers.h"
#include "kernel/clock.h"
#include "kernel/memory.h"
#include "kernel/task.h"
#include "tests/guest/suite.h"

#include "base/bits.h"
#include "base/err.h"
#include "drivers/virtio/transport/pci_modern.h"

#define PATIENCE_NS (3 * NS_PER_S)

typedef unsigned long long ull;

static struct pci_dev balloon;
static bool is_found;

static int find_balloon(void *ctx, const struct pci_dev *dev)
{
    (void)ctx;
    if (dev->vendor != PCI_VENDOR_VIRTIO ||
        (dev->device != 0x1002 && dev->device != 0x1045))
        return 0;
    balloon = *dev;
    is_found = true;
    return 1;
}

static void set(void *ctx)
{
    bool *done = ctx;

    *done = true;
}

static bool run_until(const bool *done)
{
    uint64_t end = clock_ns() + PATIENCE_NS;

    while (!*done && clock_ns() < end)
        task_pass();
    return *done;
}

static uint64_t free_frames(void)
{
    struct pmm_stats stats;

    pmm_stats(memory_pmm(), &stats);
    return stats.free_frames;
}

/* A driver that wakes takes its rings again in steps. */
static bool settles_at(uint64_t frames)
{
    uint64_t end = clock_ns() + PATIENCE_NS;

    while (free_frames() != frames && clock_ns() < end)
        task_pass();
    return free_frames() == frames;
}

static enum suite_result release_and_add(void)
{
    bool done = false;

    drivers_release(&balloon, set, &done);
    CHECK(run_until(&done), "release does not end");
    CHECK(drivers_balloon_stats() == -ENODEV, "it is still there");
    CHECK(drivers_balloon_attach() == -ENODEV, "its place is still known");

    done = false;
    drivers_release(&balloon, set, &done);
    CHECK(done, "a release of nothing waits");
    int err = drivers_add(&balloon);
    CHECK(err == 0, "add: %d", err);
    CHECK(drivers_balloon_attach() == -EBUSY, "it does not run");
    CHECK(drivers_add(&balloon) == -EBUSY, "added twice");
    return SUITE_PASS;
}

static enum suite_result suspend_and_resume(void)
{
    bool done = false;

    drivers_suspend(set, &done);
    CHECK(run_until(&done), "suspend does not end");
    CHECK(drivers_balloon_stats() == -ENODEV, "it runs while asleep");
    drivers_resume();
    CHECK(drivers_balloon_attach() == -EBUSY, "it does not run after the resume");
    return SUITE_PASS;
}

/* What was detached by hand stays so. */
static enum suite_result suspend_while_detached(void)
{
    bool done = false;

    CHECK(drivers_balloon_detach() == 0, "does not detach");
    drivers_suspend(set, &done);
    CHECK(run_until(&done), "suspend during detach does not end");
    drivers_resume();
    CHECK(drivers_balloon_stats() == -ENODEV, "the resume attached it");
    CHECK(drivers_balloon_attach() == 0, "does not attach");
    return SUITE_PASS;
}

static enum suite_result release_while_asleep(void)
{
    bool asleep = false, gone = false;

    drivers_suspend(set, &asleep);
    drivers_release(&balloon, set, &gone);
    CHECK(run_until(&asleep) && run_until(&gone), "asleep %d, gone %d", asleep, gone);
    drivers_resume();
    CHECK(drivers_balloon_attach() == -ENODEV, "its place is still known");
    CHECK(drivers_add(&balloon) == 0, "does not come back");
    return SUITE_PASS;
}

static enum suite_result lose_and_add(void)
{
    drivers_lost(&balloon);
    CHECK(drivers_balloon_attach() == -ENODEV, "it is still there");
    drivers_lost(&balloon);
    CHECK(drivers_add(&balloon) == 0, "does not come back");
    return SUITE_PASS;
}

static enum suite_result run(void)
{
    static enum suite_result (*const parts[])(void) = {
        release_and_add,      suspend_and_resume, suspend_while_detached,
        release_while_asleep, lose_and_add,
    };

    if (!drivers_pci_host())
        return SUITE_SKIP;
    pci_scan(drivers_pci_host(), find_balloon, NULL);
    if (!is_found)
        return SUITE_SKIP;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        uint64_t before = free_frames();

        if (parts[i]() == SUITE_FAIL)
            return SUITE_FAIL;
        CHECK(settles_at(before), "part %zu: %llu frames free, %llu before", i,
              (ull)free_frames(), (ull)before);
    }
    return SUITE_PASS;
}

GUEST_SUITE(drivers, run);
