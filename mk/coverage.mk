# SPDX-License-Identifier: BSD-2-Clause
# What of drivers/ the host tests and the replayed fuzz inputs reach: both built once more by clang, with
# counters in place of sanitizers, in a folder of their own.

COVER_OUT := $(O)/coverage
COVER_OBJS := $(patsubst %,$(COVER_OUT)/host-clang/%.o,$(LIB_C))
COVER_FLAGS := -fprofile-instr-generate -fcoverage-mapping
COVER_LEFT := tests/coverage/left.txt

# One seed, so that two runs take the same branches.
COVER_ENV := TEST_SEED=1 LLVM_PROFILE_FILE=$(abspath $(COVER_OUT))/raw/%p.profraw

# drivers.elf is only looked into, for where the counters stand; hence nothing it calls is needed.
coverage: ## What host tests and corpus reach of drivers/, what they do not
	@tools/check-coverage --self-test
	@rm -rf $(COVER_OUT)/raw && mkdir -p $(COVER_OUT)
	+@$(COVER_ENV) $(MAKE_IN) O=$(COVER_OUT) HOST_CC=clang HOST_SAN='$(COVER_FLAGS)' check-host \
	  > $(COVER_OUT)/check-host.log || { grep -v PASS $(COVER_OUT)/check-host.log; exit 1; }
	@ld --unresolved-symbols=ignore-all -e 0 $(COVER_OBJS) -o $(COVER_OUT)/drivers.elf
	@llvm-profdata merge -sparse $(COVER_OUT)/raw/*.profraw -o $(COVER_OUT)/all.profdata
	@llvm-cov export -instr-profile $(COVER_OUT)/all.profdata $(COVER_OUT)/drivers.elf > $(COVER_OUT)/export.json
	@tools/check-coverage --left $(COVER_LEFT) $(COVER_OUT)/export.json

.PHONY: coverage
