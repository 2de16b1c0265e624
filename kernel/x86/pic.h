// SPDX-License-Identifier: BSD-2-Clause
/* The two 8259s of a PC: moved out of the exceptions' way and masked. */
#pragma once

void pic_mask_all(void);
