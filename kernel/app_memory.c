// SPDX-License-Identifier: BSD-2-Clause
/* Hooks of mm/appmem, the app's image in memory, the pressure level, joining in the background. */
#include "kernel/app_memory.h"
#include "kernel/app.h"
#include "kernel/clock.h"
#include "kernel/drivers.h"
#include "kernel/event.h"
#include "kernel/hal.h"
#include "kernel/memory.h"
#include "kernel/string.h"
#include "kernel/timer.h"
#include "kernel/x86/paging.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/err.h"

#define GUARD_BYTES  (64 * MIB) /* below the stack: a large frame must not jump over it */
#define ARGS_BYTES   1024
#define JOIN_GAP_NS  (50 * NS_PER_MS) /* between two pieces */
#define TELL_GAP_NS  (100 * NS_PER_MS)
#define JOIN_REST_NS (5 * NS_PER_S) /* between two rounds */

/* linker.ld. */
extern const uint8_t text_start[];

static struct {
    struct appmem mem;
    struct pressure pressure;
    struct task join_task;
    struct timer join_timer;
    enum pressure_level told; /* by the last event */
    uint64_t tell_ns;         /* no event before */
    struct task tell_task;
    struct timer tell_timer;
    bool is_loaded;
} state;

struct appmem *app_memory(void)
{
    return &state.mem;
}

struct pressure *app_memory_pressure(void)
{
    return &state.pressure;
}

static uint64_t oom(void *ctx, uint64_t frames)
{
    (void)ctx;
    return drivers_oom(frames);
}

static uint64_t ballooned(void *ctx)
{
    (void)ctx;
    return drivers_ballooned_frames();
}

static bool go_on(void *ctx)
{
    (void)ctx;
    task_pass();
    return !app_is_ending();
}

static bool is_ballooned(void *ctx, pfn_t first, uint64_t frames)
{
    (void)ctx;
    return drivers_is_ballooned(first, frames);
}

static void evacuate(void *ctx)
{
    (void)ctx;
    drivers_evacuate();
}

static uint64_t now(void *ctx)
{
    (void)ctx;
    return clock_ns();
}

static void join(void *ctx)
{
    (void)ctx;
    if (!state.is_loaded)
        return;
    bool goes_on = appmem_join_step(&state.mem);
    bool is_moving = state.mem.join.is_open;

    drivers_memory_freed(); /* blocks that are whole now */

    if (is_moving)
        task_wake(&state.join_task);
    else
        timer_set(&state.join_timer, clock_ns() + (goes_on ? JOIN_GAP_NS : JOIN_REST_NS));
}

static void watch(void *ctx)
{
    (void)ctx;
    app_memory_watch();
}

void app_memory_init(void)
{
    const struct appmem_config config = {
        .pmm = memory_pmm(),
        .vmm = paging_vmm(),
        .heap = memory_heap(),
        .pressure = &state.pressure,
        .first = APP_FIRST,
        .last = APP_LAST,
        .image_first = (uint64_t)text_start,
        .image_last = (uint64_t)app_template_start,
        .oom = oom,
        .ballooned = ballooned,
        .go_on = go_on,
        .is_ballooned = is_ballooned,
        .evacuate = evacuate,
        .now = now,
    };
    struct pmm_stats stats;

    pmm_stats(memory_pmm(), &stats);
    pressure_init(&state.pressure, stats.total_frames * FRAME_SIZE,
                  stats.reserve_frames * FRAME_SIZE, clock_ns());
    appmem_init(&state.mem, &config);
    state.join_task = (struct task){.run = join, .name = "join"};
    task_add(&state.join_task);
    timer_init(&state.join_timer, &state.join_task);
    state.tell_task = (struct task){.run = watch, .name = "pressure"};
    task_add(&state.tell_task);
    timer_init(&state.tell_timer, &state.tell_task);
}

/* Pages for [start, end) that are not there yet: *past is the end of what is. */
static int map_range(const uint8_t *start, const uint8_t *end, uint64_t *past)
{
    uint64_t first = max_u64(align_down((uint64_t)start, FRAME_SIZE), *past);
    uint64_t last = align_up((uint64_t)end, FRAME_SIZE);

    if (start == end || first >= last)
        return 0;
    *past = last;
    return appmem_map_at(&state.mem, first, last - first);
}

static int copy_template(uint8_t *start, const uint8_t *end)
{
    const uint8_t *from = app_template_start + (start - app_data_virt_start);

    return appmem_copy_out(&state.mem, (uint64_t)start, from, (size_t)(end - start));
}

