# SPDX-License-Identifier: BSD-2-Clause
# pytest: the host tool against a pretended QEMU (tests/tool), the guest on the real one (tests/e2e).
# PYTEST is the whole suite; `make check` runs it last. What failed or was skipped is named at its end. Files run side
# by side, one for each processor and four at most: each has a guest of its own.

PYTEST_BASE = $(PYTHON) -B -m pytest -p no:cacheprovider -q -rfEs --build=$(abspath $(O))
SIDE_BY_SIDE = -n $(shell nproc) --maxprocesses=4 --dist=loadfile
PYTEST = $(PYTEST_BASE) $(SIDE_BY_SIDE) tests/tool tests/e2e

check-tool: ## Test the host tool against a pretended QEMU
	@$(PYTEST_BASE) $(SIDE_BY_SIDE) tests/tool

check-e2e: $(O)/aerostat.elf $(O)/aerostat-test.elf $(O)/vmhost.elf $(O)/vmhost-probe.elf image vmware ## Test the guest on real QEMU (ARGS="-k walk")
	@$(PYTEST_BASE) $(SIDE_BY_SIDE) tests/e2e $(ARGS)

soak: $(O)/aerostat.elf $(O)/aerostat-test.elf $(O)/vmhost.elf ## Rings full of nonsense, targets and shortages by the thousand, about an hour (ARGS="-k split")
	@$(PYTEST_BASE) -rP --soak tests/e2e/test_corruption.py tests/e2e/test_conservation.py tests/e2e/test_shortage.py \
		tests/e2e/test_evacuation.py tests/e2e/test_vmware.py::test_random_faults $(ARGS)

.PHONY: check-tool check-e2e soak
