// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmhost/schedule.h"

#include "base/units.h"
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
    uint64_t later_ns, later; /* a target that is due then; 0: none */
    uint64_t told_ns;         /* the target of that time was said to be met */
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

bool schedule_set_later(const char *text)
{
    uint64_t ms;

    if (!text_number(&text, &ms) || *text++ != ',' ||
        !text_is_number(text, &schedule.later))
        return false;
    schedule.later_ns = log_now_ns() + ms * NS_PER_MS;
    return true;
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

static void poll_later(void)
{
    if (schedule.later_ns == 0 || log_now_ns() < schedule.later_ns)
        return;
    balloon_set_target_since(schedule.later, schedule.later_ns);
    schedule.later_ns = 0;
}

void schedule_poll(void)
{
    poll_later();
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

void schedule_watch(void)
{
    const struct balloon_account *account = balloon_account();

    if (schedule.told_ns == account->since_ns || !is_met())
        return;
    schedule.told_ns = account->since_ns;
    log_say("met frames=%lu locked=%lu polls=%lu", account->target, frames_held(),
            account->by_command[COMMAND_GET_TARGET]);
}
