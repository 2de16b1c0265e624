; SPDX-License-Identifier: BSD-2-Clause
;
; The way from a vector to trap_dispatch(struct trap_frame *) and back, and the pair that lets a test
; survive a fault (trap_try). One stub of 16 bytes per vector; trap.c computes their addresses. The kernel
; stays on its stack; what hits the app goes on on the kernel's (app_switch.h).

extern trap_dispatch
extern app_level, app_kernel_rsp

VECTORS equ 0x61                        ; trap.h, VECTOR_FOREIGN and all before it

section .text.stubs progbits alloc exec nowrite align=16
bits 64

; CPU pushed SS, RSP, RFLAGS, CS, RIP and, for some exceptions, an error code.
global trap_stubs
trap_stubs:
%assign vector 0
%rep VECTORS
        align   16, db 0xCC
%if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
        push    qword 0
%endif
        push    qword vector
        jmp     trap_common
%assign vector vector + 1
%endrep
        align   16, db 0xCC

trap_common:
        cld
        push    rax
        push    rbx
        push    rcx
        push    rdx
        push    rsi
        push    rdi
        push    rbp
        push    r8
        push    r9
        push    r10
        push    r11
        push    r12
        push    r13
        push    r14
        push    r15
        mov     rdi, rsp
        mov     rbx, rsp
        cmp     byte [rel app_level], 0
        je      .stay
        mov     eax, [rsp + 15 * 8]     ; the vector; NMI, #DF and #MC came on stacks of their own
        mov     ecx, 1 << 2 | 1 << 8 | 1 << 18
        cmp     eax, 32
        jae     .leave
        bt      ecx, eax
        jc      .stay
.leave: mov     rsp, [rel app_kernel_rsp] ; from the app's stack to the kernel's
        and     rsp, -16
.stay:  call    trap_dispatch           ; the CPU aligned RSP to 16; 22 words keep it so
        mov     rsp, rbx
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rbp
        pop     rdi
        pop     rsi
        pop     rdx
        pop     rcx
        pop     rbx
        pop     rax
        add     rsp, 16                 ; vector, error
        iretq

; int trap_call(void (*fn)(void *), void *arg, uint64_t *resume_rsp)
; Calls fn(arg) and returns -1. Stores in *resume_rsp the stack pointer with which trap_resume, entered
; by iretq from an exception, makes this call return the vector in RAX instead.
global trap_call
trap_call:
        push    rbp
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        sub     rsp, 8
        mov     [rdx], rsp
        mov     rax, rdi
        mov     rdi, rsi
        call    rax
        mov     eax, -1
global trap_resume
trap_resume:
        add     rsp, 8
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        pop     rbp
        ret
