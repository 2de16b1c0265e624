// SPDX-License-Identifier: BSD-2-Clause
// expect: conversion|implicit-int-conversion|shorten-64-to-32
#include <stdint.h>

uint8_t f(uint64_t wide);
uint8_t f(uint64_t wide)
{
    return wide;
}
