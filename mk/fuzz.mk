# SPDX-License-Identifier: BSD-2-Clause
# Fuzz entries (tests/fuzz/fuzz_*.c): replayed on the committed corpus by any compiler as a part of
# check-host, and built with clang's libFuzzer to search for more.

FUZZ_TIME ?= 600
FUZZ_OUT := $(O)/fuzz
FUZZ_CC := clang
# Edges are counted in what is tested, not in the models.
FUZZ_CFLAGS := $(C_COMMON) -Ilib $(HOST_SAN)
FUZZ_COV := -fsanitize=fuzzer-no-link
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
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) $(if $(filter tests/%,$<),,$(FUZZ_COV)) -c $< -o $@

$(FUZZ_OUT)/%.c.o: $(O)/gen/%.c $(O)/flags.stamp
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) $(if $(filter tests/%,$<),,$(FUZZ_COV)) -c $< -o $@

$(FUZZ_OUT)/fuzz_%: $(FUZZ_OUT)/tests/fuzz/fuzz_%.c.o $(FUZZ_LIB_OBJS)
	$(Q)$(FUZZ_CC) $(HOST_SAN) -fsanitize=fuzzer $^ -lcmocka -o $@

# All share FUZZ_TIME, two at a time.
FUZZ_RUNS := $(patsubst %,fuzz-run-%,$(FUZZ_NAMES))
FUZZ_EACH = $(shell expr $(FUZZ_TIME) / \( \( $(words $(FUZZ_NAMES)) + 1 \) / 2 \))

fuzz: $(patsubst %,$(FUZZ_OUT)/fuzz_%,$(FUZZ_NAMES)) ## Search with libFuzzer for FUZZ_TIME seconds, all entries together
	$(Q)+MAKEFLAGS='$(filter-out -j% --jobserver%,$(MAKEFLAGS))' $(MAKE) --no-print-directory -j2 $(FUZZ_RUNS)

$(FUZZ_RUNS): fuzz-run-%: $(FUZZ_OUT)/fuzz_%
	@mkdir -p $(FUZZ_OUT)/corpus/$*; log=$(FUZZ_OUT)/$*.log; \
	$< -max_total_time=$(FUZZ_EACH) -timeout=25 -max_len=4096 -print_final_stats=1 -artifact_prefix=$(FUZZ_OUT)/$*- \
	  $(FUZZ_OUT)/corpus/$* tests/fuzz/corpus/$* > $$log 2>&1 || { tail -40 $$log; echo "FAILED: fuzz_$*"; exit 1; }; \
	awk '/INITED/ { was = $$4 } / cov: / { now = $$4 } /number_of_executed/ { runs = $$2 } \
	  END { printf "  PASS    fuzz_$*: %d executions, %d edges, %d of them new\n", runs, now, now - was }' $$log

.PHONY: fuzz check-fuzz $(FUZZ_RUNS)
.SECONDARY: $(FUZZ_LIB_OBJS) $(patsubst %,$(FUZZ_OUT)/%.o,$(wildcard tests/fuzz/fuzz_*.c)) \
            $(patsubst %,$(HOST_OUT)/%.o,$(wildcard tests/fuzz/*.c))
-include $(wildcard $(HOST_OUT)/tests/fuzz/*.d $(FUZZ_OUT)/tests/fuzz/*.d)
-include $(patsubst %,$(FUZZ_OUT)/%.d,$(HOST_LIB_C))
