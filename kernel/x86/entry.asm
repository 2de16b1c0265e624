; SPDX-License-Identifier: BSD-2-Clause
;
; The kernel's entry, the same for every front end: e_entry of the ELF. boot_info.h says in which
; state the machine is.

extern kernel_main
extern __stack_chk_guard

section .text.entry progbits alloc exec nowrite align=16
bits 64

; In: RDI = physical address of struct boot_info. Does not return.
global kernel_entry
kernel_entry:
        cli
        cld
        xor     ebp, ebp                ; the end of every backtrace
        and     rsp, -16
        rdtsc                           ; a guard that differs from boot to boot; by rdrand where there is
        shl     rdx, 32
        or      rdx, rax
        mov     r8, rdx
        mov     eax, 1
        cpuid
        bt      ecx, 30
        jnc     .guard
        rdrand  rax
        jnc     .guard
        mov     r8, rax
.guard: mov     rax, 0x9E3779B97F4A7C15 ; spreads the few bits of the time that differ
        imul    r8, rax
        shl     r8, 8                   ; the low byte stays 0
        xor     [rel __stack_chk_guard], r8
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
