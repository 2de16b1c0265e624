// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/vmware_status.h"

#include "base/bits.h"
#include "kernel/format.h"

void vmware_status_describe(const struct vmware_balloon_status *now, char *text,
                            size_t size)
{
    format_s(text, size, "balloon %s, level %s, capabilities 0x%x of 0x%x, doorbell %s",
             vmware_policy_name(now->policy), vmware_level_name(now->level), now->caps,
             now->wished_caps, now->has_doorbell ? "on" : "off");
}

static void detail_commands(struct status_sheet *sheet,
                            const struct vmware_counters *count)
{
    static const struct {
        unsigned command;
        const char *name;
    } shown[] = {
        {VMWARE_CMD_START, "START"},
        {VMWARE_CMD_GET_TARGET, "GET_TARGET"},
        {VMWARE_CMD_LOCK, "LOCK"},
        {VMWARE_CMD_UNLOCK, "UNLOCK"},
        {VMWARE_CMD_BATCHED_LOCK, "BATCHED_LOCK"},
        {VMWARE_CMD_BATCHED_UNLOCK, "BATCHED_UNLOCK"},
        {VMWARE_CMD_BATCHED_2M_LOCK, "BATCHED_2M_LOCK"},
        {VMWARE_CMD_BATCHED_2M_UNLOCK, "BATCHED_2M_UNLOCK"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(shown); i++) {
        const struct vmware_tally *tally = &count->command[shown[i].command];

        if (tally->total)
            sheet_put(sheet, shown[i].name, "%llu, %llu failed",
                      (unsigned long long)tally->total,
                      (unsigned long long)tally->failed);
    }
}

void vmware_status_put(struct status_sheet *sheet,
                       const struct vmware_balloon_status *now)
{
    sheet_group(sheet, "VMware balloon");
    sheet_size(sheet, "target", bytes_of_frames(now->wish_frames));
    sheet_size(sheet, "of it possible", now->target_frames * FRAME_SIZE);
    sheet_size(sheet, "actual", now->size_frames * FRAME_SIZE);
    sheet_size(sheet, "in groups of 2 MiB", now->huge_frames * FRAME_SIZE);
    sheet_number(sheet, "refused, kept", now->refused_frames);
    sheet_number(sheet, "cycles", now->count.timer);
    detail_commands(sheet, &now->count);
    sheet_number(sheet, "doorbells", now->count.doorbells);
    sheet_number(sheet, "resets", now->count.resets);
    sheet_number(sheet, "groups split", now->count.split_groups);
    sheet_number(sheet, "frames moved", now->count.moved);
    sheet_number(sheet, "out of memory", now->count.shrinks);
    sheet_number(sheet, "lies of the host", now->count.wrong_entries);
}
