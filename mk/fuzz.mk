# SPDX-License-Identifier: BSD-2-Clause
# Fuzz entries (tests/fuzz/fuzz_*.c): replayed on the committed corpus by any compiler as a part of
# check-host, and built with clang's libFuzzer to search for more.

FUZZ_TIME ?= 60
FUZZ_OUT := $(O)/fuzz
FUZZ_CC := clang
FUZZ_CFLAGS := $(C_COMMON) -Ilib $(HOST_SAN) -fsanitize=fuzzer-no-link
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
# Not what calls back into its own test.
FUZZ_LIB_OBJS := $(patsubst %,$(FUZZ_OUT)/%.o,$(filter-out boot/efi/leave.c lib/workload/%,$(HOST_LIB_C)))
FUZZ_REPLAYS := $(patsubst %,$(HOST_OUT)/bin/replay_%,$(FUZZ_NAMES))

$(HOST_OUT)/bin/replay_%: $(HOST_OUT)/tests/fuzz/fuzz_%.c.o $(HOST_OUT)/tests/fuzz/replay.c.o $(HOST_LIB)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(HOST_SAN) $^ -o $@

host-tests: $(FUZZ_REPLAYS)

check-fuzz: $(FUZZ_REPLAYS) ## Replay the committed inputs of the fuzz entries
	@for n in $(FUZZ_NAMES); do out=$$($(HOST_OUT)/bin/replay_$$n tests/fuzz/corpus/$$n 2>&1) || \
	  { echo "$$out"; echo "FAILED: replay of fuzz_$$n"; exit 1; }; \
	  printf '  PASS    %s\n' "fuzz_$$n: $$out"; done

check-host: check-fuzz

$(FUZZ_OUT)/%.c.o: %.c $(O)/flags.stamp
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -c $< -o $@

$(FUZZ_OUT)/%.c.o: $(O)/gen/%.c $(O)/flags.stamp
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -c $< -o $@

$(FUZZ_OUT)/fuzz_%: $(FUZZ_OUT)/tests/fuzz/fuzz_%.c.o $(FUZZ_LIB_OBJS)
	$(Q)$(FUZZ_CC) $(HOST_SAN) -fsanitize=fuzzer $^ -lcmocka -o $@

fuzz: $(patsubst %,$(FUZZ_OUT)/fuzz_%,$(FUZZ_NAMES)) ## Search with libFuzzer, FUZZ_TIME seconds each
	@for n in $(FUZZ_NAMES); do mkdir -p $(FUZZ_OUT)/corpus/$$n; \
	  $(FUZZ_OUT)/fuzz_$$n -max_total_time=$(FUZZ_TIME) -timeout=10 -max_len=4096 -print_final_stats=1 \
	    -artifact_prefix=$(FUZZ_OUT)/ $(FUZZ_OUT)/corpus/$$n tests/fuzz/corpus/$$n \
	    > $(FUZZ_OUT)/$$n.log 2>&1 || { tail -40 $(FUZZ_OUT)/$$n.log; echo "FAILED: fuzz_$$n"; exit 1; }; \
	  printf '  PASS    %s\n' "fuzz_$$n: $$(grep number_of_executed $(FUZZ_OUT)/$$n.log)"; done

.PHONY: fuzz check-fuzz
.SECONDARY: $(FUZZ_LIB_OBJS) $(patsubst %,$(FUZZ_OUT)/%.o,$(wildcard tests/fuzz/fuzz_*.c)) \
            $(patsubst %,$(HOST_OUT)/%.o,$(wildcard tests/fuzz/*.c))
-include $(wildcard $(HOST_OUT)/tests/fuzz/*.d $(FUZZ_OUT)/tests/fuzz/*.d)
-include $(patsubst %,$(FUZZ_OUT)/%.d,$(HOST_LIB_C))
