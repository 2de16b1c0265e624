// SPDX-License-Identifier: BSD-2-Clause
/* Words of a line to an operation. */
#include "line.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "workload/parse.h"

#define WORD_BYTES 24

struct form {
    const char *name;
    enum trace_what what;
    bool has_id, has_amount;
};

static const struct form forms[] = {
    {"a", TRACE_ALLOC, true, true},  {"f", TRACE_FREE, true, false},
    {"t", TRACE_TOUCH, true, false}, {"r", TRACE_REALLOC, true, true},
    {"w", TRACE_WAIT, false, true},  {"end", TRACE_END, false, false},
};

static bool read_words(const struct form *form, char words[][WORD_BYTES],
                       struct trace_op *out)
{
    uint64_t id = 0, amount = 0;
    int at = 1;

    if (form->has_id && (!parse_number(words[at++], &id) || id > UINT32_MAX))
        return false;
    if (form->what == TRACE_WAIT && !parse_number(words[at], &amount))
        return false;
    if (form->what != TRACE_WAIT && form->has_amount &&
        (strchr(words[at], '%') || !parse_size(words[at], 0, &amount) || amount == 0))
        return false;
    *out = (struct trace_op){form->what, (uint32_t)id, amount};
    return true;
}

bool trace_parse(const char *text, struct trace_op *out)
{
    char words[4][WORD_BYTES] = {"", "", "", ""};
    int count =
        sscanf(text, "%23s %23s %23s %23s", words[0], words[1], words[2], words[3]);

    if (count <= 0 || words[0][0] == '#') {
        *out = (struct trace_op){.what = TRACE_NOTHING};
        return true;
    }
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const struct form *form = &forms[i];

        if (strcmp(words[0], form->name) == 0)
            return count == 1 + form->has_id + form->has_amount &&
                   read_words(form, words, out);
    }
    return false;
}
