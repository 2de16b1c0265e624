; SPDX-License-Identifier: BSD-2-Clause
;
; The kernel's ELF as bytes of the loader's file; KERNEL_ELF comes from the Makefile.

section .rodata align=16
global kernel_start, kernel_end
kernel_start:
        incbin KERNEL_ELF
kernel_end:

section .note.GNU-stack noalloc noexec nowrite progbits
