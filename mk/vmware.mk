# SPDX-License-Identifier: BSD-2-Clause
# What VMware's products boot, and other hypervisors: disks in their formats, a CD, the machine's own file.

VM_FILES := $(addprefix $(O)/aerostat,.vmdk -stream.vmdk .qcow2 .iso .vmx)
MKVM = $(PYTHON) tools/mkvm

$(O)/aerostat.vmdk: $(O)/aerostat.img tools/mkvm
	$(call say,VMDK,$@)
	$(Q)$(MKVM) vmdk $< $@

# As an OVA holds it: compressed, to be read from front to back.
$(O)/aerostat-stream.vmdk: $(O)/aerostat.img tools/mkvm
	$(call say,VMDK,$@)
	$(Q)$(MKVM) vmdk-stream $< $@

$(O)/aerostat.qcow2: $(O)/aerostat.img tools/mkvm
	$(call say,QCOW2,$@)
	$(Q)$(MKVM) qcow2 $< $@

$(O)/efi/cd.fat: $(O)/BOOTX64.EFI boot/efi/aerostat.conf tools/mkimage
	$(Q)$(PYTHON) tools/mkimage --fat $< $@ boot/efi/aerostat.conf

$(O)/aerostat.iso: $(O)/efi/cd.fat tools/mkvm
	$(call say,ISO,$@)
	$(Q)$(MKVM) iso $< $@

$(O)/aerostat.vmx: boot/efi/aerostat.vmx
	$(Q)cp $< $@

vmware: $(VM_FILES) ## Make what VMware boots: .vmdk, .vmx, .iso; and .qcow2

.PHONY: vmware
