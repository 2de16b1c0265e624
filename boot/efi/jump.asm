; SPDX-License-Identifier: BSD-2-Clause
;
; From the firmware's page tables to ours and into the kernel. Position-independent: main.c copies
; [jump_start, jump_end) to a page below 4 GiB, which both page tables map identically.

CR4_PGE equ 0x80

section .text
bits 64

; In: RDI = root of the page tables, RSI = the kernel's entry (virtual), RDX = boot_info (physical),
; RCX = top of the boot stack (physical). Interrupts are off. Does not return.
global jump_start, jump_end
jump_start:
        mov     rax, cr4
        and     rax, ~CR4_PGE           ; no global entry of the firmware's survives
        mov     cr4, rax
        mov     cr3, rdi
        mov     rsp, rcx
        mov     rdi, rdx
        xor     ebp, ebp
        cld
        jmp     rsi
jump_end:

section .note.GNU-stack noalloc noexec nowrite progbits
