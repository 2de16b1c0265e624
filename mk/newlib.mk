# SPDX-License-Identifier: BSD-2-Clause
# The C library of the apps: built once from Debian's newlib-source, always by gcc, and shared by all build
# folders. tools/build-newlib knows how, and when it must be done again.

NEWLIB_LIBS := $(NEWLIB)/lib/libc.a $(NEWLIB)/lib/libm.a

# Changes when the library did; what includes its headers or links it depends on this.
$(O)/newlib.stamp: FORCE
	@tools/build-newlib $(NEWLIB)
	@mkdir -p $(@D)
	@cmp -s $(NEWLIB)/key $@ || cp $(NEWLIB)/key $@

check-newlib: $(O)/newlib.stamp ## Build newlib once more in another folder, compare (two minutes)
	@rm -rf $(O)/newlib-again && tools/build-newlib $(O)/newlib-again
	@for lib in $(NEWLIB_LIBS); do cmp $$lib $(O)/newlib-again/lib/$${lib##*/} || exit 1; done
	@rm -rf $(O)/newlib-again
	@echo '  PASS    newlib built in another folder: same bytes'

.PHONY: check-newlib
