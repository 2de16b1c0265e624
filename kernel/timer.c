// SPDX-License-Identifier: BSD-2-Clause
/*
 * Deadlines. All timers are in one short list; the LAPIC runs only while the CPU sleeps or an app runs,
 * because tasks are not preempted and the loop looks at the clock between them.
 */
#include "kernel/timer.h"
#include "kernel/clock.h"
#include "kernel/clock_math.h"
#include "kernel/log.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/lapic.h"

#include "base/bits.h"
#include "base/units.h"

#define MEASURE_NS    NS_PER_MS
#define MEASURE_TIMES 4
/* keeps the product of ns and rate in 64 bits; waking early is harmless */
#define SLEEP_MAX_NS NS_PER_S

static struct list timers = {&timers, &timers}; /* task level only */
static uint64_t lapic_khz;
/* When the LAPIC will fire; 0 when it has, which may be earlier than asked for. Written with interrupts off. */
static volatile uint64_t armed_ns = TIMER_NEVER;

/* The host may stop us between any two readings. The counter is read inside the time that is taken, so
 * that a stop makes it look slow, never fast: an early wake is harmless, a late one is not. */
static uint64_t measure_khz(void)
{
    uint64_t start_ns = clock_ns(), now_ns;
    uint32_t start = lapic_timer_left(), left;

    do {
        left = lapic_timer_left();
        now_ns = clock_ns();
    } while (now_ns - start_ns < MEASURE_NS);
    return (uint64_t)(start - left) * 1000000 / (now_ns - start_ns);
}

void timer_start(void)
{
    lapic_khz = 1;
    lapic_timer_start(UINT32_MAX);
    for (int i = 0; i < MEASURE_TIMES; i++)
        lapic_khz = max_u64(lapic_khz, measure_khz());
    lapic_timer_start(0);
    log_info("timer: LAPIC at %llu kHz", (unsigned long long)lapic_khz);
}

void timer_init(struct timer *timer, struct task *task)
{
    timer->task = task;
    timer->when_ns = TIMER_NEVER;
    list_init(&timer->link);
}

void timer_set(struct timer *timer, uint64_t when_ns)
{
    list_remove(&timer->link);
    timer->when_ns = when_ns;
    if (when_ns != TIMER_NEVER)
        list_push_back(&timers, &timer->link);
}

void timer_wake_due(void)
{
    if (list_is_empty(&timers))
        return;

    uint64_t now = clock_ns();
    list_for_each_safe (it, tmp, &timers) {
        struct timer *timer = LIST_ENTRY(it, struct timer, link);

        if (timer->when_ns <= now) {
            timer_set(timer, TIMER_NEVER);
            task_wake(timer->task);
        }
    }
}

static uint64_t nearest_ns(void)
{
    uint64_t nearest = TIMER_NEVER;

    list_for_each (it, &timers)
        nearest = min_u64(nearest, LIST_ENTRY(it, struct timer, link)->when_ns);
    return nearest;
}

/* Have the LAPIC interrupt at `when_ns`, or somewhat earlier; at once when that is over. */
static void arm(uint64_t when_ns, uint64_t now_ns)
{
    uint64_t left_ns = when_ns > now_ns ? min_u64(when_ns - now_ns, SLEEP_MAX_NS) : 0;
    uint64_t ticks = left_ns * lapic_khz / 1000000;

    lapic_timer_start((uint32_t)min_u64(max_u64(ticks, 1), UINT32_MAX));
    armed_ns = now_ns + left_ns;
}

bool timer_arm_next(void)
{
    uint64_t now = clock_ns(), nearest = nearest_ns();

    if (nearest == TIMER_NEVER) {
        lapic_timer_start(0);
        armed_ns = TIMER_NEVER;
        return true;
    }
    if (nearest <= now)
        return false;
    arm(nearest, now);
    return true;
}

void timer_arm_slice(uint64_t slice_ns)
{
    uint64_t now = clock_ns(), nearest = nearest_ns();

    if (slice_ns != TIMER_NEVER)
        nearest = min_u64(nearest, now + slice_ns);
    /* Touching the LAPIC leaves the guest: not when it fires in time anyway. */
    if (armed_ns > nearest || (armed_ns <= now && nearest != TIMER_NEVER))
        arm(nearest, now);
}

void timer_fired(void)
{
    armed_ns = 0;
}

void timer_resume(void)
{
    armed_ns = TIMER_NEVER;
}
