// SPDX-License-Identifier: BSD-2-Clause
/* Walks the arguments along the table; the initial values go the same way as given ones. */
#include "workload/options.h"

#include <guest.h>
#include <stdio.h>
#include <string.h>

#include "workload/parse.h"
#include "workload/report.h"

static const char *const kind_names[] = {
    [OPTION_IS_FLAG] = "",      [OPTION_IS_NUMBER] = "=N", [OPTION_IS_SIZE] = "=SIZE",
    [OPTION_IS_TIME] = "=TIME", [OPTION_IS_REAL] = "=X.Y", [OPTION_IS_WORD] = "=",
    [OPTION_IS_TEXT] = "=TEXT",
};

static const char *const kind_hints[] = {
    [OPTION_IS_FLAG] = "takes no value",
    [OPTION_IS_NUMBER] = "not a number",
    [OPTION_IS_SIZE] = "not a size such as 4096, 64K, 1M, 1G, 50%",
    [OPTION_IS_TIME] = "not a time such as 10s, 100ms, 5us",
    [OPTION_IS_REAL] = "not a number such as 0.99",
    [OPTION_IS_WORD] = "not one of ",
    [OPTION_IS_TEXT] = "",
};

static void print_help(const struct options *options)
{
    printf("%s: %s\n", options->app, options->about);
    for (size_t i = 0; i < options->count; i++) {
        const struct option *o = &options->table[i];
        char form[64];

        snprintf(form, sizeof(form), "--%s%s%s", o->name, kind_names[o->kind],
                 o->words ? o->words : "");
        printf("  %-34s %-12s %s\n", form, o->initial, o->meaning);
    }
    printf("  %-34s %-12s %s\n", "--help", "",
           "this list: options, values when not given, meanings");
}

static bool find_word(const char *words, const char *text, unsigned *out)
{
    size_t length = strlen(text);

    for (unsigned i = 0;; i++) {
        size_t word = strcspn(words, "|");

        if (word == length && memcmp(words, text, word) == 0) {
            *out = i;
            return true;
        }
        if (words[word] == '\0')
            return false;
        words += word + 1;
    }
}

static bool set_value(const struct option *o, const char *text)
{
    struct guest_memory memory;

    switch (o->kind) {
    case OPTION_IS_FLAG:
        *o->to.flag = strcmp(text, "yes") == 0;
        return true;
    case OPTION_IS_NUMBER:
        return parse_number(text, o->to.number);
    case OPTION_IS_SIZE:
        guest_memory(&memory);
        return parse_size(text, memory.available_bytes, o->to.number);
    case OPTION_IS_TIME:
        return parse_time(text, o->to.number);
    case OPTION_IS_REAL:
        return parse_real(text, o->to.real);
    case OPTION_IS_WORD:
        return find_word(o->words, text, o->to.word);
    case OPTION_IS_TEXT:
        *o->to.text = text;
        return true;
    }
    return false;
}

static bool is_in_bounds(const struct option *o)
{
    double value;

    if (o->kind == OPTION_IS_REAL)
        value = *o->to.real;
    else if (o->kind == OPTION_IS_NUMBER || o->kind == OPTION_IS_SIZE ||
             o->kind == OPTION_IS_TIME)
        value = (double)*o->to.number;
    else
        return true;
    return value >= o->min && (o->max == 0 || value <= o->max);
}

static int complain(const struct options *options, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s; --help lists the options\n", options->app, what, why);
    return WORKLOAD_USAGE;
}

int options_error(const struct options *options, const char *name, const char *value,
                  const char *why)
{
    char what[96];

    snprintf(what, sizeof(what), "--%s=%s", name, value);
    return complain(options, what, why);
}

static int set_option(const struct options *options, const struct option *o,
                      const char *text)
{
    char why[96];

    if (!set_value(o, text))
        snprintf(why, sizeof(why), "%s%s", kind_hints[o->kind], o->words ? o->words : "");
    else if (is_in_bounds(o))
        return OPTIONS_RUN;
    else if (o->max == 0)
        snprintf(why, sizeof(why), "must be at least %.10g", o->min);
    else
        snprintf(why, sizeof(why), "must be %.10g to %.10g", o->min, o->max);
    return options_error(options, o->name, text, why);
}

/* The option that is called by the first `length` characters of `name`. */
static const struct option *find_option(const struct options *options, const char *name,
                                        size_t length)
{
    for (size_t i = 0; i < options->count; i++) {
        const struct option *o = &options->table[i];

        if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
            return o;
    }
    return NULL;
}

/* argv[0], and argv[1] if it is the value; *used says how many. `next` is NULL behind the last. */
static int parse_argument(const struct options *options, const char *arg,
                          const char *next, int *used)
{
    if (strncmp(arg, "--", 2) != 0)
        return complain(options, arg, "not an option");

    size_t length = strcspn(arg + 2, "=");
    const char *value = arg[2 + length] == '=' ? arg + 2 + length + 1 : NULL;
    const struct option *o = find_option(options, arg + 2, length);

    *used = 1;
    if (!o)
        return complain(options, arg, "no such option");
    if (o->kind == OPTION_IS_FLAG)
        return value ? complain(options, arg, kind_hints[OPTION_IS_FLAG])
                     : set_option(options, o, "yes");
    if (!value) {
        value = next;
        *used = 2;
    }
    return value ? set_option(options, o, value)
                 : complain(options, arg, "needs a value");
}

int options_parse(const struct options *options, int argc, char **argv)
{
    int code = OPTIONS_RUN;
    int used;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help(options);
            return WORKLOAD_OK;
        }
    }
    for (size_t i = 0; i < options->count && code == OPTIONS_RUN; i++)
        code = set_option(options, &options->table[i], options->table[i].initial);
    for (int i = 1; i < argc && code == OPTIONS_RUN; i += used)
        code = parse_argument(options, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used);
    return code;
}
