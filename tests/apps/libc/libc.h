// SPDX-License-Identifier: BSD-2-Clause
/* What the C library owes to apps, a function for each of its parts. */
#pragma once

void check_static_data(void);
void check_stdio(void);
void check_files(void);
void check_stdin(void);
void check_string(void);
void check_page_end(void);
void check_ctype(void);
void check_numbers(void);
void check_stdlib(void);
void check_malloc(void);
void check_atexit(void);
void check_math(void);
void check_fenv(void);
void check_time(void);
void check_setjmp(void);
void check_signal(void);
void check_errno(void);
void check_assert(void);
