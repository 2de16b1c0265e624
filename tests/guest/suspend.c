// SPDX-License-Identifier: BSD-2-Clause
/* A sleep that cannot be leaves everything as it was: with any number of frames left, all of them are back and
 * the drivers run again. That a sleep works is tested from outside (tests/e2e/test_suspend.py). */
#include "kernel/suspend.h"
#include "kernel/clock.h"
#include "kernel/command.h"
#include "kernel/drivers.h"
#include "kernel/memory.h"
#include "kernel/sleep.h"
#include "kernel/task.h"
#include "tests/guest/suite.h"

#include "base/bits.h"
#include "mm/mmu.h"

#define PATIENCE_NS (3 * NS_PER_S)
#define LEFT_MAX    20 /* frames: the image alone has more data than that */

typedef unsigned long long ull;

/* linker.ld */
extern const uint8_t data_start[], image_end[];

static int had_balloon; /* what attaching one says: that it runs, or that there is none */

static uint64_t free_frames(void)
{
    struct pmm_stats stats;

    pmm_stats(memory_pmm(), &stats);
    return stats.free_frames;
}

/* Frames that were taken, each with the address of the one before; 0 ends. */
static paddr_t take_all(void)
{
    const struct pmm_want want = {.class = PMM_FIXED};
    paddr_t last = 0;
    struct pmm_run run;

    while (pmm_take(memory_pmm(), want, &run) == 0) {
        paddr_t frame = pfn_to_paddr(run.pfn);

        *(paddr_t *)mmu_phys_to_virt(frame) = last;
        last = frame;
    }
    return last;
}

static paddr_t give_one(paddr_t last)
{
    paddr_t next = *(const paddr_t *)mmu_phys_to_virt(last);

    pmm_give(memory_pmm(), pfn_from_paddr(last), 0, RUN_TOUCHED);
    return next;
}

static bool ask_and_wait(void)
{
    char name[] = "suspend";
    char *argv[] = {name};
    uint64_t end = clock_ns() + PATIENCE_NS;

    command_suspend(1, argv);
    while (suspend_is_busy() && clock_ns() < end)
        task_pass();
    return !suspend_is_busy();
}

/* The driver takes its rings again in steps. */
static bool settles_at(uint64_t frames)
{
    uint64_t end = clock_ns() + PATIENCE_NS;

    while (free_frames() != frames && clock_ns() < end)
        task_pass();
    return free_frames() == frames;
}

static enum suite_result refuse_with(uint64_t left)
{
    paddr_t taken = take_all();
    uint64_t before = free_frames();

    for (uint64_t i = 0; i < left; i++)
        taken = give_one(taken);
    CHECK(ask_and_wait(), "%llu frames left: neither slept nor refused", (ull)left);
    CHECK(settles_at(before + left), "%llu frames left: %llu free afterwards", (ull)left,
          (ull)free_frames());
    CHECK(drivers_balloon_attach() == had_balloon,
          "%llu frames left: the balloon changed", (ull)left);
    while (taken)
        taken = give_one(taken);
    pmm_check(memory_pmm());
    return SUITE_PASS;
}

static enum suite_result run(void)
{
    enum suite_result result = SUITE_PASS;

    CHECK((uint64_t)(image_end - data_start) / FRAME_SIZE > LEFT_MAX, "the image shrank");
    if (sleep_missing()) {
        CHECK(ask_and_wait(), "a refusal at once takes its time");
        return SUITE_SKIP;
    }
    had_balloon = drivers_balloon_attach();
    CHECK(had_balloon != 0, "the balloon was detached");
    command_start(); /* is told that the job is over */
    for (uint64_t left = 0; left <= LEFT_MAX && result == SUITE_PASS; left++)
        result = refuse_with(left);
    return result;
}

GUEST_SUITE(suspend, run);
