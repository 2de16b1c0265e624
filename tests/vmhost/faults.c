// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmhost/faults.h"

#include "base/bits.h"
#include "tests/vmhost/log.h"
#include "tests/vmhost/text.h"

#define FAULTS_MAX  64
#define ANY_COMMAND COMMAND_COUNT

enum deed {
    DEED_STATUS,       /* answer this and do nothing */
    DEED_RESET,        /* forget all locks, answer RESET */
    DEED_CAPABILITIES, /* from now on offer these */
    DEED_ECX,          /* START: claim to have granted these */
    DEED_SILENCE,      /* nobody is there */
    DEED_TARGET,       /* the target changes just now */
    DEED_ENTRY,        /* a batch: refuse this entry */
    DEED_ENTRIES,      /* a batch: refuse all */
    DEED_PFN,          /* a batch: change the frame number in this entry */
};

static const char *const commands[] = {
    [COMMAND_START] = "start",
    [COMMAND_GET_TARGET] = "get-target",
    [COMMAND_LOCK] = "lock",
    [COMMAND_UNLOCK] = "unlock",
    [COMMAND_GUEST_ID] = "guest-id",
    [COMMAND_UNUSED] = "unused",
    [COMMAND_BATCH_LOCK] = "batch-lock",
    [COMMAND_BATCH_UNLOCK] = "batch-unlock",
    [COMMAND_BLOCK_LOCK] = "block-lock",
    [COMMAND_BLOCK_UNLOCK] = "block-unlock",
    [COMMAND_DOORBELL] = "doorbell",
    [ANY_COMMAND] = "any",
};

/* `first` is the deed's first number, `second` that of an entry's status. */
static const struct {
    const char *text;
    enum deed deed;
    unsigned numbers;
} deeds[] = {
    {"status=", DEED_STATUS, 1},     {"reset", DEED_RESET, 0},
    {"caps=", DEED_CAPABILITIES, 1}, {"ecx=", DEED_ECX, 1},
    {"silence", DEED_SILENCE, 0},    {"target=", DEED_TARGET, 1},
    {"entries=", DEED_ENTRIES, 1},   {"entry=", DEED_ENTRY, 2},
    {"pfn=", DEED_PFN, 1},
};

static struct fault {
    unsigned command; /* enum balloon_command or ANY_COMMAND */
    uint64_t first, count;
    enum deed deed;
    uint64_t numbers[2];
} faults[FAULTS_MAX];
static unsigned fault_count;

static uint64_t calls_of(unsigned command)
{
    const struct balloon_account *account = balloon_account();

    return command == ANY_COMMAND ? account->calls : account->by_command[command];
}

static bool parse_command(const char **text, unsigned *out)
{
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
        const char *rest = text_after(*text, commands[i]);
        if (!rest || (*rest != '@' && *rest != '+' && *rest != ':'))
            continue;
        *text = rest;
        *out = i;
        return true;
    }
    return false;
}

static bool parse_when(const char **text, struct fault *out)
{
    out->first = calls_of(out->command) + 1;
    out->count = 1;
    if (**text == '@' && (++*text, !text_number(text, &out->first)))
        return false;
    if (**text == '+' && (++*text, !text_number(text, &out->count)))
        return false;
    return *(*text)++ == ':';
}

static bool parse_deed(const char *text, struct fault *out)
{
    for (unsigned i = 0; i < ARRAY_LEN(deeds); i++) {
        const char *at = text_after(text, deeds[i].text);
        if (!at)
            continue;
        out->deed = deeds[i].deed;
        if (deeds[i].numbers > 0 && !text_number(&at, &out->numbers[0]))
            return false;
        if (deeds[i].numbers > 1 && (*at++ != ',' || !text_number(&at, &out->numbers[1])))
            return false;
        return *at == '\0';
    }
    return false;
}

bool faults_add(const char *text)
{
    struct fault fault = {0};

    if (fault_count == FAULTS_MAX || !parse_command(&text, &fault.command) ||
        !parse_when(&text, &fault) || !parse_deed(text, &fault))
        return false;
    faults[fault_count++] = fault;
    return true;
}

void faults_clear(void)
{
    fault_count = 0;
}

static void answer_with(struct balloon_exchange *x, uint32_t status)
{
    x->is_answered = true;
    x->status = status;
}

static void apply(const struct fault *fault, struct balloon_exchange *x)
{
    uint64_t number = fault->numbers[0];

    switch (fault->deed) {
    case DEED_STATUS:
        if (number == STATUS_RESET)
            balloon_reset(); /* the guest frees its pages now */
        answer_with(x, (uint32_t)number);
        break;
    case DEED_RESET:
        balloon_reset();
        answer_with(x, STATUS_RESET);
        break;
    case DEED_CAPABILITIES:
        balloon_set_capabilities((uint32_t)number);
        break;
    case DEED_ECX:
        balloon_set_capabilities((uint32_t)number);
        x->claims = (uint32_t)number;
        x->has_claim = true;
        break;
    case DEED_SILENCE:
        x->is_silent = true;
        answer_with(x, STATUS_NOBODY);
        break;
    case DEED_TARGET:
        balloon_set_target(number);
        break;
    case DEED_ENTRY:
        x->spoils_entry = true;
        x->entry = (uint32_t)number;
        x->entry_status = (uint32_t)fault->numbers[1];
        break;
    case DEED_ENTRIES:
        x->spoils_all = true;
        x->entry_status = (uint32_t)number;
        break;
    case DEED_PFN:
        x->alters_entry = true;
        x->entry = (uint32_t)number;
        break;
    }
}

bool faults_apply(struct balloon_exchange *x)
{
    for (unsigned i = 0; i < fault_count; i++) {
        const struct fault *fault = &faults[i];
        uint64_t turn = calls_of(fault->command);
        bool is_due = turn >= fault->first &&
                      (fault->count == 0 || turn < fault->first + fault->count);

        if (!is_due || (fault->command != ANY_COMMAND && fault->command != x->command))
            continue;
        apply(fault, x);
        if (turn == fault->first)
            log_say("fault number=%u command=%u call=%lu", i, x->command, turn);
        return true;
    }
    return false;
}
