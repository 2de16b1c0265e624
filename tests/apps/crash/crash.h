// SPDX-License-Identifier: BSD-2-Clause
/* Ways for an app to end badly. Each function does not come back; when it does, the app ends with 99. */
#pragma once

/* faults.c */
void null_read(void);
void write_text(void);
void exec_data(void);
void divide(void);
void bad_opcode(void);
void wild_jump(void);
void stack_overflow(void);
void huge_frame(void);
void full_stack(void);
void stack_smash(void);
void raise_assert(void);
void raise_abort(void);

/* memory.c */
void double_free(void);
void bad_free(void);
void use_after_unmap(void);
void write_past_end(void);
void touch_purged(void);
void touch_sparse(void);

/* spin.c */
void nap(void); /* comes back */
void oversleep(void);
void write_long(void);
void swing(void);
void spin(void);
void spin_sse(void);
