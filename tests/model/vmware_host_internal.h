// SPDX-License-Identifier: BSD-2-Clause
/* Between the parts of the VMware host's model: commands (vmware_host.c), rules and record
 * (vmware_rules.c). */
#pragma once

#include "tests/model/vmware_host.h"

uint64_t vh_random(struct vmware_host *h);

/* The first breach is kept. */
void vh_rule(struct vmware_host *h, bool holds, const char *what);
/* What may come now, in this form. */
void vh_rules_before(struct vmware_host *h, const struct vh_call *call,
                     const struct vmware_regs *regs);
/* I-10, after frames were locked or unlocked. */
void vh_rule_size(struct vmware_host *h, bool is_lock, uint64_t frames);
void vh_record(struct vmware_host *h, const struct vh_call *call);
