// SPDX-License-Identifier: BSD-2-Clause
/*
 * The table of settings and nothing else. A new setting is one entry here and one row in
 * docs/options.md. Pure.
 */
#include "kernel/config_keys.h"

#include "base/units.h"

const struct config_key config_keys[CONFIG_KEY_COUNT] = {
    {
        .name = "balloon.enable",
        .type = CONFIG_TYPE_BOOL,
        .built_in = "on",
        .meaning = "attach a balloon driver when a device is found",
    },
    {
        .name = "balloon.reserve",
        .type = CONFIG_TYPE_SIZE,
        .built_in = "auto",
        .allowed = "auto",
        .max = UINT64_C(1) << 52,
        .meaning = "memory the balloon never takes; auto is min(4 MiB, RAM / 8)",
    },
    {
        .name = "balloon.oom",
        .type = CONFIG_TYPE_BOOL,
        .built_in = "on",
        .meaning = "accept DEFLATE_ON_OOM: take pages back before memory runs out",
    },
    {
        .name = "balloon.stats",
        .type = CONFIG_TYPE_CHOICE,
        .built_in = "full",
        .allowed = "classic|full",
        .meaning = "statistics sent: the tags of virtio 1.0, or all that are known",
    },
    {
        .name = "balloon.hint",
        .type = CONFIG_TYPE_BOOL,
        .built_in = "on",
        .meaning = "tell a migrating host which memory is free and need not be sent",
    },
    {
        .name = "balloon.poison",
        .type = CONFIG_TYPE_CHOICE,
        .built_in = "off",
        .allowed = "off|zero",
        .meaning = "fill freed memory with zeros, and accept PAGE_POISON",
    },
    {
        .name = "balloon.early_return",
        .type = CONFIG_TYPE_BOOL,
        .built_in = "on",
        .meaning = "use memory that leaves the balloon before the host was told, if it "
                   "allows that",
    },
    {
        .name = "balloon.inflight",
        .type = CONFIG_TYPE_SIZE,
        .built_in = "4",
        .min = 1,
        .max = 8,
        .meaning = "requests at once in a queue",
    },
    {
        .name = "balloon.wide",
        .type = CONFIG_TYPE_CHOICE,
        .built_in = "auto",
        .allowed = "auto|on|off",
        .meaning = "tell a block of 2 MiB in one request; auto: where the host takes "
                   "indirect ones",
    },
    {
        .name = "report.delay",
        .type = CONFIG_TYPE_TIME,
        .built_in = "10ms",
        .allowed = "off",
        .min = NS_PER_MS,
        .max = 10 * NS_PER_S,
        .meaning = "how long memory lies free before the host gets it; off: never",
    },
    {
        .name = "report.order",
        .type = CONFIG_TYPE_SIZE,
        .built_in = "9",
        .max = 9,
        .meaning =
            "the smallest range that is reported, 2^order pages; 9: whole blocks of 2 MiB",
    },
    {
        .name = "report.batch",
        .type = CONFIG_TYPE_SIZE,
        .built_in = "32",
        .min = 1,
        .max = 32,
        .meaning = "ranges in one report",
    },
    {
        .name = "virtio.reset_limit",
        .type = CONFIG_TYPE_SIZE,
        .built_in = "3",
        .max = 16,
        .meaning = "new starts of a broken device in a minute; 0: any number, at once",
    },
    {
        .name = "vmware.enable",
        .type = CONFIG_TYPE_BOOL,
        .built_in = "on",
        .meaning = "attach the VMware balloon on a VMware host",
    },
    {
        .name = "vmware.policy",
        .type = CONFIG_TYPE_CHOICE,
        .built_in = "modern",
        .allowed = "modern|classic",
        .meaning =
            "go on until the target is met, or one cycle a second with bounded rates",
    },
    {
        .name = "vmware.level",
        .type = CONFIG_TYPE_CHOICE,
        .built_in = "batched-2m",
        .allowed = "basic|batched|batched-2m",
        .meaning = "the most that is asked of the host, which may grant less",
    },
    {
        .name = "vmware.guest_type",
        .type = CONFIG_TYPE_CHOICE,
        .built_in = "linux",
        .allowed = "unknown|linux|bsd|windows-nt4|windows|solaris|macos",
        .meaning = "what the host is told that we are: it may choose a limit by it",
    },
    {
        .name = "vmware.poll",
        .type = CONFIG_TYPE_TIME,
        .built_in = "100ms",
        .min = 10 * NS_PER_MS,
        .max = 10 * NS_PER_S,
        .meaning =
            "time between two questions for the target (modern; classic: a second)",
    },
    {
        .name = "vmware.doorbell",
        .type = CONFIG_TYPE_BOOL,
        .built_in = "on",
        .meaning = "let the host wake the balloon at once, where it can (modern)",
    },
    {
        .name = "vmware.rates",
        .type = CONFIG_TYPE_BOOL,
        .built_in = "off",
        .meaning =
            "bound what a cycle moves as classic does, one cycle a second (modern)",
    },
    {
        .name = "vmware.shrink",
        .type = CONFIG_TYPE_BOOL,
        .built_in = "off",
        .meaning = "take memory back from the VMware balloon before it runs out",
    },
    {
        .name = "app",
        .type = CONFIG_TYPE_TEXT,
        .built_in = "",
        .meaning = "an app to start once booted: its name and arguments",
    },
    {
        .name = "sample",
        .type = CONFIG_TYPE_TIME,
        .built_in = "off",
        .allowed = "off",
        .min = NS_PER_MS,
        .max = 3600 * NS_PER_S,
        .meaning = "time between two `sample` events with all figures of memory",
    },
    {
        .name = "irq",
        .type = CONFIG_TYPE_CHOICE,
        .built_in = "auto",
        .allowed = "auto|intx|poll",
        .meaning =
            "the best device interrupts that work, none by message, or polling always",
    },
    {
        .name = "virtio.transport",
        .type = CONFIG_TYPE_CHOICE,
        .built_in = "auto",
        .allowed = "auto|legacy",
        .meaning =
            "the interface of a transitional PCI device: the modern one, or the legacy one",
    },
    {
        .name = "virtio_mmio.device",
        .type = CONFIG_TYPE_LIST,
        .built_in = "",
        .meaning = "where a virtio-mmio device is: size@base:irq; repeatable",
    },
    {
        .name = "poll_interval",
        .type = CONFIG_TYPE_TIME,
        .built_in = "100ms",
        .min = NS_PER_MS,
        .max = 10 * NS_PER_S,
        .meaning = "time between two looks at a device that is polled",
    },
    {
        .name = "console",
        .type = CONFIG_TYPE_WORDS,
        .built_in = "auto",
        .allowed = "auto|serial|debugcon|fb|virtio",
        .meaning = "where text goes; auto is every console found",
    },
    {
        .name = "loglevel",
        .type = CONFIG_TYPE_CHOICE,
        .built_in = "info",
        .allowed = "error|warn|info|debug",
        .meaning = "the least important log lines that are printed",
    },
    {
        .name = "panic",
        .type = CONFIG_TYPE_CHOICE,
        .built_in = "poweroff",
        .allowed = "poweroff|halt|reboot",
        .meaning = "what follows the last words of a panic",
    },
    {
        .name = "run",
        .type = CONFIG_TYPE_TEXT,
        .built_in = "",
        .meaning = "commands to run once booted, separated by semicolons",
    },
    {
        .name = "test",
        .type = CONFIG_TYPE_TEXT,
        .built_in = "",
        .meaning = "guest test suites to run, separated by commas (test image)",
    },
};
