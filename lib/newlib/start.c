// SPDX-License-Identifier: BSD-2-Clause
/* The first code of an app. */
#include "kernel/app_image.h"

#include <stdlib.h>

void app_lib_start(const struct app_image *app, int argc, char **argv)
{
    exit(app->main(argc, argv));
}
