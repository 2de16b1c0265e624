// SPDX-License-Identifier: BSD-2-Clause
/* The commands run and stop. */
#include "kernel/app.h"
#include "kernel/app_image.h"
#include "kernel/command.h"
#include "kernel/log.h"

#include "base/err.h"

static const char *explain(int err)
{
    switch (err) {
    case -ENODEV:
        return "no such app; `run` alone lists them";
    case -EBUSY:
        return "an app runs already; `stop` ends it";
    case -ENOMEM:
        return "no memory for its stack and data";
    case -EINVAL:
        return "too many arguments, or too long";
    default:
        return err_name(err);
    }
}

void command_run(int argc, char **argv)
{
    if (argc < 2) {
        for (const struct app_image *image = apps_start; image < apps_end; image++)
            log_answer("run: %s", image->name);
        return;
    }
    int err = app_start(argc - 1, argv + 1);

    if (err)
        command_error("run", "%s: %s", argv[1], explain(err));
}

void command_stop(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (app_is_running())
        app_end(APP_STOPPED, 0);
    else
        command_error("stop", "no app runs");
}
