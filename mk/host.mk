# SPDX-License-Identifier: BSD-2-Clause
# Host programs: the core and the pure kernel files with sanitizers, the unit tests (tests/host/test_*.c,
# one cmocka program each), fuzz entries, the embedding example.

HOST_OUT := $(O)/host-$(notdir $(HOST_CC))
HOST_LIB_C := $(CORE_C) $(PURE_C) $(GEN_C) $(wildcard tests/model/*.c) $(APP_PURE_C)
HOST_LIB := $(HOST_OUT)/libcore.a
HOST_TESTS := $(patsubst tests/host/%.c,$(HOST_OUT)/bin/%,$(wildcard tests/host/test_*.c))

$(HOST_OUT)/flags.stamp: FORCE
	$(call flags_stamp,$(HOST_CC) $(HOST_CFLAGS))

$(HOST_OUT)/%.c.o: %.c $(HOST_OUT)/flags.stamp
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)
	$(Q)$(HOST_CC) $(HOST_CFLAGS) -c $< -o $@

$(HOST_OUT)/%.c.o: $(O)/gen/%.c $(HOST_OUT)/flags.stamp
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)
	$(Q)$(HOST_CC) $(HOST_CFLAGS) -c $< -o $@

$(HOST_LIB): $(patsubst %,$(HOST_OUT)/%.o,$(HOST_LIB_C))
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(HOST_OUT)/bin/%: $(HOST_OUT)/tests/host/%.c.o $(HOST_LIB)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(HOST_SAN) $(filter %.o,$^) $(HOST_LIB) -lcmocka -lm -o $@

# The files of an app beside its main.c, for tests/host/test_app_NAME.c. They need libc, and of guest.h what
# that test stands in for.
app_host_objs = $(patsubst %,$(HOST_OUT)/%.o,$(filter-out %/main.c,$(wildcard $(1)/*.c)))
$(foreach app,$(wildcard apps/*),$(eval $(HOST_OUT)/bin/test_app_$(notdir $(app)): $(call app_host_objs,$(app))))

# Kept, so that tools/check-layers sees their symbols.
.SECONDARY: $(patsubst tests/host/%.c,$(HOST_OUT)/tests/host/%.c.o,$(wildcard tests/host/test_*.c))

host-tests: $(HOST_TESTS)

# Side by side; a failing program shows its output.
HOST_RUNS := $(patsubst $(HOST_OUT)/bin/%,run-host-%,$(HOST_TESTS))

$(HOST_RUNS): run-host-%: $(HOST_OUT)/bin/%
	@timeout 300 $< > $<.log 2>&1 || { cat $<.log; echo "FAILED: $<"; exit 1; }; \
	  printf '  PASS    %s\n' "$*: $$(grep -c '  OK ' $<.log) cases"

check-host: $(HOST_RUNS) ## The unit tests on this machine (HOST_CC=clang: by clang)

.PHONY: host-tests check-host $(HOST_RUNS)
-include $(patsubst %,$(HOST_OUT)/%.d,$(HOST_LIB_C)) $(wildcard $(HOST_OUT)/tests/host/*.d $(HOST_OUT)/apps/*/*.d)
