// SPDX-License-Identifier: BSD-2-Clause
/* What an app may ask of the kernel: one function a call, and their table. */
#include "kernel/app.h"
#include "kernel/app_call.h"
#include "kernel/app_memory.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/drivers.h"
#include "kernel/event.h"
#include "kernel/hal.h"
#include "kernel/memory.h"
#include "kernel/task.h"

#include "base/bits.h"
#include "base/err.h"
#include "guest.h"
#include "mm/compact.h"
#include "mm/evacuate.h"

#define STEP_NS (200 * NS_PER_US)
/* Refusals are told ten times a second, and counted. */
#define TELL_GAP_NS (100 * NS_PER_MS)
#define WRITE_PIECE 256

_Static_assert((unsigned)APPMEM_FRAMES == GUEST_MAP_FRAMES &&
                   (unsigned)APPMEM_BLOCKS == GUEST_MAP_BLOCKS &&
                   (unsigned)APPMEM_SPARSE == GUEST_MAP_SPARSE &&
                   (unsigned)APPMEM_PURGEABLE == APP_MAP_PURGEABLE &&
                   (unsigned)APPMEM_DIRTY == APP_MAP_DIRTY,
               "the flags pass through");

#define MAP_FLAGS                                                                 \
    (GUEST_MAP_FRAMES | GUEST_MAP_BLOCKS | GUEST_MAP_SPARSE | APP_MAP_PURGEABLE | \
     APP_MAP_DIRTY)

typedef int64_t call_fn(uint64_t a, uint64_t b, uint64_t c);
typedef unsigned long long ull;

/* The deadline of APP_CALL_SLEEP. */
static uint64_t sleep_until;

/* The gate's return address and frame: what led to a call that ends the app. */
static uint64_t caller_rip, caller_rbp;

/* Between the steps of a long call: other tasks have their turn. False: the app is ending. */
static bool goes_on(void)
{
    task_pass();
    return !app_is_ending();
}

static int64_t call_exit(uint64_t a, uint64_t b, uint64_t c)
{
    (void)b;
    (void)c;
    app_end(APP_EXITED, (int)a);
    return 0;
}

static int64_t call_abort(uint64_t a, uint64_t from, uint64_t c)
{
    static const char *const reasons[] = {
        [APP_ABORT_CALLED] = "abort",
        [APP_ABORT_STACK] = "stack smashed",
        [APP_ABORT_HEAP] = "free of what is not allocated",
    };

    (void)c;
    app_report_abort(a < ARRAY_LEN(reasons) ? reasons[a] : "abort",
                     (from ? from : caller_rip) - 1, caller_rip - 1, caller_rbp);
    app_end(APP_ABORTED, 0);
    return 0;
}

static int64_t call_write(uint64_t from, uint64_t len, uint64_t c)
{
    char text[WRITE_PIECE];
    uint64_t done = 0;

    (void)c;
    while (done < len) {
        uint64_t piece = min_u64(len - done, sizeof(text));
        int err = appmem_copy_in(app_memory(), text, from + done, piece);

        if (err)
            return err;
        console_write_app(text, piece);
        done += piece;
        if (done < len && !goes_on())
            break;
    }
    return (int64_t)done;
}

static int64_t call_read(uint64_t to, uint64_t len, uint64_t c)
{
    (void)c;
    return app_input_read(to, len);
}

static bool has_slept(void)
{
    return clock_ns() >= sleep_until;
}

static int64_t call_sleep(uint64_t until, uint64_t b, uint64_t c)
{
    (void)b;
    (void)c;
    sleep_until = until;
    app_wake_at(until);
    app_wait(has_slept);
    return 0;
}

/* What was refused to this app, and when it was told last. */
static struct {
    uint64_t count, told_ns;
} refusals;

void app_calls_reset(void)
{
    refusals.count = refusals.told_ns = 0;
}

uint64_t app_refusals(void)
{
    return refusals.count;
}

