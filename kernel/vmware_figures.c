// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VMware balloon's figures: the command vmmemctl prints those that users of this balloon know, line by
 * line and in their layout, and behind them those that later drivers brought (R-L-18), without the ones that
 * stand there already; the events say the same to programs.
 */
#include "kernel/event.h"
#include "kernel/log.h"
#include "kernel/vmware_report.h"

typedef unsigned long long ull;

/* In frames, as users count. */
static uint64_t in_frames(const uint64_t pages[VMWARE_SIZES])
{
    return pages[0] + pages[1] * BLOCK_FRAMES;
}

static void line(const char *label, uint64_t value, const char *unit)
{
    log_answer("%-21s%8llu%s", label, (ull)value, unit);
}

static void pair(const char *label, const struct vmware_tally *tally)
{
    log_answer("%-21s%8llu (%4llu failed)", label, (ull)tally->total, (ull)tally->failed);
}

static void print_known(const struct vmware_balloon_status *now)
{
    const struct vmware_counters *count = &now->count;
    const struct vmware_tally *command = count->command;

    line("target:", now->wish_frames, " pages");
    line("current:", now->size_frames, " pages");
    line("rateNoSleepAlloc:", VMWARE_RATE_NOSLEEP, " pages/sec");
    line("rateSleepAlloc:", now->rate_alloc, " pages/sec");
    line("rateFree:", now->rate_free, " pages/sec");
    log_answer("%s", "");
    line("timer:", count->timer, "");
    pair("start:", &command[VMWARE_CMD_START]);
    pair("guestType:", &command[VMWARE_CMD_GUEST_ID]);
    pair("lock:", &command[VMWARE_CMD_LOCK]);
    pair("unlock:", &command[VMWARE_CMD_UNLOCK]);
    pair("target:", &command[VMWARE_CMD_GET_TARGET]);
    pair("primNoSleepAlloc:", &count->nosleep_alloc);
    pair("primCanSleepAlloc:", &count->cansleep_alloc);
    line("primFree:", in_frames(count->freed), "");
    line("errAlloc:", in_frames(count->refused), "");
    line("errFree:", in_frames(count->refused_free), "");
}

static void print_sizes(const char *small, const char *huge,
                        const uint64_t pages[VMWARE_SIZES])
{
    line(small, pages[0], "");
    line(huge, pages[1], "");
}

static void print_later(const struct vmware_balloon_status *now)
{
    const struct vmware_counters *count = &now->count;
    const struct vmware_tally *command = count->command;

    log_answer("%s", "");
    log_answer("%-21s%#8x", "balloon capabilities:", now->wished_caps);
    log_answer("%-21s%#8x", "used capabilities:", now->caps);
    log_answer("%-21s%8s", "is resetting:", now->is_reset_due ? "y" : "n");
    pair("batchLock:", &command[VMWARE_CMD_BATCHED_LOCK]);
    pair("batchUnlock:", &command[VMWARE_CMD_BATCHED_UNLOCK]);
    pair("2m-lock:", &command[VMWARE_CMD_BATCHED_2M_LOCK]);
    pair("2m-unlock:", &command[VMWARE_CMD_BATCHED_2M_UNLOCK]);
    pair("doorbellSet:", &command[VMWARE_CMD_DOORBELL_SET]);
    line("doorbell:", count->doorbells, "");
    line("reset:", count->resets, "");
    line("shrink:", count->shrinks, "");
    line("shrinkFree:", count->shrink_frames, "");
    line("alloc (4k):", count->alloc[0].total, "");
    line("alloc (2M):", count->alloc[1].total, "");
    line("allocFail (4k):", count->alloc[0].failed, "");
    line("allocFail (2M):", count->alloc[1].failed, "");
    print_sizes("errAlloc (4k):", "errAlloc (2M):", count->refused);
    print_sizes("errFree (4k):", "errFree (2M):", count->refused_free);
    print_sizes("free (4k):", "free (2M):", count->freed);
}

