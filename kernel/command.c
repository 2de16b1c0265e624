// SPDX-License-Identifier: BSD-2-Clause
/* The table of commands, the words of a line, and the order in which lines run. */
#include "kernel/command.h"
#include "kernel/app.h"
#include "kernel/config.h"
#include "kernel/config_parse.h"
#include "kernel/console.h"
#include "kernel/drivers.h"
#include "kernel/event.h"
#include "kernel/format.h"
#include "kernel/log.h"
#include "kernel/power.h"
#include "kernel/string.h"
#include "kernel/suspend.h"
#include "kernel/task.h"

#include "base/bits.h"
#include "base/err.h"

#define QUEUE_BYTES 1024

/* Lines that wait for a job, each with its NUL; the script is the setting `run`. */
static struct {
    char queue[QUEUE_BYTES];
    size_t queued;
    const char *script; /* what is left of it */
    bool script_waits;  /* for the app it ran */
    struct task task;
} command;

static void help(int argc, char **argv);
static void balloon(int argc, char **argv);
static void vmmemctl(int argc, char **argv);

/* True when the line names no way out, or one there is. */
static bool is_way_sound(int argc, char **argv)
{
    if (argc == 1 || (argc == 2 && power_has_way(argv[1])))
        return true;
    command_error(argv[0], "say nothing, acpi, efi, keyboard, port or fault");
    return false;
}

static void reboot(int argc, char **argv)
{
    if (!is_way_sound(argc, argv))
        return;
    if (argc == 2)
        power_reboot_by(argv[1]);
    power_reboot();
}

static void poweroff(int argc, char **argv)
{
    if (!is_way_sound(argc, argv))
        return;
    if (argc == 2)
        power_off_by(argv[1]);
    power_off();
}

static const struct command commands[] = {
    {"help", "this list", false, help},
    {"mem",
     "[check|compact]: where all memory is; prove that the books agree; make whole blocks",
     false, command_mem},
    {"stats", "counters of the kernel and the balloon", false, command_stats},
    {"doctor", "what is well and what is not", false, command_doctor},
    {"fill", "SIZE|N%: take memory and write to every page of it", true, command_fill},
    {"print", "SIZE: lines of text to every console, and how long that took", false,
     command_print},
    {"free", "give back what fill took", true, command_free},
    {"run", "APP [ARGS]: start an app; without APP, the list", true, command_run},
    {"stop", "end the app that runs", false, command_stop},
    {"balloon", "map|detach|attach", true, balloon},
    {"vmmemctl", "what the VMware balloon counts", false, vmmemctl},
    {"reboot", "[acpi|efi|keyboard|port|fault]: start again", false, reboot},
    {"suspend", "to RAM, until the host wakes this machine", true, command_suspend},
    {"poweroff", "[acpi|efi|...]: switch off", false, poweroff},
    {"crash", "KIND: for tests; without KIND, the list", true, command_crash},
};

/* Text from outside goes into an event: only what cannot end the word it stands in. */
static void clean(char *text, const char *without)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~' || strchr(without, *text))
            *text = '?';
    }
}

void command_error(const char *name, const char *fmt, ...)
{
    char reason[160];
    va_list args;

    va_start(args, fmt);
    format_v(reason, sizeof(reason), fmt, args);
    va_end(args);
    clean(reason, "\"");
    event_emit("event=error command=%s reason=\"%s\"", name, reason);
}

static void help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        log_answer("help: %-9s %s", commands[i].name, commands[i].usage);
}

static void balloon(int argc, char **argv)
{
    static const struct {
        const char *word;
        int (*run)(void);
    } verbs[] = {
        {"map", drivers_balloon_map},
        {"detach", drivers_balloon_detach},
        {"attach", drivers_balloon_attach},
    };

    for (size_t i = 0; argc == 2 && i < ARRAY_LEN(verbs); i++) {
        if (strcmp(argv[1], verbs[i].word) == 0) {
            int err = verbs[i].run();

            if (err)
                command_error("balloon", "%s: %s", argv[1],
                              err == -ENODEV ? "there is no balloon" : err_name(err));
            return;
        }
    }
    command_error("balloon", "say map, detach or attach");
}

