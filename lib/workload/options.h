// SPDX-License-Identifier: BSD-2-Clause
/*
 * The options of a workload, from a table that is also what --help prints.
 *
 *     const struct option table[] = {
 *         OPTION_SIZE("size", &size, "50%", "how much to touch", .min = 4096),
 *         OPTION_WORD("order", &order, "up", "where to go next", .words = "up|down"),
 *         OPTION_FLAG("frames", &frames, "use small pages only"),
 *     };
 *     const struct options options = {"walk", "walks through memory", table, 3};
 *     int code = options_parse(&options, argc, argv);
 *
 *     if (code != OPTIONS_RUN)
 *         return code;
 *
 * Values are given as --size=1M or --size 1M. What cannot be understood is told on stderr, with the
 * option and the value.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_IS_FLAG,
    OPTION_IS_NUMBER,
    OPTION_IS_REAL,
    OPTION_IS_SIZE,
    OPTION_IS_TIME,
    OPTION_IS_WORD,
    OPTION_IS_TEXT,
};

struct option {
    const char *name;
    enum option_kind kind;
    union {
        bool *flag;
        uint64_t *number; /* bytes of a size, nanoseconds of a time */
        double *real;
        unsigned *word;
        const char **text;
    } to;
    const char *initial; /* the value when it is not given, written as a user would */
    const char *meaning; /* for --help */
    const char *words;   /* OPTION_WORD: separated by | */
    double min, max;     /* of numbers, in bytes and nanoseconds; max 0: no upper bound */
};

/* Rows of a table. Behind the meaning there may be .min, .max, .words. */
#define OPTION_FLAG(name, to, meaning) \
    OPTION_ROW(name, IS_FLAG, .flag = to, "no", meaning)
/* 42, 0x2a */
#define OPTION_NUMBER(name, to, ...) \
    OPTION_ROW(name, IS_NUMBER, .number = to, __VA_ARGS__)
/* 0.99; not negative */
#define OPTION_REAL(name, to, ...) OPTION_ROW(name, IS_REAL, .real = to, __VA_ARGS__)
/* 4096, 64K, 1M, 1.5G; 50% is of the memory that is available now */
#define OPTION_SIZE(name, to, ...) OPTION_ROW(name, IS_SIZE, .number = to, __VA_ARGS__)
/* 10s, 100ms, 5us, 20ns */
#define OPTION_TIME(name, to, ...) OPTION_ROW(name, IS_TIME, .number = to, __VA_ARGS__)
/* one of .words; *to is which one, from 0 */
#define OPTION_WORD(name, to, ...) OPTION_ROW(name, IS_WORD, .word = to, __VA_ARGS__)
/* anything; the workload parses it itself */
#define OPTION_TEXT(name, to, ...) OPTION_ROW(name, IS_TEXT, .text = to, __VA_ARGS__)

#define OPTION_ROW(key, is, target, value, text, ...)                                    \
    {                                                                                    \
        .name = key, .kind = OPTION_##is, .to target, .initial = value, .meaning = text, \
        ##__VA_ARGS__                                                                    \
    }

struct options {
    const char *app;
    const char *about; /* for --help: what the workload is for */
    const struct option *table;
    size_t count;
};

#define OPTIONS_RUN (-1)

/* Sets all values. Returns OPTIONS_RUN, or the code that main() should return: WORKLOAD_OK after
 * --help, WORKLOAD_USAGE after an error. */
int options_parse(const struct options *options, int argc, char **argv);

/* The same error for a value that the workload itself finds bad. Returns WORKLOAD_USAGE. */
int options_error(const struct options *options, const char *name, const char *value,
                  const char *why);
