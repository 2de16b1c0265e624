// SPDX-License-Identifier: BSD-2-Clause
// expect: format
#include "base/log.h"

void f(const struct log_sink *sink);
void f(const struct log_sink *sink)
{
    log_to(sink, LOG_INFO, "pages: %s", 17);
}
