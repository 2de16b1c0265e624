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

; void paging_switch(paddr_t root, uint64_t stack_top, void (*next)(void))
; Loads the page tables and goes on in next() on another stack. The code that runs here is mapped at the
; same place by both tables. Does not return.
global paging_switch
paging_switch:
        mov     cr3, rdi
        mov     rsp, rsi
        xor     ebp, ebp
        call    rdx
        ud2
