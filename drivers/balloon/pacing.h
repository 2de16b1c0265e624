// SPDX-License-Identifier: BSD-2-Clause
/*
 * When a balloon may try to grow: back-off while memory is short, and the pause that keeps a host's
 * target and the guest's need from fighting. Private to drivers/balloon/.
 */
#pragma once

#include "drivers/balloon/balloon.h"

#define PACING_RETRY_MIN_NS (200 * NS_PER_MS) /* R-V-24 */
#define PACING_RETRY_MAX_NS (5 * NS_PER_S)    /* R-X-04 */
#define PACING_PAUSE_MIN_NS (5 * NS_PER_S)    /* R-X-06 */
#define PACING_PAUSE_MAX_NS (60 * NS_PER_S)

void pacing_init(struct balloon_pacing *p);

/* Memory could not be had: wait, longer each time. */
void pacing_back_off(struct balloon_pacing *p, uint64_t now_ns);

/* Memory was had: the next back-off starts from the shortest wait. */
void pacing_progress(struct balloon_pacing *p);

/* Something changed: the next attempt may be made now. A pause stays. */
void pacing_retry_now(struct balloon_pacing *p);

/* The guest took frames back because it had no others. */
void pacing_pause(struct balloon_pacing *p, uint64_t frames, uint64_t now_ns);

/* The guest needed memory not long ago, and inflation is held off for it. */
bool pacing_is_paused(const struct balloon_pacing *p);

/* When inflation by `wanted_frames` may go on; `now_ns` or less: at once. Ends a pause whose time and need
 * are over. */
uint64_t pacing_inflate_at(struct balloon_pacing *p, const struct balloon_hal *hal,
                           uint64_t wanted_frames, uint64_t now_ns);
