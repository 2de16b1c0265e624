// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sampling: with the setting `sample` one event per period with every figure of memory, balloon and
 * pressure. A period that could not be kept is skipped, never made up for.
 */
#pragma once

/* Boot context, after the drivers. Nothing without the setting. */
void sample_start(void);
