// SPDX-License-Identifier: BSD-2-Clause
/*
 * The hypervisor behind port 0x5670 as a C object: sessions and capabilities, single frames, batches read
 * from and answered in the guest's own memory, a doorbell, scripted faults, and a record of every command.
 * Its numbers are written down here a second time, on purpose, so that a wrong one in the driver shows.
 *
 * Rules of order and ownership (docs/vmware-driver.md calls them I-1 to I-15) are checked inside every
 * command: the first breach is kept in `complaint`, and vmware_host_check() ends the program with it and
 * the last commands. I-9, the contents of locked frames, is no matter here: a driver gets frame numbers
 * from its HAL, never pointers.
 */
#pragma once

#include "drivers/vmware/backdoor.h"
#include "tests/model/balloon_host.h"

enum vh_cmd {
    VH_START,
    VH_GET_TARGET,
    VH_LOCK,
    VH_UNLOCK,
    VH_GUEST_ID,
    VH_NEVER, /* 5: no driver may use it */
    VH_BATCH_LOCK,
    VH_BATCH_UNLOCK,
    VH_BATCH_2M_LOCK,
    VH_BATCH_2M_UNLOCK,
    VH_DOORBELL_SET,
    VH_CMDS,
};

#define VH_CAP_BASIC    0x02u
#define VH_CAP_BATCH    0x04u
#define VH_CAP_BATCH_2M 0x08u
#define VH_CAP_DOORBELL 0x10u
#define VH_CAP_64       0x20u
#define VH_CAPS_ALL     0x3Eu

enum vh_status {
    VH_SUCCESS = 0,
    VH_CMD_INVALID = 1,
    VH_PPN_INVALID = 2,
    VH_PPN_LOCKED = 3,
    VH_PPN_UNLOCKED = 4,
    VH_PPN_PINNED = 5,
    VH_PPN_NOTNEEDED = 6,
    VH_RESET = 7,
    VH_BUSY = 8,
    VH_ENTRY_FAILURE = 31, /* of an entry: five ones */
};
#define VH_WITH_CAPS UINT32_C(0x03000000)
#define VH_ALL_ONES  UINT32_C(0xFFFFFFFF)

enum vh_phase {
    VH_CLOSED,
    VH_OPEN,
    VH_RESET_PENDING, /* every command but START is answered RESET */
};

struct vh_call {
    uint16_t cmd;
    uint64_t arg1, arg2; /* RBX and RSI as given */
    uint32_t status;
    uint64_t data; /* the target or, for START, the capabilities */
    uint64_t at_ns;
};

#define VH_ANY   0xFFFF     /* a fault of any command */
#define VH_EVERY UINT32_MAX /* every time from then on */
#define VH_WHOLE UINT32_MAX /* the command as a whole, no entry of its batch */
#define VH_EACH  (VH_WHOLE - 1)

/* One wrong answer: let `skip` such commands through, answer the next `times` of them with `status`. */
struct vh_fault {
    uint16_t cmd; /* enum vh_cmd, VH_ANY */
    uint32_t skip, times;
    uint32_t status;
    uint32_t entry; /* VH_WHOLE; an entry of the batch; VH_EACH: all of them */
    bool has_caps;  /* START: answer `caps` in ECX, whatever was asked for */
    uint32_t caps;
    bool moves_pfn; /* batches: another frame number is written back into the entry */
};

#define VH_FAULTS 16
#define VH_TRACE  4096u

struct vmware_host {
    struct hal_model *hal; /* whose DMA memory the batch page is */
    struct guest_frames
        *guest; /* whose frames these are; `host_has`: may not be given back */

    /* What it is like; set at any time. */
    uint32_t offers; /* capabilities, from the next START on */
    bool is_deaf;    /* answers all ones to everything, as a machine without the port */
    bool takes_no_surplus; /* LOCK beyond the target: NOTNEEDED */
    bool pinned[GUEST_MAX_FRAMES];
    bool keeps[GUEST_MAX_FRAMES]; /* UNLOCK of it is answered BUSY */
    bool pinned_group[GUEST_MAX_FRAMES /
                      BLOCK_FRAMES]; /* refused as groups, its frames are not */
    uint32_t version;                /* of the general backdoor; 0: there is none */
    bool hides_product;
    uint64_t tsc_hz; /* 0: it does not tell */
    struct vh_fault faults[VH_FAULTS];
    void (*before)(
        void *ctx); /* before each command is looked at; may change anything above */
    void (*ring)(void *ctx); /* the doorbell */
    void *ctx;

    /* What it knows. */
    enum vh_phase phase;
    uint32_t caps;
    bool
        is_plain; /* START was answered SUCCESS: a host of protocol 2, of which LOCK tells no target */
    uint64_t target, limit, guest_type;
    bool has_doorbell;
    uint64_t doorbell_context, doorbell_resource;
    uint8_t locked[GUEST_MAX_FRAMES]; /* 0, 1: singly, 2: as part of a group */
    uint64_t locked_frames, most_locked;
    bool was_told_reset; /* the driver was, and has not sent START since */
    uint64_t told;       /* the target that the driver goes by */
    bool
        is_lenient; /* I-10 does not count: frames are moved or given back for another reason */
    bool is_ending; /* the driver sends its last START: its answer does not count */
    bool is_over;   /* no command may come any more */

    uint64_t calls[VH_CMDS], failed[VH_CMDS];
    uint64_t entries[VH_CMDS];      /* frames or groups named in batches */
    uint64_t hits;                  /* answers and entries that a fault decided */
    struct vh_call trace[VH_TRACE]; /* call i is trace[i % VH_TRACE] */
    uint64_t trace_count, trace_from;
    uint64_t random;
    bool is_inside;
    unsigned misuse;
    const char *complaint;
};

void vmware_host_init(struct vmware_host *h, struct hal_model *hal,
                      struct guest_frames *guest, uint32_t offers);
/* The seam: what the driver calls. */
struct vmware_backdoor vmware_host_port(struct vmware_host *h);

/* A new target, and the doorbell when there is one. */
void vmware_host_target(struct vmware_host *h, uint64_t frames);
/* The session is lost: snapshot, migration, a touched frame. The driver learns of it by its next command. */
void vmware_host_reset(struct vmware_host *h);
/* Add a fault; those added first are looked at first. */
void vmware_host_fault(struct vmware_host *h, struct vh_fault fault);
void vmware_host_no_faults(struct vmware_host *h);

/* Begin a new record / the record as text: "LOCK 17 =0/2000; ...", frame numbers relative to the guest's
 * first; "2M_LOCK x3 =0/1500;" for a batch of three. */
void vmware_host_mark(struct vmware_host *h);
void vmware_host_text(const struct vmware_host *h, char *text, size_t size);
const char *vmware_host_cmd_name(unsigned cmd);

/* Both sides' counts, and that no rule was broken; ends the program when not. */
void vmware_host_check(const struct vmware_host *h);
