// SPDX-License-Identifier: BSD-2-Clause
/* R-V-45, R-L-16: the balloons at their targets make room for those who want whole blocks. */
#include "kernel/evacuation.h"
#include "kernel/app_memory.h"
#include "kernel/balloon.h"
#include "kernel/task.h"
#include "kernel/vmware.h"

#include "base/bits.h"
#include "base/err.h"
#include "mm/evacuate.h"

#define WALK_NS (100 * NS_PER_US) /* of the app's tables, at a time */

/* What a balloon's device offers for it. */
static const struct balloon_device {
    bool (*is_live)(void);
    bool (*is_working)(void);
    int (*empty)(pfn_t block);
    void (*report)(uint64_t blocks_before, uint64_t blocks_after);
} balloons[] = {
    {balloon_device_is_live, balloon_device_is_working, balloon_device_empty,
     balloon_device_report_moved},
    {vmware_device_is_live, vmware_device_is_working, vmware_device_empty,
     vmware_device_report_moved},
};

static struct task task;

static unsigned count(bool is_working)
{
    unsigned n = 0;

    for (unsigned i = 0; i < ARRAY_LEN(balloons); i++)
        n += is_working ? balloons[i].is_working() : balloons[i].is_live();
    return n;
}

static void report(const struct appmem *mem)
{
    for (unsigned i = 0; i < ARRAY_LEN(balloons); i++) {
        if (balloons[i].is_live())
            balloons[i].report(mem->evacuation.blocks_before,
                               mem->evacuation.blocks_after);
    }
}

/* The balloons that have something of it poke when they are done. */
static void empty(pfn_t block)
{
    for (unsigned i = 0; i < ARRAY_LEN(balloons); i++)
        if (balloons[i].is_live())
            balloons[i].empty(block);
    task_wake(&task);
}

static void run(void *ctx)
{
    struct appmem *mem = app_memory();
    pfn_t block;

    (void)ctx;
    if (!count(false)) {
        evacuate_stop(mem);
        return;
    }
    if (!mem->evacuation.wanted || count(true))
        return;
    int next = evacuate_next(mem, WALK_NS, &block);
    if (next > 0)
        empty(block);
    else if (next == -EAGAIN)
        task_wake(&task);
    else if (!mem->evacuation.wanted)
        report(mem);
}

void evacuation_start(void)
{
    task = (struct task){.run = run, .name = "evacuation"};
    task_add(&task);
}

void evacuation_poke(void)
{
    if (task.run)
        task_wake(&task);
}
