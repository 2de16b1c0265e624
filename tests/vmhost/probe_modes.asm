; SPDX-License-Identifier: BSD-2-Clause
;
; What the probe does outside of C: out of paging and back, interrupt handlers, a triple fault.

CODE64          equ 0x08                ; selectors of boot.asm
CODE32          equ 0x18
CR0_PG          equ 0x80000000

extern boot_pml4
global probe_read_unpaged, probe_idt_init, probe_idt_load, probe_ticks, probe_undefined
global probe_vmmcall, probe_triple_fault

section .text

; void probe_read_unpaged(uint32_t addr): read a word with paging off.
probe_read_unpaged:
        push    rbx
        lea     rax, [.compat]
        push    CODE32
        push    rax
        retfq
bits 32
.compat:
        mov     eax, cr0
        and     eax, ~CR0_PG
        mov     cr0, eax
        mov     ebx, [edi]
        mov     eax, cr0
        or      eax, CR0_PG
        mov     cr0, eax
        jmp     CODE64:.long
bits 64
.long:  pop     rbx
        ret

; void probe_idt_init(void *idt): gates for #UD and the PIC's first line, moved to vector 32.
probe_idt_init:
        lea     rsi, [on_undefined]
        lea     rdx, [rdi + 6 * 16]
        call    gate
        lea     rsi, [on_tick]
        lea     rdx, [rdi + 32 * 16]
gate:   mov     [rdx], si
        mov     dword [rdx + 2], 0x8E000000 | CODE64
        shr     rsi, 16
        mov     [rdx + 6], rsi
        mov     qword [rdx + 14], 0
        ret

; void probe_idt_load(void *idt)
probe_idt_load:
        push    rdi
        sub     rsp, 2
        mov     word [rsp], 33 * 16 - 1
        lidt    [rsp]
        add     rsp, 10
        ret

on_undefined:
        inc     dword [probe_undefined]
        add     qword [rsp], 3          ; VMMCALL and its like are three bytes long
        iretq

on_tick:
        push    rax
        inc     dword [probe_ticks]
        mov     al, 0x20
        out     0x20, al
        pop     rax
        iretq

; void probe_vmmcall(void)
probe_vmmcall:
        vmmcall
        ret

probe_triple_fault:
        push    0
        push    0
        lidt    [rsp]
        ud2

section .bss nobits alloc noexec write align=4
probe_ticks:    resd 1
probe_undefined: resd 1
