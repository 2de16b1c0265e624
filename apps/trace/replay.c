// SPDX-License-Identifier: BSD-2-Clause
/* One function for each operation of a trace. */
#include "replay.h"

#include <guest.h>
#include <stdlib.h>
#include <time.h>

#include "workload/fill.h"

int trace_init(struct trace_replay *r, size_t ids, uint64_t seed)
{
    r->slots = calloc(ids, sizeof(r->slots[0]));
    r->ids = r->slots ? ids : 0;
    r->seed = seed;
    return r->slots ? 0 : -1;
}

static uint64_t tag_of(const struct trace_replay *r, const struct trace_slot *slot)
{
    return fill_tag(r->seed, (uint64_t)(slot - r->slots), slot->version);
}

static void fill_anew(struct trace_replay *r, struct trace_slot *slot)
{
    slot->version++;
    fill_write(slot->start, slot->bytes, tag_of(r, slot));
}

/* The first so many bytes are what they were filled with. */
static bool is_right(const struct trace_replay *r, const struct trace_slot *slot,
                     size_t bytes)
{
    size_t good = fill_check(slot->start, bytes, tag_of(r, slot));

    if (good != bytes)
        report_wrong("id", (uint64_t)(slot - r->slots), good);
    return good == bytes;
}

static void account(struct trace_replay *r, uint64_t more, uint64_t less)
{
    r->live_bytes += more;
    r->live_bytes -= less;
    if (r->live_bytes > r->peak_bytes)
        r->peak_bytes = r->live_bytes;
}

static void take_latency(struct trace_replay *r, enum trace_what what, uint64_t before)
{
    histogram_add(&r->latency_ns[what], guest_ns() - before);
}

/* A slot that is unused, or refused and reallocated. */
static enum trace_result do_alloc(struct trace_replay *r, struct trace_slot *slot,
                                  uint64_t bytes)
{
    uint64_t before = guest_ns();

    slot->start = malloc(bytes);
    take_latency(r, TRACE_ALLOC, before);
    slot->state = slot->start ? TRACE_LIVE : TRACE_REFUSED;
    if (!slot->start) {
        report_refused(&r->refusals, bytes);
        return TRACE_OK;
    }
    slot->bytes = bytes;
    fill_anew(r, slot);
    account(r, bytes, 0);
    return TRACE_OK;
}

static enum trace_result do_free(struct trace_replay *r, struct trace_slot *slot)
{
    bool ok = is_right(r, slot, slot->bytes);
    uint64_t before = guest_ns();

    free(slot->start);
    take_latency(r, TRACE_FREE, before);
    account(r, 0, slot->bytes);
    slot->state = TRACE_UNUSED;
    return ok ? TRACE_OK : TRACE_WRONG;
}

static enum trace_result do_touch(struct trace_replay *r, struct trace_slot *slot)
{
    uint64_t before = guest_ns();
    bool ok = is_right(r, slot, slot->bytes);

    fill_anew(r, slot);
    take_latency(r, TRACE_TOUCH, before);
    return ok ? TRACE_OK : TRACE_WRONG;
}

static enum trace_result do_realloc(struct trace_replay *r, struct trace_slot *slot,
                                    uint64_t bytes)
{
    size_t common = bytes < slot->bytes ? bytes : slot->bytes;
    uint64_t before = guest_ns();
    void *start = realloc(slot->start, bytes);

    take_latency(r, TRACE_REALLOC, before);
    if (!start) {
        report_refused(&r->refusals, bytes); /* it stays what it was */
        return TRACE_OK;
    }
    slot->start = start;
    bool ok = is_right(r, slot, common);

    account(r, bytes, slot->bytes);
    slot->bytes = bytes;
    fill_anew(r, slot);
    return ok ? TRACE_OK : TRACE_WRONG;
}

static void wait_ns(uint64_t ns)
{
    const struct timespec time = {.tv_sec = (time_t)(ns / 1000000000),
                                  .tv_nsec = (long)(ns % 1000000000)};

    nanosleep(&time, NULL);
}

static enum trace_result do_refused(struct trace_replay *r, struct trace_slot *slot,
                                    const struct trace_op *op)
{
    if (op->what == TRACE_REALLOC)
        return do_alloc(r, slot, op->amount);
    if (op->what == TRACE_ALLOC)
        return TRACE_NONSENSE;
    r->skipped++;
    if (op->what == TRACE_FREE)
        slot->state = TRACE_UNUSED;
    return TRACE_OK;
}

static enum trace_result do_live(struct trace_replay *r, struct trace_slot *slot,
                                 const struct trace_op *op)
{
    switch (op->what) {
    case TRACE_FREE:
        return do_free(r, slot);
    case TRACE_TOUCH:
        return do_touch(r, slot);
    case TRACE_REALLOC:
        return do_realloc(r, slot, op->amount);
    default:
        return TRACE_NONSENSE;
    }
}

static enum trace_result do_slot(struct trace_replay *r, struct trace_slot *slot,
                                 const struct trace_op *op)
{
    switch (slot->state) {
    case TRACE_LIVE:
        return do_live(r, slot, op);
    case TRACE_REFUSED:
        return do_refused(r, slot, op);
    case TRACE_UNUSED:
        break;
    }
    return op->what == TRACE_ALLOC ? do_alloc(r, slot, op->amount) : TRACE_NONSENSE;
}

enum trace_result trace_do(struct trace_replay *r, const struct trace_op *op)
{
    if (op->what == TRACE_NOTHING || op->what == TRACE_END)
        return TRACE_OK;
    r->ops++;
    if (op->what == TRACE_WAIT) {
        wait_ns(op->amount);
        return TRACE_OK;
    }
    return op->id < r->ids ? do_slot(r, &r->slots[op->id], op) : TRACE_NONSENSE;
}

enum trace_result trace_free_all(struct trace_replay *r)
{
    enum trace_result result = TRACE_OK;

    for (size_t id = 0; id < r->ids; id++)
        if (r->slots[id].state == TRACE_LIVE && do_free(r, &r->slots[id]) != TRACE_OK)
            result = TRACE_WRONG;
    free(r->slots);
    r->slots = NULL;
    r->ids = 0;
    return result;
}
