# SPDX-License-Identifier: BSD-2-Clause
# The framebuffer's font: Spleen 8x16 (BSD-2-Clause, Copyright (c) 2018-2020 Frederic Cambus), as Debian's
# fonts-spleen has it, converted to C. FONT= names another PSF font of that size.

FONT ?= /usr/share/consolefonts/spleen-8x16.psfu.gz

$(O)/gen/kernel/font.c: $(FONT) tools/font2c
	@mkdir -p $(@D)
	$(call say,FONT,$@)
	$(Q)$(PYTHON) tools/font2c $< > $@

.SECONDARY: $(O)/gen/kernel/font.c
