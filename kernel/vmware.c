// SPDX-License-Identifier: BSD-2-Clause
/* The VMware balloon's life in this kernel. What it says is told by vmware_report.c. */
#include "kernel/vmware.h"
#include "kernel/clock.h"
#include "kernel/config.h"
#include "kernel/evacuation.h"
#include "kernel/format.h"
#include "kernel/hal.h"
#include "kernel/log.h"
#include "kernel/vmware_bell.h"
#include "kernel/vmware_detect.h"
#include "kernel/vmware_report.h"
#include "kernel/vmware_status.h"
#include "kernel/x86/backdoor.h"
#include "kernel/x86/confidential.h"

#include "base/bits.h"
#include "base/err.h"

#define DESCRIPTION_MAX 160

/* Owned by the balloon's task. */
static struct {
    struct vmware_found found;
    bool is_usable; /* detected, and the settings allow it */
    struct hal_client client;
    struct vmware_balloon *vb; /* NULL: not attached */
    int refusal;               /* why the last attach failed */
} device;

static void run(void *ctx)
{
    struct vmware_balloon_status now;

    (void)ctx;
    if (!device.vb)
        return;
    if (vmware_bell_take())
        vmware_balloon_ring(device.vb);
    vmware_balloon_step(device.vb);
    vmware_report(device.vb);
    evacuation_poke();
    vmware_balloon_get_status(device.vb, &now);
    if (now.state != VMWARE_BALLOON_OFF)
        return;
    vmware_balloon_destroy(device.vb);
    device.vb = NULL;
    vmware_bell_close();
    vmware_report_detached();
}

static const struct {
    const char *name;
    uint32_t caps; /* without the doorbell */
} levels[] = {
    {"basic", VMWARE_CAP_BASIC | VMWARE_CAP_64_BIT},
    {"batched", VMWARE_CAP_BASIC | VMWARE_CAP_BATCHED | VMWARE_CAP_64_BIT},
    {"batched-2m", VMWARE_CAPS_ALL & ~VMWARE_CAP_SIGNALLED},
};

static uint32_t wished_caps(void)
{
    uint32_t caps = 0;

    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        if (config_is("vmware.level", levels[i].name))
            caps = levels[i].caps;
    }
    return caps;
}

static enum vmware_guest guest_type(void)
{
    static const char *const names[] = {"unknown", "linux",   "bsd",  "windows-nt4",
                                        "windows", "solaris", "macos"};
    unsigned i = 0;

    while (i + 1 < ARRAY_LEN(names) && !config_is("vmware.guest_type", names[i]))
        i++;
    return (enum vmware_guest)i;
}

static const char *why(int err)
{
    return err == -ENODEV ? "the host has no balloon" : err_name(err);
}

static const struct vmware_doorbell *open_bell(void)
{
    if (!config_bool("vmware.doorbell") || config_bool("vmware.rates") ||
        config_is("vmware.policy", "classic"))
        return NULL;
    return vmware_bell_open(&device.client.hal, &device.client.task);
}

static int attach(void)
{
    const struct vmware_doorbell *bell = open_bell();
    const struct vmware_balloon_opts opts = {
        .policy = config_is("vmware.policy", "classic") ? VMWARE_POLICY_CLASSIC
                                                        : VMWARE_POLICY_MODERN,
        .guest = guest_type(),
        .caps = wished_caps() | (bell ? VMWARE_CAP_SIGNALLED : 0),
        .doorbell = bell,
        .period_ns = config_u64("vmware.poll"),
        .rates = config_bool("vmware.rates"),
        .shrink = config_bool("vmware.shrink"),
    };

    /* Contents of what comes back are anybody's: where freed memory is to be zero it must be filled. */
    device.client.gives_anything = config_is("balloon.poison", "zero");
    device.refusal =
        vmware_balloon_attach(&machine_backdoor, &device.client.hal, &opts, &device.vb);
    if (device.refusal) {
        vmware_bell_close();
        log_warn("vmware-balloon: not attached: %s", why(device.refusal));
        vmware_report_refused(why(device.refusal));
        return device.refusal;
    }
    vmware_report_attached(device.vb, &device.found);
    return 0;
}

/* CPUID names the frequency in a unit that not everybody agrees on: the backdoor is a second opinion. */
static void check_clock(void)
{
    uint64_t hz, khz = clock_tsc_khz();

    if (!device.found.has_version || !vmware_get_tsc_hz(&machine_backdoor, &hz))
        return;
    if (hz / 1000 < khz - khz / 100 || hz / 1000 > khz + khz / 100)
        log_warn("vmware: the host's TSC runs at %llu kHz, our clock counts with %llu",
                 (unsigned long long)(hz / 1000), (unsigned long long)khz);
}

/* NULL: it may be used. Asked before anything touches a port, which would be a fault in a confidential guest. */
static const char *why_not(void)
{
    if (cpu_is_confidential())
        return "not in a confidential guest";
    if (!config_bool("balloon.enable") || !config_bool("vmware.enable"))
        return "left out by the settings";
    return NULL;
}

