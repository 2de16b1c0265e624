// SPDX-License-Identifier: BSD-2-Clause
/* Compiled and linked once for every app, with its APP_NAME: how the kernel finds it. */
#include "kernel/app_image.h"

int main(int argc, char **argv);

/* app.ld */
extern uint8_t app_data_start[], app_data_end[], app_bss_start[], app_bss_end[];

/* Aligned by hand: compilers align larger objects more, which would leave gaps in the table. */
__attribute__((used, section(".app_table"),
               aligned(8))) static const struct app_image app_image = {
    .name = APP_NAME,
    .main = main,
    .data_start = app_data_start,
    .data_end = app_data_end,
    .bss_start = app_bss_start,
    .bss_end = app_bss_end,
};