static void emit_known(const struct vmware_balloon_status *now)
{
    const struct vmware_counters *count = &now->count;
    const struct vmware_tally *command = count->command;

    event_emit(
        "balloon=vmware event=stats target=%llu current=%llu "
        "rate_nosleep_alloc=%u rate_sleep_alloc=%u rate_free=%u timer=%llu "
        "start=%llu start_failed=%llu guest_type=%llu guest_type_failed=%llu "
        "lock=%llu lock_failed=%llu unlock=%llu unlock_failed=%llu "
        "get_target=%llu get_target_failed=%llu",
        (ull)now->wish_frames, (ull)now->size_frames, VMWARE_RATE_NOSLEEP,
        now->rate_alloc, now->rate_free, (ull)count->timer,
        (ull)command[VMWARE_CMD_START].total, (ull)command[VMWARE_CMD_START].failed,
        (ull)command[VMWARE_CMD_GUEST_ID].total, (ull)command[VMWARE_CMD_GUEST_ID].failed,
        (ull)command[VMWARE_CMD_LOCK].total, (ull)command[VMWARE_CMD_LOCK].failed,
        (ull)command[VMWARE_CMD_UNLOCK].total, (ull)command[VMWARE_CMD_UNLOCK].failed,
        (ull)command[VMWARE_CMD_GET_TARGET].total,
        (ull)command[VMWARE_CMD_GET_TARGET].failed);
    event_emit("balloon=vmware event=stats prim_nosleep_alloc=%llu "
               "prim_nosleep_alloc_failed=%llu prim_cansleep_alloc=%llu "
               "prim_cansleep_alloc_failed=%llu prim_free=%llu err_alloc=%llu "
               "err_free=%llu",
               (ull)count->nosleep_alloc.total, (ull)count->nosleep_alloc.failed,
               (ull)count->cansleep_alloc.total, (ull)count->cansleep_alloc.failed,
               (ull)in_frames(count->freed), (ull)in_frames(count->refused),
               (ull)in_frames(count->refused_free));
}

static void emit_later(const struct vmware_balloon_status *now)
{
    const struct vmware_counters *count = &now->count;
    const struct vmware_tally *command = count->command;

    event_emit("balloon=vmware event=stats level=%s caps=0x%x wished=0x%x resetting=%u "
               "has_doorbell=%u limit=%llu clamped=%llu huge=%llu refused=%llu "
               "set_bytes=%llu slow_cycles=%u",
               vmware_level_name(now->level), now->caps, now->wished_caps,
               now->is_reset_due, now->has_doorbell, (ull)now->limit_frames,
               (ull)now->target_frames, (ull)now->huge_frames, (ull)now->refused_frames,
               (ull)now->set_bytes, now->slow_cycles);
    event_emit("balloon=vmware event=stats batch_lock=%llu batch_lock_failed=%llu "
               "batch_unlock=%llu batch_unlock_failed=%llu lock_2m=%llu "
               "lock_2m_failed=%llu unlock_2m=%llu unlock_2m_failed=%llu "
               "doorbell_set=%llu doorbell_set_failed=%llu",
               (ull)command[VMWARE_CMD_BATCHED_LOCK].total,
               (ull)command[VMWARE_CMD_BATCHED_LOCK].failed,
               (ull)command[VMWARE_CMD_BATCHED_UNLOCK].total,
               (ull)command[VMWARE_CMD_BATCHED_UNLOCK].failed,
               (ull)command[VMWARE_CMD_BATCHED_2M_LOCK].total,
               (ull)command[VMWARE_CMD_BATCHED_2M_LOCK].failed,
               (ull)command[VMWARE_CMD_BATCHED_2M_UNLOCK].total,
               (ull)command[VMWARE_CMD_BATCHED_2M_UNLOCK].failed,
               (ull)command[VMWARE_CMD_DOORBELL_SET].total,
               (ull)command[VMWARE_CMD_DOORBELL_SET].failed);
}

static void emit_events(const struct vmware_counters *count)
{
    event_emit("balloon=vmware event=stats doorbells=%llu resets=%llu shrinks=%llu "
               "shrink_frames=%llu alloc_4k=%llu alloc_4k_failed=%llu alloc_2m=%llu "
               "alloc_2m_failed=%llu popped=%llu moved=%llu unlock_stale=%llu "
               "split_groups=%llu wrong_entries=%llu",
               (ull)count->doorbells, (ull)count->resets, (ull)count->shrinks,
               (ull)count->shrink_frames, (ull)count->alloc[0].total,
               (ull)count->alloc[0].failed, (ull)count->alloc[1].total,
               (ull)count->alloc[1].failed, (ull)count->popped_frames, (ull)count->moved,
               (ull)count->unlock_stale, (ull)count->split_groups,
               (ull)count->wrong_entries);
}

void vmware_report_stats(const struct vmware_balloon *vb)
{
    struct vmware_balloon_status now;

    vmware_balloon_get_status(vb, &now);
    emit_known(&now);
    emit_later(&now);
    emit_events(&now.count);
}

void vmware_report_vmmemctl(const struct vmware_balloon *vb)
{
    struct vmware_balloon_status now;

    vmware_balloon_get_status(vb, &now);
    print_known(&now);
    print_later(&now);
    vmware_report_stats(vb);
}
