// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the image holds of each app, and where lib/newlib starts one. mk/apps.mk links the apps, linker.ld
 * places them: code and constants with the kernel's, static data in two ranges of addresses of its own
 * that have no memory until an app starts. What the data starts out as, the template, is a read-only part of
 * the image; the offset of a byte in it is that from app_data_virt_start.
 *
 *     app_lib_data_start .. _end      newlib's and lib/newlib's: for whichever app runs
 *     image->data_start .. _end       of one app
 *     app_lib_bss_start .. _end       zeroed, newlib's and lib/newlib's
 *     image->bss_start .. _end        zeroed, of one app
 */
#pragma once

#include <stdint.h>

struct app_image {
    const char *name; /* of its folder: a-z 0-9 _ - */
    int (*main)(int argc, char **argv);
    uint8_t *data_start,
        *data_end; /* aligned to 64; copied from the template at every start */
    uint8_t *bss_start, *bss_end; /* aligned to 64; zeroed at every start */
};

/* linker.ld. The table of all apps, in no order that means anything. */
extern const struct app_image apps_start[], apps_end[];

/* linker.ld: the two ranges, pages; in each newlib's part comes first. */
extern uint8_t app_data_virt_start[], app_data_virt_end[];
extern uint8_t app_bss_virt_start[], app_bss_virt_end[];
extern uint8_t app_lib_data_start[], app_lib_data_end[];
extern uint8_t app_lib_bss_start[], app_lib_bss_end[];

/* linker.ld: the template, whole pages. */
extern const uint8_t app_template_start[], app_template_end[];

/* lib/newlib/start.c. Runs the app and ends it by exit(). App level, on the app's stack, static data set
 * up; argv[argc] is NULL. */
_Noreturn void app_lib_start(const struct app_image *app, int argc, char **argv);