static void vmmemctl(int argc, char **argv)
{
    (void)argc;
    if (drivers_vmmemctl())
        command_error(argv[0], "there is no VMware balloon");
}

/* Cut a line at blanks, in place. */
static int split(char *line, char **argv)
{
    int argc = 0;

    while (argc <= COMMAND_ARGS_MAX) {
        while (*line == ' ' || *line == '\t')
            line++;
        if (!*line)
            break;
        argv[argc++] = line;
        while (*line && *line != ' ' && *line != '\t')
            line++;
        if (*line)
            *line++ = '\0';
    }
    return argc;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static void execute(char *line)
{
    char *argv[COMMAND_ARGS_MAX + 1];
    int argc = split(line, argv);

    if (argc == 0)
        return;
    clean(argv[0], "\"= ");
    if (argc > COMMAND_ARGS_MAX) {
        command_error(argv[0], "more than %d words", COMMAND_ARGS_MAX);
        return;
    }
    const struct command *found = find(argv[0]);
    if (found)
        found->run(argc, argv);
    else
        command_error(argv[0], "no such command, try help");
}

/* Its first word decides, as it stands in the line. */
static bool waits(const char *line)
{
    while (*line == ' ' || *line == '\t')
        line++;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        size_t len = strlen(commands[i].name);

        if (strncmp(line, commands[i].name, len) == 0 && (!line[len] || line[len] == ' '))
            return commands[i].waits;
    }
    return false;
}

static bool script_runs(void)
{
    return *command.script && !command.script_waits;
}

static bool job_runs(void)
{
    return command_mem_is_busy() || suspend_is_busy();
}

static bool is_busy(void)
{
    return command.queued > 0 || script_runs() || job_runs();
}

static void on_app_input(const char *line)
{
    if (!app_is_running())
        command_error("input", "no app runs that could read it");
    else if (!app_input_line(line))
        command_error("input", "the app does not read its input, this line is lost");
}

static void on_line(char *line)
{
    size_t len = strlen(line) + 1;

    if (*line == '<') {
        on_app_input(line + 1);
    } else if (!is_busy() || !waits(line)) {
        execute(line);
    } else if (len <= QUEUE_BYTES - command.queued) {
        memcpy(command.queue + command.queued, line, len);
        command.queued += len;
    } else {
        command_error("queue", "too many commands wait");
    }
}

/* The next command of the script, which goes before what waits. */
static bool run_script(void)
{
    char line[CONFIG_VALUE_MAX];
    size_t len = 0;

    command.script_waits = command.script_waits && app_is_running();
    if (!script_runs())
        return false;
    while (*command.script && *command.script != ';')
        line[len++] = *command.script++; /* shorter than any value of a setting */
    if (*command.script)
        command.script++;
    line[len] = '\0';
    bool ran_before = app_is_running();
    execute(line);
    command.script_waits = app_is_running() && !ran_before;
    return true;
}

static bool run_queued(void)
{
    char line[256];
    size_t len;

    if (command.queued == 0)
        return false;
    len = strlen(command.queue) + 1;
    memcpy(line, command.queue, len); /* lines have at most 255 bytes: console.h */
    command.queued -= len;
    memmove(command.queue, command.queue + len, command.queued);
    execute(line);
    return true;
}

static void run(void *ctx)
{
    (void)ctx;
    if (!job_runs() && (run_script() || run_queued()))
        task_wake(&command.task);
}

void command_job_done(void)
{
    task_wake(&command.task);
}

/* The setting `app`: as `run` would, but nothing waits for it. */
static void start_app(void)
{
    char line[CONFIG_VALUE_MAX + 4] = "run ";

    if (!*config_str("app"))
        return;
    memcpy(line + 4, config_str("app"), strlen(config_str("app")) + 1);
    execute(line);
}

void command_start(void)
{
    command.script = config_str("run");
    command.task = (struct task){.run = run, .name = "command"};
    task_add(&command.task);
    task_wake(&command.task);
    start_app();
    console_start_input(on_line);
}
