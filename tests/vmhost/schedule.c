// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmhost/schedule.h"

#include "tests/vmhost/balloon_host.h"
#include "tests/vmhost/frames.h"
#include "tests/vmhost/log.h"
#include "tests/vmhost/text.h"

#define TARGETS_MAX 256
#define MET_TWICE   2

static struct {
    uint64_t targets[TARGETS_MAX];
    unsigned count, next;
    uint64_t polls, met; /* since the present target was set */
    uint64_t step, slack;
    bool repeats, is_over;
} schedule;

bool schedule_set(const char *text)
{
    schedule.count = schedule.next = 0;
    schedule.is_over = false;
    for (;;) {
        if (schedule.count == TARGETS_MAX ||
            !text_number(&text, &schedule.targets[schedule.count++]))
            return false;
        if (*text == '\0')
            return true;
        if (*text++ != ',')
            return false;
    }
}

void schedule_set_polls(uint64_t polls)
{
    schedule.step = polls;
}

void schedule_set_met(uint64_t frames)
{
    schedule.slack = frames;
}

void schedule_set_repeat(uint64_t on)
{
    schedule.repeats = on;
}

static bool is_met(void)
{
    uint64_t target = balloon_account()->target, held = frames_held();

    return (target > held ? target - held : held - target) <= schedule.slack;
}

static bool may_move_on(void)
{
    if (schedule.next == 0)
        return true;
    schedule.polls++;
    schedule.met = is_met() ? schedule.met + 1 : 0;
    return schedule.step ? schedule.polls >= schedule.step : schedule.met >= MET_TWICE;
}

void schedule_poll(void)
{
    if (schedule.count == 0 || schedule.is_over || !may_move_on())
        return;
    if (schedule.next == schedule.count && schedule.repeats)
        schedule.next = 0;
    if (schedule.next == schedule.count) {
        schedule.is_over = true;
        log_say("schedule event=over locked=%lu", frames_held());
        return;
    }
    schedule.polls = schedule.met = 0;
    balloon_set_target(schedule.targets[schedule.next++]);
}