void app_refused(uint64_t wanted)
{
    const struct appmem *mem = app_memory();
    struct pmm_stats pmm;

    refusals.count++;
    if (refusals.told_ns && clock_ns() - refusals.told_ns < TELL_GAP_NS)
        return;
    refusals.told_ns = clock_ns();
    pmm_stats(memory_pmm(), &pmm);
    event_emit("event=refused app=%s wanted=%llu available=%llu free=%llu blocks=%llu "
               "ballooned=%llu resident=%llu promised=%llu count=%llu",
               app_name(), (ull)wanted, (ull)(appmem_available(mem) * FRAME_SIZE),
               (ull)(pmm.free_frames * FRAME_SIZE),
               (ull)(pmm.free_blocks_touched + pmm.free_blocks_untouched),
               (ull)(drivers_ballooned_frames() * FRAME_SIZE),
               (ull)(mem->stats.resident * FRAME_SIZE),
               (ull)(mem->stats.promised * FRAME_SIZE), (ull)refusals.count);
}

static int64_t call_map(uint64_t size, uint64_t flags, uint64_t c)
{
    uint64_t start;

    (void)c;
    if (flags & ~(uint64_t)MAP_FLAGS)
        return -EINVAL;
    int err = appmem_map(app_memory(), size, (unsigned)flags, &start);
    return err ? err : (int64_t)start;
}

/* Give a large range back block by block, so that other tasks need not wait for all of it. */
static int give_back(int (*give)(struct appmem *mem, uint64_t start, uint64_t size),
                     uint64_t start, uint64_t size)
{
    int err = appmem_cut(app_memory(), start, size);

    while (!err && size > 0) {
        uint64_t piece = min_u64(size, align_up(start + 1, BLOCK_SIZE) - start);

        err = give(app_memory(), start, piece);
        start += piece;
        size -= piece;
        if (!goes_on())
            break;
    }
    drivers_memory_freed();
    return err;
}

static int64_t call_unmap(uint64_t start, uint64_t size, uint64_t c)
{
    (void)c;
    return give_back(appmem_unmap, start, size);
}

static int64_t call_release(uint64_t start, uint64_t size, uint64_t c)
{
    (void)c;
    return give_back(appmem_release, start, size);
}

static int64_t call_reserve(uint64_t start, uint64_t size, uint64_t is_optional)
{
    return is_optional ? appmem_reserve_spare(app_memory(), start, size)
                       : appmem_reserve(app_memory(), start, size);
}

/* The library tries otherwise first: it knows when the app hears of it. */
static int64_t call_refused(uint64_t size, uint64_t start, uint64_t c)
{
    const struct appmem_region *region =
        appmem_region_find(&app_memory()->regions, start);

    (void)c;
    app_refused(region ? region->end - region->start : size);
    return 0;
}

static int64_t call_volatile(uint64_t start, uint64_t b, uint64_t c)
{
    (void)b;
    (void)c;
    int err = appmem_set_volatile(app_memory(), start);

    drivers_memory_freed(); /* a balloon that waits may have it */
    return err;
}

static int64_t call_needed(uint64_t start, uint64_t b, uint64_t c)
{
    (void)b;
    (void)c;
    return appmem_set_needed(app_memory(), start);
}

static uint64_t free_blocks(void)
{
    struct pmm_stats pmm;

    pmm_stats(memory_pmm(), &pmm);
    return pmm.free_blocks_touched + pmm.free_blocks_untouched;
}

/* Long: other tasks run between the steps. */
static int64_t call_compact(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t before = free_blocks();

    (void)a;
    (void)b;
    (void)c;
    while (compact_step(app_memory(), STEP_NS) && goes_on())
        ;
    evacuate_want(app_memory(), UINT64_MAX); /* the rest is the balloon's */
    uint64_t after = free_blocks();
    return after > before ? (int64_t)(after - before) : 0;
}

