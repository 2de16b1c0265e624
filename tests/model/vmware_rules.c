// SPDX-License-Identifier: BSD-2-Clause
/* What a driver may do on the VMware port and when, and the record of what it did. */
#include "tests/model/vmware_host_internal.h"

#include "base/bits.h"

#include <stdio.h>

void vh_rule(struct vmware_host *h, bool holds, const char *what)
{
    if (holds)
        return;
    if (!h->misuse++)
        h->complaint = what;
}

void vh_rules_before(struct vmware_host *h, const struct vh_call *call,
                     const struct vmware_regs *regs)
{
    bool is_start = call->cmd == VH_START;

    vh_rule(h, !h->is_over, "I-14: a command after the end");
    vh_rule(h, call->cmd < VH_CMDS && call->cmd != VH_NEVER, "a command that is none");
    vh_rule(h, regs->cx >> 16 == 0, "bits above the command in RCX");
    vh_rule(h, is_start || !h->was_told_reset, "I-8: after RESET comes START");
    vh_rule(h, is_start || h->phase != VH_CLOSED || h->is_deaf,
            "a command without a session");
}

void vh_rule_size(struct vmware_host *h, bool is_lock, uint64_t frames)
{
    uint64_t size = h->locked_frames;

    if (h->is_lenient)
        return;
    /* The last group of a size may stand out, by less than its frames. */
    if (is_lock)
        vh_rule(h, size - frames < h->told, "I-10: locked beyond the target");
    else
        vh_rule(h, size + frames > h->told, "I-10: unlocked below the target");
}

void vh_record(struct vmware_host *h, const struct vh_call *call)
{
    bool is_ok = call->status == VH_SUCCESS ||
                 (call->cmd == VH_START && call->status == VH_WITH_CAPS);

    h->trace[h->trace_count % VH_TRACE] = *call;
    h->trace[h->trace_count++ % VH_TRACE].at_ns = h->hal->now_ns;
    if (call->cmd >= VH_CMDS)
        return;
    h->calls[call->cmd]++;
    h->failed[call->cmd] += !is_ok;
}

const char *vmware_host_cmd_name(unsigned cmd)
{
    static const char *const names[VH_CMDS] = {
        "START",  "GET_TARGET", "LOCK",    "UNLOCK",    "GUEST_ID",     "5",
        "B_LOCK", "B_UNLOCK",   "2M_LOCK", "2M_UNLOCK", "DOORBELL_SET",
    };

    return cmd < VH_CMDS ? names[cmd] : "?";
}

void vmware_host_mark(struct vmware_host *h)
{
    h->trace_from = h->trace_count;
}

static int print_call(const struct vmware_host *h, const struct vh_call *c, char *text,
                      size_t size)
{
    const char *name = vmware_host_cmd_name(c->cmd);
    unsigned long long arg = c->arg1, data = c->data;

    if (c->cmd >= VH_BATCH_LOCK && c->cmd <= VH_BATCH_2M_UNLOCK)
        return snprintf(text, size, "%s x%llu =%x; ", name, (unsigned long long)c->arg2,
                        c->status);
    if (c->cmd == VH_LOCK || c->cmd == VH_UNLOCK)
        return snprintf(text, size, "%s %llu =%x; ", name, arg - h->guest->base,
                        c->status);
    if (c->cmd == VH_GET_TARGET && c->status == VH_SUCCESS)
        return snprintf(text, size, "%s %llu =0/%u; ", name, arg, (unsigned)data);
    if (c->cmd == VH_GET_TARGET)
        return snprintf(text, size, "%s %llu =%x; ", name, arg, c->status);
    if (c->cmd == VH_START && c->status == VH_WITH_CAPS)
        return snprintf(text, size, "%s %llx =%x/%x; ", name, arg, c->status,
                        (unsigned)data);
    return snprintf(text, size, "%s %llx =%x; ", name, arg, c->status);
}

void vmware_host_text(const struct vmware_host *h, char *text, size_t size)
{
    size_t at = 0;

    *text = '\0';
    for (uint64_t i = h->trace_from; i < h->trace_count && at < size; i++)
        at += (size_t)print_call(h, &h->trace[i % VH_TRACE], text + at, size - at);
    if (at > 0 && at < size)
        text[at - 1] = '\0'; /* the last blank */
}

static void print_last(const struct vmware_host *h)
{
    char text[100];

    for (uint64_t i = h->trace_count > 20 ? h->trace_count - 20 : 0; i < h->trace_count;
         i++) {
        print_call(h, &h->trace[i % VH_TRACE], text, sizeof(text));
        fprintf(stderr, "%s", text);
    }
    fprintf(stderr, "\n");
}

void vmware_host_check(const struct vmware_host *h)
{
    uint64_t locked = 0;

    for (uint64_t i = 0; i < h->guest->count; i++)
        locked += h->locked[i] != 0;
    model_equal(locked, h->locked_frames);
    guest_check(h->guest);
    if (!h->misuse)
        return;
    print_last(h);
    model_fail(h->complaint, __LINE__);
}