/* As at every start: newlib's part and the app's, initialised and zeroed. Pages come zeroed. */
static int load_data(const struct app_image *image)
{
    uint64_t past = 0;
    int err = map_range(app_lib_data_start, app_lib_data_end, &past);

    if (!err)
        err = map_range(image->data_start, image->data_end, &past);
    if (!err)
        err = map_range(app_lib_bss_start, app_lib_bss_end, &past);
    if (!err)
        err = map_range(image->bss_start, image->bss_end, &past);
    if (!err)
        err = copy_template(app_lib_data_start, app_lib_data_end);
    if (!err)
        err = copy_template(image->data_start, image->data_end);
    return err;
}

/* argv and its strings at the top of the stack; *at is argv's address, below which the stack begins. */
static int load_args(int argc, char **argv, uint64_t *at)
{
    struct {
        uint64_t argv[ARGS_BYTES / 4 / 8];
        char text[ARGS_BYTES * 3 / 4];
    } args = {0};
    uint64_t base = APP_STACK_TOP - sizeof(args);
    size_t used = 0;

    _Static_assert(sizeof(args) % 16 == 0, "the stack begins below it");
    if ((size_t)argc >= ARRAY_LEN(args.argv))
        return -EINVAL;
    for (int i = 0; i < argc; i++) {
        size_t len = strlen(argv[i]) + 1;

        if (len > sizeof(args.text) - used)
            return -EINVAL;
        memcpy(args.text + used, argv[i], len);
        args.argv[i] = base + sizeof(args.argv) + used;
        used += len;
    }
    *at = base;
    return appmem_copy_out(&state.mem, base, &args, sizeof(args));
}

int app_memory_load(const struct app_image *image, int argc, char **argv,
                    struct app_context *out)
{
    uint64_t args;
    int err = load_data(image);

    if (!err)
        err = appmem_map_at(&state.mem, APP_STACK_TOP - APP_STACK_BYTES, APP_STACK_BYTES);
    if (!err)
        err = load_args(argc, argv, &args);
    if (err) {
        appmem_clear(&state.mem);
        return err;
    }
    *out = (struct app_context){
        .entry = (uint64_t)app_lib_start,
        .stack_top = args,
        .args = {(uint64_t)image, (uint64_t)argc, args},
    };
    hal_note_faults(state.mem.stats.minor_faults);
    state.mem.stats = (struct appmem_stats){.resident = state.mem.stats.resident,
                                            .promised = state.mem.stats.promised,
                                            .peak = state.mem.stats.resident};
    state.is_loaded = true;
    timer_set(&state.join_timer, clock_ns() + JOIN_REST_NS);
    return 0;
}

void app_memory_unload(void)
{
    state.is_loaded = false;
    timer_set(&state.join_timer, TIMER_NEVER);
    while (appmem_clear_step(&state.mem))
        task_pass();
    drivers_memory_freed();
}

bool app_memory_is_stack_guard(uint64_t addr)
{
    uint64_t bottom = APP_STACK_TOP - APP_STACK_BYTES;

    return addr < bottom && addr >= bottom - GUARD_BYTES;
}

/* At most ten times a second: a level that swings is told late, and once. */
static void tell_pressure(uint64_t available, uint64_t free)
{
    static const char *const levels[] = {"none", "low", "medium", "critical"};
    uint64_t now = clock_ns();

    if (now < state.tell_ns) {
        timer_set(&state.tell_timer, state.tell_ns);
        return;
    }
    state.tell_ns = now + TELL_GAP_NS;
    state.told = state.pressure.level;
    event_emit("event=pressure level=%s available=%llu free=%llu ballooned=%llu "
               "changes=%llu",
               levels[state.told], (unsigned long long)available,
               (unsigned long long)free,
               (unsigned long long)(drivers_ballooned_frames() * FRAME_SIZE),
               (unsigned long long)state.pressure.level_changes);
}

void app_memory_watch(void)
{
    const struct appmem_stats *app = &state.mem.stats;
    struct pmm_stats pmm;

    pmm_stats(memory_pmm(), &pmm);
    uint64_t has = pmm.free_frames + app->volatile_frames;
    uint64_t promised = appmem_promised(&state.mem);
    uint64_t available = has > promised ? (has - promised) * FRAME_SIZE : 0;

    pressure_update(&state.pressure, available, clock_ns());
    if (state.pressure.level != state.told)
        tell_pressure(available, pmm.free_frames * FRAME_SIZE);
}