void vmware_device_start(void)
{
    const char *reason = why_not();

    vmware_detect(!reason, &device.found);
    if (device.found.way == VMWARE_NOT)
        return;
    log_info("vmware-balloon: VMware by %s, product %s",
             vmware_way_name(device.found.way), vmware_product_name(&device.found));
    if (reason) {
        log_info("vmware-balloon: %s", reason);
        return;
    }
    check_clock();
    device.is_usable = true;
    hal_client_init(&device.client, "vmware-balloon", run, NULL);
    vmware_report_init(&device.client.task);
    attach();
}

int vmware_device_reattach(void)
{
    if (!device.is_usable)
        return -ENODEV;
    return device.vb ? -EBUSY : attach();
}

int vmware_device_detach(void)
{
    if (!device.vb)
        return -ENODEV;
    vmware_balloon_detach(device.vb);
    return 0;
}

int vmware_device_map(void)
{
    if (!device.vb)
        return -ENODEV;
    vmware_report_map(device.vb);
    return 0;
}

int vmware_device_stats(void)
{
    if (!device.vb)
        return -ENODEV;
    vmware_report_stats(device.vb);
    return 0;
}

int vmware_device_vmmemctl(void)
{
    if (!device.vb)
        return -ENODEV;
    vmware_report_vmmemctl(device.vb);
    return 0;
}

uint64_t vmware_device_oom(uint64_t frames)
{
    uint64_t got = 0;

    if (device.vb) {
        got = vmware_balloon_oom(device.vb, frames);
        vmware_report(device.vb);
    }
    return got;
}

static struct vmware_balloon_status status(void)
{
    struct vmware_balloon_status now = {.state = VMWARE_BALLOON_OFF};

    if (device.vb)
        vmware_balloon_get_status(device.vb, &now);
    return now;
}

bool vmware_device_is_live(void)
{
    return status().state == VMWARE_BALLOON_LIVE;
}

bool vmware_device_is_working(void)
{
    struct vmware_balloon_status now = status();

    return now.state == VMWARE_BALLOON_LIVE && (now.is_moving || now.is_emptying);
}

int vmware_device_empty(pfn_t block)
{
    return vmware_balloon_empty(device.vb, block);
}

void vmware_device_report_moved(uint64_t blocks_before, uint64_t blocks_after)
{
    vmware_report_moved(device.vb, blocks_before, blocks_after);
}

/* With those that are refused and kept for the moment: they are not the allocator's. */
uint64_t vmware_device_frames(void)
{
    struct vmware_balloon_status now = status();

    return now.size_frames + now.refused_frames;
}

uint64_t vmware_device_target(void)
{
    return status().wish_frames;
}

bool vmware_device_has(pfn_t first, uint64_t frames)
{
    pfn_t found;
    uint64_t count;

    return device.vb && vmware_balloon_next_range(device.vb, first, &found, &count) &&
           found.n < first.n + frames;
}

uint64_t vmware_device_bytes(void)
{
    return status().all_bytes;
}

void vmware_device_suspend(void)
{
    if (device.vb)
        vmware_balloon_suspend(device.vb);
    vmware_bell_suspend();
}

void vmware_device_resume(void)
{
    if (device.vb) {
        vmware_bell_resume();
        vmware_balloon_resume(device.vb);
    }
}

bool vmware_device_describe(char *text, size_t size)
{
    struct vmware_balloon_status now = status();
    int len;

    if (device.found.way == VMWARE_NOT)
        return false;
    len = format_s(text, size, "VMware by %s, product %s; ",
                   vmware_way_name(device.found.way), vmware_product_name(&device.found));
    if (len < 0 || (size_t)len >= size)
        return true;
    text += len;
    size -= (size_t)len;
    if (!device.vb)
        format_s(text, size, "no balloon: %s",
                 device.refusal ? why(device.refusal) : "left out or detached");
    else
        vmware_status_describe(&now, text, size);
    return true;
}

/* What the session came to lack, with a separator; "": nothing. */
static const char *lack(const struct vmware_balloon_status *now)
{
    if (now->no_lock && now->no_unlock)
        return "the host knows neither LOCK nor UNLOCK: ";
    if (now->no_lock)
        return "the host does not know LOCK: ";
    return now->no_unlock ? "the host does not know UNLOCK: " : "";
}

void vmware_device_doctor(void)
{
    struct vmware_balloon_status now = status();
    bool is_well = !now.is_reset_due && !now.no_lock && !now.no_unlock;
    char text[DESCRIPTION_MAX];

    if (!vmware_device_describe(text, sizeof(text)))
        log_answer("doctor: no VMware");
    else if (!device.vb)
        log_answer("doctor: %s", text);
    else
        log_answer("doctor: %s: %s%s", is_well ? "ok" : "NOT OK", lack(&now), text);
}

static void detail(struct status_sheet *sheet)
{
    struct vmware_balloon_status now = status();

    if (device.vb)
        vmware_status_put(sheet, &now);
}

const struct status_source vmware_status_source = {.describe = vmware_device_describe,
                                                   .detail = detail};
