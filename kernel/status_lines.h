// SPDX-License-Identifier: BSD-2-Clause
/* A line of the console as the status page lists it. Pure. */
#pragma once

#include "kernel/status_page.h"

/* "@ t=1234567890 event=x" and "[    1.234567] x" become "1.234" and "event=x" or "x"; any other line stays as
 * it is. False: it is not listed, as it only tells that a balloon moves; *out is then undefined. */
bool status_line_parse(const char *text, struct page_line *out);
