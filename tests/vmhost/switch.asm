; SPDX-License-Identifier: BSD-2-Clause
;
; Into the guest and back, and what the monitor does with exceptions of its own: none is expected, so all
; but the NMI end in host_fault(). The monitor uses neither FS, GS, TR nor the SYSCALL registers; what the
; guest has there stays, and VMLOAD is needed only when we set them.

RBX_AT  equ 8                           ; struct guest_regs, vmcb.h
RCX_AT  equ 16
RDX_AT  equ 24
RSI_AT  equ 32
RDI_AT  equ 40
RBP_AT  equ 48
R8_AT   equ 56

extern host_fault
global world_switch, world_load, nmi_take, host_idt_load

section .text

; void world_switch(struct guest_regs *regs, uint64_t vmcb): run the guest until it exits. GIF is clear
; before and after.
world_switch:
        push    rbx
        push    rbp
        push    r12
        push    r13
        push    r14
        push    r15
        push    rdi
        mov     rax, rsi
        mov     rbx, [rdi + RBX_AT]
        mov     rcx, [rdi + RCX_AT]
        mov     rdx, [rdi + RDX_AT]
        mov     rsi, [rdi + RSI_AT]
        mov     rbp, [rdi + RBP_AT]
%assign n 8
%rep 8
        mov     r%[n], [rdi + R8_AT + (n - 8) * 8]
%assign n n + 1
%endrep
        mov     rdi, [rdi + RDI_AT]
        vmrun
        push    rdi
        mov     rdi, [rsp + 8]
        mov     [rdi + RBX_AT], rbx
        mov     [rdi + RCX_AT], rcx
        mov     [rdi + RDX_AT], rdx
        mov     [rdi + RSI_AT], rsi
        mov     [rdi + RBP_AT], rbp
%assign n 8
%rep 8
        mov     [rdi + R8_AT + (n - 8) * 8], r%[n]
%assign n n + 1
%endrep
        pop     qword [rdi + RDI_AT]
        add     rsp, 8
        cld
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbp
        pop     rbx
        ret

; void world_load(uint64_t vmcb): FS, GS, TR, LDTR and the SYSCALL registers from the VMCB.
world_load:
        mov     rax, rdi
        vmload
        ret

; void nmi_take(void): let the pending NMI in, which does nothing more than end.
nmi_take:
        stgi
        nop
        clgi
        ret

; void host_idt_load(void)
host_idt_load:
        lea     rax, [stubs]
        lea     rdx, [idt]
        mov     ecx, 32
.gate:  mov     [rdx], ax
        mov     dword [rdx + 2], 0x8E000008
        mov     r8, rax
        shr     r8, 16
        mov     [rdx + 6], r8
        mov     qword [rdx + 14], 0
        add     rax, 16
        add     rdx, 16
        dec     ecx
        jnz     .gate
        lidt    [idt_pointer]
        ret

; A stub per vector, 16 bytes each: pushes 0 where the CPU pushes no error code, then the vector.
align 16
stubs:
%assign n 0
%rep 32
        align   16
%if n == 2
        iretq
%else
%if n != 8 && (n < 10 || n > 14) && n != 17 && n != 21
        push    byte 0
%endif
        push    byte n
        jmp     near fault
%endif
%assign n n + 1
%endrep

fault:
        pop     rdi
        pop     rsi
        mov     rdx, [rsp]
        mov     rcx, cr2
        and     rsp, -16
        call    host_fault
        ud2

section .bss nobits alloc noexec write align=16
idt:            resb 32 * 16 + 16

section .rodata progbits alloc noexec nowrite align=8
idt_pointer:    dw 32 * 16 - 1
                dq idt
