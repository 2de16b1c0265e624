; SPDX-License-Identifier: BSD-2-Clause
;
; The kernel's entry, the same for every front end: e_entry of the ELF. boot_info.h says in which
; state the machine is.

extern kernel_main

section .text.entry progbits alloc exec nowrite align=16
bits 64

; In: RDI = physical address of struct boot_info. Does not return.
global kernel_entry
kernel_entry:
        cli
        cld
        xor     ebp, ebp                ; the end of every backtrace
        and     rsp, -16
        call    kernel_main
        ud2