static int64_t call_memory(uint64_t to, uint64_t b, uint64_t c)
{
    const struct appmem *mem = app_memory();
    const struct appmem_stats *app = &mem->stats;
    struct pmm_stats pmm;

    (void)b;
    (void)c;
    pmm_stats(memory_pmm(), &pmm);
    const struct guest_memory out = {
        .total_bytes = pmm.total_frames * FRAME_SIZE,
        .free_bytes = pmm.free_frames * FRAME_SIZE,
        .available_bytes = appmem_available(mem) * FRAME_SIZE,
        .ballooned_bytes = drivers_ballooned_frames() * FRAME_SIZE,
        .resident_bytes = app->resident * FRAME_SIZE,
        .promised_bytes = app->promised * FRAME_SIZE,
        .volatile_bytes = app->volatile_frames * FRAME_SIZE,
        .peak_bytes = app->peak * FRAME_SIZE,
        .free_blocks = free_blocks(),
        .minor_faults = app->minor_faults,
        .block_faults = app->block_faults,
        .blocks_split = app->splits,
        .blocks_joined = app->joins,
        .pages_moved = app->moved,
        .purged_bytes = app->purged * FRAME_SIZE,
        .refused_allocations = refusals.count,
    };
    return appmem_copy_out(app_memory(), to, &out, sizeof(out));
}

static int64_t call_pressure(uint64_t to, uint64_t b, uint64_t c)
{
    struct pressure *pressure = app_memory_pressure();

    (void)b;
    (void)c;
    app_memory_watch();
    pressure_advance(pressure, clock_ns());
    const struct guest_pressure out = {
        .level = (enum guest_level)pressure->level,
        .level_changes = pressure->level_changes,
        .stalls = pressure->stalls,
        .stall_ns = pressure->stall_ns,
        .avg10 = pressure_average(pressure, PRESSURE_10S),
        .avg60 = pressure_average(pressure, PRESSURE_60S),
        .avg300 = pressure_average(pressure, PRESSURE_300S),
        .purges = pressure->purges,
        .oom_calls = pressure->oom_calls,
        .refusals = pressure->refusals,
    };
    return appmem_copy_out(app_memory(), to, &out, sizeof(out));
}

/* Words for programs: what would break the line is refused. */
static int64_t call_event(uint64_t from, uint64_t len, uint64_t c)
{
    char text[EVENT_TEXT_MAX + 1];

    (void)c;
    if (len > EVENT_TEXT_MAX)
        return -EINVAL;
    int err = appmem_copy_in(app_memory(), text, from, len);
    if (err)
        return err;
    text[len] = '\0';
    for (uint64_t i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] > '~')
            return -EINVAL;
    }
    return event_offer("app=%s %s", app_name(), text) ? 0 : -EAGAIN;
}

static call_fn *const calls[APP_CALL_COUNT] = {
    [APP_CALL_EXIT] = call_exit,       [APP_CALL_ABORT] = call_abort,
    [APP_CALL_WRITE] = call_write,     [APP_CALL_READ] = call_read,
    [APP_CALL_SLEEP] = call_sleep,     [APP_CALL_MAP] = call_map,
    [APP_CALL_UNMAP] = call_unmap,     [APP_CALL_RELEASE] = call_release,
    [APP_CALL_RESERVE] = call_reserve, [APP_CALL_VOLATILE] = call_volatile,
    [APP_CALL_NEEDED] = call_needed,   [APP_CALL_COMPACT] = call_compact,
    [APP_CALL_MEMORY] = call_memory,   [APP_CALL_PRESSURE] = call_pressure,
    [APP_CALL_EVENT] = call_event,     [APP_CALL_REFUSED] = call_refused,
};

int64_t app_call_dispatch(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
    /* The gate's frame on the app's stack: the caller's RBP and where the call came from. */
    const uint64_t *gate = *(const uint64_t *const *)__builtin_frame_address(0);
    int64_t result = -EINVAL;

    caller_rbp = gate[0];
    caller_rip = gate[1];
    app_left();
    if (number < APP_CALL_COUNT)
        result = calls[number](a, b, c);
    app_goes_on();
    return result;
}
