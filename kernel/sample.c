// SPDX-License-Identifier: BSD-2-Clause
/* event=sample, by a timer of its own. */
#include "kernel/sample.h"
#include "kernel/app.h"
#include "kernel/app_memory.h"
#include "kernel/clock.h"
#include "kernel/config.h"
#include "kernel/drivers.h"
#include "kernel/event.h"
#include "kernel/memory.h"
#include "kernel/timer.h"

#include "base/bits.h"

typedef unsigned long long ull;

static struct {
    uint64_t period_ns, next_ns;
    struct task task;
    struct timer timer;
} sample;

static void emit(void)
{
    const struct appmem_stats *app = &app_memory()->stats;
    struct pressure *pressure = app_memory_pressure();
    struct balloon_figures balloon;
    struct pmm_stats pmm;

    app_memory_watch();
    pressure_advance(pressure, clock_ns());
    pmm_stats(memory_pmm(), &pmm);
    drivers_balloon_figures(&balloon);
    event_emit("event=sample free=%llu blocks=%llu app=%llu promised=%llu volatile=%llu "
               "target=%llu ballooned=%llu level=%u avg10=%u stall_ns=%llu faults=%llu "
               "purged=%llu moved=%llu refused=%llu dropped=%llu",
               (ull)(pmm.free_frames * FRAME_SIZE),
               (ull)(pmm.free_blocks_touched + pmm.free_blocks_untouched),
               (ull)(app->resident * FRAME_SIZE), (ull)(app->promised * FRAME_SIZE),
               (ull)(app->volatile_frames * FRAME_SIZE),
               (ull)(balloon.target * FRAME_SIZE), (ull)(balloon.frames * FRAME_SIZE),
               pressure->level, pressure_average(pressure, PRESSURE_10S),
               (ull)pressure->stall_ns, (ull)app->minor_faults,
               (ull)(app->purged * FRAME_SIZE), (ull)app->moved, (ull)app_refusals(),
               (ull)event_dropped());
}

static void run(void *ctx)
{
    uint64_t now = max_u64(clock_ns(), sample.next_ns);

    (void)ctx;
    emit();
    sample.next_ns += ((now - sample.next_ns) / sample.period_ns + 1) * sample.period_ns;
    timer_set(&sample.timer, sample.next_ns);
}

void sample_start(void)
{
    uint64_t period = config_u64("sample");

    if (period == CONFIG_AUTO)
        return;
    sample.period_ns = period;
    sample.next_ns = clock_ns() + period;
    sample.task = (struct task){.run = run, .name = "sample"};
    task_add(&sample.task);
    timer_init(&sample.timer, &sample.task);
    timer_set(&sample.timer, sample.next_ns);
}
